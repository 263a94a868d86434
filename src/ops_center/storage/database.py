"""The way to the one database, SQLite or PostgreSQL: readers in parallel, writers one at a time on SQLite.

Every query of the control plane and of the journal passes here; the data plane never does. It holds no
queries (those live beside the noun that asks), makes no tables (`migrate.py`) and retries nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Table, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ops_center.errors import OpsCenterError

Dialect = Literal["sqlite", "postgresql"]

_BUSY_TIMEOUT_MS = 10_000  # how long SQLite waits for another process, such as `ops-center create-admin`
_READERS = 4
_POSTGRESQL_POOL = 8


class DatabaseError(OpsCenterError):
    """The database that the settings name cannot be used; the message is one line for the operator."""

    type = "database_error"


class Database:
    """Two doors to the same tables: `read()` may only look, `write()` is one transaction.

    Writing inside `read()` fails on both engines, so a write cannot slip past the queue of writers.
    """

    def __init__(self, dialect: Dialect, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self._dialect = dialect
        self._reader = reader
        self._writer = writer
        self._turn: contextlib.AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if dialect == "sqlite" else contextlib.nullcontext()
        )

    @classmethod
    async def open(cls, url: str) -> Database:
        """Connect once to prove that `url` works, and stay open until `close()`.

        A SQLite file that does not exist is made, readable by its owner alone. Tables are not made.
        Raises DatabaseError with one line (never the password) when it cannot be opened.
        """
        parsed = parse_url(url)
        if parsed.get_backend_name() == "sqlite":
            prepare_sqlite_file(parsed)
            database = cls("sqlite", _sqlite(parsed, readers=True), _sqlite(parsed, readers=False))
        else:
            engine = create_async_engine(
                parsed,
                pool_size=_POSTGRESQL_POOL,
                max_overflow=0,
                pool_use_lifo=True,  # one that was used last has its statements prepared
                pool_pre_ping=True,
                pool_recycle=1800,
            )
            event.listen(engine.sync_engine, "connect", _prepare_postgresql)
            # An answer is made of several SELECTs, and its parts must add up while records arrive.
            reader = engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
            database = cls("postgresql", reader, engine)
        try:
            # The writer first: switching a new file to WAL needs a moment alone with it.
            async with database._writer.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except Exception as error:
            await database.close()
            raise cannot_open(parsed, error) from error
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close every connection. Nothing may be asked afterwards."""
        await self._reader.dispose()
        await self._writer.dispose()

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for SELECTs, all of which see one state of the database: that of the first."""
        async with self._reader.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back when it raises or is cancelled.

        On SQLite writers wait for each other here, so keep the block short and free of other I/O, and
        never open a second `write()` inside it.
        """
        async with self._turn, self._writer.begin() as connection:
            yield connection

    def insert_ignoring_duplicates(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that leaves a row alone when any unique key of it is taken already."""
        if self._dialect == "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing()
        return postgresql.insert(table).on_conflict_do_nothing()


def parse_url(url: str) -> URL:
    """`url` with its async driver named and the options of libpq that asyncpg spells otherwise.

    Raises DatabaseError for anything but a SQLite file or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise DatabaseError("The database URL cannot be read") from error
    scheme = parsed.drivername.partition("+")[0]
    if scheme == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or "mode=memory" in parsed.database:
            raise DatabaseError(
                "SQLite in memory is not supported; name a file, as in sqlite:///ops-center.db"
            )
        return parsed.set(drivername="sqlite+aiosqlite")
    if scheme in ("postgresql", "postgres"):
        sslmode = parsed.query.get("sslmode")
        if sslmode is not None:
            parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": sslmode})
        return parsed.set(drivername="postgresql+asyncpg")
    raise DatabaseError("The database URL must start with sqlite: or postgresql:")


def prepare_sqlite_file(url: URL) -> None:
    """Make the file and its folder, for their owner alone; SQLite gives the WAL the same mode."""
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise DatabaseError(f"The database file {path} cannot be opened: {error.strerror}") from error


# Without these the driver searches anew how to write each NULL and each truth value, in four times the time.
_NULL: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NULL.get)
sqlite3.register_adapter(bool, int)


class _Connection(sqlite3.Connection):
    """Gives its lock back when closed, even while a cursor of a cancelled task is still alive."""

    def close(self) -> None:
        # SQLite keeps a closed connection, and its transaction, until the last statement is finalised.
        with contextlib.suppress(sqlite3.Error):
            if self.in_transaction:
                self.rollback()
        super().close()


def _sqlite(url: URL, *, readers: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=_READERS if readers else 1,
        max_overflow=0,
        pool_use_lifo=True,  # one that was used last has its pages at hand
        connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000, "factory": _Connection},
    )
    pragmas = [
        f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}",
        "PRAGMA synchronous=NORMAL",  # under WAL a killed process loses nothing that was committed
        "PRAGMA foreign_keys=ON",
        "PRAGMA query_only=ON" if readers else "PRAGMA journal_mode=WAL",
    ]
    begin = "BEGIN" if readers else "BEGIN IMMEDIATE"

    def connected(dbapi_connection: Any, _record: object) -> None:
        # The driver's own transactions start late and without IMMEDIATE: we say BEGIN ourselves.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def began(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "begin", began)
    return engine


def _prepare_postgresql(dbapi_connection: Any, _record: object) -> None:
    # Our questions take milliseconds: to compile one, or to start other processes for it, takes tens of them. And how
    # much of a window lies where is only known with its values.
    cursor = dbapi_connection.cursor()
    cursor.execute(
        "SELECT set_config('jit', 'off', false), set_config('max_parallel_workers_per_gather', '0', false), "
        "set_config('plan_cache_mode', 'force_custom_plan', false)"
    )
    cursor.close()
    dbapi_connection.commit()


def cannot_open(url: URL, error: Exception) -> DatabaseError:
    """The one line that says which database, without its password, and why."""
    return DatabaseError(
        f"The database {url.render_as_string(hide_password=True)} cannot be opened: {first_line(error)}"
    )


def first_line(error: BaseException) -> str:
    """What the driver said, without the statement and its parameters."""
    origin = getattr(error, "orig", None) or error
    return (str(origin).strip().splitlines() or [type(origin).__name__])[0]
