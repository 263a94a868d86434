"""OpenAI's chat format: every body read, written and judged; the official client's models agree."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ops_center.errors import (
    BadRequest,
    BudgetExceeded,
    ModelNotFound,
    OpsCenterError,
    ProviderRejected,
    ProviderUnusable,
    RateLimited,
    Unauthenticated,
)
from ops_center.types import Usage
from ops_center.wire import chat, openai_chat
from ops_center.wire.sse import SseEvent, SseReader

SAMPLES = Path(__file__).parent / "samples"


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def again(raw: bytes, model: str = "gpt-5.4") -> dict[str, Any]:
    written, dropped = openai_chat.encode_request(openai_chat.decode_request(raw), model=model)
    assert dropped == ()
    return json.loads(written)


def test_the_documented_request_comes_back_with_nothing_lost() -> None:
    raw = (SAMPLES / "openai_request.json").read_bytes()
    assert again(raw) == json.loads(raw)


@pytest.mark.parametrize(
    "fields",
    [
        {"stop": ["a", "b"], "n": 2, "logprobs": True, "top_logprobs": 3, "seed": 1},
        {"temperature": 1.7, "top_p": 0.2, "frequency_penalty": 0.5, "presence_penalty": -1},
        {"response_format": {"type": "json_object"}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "object"}},
            }
        },
        {"response_format": {"type": "grammar", "value": 1}},
        {"tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": {"type": "custom", "custom": {"name": "f"}}},
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
            }
        },
        {"tools": [{"type": "custom", "custom": {"name": "code", "format": {"type": "text"}}}]},
        {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]},
        {"parallel_tool_calls": False, "service_tier": "flex", "user": "u" * 100, "top_k": 5},
        {
            "provider": {"only": ["x"]},
            "models": ["a"],
            "store": True,
            "modalities": ["text"],
            "verbosity": "low",
        },
        {"logit_bias": {"50256": -100}, "prediction": {"type": "content", "content": "x"}},
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u", "name": "bob"}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                        {"type": "file", "file": {"file_id": "file-1"}},
                        {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                        {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
                    ],
                }
            ]
        },
        {
            "messages": [
                {"role": "user", "content": ""},
                {"role": "assistant", "content": "", "reasoning_content": "hm"},
                {"role": "user", "content": "x"},
                {
                    "role": "assistant",
                    "content": "t",
                    "thinking_blocks": [
                        {"type": "thinking", "thinking": "a", "signature": "s"},
                        {"type": "redacted_thinking", "data": "zz"},
                    ],
                    "reasoning_content": "a",
                    "reasoning_details": [{"type": "reasoning.text", "text": "a"}],
                },
                {"role": "assistant", "content": None, "refusal": "no"},
                {"role": "assistant", "content": None, "audio": {"id": "audio_1"}, "refusal": "x"},
                {
                    "role": "assistant",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "not json"}},
                    ],
                },
                {
                    "role": "tool",
                    "tool_call_id": "1",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
            ]
        },
    ],
)
def test_what_the_format_can_say_survives(fields: dict[str, Any]) -> None:
    assert again(body(**fields), "m") == json.loads(body(**fields))


def test_streams_always_ask_for_usage() -> None:
    written = again(body(stream=True), "m")
    assert written["stream_options"] == {"include_usage": True}
    assert openai_chat.decode_request(body(stream=True)).include_usage is False
    asked = openai_chat.decode_request(body(stream=True, stream_options={"include_usage": True}))
    assert asked.include_usage is True


def test_the_output_limit_has_the_name_the_model_knows() -> None:
    for model, name in (
        ("gpt-5.4", "max_completion_tokens"),
        ("openai/o3-mini", "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        ("llama-3.3-70b", "max_tokens"),
    ):
        assert again(body(max_tokens=7), model)[name] == 7
    both = openai_chat.decode_request(body(max_tokens=7, max_completion_tokens=9))
    assert both.max_output_tokens == 9


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"{", None),
        (b"<html>", None),
        (b'{"model":"\xff","messages":[]}', None),
        (b'{"model":1,"messages":[]}', "model"),
        (b'{"model":"m"}', "messages"),
        (b'{"messages":{}}', "messages"),
        (b'{"messages":["x"]}', "messages[0]"),
        (b'{"messages":[{"content":"x"}]}', "messages[0].role"),
        (b'{"messages":[{"role":"robot","content":"x"}]}', "messages[0].role"),
        (b'{"messages":[{"role":"user"}]}', "messages[0].content"),
        (b'{"messages":[{"role":"user","content":5}]}', "messages[0].content"),
        (b'{"messages":[{"role":"user","content":[{"text":"x"}]}]}', "messages[0].content[0].type"),
        (b'{"messages":[{"role":"user","content":[{"type":"text"}]}]}', "messages[0].content[0].text"),
        (
            b'{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":7}}]}]}',
            "messages[0].content[0].image_url.url",
        ),
        (b'{"messages":[{"role":"tool","content":"x"}]}', "messages[0].tool_call_id"),
        (
            b'{"messages":[{"role":"assistant","tool_calls":[{"id":"x","type":"function"}]}]}',
            "messages[0].tool_calls[0].function",
        ),
        (
            b'{"messages":[{"role":"assistant","tool_calls":[{"id":"x","function":{"name":[]}}]}]}',
            "messages[0].tool_calls[0].function.name",
        ),
        (body(stream="yes"), "stream"),
        (body(max_tokens="10"), "max_tokens"),
        (body(temperature="hot"), "temperature"),
        (body(stop=[1]), "stop[0]"),
        (body(tools={}), "tools"),
        (body(tools=[{"type": "function"}]), "tools[0].function"),
        (body(tool_choice="maybe"), "tool_choice"),
        (body(response_format="json"), "response_format"),
        (body(stream_options=[]), "stream_options"),
        (b'{"messages":[{"role":"user","content":"\\ud800"}]}', None),
    ],
)
def test_a_wrong_body_is_refused_with_its_parameter_named(raw: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        openai_chat.decode_request(raw)
    assert caught.value.param == param
    assert caught.value.status == 400


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_nesting_is_refused_not_a_crash(depth: int) -> None:
    for raw in (
        b'{"messages":' + b"[" * depth + b"]" * depth + b"}",
        b'{"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":'
        + b'{"a":' * depth
        + b"1"
        + b"}" * depth
        + b"}}]}",
        b'{"messages":[{"role":"user","content":' + b"[" * depth + b"]" * depth + b"}]}",
    ):
        with pytest.raises(BadRequest):
            openai_chat.decode_request(raw)


def test_the_message_says_in_plain_words_what_is_wrong() -> None:
    with pytest.raises(BadRequest) as caught:
        openai_chat.decode_request(b'{"messages":[{"role":"user","content":5}]}')
    assert caught.value.message == "`messages[0].content`: expected string or array or null, got integer."


@pytest.mark.parametrize("name", ["openai_answer", "openai_answer_tools"])
def test_an_answer_comes_back_with_nothing_lost(name: str) -> None:
    raw = (SAMPLES / f"{name}.json").read_bytes()
    answer = openai_chat.decode_answer(raw)
    written = json.loads(openai_chat.encode_answer(answer, model=answer.model, request_id="req_1", created=1))
    expected = json.loads(raw)
    expected["choices"][0]["message"].setdefault("refusal", None)
    assert written == expected
    ChatCompletion.model_validate(written, strict=True)


def test_an_answers_parts_are_read_whatever_server_wrote_them() -> None:
    answer = openai_chat.decode_answer(
        b'{"choices":[{"message":{"content":"a","reasoning":"r","tool_calls":[{"function":{"name":"f",'
        b'"arguments":null}}]},"finish_reason":"stop"}]}'
    )
    assert answer.choices[0].parts == (
        chat.Thinking(text="r"),
        chat.Text("a"),
        chat.ToolCall(id="call_0", name="f", arguments=""),
    )
    assert answer.finish_reason == "tool_calls"
    assert answer.usage is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>down</html>",
        b'{"choices":[{"mess',
        b'{"id":"x"}',
        b'{"choices":{}}',
        b'{"choices":[]}',
        b'{"choices":[{}]}',
        b'{"choices":[{"message":5}]}',
        b'{"error":{"message":"boom"}}',
        b'{"error":{"message":"boom"},"choices":[{"message":{"content":""}}]}',
        b'{"object":"error","message":"boom"}',
        b'{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}',
        b"[" * 100_000,
        b'{"choices":[{"message":{"content":"\xff"}}]}',
    ],
)
def test_an_unusable_answer_is_the_providers_fault_and_shows_no_byte_of_it(raw: bytes) -> None:
    with pytest.raises(ProviderUnusable) as caught:
        openai_chat.decode_answer(raw)
    assert caught.value.status == 502
    for text in (caught.value.message, caught.value.detail or ""):
        assert "boom" not in text
        assert "down" not in text


@pytest.mark.parametrize(
    ("raw", "facts"),
    [
        (
            b'{"choices":[{"finish_reason":"length","message":{}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}',
            chat.AnswerFacts(usage=Usage(input_tokens=3, output_tokens=4), finish_reason="length"),
        ),
        (b'{"choices":[{"finish_reason":"eos"}]}', chat.AnswerFacts(finish_reason="stop")),
        (b'{"choices":[{"finish_reason":"new"}],"usage":null}', chat.AnswerFacts(finish_reason="other")),
        (b'{"choices":[{"finish_reason":null}],"usage":[]}', chat.AnswerFacts()),
        (b"<html>", chat.AnswerFacts(valid=False)),
        (b'{"choices":[{"fin', chat.AnswerFacts(valid=False)),
        (b'{"choices":"none"}', chat.AnswerFacts(valid=False)),
        (b'{"error":"x"}', chat.AnswerFacts(valid=False, error=True)),
        (b'{"choices":[],"error":{"code":1}}', chat.AnswerFacts(error=True)),
    ],
)
def test_facts_of_a_passing_answer(raw: bytes, facts: chat.AnswerFacts) -> None:
    assert openai_chat.read_answer_usage(raw) == facts


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 7}, Usage(input_tokens=5, output_tokens=7)),
        ({}, None),
        (None, None),
        ([], None),
        ({"total_tokens": 4}, None),
        ({"prompt_tokens": "5", "completion_tokens": 7.0}, Usage(input_tokens=0, output_tokens=7)),
        ({"prompt_tokens": -5, "completion_tokens": 10**30}, Usage()),
        ({"prompt_tokens": True, "completion_tokens": 1e400}, Usage()),
        (
            {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(input_tokens=5, output_tokens=7, cache_read_tokens=5),
        ),
        (  # Grok: reasoning beside the output
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "total_tokens": 112,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            Usage(input_tokens=5, output_tokens=107, reasoning_tokens=100),
        ),
        (  # Gemini: only the total shows it
            {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 112},
            Usage(input_tokens=5, output_tokens=107, reasoning_tokens=100),
        ),
        (
            {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "cost": 0.00014,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.0028},
            },
            Usage(input_tokens=1, output_tokens=1, provider_cost_usd=Decimal("0.00294")),
        ),
        (
            {"prompt_tokens": 1, "completion_tokens": 1, "cost": {"total_cost": 0.006}},
            Usage(input_tokens=1, output_tokens=1, provider_cost_usd=Decimal("0.006")),
        ),
        ({"prompt_tokens": 1, "completion_tokens": 1, "cost": -1}, Usage(input_tokens=1, output_tokens=1)),
        (
            {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0},
            Usage(input_tokens=1, output_tokens=1, provider_cost_usd=Decimal(0)),
        ),
    ],
)
def test_usage_of_every_server_is_read(usage: object, expected: Usage | None) -> None:
    raw = json.dumps(usage).replace("Infinity", "1e400").encode()
    assert openai_chat.read_usage(raw) == expected


def chunks(raw: bytes) -> list[dict[str, Any]]:
    events = SseReader().feed(raw)
    assert events[-1].data == b"[DONE]"
    return [json.loads(event.data) for event in events[:-1]]


@pytest.mark.parametrize(
    "name", ["openai_stream", "openai_stream_tools", "deepseek_stream", "openrouter_stream", "mistral_stream"]
)
def test_a_stream_comes_back_with_its_meaning(name: str) -> None:
    reader, decoder = SseReader(), openai_chat.StreamDecoder()
    events = [e for event in reader.feed((SAMPLES / f"{name}.txt").read_bytes()) for e in decoder.feed(event)]
    assert decoder.finished
    encoder = openai_chat.StreamEncoder(model="m", request_id="req_1", created=5, include_usage=True)
    raw = b"".join(encoder.encode(event) for event in events) + encoder.close()
    for chunk in chunks(raw):
        ChatCompletionChunk.model_validate(chunk, strict=True)
    second = openai_chat.StreamDecoder()
    back = [e for event in SseReader().feed(raw) for e in second.feed(event)]
    cost_of_provider = [e for e in events if isinstance(e, chat.UsageEvent)]
    assert cost_of_provider
    ignored = (chat.Start, chat.UsageEvent)
    assert [e for e in back if not isinstance(e, ignored)] == [
        e for e in events if not isinstance(e, ignored)
    ]


def test_usage_ends_the_stream_only_when_it_was_asked_for() -> None:
    for asked in (True, False):
        encoder = openai_chat.StreamEncoder(model="m", request_id="req_1", created=5, include_usage=asked)
        raw = encoder.encode(chat.TextDelta("x")) + encoder.encode(
            chat.UsageEvent(Usage(input_tokens=1, output_tokens=2))
        )
        raw += encoder.encode(chat.Finish(finish_reason="stop")) + encoder.close()
        written = chunks(raw)
        assert any(chunk.get("usage") for chunk in written) is asked
        assert any("usage" in chunk for chunk in written) is asked
        assert (written[-1]["choices"] == []) is asked
        assert written[0]["choices"][0]["delta"]["role"] == "assistant"


def test_tool_calls_without_an_index_or_all_with_the_same_stay_apart() -> None:
    for index in ("", '"index":0,'):
        decoder = openai_chat.StreamDecoder()
        events = []
        for call_id, arguments in (("a", "{}"), ("b", '{"x":'), (None, "1}")):
            call = f'{{{index}"id":{json.dumps(call_id)},"function":{{"name":"f","arguments":{json.dumps(arguments)}}}}}'
            data = f'{{"choices":[{{"delta":{{"tool_calls":[{call}]}}}}]}}'
            events += decoder.feed(SseEvent("", data.encode()))
        starts = [(e.index, e.id) for e in events if isinstance(e, chat.ToolCallStart)]
        assert starts == [(0, "a"), (1, "b")]
        pieces = [(e.index, e.arguments) for e in events if isinstance(e, chat.ToolCallDelta)]
        assert pieces == [(0, "{}"), (1, '{"x":'), (1, "1}")]


def test_a_server_that_repeats_the_id_does_not_begin_a_new_call() -> None:
    decoder = openai_chat.StreamDecoder()
    events = []
    for arguments in ("{", "}"):
        call = f'{{"index":0,"id":"a","function":{{"name":"f","arguments":"{arguments}"}}}}'
        events += decoder.feed(
            SseEvent("", f'{{"choices":[{{"delta":{{"tool_calls":[{call}]}}}}]}}'.encode())
        )
    assert len([e for e in events if isinstance(e, chat.ToolCallStart)]) == 1


@pytest.mark.parametrize(
    "event",
    [
        SseEvent("", b'{"error":{"message":"m","type":"t","code":429}}'),
        SseEvent("error", b'{"message":"m","type":"t","code":"429"}'),
        SseEvent(
            "",
            b'{"choices":[{"delta":{},"finish_reason":"error"}],"error":{"message":"m","type":"t","code":"429"}}',
        ),
    ],
)
def test_an_error_event_is_read_as_one(event: SseEvent) -> None:
    (error,) = openai_chat.StreamDecoder().feed(event)
    assert error == chat.StreamError(code="429", type="t", message="m")


def test_a_stream_that_is_not_json_is_the_providers_fault() -> None:
    for data in (b"<html>", b'{"choices":[', b'{"choices":5}', b"[" * 100_000):
        with pytest.raises(ProviderUnusable):
            openai_chat.StreamDecoder().feed(SseEvent("", data))


@pytest.mark.parametrize(
    ("error", "type_", "code"),
    [
        (BadRequest("no", param="n"), "invalid_request_error", None),
        (Unauthenticated("no"), "authentication_error", "invalid_api_key"),
        (ModelNotFound("no", param="model"), "model_not_found", "model_not_found"),
        (RateLimited("no"), "rate_limit_error", "rate_limit_exceeded"),
        (BudgetExceeded("no"), "budget_exceeded", "budget_exceeded"),
        (ProviderUnusable("no"), "provider_unusable_answer", "provider_unusable_answer"),
        (
            ProviderRejected("no", code="context_length_exceeded"),
            "invalid_request_error",
            "context_length_exceeded",
        ),
    ],
)
def test_errors_have_openais_shape(error: OpsCenterError, type_: str, code: str | None) -> None:
    written = json.loads(openai_chat.encode_error(error))
    assert written == {"error": {"message": "no", "type": type_, "param": error.param, "code": code}}
    (event,) = SseReader().feed(openai_chat.encode_stream_error(error))
    assert json.loads(event.data) == written


@pytest.mark.parametrize(
    ("raw", "facts"),
    [
        (b'{"error":{"message":"m","type":"t","code":"c"}}', ("c", "t", "m")),
        (b'{"error":{"message":"m","code":402}}', ("402", None, "m")),
        (b'{"error":"m"}', (None, None, "m")),
        (b'{"detail":"m"}', (None, None, "m")),
        (b'{"detail":[{"loc":["body"],"msg":"m","type":"missing"}]}', (None, "missing", "m")),
        (
            b'{"object":"error","message":"m","type":"BadRequestError","code":400}',
            ("400", "BadRequestError", "m"),
        ),
        (b'{"type":"error","error":{"type":"t","message":"m"}}', (None, "t", "m")),
        (
            b'[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]',
            ("400", "INVALID_ARGUMENT", "m"),
        ),
        (b'"m"', (None, None, "m")),
        (b"<html>m</html>", (None, None, None)),
        (b'{"error":{"mess', (None, None, None)),
        (b"", (None, None, None)),
        (b"\xff\xfe", (None, None, None)),
        (b"5", (None, None, None)),
        (b'{"error":5}', (None, None, None)),
        (b'{"error":{"message":{"a":1},"type":[],"code":true}}', (None, None, None)),
        (b"[" * 100_000, (None, None, None)),
    ],
)
def test_a_providers_error_is_read_in_any_shape(raw: bytes, facts: tuple[str | None, ...]) -> None:
    code, type_, message = facts
    assert openai_chat.read_provider_error(400, raw) == chat.ProviderErrorFacts(
        code=code, type=type_, message=message
    )


def test_a_foreign_message_is_kept_short() -> None:
    raw = msgspec.json.encode({"error": {"message": "x" * 100_000}})
    assert len(openai_chat.read_provider_error(400, raw).message or "") == 2000


# ── what servers write in more than one way ───────────────────────────────────


def test_thinking_in_mistrals_list_of_contents_is_read() -> None:
    reader, decoder = SseReader(), openai_chat.StreamDecoder()
    raw = (SAMPLES / "mistral_stream.txt").read_bytes()
    events = [e for event in reader.feed(raw) for e in decoder.feed(event)]
    assert [e for e in events if isinstance(e, chat.ThinkingDelta | chat.TextDelta)] == [
        chat.ThinkingDelta('Weighing "usage"'),
        chat.ThinkingDelta(" twice."),
        chat.TextDelta("Grüße "),
        chat.TextDelta("[DONE] 🌍"),
    ]
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "hi"},
    ]
    assert read_message(content=content).parts == (chat.Thinking(text="hm"), chat.Text("hi"))


def read_message(*, choice: dict[str, Any] | None = None, **message: Any) -> chat.Choice:
    said = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": "stop",
        **(choice or {}),
    }
    return openai_chat.decode_answer(
        json.dumps({"id": "x", "model": "m", "choices": [said]}).encode()
    ).choices[0]


def test_arguments_may_be_an_object() -> None:
    function = {"name": "f", "arguments": {"a": 1}}
    part = read_message(content=None, tool_calls=[{"id": "a", "function": function}]).parts[0]
    assert isinstance(part, chat.ToolCall)
    assert json.loads(part.arguments) == {"a": 1}


@pytest.mark.parametrize(
    "logprobs",
    [None, {}, {"content": None}, {"tokens": ["x"]}, {"content": [{"token": "x", "logprob": None}]}, "odd"],
)
def test_odd_additions_cost_nobody_the_answer(logprobs: object) -> None:
    choice = read_message(content="x", images="odd", choice={"logprobs": logprobs})
    assert choice.parts == (chat.Text("x"),)
    assert choice.logprobs is None


def test_logprobs_and_pictures_come_back_as_they_were() -> None:
    token = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    logprobs = {"content": [{**token, "top_logprobs": [token]}], "refusal": None}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}, "index": 0}
    said = {
        "index": 0,
        "message": {"role": "assistant", "content": "é", "refusal": None, "images": [image]},
        "logprobs": logprobs,
        "finish_reason": "stop",
    }
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [said]}
    answer = openai_chat.decode_answer(json.dumps(body).encode())
    assert chat.Image(media_type="image/png", data="iVBORw0KGgo=") in answer.choices[0].parts
    assert json.loads(openai_chat.encode_answer(answer, model="m", request_id="req_1", created=1)) == body
