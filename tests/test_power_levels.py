"""Power levels: who may go how high, what a narrowed level chooses among, and what an admin sees of it."""

from __future__ import annotations

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
from ops_center.errors import Forbidden, ModelNotFound
from ops_center.providers.registry import provider_spec
from ops_center.route_request import RouteRequest
from ops_center.routing import resolve
from ops_center.snapshot import (
    LevelRule,
    Principal,
    Provider,
    Snapshot,
    Target,
    api_key_digest,
    build_snapshot,
)
from ops_center.transport.client import FetchAnswer
from ops_center.types import PowerLevel, Price, Strategy

pytestmark = pytest.mark.anyio

ECO, BALANCED, PRECISION = PowerLevel


# ── what routing makes of them ────────────────────────────────────────────────


OPENAI = Provider(
    id="prov_1", name="OpenAI", spec=provider_spec("openai"), base_url="http://x/v1", credential="sk"
)


def model(name: str, usd: str | None, score: float | None) -> Target:
    price = (
        None
        if usd is None
        else Price(input_mtok=Decimal(usd), output_mtok=Decimal(usd), source="test", as_of="2026-11-23")
    )
    return Target(id=f"mdl_{name}", provider=OPENAI, model=name, price=price, score=score)


MODELS = (
    model("gpt-4o", "5", 70),
    model("gpt-4o-mini", "1", 50),
    model("llama-3-8b-instruct", "0.1", 20),
    model("mystery", None, None),
)


def snap(**rules: LevelRule) -> Snapshot:
    return build_snapshot(
        version=1,
        strategy=Strategy.BALANCED,
        principals={},
        targets=MODELS,
        levels={PowerLevel(level): rule for level, rule in rules.items()},
    )


def chosen(snapshot: Snapshot, level: PowerLevel) -> list[str]:
    plan = resolve(snapshot, None, RouteRequest(power_level=level))
    return [choice.target.model for choice in plan.choices]


def test_a_level_without_bounds_chooses_among_everything() -> None:
    assert chosen(snap(), ECO)[0] == "llama-3-8b-instruct"
    assert set(chosen(snap(), ECO)) == {target.model for target in MODELS}


def test_a_list_of_models_is_all_that_a_level_chooses_among() -> None:
    rule = LevelRule(models=frozenset({"gpt-4o-mini", "gpt-4o"}))
    assert chosen(snap(eco=rule), ECO) == ["gpt-4o-mini", "gpt-4o"]
    assert chosen(snap(eco=rule), PRECISION)[0] == "gpt-4o"
    assert "llama-3-8b-instruct" in chosen(snap(eco=rule), PRECISION)


def test_bounds_on_price_and_score_leave_out_what_is_beyond_or_unknown() -> None:
    assert chosen(snap(precision=LevelRule(max_usd_mtok=Decimal(1))), PRECISION) == [
        "gpt-4o-mini",
        "llama-3-8b-instruct",
    ]
    assert chosen(snap(eco=LevelRule(min_score=50)), ECO) == ["gpt-4o-mini", "gpt-4o"]


def test_what_a_level_leaves_out_says_why() -> None:
    plan = resolve(
        snap(eco=LevelRule(max_usd_mtok=Decimal("0.5"))), None, RouteRequest(model="eco", explain=True)
    )
    reasons = {choice.target.model: choice.reason for choice in plan.excluded}
    assert set(reasons) == {"gpt-4o", "gpt-4o-mini", "mystery"}
    assert "above this power level's $0.5" in reasons["gpt-4o"]


def test_a_level_that_leaves_nothing_is_a_clear_error() -> None:
    with pytest.raises(ModelNotFound, match="score is below this power level"):
        chosen(snap(eco=LevelRule(min_score=99)), ECO)


@pytest.mark.parametrize("request_", [RouteRequest(power_level=PRECISION), RouteRequest(model="precision")])
def test_a_request_goes_no_higher_than_its_users_maximum(request_: RouteRequest) -> None:
    who = Principal(
        api_key_id="k", api_key_name="k", user_id="u", user_email="a@example.com", highest_level=BALANCED
    )
    with pytest.raises(Forbidden, match="highest power level of this user is balanced"):
        resolve(snap(), who, request_)
    assert resolve(snap(), who, RouteRequest(power_level=BALANCED)).choices
    assert resolve(snap(), who, RouteRequest(power_level=ECO)).choices
    assert resolve(snap(), who, RouteRequest(model="gpt-4o")).choices  # a model that was named is no level


# ── through the control API ───────────────────────────────────────────────────


@pytest.fixture
async def user(clients: Clients) -> httpx.AsyncClient:
    return await clients.signed_in("user", "ben@example.com")


async def me(client: httpx.AsyncClient) -> dict[str, Any]:
    body: dict[str, Any] = (await client.get("/me")).json()
    return body


async def principal_of(client: httpx.AsyncClient, control: Control, **fields: Any) -> Principal:
    made = await client.post("/me/api-keys", json={"name": "k"} | fields)
    assert made.status_code == 201, made.text
    return control.publisher.current.principals[api_key_digest(made.json()["secret"])]


async def settings(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.patch("/settings", json={"power_levels": fields})


async def test_a_user_chooses_up_to_the_maximum_and_no_higher(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient
) -> None:
    user_id = (await me(user))["id"]
    answer = await control_client.patch(f"/users/{user_id}", json={"power_level_max": "balanced"})
    assert answer.json()["power_level_max"] == "balanced"
    assert (await user.patch("/me", json={"power_level": "balanced"})).json()["power_level"] == "balanced"
    refused = await user.patch("/me", json={"power_level": "precision"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (403, "power_level")
    by_admin = await control_client.patch(f"/users/{user_id}", json={"power_level": "precision"})
    assert (by_admin.status_code, by_admin.json()["error"]["param"]) == (422, "power_level")
    key = await user.post("/me/api-keys", json={"name": "k", "power_level": "precision"})
    assert (key.status_code, key.json()["error"]["param"]) == (403, "power_level")
    assert (await me(user))["power_level"] == "balanced"
    assert (await user.patch("/me", json={"power_level_max": "precision"})).status_code == 422


async def test_ones_own_level_says_what_holds_and_what_may_be_chosen(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient
) -> None:
    async def own() -> tuple[str | None, str, list[bool]]:
        body = (await user.get("/me/power-level")).json()
        return body["level"], body["holds"], [choice["allowed"] for choice in body["choices"]]

    assert await own() == (None, "balanced", [True, True, True])
    await settings(control_client, maximum="eco")
    assert await own() == (None, "eco", [True, False, False])
    await user.patch("/me", json={"power_level": "eco"})
    assert await own() == ("eco", "eco", [True, False, False])


async def test_a_lower_maximum_takes_level_and_keys_down_with_it(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control
) -> None:
    await user.patch("/me", json={"power_level": "precision"})
    made = await user.post("/me/api-keys", json={"name": "k", "power_level": "precision"})
    user_id = (await me(user))["id"]
    answer = await control_client.patch(f"/users/{user_id}", json={"power_level_max": "eco"})
    assert answer.json()["power_level"] == "eco"
    principal = control.publisher.current.principals[api_key_digest(made.json()["secret"])]
    assert (principal.power_level, principal.highest_level) == (ECO, ECO)


async def test_the_settings_bound_everybody_without_a_maximum_of_their_own(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control
) -> None:
    assert (await principal_of(user, control)).highest_level is None
    assert (await settings(control_client, maximum="balanced")).status_code == 200
    assert (await principal_of(user, control)).highest_level is BALANCED
    refused = await user.patch("/me", json={"power_level": "precision"})
    assert refused.status_code == 403
    user_id = (await me(user))["id"]
    await control_client.patch(f"/users/{user_id}", json={"power_level_max": "precision"})
    assert (await user.patch("/me", json={"power_level": "precision"})).status_code == 200


async def test_the_global_strategy_lifts_nobody_above_their_maximum(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control
) -> None:
    await settings(control_client, maximum="eco")
    await control_client.put("/llm/routing/rules", json={"strategy": "quality"})
    assert (await principal_of(user, control)).power_level is ECO
    await control_client.put("/llm/routing/rules", json={"strategy": "cost"})
    assert (await principal_of(user, control)).power_level is None


async def test_a_new_user_starts_with_the_default(control_client: httpx.AsyncClient) -> None:
    before = await control_client.post("/users", json={"email": "one@example.com"})
    await settings(control_client, default="eco")
    after = await control_client.post("/users", json={"email": "two@example.com"})
    assert (before.json()["power_level"], after.json()["power_level"]) == (None, "eco")


@pytest.mark.parametrize(
    "fields",
    [
        {"default": "precision", "maximum": "eco"},
        {"maximum": "ultra"},
        {"eco": {"max_usd_mtok": -1}},
        {"eco": {"min_score": 101}},
        {"eco": {"models": [""]}},
        {"eco": {"speed": 1}},
    ],
)
async def test_impossible_settings_are_refused(
    control_client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    answer = await settings(control_client, **fields)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"]


async def test_a_narrowed_level_is_obeyed_shown_and_leaves_the_strategy_alone(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(
        200, {}, json.dumps({"data": [{"id": "gpt-4o"}, {"id": "gpt-4o-mini"}]}).encode()
    )
    await control_client.post("/llm/providers", json={"type": "openai", "api_key": "sk-x"})
    await control.background.finished()
    levels = (await control_client.get("/llm/power-levels")).json()
    assert [level["target_usd_mtok"] for level in levels["levels"]] == [0.2, 1.0, 5.0]
    assert [level["name"] for level in levels["levels"]] == ["Eco Mode", "Balanced Mode", "Precision Mode"]
    assert levels["levels"][0]["models"][0]["model"] == "gpt-4o-mini"
    assert levels["users_without_level"] == 1
    answer = await settings(control_client, eco={"models": ["gpt-4o"]})
    assert answer.status_code == 200, answer.text
    await add_records(
        control.database, [record(clock() - timedelta(days=1), strategy="cost", cost_usd=Decimal("0.00003"))]
    )
    eco = (await control_client.get("/llm/power-levels")).json()["levels"][0]
    assert [picked["model"] for picked in eco["models"]] == ["gpt-4o"]
    assert eco["rule"] == {"models": ["gpt-4o"], "max_usd_mtok": None, "min_score": None}
    assert eco["measured_usd_mtok"] == pytest.approx(0.2)
    rules = (await control_client.get("/llm/routing/rules")).json()
    assert rules["strategies"]["cost"]["models"][0]["model"] == "gpt-4o-mini"


async def test_a_bound_on_the_price_comes_back_as_the_number_it_was(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    answer = await settings(control_client, eco={"max_usd_mtok": 0.1})
    assert answer.json()["power_levels"]["eco"]["max_usd_mtok"] == 0.1
    assert control.publisher.current.levels[ECO].max_usd_mtok == Decimal("0.1")
    levels = (await control_client.get("/llm/power-levels")).json()["levels"]
    assert levels[0]["rule"]["max_usd_mtok"] == 0.1


async def test_an_alias_in_a_list_stands_for_its_models(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await settings(control_client, eco={"models": ["llama-3-8b"]})
    rule = control.publisher.current.levels[ECO]
    assert "llama-3-8b-instruct" in rule.models


# ── policies over own keys, per user and key ──────────────────────────────────


async def test_policies_of_user_and_key_can_only_tighten(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control
) -> None:
    user_id = (await me(user))["id"]
    loosens = await control_client.patch(f"/users/{user_id}", json={"byok_policy": "shared_then_byok"})
    assert (loosens.status_code, loosens.json()["error"]["param"]) == (422, "byok_policy")
    tight = await control_client.patch(f"/users/{user_id}", json={"byok_policy": "byok_only"})
    assert tight.json()["byok_policy"] == "byok_only"
    assert (await principal_of(user, control)).byok_policy == "byok_only"
    key = await user.post("/me/api-keys", json={"name": "k", "byok_policy": "byok_then_shared"})
    assert (key.status_code, key.json()["error"]["param"]) == (422, "byok_policy")
    lifted = await control_client.patch(f"/users/{user_id}", json={"byok_policy": None})
    assert lifted.json()["byok_policy"] is None
    key = await user.post("/me/api-keys", json={"name": "k", "byok_policy": "byok_only"})
    assert key.json()["byok_policy"] == "byok_only"
