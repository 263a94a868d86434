"""Usage records into the tables: the one transaction that stores a batch and the position behind it.

Rows travel in few large statements, so that the interpreter's lock is taken a handful of times per batch
and not once per row. It neither reads nor deletes files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

import msgspec
from sqlalchemy import String, Table, bindparam, delete, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database, Dialect
from ops_center.storage.journal.rows import (
    ATTEMPT_COLUMNS,
    PLAN_COLUMNS,
    RECORD_COLUMNS,
    Row,
    attempt_rows,
    drop_nul,
    plan_row,
    record_row,
)
from ops_center.storage.tables import attempts, journal_positions, plans, usage_records
from ops_center.types import UsageRecord

_ROWS_PER_STATEMENT = (256, 64, 16, 4, 1)  # few shapes, so that each is prepared once
_DEMO_BATCH = 5000


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
        self._records = _Inserter(usage_records, RECORD_COLUMNS, database.dialect)
        self._attempts = _Inserter(attempts, ATTEMPT_COLUMNS, database.dialect)
        self._plans = _Inserter(plans, PLAN_COLUMNS, database.dialect)

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
        fresh = await self._without_known(connection, entries)
        if fresh:
            await self._records.insert(connection, [one.row for one in fresh])
            await self._attempts.insert(connection, [row for one in fresh for row in one.attempt_rows])
            await self._plans.insert(connection, [one.plan_row for one in fresh if one.plan_row])
        return fresh

    async def _without_known(self, connection: AsyncConnection, entries: Iterable[Entry]) -> list[Entry]:
        by_id: dict[str, Entry] = {}
        for one in entries:
            by_id.setdefault(one.record.request_id, one)
        if not by_id:
            return []
        ids = {"ids": msgspec.json.encode(list(by_id)).decode()}
        known = (await connection.execute(self._known_ids, ids)).scalar_one()
        for request_id in msgspec.json.decode(known or "[]"):
            del by_id[request_id]
        return list(by_id.values())


class _Inserter:
    """Many rows into one table, leaving alone what is there."""

    def __init__(self, table: Table, names: Sequence[str], dialect: Dialect) -> None:
        columns = ", ".join(f'"{name}"' for name in names)
        self._dialect = dialect
        self._head = f"INSERT INTO {table.name} ({columns}) "
        self._one = f"({', '.join('?' * len(names))})"
        # PostgreSQL takes a batch as one array per column
        arrays = ", ".join(
            f"${place}::{table.c[name].type.compile()}[]" for place, name in enumerate(names, start=1)
        )
        self._of_arrays = f"{self._head}SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608 our names
        self._statements = {count: self._of_rows(count) for count in _ROWS_PER_STATEMENT}

    def _of_rows(self, count: int) -> str:
        return f"{self._head}VALUES {', '.join([self._one] * count)} ON CONFLICT DO NOTHING"

    async def insert(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if self._dialect == "postgresql":
            await connection.exec_driver_sql(self._of_arrays, tuple(map(list, zip(*rows, strict=True))))
            return
        position = 0
        for count in _ROWS_PER_STATEMENT:
            while len(rows) - position >= count:
                values = tuple(chain.from_iterable(rows[position : position + count]))
                await connection.exec_driver_sql(self._statements[count], values)
                position += count


_SET_POSITION = text(
    'INSERT INTO journal_positions (segment, "offset") VALUES (:segment, :position) '
    'ON CONFLICT (segment) DO UPDATE SET "offset" = excluded."offset"'
).bindparams(
    bindparam("segment", type_=String()), bindparam("position", type_=journal_positions.c.offset.type)
)

# One row in either case: fetching many, one by one, would pass through the interpreter for each.
_KNOWN_IDS: dict[Dialect, str] = {
    "sqlite": "SELECT json_group_array(request_id) FROM usage_records "
    "WHERE request_id IN (SELECT value FROM json_each(:ids))",
    "postgresql": "SELECT CAST(json_agg(request_id) AS TEXT) FROM usage_records WHERE request_id IN "
    "(SELECT json_array_elements_text(CAST(CAST(:ids AS TEXT) AS JSON)))",
}
