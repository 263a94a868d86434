"""A request in the neutral form, written for Gemini; what does not fit is named (step 4).

The model and streaming are in the URL, not in the body.
Reference: https://ai.google.dev/api/generate-content (2026-11); Vertex AI takes the same body.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.gemini.contents import ContentWriter
from ops_center.wire.gemini.models import Generation, generation
from ops_center.wire.json_fields import TEXTS, decode
from ops_center.wire.parameters import allowed_tools, asked_reasoning, leave_out, parameter

_MOST_STOPS = 5
# Gemini's own parameters, which callers may also send beside their format's, in either spelling.
_OWN_PARAMETERS = {
    "safetySettings": "safetySettings",
    "safety_settings": "safetySettings",
    "cachedContent": "cachedContent",
    "cached_content": "cachedContent",
    "labels": "labels",
}
# Google's own tools, as callers of OpenAI's format name them.
_OWN_TOOLS = {
    "google_search": "googleSearch",
    "url_context": "urlContext",
    "code_execution": "codeExecution",
    "google_maps": "googleMaps",
}
# https://ai.google.dev/gemini-api/docs/openai#thinking (2026-11)
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
_LEVELS = ("minimal", "low", "medium", "high")


def encode_request(request: chat.ChatRequest, *, model: str) -> tuple[bytes, tuple[chat.Dropped, ...]]:
    """The body for `model`, and what it could not say.

    Raises BadRequest, with `param`, when leaving something out would not be harmless.
    """
    dropped: list[chat.Dropped] = []
    facts = generation(model)
    writer = ContentWriter(facts, dropped)
    writer.write(chat.one_turn_each(request.messages))
    body: dict[str, Any] = {"contents": writer.contents}
    if writer.system:
        body["systemInstruction"] = {"parts": writer.system}
    tools = _tools(request, dropped)
    if tools:
        body["tools"] = tools
        choice = _tool_choice(request)
        if choice:
            body["toolConfig"] = {"functionCallingConfig": choice}
        if request.parallel_tool_calls is False:
            name = parameter(request, "parallel_tool_calls", "tool_choice.disable_parallel_tool_use")
            dropped.append(chat.Dropped(name, "Gemini decides itself how many functions it calls"))
    if "image" in model and request.format in (chat.ANTHROPIC_MESSAGES, chat.OPENAI_COMPLETIONS):
        dropped.append(chat.Dropped("content.image", "this format's answers hold no pictures"))
    config = _generation_config(request, facts, dropped)
    if config:
        body["generationConfig"] = config
    leave_out(request, "Gemini", dropped, taken=_OWN_PARAMETERS, pictures=True)
    for name, own_name in _OWN_PARAMETERS.items():
        if name in request.extra:
            body[own_name] = request.extra[name]
    return msgspec.json.encode(body), tuple(dropped)


def _tools(request: chat.ChatRequest, dropped: list[chat.Dropped]) -> list[dict[str, Any]]:
    functions: list[dict[str, Any]] = []
    own: list[dict[str, Any]] = []
    for place, tool in allowed_tools(request):
        if tool.native:
            name = _OWN_TOOLS.get(tool.native.type)
            if name is None:
                raise BadRequest(f"`{place}`: Gemini has no tool of type {tool.native.type}.", param=place)
            own.append({name: {}})
            continue
        function: dict[str, Any] = {"name": tool.name}
        if tool.description is not None:
            function["description"] = tool.description
        if tool.parameters is not None:
            function["parametersJsonSchema"] = tool.parameters
        if tool.strict:
            dropped.append(chat.Dropped(f"{place}.strict", "Gemini has no strict functions"))
        functions.append(function)
    return [*([{"functionDeclarations": functions}] if functions else []), *own]


def _tool_choice(request: chat.ChatRequest) -> dict[str, Any] | None:
    choice = request.tool_choice
    if choice is None:
        return None
    if choice.mode == "function":
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    if choice.mode == "required":
        names = {"allowedFunctionNames": list(choice.allowed)} if choice.allowed is not None else {}
        return {"mode": "ANY", **names}
    return {"mode": "NONE" if choice.mode == "none" else "AUTO"}


def _generation_config(
    request: chat.ChatRequest, facts: Generation, dropped: list[chat.Dropped]
) -> dict[str, Any]:
    if len(request.stop) > _MOST_STOPS:
        name = parameter(request, "stop", "stop_sequences")
        raise BadRequest(f"`{name}`: Gemini takes at most {_MOST_STOPS} stop sequences.", param=name)
    if request.logprobs is None and request.top_logprobs:
        raise BadRequest("`top_logprobs` needs `logprobs`: true.", param="top_logprobs")
    config: dict[str, Any] = {
        "maxOutputTokens": request.max_output_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        "frequencyPenalty": request.frequency_penalty or None,
        "presencePenalty": request.presence_penalty or None,
        "candidateCount": request.n if (request.n or 1) > 1 else None,
        "responseLogprobs": True if request.logprobs else None,
        "logprobs": request.top_logprobs if request.logprobs and request.top_logprobs else None,
        "responseModalities": _modalities(request),
        "thinkingConfig": _thinking(request, facts, dropped),
    }
    shape = request.response_format
    if shape is not None and shape.type != "text":
        config["responseMimeType"] = "application/json"
        if shape.type == "json_schema":
            config["responseJsonSchema"] = shape.schema or Raw(b"{}")
    return {name: value for name, value in config.items() if value is not None}


def _modalities(request: chat.ChatRequest) -> list[str] | None:
    """What the answer may hold, where the caller says more than text: OpenRouter's `modalities`."""
    raw = request.extra.get("modalities")
    words = decode(TEXTS, raw, "modalities") if raw is not None else None
    return [word.upper() for word in words] if words and "image" in words else None


def _thinking(
    request: chat.ChatRequest, facts: Generation, dropped: list[chat.Dropped]
) -> dict[str, Any] | None:
    wish = asked_reasoning(request)
    if wish is None or wish.mode == "between_tools":
        return None
    name = parameter(request, "reasoning_effort", "thinking")
    off = wish.effort == "none" or wish.mode == "disabled"
    if not facts.levels and not facts.budget:
        if not off:
            dropped.append(chat.Dropped(name, "this model does not think"))
        return None
    if off and not facts.switch_off:
        dropped.append(
            chat.Dropped(name, "this model always thinks; it was asked to think as little as it can")
        )
    if facts.levels:
        return {"thinkingLevel": facts.levels[0]} if off else _level(wish, facts)
    if off:
        return {"thinkingBudget": 0 if facts.switch_off else facts.least_budget}
    if wish.budget_tokens is None and wish.effort is None:
        return {"includeThoughts": True}
    budget = wish.budget_tokens or _BUDGETS.get(wish.effort or "medium", _BUDGETS["medium"])
    return {"includeThoughts": True, "thinkingBudget": max(budget, facts.least_budget)}


def _level(wish: chat.Reasoning, facts: Generation) -> dict[str, Any]:
    effort = wish.effort
    if effort is None and wish.budget_tokens is not None:
        effort = "low" if wish.budget_tokens <= 2048 else "medium" if wish.budget_tokens <= 8192 else "high"
    if effort is None:
        return {"includeThoughts": True}
    wanted = _LEVELS.index(effort) if effort in _LEVELS else len(_LEVELS) - 1
    # the nearest level that the model knows and that thinks no less than was asked for
    level = next((each for each in facts.levels if _LEVELS.index(each) >= wanted), facts.levels[-1])
    return {"includeThoughts": True, "thinkingLevel": level}
