"""Streams in Anthropic's format: events read into the neutral form, and written out of it (step 5).

Reference: https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.types import Usage
from ops_center.wire import chat
from ops_center.wire.anthropic_messages.answer import message_id, native_reason, neutral_reason
from ops_center.wire.anthropic_messages.usage import UsageCounter, write_usage
from ops_center.wire.provider_errors import read_provider_error
from ops_center.wire.reading import read_answer, unusable
from ops_center.wire.signatures import mark
from ops_center.wire.sse import SseEvent


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    container: Raw = Raw(b"null")


class _Message(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: Raw = Raw(b"null")


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Raw = Raw(b"null")
    error: Raw = Raw(b"null")


_EVENT = msgspec.json.Decoder(_Event)


class StreamDecoder:
    """Feed it events in order; `finished` turns true with message_stop."""

    def __init__(self) -> None:
        self.finished = False
        self._usage = UsageCounter()
        self._calls: dict[int, int] = {}  # content block -> number of its tool call

    def feed(self, event: SseEvent) -> list[chat.StreamEvent]:
        """The neutral events in it; none for pings. Raises ProviderUnusable for what is not JSON."""
        if not event.data.strip():
            return []
        read = read_answer(_EVENT, event.data, "an event of the stream")
        kind = read.type or event.event
        if kind == "content_block_delta" and read.delta:
            return self._delta(read.index, read.delta)
        if kind == "content_block_start" and read.content_block:
            return self._block(read.index, read.content_block)
        if kind == "message_start" and read.message:
            self._usage.add(read.message.usage)
            return [chat.Start(id=read.message.id, model=read.message.model, usage=self._usage.usage)]
        if kind == "message_delta":
            return self._message_delta(read)
        if kind == "message_stop":
            self.finished = True
            usage = self._usage.usage
            return [chat.UsageEvent(usage)] if usage else []
        elif kind == "error" or event.event == "error":
            facts = read_provider_error(200, event.data)
            return [chat.StreamError(code=facts.code, type=facts.type, message=facts.message)]
        return []

    def _block(self, index: int, block: _Block) -> list[chat.StreamEvent]:
        if block.type == "text":
            return [chat.TextDelta(block.text)] if block.text else []
        if block.type == "thinking":
            return [chat.ThinkingDelta(block.thinking)] if block.thinking else []
        if block.type == "redacted_thinking":
            return [chat.RedactedThinking(block.data, origin=chat.ANTHROPIC_MESSAGES)]
        if block.type != "tool_use":
            return []  # a server tool's own doings, which no other format shows
        number = self._calls[index] = len(self._calls)
        events: list[chat.StreamEvent] = [chat.ToolCallStart(index=number, id=block.id, name=block.name)]
        given = bytes(block.input)
        if given not in (b"{}", b"null", b"{ }"):
            events.append(chat.ToolCallDelta(index=number, arguments=given.decode()))
        return events

    def _delta(self, index: int, delta: _Delta) -> list[chat.StreamEvent]:
        if delta.type == "text_delta":
            return [chat.TextDelta(delta.text)]
        if delta.type == "input_json_delta":
            if not delta.partial_json or index not in self._calls:
                return []
            return [chat.ToolCallDelta(index=self._calls[index], arguments=delta.partial_json)]
        if delta.type == "thinking_delta":
            return [chat.ThinkingDelta(delta.thinking)]
        if delta.type == "signature_delta":
            return [chat.ThinkingSignature(delta.signature, origin=chat.ANTHROPIC_MESSAGES)]
        return []

    def _message_delta(self, read: _Event) -> list[chat.StreamEvent]:
        events: list[chat.StreamEvent] = []
        delta = read.delta
        if delta and delta.stop_reason:
            events.append(
                chat.Finish(
                    finish_reason=neutral_reason(delta.stop_reason) or chat.OTHER,
                    native_finish_reason=delta.stop_reason,
                    stop_sequence=delta.stop_sequence,
                )
            )
        if delta:
            self._usage.add_container(delta.container)
        self._usage.add(read.usage)
        usage = self._usage.usage
        if usage:
            events.append(chat.UsageEvent(usage))
        return events


class StreamEncoder:
    """Writes one answer as Anthropic's events. Call `close` when the provider's stream has ended well.

    Blocks follow each other: a new kind of content closes the block before it. stop_reason and usage wait
    for `close`, since other formats report usage after the finish.
    """

    def __init__(
        self,
        *,
        model: str,
        request_id: str,
        created: int,
        include_usage: bool,
        request: chat.ChatRequest | None = None,
    ) -> None:
        self._model = model
        self._id = message_id(request_id)
        self._started = False
        self._finish: chat.Finish | None = None
        self._usage: Usage | None = None
        self._next = 0  # the next block's index
        self._open: tuple[str, int] | None = None  # kind (or tool call) and index of the open block
        self._calls: dict[int, int] = {}  # number of the tool call -> its block

    def encode(self, event: chat.StreamEvent) -> bytes:
        if isinstance(event, chat.TextDelta | chat.RefusalDelta):
            return self._content("text", "text_delta", "text", event) if event.text else self._start()
        if isinstance(event, chat.ToolCallDelta):
            return self._tool_delta(event)
        if isinstance(event, chat.ThinkingDelta):
            return self._content("thinking", "thinking_delta", "thinking", event) if event.text else b""
        if isinstance(event, chat.Start):
            if event.usage:
                self._usage = event.usage
            return self._start()
        if isinstance(event, chat.ToolCallStart):
            return self._tool_start(event)
        if isinstance(event, chat.ThinkingSignature):
            return self._signature(event)
        if isinstance(event, chat.RedactedThinking):
            block = {"type": "redacted_thinking", "data": event.data}
            return self._start() + self._open_block("redacted", block) + self._close_block()
        if isinstance(event, chat.Finish):
            if event.choice == 0:
                self._finish = event
        elif isinstance(event, chat.UsageEvent):
            self._usage = event.usage
        elif isinstance(event, chat.StreamError):
            raise unusable("an error event in the stream")
        return b""

    def close(self) -> bytes:
        """The end: what was open is closed, then stop_reason and usage, then message_stop."""
        finish = self._finish
        reason = native_reason(finish.finish_reason, finish.stop_sequence) if finish else "end_turn"
        delta = {"stop_reason": reason, "stop_sequence": finish.stop_sequence if finish else None}
        end = {"type": "message_delta", "delta": delta, "usage": write_usage(self._usage)}
        return self._start() + self._close_block() + _event("message_delta", end) + _STOP

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        message: dict[str, Any] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(self._usage),
        }
        return _event("message_start", {"type": "message_start", "message": message})

    def _content(self, kind: str, delta: str, field: str, event: Any) -> bytes:
        if event.choice:
            return b""  # this format has one choice
        before = b""
        if self._open is None or self._open[0] != kind:
            empty = {"type": "text", "text": ""} if kind == "text" else _EMPTY_THINKING
            before = self._start() + self._open_block(kind, empty)
        index = self._open[1] if self._open else 0
        return (
            before
            + b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,' % index
            + (
                b'"delta":{"type":"%s","%s":%s}}\n\n'
                % (delta.encode(), field.encode(), msgspec.json.encode(event.text))
            )
        )

    def _signature(self, event: chat.ThinkingSignature) -> bytes:
        before = b""
        if self._open is None or self._open[0] != "thinking":
            before = self._start() + self._open_block("thinking", _EMPTY_THINKING)
        signature = mark(event.signature, event.origin, chat.ANTHROPIC_MESSAGES)
        delta = {"type": "signature_delta", "signature": signature}
        return before + self._delta_event(delta) + self._close_block()

    def _tool_start(self, event: chat.ToolCallStart) -> bytes:
        if event.choice:
            return b""
        block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        self._calls[event.index] = self._next
        return self._start() + self._open_block(f"tool {event.index}", block)

    def _tool_delta(self, event: chat.ToolCallDelta) -> bytes:
        if event.choice or event.index not in self._calls:
            return b""
        # A provider that writes two calls at once gets its late piece into a block that was closed already:
        # the official clients put every piece where its index says.
        delta = {"type": "input_json_delta", "partial_json": event.arguments}
        return self._delta_event(delta, self._calls[event.index])

    def _delta_event(self, delta: dict[str, str], index: int | None = None) -> bytes:
        if index is None:
            index = self._open[1] if self._open else 0
        event = {"type": "content_block_delta", "index": index, "delta": delta}
        return _event("content_block_delta", event)

    def _open_block(self, kind: str, block: dict[str, Any]) -> bytes:
        before = self._close_block()
        index = self._next
        self._next += 1
        self._open = (kind, index)
        event = {"type": "content_block_start", "index": index, "content_block": block}
        return before + _event("content_block_start", event)

    def _close_block(self) -> bytes:
        if self._open is None:
            return b""
        index = self._open[1]
        self._open = None
        return _event("content_block_stop", {"type": "content_block_stop", "index": index})


_EMPTY_THINKING = {"type": "thinking", "thinking": "", "signature": ""}


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


_STOP = _event("message_stop", {"type": "message_stop"})
