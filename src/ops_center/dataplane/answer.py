"""An answer that has begun: whole and checked, or a stream whose first real event has arrived.

What `attempt` hands to `relay`. Both kinds tell `meter` the same three things: usage, finish reason, and
how much text there was should usage be missing.
"""

from __future__ import annotations

from typing import Protocol

from ops_center.dataplane.meter import Attempt
from ops_center.errors import ProviderError, ProviderFailed, ProviderRateLimited, ProviderUnusable
from ops_center.transport.client import Response
from ops_center.types import Usage
from ops_center.wire.openai_chat import ProviderErrorFacts


class Watch(Protocol):
    """Reads a provider's stream in passing and says which bytes the client gets for it."""

    usage: Usage | None
    finish_reason: str | None
    started: bool  # a real event has arrived
    finished: bool  # the terminal event has arrived
    output_bytes: int
    error: ProviderErrorFacts | None  # an error event, or an error instead of a stream
    unusable: bool  # bytes that are no event stream at all

    def feed(self, data: bytes) -> bytes: ...

    def close(self) -> bytes: ...


def stream_failure(watch: Watch) -> ProviderError | None:
    """Why a stream is not an answer any more, if so: an error event in it, or bytes that are no events."""
    facts = watch.error
    if facts is not None:
        what = f"an error event in the stream: {facts.code or facts.type or 'without a code'}"
        if facts.type in _OVERLOADED or facts.code in _OVERLOADED:
            return ProviderFailed("The provider is overloaded.", provider_status=200, detail=what)
        if facts.type in _LIMITED or facts.code in _LIMITED:
            return ProviderRateLimited(
                "The provider's rate limit is reached.", provider_status=200, detail=what
            )
        return ProviderUnusable(
            "The provider broke its stream off with an error.", provider_status=200, detail=what
        )
    if watch.unusable:
        return ProviderUnusable(
            "The provider's answer is unusable.",
            provider_status=200,
            detail="the body of a 200 is no event stream",
        )
    return None


_OVERLOADED = frozenset({"overloaded_error", "server_error", "api_error", "overloaded", "503", "502", "529"})
_LIMITED = frozenset({"rate_limit_error", "rate_limit_exceeded", "429"})


class WholeAnswer:
    __slots__ = ("attempt", "body", "finish_reason", "output_bytes", "usage")

    def __init__(
        self, attempt: Attempt, body: bytes, usage: Usage | None, finish_reason: str | None, output_bytes: int
    ) -> None:
        self.attempt = attempt
        self.body = body
        self.usage = usage
        self.finish_reason = finish_reason
        self.output_bytes = output_bytes


class StreamAnswer:
    """`first` holds the client's bytes for everything up to and including the first real event."""

    __slots__ = ("attempt", "first", "response", "watch")

    def __init__(self, attempt: Attempt, response: Response, watch: Watch, first: bytes) -> None:
        self.attempt = attempt
        self.response = response
        self.watch = watch
        self.first = first


Answer = WholeAnswer | StreamAnswer
