"""Gemini's streams, event by event, read into the neutral form (step 5).

With `alt=sse` each event is a whole answer object that holds the next parts. There is no closing event:
the stream is complete when a finish reason came and the connection ended in order.
Reference: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent (2026-11).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ops_center.wire import chat
from ops_center.wire.gemini.answer import ANSWER, Candidate, arguments_of, call_id, neutral_reason
from ops_center.wire.gemini.errors import read_provider_error
from ops_center.wire.gemini.usage import OwnTools
from ops_center.wire.provider_errors import carries_error
from ops_center.wire.reading import read_answer
from ops_center.wire.sse import SseEvent

_ANYTHING = msgspec.json.Decoder()


class StreamDecoder:
    """Feed it events in order. `finished` stays False: whoever reads knows the end by the end."""

    finished = False

    def __init__(self) -> None:
        self._started = False
        self._calls: dict[int, int] = {}  # choice -> number of its function calls so far
        self._spoken: set[int] = set()  # choices that said anything
        self._tools = OwnTools()
        self._usage = Raw(b"null")  # the last that came

    def feed(self, event: SseEvent) -> list[chat.StreamEvent]:
        """The neutral events in it. Raises ProviderUnusable for what is not JSON."""
        if not event.data.strip():
            return []
        chunk = read_answer(ANSWER, event.data, "an event of the stream")
        if chunk.candidates is None and carries_error(_ANYTHING.decode(event.data)):
            facts = read_provider_error(200, event.data)
            return [chat.StreamError(code=facts.code, type=facts.type, message=facts.message)]
        events: list[chat.StreamEvent] = []
        told = [candidate.show(self._tools) for candidate in chunk.candidates or ()]
        if bytes(chunk.usage_metadata) != b"null":
            self._usage = chunk.usage_metadata
            told.append(True)
        usage = self._tools.usage(self._usage) if any(told) else None
        if not self._started and (chunk.candidates or chunk.block_reason):
            self._started = True
            known = msgspec.structs.replace(usage, output_tokens=0, reasoning_tokens=0) if usage else None
            events.append(
                chat.Start(id=chunk.response_id or "", model=chunk.model_version or "", usage=known)
            )
        for candidate in chunk.candidates or ():
            self._candidate(candidate, events)
        if chunk.block_reason is not None and not chunk.candidates:
            events.append(
                chat.Finish(finish_reason=chat.CONTENT_FILTER, native_finish_reason=chunk.block_reason)
            )
        if usage:
            events.append(chat.UsageEvent(usage))
        return events

    def _candidate(self, candidate: Candidate, events: list[chat.StreamEvent]) -> None:
        choice = candidate.index
        logprobs = candidate.logprobs
        if logprobs:
            events.append(chat.Logprobs(logprobs, choice))
        for part in candidate.parts:
            self._spoken.add(choice)
            if part.thought and part.text:
                events.append(chat.ThinkingDelta(part.text, choice))
            if part.thought_signature:
                events.append(chat.ThinkingSignature(part.thought_signature, choice, chat.GEMINI))
            if part.function_call:
                call = part.function_call
                number = self._calls.get(choice, 0)
                self._calls[choice] = number + 1
                events.append(
                    chat.ToolCallStart(index=number, id=call_id(call), name=call.name, choice=choice)
                )
                events.append(chat.ToolCallDelta(index=number, arguments=arguments_of(call), choice=choice))
            elif part.picture:
                media_type, data = part.picture
                events.append(chat.ImageDelta(data=data, media_type=media_type, choice=choice))
            elif part.text and not part.thought:
                events.append(chat.TextDelta(part.text, choice))
        reason = neutral_reason(candidate.finish_reason, called=choice in self._calls)
        if reason == chat.ERROR and choice not in self._spoken:
            events[:] = [chat.StreamError(code=candidate.finish_reason)]
        elif reason:
            events.append(
                chat.Finish(finish_reason=reason, native_finish_reason=candidate.finish_reason, choice=choice)
            )
