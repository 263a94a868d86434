"""control/budgets: set, changed, lifted; what they say comes from the ledger and what they do reaches traffic."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clock import Clock
from control_fixtures import Clients
from ledger_rows import add_records, record
from ops_center.control.budgets.counting import BudgetCounting
from ops_center.control.budgets.forecast import forecast
from ops_center.control.context import Control
from ops_center.limits import MemoryLimiter
from ops_center.snapshot import Queueing, api_key_digest
from ops_center.types import BudgetScope, Role

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question


async def spend(control: Control, cost_usd: str | None, *, ago: timedelta = timedelta(0), **who: str) -> None:
    values = record(control.clock() - ago, cost_usd=None if cost_usd is None else Decimal(cost_usd), **who)
    await add_records(control.database, [values])


async def new_budget(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/llm/budgets", json={"scope": "everything", "amount_usd": 10, **fields})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def test_a_budget_shows_what_its_period_has_cost(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    await spend(control, "4.00", ago=timedelta(days=2))
    await spend(control, "1.50", ago=timedelta(hours=1))
    await spend(control, None, ago=timedelta(hours=1))
    await spend(control, "99", ago=timedelta(days=23))  # October
    month = await new_budget(control_client)
    assert month["period_start_at"] == "2026-11-01T00:00:00Z"
    assert month["period_end_at"] == "2026-12-01T00:00:00Z"
    assert (month["spent_usd"], month["unknown_cost_requests"]) == (5.5, 1)
    assert (month["share"], month["status"]) == (0.55, "half_spent")
    assert month["subject_name"] == "Everything" and month["subject_id"] is None
    day = await new_budget(control_client, period="day", amount_usd=1.5, hard=False)
    assert (day["spent_usd"], day["status"], day["hard"]) == (1.5, "spent", False)
    listed = (await control_client.get("/llm/budgets")).json()
    assert listed == {"budgets": [day, month], "time_zone": "UTC"}
    assert (await control_client.get(f"/llm/budgets/{day['id']}")).json() == day


async def test_periods_follow_the_organisations_time_zone(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    settings = {"organisation": {"time_zone": "Pacific/Auckland"}}
    assert (await control_client.patch("/settings", json=settings)).status_code == 200
    await spend(control, "1", ago=timedelta(hours=2))  # an hour before midnight there
    await spend(control, "2", ago=timedelta(minutes=30))
    day = await new_budget(control_client, period="day")
    assert (day["period_start_at"], day["spent_usd"]) == ("2026-11-23T11:00:00Z", 2)
    [bound] = control.publisher.current.budgets
    assert bound.time_zone == "Pacific/Auckland"


async def test_each_scope_counts_its_own(
    control: Control, control_client: httpx.AsyncClient, clients: Clients
) -> None:
    key = (await control_client.post("/me/api-keys", json={"name": "k"})).json()
    me = (await control_client.get("/me")).json()
    provider = (
        await control_client.post("/llm/providers", json={"type": "openai", "api_key": "sk-test-abcdefgh"})
    ).json()
    await spend(control, "1", api_key_id=key["id"], user_id="usr_x", provider_id="prov_x")
    await spend(control, "2", api_key_id="key_x", user_id=me["id"], provider_id="prov_x")
    await spend(control, "4", api_key_id="key_x", user_id="usr_x", provider_id=provider["id"])
    spent = {}
    for scope, subject in (("api_key", key), ("user", me), ("provider", provider)):
        made = await new_budget(control_client, scope=scope, subject_id=subject["id"])
        spent[scope] = (made["spent_usd"], made["subject_name"])
    assert spent == {"api_key": (1, "k"), "user": (2, "admin@example.com"), "provider": (4, "OpenAI")}
    assert (await new_budget(control_client))["spent_usd"] == 7
    snapshot = control.publisher.current
    [principal] = snapshot.principals.values()
    assert [bound.scope for bound in principal.budgets] == [
        BudgetScope.API_KEY,
        BudgetScope.USER,
        BudgetScope.EVERYTHING,
    ]
    mine = (await control_client.get("/me/budgets")).json()["budgets"]
    assert {budget["scope"] for budget in mine} == {"user", "api_key"}
    stranger = await clients.signed_in(Role.USER)
    assert (await stranger.get("/me/budgets")).json()["budgets"] == []


async def test_a_soft_budget_never_reaches_traffic(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    soft = await new_budget(control_client, hard=False)
    assert control.publisher.current.budgets == ()
    hard = await control_client.patch(f"/llm/budgets/{soft['id']}", json={"hard": True, "amount_usd": 3})
    assert (hard.json()["hard"], hard.json()["amount_usd"], hard.json()["period"]) == (True, 3, "month")
    assert [bound.amount_nano_usd for bound in control.publisher.current.budgets] == [3_000_000_000]
    assert (await control_client.delete(f"/llm/budgets/{soft['id']}")).status_code == 204
    assert control.publisher.current.budgets == ()
    assert (await control_client.get(f"/llm/budgets/{soft['id']}")).status_code == 404
    actions = [e["action"] for e in (await control_client.get("/audit-log")).json()["entries"]]
    assert actions == ["budget.delete", "budget.update", "budget.create"]


async def test_a_subject_has_one_budget_per_period(control_client: httpx.AsyncClient) -> None:
    first = await new_budget(control_client)
    again = await control_client.post("/llm/budgets", json={"scope": "everything", "amount_usd": 1})
    assert (again.status_code, again.json()["error"]["param"]) == (409, "period")
    await new_budget(control_client, period="week")
    clash = await control_client.patch(f"/llm/budgets/{first['id']}", json={"period": "week"})
    assert (clash.status_code, clash.json()["error"]["param"]) == (409, "period")
    assert (await control_client.patch(f"/llm/budgets/{first['id']}", json={})).status_code == 200


@one_engine
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"scope": "planet"}, "scope"),
        ({"amount_usd": -1}, "amount_usd"),
        ({"amount_usd": "much"}, "amount_usd"),
        ({"amount_usd": None}, "amount_usd"),
        ({"period": "year"}, "period"),
        ({"hard": "yes"}, "hard"),
        ({"scope": "user"}, "subject_id"),
        ({"scope": "user", "subject_id": "usr_nobody"}, "subject_id"),
        ({"scope": "api_key", "subject_id": "key_nobody"}, "subject_id"),
        ({"scope": "provider", "subject_id": "prov_nobody"}, "subject_id"),
        ({"scope": "everything", "subject_id": "usr_1"}, "subject_id"),
        ({"limit": 3}, "limit"),
    ],
)
async def test_bad_fields_are_named(
    control_client: httpx.AsyncClient, fields: dict[str, object], param: str
) -> None:
    answer = await control_client.post(
        "/llm/budgets", json={"scope": "everything", "amount_usd": 1, **fields}
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == param


async def test_the_budget_of_a_key_and_of_a_user_is_the_same_thing_in_both_places(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    key = (await control_client.post("/me/api-keys", json={"name": "k", "budget_usd": 5})).json()
    me = (await control_client.get("/me")).json()
    patched = await control_client.patch(f"/users/{me['id']}", json={"budget_usd": 7})
    assert patched.json()["budget_usd"] == 7
    listed = (await control_client.get("/llm/budgets")).json()["budgets"]
    by_scope = {budget["scope"]: budget for budget in listed}
    assert {scope: b["amount_usd"] for scope, b in by_scope.items()} == {"api_key": 5, "user": 7}
    await control_client.patch(f"/llm/budgets/{by_scope['api_key']['id']}", json={"amount_usd": 6})
    [shown] = (await control_client.get("/me/api-keys")).json()["api_keys"]
    assert shown["budget_usd"] == 6
    lifted = await control_client.patch(f"/users/{me['id']}", json={"budget_usd": None})
    assert lifted.json()["budget_usd"] is None
    await control_client.delete(f"/me/api-keys/{key['id']}")
    assert (await control_client.get("/llm/budgets")).json()["budgets"] == []


async def test_a_users_limits_reach_all_of_their_keys(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    me = (await control_client.get("/me")).json()
    limits = {"requests_per_minute": 10, "tokens_per_minute": 20, "concurrent_requests": 30}
    assert (await control_client.patch(f"/users/{me['id']}", json=limits)).status_code == 200
    secrets = [
        (await control_client.post("/me/api-keys", json={"name": n})).json()["secret"] for n in ("a", "b")
    ]
    principals = [control.publisher.current.principals[api_key_digest(secret)] for secret in secrets]
    assert principals[0].rates == principals[1].rates
    [rate] = principals[0].rates
    assert (rate.requests_per_minute, rate.tokens_per_minute, rate.concurrent_requests) == (10, 20, 30)
    assert (await control_client.patch("/me", json={"budget_usd": 1})).status_code == 422


@one_engine
async def test_whether_requests_wait_is_a_setting_that_reaches_every_key(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    key = (await control_client.post("/me/api-keys", json={"name": "k"})).json()
    digest = api_key_digest(key["secret"])
    assert control.publisher.current.principals[digest].queueing is None
    wanted = {"queue": True, "queue_seconds": 5, "queue_per_key": 2}
    assert (await control_client.patch("/settings", json={"limits": wanted})).status_code == 200
    assert control.publisher.current.principals[digest].queueing == Queueing(
        seconds=5, per_key=2, in_all=1000
    )
    await control_client.patch("/settings", json={"limits": {"queue": False}})
    assert control.publisher.current.principals[digest].queueing is None


# ── counting ──────────────────────────────────────────────────────────────────


def counting(control: Control, limiter: MemoryLimiter) -> BudgetCounting:
    made = BudgetCounting(control.database, limiter, control.drain_journal, control.clock)
    control.publisher.before_swap(made.prepare)
    return made


async def test_a_new_budget_counts_what_its_period_has_cost_already(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    limiter = MemoryLimiter(clock=clock)
    counting(control, limiter)
    await spend(control, "4", ago=timedelta(days=1))
    await new_budget(control_client)
    [bound] = control.publisher.current.budgets
    assert await limiter.spent(bound) == 4_000_000_000
    await control.publisher.publish()
    assert await limiter.spent(bound) == 4_000_000_000


async def test_a_counter_that_differs_from_the_ledger_twice_is_corrected(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    limiter = MemoryLimiter(clock=clock)
    compared = counting(control, limiter)
    await new_budget(control_client)
    [bound] = control.publisher.current.budgets
    await spend(control, "3", ago=timedelta(hours=1))  # priced in arrears, or by another process
    await compared.compare()
    assert await limiter.spent(bound) == 0
    await compared.compare()
    assert await limiter.spent(bound) == 3_000_000_000
    await limiter.add_spent(bound, 5)
    await compared.compare()
    await limiter.add_spent(bound, -5)  # the ledger caught up meanwhile
    await compared.compare()
    await compared.compare()
    assert await limiter.spent(bound) == 3_000_000_000


@one_engine
async def test_a_request_that_ends_during_the_comparison_is_no_difference(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    limiter = MemoryLimiter(clock=clock)
    counting(control, limiter)
    await new_budget(control_client)
    [bound] = control.publisher.current.budgets

    async def drain() -> None:
        await spend(control, "1")
        await limiter.add_spent(bound, 1_000_000_000)

    compared = BudgetCounting(control.database, limiter, drain, clock)
    compared._snapshot = control.publisher.current
    for _ in range(3):
        await compared.compare()
    assert await limiter.spent(bound) == 3_000_000_000


async def test_counting_outlives_a_database_that_is_away(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    limiter = MemoryLimiter(clock=clock)
    compared = counting(control, limiter)
    await new_budget(control_client)
    await control.database.close()
    work = asyncio.create_task(compared.run())
    compared._new.set()
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await compared._compare_logged()


# ── forecast ──────────────────────────────────────────────────────────────────


def test_a_forecast_goes_straight_on(clock: Clock) -> None:
    start, end = clock(), clock() + timedelta(days=30)
    ahead = forecast(Decimal(5), Decimal(10), start, end, start + timedelta(days=10))
    assert ahead.projected_usd == pytest.approx(Decimal(15))
    assert ahead.runs_out_at == start + timedelta(days=20)
    enough = forecast(Decimal(3), Decimal(10), start, end, start + timedelta(days=10))
    assert (enough.projected_usd, enough.runs_out_at) == (pytest.approx(Decimal(9)), None)
    assert forecast(Decimal(11), Decimal(10), start, end, start + timedelta(days=10)).runs_out_at is None


def test_a_young_period_has_no_forecast(clock: Clock) -> None:
    start, end = clock(), clock() + timedelta(days=30)
    young = forecast(Decimal(5), Decimal(10), start, end, start + timedelta(hours=2))
    assert (young.projected_usd, young.runs_out_at) == (None, None)
    silent = forecast(Decimal(0), Decimal(10), start, end, start + timedelta(days=10))
    assert (silent.projected_usd, silent.runs_out_at) == (Decimal(0), None)
