"""control/models: what is believed about each model, and the admin's word over it."""

from __future__ import annotations

import json
import time
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
        "cache_write_1h_mtok": None,
        "reasoning_mtok": None,
        "input_audio_mtok": None,
        "output_audio_mtok": None,
        "input_audio_minute_usd": None,
        "request_usd": 0,
        "web_search_usd": 0.01,
        "tiered": False,
        "tiers": [],
        "source": "models.dev",
        "as_of": "2026-07-02",
    }
    assert mini["sources"]["web_search_usd"] == "ops-center 2026-11-28"
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


async def test_every_override_shows_the_value_that_it_hides(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    model = (await listed(control_client))["gpt-4o"]
    assert model["without_override"] == {}
    given: dict[str, Any] = {
        "output_mtok": 7,
        "reasoning_mtok": 9,
        "request_usd": 0.01,
        "max_output_tokens": 99,
        "capabilities": ["tools"],
    }
    own = await patch(control_client, model, **given)
    assert own["overridden"] == sorted(given)
    assert own["without_override"] == {
        "output_mtok": model["price"]["output_mtok"],
        "reasoning_mtok": None,
        "request_usd": None,
        "max_output_tokens": model["max_output_tokens"],
        "capabilities": model["capabilities"],
    }
    assert (own["capabilities"], own["max_output_tokens"]) == (["tools"], 99)
    assert (own["price"]["reasoning_mtok"], own["price"]["request_usd"]) == (9, 0.01)
    assert {field: own["sources"][field] for field in given} == dict.fromkeys(given, "override")
    assert own["sources"]["input_mtok"] == "models.dev 2026-07-02"
    [target] = control.publisher.current.by_model["gpt-4o"]
    assert (target.capabilities, str(target.price.request_usd)) == ({"tools"}, "0.01")  # type: ignore[union-attr]
    assert await patch(control_client, model, **dict.fromkeys(given)) == model


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
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"request_usd": -1}, "request_usd"),
        ({"capabilities": ["Not one"]}, "capabilities"),
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


# ── filters, order and many at once ───────────────────────────────────────────


async def names(client: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/llm/models", params=params)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["total"] >= len(body["models"])
    return [model["name"] for model in body["models"]]


async def test_models_are_filtered_by_what_is_believed_about_them(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    assert await names(control_client, capability="embedding") == ["text-embedding-3-small"]
    assert "text-embedding-3-small" not in await names(control_client, capability="chat")
    assert await names(control_client, max_input_mtok=0.15) == ["gpt-4o-mini", "text-embedding-3-small"]
    assert await names(control_client, min_context=100_000) == ["gpt-4o", "gpt-4o-mini"]
    assert await names(control_client, min_context=100_000, max_input_mtok="0.2") == ["gpt-4o-mini"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["gpt-4o", "gpt-4o-mini", "new-one", "text-embedding-3-small"]),
        ("-name", ["text-embedding-3-small", "new-one", "gpt-4o-mini", "gpt-4o"]),
        ("price", ["text-embedding-3-small", "gpt-4o-mini", "gpt-4o", "new-one"]),
        ("-price", ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small", "new-one"]),
        ("-score", ["gpt-4o", "gpt-4o-mini", "new-one", "text-embedding-3-small"]),
        ("context", ["text-embedding-3-small", "gpt-4o", "gpt-4o-mini", "new-one"]),
    ],
)
async def test_models_are_sorted_and_the_unknown_comes_last(
    control_client: httpx.AsyncClient, control: Control, sort: str, expected: list[str]
) -> None:
    await add_provider(control_client, control)
    assert await names(control_client, sort=sort) == expected
    assert await names(control_client, sort=sort, limit=1, offset=1) == expected[1:2]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"sort": "colour"}, "sort"),
        ({"capability": "Robert'); DROP"}, "capability"),
        ({"max_input_mtok": "-1"}, "max_input_mtok"),
        ({"max_input_mtok": "NaN"}, "max_input_mtok"),
        ({"min_context": "0"}, "min_context"),
    ],
)
async def test_an_impossible_filter_is_named(
    control_client: httpx.AsyncClient, params: dict[str, str], param: str
) -> None:
    answer = await control_client.get("/llm/models", params=params)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)


async def test_each_value_says_where_it_comes_from(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    await add_provider(control_client, control, "openrouter")
    models = await listed(control_client)
    assert models["gpt-4o"]["sources"] == {
        "context_window": "models.dev 2026-07-02",
        "max_output_tokens": "models.dev 2026-07-02",
        "capabilities": "models.dev 2026-07-02",
        "price": "models.dev 2026-07-02",
        "input_mtok": "models.dev 2026-07-02",
        "output_mtok": "models.dev 2026-07-02",
        "cache_read_mtok": "models.dev 2026-07-02",
        "web_search_usd": "ops-center 2026-11-28",
        "score": "benchmarks 2026-07-02",
    }
    assert models["anthropic/claude-opus-4.8"]["sources"]["context_window"] == "provider"
    changed = await patch(control_client, models["gpt-4o"], score=50, input_mtok=1, context_window=1000)
    assert {changed["sources"][field] for field in ("score", "price", "context_window")} == {"override"}
    assert models["new-one"]["sources"] == {}


async def test_a_model_that_retires_says_when_and_what_follows(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    entry = {
        "id": "old-one",
        "deprecation": "2027-01-31T12:00:00Z",
        "deprecation_replacement_model": "new-one",
    }
    other = {"id": "new-one", "deprecation": "soon"}
    openai = {"id": "gpt-4o", "shutdown_date": "2027-01-14"}
    http_fetcher.answers[OPENAI] = FetchAnswer(200, {}, json.dumps({"data": [entry, other, openai]}).encode())
    await add_provider(control_client, control)
    models = await listed(control_client)
    assert (models["old-one"]["retires_on"], models["old-one"]["successor"]) == ("2027-01-31", "new-one")
    assert models["new-one"]["retires_on"] is None
    assert (models["gpt-4o"]["retires_on"], models["gpt-4o"]["sources"]["retires_on"]) == (
        "2027-01-14",
        "provider",
    )


async def test_many_models_are_switched_by_id_or_filter(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    await add_provider(control_client, control)
    models = await listed(control_client)
    ids = [models[name]["id"] for name in ("gpt-4o", "gpt-4o-mini")]
    off = await control_client.patch("/llm/models", json={"enabled": False, "ids": ids})
    assert (off.status_code, off.json()) == (200, {"changed": 2})
    assert [name for name, model in (await listed(control_client)).items() if model["enabled"]] == [
        "new-one",
        "text-embedding-3-small",
    ]
    served = {target.model for target in control.publisher.current.targets}
    assert served == {"new-one", "text-embedding-3-small"}
    again = await control_client.patch("/llm/models", json={"enabled": False, "ids": ids})
    assert again.json() == {"changed": 0}
    cheap = {"max_input_mtok": 0.15, "capability": "chat"}
    on = await control_client.patch("/llm/models", json={"enabled": True, "filter": cheap})
    assert on.json() == {"changed": 1}
    everything = await control_client.patch("/llm/models", json={"enabled": True, "filter": {}})
    assert everything.json() == {"changed": 1}
    entries = (await control_client.get("/audit-log")).json()["entries"]
    switches = [e for e in entries if e["action"] == "model.switch"]
    assert [e["object_name"] for e in switches] == ["gpt-4o", "gpt-4o-mini", "2 models"]
    assert switches[-1]["after"]["models"] == ["OpenAI/gpt-4o", "OpenAI/gpt-4o-mini"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"enabled": True}, "ids"),
        ({"enabled": True, "ids": [], "filter": {}}, "ids"),
        ({"enabled": True, "ids": ["mdl_unknown"]}, "ids"),
        ({"ids": []}, "enabled"),
        ({"enabled": True, "filter": {"colour": "red"}}, "filter.colour"),
    ],
)
async def test_a_switch_of_nothing_in_particular_is_refused(
    control_client: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    answer = await control_client.patch("/llm/models", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)


async def test_five_thousand_models_are_sorted_quickly(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    listed = [{"id": f"gpt-4o-mini-{number:04d}", "context_window": number} for number in range(1, 5001)]
    http_fetcher.answers[OPENAI] = FetchAnswer(200, {}, json.dumps({"data": listed}).encode())
    await add_provider(control_client, control)
    started = time.process_time()
    found = await names(control_client, sort="-context", capability="chat", limit=100)
    assert found[0] == "gpt-4o-mini-5000"
    assert time.process_time() - started < 3, "a page is a matter of a moment"
