"""What a family hands to the server for one request: plain bytes, or the events of a stream."""

from __future__ import annotations

from decimal import Decimal

import msgspec

Header = tuple[str, str]
JSON_TYPE: Header = ("content-type", "application/json")
EVENT_TYPE: Header = ("content-type", "text/event-stream; charset=utf-8")


class Request(msgspec.Struct, kw_only=True):
    """One HTTP request as it arrived. Header names in lower case; the last of a repeated one wins."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Event(msgspec.Struct, frozen=True):
    """One write of a stream: its bytes, and how many of the answer's tokens are in it."""

    data: bytes
    tokens: int = 0


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a call used; `input` includes cached tokens, `output` includes reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Reply(msgspec.Struct, kw_only=True):
    status: int = 200
    headers: list[Header] = []
    body: bytes | None = None
    events: list[Event] | None = None  # instead of a body
    error_event: bytes = b""  # how this format says "error" inside a stream
    model: str = ""
    tokens: Tokens = Tokens()
    cost_usd: Decimal | None = None


def json_reply(value: object, *, status: int = 200, headers: list[Header] | None = None) -> Reply:
    return Reply(status=status, headers=[JSON_TYPE, *(headers or [])], body=msgspec.json.encode(value))


def sse(value: object, event: str | None = None) -> bytes:
    """One server-sent event with JSON data."""
    head = b"" if event is None else b"event: %s\n" % event.encode()
    return head + b"data: " + msgspec.json.encode(value) + b"\n\n"
