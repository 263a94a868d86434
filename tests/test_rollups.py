"""storage/rollups: sums equal the records whatever arrives late, twice, or in a transaction that dies."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select, update
from typer.testing import CliRunner

from ledger_rows import Crash, Crashing, add_records, random_records, some_record
from ops_center.cli import app
from ops_center.control.usage.conditions import Filters
from ops_center.control.usage.dimensions import NONE, Dimension
from ops_center.control.usage.repository import on_own_keys, sums
from ops_center.control.usage.sums import HISTOGRAMS, by_value, total
from ops_center.control.usage.windows import Window
from ops_center.storage.database import Database
from ops_center.storage.journal.ledger import Entry, Ledger, entry
from ops_center.storage.retention import Ages, sweep
from ops_center.storage.rollups import histogram
from ops_center.storage.rollups.rebuild import bring_up_to_date, change_time_zone, close, rebuild
from ops_center.storage.rollups.store import change_state
from ops_center.storage.rollups.sums import (
    CALLER,
    WAY,
    day_of_quarter,
    first_quarter_of_day,
    instant_of,
    quarter_of,
)
from ops_center.storage.rollups.verify import verify
from ops_center.storage.tables import usage_days, usage_hours, usage_quarters, usage_records, usage_weeks
from ops_center.types import CostSource, CredentialSource

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TABLES = (usage_quarters, usage_hours, usage_days, usage_weeks)


@pytest.mark.parametrize("seed", [1, 2])
async def test_sums_equal_the_records_after_late_duplicate_and_crashed_batches(
    database_url: str, seed: int
) -> None:
    dice = random.Random(seed)
    database = await Crashing.open(database_url)
    assert isinstance(database, Crashing)
    database.dice = dice
    records = [some_record(dice, number, NOW) for number in range(400)]  # in no order of time
    try:
        ledger = Ledger(database)
        waiting = list(records)
        while waiting:
            batch = waiting[: dice.randrange(1, 40)]
            again = dice.sample(records, 3)  # some of them stored long ago, some not yet
            entries: list[Entry] = [entry(record, b"", 0) for record in (*batch, *again, *batch[:2])]
            with contextlib.suppress(Crash):
                await ledger.add(entries, "usage-1.jsonl", 0)
                waiting = waiting[len(batch) :]
            if dice.random() < 0.1:
                ledger = Ledger(database)  # another process
            if dice.random() < 0.2:  # days end while records of theirs are still to come
                with contextlib.suppress(Crash):
                    await close(database, NOW - timedelta(days=dice.randrange(3)))
        database.dice = random.Random(0)
        while True:
            with contextlib.suppress(Crash):
                await close(database, NOW)
                break
        found = await verify(database)
        assert (found.problem, found.records) == (None, 400)
        assert min(found.quarters, found.hours, found.days, found.weeks) > 0
        known = [record.cost_usd for record in records if record.cost_usd is not None]
        assert Decimal(found.cost_nano_usd) / 10**9 == sum(known)
        async with database.read() as connection:
            window = Window(None, NOW + timedelta(hours=1))
            by_tag = by_value(await sums(connection, window, by=Dimension.TAG))
            own = await on_own_keys(connection, window)
            by_user = by_value(await sums(connection, window, by=Dimension.USER))
            both = total(
                await sums(connection, window, filters=Filters.only(Dimension.TAG, "pilot", "nightly"))
            )
        tagged = [record for record in records if record.tags]
        of_own = [record for record in records if record.credential_source is CredentialSource.BYOK]
        assert sum(one.calls for one in own.values()) == len(of_own)
        for (user_id, provider_type), one in own.items():
            theirs = [r for r in of_own if (r.user_id, r.provider_type) == (user_id, provider_type)]
            assert one.own_cost_usd == sum(r.own_cost_usd or 0 for r in theirs)
            guessed = [r for r in theirs if r.own_cost_source is CostSource.ESTIMATED]
            assert one.estimated_own_cost_usd == sum(r.own_cost_usd or 0 for r in guessed)
            assert one.estimated_own_cost_usd == sum(r.saved_usd or 0 for r in guessed)
            assert one.last_at == max(r.started_at for r in theirs)
        for person, one in by_user.items():
            fell = [r for r in records if r.user_id == person and r.fallback_from]
            guessed = [r for r in fell if r.cost_source is CostSource.ESTIMATED]
            assert (one.fallback_calls, one.fallback_cost_usd, one.estimated_fallback_cost_usd) == (
                len(fell),
                sum(r.cost_usd or 0 for r in fell),
                sum(r.cost_usd or 0 for r in guessed),
            )
        assert by_tag["pilot"].calls == both.calls == len(tagged)
        assert by_tag["nightly"].calls == sum("nightly" in record.tags for record in records)
        assert by_tag[None].calls == len(records) - len(tagged)
    finally:
        await database.close()


async def test_a_rebuild_gives_what_was_kept_as_records_arrived(database: Database) -> None:
    dice = random.Random(3)
    entries = [entry(some_record(dice, number, NOW), b"", 0) for number in range(200)]
    for start in range(0, 200, 50):
        await Ledger(database).add(entries[start : start + 50], "usage-1.jsonl", 0)

    async def rows() -> list[list[object]]:
        async with database.read() as connection:
            return [sorted(map(tuple, await connection.execute(select(table)))) for table in TABLES]

    await close(database, datetime.now(UTC))
    kept = await rows()
    assert all(kept)
    await rebuild(database)
    await close(database, datetime.now(UTC))
    assert await rows() == kept


async def test_any_two_facts_give_what_the_full_series_say(database: Database) -> None:
    dice = random.Random(4)
    entries = [entry(some_record(dice, number, NOW), b"", 0) for number in range(150)]
    await Ledger(database).add(entries, "usage-1.jsonl", 0)
    window = Window(
        NOW - timedelta(days=2, minutes=30), NOW + timedelta(hours=1)
    )  # quarter-hours, days, both
    seen: dict[Dimension, set[str]] = {}
    async with database.read() as connection:
        for dimension in Dimension:
            values = by_value(await sums(connection, window, by=dimension))
            seen[dimension] = {NONE if value is None else value for value in values}
        everything = {dimension: frozenset(values) for dimension, values in seen.items()}
        for by in Dimension:
            for fact in Dimension:
                if fact.value < by.value or fact is by is Dimension.TAG:  # a single tag is shown alone
                    continue
                some = frozenset({dice.choice(sorted(seen[fact]))})
                narrow, wide = Filters(values={fact: some}), Filters(values=everything | {fact: some})
                found, expected = [
                    by_value(await sums(connection, window, by=by, filters=filters, histograms=HISTOGRAMS))
                    for filters in (narrow, wide)
                ]
                assert found == expected, (by, fact)
                assert found, (by, fact)


@pytest.mark.parametrize("layout", [2, 4])
async def test_what_lost_its_records_gets_series_of_a_newer_layout(database: Database, layout: int) -> None:
    """Of layout 2 there were no kinds in between, of layout 4 no pairs."""
    await add_records(database, random_records(NOW, 120, days=60))
    await sweep(database, Ages(20, None, 40, None), NOW)  # records, quarter-hours and days, each further back

    async def rows() -> list[list[object]]:
        async with database.read() as connection:
            return [sorted(map(tuple, await connection.execute(select(table)))) for table in TABLES]

    kept = await rows()
    async with database.write() as connection:
        for table in TABLES:
            lacking = table.c.kind.in_([CALLER, WAY]) if layout == 2 else table.c.kind.contains("/")
            await connection.execute(delete(table).where(lacking))
        await change_state(connection, layout=layout)
    await bring_up_to_date(database, "UTC")
    await close(database, datetime.now(UTC))
    assert await rows() == kept


async def test_a_difference_is_found_named_and_mended(database: Database) -> None:
    await add_records(database, random_records(NOW, 50, days=5))
    for change in (
        update(usage_days)
        .where(usage_days.c.kind == "model")
        .values(computed_cost_usd=usage_days.c.computed_cost_usd + Decimal("0.000000001")),
        update(usage_quarters).where(usage_quarters.c.kind == "full").values(output_tokens=7),
        delete(usage_quarters).where(usage_quarters.c.kind == "user"),
        update(usage_hours).where(usage_hours.c.kind == "api_key").values(latencies=None),
        update(usage_weeks).where(usage_weeks.c.kind == "caller").values(calls=usage_weeks.c.calls + 1),
        delete(usage_records).where(usage_records.c.status == 200),
    ):
        assert (await verify(database)).problem is None
        async with database.write() as connection:
            await connection.execute(change)
        problem = (await verify(database)).problem
        assert problem is not None
        assert "holds" in problem
        await rebuild(database)
        await close(database, datetime.now(UTC))
    assert (await verify(database)).problem is None


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_the_command_says_what_it_compared(database: Database, data_dir: Path) -> None:
    await add_records(database, random_records(NOW, 50, days=5))
    async with database.read() as connection:
        cost = (await connection.execute(select(func.sum(usage_records.c.cost_usd)))).scalar_one()
    run = CliRunner()

    def verify_usage(*more: str) -> tuple[int, str]:
        done = run.invoke(app, ["verify-usage", "--data-dir", str(data_dir), *more])
        return done.exit_code, done.output

    code, text = await asyncio.to_thread(verify_usage)
    assert code == 0
    assert f"50 records of ${cost:.9f} equal their sums" in text
    async with database.write() as connection:
        await connection.execute(update(usage_days).values(calls=usage_days.c.calls + 1))
    code, text = await asyncio.to_thread(verify_usage)
    assert code == 1
    assert "holds calls" in text
    assert "--rebuild" in text
    assert (await asyncio.to_thread(verify_usage, "--rebuild"))[0] == 0


# ── the calendar ──────────────────────────────────────────────────────────────

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]


@pytest.mark.parametrize("zone", [*ZONES, "America/Santiago", "Asia/Beirut"])  # midnights that do not exist
def test_every_quarter_hour_lies_in_the_day_of_its_zone(zone: str) -> None:
    there = ZoneInfo(zone)
    first = quarter_of(datetime(2026, 1, 1, tzinfo=UTC))
    days: dict[int, list[int]] = {}
    for slot in range(first, first + 400 * 96):
        day = day_of_quarter(slot, there)
        local = instant_of(slot).astimezone(there)
        assert date(1970, 1, 1) + timedelta(days=day) == local.date()
        days.setdefault(day, []).append(slot)
    for day in sorted(days)[1:-1]:
        slots = days[day]
        assert slots == list(range(first_quarter_of_day(day, there), first_quarter_of_day(day + 1, there)))
        assert len(slots) in (92, 94, 96, 98, 100)


@pytest.mark.parametrize("zone", ZONES[1:])
async def test_days_follow_the_organisation_to_another_time_zone(database: Database, zone: str) -> None:
    rows = random_records(NOW, 120, days=60, seed=5)  # clocks go back in between
    await add_records(database, rows)
    await change_time_zone(database, zone)
    assert (await verify(database)).problem is None
    there = ZoneInfo(zone)
    async with database.read() as connection:
        query = (
            select(usage_days.c.slot, func.sum(usage_days.c.calls))
            .where(usage_days.c.kind == "credential")
            .group_by(usage_days.c.slot)
        )
        found = {day: int(calls) for day, calls in await connection.execute(query)}
    expected: dict[int, int] = {}
    for row in rows:
        day = (row["started_at"].astimezone(there).date() - date(1970, 1, 1)).days
        expected[day] = expected.get(day, 0) + 1
    assert found == expected


# ── histograms ────────────────────────────────────────────────────────────────


def test_a_percentile_is_within_five_per_cent_whatever_was_merged() -> None:
    dice = random.Random(7)
    seconds = [dice.lognormvariate(0, 1.5) for _ in range(5000)]
    parts = []
    for start in range(0, 5000, 100):
        part: histogram.Histogram = {}
        for each in seconds[start : start + 100]:
            histogram.add(part, {histogram.bucket_of(each): 1})
        parts.append(histogram.packed(part))
    whole = histogram.merged(parts)
    assert sum(whole.values()) == 5000
    for share in (0.01, 0.5, 0.95, 0.99, 1):
        exact = sorted(seconds)[math.ceil(share * 5000) - 1]
        found = histogram.percentile(whole, share)
        assert found is not None
        assert abs(found / exact - 1) < 0.045
    assert histogram.percentile({}, 0.5) is None
    assert histogram.bucket_of(0) == 0
    assert histogram.bucket_of(1e9) == histogram.bucket_of(1e8)
