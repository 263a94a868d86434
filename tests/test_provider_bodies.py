"""wire/gemini, bedrock_converse and cohere_chat: what is sent, what is left out, what is refused, what is read.

The simulated providers refuse what the real ones refuse, so that they judge made-up conversations.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ops_center.errors import BadRequest, ProviderUnusable
from ops_center.simulator import bedrock, cohere, gemini
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.reply import Reply
from ops_center.types import Usage
from ops_center.wire import anthropic_messages, chat, openai_chat
from ops_center.wire.formats import WIRES
from ops_center.wire.sse import SseReader
from ops_center.wire.translate import StreamTranslator
from test_translation import conversations

SAMPLES = Path(__file__).parent / "samples"
CONFIG = SimulatorConfig()
GEMINI_3, GEMINI_2 = "gemini-3-flash-preview", "gemini-2.5-flash"
CLAUDE, NOVA = "anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"
COMMAND, THINKING_COMMAND = "command-a-03-2025", "command-a-reasoning-08-2025"
FORMATS = {
    GEMINI_3: "gemini",
    GEMINI_2: "gemini",
    CLAUDE: "bedrock_converse",
    NOVA: "bedrock_converse",
    COMMAND: "cohere_chat",
    THINKING_COMMAND: "cohere_chat",
}
ASK: dict[str, Callable[[str, bytes], Reply]] = {
    "gemini": lambda model, body: gemini.generate(f"/models/{model}:generateContent", "", body, CONFIG),
    "bedrock_converse": lambda model, body: bedrock.converse(f"/model/{model}/converse", body, CONFIG),
    "cohere_chat": lambda model, body: cohere.chat(body, CONFIG),
}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
HELLO = {"role": "user", "content": "hi"}
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def encoded(request: chat.ChatRequest, model: str) -> tuple[Any, dict[str, str]]:
    raw, dropped = WIRES[FORMATS[model]].encode_request(request, model=model)
    return json.loads(raw), {drop.parameter: drop.reason for drop in dropped}


def from_openai(model: str, *messages: Any, **fields: Any) -> tuple[Any, dict[str, str]]:
    body = {"model": "x", "messages": list(messages) or [HELLO], **fields}
    return encoded(openai_chat.decode_request(json.dumps(body).encode()), model)


def from_anthropic(model: str, *messages: Any, **fields: Any) -> tuple[Any, dict[str, str]]:
    body = {"model": "x", "max_tokens": 50, "messages": list(messages) or [HELLO], **fields}
    return encoded(anthropic_messages.decode_request(json.dumps(body).encode()), model)


RICH: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, PNG]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
                {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": '{"sun": true}'},
        {"role": "tool", "tool_call_id": "call_2", "content": "snow"},
        {"role": "user", "content": "Well?"},
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "max_completion_tokens": 100,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["END"],
}


def test_a_rich_request_for_gemini() -> None:
    body, dropped = from_openai(
        GEMINI_3,
        *RICH["messages"],
        **{k: v for k, v in RICH.items() if k != "messages"},
        seed=7,
        reasoning_effort="low",
    )
    assert body == {
        "systemInstruction": {"parts": [{"text": "Be short."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Look"},
                    {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {
                        "functionCall": {"name": "f", "args": {"a": 1}, "id": "call_1"},
                        "thoughtSignature": "skip_thought_signature_validator",
                    },
                    {"functionCall": {"name": "f", "args": {}, "id": "call_2"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "f", "response": {"sun": True}, "id": "call_1"}},
                    {"functionResponse": {"name": "f", "response": {"output": "snow"}, "id": "call_2"}},
                ],
            },
            {"role": "user", "parts": [{"text": "Well?"}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}}
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "maxOutputTokens": 100,
            "temperature": 0.5,
            "topP": 0.9,
            "stopSequences": ["END"],
            "seed": 7,
            "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"},
        },
    }
    assert dropped == {}


def test_a_rich_request_for_bedrock() -> None:
    body, dropped = from_openai(NOVA, *RICH["messages"], **{k: v for k, v in RICH.items() if k != "messages"})
    assert body == {
        "system": [{"text": "Be short."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "Look"},
                    {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"toolUse": {"toolUseId": "call_1", "name": "f", "input": {"a": 1}}},
                    {"toolUse": {"toolUseId": "call_2", "name": "f", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": '{"sun": true}'}]}},
                    {"toolResult": {"toolUseId": "call_2", "content": [{"text": "snow"}]}},
                    {"text": "Well?"},
                ],
            },
        ],
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}}
            ],
            "toolChoice": {"tool": {"name": "f"}},
        },
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
    }
    assert dropped == {}


def test_a_rich_request_for_cohere() -> None:
    body, dropped = from_openai(
        COMMAND, *RICH["messages"], **{k: v for k, v in RICH.items() if k != "messages"}
    )
    assert body == {
        "model": COMMAND,
        "stream": False,
        "messages": [
            {"role": "system", "content": "Be short."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
                    {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": '{"sun": true}'},
            {"role": "tool", "tool_call_id": "call_2", "content": "snow"},
            {"role": "user", "content": "Well?"},
        ],
        "tools": [TOOL],
        "tool_choice": "REQUIRED",
        "max_tokens": 100,
        "temperature": 0.5,
        "p": 0.9,
        "stop_sequences": ["END"],
    }
    assert dropped == {}


def test_cache_marks_become_cache_points_where_the_model_takes_them() -> None:
    marked = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    tool = {"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}
    ask = {"system": [marked], "tools": [tool]}
    body, dropped = from_anthropic(CLAUDE, **ask)
    assert body["system"] == [{"text": "long"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}
    assert dropped == {}
    for model in ("meta.llama3-3-70b-instruct-v1:0", GEMINI_3, COMMAND):
        FORMATS.setdefault(model, "bedrock_converse")
        body, dropped = from_anthropic(model, **ask)
        assert "cache" not in json.dumps(body) and "cache_control" in dropped, model


@pytest.mark.parametrize(
    ("model", "fields", "config"),
    [
        (GEMINI_3, {"reasoning_effort": "minimal"}, {"includeThoughts": True, "thinkingLevel": "minimal"}),
        (GEMINI_3, {"reasoning_effort": "xhigh"}, {"includeThoughts": True, "thinkingLevel": "high"}),
        (GEMINI_3, {"reasoning_effort": "none"}, {"thinkingLevel": "minimal"}),
        (
            "gemini-3.1-pro-preview",
            {"reasoning_effort": "minimal"},
            {"includeThoughts": True, "thinkingLevel": "low"},
        ),
        (
            "gemini-3-pro-preview",
            {"reasoning_effort": "medium"},
            {"includeThoughts": True, "thinkingLevel": "high"},
        ),
        (GEMINI_2, {"reasoning_effort": "medium"}, {"includeThoughts": True, "thinkingBudget": 8192}),
        (GEMINI_2, {"reasoning_effort": "none"}, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {"reasoning_effort": "none"}, {"thinkingBudget": 128}),
        (GEMINI_2, {"reasoning": {"max_tokens": 2000}}, {"includeThoughts": True, "thinkingBudget": 2000}),
        ("gemini-2.0-flash", {"reasoning_effort": "low"}, None),
        (
            "gemini-flash-latest",
            {"reasoning_effort": "low"},
            {"includeThoughts": True, "thinkingLevel": "low"},
        ),
        (GEMINI_3, {}, None),
    ],
)
def test_thinking_follows_geminis_generation(model: str, fields: Any, config: Any) -> None:
    FORMATS.setdefault(model, "gemini")
    body, _ = from_openai(model, **fields)
    assert body.get("generationConfig", {}).get("thinkingConfig") == config


def test_thinking_on_bedrock_is_said_in_the_makers_own_words() -> None:
    body, _ = from_openai(CLAUDE, reasoning_effort="low", max_tokens=5000)
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert body["inferenceConfig"] == {"maxTokens": 5000}
    for model, fields in (
        ("openai.gpt-oss-120b-1:0", {"reasoning_effort": "high"}),
        ("amazon.nova-2-lite-v1:0", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
    ):
        FORMATS.setdefault(model, "bedrock_converse")
        assert from_openai(model, reasoning_effort="high")[0]["additionalModelRequestFields"] == fields
    body, dropped = from_openai(NOVA, reasoning_effort="high")
    assert "additionalModelRequestFields" not in body and "reasoning_effort" in dropped


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *((model, {"logit_bias": {"1": 2}}, "logit_bias") for model in (GEMINI_3, CLAUDE, COMMAND)),
    *((model, {"modalities": ["audio"]}, "modalities") for model in (GEMINI_3, CLAUDE, COMMAND)),
    *((model, {"functions": [{"name": "f"}]}, "functions") for model in (GEMINI_3, CLAUDE, COMMAND)),
    *((model, {"logprobs": True}, "logprobs") for model in (CLAUDE, COMMAND)),
    *((model, {"modalities": ["text", "image"]}, "modalities") for model in (CLAUDE, COMMAND)),
    *((model, {"tools": [{"type": "web_search"}]}, "tools[0]") for model in (GEMINI_3, CLAUDE, COMMAND)),
    *((model, {"n": 2}, "n") for model in (CLAUDE, COMMAND)),
    *((model, {"stop": ["a", "b", "c", "d", "e", "f"]}, "stop") for model in (GEMINI_3, COMMAND)),
]


@pytest.mark.parametrize(("model", "fields", "param"), REFUSED)
def test_what_must_not_be_left_out_is_refused_by_name(model: str, fields: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        from_openai(model, **fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("model", "part", "param"),
    [
        (
            CLAUDE,
            {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}},
            "messages[0].content[0]",
        ),
        (
            CLAUDE,
            {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,QQ=="}},
            "messages[0].content[0]",
        ),
        (
            CLAUDE,
            {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
            "messages[0].content[0]",
        ),
        (CLAUDE, {"type": "file", "file": {"file_id": "file-1"}}, "messages[0].content[0]"),
        (GEMINI_3, {"type": "file", "file": {"file_id": "file-1"}}, "messages[0].content[0]"),
        (
            GEMINI_3,
            {"type": "image_url", "image_url": {"url": "ftp://a.example/x.png"}},
            "messages[0].content[0]",
        ),
        (
            COMMAND,
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,QQ=="}},
            "messages[0].content[0]",
        ),
        (COMMAND, {"type": "input_audio", "input_audio": {"data": "QQ=="}}, "messages[0].content[0]"),
    ],
)
def test_a_part_that_cannot_be_taken_is_refused_by_its_place(model: str, part: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        from_openai(model, {"role": "user", "content": [part]})
    assert caught.value.param == param


def test_addresses_go_to_gemini_as_addresses_and_audio_as_data() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://a.example/x.png?y=1"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/x"}},
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QQ==", "filename": "a.pdf"}},
    ]
    body, _ = from_openai(GEMINI_3, {"role": "user", "content": parts})
    assert body["contents"][0]["parts"] == [
        {"fileData": {"fileUri": "https://a.example/x.png?y=1", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "https://a.example/x"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "QQ=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "QQ=="}},
    ]


@pytest.mark.parametrize("model", [GEMINI_3, CLAUDE, COMMAND])
def test_harmless_losses_are_named(model: str) -> None:
    _, dropped = from_openai(
        model,
        tools=[TOOL],
        parallel_tool_calls=False,
        user="u",
        store=True,
        metadata={"a": "b"},
        prompt_cache_key="k",
        service_tier="scale",
    )
    assert set(dropped) == {
        "parallel_tool_calls",
        "user",
        "store",
        "metadata",
        "prompt_cache_key",
        "service_tier",
    }
    assert from_openai(model, store=False, service_tier="auto", metadata={}, logit_bias={})[1] == {}


def test_a_result_without_its_call_is_the_callers_fault_at_gemini() -> None:
    with pytest.raises(BadRequest) as caught:
        from_openai(GEMINI_3, HELLO, {"role": "tool", "tool_call_id": "x", "content": "y"})
    assert caught.value.param == "messages[1].tool_call_id"


def test_no_choice_of_a_tool_keeps_a_conversation_with_calls_whole_on_bedrock() -> None:
    messages = RICH["messages"]
    for fields in ({"tools": [TOOL], "tool_choice": "none"}, {}):
        body, _ = from_openai(CLAUDE, *messages, **fields)
        assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["no_tool"]
    assert "toolConfig" not in from_openai(CLAUDE, tools=[TOOL], tool_choice="none")[0]


def test_thinking_goes_back_to_its_own_maker_only() -> None:
    def turns(signature: str) -> list[Any]:
        use = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
        return [
            HELLO,
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "hm", "signature": signature}, use],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]},
        ]

    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    body, dropped = from_anthropic(GEMINI_3, *turns("ops:gemini:CiQB"), tools=tools)
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == "CiQB" and not dropped
    body, _ = from_anthropic(GEMINI_3, *turns("claudes"), tools=tools)
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"
    body, dropped = from_anthropic(CLAUDE, *turns("claudes"), tools=tools)
    reasoning = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "claudes"}}}
    assert body["messages"][1]["content"][0] == reasoning and not dropped
    for model, signature in ((CLAUDE, "ops:gemini:CiQB"), (NOVA, "claudes"), (COMMAND, "claudes")):
        body, dropped = from_anthropic(model, *turns(signature), tools=tools)
        assert "hm" not in json.dumps(body) and "messages[1].thinking" in dropped, model
    openai_body = {
        "messages": [
            HELLO,
            {
                "role": "assistant",
                "content": "a",
                "thinking_blocks": turns("ops:gemini:CiQB")[1]["content"][:1],
            },
            HELLO,
        ]
    }
    request = openai_chat.decode_request(json.dumps(openai_body).encode())
    raw, drops = anthropic_messages.encode_request(request, model="claude-sonnet-4-6")
    assert b"CiQB" not in raw and drops


@pytest.mark.parametrize("model", [GEMINI_3, GEMINI_2, CLAUDE, NOVA, COMMAND])
@given(messages=conversations())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_conversation_is_one_that_the_provider_takes(
    model: str, messages: list[dict[str, Any]]
) -> None:
    request = openai_chat.decode_request(json.dumps({"messages": messages, "tools": [TOOL]}).encode())
    kind = FORMATS[model]
    parts = [part for message in request.messages for part in message.parts]
    not_taken = {
        "gemini": False,
        "bedrock_converse": any(isinstance(p, chat.Image | chat.File) and p.url for p in parts),
        "cohere_chat": any(isinstance(p, chat.File) for p in parts),
    }
    if not_taken[kind]:
        with pytest.raises(BadRequest, match="content"):
            WIRES[kind].encode_request(request, model=model)
        return
    raw, _ = WIRES[kind].encode_request(request, model=model)
    said = json.dumps(json.loads(raw), ensure_ascii=False)
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, chat.Text) and part.text.strip():
                assert json.dumps(part.text, ensure_ascii=False)[1:-1].strip() in said
            if isinstance(part, chat.Image) and part.data:
                assert part.data in said
    if kind != "bedrock_converse" or b'"bytes"' not in raw:  # made-up pictures are no pictures
        assert ASK[kind](model, raw).status == 200


# ── what is read ──────────────────────────────────────────────────────────────


def neutral(kind: str, *pieces: bytes) -> list[chat.StreamEvent]:
    reader, decoder = SseReader(), WIRES[kind].StreamDecoder()
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.close()
    return [each for event in events for each in decoder.feed(event)]


STREAMS = {
    "gemini_stream.txt": [
        chat.Start(id="q1", model=GEMINI_3, usage=Usage(input_tokens=14)),
        chat.ThinkingDelta('**Weighing "usage"**\n\nTwo words.'),
        chat.TextDelta("Grüße [DONE] "),
        chat.ThinkingSignature("EvEFCu4F", origin=chat.GEMINI),
        chat.TextDelta("🌍"),
        chat.Finish(finish_reason="stop", native_finish_reason="STOP"),
        chat.UsageEvent(Usage(input_tokens=14, output_tokens=33, cache_read_tokens=10, reasoning_tokens=26)),
    ],
    "gemini_stream_tools.txt": [
        chat.Start(id="q2", model=GEMINI_3, usage=Usage(input_tokens=80)),
        chat.ThinkingSignature("CiQB", origin=chat.GEMINI),
        chat.ToolCallStart(index=0, id="a1b2", name="get_weather"),
        chat.ToolCallDelta(index=0, arguments='{"city": "Paris \\"\\n"}'),
        chat.ToolCallStart(index=1, id="c3d4", name="get_weather"),
        chat.ToolCallDelta(index=1, arguments="{}"),
        chat.Finish(finish_reason="tool_calls", native_finish_reason="STOP"),
        chat.UsageEvent(Usage(input_tokens=80, output_tokens=80, reasoning_tokens=44)),
    ],
    "gemini_stream_picture.txt": [
        chat.Start(id="q3", model="gemini-2.5-flash-image", usage=Usage(input_tokens=9)),
        chat.Logprobs(
            (
                chat.TokenLogprob("Here", -0.25, (("Here", -0.25), ("See", -1.5))),
                chat.TokenLogprob(": ", -0.5, ((": ", -0.5),)),
            )
        ),
        chat.TextDelta("Here: "),
        chat.ImageDelta(data="iVBORw0KGgo=", media_type="image/png"),
        chat.Finish(finish_reason="stop", native_finish_reason="STOP"),
        chat.UsageEvent(Usage(input_tokens=9, output_tokens=1292)),
    ],
    "cohere_stream.txt": [
        chat.Start(id="29f14a5a"),
        chat.ThinkingDelta('Weighing "usage"'),
        chat.TextDelta("Grüße [DONE] "),
        chat.TextDelta("🌍"),
        chat.Finish(finish_reason="stop", native_finish_reason="COMPLETE"),
        chat.UsageEvent(Usage(input_tokens=17, output_tokens=12, cache_read_tokens=10)),
    ],
    "cohere_stream_tools.txt": [
        chat.Start(id="29f14a5b"),
        chat.ThinkingDelta("I will look"),
        chat.ThinkingDelta(" twice."),
        chat.ToolCallStart(index=0, id="get_weather_a1", name="get_weather"),
        chat.ToolCallDelta(index=0, arguments='{"city": "Par'),
        chat.ToolCallDelta(index=0, arguments='is \\"\\n"}'),
        chat.ToolCallStart(index=1, id="get_weather_c3", name="get_weather"),
        chat.ToolCallDelta(index=1, arguments="{}"),
        chat.Finish(finish_reason="tool_calls", native_finish_reason="TOOL_CALL"),
        chat.UsageEvent(Usage(input_tokens=80, output_tokens=80)),
    ],
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_means_the_same_wherever_it_is_cut(name: str) -> None:
    kind = "gemini" if name.startswith("gemini") else "cohere_chat"
    raw = (SAMPLES / name).read_bytes()
    whole = neutral(kind, raw)
    last_usage = [each for each in whole if isinstance(each, chat.UsageEvent)][-1]
    others = [each for each in whole if not isinstance(each, chat.UsageEvent)]
    assert [*others, last_usage] == STREAMS[name]
    for at in range(1, len(raw)):
        assert neutral(kind, raw[:at], raw[at:]) == whole, at


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("client", [openai_chat, anthropic_messages], ids=["openai", "anthropic"])
def test_a_stream_cut_short_never_looks_complete(name: str, client: Any) -> None:
    kind = "gemini" if name.startswith("gemini") else "cohere_chat"
    raw = (SAMPLES / name).read_bytes()
    end = raw.rindex(b"\n\n", 0, len(raw.rstrip())) + 2  # without its last event
    translator = StreamTranslator(
        provider=WIRES[kind], client=client, model="m", request_id="req_1", created=1, include_usage=True
    )
    out = translator.feed(raw[:end]) + translator.close()
    assert not translator.finished
    assert b"[DONE]\n\n" not in out and b"message_stop" not in out


def drawn(client: str) -> tuple[dict[str, Any], bytes]:
    """A picture with log probabilities, whole and streamed, as this client's format has it."""
    events = [
        json.loads(line[6:])
        for line in (SAMPLES / "gemini_stream_picture.txt").read_text().split("\n\n")
        if line
    ]
    candidate = events[0]["candidates"][0] | {"finishReason": "STOP"}
    candidate["content"]["parts"] += events[1]["candidates"][0]["content"]["parts"]
    answer = WIRES["gemini"].decode_answer(json.dumps({**events[2], "candidates": [candidate]}).encode())
    whole = WIRES[client].encode_answer(answer, model="m", request_id="req_1", created=1)
    stream = StreamTranslator(
        provider=WIRES["gemini"],
        client=WIRES[client],
        model="m",
        request_id="req_1",
        created=1,
        include_usage=True,
    )
    return json.loads(whole), stream.feed(
        (SAMPLES / "gemini_stream_picture.txt").read_bytes()
    ) + stream.close()


def test_pictures_and_logprobs_of_gemini_reach_openais_clients() -> None:
    whole, stream = drawn("openai_chat")
    said = whole["choices"][0]
    assert said["message"]["content"] == "Here: "
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}, "index": 0}
    assert said["message"]["images"] == [image]
    first = said["logprobs"]["content"][0]
    assert (first["token"], first["logprob"], bytes(first["bytes"])) == ("Here", -0.25, b"Here")
    assert [other["token"] for other in first["top_logprobs"]] == ["Here", "See"]
    chunks = [json.loads(line[6:]) for line in stream.decode().split("\n\n") if line.startswith("data: {")]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [choice["delta"]["images"] for choice in choices if "images" in choice["delta"]] == [[image]]
    assert [choice["logprobs"] for choice in choices if choice["logprobs"]] == [said["logprobs"]]


def test_pictures_of_gemini_reach_clients_of_responses_and_are_named_where_there_is_no_place() -> None:
    whole, stream = drawn("openai_responses")
    assert [item["type"] for item in whole["output"]] == ["message", "image_generation_call"]
    assert whole["output"][1]["result"] == "iVBORw0KGgo="
    assert b'"type":"image_generation_call","status":"completed","result":"iVBORw0KGgo="' in stream
    whole, stream = drawn("anthropic_messages")
    assert whole["content"] == [{"type": "text", "text": "Here: "}]
    assert b"message_stop" in stream and b"iVBORw0KGgo" not in stream
    FORMATS.setdefault("gemini-2.5-flash-image", "gemini")
    assert "content.image" in from_anthropic("gemini-2.5-flash-image")[1]
    assert from_openai("gemini-2.5-flash-image")[1] == {}


def test_logprobs_and_pictures_are_asked_of_gemini_and_pictures_sent_back() -> None:
    body, dropped = from_openai(GEMINI_2, logprobs=True, top_logprobs=3, modalities=["image", "text"])
    assert body["generationConfig"] == {
        "responseLogprobs": True,
        "logprobs": 3,
        "responseModalities": ["IMAGE", "TEXT"],
    }
    assert dropped == {}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    body, dropped = from_openai(
        GEMINI_2, HELLO, {"role": "assistant", "content": "Here", "images": [image]}, HELLO
    )
    assert body["contents"][1]["parts"] == [
        {"text": "Here"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
    ]
    assert dropped == {}
    with pytest.raises(BadRequest, match="images"):
        from_openai(GEMINI_2, HELLO, {"role": "assistant", "content": "a", "images": [7]}, HELLO)


def test_what_only_the_callers_format_says_is_named() -> None:
    request = openai_chat.decode_request(
        json.dumps(
            {
                "messages": [
                    HELLO,
                    {"role": "assistant", "content": "a", "audio": {"id": "x"}, "annotations": []},
                ],
                "tools": [{**TOOL, "defer_loading": True}],
            }
        ).encode()
    )
    _, dropped = openai_chat.without_own(request)
    assert [drop.parameter for drop in dropped] == ["messages[1].audio", "tools[0].defer_loading"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("A_NEW_WORD", "other"),
    ],
)
def test_finish_reasons_of_gemini(word: str, reason: str) -> None:
    candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": word}
    answer = WIRES["gemini"].decode_answer(json.dumps({"candidates": [candidate]}).encode())
    assert answer.finish_reason == reason


def test_a_refused_prompt_of_gemini_is_a_content_filter() -> None:
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    answer = WIRES["gemini"].decode_answer(json.dumps(body).encode())
    assert (answer.finish_reason, answer.usage) == ("content_filter", Usage(input_tokens=4))
    events = neutral("gemini", b"data: " + json.dumps(body).encode() + b"\n\n")
    assert chat.Finish(finish_reason="content_filter", native_finish_reason="SAFETY") in events


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("a_new_word", "other"),
    ],
)
def test_finish_reasons_of_bedrock(word: str, reason: str) -> None:
    body = {"output": {"message": {"content": [{"text": "a"}]}}, "stopReason": word}
    assert WIRES["bedrock_converse"].decode_answer(json.dumps(body).encode()).finish_reason == reason


def test_a_stop_sequence_on_bedrock_reaches_anthropics_clients() -> None:
    body = {
        "output": {"message": {"content": [{"text": "a"}]}},
        "stopReason": "stop_sequence",
        "additionalModelResponseFields": {"stop_sequence": "END"},
    }
    answer = WIRES["bedrock_converse"].decode_answer(json.dumps(body).encode())
    written = json.loads(anthropic_messages.encode_answer(answer, model="m", request_id="req_1", created=1))
    assert (written["stop_reason"], written["stop_sequence"]) == ("stop_sequence", "END")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("gemini", {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}),
        ("gemini", {"candidates": []}),
        ("gemini", {"error": {"code": 500, "message": "x"}}),
        ("bedrock_converse", {"output": {"message": {"content": []}}, "stopReason": "malformed_tool_use"}),
        ("bedrock_converse", {"message": "x"}),
        ("cohere_chat", {"message": {"content": []}, "finish_reason": "ERROR"}),
        ("cohere_chat", {"message": "invalid"}),
    ],
)
def test_an_answer_that_is_none_is_unusable(kind: str, body: Any) -> None:
    with pytest.raises(ProviderUnusable):
        WIRES[kind].decode_answer(json.dumps(body).encode())


@pytest.mark.parametrize("kind", ["gemini", "bedrock_converse", "cohere_chat"])
def test_odd_usage_costs_nobody_the_answer(kind: str) -> None:
    for odd in (
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"promptTokenCount":"x"}',
        b'{"inputTokens":-5,"outputTokens":1e99}',
        b'{"billed_units":{"input_tokens":true,"output_tokens":null}}',
    ):
        usage = WIRES[kind].read_usage(odd)
        assert usage is None or (usage.input_tokens, usage.output_tokens) == (0, 0)


def test_googles_errors_say_their_reason_and_how_long_to_wait() -> None:
    read = WIRES["gemini"].read_provider_error
    facts = read(400, gemini.refused_key().body)
    assert (facts.code, facts.type) == ("API_KEY_INVALID", "INVALID_ARGUMENT")
    facts = read(429, json.dumps(gemini.error_body(429)).encode())
    assert (facts.code, facts.retry_after_seconds) == ("RESOURCE_EXHAUSTED", 17.0)
    for odd in (b"", b"<html>", b"[]", b"[1]", b'{"error":{"details":[1,{"retryDelay":"soon"}]}}', b'"x"'):
        assert read(500, odd).retry_after_seconds is None
