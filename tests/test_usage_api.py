"""control/usage: every figure against an independent sum in Python, on both databases."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from clock import Clock
from control_fixtures import Clients
from ledger_rows import add_records, random_records, record
from ops_center.control.context import Control
from ops_center.control.usage.calendar import buckets, next_start, start_of
from ops_center.control.usage.repository import totals
from ops_center.control.usage.schemas import Bucket
from ops_center.control.usage.service import change_pct
from ops_center.control.usage.sums import Sums
from ops_center.control.usage.windows import Window
from ops_center.types import Role

pytestmark = pytest.mark.anyio

DAYS = {"7d": 7, "30d": 30, "90d": 90}


async def usage(client: httpx.AsyncClient, **params: str) -> dict[str, Any]:
    answer = await client.get("/llm/usage", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def within(rows: list[dict[str, Any]], from_at: datetime | None, to_at: datetime) -> list[dict[str, Any]]:
    return [r for r in rows if (from_at is None or r["started_at"] >= from_at) and r["started_at"] < to_at]


def end_of_quarter(now: datetime) -> datetime:
    """Windows end with the quarter-hour that is running."""
    minutes = now.minute // 15 * 15
    return now.replace(minute=minutes, second=0, microsecond=0) + timedelta(minutes=15)


def cost(rows: list[dict[str, Any]]) -> Decimal:
    return sum((r["cost_usd"] for r in rows if r["cost_usd"] is not None), Decimal(0))


def pct(current: Decimal | int, previous: Decimal | int) -> float | None:
    return round(float((current - previous) * 100 / Decimal(previous)), 1) if previous else None


def first_of_bucket(at: datetime, bucket: str) -> str:
    """A second opinion on the calendar: by text and ISO weeks."""
    day = at.astimezone(UTC)
    if bucket == "week":
        year, week, _ = day.isocalendar()
        day = datetime.strptime(f"{year}-{week}-1", "%G-%V-%u").replace(tzinfo=UTC)
    text = f"{day:%Y-%m-01}" if bucket == "month" else f"{day:%Y-%m-%d}"
    return f"{text}T00:00:00Z"


@pytest.mark.parametrize("period", ["7d", "30d", "90d", "all"])
@pytest.mark.parametrize("bucket", ["day", "week", "month"])
async def test_every_figure_is_the_sum_of_its_records(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, period: str, bucket: str
) -> None:
    now = clock.now
    rows = random_records(now, 400, days=200)
    await add_records(control.database, rows)
    answer = await usage(control_client, period=period, bucket=bucket)

    end = end_of_quarter(now)
    from_at = end - timedelta(days=DAYS[period]) if period in DAYS else None
    current = within(rows, from_at, end)
    estimated = cost([r for r in current if r["cost_source"] == "estimated"])
    assert answer["totals"] == {
        "calls": len(current),
        "input_tokens": sum(r["input_tokens"] for r in current),
        "output_tokens": sum(r["output_tokens"] for r in current),
        "cost_usd": float(cost(current)),
        "estimated_cost_usd": float(estimated),
        "estimated_share": float(estimated / cost(current)),
        "unknown_cost_calls": sum(r["cost_usd"] is None for r in current),
        "failed_calls": sum(r["status"] >= 400 for r in current),
    }
    if from_at is None:
        assert answer["previous"] is None
        assert answer["trends"] == {"calls_pct": None, "cost_pct": None}
    else:
        previous = within(rows, from_at - timedelta(days=DAYS[period]), from_at)
        assert answer["previous"]["calls"] == len(previous)
        assert answer["previous"]["cost_usd"] == float(cost(previous))
        assert answer["trends"]["calls_pct"] == pct(len(current), len(previous))
        assert answer["trends"]["cost_pct"] == pct(cost(current), cost(previous))

    expected: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in current:
        expected[first_of_bucket(row["started_at"], bucket)].append(row)
    series = answer["series"]
    starts = [point["start_at"] for point in series]
    assert starts == sorted(set(starts))
    assert set(expected) <= set(starts)
    for point in series:
        of_bucket = expected.get(point["start_at"], [])
        assert point["calls"] == len(of_bucket)
        assert point["cost_usd"] == float(cost(of_bucket))
        assert point["input_tokens"] == sum(r["input_tokens"] for r in of_bucket)
        assert point["unknown_cost_calls"] == sum(r["cost_usd"] is None for r in of_bucket)
    assert starts[-1] == first_of_bucket(now, bucket)
    assert starts[0] == first_of_bucket(from_at or min(r["started_at"] for r in current), bucket)

    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in current:
        if row["provider_name"] is not None:
            by_name[row["provider_name"]].append(row)
    shares = answer["cost_by_provider"]
    assert {s["provider"]: s["cost_usd"] for s in shares} == {n: float(cost(r)) for n, r in by_name.items()}
    assert [s["cost_usd"] for s in shares] == sorted((s["cost_usd"] for s in shares), reverse=True)
    assert sum(s["share"] for s in shares) == pytest.approx(1)


async def test_cards_compare_thirty_days_with_the_thirty_before(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    now = clock.now
    rows = random_records(now, 300, days=90, seed=2)
    await add_records(control.database, rows)
    cards = (await usage(control_client, period="7d"))["cards"]
    month = timedelta(days=30)
    end = end_of_quarter(now)
    current, previous = within(rows, end - month, end), within(rows, end - 2 * month, end - month)
    assert cards["calls_30d"] == len(current)
    assert cards["cost_30d_usd"] == float(cost(current))
    assert cards["unknown_cost_calls_30d"] == sum(r["cost_usd"] is None for r in current)
    assert cards["calls_trend_pct"] == pct(len(current), len(previous))
    assert cards["cost_trend_pct"] == pct(cost(current), cost(previous))
    assert len(cards["calls_series"]) == len(cards["cost_series"]) == 30
    for age, calls in enumerate(reversed(cards["calls_series"])):
        day = within(rows, end - timedelta(days=age + 1), end - timedelta(days=age))
        assert calls == len(day)
    assert sum(cards["cost_series"]) == pytest.approx(cards["cost_30d_usd"])
    assert cards["computed_at"] == "2026-11-23T12:00:00Z"


async def test_an_empty_ledger_shows_zeroes_and_no_trend(control_client: httpx.AsyncClient) -> None:
    for period, points in {"7d": 8, "30d": 31, "90d": 91, "all": 1}.items():
        answer = await usage(control_client, period=period)
        assert set(answer["totals"].values()) == {0}
        assert answer["trends"] == {"calls_pct": None, "cost_pct": None}
        assert len(answer["series"]) == points
        assert all(point["calls"] == 0 and point["cost_usd"] == 0 for point in answer["series"])
        assert answer["cost_by_provider"] == []
    cards = answer["cards"]
    assert (cards["total_providers"], cards["active_models"], cards["calls_30d"]) == (0, 0, 0)
    assert (cards["calls_trend_pct"], cards["cost_trend_pct"]) == (None, None)
    assert cards["calls_series"] == [0] * 30


async def test_the_edges_of_a_period_belong_to_one_side_only(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    now, week = clock.now, timedelta(days=7)
    tick = timedelta(microseconds=1)
    end = end_of_quarter(now)
    edges = [now, end - week, end - week - tick, end - 2 * week, end - 2 * week - tick]
    await add_records(control.database, [record(at) for at in edges])
    answer = await usage(control_client, period="7d")
    assert answer["totals"]["calls"] == 2
    assert answer["previous"]["calls"] == 2


async def test_days_weeks_and_months_start_at_midnight(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    # 2026-11-01 is a Sunday: the last day of a week and the first of a month
    tick = timedelta(microseconds=1)
    midnight = datetime(2026, 11, 1, tzinfo=UTC)
    monday = datetime(2026, 11, 2, tzinfo=UTC)
    await add_records(
        control.database, [record(at) for at in (midnight - tick, midnight, monday - tick, monday)]
    )
    found = {}
    for bucket in ("day", "week", "month"):
        series = (await usage(control_client, period="30d", bucket=bucket))["series"]
        found[bucket] = {p["start_at"][:10]: p["calls"] for p in series if p["calls"]}
    assert found == {
        "day": {"2026-10-31": 1, "2026-11-01": 2, "2026-11-02": 1},
        "week": {"2026-10-26": 3, "2026-11-02": 1},
        "month": {"2026-10-01": 1, "2026-11-01": 3},
    }


async def test_nano_dollars_add_up_exactly(control: Control, clock: Clock) -> None:
    rows = [record(clock.now, cost_usd=Decimal("0.000000001")) for _ in range(999)]
    rows.append(record(clock.now, cost_usd=Decimal("90000000.123456789")))
    await add_records(control.database, rows)
    async with control.database.read() as conn:
        sums = await totals(conn, Window.last(timedelta(days=1), clock.now))
    assert sums.cost_usd == Decimal("90000000.123457788")


async def test_unknown_costs_are_counted_and_never_added_as_zero(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_records(
        control.database,
        [record(clock.now, cost_usd=None), record(clock.now, cost_usd=None), record(clock.now)],
    )
    answer = await usage(control_client, period="7d")
    assert answer["totals"]["unknown_cost_calls"] == 2
    assert answer["totals"]["cost_usd"] == 0.001
    [share] = answer["cost_by_provider"]
    assert (share["calls"], share["unknown_cost_calls"], share["share"]) == (3, 2, 1)


async def test_everybody_sees_only_their_own_usage(
    control_client: httpx.AsyncClient, clients: Clients, control: Control, clock: Clock
) -> None:
    bob = await clients.signed_in(Role.USER, "bob@example.com")
    bob_id = (await bob.get("/auth/me")).json()["user"]["id"]
    await add_records(
        control.database,
        [record(clock.now, user_id=bob_id, cost_usd=Decimal(2)), record(clock.now - timedelta(days=400))],
    )
    own = (await bob.get("/me/usage", params={"period": "all"})).json()
    assert "cards" not in own
    assert (own["totals"]["calls"], own["totals"]["cost_usd"]) == (1, 2)
    assert len(own["series"]) == 1
    assert (await bob.get("/llm/usage")).status_code == 403
    assert (await usage(control_client, period="all"))["totals"]["calls"] == 2


async def test_providers_and_models_are_counted(control_client: httpx.AsyncClient) -> None:
    for enabled in (True, False):
        body = {
            "type": "custom",
            "name": f"Mine {enabled}",
            "base_url": "http://models.test/v1",
            "enabled": enabled,
            "models": ["a", "b"],
        }
        assert (await control_client.post("/llm/providers", json=body)).status_code == 201
    cards = (await usage(control_client))["cards"]
    assert (cards["total_providers"], cards["active_models"]) == (2, 2)


@pytest.mark.parametrize(("name", "value"), [("period", "14d"), ("period", ""), ("bucket", "minute")])
async def test_a_wrong_period_or_bucket_is_named(
    control_client: httpx.AsyncClient, name: str, value: str
) -> None:
    answer = await control_client.get("/llm/usage", params={name: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == name


# ── export ────────────────────────────────────────────────────────────────────


async def test_the_export_holds_every_record_with_every_digit(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = random_records(clock.now, 60, days=40)
    rows.append(record(clock.now, cost_usd=Decimal("0.000000001")))
    await add_records(control.database, rows)
    end = end_of_quarter(clock.now)
    expected = within(rows, end - timedelta(days=30), end)

    answer = await control_client.get("/llm/usage/export", params={"period": "30d", "format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "ops-center-usage-30d-2026-11-23.csv" in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert {line["id"] for line in lines} == {r["request_id"] for r in expected}
    assert sum(Decimal(line["cost_usd"]) for line in lines if line["cost_usd"]) == cost(expected)
    assert [line["started_at"] for line in lines] == sorted((x["started_at"] for x in lines), reverse=True)

    answer = await control_client.get("/llm/usage/export", params={"period": "30d", "format": "json"})
    exported = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
    assert sum(r["cost_usd"] for r in exported if r["cost_usd"] is not None) == cost(expected)
    assert sum(r["cost_usd"] is None for r in exported) == sum(r["cost_usd"] is None for r in expected)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_long_export_comes_in_batches(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    # many at the same instant, so that a page ends between equals
    rows = [record(clock.now - timedelta(minutes=n % 3)) for n in range(4500)]
    await add_records(control.database, rows)
    answer = await control_client.get("/llm/usage/export", params={"format": "json"})
    assert sorted(r["id"] for r in answer.json()) == sorted(r["request_id"] for r in rows)


async def test_an_empty_export_is_still_a_file(control_client: httpx.AsyncClient) -> None:
    assert (await control_client.get("/llm/usage/export", params={"format": "json"})).json() == []
    table = await control_client.get("/llm/usage/export")
    assert len(list(csv.reader(io.StringIO(table.text)))) == 1
    wrong = await control_client.get("/llm/usage/export", params={"format": "xml"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "format")


async def test_a_cell_cannot_become_a_formula(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_records(control.database, [record(clock.now, api_key_name="=HYPERLINK(1)")])
    answer = await control_client.get("/llm/usage/export")
    [line] = csv.DictReader(io.StringIO(answer.text))
    assert line["api_key_name"] == "'=HYPERLINK(1)"


# ── the calendar ──────────────────────────────────────────────────────────────


def test_months_follow_each_other_through_every_length() -> None:
    start = datetime(2027, 11, 30, tzinfo=UTC)
    months = buckets(start, datetime(2028, 4, 1, 0, 0, 1, tzinfo=UTC), Bucket.MONTH, ZoneInfo("UTC"))
    assert [f"{m:%Y-%m-%d}" for m in months] == [
        "2027-11-01",
        "2027-12-01",
        "2028-01-01",
        "2028-02-01",
        "2028-03-01",
        "2028-04-01",
    ]


@pytest.mark.parametrize("bucket", list(Bucket))
def test_every_day_lies_in_the_bucket_that_starts_before_it(bucket: Bucket) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC).date()
    for _ in range(800):
        start = start_of(day, bucket)
        assert start <= day < next_start(start, bucket)
        assert start_of(start, bucket) == start
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("current", "previous", "change"),
    [(108, 100, 8.0), (95, 100, -5.0), (0, 10, -100.0), (10, 0, None), (0, 0, None), (1, 3, -66.7)],
)
def test_a_trend_needs_a_baseline(current: int, previous: int, change: float | None) -> None:
    assert change_pct(current, previous) == change


def test_failures_for_nothing_do_not_make_an_unknown_cost_zero() -> None:
    assert Sums(calls=3, unknown_cost_calls=2, failed_calls=1).known_cost_usd is None
    assert Sums(calls=3, failed_calls=3).known_cost_usd == 0
    assert (
        Sums(calls=2, unknown_cost_calls=1, priced_tokens=10, computed_cost_usd=Decimal(1)).known_cost_usd
        == 1
    )
