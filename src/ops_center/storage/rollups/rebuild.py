"""Makes the rollups anew: quarter-hours from the records, days from the quarter-hours.

In small transactions beside traffic, each of which takes its turn with the ingester, so that a record is
counted once whatever happens in between. What retention has deleted below stays as it was above.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import BigInteger, Table, TextClause, delete, func, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.journal.rows import RECORD_COLUMNS
from ops_center.storage.rollups.histogram import merged, packed
from ops_center.storage.rollups.store import NO_SLOT, Rollups, State, change_state, read_state
from ops_center.storage.rollups.sums import (
    CALLER,
    COLUMNS,
    FIGURES,
    FULL,
    IDENTITY,
    KINDS,
    LAYOUT,
    QUARTER_US,
    Sums,
    add_up,
    of_row,
    quarter_of,
    with_every_kind,
    with_kinds_of_days,
)
from ops_center.storage.tables import usage_days, usage_quarters, usage_records

_log = structlog.get_logger(__name__)
_LATE = timedelta(hours=1)  # after midnight, a record may still come of the day before
_ANY = "credential"  # a kind of which every quarter-hour with records has few rows
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


_OF_SLOTS = (
    f"FROM usage_quarters WHERE kind IN ({', '.join(repr(kind) for kind in KINDS)}) "
    "AND slot >= :from_slot AND slot < :to_slot"
)
_ADDED_UP = text(
    f"SELECT kind, series_id, {', '.join(f'SUM({name})' for name in FIGURES)}, MAX(last_started_at) "
    f"{_OF_SLOTS} GROUP BY kind, series_id"
)
_HISTOGRAMS = text(f"SELECT series_id, latencies, first_chunks {_OF_SLOTS} AND latencies IS NOT NULL")
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
    await close_days(database, datetime.now(UTC))
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
            sums = with_every_kind(sums)
            await rollups.put(connection, table, with_kinds_of_days(sums) if table is usage_days else sums)
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
        state = await rollups.take_turn(connection)
        boundary = state.first_quarter_of(state.days_until) if state.days_until else 0
        await change_state(connection, time_zone=time_zone, days_from=NO_SLOT)
        moved = await read_state(connection)
        end = moved.day_of(boundary) if boundary else 0
        await change_state(connection, days_until=end)
    while end > state.days_fixed_before:
        async with database.write() as connection:
            state = await rollups.take_turn(connection)
            start = max(state.days_fixed_before, await _last_day_before(connection, end, state))
            await _delete(connection, usage_days, start, end)
            await _cut_day(connection, rollups, start, state)
            await change_state(connection, days_from=start)
        end = start
    async with database.write() as connection:
        await change_state(connection, days_from=0)


async def close_days(database: Database, now: datetime) -> None:
    """Cut the days that are over, the oldest first, once hardly any record of theirs is still to come."""
    rollups = Rollups(database.dialect)
    while True:
        async with database.read() as connection:
            state = await read_state(connection)
        today = state.day_of(quarter_of(now - _LATE))
        if state.days_from or state.days_until >= today:
            return
        async with database.write() as connection:
            state = await rollups.take_turn(connection)
            day = min(today, await _first_day_from(connection, state.days_until, state))
            if day < today:
                await _delete(connection, usage_days, state.days_until, day + 1)
                await _cut_day(connection, rollups, day, state)
                day += 1
            await change_state(connection, days_until=max(day, state.days_until))


async def _end_of_step(connection: AsyncConnection, start: int) -> int:
    """The quarter-hour up to which one transaction goes that begins with `start`."""
    started = type_coerce(usage_records.c.started_at, BigInteger)
    query = select(started).where(started >= start * QUARTER_US).order_by(started).offset(_MOST_ROWS).limit(1)
    at = (await connection.execute(query)).scalar_one_or_none()
    return NO_SLOT if at is None else max(at // QUARTER_US, start + 1)


async def _last_day_before(connection: AsyncConnection, end: int, state: State) -> int:
    """The newest day before `end` that has anything; 0 without any."""
    slot = usage_quarters.c.slot
    some = slot >= state.quarters_from, slot < state.first_quarter_of(end), usage_quarters.c.kind == _ANY
    found = (await connection.execute(select(func.max(slot)).where(*some))).scalar_one()
    return 0 if found is None else state.day_of(found)


async def _first_day_from(connection: AsyncConnection, start: int, state: State) -> int:
    """The oldest day from `start` on that has anything; NO_SLOT without any."""
    slot = usage_quarters.c.slot
    from_slot = max(state.quarters_from, state.first_quarter_of(start) if start else 0)
    some = slot >= from_slot, usage_quarters.c.kind == _ANY
    found = (await connection.execute(select(func.min(slot)).where(*some))).scalar_one()
    return NO_SLOT if found is None else state.day_of(found)


async def _rebuild_quarters(connection: AsyncConnection, rollups: Rollups, start: int, end: int) -> None:
    await _delete(connection, usage_quarters, start, end)
    await rollups.put(
        connection, usage_quarters, with_every_kind(await sums_of_records(connection, start, end))
    )


async def _cut_day(connection: AsyncConnection, rollups: Rollups, day: int, state: State) -> None:
    """The sums of a day that has none, from its quarter-hours. The database adds up, but for histograms, which are
    merged here."""
    slots = {"from_slot": state.first_quarter_of(day), "to_slot": state.first_quarter_of(day + 1)}
    latencies: dict[int, list[bytes | None]] = {}
    first_chunks: dict[int, list[bytes | None]] = {}
    for number, latency, first_chunk in await connection.execute(_HISTOGRAMS, slots):
        latencies.setdefault(number, []).append(latency)
        first_chunks.setdefault(number, []).append(first_chunk)
    rows = []
    for kind, number, *sums in await connection.execute(_ADDED_UP, slots):
        both = [packed(merged(parts.get(number, ()))) for parts in (latencies, first_chunks)]
        rows.append((kind, day, number, *map(int, sums), *both))
    await rollups.put_rows(connection, usage_days, rows)
    callers = await stored_sums(connection, CALLER, day, day + 1, table=usage_days)
    of_days = {key: one for key, one in with_kinds_of_days(callers).items() if key not in callers}
    await rollups.put(connection, usage_days, of_days)


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
