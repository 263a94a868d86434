"""Parameters that only OpenAI's and Anthropic's own services know, on the way to a third format (step 4).

Says of each whether leaving it out is harmless, and then names it, or would give another answer than the
one asked for, and then refuses it. Knows no format but the two that callers speak.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.json_fields import BOOLEAN, INTEGER, OBJECT, TEXT, Fields

_REFUSED = {
    "audio": "its models do not speak here",
    "container": "only Anthropic runs containers",
    "function_call": "it is deprecated: use tool_choice",
    "functions": "it is deprecated: use tools",
    "inference_geo": "it cannot promise where it computes",
    "logit_bias": "its models have no token biases",
    "mcp_servers": "only Anthropic calls MCP servers itself",
    "output_format": "use output_config.format",
    "response_format": "it knows no such format",
    "tool_choice": "it knows no such choice",
    "web_search_options": "only OpenAI has this search",
}
_EMPTY = (b"null", b"false", b"{}", b"[]", b'""')
_SAYING_NOTHING = frozenset(["modalities", "reasoning"])  # read elsewhere, or the default


def leave_out(
    request: chat.ChatRequest,
    maker: str,
    dropped: list[chat.Dropped],
    *,
    taken: Mapping[str, str] | frozenset[str] = frozenset(),
    tiers: frozenset[str] = frozenset(),
    pictures: bool = False,
) -> None:
    """Names every parameter of `request.extra` that `maker` does not take, but those in `taken`. `tiers` are the
    service tiers that it has; `pictures`: its answers may hold some.

    Raises BadRequest, with `param`, for one that must not be left out.
    """
    for name, raw in request.extra.items():
        if name in taken or bytes(raw) in _EMPTY:
            continue
        if name in _REFUSED:
            raise BadRequest(f"`{name}`: {maker} does not take it: {_REFUSED[name]}.", param=name)
        if name == "modalities" and b'"audio"' in bytes(raw):
            raise BadRequest(f"`modalities`: {maker}'s models do not speak here.", param="modalities")
        if name == "modalities" and b'"image"' in bytes(raw) and not pictures:
            raise BadRequest(f"`modalities`: {maker}'s models do not draw here.", param="modalities")
        if name not in _SAYING_NOTHING:
            dropped.append(chat.Dropped(name, f"{maker} has no such parameter"))
    if request.user:
        name = "metadata.user_id" if request.format == chat.ANTHROPIC_MESSAGES else "user"
        dropped.append(chat.Dropped(name, f"{maker} has no such parameter"))
    if request.service_tier not in (None, "auto", "default", "standard_only", *tiers):
        dropped.append(chat.Dropped("service_tier", f"{maker} has no such tier"))


def asked_reasoning(request: chat.ChatRequest) -> chat.Reasoning | None:
    """The caller's own words about thinking, or OpenRouter's `reasoning` object."""
    raw: Raw | None = request.extra.get("reasoning")
    if request.reasoning or raw is None or not bytes(raw).startswith(b"{"):
        return request.reasoning
    fields = Fields(raw, "reasoning")
    effort, budget = fields.take("effort", TEXT), fields.take("max_tokens", INTEGER)
    enabled = fields.take("enabled", BOOLEAN)
    if enabled is False:
        return chat.Reasoning(mode="disabled")
    return chat.Reasoning(effort=effort, budget_tokens=budget) if effort or budget or enabled else None


def allowed_tools(request: chat.ChatRequest) -> list[tuple[str, chat.Tool]]:
    """The tools that the caller's choice leaves, each with its place. Tools of one maker are among them."""
    allowed = request.tool_choice.allowed if request.tool_choice else None
    return [
        (f"tools[{index}]", tool)
        for index, tool in enumerate(request.tools)
        if allowed is None or tool.native or tool.name in allowed
    ]


def parameter(request: chat.ChatRequest, openai: str, anthropic: str) -> str:
    """What the caller's own format calls a parameter."""
    return anthropic if request.format == chat.ANTHROPIC_MESSAGES else openai


def object_schema(schema: Raw | None) -> Raw:
    """A schema that says it is an object, which OpenAI lets one leave out."""
    if schema is None:
        return Raw(b'{"type":"object","properties":{}}')
    try:
        fields = OBJECT.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        return schema
    return schema if "type" in fields else Raw(msgspec.json.encode({"type": "object", **fields}))
