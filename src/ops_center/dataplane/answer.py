"""An answer that has begun: whole and checked, or a stream whose first real event has arrived.

What `attempt` hands to `relay`. Both kinds tell `meter` the same three things: usage, finish reason, and
how much text there was should usage be missing.
"""

from __future__ import annotations

from typing import Protocol

from ops_center.dataplane.meter import Attempt
from ops_center.errors import ProviderError, ProviderRateLimited, ProviderUnusable
from ops_center.transport.client import Response
from ops_center.types import Usage
from ops_center.wire.chat import ProviderErrorFacts


class Watch(Protocol):
    """Reads a provider's stream in passing and says which bytes the client gets for it."""

    usage: Usage | None
    partial_usage: Usage | None
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
    if watch.error is not None:
        return error_inside(watch.error)
    if watch.unusable:
        return ProviderUnusable(
            "The provider's answer is unusable.",
            provider_status=200,
            detail="the body of a 200 is no event stream",
        )
    return None


def error_inside(facts: ProviderErrorFacts) -> ProviderError:
    """What an error means that came inside a 200: by its structured code, never by its words."""
    code = facts.code or facts.type
    if code in _LIMITED:
        return ProviderRateLimited(
            "The provider's rate limit is reached.",
            provider_status=200,
            detail=f"an error inside a 200: {code}",
        )
    detail = f"an error inside a 200: {code}" if code else "the body of a 200 is no answer"
    return ProviderUnusable("The provider's answer is unusable.", provider_status=200, detail=detail)


_LIMITED = frozenset(
    {"rate_limit_error", "rate_limit_exceeded", "429", "RESOURCE_EXHAUSTED", "throttlingException"}
)


class WholeAnswer:
    """`units` is what a price per request counts: pictures, where there are any."""

    __slots__ = ("attempt", "body", "finish_reason", "output_bytes", "units", "usage")
    partial_usage: Usage | None = None

    def __init__(
        self,
        attempt: Attempt,
        body: bytes,
        usage: Usage | None,
        finish_reason: str | None,
        output_bytes: int,
        units: int = 1,
    ) -> None:
        self.attempt = attempt
        self.body = body
        self.usage = usage
        self.finish_reason = finish_reason
        self.output_bytes = output_bytes
        self.units = units


class StreamAnswer:
    """`first` holds the client's bytes for everything up to and including the first real event.

    `content_type` is None for a chat's events; in anything else there is no place to tell of an error.
    """

    __slots__ = ("attempt", "content_type", "first", "response", "watch")

    def __init__(
        self,
        attempt: Attempt,
        response: Response,
        watch: Watch,
        first: bytes,
        content_type: bytes | None = None,
    ) -> None:
        self.content_type = content_type
        self.attempt = attempt
        self.response = response
        self.watch = watch
        self.first = first


Answer = WholeAnswer | StreamAnswer
