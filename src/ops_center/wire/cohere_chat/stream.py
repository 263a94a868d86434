"""Cohere's streams, event by event, read into the neutral form (step 5).

Reference: https://docs.cohere.com/reference/chat-stream (2026-11).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.cohere_chat.answer import neutral_reason
from ops_center.wire.cohere_chat.usage import read_usage
from ops_center.wire.provider_errors import read_provider_error
from ops_center.wire.reading import read_answer
from ops_center.wire.sse import SseEvent


class _Content(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: _Content | list[Raw] | None = None  # an empty list in message-start
    tool_plan: str | None = None
    tool_calls: _ToolCall | list[Raw] | None = None


class _Delta(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    error: str | None = None
    usage: Raw = Raw(b"null")


class _Event(msgspec.Struct):
    type: str = ""
    id: str | None = None
    index: int = 0
    delta: _Delta | None = None


_EVENT = msgspec.json.Decoder(_Event)


class StreamDecoder:
    """Feed it events in order; `finished` turns true with message-end."""

    def __init__(self) -> None:
        self.finished = False
        self._calls: dict[int, int] = {}  # Cohere's index -> number of the tool call
        self._spoken = False

    def feed(self, event: SseEvent) -> list[chat.StreamEvent]:
        """The neutral events in it. Raises ProviderUnusable for what is not JSON."""
        if not event.data.strip():
            return []
        read = read_answer(_EVENT, event.data, "an event of the stream")
        kind = read.type or event.event
        delta = read.delta or _Delta()
        if kind == "message-start":
            return [chat.Start(id=read.id or "")]
        if kind == "message-end":
            return self._end(delta)
        if kind in ("content-start", "content-delta", "tool-plan-delta"):
            return self._content(delta.message)
        if kind in ("tool-call-start", "tool-call-delta"):
            return self._tool_call(read.index, delta.message)
        if not kind or kind == "error":
            facts = read_provider_error(200, event.data)
            if facts.message or facts.code:
                return [chat.StreamError(code=facts.code, type=facts.type, message=facts.message)]
        return []

    def _content(self, message: _Message | None) -> list[chat.StreamEvent]:
        events: list[chat.StreamEvent] = []
        if message is None:
            return events
        if message.tool_plan:
            events.append(chat.ThinkingDelta(message.tool_plan))
        if isinstance(message.content, _Content):
            if message.content.thinking:
                events.append(chat.ThinkingDelta(message.content.thinking))
            if message.content.text:
                events.append(chat.TextDelta(message.content.text))
        self._spoken = self._spoken or bool(events)
        return events

    def _tool_call(self, index: int, message: _Message | None) -> list[chat.StreamEvent]:
        call = message.tool_calls if message else None
        if not isinstance(call, _ToolCall):
            return []
        events: list[chat.StreamEvent] = []
        function = call.function or _Function()
        if index not in self._calls:
            self._calls[index] = len(self._calls)
            events.append(
                chat.ToolCallStart(index=self._calls[index], id=call.id or "", name=function.name or "")
            )
        if function.arguments:
            events.append(chat.ToolCallDelta(index=self._calls[index], arguments=function.arguments))
        self._spoken = True
        return events

    def _end(self, delta: _Delta) -> list[chat.StreamEvent]:
        reason = neutral_reason(delta.finish_reason) or chat.OTHER
        if delta.error or (reason == chat.ERROR and not self._spoken):
            return [chat.StreamError(code=delta.finish_reason, message=delta.error)]
        self.finished = True
        events: list[chat.StreamEvent] = [
            chat.Finish(finish_reason=reason, native_finish_reason=delta.finish_reason)
        ]
        usage = read_usage(delta.usage)
        if usage:
            events.append(chat.UsageEvent(usage))
        return events
