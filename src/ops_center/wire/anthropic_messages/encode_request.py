"""A request in the neutral form, written for an Anthropic provider; what does not fit is named (step 4).

A request that came in this format is written back as it was. One from another format is fitted to the
generation of Claude it goes to: what is left out or changed is returned, what must not be is refused.
Reference: https://platform.claude.com/docs/en/api/messages (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.anthropic_messages.blocks import TurnWriter, cache_control
from ops_center.wire.anthropic_messages.claude import Generation, generation
from ops_center.wire.anthropic_messages.sampling import write_reasoning, write_sampling
from ops_center.wire.json_fields import OBJECT, TEXT, decode

_EMPTY_SCHEMA = Raw(b'{"type":"object","properties":{}}')
_TOOL_CHOICES = {"auto": "auto", "required": "any", "none": "none", "function": "tool"}
_SERVICE_TIERS = {"auto": "auto", "default": "standard_only"}

# Anthropic's own parameters, which callers of other formats may also send beside their format's.
_OWN_PARAMETERS = frozenset(
    [
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "inference_geo",
        "mcp_servers",
        "output_config",
        "speed",
        "thinking",
        "user_profile_id",
    ]
)
# Leaving one of these out would give another answer than the one asked for.
_REFUSED = {
    "audio": "Anthropic's models do not speak",
    "function_call": "it is deprecated: use tool_choice",
    "functions": "it is deprecated: use tools",
    "logit_bias": "Anthropic's models have no token biases",
    "moderation": "Anthropic runs no moderation model beside the answer",
    "response_format": "Anthropic knows no such format",
    "tool_choice": "Anthropic knows no such choice",
    "web_search_options": "use Anthropic's own web search tool",
}
_HANDLED = frozenset(["modalities", "output_config"])  # read elsewhere, or saying nothing
_NOT_TAKEN = "Anthropic has no such parameter"


def encode_request(
    request: chat.ChatRequest, *, model: str, default_max_output_tokens: int = 4096
) -> tuple[bytes, tuple[chat.Dropped, ...]]:
    """The body for `model`, and what it could not say.

    `default_max_output_tokens` stands in where the caller set no limit, since Anthropic demands one.
    Raises BadRequest, with `param`, when leaving something out would not be harmless.
    """
    dropped: list[chat.Dropped] = []
    if request.format == chat.ANTHROPIC_MESSAGES:
        return msgspec.json.encode(_as_it_was(request, model, dropped)), tuple(dropped)
    return msgspec.json.encode(_fitted(request, model, default_max_output_tokens, dropped)), tuple(dropped)


def _as_it_was(request: chat.ChatRequest, model: str, dropped: list[chat.Dropped]) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "max_tokens": request.max_output_tokens}
    writer = TurnWriter(chat.ANTHROPIC_MESSAGES, dropped)
    writer.write(request.messages)
    if writer.system:
        body["system"] = writer.system_prompt()
    body["messages"] = writer.messages()
    if request.tools:
        body["tools"] = [_tool(tool, own=True) for tool in request.tools]
    choice = _tool_choice(request)
    if choice:
        body["tool_choice"] = choice
    _put(body, "temperature", request.temperature)
    _put(body, "top_p", request.top_p)
    _put(body, "top_k", request.top_k)
    _put(body, "stop_sequences", list(request.stop) or None)
    _put(body, "service_tier", request.service_tier)
    reasoning = request.reasoning
    if reasoning and reasoning.mode:
        thinking: dict[str, Any] = {"type": reasoning.mode}
        _put(thinking, "budget_tokens", reasoning.budget_tokens)
        _put(thinking, "display", reasoning.display)
        body["thinking"] = thinking
    config: dict[str, Any] = {}
    _put(config, "effort", reasoning.effort if reasoning else None)
    if request.response_format:
        config["format"] = {"type": "json_schema", "schema": request.response_format.schema}
    metadata: dict[str, Any] = {}
    _put(metadata, "user_id", request.user)
    for name, raw in request.extra.items():
        group, _, inner = name.partition(".")
        if inner:
            (config if group == "output_config" else metadata)[inner] = raw
        else:
            body[name] = raw
    _put(body, "output_config", config or None)
    _put(body, "metadata", metadata or None)
    if request.stream:
        body["stream"] = True
    return body


def _fitted(
    request: chat.ChatRequest, model: str, default_max_output_tokens: int, dropped: list[chat.Dropped]
) -> dict[str, Any]:
    claude = generation(model)
    _refuse(request)
    writer = TurnWriter(request.format, dropped)
    writer.write(request.messages)
    writer.make_answerable(prefill=claude.prefill)
    body: dict[str, Any] = {"model": model}
    if writer.system:
        body["system"] = writer.system_prompt()
    body["messages"] = writer.messages()
    tools = _tools(request, claude, dropped)
    if tools:
        body["tools"] = tools
        choice = _tool_choice(request)
        if choice:
            body["tool_choice"] = choice
    _put(body, "stop_sequences", [s for s in request.stop if s.strip()] or None)
    if len(body.get("stop_sequences", ())) < len(request.stop):
        dropped.append(chat.Dropped("stop", "Anthropic stops at no sequence of only white space"))
    _write_extra(body, request, dropped)
    config = _own_output_config(request)
    write_reasoning(
        body, config, request, claude, default_max_output_tokens=default_max_output_tokens, dropped=dropped
    )
    write_sampling(body, request, claude, dropped)
    _write_response_format(config, request, claude, dropped)
    _put(body, "output_config", config or None)
    user = request.user or _text(request.extra.get("safety_identifier"))
    if user:
        body["metadata"] = {"user_id": user}
    if request.service_tier in _SERVICE_TIERS:
        body["service_tier"] = _SERVICE_TIERS[request.service_tier]
    elif request.service_tier:
        dropped.append(chat.Dropped("service_tier", "Anthropic has no such tier"))
    if request.stream:
        body["stream"] = True
    return body


def _refuse(request: chat.ChatRequest) -> None:
    if (request.n or 1) > 1:
        raise BadRequest("`n`: Anthropic's models give one answer at a time.", param="n")
    if request.logprobs or request.top_logprobs:
        raise BadRequest("`logprobs`: Anthropic's models report no log probabilities.", param="logprobs")
    for name, reason in _REFUSED.items():
        raw = request.extra.get(name)
        if raw is not None and bytes(raw) not in (b"null", b"{}", b"[]"):
            raise BadRequest(f"`{name}`: {reason}.", param=name)
    if b'"audio"' in bytes(request.extra.get("modalities", b"")):
        raise BadRequest("`modalities`: Anthropic's models do not speak.", param="modalities")


def _write_extra(body: dict[str, Any], request: chat.ChatRequest, dropped: list[chat.Dropped]) -> None:
    for name, raw in request.extra.items():
        if bytes(raw) in (b"null", b"false", b"{}", b"[]") or name in _HANDLED:
            continue
        if name in _OWN_PARAMETERS:
            body[name] = raw
        elif name not in _REFUSED and not (name == "safety_identifier" and not request.user):
            dropped.append(chat.Dropped(name, _NOT_TAKEN))


def _tools(
    request: chat.ChatRequest, claude: Generation, dropped: list[chat.Dropped]
) -> list[dict[str, Any] | Raw]:
    written: list[dict[str, Any] | Raw] = []
    allowed = request.tool_choice.allowed if request.tool_choice else None
    for index, tool in enumerate(request.tools):
        if tool.native:
            raise BadRequest(
                f"`tools[{index}]`: Anthropic has no tool of type {tool.native.type}.",
                param=f"tools[{index}]",
            )
        if allowed is not None and tool.name not in allowed:
            continue
        strict = tool.strict
        if strict and not claude.structured:
            dropped.append(
                chat.Dropped(f"tools[{index}].function.strict", "this model takes no strict tools")
            )
            strict = None
        written.append(_tool(tool, own=False, strict=strict or None))
    return written


def _tool(tool: chat.Tool, *, own: bool, strict: bool | None = None) -> dict[str, Any] | Raw:
    if tool.native:
        return tool.native.raw
    written: dict[str, Any] = {"name": tool.name}
    _put(written, "description", tool.description)
    written["input_schema"] = tool.parameters if own else _object_schema(tool.parameters)
    _put(written, "strict", tool.strict if own else strict)
    _put(written, "cache_control", cache_control(tool.cache))
    if own:
        written.update(tool.extra)
    return written


def _object_schema(schema: Raw | None) -> Raw:
    """OpenAI lets a schema be absent, or leave out that it is an object; Anthropic does not."""
    if schema is None:
        return _EMPTY_SCHEMA
    try:
        fields = OBJECT.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        return schema
    if "type" in fields:
        return schema
    return Raw(msgspec.json.encode({"type": "object", **fields}))


def _tool_choice(request: chat.ChatRequest) -> dict[str, Any] | None:
    choice = request.tool_choice
    single = request.parallel_tool_calls is False
    if choice is None:
        return {"type": "auto", "disable_parallel_tool_use": True} if single else None
    written: dict[str, Any] = {"type": _TOOL_CHOICES[choice.mode]}
    if choice.mode == "function":
        written["name"] = choice.name
    if choice.mode != "none" and (single or (request.parallel_tool_calls and _own(request))):
        written["disable_parallel_tool_use"] = single
    return written


def _own(request: chat.ChatRequest) -> bool:
    return request.format == chat.ANTHROPIC_MESSAGES


def _write_response_format(
    config: dict[str, Any], request: chat.ChatRequest, claude: Generation, dropped: list[chat.Dropped]
) -> None:
    shape = request.response_format
    if shape is None or shape.type == "text":
        return
    if shape.type == "json_object":
        # OpenAI demands that the prompt itself asks for JSON then, so the model is told anyway.
        dropped.append(chat.Dropped("response_format", "Anthropic has no JSON mode without a schema"))
        return
    if not claude.structured:
        raise BadRequest(
            "`response_format`: this model takes no JSON schema for its answer.", param="response_format"
        )
    if shape.schema is None:
        raise BadRequest(
            "`response_format.json_schema.schema` is required.", param="response_format.json_schema.schema"
        )
    config["format"] = {"type": "json_schema", "schema": shape.schema}


def _own_output_config(request: chat.ChatRequest) -> dict[str, Any]:
    raw = request.extra.get("output_config")
    if raw is None or bytes(raw) == b"null":
        return {}
    try:
        return dict(OBJECT.decode(raw))
    except msgspec.DecodeError:
        raise BadRequest("`output_config` must be an object.", param="output_config") from None


def _text(raw: Raw | None) -> str | None:
    return decode(TEXT, raw, "safety_identifier") if raw is not None else None


def _put(body: dict[str, Any], name: str, value: object) -> None:
    if value is not None:
        body[name] = value
