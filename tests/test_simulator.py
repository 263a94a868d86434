"""The simulator keeps to the providers' formats, counts tokens by its own rule and plays every fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ops_center.simulator import Simulator, SimulatorConfig, serve
from ops_center.simulator.answers import count_tokens, example_of, words
from ops_center.simulator.catalogues import FAMILIES, listed, models_of
from ops_center.simulator.config import Fault, parse_fault
from ops_center.simulator.limits import RateLimits

pytestmark = pytest.mark.anyio

OPENAI = {"authorization": "Bearer sk-good"}
ANTHROPIC = {"x-api-key": "sk-ant-good", "anthropic-version": "2023-06-01"}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with await serve() as running:
        yield running


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator.url, timeout=5) as http:
        yield http


def chat(text: str = "hello", model: str = "gpt-4o-mini", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def message(text: str = "hello", model: str = "claude-haiku-4-5", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": text}], **more}


def events(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


# --- rules ---


def test_token_rule_is_a_quarter_of_the_characters_rounded_up() -> None:
    assert [count_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_words_have_exactly_the_tokens_asked_for() -> None:
    assert count_tokens(words("key", 37)) == 37
    assert words("key", 37) == words("key", 37) != words("other", 37)


def test_example_fits_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "count": {"type": "integer"},
            "colour": {"enum": ["red", "blue"]},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        },
        "$defs": {"part": {"type": "object", "properties": {"ok": {"type": "boolean"}}}},
    }
    assert example_of(schema) == {
        "name": "text",
        "count": 1,
        "colour": "red",
        "parts": [{"ok": True}],
        "maybe": None,
    }


@pytest.mark.parametrize("word", ["status-x", "unknown", "slow-", ""])
def test_unknown_fault_words_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        parse_fault(word)


def test_fault_words_carry_their_figure() -> None:
    assert parse_fault("status-503") == Fault("status", 503)
    assert parse_fault("slow-2.5") == Fault("slow", 2.5)
    assert parse_fault("html-200") == Fault("html-200")


def test_every_family_lists_models_and_openrouter_more_than_fifty() -> None:
    assert all(models_of(family) for family in FAMILIES)
    assert len(models_of("openrouter")) > 50
    assert {"meta-llama/llama-3-8b-instruct", "mistralai/mixtral-8x7b-instruct"} <= set(
        models_of("openrouter")
    )
    assert "sim-hang" in listed("openai", True)
    assert "sim-hang" not in listed("openai", False)


# --- OpenAI ---


async def test_completion_counts_what_it_says(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/chat/completions", json=chat("12345678"), headers=OPENAI)).json()
    usage = answer["usage"]
    assert usage["prompt_tokens"] == 4 + 2
    assert usage["completion_tokens"] == 32 == count_tokens(answer["choices"][0]["message"]["content"])
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_same_question_gets_the_same_answer(client: httpx.AsyncClient, simulator: Simulator) -> None:
    async def ask() -> str:
        answer = await client.post("/v1/chat/completions", json=chat("why?"), headers=OPENAI)
        return str(answer.json()["choices"][0]["message"]["content"])

    first = await ask()
    assert await ask() == first
    simulator.configure(seed=1)
    assert await ask() != first


@pytest.mark.parametrize("include", [True, False])
async def test_stream_says_what_the_plain_answer_says(client: httpx.AsyncClient, include: bool) -> None:
    plain = (await client.post("/v1/chat/completions", json=chat("q"), headers=OPENAI)).json()
    body = chat("q", stream=True, stream_options={"include_usage": include})
    streamed = await client.post("/v1/chat/completions", json=body, headers=OPENAI)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text.endswith("data: [DONE]\n\n")
    chunks = events(streamed.text)
    said = "".join(choice["delta"].get("content") or "" for c in chunks for choice in c["choices"])
    assert said == plain["choices"][0]["message"]["content"]
    if include:
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"] == plain["usage"]
        assert all(chunk["usage"] is None for chunk in chunks[:-1])
    else:
        assert all("usage" not in chunk for chunk in chunks)
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_max_tokens_cuts_the_answer(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/chat/completions", json=chat(max_tokens=3), headers=OPENAI)
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert answer.json()["usage"]["completion_tokens"] == 3


async def test_stop_and_n_and_json(client: httpx.AsyncClient) -> None:
    stopped = await client.post(
        "/v1/chat/completions", json=chat("say: one END two", stop=["END"]), headers=OPENAI
    )
    assert stopped.json()["choices"][0]["message"]["content"] == "one "
    three = (await client.post("/v1/chat/completions", json=chat(n=3), headers=OPENAI)).json()
    assert len({choice["message"]["content"] for choice in three["choices"]}) == 3
    assert three["usage"]["completion_tokens"] == 96
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": TOOL["function"]["parameters"]}}
    shaped = await client.post("/v1/chat/completions", json=chat(response_format=wanted), headers=OPENAI)
    assert json.loads(shaped.json()["choices"][0]["message"]["content"]) == {"city": "text"}


PARALLEL = 'get_weather({"city": "Paris"}) and get_weather({"city": "Rome"})'


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_named_in_the_prompt_are_called_in_parallel(
    client: httpx.AsyncClient, stream: bool
) -> None:
    body = chat(PARALLEL, tools=[TOOL], stream=stream)
    answer = await client.post("/v1/chat/completions", json=body, headers=OPENAI)
    arguments: list[str] = []
    if stream:
        chunks = events(answer.text)
        arguments = ["", ""]
        for chunk in chunks:
            for call in chunk["choices"][0]["delta"].get("tool_calls") or []:
                arguments[call["index"]] += call["function"]["arguments"]
        finish = chunks[-1]["choices"][0]["finish_reason"]
    else:
        choice = answer.json()["choices"][0]
        arguments = [call["function"]["arguments"] for call in choice["message"]["tool_calls"]]
        finish = choice["finish_reason"]
    assert [json.loads(text) for text in arguments] == [{"city": "Paris"}, {"city": "Rome"}]
    assert finish == "tool_calls"


async def test_tool_results_are_quoted_and_orphans_refused(client: httpx.AsyncClient) -> None:
    first = await client.post(
        "/v1/chat/completions", json=chat("get_weather please", tools=[TOOL]), headers=OPENAI
    )
    said = first.json()["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "sunny"}
    turns = [{"role": "user", "content": "get_weather please"}, said, result]
    second = await client.post(
        "/v1/chat/completions", json={**chat(tools=[TOOL]), "messages": turns}, headers=OPENAI
    )
    assert "sunny" in second.json()["choices"][0]["message"]["content"]
    orphan = await client.post(
        "/v1/chat/completions", json={**chat(), "messages": [turns[0], result]}, headers=OPENAI
    )
    assert orphan.status_code == 400


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (json.dumps({"messages": []}).encode(), 400, None),
        (json.dumps({"model": "gpt-4o"}).encode(), 400, "missing_required_parameter"),
        (json.dumps(chat(model="gpt-17")).encode(), 404, "model_not_found"),
    ],
)
async def test_bad_requests_get_openai_errors(
    client: httpx.AsyncClient, body: bytes, status: int, code: str | None
) -> None:
    answer = await client.post("/v1/chat/completions", content=body, headers=OPENAI)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


async def test_embeddings_are_unit_vectors(client: httpx.AsyncClient) -> None:
    body = {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 8}
    answer = (await client.post("/v1/embeddings", json=body, headers=OPENAI)).json()
    vectors = [row["embedding"] for row in answer["data"]]
    assert all(abs(sum(x * x for x in vector) - 1) < 1e-9 for vector in vectors)
    assert vectors[0] != vectors[1]
    assert answer["usage"]["prompt_tokens"] == 2


# --- keys ---


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/models", OPENAI, 200),
        ("/v1/models", {"authorization": "Bearer sk-wrong"}, 401),
        ("/v1/models", {}, 401),
        ("/v1/models", ANTHROPIC, 200),
        ("/v1/models", {"authorization": "Bearer sk-ant-good", "anthropic-version": "2026-10-21"}, 200),
        ("/v1/models", ANTHROPIC | {"x-api-key": "sk-ant-invalid"}, 401),
        ("/v1/models", {"x-api-key": "sk-ant-good"}, 400),
        ("/api/v1/models", {}, 200),
        ("/api/v1/models", {"authorization": "Bearer sk-wrong"}, 200),
        ("/api/v1/key", {"authorization": "Bearer sk-or-v1-good"}, 200),
        ("/api/v1/key", {"authorization": "Bearer sk-or-v1-wrong"}, 401),
        ("/api/v1/key", {}, 401),
        ("/custom/v1/models", {}, 200),
        ("/custom/v1/models", {"authorization": "Bearer wrong"}, 401),
        ("/nowhere", OPENAI, 404),
    ],
)
async def test_who_may_read_what(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    assert (await client.get(path, headers=headers)).status_code == status


async def test_only_listed_keys_are_valid_when_a_list_is_given(
    client: httpx.AsyncClient, simulator: Simulator
) -> None:
    simulator.configure(valid_keys=["sk-one"])
    good, other = ({"authorization": f"Bearer {key}"} for key in ("sk-one", "sk-good"))
    assert (await client.get("/v1/models", headers=good)).status_code == 200
    assert (await client.get("/v1/models", headers=other)).status_code == 401


# --- Anthropic ---


async def test_message_stream_has_the_documented_order(client: httpx.AsyncClient) -> None:
    plain = (await client.post("/v1/messages", json=message("q"), headers=ANTHROPIC)).json()
    streamed = await client.post("/v1/messages", json=message("q", stream=True), headers=ANTHROPIC)
    found = events(streamed.text)
    kinds = [event["type"] for event in found]
    assert kinds[:3] == ["message_start", "ping", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    said = "".join(e["delta"]["text"] for e in found if e["type"] == "content_block_delta")
    assert said == plain["content"][0]["text"]
    assert found[-2]["usage"]["output_tokens"] == plain["usage"]["output_tokens"] == 32
    assert found[0]["message"]["usage"]["input_tokens"] == plain["usage"]["input_tokens"]


async def test_thinking_comes_first_and_is_counted(client: httpx.AsyncClient) -> None:
    body = message(thinking={"type": "enabled", "budget_tokens": 1024})
    answer = (await client.post("/v1/messages", json=body, headers=ANTHROPIC)).json()
    assert [block["type"] for block in answer["content"]] == ["thinking", "text"]
    assert answer["usage"]["output_tokens"] == 32 + 24


async def test_second_call_reads_the_cache_that_the_first_one_wrote(client: httpx.AsyncClient) -> None:
    system = [{"type": "text", "text": "x" * 4000, "cache_control": {"type": "ephemeral"}}]
    usages = []
    for _ in range(2):
        answer = await client.post("/v1/messages", json=message(system=system), headers=ANTHROPIC)
        usages.append(answer.json()["usage"])
    assert usages[0]["cache_creation_input_tokens"] == usages[1]["cache_read_input_tokens"] == 1004
    assert usages[0]["cache_read_input_tokens"] == usages[1]["cache_creation_input_tokens"] == 0
    assert usages[0]["input_tokens"] == usages[1]["input_tokens"] == 4 + 2


@pytest.mark.parametrize(
    ("change", "words_in_message"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"frequency_penalty": 1}, "Extra inputs"),
        ({"temperature": 1.5}, "temperature"),
        ({"messages": [{"role": "system", "content": "x"}]}, "Unexpected role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]},
            "unexpected `tool_use_id`",
        ),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
    ],
)
async def test_anthropic_refuses_what_anthropic_refuses(
    client: httpx.AsyncClient, change: dict[str, Any], words_in_message: str
) -> None:
    body = {name: value for name, value in (message() | change).items() if value is not None}
    answer = await client.post("/v1/messages", json=body, headers=ANTHROPIC)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert words_in_message in answer.json()["error"]["message"]


async def test_same_conversation_has_the_same_tokens_in_both_formats(client: httpx.AsyncClient) -> None:
    schema = TOOL["function"]["parameters"]
    call = {
        "id": "t1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'},
    }
    openai = chat(tools=[TOOL])
    openai["messages"] = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
    ]
    use = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Rome"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}
    anthropic = message(system="be brief", tools=[{"name": "get_weather", "input_schema": schema}])
    anthropic["messages"] = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    one = (await client.post("/v1/chat/completions", json=openai, headers=OPENAI)).json()["usage"]
    two = (await client.post("/v1/messages", json=anthropic, headers=ANTHROPIC)).json()["usage"]
    assert one["prompt_tokens"] == two["input_tokens"]
    assert one["completion_tokens"] == two["output_tokens"]


# --- OpenRouter ---


@pytest.mark.parametrize("stream", [False, True])
async def test_openrouter_reports_its_cost_at_its_own_prices(client: httpx.AsyncClient, stream: bool) -> None:
    name = "meta-llama/llama-3-8b-instruct"
    rows = {row["id"]: row for row in (await client.get("/api/v1/models")).json()["data"]}
    prices = rows[name]["pricing"]
    body = chat("hello", name, stream=stream)
    answer = await client.post("/api/v1/chat/completions", json=body, headers=OPENAI)
    if stream:
        assert answer.text.startswith(": OPENROUTER PROCESSING\n\n")
    usage = events(answer.text)[-1]["usage"] if stream else answer.json()["usage"]
    expected = 6 * Decimal(prices["prompt"]) + 32 * Decimal(prices["completion"])
    assert usage["cost"] == float(expected)
    assert rows["openrouter/auto"]["pricing"]["prompt"] == "-1"


# --- limits, time and faults ---


async def test_limits_announce_themselves_in_each_familys_headers(
    client: httpx.AsyncClient, simulator: Simulator
) -> None:
    simulator.configure(requests_per_minute=1)
    calls = [
        ("/v1/chat/completions", chat(), OPENAI, "x-ratelimit-remaining-requests"),
        ("/v1/messages", message(), ANTHROPIC, "anthropic-ratelimit-requests-reset"),
        ("/api/v1/chat/completions", chat(model="openai/gpt-4o"), OPENAI, "x-ratelimit-reset"),
    ]
    for path, body, headers, wanted in calls:
        first = await client.post(path, json=body, headers=headers)
        second = await client.post(path, json=body, headers=headers)
        assert (first.status_code, second.status_code) == (200, 429)
        assert wanted in second.headers
        assert 0 < int(second.headers["retry-after"]) <= 60


def test_limit_window_opens_again_after_a_minute() -> None:
    now = 1000.0
    limits = RateLimits(lambda: now)
    config = SimulatorConfig(tokens_per_minute=10)
    assert limits.admit("openai", "k", config).allowed
    limits.used("openai", "k", 10)
    assert not limits.admit("openai", "k", config).allowed
    assert limits.admit("openai", "other", config).allowed
    now = 1060.0
    assert limits.admit("openai", "k", config).allowed


async def test_error_rate_is_seeded_and_about_what_was_asked(
    client: httpx.AsyncClient, simulator: Simulator
) -> None:
    async def run() -> list[int]:
        simulator.configure(error_rate=0.3, error_status=502)
        answers = [await client.post("/v1/chat/completions", json=chat(), headers=OPENAI) for _ in range(60)]
        return [answer.status_code for answer in answers]

    first = await run()
    assert first == await run()
    assert 8 <= first.count(502) <= 30
    assert set(first) == {200, 502}


async def test_stream_is_paced_by_tokens_per_second(client: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.configure(tokens_per_second=200, first_chunk_seconds=0.05, latency_seconds=0.05)
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with client.stream(
        "POST", "/v1/chat/completions", json=chat(stream=True), headers=OPENAI
    ) as answer:
        headers_after = loop.time() - started
        await answer.aread()
    took = loop.time() - started
    assert headers_after >= 0.045
    assert took >= 0.05 + 0.05 + 32 / 200 - 0.02


CUT = "say: " + "0123456789abcdef" * 8


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["stream-cut", "reset-mid-stream", "close", "reset"])
async def test_broken_connections_break(client: httpx.AsyncClient, fault: str, stream: bool) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.post(
            "/v1/chat/completions", json=chat(CUT, f"sim-{fault}", stream=stream), headers=OPENAI
        )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["hang", "stream-never-starts", "stream-stalls", "slow-5"])
async def test_silent_faults_stay_silent(client: httpx.AsyncClient, fault: str, stream: bool) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await client.post(
            "/v1/chat/completions",
            json=chat(CUT, f"sim-{fault}", stream=stream),
            headers=OPENAI,
            timeout=0.1,
        )


async def test_faults_with_a_body(client: httpx.AsyncClient) -> None:
    async def play(fault: str, stream: bool = False) -> httpx.Response:
        body = chat(CUT, f"sim-{fault}", stream=stream)
        return await client.post("/v1/chat/completions", json=body, headers=OPENAI)

    assert (await play("status-503")).status_code == 503
    assert "<html>" in (await play("html-200")).text
    assert (await play("empty-200")).content == b""
    with pytest.raises(json.JSONDecodeError):
        (await play("half-json")).json()
    assert "error" in (await play("error-in-200")).json()
    assert "error" in events((await play("first-event-error", stream=True)).text)[0]
    middle = events((await play("error-mid-stream", stream=True)).text)
    assert "error" in middle[-1]
    assert len(middle) > 2
    early = (await play("stream-ends-early", stream=True)).text
    assert 'finish_reason":"stop' not in early
    assert "[DONE]" not in early
    redirect = await play("redirect")
    assert (redirect.status_code, redirect.headers["location"]) == (307, "/redirected")
    assert (await play("ok")).status_code == 200


async def test_anthropic_overload_is_529(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/messages", json=message(model="sim-status-529"), headers=ANTHROPIC)
    assert (answer.status_code, answer.json()["error"]["type"]) == (529, "overloaded_error")


async def test_configured_fault_ends_after_its_times(client: httpx.AsyncClient, simulator: Simulator) -> None:
    simulator.configure(fault="status-500", fault_times=2, fault_on="inference")
    assert (await client.get("/v1/models", headers=OPENAI)).status_code == 200
    found = [await client.post("/v1/chat/completions", json=chat(), headers=OPENAI) for _ in range(3)]
    assert [answer.status_code for answer in found] == [500, 500, 200]


async def test_fault_of_one_model_leaves_the_others_alone(
    client: httpx.AsyncClient, simulator: Simulator
) -> None:
    simulator.configure(fault_for_models={"gpt-4o": "status-429"})
    sick = await client.post("/v1/chat/completions", json=chat(model="gpt-4o"), headers=OPENAI)
    well = await client.post("/v1/chat/completions", json=chat(), headers=OPENAI)
    assert (sick.status_code, well.status_code) == (429, 200)


async def test_idle_connections_are_closed(simulator: Simulator) -> None:
    simulator.configure(idle_close_seconds=0.02)
    reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
    await writer.wait_closed()


# --- books ---


async def test_client_that_leaves_is_noticed_and_charged_for_what_went_out(
    client: httpx.AsyncClient, simulator: Simulator
) -> None:
    simulator.configure(tokens_per_second=100, answer_tokens=400)
    async with client.stream(
        "POST", "/v1/chat/completions", json=chat(stream=True), headers=OPENAI
    ) as answer:
        async for _ in answer.aiter_lines():
            break
    await simulator.until(lambda: simulator.requests[-1].client_left)
    entry = simulator.requests[-1]
    assert not entry.finished
    assert entry.output_tokens < 400
    assert simulator.totals.output_tokens == entry.output_tokens


async def test_totals_add_up_over_formats(client: httpx.AsyncClient, simulator: Simulator) -> None:
    one = await client.post("/v1/chat/completions", json=chat(), headers=OPENAI)
    two = await client.post("/v1/messages", json=message(stream=True), headers=ANTHROPIC)
    await client.post("/v1/chat/completions", json=chat(model="sim-status-500"), headers=OPENAI)
    assert one.status_code == two.status_code == 200
    totals = simulator.totals
    assert (totals.calls, totals.input_tokens, totals.output_tokens) == (2, 12, 64)
    prices = models_of("openai")["gpt-4o-mini"], models_of("anthropic")["claude-haiku-4-5"]
    assert totals.cost_usd == sum(price.cost_usd(6, 32) or 0 for price in prices)


async def test_control_endpoints_configure_show_and_reset(
    client: httpx.AsyncClient, simulator: Simulator
) -> None:
    changed = await client.post("/__simulator/config", json={"answer_tokens": 5})
    assert changed.json()["answer_tokens"] == simulator.config.answer_tokens == 5
    refused = await client.post("/__simulator/config", json={"no_such_field": 5})
    assert refused.status_code == 422
    assert (await client.post("/__simulator/config", json={"fault": "no-such"})).status_code == 422
    await client.post("/v1/chat/completions", json=chat("ä"), headers=OPENAI)
    shown = (await client.get("/__simulator/requests")).json()["requests"]
    assert len(shown) == 1
    assert json.loads(shown[0]["body"])["messages"][0]["content"] == "ä"
    assert shown[0]["headers"]["authorization"] == "Bearer sk-good"
    assert (await client.get("/__simulator/ledger")).json()["totals"]["output_tokens"] == 5
    await client.post("/__simulator/reset")
    assert simulator.requests == []
    assert simulator.totals.calls == 0


async def test_pipelined_requests_are_answered_in_order(simulator: Simulator) -> None:
    reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
    simulator.configure(latency_seconds=0.01)
    one = b"GET /v1/models/gpt-4o HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n"
    last = one.replace(b"gpt-4o", b"gpt-4o-mini").replace(b"host: x", b"host: x\r\nconnection: close")
    writer.write(one + last)
    text = (await asyncio.wait_for(reader.read(), 2)).decode()
    assert text.index('"id":"gpt-4o"') < text.index('"id":"gpt-4o-mini"')
    writer.close()
    await writer.wait_closed()


async def test_garbage_on_the_wire_is_refused(simulator: Simulator) -> None:
    reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
    writer.write(b"\x00\x01garbage\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 2)).startswith(b"HTTP/1.1 400")
    writer.close()
    await writer.wait_closed()
