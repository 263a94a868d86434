"""One call of a client: what came in, and the seam through which the answer goes out.

The pipeline knows `Exchange`, not sockets; `server.py` makes one of a connection.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Protocol
from urllib.parse import quote

import msgspec

from ops_center.errors import BadRequest
from ops_center.route_request import (
    NO_OPTIONS,
    Options,
    RouteRequest,
    estimated_tokens,
    needs_of,
    read_options,
)
from ops_center.types import ByokPolicy, CredentialSource, PowerLevel, TimeLimits, new_id
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

    @property
    def gone(self) -> bool: ...

    @property
    def client_address(self) -> str:
        """Where the client's socket is; empty where that is not known."""
        ...

    async def answer(self, status: int, headers: Headers, body: bytes) -> None: ...

    async def start(self, status: int, headers: Headers) -> None:
        """The head of a streamed answer; it may wait for the first `write`."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def end(self, data: bytes = b"") -> None: ...


NULL = msgspec.Raw(b"null")  # what an absent field reads as


class RequestHead(msgspec.Struct, frozen=True, kw_only=True):
    """The few fields of a chat request that decide; everything else passes by unread."""

    model: str | None = None
    stream: bool | None = None
    stream_options: msgspec.Raw = NULL
    max_tokens: msgspec.Raw = NULL
    max_completion_tokens: msgspec.Raw = NULL
    tools: msgspec.Raw = NULL
    system: msgspec.Raw = NULL  # instructions beside the messages
    response_format: msgspec.Raw = NULL
    # wishes about the route, in OpenRouter's and LiteLLM's words
    models: msgspec.Raw = NULL
    provider: msgspec.Raw = NULL
    fallbacks: msgspec.Raw = NULL


class _MessagesHead(RequestHead, frozen=True, kw_only=True):
    """OpenAI's chat and Anthropic's messages."""

    messages: list[msgspec.Raw]


class _ResponsesHead(
    RequestHead,
    frozen=True,
    kw_only=True,
    rename={"max_tokens": "max_output_tokens", "response_format": "text", "system": "instructions"},
):
    """OpenAI's Responses; its `input` may be left out where a stored prompt stands in for it."""

    # again, because fields that are inherited keep their names
    max_tokens: msgspec.Raw = NULL
    response_format: msgspec.Raw = NULL
    system: msgspec.Raw = NULL


class _CompletionsHead(RequestHead, frozen=True, kw_only=True):
    """OpenAI's legacy completions."""

    prompt: msgspec.Raw = NULL


class Call:
    """`headers` are by lower-case name, the last of equal names wins."""

    __slots__ = (
        "body",
        "client_format",
        "credential_source",
        "deadline",
        "dropped",
        "endpoint",
        "exchange",
        "head",
        "headers",
        "limit_headers",
        "neutral",
        "power_level",
        "queue_seconds",
        "replay_of",
        "request_id",
        "started",
        "started_at",
        "stream",
        "time_limits",
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
        self.stream = False
        self.power_level: PowerLevel | None = None
        self.credential_source: CredentialSource | None = None  # whose credential was asked last
        self.deadline: float | None = None  # by time.monotonic; None: the caller set none
        self.time_limits: TimeLimits | None = None  # the caller's own
        self.neutral: chat.ChatRequest | None = None  # decoded once, when the first translation needs it
        self.dropped: tuple[chat.Dropped, ...] = ()
        self.replay_of: str | None = None  # the request that this one sends again, to the one target it names
        self.queue_seconds: float | None = None  # waited for a place in its limits; None: not at all
        self.limit_headers: Headers = []  # where the caller stands in its limits per minute, if it has any

    @property
    def countable(self) -> bool:
        """Whether tokens can be guessed from the length of what was said, when nobody counted them."""
        return True

    def read(self) -> RouteRequest:
        """Decode what decides. Raises BadRequest naming the field; nothing has been sent anywhere yet."""
        try:
            head = self.head = _HEADS[self.client_format].decode(self.body)
        except msgspec.ValidationError as error:
            raise bad_field(str(error)) from None
        except (msgspec.DecodeError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            raise BadRequest(
                "The request body is nested too deeply." if deep else "The request body is not valid JSON.",
                hint=None if deep else str(error),
            ) from None
        self.stream = head.stream is True
        self.read_deadline()
        self.read_power_level()
        return RouteRequest(
            model=head.model,
            power_level=self.power_level,
            byok_policy=self.byok_policy(),
            needs=needs_of(bytes(head.tools), bytes(head.response_format), self.body),
            input_tokens=estimated_tokens(self.body),
            max_output_tokens=self._max_output_tokens(),
            session=self._session(),
            options=self._options(),
            pinned=self.replay_of is not None,
            turn=next_turn(),
        )

    def read_power_level(self) -> None:
        """Take the header's wish, if there is one. Raises BadRequest."""
        level = self.headers.get(b"x-power-level")
        if level is not None:
            try:
                self.power_level = PowerLevel(level.decode("latin-1").strip().lower())
            except ValueError:
                raise BadRequest(
                    "x-power-level must be eco, balanced or precision.", param="x-power-level"
                ) from None

    def byok_policy(self) -> ByokPolicy | None:
        """The header's wish over whose credential serves, if there is one. Raises BadRequest."""
        policy = self.headers.get(b"x-ops-byok-policy")
        if policy is None:
            return None
        try:
            return ByokPolicy(policy.decode("latin-1").strip().lower())
        except ValueError:
            raise BadRequest(
                f"x-ops-byok-policy must be one of {', '.join(ByokPolicy)}.", param="x-ops-byok-policy"
            ) from None

    def read_deadline(self) -> None:
        """Take the caller's own time limits, if it set any. Raises BadRequest."""
        headers = self.headers
        value = headers.get(b"x-ops-timeout") or headers.get(b"x-litellm-timeout")
        if value is not None:
            self.deadline = time.monotonic() + _seconds("x-ops-timeout", value)
        wished = {
            field: _seconds(header.decode(), headers[header])
            for header, field in _TIME_LIMITS
            if header in headers
        }
        if wished:
            self.time_limits = TimeLimits(**wished)

    def _max_output_tokens(self) -> int | None:
        """What the caller asks for at most; a value that is no whole number is the provider's to refuse."""
        head = self.head
        asked = b"null" if head.max_completion_tokens is NULL else bytes(head.max_completion_tokens)
        if asked == b"null":
            asked = bytes(head.max_tokens)
        return int(asked) if len(asked) < 10 and asked.isdigit() else None

    def _session(self) -> Hashable:
        """The conversation this request belongs to, where a prompt cache may know it.

        By the header x-session-id, else by everything up to the first message of the user, once the body
        is long enough to be cached (1,024 tokens at OpenAI and Anthropic:
        https://platform.openai.com/docs/guides/prompt-caching, 2026-11).
        """
        named = self.headers.get(b"x-session-id")
        if named:
            return named[:200]
        if len(self.body) < _LEAST_CACHED_BYTES:
            return None
        if not isinstance(self.head, _MessagesHead):
            return None
        opening = self.head.messages[:_OPENING]
        end = next((n for n, one in enumerate(opening, 1) if _OF_USER.search(one)), len(opening))
        return hash(tuple([bytes(one) for one in opening[:end]]))

    def _options(self) -> Options:
        head = self.head
        if head.models is NULL and head.provider is NULL and head.fallbacks is NULL:
            return NO_OPTIONS
        return read_options(bytes(head.models), bytes(head.provider), bytes(head.fallbacks))


def _seconds(header: str, value: bytes) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _LONGEST_TIMEOUT_SECONDS:
        raise BadRequest(
            f"{header} must be seconds, above 0 and at most {_LONGEST_TIMEOUT_SECONDS:g}.", param=header
        )
    return seconds


_TIME_LIMITS = (
    (b"x-ops-connect-timeout", "connect_seconds"),
    (b"x-ops-first-chunk-timeout", "first_chunk_seconds"),
    (b"x-ops-chunk-timeout", "chunk_seconds"),
)
next_turn = itertools.count().__next__  # another number for each request, by which equals take turns
_LONGEST_TIMEOUT_SECONDS = 86_400.0
_LEAST_CACHED_BYTES = 4096
_OPENING = 4  # messages among which the user's first one is looked for
_OF_USER = re.compile(rb'"role"\s*:\s*"user"')
_HEADS: dict[str, msgspec.json.Decoder[RequestHead]] = {
    chat.OPENAI_CHAT: msgspec.json.Decoder(_MessagesHead),
    chat.ANTHROPIC_MESSAGES: msgspec.json.Decoder(_MessagesHead),
    chat.OPENAI_RESPONSES: msgspec.json.Decoder(_ResponsesHead),
    chat.OPENAI_COMPLETIONS: msgspec.json.Decoder(_CompletionsHead),
}
_EMPTY_HEAD = RequestHead()


def bad_field(complaint: str) -> BadRequest:
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
