"""Whole answers in Anthropic's format: read into the neutral form, written out of it, or only metered.

Reference: https://platform.claude.com/docs/en/api/messages (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.errors import BadRequest
from ops_center.wire import chat
from ops_center.wire.anthropic_messages.decode_request import read_block
from ops_center.wire.anthropic_messages.usage import read_usage, write_usage
from ops_center.wire.json_fields import OBJECT
from ops_center.wire.provider_errors import carries_error
from ops_center.wire.reading import read_answer, unusable
from ops_center.wire.signatures import mark

_REASONS = {
    "end_turn": chat.STOP,
    "stop_sequence": chat.STOP,
    "max_tokens": chat.LENGTH,
    "model_context_window_exceeded": chat.LENGTH,
    "tool_use": chat.TOOL_CALLS,
    "refusal": chat.CONTENT_FILTER,
    "pause_turn": chat.STOP,  # the turn may be continued; no other format has a word for it
}
_WORDS = {
    chat.STOP: "end_turn",
    chat.LENGTH: "max_tokens",
    chat.TOOL_CALLS: "tool_use",
    chat.CONTENT_FILTER: "refusal",
}


class _Answer(msgspec.Struct):
    content: list[Raw]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Facts(msgspec.Struct):
    content: list[Raw]
    stop_reason: str | None = None
    usage: Raw = Raw(b"null")
    container: Raw = Raw(b"null")


_ANSWER = msgspec.json.Decoder(_Answer)
_FACTS = msgspec.json.Decoder(_Facts)
_ANYTHING = msgspec.json.Decoder()
# A server tool's own doings, and pictures, of which the caller was told in the answer's head.
_UNSAYABLE = (chat.Native, chat.Image)
_KNOWN = frozenset(["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"])


def neutral_reason(word: str | None) -> str | None:
    """Anthropic's word as one of ours."""
    return _REASONS.get(word, chat.OTHER) if word else None


class _End(msgspec.Struct):
    stop_reason: str | None = None
    container: Raw = Raw(b"null")

    @property
    def finish_reason(self) -> str | None:
        return neutral_reason(self.stop_reason)


_END = msgspec.json.Decoder(_End | None)


def read_end(delta: Raw) -> _End:
    """The reason, and the container if code was run in one, in the delta of a message_delta event."""
    try:
        return _END.decode(delta) or _End()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _End()


def native_reason(reason: str | None, stop_sequence: str | None) -> str:
    """Our word as Anthropic's."""
    if stop_sequence is not None:
        return "stop_sequence"
    return _WORDS.get(reason or "", "end_turn")


def decode_answer(body: bytes) -> chat.ChatAnswer:
    """Raises ProviderUnusable for HTML, half a JSON, an error inside a 200, missing fields."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _refuse_error(body)
        answer = read_answer(_ANSWER, body)
    fields = read_answer(OBJECT, body)
    try:
        parts = tuple(read_block(raw, f"content[{index}]") for index, raw in enumerate(answer.content))
    except BadRequest as error:
        raise unusable(f"a content block could not be read: {error.param}") from None
    choice = chat.Choice(
        parts=parts,
        finish_reason=neutral_reason(answer.stop_reason),
        native_finish_reason=answer.stop_reason,
        stop_sequence=answer.stop_sequence,
    )
    usage = fields.get("usage")
    return chat.ChatAnswer(
        format=chat.ANTHROPIC_MESSAGES,
        id=answer.id,
        model=answer.model,
        choices=(choice,),
        usage=read_usage(usage, fields.get("container", b"null")),
        native_usage=usage,
        extra={name: raw for name, raw in fields.items() if name not in _KNOWN},
    )


def _refuse_error(body: bytes) -> None:
    try:
        value = _ANYTHING.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if carries_error(value):
        raise unusable("an error inside a 200")


def encode_answer(
    answer: chat.ChatAnswer,
    *,
    model: str,
    request_id: str,
    created: int,
    request: chat.ChatRequest | None = None,
) -> bytes:
    """The answer's first choice as a message; `created` has no place in this format."""
    own = answer.format == chat.ANTHROPIC_MESSAGES
    choice = answer.choices[0]
    body: dict[str, Any] = {
        "id": answer.id if own and answer.id else message_id(request_id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_block(part, own) for part in choice.parts if own or not isinstance(part, _UNSAYABLE)],
        "stop_reason": choice.native_finish_reason
        if own
        else native_reason(choice.finish_reason, choice.stop_sequence),
        "stop_sequence": choice.stop_sequence,
        "usage": answer.native_usage if own and answer.native_usage else write_usage(answer.usage),
    }
    if own:
        body.update(answer.extra)
    return msgspec.json.encode(body)


def message_id(request_id: str) -> str:
    return "msg_" + request_id.removeprefix("req_")


def _block(part: chat.Part, own: bool) -> dict[str, Any] | Raw:
    block: dict[str, Any]
    if isinstance(part, chat.Text | chat.Refusal):
        block = {"type": "text", "text": part.text}
    elif isinstance(part, chat.ToolCall):
        block = {"type": "tool_use", "id": part.id, "name": part.name, "input": call_input(part.arguments)}
    elif isinstance(part, chat.Thinking):
        if part.redacted is not None:
            return {"type": "redacted_thinking", "data": part.redacted}
        signature = mark(part.signature or "", part.origin, chat.ANTHROPIC_MESSAGES)
        return {"type": "thinking", "thinking": part.text, "signature": signature}
    elif isinstance(part, chat.Native):
        return part.raw
    else:
        raise unusable(f"an answer with a part of kind {type(part).__name__}")
    if own and not isinstance(part, chat.Refusal):
        block.update(part.extra)
    return block


def call_input(arguments: str) -> Raw:
    """A model's arguments as an object. Text that is none is wrapped in the way Anthropic recommends:
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming (2026-11)."""
    if not arguments.strip():
        return Raw(b"{}")
    raw = arguments.encode()
    try:
        OBJECT.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return Raw(msgspec.json.encode({"INVALID_JSON": arguments}))
    return Raw(raw)


def read_answer_usage(body: bytes) -> chat.AnswerFacts:
    """Usage and stop reason of an answer that passes through; decodes nothing else."""
    try:
        facts = _FACTS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _facts_of_no_answer(body)
    return chat.AnswerFacts(
        usage=read_usage(facts.usage, facts.container), finish_reason=neutral_reason(facts.stop_reason)
    )


def _facts_of_no_answer(body: bytes) -> chat.AnswerFacts:
    try:
        value = _ANYTHING.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return chat.AnswerFacts(valid=False)
    return chat.AnswerFacts(error=carries_error(value), valid=False)
