"""Whole answers of Converse read into the neutral form. They come translated only: no caller speaks Converse.

Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (2026-11).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.bedrock_converse.usage import read_usage
from ops_center.wire.figures import at_tier
from ops_center.wire.reading import read_answer, unusable

_REASONS = {
    "end_turn": chat.STOP,
    "stop_sequence": chat.STOP,
    "max_tokens": chat.LENGTH,
    "model_context_window_exceeded": chat.LENGTH,
    "tool_use": chat.TOOL_CALLS,
    "guardrail_intervened": chat.CONTENT_FILTER,
    "content_filtered": chat.CONTENT_FILTER,
    "malformed_model_output": chat.ERROR,
    "malformed_tool_use": chat.ERROR,
}


class _ReasoningText(msgspec.Struct):
    text: str = ""
    signature: str | None = None


class _Reasoning(msgspec.Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None


class _Message(msgspec.Struct):
    content: list[_Block]


class _Output(msgspec.Struct):
    message: _Message


class ModelFields(msgspec.Struct):
    """What was asked for by `additionalModelResponseFieldPaths`."""

    stop_sequence: str | None = None


class ServiceTier(msgspec.Struct):
    type: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    output: _Output
    stop_reason: str | None = None
    usage: Raw = Raw(b"null")
    service_tier: ServiceTier | None = None
    additional_model_response_fields: Raw = Raw(b"null")


_ANSWER = msgspec.json.Decoder(_Answer)
_FIELDS = msgspec.json.Decoder(ModelFields | None)


def neutral_reason(word: str | None) -> str | None:
    """Converse's word as one of ours."""
    return _REASONS.get(word, chat.OTHER) if word else None


def met_stop_sequence(raw: Raw) -> str | None:
    """The sequence that ended the answer, where the model says it."""
    try:
        fields = _FIELDS.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return fields.stop_sequence if fields else None


def decode_answer(body: bytes) -> chat.ChatAnswer:
    """Raises ProviderUnusable for HTML, half a JSON, an error inside a 200, missing fields, and an answer
    that Bedrock itself calls malformed and that holds nothing."""
    answer = read_answer(_ANSWER, body)
    parts: list[chat.Part] = []
    for block in answer.output.message.content:
        if block.reasoning_content:
            parts.append(_thinking(block.reasoning_content))
        elif block.tool_use:
            use = block.tool_use
            arguments = bytes(use.input).decode()
            parts.append(chat.ToolCall(id=use.tool_use_id, name=use.name, arguments=arguments))
        elif block.text:
            parts.append(chat.Text(block.text))
    reason = neutral_reason(answer.stop_reason)
    if reason == chat.ERROR and not parts:
        raise unusable(f"the model's own answer was unusable: {answer.stop_reason}")
    choice = chat.Choice(
        parts=tuple(parts),
        finish_reason=reason,
        native_finish_reason=answer.stop_reason,
        stop_sequence=met_stop_sequence(answer.additional_model_response_fields),
    )
    return chat.ChatAnswer(
        format=chat.BEDROCK_CONVERSE,
        id="",
        model="",
        choices=(choice,),
        usage=at_tier(read_usage(answer.usage), answer.service_tier and answer.service_tier.type),
    )


def _thinking(block: _Reasoning) -> chat.Thinking:
    if block.redacted_content is not None:
        return chat.Thinking(redacted=block.redacted_content, origin=chat.ANTHROPIC_MESSAGES)
    text = block.reasoning_text or _ReasoningText()
    origin = chat.ANTHROPIC_MESSAGES if text.signature else None  # only Claude signs there
    return chat.Thinking(text=text.text, signature=text.signature, origin=origin)
