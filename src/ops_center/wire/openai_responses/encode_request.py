"""A request in the neutral form, written for a model that speaks OpenAI's Responses; what does not fit is named.

Nothing is stored at the provider (`store` is false), so thinking is asked for in the sealed form that the
caller can send back (step 4).
Reference: https://platform.openai.com/docs/api-reference/responses/create (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.openai_chat.models import Model, model_facts, write_sampling
from ops_center.wire.openai_responses.response import write_format, write_tool, write_tool_choice
from ops_center.wire.openai_responses.write_items import write_items

_LEAST_OUTPUT_TOKENS = 16  # https://platform.openai.com/docs/api-reference/responses/create (2026-11)
_MOST_USER_CHARACTERS = 64
_SERVICE_TIERS = {"auto": "auto", "default": "default", "flex": "flex", "priority": "priority"}
_SERVICE_TIERS |= {"standard_only": "default"}  # Anthropic's word
_BUDGET_EFFORTS = ((2048, "low"), (8192, "medium"))
# Leaving one of these out would give another answer than the one asked for.
_REFUSED = {
    "audio": "this model is served by the Responses API, which does not speak",
    "container": "only Anthropic runs containers",
    "function_call": "it is deprecated: use tool_choice",
    "functions": "it is deprecated: use tools",
    "inference_geo": "this provider cannot promise where it computes",
    "logit_bias": "the Responses API has no token biases",
    "mcp_servers": "only Anthropic calls MCP servers itself",
    "output_format": "use output_config.format",
    "response_format": "the Responses API knows no such format",
    "tool_choice": "the Responses API knows no such choice",
    "web_search_options": "the Responses API searches by a tool of its own",
}
_HARMLESS = frozenset(
    [
        "cache_control",
        "context_management",
        "diagnostics",
        "modalities",
        "prediction",
        "speed",
        "store",
        "user_profile_id",
    ]
)


def encode_request(request: chat.ChatRequest, *, model: str) -> tuple[bytes, tuple[chat.Dropped, ...]]:
    """The body for `model`, and what it could not say.

    Raises BadRequest, with `param`, when leaving something out would not be harmless.
    """
    if request.format == chat.OPENAI_RESPONSES:
        left: list[chat.Dropped] = []  # another maker's thinking
        return msgspec.json.encode(_as_it_was(request, model, left)), tuple(left)
    dropped: list[chat.Dropped] = []
    return msgspec.json.encode(_fitted(request, model, dropped)), tuple(dropped)


def _as_it_was(request: chat.ChatRequest, model: str, dropped: list[chat.Dropped]) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model}
    messages = list(request.messages)
    if messages and messages[0].place == "instructions":
        body["instructions"] = "".join(p.text for p in messages.pop(0).parts if isinstance(p, chat.Text))
    if messages:
        body["input"] = write_items(messages, own=True, dropped=dropped)
    if request.tools:
        body["tools"] = [_own_tool(tool) for tool in request.tools]
    if request.tool_choice:
        body["tool_choice"] = write_tool_choice(request.tool_choice)
    for name in ("parallel_tool_calls", "max_output_tokens", "temperature", "top_p", "top_logprobs"):
        _put(body, name, getattr(request, name))
    _put(body, "user", request.user)
    _put(body, "service_tier", request.service_tier)
    groups: dict[str, dict[str, Any]] = {"text": {}, "reasoning": {}, "stream_options": {}}
    if request.response_format:
        groups["text"]["format"] = write_format(request.response_format)
    if request.reasoning:
        _put(groups["reasoning"], "effort", request.reasoning.effort)
        _put(groups["reasoning"], "summary", request.reasoning.summary)
    for name, raw in request.extra.items():
        group, _, inner = name.partition(".")
        if inner and group in groups:
            groups[group][inner] = raw
        else:
            body[name] = raw
    body.update({name: fields for name, fields in groups.items() if fields})
    if request.stream:
        body["stream"] = True
    return body


def _own_tool(tool: chat.Tool) -> dict[str, Any] | Raw:
    written = write_tool(tool)
    if isinstance(written, dict) and tool.strict is None:
        del written["strict"]
    return written


def _fitted(request: chat.ChatRequest, model: str, dropped: list[chat.Dropped]) -> dict[str, Any]:
    facts = model_facts(model)
    _refuse(request)
    items = write_items(request.messages, own=False, dropped=dropped)
    body: dict[str, Any] = {"model": model, "input": items, "store": False}
    if request.tools:
        body["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(request.tools)]
        if request.tool_choice:
            body["tool_choice"] = write_tool_choice(request.tool_choice)
        if request.parallel_tool_calls is False:
            body["parallel_tool_calls"] = False
    text: dict[str, Any] = {}
    if request.response_format:
        text["format"] = write_format(request.response_format)
    limit = request.max_output_tokens
    if limit is not None and limit < _LEAST_OUTPUT_TOKENS:
        dropped.append(
            chat.Dropped("max_tokens", f"raised to {_LEAST_OUTPUT_TOKENS}, the least this model takes")
        )
        limit = _LEAST_OUTPUT_TOKENS
    _put(body, "max_output_tokens", limit)
    _write_sampling(body, request, facts, dropped)
    _write_reasoning(body, request, facts, dropped)
    if request.user and len(request.user) <= _MOST_USER_CHARACTERS:
        body["user"] = request.user
    elif request.user:
        dropped.append(chat.Dropped("user", f"OpenAI takes at most {_MOST_USER_CHARACTERS} characters"))
    if request.service_tier in _SERVICE_TIERS:
        body["service_tier"] = _SERVICE_TIERS[request.service_tier]
    elif request.service_tier:
        dropped.append(chat.Dropped("service_tier", "OpenAI has no such tier"))
    for name, raw in request.extra.items():
        if bytes(raw) in (b"null", b"[]", b"{}"):
            continue
        if name == "verbosity":
            text["verbosity"] = raw
        elif "." in name or name in _HARMLESS:
            dropped.append(chat.Dropped(name, "the Responses API has no such parameter"))
        else:
            body[name] = raw  # the same in both, or unknown to us: a provider's own parameter
    _put(body, "text", text or None)
    if request.stream:
        body["stream"] = True
    return body


def _refuse(request: chat.ChatRequest) -> None:
    if (request.n or 1) > 1:
        raise BadRequest("`n`: the Responses API gives one answer at a time.", param="n")
    if request.logprobs or request.top_logprobs:
        raise BadRequest(
            "`logprobs`: this model is served by the Responses API, which reports them in another way.",
            param="logprobs",
        )
    if request.stop:
        place = "stop_sequences" if request.format == chat.ANTHROPIC_MESSAGES else "stop"
        raise BadRequest(f"`{place}`: the Responses API has no stop sequences.", param=place)
    for name, reason in _REFUSED.items():
        raw = request.extra.get(name)
        if raw is not None and bytes(raw) not in (b"null", b"{}", b"[]"):
            raise BadRequest(f"`{name}`: {reason}.", param=name)


def _tool(tool: chat.Tool, path: str) -> dict[str, Any]:
    if tool.native:
        raise BadRequest(f"`{path}`: the Responses API has no tool of type {tool.native.type}.", param=path)
    written = write_tool(msgspec.structs.replace(tool, extra=chat.NOTHING))
    assert isinstance(written, dict)
    return written


def _write_sampling(
    body: dict[str, Any], request: chat.ChatRequest, facts: Model, dropped: list[chat.Dropped]
) -> None:
    write_sampling(body, request, facts, dropped)
    for name, asked in (
        ("top_k", request.top_k is not None),
        ("seed", request.seed is not None),
        ("frequency_penalty", bool(request.frequency_penalty)),
        ("presence_penalty", bool(request.presence_penalty)),
    ):
        if asked:
            dropped.append(chat.Dropped(name, "the Responses API has no such parameter"))


def _write_reasoning(
    body: dict[str, Any], request: chat.ChatRequest, facts: Model, dropped: list[chat.Dropped]
) -> None:
    reasons = not facts.sampling
    if reasons:
        body["include"] = ["reasoning.encrypted_content"]
    wish = request.reasoning
    if wish is None or wish.mode in ("disabled", "between_tools"):
        return
    effort = wish.effort
    if effort is None and wish.budget_tokens is not None:
        effort = next((word for most, word in _BUDGET_EFFORTS if wish.budget_tokens <= most), "high")
    if not reasons:
        dropped.append(chat.Dropped("reasoning_effort", "this model does not reason"))
        return
    written: dict[str, Any] = {}
    _put(written, "effort", effort)
    if wish.mode in ("enabled", "adaptive") and wish.display != "omitted":
        written["summary"] = "auto"  # the caller asked to see the thinking
    _put(body, "reasoning", written or None)


def _put(body: dict[str, Any], name: str, value: object) -> None:
    if value is not None:
        body[name] = value
