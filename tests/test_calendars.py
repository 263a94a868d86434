"""Days, weeks and months of usage and budgets where clocks change, months end and years leap: against the wall itself."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from clock import Clock
from ledger_rows import add_records, record
from ops_center.control.context import Control
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import write_setting
from ops_center.control.usage.calendar import buckets, midnight
from ops_center.control.usage.schemas import Bucket
from ops_center.control.usage.service import Buckets
from ops_center.control.usage.sums import Key, Sums
from ops_center.limits.periods import bounds
from ops_center.storage.rollups.rebuild import change_time_zone
from ops_center.storage.rollups.sums import quarter_of
from ops_center.types import BudgetPeriod

pytestmark = pytest.mark.anyio
Row = dict[str, Any]

# where, and the noon of a day on which, or just before which, something is out of the ordinary
OCCASIONS = [
    ("Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC)),  # 23 hours
    ("Europe/Berlin", datetime(2026, 10, 25, 12, tzinfo=UTC)),  # 25 hours
    ("America/New_York", datetime(2026, 3, 8, 17, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 17, tzinfo=UTC)),  # and a month begins
    ("Asia/Kolkata", datetime(2026, 11, 1, 2, tzinfo=UTC)),  # half an hour beside everybody; a month begins
    ("Australia/Lord_Howe", datetime(2026, 4, 5, 3, tzinfo=UTC)),  # clocks move by half an hour
    ("Australia/Lord_Howe", datetime(2026, 10, 4, 3, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 9, 6, 15, tzinfo=UTC)),  # a day without a midnight
    ("UTC", datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ("Pacific/Auckland", datetime(2024, 3, 1, 1, tzinfo=UTC)),  # the day after the 29th
]
every_occasion = pytest.mark.parametrize(
    ("zone", "now"), OCCASIONS, ids=[f"{zone} {now:%Y-%m-%d}" for zone, now in OCCASIONS]
)


def some_rows(now: datetime, zone: ZoneInfo) -> list[Row]:
    """A record in every quarter-hour of the days around, and on both sides of every midnight to the microsecond."""
    dice = random.Random(3)
    ends: list[datetime] = []
    for back in range(5):
        day = now.astimezone(zone).date() - timedelta(days=back)
        start = wall(day, zone)
        ends += [start - timedelta(microseconds=1), start, start + timedelta(microseconds=1)]
    hours = [now - timedelta(minutes=15 * n + dice.randrange(15)) for n in range(430)]
    return [
        record(at, cost_usd=Decimal(dice.randrange(10**9)) / 10**9, input_tokens=dice.randrange(1000))
        for at in [*ends, *hours]
        if at <= now
    ]


def wall(day: date, zone: ZoneInfo) -> datetime:
    """The first instant at which a clock on a wall of the zone shows this day, found by looking at it."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    while at.astimezone(zone).date() < day:
        at += timedelta(minutes=15)
    return at


STARTS: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
}


async def move_to(control: Control, zone: str) -> None:
    """The organisation lives there now."""
    async with control.database.write() as conn:
        section = OrganisationSettings(name="", time_zone=zone)
        await write_setting(control.database, conn, section, control.clock(), by=None)
    await change_time_zone(control.database, zone)


def summed(rows: list[Row]) -> tuple[int, int, float]:
    costs = sum((row["cost_usd"] for row in rows), Decimal(0))
    return len(rows), sum(row["input_tokens"] for row in rows), float(costs)


@every_occasion
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_usage_falls_into_the_days_weeks_and_months_of_the_wall(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, zone: str, now: datetime
) -> None:
    clock.now, there = now, ZoneInfo(zone)
    rows = some_rows(now, there)
    await add_records(control.database, rows)
    await move_to(control, zone)
    for bucket, start_of in STARTS.items():
        answer = (await control_client.get("/llm/usage", params={"period": "7d", "bucket": bucket})).json()
        assert answer["time_zone"] == zone
        expected: dict[date, list[Row]] = defaultdict(list)
        for row in rows:
            expected[start_of(row["started_at"].astimezone(there).date())].append(row)
        found = {}
        for point in answer["series"]:
            at = datetime.fromisoformat(point["start_at"])
            day = at.astimezone(there).date()
            assert at == wall(day, there)
            assert day == start_of(day)
            if point["calls"]:
                found[day] = (point["calls"], point["input_tokens"], pytest.approx(point["cost_usd"]))
        assert found == {day: summed(of_day) for day, of_day in expected.items()}

    hours = (
        await control_client.get(
            "/llm/usage/explore", params={"metric": "calls", "period": "7d", "bucket": "hour"}
        )
    ).json()["points"]
    for point in hours:
        start, end = (datetime.fromisoformat(point[name]) for name in ("start_at", "end_at"))
        assert point["value"] == sum(start <= row["started_at"] < end for row in rows)
        local, before = (
            at.astimezone(there).replace(tzinfo=None) for at in (start, start - timedelta(microseconds=1))
        )
        moved = local - before != timedelta(microseconds=1)
        assert local.minute == 0 or moved or point is hours[0]
    assert sum(point["value"] for point in hours) == len(rows)


@every_occasion
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_budgets_and_home_count_the_periods_of_the_wall(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, zone: str, now: datetime
) -> None:
    clock.now, there = now, ZoneInfo(zone)
    rows = some_rows(now, there)
    await add_records(control.database, rows)
    await move_to(control, zone)
    for period in STARTS:
        body = {"scope": "everything", "amount_usd": 1000, "period": period}
        assert (await control_client.post("/llm/budgets", json=body)).status_code == 201
    today = now.astimezone(there).date()
    answer = (await control_client.get("/llm/budgets")).json()
    assert answer["time_zone"] == zone
    for budget in answer["budgets"]:
        first = wall(STARTS[budget["period"]](today), there)
        own = [row for row in rows if row["started_at"] >= first]
        assert datetime.fromisoformat(budget["period_start_at"]) == first
        assert budget["spent_usd"] == pytest.approx(summed(own)[2])
        after = datetime.fromisoformat(budget["period_end_at"])
        assert after == wall(after.astimezone(there).date(), there) > now
    cost = (await control_client.get("/home")).json()["cost"]
    for span, period in (("today", "day"), ("month", "month")):
        first = wall(STARTS[period](today), there)
        own = [row for row in rows if row["started_at"] >= first]
        assert datetime.fromisoformat(cost[span]["from_at"]) == first
        assert (cost[span]["calls"], cost[span]["cost_usd"]) == (len(own), pytest.approx(summed(own)[2]))
    for day in cost["days"]:
        start = datetime.fromisoformat(day["start_at"])
        own = [
            row
            for row in rows
            if row["started_at"].astimezone(there).date() == start.astimezone(there).date()
        ]
        assert start == wall(start.astimezone(there).date(), there)
        assert day["cost_usd"] == pytest.approx(summed(own)[2])


@pytest.mark.parametrize(
    "zone", sorted({zone for zone, _ in OCCASIONS} | {"Asia/Beirut", "America/St_Johns"})
)
def test_budgets_charts_and_the_wall_agree_on_every_day_of_three_years(zone: str) -> None:
    there, day = ZoneInfo(zone), date(2026, 1, 1)
    while day < date(2029, 1, 1):
        start = midnight(day, there)
        assert start.astimezone(there).date() == day
        assert (start - timedelta(microseconds=1)).astimezone(there).date() < day
        for period, start_of in STARTS.items():
            first, after = bounds(BudgetPeriod(period), start, zone)
            assert first == midnight(start_of(day), there)
            assert buckets(first, after, Bucket(period), there) == [first]
        day += timedelta(days=1)


@pytest.mark.parametrize(
    "moved",
    [
        ("Pacific/Chatham", datetime(2026, 4, 4, 14, tzinfo=UTC)),  # an hour is cut short at a quarter to
        ("Pacific/Chatham", datetime(2026, 9, 26, 14, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ],
    ids=lambda moved: f"{moved[0]} {moved[1]:%Y-%m-%d}",
)
def test_every_quarter_lies_in_an_hour_of_the_chart(moved: tuple[str, datetime]) -> None:
    zone, at = ZoneInfo(moved[0]), moved[1]
    window = at - timedelta(days=1), at + timedelta(days=1)
    quarters = [window[0] + n * timedelta(minutes=15) for n in range(2 * 96)]
    found = {Key(quarter_of(each)): Sums(calls=1) for each in quarters}
    series = Buckets(*window, Bucket.HOUR, zone)
    assert sum(sums.calls for sums in series.sums_of(found)) == len(quarters)
    for (start, end), sums in zip(series.ends, series.sums_of(found), strict=True):
        assert sums.calls == (end - start) / timedelta(minutes=15)
