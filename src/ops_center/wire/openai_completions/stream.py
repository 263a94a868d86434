"""Writes a stream in the format of OpenAI's legacy completions, out of the neutral form (step 5).

Reference: https://platform.openai.com/docs/api-reference/completions/create (2026-11).
"""

from __future__ import annotations

import msgspec

from ops_center.types import Usage
from ops_center.wire import chat
from ops_center.wire.openai_chat.usage import write_usage
from ops_center.wire.openai_completions.answer import completion_head, native_reason
from ops_center.wire.reading import unusable


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
        self._head = completion_head(request_id, model, created)
        self._include_usage = include_usage
        self._usage: Usage | None = None
        self._finished = False

    def encode(self, event: chat.StreamEvent) -> bytes:
        if isinstance(event, chat.TextDelta | chat.RefusalDelta):
            return self._chunk(event.text, event.choice) if event.text else b""
        if isinstance(event, chat.Finish):
            self._finished = True
            return self._chunk("", event.choice, native_reason(event.finish_reason))
        if isinstance(event, chat.UsageEvent):
            self._usage = event.usage
        elif isinstance(event, chat.StreamError):
            raise unusable("an error event in the stream")
        return b""  # thinking and tools have no place in this format

    def close(self) -> bytes:
        """The end: usage, if it was asked for and is known, then [DONE]."""
        end = b"" if self._finished else self._chunk("", 0, "stop")
        if self._include_usage and self._usage is not None:
            chunk = {**self._head, "choices": [], "usage": write_usage(self._usage)}
            end += b"data: " + msgspec.json.encode(chunk) + b"\n\n"
        return end + b"data: [DONE]\n\n"

    def _chunk(self, text: str, choice: int, finish_reason: str | None = None) -> bytes:
        written = {"text": text, "index": choice, "logprobs": None, "finish_reason": finish_reason}
        chunk = {**self._head, "choices": [written]}
        if self._include_usage:
            chunk["usage"] = None
        return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
