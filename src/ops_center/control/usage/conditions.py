"""Of which records: filters as conditions on series, and on records."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import BindParameter, ColumnElement, Text, bindparam, cast, or_

from ops_center.control.usage.dimensions import NONE, Dimension
from ops_center.storage.tables import usage_records, usage_series

_r = usage_records.c
_s = usage_series.c
_ESCAPED = re.compile("[/%_]")  # what LIKE reads otherwise, and what escapes it

# by what a value is known, and by what it is called
COLUMNS: Mapping[Dimension, tuple[ColumnElement[Any], ColumnElement[Any]]] = {
    Dimension.PROVIDER: (_s.provider_id, _s.provider_name),
    Dimension.MODEL: (_s.model, _s.model),
    Dimension.USER: (_s.user_id, _s.user_email),
    Dimension.TEAM: (_s.team_id, _s.team_name),
    Dimension.API_KEY: (_s.api_key_id, _s.api_key_name),
    Dimension.TAG: (_s.tags, _s.tags),
    Dimension.CREDENTIAL: (_s.credential_source, _s.credential_source),
    Dimension.STATUS: (_s.status, _s.status),
    Dimension.STRATEGY: (_s.strategy, _s.strategy),
}


COLUMN = {dimension: value for dimension, (value, _) in COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class Condition:
    """That one of some values is borne. The values are bound to it and are no part of what is compared: a statement
    that is made for some serves for others, as long as those that are asked are bound to it."""

    dimension: Dimension
    name: str
    count: int  # of values
    or_none: bool
    values: tuple[Any, ...] = field(compare=False)

    @classmethod
    def of(cls, dimension: Dimension, values: Collection[str], *, name: str) -> Condition:
        some: Sequence[Any] = sorted(value for value in values if value != NONE)
        if dimension is Dimension.STATUS:
            some = [int(status) for status in some]
        elif dimension is Dimension.TAG:
            some = [_ESCAPED.sub(r"/\g<0>", msgspec.json.encode(tag).decode()) for tag in some]
        return cls(dimension, name, len(some), NONE in values, tuple(some))

    def on(
        self, columns: Mapping[Dimension, ColumnElement[Any]], *, with_values: bool = False
    ) -> ColumnElement[bool]:
        """The condition on some columns; `with_values`: nothing needs to be bound to it."""
        column = columns[self.dimension]
        some: list[BindParameter[Any]] = [
            bindparam(name, value, unique=True) if with_values else bindparam(name)
            for name, value in self.bound().items()
        ]
        either: list[ColumnElement[bool]] = []
        if self.dimension is Dimension.TAG:
            text = cast(column, Text)
            either += [text.contains(value, escape="/") for value in some]
        elif some:
            either.append(column == some[0] if len(some) == 1 else column.in_(some))
        if self.or_none:
            either.append(column.is_(None))
        return or_(*either)

    def bound(self) -> dict[str, Any]:
        """What is bound to the condition, under names that no literal gets: SQLAlchemy calls those `status_1`."""
        return {f"{self.name}_is_{number}": value for number, value in enumerate(self.values)}


@dataclass(frozen=True, slots=True)
class Failed:
    """That the status is 400 or above, or (not `yes`) below."""

    yes: bool

    def on(
        self, columns: Mapping[Dimension, ColumnElement[Any]], *, with_values: bool = False
    ) -> ColumnElement[bool]:
        status = columns[Dimension.STATUS]
        return status >= 400 if self.yes else status < 400

    def bound(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Only what bears one of the values; an empty set leaves nothing out. `failed`: status 400 and above."""

    values: Mapping[Dimension, frozenset[str]] = field(default_factory=dict)
    failed: bool | None = None

    @classmethod
    def only(cls, dimension: Dimension, *values: str) -> Filters:
        return cls(values={dimension: frozenset(values)})

    @property
    def dimensions(self) -> set[Dimension]:
        used = {dimension for dimension, values in self.values.items() if values}
        return used if self.failed is None else used | {Dimension.STATUS}

    def conditions(self) -> tuple[Condition | Failed, ...]:
        """What must hold of a series or of a record."""
        some = [
            Condition.of(dimension, values, name=COLUMN[dimension].name)
            for dimension, values in self.values.items()
            if values
        ]
        return tuple(some) if self.failed is None else (*some, Failed(self.failed))

    def hold(self) -> list[ColumnElement[bool]]:
        """The conditions on series, with their values."""
        return [each.on(COLUMN, with_values=True) for each in self.conditions()]

    def hold_records(self, columns: Any = _r) -> list[ColumnElement[bool]]:
        """The same conditions on columns of usage records."""
        of = {dimension: columns[column.name] for dimension, column in COLUMN.items()}
        return [each.on(of, with_values=True) for each in self.conditions()]


EVERYTHING = Filters()
