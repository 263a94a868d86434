"""control/routing: the strategy that is selected is the strategy that traffic follows."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from clock import Clock
from control_fixtures import Clients, ScriptedFetcher
from ledger_rows import add_records, record
from ops_center.control.context import Control
from ops_center.routing import RouteRequest, resolve
from ops_center.transport.client import FetchAnswer
from ops_center.types import PowerLevel, Role, Strategy

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _a_provider_that_answers(http_fetcher: ScriptedFetcher) -> None:
    names = ("gpt-4o-mini", "gpt-4o", "gpt-5.5", "gpt-4.1-nano", "text-embedding-3-small", "unknown-model")
    body = json.dumps({"data": [{"id": name} for name in names]}).encode()
    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(200, {}, body)


async def add_provider(client: httpx.AsyncClient, control: Control, **fields: Any) -> None:
    answer = await client.post("/llm/providers", json={"type": "openai", "api_key": "sk-x"} | fields)
    assert answer.status_code == 201, answer.text
    await control.background.finished()


async def rules(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/llm/routing/rules")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def put(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.put("/llm/routing/rules", json=fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def route(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/llm/route", json=fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_balanced_is_the_default(control_client: httpx.AsyncClient) -> None:
    found = await rules(control_client)
    assert (found["strategy"], found["version"], found["updated_at"]) == ("balanced", 0, None)
    assert found["strategies"] == {
        name: {"target_usd_mtok": target, "measured_usd_mtok": None, "models": []}
        for name, target in {"cost": 0.2, "balanced": 1.0, "quality": 5.0}.items()
    }


async def test_a_selected_strategy_is_what_traffic_follows_at_once(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    for number, strategy in enumerate(("quality", "cost", "balanced"), start=2):
        changed = await put(control_client, strategy=strategy)
        assert (changed["strategy"], changed["version"]) == (strategy, number)
        assert changed["updated_at"] == "2026-11-23T12:00:00Z"
        assert await rules(control_client) == changed
        plan = resolve(control.publisher.current, None, RouteRequest())
        assert plan.strategy == Strategy(strategy)
        first = plan.choices[0].target
        shown = changed["strategies"][strategy]["models"]
        assert (shown[0]["provider"], shown[0]["model"]) == (first.provider.name, first.model)
        assert len(shown) == 3


async def test_what_is_left_out_stays(control_client: httpx.AsyncClient) -> None:
    await put(control_client, strategy="cost")
    assert (await put(control_client))["strategy"] == "cost"
    assert (await put(control_client, strategy=None))["strategy"] == "cost"
    assert (await put(control_client, strategy="cost"))["version"] == 1


async def test_changes_in_one_moment_keep_each_other(control_client: httpx.AsyncClient) -> None:
    changes: list[dict[str, Any]] = [{"strategy": "cost"}, {"larger_window": True}, {"replace_named": True}]
    for _ in range(5):
        await put(control_client, strategy="balanced", larger_window=False, replace_named=False)
        await asyncio.gather(*(put(control_client, **change) for change in changes))
        found = await rules(control_client)
        assert {name: found[name] for change in changes for name in change} == {
            name: value for change in changes for name, value in change.items()
        }


async def test_each_strategy_names_other_models(control_client: httpx.AsyncClient, control: Control) -> None:
    await add_provider(control_client, control)
    strategies = (await rules(control_client))["strategies"]
    assert strategies["cost"]["models"][0]["model"] == "gpt-4.1-nano"
    assert strategies["quality"]["models"][0]["model"] == "gpt-5.5"
    for figures in strategies.values():
        assert "text-embedding-3-small" not in {m["model"] for m in figures["models"]}


async def test_the_measured_price_is_of_the_requests_that_the_strategy_routed(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    now = clock.now
    million = {"input_tokens": 600_000, "output_tokens": 400_000}
    await add_records(
        control.database,
        [
            record(now, strategy="cost", cost_usd=Decimal("0.30"), **million),
            record(now, strategy="cost", cost_usd=Decimal("0.10"), **million),
            record(now, strategy="cost", cost_usd=None, **million),  # unknown: neither cost nor tokens count
            record(now - timedelta(days=31), strategy="cost", cost_usd=Decimal(90), **million),
            record(now, strategy=None, cost_usd=Decimal(90), **million),
            record(now, strategy="quality", cost_usd=Decimal("7.5"), **million),
            record(
                now, strategy="balanced", cost_usd=Decimal(0), input_tokens=0, output_tokens=0, status=503
            ),
        ],
    )
    strategies = (await rules(control_client))["strategies"]
    assert strategies["cost"]["measured_usd_mtok"] == 0.2
    assert strategies["quality"]["measured_usd_mtok"] == 7.5
    assert strategies["balanced"]["measured_usd_mtok"] is None


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"strategy": "cheap"}, "strategy"),
        ({"strategy": 1}, "strategy"),
        ({"strategy": ""}, "strategy"),
        ({"strategies": {}}, "strategies"),
    ],
)
async def test_a_bad_strategy_changes_nothing(
    control_client: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    answer = await control_client.put("/llm/routing/rules", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)
    assert (await rules(control_client))["version"] == 0


async def test_versions_count_up_when_many_change_at_once(control_client: httpx.AsyncClient) -> None:
    wanted = ["cost", "quality", "balanced", "cost", "quality", "cost"]
    await asyncio.gather(*(put(control_client, strategy=strategy) for strategy in wanted))
    found = await rules(control_client)
    assert found["strategy"] in wanted
    assert 1 <= found["version"] <= len(wanted)


async def test_changes_are_in_the_audit_log(control_client: httpx.AsyncClient) -> None:
    await put(control_client, strategy="cost")
    [entry] = [
        e
        for e in (await control_client.get("/audit-log")).json()["entries"]
        if e["action"] == "routing.update"
    ]
    assert (entry["before"], entry["after"]) == ({"strategy": "balanced"}, {"strategy": "cost"})


# ── the rules beside the strategy ─────────────────────────────────────────────


async def test_rules_are_what_traffic_follows_at_once_and_what_is_left_out_stays(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    found = await rules(control_client)
    assert found["weights"] == {"price": 0.4, "speed": 0.2, "quality": 0.4}
    assert (found["replace_named"], found["larger_window"], found["retries"]) == (False, False, 1)
    named = RouteRequest(model="gpt-4o")
    assert resolve(control.publisher.current, None, named).strategy is None

    await put(control_client, replace_named=True, retries=0)
    plan = resolve(control.publisher.current, None, named)
    assert (plan.strategy, plan.retries) == (Strategy.BALANCED, 0)
    await put(control_client, weights={"price": 0, "speed": 0, "quality": 1})
    plan = resolve(control.publisher.current, None, named)
    assert plan.choices[0].target.model == "gpt-5.5"  # quality alone decides now
    assert plan.routing_version == 3
    changed = await put(control_client, weights={"price": 1, "speed": 0, "quality": 0})
    plan = resolve(control.publisher.current, None, named)
    assert plan.choices[0].target.model == "gpt-4.1-nano"
    assert changed["strategies"]["balanced"]["models"][0]["model"] == "gpt-4.1-nano"
    assert (changed["replace_named"], changed["retries"], changed["strategy"]) == (True, 0, "balanced")

    long = RouteRequest(model="gpt-4o", input_tokens=10)
    await put(control_client, replace_named=False)
    assert not any(c.larger for c in resolve(control.publisher.current, None, long).choices)
    await put(control_client, larger_window=True)
    assert any(c.larger for c in resolve(control.publisher.current, None, long).choices)


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"weights": {"price": 0.5, "speed": 0.2, "quality": 0.2}}, "weights"),
        ({"weights": {"price": 1.5, "speed": -0.5, "quality": 0}}, "weights.price"),
        ({"weights": {"price": 1}}, "weights.speed"),
        ({"replace_named": "yes"}, "replace_named"),
        ({"retries": 6}, "retries"),
        ({"retries": -1}, "retries"),
    ],
)
async def test_a_bad_rule_names_its_field_and_changes_nothing(
    control_client: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    answer = await control_client.put("/llm/routing/rules", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)
    assert (await rules(control_client))["version"] == 0


async def test_tenths_that_sum_to_one_are_one(control_client: httpx.AsyncClient) -> None:
    weights = {"price": 0.1, "speed": 0.2, "quality": 0.7}  # 0.1 + 0.2 is not 0.3 in binary
    assert (await put(control_client, weights=weights))["weights"] == weights


# ── explaining ────────────────────────────────────────────────────────────────


async def test_a_route_is_the_plan_of_traffic_with_reasons(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    await add_provider(control_client, control, name="First", priority=60)
    await add_provider(control_client, control, name="Second", priority=40)
    calls = len(http_fetcher.sent)
    plan = await route(control_client, model="gpt-4o")
    assert plan["strategy"] is None
    assert plan["error"] is None
    assert [(t["provider"], t["model"], t["priority"]) for t in plan["targets"]] == [
        ("First", "gpt-4o", 60),
        ("Second", "gpt-4o", 40),
    ]
    assert plan["targets"][0]["blended_mtok"] == 4.375
    assert plan["targets"][0]["reason"]
    assert len(http_fetcher.sent) == calls

    for level in PowerLevel:
        plan = await route(control_client, power_level=level.value)
        same = resolve(control.publisher.current, None, RouteRequest(power_level=level))
        assert plan["strategy"] == level.strategy.value
        assert [t["model"] for t in plan["targets"]] == [c.target.model for c in same.choices]


async def test_what_a_request_needs_leaves_others_out(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    plan = await route(control_client, messages=[{"role": "user", "content": [picture]}])
    assert "gpt-5.5" in [t["model"] for t in plan["targets"]]
    assert plan["excluded_total"] == len(plan["excluded"])
    plain = await route(control_client, messages=[{"role": "user", "content": "hello"}])
    assert len(plain["targets"]) >= len(plan["targets"])


async def test_a_users_own_level_explains_their_route(
    control_client: httpx.AsyncClient, clients: Clients, control: Control
) -> None:
    await add_provider(control_client, control)
    bob = await clients.signed_in(Role.USER)
    bob_id = (await bob.get("/auth/me")).json()["user"]["id"]
    await bob.patch("/me", json={"power_level": "eco"})
    assert (await route(control_client, user_id=bob_id))["strategy"] == "cost"
    assert (await route(control_client))["strategy"] == "balanced"
    assert (await route(control_client, user_id=bob_id, power_level="precision"))["strategy"] == "quality"
    unknown = await control_client.post("/llm/route", json={"user_id": "usr_0"})
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (422, "user_id")


async def test_nobody_to_ask_is_an_answer(control_client: httpx.AsyncClient, control: Control) -> None:
    empty = await route(control_client)
    assert empty["targets"] == []
    assert empty["error"]["message"]
    await add_provider(control_client, control)
    missing = await route(control_client, model="gpt-4o-minus")
    assert "gpt-4o-mini" in missing["error"]["message"]


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"power_level": "turbo"}, "power_level"),
        ({"model": 5}, "model"),
        ({"model": "x" * 301}, "model"),
        ({"messages": "hello"}, "messages"),
    ],
)
async def test_a_bad_question_names_its_field(
    control_client: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    answer = await control_client.post("/llm/route", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)
