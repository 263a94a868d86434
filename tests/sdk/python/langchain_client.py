"""LangChain: `langchain-openai` and, with the argument `anthropic`, `langchain-anthropic`."""

from __future__ import annotations

import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel
from scenarios import DIMENSIONS, HELLO, KEY, LONG, URL, WEATHER_OF_TWO, WEATHERS, run, same, scenario


class Place(BaseModel):
    """A place."""

    name: str
    people: int


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def chat_model(model: str) -> BaseChatModel:
    how: Any = {"model": model, "api_key": KEY, "max_retries": 0, "timeout": 20, "max_tokens": 300}
    if sys.argv[1:] == ["anthropic"]:
        return ChatAnthropic(base_url=URL, **how)
    return ChatOpenAI(base_url=f"{URL}/v1", stream_usage=True, **how)


@scenario("chat")
def chat(model: str) -> None:
    answer = chat_model(model).invoke([SystemMessage("Be brief."), HumanMessage(HELLO)])
    same(answer.text, "hello there")
    assert answer.usage_metadata and answer.usage_metadata["output_tokens"] == 3, answer.usage_metadata


@scenario("stream")
async def stream(model: str) -> None:
    whole: Any = None
    async for chunk in chat_model(model).astream(f"say: {LONG}"):
        whole = chunk if whole is None else whole + chunk
    same(whole.text, LONG)
    same(whole.usage_metadata["output_tokens"], 30)


@scenario("tools over several turns")
def tools(model: str) -> None:
    asked = chat_model(model).bind_tools([weather])
    turns: list[BaseMessage] = [HumanMessage(WEATHER_OF_TWO)]
    turns.append(asked.invoke(turns))
    turns += [weather.invoke(call) for call in turns[-1].tool_calls]  # type: ignore[attr-defined]
    turns.append(asked.invoke(turns))
    same(turns[-1].text, WEATHERS)
    turns.append(HumanMessage("say: bye"))
    same(asked.invoke(turns).text, "bye")


@scenario("structured output")
def structured_output(model: str) -> None:
    for method in ("json_schema", "function_calling"):
        asked = chat_model(model).with_structured_output(Place, method=method)
        same(asked.invoke("Rome"), Place(name="text", people=1))


if sys.argv[1:] != ["anthropic"]:

    @scenario("embeddings")
    def embeddings(model: str) -> None:
        asked = OpenAIEmbeddings(
            model=model,
            base_url=f"{URL}/v1",
            api_key=KEY,  # type: ignore[arg-type]
            check_embedding_ctx_length=False,  # it would fetch a table of tokens from the network
        )
        same([len(vector) for vector in asked.embed_documents(["a fox", "a dog"])], [DIMENSIONS] * 2)


run()
