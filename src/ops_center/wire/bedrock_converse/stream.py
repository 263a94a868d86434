"""Converse's streams, event by event, read into the neutral form (step 5).

Complete with its `metadata`, which carries the usage and comes last.
Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html (2026-11).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.bedrock_converse.answer import ServiceTier, met_stop_sequence, neutral_reason
from ops_center.wire.bedrock_converse.event_stream import EXCEPTION
from ops_center.wire.bedrock_converse.usage import read_usage
from ops_center.wire.figures import at_tier
from ops_center.wire.provider_errors import read_provider_error
from ops_center.wire.reading import read_answer
from ops_center.wire.sse import SseEvent


class _ToolStart(msgspec.Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""


class _Start(msgspec.Struct, rename="camel"):
    tool_use: _ToolStart | None = None


class _ToolDelta(msgspec.Struct):
    input: str = ""


class _Reasoning(msgspec.Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _Reasoning | None = None


class _Event(msgspec.Struct, rename="camel"):
    content_block_index: int = 0
    start: _Start | None = None
    delta: _Delta | None = None
    stop_reason: str | None = None
    additional_model_response_fields: Raw = Raw(b"null")
    usage: Raw = Raw(b"null")
    service_tier: ServiceTier | None = None


_EVENT = msgspec.json.Decoder(_Event)


class StreamDecoder:
    """Feed it events in order; `finished` turns true with the metadata."""

    def __init__(self) -> None:
        self.finished = False
        self._calls: dict[int, int] = {}  # content block -> number of its tool call

    def feed(self, event: SseEvent) -> list[chat.StreamEvent]:
        """The neutral events in it. Raises ProviderUnusable for what is not JSON."""
        if event.event.startswith(EXCEPTION):
            facts = read_provider_error(200, event.data)
            code = event.event.removeprefix(EXCEPTION) or facts.code
            return [chat.StreamError(code=code, type=facts.type, message=facts.message)]
        kind = event.event
        if kind == "messageStart":
            return [chat.Start()]
        if kind not in ("contentBlockStart", "contentBlockDelta", "messageStop", "metadata"):
            return []
        read = read_answer(_EVENT, event.data, "an event of the stream")
        index = read.content_block_index
        if kind == "contentBlockDelta" and read.delta:
            return self._delta(index, read.delta)
        if kind == "contentBlockStart" and read.start and read.start.tool_use:
            use = read.start.tool_use
            number = self._calls[index] = len(self._calls)
            return [chat.ToolCallStart(index=number, id=use.tool_use_id, name=use.name)]
        if kind == "messageStop":
            reason = neutral_reason(read.stop_reason) or chat.OTHER
            return [
                chat.Finish(
                    finish_reason=reason,
                    native_finish_reason=read.stop_reason,
                    stop_sequence=met_stop_sequence(read.additional_model_response_fields),
                )
            ]
        if kind == "metadata":
            self.finished = True
            usage = at_tier(read_usage(read.usage), read.service_tier and read.service_tier.type)
            return [chat.UsageEvent(usage)] if usage else []
        return []

    def _delta(self, index: int, delta: _Delta) -> list[chat.StreamEvent]:
        if delta.text is not None:
            return [chat.TextDelta(delta.text)]
        if delta.tool_use is not None:
            if not delta.tool_use.input or index not in self._calls:
                return []
            return [chat.ToolCallDelta(index=self._calls[index], arguments=delta.tool_use.input)]
        reasoning = delta.reasoning_content
        if reasoning is None:
            return []
        if reasoning.redacted_content is not None:
            return [chat.RedactedThinking(reasoning.redacted_content, origin=chat.ANTHROPIC_MESSAGES)]
        events: list[chat.StreamEvent] = []
        if reasoning.text:
            events.append(chat.ThinkingDelta(reasoning.text))
        if reasoning.signature:
            events.append(chat.ThinkingSignature(reasoning.signature, origin=chat.ANTHROPIC_MESSAGES))
        return events
