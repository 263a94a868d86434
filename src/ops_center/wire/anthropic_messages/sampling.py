"""How a request's wishes about thinking and sampling reach one generation of Claude (part of step 4).

Only for requests that came in another format; every wish that cannot be met is named.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.anthropic_messages.claude import Generation
from ops_center.wire.json_fields import BOOLEAN, INTEGER, TEXT, Fields

_LEAST_BUDGET = 1024  # https://platform.claude.com/docs/en/build-with-claude/extended-thinking (2026-11)
_BUDGETS = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 24576,
}
_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}


def write_reasoning(
    body: dict[str, Any],
    config: dict[str, Any],
    request: chat.ChatRequest,
    claude: Generation,
    *,
    default_max_output_tokens: int,
    dropped: list[chat.Dropped],
) -> None:
    """Writes max_tokens, thinking and effort, which hang together: thinking counts towards max_tokens."""
    limit = request.max_output_tokens
    body["max_tokens"] = default_max_output_tokens if limit is None else limit
    if "thinking" in body:  # the caller set Anthropic's own parameter, which is passed on as it is
        own = Fields(body["thinking"], "thinking")
        if limit is None:
            body["max_tokens"] += own.take("budget_tokens", INTEGER) or 0
        return
    wish = _wish(request)
    if wish is None:
        return
    if wish.effort == "none" or wish.mode == "disabled":
        _switch_off(body, claude, dropped)
    elif claude.adaptive:
        body["thinking"] = {"type": "adaptive"}
        effort = _EFFORTS.get(wish.effort or _effort_of(wish.budget_tokens))
        if effort in ("xhigh", "max") and not claude.extra_effort:
            dropped.append(chat.Dropped("reasoning_effort", "this model knows no effort above high"))
            effort = "high"
        if effort is not None:
            config.setdefault("effort", effort)
    elif claude.budget:
        budget = wish.budget_tokens or _BUDGETS.get(wish.effort or "medium", _BUDGETS["medium"])
        _write_budget(body, request, max(budget, _LEAST_BUDGET), dropped)
    else:
        dropped.append(chat.Dropped("reasoning_effort", "this model does not think"))


def _wish(request: chat.ChatRequest) -> chat.Reasoning | None:
    """The caller's own words, or OpenRouter's `reasoning` object."""
    raw = request.extra.get("reasoning")
    if request.reasoning or raw is None or not bytes(raw).startswith(b"{"):
        return request.reasoning
    fields = Fields(raw, "reasoning")
    effort, budget = fields.take("effort", TEXT), fields.take("max_tokens", INTEGER)
    enabled = fields.take("enabled", BOOLEAN)
    if enabled is False:
        return chat.Reasoning(mode="disabled")
    if effort or budget or enabled:
        return chat.Reasoning(effort=effort, budget_tokens=budget)
    return None


def _switch_off(body: dict[str, Any], claude: Generation, dropped: list[chat.Dropped]) -> None:
    if not claude.thinks_by_default:
        return
    if claude.switch_off:
        body["thinking"] = {"type": "disabled"}
    else:
        dropped.append(chat.Dropped("reasoning_effort", "this model always thinks"))


def _write_budget(
    body: dict[str, Any], request: chat.ChatRequest, budget: int, dropped: list[chat.Dropped]
) -> None:
    choice = request.tool_choice
    if request.tools and choice and choice.mode in ("required", "function"):
        dropped.append(chat.Dropped("reasoning_effort", "this model does not think when a tool is forced"))
        return
    if _tool_loop_without_thinking(request.messages):
        reason = (
            "this model thinks in a tool loop only when its earlier thinking comes back (thinking_blocks)"
        )
        dropped.append(chat.Dropped("reasoning_effort", reason))
        return
    if request.max_output_tokens is None:
        body["max_tokens"] += budget
    elif request.max_output_tokens <= budget:
        budget = request.max_output_tokens - 1
        if budget < _LEAST_BUDGET:
            reason = f"the output limit leaves no room for the {_LEAST_BUDGET} tokens that thinking needs"
            dropped.append(chat.Dropped("reasoning_effort", reason))
            return
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _tool_loop_without_thinking(messages: tuple[chat.Message, ...]) -> bool:
    """Whether the running turn of the assistant called tools but lost the thinking before them."""
    for message in reversed(messages):
        if message.role == "assistant":
            calls = any(isinstance(part, chat.ToolCall) for part in message.parts)
            proven = any(isinstance(p, chat.Thinking) and (p.signature or p.redacted) for p in message.parts)
            return calls and not proven
        if message.role == "user" and not all(isinstance(part, chat.ToolResult) for part in message.parts):
            return False
    return False


def _effort_of(budget: int | None) -> str:
    if budget is None:
        return "medium"
    return next((effort for effort, limit in _BUDGETS.items() if budget <= limit), "high")


def write_sampling(
    body: dict[str, Any], request: chat.ChatRequest, claude: Generation, dropped: list[chat.Dropped]
) -> None:
    """Writes temperature, top_p and top_k as far as the model and its thinking allow."""
    for name, asked in (
        ("seed", request.seed is not None),
        ("frequency_penalty", bool(request.frequency_penalty)),
        ("presence_penalty", bool(request.presence_penalty)),
    ):
        if asked:
            dropped.append(chat.Dropped(name, "Anthropic has no such parameter"))
    temperature, top_p, top_k = request.temperature, request.top_p, request.top_k
    if not claude.sampling:
        for name, value, default in (
            ("temperature", temperature, 1),
            ("top_p", top_p, 1),
            ("top_k", top_k, None),
        ):
            if value is not None and value != default:
                dropped.append(chat.Dropped(name, "this model takes no sampling parameters"))
        return
    if temperature is not None and not 0 <= temperature <= 1:
        clamped = min(max(temperature, 0.0), 1.0)
        dropped.append(
            chat.Dropped(
                "temperature", f"changed from {temperature:g} to {clamped:g}: Anthropic's range is 0 to 1"
            )
        )
        temperature = clamped
    if _thinks(body):
        reason = "not taken together with thinking"
        if temperature is not None and temperature != 1:
            dropped.append(chat.Dropped("temperature", reason))
            temperature = None
        if top_k is not None:
            dropped.append(chat.Dropped("top_k", reason))
            top_k = None
        if top_p is not None and top_p < 0.95:
            dropped.append(chat.Dropped("top_p", reason))
            top_p = None
    if temperature is not None and top_p is not None and not claude.temperature_with_top_p:
        if top_p != 1:
            dropped.append(chat.Dropped("top_p", "this model takes temperature or top_p, not both"))
        top_p = None
    for name, number in (("temperature", temperature), ("top_p", top_p), ("top_k", top_k)):
        if number is not None:
            body[name] = number


def _thinks(body: dict[str, Any]) -> bool:
    thinking = body.get("thinking")
    if isinstance(thinking, Raw):
        return b'"disabled"' not in bytes(thinking)
    return thinking is not None and thinking["type"] != "disabled"
