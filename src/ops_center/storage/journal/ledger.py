"""Usage records as rows: what a record becomes in the tables, and the one transaction that puts it there.

A whole batch travels as one JSON parameter and is taken apart inside the database, so that neither the
event loop nor the interpreter's lock is held while rows are written. It neither reads nor deletes files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec
from sqlalchemy import String, Table, bindparam, delete, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database, Dialect
from ops_center.storage.tables import attempts, journal_positions, usage_records
from ops_center.types import AttemptRecord, UsageRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NANO = Decimal(1_000_000_000)
_LARGEST = 2**63

Row = dict[str, Any]


class Entry(msgspec.Struct, frozen=True):
    """A record on its way: the rows made of it, and the line they came from."""

    record: UsageRecord
    row: Row
    attempt_rows: list[Row]
    line: bytes
    end: int  # offset behind the line in its segment


def entry(record: UsageRecord, line: bytes, end: int) -> Entry:
    """Raises ValueError or ArithmeticError for what no column can hold, such as an id too long."""
    row = _row(record)
    attempt_rows = [_attempt_row(record, attempt) for attempt in record.attempts]
    if b"\\u0000" in line:  # PostgreSQL has no place for it in a text
        for text_row in (row, *attempt_rows):
            _drop_nul(text_row)
    return Entry(record, row, attempt_rows, line, end)


def is_refused(error: DBAPIError) -> bool:
    """Whether a row itself is at fault, so that trying it again is no use."""
    sqlstate = str(getattr(error.orig, "sqlstate", None) or "")
    return isinstance(error, (DataError, IntegrityError)) or sqlstate[:2] in ("22", "23")


class Ledger:
    """The journal's side of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_ids = text(_KNOWN_IDS[database.dialect])
        self._insert_records = text(_insert(usage_records, database.dialect))
        self._insert_attempts = text(_insert(attempts, database.dialect))

    async def offsets(self) -> dict[str, int]:
        """How many bytes of each segment are in the tables."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(journal_positions.c.segment, journal_positions.c.offset))
            return {row.segment: row.offset for row in rows}

    async def add(self, entries: Sequence[Entry], segment: str, offset: int) -> list[UsageRecord]:
        """Store `entries` and that `segment` is read up to `offset`, both or neither.

        The records that were not there before, each once; a replay gives none.
        """
        async with self._database.write() as connection:
            fresh = await self._without_known(connection, entries)
            if fresh:
                await self._execute(connection, self._insert_records, [one.row for one in fresh])
                tries = [row for one in fresh for row in one.attempt_rows]
                if tries:
                    await self._execute(connection, self._insert_attempts, tries)
            await connection.execute(_SET_POSITION, {"segment": segment, "position": offset})
        return [one.record for one in fresh]

    async def forget(self, segment: str) -> None:
        """Drop the position of a segment that is to be deleted."""
        async with self._database.write() as connection:
            await connection.execute(delete(journal_positions).where(journal_positions.c.segment == segment))

    async def _without_known(self, connection: AsyncConnection, entries: Iterable[Entry]) -> list[Entry]:
        by_id: dict[str, Entry] = {}
        for one in entries:
            by_id.setdefault(one.record.request_id, one)
        if not by_id:
            return []
        known = (await self._execute(connection, self._known_ids, list(by_id))).scalar_one()
        for request_id in msgspec.json.decode(known or "[]"):
            del by_id[request_id]
        return list(by_id.values())

    async def _execute(self, connection: AsyncConnection, statement: Any, rows: Sequence[object]) -> Any:
        return await connection.execute(statement, {"rows": msgspec.json.encode(rows).decode()})


_SET_POSITION = text(
    'INSERT INTO journal_positions (segment, "offset") VALUES (:segment, :position) '
    'ON CONFLICT (segment) DO UPDATE SET "offset" = excluded."offset"'
).bindparams(
    bindparam("segment", type_=String()), bindparam("position", type_=journal_positions.c.offset.type)
)

# One row in either case: fetching many, one by one, would pass through the interpreter for each.
_KNOWN_IDS: dict[Dialect, str] = {
    "sqlite": "SELECT json_group_array(request_id) FROM usage_records "
    "WHERE request_id IN (SELECT value FROM json_each(:rows))",
    "postgresql": "SELECT CAST(json_agg(request_id) AS TEXT) FROM usage_records WHERE request_id IN "
    "(SELECT json_array_elements_text(CAST(CAST(:rows AS TEXT) AS JSON)))",
}


def _insert(table: Table, dialect: Dialect) -> str:
    """INSERT of a JSON array of objects, leaving alone what is there; names and types are the table's own."""
    names = [column.name for column in table.columns]
    columns = ", ".join(f'"{name}"' for name in names)
    if dialect == "postgresql":
        rows = f"json_populate_recordset(CAST(NULL AS {table.name}), CAST(CAST(:rows AS TEXT) AS JSON))"
        source = f"SELECT {columns} FROM {rows}"  # noqa: S608 names of our own tables
    else:
        values = ", ".join(f"""json_extract(value, '$."{name}"')""" for name in names)
        source = f"SELECT {values} FROM json_each(:rows) WHERE true"  # noqa: S608 names of our own tables
    return f"INSERT INTO {table.name} ({columns}) {source} ON CONFLICT DO NOTHING"


def _limits(table: Table) -> tuple[tuple[str, int], ...]:
    return tuple(
        (column.name, column.type.length)
        for column in table.columns
        if isinstance(column.type, String) and column.type.length and not column.primary_key
    )


_RECORD_LIMITS = _limits(usage_records)
_ATTEMPT_LIMITS = _limits(attempts)
_LONGEST_ID = 40


def _row(record: UsageRecord) -> Row:
    usage = record.usage
    if not 0 < len(record.request_id) <= _LONGEST_ID:
        raise ValueError("a request id of impossible length")
    row: Row = {
        "request_id": record.request_id,
        "started_at": _microseconds(record.started_at),
        "duration_seconds": record.duration_seconds,
        "time_to_first_chunk_seconds": record.time_to_first_chunk_seconds,
        "endpoint": record.endpoint,
        "status": record.status,
        "error_type": record.error_type,
        "finish_reason": record.finish_reason,
        "stream": record.stream,
        "requested_model": record.requested_model,
        "strategy": record.strategy,
        "api_key_id": record.api_key_id,
        "api_key_name": record.api_key_name,
        "user_id": record.user_id,
        "user_email": record.user_email,
        "provider_id": record.provider_id,
        "provider_name": record.provider_name,
        "provider_type": record.provider_type,
        "model": record.model,
        "credential_source": record.credential_source.value,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_usd": None if record.cost_usd is None else _nano(record.cost_usd),
        "cost_source": record.cost_source.value,
        "cost_note": record.cost_note,
        "price_source": record.price_source,
        "demo": False,
    }
    # SQLite would turn a larger number into a float without a word.
    if not -_LARGEST <= usage.input_tokens + usage.output_tokens < _LARGEST:
        raise ValueError("a number of tokens beyond 64 bits")
    return _fitted(row, _RECORD_LIMITS)


def _attempt_row(record: UsageRecord, attempt: AttemptRecord) -> Row:
    row: Row = {
        "request_id": record.request_id,
        "number": attempt.number,
        "provider_id": attempt.provider_id,
        "provider_name": attempt.provider_name,
        "model": attempt.model,
        "started_at": _microseconds(attempt.started_at),
        "duration_seconds": attempt.duration_seconds,
        "time_to_first_chunk_seconds": attempt.time_to_first_chunk_seconds,
        "status": attempt.status,
        "outcome": attempt.outcome,
        "detail": attempt.detail,
    }
    return _fitted(row, _ATTEMPT_LIMITS)


def _fitted(row: Row, limits: tuple[tuple[str, int], ...]) -> Row:
    """Text cut to its column: a model name of a client's invention must not cost us the record."""
    for name, longest in limits:
        value = row[name]
        if value is not None and len(value) > longest:
            row[name] = value[:longest]
    return row


def _drop_nul(row: Row) -> None:
    for name, value in row.items():
        if isinstance(value, str):
            row[name] = value.replace("\0", "")


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _nano(amount: Decimal) -> int:
    nano = int((amount * _NANO).to_integral_value(ROUND_HALF_EVEN))
    if not -_LARGEST <= nano < _LARGEST:
        raise ValueError("an amount beyond 64 bits")
    return nano
