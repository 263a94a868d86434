"""The official `anthropic` client."""

from __future__ import annotations

from typing import Any

import anthropic
from anthropic.types import Message
from pydantic import BaseModel
from scenarios import HELLO, KEY, LONG, URL, WEATHER_OF_TWO, WEATHERS, run, same, scenario

client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=20)
TOOLS: Any = [
    {
        "name": "weather",
        "description": "The weather of a city",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]


class Place(BaseModel):
    name: str
    people: int


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


@scenario("chat")
def chat(model: str) -> None:
    answer = client.messages.create(model=model, max_tokens=100, system="Be brief.", messages=[user(HELLO)])
    same([block.text for block in answer.content if block.type == "text"], ["hello there"])
    same(answer.stop_reason, "end_turn")
    same(answer.usage.output_tokens, 3)
    counted = client.messages.count_tokens(model=model, system="Be brief.", messages=[user(HELLO)])
    assert counted.input_tokens > 0


@scenario("stream")
def stream(model: str) -> None:
    with client.messages.stream(model=model, max_tokens=100, messages=[user(f"say: {LONG}")]) as answer:
        same("".join(answer.text_stream), LONG)
        final = answer.get_final_message()
    same((final.stop_reason, final.usage.output_tokens), ("end_turn", 30))


@scenario("tools over several turns")
def tools(model: str) -> None:
    turns: list[Any] = [user(WEATHER_OF_TWO)]

    def ask() -> Message:
        with client.messages.stream(model=model, max_tokens=300, messages=turns, tools=TOOLS) as answer:
            final = answer.get_final_message()
        turns.append({"role": "assistant", "content": [block.to_dict() for block in final.content]})
        return final

    asked = ask()
    same(asked.stop_reason, "tool_use")
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"sunny in {block.input['city']}"}
        for block in asked.content
        if block.type == "tool_use"
    ]
    turns.append(user(results))
    same([block.text for block in ask().content if block.type == "text"], [WEATHERS])
    turns.append(user("say: bye"))
    same([block.text for block in ask().content if block.type == "text"], ["bye"])


@scenario("structured output")
def structured_output(model: str) -> None:
    answer = client.messages.parse(model=model, max_tokens=100, messages=[user("Rome")], output_format=Place)
    same(answer.parsed_output, Place(name="text", people=1))


run()
