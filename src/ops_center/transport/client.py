"""A thin HTTP/1.1 client: pooled connections over httptools, one exchange at a time on each.

It carries the calls to providers, the test of a key and the discovery of models. It checks every address,
verifies TLS, follows no redirect, reads no environment and knows nothing of providers or formats.

    client.send(origin, head, body, limits) -> Response     the way of a request, head prepared beforehand
    client.fetch(method, url, ...)          -> FetchAnswer   the convenient way, for the control plane
"""

from __future__ import annotations

import asyncio
import math
import ssl
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

import httptools
import msgspec

from ops_center.errors import (
    ProviderError,
    ProviderTimeout,
    ProviderUnreachable,
    ProviderUnusable,
)
from ops_center.transport.addresses import AddressBook

_HIGH_WATER = 256 * 1024  # unread bytes of one answer above which its socket is no longer read
_MAX_HEADER_BYTES = 64 * 1024


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """Where connections lead; connections are shared among requests with an equal origin only."""

    scheme: str
    host: str
    port: int
    allow_private_network: bool = False

    @classmethod
    def of(cls, url: str, *, allow_private_network: bool = False) -> Origin:
        """The origin of an http(s) URL, or of `process://name`: a process of ours on this machine.

        Raises ValueError when it has no host or another scheme."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "process") or not parts.hostname:
            raise ValueError("not an http(s) URL")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(parts.scheme, parts.hostname, port, allow_private_network)

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds: for a connection, the head of the answer, between chunks, and for all of
    it from sending to the last byte (None: as long as chunks come)."""

    connect_seconds: float = 10.0
    head_seconds: float = 600.0
    chunk_seconds: float = 120.0
    total_seconds: float | None = None


class ConnectionLost(Exception):
    """The connection ended before any byte of an answer arrived on it."""


class FetchAnswer(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]  # lower-case names
    body: bytes


class Response:
    """One answer being read. Read it to the end or `close()` it; either way the connection is settled."""

    __slots__ = ("_connection", "_inflate", "headers", "status")

    def __init__(self, connection: _Connection, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._connection: _Connection | None = connection
        self.status = status
        self.headers = headers
        encoding = self.header(b"content-encoding")
        self._inflate = zlib.decompressobj(47) if encoding in (b"gzip", b"x-gzip", b"deflate") else None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, `name` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    async def chunk(self) -> bytes:
        """The bytes that arrived since the last call, waiting for some; `b""` at the end of the answer.

        Raises ProviderTimeout, or ProviderUnusable when the answer breaks off.
        """
        while True:
            connection = self._connection
            if connection is None:
                return b""
            try:
                data = await connection.read()
            except BaseException:
                self.close()
                raise
            if not data:
                self._connection = None
                connection.release()
                return b"" if self._inflate is None else self._inflate.flush()
            if self._inflate is None:
                return data
            try:
                data = self._inflate.decompress(data)
            except zlib.error:
                self.close()
                raise ProviderUnusable(
                    "The provider's answer could not be read", detail="broken compression"
                ) from None
            if data:
                return data

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raises ProviderUnusable above `max_bytes`."""
        connection = self._connection
        if (
            connection is not None
            and connection.complete  # as nearly always once the head is there
            and connection.unread <= max_bytes
            and self._inflate is None
        ):
            self._connection = None
            data = connection.take()
            connection.release()
            return data
        parts: list[bytes] = []
        size = 0
        while data := await self.chunk():
            parts.append(data)
            size += len(data)
            if size > max_bytes:
                self.close()
                raise ProviderUnusable(
                    "The provider's answer is too large", detail=f"more than {max_bytes} bytes"
                )
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def drain(self, seconds: float) -> None:
        """Read on to the end, at most `seconds`, so that the connection can serve another request."""
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.complete:
                await self.read(_HIGH_WATER)
            else:
                async with asyncio.timeout(seconds):
                    await self.read(_HIGH_WATER)
        except (TimeoutError, ProviderError):
            self.close()

    def close(self) -> None:
        """Give the answer up: the connection is closed unless the answer was complete already."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()


class _Connection(asyncio.Protocol):
    """A socket to an origin and the parser of what comes back on it."""

    __slots__ = (
        "_body",
        "_busy",
        "_complete",
        "_deadline",
        "_ends_at",
        "_error",
        "_fires_at",
        "_got_bytes",
        "_head_ready",
        "_headers",
        "_keep_alive",
        "_limits",
        "_loop",
        "_parser",
        "_paused",
        "_pool",
        "_timer",
        "_transport",
        "_waiter",
        "idle_since",
        "lost",
        "on_body",
        "reused",
        "unread",
    )

    def __init__(self, pool: _Pool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._limits: Limits = _DEFAULT_LIMITS
        self.lost = False
        self.reused = False
        self.idle_since = 0.0
        self._fires_at = 0.0
        self._body: list[bytes] = []
        self.on_body = self._body.append  # once per chunk, so the parser's call goes straight there
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def _reset(self) -> None:
        self._busy = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._body.clear()
        self.unread = 0  # bytes that arrived since the last look, framing included
        self._head_ready = False
        self._complete = False
        self._got_bytes = False
        self._keep_alive = False
        self._paused = False
        self._error: ProviderError | None = None
        self._deadline = 0.0
        self._ends_at = math.inf

    # ── the exchange ──────────────────────────────────────────────────────────

    async def exchange(self, head: bytes, body: bytes, limits: Limits) -> Response:
        """Send one request and wait for the head of its answer.

        Raises ConnectionLost when the connection ended before any byte came back, ProviderTimeout and ProviderUnusable as they say.
        """
        transport = self._transport
        if transport is None or self.lost:
            raise ConnectionLost
        self._limits = limits
        self._busy = True
        if limits.total_seconds is not None:
            self._ends_at = self._loop.time() + limits.total_seconds
        self._arm(limits.head_seconds)
        if len(body) < 65536:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        try:
            while not self._head_ready:
                if self._error is not None:
                    raise self._error
                if self.lost:
                    if self._got_bytes:
                        raise ProviderUnusable(
                            "The provider's answer broke off", detail="closed within the head"
                        )
                    raise ConnectionLost
                await self._wait()
        except BaseException:
            self.release()
            raise
        self._await_chunk()
        return Response(self, self._parser.get_status_code(), self._headers)

    @property
    def complete(self) -> bool:
        """The whole answer has arrived, read or not."""
        return self._complete

    async def read(self) -> bytes:
        while not self._body:
            if self._complete:
                return b""
            if self._error is not None:
                raise self._error
            if self.lost:
                raise ProviderUnusable(
                    "The provider's answer broke off", detail="connection closed within the body"
                )
            await self._wait()
        self._await_chunk()
        return self.take()

    def take(self) -> bytes:
        """What has arrived of the body and was not taken yet."""
        body = self._body
        data = body[0] if len(body) == 1 else b"".join(body)
        body.clear()
        self.unread = 0
        if self._paused and self._transport is not None and not self.lost:
            self._paused = False
            self._transport.resume_reading()
        return data

    def release(self) -> None:
        """Back to the pool when the answer is whole and the connection is fit for another; closed if not."""
        self._busy = False
        reusable = (
            self._complete
            and not self.lost
            and not self._paused
            and self._error is None
            and self._keep_alive
            and self._transport is not None
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
        )
        if reusable:
            self._reset()
            self.reused = True
            self._pool.put_back(self)
        else:
            self._pool.forget(self)
            self.abort()

    def abort(self) -> None:
        if self._transport is not None and not self.lost:
            self._transport.abort()
        self.lost = True
        self._wake()

    def _await_chunk(self) -> None:
        deadline = self._loop.time() + self._limits.chunk_seconds
        self._deadline = deadline if deadline < self._ends_at else self._ends_at

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _arm(self, seconds: float) -> None:
        # One timer for the connection's whole life: it looks at the deadline, which moves without touching it.
        now = self._loop.time()
        self._deadline = min(now + seconds, self._ends_at)
        look_at = min(now + self._limits.chunk_seconds, self._deadline)
        if self._timer is not None and self._fires_at > look_at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._look_after(look_at - now)

    def _look_after(self, seconds: float) -> None:
        self._fires_at = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        if not self._busy:
            self._timer = None
            return
        left = self._deadline - self._loop.time()
        if self._paused or left > 0:
            # While the client is the slow one, the provider is not to blame.
            self._look_after(1.0 if self._paused else max(left, 0.01))
            return
        self._timer = None
        what = "no chunk" if self._head_ready else "no answer"
        self._fail(
            ProviderTimeout("The provider did not answer in time", detail=f"{what} before the deadline")
        )

    def _fail(self, error: ProviderError) -> None:
        if self._error is None and not self._complete:
            self._error = error
        self._wake()

    # ── asyncio.Protocol ──────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            # Bytes that nobody asked for on an idle connection: never let them answer the next request.
            self._pool.forget(self)
            self.abort()
            return
        self._got_bytes = True
        self.unread += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(ProviderUnusable("The provider's answer could not be read", detail="protocol upgrade"))
        except httptools.HttpParserError as error:
            if not self._complete:
                self._fail(
                    ProviderUnusable(
                        "The provider's answer could not be read", detail=f"not HTTP: {type(error).__name__}"
                    )
                )
            else:
                self.abort()
            return
        if self.unread > _MAX_HEADER_BYTES and not self._head_ready:
            self._fail(_head_too_large())
        if self.unread > _HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._waiter is not None:
            self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._head_ready and not self._complete and self._error is None and self._ends_at_close():
            self._complete = True
        self._pool.forget(self)
        self._wake()

    def _ends_at_close(self) -> bool:
        """An answer with neither length nor chunks ends where the connection ends (RFC 9112, 6.3)."""
        names = {name for name, _ in self._headers}
        return b"content-length" not in names and b"transfer-encoding" not in names

    # ── httptools ─────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        if self._complete:
            # Meant for nobody, it must not reach the next request: the parser gives up, and the connection ends.
            raise ValueError("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.unread > _MAX_HEADER_BYTES and _size_of(self._headers) > _MAX_HEADER_BYTES:
            self._fail(_head_too_large())
            return
        if self._parser.get_status_code() < 200:
            self._headers = []
            return
        self._head_ready = True

    def on_message_complete(self) -> None:
        if self._head_ready:
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()  # only now does the parser know


def _size_of(headers: list[tuple[bytes, bytes]]) -> int:
    return sum([len(name) + len(value) + 4 for name, value in headers])


def _head_too_large() -> ProviderUnusable:
    return ProviderUnusable("The provider's answer could not be read", detail="head too large")


_DEFAULT_LIMITS = Limits()


class _Pool:
    """The connections of one origin: idle ones last in, first out, so that spare ones grow old and go."""

    __slots__ = ("_client", "_idle", "_loop", "_open", "origin")

    def __init__(self, client: HttpClient, origin: Origin) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.origin = origin
        self._idle: deque[_Connection] = deque()
        self._open: set[_Connection] = set()

    def take(self) -> _Connection | None:
        idle = self._idle
        oldest = self._loop.time() - self._client.idle_seconds
        while idle:
            connection = idle.pop()
            if not connection.lost and connection.idle_since > oldest:
                return connection
            self._open.discard(connection)
            connection.abort()
        return None

    def put_back(self, connection: _Connection) -> None:
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        # Old ones sit at the left; a few looks per return keep the list fresh without a timer.
        oldest = self._idle[0]
        if (
            len(self._idle) > self._client.max_idle
            or connection.idle_since - oldest.idle_since > self._client.idle_seconds
        ):
            self._idle.popleft()
            self._open.discard(oldest)
            oldest.abort()

    def forget(self, connection: _Connection) -> None:
        self._open.discard(connection)
        try:
            self._idle.remove(connection)
        except ValueError:
            pass

    async def connect(self, seconds: float) -> _Connection:
        origin, loop = self.origin, self._loop
        if origin.scheme == "process":
            return await self._connect_to_process(seconds)
        addresses = await self._client.address_book.allowed(
            origin.host, origin.port, allow_private_network=origin.allow_private_network
        )
        tls = self._client.tls_context if origin.scheme == "https" else None
        reason = ""
        for address in addresses[:3]:
            try:
                async with asyncio.timeout(seconds):
                    _, connection = await loop.create_connection(
                        lambda: _Connection(self, loop),
                        address,
                        origin.port,
                        ssl=tls,
                        server_hostname=origin.host if tls else None,
                    )
            except TimeoutError:
                raise ProviderTimeout(
                    "The provider could not be reached in time", detail=f"connect to {address}"
                ) from None
            except ssl.SSLCertVerificationError as error:
                raise ProviderUnreachable(
                    "The provider's TLS certificate could not be verified", detail=error.verify_message
                ) from None
            except OSError as error:
                reason = f"{address}: {type(error).__name__}"
                continue
            self._open.add(connection)
            return connection
        raise ProviderUnreachable("The provider could not be reached", detail=reason)

    async def _connect_to_process(self, seconds: float) -> _Connection:
        """No address is checked: the process is one that we started, and checks its own."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                path = await self._client.socket_of(self.origin)
                _, connection = await loop.create_unix_connection(lambda: _Connection(self, loop), path)
        except TimeoutError:
            raise ProviderTimeout(
                "The provider could not be reached in time", detail="its process is still starting"
            ) from None
        except OSError as error:
            raise ProviderUnreachable(
                "The provider could not be reached", detail=f"its process: {type(error).__name__}"
            ) from None
        self._open.add(connection)
        return connection

    def close(self) -> None:
        for connection in tuple(self._open):
            connection.abort()
        self._open.clear()
        self._idle.clear()


class HttpClient:
    """Every outbound call of the process goes through one of these, on the event loop that made it."""

    def __init__(
        self,
        *,
        address_book: AddressBook | None = None,
        tls_context: ssl.SSLContext | None = None,
        idle_seconds: float = 30.0,
        max_idle: int = 256,
        processes: Mapping[str, Callable[[bool], Awaitable[str]]] | None = None,
    ) -> None:
        """`processes`: by name, what starts a process of ours if need be, which may call private addresses
        or not, and says at which Unix socket it listens. May raise ProviderUnreachable."""
        self._processes = processes or {}
        self.address_book = address_book or AddressBook()
        self._tls_context = tls_context
        self.idle_seconds = idle_seconds
        self.max_idle = max_idle
        self._pools: dict[Origin, _Pool] = {}

    @property
    def tls_context(self) -> ssl.SSLContext:
        if self._tls_context is None:  # loading the certificates takes some 20 ms: only when first needed
            self._tls_context = ssl.create_default_context()
        return self._tls_context

    async def socket_of(self, origin: Origin) -> str:
        """Where a process of ours listens. Raises ProviderUnreachable."""
        start = self._processes.get(origin.host)
        if start is None:
            raise ProviderUnreachable("The provider could not be reached", detail="no such process here")
        return await start(origin.allow_private_network)

    async def send(
        self, origin: Origin, head: bytes, body: bytes, limits: Limits = _DEFAULT_LIMITS
    ) -> Response:
        """Send a request whose head is complete, blank line included, and wait for the head of the answer.

        On a kept connection that ends without a byte the other side has, as good as always, closed it while
        it lay idle: the request goes once more, on a fresh connection, and never a third time. Raises
        ProviderUnreachable, AddressRefused, ProviderTimeout or ProviderUnusable.
        """
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool(self, origin)
        connection = pool.take()
        if connection is not None:
            try:
                return await connection.exchange(head, body, limits)
            except ConnectionLost:
                pass
        # A process may have to be started first, which belongs to the wait for its answer.
        patience = limits.head_seconds if origin.scheme == "process" else limits.connect_seconds
        connection = await pool.connect(patience)
        try:
            return await connection.exchange(head, body, limits)
        except ConnectionLost:
            raise ProviderUnreachable(
                "The provider closed the connection without an answer", detail="closed before the first byte"
            ) from None

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        allow_private_network: bool = False,
        timeout_seconds: float = 10.0,
        max_bytes: int = 8_000_000,
    ) -> FetchAnswer:
        """One whole exchange within `timeout_seconds`. Redirects are answers like any other."""
        origin = Origin.of(url, allow_private_network=allow_private_network)
        head = request_head(method, origin, request_target(url), headers, content_length=len(body))
        limits = Limits(
            connect_seconds=timeout_seconds, head_seconds=timeout_seconds, chunk_seconds=timeout_seconds
        )
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self.send(origin, head, body, limits)
                data = await response.read(max_bytes)
        except TimeoutError:
            raise ProviderTimeout(
                "Connection timeout", detail=f"no whole answer in {timeout_seconds} s"
            ) from None
        return FetchAnswer(
            response.status, {k.decode("latin-1"): v.decode("latin-1") for k, v in response.headers}, data
        )

    async def check_address(self, url: str, *, allow_private_network: bool) -> None:
        """Raise AddressRefused when no address of the URL may be called, ProviderUnreachable without one."""
        origin = Origin.of(url)
        await self.address_book.allowed(origin.host, origin.port, allow_private_network=allow_private_network)

    async def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        await asyncio.sleep(0)  # let the transports see their end


def request_target(url: str) -> str:
    """The path and query of a URL, as they go into a request line."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def request_head(
    method: str,
    origin: Origin,
    target: str,
    headers: Sequence[tuple[str, str]],
    *,
    content_length: int | None = None,
) -> bytes:
    """The bytes of a request's head. Raises ValueError for anything that could break out of its line.

    With `content_length=None` the length and the blank line are left for the caller to add.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {origin.host_header}", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers]
    if content_length is not None and (content_length or method not in ("GET", "HEAD")):
        lines.append(f"Content-Length: {content_length}")
    if any(_breaks_line(line) for line in lines) or " " in target:
        raise ValueError(
            "a request line or header contains a control character or a character outside Latin-1"
        )
    head = "\r\n".join(lines) + "\r\n"
    return (head if content_length is None else head + "\r\n").encode("latin-1")


def _breaks_line(line: str) -> bool:
    return any((ord(ch) < 32 and ch != "\t") or ord(ch) == 127 or ord(ch) > 255 for ch in line)
