"""What a usage record becomes in the tables: the one place that knows a record's columns.

A column takes its value from the field of `UsageRecord` or `Usage` that bears its name, so that one more
figure is one more field and one more column, nothing else. It reads no file and asks no database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec.structs import astuple
from sqlalchemy import JSON, Column, String, Table

from ops_center.storage.tables import Instant, Money, attempts, plans, usage_records
from ops_center.types import AttemptRecord, Usage, UsageRecord

Row = Sequence[Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NANO = Decimal(1_000_000_000)
_LARGEST = 2**63
_LONGEST_ID = 40


class _Shape:
    """How the values of a struct are laid out in the order of a table's columns."""

    def __init__(self, columns: Sequence[Column[Any]], fields: Mapping[str, type]) -> None:
        """`fields`: of the struct (or of several, one after the other), with their types."""
        self.names = tuple(column.name for column in columns)
        places = list(fields)
        self._in_order: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(
            *(places.index(name) for name in self.names)
        )
        self.converters = tuple(
            (place, convert)
            for place, column in enumerate(columns)
            if (convert := _converter(column, fields[column.name])) is not None
        )
        self.limits = tuple(
            (place, column.type.length)
            for place, column in enumerate(columns)
            if isinstance(column.type, String) and column.type.length and not column.primary_key
        )

    def row(self, values: tuple[Any, ...]) -> list[Any]:
        """From the values of all fields. Raises ValueError or ArithmeticError for what no column can hold."""
        row = list(self._in_order(values))
        for place, convert in self.converters:
            if row[place] is not None:
                row[place] = convert(row[place])
        for place, longest in self.limits:
            text = row[place]
            # A model name of a client's invention must not cost us the record.
            if text is not None and len(text) > longest:
                row[place] = text[:longest]
        return row


def record_row(record: UsageRecord, *, demo: bool = False) -> list[Any]:
    """The values of `RECORD_COLUMNS`. Raises ValueError or ArithmeticError for what no column can hold."""
    if not 0 < len(record.request_id) <= _LONGEST_ID:
        raise ValueError("a request id of impossible length")
    # SQLite would turn a larger number into a float without a word.
    if not -_LARGEST <= record.usage.input_tokens + record.usage.output_tokens < _LARGEST:
        raise ValueError("a number of tokens beyond 64 bits")
    row = _RECORD.row(astuple(record) + astuple(record.usage))
    row.append(demo)
    return row


def attempt_rows(record: UsageRecord) -> list[list[Any]]:
    """The values of `ATTEMPT_COLUMNS`, one row per call to a provider."""
    rows = [_ATTEMPT.row(astuple(attempt)) for attempt in record.attempts]
    for row in rows:
        row.append(record.request_id)
    return rows


def plan_row(record: UsageRecord) -> list[Any] | None:
    """The values of `PLAN_COLUMNS`; None where no plan was made."""
    plan = bytes(record.plan)
    return [record.request_id, _microseconds(record.started_at), plan.decode()] if plan else None


def drop_nul(rows: Iterable[list[Any]]) -> None:
    """Take NUL out of all text: PostgreSQL has no place for it."""
    for row in rows:
        for place, value in enumerate(row):
            if isinstance(value, str) and "\0" in value:
                row[place] = value.replace("\0", "")


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _nano(amount: Decimal) -> int:
    nano = int((amount * _NANO).to_integral_value(ROUND_HALF_EVEN))
    if not -_LARGEST <= nano < _LARGEST:
        raise ValueError("an amount beyond 64 bits")
    return nano


def _json(value: object) -> str | None:
    return msgspec.json.encode(value).decode() if value else None


_CONVERTERS: dict[type, Callable[[Any], Any]] = {Instant: _microseconds, Money: _nano, JSON: _json}


def _converter(column: Column[Any], kind: Any) -> Callable[[Any], Any] | None:
    if any(isinstance(one, type) and issubclass(one, Enum) for one in (kind, *get_args(kind))):
        return attrgetter("_value_")  # its plain text: a driver would look long for how to write a member
    return _CONVERTERS.get(type(column.type))


def _shape(table: Table, *structs: type, apart: Collection[str]) -> _Shape:
    """`apart` names the columns that no field stands behind; a field of the first struct comes first."""
    fields: dict[str, type] = {}
    for struct in structs:
        for name, kind in get_type_hints(struct).items():
            # one place for each field, also for those of the same name
            fields[name if name not in fields else f"{struct.__name__}.{name}"] = kind
    columns = [column for column in table.columns if column.name not in apart]
    for column in columns:
        if column.name not in fields:
            raise TypeError(
                f"no field of {structs[0].__name__} is called like the column {table.name}.{column.name}"
            )
    return _Shape(columns, fields)


_RECORD = _shape(usage_records, UsageRecord, Usage, apart=("demo", "late_price_id"))
_ATTEMPT = _shape(attempts, AttemptRecord, apart=("request_id",))

RECORD_COLUMNS = (*_RECORD.names, "demo")
ATTEMPT_COLUMNS = (*_ATTEMPT.names, "request_id")
PLAN_COLUMNS = tuple(column.name for column in plans.columns)
