"""Formats that only providers speak, through a running data plane: one list of scenarios for all of them.

The official clients of both formats that callers speak ask; the simulator answers in the provider's own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

from ops_center.simulator.config import SimulatorConfig
from ops_center.types import Price, UsageRecord
from plane import SECRET, RunningPlane, provider, running_plane, snapshot, target

pytestmark = pytest.mark.anyio

# provider type and model; a second model where another generation is written to in another way
CASES = [
    ("gemini", "gemini-3-flash-preview"),
    ("gemini", "gemini-2.5-flash"),
    ("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0"),
    ("bedrock", "amazon.nova-lite-v1:0"),
    ("cohere", "command-a-03-2025"),
]
REASONING_MODELS = {
    "gemini": "gemini-3-flash-preview",
    "bedrock": "anthropic.claude-haiku-4-5-20251001-v1:0",
    "cohere": "command-a-reasoning-08-2025",
}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
OPENAI_TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
ANTHROPIC_TOOL: Any = {"name": "weather", "input_schema": WEATHER}
TWO_CITIES = 'weather({"city": "Rome"}) and weather({"city": "Oslo"})'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
async def case(request: pytest.FixtureRequest, plane: RunningPlane) -> tuple[RunningPlane, str]:
    kind, model = request.param
    serve(plane, kind, model)
    return plane, model


@pytest.fixture
async def plane(anyio_backend: str) -> AsyncIterator[RunningPlane]:
    async with running_plane() as plane:
        yield plane


def serve(plane: RunningPlane, kind: str, *models: str) -> None:
    of = provider(plane.simulator, kind)
    plane.source.current = snapshot(*(target(of, model) for model in models))


def by_openai(plane: RunningPlane) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{plane.url}/v1", api_key=SECRET, max_retries=0)


def by_anthropic(plane: RunningPlane) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=plane.url, api_key=SECRET, max_retries=0)


def sent(plane: RunningPlane) -> Any:
    """The body that the provider got last."""
    return json.loads(plane.simulator.inference_requests[-1].body)


async def metered(plane: RunningPlane, count: int = 1) -> UsageRecord:
    record = await plane.sink.until(count)
    assert record.error_type is None, record
    assert record.cost_usd, record
    return record


# ── OpenAI's client ───────────────────────────────────────────────────────────


async def openai_chat(plane: RunningPlane, stream: bool, **body: Any) -> Any:
    """The whole message of a chat completion, streamed or not, with its finish reason and usage."""
    async with by_openai(plane) as client:
        if not stream:
            whole = await client.chat.completions.create(**body)
            return whole.choices[0].message, whole.choices[0].finish_reason, whole.usage
        state = ChatCompletionStreamState()
        async for chunk in await client.chat.completions.create(
            stream=True, stream_options={"include_usage": True}, **body
        ):
            state.handle_chunk(chunk)
        final = state.current_completion_snapshot  # the final one insists on answers that are not cut off
        return final.choices[0].message, final.choices[0].finish_reason, final.usage


async def anthropic_message(plane: RunningPlane, stream: bool, **body: Any) -> anthropic.types.Message:
    async with by_anthropic(plane) as client:
        if not stream:
            return await client.messages.create(max_tokens=1000, **body)
        async with client.messages.stream(max_tokens=1000, **body) as events:
            return await events.get_final_message()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_with_a_system_prompt(case: tuple[RunningPlane, str], stream: bool) -> None:
    plane, model = case
    message, finish, usage = await openai_chat(
        plane,
        stream,
        model=model,
        messages=[
            {"role": "developer", "content": "Answer shortly."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "say: déjà vu 🎉\nand a second line"},
        ],
    )
    assert message.content == "déjà vu 🎉\nand a second line"
    assert finish == "stop"
    record = await metered(plane)
    log = plane.simulator.inference_requests[-1]
    assert (record.usage.input_tokens, record.usage.output_tokens) == (log.input_tokens, log.output_tokens)
    assert usage.prompt_tokens == log.input_tokens
    assert usage.completion_tokens == log.output_tokens
    assert "Answer shortly." in json.dumps(sent(plane))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_same_by_anthropics_client(case: tuple[RunningPlane, str], stream: bool) -> None:
    plane, model = case
    message = await anthropic_message(
        plane,
        stream,
        model=model,
        system="Answer shortly.",
        messages=[{"role": "user", "content": "say: one two three"}],
    )
    assert [(block.type, getattr(block, "text", None)) for block in message.content] == [
        ("text", "one two three")
    ]
    assert message.stop_reason == "end_turn"
    record = await metered(plane)
    assert message.usage.input_tokens == record.usage.input_tokens
    assert message.usage.output_tokens == record.usage.output_tokens


@pytest.mark.parametrize("stream", [False, True])
async def test_parallel_tools_over_two_turns(case: tuple[RunningPlane, str], stream: bool) -> None:
    plane, model = case
    messages: list[Any] = [{"role": "user", "content": TWO_CITIES}]
    message, finish, _ = await openai_chat(plane, stream, model=model, messages=messages, tools=[OPENAI_TOOL])
    assert finish == "tool_calls"
    calls = message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert len({call.id for call in calls}) == 2 and all(call.id for call in calls)
    messages.append(message.model_dump(exclude_none=True))
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": weather}
        for call, weather in zip(calls, ("sun", "snow"), strict=True)
    ]
    answer, finish, _ = await openai_chat(plane, stream, model=model, messages=messages, tools=[OPENAI_TOOL])
    assert answer.content == "The tools answered: sun; snow"
    assert finish == "stop"
    await metered(plane, 2)


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_over_two_turns_by_anthropics_client(
    case: tuple[RunningPlane, str], stream: bool
) -> None:
    plane, model = case
    messages: list[Any] = [{"role": "user", "content": TWO_CITIES}]
    message = await anthropic_message(plane, stream, model=model, messages=messages, tools=[ANTHROPIC_TOOL])
    assert message.stop_reason == "tool_use"
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    messages.append({"role": "assistant", "content": [block.model_dump() for block in message.content]})
    results = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "sun"},
        {"type": "tool_result", "tool_use_id": calls[1].id, "content": "broken", "is_error": True},
    ]
    messages.append({"role": "user", "content": results})
    answer = await anthropic_message(plane, stream, model=model, messages=messages, tools=[ANTHROPIC_TOOL])
    assert answer.content[-1].type == "text" and answer.content[-1].text == "The tools answered: sun; broken"


async def test_tool_choices(case: tuple[RunningPlane, str]) -> None:
    plane, model = case
    ask = {"model": model, "messages": [{"role": "user", "content": "hello"}], "tools": [OPENAI_TOOL]}
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        message, finish, _ = await openai_chat(plane, False, tool_choice=choice, **ask)
        assert finish == "tool_calls" and message.tool_calls[0].function.name == "weather", choice
    ask["messages"] = [{"role": "user", "content": TWO_CITIES}]
    message, finish, _ = await openai_chat(plane, False, tool_choice="none", **ask)
    assert finish == "stop" and not message.tool_calls


@pytest.mark.parametrize("stream", [False, True])
async def test_structured_output(case: tuple[RunningPlane, str], stream: bool) -> None:
    plane, model = case
    shape = {"type": "json_schema", "json_schema": {"name": "w", "schema": WEATHER, "strict": True}}
    message, _, _ = await openai_chat(
        plane,
        stream,
        model=model,
        messages=[{"role": "user", "content": "The weather, as JSON"}],
        response_format=shape,
    )
    assert json.loads(message.content) == {"city": "text"}


@pytest.mark.parametrize("stream", [False, True])
async def test_an_end_by_length_and_by_a_stop_sequence(case: tuple[RunningPlane, str], stream: bool) -> None:
    plane, model = case
    ask = {"model": model, "messages": [{"role": "user", "content": "say: one two three four five"}]}
    message, finish, _ = await openai_chat(plane, stream, max_completion_tokens=3, **ask)
    assert (message.content, finish) == ("one two thre", "length")
    message, finish, _ = await openai_chat(plane, stream, stop=["four"], **ask)
    assert (message.content, finish) == ("one two three ", "stop")


async def test_an_image_is_counted(case: tuple[RunningPlane, str]) -> None:
    plane, model = case
    if "command" in model:
        pytest.skip("the text models of Cohere take no images")
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    await openai_chat(
        plane,
        False,
        model=model,
        messages=[{"role": "user", "content": [{"type": "text", "text": "say: yes"}, image]}],
    )
    assert PIXEL in json.dumps(sent(plane))
    assert (await metered(plane)).usage.input_tokens > 85


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", REASONING_MODELS)
async def test_thinking_is_shown_and_counted(plane: RunningPlane, kind: str, stream: bool) -> None:
    model = REASONING_MODELS[kind]
    serve(plane, kind, model)
    message, _, usage = await openai_chat(
        plane,
        stream,
        model=model,
        messages=[{"role": "user", "content": "say: done"}],
        reasoning_effort="low",
    )
    assert message.content == "done"
    assert message.reasoning_content
    record = await metered(plane)
    if kind != "gemini":
        return  # Converse and Cohere count thinking within the output and do not say how much of it
    assert 0 < record.usage.reasoning_tokens < record.usage.output_tokens
    assert usage.completion_tokens_details.reasoning_tokens == record.usage.reasoning_tokens


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in REASONING_MODELS if kind != "cohere"])
async def test_proofs_of_thinking_come_back_to_their_maker(
    plane: RunningPlane, kind: str, stream: bool
) -> None:
    model = REASONING_MODELS[kind]
    serve(plane, kind, model)
    thinking = {"type": "enabled", "budget_tokens": 1024}
    ask = {"model": model, "tools": [ANTHROPIC_TOOL]}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": TWO_CITIES}]}
    async with by_anthropic(plane) as client:

        async def say(messages: list[Any]) -> anthropic.types.Message:
            if not stream:
                return await client.messages.create(
                    max_tokens=4000, thinking=thinking, messages=messages, **ask
                )
            async with client.messages.stream(
                max_tokens=4000, thinking=thinking, messages=messages, **ask
            ) as events:
                return await events.get_final_message()

        message = await say(body["messages"])
        assert message.content[0].type == "thinking" and message.content[0].signature
        calls = [block for block in message.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sun"} for call in calls]
        answer = await say(
            [
                *body["messages"],
                {"role": "assistant", "content": [block.model_dump() for block in message.content]},
                {"role": "user", "content": results},
            ]
        )
    assert answer.content[-1].type == "text"
    assert "c2ltdWxhdGVkIHNpZ25hdHVyZQ==" in json.dumps(sent(plane)), "exactly as its maker wrote it"


# ── what goes wrong ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "ours"),
    [(400, 400), (401, 503), (403, 503), (404, 404), (429, 429), (500, 503), (503, 503), (529, 503)],
)
@pytest.mark.parametrize("kind", dict.fromkeys(kind for kind, _ in CASES))
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_means_the_same_in_every_format(
    plane: RunningPlane, kind: str, status: int, ours: int, stream: bool
) -> None:
    model = f"sim-status-{status}"
    serve(plane, kind, model)
    answer = await plane.chat(model=model, stream=stream)
    assert answer.status_code == ours, answer.text
    assert answer.json()["error"]["message"]
    assert plane.sink.only.attempts[0].status == status


@pytest.mark.parametrize("fault", ["html-200", "half-json", "empty-200", "error-in-200", "first-event-error"])
@pytest.mark.parametrize("kind", dict.fromkeys(kind for kind, _ in CASES))
async def test_an_unusable_answer_moves_on_to_the_next_target(
    plane: RunningPlane, kind: str, fault: str
) -> None:
    cheap = Price(input_mtok=Decimal("0.1"), output_mtok=Decimal("0.1"), source="test", as_of="2026-11-23")
    plane.source.current = snapshot(
        target(provider(plane.simulator, kind), f"sim-{fault}", cheap),
        target(provider(plane.simulator, "openai"), "gpt-4o-mini"),
    )
    for stream in (False, True):
        if stream and fault == "half-json":
            continue  # an event in the middle of a stream is too late for another target
        answer = await plane.chat(model="eco", stream=stream)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-ops-provider"] == "openai"
        assert answer.headers["x-ops-attempts"] == "2"


@pytest.mark.parametrize(
    "fault", ["half-json", "error-mid-stream", "stream-cut", "stream-ends-early", "reset-mid-stream"]
)
@pytest.mark.parametrize("kind", dict.fromkeys(kind for kind, _ in CASES))
async def test_a_stream_that_breaks_ends_with_an_error(plane: RunningPlane, kind: str, fault: str) -> None:
    model = f"sim-{fault}"
    serve(plane, kind, model)
    plane.simulator.configure(tokens_per_second=2000.0)
    answer = await plane.chat(model=model, stream=True)
    assert answer.status_code == 200
    events = [line for line in answer.text.split("\n\n") if line]
    assert '"error"' in events[-1], events[-2:]
    assert "[DONE]" not in answer.text
    record = await plane.sink.until()
    assert record.error_type and record.usage.input_tokens > 0


@pytest.mark.parametrize("kind", dict.fromkeys(kind for kind, _ in CASES))
async def test_cached_input_is_counted(anyio_backend: str, kind: str) -> None:
    async with running_plane(config=SimulatorConfig(cached_tokens=5)) as plane:
        serve(plane, kind, dict(reversed(CASES))[kind])
        await openai_chat(
            plane,
            False,
            model=dict(reversed(CASES))[kind],
            messages=[
                {"role": "user", "content": "a question with some length to it, so that it has tokens"}
            ],
        )
        usage = (await metered(plane)).usage
        assert usage.cache_read_tokens == 5
        assert usage.input_tokens == plane.simulator.inference_requests[-1].input_tokens


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/responses", {"input": []}, "input"),
        ("/v1/chat/completions", {"messages": []}, "messages"),
        ("/v1/completions", {"prompt": ""}, "prompt"),
    ],
)
@pytest.mark.parametrize("kind", ["gemini", "bedrock", "cohere"])
async def test_a_refusal_names_the_callers_own_parameter(
    plane: RunningPlane, kind: str, path: str, body: dict[str, Any], param: str
) -> None:
    model = REASONING_MODELS[kind]
    serve(plane, kind, model)
    answer = await plane.client.post(path, json={"model": model, **body})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param and f"`{param}`" in error["message"]


async def test_a_drop_names_the_callers_own_parameter(plane: RunningPlane) -> None:
    serve(plane, "bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0")
    answer = await plane.client.post(
        "/v1/responses",
        json={
            "model": "anthropic.claude-haiku-4-5-20251001-v1:0",
            "input": "hi",
            "text": {"format": {"type": "json_object"}},
            "parallel_tool_calls": False,
        },
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-ops-dropped"] == "text.format"
