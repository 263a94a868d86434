"""Makes the rollups anew: quarter-hours from the records, hours and days from the quarter-hours, weeks from days.

In small transactions beside traffic, each of which takes its turn with the ingester, so that a record is
counted once whatever happens in between. What retention has deleted below stays as it was above.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
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
    DAYS_A_WEEK,
    DAYS_INTO_WEEK,
    FIGURES,
    FULL,
    IDENTITY,
    KINDS_OF,
    LAYOUT,
    QUARTER_US,
    QUARTERS_AN_HOUR,
    Sums,
    add_up,
    first_day_of_week,
    hour_of,
    of_row,
    quarter_of,
    week_of,
    with_every_kind,
    with_keys,
    with_pairs,
)
from ops_center.storage.tables import usage_days, usage_hours, usage_quarters, usage_records, usage_weeks

_log = structlog.get_logger(__name__)
_LATE = timedelta(hours=1)  # after its end, a record of an hour or a day may still come
_ANY = "credential"  # a kind of which every quarter-hour with records has few rows
_MOST_ROWS = 20_000  # read in one transaction, so that no other waits long
_ALL_BUT_PAIRS = 4  # the layout whose quarter-hours are as they are now
_AT_ONCE = 200  # sums merged before others have a turn
_HOURS_AT_ONCE = 24  # written in one transaction, where many are missing
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


def _of_slots(finer: Table, kinds: Sequence[str]) -> str:
    return (
        f"FROM {finer.name} WHERE kind IN ({', '.join(repr(kind) for kind in kinds)}) "
        "AND slot >= :from_slot AND slot < :to_slot"
    )


def _added_up(slot: str, of_slots: str) -> TextClause:
    return text(
        f"SELECT kind, {slot}, series_id, {', '.join(f'SUM({name})' for name in FIGURES)}, MAX(last_started_at) "
        f"{of_slots} GROUP BY 1, 2, 3"
    )


def _histograms(slot: str, of_slots: str) -> TextClause:
    return text(f"SELECT {slot}, series_id, latencies, first_chunks {of_slots} AND latencies IS NOT NULL")


# what each is written out of: as which slot, and which sums
_FINER = {
    usage_hours: (
        f"slot / {QUARTERS_AN_HOUR}",
        _of_slots(usage_quarters, [kind for kind in KINDS_OF[usage_quarters] if kind != FULL]),
    ),
    usage_days: ("CAST(:day AS INTEGER)", _of_slots(usage_quarters, KINDS_OF[usage_quarters])),
    usage_weeks: (f"(slot + {DAYS_INTO_WEEK}) / {DAYS_A_WEEK}", _of_slots(usage_days, KINDS_OF[usage_days])),
}
_ADDED_UP = {table: _added_up(*finer) for table, finer in _FINER.items()}
_HISTOGRAMS = {table: _histograms(*finer) for table, finer in _FINER.items()}
_SUMS_IN = {table: _sums_in(table) for table in (usage_quarters, usage_hours, usage_days, usage_weeks)}


async def bring_up_to_date(database: Database, time_zone: str) -> None:
    """At a start: build what a former release never had, and days as the organisation's calendar has them."""
    async with database.read() as connection:
        state = await read_state(connection)
    if state.layout < _ALL_BUT_PAIRS:
        _log.info("rollups_built", reason="a new layout")
        await rebuild(database, time_zone)
    elif state.layout < LAYOUT:
        await _write_days_anew(database)
    elif state.time_zone != time_zone or state.days_from:
        await change_time_zone(database, time_zone)


async def _write_days_anew(database: Database) -> None:
    """Those that quarter-hours tell are left to `close`."""
    rollups = Rollups(database.dialect)
    async with database.write() as connection:
        state = await rollups.take_turn(connection)
        await change_state(connection, days_until=state.days_fixed_before, weeks_until=0)
    await _derive(database, rollups, usage_days, 0, state.days_fixed_before)
    async with database.write() as connection:
        await change_state(connection, layout=LAYOUT)


async def rebuild(database: Database, time_zone: str | None = None) -> None:
    """Everything anew, as far back as there are records. `time_zone` None: days stay as they are cut. What is over
    and not written yet is left to `close`."""
    rollups = Rollups(database.dialect)
    async with database.write() as connection:
        await rollups.take_turn(connection)
        await change_state(connection, hours_until=0, weeks_until=0)
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
            sums = with_every_kind(sums)
            whole = with_pairs(with_keys(sums)) if table is usage_days else sums
            await rollups.put(connection, table, whole)
        start = step_end


async def _delete(connection: AsyncConnection, table: Table, start: int, end: int) -> None:
    some = table.c.kind.in_(KINDS_OF[table]), table.c.slot >= start, table.c.slot < end
    await connection.execute(delete(table).where(*some))


async def change_time_zone(database: Database, time_zone: str) -> None:
    """Days anew, as the calendar of `time_zone` cuts them; until a day is done it is read by quarter-hours.

    The newest first, since those are looked at most. Days whose quarter-hours are gone stay as they are.
    """
    rollups = Rollups(database.dialect)
    async with database.write() as connection:
        state = await rollups.take_turn(connection)
        boundary = state.first_quarter_of(state.days_until) if state.days_until else 0
        await change_state(connection, time_zone=time_zone, days_from=NO_SLOT, weeks_until=0)
        moved = await read_state(connection)
        end = moved.day_of(boundary) if boundary else 0
        await change_state(connection, days_until=end)
    while end > state.days_fixed_before:
        async with database.write() as connection:
            state = await rollups.take_turn(connection)
            start = max(state.days_fixed_before, await _last_day_before(connection, end, state))
            await _delete(connection, usage_days, start, end)
            await _write_day(connection, rollups, start, state)
            await change_state(connection, days_from=start)
        end = start
    async with database.write() as connection:
        await change_state(connection, days_from=0)


async def close(database: Database, now: datetime) -> None:
    """Write the hours, days and weeks that are over, the oldest first, once hardly any record of theirs is still to
    come."""
    rollups = Rollups(database.dialect)
    running = quarter_of(now - _LATE)
    while await _write_some_hours(database, rollups, hour_of(running)):
        pass
    while await _write_next_day(database, rollups, running):
        pass
    while await _write_next_week(database, rollups):
        pass


async def _write_some_hours(database: Database, rollups: Rollups, running: int) -> bool:
    """Whether there may be more."""
    async with database.read() as connection:
        if (await read_state(connection)).hours_until >= running:
            return False
    async with database.write() as connection:
        state = await rollups.take_turn(connection)
        start = max(state.hours_from, state.hours_until)
        hours = await _hours_with_records(connection, start, running)
        end = running if len(hours) < _HOURS_AT_ONCE else hours[-1] + 1
        await _delete(connection, usage_hours, state.hours_until, end)
        if hours:
            await _write_hours(connection, rollups, hours[0], hours[-1] + 1)
        await change_state(connection, hours_until=end)
    return True


async def _write_next_day(database: Database, rollups: Rollups, running: int) -> bool:
    async with database.read() as connection:
        state = await read_state(connection)
    today = state.day_of(running)
    if state.days_from or state.days_until >= today:
        return False
    async with database.write() as connection:
        state = await rollups.take_turn(connection)
        start = state.first_quarter_of(state.days_until) if state.days_until else 0
        quarter = await _first_quarter_from(connection, start, state)
        day = min(today, NO_SLOT if quarter == NO_SLOT else state.day_of(quarter))
        if day < today:
            await _delete(connection, usage_days, state.days_until, day + 1)
            await _write_day(connection, rollups, day, state)
            day += 1
        await change_state(connection, days_until=max(day, state.days_until))
    return True


async def _write_next_week(database: Database, rollups: Rollups) -> bool:
    async with database.read() as connection:
        state = await read_state(connection)
    if state.days_from or state.weeks_until >= week_of(state.days_until):
        return False
    async with database.write() as connection:
        state = await rollups.take_turn(connection)
        running = week_of(state.days_until)
        start = max(state.weeks_from, state.weeks_until)
        week = min(running, week_of(await _first_day_from(connection, first_day_of_week(start))))
        await _delete(connection, usage_weeks, state.weeks_until, week + 1)
        if week < running:
            await _write_week(connection, rollups, week)
            week += 1
        await change_state(connection, weeks_until=week)
    return True


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


async def _hours_with_records(connection: AsyncConnection, start: int, end: int) -> list[int]:
    """The next few hours from `start` on and before `end` that have anything, the oldest first."""
    slot = usage_quarters.c.slot
    some = usage_quarters.c.kind == _ANY, slot >= start * QUARTERS_AN_HOUR, slot < end * QUARTERS_AN_HOUR
    hour = (slot // QUARTERS_AN_HOUR).label("hour")
    query = select(hour).where(*some).distinct().order_by(hour).limit(_HOURS_AT_ONCE)
    return [int(found) for found in (await connection.execute(query)).scalars()]


async def _first_quarter_from(connection: AsyncConnection, start: int, state: State) -> int:
    """The oldest quarter-hour from `start` on that has anything; NO_SLOT without any."""
    return await _first_from(connection, usage_quarters, max(state.quarters_from, start))


async def _first_day_from(connection: AsyncConnection, start: int) -> int:
    """The same of days that are written."""
    return await _first_from(connection, usage_days, start)


async def _first_from(connection: AsyncConnection, table: Table, start: int) -> int:
    some = table.c.slot >= start, table.c.kind == _ANY
    found = (await connection.execute(select(func.min(table.c.slot)).where(*some))).scalar_one()
    return NO_SLOT if found is None else int(found)


async def _rebuild_quarters(connection: AsyncConnection, rollups: Rollups, start: int, end: int) -> None:
    await _delete(connection, usage_quarters, start, end)
    await rollups.put(
        connection, usage_quarters, with_every_kind(await sums_of_records(connection, start, end))
    )


async def _write_hours(connection: AsyncConnection, rollups: Rollups, first: int, end: int) -> None:
    quarters = {"from_slot": first * QUARTERS_AN_HOUR, "to_slot": end * QUARTERS_AN_HOUR}
    await _write(connection, rollups, usage_hours, quarters)
    callers = await stored_sums(connection, CALLER, first, end, table=usage_hours)
    await _put_more(connection, rollups, usage_hours, callers, with_keys(callers))


async def _write_day(connection: AsyncConnection, rollups: Rollups, day: int, state: State) -> None:
    quarters = {"from_slot": state.first_quarter_of(day), "to_slot": state.first_quarter_of(day + 1)}
    await _write(connection, rollups, usage_days, {"day": day, **quarters})
    wide: Sums = {}
    for kind in (CALLER, FULL):
        wide |= await stored_sums(connection, kind, day, day + 1, table=usage_days)
    # it takes a while: others have a turn
    whole = await asyncio.to_thread(lambda: with_keys(wide) | with_pairs(wide))
    await _put_more(connection, rollups, usage_days, wide, whole)


async def _write_week(connection: AsyncConnection, rollups: Rollups, week: int) -> None:
    days = {"from_slot": first_day_of_week(week), "to_slot": first_day_of_week(week + 1)}
    await _write(connection, rollups, usage_weeks, days)


async def _write(
    connection: AsyncConnection, rollups: Rollups, table: Table, finer: Mapping[str, int]
) -> None:
    """The sums of slots that have none, from finer ones. The database adds up, but for histograms, which are merged
    here."""
    latencies: dict[tuple[int, int], list[bytes | None]] = {}
    first_chunks: dict[tuple[int, int], list[bytes | None]] = {}
    histograms = (await connection.execute(_HISTOGRAMS[table], finer)).all()
    for start in range(0, len(histograms), _FETCH):
        for slot, number, latency, first_chunk in histograms[start : start + _FETCH]:
            latencies.setdefault((slot, number), []).append(latency)
            first_chunks.setdefault((slot, number), []).append(first_chunk)
        await asyncio.sleep(0)
    added_up = (await connection.execute(_ADDED_UP[table], finer)).all()
    for start in range(0, len(added_up), _AT_ONCE):
        rows = []
        for kind, slot, number, *sums in added_up[start : start + _AT_ONCE]:
            both = [packed(merged(parts.get((slot, number), ()))) for parts in (latencies, first_chunks)]
            rows.append((kind, slot, number, *map(int, sums), *both))
        await rollups.put_rows(connection, table, rows)


async def _put_more(
    connection: AsyncConnection, rollups: Rollups, table: Table, stored: Sums, whole: Sums
) -> None:
    """What there is beside what is stored."""
    more = [(key, one) for key, one in whole.items() if key not in stored]
    for start in range(0, len(more), _FETCH):
        await rollups.put(connection, table, dict(more[start : start + _FETCH]))


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
    """What the quarter-hours (or what is longer) hold of one kind of series."""
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
