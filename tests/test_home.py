"""control/home: every figure against sums of the records themselves; a forecast that says what it does not know."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import update

from clock import Clock
from control_fixtures import Clients, ScriptedFetcher
from ledger_rows import add_records, random_records, record
from ops_center.control.api import create_control_app
from ops_center.control.context import Control
from ops_center.control.home.forecast import forecast
from ops_center.storage.database import Database
from ops_center.storage.journal.segments import REJECTED_NAME, rejected_lines
from ops_center.storage.rollups.rebuild import change_time_zone
from ops_center.storage.tables import models
from ops_center.transport.client import FetchAnswer

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question

ZONE = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
Row = dict[str, Any]
FIELDS = {
    "model": "model",
    "api_key": "api_key_id",
    "provider": "provider_id",
    "user": "user_id",
    "team": "team_id",
}


async def home(client: httpx.AsyncClient, span: str = "7d") -> dict[str, Any]:
    answer = await client.get("/home", params={"span": span})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def money(rows: list[Row]) -> Decimal:
    return sum((r["cost_usd"] for r in rows if r["cost_usd"] is not None), Decimal(0))


def between(rows: list[Row], start: datetime, end: datetime) -> list[Row]:
    return [r for r in rows if start <= r["started_at"] < end]


async def test_every_figure_is_a_sum_of_its_requests(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    dice = random.Random(5)
    rows = random_records(clock(), 400, days=70, seed=5)
    for row in rows:
        row["team_id"] = dice.choice([None, "team_1"])
        row["model"] = dice.choice(["small", "large", "vast"]) if row["provider_id"] else None
    await change_time_zone(control.database, ZONE.key)
    await add_records(control.database, rows)
    answer = await home(control_client)
    now = clock()
    midnight = datetime(2026, 11, 23, tzinfo=ZONE)
    month = datetime(2026, 11, 1, tzinfo=ZONE)
    assert answer["time_zone"] == ZONE.key
    for name, start in (("today", midnight), ("month", month)):
        spend, own = answer["cost"][name], between(rows, start, now + DAY)
        assert datetime.fromisoformat(spend["from_at"]) == start
        assert (spend["calls"], spend["cost_usd"]) == (len(own), pytest.approx(float(money(own))))
        estimated = money([r for r in own if r["cost_source"] == "estimated"])
        assert spend["estimated_share"] == pytest.approx(float(estimated / money(own)) if money(own) else 0)
        assert spend["unknown_cost_calls"] == sum(r["cost_usd"] is None for r in own)
        # the link leads to exactly these
        listed = await control_client.get(f"/llm/requests?{spend['requests']}&limit=200")
        assert len(listed.json()["requests"]) == len(own)
    days = answer["cost"]["days"]
    assert len(days) == 30
    for day in days:
        start = datetime.fromisoformat(day["start_at"])
        end = start.astimezone(ZONE).replace(hour=0) + DAY
        assert day["cost_usd"] == pytest.approx(float(money(between(rows, start, end.astimezone(UTC)))))

    changed = answer["changed"]
    ends = [datetime.fromisoformat(changed[name]) for name in ("previous_from_at", "from_at", "to_at")]
    assert ends[1] - ends[0] == ends[2] - ends[1] == 7 * DAY
    of: dict[str, Callable[[list[Row]], Decimal]] = {
        "cost": money,
        "calls": lambda some: Decimal(len(some)),
        "errors": lambda some: Decimal(sum(r["status"] >= 400 for r in some)),
    }
    before, after = between(rows, ends[0], ends[1]), between(rows, ends[1], ends[2])
    for change in changed["changes"]:
        measure = of[change["metric"]]
        assert change["now"] == pytest.approx(float(measure(after)))
        assert change["before"] == pytest.approx(float(measure(before)))
        assert change["change"] == pytest.approx(float(measure(after) - measure(before)))
        for moved in change["moved_by"]:
            field = FIELDS[moved["dimension"]]
            for mover in moved["movers"]:
                mine = [[r for r in some if r[field] == mover["value"]] for some in (before, after)]
                assert mover["change"] == pytest.approx(float(measure(mine[1]) - measure(mine[0])))
            # movers and the rest add up
            parts = sum(mover["change"] for mover in moved["movers"]) + moved["others_change"]
            assert parts == pytest.approx(change["change"], abs=1e-9)
        if change["metric"] == "cost":
            split = change["by_calls_usd"] + change["by_cost_per_call_usd"]
            assert split == pytest.approx(change["change"])


async def test_what_moved_a_figure_most_is_named(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    old, new = clock() - 10 * DAY, clock() - 2 * DAY
    rows = [record(old, api_key_id=f"key_{n % 3}", model="steady") for n in range(30)]
    rows += [record(new, api_key_id=f"key_{n % 3}", model="steady") for n in range(30)]
    rows += [
        record(new, api_key_id=f"key_{n % 3}", model="sudden", cost_usd=Decimal("0.5")) for n in range(6)
    ]
    await add_records(control.database, rows)
    cost = (await home(control_client))["changed"]["changes"][0]
    assert (cost["metric"], cost["mostly"], cost["change"]) == ("cost", "model", pytest.approx(3))
    [by_model] = [moved for moved in cost["moved_by"] if moved["dimension"] == "model"]
    assert [(mover["value"], mover["change"]) for mover in by_model["movers"]] == [
        ("sudden", pytest.approx(3))
    ]
    # 6 more calls at the old $0.001, the rest because a call costs more
    assert cost["by_calls_usd"] == pytest.approx(0.006)
    assert cost["by_cost_per_call_usd"] == pytest.approx(2.994)


async def test_an_empty_gateway_says_so_without_a_figure_out_of_nothing(
    control_client: httpx.AsyncClient,
) -> None:
    answer = await home(control_client)
    assert answer["first_at"] is None
    [missing] = answer["state"]["troubles"]
    assert (missing["severity"], missing["subject"], missing["action"]) == (
        "missing",
        "Providers",
        "Add a provider",
    )
    assert [(check["name"], check["found"], check["well"]) for check in answer["state"]["checks"]] == [
        ("Providers and their keys", "none yet", None),
        ("Budgets", "none set", None),
        ("Alerts", "none open", True),
        ("Prices", "no request in the last 7 days", None),
        ("Models in use", "none can be called yet", None),
        ("Own keys of users", "none", None),
        ("Notifications", "none failed in the last 24 hours", True),
        ("Ledger", "up to date, nothing rejected", True),
    ]
    assert (
        answer["cost"]["forecast"] | {"expected_usd": None, "low_usd": None, "days_used": 0}
        == (answer["cost"]["forecast"])
    )
    assert answer["changed"]["has_baseline"] is False


async def test_the_first_days_have_no_forecast_and_a_full_week_has_one(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = [record(clock() - n * DAY, cost_usd=Decimal(1)) for n in range(7)]
    await add_records(control.database, rows)
    ahead = (await home(control_client))["cost"]["forecast"]
    assert (ahead["expected_usd"], ahead["days_used"], ahead["days_needed"]) == (None, 5, 7)
    await add_records(
        control.database, [record(clock() - n * DAY, cost_usd=Decimal(1)) for n in range(7, 30)]
    )
    ahead = (await home(control_client))["cost"]["forecast"]
    # $23 so far in November and $1 on each of the 7 days left; today's request has come already
    assert (ahead["expected_usd"], ahead["days_left"], ahead["days_used"]) == (30, 8, 28)
    assert ahead["low_usd"] == ahead["high_usd"] == 30 and ahead["compared"] >= 8


# ── the forecast itself ───────────────────────────────────────────────────────

MONDAY = date(2026, 11, 23)
END = date(2026, 12, 1)


def days(count: int, cost: Callable[[date], float]) -> dict[date, Decimal]:
    return {day: Decimal(str(cost(day))) for day in (MONDAY - n * DAY for n in range(1, count + 1))}


def weekly(day: date) -> float:
    return 2 if day.weekday() >= 5 else 10


def test_a_forecast_knows_weekends_from_working_days() -> None:
    said = forecast(days(28, weekly), MONDAY, Decimal(4), END, Decimal(100))
    # what is left of Monday, Tuesday to Friday, a weekend, Monday
    assert said.expected_usd == 100 + 4 + 4 * 10 + 2 * 2 + 10
    assert said.low_usd == said.high_usd == said.expected_usd  # it was never wrong


@pytest.mark.parametrize(("known", "expected"), [(6, False), (7, True)])
def test_a_forecast_needs_one_of_each_weekday(known: int, expected: bool) -> None:
    said = forecast(days(known, weekly), MONDAY, Decimal(0), END, Decimal(0))
    assert (said.expected_usd is not None) is expected
    assert said.low_usd is None  # nothing to compare with yet


def test_the_band_holds_most_months_of_random_days_and_grows_with_their_spread() -> None:
    held, widths = 0, {}
    for spread in (0.1, 0.5):
        for seed in range(60):
            noise = partial(random.Random(seed).lognormvariate, 0, spread)
            month = {day: cost * Decimal(str(noise())) for day, cost in days(100, weekly).items()}
            actual = sum(weekly(MONDAY + n * DAY) * noise() for n in range(8))
            said = forecast(month, MONDAY, Decimal(10), END, Decimal(0))
            assert said.low_usd is not None and said.high_usd is not None and said.expected_usd is not None
            assert said.low_usd <= said.expected_usd <= said.high_usd
            widths[spread] = float(said.high_usd - said.low_usd)
            held += float(said.low_usd) <= actual <= float(said.high_usd)
    assert 0.6 < held / 120 < 0.95  # 0.8 is meant
    assert widths[0.5] > 2 * widths[0.1]


def test_growth_shows_in_the_band() -> None:
    growing = days(80, lambda day: 10 * 1.02 ** (day - MONDAY).days)
    said = forecast(growing, MONDAY, Decimal(10), END, Decimal(0))
    actual = sum(10 * 1.02**n for n in range(8))
    assert said.expected_usd is not None and said.high_usd is not None
    assert float(said.expected_usd) < actual <= float(said.high_usd) * 1.01


# ── is anything broken ────────────────────────────────────────────────────────


async def test_what_is_broken_is_listed_with_the_way_to_mend_it(
    clients: Clients,
    control_client: httpx.AsyncClient,
    control: Control,
    clock: Clock,
    http_fetcher: ScriptedFetcher,
    database: Database,
) -> None:
    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(
        200, {}, b'{"data": [{"id": "gpt-4o"}, {"id": "old-model"}]}'
    )
    made = await control_client.post(
        "/llm/providers", json={"name": "OpenAI", "type": "openai", "api_key": "sk-canary-4b1d0c9e8f7a6b5c"}
    )
    provider = made.json()["id"]
    await control.background.finished()
    async with database.write() as conn:
        await conn.execute(
            update(models).where(models.c.name == "old-model").values(discovered={"retires_on": "2026-12-20"})
        )
    await control.publisher.publish()
    await control_client.post("/llm/budgets", json={"scope": "everything", "amount_usd": 1})
    rows = [record(clock() - DAY, provider_id=provider, cost_usd=Decimal(2))]
    rows += [record(clock() - DAY, provider_id=provider, model="old-model") for _ in range(4)]
    rows += [record(clock() - DAY, provider_id=provider, model="odd", cost_usd=None) for _ in range(3)]
    await add_records(database, rows)
    tested = await control_client.post(f"/llm/providers/{provider}/test")
    assert tested.json()["success"]
    found = {trouble["kind"]: trouble for trouble in (await home(control_client))["state"]["troubles"]}
    assert set(found) == {"budget", "price", "retirement"}
    assert (found["budget"]["severity"], found["budget"]["path"]) == ("broken", "/admin/budgets")
    assert "3 requests" in found["price"]["text"] and "odd" in found["price"]["text"]
    assert "Retires on 2026-12-20. 4 requests" in found["retirement"]["text"]

    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(401, {}, b"{}")
    await control_client.post(f"/llm/providers/{provider}/test")
    first = (await home(control_client))["state"]["troubles"][0]
    assert (first["kind"], first["severity"], first["subject"]) == ("provider", "broken", "OpenAI")
    assert "Invalid API key" in first["text"]

    # a viewer sees the same, but for what is none of their business
    viewer = await clients.signed_in("viewer")
    checks = [check["name"] for check in (await home(viewer))["state"]["checks"]]
    assert "Budgets" in checks and "Notifications" not in checks and "Own keys of users" not in checks
    assert (await (await clients.signed_in("user")).get("/home")).status_code == 403


@one_engine
async def test_rejected_lines_of_the_journal_are_a_fault(
    control: Control, clients: Clients, tmp_path: Any
) -> None:
    assert rejected_lines(tmp_path) == 0
    (tmp_path / REJECTED_NAME).write_bytes(b"{}\n{}\n")
    broken = replace(control, rejected_lines=lambda: rejected_lines(tmp_path))
    admin = await Clients(broken, create_control_app(broken), clients._stack).signed_in("admin")
    [trouble, missing] = (await home(admin))["state"]["troubles"]
    assert (trouble["kind"], trouble["severity"], missing["severity"]) == ("ledger", "broken", "missing")
    assert "could not be stored: 2," in trouble["text"]
