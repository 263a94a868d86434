"""control/routing_versions: every change of where traffic goes is kept, told in words, and returned to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, update

from clock import Clock
from control_fixtures import Clients, ScriptedFetcher
from live import LiveServer, SimulatorThread, wait_until
from ops_center.control.context import Control
from ops_center.control.routing_versions import configuration
from ops_center.control.routing_versions.service import keep_what_was_found
from ops_center.own_keys import resolve
from ops_center.route_request import RouteRequest
from ops_center.storage.tables import providers, routing_versions
from ops_center.transport.client import FetchAnswer
from ops_center.types import PowerLevel, Role

pytestmark = pytest.mark.anyio

OPENAI = "https://api.openai.com/v1/models"
VERSIONS = "/llm/routing/versions"


@pytest.fixture(autouse=True)
def _a_provider_that_answers(http_fetcher: ScriptedFetcher) -> None:
    listed = [{"id": name} for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1")]
    http_fetcher.answers[OPENAI] = FetchAnswer(200, {}, json.dumps({"data": listed}).encode())


async def add_openai(client: httpx.AsyncClient, control: Control, clock: Clock, **fields: Any) -> str:
    answer = await client.post("/llm/providers", json={"type": "openai", "api_key": "sk-secret-1"} | fields)
    assert answer.status_code == 201, answer.text
    clock.advance(1)
    await control.background.finished()
    clock.advance(1)
    provider_id: str = answer.json()["id"]
    return provider_id


async def done(answer: httpx.Response, clock: Clock) -> Any:
    assert answer.status_code in (200, 201, 204), answer.text
    clock.advance(1)
    return answer.json() if answer.content else None


async def versions(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{VERSIONS}{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["versions"]
    return found


async def version(client: httpx.AsyncClient, number: int) -> dict[str, Any]:
    answer = await client.get(f"{VERSIONS}/{number}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def model_id(client: httpx.AsyncClient, name: str) -> str:
    found = (await client.get(f"/llm/models?search={name}")).json()["models"]
    [it] = [model["id"] for model in found if model["name"] == name]
    return str(it)


async def now(control: Control) -> configuration.Configuration:
    async with control.database.read() as conn:
        return await configuration.read(conn)


async def test_every_change_of_where_traffic_goes_is_a_version(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    client = control_client
    provider = await add_openai(client, control, clock)
    mini = await model_id(client, "gpt-4o-mini")
    steps: list[tuple[httpx.Response, str, str]] = [
        (
            await client.put("/llm/routing/rules", json={"strategy": "cost"}),
            "routing.update",
            "Strategy: Balanced → Cost Optimized",
        ),
        (
            await client.patch(f"/llm/providers/{provider}", json={"priority": 80, "auto_fallback": False}),
            "provider.update",
            "OpenAI: priority 50 → 80, and 1 more",
        ),
        (
            await client.patch(f"/llm/providers/{provider}", json={"enabled": False}),
            "provider.update",
            "OpenAI: enabled → disabled",
        ),
        (
            await client.patch(f"/llm/models/{mini}", json={"input_mtok": 0.2, "score": 71}),
            "model.update",
            "OpenAI/gpt-4o-mini: input price per 1M tokens none → $0.2, and 1 more",
        ),
        (
            await client.patch("/llm/models", json={"enabled": False, "ids": [mini]}),
            "model.switch",
            "OpenAI/gpt-4o-mini: enabled → disabled",
        ),
        (
            await client.post(
                "/llm/models",
                json={"provider_id": provider, "name": "mine", "input_mtok": 1, "output_mtok": 2},
            ),
            "model.create",
            "OpenAI/mine: added by hand, and 2 more",
        ),
        (
            await client.put("/llm/aliases/house", json={"candidates": ["gpt-4o", "gpt-4.1"]}),
            "alias.update",
            "Alias house: none → gpt-4o, gpt-4.1",
        ),
        (
            await client.patch("/settings", json={"power_levels": {"eco": {"max_usd_mtok": 0.2}}}),
            "settings.update",
            "Eco Mode: highest price per 1M tokens none → $0.2",
        ),
        (await client.delete("/llm/aliases/house"), "alias.delete", "Alias house: gpt-4o, gpt-4.1 → none"),
        (await client.delete(f"/llm/providers/{provider}"), "provider.delete", "OpenAI: deleted"),
    ]
    for answer, *_ in steps:
        assert answer.is_success, answer.text
    found = await versions(client)
    assert [(v["action"], v["summary"]) for v in found[::-1]] == [
        ("provider.create", "OpenAI: added"),
        *[(action, words) for _, action, words in steps],
    ]
    assert [v["version"] for v in found] == list(range(len(found), 0, -1))
    assert {v["created_by_email"] for v in found} == {"admin@example.com"}
    assert [v["current"] for v in found] == [True] + [False] * (len(found) - 1)


async def test_what_does_not_move_traffic_is_no_version(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    provider = await add_openai(control_client, control, clock)
    for answer in (
        await control_client.put("/llm/routing/rules", json={"strategy": "balanced"}),
        await control_client.patch(f"/llm/providers/{provider}", json={"api_key": "sk-secret-2"}),
        await control_client.patch(f"/llm/providers/{provider}", json={"priority": 50}),
        await control_client.patch("/settings", json={"organisation": {"name": "Acme"}}),
        await control_client.post(f"/llm/providers/{provider}/models/refresh"),
        await control_client.put("/llm/routing/rules", json={"strategy": "cheap"}),
    ):
        assert answer.status_code in (200, 422), answer.text
    await control.background.finished()
    assert [v["action"] for v in await versions(control_client)] == ["routing.update", "provider.create"]
    assert (await versions(control_client))[0]["summary"] == ""


async def test_a_version_tells_its_changes_what_came_after_and_all_of_itself_without_secrets(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    provider = await add_openai(control_client, control, clock)
    await done(await control_client.put("/llm/routing/rules", json={"strategy": "cost"}), clock)
    await done(await control_client.patch(f"/llm/providers/{provider}", json={"priority": 9}), clock)
    it = await version(control_client, 2)
    assert (it["version"], it["previous"], it["current"], it["complete"]) == (2, 1, False, True)
    assert it["changes"] == [
        {
            "area": "rules",
            "subject": "",
            "field": "strategy",
            "before": "balanced",
            "after": "cost",
            "text": "Strategy: Balanced → Cost Optimized",
        }
    ]
    assert [change["text"] for change in it["since"]] == ["OpenAI: priority 50 → 9"]
    assert [change["text"] for change in it["rollback"]["changes"]] == ["OpenAI: priority 9 → 50"]
    assert it["rollback"]["lost"] == []
    assert it["configuration"]["providers"][provider]["priority"] == 50
    assert "sk-secret" not in json.dumps(it)
    newest = await version(control_client, 3)
    assert (newest["current"], newest["rollback"], newest["since"]) == (True, None, [])
    assert (await control_client.get(f"{VERSIONS}/4")).status_code == 404
    assert (await control_client.get(f"{VERSIONS}/0")).status_code == 422


async def test_the_list_goes_back_page_by_page(control_client: httpx.AsyncClient) -> None:
    for strategy in ("cost", "quality", "balanced", "cost", "quality"):
        assert (await control_client.put("/llm/routing/rules", json={"strategy": strategy})).is_success
    seen, query = [], "?limit=2"
    while query:
        page = (await control_client.get(f"{VERSIONS}{query}")).json()
        seen.append([v["version"] for v in page["versions"]])
        query = f"?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == [[5, 4], [3, 2], [1]]
    refused = await control_client.get(f"{VERSIONS}?cursor=nonsense")
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "cursor")


async def test_a_rollback_brings_everything_back_at_once(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    client = control_client
    provider = await add_openai(client, control, clock)
    mini, four = await model_id(client, "gpt-4o-mini"), await model_id(client, "gpt-4o")
    await done(await client.patch(f"/llm/models/{four}", json={"enabled": False, "score": 50}), clock)
    await done(await client.put("/llm/aliases/house", json={"candidates": ["gpt-4o-mini"]}), clock)
    await done(await client.patch("/settings", json={"power_levels": {"eco": {"min_score": 10}}}), clock)
    await done(await client.post("/llm/models", json={"provider_id": provider, "name": "mine"}), clock)
    good = await now(control)
    number = (await versions(client))[0]["version"]

    manual = await model_id(client, "mine")
    second = await add_openai(client, control, clock, name="Second")
    await done(await client.put("/llm/routing/rules", json={"strategy": "quality"}), clock)
    await done(await client.patch(f"/llm/providers/{provider}", json={"enabled": False, "name": "X"}), clock)
    await done(await client.patch(f"/llm/models/{four}", json={"enabled": True, "score": None}), clock)
    await done(await client.patch(f"/llm/models/{mini}", json={"enabled": False, "score": 1}), clock)
    await done(await client.delete("/llm/aliases/house"), clock)
    await done(await client.put("/llm/aliases/other", json={"candidates": ["gpt-4o"]}), clock)
    await done(await client.patch("/settings", json={"power_levels": {"eco": {"min_score": 99}}}), clock)
    await done(await client.delete(f"/llm/models/{manual}"), clock)
    total = len(await versions(client))

    back = await done(await client.post(f"{VERSIONS}/{number}/rollback", json={}), clock)
    assert (back["version"], back["restored_from"], back["action"]) == (
        total + 1,
        number,
        "routing.rollback",
    )
    restored = await now(control)
    assert restored.providers.pop(second).enabled is False  # it was not there then, and keeps its key
    assert restored == good
    snapshot = control.publisher.current
    assert snapshot.strategy == "balanced"
    assert {target.model for target in snapshot.targets} == {"gpt-4o-mini", "gpt-4.1", "mine"}
    plan = resolve(snapshot, None, RouteRequest(model="house"))
    assert [choice.target.provider.name for choice in plan.choices] == ["OpenAI"]
    assert snapshot.levels[PowerLevel.ECO].min_score == 10

    entry = (await client.get("/audit-log?limit=1")).json()["entries"][0]
    assert (entry["action"], entry["object_id"]) == ("routing.rollback", str(total + 1))
    assert entry["after"]["restored_from"] == number
    assert "Second: enabled → disabled" in entry["after"]["changes"]
    again = await client.post(f"{VERSIONS}/{number}/rollback", json={})
    assert (again.status_code, "Nothing would change" in again.json()["error"]["message"]) == (409, True)


async def test_what_cannot_be_brought_back_is_said_and_the_rest_only_after_confirmation(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, http_fetcher: ScriptedFetcher
) -> None:
    client = control_client
    kept = await add_openai(client, control, clock)
    await add_openai(client, control, clock, name="Second")
    gone = (await client.get("/llm/providers")).json()["providers"]
    gone = next(provider["id"] for provider in gone if provider["name"] == "Second")
    await done(await client.put("/llm/routing/rules", json={"strategy": "cost"}), clock)
    number = (await versions(client))[0]["version"]
    await done(await client.delete(f"/llm/providers/{gone}"), clock)
    await done(await client.patch(f"/llm/providers/{kept}", json={"name": "Second"}), clock)
    await add_openai(client, control, clock, name="OpenAI")
    await done(await client.put("/llm/routing/rules", json={"strategy": "quality"}), clock)
    before = await now(control)

    lost = (await version(client, number))["rollback"]["lost"]
    assert lost == [
        "the name “OpenAI” is another provider's now, and “Second” keeps its own",
        "the provider “Second” was deleted with its key; add it anew to have it back",
    ]
    refused = await client.post(f"{VERSIONS}/{number}/rollback", json={})
    assert (refused.status_code, refused.json()["error"]["param"]) == (409, "confirm")
    assert all(sentence in refused.json()["error"]["message"] for sentence in lost)
    assert await now(control) == before
    bad = await client.post(f"{VERSIONS}/{number}/rollback", json={"confirm": "please"})
    assert (bad.status_code, bad.json()["error"]["param"]) == (422, "confirm")

    await done(await client.post(f"{VERSIONS}/{number}/rollback", json={"confirm": True}), clock)
    after = await now(control)
    assert after.rules == {"strategy": "cost"}
    assert (after.providers[kept].name, gone in after.providers) == ("Second", False)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_only_an_admin_brings_other_power_levels_back(
    clients: Clients, control_client: httpx.AsyncClient, control: Control
) -> None:
    operator = await clients.signed_in(Role.OPERATOR)
    for strategy in ("cost", "quality"):
        assert (await control_client.put("/llm/routing/rules", json={"strategy": strategy})).is_success
    assert (await operator.post(f"{VERSIONS}/1/rollback", json={})).is_success
    changed = await control_client.patch("/settings", json={"power_levels": {"maximum": "eco"}})
    assert changed.is_success
    refused = await operator.post(f"{VERSIONS}/2/rollback", json={})
    assert (refused.status_code, "power levels" in refused.json()["error"]["message"]) == (403, True)
    assert (await now(control)).power_levels.maximum == "eco"
    viewer = await clients.signed_in(Role.VIEWER)
    assert (await viewer.get(f"{VERSIONS}/1")).is_success
    assert (await viewer.post(f"{VERSIONS}/1/rollback", json={})).status_code == 403


async def test_changes_behind_our_back_are_found_at_the_start(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await keep_what_was_found(control)
    assert await versions(control_client) == []
    await add_openai(control_client, control, clock)
    await keep_what_was_found(control)
    assert len(await versions(control_client)) == 1
    async with control.database.write() as conn:
        await conn.execute(update(providers).values(priority=7))
    await keep_what_was_found(control)
    [newest, _] = await versions(control_client)
    assert (newest["action"], newest["summary"]) == ("start", "OpenAI: priority 50 → 7")
    assert newest["created_by_email"] == ""


async def test_a_version_of_an_older_release_brings_back_its_rules_alone(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    async with control.database.write() as conn:
        await conn.execute(
            insert(routing_versions).values(
                version=1, rules={"strategy": "cost"}, created_at=clock(), created_by=None
            )
        )
    provider = await add_openai(control_client, control, clock)
    await done(await control_client.put("/llm/routing/rules", json={"strategy": "quality"}), clock)
    await done(await control_client.patch(f"/llm/providers/{provider}", json={"priority": 9}), clock)
    old = await version(control_client, 1)
    assert (old["complete"], old["rollback"]["lost"]) == (False, ["of this version only the rules were kept"])
    assert [change["text"] for change in old["since"]] == ["Strategy: Cost Optimized → Quality Optimized"]
    await done(await control_client.post(f"{VERSIONS}/1/rollback", json={"confirm": True}), clock)
    after = await now(control)
    assert (after.rules, after.providers[provider].priority) == ({"strategy": "cost"}, 9)


def test_a_rollback_reaches_traffic_within_a_second_and_outlives_a_restart(tmp_path: Path) -> None:
    with SimulatorThread() as simulator, LiveServer(tmp_path / "data") as server:
        where = {"api_key": "sk-sim", "base_url": f"{simulator.url}/v1"}
        first = server.add_provider("openai", name="First", priority=60, **where)
        server.add_provider("openai", name="Second", **where)
        secret = server.create_api_key()

        def serves() -> str:
            answer = httpx.post(
                f"{server.url}/v1/chat/completions",
                headers={"authorization": f"Bearer {secret}"},
                json={"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]},
            )
            assert answer.status_code == 200, answer.text
            return answer.headers["x-ops-provider"]

        assert serves() == "First"
        number = server.admin.get(VERSIONS).json()["versions"][0]["version"]
        server.admin.patch(f"/llm/providers/{first['id']}", json={"priority": 1})
        assert serves() == "Second"
        assert server.admin.post(f"{VERSIONS}/{number}/rollback", json={}).status_code == 200
        wait_until(lambda: serves() == "First", seconds=1, what="the rollback in traffic")
        before = server.admin.get(VERSIONS).json()
        server.restart()
        assert server.admin.get(VERSIONS).json() == before
        assert serves() == "First"
