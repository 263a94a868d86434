"""The one place that deletes by age: what requests leave behind, plans before that, and sums by quarter-hour.

In small transactions, between which whoever stores records has a turn. First the ledger is told from when on
something is kept, then what is older is deleted; whatever a crash leaves over, the next sweep finds. Sums by
quarter-hour are deleted where sums by day hold the same, so that no total ever changes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, String, Table, delete, literal, select, tuple_, type_coerce

from ops_center.storage.database import Database
from ops_center.storage.partitions import DETAILS, drop_days_before
from ops_center.storage.rollups.rebuild import close
from ops_center.storage.rollups.store import Rollups, change_state, read_state
from ops_center.storage.rollups.sums import (
    DAYS_A_WEEK,
    KINDS_OF,
    QUARTER_US,
    QUARTERS_A_DAY,
    quarter_of,
    week_of,
)
from ops_center.storage.tables import (
    plans,
    usage_days,
    usage_hours,
    usage_quarters,
    usage_records,
    usage_weeks,
)

_ROWS = 250  # in one transaction: some 10 ms on SQLite
_SUMS = 1000
_LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Ages:
    """For how many days each level of detail is kept; None: for ever."""

    records: int | None
    plans: int | None
    quarters: int | None
    days: int | None


async def sweep(database: Database, ages: Ages, now: datetime) -> int:
    """Delete what is older; how many rows, or days where they go whole."""
    deleted = 0
    if ages.records is not None:
        deleted += await _sweep_records(database, _midnight(now, ages.records))
    if ages.plans is not None:
        deleted += await _sweep_plans(database, _midnight(now, ages.plans))
    if ages.quarters is not None:
        deleted += await _sweep_quarters(database, now, ages.quarters)
    if ages.days is not None:
        async with database.read() as connection:
            last = (await read_state(connection)).day_of(quarter_of(now)) - ages.days
        deleted += await _sweep_days(database, last)
    return deleted


def _midnight(now: datetime, days: int) -> int:
    """The quarter-hour that begins the day, in UTC, so many days ago."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)
    return max(0, quarter_of(day))


async def _sweep_records(database: Database, slot: int) -> int:
    async with database.write() as connection:
        state = await Rollups(database.dialect).take_turn(connection)
        if slot > state.records_from:
            await change_state(connection, records_from=slot)
    slot = max(slot, state.records_from)
    dropped = await drop_days_before(database, DETAILS, slot // QUARTERS_A_DAY)
    return dropped + await _delete_details(database, DETAILS, 0, slot)


async def _sweep_plans(database: Database, slot: int) -> int:
    async with database.read() as connection:
        state = await read_state(connection)
    if slot <= max(state.plans_from, state.records_from):
        return 0
    deleted = await drop_days_before(database, (plans,), slot // QUARTERS_A_DAY)
    in_one_table = min(slot, state.partitions_from * QUARTERS_A_DAY or slot)
    deleted += await _delete_details(database, (plans,), state.plans_from, in_one_table)
    async with (
        database.write() as connection
    ):  # only now, since nothing else tells where to go on after a crash
        await change_state(connection, plans_from=slot)
    return deleted


async def _delete_details(database: Database, tables: Sequence[Table], start: int, end: int) -> int:
    """What requests of these quarter-hours left in `tables`, the oldest first."""
    record, started = usage_records.c, _started(usage_records)
    place = (start * QUARTER_US, "")
    deleted = 0
    while True:
        async with database.read() as connection:
            query = (
                select(record.request_id, started)
                .where(
                    tuple_(started, record.request_id)
                    > tuple_(literal(place[0], BigInteger), literal(place[1], String)),
                    started < end * QUARTER_US,
                )
                .order_by(record.started_at, record.request_id)
                .limit(_ROWS)
            )
            rows = (await connection.execute(query)).all()
        if not rows:
            return deleted
        ids = [row[0] for row in rows]
        place = (rows[-1][1], rows[-1][0])
        begun = time.monotonic()
        async with database.write() as connection:
            for table in tables:
                # the last attempt at a request may have begun on the next day
                of_these = table.c.request_id.in_(ids), _started(table) < (end + QUARTERS_A_DAY) * QUARTER_US
                done = await connection.execute(delete(table).where(*of_these))
                deleted += done.rowcount
        await _pause(begun)


def _started(table: Table) -> ColumnElement[int]:
    return type_coerce(table.c.started_at, BigInteger)


async def _sweep_quarters(database: Database, now: datetime, days: int) -> int:
    await close(database, now)  # sums by day are all that is left of what is deleted here
    async with database.write() as connection:
        state = await Rollups(database.dialect).take_turn(connection)
        day = state.day_of(quarter_of(now)) - days
        slot = state.first_quarter_of(day)
        # While days are cut anew, quarter-hours are all that tells what they held.
        if (
            not state.days_from
            and state.days_fixed_before < day <= state.days_until
            and slot > state.quarters_from
        ):
            await change_state(connection, quarters_from=slot, days_fixed_before=day)
            state = await read_state(connection)
    deleted = await _delete_sums(database, usage_hours, state.hours_from)
    return deleted + await _delete_sums(database, usage_quarters, state.quarters_from)


async def _sweep_days(database: Database, end: int) -> int:
    async with database.write() as connection:
        state = await Rollups(database.dialect).take_turn(connection)
        whole = week_of(end + DAYS_A_WEEK - 1)  # the first week that loses no day
        if whole > state.weeks_from:
            await change_state(connection, weeks_from=whole)
            state = await read_state(connection)
    deleted = await _delete_sums(database, usage_weeks, state.weeks_from)
    return deleted + await _delete_sums(database, usage_days, end)


async def _delete_sums(database: Database, table: Table, end: int) -> int:
    """The sums of slots before `end`, the oldest first."""
    deleted = 0
    for kind in KINDS_OF[table]:
        while True:
            async with database.read() as connection:
                slots = select(table.c.slot).where(table.c.kind == kind, table.c.slot < end)
                slots = slots.order_by(table.c.slot).limit(1)
                start = (await connection.execute(slots)).scalar_one_or_none()
                later = (await connection.execute(slots.offset(_SUMS))).scalar_one_or_none()
            if start is None:
                break
            begun = time.monotonic()
            step_end = end if later is None else max(later, start + 1)  # no slot is left in two
            of_kind = (table.c.kind == kind, table.c.slot < step_end)
            async with database.write() as connection:
                deleted += (await connection.execute(delete(table).where(*of_kind))).rowcount
            await _pause(begun)
    return deleted


async def _pause(begun: float) -> None:
    """As long as the work took: no more than half of a writer's time is spent on deleting."""
    await asyncio.sleep(min(time.monotonic() - begun, _LONGEST_PAUSE_SECONDS))
