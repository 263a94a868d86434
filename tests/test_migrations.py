"""From nothing, from a former release and from a newer one: what a start does to the database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from ledger_rows import attempt, record, some_record
from ops_center.control.audit_log.chain import verify
from ops_center.storage.database import Database, DatabaseError
from ops_center.storage.journal.ledger import Ledger, entry
from ops_center.storage.migrate import MigrationError, migrate
from ops_center.storage.migrations import AFRESH, FOLDER, HEAD, REVISIONS, TABLE
from ops_center.storage.migrations.afresh import statements
from ops_center.storage.tables import _EPOCH, attempts, late_prices, metadata, plans, usage_records, users

pytestmark = pytest.mark.anyio


async def execute(url: str, *statements: str) -> None:
    database = await Database.open(url)
    try:
        async with database.write() as connection:
            for statement in statements:
                await connection.execute(text(statement))
    finally:
        await database.close()


async def test_an_empty_database_gets_every_revision_once(empty_database_url: str, data_dir: Path) -> None:
    assert await migrate(empty_database_url, data_dir) == list(REVISIONS)
    assert await migrate(empty_database_url, data_dir) == []
    assert not (data_dir / "backups").exists()


def is_no_partition(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or re.search(r"_(before|\d{8})$", name or "") is None


async def test_the_migrated_schema_is_that_of_tables_py(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"version_table": TABLE, "compare_type": True, "include_name": is_no_partition}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


def test_a_new_sqlite_database_is_what_the_revisions_make_of_it() -> None:
    def lines(given: list[str]) -> list[list[str]]:
        # Alembic writes the constraints of a table that it rebuilt in any order.
        return [sorted(line.strip("\t ,") for line in statement.splitlines()) for statement in given]

    written = json.loads(AFRESH.read_text())
    assert lines(written) == lines(statements()), "run python -m ops_center.storage.migrations.afresh"
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    for statement in written:
        fresh.execute(statement)
    assert [row[0] for row in fresh.execute(f"SELECT version_num FROM {TABLE}")] == [HEAD]
    fresh.close()


def test_the_list_of_revisions_is_that_of_the_files() -> None:
    scripts = list(ScriptDirectory(str(FOLDER)).walk_revisions())
    assert tuple(script.revision for script in reversed(scripts)) == REVISIONS
    assert all(Path(script.path).name.startswith(f"r{script.revision}_") for script in scripts)


async def test_starts_at_the_same_time_migrate_once(empty_database_url: str, data_dir: Path) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url, data_dir) for _ in range(3)))
    assert sorted(applied) == [[], [], list(REVISIONS)]


async def test_a_start_that_is_stopped_ends_only_when_nothing_writes_any_more(data_dir: Path) -> None:
    file = data_dir / "stopped.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # the migration has begun, and waits for this one
        starting = asyncio.create_task(migrate(f"sqlite:///{file}", data_dir))
        await asyncio.sleep(0.1)
        starting.cancel()
        await asyncio.wait([starting], timeout=0.1)
        assert not starting.done()
        connection.execute("COMMIT")
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert connection.execute(f"SELECT version_num FROM {TABLE}").fetchall() == [(HEAD,)]


async def test_a_newer_schema_is_refused_and_left_alone(database_url: str, data_dir: Path) -> None:
    await execute(database_url, f"UPDATE {TABLE} SET version_num = '9999'")
    with pytest.raises(MigrationError, match=r"newer schema \(9999\) than this release knows") as caught:
        await migrate(database_url, data_dir)
    assert caught.value.hint
    with pytest.raises(MigrationError):
        await migrate(database_url, data_dir)


async def test_a_database_of_somebody_else_is_refused(empty_database_url: str, data_dir: Path) -> None:
    await execute(empty_database_url, "CREATE TABLE users (name TEXT)", "INSERT INTO users VALUES ('theirs')")
    with pytest.raises(MigrationError, match="'users' that Ops-Center did not make"):
        await migrate(empty_database_url, data_dir)
    database = await Database.open(empty_database_url)
    try:
        async with database.read() as connection:
            assert (await connection.execute(text("SELECT name FROM users"))).scalar_one() == "theirs"
    finally:
        await database.close()


async def test_a_failing_migration_leaves_nothing_behind(empty_database_url: str, data_dir: Path) -> None:
    # an index of a stranger's table takes a name that the first revision needs, late on
    await execute(
        empty_database_url, "CREATE TABLE other (a INT)", "CREATE INDEX ix_sessions_user_id ON other (a)"
    )
    with pytest.raises(MigrationError, match="failed and nothing was changed"):
        await migrate(empty_database_url, data_dir)
    await execute(empty_database_url, "DROP TABLE other")
    assert await migrate(empty_database_url, data_dir) == list(REVISIONS)


async def test_a_sqlite_database_is_copied_before_its_migration(data_dir: Path) -> None:
    file = data_dir / "ops-center.db"
    url = f"sqlite+aiosqlite:///{file}"
    await execute(url, "CREATE TABLE kept (a TEXT)")
    holder = sqlite3.connect(file)  # keeps what follows in the WAL, where copying the file would miss it
    try:
        holder.execute("INSERT INTO kept VALUES ('before')")
        holder.commit()
        assert await migrate(url, data_dir) == list(REVISIONS)
    finally:
        holder.close()
    (backup,) = (data_dir / "backups").iterdir()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert stat.S_IMODE(backup.parent.stat().st_mode) == 0o700
    copy = sqlite3.connect(backup)
    try:
        assert copy.execute("SELECT a FROM kept").fetchall() == [("before",)]
        assert copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'users'").fetchone() == (0,)
    finally:
        copy.close()


async def test_no_backup_no_migration(data_dir: Path) -> None:
    url = f"sqlite+aiosqlite:///{data_dir}/ops-center.db"
    await execute(url, "CREATE TABLE kept (a TEXT)")
    (data_dir / "backups").write_text("in the way")
    with pytest.raises(MigrationError, match="No backup could be written"):
        await migrate(url, data_dir)
    with pytest.raises(DatabaseError):
        await migrate(f"sqlite:///{data_dir}/backups/x.db", data_dir)


async def test_a_file_that_is_no_database_is_named(data_dir: Path) -> None:
    (data_dir / "ops-center.db").write_bytes(b"not a database at all, but longer than a header" * 40)
    with pytest.raises(DatabaseError, match=r"ops-center\.db cannot be opened: file is not a database"):
        await migrate(f"sqlite:///{data_dir}/ops-center.db", data_dir)


def test_a_start_on_an_up_to_date_database_does_not_load_alembic(database_url: str, data_dir: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from ops_center.storage.migrate import migrate;"
        "assert asyncio.run(migrate(sys.argv[1], Path(sys.argv[2]))) == [];"
        "print([name for name in sys.modules if name.split('.')[0] in ('alembic', 'mako')])"
    )
    arguments = [sys.executable, "-c", program, database_url, str(data_dir)]
    assert subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_revisions_are_numbered_without_a_gap() -> None:
    assert all(re.fullmatch(r"\d{4}", revision) for revision in REVISIONS)
    assert [int(revision) for revision in REVISIONS] == list(range(1, len(REVISIONS) + 1))
    assert REVISIONS[-1] == HEAD


async def test_rows_survive_a_second_start(database_url: str, data_dir: Path) -> None:
    await execute(
        database_url,
        "INSERT INTO users (id, email, name, role, created_at, updated_at) VALUES ('usr_1', 'a@b', '', 'admin', 0, 0)",
    )
    assert await migrate(database_url, data_dir) == []
    database = await Database.open(database_url)
    try:
        async with database.read() as connection:
            assert (await connection.execute(select(users.c.id))).scalars().all() == ["usr_1"]
    finally:
        await database.close()


async def test_entries_of_the_audit_log_from_before_the_chain_are_chained(
    empty_database_url: str, data_dir: Path
) -> None:
    await migrate_to("0003", empty_database_url)
    columns = "id, at, actor_email, action, object_type, object_id, object_name, before, after, ip_address"
    rows = (
        "('aud_2', 20, 'ü@example.com', 'user.update', 'user', 'usr_1', 'x', '{\"b\": 0.5, \"a\": null}', NULL, '')",
        "('aud_1', 10, 'system', 'user.create', 'user', 'usr_1', 'x', NULL, '{\"ü\": [1]}', '')",
    )
    await execute(
        empty_database_url,
        *(f"INSERT INTO audit_log ({columns}) VALUES {row}".replace(": ", "\\: ") for row in rows),
    )
    await migrate(empty_database_url, data_dir)
    database = await Database.open(empty_database_url)
    try:
        found = await verify(database)
        assert (found.intact, found.entries, found.at) == (True, 2, _EPOCH + timedelta(microseconds=20))
    finally:
        await database.close()


async def migrate_to(revision: str, url: str) -> None:
    """The schema as a former release left it."""
    scripts = ScriptDirectory(str(FOLDER))

    def upgrade(connection: Connection) -> None:
        with EnvironmentContext(
            Config(), scripts, fn=lambda at, _: scripts._upgrade_revs(revision, at)
        ) as environment:
            environment.configure(connection=connection, version_table=TABLE)
            environment.run_migrations()

    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


async def test_the_ledger_of_a_former_release_is_in_partitions_with_every_row_and_index(
    empty_database_url: str, data_dir: Path
) -> None:
    await migrate_to("0027", empty_database_url)
    now = datetime.now(UTC)
    old, tomorrow = now - timedelta(days=40), now + timedelta(days=1)
    database = await Database.open(empty_database_url)
    try:
        rows = [record(at) for at in (old, now, tomorrow)]
        for row in rows:
            for name in ("fingerprint", "opening", "opening_tokens", "replay_of"):  # which came later
                del row[name]
        rows[0] |= {"late_price_id": "lpr_1", "cost_source": "estimated", "cost_usd": Decimal("0.25")}
        rows[1] |= {"late_price_id": "lpr_1", "cost_source": "computed"}
        async with database.write() as connection:
            await connection.execute(
                text(
                    "INSERT INTO late_prices VALUES "
                    "('lpr_1', 'prov_1', 'One', 'm', '{}', 1, 2, 2, 350000000, 0)"
                )
            )
            await connection.execute(insert(usage_records), rows)
            await connection.execute(insert(attempts), [attempt(rows[0]["request_id"], old)])
            await connection.execute(
                insert(plans), [{"request_id": rows[0]["request_id"], "started_at": old, "plan": "{}"}]
            )
        assert await migrate(empty_database_url, data_dir) == list(REVISIONS[REVISIONS.index("0027") + 1 :])
        later = entry(some_record(random.Random(1), 1, now + timedelta(days=9)), b"", 0)
        repeated = entry(some_record(random.Random(1), 1, now + timedelta(days=9)), b"", 0)
        assert len(await Ledger(database).add([later, repeated], "usage-1.jsonl", 0)) == 1
        assert await Ledger(database).add([repeated], "usage-1.jsonl", 0) == []
        async with database.read() as connection:
            found = await connection.execute(select(usage_records.c.request_id))
            late = (await connection.execute(select(late_prices))).one()
            assert (late.estimated_cost_usd, late.estimated_own_cost_usd) == (Decimal("0.25"), 0)
            assert set(found.scalars()) == {row["request_id"] for row in rows} | {later.record.request_id}
            for table in (attempts, plans):
                assert await connection.scalar(select(func.count()).select_from(table)) == 1
            if database.dialect == "sqlite":
                return
            names = "SELECT relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = '{}'::regclass"
            partitions = list((await connection.execute(text(names.format("usage_records")))).scalars())
            assert sorted(partitions)[1:] == ["usage_records_before"]
            assert partitions[-1 if partitions[0].endswith("before") else 0].endswith(
                f"{later.record.started_at:%Y%m%d}"
            )
            for index in usage_records.indexes:  # each has one in every partition
                parts = (await connection.execute(text(names.format(index.name)))).all()
                assert len(parts) == len(partitions), index.name
    finally:
        await database.close()
