"""control/routing_drafts: recorded requests through a policy that is not live, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from clock import Clock
from control_fixtures import Clients, ScriptedFetcher
from ledger_rows import add_records, record
from ops_center.catalog.pricing import price_usage
from ops_center.control.context import Control
from ops_center.control.routing_drafts import service
from ops_center.control.routing_drafts.replay import Replay
from ops_center.control.routing_drafts.repository import Span
from ops_center.errors import CallerError
from ops_center.own_keys import resolve
from ops_center.plan_record import encoded
from ops_center.ranking import Speeds
from ops_center.route_request import Options, RouteRequest
from ops_center.routing import Live
from ops_center.snapshot import Principal
from ops_center.storage.tables import plans
from ops_center.transport.client import FetchAnswer
from ops_center.types import PowerLevel, Role, Usage, new_id

pytestmark = pytest.mark.anyio

DRAFTS = "/llm/routing/drafts"
MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-nano", "gpt-5.5")


@pytest.fixture(autouse=True)
def _a_provider_that_answers(http_fetcher: ScriptedFetcher) -> None:
    body = json.dumps({"data": [{"id": name} for name in MODELS]}).encode()
    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(200, {}, body)


class Known(Live):
    """What is known of the targets at one moment, as a test says it."""

    def __init__(self, speeds: Speeds = Speeds(), homes: dict[str, str] | None = None) -> None:
        self.speeds = speeds
        self.homes = homes or {}

    def home(self, session: Any) -> str | None:
        return self.homes.get(session[1]) if session else None


async def add_openai(client: httpx.AsyncClient, control: Control, **fields: Any) -> str:
    answer = await client.post("/llm/providers", json={"type": "openai", "api_key": "sk-secret-1"} | fields)
    assert answer.status_code == 201, answer.text
    await control.background.finished()
    provider_id: str = answer.json()["id"]
    return provider_id


async def send(
    control: Control,
    clock: Clock,
    request: RouteRequest,
    live: Live = Known(),
    *,
    principal: Principal | None = None,
    request_id: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """One request that the live policy plans now, in the ledger with its plan, as traffic would leave it."""
    snapshot = control.publisher.current
    principal = principal or Principal(api_key_id="key_1", api_key_name="", user_id="usr_1", user_email="")
    plan = resolve(snapshot, principal, request, live)
    first = plan.choices[0].target
    clock.advance(1)
    tokens = {"input_tokens": 1000, "output_tokens": 200, "cache_read_tokens": 0} | {
        name: value for name, value in fields.items() if name.endswith("_tokens")
    }
    row = record(
        clock.now,
        **{
            "request_id": request_id or new_id("req"),
            "requested_model": request.model or "auto",
            "strategy": plan.strategy,
            "provider_id": first.provider.id,
            "provider_name": first.provider.name,
            "model": first.model,
            "cost_usd": price_usage(Usage(**tokens), first.price),
            **tokens,
            **fields,
        },
    )
    await add_records(control.database, [row])
    async with control.database.write() as conn:
        await conn.execute(
            insert(plans).values(
                request_id=row["request_id"], started_at=row["started_at"], plan=bytes(encoded(plan)).decode()
            )
        )
    return row


async def draft(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await client.post(DRAFTS, json={"name": "What if", "changes": changes})
    assert answer.status_code == 201, answer.text
    draft_id: str = answer.json()["id"]
    return draft_id


async def replayed(
    client: httpx.AsyncClient, control: Control, draft_id: str, days: int = 7
) -> dict[str, Any]:
    answer = await client.post(f"{DRAFTS}/{draft_id}/replay", json={"days": days})
    assert answer.status_code == 202, answer.text
    assert answer.json()["replay"]["status"] == "running"
    await control.background.finished()
    replay = (await client.get(f"{DRAFTS}/{draft_id}")).json()["replay"]
    assert (replay["status"], replay["error"]) == ("done", None)
    result: dict[str, Any] = replay["result"]
    return result


def price_of(control: Control, model: str) -> Any:
    return control.publisher.current.by_model[model][0].price


# ── drafts ────────────────────────────────────────────────────────────────────


async def test_a_draft_changes_nothing_until_it_is_published_and_then_all_at_once(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    client = control_client
    provider = await add_openai(client, control)
    models = {m["name"]: m["id"] for m in (await client.get("/llm/models")).json()["models"]}
    before = control.publisher.current
    made = await client.post(
        DRAFTS,
        json={
            "name": "Cheaper",
            "changes": {
                "rules": {"strategy": "cost", "weights": {"price": 1, "speed": 0, "quality": 0}},
                "power_levels": {"eco": {"max_usd_mtok": 0.5}},
                "aliases": {"house": ["gpt-4o-mini"], "gpt-4": ["gpt-4o"]},
                "providers": {provider: {"priority": 80}},
                "models": {models["gpt-5.5"]: {"enabled": False}},
            },
        },
    )
    assert made.status_code == 201, made.text
    it = made.json()
    assert [change["text"] for change in it["differences"]] == [
        "Strategy: Balanced → Cost Optimized",
        "Weights: price 0.4, speed 0.2, quality 0.4 → price 1, speed 0, quality 0",
        "Eco Mode: highest price per 1M tokens none → $0.5",
        "Alias gpt-4: gpt-4-0613, gpt-4.1, gpt-4o, gpt-4-turbo → gpt-4o",
        "Alias house: none → gpt-4o-mini",
        "OpenAI: priority 50 → 80",
        "OpenAI/gpt-5.5: enabled → disabled",
    ]
    assert (control.publisher.current, it["replay"], it["lost"]) == (before, None, [])
    assert it["model_names"] == {models["gpt-5.5"]: "gpt-5.5 at OpenAI"}
    [listed] = (await client.get(DRAFTS)).json()["drafts"]
    assert (listed["id"], listed["name"], listed["replay_status"]) == (it["id"], "Cheaper", None)

    published = await client.post(f"{DRAFTS}/{it['id']}/publish", json={})
    assert published.status_code == 200, published.text
    version = published.json()
    assert (version["action"], version["current"]) == ("routing.publish", True)
    assert [c["text"] for c in version["changes"]] == [change["text"] for change in it["differences"]]
    now = control.publisher.current
    assert (now.strategy, now.rules.weights.price) == ("cost", 1)
    assert {target.provider.priority for target in now.targets} == {80}
    assert "gpt-5.5" not in {target.model for target in now.targets}
    assert now.aliases["house"] == ("gpt-4o-mini",)
    assert PowerLevel.ECO in now.levels
    assert (await client.get(f"{DRAFTS}/{it['id']}")).status_code == 404
    entry = (await client.get("/audit-log?limit=1")).json()["entries"][0]
    assert (entry["action"], entry["after"]["changes_total"]) == ("routing.publish", 7)


async def test_a_draft_follows_what_is_live_and_says_what_of_it_is_gone(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    client = control_client
    provider = await add_openai(client, control)
    other = await add_openai(client, control, name="Second")
    it = await draft(
        client, rules={"strategy": "cost"}, providers={provider: {"priority": 9}, other: {"enabled": False}}
    )
    assert (await client.put("/llm/routing/rules", json={"strategy": "cost"})).is_success
    assert (await client.delete(f"/llm/providers/{other}")).is_success
    found = (await client.get(f"{DRAFTS}/{it}")).json()
    assert [change["text"] for change in found["differences"]] == ["OpenAI: priority 50 → 9"]
    assert found["lost"] == [f"a provider that it changes was deleted ({other})"]
    refused = await client.post(f"{DRAFTS}/{it}/publish", json={})
    assert (refused.status_code, refused.json()["error"]["param"]) == (409, "confirm")
    assert (await client.post(f"{DRAFTS}/{it}/publish", json={"confirm": True})).is_success
    assert {target.provider.priority for target in control.publisher.current.targets} == {9}


async def test_a_draft_is_renamed_changed_and_thrown_away(control_client: httpx.AsyncClient) -> None:
    it = await draft(control_client, rules={"strategy": "cost"})
    renamed = await control_client.patch(f"{DRAFTS}/{it}", json={"name": "Other"})
    assert (renamed.json()["name"], renamed.json()["changes"]["rules"]["strategy"]) == ("Other", "cost")
    emptied = await control_client.patch(f"{DRAFTS}/{it}", json={"changes": {}})
    assert emptied.json()["differences"] == []
    nothing = await control_client.post(f"{DRAFTS}/{it}/publish", json={})
    assert (nothing.status_code, "Nothing would change" in nothing.json()["error"]["message"]) == (409, True)
    assert (await control_client.delete(f"{DRAFTS}/{it}")).status_code == 204
    assert (await control_client.delete(f"{DRAFTS}/{it}")).status_code == 404
    assert (await control_client.get(f"{DRAFTS}/{it}")).status_code == 404


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"rules": {"strategy": "cheap"}}, "changes.rules.strategy"),
        ({"rules": {"weights": {"price": 1, "speed": 1, "quality": 0}}}, "weights"),
        ({"aliases": {"two words": ["gpt-4o"]}}, "name"),
        ({"providers": {"prov_none": {"priority": 5}}}, "changes.providers.prov_none"),
        ({"providers": {"prov_none": {"priority": 101}}}, "changes.providers.prov_none.priority"),
        ({"models": {"mdl_none": {"enabled": False}}}, "changes.models"),
        ({"power_levels": {"default": "precision", "maximum": "eco"}}, "power_levels.default"),
        ({"secrets": {}}, "changes.secrets"),
    ],
)
async def test_what_could_never_be_live_is_refused(
    control_client: httpx.AsyncClient, changes: dict[str, Any], param: str
) -> None:
    answer = await control_client.post(DRAFTS, json={"name": "Bad", "changes": changes})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param), answer.text
    assert (await control_client.get(DRAFTS)).json() == {"drafts": []}


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_only_an_admin_publishes_other_power_levels(
    clients: Clients, control_client: httpx.AsyncClient
) -> None:
    operator = await clients.signed_in(Role.OPERATOR)
    it = await draft(operator, power_levels={"maximum": "eco"})
    refused = await operator.post(f"{DRAFTS}/{it}/publish", json={})
    assert (refused.status_code, "power levels" in refused.json()["error"]["message"]) == (403, True)
    assert (await control_client.post(f"{DRAFTS}/{it}/publish", json={})).is_success


# ── replay ────────────────────────────────────────────────────────────────────


async def test_a_replay_says_what_the_draft_would_have_cost_and_who_moves(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_openai(control_client, control)
    await control_client.put("/llm/routing/rules", json={"strategy": "quality"})
    for _ in range(3):
        auto = await send(control, clock, RouteRequest(input_tokens=900), cache_read_tokens=400)
    named = await send(
        control, clock, RouteRequest(model="gpt-4o"), cost_source="estimated", extras={"web_searches": 1}
    )
    it = await draft(control_client, rules={"strategy": "cost"})
    found = await replayed(control_client, control, it)

    usage = Usage(input_tokens=1000, output_tokens=200, cache_read_tokens=400)
    dear, cheap = (price_usage(usage, price_of(control, m)) for m in ("gpt-5.5", "gpt-4.1-nano"))
    stays = price_usage(Usage(input_tokens=1000, output_tokens=200), price_of(control, "gpt-4o"))
    assert dear is not None
    assert cheap is not None
    assert stays is not None
    assert (auto["model"], named["model"]) == ("gpt-5.5", "gpt-4o")
    assert (found["requests"], found["replayed"], found["sampled"], found["without_plan"]) == (4, 4, False, 0)
    assert (found["stay"], found["move"]) == (1, 3)
    assert Decimal(str(found["before"]["cost_usd"])) == 3 * dear + stays
    assert Decimal(str(found["after"]["cost_usd"])) == 3 * cheap + stays
    assert found["recorded_cost_usd"] == found["before"]["cost_usd"]
    guessed = [found["recorded_estimated_cost_usd"]]
    guessed += [found[side]["estimated_cost_usd"] for side in ("before", "after")]
    assert guessed == [float(stays)] * 3
    assert any("1 requests had sound, searches" in sentence for sentence in found["unknown"])
    [move] = found["moves"]
    assert (move["source"]["model"], move["target"]["model"]) == ("gpt-5.5", "gpt-4.1-nano")
    assert (move["requests"], len(move["examples"])) == (3, 3)
    assert Decimal(str(move["cost_after_usd"])) == 3 * cheap
    assert found["before"]["mean_score"] > found["after"]["mean_score"]
    cold = price_usage(msgspec.structs.replace(usage, cache_read_tokens=0), price_of(control, "gpt-4.1-nano"))
    assert cold is not None
    assert Decimal(str(found["cold_cache_usd"])) == 3 * (cold - cheap)
    assert found["reproduced"] == {"same": 4, "older_policy": 0, "health": 0, "other": 0}
    assert any("move to another model" in sentence for sentence in found["unknown"])
    assert any("1,200 input tokens came from a prompt cache" in sentence for sentence in found["unknown"])


async def test_who_would_be_refused_is_told_with_the_reason(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_openai(control_client, control)
    models = {m["name"]: m["id"] for m in (await control_client.get("/llm/models")).json()["models"]}
    sent = await send(control, clock, RouteRequest(model="gpt-4.1"))
    await send(control, clock, RouteRequest(model="gpt-4o"))
    await add_records(control.database, [record(clock.now, status=404, error_type="model_not_found")])
    it = await draft(control_client, models={models["gpt-4.1"]: {"enabled": False}})
    found = await replayed(control_client, control, it)
    assert (found["before"]["refused"], found["after"]["refused"], found["without_plan"]) == (0, 1, 1)
    assert found["newly_refused_total"] == 1
    [refusal] = found["newly_refused"]
    assert (refusal["requested_model"], refusal["error_type"]) == ("gpt-4.1", "model_not_found")
    assert refusal["examples"] == [sent["request_id"]]
    assert found["cost_compared"] == 1


async def test_what_is_not_known_is_said_and_not_guessed(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    provider = await add_openai(control_client, control)
    made = await control_client.post("/llm/models", json={"provider_id": provider, "name": "riddle"})
    assert made.is_success
    await send(control, clock, RouteRequest(model="riddle"), time_to_first_chunk_seconds=0.1)
    await control_client.put("/llm/aliases/riddle-2", json={"candidates": ["riddle"]})
    it = await draft(control_client, aliases={"riddle-2": None})
    found = await replayed(control_client, control, it)
    assert (found["cost_compared"], found["quality_compared"], found["speed_compared"]) == (0, 0, 1)
    assert found["before"]["mean_score"] is None
    # 0.5 s of which 0.1 to the first chunk, for as many tokens as were recorded
    assert found["before"]["mean_seconds"] == pytest.approx(0.5)
    assert found["before"]["cost_usd"] == 0
    assert "Requests without a known cost on one side, which count in neither: 1." in found["unknown"]
    assert found["reproduced"]["same"] == 1  # routing is another version now, and goes the same way
    assert any("API keys that are gone" in sentence for sentence in found["unknown"])


async def test_many_requests_are_replayed_as_a_sample_that_says_so(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_openai(control_client, control)
    for number in range(16):
        await send(control, clock, RouteRequest(), request_id=f"req_00000000000{number:x}{number:x}ff")
    monkeypatch.setattr(service, "_MOST_REPLAYED", 8)
    found = await replayed(control_client, control, await draft(control_client, rules={"strategy": "cost"}))
    assert (found["requests"], found["replayed"], found["sampled"]) == (16, 8, True)
    assert "A sample: 8 of 16 requests" in found["unknown"][0]


async def test_only_the_last_days_are_replayed(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_openai(control_client, control)
    await send(control, clock, RouteRequest())
    clock.advance(timedelta(days=3).total_seconds())
    await send(control, clock, RouteRequest())
    it = await draft(control_client, rules={"strategy": "cost"})
    assert (await replayed(control_client, control, it, days=2))["replayed"] == 1
    assert (await replayed(control_client, control, it, days=7))["replayed"] == 2
    refused = await control_client.post(f"{DRAFTS}/{it}/replay", json={"days": 91})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "days")
    await control_client.put("/llm/routing/rules", json={"strategy": "quality"})
    assert (await control_client.get(f"{DRAFTS}/{it}")).json()["replay"]["outdated"] is True


async def test_a_replay_that_the_server_did_not_outlive_has_failed(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_openai(control_client, control)
    it = await draft(control_client, rules={"strategy": "cost"})
    assert (await control_client.post(f"{DRAFTS}/{it}/replay", json={})).status_code == 202
    second = await control_client.post(f"{DRAFTS}/{it}/replay", json={})
    assert (second.status_code, "running already" in second.json()["error"]["message"]) == (409, True)
    await control.background.close()
    clock.advance(700)  # another server's, which went down with it: nobody else can know but by its silence
    assert (await control_client.post(f"{DRAFTS}/{it}/replay", json={})).status_code == 202
    await control.background.close()
    await service.end_interrupted(control)
    replay = (await control_client.get(f"{DRAFTS}/{it}")).json()["replay"]
    assert (replay["status"], "restarted" in replay["error"]) == ("failed", True)
    await replayed(control_client, control, it)


# ── the same function, the same choices ───────────────────────────────────────


@dataclass
class World:
    control: Control
    keys: list[Principal]


@pytest.fixture
async def world(control_client: httpx.AsyncClient, control: Control) -> World:
    await add_openai(control_client, control)
    await add_openai(control_client, control, name="Second")
    await add_openai(control_client, control, name="Third", priority=70)
    for fields in ({"power_level": "eco"}, {"models": ["gpt-4o", "gpt-4o-mini"]}, {}):
        made = await control_client.post("/me/api-keys", json={"name": "k"} | fields)
        assert made.status_code == 201, made.text
    return World(control, list(control.publisher.current.principals.values()))


_REQUESTS = st.builds(
    RouteRequest,
    model=st.sampled_from(
        [None, "auto", "eco", "precision", "gpt-4o", "gpt-4", "second/gpt-4.1", "gpt-4o:floor"]
    ),
    power_level=st.sampled_from([None, PowerLevel.ECO, PowerLevel.PRECISION]),
    needs=st.sampled_from([frozenset(), frozenset({"tools"}), frozenset({"vision", "tools"})]),
    input_tokens=st.integers(0, 200_000),
    max_output_tokens=st.sampled_from([None, 1, 300, 40_000]),
    session=st.sampled_from([None, "a", "b"]),
    options=st.sampled_from(
        [
            Options(),
            Options(ignore=("third",)),
            Options(sort="price", models=("gpt-4o-mini",)),
            Options(order=("second",)),
        ]
    ),
    turn=st.integers(0, 2**40),
)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_the_unchanged_policy_gives_back_every_recorded_choice(world: World) -> None:
    """Speeds and lengths are those that the plan was made with; nobody was failing or busy."""
    snapshot = world.control.publisher.current
    ids = [target.id for target in snapshot.targets]
    speeds = {each: (0.1 + place * 0.01, 0.001 * (1 + place % 5)) for place, each in enumerate(ids)}

    @settings(
        max_examples=200,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(request=_REQUESTS, key=st.sampled_from(world.keys), home=st.sampled_from([None, *ids[:4]]))
    def holds(request: RouteRequest, key: Principal, home: str | None) -> None:
        live = Known(Speeds(version=1, seconds=speeds), {"a": home} if home else {})
        try:
            plan = resolve(snapshot, key, request, live)
        except CallerError:
            return  # has no plan, and so no record of one
        replay = Replay(snapshot, snapshot, speeds)
        row = _Row(
            plan=bytes(encoded(plan)).decode(),
            api_key_id=key.api_key_id,
            provider_id=plan.choices[0].target.provider.id,
            model=plan.choices[0].target.model,
        )
        replay.add(row)  # type: ignore[arg-type]
        result = replay.result(_SPAN, requests=1, without_plan=0)
        assert result.reproduced.same == 1
        assert (result.stay, result.move, result.before.refused) == (1, 0, 0)
        assert result.before == result.after

    await asyncio.to_thread(holds)


@dataclass
class _Row:
    plan: str
    api_key_id: str
    provider_id: str
    model: str
    request_id: str = "req_1"
    endpoint: str = "chat/completions"
    status: int = 200
    user_id: str = "usr_1"
    credential_source: str = "platform"
    input_tokens: int = 1000
    output_tokens: int = 200
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal | None = Decimal("0.001")
    cost_source: str = "computed"
    own_cost_source: str | None = None
    billed_apart: bool = False


_SPAN = Span(Clock().now - timedelta(days=1), Clock().now)
