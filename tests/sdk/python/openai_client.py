"""The official `openai` client."""

from __future__ import annotations

import json
from typing import Any

import openai
from openai.types.chat import ChatCompletion
from pydantic import BaseModel
from scenarios import (
    DIMENSIONS,
    HELLO,
    KEY,
    LONG,
    PLACE,
    URL,
    WEATHER_OF_TWO,
    WEATHERS,
    run,
    same,
    scenario,
)

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0, timeout=20)
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


class Place(BaseModel):
    name: str
    people: int


def user(text: str) -> Any:
    return {"role": "user", "content": text}


@scenario("chat")
def chat(model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "system", "content": "Be brief."}, user(HELLO)], max_tokens=100
    )
    same(answer.choices[0].message.content, "hello there")
    same(answer.choices[0].finish_reason, "stop")
    assert answer.usage and answer.usage.completion_tokens == 3, answer.usage


@scenario("stream")
def stream(model: str) -> None:
    chunks = list(
        client.chat.completions.create(
            model=model,
            messages=[user(f"say: {LONG}")],
            stream=True,
            stream_options={"include_usage": True},
            max_tokens=100,
        )
    )
    choices = [choice for chunk in chunks for choice in chunk.choices]
    same("".join(choice.delta.content or "" for choice in choices), LONG)
    same([choice.finish_reason for choice in choices if choice.finish_reason], ["stop"])
    same([chunk.usage.completion_tokens for chunk in chunks if chunk.usage], [30])


@scenario("tools over several turns")
def tools(model: str) -> None:
    turns: list[Any] = [user(WEATHER_OF_TWO)]

    def ask() -> ChatCompletion:
        answer = client.chat.completions.create(model=model, messages=turns, tools=TOOLS, max_tokens=300)
        turns.append(answer.choices[0].message.to_dict())
        return answer

    asked = ask().choices[0]
    same(asked.finish_reason, "tool_calls")
    for call in asked.message.tool_calls or []:
        assert call.type == "function"
        city = json.loads(call.function.arguments)["city"]
        turns.append({"role": "tool", "tool_call_id": call.id, "content": f"sunny in {city}"})
    same(ask().choices[0].message.content, WEATHERS)
    turns.append(user("say: bye"))
    same(ask().choices[0].message.content, "bye")


@scenario("structured output")
def structured_output(model: str) -> None:
    answer = client.chat.completions.parse(model=model, messages=[user("Rome")], response_format=Place)
    same(answer.choices[0].message.parsed, Place(name="text", people=1))
    plain = client.chat.completions.create(
        model=model,
        messages=[user("Rome")],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": PLACE, "strict": True},
        },
    )
    same(json.loads(plain.choices[0].message.content or ""), {"name": "text", "people": 1})


@scenario("embeddings")
def embeddings(model: str) -> None:
    answer = client.embeddings.create(model=model, input=["a fox", "a dog"])
    same([len(one.embedding) for one in answer.data], [DIMENSIONS] * 2)


run()
