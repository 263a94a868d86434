"""Of which records: filters as conditions on series, and on records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Text, cast, or_

from ops_center.control.usage.dimensions import NONE, Dimension
from ops_center.storage.tables import usage_records, usage_series

_r = usage_records.c
_s = usage_series.c


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

    def hold(self) -> list[ColumnElement[bool]]:
        """The conditions on series."""
        return self._hold(COLUMN, _s.status)

    def hold_records(self, columns: Any = _r) -> list[ColumnElement[bool]]:
        """The same conditions on columns of usage records."""
        of = {dimension: columns[column.name] for dimension, column in COLUMN.items()}
        return self._hold(of, columns.status)

    def _hold(
        self, columns: Mapping[Dimension, ColumnElement[Any]], status: ColumnElement[int]
    ) -> list[ColumnElement[bool]]:
        conditions = [
            one_of(dimension, columns[dimension], values)
            for dimension, values in self.values.items()
            if values
        ]
        if self.failed is not None:
            conditions.append(status >= 400 if self.failed else status < 400)
        return conditions


def one_of(dimension: Dimension, column: ColumnElement[Any], values: Collection[str]) -> ColumnElement[bool]:
    some = [value for value in values if value != NONE]
    either: list[ColumnElement[bool]] = []
    if dimension is Dimension.TAG:
        text = cast(column, Text)
        either += [text.contains(msgspec.json.encode(tag).decode(), autoescape=True) for tag in some]
    elif dimension is Dimension.STATUS:
        either += [column.in_([int(status) for status in some])] if some else []
    elif some:
        either.append(column == some[0] if len(some) == 1 else column.in_(some))
    if NONE in values:
        either.append(column.is_(None))
    return or_(*either)


EVERYTHING = Filters()
