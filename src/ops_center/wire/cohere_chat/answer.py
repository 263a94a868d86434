"""Whole answers of Cohere read into the neutral form. They come translated only: no caller speaks Cohere.

Reference: https://docs.cohere.com/reference/chat (2026-11).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.cohere_chat.usage import read_usage
from ops_center.wire.reading import read_answer, unusable

_REASONS = {
    "COMPLETE": chat.STOP,
    "STOP_SEQUENCE": chat.STOP,
    "MAX_TOKENS": chat.LENGTH,
    "TOOL_CALL": chat.TOOL_CALLS,
    "ERROR": chat.ERROR,
    "ERROR_TOXIC": chat.CONTENT_FILTER,
    "TIMEOUT": chat.ERROR,
}


class _Content(msgspec.Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""


class _Function(msgspec.Struct, frozen=True):
    name: str = ""
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    id: str = ""
    function: _Function = _Function()


class _Message(msgspec.Struct):
    content: list[_Content] | None = None
    tool_plan: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Answer(msgspec.Struct):
    message: _Message
    id: str = ""
    finish_reason: str | None = None
    usage: Raw = Raw(b"null")


_ANSWER = msgspec.json.Decoder(_Answer)


def neutral_reason(word: str | None) -> str | None:
    """Cohere's word as one of ours."""
    return _REASONS.get(word, chat.OTHER) if word else None


def decode_answer(body: bytes) -> chat.ChatAnswer:
    """Raises ProviderUnusable for HTML, half a JSON, an error inside a 200, missing fields, and an answer
    that broke off before it said anything."""
    answer = read_answer(_ANSWER, body)
    message = answer.message
    parts: list[chat.Part] = []
    if message.tool_plan:
        parts.append(chat.Thinking(text=message.tool_plan))
    for content in message.content or ():
        if content.type == "thinking" and content.thinking:
            parts.append(chat.Thinking(text=content.thinking))
        elif content.type == "text" and content.text:
            parts.append(chat.Text(content.text))
    for call in message.tool_calls or ():
        arguments = call.function.arguments or "{}"
        parts.append(chat.ToolCall(id=call.id, name=call.function.name, arguments=arguments))
    reason = neutral_reason(answer.finish_reason)
    if reason == chat.ERROR and not parts:
        raise unusable(f"the answer broke off: {answer.finish_reason}")
    choice = chat.Choice(parts=tuple(parts), finish_reason=reason, native_finish_reason=answer.finish_reason)
    return chat.ChatAnswer(
        format=chat.COHERE_CHAT,
        id=answer.id,
        model="",
        choices=(choice,),
        usage=read_usage(answer.usage),
    )
