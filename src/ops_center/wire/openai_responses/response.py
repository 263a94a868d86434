"""The response object of OpenAI's Responses: what is asked repeated beside what is answered (step 5).

Used by whole answers and by streams, so that both say the same.
Reference: https://platform.openai.com/docs/api-reference/responses/object (2026-11).
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from ops_center.types import Usage
from ops_center.wire import chat
from ops_center.wire.openai_responses.items import REDACTED
from ops_center.wire.openai_responses.usage import write_usage
from ops_center.wire.signatures import mark

COMPLETED, INCOMPLETE, IN_PROGRESS = "completed", "incomplete", "in_progress"
_ASKED = (
    "max_tool_calls",
    "metadata",
    "prompt_cache_key",
    "safety_identifier",
    "truncation",
)


def response_id(request_id: str) -> str:
    return "resp_" + request_id.removeprefix("req_")


class ItemIds:
    """Ids for the items of one response, in order."""

    def __init__(self, request_id: str) -> None:
        self._stem = request_id.removeprefix("req_")
        self._count = 0

    def next(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._stem}{self._count:04d}"


def response_head(
    request: chat.ChatRequest | None, *, request_id: str, model: str, created: int
) -> dict[str, Any]:
    """The response before there is anything in it."""
    head: dict[str, Any] = {
        "id": response_id(request_id),
        "object": "response",
        "created_at": created,
        "status": IN_PROGRESS,
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,  # whatever was asked: this gateway keeps no responses
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }
    if request is not None and request.format == chat.OPENAI_RESPONSES:
        _repeat(head, request)
    return head


def _repeat(head: dict[str, Any], request: chat.ChatRequest) -> None:
    first = request.messages[0] if request.messages else None
    if first is not None and first.place == "instructions":
        head["instructions"] = "".join(part.text for part in first.parts if isinstance(part, chat.Text))
    for name in ("max_output_tokens", "parallel_tool_calls", "temperature", "top_logprobs", "top_p", "user"):
        value = getattr(request, name)
        if value is not None:
            head[name] = value
    if request.reasoning:
        head["reasoning"] = {"effort": request.reasoning.effort, "summary": request.reasoning.summary}
    if request.response_format:
        head["text"]["format"] = write_format(request.response_format)
    if "text.verbosity" in request.extra:
        head["text"]["verbosity"] = request.extra["text.verbosity"]
    if request.tool_choice:
        head["tool_choice"] = write_tool_choice(request.tool_choice)
    head["tools"] = [write_tool(tool, repeated=True) for tool in request.tools]
    for name in _ASKED:
        if name in request.extra and bytes(request.extra[name]) != b"null":
            head[name] = request.extra[name]


def write_format(shape: chat.ResponseFormat) -> dict[str, Any]:
    if shape.type != "json_schema":
        return {"type": shape.type}
    written: dict[str, Any] = {"type": "json_schema", "name": shape.name or "answer", "schema": shape.schema}
    if shape.description is not None:
        written["description"] = shape.description
    # Anthropic's schemas have no name and are always strict.
    strict = True if shape.name is None else shape.strict
    if strict is not None:
        written["strict"] = strict
    return written


def write_tool(tool: chat.Tool, *, repeated: bool = False) -> dict[str, Any] | Raw:
    """`repeated`: in a response, where absent fields are written as null."""
    if tool.native:
        return tool.native.raw
    written: dict[str, Any] = {"type": "function", "name": tool.name}
    if repeated or tool.description is not None:
        written["description"] = tool.description
    written["parameters"] = tool.parameters
    # This format alone makes a tool strict where nobody said so; other formats mean the opposite.
    written["strict"] = tool.strict if repeated or tool.strict is not None else False
    return {**written, **tool.extra}


def write_tool_choice(choice: chat.ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "function":
        return {"type": "function", "name": choice.name}
    if choice.allowed is not None:
        tools = [{"type": "function", "name": name} for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
    return choice.mode


def finish(
    head: dict[str, Any], output: list[Any], *, reason: str | None, usage: Usage | None, refused: bool
) -> dict[str, Any]:
    """The response as it ends. `refused`: the model said in words that it will not, which is an answer."""
    response = {**head, "output": output, "status": COMPLETED}
    if reason == chat.LENGTH:
        response["status"] = INCOMPLETE
        response["incomplete_details"] = {"reason": "max_output_tokens"}
    elif reason == chat.CONTENT_FILTER and not refused:
        response["status"] = INCOMPLETE
        response["incomplete_details"] = {"reason": "content_filter"}
    if usage is not None:
        response["usage"] = write_usage(usage)
    return response


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(text: str) -> dict[str, Any]:
    return {"type": "refusal", "refusal": text}


def message_item(item_id: str, content: list[Any], status: str = COMPLETED) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def call_item(item_id: str, call: chat.ToolCall, status: str = COMPLETED) -> dict[str, Any]:
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def picture_item(
    item_id: str, picture: chat.Image | chat.ImageDelta | None, status: str = COMPLETED
) -> dict[str, Any]:
    """A picture that the model drew: this format has pictures as the results of its own tool."""
    result = picture.data if picture else None
    return {"id": item_id, "type": "image_generation_call", "status": status, "result": result}


def reasoning_item(item_id: str, text: str, sealed: str | None, status: str = COMPLETED) -> dict[str, Any]:
    """`sealed` is what its maker needs to see again: always there, since no server keeps it in between."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    item = {"id": item_id, "type": "reasoning", "summary": summary, "status": status}
    return {**item, "encrypted_content": sealed} if sealed is not None else item


def seal(part: chat.Thinking) -> str | None:
    """The proof of a piece of thinking, as this format carries it."""
    if part.redacted is not None:
        return mark(part.redacted, REDACTED, chat.OPENAI_RESPONSES)
    if part.signature is None:
        return None
    return mark(part.signature, part.origin, chat.OPENAI_RESPONSES)
