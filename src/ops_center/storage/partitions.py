"""On PostgreSQL, what requests leave behind lies in one partition per day (in UTC); on SQLite there is nothing to do.

Partitions are made some days ahead, and else where a record needs one; making one waits for nobody who reads or
writes. What came before the first of them lies in `..._before`. Old days go by dropping them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

import msgspec
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.rollups.store import Rollups, State
from ops_center.storage.rollups.sums import QUARTERS_A_DAY, quarter_of
from ops_center.storage.tables import attempts, plans, usage_records

DETAILS: Final[tuple[Table, ...]] = (plans, attempts, usage_records)  # of one request; the record last
DAY_US: Final = 86_400_000_000
_AHEAD_DAYS = 3
_DROP_WAITS_MS = 500  # for readers; whoever comes meanwhile waits behind it
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Partitions:
    """Sees to it that there is one for each day that is written to."""

    def __init__(self, database: Database) -> None:
        self._needed = database.dialect == "postgresql"
        self._known: set[int] = set()

    async def prepare(self, connection: AsyncConnection, days: Iterable[int], state: State) -> None:
        """Make what is missing of these days since 1970. Needs the rollups' turn: nobody else makes the same then."""
        if not self._needed:
            return
        first_kept = state.records_from // QUARTERS_A_DAY
        self._known = {day for day in self._known if day >= first_kept}  # others may have been dropped
        wanted = {day for day in days if day >= state.partitions_from} - self._known
        if not wanted:
            return
        names = {_name(table, day): (table, day) for day in wanted for table in DETAILS}
        asked = {"names": msgspec.json.encode(list(names)).decode()}
        missing = list((await connection.execute(_MISSING, asked)).scalars())
        for name in missing:
            table, day = names[name]
            # made apart and then attached: making it in its place would wait for everybody who reads
            await connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING DEFAULTS)")
            await connection.exec_driver_sql(
                f"ALTER TABLE {table.name} ATTACH PARTITION {name} "
                f"FOR VALUES FROM ({day * DAY_US}) TO ({(day + 1) * DAY_US})"
            )
        # what this transaction has made is taken for granted once a later one has found it
        self._known |= wanted - {names[name][1] for name in missing}


async def prepare_days_ahead(database: Database, now: datetime) -> None:
    """Make the partitions of today and the next days."""
    if database.dialect == "postgresql":
        today = quarter_of(now) // QUARTERS_A_DAY
        async with database.write() as connection:
            state = await Rollups(database.dialect).take_turn(connection)
            days = range(today, today + _AHEAD_DAYS + 1)
            await Partitions(database).prepare(connection, days, state)


async def drop_days_before(database: Database, tables: Iterable[Table], day: int) -> int:
    """Drop the partitions of earlier days; how many. Raises what the database raises when readers take long."""
    if database.dialect != "postgresql":
        return 0
    dropped = 0
    for table in tables:
        async with database.read() as connection:
            present = list((await connection.execute(_PRESENT, {"name": table.name})).scalars())
        end = _name(table, day)
        for name in present:
            if name < end:  # `..._before` sorts behind
                async with database.write() as connection:
                    await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_DROP_WAITS_MS}")
                    await connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
                dropped += 1
    return dropped


def _name(table: Table, day: int) -> str:
    return f"{table.name}_{date.fromordinal(day + _EPOCH_DAY):%Y%m%d}"


_MISSING = text(
    "SELECT name FROM json_array_elements_text(CAST(CAST(:names AS TEXT) AS JSON)) AS each(name) "
    "WHERE to_regclass(name) IS NULL ORDER BY name"
)
_PRESENT = text(
    "SELECT partition.relname FROM pg_inherits JOIN pg_class AS partition ON partition.oid = inhrelid "
    "WHERE inhparent = to_regclass(:name) ORDER BY partition.relname"
)
