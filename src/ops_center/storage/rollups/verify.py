"""Proves that the rollups equal the records: to the nano-dollar, the token, the microsecond and the call.

Everything is added up anew from the records, a day at a time, and compared row by row; calls and money once
more by the database itself, which shares no code with the adding up. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Table, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.rollups.rebuild import stored_sums, sums_of_records
from ops_center.storage.rollups.store import State, read_state
from ops_center.storage.rollups.sums import (
    COLUMNS,
    DAYS_A_WEEK,
    FIGURES,
    KINDS_OF,
    QUARTER_US,
    QUARTERS_AN_HOUR,
    Series,
    Sum,
    Sums,
    by_day,
    by_hour,
    by_week,
    first_day_of_week,
    hour_of,
    instant_of,
    week_of,
    with_every_kind,
)
from ops_center.storage.tables import usage_days, usage_hours, usage_quarters, usage_records, usage_weeks

_QUARTERS_A_STEP = 96
_HOURS_A_STEP = 24


@dataclass(slots=True)
class Verification:
    """What was compared; `problem` says where the first difference is, None when there is none."""

    records: int = 0
    cost_nano_usd: int = 0
    quarters: int = 0  # rows
    hours: int = 0
    days: int = 0
    weeks: int = 0
    problem: str | None = None


async def verify(database: Database) -> Verification:
    """Compare all that can be: quarter-hours with records as far back as there are records, hours and days with
    quarter-hours as far back as there are those, weeks with days."""
    found = Verification()
    async with database.read() as connection:
        state = await read_state(connection)
        first, last = await _bounds(connection, state)
        for start in range(first, last, _QUARTERS_A_STEP):
            end = min(start + _QUARTERS_A_STEP, last)
            found.problem = await _compare_quarters(connection, found, start, end)
            if found.problem is None:
                found.problem = await _compare_with_database(connection, start, end)
            if found.problem is not None:
                return found
        found.problem = (
            await _compare_hours(connection, found, state)
            or await _compare_days(connection, found, state)
            or await _compare_weeks(connection, found, state)
        )
    return found


async def _bounds(connection: AsyncConnection, state: State) -> tuple[int, int]:
    """From the first quarter-hour with a record (or a sum that should have one) to after the last."""
    started = type_coerce(usage_records.c.started_at, BigInteger)
    slot = usage_quarters.c.slot
    kept_from = max(state.records_from, state.quarters_from)
    oldest, newest = (
        await connection.execute(
            select(func.min(started), func.max(started)).where(started >= kept_from * QUARTER_US)
        )
    ).one()
    low, high = (
        await connection.execute(
            select(func.min(slot), func.max(slot)).where(
                usage_quarters.c.kind == "credential", slot >= kept_from
            )
        )
    ).one()
    firsts = [each for each in (low, None if oldest is None else oldest // QUARTER_US) if each is not None]
    lasts = [each for each in (high, None if newest is None else newest // QUARTER_US) if each is not None]
    return (min(firsts), max(lasts) + 1) if firsts else (0, 0)


async def _compare_quarters(
    connection: AsyncConnection, found: Verification, start: int, end: int
) -> str | None:
    expected = with_every_kind(await sums_of_records(connection, start, end))
    stored = await _every_kind(connection, usage_quarters, start, end)
    problem = _difference("quarter-hour", expected, stored)
    if problem is None:
        found.quarters += len(stored)
        for (_, series), one in expected.items():
            if series[0] == "credential":
                found.records += one.figures[0]
                found.cost_nano_usd += sum(one.figures[place] for place in _COSTS)
    return problem


async def _compare_with_database(connection: AsyncConnection, start: int, end: int) -> str | None:
    """Calls, cost and tokens of the same stretch, added up by the database on both sides."""
    record, started = usage_records.c, type_coerce(usage_records.c.started_at, BigInteger)
    of_records = select(
        func.count(),
        func.sum(type_coerce(record.cost_usd, BigInteger)),
        func.sum(type_coerce(record.saved_usd, BigInteger)),
        func.sum(record.input_tokens),
        func.sum(record.output_tokens),
    ).where(started >= start * QUARTER_US, started < end * QUARTER_US)
    rollup = usage_quarters.c
    cost = rollup.provider_cost_usd + rollup.computed_cost_usd + rollup.estimated_cost_usd
    of_rollups = select(
        func.sum(rollup.calls),
        func.sum(type_coerce(cost, BigInteger)),
        func.sum(type_coerce(rollup.saved_usd, BigInteger)),
        func.sum(rollup.input_tokens),
        func.sum(rollup.output_tokens),
    ).where(rollup.kind == "full", rollup.slot >= start, rollup.slot < end)
    records = [int(value or 0) for value in (await connection.execute(of_records)).one()]
    rollups = [int(value or 0) for value in (await connection.execute(of_rollups)).one()]
    if records != rollups:
        return f"The day from {instant_of(start):%Y-%m-%dT%H:%MZ} holds {rollups} where the records hold {records}"
    return None


async def _compare_hours(connection: AsyncConnection, found: Verification, state: State) -> str | None:
    oldest, newest = await _ends(connection, usage_quarters, state.quarters_from)
    first, last = max(hour_of(oldest), state.hours_from), min(hour_of(newest) + 1, state.hours_until)
    for start in range(first, last, _HOURS_A_STEP):
        end = min(start + _HOURS_A_STEP, last)
        quarters = await _every_kind(
            connection, usage_quarters, start * QUARTERS_AN_HOUR, end * QUARTERS_AN_HOUR
        )
        stored = await _every_kind(connection, usage_hours, start, end)
        problem = _difference("hour", by_hour(quarters, hour_of), stored)
        if problem is not None:
            return problem
        found.hours += len(stored)
    return None


async def _compare_days(connection: AsyncConnection, found: Verification, state: State) -> str | None:
    oldest, newest = await _ends(connection, usage_quarters, state.quarters_from)
    first_day = max(state.days_fixed_before or state.day_of(oldest), state.days_from)
    for day in range(first_day, min(state.day_of(newest) + 1, state.days_until)):
        start, end = state.first_quarter_of(day), state.first_quarter_of(day + 1)
        quarters = await _every_kind(connection, usage_quarters, start, end)
        stored = await _every_kind(connection, usage_days, day, day + 1)
        problem = _difference("day", by_day(quarters, state.day_of), stored)
        if problem is not None:
            return problem
        found.days += len(stored)
    return None


async def _compare_weeks(connection: AsyncConnection, found: Verification, state: State) -> str | None:
    oldest, newest = await _ends(connection, usage_days, 0)
    first, last = max(week_of(oldest), state.weeks_from), min(week_of(newest) + 1, state.weeks_until)
    for week in range(first, last):
        start, end = first_day_of_week(week), first_day_of_week(week + 1)
        days = await _every_kind(connection, usage_days, start, end)
        stored = await _every_kind(connection, usage_weeks, week, week + 1)
        problem = _difference("week", by_week(days, week_of), stored)
        if problem is not None:
            return problem
        found.weeks += len(stored)
    return None


async def _ends(connection: AsyncConnection, table: Table, start: int) -> tuple[int, int]:
    """The first and the last slot from `start` on that has anything; where there is none, the last is before all."""
    slot = table.c.slot
    some = table.c.kind == "credential", slot >= start
    oldest, newest = (await connection.execute(select(func.min(slot), func.max(slot)).where(*some))).one()
    return (0, -DAYS_A_WEEK) if oldest is None else (int(oldest), int(newest))


async def _every_kind(connection: AsyncConnection, table: Table, start: int, end: int) -> Sums:
    found: Sums = {}
    for kind in KINDS_OF[table]:
        found |= await stored_sums(connection, kind, start, end, table=table)
    return found


_COSTS = [FIGURES.index(name) for name in ("provider_cost_usd", "computed_cost_usd", "estimated_cost_usd")]


def _difference(
    what: str, expected: Mapping[tuple[int, Series], Sum], stored: Mapping[tuple[int, Series], Sum]
) -> str | None:
    """Where two sides first differ, in words."""
    for key in sorted(expected.keys() | stored.keys(), key=lambda key: (key[0], key[1][0])):
        ours, theirs = _values(expected.get(key)), _values(stored.get(key))
        if ours == theirs:
            continue
        slot, (kind, identity) = key
        names = [f"{value}" for value in identity if value is not None]
        for name, right, wrong in zip(COLUMNS[3:], ours, theirs, strict=True):
            if right != wrong:
                return f"The {what} {slot} of {kind} {', '.join(names)} holds {name} {wrong}, not {right}"
    return None


def _values(one: Sum | None) -> list[Any]:
    if one is None:
        return [*[0] * len(FIGURES), 0, {}, {}]
    return [*one.figures, one.last_us, one.latencies, one.first_chunks]
