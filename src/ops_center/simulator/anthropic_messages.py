"""Anthropic's format as Anthropic answers it: messages, the model list, errors.

Refuses what Anthropic refuses (a missing `max_tokens`, unknown fields, a tool result without its call), so
that a wrong translation shows. Shapes: https://docs.anthropic.com/en/api/messages (2026-11).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ops_center.simulator.answers import (
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    Answer,
    Ask,
    Tool,
    compact,
    compose,
    count_tokens,
    words,
)
from ops_center.simulator.catalogues import SimulatedModel, find
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.openai_chat import pieces
from ops_center.simulator.reply import EVENT_TYPE, JSON_TYPE, Event, Reply, Tokens, json_reply, sse

THINKING_TOKENS = 24
_FIELDS = frozenset(
    {
        *("model", "messages", "system", "max_tokens", "stop_sequences", "stream", "metadata"),
        *("temperature", "top_k", "top_p", "thinking", "output_config", "output_format"),
        *("tools", "tool_choice", "mcp_servers", "container", "context_management"),
        *("cache_control", "diagnostics", "inference_geo", "service_tier", "speed"),
    }
)
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_ERROR_MESSAGES = {
    401: "invalid x-api-key",
    429: "This request would exceed your account's rate limit. Please try again later.",
    500: "Internal server error",
    529: "Overloaded",
}

_numbers = itertools.count(1)


class Refused(Exception):
    """The request is one that Anthropic refuses."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.status = message, status

    def reply(self) -> Reply:
        return json_reply(error_body(self.status, self.message), status=self.status)


def error_body(status: int, message: str | None = None) -> dict[str, Any]:
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": message or _ERROR_MESSAGES.get(status, "Error")},
        "request_id": f"req_sim{next(_numbers):021d}",
    }


class PromptCache:
    """Remembers which prefixes were written, so that the second call reads what the first one wrote."""

    def __init__(self) -> None:
        self._written: set[bytes] = set()

    def seen(self, prefix: bytes) -> bool:
        """True when this prefix was here before; remembers it."""
        digest = hashlib.sha256(prefix).digest()
        if digest in self._written:
            return True
        self._written.add(digest)
        return False


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises Refused."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused("The request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise Refused("The request body is not a JSON object")
    return value


def find_model(body: Mapping[str, Any]) -> SimulatedModel:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise Refused("model: Field required")
    model = find("anthropic", name)
    if model is None:
        raise Refused(f"model: {name}", status=404)
    return model


class _Reader:
    """Walks a request once: counts its tokens, checks its turns, finds what is cached."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.tokens = 0
        self.last_text = ""
        self.results: list[str] = []
        self.cached_until = 0  # tokens before the last cache mark
        self.cached_one_hour = False
        self._mark_digest = hashlib.sha256()
        self.cached_prefix = b""
        self._open_calls: set[str] = set()
        self.tools = self._read_tools(body.get("tools"))
        self._read_system(body.get("system"))
        self._read_messages(body["messages"])

    def _counted(self, text: str, block: Any = None, extra: int = 0) -> None:
        self.tokens += count_tokens(text) + extra
        self._mark_digest.update(text.encode())
        mark = block.get("cache_control") if isinstance(block, dict) else None
        if isinstance(mark, dict):
            self.cached_until = self.tokens
            self.cached_one_hour = mark.get("ttl") == "1h"
            self.cached_prefix = self._mark_digest.digest()

    def _read_tools(self, tools: Any) -> tuple[Tool, ...]:
        found = []
        for number, tool in enumerate(tools or []):
            if not isinstance(tool, dict) or not tool.get("name"):
                raise Refused(f"tools.{number}.custom.name: Field required")
            if "input_schema" not in tool and tool.get("type", "custom") == "custom":
                raise Refused(f"tools.{number}.custom.input_schema: Field required")
            schema = tool.get("input_schema") or {}
            self._counted(tool["name"] + compact(schema), tool)
            found.append(Tool(tool["name"], schema))
        return tuple(found)

    def _read_system(self, system: Any) -> None:
        if not system:
            return
        self.tokens += MESSAGE_TOKENS
        for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
            self._counted(_text_of(block, "system"), block)

    def _read_messages(self, messages: list[Any]) -> None:
        for number, message in enumerate(messages):
            role = message.get("role") if isinstance(message, dict) else None
            if role not in ("user", "assistant"):
                raise Refused(
                    f'messages: Unexpected role "{role}". The Messages API accepts a top-level `system` '
                    'parameter, not "system" as an input message role.'
                )
            content = message.get("content")
            if isinstance(content, str):
                content = [{"type": "text", "text": content}]
            if not isinstance(content, list) or not content:
                raise Refused(f"messages.{number}.content: Input should be a valid list")
            self.tokens += MESSAGE_TOKENS
            if role == "assistant":
                self._read_assistant(content, number)
            else:
                self._read_user(content, number)

    def _read_assistant(self, content: list[Any], number: int) -> None:
        self._must_be_answered(number)
        self.results = []
        for block in content:
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "text":
                self._counted(_text_of(block, f"messages.{number}"), block)
            elif kind == "tool_use":
                if not isinstance(block.get("input"), dict):
                    raise Refused(f"messages.{number}.content.tool_use.input: Input should be an object")
                self._open_calls.add(block.get("id", ""))
                self._counted(block.get("name", "") + compact(block["input"]), block)
            elif kind == "thinking":
                if block.get("signature") != _signature(block.get("thinking", "")):
                    raise Refused(f"messages.{number}.content: Invalid `signature` in `thinking` block")
            elif kind != "redacted_thinking":
                raise Refused(f"messages.{number}.content: Input tag '{kind}' found")

    def _read_user(self, content: list[Any], number: int) -> None:
        texts: list[str] = []
        results: list[str] = []
        for at, block in enumerate(content):
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "tool_result":
                call = block.get("tool_use_id", "")
                if call not in self._open_calls:
                    raise Refused(
                        f"messages.{number}.content.{at}: unexpected `tool_use_id` found in `tool_result` "
                        f"blocks: {call}. Each `tool_result` block must have a corresponding `tool_use` "
                        "block in the previous message."
                    )
                self._open_calls.discard(call)
                result = _result_text(block.get("content"), number)
                if results:
                    self.tokens += MESSAGE_TOKENS  # as the other formats count it: a message of its own
                results.append(result)
                self._counted(result, block)
            elif kind == "text":
                texts.append(_text_of(block, f"messages.{number}"))
                self._counted(texts[-1], block)
            elif kind in ("image", "document"):
                if not isinstance(block.get("source"), dict):
                    raise Refused(f"messages.{number}.content.{at}.{kind}.source: Field required")
                self._counted("", block, IMAGE_TOKENS)
            else:
                raise Refused(f"messages.{number}.content.{at}: Input tag '{kind}' found")
        self._must_be_answered(number)
        if texts:
            self.last_text = "".join(texts)
        self.results = [] if texts and not results else results

    def _must_be_answered(self, number: int) -> None:
        if self._open_calls:
            raise Refused(
                f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(sorted(self._open_calls))}."
            )


def _text_of(block: Any, where: str) -> str:
    text = block.get("text") if isinstance(block, dict) else None
    if not isinstance(text, str):
        raise Refused(f"{where}.content.0.text.text: Field required")
    if not text:
        raise Refused(f"{where}: text content blocks must be non-empty")
    return text


def _result_text(content: Any, number: int) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(
        _text_of(b, f"messages.{number}") for b in content if isinstance(b, dict) and b.get("type") == "text"
    )


def _checked(body: dict[str, Any]) -> None:
    for name in body:
        if name not in _FIELDS:
            raise Refused(f"{name}: Extra inputs are not permitted")
    limit = body.get("max_tokens")
    if limit is None:
        raise Refused("max_tokens: Field required")
    if not isinstance(limit, int) or limit < 1:
        raise Refused("max_tokens: Input should be greater than or equal to 1")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise Refused("messages: at least one message is required")
    temperature = body.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise Refused("temperature: range: 0..1")
    for stop in body.get("stop_sequences") or []:
        if not stop.strip():
            raise Refused("stop_sequences: each stop sequence must contain non-whitespace")


def messages(
    body: dict[str, Any], model: SimulatedModel, config: SimulatorConfig, cache: PromptCache, key: str
) -> Reply:
    """An answer of the Messages API, streamed or not. Raises Refused."""
    _checked(body)
    read = _Reader(body)
    choice = body.get("tool_choice") or {}
    forced = {"any": "*", "tool": choice.get("name")}.get(choice.get("type", ""))
    thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    thought = words(f"{config.seed}/thinking/{read.last_text}", THINKING_TOKENS) if thinks else ""
    schema = _schema(body)
    answer = compose(
        Ask(
            model=body["model"],
            last_text=read.last_text,
            tool_results=tuple(read.results),
            input_tokens=read.tokens,
            max_tokens=body["max_tokens"],
            stops=tuple(body.get("stop_sequences") or ()),
            tools=read.tools,
            forced_tool=forced,
            tools_allowed=choice.get("type") != "none",
            parallel_calls=not choice.get("disable_parallel_tool_use", False),
            json_schema=schema,
            reasoning_tokens=count_tokens(thought),
        ),
        seed=config.seed,
        answer_tokens=config.answer_tokens,
    )
    hit = bool(read.cached_until) and cache.seen(f"{key}/{model.id}/".encode() + read.cached_prefix)
    cache_read = read.cached_until if hit else 0
    cache_write = read.cached_until - cache_read
    one_hour = cache_write if read.cached_one_hour else 0
    uncached = read.tokens - read.cached_until
    usage = {
        "input_tokens": uncached,
        "cache_creation_input_tokens": cache_write,
        "cache_read_input_tokens": cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache_write - one_hour,
            "ephemeral_1h_input_tokens": one_hour,
        },
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"thinking_tokens": answer.reasoning_tokens},
        "service_tier": "standard",
    }
    reply = Reply(
        model=model.id,
        tokens=Tokens(
            input=read.tokens, output=answer.output_tokens, cache_read=cache_read, cache_write=cache_write
        ),
        cost_usd=model.cost_usd(uncached, answer.output_tokens, cache_read, cache_write - one_hour, one_hour),
        error_event=sse(error_body(529), "error"),
    )
    head = {
        "id": f"msg_sim{next(_numbers):021d}",
        "type": "message",
        "role": "assistant",
        "model": model.id,
    }
    if body.get("stream"):
        reply.headers = [EVENT_TYPE, ("cache-control", "no-cache")]
        reply.events = list(_stream(head, answer, thought, usage, config.chunk_tokens))
    else:
        reply.headers = [JSON_TYPE]
        whole = head | {
            "content": _content(answer, thought),
            "stop_reason": _stop_reason(answer),
            "stop_sequence": answer.stopped_by,
            "usage": usage,
        }
        reply.body = msgspec.json.encode(whole)
    return reply


_NOT_COUNTED = frozenset(
    {"max_tokens", "metadata", "stop_sequences", "stream", "temperature", "top_k", "top_p"}
)


def count_message_tokens(body: dict[str, Any]) -> Reply:
    """The input tokens of a request, without an answer: `POST /v1/messages/count_tokens`. Raises Refused."""
    for name in body:
        if name not in _FIELDS or name in _NOT_COUNTED:
            raise Refused(f"{name}: Extra inputs are not permitted")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise Refused("messages: at least one message is required")
    return json_reply({"input_tokens": _Reader(body).tokens})


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    format = body.get("output_format") or (body.get("output_config") or {}).get("format")
    return (format.get("schema") or {}) if isinstance(format, dict) else None


def _stop_reason(answer: Answer) -> str:
    return _STOP_REASONS.get(answer.finish, answer.finish)


def _content(answer: Answer, thought: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if thought:
        blocks.append({"type": "thinking", "thinking": thought, "signature": _signature(thought)})
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    for call in answer.calls:
        arguments = msgspec.json.decode(call.arguments)
        blocks.append({"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": arguments})
    return blocks


def _signature(thought: str) -> str:
    return hashlib.sha256(thought.encode()).hexdigest()


def _stream(
    head: Mapping[str, Any], answer: Answer, thought: str, usage: Mapping[str, Any], chunk_tokens: int
) -> Iterator[Event]:
    start = {**usage, "output_tokens": 1}
    message = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": start}
    yield Event(sse({"type": "message_start", "message": message}, "message_start"))
    yield Event(sse({"type": "ping"}, "ping"))
    for index, block in enumerate(_content(answer, thought)):
        yield from _block(index, block, chunk_tokens)
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": answer.stopped_by}
    final = {key: value for key, value in usage.items() if key.endswith("_tokens")}
    yield Event(sse({"type": "message_delta", "delta": delta, "usage": final}, "message_delta"))
    yield Event(sse({"type": "message_stop"}, "message_stop"))


def _block(index: int, block: dict[str, Any], chunk_tokens: int) -> Iterator[Event]:
    def delta(kind: str, field: str, piece: str, tokens: int) -> Event:
        value = {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}}
        return Event(sse(value, "content_block_delta"), tokens)

    kind = block["type"]
    empty = {**block, **{"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}.get(kind, {})}
    opening = 0
    if kind == "tool_use":
        empty["input"] = {}
        arguments = compact(block["input"])
        opening = count_tokens(block["name"] + arguments) - count_tokens(arguments)
    start = {"type": "content_block_start", "index": index, "content_block": empty}
    yield Event(sse(start, "content_block_start"), opening)
    if kind == "text":
        for piece in pieces(block["text"], chunk_tokens):
            yield delta("text_delta", "text", piece, count_tokens(piece))
    elif kind == "thinking":
        for piece in pieces(block["thinking"], chunk_tokens):
            yield delta("thinking_delta", "thinking", piece, count_tokens(piece))
        yield delta("signature_delta", "signature", block["signature"], 0)
    else:
        yield delta("input_json_delta", "partial_json", "", 0)
        for piece in pieces(arguments, chunk_tokens):
            yield delta("input_json_delta", "partial_json", piece, count_tokens(piece))
    yield Event(sse({"type": "content_block_stop", "index": index}, "content_block_stop"))


def model_list(models: Mapping[str, SimulatedModel], limit: int, after_id: str | None) -> dict[str, Any]:
    """One page of the list, as `GET /v1/models?limit=&after_id=` gives it."""
    rows = [
        {
            "type": "model",
            "id": model.id,
            "display_name": model.name,
            "created_at": datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycle": "active",
            "max_input_tokens": model.context_window,
            "max_tokens": model.max_output_tokens,
        }
        for model in models.values()
    ]
    ids = [row["id"] for row in rows]
    start = ids.index(after_id) + 1 if after_id in ids else 0
    page = rows[start : start + limit]
    return {
        "data": page,
        "has_more": start + limit < len(rows),
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }
