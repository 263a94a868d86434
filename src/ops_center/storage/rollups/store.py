"""Brings sums into the rollup tables, inside the transaction that stores their records.

Whoever adds takes turns with all others that do, so that a histogram can be read, added to and written back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Table, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Dialect
from ops_center.storage.inserter import Inserter
from ops_center.storage.journal.rows import Row
from ops_center.storage.rollups.sums import (
    COLUMNS,
    FIGURES,
    IDENTITY,
    QUARTERS_AN_HOUR,
    Series,
    Sums,
    add_up,
    by_day,
    by_hour,
    by_week,
    day_of_quarter,
    first_quarter_of_day,
    hour_of,
    of_row,
    series_id,
    week_of,
    with_every_kind,
)
from ops_center.storage.tables import (
    rollup_state,
    usage_days,
    usage_hours,
    usage_quarters,
    usage_series,
    usage_weeks,
)

_ADVISORY_LOCK = 0x6F70_7375  # any constant will do, as long as it never changes
_MOST_KNOWN = 100_000
_BREATHE_AFTER = 128  # records between two chances for requests that are waiting
NO_SLOT = 2**31 - 1  # after all there will ever be


@dataclass(frozen=True, slots=True)
class State:
    """What the rollups hold: the one row of `rollup_state`."""

    time_zone: str
    hours_until: int
    days_from: int
    days_until: int
    weeks_from: int
    weeks_until: int
    quarters_from: int
    records_from: int
    plans_from: int
    partitions_from: int
    days_fixed_before: int
    layout: int

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def day_of(self, slot: int) -> int:
        """The day that counts a quarter-hour. Where quarter-hours are gone below, days stay as they were cut, and
        none of them takes part in both."""
        day = day_of_quarter(slot, self.zone)
        return (
            max(day, self.days_fixed_before)
            if slot >= self.quarters_from
            else min(day, self.days_fixed_before - 1)
        )

    def first_quarter_of(self, day: int) -> int:
        """The quarter-hour with which a day begins."""
        if day == self.days_fixed_before and self.quarters_from:
            return self.quarters_from
        return first_quarter_of_day(day, self.zone)

    def kept_day_of(self, slot: int) -> int | None:
        """The day that a quarter-hour is to be added to; None while that day is still to be cut."""
        day = self.day_of(slot)
        is_kept = self.days_from <= day < self.days_until or day < self.days_fixed_before
        return day if is_kept else None

    @property
    def hours_from(self) -> int:
        """The first hour all of whose quarter-hours are kept."""
        return hour_of(self.quarters_from + QUARTERS_AN_HOUR - 1)

    def kept_hour_of(self, slot: int) -> int | None:
        """The hour that a quarter-hour is to be added to; None while that hour is still to be written."""
        hour = hour_of(slot)
        return hour if self.hours_from <= hour < self.hours_until else None

    def kept_week_of(self, day: int) -> int | None:
        """The same of the week that a day is to be added to."""
        week = week_of(day)
        return week if self.weeks_from <= week < self.weeks_until else None


_STATE = [rollup_state.c[each.name] for each in fields(State)]


async def read_state(connection: AsyncConnection) -> State:
    return State(*(await connection.execute(select(*_STATE))).one())


async def change_state(connection: AsyncConnection, **values: object) -> None:
    await connection.execute(update(rollup_state).values(**values))


class Rollups:
    """The writing side of the tables."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._series = Inserter(usage_series, ("id", "kind", *IDENTITY), dialect)
        self._known: dict[Series, int] = {}
        replaced = ", ".join(f'"{name}" = excluded."{name}"' for name in COLUMNS[3:])
        on_conflict = f"ON CONFLICT (kind, slot, series_id) DO UPDATE SET {replaced}"
        self._inserters = {
            table: Inserter(table, COLUMNS, dialect, on_conflict=on_conflict)
            for table in (usage_quarters, usage_hours, usage_days, usage_weeks)
        }
        self._stored = {table: text(_stored(table, dialect)) for table in self._inserters}

    async def take_turn(self, connection: AsyncConnection) -> State:
        """Wait until no other process is adding (on SQLite every writer is alone anyway); what there is then."""
        if self._dialect == "postgresql":
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        return await read_state(connection)

    async def add(self, connection: AsyncConnection, rows: Sequence[Row], state: State) -> None:
        """Count records that were not there before: rows of RECORD_COLUMNS. Needs one's turn."""
        full: Sums = {}
        for start in range(0, len(rows), _BREATHE_AFTER):
            for key, one in add_up(rows[start : start + _BREATHE_AFTER]).items():
                if key in full:
                    full[key].add(one)
                else:
                    full[key] = one
            await asyncio.sleep(0)
        quarters = with_every_kind(full)
        longer = _longer(quarters, state)
        ids = await self._ids(connection, (*quarters, *(key for sums in longer.values() for key in sums)))
        kept = {key: one for key, one in quarters.items() if key[0] >= state.quarters_from}
        await self._add(connection, usage_quarters, kept, ids)
        for table, sums in longer.items():
            await self._add(connection, table, sums, ids)

    async def correct(self, connection: AsyncConnection, before: Sequence[Row], after: Sequence[Row]) -> None:
        """Count records anew that have changed since they were counted: the same rows of RECORD_COLUMNS as they were
        and as they are. What identifies, dates and times them must not have changed. Needs one's turn."""
        state = await read_state(connection)
        full = add_up(after)
        for key, one in add_up(before).items():
            full[key].subtract(one)
        quarters = with_every_kind(full)
        longer = _longer(quarters, state)
        ids = await self._ids(connection, (*quarters, *(key for sums in longer.values() for key in sums)))
        for table, sums in {usage_quarters: quarters, **longer}.items():
            await self._add(connection, table, sums, ids, only_known=True)

    async def put(self, connection: AsyncConnection, table: Table, sums: Sums) -> None:
        """Store sums of slots that hold nothing. Needs one's turn."""
        if sums:
            ids = await self._ids(connection, sums)
            rows = [one.row(series[0], slot, ids[series]) for (slot, series), one in sums.items()]
            await self.put_rows(connection, table, rows)

    async def put_rows(
        self, connection: AsyncConnection, table: Table, rows: Sequence[Sequence[Any]]
    ) -> None:
        """The same as values of COLUMNS, of series that are known. Needs one's turn."""
        await self._inserters[table].insert(connection, rows)

    async def _add(
        self,
        connection: AsyncConnection,
        table: Table,
        sums: Sums,
        ids: Mapping[Series, int],
        *,
        only_known: bool = False,
    ) -> None:
        """`only_known` leaves out slots that hold nothing, such as those that retention has deleted."""
        if not sums:
            return
        keys = {(series[0], slot, ids[series]): one for (slot, series), one in sums.items()}
        asked = {"keys": msgspec.json.encode(list(keys)).decode()}
        stored = {tuple(row[:3]): row[3:] for row in await connection.execute(self._stored[table], asked)}
        rows = []
        for key, one in keys.items():
            before = stored.get(key)
            if before is not None:
                whole = of_row(before)
                whole.add(one)
                one = whole  # a new one: the sum of a day may be a quarter-hour's own
            elif only_known:
                continue
            rows.append(one.row(*key))
        await self._inserters[table].insert(connection, rows)

    async def _ids(
        self, connection: AsyncConnection, sums: Iterable[tuple[int, Series]]
    ) -> dict[Series, int]:
        """The number of each series; those not seen before get their row. Once per transaction: a row is taken
        for granted only when an earlier one had stored it."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        known = self._known
        ids: dict[Series, int] = {}
        fresh: list[Series] = []
        for _, series in sums:
            if series not in ids:
                found = known.get(series)
                if found is None:
                    found = series_id(series)
                    fresh.append(series)
                ids[series] = found
        if fresh:
            present = await self._present(connection, [ids[series] for series in fresh])
            known.update({series: ids[series] for series in fresh if ids[series] in present})
            await self._series.insert(
                connection,
                [(ids[kind, identity], kind, *identity) for kind, identity in fresh],
            )
        return ids

    async def _present(self, connection: AsyncConnection, ids: Sequence[int]) -> set[int]:
        rows = await connection.execute(
            text(_PRESENT[self._dialect]), {"ids": msgspec.json.encode(list(ids)).decode()}
        )
        return {row[0] for row in rows}


def _longer(quarters: Sums, state: State) -> dict[Table, Sums]:
    """What quarter-hours add to the hours, days and weeks that are written already."""
    days = by_day(quarters, state.kept_day_of)
    return {
        usage_hours: by_hour(quarters, state.kept_hour_of),
        usage_days: days,
        usage_weeks: by_week(days, state.kept_week_of),
    }


def _stored(table: Table, dialect: Dialect) -> str:
    names = ", ".join(f"r.{name}" for name in COLUMNS)
    keys = (
        "SELECT value ->> 0 AS kind, value ->> 1 AS slot, value ->> 2 AS series_id FROM json_each(:keys)"
        if dialect == "sqlite"
        else "SELECT value ->> 0 AS kind, CAST(value ->> 1 AS INTEGER) AS slot, CAST(value ->> 2 AS BIGINT) "
        "AS series_id FROM json_array_elements(CAST(CAST(:keys AS TEXT) AS JSON))"
    )
    return (
        f"SELECT {names} FROM ({keys}) AS k CROSS JOIN {table.name} AS r "  # noqa: S608 our names
        "WHERE r.kind = k.kind AND r.slot = k.slot AND r.series_id = k.series_id"
    )


_PRESENT: dict[Dialect, str] = {
    "sqlite": "SELECT id FROM usage_series WHERE id IN (SELECT value FROM json_each(:ids))",
    "postgresql": "SELECT id FROM usage_series WHERE id IN (SELECT CAST(json_array_elements_text("
    "CAST(CAST(:ids AS TEXT) AS JSON)) AS BIGINT))",
}
assert COLUMNS[3 : 3 + len(FIGURES)] == FIGURES
