"""wire/openai_responses: nothing lost on the way in and out, streams whole wherever cut, thinking to its maker only."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from ops_center.errors import BadRequest, ProviderUnusable
from ops_center.types import Usage
from ops_center.wire import anthropic_messages, chat, openai_chat, openai_responses
from ops_center.wire.formats import WIRES
from ops_center.wire.sse import SseReader
from ops_center.wire.translate import StreamTranslator
from ops_center.wire.watch import watch_of
from test_translation import conversations

SAMPLES = Path(__file__).parent / "samples"
STREAMS = ["responses_stream.txt", "responses_stream_tools.txt"]
STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USAGE = Usage(input_tokens=81, output_tokens=135, cache_read_tokens=64, reasoning_tokens=96)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def read(**fields: Any) -> chat.ChatRequest:
    return openai_responses.decode_request(json.dumps({"model": "m", "input": "hi", **fields}).encode())


def translator(provider: ModuleType, client: ModuleType = openai_responses) -> StreamTranslator:
    return StreamTranslator(
        provider=provider, client=client, model="m", request_id="req_1", created=5, include_usage=True
    )


def test_the_documented_request_comes_back_with_nothing_lost() -> None:
    body = json.loads(sample("responses_request.json"))
    raw, dropped = openai_responses.encode_request(
        openai_responses.decode_request(json.dumps(body).encode()), model=body["model"]
    )
    assert json.loads(raw) == body
    assert dropped == ()


def test_an_answer_comes_back_with_nothing_lost() -> None:
    raw = sample("responses_answer.json")
    answer = openai_responses.decode_answer(raw)
    assert [type(part).__name__ for part in answer.choices[0].parts] == [
        "Thinking",
        "Text",
        "ToolCall",
        "ToolCall",
    ]
    assert (answer.usage, answer.finish_reason) == (USAGE, "tool_calls")
    back = openai_responses.encode_answer(answer, model=answer.model, request_id="req_1", created=1)
    assert json.loads(back) == json.loads(raw)


@given(conversations())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_conversation_survives_the_way_from_chat_to_responses_and_back(messages: list[Any]) -> None:
    request = openai_chat.decode_request(json.dumps({"model": "m", "messages": messages}).encode())
    raw, dropped = openai_responses.encode_request(request, model="gpt-4o-mini")
    assert dropped == ()
    again = openai_responses.decode_request(raw)
    assert json.loads(openai_responses.encode_request(again, model="gpt-4o-mini")[0]) == json.loads(raw)
    back, dropped = openai_chat.encode_request(openai_responses.without_own(again)[0], model="m")
    assert dropped == ()
    # a picture without a wish says so there
    assert json.loads(back.replace(b',"detail":"auto"', b""))["messages"] == messages


# ── streams ───────────────────────────────────────────────────────────────────


def neutral(*pieces: bytes) -> list[chat.StreamEvent]:
    reader, decoder = SseReader(), openai_responses.StreamDecoder()
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.close()
    found = [each for event in events for each in decoder.feed(event)]
    assert decoder.finished
    return found


def test_a_stream_is_read_with_its_meaning() -> None:
    start = chat.Start(id="resp_67c9", model="gpt-5-mini-2025-08-07", created=1741290958)
    assert neutral(sample("responses_stream.txt")) == [
        start,
        chat.ThinkingDelta("**Weighing "),
        chat.ThinkingDelta('"usage"**'),
        chat.ThinkingSignature("gAAAAAB", origin=chat.OPENAI_RESPONSES),
        chat.TextDelta("Grüße [DONE] "),
        chat.TextDelta("🌍"),
        chat.Finish(finish_reason="stop", native_finish_reason="completed"),
        chat.UsageEvent(USAGE),
    ]
    calls = [event for event in neutral(sample(STREAMS[1])) if isinstance(event, chat.ToolCallStart)]
    assert [(call.index, call.id, call.name) for call in calls] == [
        (0, "call_a", "weather"),
        (1, "call_b", "weather"),
    ]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_means_the_same_wherever_it_is_cut(name: str, line_end: bytes) -> None:
    raw = sample(name).replace(b"\n", line_end)
    whole = neutral(raw)
    watch = watch_of(chat.OPENAI_RESPONSES, hide_usage_chunk=False)
    assert watch.feed(raw) + watch.close() == raw
    for at in range(1, len(raw)):
        assert neutral(raw[:at], raw[at:]) == whole, at
    for at in range(1, len(raw), 3):
        cut = watch_of(chat.OPENAI_RESPONSES, hide_usage_chunk=False)
        assert cut.feed(raw[:at]) + cut.feed(raw[at:]) + cut.close() == raw
        assert (cut.usage, cut.finished, cut.output_bytes) == (USAGE, True, watch.output_bytes)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("anthropic_stream.txt", "anthropic_messages"),
        ("anthropic_stream_tools.txt", "anthropic_messages"),
        ("openai_stream_tools.txt", "openai_chat"),
        ("deepseek_stream.txt", "openai_chat"),
        ("mistral_stream.txt", "openai_chat"),
        ("gemini_stream.txt", "gemini"),
        ("gemini_stream_tools.txt", "gemini"),
        ("gemini_stream_picture.txt", "gemini"),
        ("cohere_stream_tools.txt", "cohere_chat"),
        *((name, "openai_responses") for name in STREAMS),
    ],
)
def test_what_is_written_is_what_openais_client_reads(name: str, provider: str) -> None:
    one = translator(WIRES[provider])
    out = one.feed(sample(name)) + one.close()
    events = [STREAM_EVENT.validate_json(event.data) for event in SseReader().feed(out)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    final = events[-1].response
    Response.model_validate(final.model_dump(), strict=True)
    done = [event.item for event in events if event.type == "response.output_item.done"]
    added = [event for event in events if event.type == "response.output_item.added"]
    assert [event.output_index for event in added] == list(range(len(added)))
    assert sorted(item.id for item in done) == sorted(item.id for item in final.output)
    texts = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert texts == final.output_text


def test_a_stream_that_breaks_never_looks_complete() -> None:
    raw = sample("responses_stream.txt")
    for client in (openai_chat, anthropic_messages):
        one = translator(openai_responses, client)
        out = one.feed(raw[: raw.index(b"event: response.completed")]) + one.close()
        assert not one.finished
        assert b"[DONE]\n\n" not in out and b"message_stop" not in out


# ── thinking ──────────────────────────────────────────────────────────────────

MAKERS = {
    "anthropic_messages": ("claude-sonnet-4-5", "thinking"),
    "gemini": ("gemini-3-flash-preview", "thoughtSignature"),
    "bedrock_converse": ("anthropic.claude-haiku-4-5-20251001-v1:0", "reasoningText"),
}
ANSWERS: dict[str, Any] = {
    "anthropic_messages": {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "c",
        "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "PROOF"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "gemini": {
        "candidates": [
            {
                "content": {
                    "parts": [{"functionCall": {"name": "f", "id": "t1"}, "thoughtSignature": "PROOF"}]
                },
                "finishReason": "STOP",
            }
        ]
    },
    "bedrock_converse": {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "PROOF"}}},
                    {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}},
                ],
            }
        },
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    },
}


@pytest.mark.parametrize("client", ["openai_responses", "anthropic_messages", "openai_chat"])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_proof_returns_to_its_maker_and_to_nobody_else(maker: str, client: str) -> None:
    """Through every format that a client speaks, whoever answers the next turn."""
    wire = WIRES[client]
    answer = WIRES[maker].decode_answer(json.dumps(ANSWERS[maker]).encode())
    given = json.loads(wire.encode_answer(answer, model="m", request_id="req_1", created=1))
    body: dict[str, Any] = {"model": "m"}
    if client == "openai_responses":
        body["input"] = [
            {"role": "user", "content": "hi"},
            *given["output"],
            {"type": "function_call_output", "call_id": "t1", "output": "x"},
        ]
        body["tools"] = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    elif client == "anthropic_messages":
        result = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
        body["messages"] = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": given["content"]},
            {"role": "user", "content": [result]},
        ]
        body |= {"max_tokens": 50, "tools": [{"name": "f", "input_schema": {"type": "object"}}]}
    else:
        body["messages"] = [
            {"role": "user", "content": "hi"},
            given["choices"][0]["message"],
            {"role": "tool", "tool_call_id": "t1", "content": "x"},
        ]
        body["tools"] = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    request = wire.decode_request(json.dumps(body).encode())
    claudes = ("anthropic_messages", "bedrock_converse")
    for target, (model, _) in [
        *MAKERS.items(),
        ("openai_responses", ("gpt-5-mini", "")),
        ("cohere_chat", ("command-a-03-2025", "")),
    ]:
        own = target == client
        raw, _ = WIRES[target].encode_request(request if own else wire.without_own(request)[0], model=model)
        its = target == maker or (maker in claudes and target in claudes)
        assert (b"PROOF" in raw) is its, (target, raw)
        assert b"ops:" not in raw


# ── what is refused and what is named ─────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
    ],
)
def test_what_hangs_on_openais_state_is_refused_elsewhere(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        openai_responses.without_own(read(**fields))
    assert caught.value.param == param


def test_what_nobody_misses_is_named() -> None:
    body = {"truncation": "auto", "top_logprobs": 3, "text": {"verbosity": "low"}, "metadata": {"a": "b"}}
    request, dropped = openai_responses.without_own(read(**body))
    names = {drop.parameter for drop in dropped}
    assert names == {"truncation", "top_logprobs", "text.verbosity", "metadata"}
    assert json.loads(openai_chat.encode_request(request, model="gpt-4o-mini")[0]) == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hi"}],
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 5}, "input"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "function_call", "call_id": "a"}]}, "input[0].name"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_wrong_body_is_refused_with_its_parameter_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"output": 1}',
        b'{"status": "failed", "output": [], "error": {"code": "x"}}',
    ],
)
def test_an_unusable_answer_is_the_providers_fault(raw: bytes) -> None:
    with pytest.raises(ProviderUnusable):
        openai_responses.decode_answer(raw)
