"""LlamaIndex's `OpenAILike`. Its `Anthropic` asks only models whose names it knows by itself."""

from __future__ import annotations

from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel
from scenarios import DIMENSIONS, HELLO, KEY, LONG, URL, WEATHER_OF_TWO, WEATHERS, run, same, scenario


class Place(BaseModel):
    """A place."""

    name: str
    people: int


def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def chat_model(model: str) -> OpenAILike:
    return OpenAILike(
        model=model,
        api_base=f"{URL}/v1",
        api_key=KEY,
        max_retries=0,
        timeout=20,
        max_tokens=300,
        is_chat_model=True,
        is_function_calling_model=True,
        should_use_structured_outputs=True,
    )


@scenario("chat")
def chat(model: str) -> None:
    system = ChatMessage(role=MessageRole.SYSTEM, content="Be brief.")
    answer = chat_model(model).chat([system, ChatMessage(content=HELLO)])
    same(answer.message.content, "hello there")


@scenario("stream")
def stream(model: str) -> None:
    chunks = chat_model(model).stream_chat([ChatMessage(content=f"say: {LONG}")])
    same("".join(chunk.delta or "" for chunk in chunks), LONG)


@scenario("tools over several turns")
def tools(model: str) -> None:
    llm, tool = chat_model(model), FunctionTool.from_defaults(weather)
    turns = [ChatMessage(content=WEATHER_OF_TWO)]
    asked = llm.chat_with_tools([tool], chat_history=turns, allow_parallel_tool_calls=True)
    turns.append(asked.message)
    for call in llm.get_tool_calls_from_response(asked):
        turns.append(
            ChatMessage(
                role=MessageRole.TOOL,
                content=str(tool(**call.tool_kwargs)),
                additional_kwargs={"tool_call_id": call.tool_id},
            )
        )
    turns.append(llm.chat_with_tools([tool], chat_history=turns).message)
    same(turns[-1].content, WEATHERS)
    turns.append(ChatMessage(content="say: bye"))
    same(llm.chat_with_tools([tool], chat_history=turns).message.content, "bye")


@scenario("structured output")
def structured_output(model: str) -> None:
    answer = chat_model(model).as_structured_llm(Place).chat([ChatMessage(content="Rome")])
    same(answer.raw, Place(name="text", people=1))


@scenario("embeddings")
def embeddings(model: str) -> None:
    asked = OpenAIEmbedding(model_name=model, api_base=f"{URL}/v1", api_key=KEY, max_retries=0)
    vectors = asked.get_text_embedding_batch(["a fox", "a dog"])
    same([len(vector) for vector in vectors], [DIMENSIONS] * 2)


run()
