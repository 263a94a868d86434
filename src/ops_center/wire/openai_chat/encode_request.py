"""A request in the neutral form, written for a provider that speaks OpenAI's chat; what does not fit is named.

Streams always ask for usage, since a stream without it cannot be metered (step 4).
Reference: https://platform.openai.com/docs/api-reference/chat/create (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.openai_chat.messages import cache_control, write_messages
from ops_center.wire.openai_chat.models import Model, model_facts, write_sampling

_SERVICE_TIERS = {"auto": "auto", "standard_only": "default"}
_MOST_USER_CHARACTERS = 64  # OpenAI refuses a longer `user`
# Anthropic's parameters that ask for something no other provider does.
_REFUSED = {
    "container": "only Anthropic runs containers",
    "inference_geo": "this provider cannot promise where it computes",
    "mcp_servers": "only Anthropic calls MCP servers itself",
    "output_format": "use output_config.format",
}
_HARMLESS = frozenset(["cache_control", "context_management", "diagnostics", "speed", "user_profile_id"])
_BUDGET_EFFORTS = ((2048, "low"), (8192, "medium"))


def encode_request(request: chat.ChatRequest, *, model: str) -> tuple[bytes, tuple[chat.Dropped, ...]]:
    """The body for `model`, and what it could not say.

    Raises BadRequest, with `param`, when leaving something out would not be harmless.
    """
    dropped: list[chat.Dropped] = []
    facts = model_facts(model)
    own = request.format == chat.OPENAI_CHAT
    body: dict[str, Any] = {
        "model": model,
        "messages": write_messages(request, keep_thinking=facts.claude, dropped=dropped),
    }
    if request.tools:
        body["tools"] = [
            _tool(tool, f"tools[{index}]", own=own, keep_cache=own or facts.claude)
            for index, tool in enumerate(request.tools)
        ]
    if request.tool_choice and (own or request.tools):
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if own or (request.tools and request.parallel_tool_calls is False):
        _put(body, "parallel_tool_calls", request.parallel_tool_calls)
    if request.response_format:
        body["response_format"] = _response_format(request.response_format)
    limit = "max_completion_tokens" if facts.completion_limit else "max_tokens"
    _put(body, limit, request.max_output_tokens)
    _put(body, "stop", list(request.stop) or None)
    for name in ("seed", "frequency_penalty", "presence_penalty", "n", "logprobs", "top_logprobs"):
        _put(body, name, getattr(request, name))
    if own:
        for name in ("temperature", "top_p", "top_k", "user", "service_tier"):
            _put(body, name, getattr(request, name))
        _put(body, "reasoning_effort", request.reasoning.effort if request.reasoning else None)
    else:
        _write_sampling(body, request, facts, dropped)
        _write_effort(body, request, facts, dropped)
        _write_user_and_tier(body, request, dropped)
    options: dict[str, Any] = (
        {"include_usage": True} if request.stream or (request.include_usage and own) else {}
    )
    if request.stream:
        body["stream"] = True
    _write_extra(body, options, request, own=own, dropped=dropped)
    _put(body, "stream_options", options or None)
    return msgspec.json.encode(body), tuple(dropped)


def _write_extra(
    body: dict[str, Any],
    options: dict[str, Any],
    request: chat.ChatRequest,
    *,
    own: bool,
    dropped: list[chat.Dropped],
) -> None:
    for name, raw in request.extra.items():
        group, _, inner = name.partition(".")
        if own:
            if group == "stream_options" and inner:
                options[inner] = raw
            else:
                body[name] = raw
        elif bytes(raw) in (b"null", b"[]", b"{}"):
            continue
        elif name in _REFUSED:
            raise BadRequest(f"`{name}`: {_REFUSED[name]}.", param=name)
        elif inner or name in _HARMLESS:
            dropped.append(chat.Dropped(name, "only Anthropic has this parameter"))
        else:
            body[name] = raw  # unknown to both of us: a provider's own parameter


def _write_sampling(
    body: dict[str, Any], request: chat.ChatRequest, facts: Model, dropped: list[chat.Dropped]
) -> None:
    write_sampling(body, request, facts, dropped)
    if request.top_k is not None:
        dropped.append(chat.Dropped("top_k", "OpenAI's format has no such parameter"))


def _write_effort(
    body: dict[str, Any], request: chat.ChatRequest, facts: Model, dropped: list[chat.Dropped]
) -> None:
    wish = request.reasoning
    if wish is None or wish.mode in ("disabled", "between_tools"):
        return
    effort = wish.effort
    if effort is None and wish.budget_tokens is not None:
        effort = next((word for most, word in _BUDGET_EFFORTS if wish.budget_tokens <= most), "high")
    if effort is None:
        return
    if facts.effort:
        body["reasoning_effort"] = effort
    else:
        place = "thinking" if request.format == chat.ANTHROPIC_MESSAGES else "reasoning"
        dropped.append(chat.Dropped(place, "this model does not reason"))


def _write_user_and_tier(
    body: dict[str, Any], request: chat.ChatRequest, dropped: list[chat.Dropped]
) -> None:
    if request.user and len(request.user) <= _MOST_USER_CHARACTERS:
        body["user"] = request.user
    elif request.user:
        reason = f"OpenAI takes at most {_MOST_USER_CHARACTERS} characters"
        place = "metadata.user_id" if request.format == chat.ANTHROPIC_MESSAGES else "user"
        dropped.append(chat.Dropped(place, reason))
    if request.service_tier in _SERVICE_TIERS:
        body["service_tier"] = _SERVICE_TIERS[request.service_tier]
    elif request.service_tier:
        dropped.append(chat.Dropped("service_tier", "OpenAI has no such tier"))


def _tool(tool: chat.Tool, path: str, *, own: bool, keep_cache: bool) -> dict[str, Any] | Raw:
    if tool.native:
        if tool.native.format == chat.OPENAI_CHAT:
            return tool.native.raw
        raise BadRequest(f"`{path}`: this provider has no tool of type {tool.native.type}.", param=path)
    function: dict[str, Any] = {"name": tool.name}
    _put(function, "description", tool.description)
    _put(function, "parameters", tool.parameters)
    _put(function, "strict", tool.strict)
    written: dict[str, Any] = {"type": "function", "function": function}
    if tool.cache and keep_cache:
        written["cache_control"] = cache_control(tool.cache)
    if own:
        written.update(tool.extra)
    return written


def _tool_choice(choice: chat.ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "function":
        return {"type": "function", "function": {"name": choice.name}}
    if choice.allowed is not None:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.allowed]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return choice.mode


def _response_format(shape: chat.ResponseFormat) -> dict[str, Any]:
    if shape.type != "json_schema":
        return {"type": shape.type}
    # Anthropic's schemas have no name and are always strict.
    inner: dict[str, Any] = {"name": shape.name or "answer"}
    _put(inner, "description", shape.description)
    _put(inner, "schema", shape.schema)
    _put(inner, "strict", True if shape.name is None else shape.strict)
    return {"type": "json_schema", "json_schema": inner}


def _put(body: dict[str, Any], name: str, value: object) -> None:
    if value is not None:
        body[name] = value
