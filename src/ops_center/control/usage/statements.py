"""The statements that read sums: each series by itself, then the few sums of those, over all parts of a window at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Join,
    Select,
    Subquery,
    Table,
    TextualSelect,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.base import PGDialect

from ops_center.control.usage.conditions import COLUMN, COLUMNS, Condition, Failed
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.sums import Key
from ops_center.control.usage.windows import Step
from ops_center.storage.rollups.sums import QUARTERS_AN_HOUR, tags_of
from ops_center.storage.tables import Instant, usage_days, usage_hours, usage_series, usage_weeks

_s = usage_series.c
# Those whose text has its values by name, as `text()` reads it.
_DIALECTS = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": PGDialect(paramstyle="named"),  # type: ignore[no-untyped-call]
}


@dataclass(frozen=True, slots=True)
class Part:
    """Some slots of one table, of one kind of series. `label`: what they are all told apart by in time, such as the day
    that they belong to; None: each by its own slot, if at all."""

    table: Table
    kind: str
    start: int
    end: int
    label: int | None


@dataclass(frozen=True, slots=True)
class _Rows:
    """Those of a part, in a statement that says which slots by values bound to it: `start_1`, `end_1`, `label_1`."""

    number: int
    table: Table
    kind: str
    is_labelled: bool

    def slot(self) -> ColumnElement[int]:
        """What they are told apart by in time: a label, or a quarter-hour (of an hour the first)."""
        if self.is_labelled:
            return cast(bindparam(f"label_{self.number}"), Integer)
        slot = self.table.c.slot
        return slot * QUARTERS_AN_HOUR if self.table is usage_hours else slot

    def chosen(self, conditions: Sequence[Condition | Failed]) -> list[ColumnElement[bool]]:
        table = self.table
        slot = table.c.slot
        in_slots = [slot >= bindparam(f"start_{self.number}"), slot < bindparam(f"end_{self.number}")]
        of_kind = table.c.kind == self.kind
        if not (conditions or self.lie_by_series):
            return [of_kind, *in_slots]
        some = (
            select(_s.id)
            .where(_s.kind == self.kind, *[each.on(COLUMN) for each in conditions])
            .correlate(None)
        )
        of_series = [table.c.series_id.in_(some), *in_slots]
        # A series is of one kind: to say which is needed where rows lie by it, and misleads SQLite where they do not.
        return [of_kind, *of_series] if self.lie_by_series else of_series

    @property
    def lie_by_series(self) -> bool:
        return self.table is usage_days or self.table is usage_weeks

    def summed(self, asked: Asked) -> Select[Any]:
        """Each series by itself, in the order in which its rows are found."""
        table = self.table
        key: list[ColumnElement[Any]] = [table.c.series_id]
        if asked.step is not None and not self.is_labelled:
            by_series = bool(asked.conditions) or self.lie_by_series
            key.insert(1 if by_series else 0, table.c.slot)
        columns = [
            *self._told_apart(asked),
            func.count().label("rows"),
            *_summed(table, asked.figures),
            func.max(table.c.last_started_at, type_=Instant).label("last_at"),
        ]
        return select(*columns).where(*self.chosen(asked.conditions)).group_by(*key)

    def histograms(self, asked: Asked) -> Select[Any]:
        columns = [*self._told_apart(asked), *(self.table.c[name] for name in asked.histograms)]
        return select(*columns).where(*self.chosen(asked.conditions))

    def _told_apart(self, asked: Asked) -> list[ColumnElement[Any]]:
        series = self.table.c.series_id
        return [series] if asked.step is None else [self.slot().label("slot"), series]


@dataclass(frozen=True, slots=True)
class Asked:
    """What sums are told apart by, which of them are wanted, and of which series."""

    by: Dimension | None
    step: Step | None
    figures: tuple[str, ...]
    conditions: tuple[Condition | Failed, ...] = ()
    histograms: tuple[str, ...] = ()

    def told_apart(self, rows: Subquery) -> list[ColumnElement[Any]]:
        """The columns to group by."""
        columns: list[ColumnElement[Any]] = []
        if self.step is not None:
            slot = rows.c.slot
            by_hour = (slot - slot % QUARTERS_AN_HOUR).label("slot")
            columns.append(by_hour if self.step is Step.HOUR else slot)
        if self.by is not None:
            value, name = COLUMNS[self.by]
            columns += [value] if value is name else [value, name]
        return columns

    def of(self, rows: Subquery, some: Sequence[_Rows]) -> Join | Subquery:
        """Where the columns are from."""
        return rows if self.by is None else named(rows, {each.kind for each in some})

    def keys(self, row: Any) -> Iterable[Key]:
        """Whose sums a row of `told_apart` begins."""
        slot = None if self.step is None else row[0]
        if self.by is None:
            return (Key(slot),)
        value, name = COLUMNS[self.by]
        at = 0 if self.step is None else 1
        text, called = row[at], row[at if value is name else at + 1]
        if self.by is Dimension.TAG:
            return [Key(slot, tag, tag) for tag in tags_of(text)] or (Key(slot),)
        return (Key(slot, None if text is None else str(text), None if called is None else str(called)),)


def _sums_statement(some: tuple[_Rows, ...], asked: Asked) -> Select[Any]:
    # First each series by itself, then the few sums of those: no row is sorted by a name.
    each = _together([rows.summed(asked) for rows in some])
    columns = asked.told_apart(each)
    return (
        select(
            *columns,
            func.sum(each.c.rows).label("rows"),
            *_summed(each, asked.figures),
            func.max(each.c.last_at, type_=Instant).label("last_at"),
        )
        .select_from(asked.of(each, some))
        .group_by(*columns)
    )


def _histograms_statement(some: tuple[_Rows, ...], asked: Asked) -> Select[Any]:
    each = _together([rows.histograms(asked) for rows in some])
    columns = [*asked.told_apart(each), *(each.c[name] for name in asked.histograms)]
    return select(*columns).select_from(asked.of(each, some))


_Make = Callable[[tuple[_Rows, ...], Asked], Select[Any]]


@dataclass(frozen=True, slots=True)
class _Made:
    """A statement as text, and what is always bound to it."""

    text: TextualSelect
    values: Mapping[str, Any]


# To make a statement takes longer than to run some, so it is kept: as text, for in SQLAlchemy's own form it is a
# megabyte of small objects, which every full garbage collection walks. There are few: what is asked is bound to them.
@lru_cache(maxsize=1000)
def _made(make: _Make, some: tuple[_Rows, ...], asked: Asked, dialect: str) -> _Made:
    statement = make(some, asked)
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    # by position: the columns are those of the statement, with their types
    columns = [literal_column(each.name, each.type) for each in statement.selected_columns]
    always = {name: value for name, value in compiled.params.items() if value is not None}
    return _Made(text(str(compiled)).columns(*columns), always)


def of_sums(some: Sequence[Part], asked: Asked, dialect: str) -> tuple[TextualSelect, dict[str, Any]]:
    """The statement that reads the figures asked for of some parts, and what is bound to it."""
    return _of(_sums_statement, some, asked, dialect)


def of_histograms(some: Sequence[Part], asked: Asked, dialect: str) -> tuple[TextualSelect, dict[str, Any]]:
    """The same of packed histograms, row by row."""
    return _of(_histograms_statement, some, asked, dialect)


def _of(
    make: _Make, some: Sequence[Part], asked: Asked, dialect: str
) -> tuple[TextualSelect, dict[str, Any]]:
    rows, values = _bound(some, asked)
    made = _made(make, rows, asked, dialect)
    return made.text, {**made.values, **values}


def _bound(some: Sequence[Part], asked: Asked) -> tuple[tuple[_Rows, ...], dict[str, Any]]:
    """The rows of some parts, and what is bound to a statement about them."""
    rows: list[_Rows] = []
    values: dict[str, Any] = {}
    for each in asked.conditions:
        values |= each.bound()
    for number, part in enumerate(some):
        rows.append(_Rows(number, part.table, part.kind, part.label is not None))
        values |= {f"start_{number}": part.start, f"end_{number}": part.end}
        if part.label is not None:
            values[f"label_{number}"] = part.label
    return tuple(rows), values


def _together(some: Sequence[Select[Any]]) -> Subquery:
    return (some[0] if len(some) == 1 else union_all(*some)).subquery()


def _summed(rows: Table | Subquery, figures: Sequence[str]) -> list[ColumnElement[Any]]:
    return [func.sum(rows.c[name], type_=usage_days.c[name].type).label(name) for name in figures]


def named(rows: Table | Subquery, kinds: Iterable[str]) -> Join:
    """Rows of some kinds beside what their series is of."""
    # so that PostgreSQL does not read those of all
    of_kinds = _s.kind.in_([literal(kind) for kind in sorted(kinds)])
    return rows.join(usage_series, and_(_s.id == rows.c.series_id, of_kinds))


def in_slots(table: Table, kind: str, start: int, end: int) -> list[ColumnElement[bool]]:
    return [table.c.kind == kind, table.c.slot >= start, table.c.slot < end]
