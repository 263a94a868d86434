"""pydantic-ai over `/v1/chat/completions` and, with the argument `anthropic` or `responses`, over the others."""

from __future__ import annotations

import sys

from anthropic import AsyncAnthropic
from pydantic import BaseModel
from pydantic_ai import Agent, Embedder, NativeOutput, ToolOutput
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from scenarios import DIMENSIONS, HELLO, KEY, LONG, URL, WEATHER_OF_TWO, WEATHERS, run, same, scenario

SPEAKS = sys.argv[1] if len(sys.argv) > 1 else "chat"
openai = OpenAIProvider(base_url=f"{URL}/v1", api_key=KEY)


class Place(BaseModel):
    name: str
    people: int


def chat_model(name: str) -> Model:
    if SPEAKS == "anthropic":
        client = AsyncAnthropic(base_url=URL, api_key=KEY)
        return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client))
    if SPEAKS == "responses":
        return OpenAIResponsesModel(name, provider=openai)
    return OpenAIChatModel(name, provider=openai)


@scenario("chat")
async def chat(model: str) -> None:
    answer = await Agent(chat_model(model), instructions="Be brief.").run(HELLO)
    same(answer.output, "hello there")
    same(answer.usage.output_tokens, 3)


@scenario("stream")
async def stream(model: str) -> None:
    async with Agent(chat_model(model)).run_stream(f"say: {LONG}") as answer:
        same("".join([text async for text in answer.stream_text(delta=True)]), LONG)
        same(answer.usage.output_tokens, 30)


@scenario("tools over several turns")
async def tools(model: str) -> None:
    agent = Agent(chat_model(model))

    @agent.tool_plain
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"sunny in {city}"

    first = await agent.run(WEATHER_OF_TWO)
    same(first.output, WEATHERS)
    same((await agent.run("say: bye", message_history=first.all_messages())).output, "bye")


@scenario("structured output")
async def structured_output(model: str) -> None:
    # it knows by a model's own name that Anthropic's models have it natively
    ways = [ToolOutput(Place)] if SPEAKS == "anthropic" else [NativeOutput(Place), ToolOutput(Place)]
    for way in ways:
        answer = await Agent(chat_model(model), output_type=way).run("Rome")
        same(answer.output, Place(name="text", people=1))


if SPEAKS == "chat":

    @scenario("embeddings")
    async def embeddings(model: str) -> None:
        answer = await Embedder(OpenAIEmbeddingModel(model, provider=openai)).embed_documents(
            ["a fox", "a dog"]
        )
        same([len(vector) for vector in answer.embeddings], [DIMENSIONS] * 2)


run()
