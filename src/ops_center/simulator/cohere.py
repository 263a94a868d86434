"""Cohere's chat (v2) as Cohere answers it: whole, streamed, with its list of models and its errors.

Shapes: https://docs.cohere.com/reference/chat (2026-11). Bills fewer tokens than it counts, as Cohere does.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec

from ops_center.simulator.answers import (
    MESSAGE_TOKENS,
    REASONING_TOKENS,
    Answer,
    Ask,
    Tool,
    compact,
    compose,
    count_tokens,
)
from ops_center.simulator.catalogues import SimulatedModel, find
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.openai_chat import pieces
from ops_center.simulator.reply import EVENT_TYPE, JSON_TYPE, Event, Reply, Tokens, json_reply, sse

THOUGHT = "The simulator thinks about it."
PLAN = "I will ask the tools."
UNBILLED_TOKENS = 66  # of Cohere's own preamble

_numbers = itertools.count(1)


class Refused(Exception):
    """The request is one that Cohere refuses."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def reply(self) -> Reply:
        return json_reply(error_body(self.message), status=self.status)


def error_body(message: str | None = None) -> dict[str, Any]:
    return {
        "id": f"sim-{next(_numbers):012d}",
        "message": message or "The simulated service could not answer.",
    }


def model_list(models: Mapping[str, SimulatedModel]) -> dict[str, Any]:
    return {
        "models": [
            {
                "name": model.id,
                "endpoints": [model.id.partition("-")[0]]
                if model.id.startswith(("embed-", "rerank-"))
                else ["chat", "generate"],
                "finetuned": False,
                "context_length": model.context_window,
                "features": ["tools"] if model.tools else [],
            }
            for model in models.values()
        ]
    }


def reranked(reply: Reply) -> Reply:
    """A reranking as Cohere answers it: billed by the search, with no count of tokens.

    https://docs.cohere.com/reference/rerank (2026-11).
    """
    results = msgspec.json.decode(reply.body or b"")["results"]
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    return json_reply({"id": "sim-rerank", "results": results, "meta": meta})


def chat(body: bytes, config: SimulatorConfig) -> Reply:
    """The answer to a POST. Raises Refused."""
    try:
        request = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused("invalid request: the body is not valid JSON") from None
    model = find("cohere", str(request.get("model"))) if isinstance(request, dict) else None
    if model is None:
        raise Refused("model not found, make sure the correct model ID was used", 404)
    ask = _ask(request, model)
    answer = compose(ask, seed=config.seed, answer_tokens=config.answer_tokens)
    tokens = Tokens(
        input=ask.input_tokens,
        output=answer.output_tokens,
        cache_read=min(config.cached_tokens, ask.input_tokens),
    )
    usage = {
        "billed_units": {"input_tokens": tokens.input, "output_tokens": tokens.output},
        "tokens": {"input_tokens": tokens.input + UNBILLED_TOKENS, "output_tokens": tokens.output},
        "cached_tokens": tokens.cache_read,
    }
    failed = {"finish_reason": "ERROR", "error": "The simulated service failed.", "usage": usage}
    reply = Reply(
        model=model.id,
        tokens=tokens,
        cost_usd=model.cost_usd(tokens.input - tokens.cache_read, tokens.output, tokens.cache_read),
        error_event=sse({"type": "message-end", "delta": failed}, "message-end"),
    )
    words = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}
    finish = words.get(answer.finish, "STOP_SEQUENCE")
    answer_id = f"sim-{next(_numbers):012d}"
    if request.get("stream"):
        reply.headers = [EVENT_TYPE]
        reply.events = _stream(answer_id, answer, finish, usage, config.chunk_tokens)
        return reply
    content: list[dict[str, str]] = [{"type": "text", "text": answer.text}] if answer.text else []
    if answer.reasoning_tokens:
        content.insert(0, {"type": "thinking", "thinking": THOUGHT})
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if answer.calls:
        message["tool_plan"] = PLAN
        message["tool_calls"] = [
            {
                "id": f"{call.name}_{call.id[:10]}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in answer.calls
        ]
    reply.headers = [JSON_TYPE]
    reply.body = msgspec.json.encode(
        {"id": answer_id, "message": message, "finish_reason": finish, "usage": usage}
    )
    return reply


def _ask(request: Mapping[str, Any], model: SimulatedModel) -> Ask:
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(
            "invalid request: message must be at least 1 token long or tool results must be specified."
        )
    tokens, last_text = 0, ""
    results: list[str] = []
    open_calls: set[str] = set()
    for number, message in enumerate(messages):
        role, content, calls = message.get("role"), message.get("content"), message.get("tool_calls") or []
        if role not in ("system", "user", "assistant", "tool"):
            raise Refused(f"invalid request: unknown role at messages[{number}]")
        if not content and not calls:
            raise Refused(f"invalid request: all elements in messages must have content, {number} has none")
        if content and calls:
            raise Refused(f"invalid request: messages[{number}] has content beside tool calls")
        text = content if isinstance(content, str) else "".join(p.get("text", "") for p in content or ())
        tokens += MESSAGE_TOKENS + count_tokens(text)
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise Refused(f"invalid request: messages[{number}] answers no tool call")
            open_calls.discard(message["tool_call_id"])
            results.append(text)
            continue
        results = []
        last_text = text if role == "user" else last_text
        for call in calls:
            function = call["function"]
            tokens += count_tokens(function["name"] + compact(msgspec.json.decode(function["arguments"])))
            open_calls.add(call["id"])
    tools = tuple(
        Tool(tool["function"]["name"], tool["function"].get("parameters") or {})
        for tool in request.get("tools") or ()
    )
    tokens += sum(count_tokens(tool.name + compact(tool.schema)) for tool in tools)
    response_format = request.get("response_format") or {}
    thinks = model.reasoning and (request.get("thinking") or {}).get("type") == "enabled"
    return Ask(
        model=model.id,
        last_text=last_text,
        tool_results=tuple(results),
        input_tokens=tokens,
        max_tokens=request.get("max_tokens"),
        stops=tuple(request.get("stop_sequences") or ()),
        tools=tools,
        forced_tool="*" if request.get("tool_choice") == "REQUIRED" else None,
        tools_allowed=request.get("tool_choice") != "NONE",
        json_schema=(response_format.get("json_schema") or {}) if response_format else None,
        reasoning_tokens=REASONING_TOKENS["low"] if thinks else 0,
    )


def _stream(
    answer_id: str, answer: Answer, finish: str, usage: Mapping[str, Any], chunk_tokens: int
) -> list[Event]:
    events: list[Event] = []

    def event(kind: str, message: Mapping[str, Any] | None = None, tokens: int = 0, **more: Any) -> None:
        body: dict[str, Any] = {"type": kind, **more}
        if message is not None:
            body["delta"] = {"message": message}
        events.append(Event(sse(body, kind), tokens))

    opening = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    event("message-start", opening, id=answer_id)
    index = 0
    if answer.reasoning_tokens:
        event("content-start", {"content": {"type": "thinking", "thinking": ""}}, index=index)
        event("content-delta", {"content": {"thinking": THOUGHT}}, answer.reasoning_tokens, index=index)
        event("content-end", index=index)
        index += 1
    if answer.text:
        event("content-start", {"content": {"type": "text", "text": ""}}, index=index)
        for piece in pieces(answer.text, chunk_tokens):
            event("content-delta", {"content": {"text": piece}}, count_tokens(piece), index=index)
        event("content-end", index=index)
    if answer.calls:
        event("tool-plan-delta", {"tool_plan": PLAN})
    for number, call in enumerate(answer.calls):
        start = {
            "id": f"{call.name}_{call.id[:10]}",
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        of_name = count_tokens(call.name + call.arguments) - count_tokens(call.arguments)
        event("tool-call-start", {"tool_calls": start}, of_name, index=number)
        for piece in pieces(call.arguments, chunk_tokens):
            part = {"tool_calls": {"function": {"arguments": piece}}}
            event("tool-call-delta", part, count_tokens(piece), index=number)
        event("tool-call-end", index=number)
    end = {"type": "message-end", "delta": {"finish_reason": finish, "usage": usage}}
    events.append(Event(sse(end, "message-end")))
    return events
