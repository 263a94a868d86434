"""The one query layer behind every figure: sums over a window of time, read from the rollups.

`sums` is the one question there is: of which records, over which window, under which dimension, in which
buckets. Sums are exact on both engines (nano-dollars and microseconds in integers), and what has no known
cost is counted, never added as zero. Windows begin and end with quarter-hours, as the rollups do; a window's
records are exactly those that started at or after `from_at` and before `to_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from operator import add, attrgetter
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import (
    ColumnElement,
    Integer,
    Join,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.usage.dimensions import NONE, Dimension
from ops_center.errors import ProviderAuthError, ProviderRateLimited
from ops_center.storage.rollups.histogram import Histogram, merged, percentile
from ops_center.storage.rollups.histogram import add as add_histogram
from ops_center.storage.rollups.store import State, read_state
from ops_center.storage.rollups.sums import (
    CALLER,
    DAYS_A_WEEK,
    FIGURES,
    FULL,
    KINDS,
    KINDS_OF,
    OWN,
    QUARTERS_A_DAY,
    QUARTERS_AN_HOUR,
    first_day_of_week,
    hour_of,
    instant_of,
    quarter_of,
    tags_of,
    week_of,
)
from ops_center.storage.tables import (
    Instant,
    Money,
    attempts,
    models,
    providers,
    usage_days,
    usage_hours,
    usage_quarters,
    usage_records,
    usage_series,
    usage_weeks,
)
from ops_center.types import CredentialSource

_MILLION = Decimal(1_000_000)
_r = usage_records.c
_s = usage_series.c


# by what a value is known, and by what it is called
_COLUMNS: Mapping[Dimension, tuple[ColumnElement[Any], ColumnElement[Any]]] = {
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


_COLUMN = {dimension: value for dimension, (value, _) in _COLUMNS.items()}
_NARROWEST_FIRST = sorted((kind for kind in KINDS if kind != OWN), key=lambda kind: len(KINDS[kind]))
_OF_ONE_TAG = {kind for kind in KINDS if "tags" in KINDS[kind] and kind not in (FULL, CALLER)}
# Of these there are few series: to read them from longer slots saves less than one more question costs.
_FEW = frozenset((Dimension.PROVIDER, Dimension.CREDENTIAL, Dimension.STATUS, Dimension.STRATEGY))


@dataclass(frozen=True, slots=True)
class Window:
    """What started at or after `from_at` (None: ever) and before `to_at`. `is_open`: up to now, so that nothing
    can have started after it."""

    from_at: datetime | None
    to_at: datetime
    is_open: bool = False

    @classmethod
    def last(cls, length: timedelta | None, now: datetime) -> Window:
        """The last `length` (None: all time), up to the end of the quarter-hour that is running."""
        end = instant_of(quarter_of(now) + 1)
        return cls(None if length is None else end - length, end, is_open=True)

    @classmethod
    def since(cls, from_at: datetime, now: datetime) -> Window:
        """From the start of a day of the organisation's calendar up to now."""
        return cls(from_at, cls.last(None, now).to_at, is_open=True)

    def before(self) -> Window | None:
        """The window of the same length that ends where this one starts; None for all time."""
        if self.from_at is None:
            return None
        return Window(self.from_at - (self.to_at - self.from_at), self.from_at)

    def holds(self) -> ColumnElement[bool]:
        """The condition on usage records."""
        conditions = [_r.started_at < self.to_at]
        if self.from_at is not None:
            conditions.append(_r.started_at >= self.from_at)
        return and_(*conditions)


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
        return self._hold(_COLUMN, _s.status)

    def hold_records(self, columns: Any = _r) -> list[ColumnElement[bool]]:
        """The same conditions on columns of usage records."""
        of = {dimension: columns[column.name] for dimension, column in _COLUMN.items()}
        return self._hold(of, columns.status)

    def _hold(
        self, columns: Mapping[Dimension, ColumnElement[Any]], status: ColumnElement[int]
    ) -> list[ColumnElement[bool]]:
        conditions = [
            _one_of(dimension, columns[dimension], values)
            for dimension, values in self.values.items()
            if values
        ]
        if self.failed is not None:
            conditions.append(status >= 400 if self.failed else status < 400)
        return conditions


def _one_of(dimension: Dimension, column: ColumnElement[Any], values: Collection[str]) -> ColumnElement[bool]:
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


@dataclass(slots=True)
class Sums:
    """What some usage records add up to. `cost_usd` is the sum of known costs, estimated ones included."""

    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    provider_cost_usd: Decimal = Decimal(0)
    computed_cost_usd: Decimal = Decimal(0)
    estimated_cost_usd: Decimal = Decimal(0)
    estimated_cost_calls: int = 0
    unknown_cost_calls: int = 0
    priced_tokens: int = 0  # input and output of the calls that the platform paid and whose cost is known
    cache_hit_calls: int = 0
    byok_calls: int = 0
    own_cost_usd: Decimal = Decimal(0)
    estimated_own_cost_usd: Decimal = Decimal(0)  # as much of the saving is estimated
    unknown_own_cost_calls: int = 0
    saved_usd: Decimal = Decimal(0)
    unknown_saving_calls: int = 0
    fallback_calls: int = 0  # that an own key failed and the platform's served, and what that cost
    fallback_cost_usd: Decimal = Decimal(0)
    estimated_fallback_cost_usd: Decimal = Decimal(0)
    answer_tokens: int = 0
    answer_microseconds: int = 0
    last_at: datetime | None = None
    latencies: Histogram = field(default_factory=dict)  # where they were asked for
    first_chunks: Histogram = field(default_factory=dict)

    def __add__(self, other: Sums) -> Sums:
        if self is NOTHING or other is NOTHING:
            return other if self is NOTHING else self
        whole = Sums(*map(add, _figures_of(self), _figures_of(other)))
        whole.last_at = (
            max(self.last_at, other.last_at)
            if self.last_at and other.last_at
            else self.last_at or other.last_at
        )
        whole.latencies = _both(self.latencies, other.latencies)
        whole.first_chunks = _both(self.first_chunks, other.first_chunks)
        return whole

    @property
    def cost_usd(self) -> Decimal:
        return self.provider_cost_usd + self.computed_cost_usd + self.estimated_cost_usd

    @property
    def estimated_share(self) -> float:
        """How much of the cost is estimated, 0 to 1."""
        return _part(self.estimated_cost_usd, self.cost_usd)

    @property
    def own_estimated_share(self) -> float:
        """The same of what users paid on their own keys."""
        return _part(self.estimated_own_cost_usd, self.own_cost_usd)

    @property
    def saved_estimated_share(self) -> float:
        """The same of what that saved the platform."""
        return _part(self.estimated_own_cost_usd, self.saved_usd)

    @property
    def fallback_estimated_share(self) -> float:
        """The same of what the platform paid after an own key had failed."""
        return _part(self.estimated_fallback_cost_usd, self.fallback_cost_usd)

    @property
    def known_cost_usd(self) -> Decimal | None:
        """The cost, or None when some calls have no known cost and all others used nothing (they failed)."""
        return (
            None if self.unknown_cost_calls and not (self.cost_usd or self.priced_tokens) else self.cost_usd
        )

    @property
    def average_mtok(self) -> Decimal | None:
        """What a million tokens cost, input and output together; None where no cost is known."""
        return self.cost_usd * _MILLION / self.priced_tokens if self.priced_tokens else None

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second of answering, from the first chunk (else the start) to the end."""
        return self.answer_tokens * 1e6 / self.answer_microseconds if self.answer_microseconds else None

    @property
    def cache_hit_share(self) -> float | None:
        """How much of the input came from a provider's prompt cache, 0 to 1."""
        return self.cache_read_tokens / self.input_tokens if self.input_tokens else None

    @property
    def failed_share(self) -> float | None:
        return self.failed_calls / self.calls if self.calls else None

    def latency_seconds(self, share: float) -> float | None:
        """The duration that a `share` of the calls that succeeded did not exceed, within 4.5 %."""
        return percentile(self.latencies, share)

    def first_chunk_seconds(self, share: float) -> float | None:
        """The same of the time to the first chunk of streams."""
        return percentile(self.first_chunks, share)


def _part(some: Decimal, whole: Decimal) -> float:
    return float(some / whole) if whole else 0.0


HISTOGRAMS = ("latencies", "first_chunks")
NOTHING = Sums()
_figures_of = attrgetter(*FIGURES)
assert tuple(each.name for each in fields(Sums))[: len(FIGURES)] == FIGURES
BASIC = (  # what every answer about usage says
    "calls",
    "failed_calls",
    "input_tokens",
    "output_tokens",
    "provider_cost_usd",
    "computed_cost_usd",
    "estimated_cost_usd",
    "unknown_cost_calls",
)
_MONEY = frozenset(name for name in FIGURES if isinstance(usage_days.c[name].type, Money))


def _sums_of(values: Sequence[Any], figures: Sequence[str]) -> Sums:
    """`values` in the order of `figures`."""
    found: dict[str, Any] = {}
    for name, value in zip(figures, values, strict=True):
        found[name] = value if name in _MONEY else int(value)
    return Sums(**found)


def _both(one: Histogram, other: Histogram) -> Histogram:
    if not one or not other:
        return one or other
    whole = dict(one)
    add_histogram(whole, other)
    return whole


def added_up(parts: Sequence[Sums]) -> Sums:
    """The sum of many, column by column: several times quicker than one after the other."""
    if len(parts) < 2:
        return parts[0] if parts else NOTHING
    columns: Iterable[tuple[Any, ...]] = zip(*map(_figures_of, parts), strict=True)
    whole = Sums(*[sum(column) for column in columns])
    whole.last_at = max((part.last_at for part in parts if part.last_at), default=None)
    for part in parts:
        if part.latencies:
            add_histogram(whole.latencies, part.latencies)
        if part.first_chunks:
            add_histogram(whole.first_chunks, part.first_chunks)
    return whole


class Step(StrEnum):
    """How finely time is told apart."""

    QUARTER = "quarter"
    HOUR = "hour"  # of UTC, by its first quarter-hour
    DAY = "day"

    @property
    def is_fine(self) -> bool:
        return self is not Step.DAY


@dataclass(frozen=True, slots=True)
class Key:
    """Whose sums they are. `slot`: a quarter-hour (an hour by its first) or a day (on the organisation's calendar)
    since 1970, None for the whole window. `value`: what it is grouped by, None for what has none (no provider was
    asked, no team). `name`: what that was called then."""

    slot: int | None = None
    value: str | None = None
    name: str | None = None


async def requests_kept_from(conn: AsyncConnection) -> datetime | None:
    """Single requests that started earlier are no longer kept; None: there were none."""
    slot = (await read_state(conn)).records_from
    if not slot:
        return None
    first, kept_from = await first_at(conn), instant_of(slot)
    return kept_from if first is not None and first < kept_from else None


async def calendar_zone(conn: AsyncConnection) -> ZoneInfo:
    """The time zone whose days the rollups hold: the organisation's."""
    return (await read_state(conn)).zone


async def sums(
    conn: AsyncConnection,
    window: Window,
    *,
    by: Dimension | None = None,
    step: Step | None = None,
    filters: Filters = EVERYTHING,
    only: Collection[str | None] | None = None,
    figures: Sequence[str] = FIGURES,
    histograms: Sequence[str] = (),
) -> dict[Key, Sums]:
    """What the records of a window add up to, exactly: the `figures` that are asked for, the others stay zero.

    `only` keeps these values of `by`. A record with two tags counts under both; `histograms` are those of HISTOGRAMS
    that are asked for, too.
    """
    state = await read_state(conn)
    conditions = filters.hold()
    if only is not None and by is not None:
        conditions.append(_one_of(by, _COLUMN[by], [NONE if value is None else value for value in only]))
    kinds, longer = _kinds(by, filters)
    some = [
        _Part(table, kinds[table], start, end, day)
        for table, start, end, day in _in_days(parts(window, state, step, longer), step, state)
    ]
    return await _ask(conn, some, _Asked(by, step, tuple(figures), tuple(conditions), tuple(histograms)))


async def sums_of_each(
    conn: AsyncConnection,
    windows: Sequence[Window],
    *,
    by: Dimension | None = None,
    figures: Sequence[str] = FIGURES,
) -> list[dict[Key, Sums]]:
    """The same of several windows at once, in their order."""
    state = await read_state(conn)
    kinds, longer = _kinds(by, EVERYTHING)
    some = [
        _Part(table, kinds[table], start, end, number)
        for number, window in enumerate(windows)
        for table, start, end in parts(window, state, None, longer)
    ]
    found: list[dict[Key, Sums]] = [{} for _ in windows]
    for key, one in (await _ask(conn, some, _Asked(by, Step.DAY, tuple(figures)))).items():
        assert key.slot is not None, "each part bears the number of its window"
        found[key.slot][Key(None, key.value, key.name)] = one
    return found


def _kinds(by: Dimension | None, filters: Filters) -> tuple[Mapping[Table, str], Container[Table]]:
    """The series of each table that are enough to answer, and the tables of longer slots that are worth asking."""
    kinds = {table: kind for table in KINDS_OF if (kind := _kind(by, filters, table))}
    return kinds, () if kinds[usage_quarters] in _FEW else kinds


async def _ask(conn: AsyncConnection, some: Sequence[_Part], asked: _Asked) -> dict[Key, Sums]:
    found: dict[Key, Sums] = {}
    for first in range(0, len(some), _AT_ONCE):
        at_once = some[first : first + _AT_ONCE]
        for key, one in await _read(conn, at_once, asked):
            known = found.get(key)
            found[key] = one if known is None else known + one
        if asked.histograms:
            await _read_histograms(conn, at_once, asked, into=found)
    return found


def _kind(by: Dimension | None, filters: Filters, table: Table) -> str | None:
    """The series of a table that are enough to answer: of those that know the facts asked for, the narrowest; None
    where hours have none."""
    used = filters.dimensions | ({by} if by is not None else set())
    if not used:
        return Dimension.CREDENTIAL.value
    facts = {_COLUMN[dimension].name for dimension in used}
    several_tags = len(filters.values.get(Dimension.TAG, ())) > 1  # a record may have both
    enough = (
        kind
        for kind in _NARROWEST_FIRST
        if facts.issubset(KINDS[kind])
        and not (several_tags and kind in _OF_ONE_TAG)
        and kind in KINDS_OF[table]
    )
    return next(enough, None)


async def is_kept(conn: AsyncConnection, window: Window, *, finely: bool = False) -> bool:
    """Whether sums are still there for both ends of a window: of quarter-hours, or longer ago (but not `finely`)
    of the days that begin with them."""
    state = await read_state(conn)

    def kept(at: datetime) -> bool:
        slot = quarter_of(at)
        begins_day = state.first_quarter_of(state.day_of(slot)) == slot
        return slot >= state.quarters_from or (begins_day and not finely)

    return (window.from_at is None or kept(window.from_at)) and kept(window.to_at)


Slots = tuple[Table, int, int]  # of a table those from one on and before another
_AT_ONCE = 20  # parts that one question reads; more there are only while days are written anew


def parts(
    window: Window,
    state: State,
    step: Step | None = None,
    longer: Container[Table] = (usage_hours, usage_weeks),
) -> list[Slots]:
    """Which slots of which table a window is made of, told apart by `step`: the longest that it holds whole. Of
    hours and weeks those that `longer` allows."""
    found: list[Slots] = []
    for table, start, end in _days_and_quarters(window, state, finely=step is not None and step.is_fine):
        if table is usage_days and usage_weeks in longer and step is None:
            first = max(state.weeks_from, week_of(start + DAYS_A_WEEK - 1))
            found += _with_longer(
                (table, start, end),
                (usage_weeks, first, min(week_of(end), state.weeks_until)),
                first_day_of_week,
            )
        elif table is usage_quarters and usage_hours in longer and _hours_are_enough(step, start, end, state):
            first = max(state.hours_from, hour_of(start + QUARTERS_AN_HOUR - 1))
            found += _with_longer(
                (table, start, end),
                (usage_hours, first, min(hour_of(end), state.hours_until)),
                lambda hour: hour * QUARTERS_AN_HOUR,
            )
        else:
            found.append((table, start, end))
    return found


def _with_longer(slots: Slots, longer: Slots, begins: Callable[[int], int]) -> list[Slots]:
    """`longer` in place of the slots that it holds, and what is left of them before and after."""
    table, start, end = slots
    _, first, last = longer
    if first >= last:
        return [slots]
    found = [(table, start, begins(first)), longer, (table, begins(last), end)]
    return [(table, start, end) for table, start, end in found if start < end]


def _hours_are_enough(step: Step | None, start: int, end: int, state: State) -> bool:
    """Whether no hour lies in two of what is told apart: there are time zones whose days begin at half past."""
    if step is not Step.DAY:
        return step is not Step.QUARTER
    days = range(state.day_of(start) + 1, state.day_of(end - 1) + 1)
    return all(state.first_quarter_of(day) % QUARTERS_AN_HOUR == 0 for day in days)


def _days_and_quarters(window: Window, state: State, *, finely: bool) -> list[Slots]:
    """Days where they hold a window whole, else quarter-hours."""
    to_slot = quarter_of(window.to_at)
    if finely:
        start = state.quarters_from if window.from_at is None else quarter_of(window.from_at)
        return [(usage_quarters, start, to_slot)]
    end_day = state.day_of(to_slot)  # the first day that is not held whole
    if window.is_open:
        end_day = state.day_of(to_slot - 1) + 1
        to_slot = state.first_quarter_of(end_day)
    from_slot = first_day = 0
    if window.from_at is not None:
        from_slot = quarter_of(window.from_at)
        first_day = state.day_of(from_slot)
        if from_slot >= state.quarters_from and state.first_quarter_of(first_day) < from_slot:
            first_day += 1
    found: list[Slots] = []

    def add(table: Table, start: int, end: int) -> None:
        if start < end:
            found.append((table, start, end))

    fixed, end_day = state.days_fixed_before, min(end_day, state.days_until)
    add(usage_days, first_day, min(fixed, end_day))
    from_slot, first_day = max(from_slot, state.quarters_from), max(first_day, fixed, state.days_from)
    if first_day >= end_day:
        add(usage_quarters, from_slot, to_slot)
        return found
    if window.from_at is not None or state.days_from:
        add(usage_quarters, from_slot, state.first_quarter_of(first_day))
    add(usage_days, first_day, end_day)
    add(usage_quarters, state.first_quarter_of(end_day), to_slot)
    return found


def _in_days(
    found: Iterable[Slots], step: Step | None, state: State
) -> Iterator[tuple[Table, int, int, int | None]]:
    """The same slots, those shorter than a day by the day that they belong to, where days are told apart."""
    for table, start, end in found:
        if step is not Step.DAY or table is usage_days:
            yield table, start, end, None
            continue
        length = QUARTERS_AN_HOUR if table is usage_hours else 1
        while start < end:
            day = state.day_of(start * length)
            # a day that begins within an hour has no hours here
            day_end = min(end, state.first_quarter_of(day + 1) // length)
            yield table, start, day_end, day
            start = day_end


@dataclass(frozen=True, slots=True)
class _Part:
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
            return bindparam(f"label_{self.number}", type_=Integer)
        slot = self.table.c.slot
        return slot * QUARTERS_AN_HOUR if self.table is usage_hours else slot

    def chosen(self, conditions: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
        table = self.table
        slot = table.c.slot
        in_slots = [slot >= bindparam(f"start_{self.number}"), slot < bindparam(f"end_{self.number}")]
        of_kind = table.c.kind == self.kind
        if not (conditions or self.lie_by_series):
            return [of_kind, *in_slots]
        some = select(_s.id).where(_s.kind == self.kind, *conditions).correlate(None)
        of_series = [table.c.series_id.in_(some), *in_slots]
        # A series is of one kind: to say which is needed where rows lie by it, and misleads SQLite where they do not.
        return [of_kind, *of_series] if self.lie_by_series else of_series

    @property
    def lie_by_series(self) -> bool:
        return self.table is usage_days or self.table is usage_weeks

    def summed(self, asked: _Asked) -> Select[Any]:
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

    def histograms(self, asked: _Asked) -> Select[Any]:
        columns = [*self._told_apart(asked), *(self.table.c[name] for name in asked.histograms)]
        return select(*columns).where(*self.chosen(asked.conditions))

    def _told_apart(self, asked: _Asked) -> list[ColumnElement[Any]]:
        series = self.table.c.series_id
        return [series] if asked.step is None else [self.slot().label("slot"), series]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What sums are told apart by, which of them are wanted, and of which series."""

    by: Dimension | None
    step: Step | None
    figures: tuple[str, ...]
    conditions: tuple[ColumnElement[bool], ...] = ()
    histograms: tuple[str, ...] = ()

    def told_apart(self, rows: Subquery) -> list[ColumnElement[Any]]:
        """The columns to group by."""
        columns: list[ColumnElement[Any]] = []
        if self.step is not None:
            slot = rows.c.slot
            by_hour = (slot - slot % QUARTERS_AN_HOUR).label("slot")
            columns.append(by_hour if self.step is Step.HOUR else slot)
        if self.by is not None:
            value, name = _COLUMNS[self.by]
            columns += [value] if value is name else [value, name]
        return columns

    def of(self, rows: Subquery, some: Sequence[_Rows]) -> Join | Subquery:
        """Where the columns are from."""
        return rows if self.by is None else _named(rows, {each.kind for each in some})

    def keys(self, row: Any) -> Iterable[Key]:
        """Whose sums a row of `told_apart` begins."""
        slot = None if self.step is None else row[0]
        if self.by is None:
            return (Key(slot),)
        value, name = _COLUMNS[self.by]
        at = 0 if self.step is None else 1
        text, called = row[at], row[at if value is name else at + 1]
        if self.by is Dimension.TAG:
            return [Key(slot, tag, tag) for tag in tags_of(text)] or (Key(slot),)
        return (Key(slot, None if text is None else str(text), None if called is None else str(called)),)


def _sums_statement(some: tuple[_Rows, ...], asked: _Asked) -> Select[Any]:
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


def _histograms_statement(some: tuple[_Rows, ...], asked: _Asked) -> Select[Any]:
    each = _together([rows.histograms(asked) for rows in some])
    columns = [*asked.told_apart(each), *(each.c[name] for name in asked.histograms)]
    return select(*columns).select_from(asked.of(each, some))


# To make a statement takes longer than to run it, and without conditions there are few.
_made_sums = lru_cache(maxsize=500)(_sums_statement)
_made_histograms = lru_cache(maxsize=500)(_histograms_statement)


def _bound(some: Sequence[_Part]) -> tuple[tuple[_Rows, ...], dict[str, int]]:
    """The rows of some parts, and what is bound to a statement about them."""
    rows: list[_Rows] = []
    values: dict[str, int] = {}
    for number, part in enumerate(some):
        rows.append(_Rows(number, part.table, part.kind, part.label is not None))
        values |= {f"start_{number}": part.start, f"end_{number}": part.end}
        if part.label is not None:
            values[f"label_{number}"] = part.label
    return tuple(rows), values


async def _read(conn: AsyncConnection, some: Sequence[_Part], asked: _Asked) -> list[tuple[Key, Sums]]:
    rows, values = _bound(some)
    statement = (_sums_statement if asked.conditions else _made_sums)(rows, asked)
    found = []
    for row in await conn.execute(statement, values):
        if not row.rows:
            continue
        one = _sums_of(row[-len(asked.figures) - 1 : -1], asked.figures)
        one.last_at = row.last_at
        found += [(key, one) for key in asked.keys(row)]
    return found


async def _read_histograms(
    conn: AsyncConnection, some: Sequence[_Part], asked: _Asked, *, into: Mapping[Key, Sums]
) -> None:
    """Add the histograms of the same rows; they are merged here, since no database can."""
    rows, values = _bound(some)
    statement = (_histograms_statement if asked.conditions else _made_histograms)(rows, asked)
    count = len(asked.histograms)
    packed: dict[Key, list[tuple[bytes | None, ...]]] = {}
    keys: dict[tuple[Any, ...], list[Key]] = {}
    for row in await conn.execute(statement, values):
        group = tuple(row[:-count])
        of_group = keys.get(group)
        if of_group is None:
            of_group = keys[group] = list(asked.keys(row))
        for key in of_group:
            packed.setdefault(key, []).append(row[-count:])
    for key, of_key in packed.items():
        for name, some_packed in zip(asked.histograms, zip(*of_key, strict=True), strict=True):
            setattr(into[key], name, _both(getattr(into[key], name), merged(some_packed)))


def _together(some: Sequence[Select[Any]]) -> Subquery:
    return (some[0] if len(some) == 1 else union_all(*some)).subquery()


def _summed(rows: Table | Subquery, figures: Sequence[str]) -> list[ColumnElement[Any]]:
    return [func.sum(rows.c[name], type_=usage_days.c[name].type).label(name) for name in figures]


def _named(rows: Table | Subquery, kinds: Iterable[str]) -> Join:
    """Rows of some kinds beside what their series is of."""
    of_kinds = _s.kind.in_(sorted(kinds))  # so that PostgreSQL does not read those of all
    return rows.join(usage_series, and_(_s.id == rows.c.series_id, of_kinds))


def _in_slots(table: Table, kind: str, start: int, end: int) -> list[ColumnElement[bool]]:
    return [table.c.kind == kind, table.c.slot >= start, table.c.slot < end]


def total(found: Mapping[Key, Sums]) -> Sums:
    return added_up(list(found.values()))


def by_value(found: Mapping[Key, Sums]) -> dict[str | None, Sums]:
    """The sums of each value, whatever it was called and whenever it was."""
    of_value: dict[str | None, list[Sums]] = {}
    for key, one in found.items():
        of_value.setdefault(key.value, []).append(one)
    return {value: added_up(parts) for value, parts in of_value.items()}


async def last_at(conn: AsyncConnection, by: Dimension) -> dict[str, datetime]:
    """When the newest request of each value started."""
    value, kind = _COLUMN[by], _kind(by, EVERYTHING, usage_quarters)

    def newest(table: Table, *of_kind: ColumnElement[bool]) -> ColumnElement[Any]:
        return (
            select(table.c.last_started_at)
            .where(*of_kind, table.c.series_id == _s.id)
            .order_by(table.c.slot.desc())
            .limit(1)
            .correlate(usage_series)
            .scalar_subquery()
        )

    at = func.max(func.coalesce(newest(usage_quarters), newest(usage_days, usage_days.c.kind == kind)))
    query = (
        select(value.label("value"), type_coerce(at, Instant).label("at"))
        .where(_s.kind == kind, value.is_not(None))
        .group_by(value)
        .having(at.is_not(None))
    )
    return {row.value: row.at for row in await conn.execute(query)}


async def totals(conn: AsyncConnection, window: Window, filters: Filters = EVERYTHING) -> Sums:
    return total(await sums(conn, window, filters=filters, figures=BASIC))


async def by_age_in_days(conn: AsyncConnection, window: Window, days: int) -> list[Sums]:
    """Sums of the last `days` × 24 hours of a window: the first entry is the last 24 hours, the next those
    before, ..."""
    end = quarter_of(window.to_at)
    table = usage_quarters
    age = ((end - 1 - table.c.slot) // QUARTERS_A_DAY).label("age")
    figures = [func.sum(table.c[name], type_=table.c[name].type).label(name) for name in BASIC]
    query = (
        select(age, *figures)
        .where(
            *_in_slots(table, Dimension.CREDENTIAL.value, end - days * QUARTERS_A_DAY, end),
        )
        .group_by("age")
    )
    of_age = {int(row.age): _sums_of(row[1:], BASIC) for row in await conn.execute(query)}
    return [of_age.get(number, NOTHING) for number in range(days)]


async def by_provider_id(
    conn: AsyncConnection, window: Window, ids: Sequence[str] | None = None
) -> dict[str, Sums]:
    """Sums per provider id, latencies too; only of `ids` when given."""
    found = by_value(await sums(conn, window, by=Dimension.PROVIDER, histograms=["latencies"]))
    return {value: one for value, one in found.items() if value is not None and (ids is None or value in ids)}


async def on_own_keys(
    conn: AsyncConnection, window: Window, user_id: str | None = None
) -> dict[tuple[str, str | None], Sums]:
    """Sums of the calls on users' own keys, per user id and provider type; only of one user when given."""
    series, state = usage_series.c, await read_state(conn)
    found: dict[tuple[str, str | None], Sums] = {}
    for table, start, end in parts(window, state):
        query = (
            select(
                series.user_id,
                series.provider_type,
                *(func.sum(table.c[name], type_=table.c[name].type).label(name) for name in FIGURES),
                func.max(table.c.last_started_at, type_=Instant).label("last_at"),
            )
            .select_from(_named(table, [OWN]))
            .where(*_in_slots(table, OWN, start, end))
            .group_by(series.user_id, series.provider_type)
        )
        if user_id is not None:
            query = query.where(series.user_id == user_id)
        for row in await conn.execute(query):
            one = _sums_of(row[2:-1], FIGURES)
            one.last_at = row.last_at
            known = found.get((row.user_id, row.provider_type))
            found[row.user_id, row.provider_type] = one if known is None else known + one
    return found


async def by_strategy(conn: AsyncConnection, window: Window) -> dict[str, Sums]:
    """Sums per strategy, of the requests that left the choice to us."""
    found = by_value(await sums(conn, window, by=Dimension.STRATEGY))
    return {value: one for value, one in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Reach:
    """Who stood behind some requests."""

    requests: int
    api_keys: int
    users: int


async def reach_of_provider(conn: AsyncConnection, provider_id: str, window: Window) -> Reach:
    """How many requests a provider answered (or was asked last for), of how many keys and users."""
    filters = Filters.only(Dimension.PROVIDER, provider_id)
    keys = by_value(await sums(conn, window, by=Dimension.API_KEY, filters=filters, figures=["calls"]))
    users = by_value(await sums(conn, window, by=Dimension.USER, filters=filters, figures=["calls"]))
    return Reach(sum(one.calls for one in keys.values()), len(keys), len(users))


async def first_at(conn: AsyncConnection, filters: Filters = EVERYTHING) -> datetime | None:
    """When the quarter-hour of the oldest record begins (the day, where quarter-hours are gone); None without
    any."""
    state = await read_state(conn)

    async def oldest(table: Table, start: int = 0) -> int | None:
        kind = _kind(None, filters, table)
        some = select(_s.id).where(_s.kind == kind, *filters.hold())
        query = (
            select(table.c.slot)
            .where(table.c.kind == kind, table.c.slot >= start, table.c.series_id.in_(some))
            .order_by(table.c.slot)
            .limit(1)
        )
        slot: int | None = (await conn.execute(query)).scalar_one_or_none()
        return slot

    if state.days_fixed_before:
        day = await oldest(usage_days)
        if day is not None and day < state.days_fixed_before:
            return instant_of(state.first_quarter_of(day))
    quarter = await oldest(usage_quarters, state.quarters_from)
    return None if quarter is None else instant_of(quarter)


@dataclass(frozen=True, slots=True)
class AttemptCount:
    """How often a provider's calls ended in a certain way."""

    provider_id: str
    outcome: str
    calls: int
    first_at: datetime
    last_at: datetime


# A user's own key that was refused or used up says nothing about the provider.
_ABOUT_THE_PROVIDER = or_(
    attempts.c.credential_source == CredentialSource.PLATFORM.value,
    attempts.c.outcome.not_in((ProviderAuthError.type, ProviderRateLimited.type)),
)


async def attempt_outcomes(
    conn: AsyncConnection, provider_ids: Sequence[str], since: datetime
) -> Sequence[AttemptCount]:
    """The ways in which calls to these providers ended since then."""
    query = (
        select(
            attempts.c.provider_id,
            attempts.c.outcome,
            func.count().label("calls"),
            func.min(attempts.c.started_at, type_=Instant).label("first_at"),
            func.max(attempts.c.started_at, type_=Instant).label("last_at"),
        )
        .where(
            attempts.c.provider_id.in_(provider_ids),
            attempts.c.started_at > since,
            _ABOUT_THE_PROVIDER,
        )
        .group_by(attempts.c.provider_id, attempts.c.outcome)
    )
    found = await conn.execute(query)
    return [AttemptCount(row.provider_id, row.outcome, row.calls, row.first_at, row.last_at) for row in found]


async def ended_since(
    conn: AsyncConnection, provider_id: str, since: datetime, outcomes: Sequence[str]
) -> bool:
    """Whether a call to the provider has ended in one of these ways since then."""
    query = (
        select(attempts.c.request_id)
        .where(
            attempts.c.provider_id == provider_id,
            attempts.c.started_at >= since,
            attempts.c.outcome.in_(outcomes),
            _ABOUT_THE_PROVIDER,
        )
        .limit(1)
    )
    return (await conn.execute(query)).first() is not None


async def configured(conn: AsyncConnection) -> tuple[int, int]:
    """How many providers are configured, and how many models are enabled at enabled ones."""
    total = (await conn.execute(select(func.count()).select_from(providers))).scalar_one()
    active = (
        await conn.execute(
            select(func.count())
            .select_from(models.join(providers, models.c.provider_id == providers.c.id))
            .where(models.c.enabled, providers.c.enabled)
        )
    ).scalar_one()
    return int(total), int(active)
