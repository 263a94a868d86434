"""OpenAI's Responses as OpenAI answers them, streamed or not, without a memory between requests.

Refuses what OpenAI refuses (unknown parameters, a tool output without its call, thinking it did not seal), so
that a wrong translation shows. Shapes: https://platform.openai.com/docs/api-reference/responses (2026-11).
"""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ops_center.simulator.answers import (
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    REASONING_TOKENS,
    Answer,
    Ask,
    Tool,
    compact,
    compose,
    count_tokens,
    words,
)
from ops_center.simulator.catalogues import SimulatedModel
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.openai_chat import Refused, error_body, pieces
from ops_center.simulator.reply import EVENT_TYPE, JSON_TYPE, Event, Reply, Tokens, sse

ONLY_HERE = re.compile(r"(o1-pro|o3-pro|gpt-5(\.\d+)?-(pro|codex))(-.*)?")
_FIELDS = frozenset(
    {
        *("background", "context_management", "conversation", "include", "input", "instructions"),
        *("max_output_tokens", "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls"),
        *("previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention", "reasoning"),
        *("safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text"),
        *("tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"),
    }
)
_SEAL = "gAAAAsim"
_numbers = itertools.count(1)


def _refused(message: str, param: str | None = None, code: str | None = None) -> Refused:
    return Refused(message, param=param, code=code)


class _Reader:
    """Walks the input once: counts its tokens, checks that outputs belong to calls."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.tokens = 0
        self.last_text = ""
        self.results: list[str] = []
        self._calls: set[str] = set()
        if body.get("instructions"):
            self.tokens += MESSAGE_TOKENS + count_tokens(body["instructions"])
        given = body.get("input")
        if given is None:
            raise _refused("Missing required parameter: 'input'.", "input", "missing_required_parameter")
        if isinstance(given, str):
            given = [{"role": "user", "content": given}]
        for number, item in enumerate(given):
            self._item(item, f"input[{number}]")

    def _item(self, item: dict[str, Any], where: str) -> None:
        kind = item.get("type", "message")
        if kind == "message":
            self._message(item, where)
        elif kind == "function_call":
            self._calls.add(item["call_id"])
            self.tokens += count_tokens(item["name"] + _same_json(item["arguments"]))
            self.results = []
        elif kind == "function_call_output":
            if item.get("call_id") not in self._calls:
                raise _refused(
                    f"No tool call found for function call output with call_id {item.get('call_id')}.",
                    "input",
                )
            output = item["output"]
            text = output if isinstance(output, str) else self._content(output, where, "input")
            self.results.append(text)
            self.tokens += MESSAGE_TOKENS + count_tokens(text)
        elif kind == "reasoning":
            sealed = item.get("encrypted_content")
            if sealed is not None and not sealed.startswith(_SEAL):
                raise _refused(
                    f"The encrypted content {sealed[:8]}... could not be verified.",
                    code="invalid_encrypted_content",
                )
        else:
            raise _refused(f"Invalid value: '{kind}'.", f"{where}.type", "invalid_value")

    def _message(self, item: dict[str, Any], where: str) -> None:
        role = item.get("role")
        if role not in ("system", "developer", "user", "assistant"):
            raise _refused(f"Invalid value: '{role}'.", f"{where}.role", "invalid_value")
        content = item.get("content")
        if isinstance(content, str):
            text = content
        else:
            text = self._content(content or [], where, "output" if role == "assistant" else "input")
        self.tokens += MESSAGE_TOKENS + count_tokens(text)
        self.results = []
        if role == "user":
            self.last_text = text

    def _content(self, content: list[dict[str, Any]], where: str, side: str) -> str:
        texts = []
        for part in content:
            kind = part.get("type")
            if kind == f"{side}_text":
                texts.append(part["text"])
            elif kind == "refusal" and side == "output":
                texts.append(part["refusal"])
            elif kind in ("input_image", "input_file") and side == "input":
                self.tokens += IMAGE_TOKENS
            else:
                raise _refused(f"Invalid value: '{kind}'.", f"{where}.content", "invalid_value")
        return "".join(texts)


def _same_json(text: str) -> str:
    try:
        return compact(msgspec.json.decode(text))
    except msgspec.DecodeError:
        return text


def _tools(tools: Any) -> tuple[Tool, ...]:
    found = []
    for number, tool in enumerate(tools or []):
        if tool.get("type") != "function":
            raise _refused(f"Invalid value: '{tool.get('type')}'.", f"tools[{number}].type", "invalid_value")
        if not tool.get("name"):
            raise _refused(
                f"Missing required parameter: 'tools[{number}].name'.",
                f"tools[{number}].name",
                "missing_required_parameter",
            )
        found.append(Tool(tool["name"], tool.get("parameters") or {}))
    return tuple(found)


def _checked(body: Mapping[str, Any], model: SimulatedModel) -> None:
    for name in body:
        if name not in _FIELDS:
            raise _refused(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if body.get("previous_response_id") is not None:
        raise _refused(
            f"Previous response with id '{body['previous_response_id']}' not found.",
            "previous_response_id",
            "previous_response_not_found",
        )
    limit = body.get("max_output_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < 16):
        raise _refused(
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {limit}.",
            "max_output_tokens",
            "integer_below_min_value",
        )
    if "reasoning.encrypted_content" in (body.get("include") or ()) and not model.reasoning:
        raise _refused("Encrypted content is not supported with this model.", "include")
    if (body.get("reasoning") or {}).get("effort") and not model.reasoning:
        raise _refused(
            "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
            "reasoning.effort",
            "unsupported_parameter",
        )
    if model.reasoning and body.get("temperature") not in (None, 1):
        raise _refused(
            "Unsupported parameter: 'temperature' is not supported with this model.",
            "temperature",
            "unsupported_parameter",
        )


def responses(body: dict[str, Any], model: SimulatedModel, config: SimulatorConfig) -> Reply:
    """A response, streamed or not. Raises Refused."""
    _checked(body, model)
    read = _Reader(body)
    tools = _tools(body.get("tools"))
    read.tokens += sum(count_tokens(tool.name + compact(tool.schema)) for tool in tools)
    choice = body.get("tool_choice")
    forced = choice.get("name") if isinstance(choice, dict) else "*" if choice == "required" else None
    shape = (body.get("text") or {}).get("format") or {}
    effort = str((body.get("reasoning") or {}).get("effort") or "none")
    answer = compose(
        Ask(
            model=body["model"],
            last_text=read.last_text,
            tool_results=tuple(read.results),
            input_tokens=read.tokens,
            max_tokens=body.get("max_output_tokens"),
            tools=tools,
            forced_tool=forced,
            tools_allowed=choice != "none",
            parallel_calls=body.get("parallel_tool_calls", True) is not False,
            json_schema=None if shape.get("type", "text") == "text" else shape.get("schema") or {},
            reasoning_tokens=REASONING_TOKENS.get(effort, 0),
        ),
        seed=config.seed,
        answer_tokens=config.answer_tokens,
    )
    tokens = Tokens(
        input=read.tokens, output=answer.output_tokens, cache_read=min(config.cached_tokens, read.tokens)
    )
    reply = Reply(
        model=model.id,
        tokens=tokens,
        cost_usd=model.cost_usd(tokens.input - tokens.cache_read, tokens.output, tokens.cache_read),
        error_event=sse(_error_event(), "error"),
    )
    head = _head(body, model)
    items = _items(body, answer, read.last_text, config)
    if body.get("stream"):
        reply.headers = [EVENT_TYPE, ("cache-control", "no-cache")]
        reply.events = list(_stream(head, items, answer, tokens, config.chunk_tokens))
    else:
        reply.headers = [JSON_TYPE]
        reply.body = msgspec.json.encode(_finished(head, items, answer, tokens))
    return reply


def _error_event() -> dict[str, Any]:
    inner = error_body("The server had an error while processing your request.", "server_error")["error"]
    return {"type": "error", "sequence_number": 3, **inner, "error": inner}


def _head(body: Mapping[str, Any], model: SimulatedModel) -> dict[str, Any]:
    return {
        "id": f"resp_sim{next(_numbers):032d}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": model.id,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def _items(
    body: Mapping[str, Any], answer: Answer, last_text: str, config: SimulatorConfig
) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if answer.reasoning_tokens:
        wish = body.get("reasoning") or {}
        thought = words(f"{config.seed}/thinking/{last_text}", 12)
        summary = [{"type": "summary_text", "text": thought}] if wish.get("summary") else []
        item: dict[str, Any] = {"id": _id("rs"), "type": "reasoning", "summary": summary}
        if "reasoning.encrypted_content" in (body.get("include") or ()):
            item["encrypted_content"] = _SEAL + hashlib.sha256(thought.encode()).hexdigest()
        items.append(item)
    done = "incomplete" if answer.finish == "length" else "completed"
    if answer.text or not answer.calls:
        content = {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text}
        message = {"id": _id("msg"), "type": "message", "status": done}
        items.append({**message, "content": [content], "role": "assistant"})
    for call in answer.calls:
        items.append(
            {
                "id": _id("fc"),
                "type": "function_call",
                "status": "completed",
                "arguments": call.arguments,
                "call_id": f"call_{call.id}",
                "name": call.name,
            }
        )
    return items


def _id(prefix: str) -> str:
    return f"{prefix}_sim{next(_numbers):040d}"


def _finished(
    head: Mapping[str, Any], items: list[dict[str, Any]], answer: Answer, tokens: Tokens
) -> dict[str, Any]:
    cut = answer.finish == "length"
    return {
        **head,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": items,
        "usage": {
            "input_tokens": tokens.input,
            "input_tokens_details": {"cached_tokens": tokens.cache_read, "cache_write_tokens": 0},
            "output_tokens": tokens.output,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": tokens.input + tokens.output,
        },
    }


def _stream(
    head: Mapping[str, Any],
    items: list[dict[str, Any]],
    answer: Answer,
    tokens: Tokens,
    chunk_tokens: int,
) -> Iterator[Event]:
    numbers = itertools.count()

    def event(kind: str, tokens: int = 0, **fields: Any) -> Event:
        return Event(sse({"type": kind, "sequence_number": next(numbers), **fields}, kind), tokens)

    yield event("response.created", response=head)
    yield event("response.in_progress", response=head)
    for index, item in enumerate(items):
        where = {"item_id": item["id"], "output_index": index}
        if item["type"] == "reasoning":
            empty = {**item, "summary": []}
            yield event("response.output_item.added", answer.reasoning_tokens, output_index=index, item=empty)
            for at, part in enumerate(item["summary"]):
                place = {**where, "summary_index": at}
                begun = {"type": "summary_text", "text": ""}
                yield event("response.reasoning_summary_part.added", **place, part=begun)
                for piece in pieces(part["text"], chunk_tokens):
                    yield event("response.reasoning_summary_text.delta", **place, delta=piece)
                yield event("response.reasoning_summary_text.done", **place, text=part["text"])
                yield event("response.reasoning_summary_part.done", **place, part=part)
        elif item["type"] == "message":
            begun_item = {**item, "status": "in_progress", "content": []}
            yield event("response.output_item.added", output_index=index, item=begun_item)
            part, place = item["content"][0], {**where, "content_index": 0}
            yield event("response.content_part.added", **place, part={**part, "text": ""})
            for piece in pieces(part["text"], chunk_tokens):
                size = count_tokens(piece)
                yield event("response.output_text.delta", size, **place, delta=piece, logprobs=[])
            yield event("response.output_text.done", **place, text=part["text"], logprobs=[])
            yield event("response.content_part.done", **place, part=part)
        else:
            of_name = count_tokens(item["name"] + item["arguments"]) - count_tokens(item["arguments"])
            begun_item = {**item, "status": "in_progress", "arguments": ""}
            yield event("response.output_item.added", of_name, output_index=index, item=begun_item)
            for piece in pieces(item["arguments"], chunk_tokens):
                size = count_tokens(piece)
                yield event("response.function_call_arguments.delta", size, **where, delta=piece)
            yield event(
                "response.function_call_arguments.done",
                **where,
                arguments=item["arguments"],
                name=item["name"],
            )
        yield event("response.output_item.done", output_index=index, item=item)
    response = _finished(head, items, answer, tokens)
    yield event(f"response.{response['status']}", response=response)
