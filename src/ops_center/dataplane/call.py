"""One call of a client: what came in, and the seam through which the answer goes out.

The pipeline knows `Exchange`, not sockets; `server.py` makes one of a connection.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Protocol
from urllib.parse import quote

import msgspec

from ops_center.errors import BadRequest
from ops_center.routing import RouteRequest
from ops_center.types import PowerLevel, new_id
from ops_center.wire import chat

Headers = list[bytes]  # complete lines, each with its line end


def line(name: bytes, value: bytes) -> bytes:
    """A header's line. `value` must not come from outside unchecked: see `printable`."""
    return b"%b: %b\r\n" % (name, value)


def printable(text: str) -> bytes:
    """Any text as a header's value: printable ASCII as it is, everything else percent-encoded."""
    return quote(text, safe=" !#$&'()*+,/:;=?@[]~").encode()


class Exchange(Protocol):
    """One HTTP exchange with a client. Writes wait while the client is slower than the provider.

    A client that goes away cancels the task that answers it, after `gone` has turned true.
    """

    gone: bool

    async def answer(self, status: int, headers: Headers, body: bytes) -> None: ...

    async def start(self, status: int, headers: Headers) -> None: ...

    async def write(self, data: bytes) -> None: ...

    async def end(self) -> None: ...


NULL = msgspec.Raw(b"null")  # what an absent field reads as


class RequestHead(msgspec.Struct, frozen=True):
    """The few fields of a chat request that decide; everything else passes by unread."""

    messages: list[msgspec.Raw]
    model: str | None = None
    stream: bool | None = None
    stream_options: msgspec.Raw = NULL
    max_tokens: msgspec.Raw = NULL
    max_completion_tokens: msgspec.Raw = NULL
    tools: msgspec.Raw = NULL
    response_format: msgspec.Raw = NULL


class Call:
    """`headers` are by lower-case name, the last of equal names wins."""

    __slots__ = (
        "body",
        "client_format",
        "dropped",
        "endpoint",
        "exchange",
        "head",
        "headers",
        "neutral",
        "power_level",
        "request_id",
        "started",
        "started_at",
        "wire",
    )

    def __init__(
        self,
        *,
        endpoint: str,
        client_format: str,
        wire: ModuleType,
        headers: Mapping[bytes, bytes],
        exchange: Exchange,
        body: bytes = b"",
    ) -> None:
        self.started = time.perf_counter()
        self.started_at = datetime.now(UTC)
        self.request_id = new_id("req")
        self.endpoint = endpoint
        self.client_format = client_format  # the name of the caller's format, as in ProviderSpec.format
        self.wire = wire  # the module of that format
        self.headers = headers
        self.exchange = exchange
        self.body = body
        self.head = _EMPTY_HEAD
        self.power_level: PowerLevel | None = None
        self.neutral: chat.ChatRequest | None = None  # decoded once, when the first translation needs it
        self.dropped: tuple[chat.Dropped, ...] = ()

    @property
    def stream(self) -> bool:
        return self.head.stream is True

    def read(self) -> RouteRequest:
        """Decode what decides. Raises BadRequest naming the field; nothing has been sent anywhere yet."""
        try:
            self.head = _decoder.decode(self.body)
        except msgspec.ValidationError as error:
            raise _bad_field(str(error)) from None
        except (msgspec.DecodeError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            raise BadRequest(
                "The request body is nested too deeply." if deep else "The request body is not valid JSON.",
                hint=None if deep else str(error),
            ) from None
        level = self.headers.get(b"x-power-level")
        if level is not None:
            try:
                self.power_level = PowerLevel(level.decode("latin-1").strip().lower())
            except ValueError:
                raise BadRequest(
                    "x-power-level must be eco, balanced or precision.", param="x-power-level"
                ) from None
        return RouteRequest(
            model=self.head.model, power_level=self.power_level, needs=self._needs(), turn=next(_turns)
        )

    def _needs(self) -> frozenset[str]:
        """Capabilities without which a model could not answer; looked at only where we choose the model."""
        head = self.head
        tools, answer_format = bytes(head.tools), bytes(head.response_format)
        if tools == b"null" and answer_format == b"null" and b'"image' not in self.body:
            return _NO_NEEDS
        needs = set()
        if tools not in (b"null", b"[]"):
            needs.add("tools")
        if b'"json_schema"' in answer_format:
            needs.add("structured_output")
        if b'"image_url"' in self.body or b'"type":"image"' in self.body.replace(b" ", b""):
            needs.add("vision")
        return frozenset(needs)


_turns = itertools.count()
_NO_NEEDS: frozenset[str] = frozenset()
_decoder = msgspec.json.Decoder(RequestHead)
_EMPTY_HEAD = RequestHead(messages=[])


def _bad_field(complaint: str) -> BadRequest:
    """msgspec says “Expected `str | null`, got `int` - at `$.model`”; callers want the field and a sentence."""
    what, _, path = complaint.partition(" - at ")
    param = path.strip("`").removeprefix("$").lstrip(".").replace("[...]", "") or None
    if param is None and (missing := what.partition("missing required field ")[2]):
        param = missing.strip("`")
        return BadRequest(f"The field “{param}” is missing.", param=param)
    if param is None:
        return BadRequest("The request body must be a JSON object.")
    return BadRequest(
        f"“{param}” has a wrong type: {what[:1].lower()}{what[1:]}.".replace("`", ""), param=param
    )
