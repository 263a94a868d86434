"""Anthropic's messages format: every body read, written and judged; the official client's models agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from ops_center.errors import (
    BadRequest,
    BudgetExceeded,
    Forbidden,
    ModelNotFound,
    NoProviderLeft,
    OpsCenterError,
    ProviderTimeout,
    ProviderUnusable,
    RateLimited,
    TooLarge,
    Unauthenticated,
)
from ops_center.types import Usage
from ops_center.wire import anthropic_messages, chat
from ops_center.wire.anthropic_messages.claude import generation
from ops_center.wire.sse import SseEvent, SseReader

SAMPLES = Path(__file__).parent / "samples"
STREAM_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def body(**fields: Any) -> bytes:
    defaults = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return json.dumps({**defaults, **fields}).encode()


def message(*blocks: dict[str, Any], role: str = "user") -> bytes:
    return body(messages=[{"role": role, "content": list(blocks)}])


def again(raw: bytes, model: str) -> Any:
    request = anthropic_messages.decode_request(raw)
    written, dropped = anthropic_messages.encode_request(request, model=model)
    assert dropped == ()
    return spelled_out(json.loads(written))


def spelled_out(value: Any) -> Any:
    """A string as content is shorthand for one text block."""
    if isinstance(value, list):
        return [spelled_out(item) for item in value]
    if not isinstance(value, dict):
        return value
    whole = {name: spelled_out(item) for name, item in value.items()}
    for name in ("content", "system"):
        if isinstance(whole.get(name), str):
            whole[name] = [{"type": "text", "text": whole[name]}]
    return whole


def test_the_documented_request_comes_back_with_nothing_lost() -> None:
    raw = (SAMPLES / "anthropic_request.json").read_bytes()
    assert again(raw, "claude-opus-4-7") == spelled_out(json.loads(raw))


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "You are terse."},
        {
            "system": [
                {"type": "text", "text": "a"},
                {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
            ]
        },
        {"temperature": 0.3, "top_p": 0.9, "top_k": 5, "stop_sequences": ["a", "b"]},
        {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}},
        {"thinking": {"type": "between_tools"}},
        {"output_config": {"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"output_config": {"new": 1}, "metadata": {"user_id": "u", "new": 2}},
        {"service_tier": "standard_only", "container": "c1", "inference_geo": "us", "speed": "fast"},
        {
            "cache_control": {"type": "ephemeral"},
            "mcp_servers": [{"type": "url", "url": "https://x", "name": "n"}],
        },
        {"tools": [{"type": "web_search_20260318", "name": "web_search", "max_uses": 3}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": True, "defer_loading": True}]},
        {"tool_choice": {"type": "any"}},
        {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
        {"tool_choice": {"type": "none"}},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": "x"},
                            "context": "c",
                        },
                        {
                            "type": "document",
                            "source": {"type": "url", "url": "https://x/a.pdf"},
                            "title": "t",
                        },
                        {"type": "document", "source": {"type": "content", "content": "x"}},
                        {"type": "document", "source": {"type": "file", "file_id": "f1"}},
                        {"type": "image", "source": {"type": "file", "file_id": "f2"}, "transformations": {}},
                        {"type": "search_result", "source": "s", "title": "t", "content": []},
                        {"type": "container_upload", "file_id": "f"},
                        {"type": "text", "text": "t", "citations": [{"type": "char_location"}]},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "redacted_thinking", "data": "zz"},
                        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                        {"type": "text", "text": "a"},
                        {
                            "type": "tool_use",
                            "id": "t",
                            "name": "f",
                            "input": {"n": 12345678901234567890},
                            "caller": {"type": "direct"},
                        },
                        {"type": "text", "text": "b"},
                    ],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
                {"role": "user", "content": "again"},
                {"role": "system", "content": "From now on be brief."},
            ],
        },
    ],
)
def test_what_the_format_can_say_survives(fields: dict[str, Any]) -> None:
    raw = body(**{"system": "s", **fields})
    assert again(raw, "m") == spelled_out(json.loads(raw))


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"{", None),
        (body(model=1), "model"),
        (b'{"model":"m","messages":[]}', "max_tokens"),
        (b'{"model":"m","max_tokens":1}', "messages"),
        (body(max_tokens="9"), "max_tokens"),
        (body(messages=[{"role": "tool", "content": "x"}]), "messages[0].role"),
        (body(messages=[{"role": "user"}]), "messages[0].content"),
        (body(messages=[{"role": "user", "content": 5}]), "messages[0].content"),
        (message({"text": "x"}), "messages[0].content[0].type"),
        (message({"type": "text", "text": 1}), "messages[0].content[0].text"),
        (message({"type": "image"}), "messages[0].content[0].source"),
        (message({"type": "image", "source": {"type": "base64"}}), "messages[0].content[0].source.data"),
        (message({"type": "tool_use", "name": "f", "input": {}}), "messages[0].content[0].id"),
        (message({"type": "tool_use", "id": "f", "name": "f", "input": []}), "messages[0].content[0].input"),
        (message({"type": "tool_result"}), "messages[0].content[0].tool_use_id"),
        (
            message({"type": "tool_result", "tool_use_id": "x", "content": [{"type": "text"}]}),
            "messages[0].content[0].content[0].text",
        ),
        (body(system=[{"type": "text"}]), "system[0].text"),
        (body(tools=[{"name": "f"}]), "tools[0].input_schema"),
        (body(tools=[{"input_schema": {}}]), "tools[0].name"),
        (body(tool_choice={"type": "maybe"}), "tool_choice.type"),
        (body(tool_choice="auto"), "tool_choice"),
        (body(thinking={"type": "enabled", "budget_tokens": "many"}), "thinking.budget_tokens"),
        (body(output_config={"format": {"type": "xml"}}), "output_config.format.type"),
        (body(stream="yes"), "stream"),
        (body(metadata=[]), "metadata"),
    ],
)
def test_a_wrong_body_is_refused_with_its_parameter_named(raw: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        anthropic_messages.decode_request(raw)
    assert caught.value.param == param


@pytest.mark.parametrize("depth", [2, 300, 100_000])
def test_deep_nesting_is_refused_not_a_crash(depth: int) -> None:
    nested = b'{"type":"tool_result","tool_use_id":"x","content":[' * depth + b"]}" * depth
    with pytest.raises(BadRequest):
        anthropic_messages.decode_request(
            b'{"max_tokens":1,"messages":[{"role":"user","content":[' + nested + b"]}]}"
        )


def test_an_answer_comes_back_with_nothing_lost() -> None:
    raw = (SAMPLES / "anthropic_answer.json").read_bytes()
    answer = anthropic_messages.decode_answer(raw)
    assert answer.finish_reason == "tool_calls"
    assert answer.usage == Usage(
        input_tokens=10 + 248 + 1800,
        output_tokens=503,
        cache_read_tokens=1800,
        cache_write_tokens=248,
        cache_write_1h_tokens=100,
    )
    written = anthropic_messages.encode_answer(answer, model=answer.model, request_id="req_1", created=1)
    assert json.loads(written) == json.loads(raw)
    Message.model_validate_json(written, strict=True)


def test_our_own_usage_reads_back_as_it_was() -> None:
    usage = Usage(
        input_tokens=100,
        output_tokens=9,
        cache_read_tokens=40,
        cache_write_tokens=30,
        cache_write_1h_tokens=10,
        reasoning_tokens=4,
    )
    answer = chat.ChatAnswer(format="openai_chat", id="x", model="m", choices=(chat.Choice(),), usage=usage)
    raw = anthropic_messages.encode_answer(answer, model="m", request_id="req_1", created=1)
    assert anthropic_messages.read_answer_usage(raw) == chat.AnswerFacts(usage=usage, finish_reason="stop")


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", False),
        (b"<html>", False),
        (b'{"content":[{"ty', False),
        (b'{"content":"x"}', False),
        (b'{"id":"x"}', False),
        (b"[" * 100_000, False),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"secret"}}', True),
        (b'{"error":{"message":"secret"}}', True),
    ],
)
def test_an_unusable_answer_is_the_providers_fault_and_shows_no_byte_of_it(raw: bytes, error: bool) -> None:
    with pytest.raises(ProviderUnusable) as caught:
        anthropic_messages.decode_answer(raw)
    assert "secret" not in caught.value.message + (caught.value.detail or "")
    assert anthropic_messages.read_answer_usage(raw) == chat.AnswerFacts(error=error, valid=False)


def test_an_answer_with_a_broken_block_is_unusable() -> None:
    with pytest.raises(ProviderUnusable):
        anthropic_messages.decode_answer(b'{"content":[{"type":"text"}]}')


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("something_new", "other"),
    ],
)
def test_stop_reasons_are_told_in_our_words(word: str, reason: str) -> None:
    raw = json.dumps({"content": [], "stop_reason": word}).encode()
    assert anthropic_messages.read_answer_usage(raw).finish_reason == reason


@pytest.mark.parametrize(
    "usage",
    [
        "null",
        "[]",
        "{}",
        '{"input_tokens":"x","output_tokens":null}',
        '{"output_tokens":-4}',
        '{"output_tokens":1e99}',
    ],
)
def test_odd_usage_never_raises(usage: str) -> None:
    raw = f'{{"content":[],"usage":{usage}}}'.encode()
    assert anthropic_messages.read_answer_usage(raw).usage in (None, Usage())


@pytest.mark.parametrize(
    "name", ["anthropic_stream", "anthropic_stream_tools", "anthropic_stream_server_tools"]
)
def test_a_stream_comes_back_with_its_meaning(name: str) -> None:
    decoder = anthropic_messages.StreamDecoder()
    raw = (SAMPLES / f"{name}.txt").read_bytes()
    events = [e for event in SseReader().feed(raw) for e in decoder.feed(event)]
    assert decoder.finished
    encoder = anthropic_messages.StreamEncoder(model="m", request_id="req_1", created=5, include_usage=False)
    written = b"".join(encoder.encode(event) for event in events) + encoder.close()
    for event in SseReader().feed(written):
        STREAM_EVENT.validate_json(event.data, strict=True)
        assert json.loads(event.data)["type"] == event.event
    second = anthropic_messages.StreamDecoder()
    back = [e for event in SseReader().feed(written) for e in second.feed(event)]
    assert second.finished
    assert [e for e in back if not isinstance(e, chat.Start)] == [
        e for e in events if not isinstance(e, chat.Start)
    ]


def test_blocks_open_and_close_in_order() -> None:
    encoder = anthropic_messages.StreamEncoder(model="m", request_id="req_1", created=5, include_usage=False)
    events = [
        chat.ThinkingDelta("t"),
        chat.TextDelta("a"),
        chat.ToolCallStart(index=0, id="x", name="f"),
        chat.ToolCallStart(index=1, id="y", name="g"),
        chat.ToolCallDelta(index=1, arguments="{}"),
        chat.ToolCallDelta(index=0, arguments="{}"),  # late
        chat.TextDelta("b"),
        chat.RedactedThinking("zz"),
    ]
    raw = b"".join(encoder.encode(event) for event in events) + encoder.close()
    open_block = None
    kinds = []
    for event in SseReader().feed(raw):
        data = json.loads(event.data)
        if event.event == "content_block_start":
            assert open_block is None
            open_block = data["index"]
            assert open_block == len(kinds)
            kinds.append(data["content_block"]["type"])
        elif event.event == "content_block_stop":
            assert data["index"] == open_block
            open_block = None
    assert open_block is None
    assert kinds == ["thinking", "text", "tool_use", "tool_use", "text", "redacted_thinking"]


def test_an_input_given_whole_is_not_lost() -> None:
    event = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "x", "name": "f", "input": {"a": 1}},
    }
    events = anthropic_messages.StreamDecoder().feed(
        SseEvent("content_block_start", json.dumps(event).encode())
    )
    assert events[1] == chat.ToolCallDelta(index=0, arguments='{"a": 1}')


def test_an_error_event_is_read_as_one() -> None:
    data = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    (error,) = anthropic_messages.StreamDecoder().feed(SseEvent("error", data))
    assert error == chat.StreamError(type="overloaded_error", message="Overloaded")


def test_a_stream_that_is_not_json_is_the_providers_fault() -> None:
    for data in (b"<html>", b'{"type":', b'{"type":5}', b"[" * 100_000):
        with pytest.raises(ProviderUnusable):
            anthropic_messages.StreamDecoder().feed(SseEvent("", data))


@pytest.mark.parametrize(
    ("error", "type_"),
    [
        (BadRequest("no"), "invalid_request_error"),
        (Unauthenticated("no"), "authentication_error"),
        (BudgetExceeded("no"), "billing_error"),
        (Forbidden("no"), "permission_error"),
        (ModelNotFound("no"), "not_found_error"),
        (TooLarge("no"), "request_too_large"),
        (RateLimited("no"), "rate_limit_error"),
        (ProviderUnusable("no"), "api_error"),
        (NoProviderLeft("no"), "api_error"),
        (ProviderTimeout("no"), "timeout_error"),
    ],
)
def test_errors_have_anthropics_shape_and_words(error: OpsCenterError, type_: str) -> None:
    expected = {"type": "error", "error": {"type": type_, "message": "no"}}
    assert json.loads(anthropic_messages.encode_error(error)) == expected
    with_id = {**expected, "request_id": "req_1"}
    assert json.loads(anthropic_messages.encode_error(error, request_id="req_1")) == with_id
    (event,) = SseReader().feed(anthropic_messages.encode_stream_error(error))
    assert event.event == "error"
    assert json.loads(event.data) == expected


@pytest.mark.parametrize(
    ("model", "adaptive", "budget", "sampling", "prefill", "structured"),
    [
        ("claude-3-haiku-20240307", False, False, True, True, False),
        ("claude-3-7-sonnet-20250219", False, True, True, True, False),
        ("claude-sonnet-4-20250514", False, True, True, True, False),
        ("claude-opus-4-1", False, True, True, True, False),
        ("claude-haiku-4-5-20251001", False, True, True, True, True),
        ("claude-haiku-4-5", False, True, True, True, True),
        ("anthropic/claude-haiku-4.5", False, True, True, True, True),
        ("claude-opus-4-6", True, False, True, False, True),
        ("anthropic.claude-opus-4-7-v1:0", True, False, False, False, True),
        ("claude-mythos-preview", True, False, False, False, True),
        ("claude-sonnet-5", True, False, False, False, True),
        ("claude-haiku-5-5", True, False, False, False, True),
        ("glm-5", False, True, True, True, True),
    ],
)
def test_what_a_generation_takes(
    model: str, adaptive: bool, budget: bool, sampling: bool, prefill: bool, structured: bool
) -> None:
    claude = generation(model)
    assert (claude.adaptive, claude.budget, claude.sampling, claude.prefill, claude.structured) == (
        adaptive,
        budget,
        sampling,
        prefill,
        structured,
    )
