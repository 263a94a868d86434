"""own_keys.py: whose credential serves, by policy, and what the data plane makes of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from ops_center.errors import Forbidden
from ops_center.own_keys import resolve
from ops_center.providers.registry import provider_spec
from ops_center.route_request import RouteRequest
from ops_center.routing import Plan
from ops_center.snapshot import OwnKeys, Principal, Provider, Snapshot, Target, build_snapshot
from ops_center.types import ByokPolicy, CostSource, CredentialSource, Price, Strategy
from plane import RunningPlane, budget, provider, running_plane, snapshot, target

pytestmark = pytest.mark.anyio

PRICE = Price(input_mtok=Decimal(1), output_mtok=Decimal(4), source="test", as_of="2026-11-23")
OWN = "sk-users-own-key-1234567890"
MESSAGES = [{"role": "user", "content": "Say hello"}]


# ── the plan ──────────────────────────────────────────────────────────────────


def made(type: str, **given: Any) -> Provider:
    return Provider(
        id=f"prov_{type}",
        name=type,
        spec=provider_spec(type),
        base_url="http://x/v1",
        credential="sk",
        **given,
    )


OPENAI, OPENROUTER = made("openai", priority=50), made("openrouter", priority=90)
MODELS = (
    Target(id="mdl_1", provider=OPENAI, model="gpt-4o-mini", price=PRICE, score=50),
    Target(id="mdl_2", provider=OPENROUTER, model="openai/gpt-4o-mini", price=PRICE, score=50),
)


def own(*providers: Provider) -> OwnKeys:
    return OwnKeys(
        providers={
            p.id: msgspec.structs.replace(
                p, credential=OWN, credential_id="cred_1", credential_source=CredentialSource.BYOK
            )
            for p in providers
        }
    )


def who(**given: Any) -> Principal:
    return Principal(
        api_key_id="key_1", api_key_name="k", user_id="usr_1", user_email="a@example.com", **given
    )


def snap() -> Snapshot:
    return build_snapshot(version=1, strategy=Strategy.COST, principals={}, targets=MODELS)


def plan(
    principal: Principal | None, model: str | None = "gpt-4o-mini", *, policy: ByokPolicy | None = None
) -> list[str]:
    return shown(resolve(snap(), principal, RouteRequest(model=model, byok_policy=policy)))


def shown(found: Plan) -> list[str]:
    return [f"{c.target.provider.name}:{c.target.provider.credential_source}" for c in found.choices]


def test_without_own_keys_the_platforms_serve_under_every_policy_but_byok_only() -> None:
    for policy in set(ByokPolicy) - {ByokPolicy.BYOK_ONLY}:
        assert plan(who(byok_policy=policy)) == ["openrouter:platform", "openai:platform"]
    with pytest.raises(Forbidden, match="you have added none"):
        plan(who(byok_policy=ByokPolicy.BYOK_ONLY))


def test_the_own_key_comes_first_and_the_platforms_never_follows_unasked() -> None:
    assert plan(who(own_keys=own(OPENAI))) == ["openai:byok"]


def test_the_platforms_key_follows_only_with_the_users_switch_and_the_policy() -> None:
    willing = {"own_keys": own(OPENAI), "byok_fallback": True}
    assert plan(who(**willing)) == ["openai:byok", "openai:platform", "openrouter:platform"]
    assert plan(who(**willing, byok_policy=ByokPolicy.BYOK_ONLY)) == ["openai:byok"]


def test_where_the_strategy_chooses_the_own_key_takes_the_place_of_its_provider() -> None:
    # OpenRouter is first by priority; the own key at OpenAI is asked second, and nothing after it
    assert plan(who(own_keys=own(OPENAI)), None) == ["openrouter:platform", "openai:byok"]
    assert plan(who(own_keys=own(OPENROUTER)), None) == ["openrouter:byok"]


def test_shared_then_byok_asks_the_platforms_key_of_a_provider_before_the_own_one() -> None:
    principal = who(own_keys=own(OPENAI), byok_policy=ByokPolicy.SHARED_THEN_BYOK)
    assert plan(principal) == ["openrouter:platform", "openai:platform", "openai:byok"]


def test_a_replay_is_paid_with_the_platforms_key_or_not_sent() -> None:
    replay = RouteRequest(model="gpt-4o-mini", pinned=True)
    willing = who(own_keys=own(OPENAI), byok_fallback=True)
    assert shown(resolve(snap(), willing, replay)) == ["openrouter:platform", "openai:platform"]
    with pytest.raises(Forbidden, match="a replay is paid with the platform's"):
        resolve(snap(), msgspec.structs.replace(willing, byok_policy=ByokPolicy.BYOK_ONLY), replay)


def test_shared_only_leaves_own_keys_aside() -> None:
    principal = who(own_keys=own(OPENAI), byok_policy=ByokPolicy.SHARED_ONLY)
    assert plan(principal) == ["openrouter:platform", "openai:platform"]


def test_byok_only_leaves_out_providers_without_an_own_key_and_says_so() -> None:
    principal = who(own_keys=own(OPENAI), byok_policy=ByokPolicy.BYOK_ONLY)
    assert plan(principal) == ["openai:byok"]
    found = resolve(snap(), principal, RouteRequest(explain=True))
    assert shown(found) == ["openai:byok"]
    assert [c.reason for c in found.excluded] == ["you have no key of your own for it"]
    with pytest.raises(Forbidden, match="you have none for a provider of"):
        plan(principal, "openrouter/openai/gpt-4o-mini")


@pytest.mark.parametrize("upper", ByokPolicy)
@pytest.mark.parametrize("lower", ByokPolicy)
def test_a_request_can_tighten_and_never_loosen(upper: ByokPolicy, lower: ByokPolicy) -> None:
    principal = who(own_keys=own(OPENAI), byok_policy=upper, byok_fallback=True)
    if lower in upper.tighter:
        assert plan(principal, policy=lower) == plan(msgspec.structs.replace(principal, byok_policy=lower))
    else:
        with pytest.raises(Forbidden, match="may tighten"):
            plan(principal, policy=lower)


def test_no_lower_level_gets_a_turn_on_the_platforms_money_that_an_upper_one_withholds() -> None:
    turns = {  # how early the platform's money is spent under each policy: 0 never, 1 after own, 2 first
        ByokPolicy.BYOK_ONLY: 0,
        ByokPolicy.BYOK_THEN_SHARED: 1,
        ByokPolicy.SHARED_THEN_BYOK: 2,
        ByokPolicy.SHARED_ONLY: 2,
    }
    for upper in ByokPolicy:
        assert upper in upper.tighter
        assert all(turns[lower] <= turns[upper] for lower in upper.tighter)
        for lower in ByokPolicy:
            assert upper.tightened(lower) is (lower if lower in upper.tighter else upper)
    assert ByokPolicy.BYOK_ONLY not in ByokPolicy.SHARED_ONLY.tighter  # own keys were ruled out


# ── through the data plane ────────────────────────────────────────────────────


@pytest.fixture
async def plane() -> AsyncIterator[RunningPlane]:
    """The platform's provider and a second one; the user has an own key for the first."""
    async with running_plane(simulators=2) as running:
        yield running


def bring_key(
    plane: RunningPlane, secret: str = OWN, *, auto_fallback: bool = True, **principal: Any
) -> None:
    first = provider(plane.simulators[0], auto_fallback=auto_fallback)
    second = provider(plane.simulators[1], "openrouter", priority=10)
    keys = OwnKeys(
        providers={
            first.id: msgspec.structs.replace(
                first, credential=secret, credential_id="cred_1", credential_source=CredentialSource.BYOK
            )
        }
    )
    plane.source.current = snapshot(
        target(first, "gpt-4o-mini"), target(second, "openai/gpt-4o-mini"), own_keys=keys, **principal
    )


async def ask(plane: RunningPlane, *, stream: bool, **headers: str) -> tuple[httpx.Response, str]:
    body = {"model": "gpt-4o-mini", "messages": MESSAGES, "stream": stream}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with plane.client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
        text = (await response.aread()).decode()
    return response, text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_on_an_own_key_costs_the_platform_nothing_and_is_counted_as_saved(
    plane: RunningPlane, stream: bool
) -> None:
    bring_key(plane)
    response, _ = await ask(plane, stream=stream)
    assert response.status_code == 200
    assert response.headers["x-ops-credential"] == "byok"
    assert plane.simulators[0].requests[-1].headers["authorization"] == f"Bearer {OWN}"
    record = await plane.sink.until()
    paid = (Decimal(record.usage.input_tokens) + 4 * Decimal(record.usage.output_tokens)) / 1_000_000
    assert paid > 0
    assert (record.credential_source, record.cost_usd) == (CredentialSource.BYOK, 0)
    assert (record.own_cost_usd, record.own_cost_source) == (paid, CostSource.COMPUTED)
    assert record.saved_usd == paid
    assert record.fallback_from is None
    assert record.attempts[0].credential_source is CredentialSource.BYOK
    if not stream:
        assert response.headers["x-ops-cost-usd"] == "0"
        assert Decimal(response.headers["x-ops-own-cost-usd"]) == paid


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_own_key_is_a_clear_error_and_no_step_onto_the_platforms_money(
    plane: RunningPlane, stream: bool
) -> None:
    plane.simulators[0].configure(valid_keys=("sk-upstream",))
    bring_key(plane)
    response, text = await ask(plane, stream=stream)
    assert response.status_code == 401
    assert response.headers["x-ops-credential"] == "byok"
    error = json.loads(text)["error"]
    assert "refused your own API key" in error["message"]
    assert OWN not in text
    record = await plane.sink.until()
    assert [a.credential_source for a in record.attempts] == [CredentialSource.BYOK]
    assert (record.cost_usd, record.own_cost_usd, record.saved_usd) == (0, 0, 0)
    # what the daily look at own keys goes by
    assert (record.error_type, record.own_cost_source) == ("provider_auth_error", CostSource.COMPUTED)
    assert not plane.simulators[1].requests


@pytest.mark.parametrize("auto_fallback", [True, False])
async def test_with_switch_and_policy_the_platforms_key_serves_and_the_step_is_recorded(
    plane: RunningPlane, auto_fallback: bool
) -> None:
    plane.simulators[0].configure(valid_keys=("sk-upstream",))
    bring_key(plane, byok_fallback=True, auto_fallback=auto_fallback)
    response, _ = await ask(plane, stream=False)
    assert response.status_code == 200
    assert response.headers["x-ops-credential"] == "platform"
    assert response.headers["x-ops-attempts"] == "2"
    record = plane.sink.only
    assert record.fallback_from is CredentialSource.BYOK
    assert record.cost_usd is not None and record.cost_usd > 0
    assert (record.own_cost_usd, record.own_cost_source, record.saved_usd) == (None, None, None)
    assert [a.credential_source.value for a in record.attempts] == ["byok", "platform"]


async def test_without_auto_fallback_the_other_credential_is_asked_but_no_other_provider(
    plane: RunningPlane,
) -> None:
    plane.simulators[0].configure(valid_keys=("sk-somebody-elses",))
    bring_key(plane, byok_fallback=True, auto_fallback=False)
    response, _ = await ask(plane, stream=False)
    assert response.status_code == 503
    assert len(plane.sink.only.attempts) == 2
    assert not plane.simulators[1].requests


async def test_a_request_names_its_policy_in_a_header(plane: RunningPlane) -> None:
    bring_key(plane, byok_fallback=True)
    plane.simulators[0].configure(valid_keys=("sk-upstream",))
    response, _ = await ask(plane, stream=False, x_ops_byok_policy="byok_only")
    assert response.status_code == 401
    response, text = await ask(plane, stream=False, x_ops_byok_policy="shared_only")
    assert response.status_code == 403
    assert "x-ops-credential" not in response.headers
    assert json.loads(text)["error"]["param"] == "x-ops-byok-policy"
    response, text = await ask(plane, stream=False, x_ops_byok_policy="whatever")
    assert response.status_code == 400
    assert json.loads(text)["error"]["param"] == "x-ops-byok-policy"


async def test_an_own_key_never_reaches_another_users_requests(plane: RunningPlane) -> None:
    bring_key(plane)
    await ask(plane, stream=False)
    current = plane.source.current
    [principal] = current.principals.values()
    [digest] = current.principals
    plane.source.current = msgspec.structs.replace(
        current, principals={digest: msgspec.structs.replace(principal, user_id="usr_2", own_keys=None)}
    )
    response, _ = await ask(plane, stream=False)
    assert response.headers["x-ops-credential"] == "platform"
    sent = [r.headers["authorization"] for s in plane.simulators for r in s.requests]
    assert sent == [f"Bearer {OWN}", "Bearer sk-upstream"]


async def test_what_the_provider_billed_is_what_the_user_paid(plane: RunningPlane) -> None:
    router = provider(plane.simulators[0], "openrouter")
    keys = own(router)
    plane.source.current = snapshot(target(router, "meta-llama/llama-3-8b-instruct"), own_keys=keys)
    response = await plane.chat(model="meta-llama/llama-3-8b-instruct")
    assert response.status_code == 200, response.text
    record = plane.sink.only
    assert record.own_cost_source is CostSource.PROVIDER
    assert record.own_cost_usd is not None and record.own_cost_usd > 0
    # the platform's price is that of the test, not the simulator's bill
    assert record.saved_usd == (record.usage.input_tokens + 4 * record.usage.output_tokens) / Decimal(10**6)


async def test_an_unknown_price_is_an_unknown_payment_not_zero(plane: RunningPlane) -> None:
    first = provider(plane.simulators[0])
    plane.source.current = snapshot(target(first, "gpt-4o-mini", price=None), own_keys=own(first))
    response = await plane.chat()
    record = plane.sink.only
    assert (record.cost_usd, record.own_cost_usd, record.saved_usd) == (0, None, None)
    assert record.own_cost_source is CostSource.UNKNOWN
    assert "x-ops-own-cost-usd" not in response.headers


@pytest.mark.parametrize("amount", ["0.000001", "0"])
async def test_own_keys_spend_nothing_of_a_budget_and_none_stops_them(
    plane: RunningPlane, amount: str
) -> None:
    bring_key(plane, budgets=(budget(amount),))
    for _ in range(3):
        response, text = await ask(plane, stream=False)
        assert response.status_code == 200, text
    bring_key(plane, budgets=(budget(amount),), byok_fallback=True)
    assert (await ask(plane, stream=False))[0].headers["x-ops-credential"] == "byok"
    plane.simulators[0].configure(valid_keys=("sk-upstream",))
    response, _ = await ask(plane, stream=False)  # the platform's key would serve, but there is no budget
    assert response.status_code == 401
