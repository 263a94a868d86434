"""Watches a stream that passes through untouched: usage, end and errors are read in passing (step 5).

Never changes a byte it forwards, and parses only the events that may matter to the ledger.
"""

from __future__ import annotations

from ops_center.types import Usage
from ops_center.wire.chat import ProviderErrorFacts


class StreamWatch:
    """What was seen so far; `feed` and `close` return the bytes to forward."""

    usage: Usage | None = None
    finish_reason: str | None = None
    started: bool = False
    finished: bool = False
    unusable: bool = False
    error: ProviderErrorFacts | None = None
    output_events: int = 0
    output_bytes: int = 0

    def feed(self, data: bytes) -> bytes:
        raise NotImplementedError

    def close(self) -> bytes:
        raise NotImplementedError


class OpenAIStreamWatch(StreamWatch):
    def __init__(self, *, hide_usage_chunk: bool) -> None:
        raise NotImplementedError


class AnthropicStreamWatch(StreamWatch):
    def __init__(self) -> None:
        raise NotImplementedError
