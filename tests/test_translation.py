"""From one format into the other and back: nothing is lost in silence, and both official clients agree."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from ops_center.errors import BadRequest
from ops_center.types import Usage
from ops_center.wire import anthropic_messages, openai_chat
from ops_center.wire.sse import SseReader
from ops_center.wire.translate import StreamTranslator

SAMPLES = Path(__file__).parent / "samples"
HAIKU = "claude-haiku-4-5"
TO_ANTHROPIC: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
TO_OPENAI: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)
STREAM_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def to_anthropic(
    *messages: dict[str, Any], model: str = HAIKU, **fields: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """The body for Anthropic, and what was dropped with its reasons."""
    given = {"model": "x", "messages": list(messages) or [{"role": "user", "content": "hi"}], **fields}
    request = openai_chat.decode_request(json.dumps(given).encode())
    raw, dropped = anthropic_messages.encode_request(request, model=model, default_max_output_tokens=4096)
    return json.loads(raw), {drop.parameter: drop.reason for drop in dropped}


def to_openai(
    *messages: dict[str, Any], model: str = "gpt-4o", **fields: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    given = {
        "model": "x",
        "max_tokens": 10,
        "messages": list(messages) or [{"role": "user", "content": "hi"}],
        **fields,
    }
    request = anthropic_messages.decode_request(json.dumps(given).encode())
    raw, dropped = openai_chat.encode_request(request, model=model)
    return json.loads(raw), {drop.parameter: drop.reason for drop in dropped}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def call(call_id: str, arguments: str = "{}", name: str = "f") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def test_the_documented_openai_request_becomes_an_anthropic_one() -> None:
    given = json.loads((SAMPLES / "openai_request.json").read_bytes())
    messages = given.pop("messages")
    del given["model"]
    body, dropped = to_anthropic(*messages, **given)
    TO_ANTHROPIC.validate_python({**body, "stream": False})
    assert body == {
        "model": HAIKU,
        "system": "You are a helpful assistant.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What's in this image?"},
                    {
                        "type": "image",
                        "source": {"type": "url", "url": "https://upload.wikimedia.org/boardwalk.jpg"},
                    },
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                    },
                    {
                        "type": "document",
                        "source": {
                            "type": "base64",
                            "media_type": "application/pdf",
                            "data": "JVBERi0xLjQ=",
                        },
                        "title": "draconomicon.pdf",
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_abc123",
                        "name": "get_weather",
                        "input": {"location": "Boston, MA"},
                    },
                    {
                        "type": "tool_use",
                        "id": "call_abc124",
                        "name": "get_weather",
                        "input": {"location": "Rome"},
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_abc123", "content": "18 degrees"},
                    {"type": "tool_result", "tool_use_id": "call_abc124", "content": "25 degrees"},
                    {"type": "text", "text": "Which is warmer?"},
                ],
            },
        ],
        "tools": [
            {
                "name": "get_weather",
                "description": "Current temperature",
                "input_schema": {
                    "type": "object",
                    "properties": {"location": {"type": "string"}},
                    "required": ["location"],
                    "additionalProperties": False,
                },
                "strict": True,
            }
        ],
        "tool_choice": {"type": "auto"},
        "stop_sequences": ["END"],
        "max_tokens": 2048,
        "metadata": {"user_id": "user-1234"},
        "stream": True,
        "thinking": {"type": "enabled", "budget_tokens": 2047},
    }
    assert set(dropped) == {"seed", "metadata"}


def test_the_documented_anthropic_request_becomes_an_openai_one() -> None:
    given = json.loads((SAMPLES / "anthropic_request.json").read_bytes())
    messages = given.pop("messages")
    del given["model"]
    body, dropped = to_openai(*messages, **given)
    TO_OPENAI.validate_python({**body, "stream": False})
    assert body["messages"] == [
        {"role": "system", "content": "You are terse."},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQSkZJRg=="}},
                {"type": "image_url", "image_url": {"url": "https://example.com/ant.jpg"}},
                {
                    "type": "file",
                    "file": {
                        "filename": "report.pdf",
                        "file_data": "data:application/pdf;base64,JVBERi0xLjQ=",
                    },
                },
                {"type": "text", "text": "What is in this image?"},
            ],
        },
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                call("toolu_01", '{"ticker": "^GSPC"}', "get_stock_price"),
                call("toolu_02", '{"ticker": "^DJI"}', "get_stock_price"),
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_01", "content": "259.75 USD"},
        {"role": "tool", "tool_call_id": "toolu_02", "content": "unknown ticker"},
        {"role": "user", "content": "Go on."},
    ]
    assert body["parallel_tool_calls"] is False
    assert body["tool_choice"] == "auto"
    assert body["stream_options"] == {"include_usage": True}
    assert body["max_tokens"] == 1024
    assert body["user"] == "user-1234"
    assert "reasoning_effort" not in body
    assert set(dropped) == {"messages[1].thinking", "messages[2].content[1].is_error", "thinking"}


def test_cache_marks_and_signed_thinking_reach_claude_behind_an_openai_provider() -> None:
    thought = {"type": "thinking", "thinking": "a", "signature": "s"}
    body, dropped = to_openai(
        user([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]),
        {"role": "assistant", "content": [thought, {"type": "text", "text": "y"}]},
        model="anthropic/claude-haiku-4.5",
        system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    )
    assert body["messages"] == [
        {
            "role": "system",
            "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        },
        user([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]),
        {"role": "assistant", "content": "y", "thinking_blocks": [thought]},
    ]
    assert dropped == {}


def test_cache_marks_of_openai_callers_reach_anthropic() -> None:
    mark = {"type": "ephemeral"}
    body, _ = to_anthropic(
        {"role": "system", "content": "s", "cache_control": mark},
        user([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]),
        tools=[{**FUNCTION, "cache_control": mark}],
    )
    assert body["system"] == [{"type": "text", "text": "s", "cache_control": mark}]
    assert body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["tools"][0]["cache_control"] == mark


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", {"type": "none"}),
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_tool_choices_go_both_ways(choice: Any, expected: dict[str, Any]) -> None:
    body, _ = to_anthropic(tools=[FUNCTION], tool_choice=choice)
    assert body["tool_choice"] == expected
    single, _ = to_anthropic(tools=[FUNCTION], tool_choice=choice, parallel_tool_calls=False)
    assert single["tool_choice"].get("disable_parallel_tool_use", False) is (choice != "none")
    back, _ = to_openai(tools=[{"name": "f", "input_schema": {"type": "object"}}], tool_choice=expected)
    assert back["tool_choice"] == choice


def test_allowed_tools_narrow_the_list() -> None:
    other = {"type": "function", "function": {"name": "g"}}
    choice = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]},
    }
    body, _ = to_anthropic(tools=[FUNCTION, other], tool_choice=choice)
    assert [tool["name"] for tool in body["tools"]] == ["g"]
    assert body["tool_choice"] == {"type": "any"}


def test_parallel_calls_are_forbidden_without_a_choice_too() -> None:
    body, _ = to_anthropic(tools=[FUNCTION], parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_a_schema_may_be_absent_or_untyped() -> None:
    untyped = {"type": "function", "function": {"name": "g", "parameters": {"properties": {"a": {}}}}}
    body, _ = to_anthropic(tools=[{"type": "function", "function": {"name": "f"}}, untyped])
    assert body["tools"][0]["input_schema"] == {"type": "object", "properties": {}}
    assert body["tools"][1]["input_schema"] == {"type": "object", "properties": {"a": {}}}


def test_turns_of_one_role_are_merged_and_empty_ones_vanish() -> None:
    body, dropped = to_anthropic(
        user("a"),
        user(""),
        user("b"),
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": "c"},
        {"role": "assistant", "content": "d"},
        user("e"),
    )
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert dropped == {}


def test_late_system_messages_move_up_and_say_so() -> None:
    body, dropped = to_anthropic(
        {"role": "system", "content": "a"},
        {"role": "developer", "content": "b"},
        user("x"),
        {"role": "system", "content": "c"},
        user("y"),
    )
    assert [block["text"] for block in body["system"]] == ["a", "b", "c"]
    assert set(dropped) == {"messages[3].role"}


def test_a_lone_system_message_is_sent_as_a_user_turn() -> None:
    body, dropped = to_anthropic({"role": "system", "content": "a"})
    assert body["messages"] == [user("a")]
    assert "system" not in body
    assert set(dropped) == {"messages"}


def test_an_assistant_turn_at_the_end_is_continued_where_the_model_can() -> None:
    turns = [user("x"), {"role": "assistant", "content": "The answer is "}]
    older, dropped = to_anthropic(*turns, model="claude-opus-4-5")
    assert older["messages"][-1] == {"role": "assistant", "content": "The answer is"}
    assert dropped == {}
    newer, dropped = to_anthropic(*turns, model="claude-opus-4-6")
    assert newer["messages"][-1] == user("Continue.")
    assert set(dropped) == {"messages"}


def test_foreign_tool_ids_are_made_legal_on_both_sides() -> None:
    body, _ = to_anthropic(
        user("x"),
        {"role": "assistant", "content": None, "tool_calls": [call("functions.f:0")]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "y"},
    )
    assert body["messages"][1]["content"][0]["id"] == "functions_f_0"
    assert body["messages"][2]["content"][0]["tool_use_id"] == "functions_f_0"


def test_empty_arguments_are_an_empty_object() -> None:
    body, _ = to_anthropic(user("x"), {"role": "assistant", "tool_calls": [call("a", "")]}, user("y"))
    assert body["messages"][1]["content"][0]["input"] == {}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        (
            {"messages": [user([{"type": "input_audio", "input_audio": {}}])]},
            "messages[0].content[0]",
        ),
        ({"messages": [user([{"type": "file", "file": {"file_id": "f"}}])]}, "messages[0].content[0]"),
        (
            {"messages": [user([{"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}])]},
            "messages[0].content[0]",
        ),
        (
            {"messages": [user([{"type": "file", "file": {"file_data": "data:audio/mp3;base64,QQ=="}}])]},
            "messages[0].content[0]",
        ),
        (
            {"messages": [user("x"), {"role": "assistant", "tool_calls": [call("a", "[1]")]}]},
            "messages[1].tool_calls[0].function.arguments",
        ),
        ({"messages": [user("")]}, "messages"),
        ({"messages": []}, "messages"),
        ({"output_config": 5}, "output_config"),
    ],
)
def test_what_cannot_be_left_out_without_harm_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        to_anthropic(*fields.pop("messages", [user("x")]) or [{"role": "user", "content": ""}], **fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "fields",
    [
        {
            "n": 1,
            "logprobs": False,
            "top_logprobs": 0,
            "logit_bias": {},
            "modalities": ["text"],
            "functions": None,
        },
        {
            "store": False,
            "metadata": None,
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "service_tier": "auto",
        },
        {
            "response_format": {"type": "text"},
            "stream_options": {"include_usage": True},
            "parallel_tool_calls": True,
        },
    ],
)
def test_what_asks_for_nothing_is_left_out_without_a_word(fields: dict[str, Any]) -> None:
    _, dropped = to_anthropic(**fields)
    assert dropped == {}


def test_harmless_losses_are_named() -> None:
    _, dropped = to_anthropic(
        {"role": "user", "content": "x", "name": "bob"},
        seed=1,
        frequency_penalty=0.5,
        presence_penalty=0.5,
        metadata={"a": "b"},
        store=True,
        service_tier="flex",
        verbosity="low",
        provider={"only": ["x"]},
        response_format={"type": "json_object"},
    )
    assert set(dropped) == {
        "messages[0].name",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "metadata",
        "store",
        "service_tier",
        "verbosity",
        "provider",
        "response_format",
    }
    assert all(dropped.values())


def test_anthropics_own_parameters_may_stand_in_an_openai_body() -> None:
    body, dropped = to_anthropic(
        thinking={"type": "enabled", "budget_tokens": 1500},
        container="c",
        reasoning_effort="high",
        top_k=4,
        output_config={"effort": "low"},
    )
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1500}
    assert body["max_tokens"] == 4096 + 1500
    assert body["container"] == "c"
    assert body["output_config"] == {"effort": "low"}
    assert dropped == {"top_k": "not taken together with thinking"}


def test_temperature_is_clamped_and_the_change_is_named() -> None:
    body, dropped = to_anthropic(temperature=1.5)
    assert body["temperature"] == 1
    assert dropped == {"temperature": "changed from 1.5 to 1: Anthropic's range is 0 to 1"}
    assert to_anthropic(temperature=0.5)[0]["temperature"] == 0.5


def test_sampling_follows_the_generation() -> None:
    body, dropped = to_anthropic(temperature=0.5, top_p=0.5, top_k=5, model="claude-opus-4-7")
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert set(dropped) == {"temperature", "top_p", "top_k"}
    body, dropped = to_anthropic(temperature=0.5, top_p=0.5)
    assert "top_p" not in body
    assert set(dropped) == {"top_p"}
    body, dropped = to_anthropic(temperature=0.5, top_p=0.5, model="claude-3-haiku-20240307")
    assert (body["temperature"], body["top_p"], dropped) == (0.5, 0.5, {})
    assert to_anthropic(temperature=1, top_p=1, model="claude-sonnet-5")[1] == {}


@pytest.mark.parametrize(
    ("model", "fields", "expected", "dropped"),
    [
        (
            "claude-opus-4-7",
            {"reasoning_effort": "minimal"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            [],
        ),
        (
            "claude-opus-4-7",
            {"reasoning_effort": "xhigh"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
            [],
        ),
        (
            "claude-opus-4-6",
            {"reasoning_effort": "max"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            ["reasoning_effort"],
        ),
        ("claude-opus-4-7", {"reasoning_effort": "none"}, {}, []),
        ("claude-sonnet-5", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, []),
        ("claude-fable-5", {"reasoning_effort": "none"}, {}, ["reasoning_effort"]),
        (
            HAIKU,
            {"reasoning_effort": "low"},
            {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4096 + 2048},
            [],
        ),
        (
            HAIKU,
            {"reasoning_effort": "low", "max_tokens": 2000},
            {"thinking": {"type": "enabled", "budget_tokens": 1999}, "max_tokens": 2000},
            [],
        ),
        (HAIKU, {"reasoning_effort": "low", "max_tokens": 500}, {"max_tokens": 500}, ["reasoning_effort"]),
        (
            HAIKU,
            {"reasoning": {"max_tokens": 3000}},
            {"thinking": {"type": "enabled", "budget_tokens": 3000}, "max_tokens": 4096 + 3000},
            ["reasoning"],
        ),
        (HAIKU, {"reasoning": {"enabled": False}}, {}, ["reasoning"]),
        (
            HAIKU,
            {"reasoning_effort": "low", "tools": [FUNCTION], "tool_choice": "required"},
            {"max_tokens": 4096},
            ["reasoning_effort"],
        ),
        ("claude-3-haiku-20240307", {"reasoning_effort": "low"}, {}, ["reasoning_effort"]),
    ],
)
def test_reasoning_follows_the_generation(
    model: str, fields: dict[str, Any], expected: dict[str, Any], dropped: list[str]
) -> None:
    body, lost = to_anthropic(model=model, **fields)
    for name in ("thinking", "output_config"):
        assert body.get(name) == expected.get(name)
    assert body["max_tokens"] == expected.get("max_tokens", 4096)
    assert list(lost) == dropped


def test_a_tool_loop_that_lost_its_thinking_is_not_asked_to_think() -> None:
    loop = [
        user("x"),
        {"role": "assistant", "tool_calls": [call("a")]},
        {"role": "tool", "tool_call_id": "a", "content": "y"},
    ]
    body, dropped = to_anthropic(*loop, reasoning_effort="low", tools=[FUNCTION])
    assert "thinking" not in body
    assert set(dropped) == {"reasoning_effort"}
    loop[1]["thinking_blocks"] = [{"type": "thinking", "thinking": "t", "signature": "s"}]
    body, dropped = to_anthropic(*loop, reasoning_effort="low", tools=[FUNCTION])
    assert body["thinking"]["type"] == "enabled"
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "t", "signature": "s"}
    assert dropped == {}


def test_unsigned_thinking_is_not_sent_to_anthropic() -> None:
    body, dropped = to_anthropic(
        user("x"), {"role": "assistant", "content": "y", "reasoning_content": "hm"}, user("z")
    )
    assert body["messages"][1] == {"role": "assistant", "content": "y"}
    assert set(dropped) == {"messages[1].reasoning_content"}


def test_answers_after_a_schema_use_anthropics_structured_outputs() -> None:
    shape = {
        "type": "json_schema",
        "json_schema": {"name": "x", "strict": True, "schema": {"type": "object"}},
    }
    body, dropped = to_anthropic(response_format=shape)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    assert dropped == {}
    with pytest.raises(BadRequest):
        to_anthropic(response_format=shape, model="claude-opus-4-1")
    back, _ = to_openai(output_config=body["output_config"])
    assert back["response_format"]["json_schema"] == {
        "name": "answer",
        "schema": {"type": "object"},
        "strict": True,
    }


def test_text_files_become_plain_text_documents() -> None:
    data = "data:text/markdown;base64," + base64.b64encode("# é".encode()).decode()
    body, _ = to_anthropic(user([{"type": "file", "file": {"file_data": data, "filename": "a.md"}}]))
    assert body["messages"][0]["content"][0] == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "# é"},
        "title": "a.md",
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        ({"container": "c"}, "container"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "tools[0]"),
        (
            {"messages": [user([{"type": "image", "source": {"type": "file", "file_id": "f"}}])]},
            "messages[0].content[0]",
        ),
        ({"messages": [user([{"type": "search_result", "content": []}])]}, "messages[0].content[0]"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "server_tool_use", "id": "x"}]}]},
            "messages[0].content[0]",
        ),
    ],
)
def test_what_only_anthropic_does_is_refused_elsewhere(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        to_openai(*fields.pop("messages", []), **fields)
    assert caught.value.param == param


def test_a_providers_own_parameter_reaches_it_from_an_anthropic_body() -> None:
    body, dropped = to_openai(provider={"only": ["x"]}, speed="fast", top_k=3)
    assert body["provider"] == {"only": ["x"]}
    assert set(dropped) == {"speed", "top_k"}


def test_reasoning_and_sampling_follow_openais_models() -> None:
    body, dropped = to_openai(
        thinking={"type": "enabled", "budget_tokens": 4000}, temperature=1, model="gpt-5.4"
    )
    assert (body["reasoning_effort"], body["max_completion_tokens"]) == ("medium", 10)
    assert "temperature" not in body
    assert dropped == {}
    body, dropped = to_openai(temperature=0.2, model="o3")
    assert set(dropped) == {"temperature"}
    body, dropped = to_openai(output_config={"effort": "high"}, model="deepseek-reasoner", temperature=0.2)
    assert (body["reasoning_effort"], body["temperature"]) == ("high", 0.2)


def test_a_long_user_id_is_left_out() -> None:
    body, dropped = to_openai(metadata={"user_id": "u" * 65})
    assert "user" not in body
    assert set(dropped) == {"metadata.user_id"}


def test_pictures_from_tools_follow_in_a_user_message() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "ok"}, image]}
    body, _ = to_openai(user([result]))
    assert body["messages"] == [
        {"role": "tool", "tool_call_id": "t", "content": "ok"},
        user(
            [
                {"type": "text", "text": "Returned by tool call t:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
            ]
        ),
    ]


def test_an_anthropic_answer_reaches_an_openai_client_whole() -> None:
    answer = anthropic_messages.decode_answer((SAMPLES / "anthropic_answer.json").read_bytes())
    raw = openai_chat.encode_answer(answer, model="m", request_id="req_7", created=5)
    read = ChatCompletion.model_validate_json(raw, strict=True)
    assert read.id == "chatcmpl-7"
    assert read.created == 5
    message = read.choices[0].message
    assert message.content == "Hi! My name is Claude."
    assert message.tool_calls is not None
    assert json.loads(message.tool_calls[0].function.arguments) == {"location": "Rome", "days": [1, 2]}  # type: ignore[union-attr]
    assert read.choices[0].finish_reason == "tool_calls"
    assert message.model_extra == {
        "reasoning_content": "A greeting.",
        "thinking_blocks": [{"type": "thinking", "thinking": "A greeting.", "signature": "EqQBCg"}],
    }
    assert read.usage is not None
    assert (read.usage.prompt_tokens, read.usage.completion_tokens, read.usage.total_tokens) == (
        2058,
        503,
        2561,
    )
    assert read.usage.prompt_tokens_details is not None
    assert read.usage.prompt_tokens_details.cached_tokens == 1800
    assert openai_chat.read_answer_usage(raw).usage == Usage(
        input_tokens=2058, output_tokens=503, cache_read_tokens=1800, cache_write_tokens=248
    )


@pytest.mark.parametrize("name", ["openai_answer", "openai_answer_tools"])
def test_an_openai_answer_reaches_an_anthropic_client_whole(name: str) -> None:
    answer = openai_chat.decode_answer((SAMPLES / f"{name}.json").read_bytes())
    raw = anthropic_messages.encode_answer(answer, model="m", request_id="req_7", created=5)
    read = Message.model_validate_json(raw, strict=True)
    assert read.id == "msg_7"
    if name == "openai_answer":
        assert read.content[0].text == "Hello! How can I assist you today?"  # type: ignore[union-attr]
        assert read.stop_reason == "end_turn"
    else:
        assert read.content[0].input == {"location": "Boston, MA"}  # type: ignore[union-attr]
        assert read.stop_reason == "tool_use"
    assert anthropic_messages.read_answer_usage(raw).usage == answer.usage


def test_arguments_that_are_no_json_reach_an_anthropic_client_marked() -> None:
    raw = json.dumps(
        {"choices": [{"message": {"tool_calls": [call("a", '{"x": ')]}, "finish_reason": "length"}]}
    ).encode()
    written = anthropic_messages.encode_answer(
        openai_chat.decode_answer(raw), model="m", request_id="r", created=1
    )
    read = json.loads(written)
    assert read["content"][0]["input"] == {"INVALID_JSON": '{"x": '}
    assert read["stop_reason"] == "max_tokens"


def translator(provider: Any, client: Any) -> StreamTranslator:
    return StreamTranslator(
        provider=provider, client=client, model="m", request_id="req_1", created=5, include_usage=True
    )


def collected_chat(raw: bytes) -> ChatCompletion:
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    events = SseReader().feed(raw)
    assert events[-1].data == b"[DONE]"
    for event in events[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(event.data, strict=True))
    return state.current_completion_snapshot  # type: ignore[return-value]


def collected_message(raw: bytes) -> Message:
    snapshot = None
    json_bufs: dict[int, bytes] = {}
    events = SseReader().feed(raw)
    assert events[-1].event == "message_stop"
    for event in events:
        read = STREAM_EVENT.validate_json(event.data, strict=True)
        snapshot = accumulate_event(event=read, current_snapshot=snapshot, json_bufs=json_bufs)
    assert snapshot is not None
    return snapshot


@pytest.mark.parametrize(
    "name", ["anthropic_stream", "anthropic_stream_tools", "anthropic_stream_server_tools"]
)
def test_an_anthropic_stream_reaches_the_openai_client(name: str) -> None:
    stream = (SAMPLES / f"{name}.txt").read_bytes()
    one = translator(anthropic_messages, openai_chat)
    whole = one.feed(stream) + one.close()
    read = collected_chat(whole)
    message = read.choices[0].message
    if name == "anthropic_stream":
        assert message.content == 'Hello! "message_stop"\n'
        assert read.choices[0].finish_reason == "stop"
    elif name == "anthropic_stream_tools":
        assert message.content == "Let me check."
        calls = message.tool_calls or []
        assert [c.id for c in calls] == ["toolu_01T1x1fJ34qAmk2tNTrN7Up6", "toolu_02"]
        assert json.loads(calls[0].function.arguments) == {"location": "San Francisco"}  # type: ignore[union-attr]
        assert read.choices[0].finish_reason == "tool_calls"
        assert (
            b'"thinking_blocks":[{"type":"thinking","thinking":"I need the weather.","signature":"EqQB'
            in whole
        )
    else:
        assert message.content == "Sunny."
        assert message.tool_calls is None
    assert read.usage is not None
    assert one.usage is not None
    assert (read.usage.prompt_tokens, read.usage.completion_tokens) == (
        one.usage.input_tokens,
        one.usage.output_tokens,
    )
    for cut in range(0, len(stream), 7):
        again = translator(anthropic_messages, openai_chat)
        assert again.feed(stream[:cut]) + again.feed(stream[cut:]) + again.close() == whole
        assert again.finished
        assert (again.usage, again.output_bytes) == (one.usage, one.output_bytes)


@pytest.mark.parametrize(
    "name", ["openai_stream", "openai_stream_tools", "openrouter_stream", "azure_stream", "deepseek_stream"]
)
def test_an_openai_stream_reaches_the_anthropic_client(name: str) -> None:
    stream = (SAMPLES / f"{name}.txt").read_bytes()
    one = translator(openai_chat, anthropic_messages)
    whole = one.feed(stream) + one.close()
    read = collected_message(whole)
    kinds = [block.type for block in read.content]
    if name == "openai_stream":
        assert read.content[0].text == 'The capital of "France"\n is [DONE] "usage" Paris — é.'  # type: ignore[union-attr]
    elif name == "openai_stream_tools":
        assert [block.input for block in read.content] == [{"location": "Paris"}, {"location": "Rome"}]  # type: ignore[union-attr]
        assert read.stop_reason == "tool_use"
    elif name == "azure_stream":
        assert kinds == ["text"]
    else:
        assert kinds == ["thinking", "text"]
    usage = one.usage or Usage()
    assert read.usage.output_tokens == usage.output_tokens
    assert read.usage.cache_read_input_tokens in (usage.cache_read_tokens, None)
    for cut in range(0, len(stream), 7):
        again = translator(openai_chat, anthropic_messages)
        assert again.feed(stream[:cut]) + again.feed(stream[cut:]) + again.close() == whole
        assert again.finished


def test_a_translated_stream_that_breaks_never_looks_complete() -> None:
    stream = (SAMPLES / "anthropic_stream.txt").read_bytes()
    half = translator(anthropic_messages, openai_chat)
    out = half.feed(stream[: stream.index(b"event: message_delta")]) + half.close()
    assert not half.finished
    assert b"[DONE]" not in out
    assert half.usage is None
    assert half.partial_usage is not None
    assert half.partial_usage.input_tokens == 2125
    broken = translator(anthropic_messages, openai_chat)
    out = broken.feed((SAMPLES / "anthropic_stream_error.txt").read_bytes())
    assert broken.error is not None
    assert broken.error.type == "overloaded_error"
    assert b"Hello" in out
    assert b"[DONE]" not in out


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
NAME = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
LEAF = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT
ARGUMENTS = st.dictionaries(
    TEXT, st.recursive(LEAF, lambda c: st.lists(c, max_size=3), max_leaves=5), max_size=3
)
BASE64 = st.binary(min_size=1, max_size=9).map(lambda b: base64.b64encode(b).decode())
TEXT_PART = TEXT.map(lambda text: {"type": "text", "text": text})
IMAGE_PART = st.one_of(
    BASE64.map(lambda data: f"data:image/png;base64,{data}"), st.just("https://example.com/a.png")
).map(lambda url: {"type": "image_url", "image_url": {"url": url}})
FILE_PART = BASE64.map(
    lambda data: {
        "type": "file",
        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"},
    }
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Alternating turns in OpenAI's format, with pictures, files, and parallel tool calls answered at once."""
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXT)})
    for turn in range(draw(st.integers(1, 4))):
        parts = draw(st.lists(st.one_of(TEXT_PART, IMAGE_PART, FILE_PART), min_size=2, max_size=3))
        messages.append(user(draw(TEXT) if draw(st.booleans()) else parts))
        answer: dict[str, Any] = {"role": "assistant", "content": draw(TEXT)}
        calls = draw(st.lists(st.tuples(NAME, ARGUMENTS), max_size=3))
        if calls:
            answer["tool_calls"] = [
                call(f"call_{turn}_{i}", json.dumps(arguments), name)
                for i, (name, arguments) in enumerate(calls)
            ]
        messages.append(answer)
        for made in answer.get("tool_calls", ()):
            messages.append({"role": "tool", "tool_call_id": made["id"], "content": draw(TEXT)})
    messages.append(user(draw(TEXT)))
    return messages


@given(conversations())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_conversation_survives_the_way_to_anthropic_and_back(messages: list[dict[str, Any]]) -> None:
    body, dropped = to_anthropic(*messages)
    assert dropped == {}
    TO_ANTHROPIC.validate_python(body)
    roles = [turn["role"] for turn in body["messages"]]
    assert all(a != b for a, b in pairwise(roles))
    system = {"system": body["system"]} if "system" in body else {}
    back, dropped = to_openai(*body["messages"], **system)
    assert dropped == {}
    TO_OPENAI.validate_python(back)
    assert back["messages"] == messages


@given(conversations())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_both_formats_read_what_they_wrote(messages: list[dict[str, Any]]) -> None:
    request = openai_chat.decode_request(json.dumps({"model": "m", "messages": messages}).encode())
    raw, dropped = openai_chat.encode_request(request, model="m")
    assert dropped == ()
    assert openai_chat.decode_request(raw) == request
    there, _ = anthropic_messages.encode_request(request, model="m")
    read = anthropic_messages.decode_request(there)
    again, dropped = anthropic_messages.encode_request(read, model="m")
    assert dropped == ()
    assert json.loads(again) == json.loads(there)


@given(
    st.binary(max_size=200)
    | st.recursive(
        LEAF,
        lambda c: (
            st.lists(c, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["messages", "role", "content", "type", "tool_calls", "system", "tools", "max_tokens"]
                ),
                c,
                max_size=4,
            )
        ),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode())
)
@settings(max_examples=300, deadline=None)
def test_no_body_gets_more_than_a_refusal(raw: bytes) -> None:
    for wire in (openai_chat, anthropic_messages):
        try:
            request = wire.decode_request(raw)
            for other in (openai_chat, anthropic_messages):
                other.encode_request(request, model=HAIKU)
        except BadRequest:
            pass  # anything else is a bug
