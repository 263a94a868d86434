"""Bring the tables to the schema of this release, before anything else opens the database.

Everything happens in one transaction, so a failed step leaves the database as it was. It never goes
back to an older schema, and never touches a database that a newer release or a stranger has made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import URL, Connection, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ops_center.storage.database import DatabaseError, cannot_open, first_line, parse_url, prepare_sqlite_file
from ops_center.storage.migrations import AFRESH, FOLDER, HEAD, REVISIONS, TABLE
from ops_center.storage.tables import metadata

_log = structlog.get_logger(__name__)

_ADVISORY_LOCK = 0x6F70_7363  # any constant will do, as long as it never changes
_READ_REVISION = f"SELECT version_num FROM {TABLE}"  # noqa: S608 - a constant of ours
_WAIT_SECONDS = 60.0  # how long a second start waits for the migration of the first one


class MigrationError(DatabaseError):
    """The database cannot be brought to this release's schema; nothing in it was changed."""

    type = "migration_error"


async def migrate(url: str, data_dir: Path) -> list[str]:
    """Run every pending revision; the revisions applied, oldest first, none when it was up to date.

    SQLite: the file is made when absent; one that holds tables is first copied to `data_dir/backups/`.
    PostgreSQL: starts at the same time wait for each other. Raises DatabaseError when the database cannot
    be opened, MigrationError when it is newer than this release, a stranger's, or a step fails.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        stepping = asyncio.ensure_future(asyncio.to_thread(_migrate_sqlite, parsed, data_dir))
        try:
            return await asyncio.shield(stepping)
        except asyncio.CancelledError:
            await asyncio.wait([stepping])  # a thread cannot be stopped: nobody may take its files away
            raise
    return await _migrate_postgresql(parsed)


def _migrate_sqlite(url: URL, data_dir: Path) -> list[str]:
    prepare_sqlite_file(url)
    file = Path(url.database or "")
    try:
        with contextlib.closing(_open(file)) as quick:
            if _at_head(quick):
                return []
    except sqlite3.Error as error:
        raise cannot_open(url, error) from error

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine = create_engine("sqlite://", creator=lambda: _open(file), poolclass=NullPool)
    event.listen(engine, "begin", begin)
    try:
        with engine.begin() as connection:
            return _bring_to_head(connection, lambda revision: _back_up(file, data_dir, revision))
    except DBAPIError as error:
        raise _failed(error) from error
    finally:
        engine.dispose()


async def _migrate_postgresql(url: URL) -> list[str]:
    engine = create_async_engine(url, poolclass=NullPool)
    connection = engine.connect()
    try:
        try:
            await connection.start()
        except Exception as error:
            raise cannot_open(url, error) from error
        try:
            # Held until the end of the transaction: a second start waits here, then finds the work done.
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            applied = await connection.run_sync(_bring_to_head, None)
            await connection.commit()
            return applied
        except DBAPIError as error:
            raise _failed(error) from error
        finally:
            await connection.close()
    finally:
        await engine.dispose()


def _open(file: Path) -> sqlite3.Connection:
    # Foreign keys stay off, as they are by default: rebuilding a table must not cascade into others.
    return sqlite3.connect(file, timeout=_WAIT_SECONDS, isolation_level=None)


def _at_head(connection: sqlite3.Connection) -> bool:
    """The quick look that nearly every start gets by with."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone()
    return found is not None and connection.execute(_READ_REVISION).fetchall() == [(HEAD,)]


def _bring_to_head(connection: Connection, back_up: Callable[[str], None] | None) -> list[str]:
    """Check, back up, upgrade: all inside the transaction open on `connection`, alone with the database."""
    present = set(inspect(connection).get_table_names())
    revision = _revision(connection, present)
    if revision == HEAD:
        return []
    if back_up is not None and present:
        back_up(revision or "unversioned")
    if not present and connection.dialect.name == "sqlite":
        _make_afresh(connection)
        return list(REVISIONS)
    applied = _upgrade(connection)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise MigrationError(
                f"The migration would leave {len(broken)} rows pointing nowhere; nothing changed"
            )
    return applied


def _revision(connection: Connection, present: set[str]) -> str | None:
    """The revision that the database is at; None when it holds nothing of ours. Refuses what is not ours."""
    if TABLE not in present:
        taken = sorted(present & set(metadata.tables))
        if taken:
            raise MigrationError(
                f"The database already has a table {taken[0]!r} that Ops-Center did not make",
                hint="Give Ops-Center a database of its own.",
            )
        return None
    found = [str(row[0]) for row in connection.exec_driver_sql(_READ_REVISION)]
    unknown = [revision for revision in found if revision not in REVISIONS]
    if unknown or len(found) > 1:
        raise MigrationError(
            f"The database has a newer schema ({', '.join(found)}) than this release knows ({HEAD})",
            hint="Start the newer release again, or restore the backup taken before its migration.",
        )
    return found[0] if found else None


def _make_afresh(connection: Connection) -> None:
    """What all revisions together make of an empty SQLite database, without loading Alembic for it: a
    second and twelve megabytes less for everybody's first start. A test compares it with the revisions."""
    for statement in msgspec.json.decode(AFRESH.read_bytes(), type=list[str]):
        connection.exec_driver_sql(statement)


def _upgrade(connection: Connection) -> list[str]:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # before the import, which is chatty already
    from alembic.config import Config  # a third of a second: only a migration pays for it
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    applied: list[str] = []
    scripts = ScriptDirectory(str(FOLDER))

    def note(*, step: object, **_: object) -> None:
        applied.append(str(getattr(step, "up_revision_id", "")))

    with EnvironmentContext(
        Config(), scripts, fn=lambda at, _: scripts._upgrade_revs("head", at)
    ) as environment:
        environment.configure(
            connection=connection,
            version_table=TABLE,
            transactional_ddl=True,  # on SQLite too, since we say BEGIN ourselves
            render_as_batch=True,
            on_version_apply=note,  # type: ignore[arg-type]
        )
        environment.run_migrations()
    return applied


def _back_up(file: Path, data_dir: Path, revision: str) -> None:
    """Copy the database whole, through SQLite, so that what is still in its WAL is in the copy too."""
    folder = data_dir / "backups"
    target = folder / f"{file.stem}-{revision}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z.db"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(_open(file)) as source, contextlib.closing(_open(target)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, complete in itself
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        raise MigrationError(
            f"No backup could be written to {folder}, so nothing was migrated: {error}"
        ) from error
    _log.info("database_copied", file=str(target))


def _failed(error: Exception) -> MigrationError:
    return MigrationError(f"The migration failed and nothing was changed: {first_line(error)}")
