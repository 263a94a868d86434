"""Makes the rollups anew: quarter-hours from the records, days from the quarter-hours.

In small transactions beside traffic, each of which takes its turn with the ingester, so that a record is
counted once whatever happens in between. What retention has deleted below stays as it was above.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from sqlalchemy import BigInteger, Table, TextClause, delete, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.journal.rows import RECORD_COLUMNS
from ops_center.storage.rollups.store import NO_SLOT, Rollups, State, change_state, read_state
from ops_center.storage.rollups.sums import (
    COLUMNS,
    FULL,
    IDENTITY,
    KINDS,
    LAYOUT,
    QUARTER_US,
    Sums,
    add_up,
    by_day,
    of_row,
    with_every_kind,
)
from ops_center.storage.tables import usage_days, usage_quarters, usage_records

_log = structlog.get_logger(__name__)
_MOST_ROWS = 20_000  # read in one transaction, so that no other waits long
_FETCH = 2000

_RECORDS = text(
    f"SELECT {', '.join(RECORD_COLUMNS).replace('tags', 'CAST(tags AS TEXT)')} FROM usage_records WHERE started_at >= :from_us AND started_at < :to_us"  # noqa: S608
)


def _sums_in(table: Table) -> TextClause:
    return text(
        f"SELECT r.slot, r.kind, {', '.join(f's.{name}' for name in IDENTITY)}, "  # noqa: S608 our names
        f"{', '.join(f'r.{name}' for name in COLUMNS[3:])} "
        f"FROM {table.name} AS r JOIN usage_series AS s ON s.id = r.series_id "
        "WHERE r.kind = :kind AND r.slot >= :from_slot AND r.slot < :to_slot"
    )


_SUMS_IN = {table: _sums_in(table) for table in (usage_quarters, usage_days)}


async def bring_up_to_date(database: Database, time_zone: str) -> None:
    """At a start: build what a former release never had, and days as the organisation's calendar has them."""
    async with database.read() as connection:
        state = await read_state(connection)
    if state.layout != LAYOUT:
        _log.info("rollups_built", reason="a new layout")
        await rebuild(database, time_zone)
    elif state.time_zone != time_zone or state.days_from:
        await change_time_zone(database, time_zone)


async def rebuild(database: Database, time_zone: str | None = None) -> None:
    """Everything anew, as far back as there are records. `time_zone` None: days stay as they are cut."""
    rollups = Rollups(database.dialect)
    async with database.read() as connection:
        state = await read_state(connection)
    start = max(state.records_from, state.quarters_from)
    await _derive(database, rollups, usage_quarters, state.quarters_from, start)
    await _derive(database, rollups, usage_days, 0, state.days_fixed_before)
    while start < NO_SLOT:
        async with database.write() as connection:
            await rollups.take_turn(connection)
            end = await _end_of_step(connection, start)
            await _rebuild_quarters(connection, rollups, start, end)
        start = end
    await change_time_zone(database, time_zone or state.time_zone)
    async with database.write() as connection:
        await change_state(connection, layout=LAYOUT)


async def _derive(database: Database, rollups: Rollups, table: Table, start: int, end: int) -> None:
    """Every kind of series anew from the full ones, where nothing tells more any longer."""
    slots = select(table.c.slot).where(table.c.kind == FULL, table.c.slot < end).order_by(table.c.slot)
    while start < end:
        async with database.write() as connection:
            await rollups.take_turn(connection)
            query = slots.where(table.c.slot >= start).offset(_MOST_ROWS).limit(1)
            last = (await connection.execute(query)).scalar_one_or_none()
            step_end = end if last is None else max(last, start + 1)
            sums = await stored_sums(connection, FULL, start, step_end, table=table)
            await _delete(connection, table, start, step_end)
            await rollups.put(connection, table, with_every_kind(sums))
        start = step_end


async def _delete(connection: AsyncConnection, table: Table, start: int, end: int) -> None:
    slot = table.c.slot
    for kind in KINDS:
        await connection.execute(delete(table).where(table.c.kind == kind, slot >= start, slot < end))


async def change_time_zone(database: Database, time_zone: str) -> None:
    """Days anew, as the calendar of `time_zone` cuts them; until a day is done it is read by quarter-hours.

    The newest first, since those are looked at most. Days whose quarter-hours are gone stay as they are.
    """
    rollups = Rollups(database.dialect)
    async with database.write() as connection:
        await rollups.take_turn(connection)
        await change_state(connection, time_zone=time_zone, days_from=NO_SLOT)
        oldest = (await read_state(connection)).days_fixed_before
    end = NO_SLOT
    while end > oldest:
        async with database.write() as connection:
            state = await rollups.take_turn(connection)
            start = max(oldest, await _start_of_step(connection, end, state))
            await _rebuild_days(connection, rollups, start, end, state)
            await change_state(connection, days_from=start if start > oldest else 0)
        end = start
    if end == NO_SLOT:
        async with database.write() as connection:
            await change_state(connection, days_from=0)


async def _end_of_step(connection: AsyncConnection, start: int) -> int:
    """The quarter-hour up to which one transaction goes that begins with `start`."""
    started = type_coerce(usage_records.c.started_at, BigInteger)
    query = select(started).where(started >= start * QUARTER_US).order_by(started).offset(_MOST_ROWS).limit(1)
    at = (await connection.execute(query)).scalar_one_or_none()
    return NO_SLOT if at is None else max(at // QUARTER_US, start + 1)


async def _start_of_step(connection: AsyncConnection, end_day: int, state: State) -> int:
    """The day down to which one transaction goes that ends before `end_day`."""
    slot = usage_quarters.c.slot
    before = [] if end_day == NO_SLOT else [slot < state.first_quarter_of(end_day)]
    query = (
        select(slot)
        .where(usage_quarters.c.kind == FULL, slot >= state.quarters_from, *before)
        .order_by(slot.desc())
        .offset(_MOST_ROWS)
        .limit(1)
    )
    found = (await connection.execute(query)).scalar_one_or_none()
    if found is None:
        return 0
    day = state.day_of(found) + 1
    if day < end_day:
        return day
    return day - 1


async def _rebuild_quarters(connection: AsyncConnection, rollups: Rollups, start: int, end: int) -> None:
    await _delete(connection, usage_quarters, start, end)
    await rollups.put(
        connection, usage_quarters, with_every_kind(await sums_of_records(connection, start, end))
    )


async def _rebuild_days(
    connection: AsyncConnection, rollups: Rollups, start: int, end: int, state: State
) -> None:
    await _delete(connection, usage_days, start, end)
    first_slot = state.first_quarter_of(start) if start else 0
    end_slot = state.first_quarter_of(end) if end < NO_SLOT else NO_SLOT
    quarters = await stored_sums(connection, FULL, first_slot, end_slot)
    await rollups.put(connection, usage_days, with_every_kind(by_day(quarters, state.day_of)))


async def sums_of_records(connection: AsyncConnection, start: int, end: int) -> Sums:
    """What the records of some quarter-hours add up to, by full series."""
    whole: Sums = {}
    async for rows in _batches(connection, start * QUARTER_US, end * QUARTER_US):
        for key, one in add_up(rows).items():
            known = whole.get(key)
            if known is None:
                whole[key] = one
            else:
                known.add(one)
    return whole


async def stored_sums(
    connection: AsyncConnection, kind: str, start: int, end: int, *, table: Table = usage_quarters
) -> Sums:
    """What the quarter-hours (or days) hold of one kind of series."""
    found: Sums = {}
    asked = {"kind": kind, "from_slot": start, "to_slot": end}
    for row in await connection.execute(_SUMS_IN[table], asked):
        found[row[0], (row[1], tuple(row[2 : 2 + len(IDENTITY)]))] = of_row(row[2 + len(IDENTITY) :])
    return found


async def _batches(
    connection: AsyncConnection, from_us: int, to_us: int
) -> AsyncIterator[Sequence[Sequence[Any]]]:
    async with connection.stream(_RECORDS, {"from_us": from_us, "to_us": to_us}) as result:
        async for rows in result.partitions(_FETCH):
            yield rows
