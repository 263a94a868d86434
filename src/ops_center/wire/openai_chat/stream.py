"""Streams in OpenAI's chat format: events read into the neutral form, and written out of it (step 5).

Reference: https://platform.openai.com/docs/api-reference/chat/streaming (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ops_center.types import Usage
from ops_center.wire import chat
from ops_center.wire.figures import at_tier
from ops_center.wire.openai_chat.answer import completion_id, native_reason, neutral_reason
from ops_center.wire.openai_chat.pieces import (
    Content,
    arguments_text,
    read_logprobs,
    read_pictures,
    thoughts_and_text,
    write_logprobs,
    write_picture,
)
from ops_center.wire.openai_chat.thinking import signature_event, thinking_block
from ops_center.wire.openai_chat.usage import read_usage, write_usage
from ops_center.wire.provider_errors import carries_error, read_provider_error
from ops_center.wire.reading import read_answer, unusable
from ops_center.wire.sse import SseEvent

DONE = b"[DONE]"
_NULL = Raw(b"null")


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Raw = _NULL


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _ThinkingBlock(msgspec.Struct):
    type: str = "thinking"
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class _Delta(msgspec.Struct):
    content: Content = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking_blocks: list[_ThinkingBlock] | None = None
    tool_calls: list[_ToolCall] | None = None
    images: Raw = _NULL


class _Choice(msgspec.Struct):
    index: int | None = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: Raw = _NULL


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    usage: Raw = _NULL
    service_tier: str | None = None
    error: Raw = _NULL


_CHUNK = msgspec.json.Decoder(_Chunk)
_ANYTHING = msgspec.json.Decoder()


class _Calls:
    """The tool calls of one choice. Some servers leave the index out, or give every call the same one."""

    __slots__ = ("by_index", "count", "last")

    def __init__(self) -> None:
        self.by_index: dict[int, tuple[str | None, int]] = {}  # the server's index -> id and our number
        self.count = 0
        self.last: int | None = None

    def number(self, call: _ToolCall) -> tuple[int, bool]:
        """Our number for the call that a piece belongs to, and whether it begins with this piece."""
        known = self.by_index.get(call.index) if call.index is not None else None
        if call.index is None and self.last is not None and not call.id:
            return self.last, False
        if known is not None and (not call.id or call.id == known[0]):
            return known[1], False
        number = self.last = self.count
        self.count += 1
        self.by_index[number if call.index is None else call.index] = (call.id, number)
        return number, True


class StreamDecoder:
    """Feed it events in order; `finished` turns true with [DONE]."""

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._calls: dict[int, _Calls] = {}

    def feed(self, event: SseEvent) -> list[chat.StreamEvent]:
        """The neutral events in it; none for Azure's empty start-up events. ProviderUnusable: not JSON."""
        if event.data.startswith(DONE):
            self.finished = True
            return []
        if not event.data.strip():
            return []
        chunk = read_answer(_CHUNK, event.data, "an event of the stream")
        if event.event == "error" or bytes(chunk.error) not in (b"null", b"{}") or chunk.choices is None:
            error = self._error(event)
            if error is not None:
                return [error]
        events: list[chat.StreamEvent] = []
        if chunk.choices and not self._started:
            self._started = True
            created = int(chunk.created) if chunk.created is not None else None
            events.append(chat.Start(id=chunk.id or "", model=chunk.model or "", created=created))
        for choice in chunk.choices or ():
            self._choice(choice, events)
        usage = at_tier(read_usage(chunk.usage), chunk.service_tier)
        if usage:
            events.append(chat.UsageEvent(usage))
        return events

    def _error(self, event: SseEvent) -> chat.StreamError | None:
        if event.event != "error" and not carries_error(_ANYTHING.decode(event.data)):
            return None
        facts = read_provider_error(200, event.data)
        return chat.StreamError(code=facts.code, type=facts.type, message=facts.message)

    def _choice(self, choice: _Choice, events: list[chat.StreamEvent]) -> None:
        number, delta = choice.index or 0, choice.delta
        logprobs = read_logprobs(choice.logprobs)
        if logprobs:
            events.append(chat.Logprobs(logprobs, number))
        if delta:
            for block in delta.thinking_blocks or ():
                if block.type == "redacted_thinking":
                    events.append(chat.RedactedThinking(block.data or "", number, chat.ANTHROPIC_MESSAGES))
            thought = delta.reasoning_content or delta.reasoning
            if thought:
                events.append(chat.ThinkingDelta(thought, number))
            for block in delta.thinking_blocks or ():
                if block.signature:
                    events.append(signature_event(block.signature, number))
            if isinstance(delta.content, str):  # every server but one, and once for every few letters
                if delta.content:
                    events.append(chat.TextDelta(delta.content, number))
            else:
                for thinking, text in thoughts_and_text(delta.content):
                    events.append(
                        chat.ThinkingDelta(text, number) if thinking else chat.TextDelta(text, number)
                    )
            for media_type, data in read_pictures(delta.images):
                events.append(chat.ImageDelta(media_type=media_type, data=data, choice=number))
            if delta.refusal:
                events.append(chat.RefusalDelta(delta.refusal, number))
            for call in delta.tool_calls or ():
                self._tool_call(call, number, events)
        if choice.finish_reason == "error":
            events.append(chat.StreamError(code="error"))
        elif choice.finish_reason:
            reason = neutral_reason(choice.finish_reason) or chat.OTHER
            if reason == chat.STOP and number in self._calls:
                reason = chat.TOOL_CALLS  # some servers say "stop" after a tool call
            events.append(
                chat.Finish(finish_reason=reason, native_finish_reason=choice.finish_reason, choice=number)
            )

    def _tool_call(self, call: _ToolCall, choice: int, events: list[chat.StreamEvent]) -> None:
        calls = self._calls.setdefault(choice, _Calls())
        number, new = calls.number(call)
        function = call.function or _Function()
        if new:
            call_id = call.id or f"call_{choice}_{number}"
            name = function.name or ""
            events.append(chat.ToolCallStart(index=number, id=call_id, name=name, choice=choice))
        arguments = arguments_text(function.arguments)
        if arguments:
            events.append(chat.ToolCallDelta(index=number, arguments=arguments, choice=choice))


class StreamEncoder:
    """Writes one answer as chunks. Call `close` when the provider's stream has ended well."""

    def __init__(
        self,
        *,
        model: str,
        request_id: str,
        created: int,
        include_usage: bool,
        request: chat.ChatRequest | None = None,
    ) -> None:
        self._head: dict[str, Any] = {
            "id": completion_id(request_id),
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._include_usage = include_usage
        self._usage: Usage | None = None
        self._thinking: dict[int, list[str]] = {}  # choice -> its thinking since the last signature
        self._pictures: dict[int, int] = {}  # choice -> how many so far
        self._started = False
        self._finished = False
        # The one chunk that is written thousands of times is put together from bytes.
        before, after = self._chunk({"content": "\0"}).split(b'"\\u0000"')
        self._before_text, self._after_text = before, after

    def encode(self, event: chat.StreamEvent) -> bytes:
        if isinstance(event, chat.TextDelta):
            if event.choice:
                return self._start() + self._chunk({"content": event.text}, event.choice)
            text = self._before_text + msgspec.json.encode(event.text) + self._after_text
            return text if self._started else self._start() + text
        if isinstance(event, chat.ToolCallDelta):
            call: dict[str, Any] = {"index": event.index, "function": {"arguments": event.arguments}}
            return self._chunk({"tool_calls": [call]}, event.choice)
        if isinstance(event, chat.ThinkingDelta):
            self._thinking.setdefault(event.choice, []).append(event.text)
            return self._start() + self._chunk({"reasoning_content": event.text}, event.choice)
        if isinstance(event, chat.Start):
            return self._start()
        if isinstance(event, chat.ToolCallStart):
            function = {"name": event.name, "arguments": ""}
            call = {"index": event.index, "id": event.id, "type": "function", "function": function}
            return self._start() + self._chunk({"tool_calls": [call]}, event.choice)
        if isinstance(event, chat.ThinkingSignature):
            text_so_far = "".join(self._thinking.pop(event.choice, ()))
            block = thinking_block(text_so_far, event.signature, event.origin)
            return self._start() + self._chunk({"thinking_blocks": [block]}, event.choice)
        if isinstance(event, chat.RedactedThinking):
            block = {"type": "redacted_thinking", "data": event.data}
            return self._start() + self._chunk({"thinking_blocks": [block]}, event.choice)
        if isinstance(event, chat.RefusalDelta):
            return self._start() + self._chunk({"refusal": event.text}, event.choice)
        if isinstance(event, chat.Finish):
            self._finished = True
            return self._start() + self._chunk({}, event.choice, native_reason(event.finish_reason))
        if isinstance(event, chat.UsageEvent):
            self._usage = event.usage
            return b""
        if isinstance(event, chat.ImageDelta):
            index = self._pictures.get(event.choice, 0)
            self._pictures[event.choice] = index + 1
            return self._start() + self._chunk({"images": [write_picture(event, index)]}, event.choice)
        if isinstance(event, chat.Logprobs):
            return self._start() + self._chunk({}, event.choice, logprobs=write_logprobs(event.tokens))
        raise unusable("an error event in the stream")

    def close(self) -> bytes:
        """The end: usage, if it was asked for and is known, then [DONE]."""
        end = b"" if self._finished else self._start() + self._chunk({}, 0, "stop")
        if self._include_usage and self._usage is not None:
            chunk = {**self._head, "choices": [], "usage": write_usage(self._usage)}
            end += b"data: " + msgspec.json.encode(chunk) + b"\n\n"
        return end + b"data: [DONE]\n\n"

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _chunk(
        self,
        delta: dict[str, Any],
        choice: int = 0,
        finish_reason: str | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> bytes:
        said = {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        chunk = {**self._head, "choices": [said]}
        if self._include_usage:
            chunk["usage"] = None
        return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
