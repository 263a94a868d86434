"""storage/retention: what is old goes, no total changes, and whatever dies in between is finished later."""

from __future__ import annotations

import asyncio
import contextlib
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import msgspec
import pytest
from sqlalchemy import Table, func, select, text

from ledger_rows import Crash, Crashing, add_attempts, add_records, attempt, record, some_record
from ops_center.control.context import Control
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.repository import sums
from ops_center.control.usage.retention import delete_what_is_old
from ops_center.control.usage.sums import Sums, total
from ops_center.control.usage.windows import Step, Window
from ops_center.storage.database import Database
from ops_center.storage.journal.ledger import Entry, Ledger, entry
from ops_center.storage.partitions import DETAILS, prepare_days_ahead
from ops_center.storage.retention import Ages, sweep
from ops_center.storage.rollups.rebuild import change_time_zone, rebuild
from ops_center.storage.rollups.store import read_state
from ops_center.storage.rollups.sums import instant_of
from ops_center.storage.rollups.verify import verify
from ops_center.storage.tables import attempts, plans, usage_records
from ops_center.types import AttemptRecord, CredentialSource, UsageRecord

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVER = Window(None, NOW + timedelta(days=2))
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]


async def kept_since(database: Database) -> datetime:
    async with database.read() as connection:
        return instant_of((await read_state(connection)).records_from)


def added_up(records: list[UsageRecord]) -> tuple[int, int, int, Decimal, Decimal]:
    """By hand, from the records themselves."""
    return (
        len(records),
        sum(record.usage.input_tokens for record in records),
        sum(record.status >= 400 for record in records),
        sum((record.cost_usd for record in records if record.cost_usd is not None), Decimal(0)),
        sum((record.saved_usd for record in records if record.saved_usd is not None), Decimal(0)),
    )


def figures(found: Sums) -> tuple[int, int, int, Decimal, Decimal]:
    return found.calls, found.input_tokens, found.failed_calls, found.cost_usd, found.saved_usd


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_total_changes_whatever_is_late_twice_deleted_or_crashes(
    database_url: str, seed: int
) -> None:
    """With the second seed the organisation moves to other time zones, too."""
    dice = random.Random(seed)
    database = await Crashing.open(database_url)
    assert isinstance(database, Crashing)
    database.dice = dice
    records = [some_record(dice, number, NOW) for number in range(200)]  # in no order of time
    stored: set[str] = set()
    now = NOW - timedelta(days=1)
    try:
        ledger = Ledger(database)
        waiting = list(records)
        while waiting:
            batch = waiting[: dice.randrange(1, 40)]
            since = await kept_since(database)
            # one that is gone already cannot be told from one that never was
            entries: list[Entry] = [
                entry(record, b"", 0)
                for record in (*batch, *dice.sample(records, 3), *batch[:2])
                if record.started_at >= since or record.request_id not in stored
            ]
            with contextlib.suppress(Crash):
                await ledger.add(entries, "usage-1.jsonl", 0)
                stored |= {one.record.request_id for one in entries}
                waiting = waiting[len(batch) :]
            if dice.random() < 0.3:
                now += timedelta(hours=dice.randrange(12))
                with contextlib.suppress(Crash):
                    await sweep(database, Ages(1, 1, 2, None), now)
            if seed == 2 and dice.random() < 0.2:
                with contextlib.suppress(Crash):
                    await change_time_zone(database, dice.choice(ZONES))
            async with database.read() as connection:
                sofar = total(await sums(connection, EVER))
            assert figures(sofar) == added_up([r for r in records if r.request_id in stored])
        database.dice = random.Random(0)
        while True:
            with contextlib.suppress(Crash):
                await sweep(database, Ages(1, 1, 2, None), NOW + timedelta(days=1))
                if seed == 2:
                    await change_time_zone(database, "Europe/Berlin")
                break
        since = await kept_since(database)
        assert since == datetime(2026, 11, 23, tzinfo=UTC)
        kept = [record for record in records if record.started_at >= since]
        for again in range(2):
            found = await verify(database)
            assert (found.problem, found.records) == (None, len(kept))
            async with database.read() as connection:
                for by in (None, *Dimension):
                    if by is not Dimension.TAG:  # tags overlap
                        whole = total(await sums(connection, EVER, by=by))
                        assert figures(whole) == added_up(records), by
                days = await sums(connection, EVER, step=Step.DAY)
                for table in (usage_records, attempts, plans):
                    oldest = await connection.scalar(select(func.min(table.c.started_at)))
                    assert oldest is None or oldest >= since
                assert await connection.scalar(select(func.count()).select_from(usage_records)) == len(kept)
            if seed == 1:
                for key, one in days.items():
                    assert key.slot is not None
                    day = date(1970, 1, 1) + timedelta(days=key.slot)
                    assert figures(one) == added_up([r for r in records if r.started_at.date() == day])
            if not again:
                while True:
                    with contextlib.suppress(Crash):
                        await rebuild(database)
                        break
    finally:
        await database.close()


async def test_what_an_admin_sets_is_deleted_and_every_figure_stays(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    now = control.clock()
    ages = (1, 20, 100, 250, 700)
    rows = [record(now - timedelta(days=age), cost_usd=Decimal(age)) for age in ages]
    await add_records(control.database, rows)
    await add_attempts(control.database, [attempt(row["request_id"], row["started_at"]) for row in rows])

    async def explored(**asked: str) -> httpx.Response:
        return await control_client.get("/llm/usage/explore", params={"metric": "cost", **asked})

    everything = (await explored(period="all")).json()
    wanted = {"request_days": 30, "quarter_days": 190, "day_days": None}
    answer = await control_client.patch("/settings", json={"retention": wanted})
    assert answer.json()["retention"] == {**wanted, "plan_days": 90}
    [entry] = (await control_client.get("/audit-log")).json()["entries"]
    assert (entry["action"], entry["before"]["request_days"], entry["after"]["request_days"]) == (
        "settings.update",
        400,
        30,
    )
    for _ in range(2):  # the second time, as after a restart, there is nothing to do
        await delete_what_is_old(control.database, now)
        listed = (await control_client.get("/llm/requests")).json()
        assert [request["cost_usd"] for request in listed["requests"]] == [1, 20]
        after = (await explored(period="all")).json()
        assert (after["total"], after["totals"]) == (sum(ages), everything["totals"])
        for before, now_is in zip(everything["points"], after["points"], strict=True):
            assert (now_is["end_at"], now_is["value"]) == (before["end_at"], before["value"])
    assert (await verify(control.database)).problem is None
    gone = await control_client.get(f"/llm/requests/{rows[-1]['request_id']}")
    assert gone.status_code == 404
    first = (now - timedelta(days=30)).date()
    assert listed["kept_from"] == f"{first}T00:00:00Z"
    assert f"before {first}" in gone.json()["error"]["hint"]

    day = (now - timedelta(days=250)).replace(hour=0, minute=0, second=0, microsecond=0)

    def window(start: datetime, **more: str) -> dict[str, str]:
        ends = {"from_at": start, "to_at": start + timedelta(days=1)}
        return {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in ends.items()} | more

    assert (await explored(**window(day))).json()["total"] == 250
    for asked, field in (
        (window(day + timedelta(hours=6)), "from_at"),
        (window(day, bucket="hour"), "bucket"),
    ):
        refused = await explored(**asked)
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, field)
    recent = (now - timedelta(days=100)).replace(hour=6, minute=0, second=0, microsecond=0)
    assert (await explored(**window(recent))).json()["total"] == 100


async def test_sums_by_day_end_where_an_admin_ends_them_and_plans_before_their_requests(
    database: Database,
) -> None:
    records = [some_record(random.Random(number), number, NOW) for number in range(40)]
    with_plan = [msgspec.structs.replace(one, plan=msgspec.Raw(b'{"version":1}')) for one in records]
    await Ledger(database).add([entry(one, b"", 0) for one in with_plan], "usage-1.jsonl", 0)

    async def count(table: Table) -> int:
        async with database.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())

    assert await count(plans) == 40
    await sweep(database, Ages(None, 1, None, None), NOW)
    since = datetime(2026, 11, 22, tzinfo=UTC)
    younger = [one for one in records if one.started_at >= since]
    assert (await count(plans), await count(usage_records)) == (len(younger), 40)
    await sweep(database, Ages(None, None, 1, 1), NOW)
    async with database.read() as connection:
        left = total(await sums(connection, EVER))
    assert figures(left) == added_up(younger)
    assert await count(usage_records) == 40
    assert (await verify(database)).problem is None


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_days_come_in_time_or_at_need_and_go_whole(database: Database) -> None:
    now = datetime.now(UTC)  # what an empty database began with lies before the first of its days

    async def days_of(table: Table) -> list[str]:
        async with database.read() as connection:
            found = await connection.execute(
                text(
                    "SELECT relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
                    "WHERE inhparent = to_regclass(:table) ORDER BY relname"
                ),
                {"table": table.name},
            )
            return [name.removeprefix(f"{table.name}_") for name in found.scalars()]

    def names(*days: int) -> list[str]:
        return [*(f"{now + timedelta(days=day):%Y%m%d}" for day in days), "before"]

    await asyncio.gather(*(prepare_days_ahead(database, now) for _ in range(3)))  # as several servers would
    for table in DETAILS:
        assert await days_of(table) == names(1, 2, 3)
    ledger = Ledger(database)

    async def store(days: int, number: int) -> None:
        at = (now + timedelta(days=days)).replace(hour=23, minute=59)
        one = msgspec.structs.replace(some_record(random.Random(number), number, now), started_at=at)
        late = AttemptRecord(
            number=1, provider_id="prov_1", provider_name="a", model="m", duration_seconds=1, status=200,
            started_at=at + timedelta(minutes=2), outcome="success", credential_source=CredentialSource.PLATFORM,
        )  # fmt: skip
        one = msgspec.structs.replace(one, attempts=(late,), plan=msgspec.Raw(b"{}"))
        await ledger.add([entry(one, b"", 0)], "usage-1.jsonl", 0)

    for number, days in enumerate((-2, 1, 9)):
        await store(days, number)
    assert await days_of(usage_records) == names(1, 2, 3, 9, 10)
    await sweep(database, Ages(1, 1, None, None), now + timedelta(days=4))
    assert await days_of(plans) == names(3, 9, 10)
    async with database.read() as connection:
        for table in (usage_records, plans):
            assert await connection.scalar(select(func.count()).select_from(table)) == 1
    await store(1, 7)  # too late to be kept: counted, and no day is made for it
    assert await days_of(usage_records) == names(3, 9, 10)
    async with database.read() as connection:
        window = Window(None, now + timedelta(days=20))
        assert total(await sums(connection, window)).calls == 4
    assert (await verify(database)).problem is None
