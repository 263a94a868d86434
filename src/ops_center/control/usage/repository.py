"""The one query layer behind every figure: sums over a window of time, read from the rollups.

`sums` is the one question there is: of which records, over which window, under which dimension, in which
buckets. Sums are exact on both engines (nano-dollars and microseconds in integers), and what has no known
cost is counted, never added as zero. Windows begin and end with quarter-hours, as the rollups do; a window's
records are exactly those that started at or after `from_at` and before `to_at`.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Table, func, or_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.usage import statements
from ops_center.control.usage.conditions import COLUMN, EVERYTHING, Condition, Filters
from ops_center.control.usage.dimensions import NONE, Dimension
from ops_center.control.usage.statements import Asked, Part, in_slots, named
from ops_center.control.usage.sums import BASIC, NOTHING, Key, Sums, both, by_value, sums_of, total
from ops_center.control.usage.windows import Step, Window, in_days, parts
from ops_center.errors import ProviderAuthError, ProviderRateLimited
from ops_center.storage.rollups.histogram import merged
from ops_center.storage.rollups.store import read_state
from ops_center.storage.rollups.sums import (
    CALLER,
    FIGURES,
    FULL,
    KINDS,
    KINDS_OF,
    OWN,
    QUARTERS_A_DAY,
    instant_of,
    quarter_of,
)
from ops_center.storage.tables import (
    Instant,
    attempts,
    models,
    providers,
    usage_days,
    usage_quarters,
    usage_records,
    usage_series,
)
from ops_center.types import CredentialSource

_r = usage_records.c
_s = usage_series.c


_AT_ONCE = 20  # parts that one question reads; more there are only while days are written anew
_NARROWEST_FIRST = sorted((kind for kind in KINDS if kind != OWN), key=lambda kind: len(KINDS[kind]))
_OF_ONE_TAG = {kind for kind in KINDS if "tags" in KINDS[kind] and kind not in (FULL, CALLER)}
# Of these there are few series: to read them from longer slots saves less than one more question costs.
_FEW = frozenset((Dimension.PROVIDER, Dimension.CREDENTIAL, Dimension.STATUS, Dimension.STRATEGY))


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
    conditions = filters.conditions()
    if only is not None and by is not None:
        values = [NONE if value is None else value for value in only]
        conditions += (Condition.of(by, values, name="only"),)
    kinds, longer = _kinds(by, filters)
    some = [
        Part(table, kinds[table], start, end, day)
        for table, start, end, day in in_days(parts(window, state, step, longer), step, state)
    ]
    return await _ask(conn, some, Asked(by, step, tuple(figures), conditions, tuple(histograms)))


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
        Part(table, kinds[table], start, end, number)
        for number, window in enumerate(windows)
        for table, start, end in parts(window, state, None, longer)
    ]
    found: list[dict[Key, Sums]] = [{} for _ in windows]
    for key, one in (await _ask(conn, some, Asked(by, Step.DAY, tuple(figures)))).items():
        assert key.slot is not None, "each part bears the number of its window"
        found[key.slot][Key(None, key.value, key.name)] = one
    return found


def _kinds(by: Dimension | None, filters: Filters) -> tuple[Mapping[Table, str], Container[Table]]:
    """The series of each table that are enough to answer, and the tables of longer slots that are worth asking."""
    kinds = {table: kind for table in KINDS_OF if (kind := _kind(by, filters, table))}
    return kinds, () if kinds[usage_quarters] in _FEW else kinds


async def _ask(conn: AsyncConnection, some: Sequence[Part], asked: Asked) -> dict[Key, Sums]:
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
    facts = {COLUMN[dimension].name for dimension in used}
    several_tags = len(filters.values.get(Dimension.TAG, ())) > 1  # a record may have both
    enough = (
        kind
        for kind in _NARROWEST_FIRST
        if facts.issubset(KINDS[kind])
        and not (several_tags and kind in _OF_ONE_TAG)
        and kind in KINDS_OF[table]
    )
    return next(enough, None)


async def _read(conn: AsyncConnection, some: Sequence[Part], asked: Asked) -> list[tuple[Key, Sums]]:
    statement, values = statements.of_sums(some, asked, conn.dialect.name)
    found = []
    for row in await conn.execute(statement, values):
        if not row.rows:
            continue
        one = sums_of(row[-len(asked.figures) - 1 : -1], asked.figures)
        one.last_at = row.last_at
        found += [(key, one) for key in asked.keys(row)]
    return found


async def _read_histograms(
    conn: AsyncConnection, some: Sequence[Part], asked: Asked, *, into: Mapping[Key, Sums]
) -> None:
    """Add the histograms of the same rows; they are merged here, since no database can."""
    statement, values = statements.of_histograms(some, asked, conn.dialect.name)
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
            setattr(into[key], name, both(getattr(into[key], name), merged(some_packed)))


async def is_kept(conn: AsyncConnection, window: Window, *, finely: bool = False) -> bool:
    """Whether sums are still there for both ends of a window: of quarter-hours, or longer ago (but not `finely`)
    of the days that begin with them."""
    state = await read_state(conn)

    def kept(at: datetime) -> bool:
        slot = quarter_of(at)
        begins_day = state.first_quarter_of(state.day_of(slot)) == slot
        return slot >= state.quarters_from or (begins_day and not finely)

    return (window.from_at is None or kept(window.from_at)) and kept(window.to_at)


async def last_at(conn: AsyncConnection, by: Dimension) -> dict[str, datetime]:
    """When the newest request of each value started."""
    value, kind = COLUMN[by], _kind(by, EVERYTHING, usage_quarters)

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
            *in_slots(table, Dimension.CREDENTIAL.value, end - days * QUARTERS_A_DAY, end),
        )
        .group_by("age")
    )
    of_age = {int(row.age): sums_of(row[1:], BASIC) for row in await conn.execute(query)}
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
            .select_from(named(table, [OWN]))
            .where(*in_slots(table, OWN, start, end))
            .group_by(series.user_id, series.provider_type)
        )
        if user_id is not None:
            query = query.where(series.user_id == user_id)
        for row in await conn.execute(query):
            one = sums_of(row[2:-1], FIGURES)
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
