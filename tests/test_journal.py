"""The journal from both ends: no record lost, none twice, whatever is killed, torn, full or refused."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.journal import JournalError, JournalIngester, UsageJournal
from ops_center.storage.tables import attempts, journal_positions, plans, usage_records
from ops_center.types import (
    AttemptRecord,
    CostSource,
    CredentialSource,
    Usage,
    UsageRecord,
    new_id,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def a_record(request_id: str | None = None, **changes: object) -> UsageRecord:
    fields: dict[str, object] = {
        "request_id": request_id or new_id("req"),
        "started_at": NOW,
        "duration_seconds": 1.25,
        "endpoint": "chat/completions",
        "status": 200,
        "attempts": (
            AttemptRecord(
                number=1,
                provider_id="prov_1",
                provider_name="OpenAI",
                model="gpt-4o-mini",
                started_at=NOW,
                duration_seconds=1.0,
                outcome="success",
            ),
        ),
    }
    return UsageRecord(**(fields | changes))  # type: ignore[arg-type]


def a_line(record: UsageRecord) -> bytes:
    return msgspec.json.encode(record) + b"\n"


@pytest.fixture
def folder(data_dir: Path) -> Path:
    return data_dir / "journal"


@pytest.fixture
def journal(folder: Path) -> Iterator[UsageJournal]:
    opened = UsageJournal(folder)
    yield opened
    opened.close()


@contextlib.asynccontextmanager
async def ingesting(database: Database, folder: Path, **options: object) -> AsyncIterator[JournalIngester]:
    ingester = JournalIngester(database, folder, **options)  # type: ignore[arg-type]
    try:
        yield ingester
    finally:
        ingester.close()


async def drain(database: Database, folder: Path, **options: object) -> JournalIngester:
    async with ingesting(database, folder, **options) as ingester:
        await ingester.drain()
    return ingester


async def stored_ids(database: Database) -> list[str]:
    async with database.read() as connection:
        rows = await connection.execute(select(usage_records.c.request_id))
        return sorted(rows.scalars())


async def positions(database: Database) -> dict[str, int]:
    async with database.read() as connection:
        return {row.segment: row.offset for row in await connection.execute(select(journal_positions))}


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("usage-*.jsonl"))


def a_dead_segment(folder: Path, content: bytes, name: str = "usage-0001-1.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


# -- what is stored -------------------------------------------------------------------------------------


async def test_every_field_of_a_record_reaches_its_column(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    record = UsageRecord(
        request_id="req_1",
        started_at=NOW,
        duration_seconds=1.234567890123,
        endpoint="messages",
        status=502,
        stream=True,
        time_to_first_chunk_seconds=0.1,
        error_type="provider_unusable_answer",
        finish_reason="stop",
        requested_model='auto "ünïcode"\n',
        strategy="balanced",
        api_key_id="key_1",
        api_key_name="my key",
        user_id="usr_1",
        user_email="a@example.com",
        provider_id="prov_1",
        provider_name="OpenAI",
        provider_type="openai",
        model="gpt-4o-mini",
        credential_source=CredentialSource.BYOK,
        usage=Usage(
            input_tokens=2**40,
            output_tokens=2,
            cache_read_tokens=3,
            cache_write_tokens=4,
            cache_write_1h_tokens=5,
            reasoning_tokens=6,
        ),
        cost_usd=Decimal("0.0000000005"),
        cost_source=CostSource.ESTIMATED,
        cost_note="why",
        price_source="models.dev 2026-07-02",
        attempts=(
            AttemptRecord(
                number=1,
                provider_id="prov_2",
                provider_name="Groq",
                model="llama",
                started_at=NOW,
                duration_seconds=0.25,
                outcome="provider_timeout",
                detail="no answer",
            ),
            AttemptRecord(
                number=2,
                provider_id="prov_1",
                provider_name="OpenAI",
                model="gpt-4o-mini",
                started_at=NOW + timedelta(seconds=1),
                duration_seconds=0.5,
                time_to_first_chunk_seconds=0.125,
                status=200,
                outcome="success",
            ),
        ),
        plan=msgspec.Raw(b'{"model":"auto","targets":[["mdl_1"]]}'),
    )
    journal.record(record)
    await drain(database, folder)
    async with database.read() as connection:
        row = (await connection.execute(select(usage_records))).one()._asdict()
        plan = (await connection.execute(select(plans))).one()
        tries = (await connection.execute(select(attempts).order_by(attempts.c.number))).all()
    expected = msgspec.structs.asdict(record) | msgspec.structs.asdict(record.usage)
    expected |= {"demo": False, "late_price_id": None}
    expected["tags"] = list(record.tags) or None
    for name in ("usage", "attempts", "plan", "provider_cost_usd", "traceparent"):
        del expected[name]
    assert row == expected | {"cost_usd": Decimal(0)}  # half a nano-dollar: rounded once, to even
    assert [one._asdict() for one in tries] == [
        msgspec.structs.asdict(one) | {"request_id": "req_1"} for one in record.attempts
    ]
    assert plan == ("req_1", NOW, '{"model":"auto","targets":[["mdl_1"]]}')


async def test_a_request_without_a_plan_has_no_row_for_it(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    journal.record(a_record())
    await drain(database, folder)
    async with database.read() as connection:
        assert (await connection.execute(select(plans))).all() == []


async def test_an_unknown_cost_stays_unknown(database: Database, journal: UsageJournal, folder: Path) -> None:
    journal.record(a_record(attempts=()))
    await drain(database, folder)
    async with database.read() as connection:
        row = (await connection.execute(select(usage_records))).one()
        assert (await connection.execute(select(func.count()).select_from(attempts))).scalar_one() == 0
    assert (row.cost_usd, row.cost_source, row.provider_id, row.model) == (None, "unknown", None, None)


@pytest.mark.parametrize("amount", ["0", "0.000123456", "-1.5", "1234567.000000001"])
async def test_costs_are_stored_to_the_nano_dollar(
    database: Database, journal: UsageJournal, folder: Path, amount: str
) -> None:
    journal.record(a_record(cost_usd=Decimal(amount)))
    await drain(database, folder)
    async with database.read() as connection:
        assert (await connection.execute(select(usage_records.c.cost_usd))).scalar_one() == Decimal(amount)


async def test_text_beyond_its_column_is_cut_and_nul_dropped(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    journal.record(a_record("req_1", requested_model="m\0" + "x" * 400, cost_note="a\0b"))
    await drain(database, folder)
    async with database.read() as connection:
        row = (await connection.execute(select(usage_records))).one()
    assert row.requested_model.startswith("mxxx")
    assert len(row.requested_model) <= 300
    assert row.cost_note == "ab"


async def test_text_that_utf8_cannot_hold_does_not_cost_the_record(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    plan = msgspec.Raw(b'{"model":"auto"}')
    journal.record(a_record("req_1", requested_model="half a \ud83d", cost_usd=Decimal("0.5"), plan=plan))
    await drain(database, folder)
    async with database.read() as connection:
        row = (await connection.execute(select(usage_records))).one()
        kept = (await connection.execute(select(plans.c.plan))).scalar_one()
    assert (row.requested_model, row.cost_usd, row.started_at) == ("half a ?", Decimal("0.5"), NOW)
    assert msgspec.json.decode(kept) == {"model": "auto"}


# -- exactly once ---------------------------------------------------------------------------------------


async def test_a_record_met_twice_is_stored_and_counted_once(database: Database, folder: Path) -> None:
    first, second = a_record("req_1"), a_record("req_2")
    a_dead_segment(folder, a_line(first) + a_line(second) + a_line(first), "usage-0001-1.jsonl")
    a_dead_segment(folder, a_line(second), "usage-0002-1.jsonl")
    counted: list[str] = []

    def count(records: Sequence[UsageRecord]) -> None:
        counted.extend(record.request_id for record in records)

    ingester = await drain(database, folder, on_batch=count)
    assert await stored_ids(database) == counted == ["req_1", "req_2"]
    assert (ingester.ingested, ingester.duplicates) == (2, 2)


async def test_replaying_a_segment_from_its_start_changes_nothing(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    for number in range(5):
        journal.record(a_record(f"req_{number}"))
    await drain(database, folder)
    async with database.write() as connection:
        await connection.execute(delete(journal_positions))
    counted: list[UsageRecord] = []
    ingester = await drain(database, folder, on_batch=counted.extend)
    assert (ingester.ingested, ingester.duplicates, counted) == (0, 5, [])
    assert len(await stored_ids(database)) == 5


async def test_a_live_segment_is_read_on_from_its_position(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    async with ingesting(database, folder, batch=2) as ingester:
        for number in range(7):
            journal.record(a_record(f"req_{number}"))
            if number % 3 == 0:
                await ingester.drain()
        await ingester.drain()
        (segment,) = segments(folder)
        assert await positions(database) == {segment.name: segment.stat().st_size}
        assert (ingester.ingested, ingester.duplicates) == (7, 0)
    assert (await drain(database, folder)).duplicates == 0


async def test_the_segment_of_a_finished_writer_goes_with_its_position(
    database: Database, folder: Path
) -> None:
    journal = UsageJournal(folder)
    journal.record(a_record("req_1"))
    async with ingesting(database, folder) as ingester:
        await ingester.drain()
        assert segments(folder)
        journal.close()
        await ingester.drain()
    assert segments(folder) == []
    assert await positions(database) == {}
    assert await stored_ids(database) == ["req_1"]


async def test_full_segments_make_room_for_new_ones(database: Database, folder: Path) -> None:
    journal = UsageJournal(folder, segment_bytes=1000)
    for number in range(20):
        journal.record(a_record(f"req_{number:02}"))
    assert len(segments(folder)) > 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in segments(folder)} == {0o600}
    await drain(database, folder)
    assert len(segments(folder)) <= 1
    journal.close()
    assert await stored_ids(database) == [f"req_{number:02}" for number in range(20)]


# -- broken lines ---------------------------------------------------------------------------------------


async def test_the_torn_last_line_of_a_dead_writer_is_skipped(database: Database, folder: Path) -> None:
    a_dead_segment(folder, a_line(a_record("req_1")) + a_line(a_record("req_2"))[:-20])
    ingester = await drain(database, folder)
    assert await stored_ids(database) == ["req_1"]
    assert segments(folder) == []
    assert ingester.rejected == 0


async def test_a_last_line_that_lacks_only_its_end_counts(database: Database, folder: Path) -> None:
    a_dead_segment(folder, a_line(a_record("req_1"))[:-1])
    await drain(database, folder)
    assert await stored_ids(database) == ["req_1"]
    assert segments(folder) == []


async def test_half_a_line_of_a_live_writer_is_waited_for(database: Database, folder: Path) -> None:
    line = a_line(a_record("req_1"))
    segment = a_dead_segment(folder, line[:50])
    with segment.open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        await drain(database, folder)
        assert segment.exists()
        assert await stored_ids(database) == []
        writer.write(line[50:])
        writer.flush()
        await drain(database, folder)
    assert await stored_ids(database) == ["req_1"]


async def test_an_undecodable_line_is_put_aside_and_blocks_nothing(database: Database, folder: Path) -> None:
    odd = [b"not json\n", b'{"request_id": 1}\n', b"\x00" * 40 + b"\n", a_line(a_record("x" * 41))]
    segment = a_line(a_record("req_1")) + b"".join(odd) + a_line(a_record("req_2"))
    a_dead_segment(folder, segment)
    ingester = await drain(database, folder)
    assert await stored_ids(database) == ["req_1", "req_2"]
    rejected = folder / "rejected.jsonl"
    assert rejected.read_bytes() == b"".join(odd)
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    assert ingester.rejected == 4
    assert segments(folder) == []


async def test_numbers_that_no_column_holds_are_put_aside(database: Database, folder: Path) -> None:
    odd = [a_record(usage=Usage(input_tokens=2**63)), a_record(cost_usd=Decimal("1e30"))]
    a_dead_segment(folder, b"".join(map(a_line, [a_record("req_1"), *odd, a_record("req_2")])))
    assert (await drain(database, folder)).rejected == 2
    assert await stored_ids(database) == ["req_1", "req_2"]


async def test_a_row_that_the_database_refuses_is_found_and_put_aside(
    database: Database, folder: Path, dialect: str
) -> None:
    good = [a_record(f"req_{number}") for number in range(6)]
    refused = a_record("req_9", status=2**40)  # PostgreSQL's INTEGER ends before, SQLite's does not
    a_dead_segment(folder, b"".join(map(a_line, [*good[:3], refused, *good[3:]])))
    counted: list[UsageRecord] = []
    ingester = await drain(database, folder, on_batch=counted.extend)
    expected = [*good, refused] if dialect == "sqlite" else good
    assert await stored_ids(database) == [record.request_id for record in expected]
    assert ingester.rejected == 7 - len(expected)
    assert len(counted) == len(expected)
    assert segments(folder) == []


async def test_a_line_longer_than_what_is_read_at_once_is_read_whole(
    database: Database, folder: Path
) -> None:
    a_dead_segment(folder, a_line(a_record("req_1", cost_note="x" * 3_000_000)) + a_line(a_record("req_2")))
    await drain(database, folder)
    assert await stored_ids(database) == ["req_1", "req_2"]


# -- a failing disk -------------------------------------------------------------------------------------


@contextlib.contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """The kernel refuses what goes beyond, after taking what still fits: like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_delays_records_and_loses_none(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    journal.record(a_record("req_0"))
    (segment,) = segments(folder)
    with files_limited_to(segment.stat().st_size + 100):
        for number in (1, 2, 3):
            journal.record(a_record(f"req_{number}"))
        assert journal.waiting == 3
        assert segment.read_bytes().endswith(b"}\n")  # the part that did fit is taken away again
    journal.record(a_record("req_4"))
    assert (journal.waiting, journal.lost) == (0, 0)
    lines = segment.read_bytes().splitlines()
    assert [msgspec.json.decode(line)["request_id"] for line in lines] == [f"req_{n}" for n in range(5)]
    ingester = await drain(database, folder)
    assert (ingester.ingested, ingester.rejected) == (5, 0)


def test_memory_for_waiting_records_is_bounded_and_what_is_lost_is_counted(folder: Path) -> None:
    journal = UsageJournal(folder, most_waiting=3)
    with files_limited_to(0):
        for _ in range(5):
            journal.record(a_record())
        assert (journal.waiting, journal.lost) == (3, 2)
    journal.close()
    assert (journal.waiting, journal.lost) == (0, 2)
    assert sum(path.read_bytes().count(b"\n") for path in segments(folder)) == 3


def test_a_folder_that_cannot_be_written_stops_the_start(data_dir: Path) -> None:
    (data_dir / "journal").write_text("in the way")
    with pytest.raises(JournalError, match="journal cannot be used"):
        UsageJournal(data_dir / "journal")


def test_a_record_after_the_end_is_kept_for_the_next_start(folder: Path) -> None:
    journal = UsageJournal(folder)
    journal.close()
    journal.record(a_record("req_1"))
    journal.close()
    assert b"req_1" in b"".join(segment.read_bytes() for segment in segments(folder))


# -- several processes ----------------------------------------------------------------------------------

WRITER = """
import os, sys
from pathlib import Path
from datetime import UTC, datetime
from ops_center.storage.journal import UsageJournal
from ops_center.types import UsageRecord, new_id

journal = UsageJournal(Path(sys.argv[1]), segment_bytes=50_000)
while True:
    record = UsageRecord(request_id=new_id("req"), started_at=datetime.now(UTC), duration_seconds=1.0,
                         endpoint="chat/completions", status=200)
    journal.record(record)
    os.write(1, record.request_id.encode() + b"\\n")
"""


async def test_killed_writers_lose_nothing_that_was_recorded(database: Database, folder: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    told: set[str] = set()
    async with ingesting(database, folder) as ingester:
        for writer in writers:
            assert writer.stdout is not None
            told.add(writer.stdout.readline().decode().strip())
            time.sleep(random.uniform(0, 0.02))
            await ingester.drain()  # reading beside the writers
            writer.send_signal(signal.SIGKILL)
            output, _ = writer.communicate()
            # a line of the pipe may be torn too; its record is in the journal all the same
            told.update(line for line in output.decode().split("\n")[:-1] if line)
        await ingester.drain()
        stored = await stored_ids(database)
        assert told <= set(stored)
        # each writer may have died between its record and the word of it
        assert len(stored) <= len(told) + len(writers)
        assert ingester.ingested == len(stored) == len(set(stored))
        assert (ingester.duplicates, ingester.rejected) == (0, 0)
    assert segments(folder) == []
    assert await positions(database) == {}


async def test_two_writers_never_share_a_segment(database: Database, folder: Path) -> None:
    first, second = UsageJournal(folder), UsageJournal(folder)
    first.record(a_record("req_1"))
    second.record(a_record("req_2"))
    assert len(segments(folder)) == 2
    first.close()
    await drain(database, folder)
    assert len(segments(folder)) == 1  # the other one is still written to
    second.close()
    assert await stored_ids(database) == ["req_1", "req_2"]


async def test_one_ingester_at_a_time_works_in_a_folder(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    first, second = JournalIngester(database, folder), JournalIngester(database, folder)
    await first.drain()
    journal.record(a_record("req_1"))
    await second.drain()
    assert await stored_ids(database) == []
    first.close()
    await second.drain()
    second.close()
    assert await stored_ids(database) == ["req_1"]


async def test_many_drains_at_once_store_each_record_once(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    for _ in range(50):
        journal.record(a_record())
    async with ingesting(database, folder, batch=7) as ingester:
        await asyncio.gather(*(ingester.drain() for _ in range(5)))
        assert (ingester.ingested, ingester.duplicates) == (50, 0)


# -- crashes of the ingester ----------------------------------------------------------------------------


class Crash(Exception):
    pass


class CrashingDatabase:
    """Breaks off chosen transactions: right before their commit, or right after it."""

    def __init__(self, database: Database, plan: Iterator[str], error: Exception | None = None) -> None:
        self._database = database
        self._plan = plan
        self._error = error or Crash()
        self.dialect = database.dialect
        self.read = database.read

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        step = next(self._plan, "work")
        async with self._database.write() as connection:
            yield connection
            if step == "before commit":
                raise self._error
        if step == "after commit":
            raise self._error


STEPS = st.lists(st.sampled_from(["work", "before commit", "after commit"]), max_size=12)
# segments of lines; a line names one of a few records, so that some are there twice, or is broken
SEGMENTS = st.lists(st.lists(st.integers(-1, 12), max_size=15), min_size=1, max_size=3)


@given(plan=STEPS, written=SEGMENTS, torn=st.booleans(), batch=st.integers(1, 6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_crashes_at_any_commit_leave_each_record_stored_once(
    database: Database, plan: list[str], written: list[list[int]], torn: bool, batch: int
) -> None:
    async with database.write() as connection:
        for table in (usage_records, attempts, journal_positions):
            await connection.execute(delete(table))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, lines in enumerate(written):
            content = b"".join(b"broken\n" if n < 0 else a_line(a_record(f"req_{n:02}")) for n in lines)
            content += a_line(a_record("req_99"))[:-9] if torn else b""
            a_dead_segment(folder, content, f"usage-{number:04}-1.jsonl")
        crashing = CrashingDatabase(database, iter(plan))
        counted: list[str] = []

        def count(records: Sequence[UsageRecord]) -> None:
            counted.extend(record.request_id for record in records)

        for _ in range(len(plan) + 1):  # a start after each crash
            with contextlib.suppress(Crash):
                await drain(crashing, folder, batch=batch, on_batch=count)  # type: ignore[arg-type]
        assert await stored_ids(database) == sorted(
            {f"req_{n:02}" for lines in written for n in lines if n >= 0}
        )
        assert len(counted) == len(set(counted))
        assert segments(folder) == []
        assert await positions(database) == {}


async def test_the_loop_outlives_a_database_that_is_away(
    database: Database, journal: UsageJournal, folder: Path
) -> None:
    away = OperationalError("SELECT 1", {}, Exception("the database is away"))
    crashing = CrashingDatabase(database, iter(["before commit", "after commit"]), away)
    stored = asyncio.Event()
    ingester = JournalIngester(crashing, folder, on_batch=lambda _: stored.set())  # type: ignore[arg-type]
    journal.record(a_record("req_1"))
    running = asyncio.create_task(ingester.run())
    try:
        async with asyncio.timeout(10):
            while await stored_ids(database) != ["req_1"]:
                await asyncio.sleep(0.05)
        notified = UsageJournal(folder, on_record=ingester.notify)
        notified.record(a_record("req_2"))
        await asyncio.wait_for(stored.wait(), timeout=5)
        notified.close()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        ingester.close()
    assert await stored_ids(database) == ["req_1", "req_2"]


async def test_a_failing_listener_does_not_stop_the_ledger(database: Database, folder: Path) -> None:
    a_dead_segment(folder, a_line(a_record("req_1")))

    def fail(_: Sequence[UsageRecord]) -> None:
        raise ZeroDivisionError

    assert (await drain(database, folder, on_batch=fail)).ingested == 1
    assert await stored_ids(database) == ["req_1"]


async def test_nothing_but_the_writers_own_descriptor_keeps_a_segment_alive(folder: Path) -> None:
    journal = UsageJournal(folder)
    (segment,) = segments(folder)
    descriptor = os.open(segment, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        journal.close()
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("steps", range(6))
async def test_the_loop_ends_when_told_even_as_records_come_in(
    database: Database, folder: Path, steps: int
) -> None:
    async with ingesting(database, folder) as ingester:
        await ingester.drain()
        running = asyncio.create_task(ingester.run())
        await asyncio.sleep(0.02)
        ingester.notify()
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running], timeout=5)
        assert running.cancelled()


def test_a_process_that_only_writes_does_not_load_sqlalchemy() -> None:
    program = "import sys, ops_center.storage.journal.writer; print('sqlalchemy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
