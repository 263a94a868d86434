"""The official `openai` client's Responses, unchanged, against a live server with simulated providers behind it."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from live import SimulatorThread

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
PARALLEL = 'Call get_weather({"city": "Paris"}) and get_weather({"city": "Rome"})'
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# passed through, translated to Anthropic's messages, translated to chat completions
MODELS = ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5", "Local/llama-3.2-3b-instruct"]
every_provider = pytest.mark.parametrize("model", MODELS)


@every_provider
def test_create(openai_client: openai.OpenAI, simulator: SimulatorThread, model: str) -> None:
    response = openai_client.responses.create(
        model=model, instructions="Be kind.", input="say: hello there", max_output_tokens=50
    )
    assert response.output_text == "hello there"
    assert response.status == "completed"
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (4 + 2 + 4 + 4, 3)
    assert response.instructions == "Be kind."
    assert simulator.requests[-1].input_tokens == 14


@every_provider
def test_stream(openai_client: openai.OpenAI, model: str) -> None:
    text, numbers = "", []
    with openai_client.responses.stream(
        model=model, input="say: " + "abcd" * 30, max_output_tokens=100
    ) as stream:
        for event in stream:
            if hasattr(event, "sequence_number"):
                numbers.append(event.sequence_number)
            if event.type == "response.output_text.delta":
                text += event.delta
        final = stream.get_final_response()
    assert text == final.output_text == "abcd" * 30
    assert numbers == sorted(numbers)
    assert final.usage is not None
    assert final.usage.output_tokens == 30


@every_provider
def test_the_length_limit_makes_a_response_incomplete(openai_client: openai.OpenAI, model: str) -> None:
    whole = openai_client.responses.create(model=model, input="say: " + "abcd" * 30, max_output_tokens=16)
    assert whole.status == "incomplete"
    assert whole.incomplete_details is not None
    assert whole.incomplete_details.reason == "max_output_tokens"
    kinds = [
        event.type
        for event in openai_client.responses.create(
            model=model, input="say: " + "abcd" * 30, max_output_tokens=16, stream=True
        )
    ]
    assert kinds[-1] == "response.incomplete"


@every_provider
@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_tools_over_two_turns(openai_client: openai.OpenAI, model: str, streamed: bool) -> None:
    conversation: list[Any] = [{"role": "user", "content": PARALLEL}]

    def ask() -> Any:
        if not streamed:
            return openai_client.responses.create(model=model, input=conversation, tools=[WEATHER])
        with openai_client.responses.stream(model=model, input=conversation, tools=[WEATHER]) as stream:
            return stream.get_final_response()

    first = ask()
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert len({call.call_id for call in calls}) == 2
    conversation += [
        item.model_dump(exclude={"parsed_arguments"}, exclude_none=True) for item in first.output
    ]
    for call, degrees in zip(calls, ("18", "25"), strict=True):
        conversation.append({"type": "function_call_output", "call_id": call.call_id, "output": degrees})
    assert ask().output_text == "The tools answered: 18; 25"


class Place(BaseModel):
    city: str
    inhabitants: int


@every_provider
def test_parse(openai_client: openai.OpenAI, model: str) -> None:
    response = openai_client.responses.parse(model=model, input="A place, please", text_format=Place)
    assert response.output_parsed == Place(city="text", inhabitants=1)
    with openai_client.responses.stream(model=model, input="A place, please", text_format=Place) as stream:
        final = stream.get_final_response()
    assert final.output_parsed == Place(city="text", inhabitants=1)


@every_provider
def test_images(openai_client: openai.OpenAI, simulator: SimulatorThread, model: str) -> None:
    content: list[Any] = [
        {"type": "input_text", "text": "say: a dot"},
        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
    ]
    response = openai_client.responses.create(model=model, input=[{"role": "user", "content": content}])
    assert response.output_text == "a dot"
    assert simulator.requests[-1].input_tokens == 4 + 3 + 85


@pytest.mark.parametrize("streamed", [False, True])
def test_claudes_thinking_goes_back_to_it_with_its_signature(
    openai_client: openai.OpenAI, simulator: SimulatorThread, streamed: bool
) -> None:
    conversation: list[Any] = [{"role": "user", "content": PARALLEL}]

    def ask() -> Any:
        asked: Any = {
            "model": "anthropic/claude-haiku-4-5",
            "input": conversation,
            "tools": [WEATHER],
            "reasoning": {"effort": "low"},
            "include": ["reasoning.encrypted_content"],
            "store": False,
        }
        if not streamed:
            return openai_client.responses.create(**asked)
        with openai_client.responses.stream(**asked) as stream:
            return stream.get_final_response()

    first = ask()
    assert first.output[0].type == "reasoning"
    assert first.output[0].summary[0].text
    conversation += [
        item.model_dump(exclude={"parsed_arguments"}, exclude_none=True) for item in first.output
    ]
    for item in first.output:
        if item.type == "function_call":
            conversation.append({"type": "function_call_output", "call_id": item.call_id, "output": "18"})
    assert ask().output_text == "The tools answered: 18; 18"  # the simulator refuses a wrong signature


def test_a_stored_response_cannot_be_continued_elsewhere(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.responses.create(
            model="anthropic/claude-haiku-4-5", input="hi", previous_response_id="resp_1"
        )
    assert caught.value.param == "previous_response_id"


def test_errors_have_the_clients_types(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.create(model="no-such-model", input="hi")
    with (
        pytest.raises(openai.APIError),
        openai_client.responses.stream(
            model="anthropic/simulate-error-mid-stream", input="say: " + "abcd" * 40
        ) as stream,
    ):
        stream.until_done()


@pytest.mark.parametrize("streamed", [False, True])
def test_chat_reaches_a_model_served_by_responses_only(openai_client: openai.OpenAI, streamed: bool) -> None:
    tools: Any = [{"type": "function", "function": {k: v for k, v in WEATHER.items() if k != "type"}}]
    messages: list[Any] = [{"role": "user", "content": PARALLEL}]

    def ask() -> Any:
        asked: Any = {"model": "openai/gpt-5-pro", "messages": messages, "tools": tools}
        if not streamed:
            return openai_client.chat.completions.create(reasoning_effort="high", **asked)
        with openai_client.chat.completions.stream(reasoning_effort="high", **asked) as stream:
            return stream.get_final_completion()

    first = ask()
    assert first.choices[0].finish_reason == "tool_calls"
    calls = first.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert first.usage is not None or streamed
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "18"} for call in calls]
    assert ask().choices[0].message.content == "The tools answered: 18; 18"


# --- legacy completions -----------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["openai/gpt-3.5-turbo-instruct", "openai/gpt-4o-mini", *MODELS[1:]])
def test_completions(openai_client: openai.OpenAI, model: str) -> None:
    answer = openai_client.completions.create(model=model, prompt="say: hello there", max_tokens=20)
    assert answer.object == "text_completion"
    assert answer.choices[0].text == "hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
    chunks = list(
        openai_client.completions.create(model=model, prompt="say: " + "abcd" * 30, max_tokens=8, stream=True)
    )
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "abcd" * 8
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["length"]
    assert all(chunk.usage is None for chunk in chunks)


def test_completions_that_only_a_continuing_model_can_give(openai_client: openai.OpenAI) -> None:
    many = openai_client.completions.create(
        model="openai/gpt-3.5-turbo-instruct", prompt=["say: a", "say: b"], echo=True
    )
    assert [choice.text for choice in many.choices] == ["say: aa", "say: bb"]
    refused: list[tuple[str, dict[str, Any]]] = [
        ("prompt", {"prompt": ["a", "b"]}),
        ("prompt", {"prompt": [1, 2, 3]}),
        ("echo", {"prompt": "a", "echo": True}),
        ("suffix", {"prompt": "a", "suffix": "z"}),
        ("logprobs", {"prompt": "a", "logprobs": 2}),
    ]
    for param, fields in refused:
        with pytest.raises(openai.BadRequestError) as caught:
            openai_client.completions.create(model="anthropic/claude-haiku-4-5", **fields)
        assert caught.value.param == param
