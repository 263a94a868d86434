"""A request in the neutral form, written for Bedrock's Converse; what does not fit is named (step 4).

The model and streaming are in the URL, not in the body. What only one maker's models take stands in
`additionalModelRequestFields`, in that maker's own words.
Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.anthropic_messages.claude import generation
from ops_center.wire.anthropic_messages.sampling import write_reasoning, write_sampling
from ops_center.wire.bedrock_converse.blocks import TurnWriter
from ops_center.wire.parameters import allowed_tools, asked_reasoning, leave_out, object_schema, parameter

_CLAUDE_LIMIT = 4096  # what thinking is added to when the caller set no limit
# Converse's own parameters, which callers may also send beside their format's.
_OWN_PARAMETERS = frozenset(
    [
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "performanceConfig",
        "requestMetadata",
        "thinking",
    ]
)
_TIERS = frozenset(["flex", "priority"])
_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


def encode_request(request: chat.ChatRequest, *, model: str) -> tuple[bytes, tuple[chat.Dropped, ...]]:
    """The body for `model`, and what it could not say.

    Raises BadRequest, with `param`, when leaving something out would not be harmless.
    """
    dropped: list[chat.Dropped] = []
    claude = "claude" in model.lower()
    _refuse(request)
    writer = TurnWriter(claude=claude, caches=claude or "nova" in model.lower(), dropped=dropped)
    writer.write(request.messages)
    body: dict[str, Any] = {"messages": writer.messages}
    if writer.system:
        body["system"] = writer.system
    tools = _tool_config(request, writer, claude, dropped)
    if tools:
        body["toolConfig"] = tools
    more: dict[str, Any] = {}
    inference = (
        _claude_inference(request, model, more, dropped)
        if claude
        else _inference(request, model, more, dropped)
    )
    if request.stop:
        inference["stopSequences"] = list(request.stop)
        if claude:
            body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    if inference:
        body["inferenceConfig"] = inference
    _write_response_format(body, request, dropped)
    if request.service_tier in _TIERS:
        body["serviceTier"] = {"type": request.service_tier}
    leave_out(request, "Converse", dropped, taken=_OWN_PARAMETERS, tiers=_TIERS)
    for name in _OWN_PARAMETERS - {"thinking"}:
        if name in request.extra:
            body[name] = request.extra[name]
    if more and "additionalModelRequestFields" not in request.extra:
        body["additionalModelRequestFields"] = more
    return msgspec.json.encode(body), tuple(dropped)


def _refuse(request: chat.ChatRequest) -> None:
    if (request.n or 1) > 1:
        raise BadRequest("`n`: Converse gives one answer at a time.", param="n")
    if request.logprobs or request.top_logprobs:
        raise BadRequest("`logprobs`: Converse reports no log probabilities.", param="logprobs")


def _tool_config(
    request: chat.ChatRequest, writer: TurnWriter, claude: bool, dropped: list[chat.Dropped]
) -> dict[str, Any] | None:
    written: list[dict[str, Any]] = []
    for place, tool in allowed_tools(request):
        if tool.native:
            raise BadRequest(f"`{place}`: Converse has no tool of type {tool.native.type}.", param=place)
        spec: dict[str, Any] = {"name": tool.name}
        if tool.description:
            spec["description"] = tool.description
        spec["inputSchema"] = {"json": object_schema(tool.parameters)}
        if tool.strict:
            spec["strict"] = True
        written.append({"toolSpec": spec})
        written += writer.cache_point(tool.cache)
    choice = request.tool_choice
    if choice is not None and choice.mode == "none" and written:
        written = []
        if writer.calls_tools:
            dropped.append(
                chat.Dropped("tool_choice", "Converse knows no such choice: the tools were left out instead")
            )
    if not written:
        # Converse refuses a conversation that holds calls when it is told of no tool at all.
        return {"tools": [_NO_TOOL]} if writer.calls_tools else None
    if request.parallel_tool_calls is False:
        name = parameter(request, "parallel_tool_calls", "tool_choice.disable_parallel_tool_use")
        dropped.append(chat.Dropped(name, "Converse lets the model decide how many tools it calls"))
    config: dict[str, Any] = {"tools": written}
    if choice is not None and choice.mode == "function":
        config["toolChoice"] = {"tool": {"name": choice.name}}
    elif choice is not None and choice.mode == "required":
        config["toolChoice"] = {"any": {}}
    elif choice is not None:
        config["toolChoice"] = {"auto": {}}
    return config


_NO_TOOL = {
    "toolSpec": {
        "name": "no_tool",
        "description": "There is no tool to call now. Never call this one.",
        "inputSchema": {"json": {"type": "object", "properties": {}}},
    }
}


def _claude_inference(
    request: chat.ChatRequest, model: str, more: dict[str, Any], dropped: list[chat.Dropped]
) -> dict[str, Any]:
    """Claude's wishes by the same rules as at Anthropic; only their places differ."""
    facts = generation(model)
    body: dict[str, Any] = {}
    config: dict[str, Any] = {}
    if "thinking" in request.extra:
        body["thinking"] = request.extra["thinking"]
    write_reasoning(body, config, request, facts, default_max_output_tokens=_CLAUDE_LIMIT, dropped=dropped)
    write_sampling(body, request, facts, dropped)
    inference: dict[str, Any] = {}
    if request.max_output_tokens is not None or "thinking" in body:
        inference["maxTokens"] = body["max_tokens"]
    for name, ours in (("temperature", "temperature"), ("topP", "top_p")):
        if ours in body:
            inference[name] = body[ours]
    for name in ("thinking", "top_k"):
        if name in body:
            more[name] = body[name]
    if config:
        more["output_config"] = config
    return inference


def _inference(
    request: chat.ChatRequest, model: str, more: dict[str, Any], dropped: list[chat.Dropped]
) -> dict[str, Any]:
    for name, asked in (
        ("seed", request.seed is not None),
        ("frequency_penalty", bool(request.frequency_penalty)),
        ("presence_penalty", bool(request.presence_penalty)),
    ):
        if asked:
            dropped.append(chat.Dropped(name, "Converse has no such parameter"))
    if request.top_k is not None:
        if "nova" in model:
            more["inferenceConfig"] = {"topK": request.top_k}
        else:
            dropped.append(chat.Dropped("top_k", "Converse has no such parameter"))
    _write_effort(request, model, more, dropped)
    values = {
        "maxTokens": request.max_output_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
    }
    return {name: value for name, value in values.items() if value is not None}


def _write_effort(
    request: chat.ChatRequest, model: str, more: dict[str, Any], dropped: list[chat.Dropped]
) -> None:
    """https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html and
    https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html (2026-11)."""
    wish = asked_reasoning(request)
    if wish is None or wish.mode == "between_tools" or wish.mode == "disabled" or wish.effort == "none":
        return
    effort = wish.effort
    if effort is None and wish.budget_tokens is not None:
        effort = "low" if wish.budget_tokens <= 2048 else "medium" if wish.budget_tokens <= 8192 else "high"
    effort = _EFFORTS.get(effort or "medium", "medium")
    if "gpt-oss" in model:
        more["reasoning_effort"] = effort
    elif "nova-2" in model:
        more["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": effort}
    else:
        name = parameter(request, "reasoning_effort", "thinking")
        dropped.append(chat.Dropped(name, "this model takes no wish about its thinking"))


def _write_response_format(
    body: dict[str, Any], request: chat.ChatRequest, dropped: list[chat.Dropped]
) -> None:
    shape = request.response_format
    if shape is None or shape.type == "text":
        return
    if shape.type == "json_object":
        dropped.append(chat.Dropped("response_format", "Converse has no JSON mode without a schema"))
        return
    schema: dict[str, Any] = {"schema": bytes(shape.schema or b"{}").decode(), "name": shape.name or "answer"}
    if shape.description:
        schema["description"] = shape.description
    body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
