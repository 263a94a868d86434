"""control/models: what is believed about each model, and the admin's word over it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from control_fixtures import ScriptedFetcher
from ops_center.control.context import Control
from ops_center.transport.client import FetchAnswer

pytestmark = pytest.mark.anyio

OPENAI = "https://api.openai.com/v1/models"
OPENROUTER = "https://openrouter.ai/api/v1/models"


@pytest.fixture(autouse=True)
def _providers_that_answer(http_fetcher: ScriptedFetcher) -> None:
    listed = [{"id": "gpt-4o"}, {"id": "gpt-4o-mini"}, {"id": "text-embedding-3-small"}, {"id": "new-one"}]
    http_fetcher.answers[OPENAI] = FetchAnswer(200, {}, json.dumps({"data": listed}).encode())
    entry = {
        "id": "anthropic/claude-opus-4.8",
        "name": "Anthropic: Claude Opus 4.8",
        "context_length": 777,
        "pricing": {"prompt": "0.000005", "completion": "0.000025"},
    }
    http_fetcher.answers[OPENROUTER] = FetchAnswer(200, {}, json.dumps({"data": [entry]}).encode())


async def add_provider(
    client: httpx.AsyncClient, control: Control, type: str = "openai", **fields: Any
) -> str:
    answer = await client.post("/llm/providers", json={"type": type, "api_key": "sk-x"} | fields)
    assert answer.status_code == 201, answer.text
    await control.background.finished()
    return str(answer.json()["id"])


async def listed(client: httpx.AsyncClient, **params: Any) -> dict[str, dict[str, Any]]:
    answer = await client.get("/llm/models", params=params)
    assert answer.status_code == 200, answer.text
    return {model["name"]: model for model in answer.json()["models"]}


async def patch(client: httpx.AsyncClient, model: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await client.patch(f"/llm/models/{model['id']}", json=fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_models_show_facts_with_their_sources(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    provider_id = await add_provider(control_client, control)
    await add_provider(control_client, control, "openrouter")
    models = await listed(control_client)
    mini = models["gpt-4o-mini"]
    assert mini["provider_id"] == provider_id
    assert (mini["provider_name"], mini["display_name"]) == ("OpenAI", "GPT-4o mini")
    assert (mini["origin"], mini["enabled"], mini["overridden"]) == ("discovered", True, [])
    assert (mini["context_window"], mini["max_output_tokens"]) == (128000, 16384)
    assert mini["price"] == {
        "input_mtok": 0.15,
        "output_mtok": 0.6,
        "cache_read_mtok": 0.075,
        "cache_write_mtok": None,
        "tiered": False,
        "source": "models.dev",
        "as_of": "2026-07-02",
    }
    assert (mini["score"], mini["score_source"]) == (8.1, "benchmarks 2026-07-02")
    assert "tools" in mini["capabilities"]
    assert mini["served_as"] == ["gpt-3.5-turbo"]
    opus = models["anthropic/claude-opus-4.8"]
    assert (opus["context_window"], opus["price"]["source"]) == (777, "openrouter")
    assert opus["price"]["as_of"] == "2026-11-23"
    assert set(opus["served_as"]) == {"claude-opus", "claude-opus-latest"}
    unknown = models["new-one"]
    assert (unknown["price"], unknown["score"], unknown["context_window"]) == (None, None, None)


async def test_an_override_wins_until_it_is_taken_back(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    model = (await listed(control_client))["gpt-4o"]
    own = await patch(control_client, model, input_mtok=1.25, score=99, context_window=1000)
    assert own["price"]["input_mtok"] == 1.25
    assert own["price"]["output_mtok"] == model["price"]["output_mtok"]
    assert (own["price"]["source"], own["price"]["as_of"]) == ("override", "2026-11-23")
    assert (own["score"], own["score_source"], own["context_window"]) == (99, "override", 1000)
    assert own["overridden"] == ["context_window", "input_mtok", "score"]
    [target] = control.publisher.current.by_model["gpt-4o"]
    assert target.price is not None
    assert (str(target.price.input_mtok), target.score, target.context_window) == ("1.25", 99, 1000)
    half = await patch(control_client, model, score=None)
    assert (half["score"], half["overridden"]) == (model["score"], ["context_window", "input_mtok"])
    assert await patch(control_client, model, input_mtok=None, context_window=None) == model


async def test_an_override_survives_a_refresh(control_client: httpx.AsyncClient, control: Control) -> None:
    provider_id = await add_provider(control_client, control)
    model = (await listed(control_client))["gpt-4o"]
    await patch(control_client, model, output_mtok=77, enabled=False)
    await control_client.post(f"/llm/providers/{provider_id}/models/refresh")
    after = (await listed(control_client))["gpt-4o"]
    assert (after["price"]["output_mtok"], after["enabled"]) == (77, False)


async def test_a_disabled_model_gets_no_traffic_and_no_alias(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control, "openrouter")
    model = (await listed(control_client))["anthropic/claude-opus-4.8"]
    disabled = await patch(control_client, model, enabled=False)
    assert (disabled["enabled"], disabled["served_as"]) == (False, [])
    assert control.publisher.current.targets == ()


async def test_half_a_price_is_not_a_price(control_client: httpx.AsyncClient, control: Control) -> None:
    await add_provider(control_client, control)
    model = (await listed(control_client))["new-one"]
    answer = await control_client.patch(f"/llm/models/{model['id']}", json={"input_mtok": 1})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "output_mtok")
    answer = await control_client.patch(f"/llm/models/{model['id']}", json={"cache_read_mtok": 1})
    assert answer.status_code == 422
    whole = await patch(control_client, model, input_mtok=0, output_mtok=0)
    assert (whole["price"]["input_mtok"], whole["price"]["source"]) == (0, "override")
    # taking half of it back would leave half a price
    answer = await control_client.patch(f"/llm/models/{model['id']}", json={"input_mtok": None})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "input_mtok")
    assert (await patch(control_client, model, input_mtok=None, output_mtok=None))["price"] is None


async def test_prices_keep_every_digit(control_client: httpx.AsyncClient, control: Control) -> None:
    await add_provider(control_client, control)
    model = (await listed(control_client))["gpt-4o"]
    await patch(control_client, model, input_mtok=0.0000375, output_mtok=1e-7)
    [target] = control.publisher.current.by_model["gpt-4o"]
    assert target.price is not None
    assert f"{target.price.input_mtok:f}" == "0.0000375"
    assert f"{target.price.output_mtok:f}" == "0.0000001"


async def test_models_are_searched_filtered_and_paged(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    openai = await add_provider(control_client, control, name="Main_1")
    await add_provider(control_client, control, "openrouter")
    await patch(control_client, (await listed(control_client))["gpt-4o"], enabled=False)
    assert set(await listed(control_client, search="GPT")) == {"gpt-4o", "gpt-4o-mini"}
    assert set(await listed(control_client, search="main_1 mini")) == {"gpt-4o-mini"}
    assert set(await listed(control_client, search="%")) == set()
    assert set(await listed(control_client, search="_")) == set(
        await listed(control_client, provider_id=openai)
    )
    assert len(await listed(control_client, provider_id=openai)) == 4
    assert set(await listed(control_client, enabled="false")) == {"gpt-4o"}
    everything = (await control_client.get("/llm/models")).json()
    pages = []
    for offset in range(0, 6, 2):
        page = (await control_client.get("/llm/models", params={"limit": 2, "offset": offset})).json()
        assert page["total"] == everything["total"] == 5
        pages += page["models"]
    assert pages == everything["models"]


async def test_a_model_is_added_and_removed_by_hand(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    provider_id = await add_provider(control_client, control)
    body = {"provider_id": provider_id, "name": " my-tune ", "input_mtok": 3, "output_mtok": 6}
    answer = await control_client.post("/llm/models", json=body)
    assert answer.status_code == 201, answer.text
    model = answer.json()
    assert (model["name"], model["origin"], model["price"]["output_mtok"]) == ("my-tune", "manual", 6)
    assert "my-tune" in control.publisher.current.by_model
    assert (await control_client.get(f"/llm/models/{model['id']}")).json() == model
    again = await control_client.post("/llm/models", json=body)
    assert (again.status_code, again.json()["error"]["param"]) == (409, "name")
    assert (await control_client.delete(f"/llm/models/{model['id']}")).status_code == 204
    assert "my-tune" not in control.publisher.current.by_model
    assert (await control_client.get(f"/llm/models/{model['id']}")).status_code == 404


async def test_a_discovered_model_can_only_be_disabled(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    model = (await listed(control_client))["gpt-4o"]
    answer = await control_client.delete(f"/llm/models/{model['id']}")
    assert answer.status_code == 409
    assert "Disable" in answer.json()["error"]["hint"]


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input_mtok": -1}, "input_mtok"),
        ({"input_mtok": "free"}, "input_mtok"),
        ({"input_mtok": True}, "input_mtok"),
        ({"output_mtok": 1e12}, "output_mtok"),
        ({"score": 101}, "score"),
        ({"score": -0.1}, "score"),
        ({"context_window": 0}, "context_window"),
        ({"context_window": 1.5}, "context_window"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"name": "other"}, "name"),
    ],
)
async def test_a_bad_override_names_its_field(
    control_client: httpx.AsyncClient, control: Control, fields: dict[str, Any], param: str
) -> None:
    await add_provider(control_client, control)
    model = (await listed(control_client))["gpt-4o"]
    answer = await control_client.patch(f"/llm/models/{model['id']}", json=fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param), answer.text
    assert (await listed(control_client))["gpt-4o"] == model


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"provider_id": "prov_0", "name": "x"}, "provider_id"),
        ({"name": "x"}, "provider_id"),
        ({"provider_id": ..., "name": " "}, "name"),
        ({"provider_id": ..., "name": "x" * 301}, "name"),
        ({"provider_id": ..., "name": "x", "input_mtok": 1}, "output_mtok"),
        ({"provider_id": ..., "name": "x", "output_mtok": 1}, "input_mtok"),
    ],
)
async def test_a_bad_model_names_its_field(
    control_client: httpx.AsyncClient, control: Control, body: dict[str, Any], param: str
) -> None:
    provider_id = await add_provider(control_client, control)
    body = {k: provider_id if v is ... else v for k, v in body.items()}
    answer = await control_client.post("/llm/models", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param), answer.text


async def test_changes_are_in_the_audit_log(control_client: httpx.AsyncClient, control: Control) -> None:
    await add_provider(control_client, control)
    model = (await listed(control_client))["gpt-4o"]
    await patch(control_client, model, input_mtok=2.25)
    entries = (await control_client.get("/audit-log")).json()["entries"]
    [entry] = [e for e in entries if e["object_type"] == "model"]
    assert (entry["action"], entry["object_name"]) == ("model.update", "gpt-4o")
    assert (entry["before"]["input_mtok"], entry["after"]["input_mtok"]) == (None, "2.25")
