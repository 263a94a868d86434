"""The two doors to the database: what a reader may, what a writer gets, and what a cancelled one leaves."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database, DatabaseError
from ops_center.storage.tables import budgets, journal_positions, sessions, users

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def position(segment: str, offset: int = 1) -> dict[str, object]:
    return {"segment": segment, "offset": offset}


async def segments(database: Database) -> list[str]:
    async with database.read() as connection:
        rows = await connection.execute(select(journal_positions.c.segment).order_by("segment"))
        return list(rows.scalars())


async def test_a_write_is_seen_by_the_next_read(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(insert(journal_positions).values(position("a")))
    assert await segments(database) == ["a"]


async def test_a_raising_block_writes_nothing(database: Database) -> None:
    async def raise_after_writing() -> None:
        async with database.write() as connection:
            await connection.execute(insert(journal_positions).values(position("a")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await raise_after_writing()
    assert await segments(database) == []


async def test_writing_is_refused_inside_a_read(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.read() as connection:
            await connection.execute(insert(journal_positions).values(position("a")))
    # the connection goes back to the pool fit for writing
    async with database.write() as connection:
        await connection.execute(insert(journal_positions).values(position("b")))
    assert await segments(database) == ["b"]


async def test_a_read_sees_one_state_whatever_is_written_beside_it(database: Database) -> None:
    async def count(connection: AsyncConnection) -> int:
        return (await connection.execute(select(func.count()).select_from(journal_positions))).scalar_one()

    async with database.read() as connection:
        before = await count(connection)
        async with database.write() as writer:
            await writer.execute(insert(journal_positions).values(position("a")))
        assert (before, await count(connection)) == (0, 0)
    assert await segments(database) == ["a"]


async def test_many_writers_at_once_lose_no_update(database: Database) -> None:
    counter = journal_positions.c.offset
    async with database.write() as connection:
        await connection.execute(insert(journal_positions).values(position("a", 0)))

    async def add_one() -> None:
        async with database.write() as connection:
            await connection.execute(journal_positions.update().values(offset=counter + 1))

    await asyncio.gather(*(add_one() for _ in range(20)))
    async with database.read() as connection:
        assert (await connection.execute(select(counter))).scalar_one() == 20


async def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(insert(journal_positions).values(position("a")))
        assert await asyncio.wait_for(segments(database), timeout=5) == []


async def test_a_cancelled_writer_leaves_no_row_and_no_lock(database: Database) -> None:
    started = asyncio.Event()

    async def write_slowly() -> None:
        async with database.write() as connection:
            await connection.execute(insert(journal_positions).values(position("slow")))
            started.set()
            await connection.exec_driver_sql(
                "WITH RECURSIVE numbers (n) AS "
                "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000) SELECT count(*) FROM numbers"
            )

    task = asyncio.create_task(write_slowly())
    await started.wait()
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        async with database.write() as connection:
            await connection.execute(insert(journal_positions).values(position("next")))
    assert await segments(database) == ["next"]


async def test_duplicates_are_ignored_where_asked(database: Database) -> None:
    statement = database.insert_ignoring_duplicates(journal_positions)
    async with database.write() as connection:
        await connection.execute(statement, [position("a", 1), position("a", 2), position("b", 3)])
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(insert(journal_positions).values(position("a")))
    async with database.read() as connection:
        rows = (await connection.execute(select(journal_positions).order_by("segment"))).all()
    assert [tuple(row) for row in rows] == [("a", 1), ("b", 3)]


async def test_deleting_a_user_takes_its_sessions_along(database: Database) -> None:
    user = {"id": "usr_1", "email": "a@example.com", "role": "admin", "created_at": NOW, "updated_at": NOW}
    instants = {"created_at": NOW, "expires_at": NOW, "last_seen_at": NOW}
    session = {"id": "ses_1", "token_hash": b"x" * 32, "user_id": "usr_1", "method": "password", **instants}
    async with database.write() as connection:
        await connection.execute(insert(users).values(user))
        await connection.execute(insert(sessions).values(session))
    async with database.write() as connection:
        await connection.execute(users.delete())
    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(sessions))).scalar_one() == 0


async def test_money_and_instants_come_back_exactly(database: Database) -> None:
    budget = Decimal("1234567.000000001")
    values = {"id": "bud_1", "scope": "everything", "subject_id": "", "period": "month", "hard": True}
    values |= {"amount_usd": budget, "created_at": NOW, "updated_at": NOW}
    async with database.write() as connection:
        await connection.execute(insert(budgets).values(values))
    async with database.read() as connection:
        row = (await connection.execute(select(budgets))).one()
        total = (await connection.execute(select(func.sum(budgets.c.amount_usd)))).scalar_one()
    assert (row.amount_usd, total, row.created_at) == (budget, budget, NOW)


async def test_the_dialect_is_named_after_the_engine(database: Database, dialect: str) -> None:
    assert database.dialect == dialect


async def test_a_new_sqlite_file_is_its_owners_alone_and_in_wal_mode(tmp_path: Path) -> None:
    file = tmp_path / "new" / "ops-center.db"
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    try:
        async with database.write() as connection:
            await connection.exec_driver_sql("CREATE TABLE t (a)")
            pragmas = [
                (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    finally:
        await database.close()
    assert pragmas == ["wal", 1, 1]
    assert modes == {"ops-center.db": 0o600, "ops-center.db-wal": 0o600, "ops-center.db-shm": 0o600}


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root@localhost/x",
        "sqlite+aiosqlite://",
        "sqlite:///:memory:",
        "nonsense",
        "sqlite:////dev/null/x",
    ],
)
async def test_a_database_that_cannot_be_used_is_named_in_one_line(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        await Database.open(url)
    assert "\n" not in caught.value.message


async def test_the_password_of_an_unreachable_database_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        await Database.open(f"postgresql://somebody:s3cret@/nothing?host={tmp_path}")
    assert "somebody" in caught.value.message
    assert "s3cret" not in caught.value.message
