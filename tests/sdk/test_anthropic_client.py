"""The official `anthropic` client, unchanged: its bytes reach Anthropic providers as they are."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest

from live import LiveServer, SimulatorThread
from ops_center.simulator.answers import words

MODEL = "claude-haiku-4-5"
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PARALLEL = 'Call get_weather({"city": "Paris"}) and get_weather({"city": "Rome"})'


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_message(anthropic_client: anthropic.Anthropic) -> None:
    answer = anthropic_client.messages.create(model=MODEL, max_tokens=100, messages=user("why"))
    assert answer.content[0].type == "text"
    assert answer.content[0].text == words(f"0/0/{MODEL}/why", 32)
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 5, 32)


def test_bytes_and_version_are_the_clients_own(
    anthropic_client: anthropic.Anthropic, simulator: SimulatorThread
) -> None:
    sent: list[tuple[bytes, str]] = []
    anthropic_client._client.event_hooks["request"].append(
        lambda request: sent.append((request.read(), request.headers["anthropic-version"]))
    )
    anthropic_client.messages.create(
        model=MODEL,
        max_tokens=100,
        system=[{"type": "text", "text": "brief", "cache_control": {"type": "ephemeral"}}],
        messages=user("höflich"),
        extra_headers={"anthropic-beta": "context-1m-2025-08-07"},
    )
    entry = simulator.requests[-1]
    assert (entry.body, entry.headers["anthropic-version"]) == sent[0]
    assert entry.headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert entry.key == "sk-ant-simulated"


def test_prefixed_model_changes_nothing_but_the_name(
    anthropic_client: anthropic.Anthropic, simulator: SimulatorThread
) -> None:
    anthropic_client.messages.create(
        model=f"anthropic/{MODEL}", max_tokens=9, messages=user("hi"), extra_body={"top_k": 5}
    )
    assert simulator.requests[-1].json == {
        "model": MODEL,
        "max_tokens": 9,
        "messages": user("hi"),
        "top_k": 5,
    }


def test_stream(anthropic_client: anthropic.Anthropic) -> None:
    with anthropic_client.messages.stream(model=MODEL, max_tokens=100, messages=user("why")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == words(f"0/0/{MODEL}/why", 32)
    assert (final.usage.input_tokens, final.usage.output_tokens) == (5, 32)


def test_thinking(anthropic_client: anthropic.Anthropic) -> None:
    answer = anthropic_client.messages.create(
        model=MODEL, max_tokens=2000, messages=user("hm"), thinking={"type": "enabled", "budget_tokens": 1024}
    )
    assert [block.type for block in answer.content] == ["thinking", "text"]


@pytest.mark.parametrize("stream", [False, True])
def test_parallel_tools_over_several_turns(anthropic_client: anthropic.Anthropic, stream: bool) -> None:
    turns = user(PARALLEL)

    def ask() -> anthropic.types.Message:
        if not stream:
            return anthropic_client.messages.create(
                model=MODEL, max_tokens=300, messages=turns, tools=[WEATHER]
            )
        with anthropic_client.messages.stream(
            model=MODEL, max_tokens=300, messages=turns, tools=[WEATHER]
        ) as events:
            return events.get_final_message()

    first = ask()
    calls = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use"
    assert [call.input for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    turns.append({"role": "assistant", "content": [block.to_dict() for block in calls]})
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls]
    turns.append({"role": "user", "content": results})
    second = ask()
    assert second.content[0].type == "text"
    assert second.content[0].text == "The tools answered: sunny; sunny"


def test_cache_tokens_are_in_the_ledger(anthropic_client: anthropic.Anthropic, server: LiveServer) -> None:
    system: Any = [{"type": "text", "text": "s" * 8000, "cache_control": {"type": "ephemeral"}}]
    rows = []
    for _ in range(2):
        raw = anthropic_client.messages.with_raw_response.create(
            model=MODEL, max_tokens=50, system=system, messages=user("hi")
        )
        rows.append(server.wait_for_request(raw.headers["x-request-id"]))
    assert [row["cache_write_tokens"] for row in rows] == [2004, 0]
    assert [row["cache_read_tokens"] for row in rows] == [0, 2004]
    assert [row["input_tokens"] for row in rows] == [2004 + 5, 2004 + 5]
    assert rows[0]["cost_usd"] > rows[1]["cost_usd"] > 0


def test_models_list(anthropic_client: anthropic.Anthropic) -> None:
    assert MODEL in {model.id.rsplit("/", 1)[-1] for model in anthropic_client.models.list(limit=1000)}


# --- errors ---


def test_unknown_key(server: LiveServer) -> None:
    with (
        anthropic.Anthropic(base_url=server.anthropic_url, api_key="sk-oc-unknown", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(model=MODEL, max_tokens=10, messages=user("hi"))
    assert caught.value.type == "authentication_error"


def test_key_in_the_older_header_is_taken(server: LiveServer, api_key: str) -> None:
    with anthropic.Anthropic(base_url=server.anthropic_url, api_key="unused", max_retries=0) as client:
        answer = client.messages.create(
            model=MODEL,
            max_tokens=10,
            messages=user("say: in"),
            extra_headers={"x-api-key": api_key, "Authorization": anthropic.omit},  # type: ignore[dict-item]
        )
    assert answer.content[0].type == "text"


def test_unknown_model(anthropic_client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        anthropic_client.messages.create(model="claude-haiku-9", max_tokens=10, messages=user("hi"))
    assert caught.value.type == "not_found_error"


def test_providers_own_refusal_reaches_the_caller(anthropic_client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        anthropic_client.messages.create(
            model=MODEL, max_tokens=10, messages=user("hi"), extra_body={"no_such_field": 1}
        )
    assert "no_such_field" in str(caught.value)


def test_rate_limit(server: LiveServer, simulator: SimulatorThread) -> None:
    secret = server.create_api_key("slow too", requests_per_minute=1)
    with anthropic.Anthropic(base_url=server.anthropic_url, api_key=secret, max_retries=0) as client:
        client.messages.create(model=MODEL, max_tokens=10, messages=user("hi"))
        with pytest.raises(anthropic.RateLimitError):
            client.messages.create(model=MODEL, max_tokens=10, messages=user("hi"))


def test_overloaded_provider_is_a_server_error(anthropic_client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        anthropic_client.messages.create(model="anthropic/sim-status-529", max_tokens=10, messages=user("hi"))
    assert caught.value.status_code >= 500


@pytest.mark.parametrize("fault", ["stream-cut", "stream-ends-early", "error-mid-stream"])
def test_stream_that_breaks_ends_in_an_error(
    anthropic_client: anthropic.Anthropic, simulator: SimulatorThread, fault: str
) -> None:
    simulator.configure(tokens_per_second=400)
    got: list[str] = []

    def read() -> None:
        with anthropic_client.messages.create(
            model=f"anthropic/sim-{fault}", max_tokens=300, messages=user("say: " + "abcd" * 40), stream=True
        ) as stream:
            for event in stream:
                got.append(event.type)

    with pytest.raises(anthropic.APIError):
        read()
    assert got[0] == "message_start"
    assert "message_stop" not in got


def test_client_that_leaves_closes_the_upstream_call(
    anthropic_client: anthropic.Anthropic, server: LiveServer, simulator: SimulatorThread
) -> None:
    simulator.configure(tokens_per_second=50, answer_tokens=500)
    stream = anthropic_client.messages.create(model=MODEL, max_tokens=900, messages=user("long"), stream=True)
    request_id = stream.response.headers.get("x-request-id") or stream.response.headers["request-id"]
    for event in stream:
        if event.type == "content_block_delta":
            break
    stream.close()
    simulator.until(lambda running: running.inference_requests[-1].client_left)
    row = server.wait_for_request(request_id)
    assert row["status"] == 499
    assert row["input_tokens"] == 5
    assert 0 < row["output_tokens"] < 500
    json.dumps(row)
