"""A request in the neutral form, written for Cohere's chat (v2); what does not fit is named (step 4).

Reference: https://docs.cohere.com/reference/chat (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.cohere_chat.messages import MessageWriter
from ops_center.wire.parameters import allowed_tools, asked_reasoning, leave_out, object_schema, parameter

_MOST_STOPS = 5
# Cohere's own parameters, which callers may also send beside their format's.
_OWN_PARAMETERS = frozenset(["citation_options", "documents", "priority", "safety_mode", "thinking"])
# Tokens of thinking by effort; above them there is no limit but Cohere's own.
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192}
# Of the older models none thinks: https://docs.cohere.com/docs/reasoning (2026-11)
_THINKS = ("reasoning", "command-a-plus", "north-")


def encode_request(request: chat.ChatRequest, *, model: str) -> tuple[bytes, tuple[chat.Dropped, ...]]:
    """The body for `model`, and what it could not say.

    Raises BadRequest, with `param`, when leaving something out would not be harmless.
    """
    dropped: list[chat.Dropped] = []
    _refuse(request)
    writer = MessageWriter(dropped)
    writer.write(request.messages)
    body: dict[str, Any] = {"model": model, "messages": writer.messages, "stream": request.stream}
    _write_tools(body, request, dropped)
    values = {
        "max_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "stop_sequences": list(request.stop) or None,
        "seed": request.seed,
        "k": request.top_k,
        "p": _clamped("top_p", request.top_p, 0.01, 0.99, dropped),
        "frequency_penalty": _clamped("frequency_penalty", request.frequency_penalty, 0, 1, dropped),
        "presence_penalty": _clamped("presence_penalty", request.presence_penalty, 0, 1, dropped),
        "thinking": _thinking(request, model, dropped),
    }
    body |= {name: value for name, value in values.items() if value is not None}
    shape = request.response_format
    if shape is not None and shape.type != "text":
        body["response_format"] = {"type": "json_object"}
        if shape.type == "json_schema" and shape.schema is not None:
            body["response_format"]["json_schema"] = shape.schema
    leave_out(request, "Cohere", dropped, taken=_OWN_PARAMETERS)
    body |= {name: request.extra[name] for name in _OWN_PARAMETERS if name in request.extra}
    return msgspec.json.encode(body), tuple(dropped)


def _refuse(request: chat.ChatRequest) -> None:
    if (request.n or 1) > 1:
        raise BadRequest("`n`: Cohere gives one answer at a time.", param="n")
    if request.logprobs or request.top_logprobs:
        raise BadRequest("`logprobs`: they are not read from Cohere's answers.", param="logprobs")
    if len(request.stop) > _MOST_STOPS:
        name = parameter(request, "stop", "stop_sequences")
        raise BadRequest(f"`{name}`: Cohere takes at most {_MOST_STOPS} stop sequences.", param=name)


def _write_tools(body: dict[str, Any], request: chat.ChatRequest, dropped: list[chat.Dropped]) -> None:
    choice = request.tool_choice
    written: list[dict[str, Any]] = []
    strict: list[bool] = []
    for place, tool in allowed_tools(request):
        if tool.native:
            raise BadRequest(f"`{place}`: Cohere has no tool of type {tool.native.type}.", param=place)
        if choice is not None and choice.mode == "function" and tool.name != choice.name:
            continue  # Cohere can be made to call a tool, not which one: so it is shown no other
        function: dict[str, Any] = {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        function["parameters"] = object_schema(tool.parameters)
        written.append({"type": "function", "function": function})
        strict.append(bool(tool.strict))
    if not written:
        return
    body["tools"] = written
    if all(strict):
        body["strict_tools"] = True
    elif any(strict):
        dropped.append(chat.Dropped("tools.strict", "Cohere takes strict tools only all together"))
    if choice is not None and choice.mode in ("required", "function"):
        body["tool_choice"] = "REQUIRED"
    elif choice is not None and choice.mode == "none":
        body["tool_choice"] = "NONE"
    if request.parallel_tool_calls is False:
        name = parameter(request, "parallel_tool_calls", "tool_choice.disable_parallel_tool_use")
        dropped.append(chat.Dropped(name, "Cohere decides itself how many tools it calls"))


def _clamped(
    name: str, value: float | None, least: float, most: float, dropped: list[chat.Dropped]
) -> float | None:
    if value is None or least <= value <= most:
        return value
    nearest = min(max(value, least), most)
    if name != "top_p" or value != 1:  # 1 is everybody else's way to say "do not narrow"
        reason = f"changed from {value:g} to {nearest:g}: Cohere's range is {least:g} to {most:g}"
        dropped.append(chat.Dropped(name, reason))
    return nearest


def _thinking(request: chat.ChatRequest, model: str, dropped: list[chat.Dropped]) -> dict[str, Any] | None:
    wish = asked_reasoning(request)
    if wish is None or wish.mode == "between_tools":
        return None
    off = wish.effort == "none" or wish.mode == "disabled"
    if not any(word in model for word in _THINKS):
        if not off:
            name = parameter(request, "reasoning_effort", "thinking")
            dropped.append(chat.Dropped(name, "this model does not think"))
        return None
    if off:
        return {"type": "disabled"}
    budget = wish.budget_tokens or _BUDGETS.get(wish.effort or "")
    return {"type": "enabled", "token_budget": budget} if budget else {"type": "enabled"}
