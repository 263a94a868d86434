"""OpenAI's format as OpenAI answers it: chat completions, embeddings, the model list, errors.

Serves the families `openai`, `custom` (the same without a key) and, with additions, `openrouter`.
Shapes: https://platform.openai.com/docs/api-reference/chat (2026-11).
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ops_center.simulator.answers import (
    CHARACTERS_PER_TOKEN,
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    REASONING_TOKENS,
    Answer,
    Ask,
    Tool,
    compact,
    compose,
    count_tokens,
)
from ops_center.simulator.catalogues import Family, SimulatedModel, find
from ops_center.simulator.config import SimulatorConfig
from ops_center.simulator.reply import EVENT_TYPE, JSON_TYPE, Event, Reply, Tokens, json_reply, sse

_numbers = itertools.count(1)


class Refused(Exception):
    """The request is one that OpenAI refuses."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.type, self.param, self.code = status, message, type, param, code

    def reply(self) -> Reply:
        return json_reply(error_body(self.message, self.type, self.param, self.code), status=self.status)


def error_body(message: str, type: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def status_error(status: int) -> tuple[str, str, str | None]:
    """Message, type and code that OpenAI sends with a status that the request did not cause."""
    return {
        401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
        402: ("You exceeded your current quota.", "insufficient_quota", "insufficient_quota"),
        403: ("Country, region, or territory not supported", "request_forbidden", "unsupported_country"),
        404: ("The requested resource was not found.", "invalid_request_error", None),
        429: ("Rate limit reached for requests", "requests", "rate_limit_exceeded"),
        503: ("The engine is currently overloaded, please try again later", "server_error", None),
    }.get(
        status,
        ("The request was refused.", "invalid_request_error", None)
        if status < 500
        else ("The server had an error while processing your request.", "server_error", None),
    )


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises Refused."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused("We could not parse the JSON body of your request.") from None
    if not isinstance(value, dict):
        raise Refused("The JSON body of your request must be an object.")
    return value


def find_model(body: Mapping[str, Any], family: Family) -> SimulatedModel:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise Refused("you must provide a model parameter")
    model = find(family, name)
    if model is None:
        raise Refused(
            f"The model `{name}` does not exist or you do not have access to it.",
            status=404,
            code="model_not_found",
        )
    return model


def read_ask(body: Mapping[str, Any]) -> Ask:
    """Reduce a chat completion request. Raises Refused where OpenAI would."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(
            "Missing required parameter: 'messages'.",
            param="messages",
            code="missing_required_parameter",
        )
    tokens = 0
    last_text = ""
    open_calls: set[str] = set()
    results: list[str] = []
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            raise Refused(f"Invalid type for 'messages[{number}]'.", param=f"messages[{number}]")
        role = message.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool"):
            raise Refused(
                f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', and 'tool'.",
                param=f"messages[{number}].role",
                code="invalid_value",
            )
        text, images = _content(message.get("content"), number)
        calls = message.get("tool_calls") or []
        tokens += MESSAGE_TOKENS + count_tokens(text) + images * IMAGE_TOKENS
        if role == "tool":
            call_id = message.get("tool_call_id")
            if call_id not in open_calls:
                raise Refused(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
                    "message with 'tool_calls'.",
                    param=f"messages[{number}].role",
                )
            open_calls.discard(call_id)
            results.append(text)
            continue
        if open_calls:
            raise Refused(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to "
                "each 'tool_call_id'.",
                param=f"messages[{number}].role",
            )
        results = []
        if role == "user":
            last_text = text
        for call in calls:
            function = call.get("function") or {}
            tokens += count_tokens(function.get("name", "") + _same_json(function.get("arguments", "")))
            open_calls.add(call.get("id", ""))
    tools = _tools(body.get("tools"))
    if tools:
        tokens += sum(count_tokens(tool.name + compact(tool.schema)) for tool in tools)
    choice = body.get("tool_choice")
    forced = "*" if choice == "required" else None
    if isinstance(choice, dict):
        forced = (choice.get("function") or {}).get("name")
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise Refused("Invalid 'max_tokens': expected a positive integer.", param="max_tokens")
    stop = body.get("stop")
    return Ask(
        model=body["model"],
        last_text=last_text,
        tool_results=tuple(results),
        input_tokens=tokens,
        max_tokens=limit,
        stops=tuple([stop] if isinstance(stop, str) else stop or []),
        tools=tools,
        forced_tool=forced,
        tools_allowed=choice != "none",
        parallel_calls=body.get("parallel_tool_calls", True) is not False,
        json_schema=_schema(body.get("response_format")),
        reasoning_tokens=REASONING_TOKENS.get(str(body.get("reasoning_effort", "none")), 0),
    )


def _same_json(text: str) -> str:
    # counted as compact JSON, so that the same call has the same tokens in every format
    try:
        return compact(msgspec.json.decode(text))
    except msgspec.DecodeError:
        return text


def _content(content: Any, number: int) -> tuple[str, int]:
    if content is None or isinstance(content, str):
        return content or "", 0
    where = f"messages[{number}].content"
    if not isinstance(content, list):
        raise Refused(f"Invalid type for '{where}'.", param=where, code="invalid_type")
    texts: list[str] = []
    images = 0
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "refusal"):
            texts.append(part.get(kind) or "")
        elif kind == "image_url":
            url = (part.get("image_url") or {}).get("url", "")
            if not url.startswith(("data:image/", "http://", "https://")):
                raise Refused("Invalid image URL.", param=where, code="invalid_image_url")
            images += 1
        elif kind in ("input_audio", "file"):
            images += 1
        else:
            raise Refused(f"Invalid value: '{kind}'.", param=where, code="invalid_value")
    return "".join(texts), images


def _tools(tools: Any) -> tuple[Tool, ...]:
    found = []
    for number, tool in enumerate(tools or []):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not function.get("name"):
            raise Refused(
                f"Missing required parameter: 'tools[{number}].function'.",
                param=f"tools[{number}].function",
                code="missing_required_parameter",
            )
        found.append(Tool(function["name"], function.get("parameters") or {}))
    return tuple(found)


def _schema(response_format: Any) -> Mapping[str, Any] | None:
    if not isinstance(response_format, dict) or response_format.get("type") in (None, "text"):
        return None
    return (response_format.get("json_schema") or {}).get("schema") or {}


# --- chat ---------------------------------------------------------------------------------------


def chat(body: dict[str, Any], model: SimulatedModel, config: SimulatorConfig) -> Reply:
    """A chat completion, streamed or not. Raises Refused."""
    ask = read_ask(body)
    count = body.get("n") or 1
    answers = []
    for choice in range(count):
        ask.choice = choice
        answers.append(compose(ask, seed=config.seed, answer_tokens=config.answer_tokens))
    tokens = Tokens(
        input=ask.input_tokens,
        output=sum(answer.output_tokens for answer in answers),
        cache_read=min(config.cached_tokens, ask.input_tokens),
    )
    usage = usage_body(tokens, sum(answer.reasoning_tokens for answer in answers))
    head = {"id": f"chatcmpl-sim{next(_numbers):024d}", "created": int(time.time()), "model": model.id}
    reply = Reply(
        model=model.id,
        tokens=tokens,
        cost_usd=model.cost_usd(tokens.input - tokens.cache_read, tokens.output, tokens.cache_read),
        error_event=sse(error_body(*_failed())),
    )
    if body.get("stream"):
        options = body.get("stream_options") or {}
        reply.headers = [EVENT_TYPE, ("cache-control", "no-cache")]
        reply.events = list(
            stream(head, answers, usage, bool(options.get("include_usage")), config.chunk_tokens)
        )
    else:
        reply.headers = [JSON_TYPE]
        reply.body = msgspec.json.encode(completion(head, answers, usage))
    return reply


def _failed() -> tuple[str, str, None, None]:
    message, type, _ = status_error(500)
    return message, type, None, None


def usage_body(tokens: Tokens, reasoning_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _finish(answer: Answer) -> str:
    return "stop" if answer.finish == "stop_sequence" else answer.finish


def completion(head: Mapping[str, Any], answers: list[Answer], usage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": head["id"],
        "object": "chat.completion",
        "created": head["created"],
        "model": head["model"],
        "choices": [
            {
                "index": index,
                "message": _message(answer),
                "logprobs": None,
                "finish_reason": _finish(answer),
            }
            for index, answer in enumerate(answers)
        ],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }


def _message(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": answer.text or (None if answer.calls else ""),
        "refusal": None,
        "annotations": [],
    }
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{call.id}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in answer.calls
        ]
    return message


def stream(
    head: Mapping[str, Any],
    answers: list[Answer],
    usage: Mapping[str, Any],
    include_usage: bool,
    chunk_tokens: int,
) -> Iterator[Event]:
    """The events of a stream. With `include_usage` every chunk carries `"usage": null` but the last."""
    base = {
        "id": head["id"],
        "object": "chat.completion.chunk",
        "created": head["created"],
        "model": head["model"],
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }
    tail: dict[str, Any] = {"usage": None} if include_usage else {}

    def chunk(index: int, delta: Mapping[str, Any], tokens: int = 0, finish: str | None = None) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event(sse({**base, "choices": [choice], **tail}), tokens)

    for index, answer in enumerate(answers):
        content = None if answer.calls else ""
        yield chunk(
            index, {"role": "assistant", "content": content, "refusal": None}, answer.reasoning_tokens
        )
    for index, answer in enumerate(answers):
        for piece in pieces(answer.text, chunk_tokens):
            yield chunk(index, {"content": piece}, count_tokens(piece))
        for number, call in enumerate(answer.calls):
            opening = {
                "index": number,
                "id": f"call_{call.id}",
                "type": "function",
                "function": {"name": call.name, "arguments": ""},
            }
            of_name = count_tokens(call.name + call.arguments) - count_tokens(call.arguments)
            yield chunk(index, {"tool_calls": [opening]}, of_name)
            for piece in pieces(call.arguments, chunk_tokens):
                part = {"index": number, "function": {"arguments": piece}}
                yield chunk(index, {"tool_calls": [part]}, count_tokens(piece))
        yield chunk(index, {}, finish=_finish(answer))
    if include_usage:
        yield Event(sse({**base, "choices": [], "usage": usage}))
    yield Event(b"data: [DONE]\n\n")


def pieces(text: str, chunk_tokens: int) -> Iterator[str]:
    """The text in steps of `chunk_tokens` tokens."""
    step = chunk_tokens * CHARACTERS_PER_TOKEN
    for start in range(0, len(text), step):
        yield text[start : start + step]


# --- embeddings and models ----------------------------------------------------------------------


def embeddings(body: dict[str, Any], model: SimulatedModel) -> Reply:
    """Unit vectors that depend on the text alone. Raises Refused."""
    given = body.get("input")
    if given is None or given in ("", []):
        raise Refused(
            "Missing required parameter: 'input'.", param="input", code="missing_required_parameter"
        )
    items: list[Any] = given if isinstance(given, list) and not _is_token_list(given) else [given]
    width = body.get("dimensions") or (3072 if model.id.endswith("-large") else 1536)
    tokens = Tokens(input=sum(len(item) if isinstance(item, list) else count_tokens(item) for item in items))
    data = []
    for index, item in enumerate(items):
        vector = embed(item if isinstance(item, str) else compact(item), width)
        encoded: object = vector
        if body.get("encoding_format") == "base64":
            encoded = base64.b64encode(struct.pack(f"<{width}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": encoded})
    usage = {"prompt_tokens": tokens.input, "total_tokens": tokens.input}
    reply = json_reply({"object": "list", "data": data, "model": model.id, "usage": usage})
    reply.model, reply.tokens, reply.cost_usd = model.id, tokens, model.cost_usd(tokens.input, 0)
    return reply


def _is_token_list(value: list[Any]) -> bool:
    return all(isinstance(item, int) for item in value)


def embed(text: str, width: int) -> list[float]:
    """A vector of length 1 that depends on the text alone."""
    raw = hashlib.shake_256(text.encode()).digest(width)
    values = [byte - 127.5 for byte in raw]
    norm = math.sqrt(sum(value * value for value in values))
    return [value / norm for value in values]


def model_list(models: Mapping[str, SimulatedModel], owner: str) -> dict[str, Any]:
    return {"object": "list", "data": [model_row(model, owner) for model in models.values()]}


def model_row(model: SimulatedModel, owner: str) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": owner}
