"""Usage records into the tables: the one transaction that stores a batch, what it adds to the rollups, and the
position behind it. It neither reads nor deletes files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import String, bindparam, delete, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database, Dialect
from ops_center.storage.inserter import Inserter
from ops_center.storage.journal.rows import (
    ATTEMPT_COLUMNS,
    PLAN_COLUMNS,
    RECORD_COLUMNS,
    attempt_rows,
    drop_nul,
    plan_row,
    record_row,
)
from ops_center.storage.partitions import DAY_US, Partitions
from ops_center.storage.rollups.store import Rollups
from ops_center.storage.rollups.sums import QUARTER_US
from ops_center.storage.tables import attempts, journal_positions, plans, stored_batches, usage_records
from ops_center.types import UsageRecord

_DEMO_BATCH = 5000
KEPT_BATCHES = 300  # some minutes of the busiest traffic
_STARTED_AT = RECORD_COLUMNS.index("started_at")
_TRIED_AT = ATTEMPT_COLUMNS.index("started_at")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record on its way: the rows made of it, and the line they came from."""

    record: UsageRecord
    row: list[Any]
    attempt_rows: list[list[Any]]
    plan_row: list[Any] | None
    line: bytes
    end: int  # offset behind the line in its segment


def entry(record: UsageRecord, line: bytes, end: int, *, demo: bool = False) -> Entry:
    """Raises ValueError or ArithmeticError for what no column can hold, such as an id too long."""
    row, tries = record_row(record, demo=demo), attempt_rows(record)
    if b"\\u0000" in line:
        drop_nul((row, *tries))
    return Entry(record, row, tries, plan_row(record), line, end)


def is_refused(error: DBAPIError) -> bool:
    """Whether a row itself is at fault, so that trying it again is no use."""
    sqlstate = str(getattr(error.orig, "sqlstate", None) or "")
    return isinstance(error, (DataError, IntegrityError)) or sqlstate[:2] in ("22", "23")


class Ledger:
    """The journal's side of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_ids = text(_KNOWN_IDS[database.dialect])
        self._records = Inserter(usage_records, RECORD_COLUMNS, database.dialect)
        self._attempts = Inserter(attempts, ATTEMPT_COLUMNS, database.dialect)
        self._plans = Inserter(plans, PLAN_COLUMNS, database.dialect)
        self._rollups = Rollups(database.dialect)
        self._partitions = Partitions(database)

    async def offsets(self) -> dict[str, int]:
        """How many bytes of each segment are in the tables."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(journal_positions.c.segment, journal_positions.c.offset))
            return {row.segment: row.offset for row in rows}

    async def add(self, entries: Sequence[Entry], segment: str, offset: int) -> list[UsageRecord]:
        """Store `entries` and that `segment` is read up to `offset`, both or neither.

        The records that were not there before, each once; a replay gives none.
        """
        async with self._database.write() as connection:
            fresh = await self._store(connection, entries)
            if fresh:
                await connection.execute(_ADD_BATCH, _batch(fresh))
                await connection.execute(_DROP_OLD_BATCHES)
            await connection.execute(_SET_POSITION, {"segment": segment, "position": offset})
        return [one.record for one in fresh]

    async def add_demo(self, records: Iterable[UsageRecord]) -> None:
        """Store records of traffic that never happened, marked so."""
        waiting = iter(records)
        while some := list(islice(waiting, _DEMO_BATCH)):
            entries = [entry(record, b"", 0, demo=True) for record in some]
            async with self._database.write() as connection:
                await self._store(connection, entries)

    async def forget(self, segment: str) -> None:
        """Drop the position of a segment that is to be deleted."""
        async with self._database.write() as connection:
            await connection.execute(delete(journal_positions).where(journal_positions.c.segment == segment))

    async def _store(self, connection: AsyncConnection, entries: Sequence[Entry]) -> list[Entry]:
        if not entries:
            return []
        # whoever comes next sees these records, and their sums
        state = await self._rollups.take_turn(connection)
        fresh = await self._without_known(connection, entries)
        if fresh:
            # What comes later than details are kept is counted all the same.
            oldest_us = state.records_from * QUARTER_US
            kept = [one for one in fresh if one.row[_STARTED_AT] >= oldest_us]
            tries = [row for one in kept for row in one.attempt_rows]
            days = {one.row[_STARTED_AT] // DAY_US for one in kept}
            days |= {row[_TRIED_AT] // DAY_US for row in tries}
            await self._partitions.prepare(connection, days, state)
            await self._records.insert(connection, [one.row for one in kept])
            await self._attempts.insert(connection, tries)
            await self._plans.insert(connection, [one.plan_row for one in kept if one.plan_row])
            await self._rollups.add(connection, [one.row for one in fresh], state)
        return fresh

    async def _without_known(self, connection: AsyncConnection, entries: Iterable[Entry]) -> list[Entry]:
        by_id: dict[str, Entry] = {}
        for one in entries:
            by_id.setdefault(one.record.request_id, one)
        if not by_id:
            return []
        asked: dict[str, Any] = {"ids": msgspec.json.encode(list(by_id)).decode()}
        if self._database.dialect == "postgresql":  # which looks into no partition but those of these days
            started = [one.row[_STARTED_AT] for one in by_id.values()]
            asked |= {"first": min(started), "last": max(started)}
        known = (await connection.execute(self._known_ids, asked)).scalar_one()
        for request_id in msgspec.json.decode(known or "[]"):
            del by_id[request_id]
        return list(by_id.values())


_SET_POSITION = text(
    'INSERT INTO journal_positions (segment, "offset") VALUES (:segment, :position) '
    'ON CONFLICT (segment) DO UPDATE SET "offset" = excluded."offset"'
).bindparams(
    bindparam("segment", type_=String()), bindparam("position", type_=journal_positions.c.offset.type)
)

# Within the turn that the rollups take, so that numbers are in the order in which others see the records.
_ADD_BATCH = text(
    "INSERT INTO stored_batches (number, records, from_at, request_ids) "
    "SELECT COALESCE(MAX(number), 0) + 1, :records, :from_at, :request_ids FROM stored_batches"
).bindparams(bindparam("from_at", type_=stored_batches.c.from_at.type))
_DROP_OLD_BATCHES = text(
    "DELETE FROM stored_batches WHERE number <= (SELECT MAX(number) FROM stored_batches) - :kept"
).bindparams(kept=KEPT_BATCHES)


def _batch(fresh: Sequence[Entry]) -> dict[str, Any]:
    return {
        "records": len(fresh),
        "from_at": min(one.record.started_at for one in fresh),
        "request_ids": msgspec.json.encode([one.record.request_id for one in fresh]).decode(),
    }


# One row in either case: fetching many, one by one, would pass through the interpreter for each.
_KNOWN_IDS: dict[Dialect, str] = {
    "sqlite": "SELECT json_group_array(request_id) FROM usage_records "
    "WHERE request_id IN (SELECT value FROM json_each(:ids))",
    "postgresql": "SELECT CAST(json_agg(request_id) AS TEXT) FROM usage_records WHERE request_id IN "
    "(SELECT json_array_elements_text(CAST(CAST(:ids AS TEXT) AS JSON))) "
    "AND started_at >= CAST(:first AS BIGINT) AND started_at <= CAST(:last AS BIGINT)",
}
