"""Whole answers in OpenAI's chat format: read into the neutral form, written out of it, or only metered.

Reference: https://platform.openai.com/docs/api-reference/chat/object (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.figures import at_tier
from ops_center.wire.json_fields import OBJECT
from ops_center.wire.openai_chat.pieces import (
    Content,
    arguments_text,
    read_logprobs,
    read_pictures,
    thoughts_and_text,
    write_logprobs,
    write_picture,
)
from ops_center.wire.openai_chat.thinking import signed_thinking, thinking_blocks
from ops_center.wire.openai_chat.usage import read_usage, write_usage
from ops_center.wire.provider_errors import carries_error
from ops_center.wire.reading import read_answer, unusable

_NULL = Raw(b"null")
_REASONS = {
    "stop": chat.STOP,
    "eos": chat.STOP,
    "length": chat.LENGTH,
    "max_tokens": chat.LENGTH,
    "tool_calls": chat.TOOL_CALLS,
    "function_call": chat.TOOL_CALLS,
    "content_filter": chat.CONTENT_FILTER,
    "error": chat.ERROR,
}


class _Function(msgspec.Struct):
    name: str = ""
    arguments: Raw = _NULL


class _ToolCall(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _ThinkingBlock(msgspec.Struct):
    type: str = "thinking"
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class _Message(msgspec.Struct):
    content: Content = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking_blocks: list[_ThinkingBlock] | None = None
    images: Raw = _NULL


class _Choice(msgspec.Struct):
    message: Raw
    index: int = 0
    finish_reason: str | None = None
    logprobs: Raw = _NULL


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    usage: Raw = _NULL
    service_tier: str | None = None
    error: Raw = _NULL


class _ReasonOnly(msgspec.Struct):
    finish_reason: str | None = None


class _Facts(msgspec.Struct):
    choices: list[_ReasonOnly]
    usage: Raw = _NULL
    service_tier: str | None = None
    error: Raw = _NULL


_ANSWER = msgspec.json.Decoder(_Answer)
_MESSAGE = msgspec.json.Decoder(_Message)
_FACTS = msgspec.json.Decoder(_Facts)
_ANYTHING = msgspec.json.Decoder()
_KNOWN = frozenset(["id", "object", "created", "model", "choices", "usage"])
_KNOWN_OF_MESSAGE = frozenset(
    ["role", "content", "refusal", "tool_calls", "reasoning_content", "thinking_blocks"]
)


def neutral_reason(word: str | None) -> str | None:
    """A provider's word as one of ours."""
    return _REASONS.get(word, chat.OTHER) if word else None


def native_reason(reason: str | None) -> str:
    """Our word as one of OpenAI's."""
    return reason if reason in (chat.LENGTH, chat.TOOL_CALLS, chat.CONTENT_FILTER) else "stop"


def decode_answer(body: bytes) -> chat.ChatAnswer:
    """Raises ProviderUnusable for HTML, half a JSON, an error inside a 200, missing fields."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if _facts_of_no_answer(body).error:
            raise unusable("an error inside a 200") from None
        answer = read_answer(_ANSWER, body)
    if _is_error(answer.error):
        raise unusable("an error inside a 200")
    if not answer.choices:
        raise unusable("an answer without choices")
    if any(choice.finish_reason == "error" for choice in answer.choices):
        raise unusable("an answer that ended with an error")
    fields = read_answer(OBJECT, body)
    return chat.ChatAnswer(
        format=chat.OPENAI_CHAT,
        id=answer.id or "",
        model=answer.model or "",
        created=int(answer.created) if answer.created is not None else None,
        choices=tuple(_choice(choice) for choice in answer.choices),
        usage=at_tier(read_usage(answer.usage), answer.service_tier),
        native_usage=fields.get("usage"),
        extra={name: raw for name, raw in fields.items() if name not in _KNOWN},
    )


def _choice(choice: _Choice) -> chat.Choice:
    message = read_answer(_MESSAGE, choice.message, "the message of a choice")
    fields = read_answer(OBJECT, choice.message, "the message of a choice")
    parts: list[chat.Part] = []
    for block in message.thinking_blocks or ():
        if block.type == "redacted_thinking":
            parts.append(chat.Thinking(redacted=block.data or "", origin=chat.ANTHROPIC_MESSAGES))
        else:
            parts.append(signed_thinking(block.thinking or "", block.signature))
    thought = message.reasoning_content or message.reasoning
    if thought and not parts:
        parts.append(chat.Thinking(text=thought))
    for thinking, text in thoughts_and_text(message.content):
        parts.append(chat.Thinking(text=text) if thinking else chat.Text(text))
    for media_type, data in read_pictures(message.images):
        parts.append(chat.Image(media_type=media_type, data=data))
    if message.refusal:
        parts.append(chat.Refusal(message.refusal))
    for index, call in enumerate(message.tool_calls or ()):
        if call.function is None:
            raise unusable("a tool call without a function")
        parts.append(
            chat.ToolCall(
                id=call.id or f"call_{index}",
                name=call.function.name,
                arguments=arguments_text(call.function.arguments),
            )
        )
    reason = neutral_reason(choice.finish_reason)
    if message.tool_calls and reason == chat.STOP:
        reason = chat.TOOL_CALLS  # some servers say "stop" after a tool call
    return chat.Choice(
        index=choice.index,
        parts=tuple(parts),
        finish_reason=reason,
        native_finish_reason=choice.finish_reason,
        logprobs=read_logprobs(choice.logprobs),
        extra={name: raw for name, raw in fields.items() if name not in _KNOWN_OF_MESSAGE},
    )


def encode_answer(
    answer: chat.ChatAnswer,
    *,
    model: str,
    request_id: str,
    created: int,
    request: chat.ChatRequest | None = None,
) -> bytes:
    """The answer as a chat completion; `created` (Unix seconds) where the provider named no time."""
    own = answer.format == chat.OPENAI_CHAT
    body: dict[str, Any] = {
        "id": answer.id if own and answer.id else completion_id(request_id),
        "object": "chat.completion",
        "created": answer.created if answer.created is not None else created,
        "model": model,
        "choices": [_write_choice(choice, own) for choice in answer.choices],
    }
    if own and answer.native_usage is not None:
        body["usage"] = answer.native_usage
    elif answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    if own:
        body.update(answer.extra)
    return msgspec.json.encode(body)


def completion_id(request_id: str) -> str:
    return "chatcmpl-" + request_id.removeprefix("req_")


def _write_choice(choice: chat.Choice, own: bool) -> dict[str, Any]:
    parts = choice.parts
    text = "".join(part.text for part in parts if isinstance(part, chat.Text))
    refusal = "".join(part.text for part in parts if isinstance(part, chat.Refusal))
    thinking = [part for part in parts if isinstance(part, chat.Thinking)]
    calls = [part for part in parts if isinstance(part, chat.ToolCall)]
    pictures = [part for part in parts if isinstance(part, chat.Image)]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if calls or refusal else ""),
        "refusal": refusal or None,
    }
    thought = "".join(part.text for part in thinking)
    if thought:
        message["reasoning_content"] = thought
    if any(part.signature or part.redacted for part in thinking):
        message["thinking_blocks"] = thinking_blocks(thinking)
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    if pictures:
        message["images"] = [write_picture(part, index) for index, part in enumerate(pictures)]
    if own:
        message.update(choice.extra)
    return {
        "index": choice.index,
        "message": message,
        "logprobs": write_logprobs(choice.logprobs),
        "finish_reason": choice.native_finish_reason if own else native_reason(choice.finish_reason),
    }


def read_answer_usage(body: bytes) -> chat.AnswerFacts:
    """Usage and finish reason of an answer that passes through; decodes nothing else."""
    try:
        facts = _FACTS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _facts_of_no_answer(body)
    reason = neutral_reason(facts.choices[0].finish_reason) if facts.choices else None
    return chat.AnswerFacts(
        usage=at_tier(read_usage(facts.usage), facts.service_tier),
        finish_reason=reason,
        error=_is_error(facts.error),
    )


def _is_error(raw: Raw) -> bool:
    return bytes(raw) not in (b"null", b"{}", b'""', b"false")


def _facts_of_no_answer(body: bytes) -> chat.AnswerFacts:
    try:
        value = _ANYTHING.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return chat.AnswerFacts(valid=False)
    return chat.AnswerFacts(error=carries_error(value), valid=False)
