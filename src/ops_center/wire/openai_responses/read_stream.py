"""Reads a stream of OpenAI's Responses into the neutral form (step 5).

The first events only say that the request was taken; the answer begins with the first item, so that an
overloaded model can still be followed by another target.
Reference: https://platform.openai.com/docs/api-reference/responses-streaming (2026-11).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.openai_responses.answer import IncompleteDetails, neutral_reason
from ops_center.wire.openai_responses.usage import usage_of
from ops_center.wire.provider_errors import read_provider_error
from ops_center.wire.reading import read_answer
from ops_center.wire.signatures import unmark
from ops_center.wire.sse import SseEvent

_NULL = Raw(b"null")


class _Item(msgspec.Struct):
    type: str = ""
    call_id: str = ""
    id: str | None = None
    name: str = ""
    arguments: str | None = None
    encrypted_content: str | None = None


class Response(msgspec.Struct):
    id: str = ""
    model: str = ""
    created_at: int | float | None = None
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    output: list[Raw] = []
    usage: Raw = _NULL
    service_tier: str | None = None
    tools: Raw = _NULL
    error: Raw = _NULL


class Event(msgspec.Struct):
    type: str = ""
    output_index: int = 0
    summary_index: int = 0
    content_index: int = 0
    delta: str | Raw | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    item: _Item | None = None
    response: Response | None = None


EVENT = msgspec.json.Decoder(Event)
# Events without a delta that repeat a whole text, and the kind of delta it was told in before.
_WHOLE = {
    "response.output_text.done": "response.output_text.delta",
    "response.refusal.done": "response.refusal.delta",
    "response.reasoning_summary_text.done": "response.reasoning_summary_text.delta",
    "response.reasoning_text.done": "response.reasoning_text.delta",
    "response.function_call_arguments.done": "response.function_call_arguments.delta",
}
ENDS = frozenset(["response.completed", "response.incomplete", "response.cancelled"])


class StreamDecoder:
    """Feed it events in order; `finished` turns true with the event that carries the whole response."""

    def __init__(self) -> None:
        self.finished = False
        self._start: chat.Start | None = chat.Start()
        self._calls: dict[int, int] = {}  # output_index -> number of the tool call
        self._told: set[tuple[str, int, int]] = set()  # texts of which deltas came

    def feed(self, event: SseEvent) -> list[chat.StreamEvent]:
        """The neutral events in it. Raises ProviderUnusable for what is not JSON."""
        if not event.data.strip() or event.data.startswith(b"[DONE]"):
            return []
        read = read_answer(EVENT, event.data, "an event of the stream")
        kind = read.type or event.event
        if kind in ("error", "response.failed") or event.event == "error":
            return [_error(event.data, read.response)]
        if kind in ("response.created", "response.in_progress", "response.queued"):
            if read.response is not None and self._start is not None:
                created = read.response.created_at
                self._start = chat.Start(
                    id=read.response.id,
                    model=read.response.model,
                    created=int(created) if created is not None else None,
                )
            return []
        events = self._read(kind, read)
        if self._start is not None and (events or kind == "response.output_item.added"):
            events.insert(0, self._start)
            self._start = None
        return events

    def _read(self, kind: str, read: Event) -> list[chat.StreamEvent]:
        if kind in ENDS:
            return self._end(read.response or Response())
        if kind == "response.output_item.added" and read.item is not None:
            return self._begin(read.output_index, read.item)
        if kind == "response.output_item.done" and read.item is not None:
            return self._end_item(read.output_index, read.item)
        if kind == "response.reasoning_summary_part.added" and read.summary_index > 0:
            return [chat.ThinkingDelta("\n\n")]
        delta = read.delta if isinstance(read.delta, str) else None
        told = _WHOLE.get(kind, kind)
        text_of = (told, read.output_index, read.content_index + read.summary_index)
        if kind in _WHOLE:
            if text_of in self._told:
                return []
            delta = next((text for text in (read.text, read.refusal, read.arguments) if text), None)
        elif delta is not None:
            self._told.add(text_of)
        return self._delta(told, read.output_index, delta) if delta else []

    def _delta(self, kind: str, output_index: int, delta: str) -> list[chat.StreamEvent]:
        if kind == "response.output_text.delta":
            return [chat.TextDelta(delta)]
        if kind == "response.function_call_arguments.delta":
            number = self._calls.get(output_index)
            return [] if number is None else [chat.ToolCallDelta(index=number, arguments=delta)]
        if kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            return [chat.ThinkingDelta(delta)]
        if kind == "response.refusal.delta":
            return [chat.RefusalDelta(delta)]
        return []  # the doings of OpenAI's own tools, which no other format shows

    def _begin(self, output_index: int, item: _Item) -> list[chat.StreamEvent]:
        if item.type != "function_call":
            return []
        number = self._calls[output_index] = len(self._calls)
        call_id = item.call_id or item.id or f"call_{number}"
        return [chat.ToolCallStart(index=number, id=call_id, name=item.name)]

    def _end_item(self, output_index: int, item: _Item) -> list[chat.StreamEvent]:
        if item.type == "reasoning" and item.encrypted_content:
            signature, origin = unmark(item.encrypted_content, chat.OPENAI_RESPONSES)
            return [chat.ThinkingSignature(signature, origin=origin)]
        if item.type == "function_call" and output_index not in self._calls:
            events = self._begin(output_index, item)
            if item.arguments:
                events.append(chat.ToolCallDelta(index=self._calls[output_index], arguments=item.arguments))
            return events
        return []

    def _end(self, response: Response) -> list[chat.StreamEvent]:
        self.finished = True
        status = response.status or "completed"
        reason = neutral_reason(status, response.incomplete_details, calls=bool(self._calls))
        events: list[chat.StreamEvent] = [
            chat.Finish(finish_reason=reason or chat.STOP, native_finish_reason=status)
        ]
        usage = usage_of(response.usage, response.service_tier, response.output, response.tools)
        if usage:
            events.append(chat.UsageEvent(usage))
        return events


def _error(data: bytes, response: Response | None) -> chat.StreamError:
    """What an error event or a failed response says."""
    inner = bytes(response.error) if response is not None else b"null"
    facts = read_provider_error(200, inner if inner != b"null" else data)
    return chat.StreamError(code=facts.code, type=facts.type, message=facts.message)
