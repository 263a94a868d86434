"""HTTP in and out: a socket's protocol that answers the data plane's paths itself and leaves the rest to ASGI.

Built on uvicorn's protocol class, which goes on serving the console and the control API. A call of the data
plane costs neither a scope nor messages: one object holds the request, gets the answer's bytes and knows
when the client is gone. No path is known here and no body is read.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Mapping
from typing import Any, Protocol

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from ops_center.dataplane.call import Headers

MAX_BODY_BYTES = 32 * 1024 * 1024
_MAX_HEAD_BYTES = 64 * 1024
_READ_BYTES = 256 * 1024  # that the loop hands over at most at once
_MOST_WAITING = 8  # pipelined requests of one connection
_LINGER_SECONDS = 2.0  # for a client that goes on sending what was refused
_SILENCE_SECONDS = 75.0  # a connection on which nothing happens for so long is closed


class Served(Protocol):
    """What answers calls: the data plane."""

    @property
    def urls(self) -> Mapping[bytes, str]:
        """Request targets that are known beforehand, with their paths."""
        ...

    def serves(self, path: str) -> bool: ...

    async def answer(self, exchange: HttpExchange) -> None:
        """Answer one request whose body is whole (or too large). Raises nothing."""
        ...


class HttpExchange:
    """One request and its answer; `call.Exchange` over a socket.

    `headers` are by lower-case name, the last of equal names wins. `too_large` tells of a body that was not
    read. Writing waits while the client is slower than we are.
    """

    __slots__ = (
        "_connection",
        "_head",
        "_parts",
        "_size",
        "all_sent",
        "body",
        "chunked",
        "gone",
        "headers",
        "keep_alive",
        "method",
        "on_turn",
        "path",
        "response_complete",
        "started",
        "task",
        "too_large",
        "whole",
    )

    def __init__(
        self, connection: Connection, method: bytes, path: str, headers: dict[bytes, bytes], *, http_1_1: bool
    ) -> None:
        self._connection = connection
        self._head = b""  # of a streamed answer, until something goes out with it
        self._parts: list[bytes] = []
        self._size = 0
        self.method = method
        self.path = path
        self.headers = headers
        self.body = b""
        self.chunked = http_1_1
        self.keep_alive = False
        self.on_turn = False  # every earlier request of this connection is answered
        self.whole = False  # the body has arrived, or will not be read
        self.all_sent = False  # the client has sent all of it
        self.too_large = False
        self.started = False
        self.response_complete = False
        self.gone = False
        self.task: asyncio.Task[None] | None = None

    @property
    def client_address(self) -> str:
        peer = self._connection.client
        return peer[0] if peer else ""

    def feed(self, data: bytes) -> bool:
        """Take a piece of the body; False once there is too much of it."""
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            self._parts.clear()
            self.refuse_body()
            return False
        self._parts.append(data)
        return True

    def refuse_body(self) -> None:
        """The answer will say so; what still comes is not for reading, so the connection ends after it."""
        self.too_large = True
        self.keep_alive = False
        self.whole = True

    def end_body(self) -> None:
        parts = self._parts
        self.body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        self.whole = True

    def leave(self) -> None:
        """The client is gone: nothing more is written, and the task that answers it ends."""
        if not self.response_complete:
            self.gone = True
            if self.task is not None:
                self.task.cancel()

    # ── the answer ────────────────────────────────────────────────────────────

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer in one write. `headers` are complete lines, see `call.line`."""
        if self.gone:
            return
        self.started = True
        head = b"%b%b%bcontent-length: %d\r\n%b\r\n" % (
            STATUS_LINE[status],
            self._connection.default_lines(),
            b"".join(headers),
            len(body),
            b"" if self.keep_alive else b"connection: close\r\n",
        )
        self._connection.transport.write(head if self.method == b"HEAD" else head + body)
        self._complete()

    async def start(self, status: int, headers: Headers) -> None:
        """The head of a streamed answer; it goes out with what is written next."""
        self.started = True
        if not self.chunked:
            self.keep_alive = False  # HTTP/1.0: the body ends where the connection ends
        self._head = b"%b%b%b%b%b\r\n" % (
            STATUS_LINE[status],
            self._connection.default_lines(),
            b"".join(headers),
            b"transfer-encoding: chunked\r\n" if self.chunked else b"",
            b"" if self.keep_alive else b"connection: close\r\n",
        )

    async def write(self, data: bytes) -> None:
        flow = self._connection.flow
        if flow.write_paused and not self.gone:
            await flow.drain()
        if not self.gone:
            self._send(self._framed(data))

    async def end(self, data: bytes = b"") -> None:
        """The last piece and the end, in one write."""
        flow = self._connection.flow
        if data and flow.write_paused and not self.gone:
            await flow.drain()
        if not self.gone:
            self._send(self._framed(data) + b"0\r\n\r\n" if self.chunked else data)
            self._complete()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if data and self.chunked else data

    def _send(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head or data:
            self._connection.transport.write(head + data if head else data)

    def _complete(self) -> None:
        connection = self._connection
        self.response_complete = True
        self.headers = {}
        self.body = b""
        if self.keep_alive:
            connection.on_response_complete()
        elif self.all_sent:
            connection.transport.close()
        else:  # closing on a client that still sends would take the answer away from it
            connection.linger()


class Connection(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`, through `functools.partial(Connection, served)`."""

    def __init__(
        self,
        served: Served,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._served = served
        self._urls = served.urls
        self._running: HttpExchange | None = None
        self._head_bytes = 0  # of a head that is not whole, and of what came in one piece with its beginning
        self._in_head = False
        self._heard_at = 0.0

    # ── asyncio.Protocol ──────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard_at = self.loop.time()
        self.timeout_keep_alive_task = self.loop.call_later(_SILENCE_SECONDS, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        self._head_bytes = len(data) + (self._head_bytes if self._in_head else 0)
        try:
            self.parser.feed_data(data)
            if self._in_head and self._head_bytes > _MAX_HEAD_BYTES + _READ_BYTES:
                self.send_400_response("The head of the request is too large.")
        except httptools.HttpParserUpgrade:
            pass  # no protocol to upgrade to: the request is answered as what it is
        except httptools.HttpParserError:
            if not self.transport.is_closing():
                self.send_400_response("Invalid HTTP request received.")

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if self._running is not None:
            self._running.leave()
        if isinstance(self.cycle, HttpExchange):
            self.cycle = None
        self.pipeline.clear()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """One timer for the connection's whole life; it closes what has been silent while nobody worked."""
        busy = self.cycle is not None and not self.cycle.response_complete
        left = _SILENCE_SECONDS - (self.loop.time() - self._heard_at)
        if left <= 0 and (not busy or self._waits_for_body()):
            self.timeout_keep_alive_task = None
            self.transport.close()
            return
        wait = left if left > 0 else _SILENCE_SECONDS
        self.timeout_keep_alive_task = self.loop.call_later(wait, self.timeout_keep_alive_handler)

    def _waits_for_body(self) -> bool:
        return isinstance(self.cycle, HttpExchange) and not self.cycle.whole

    def _unset_keepalive_if_required(self) -> None:
        """The one timer stays."""

    # ── httptools ─────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._head_bytes > _MAX_HEAD_BYTES and _size_of(self.headers) > _MAX_HEAD_BYTES:
            raise ValueError("the head of the request is too large")  # the parser turns it into its own error
        self._in_head = False
        headers = dict(self.headers)
        self.expect_100_continue = headers.get(b"expect", b"").lower() == b"100-continue"
        path = self._urls.get(self.url) or self._other_path()
        if path is None:
            self._begin_scope()
            super().on_headers_complete()
            return
        parser = self.parser
        exchange = HttpExchange(
            self, parser.get_method(), path, headers, http_1_1=parser.get_http_version() != "1.0"
        )
        exchange.keep_alive = exchange.chunked and parser.should_keep_alive()
        length = headers.get(b"content-length")
        if length is not None and len(length) > 7 and int(length) > MAX_BODY_BYTES:
            exchange.refuse_body()
        elif self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        before = self.cycle
        self.cycle = exchange  # type: ignore[assignment]
        if before is None or before.response_complete:
            exchange.on_turn = True
            if exchange.whole:
                self._begin(exchange)
        else:  # pipelined: its turn comes when what was asked before is answered
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]
            if len(self.pipeline) >= _MOST_WAITING:  # not before: who does not read cannot see a client leave
                self.flow.pause_reading()

    def _other_path(self) -> str | None:
        """The path of a request target that is not known beforehand, when the data plane serves it."""
        raw = self.url.partition(b"?")[0]
        known = self._urls.get(raw)
        if known is not None:
            return known
        try:
            path = urllib.parse.unquote((httptools.parse_url(self.url).path or b"").decode("ascii"))
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            return None
        return path if self._served.serves(path) else None

    def _begin_scope(self) -> None:
        """What uvicorn prepares for every message, for those that go its way."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)

    def on_body(self, body: bytes) -> None:
        exchange = self.cycle
        if not isinstance(exchange, HttpExchange):
            super().on_body(body)
        elif not exchange.whole and not exchange.feed(body) and exchange.on_turn:
            self._begin(exchange)

    def on_message_complete(self) -> None:
        exchange = self.cycle
        if not isinstance(exchange, HttpExchange):
            super().on_message_complete()
            return
        exchange.all_sent = True
        if not exchange.whole:
            exchange.end_body()
            if exchange.on_turn:
                self._begin(exchange)
        elif exchange.response_complete:
            self.transport.close()

    # ── turns ─────────────────────────────────────────────────────────────────

    def _begin(self, exchange: HttpExchange) -> None:
        self._running = exchange
        exchange.task = task = self.loop.create_task(self._answer(exchange))
        self.tasks.add(task)

    async def _answer(self, exchange: HttpExchange) -> None:
        try:
            await self._served.answer(exchange)
        finally:
            if exchange.task is not None:
                self.tasks.discard(exchange.task)
            if self._running is exchange:
                self._running = None
            if not exchange.response_complete and not self.transport.is_closing():
                self.transport.close()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if not isinstance(cycle, HttpExchange):
            super()._start_asgi_task(cycle, app)
            return
        cycle.on_turn = True
        if cycle.whole:
            self._begin(cycle)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._heard_at = self.loop.time()
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def linger(self) -> None:
        """Let the client finish sending, unread, before the connection is closed."""
        self.flow.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    # ── what every answer says ────────────────────────────────────────────────

    def default_lines(self) -> bytes:
        """uvicorn's own headers (the date), rendered once a second."""
        given = self.server_state.default_headers
        if given is not _rendered[0]:
            _rendered[:] = [given, b"".join([b"%b: %b\r\n" % pair for pair in given])]
        lines: bytes = _rendered[1]
        return lines


def _size_of(headers: list[tuple[bytes, bytes]]) -> int:
    return sum([len(name) + len(value) for name, value in headers])


_rendered: list[Any] = [None, b""]
