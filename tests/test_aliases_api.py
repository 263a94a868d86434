"""control/aliases: packaged names, an admin's own, and what each means now; on both databases."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from control_fixtures import ScriptedFetcher
from ops_center.catalog.aliases import ALIASES
from ops_center.control.context import Control
from ops_center.transport.client import FetchAnswer

pytestmark = pytest.mark.anyio

OPENAI = "https://api.openai.com/v1/models"


@pytest.fixture(autouse=True)
def _a_provider_that_answers(http_fetcher: ScriptedFetcher) -> None:
    listed = [{"id": name} for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1")]
    http_fetcher.answers[OPENAI] = FetchAnswer(200, {}, json.dumps({"data": listed}).encode())


async def add_openai(client: httpx.AsyncClient, control: Control, **fields: Any) -> None:
    answer = await client.post("/llm/providers", json={"type": "openai", "api_key": "sk-x"} | fields)
    assert answer.status_code == 201, answer.text
    await control.background.finished()


async def aliases(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await client.get("/llm/aliases")
    assert answer.status_code == 200, answer.text
    return {alias["name"]: alias for alias in answer.json()["aliases"]}


async def put(client: httpx.AsyncClient, name: str, *candidates: str) -> httpx.Response:
    return await client.put(f"/llm/aliases/{name}", json={"candidates": candidates})


async def test_packaged_aliases_show_what_they_mean_now(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    before = await aliases(control_client)
    assert len(before) == len(ALIASES)
    assert {alias["origin"] for alias in before.values()} == {"packaged"}
    assert before["gpt-4"]["resolves_to"] is None
    await add_openai(control_client, control)
    await add_openai(control_client, control, name="Second", priority=90)
    now = (await aliases(control_client))["gpt-4"]
    assert (now["resolves_to"], now["providers"]) == ("gpt-4.1", ["Second", "OpenAI"])
    assert (await aliases(control_client))["gpt-4o"]["hidden_by_model"] is True


async def test_an_own_alias_is_served_at_once_and_gone_at_once(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_openai(control_client, control)
    made = await put(control_client, "House-Model", "gpt-9", "gpt-4o-mini")
    assert made.status_code == 200, made.text
    assert made.json() == {
        "name": "house-model",
        "candidates": ["gpt-9", "gpt-4o-mini"],
        "origin": "own",
        "resolves_to": "gpt-4o-mini",
        "providers": ["OpenAI"],
        "hidden_by_model": False,
    }
    routed = await control_client.post("/llm/route", json={"model": "house-model"})
    assert [target["model"] for target in routed.json()["targets"]] == ["gpt-4o-mini"]
    models = (await control_client.get("/llm/models?search=gpt-4o-mini")).json()["models"]
    assert "house-model" in models[0]["served_as"]

    assert (await control_client.delete("/llm/aliases/house-model")).status_code == 204
    assert "house-model" not in await aliases(control_client)
    assert (await control_client.delete("/llm/aliases/house-model")).status_code == 404


async def test_a_packaged_alias_is_changed_and_taken_back(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_openai(control_client, control)
    changed = (await put(control_client, "claude-haiku", "gpt-4o-mini")).json()
    assert (changed["origin"], changed["resolves_to"]) == ("changed", "gpt-4o-mini")
    assert (await control_client.delete("/llm/aliases/claude-haiku")).status_code == 204
    back = (await aliases(control_client))["claude-haiku"]
    assert (back["origin"], back["resolves_to"]) == ("packaged", None)
    refused = await control_client.delete("/llm/aliases/claude-haiku")
    assert (refused.status_code, refused.json()["error"]["type"]) == (409, "conflict_error")


@pytest.mark.parametrize(
    ("name", "candidates", "param"),
    [
        ("auto", ["gpt-4o"], "name"),
        ("eco", ["gpt-4o"], "name"),
        ("two%20words", ["gpt-4o"], "name"),
        ("openai%2Fmine", ["gpt-4o"], "name"),
        ("x" * 201, ["gpt-4o"], "name"),
        ("mine", [], "candidates"),
        ("mine", [" "], "candidates"),
        ("mine", ["Mine"], "candidates"),
        ("mine", ["m"] * 51, "candidates"),
    ],
)
async def test_what_is_no_alias_is_refused(
    control_client: httpx.AsyncClient, name: str, candidates: list[str], param: str
) -> None:
    answer = await put(control_client, name, *candidates)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)
    assert not [a for a in (await aliases(control_client)).values() if a["origin"] != "packaged"]


async def test_changes_are_audited(control_client: httpx.AsyncClient, control: Control) -> None:
    await put(control_client, "mine", "gpt-4o")
    await put(control_client, "mine", "gpt-4o-mini")
    await control_client.delete("/llm/aliases/mine")
    entries = (await control_client.get("/audit-log")).json()["entries"]
    found = [(e["action"], e["before"], e["after"]) for e in entries if e["object_type"] == "alias"]
    assert found == [
        ("alias.delete", {"candidates": ["gpt-4o-mini"]}, None),
        ("alias.update", {"candidates": ["gpt-4o"]}, {"candidates": ["gpt-4o-mini"]}),
        ("alias.update", {"candidates": []}, {"candidates": ["gpt-4o"]}),
    ]
