"""The way of all other paths: a worker hands them to the control process, which answers as if it were asked.

A request is written anew from what was understood of it, with a framing of our own, on a connection of its
own: nothing that a client sends can make the two ends see different requests. Bodies go through in pieces,
each side as fast as the other reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import httptools
import structlog

from ops_center.workers.lifeline import CONTROL_SOCKET

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_HEADER = b"x-ops-center-client"  # between the two ends only; nobody else's is passed on
_HEAD_SECONDS = 120.0  # for the first byte of an answer: a test of a slow provider is the longest
_PIECE = 64 * 1024
_NOT_PASSED_ON = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        b"expect",
        b"content-length",
        CLIENT_HEADER,
    }
)
_NOT_PASSED_BACK = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_FORBIDDEN = frozenset(b"\r\n\0")

log = structlog.get_logger("ops_center.workers")


class Forward:
    """The worker's ASGI application."""

    def __init__(self, run_dir: Path) -> None:
        self._path = str(run_dir / CONTROL_SOCKET)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/healthz":  # of this process
            await _answer(send, 200, b'{"status":"ok"}')
            return
        head, framing = _head(scope)
        if head is None:
            await _answer(send, 400, _error("invalid_request_error", "The request could not be read."))
            return
        loop = asyncio.get_running_loop()
        exchange = _Exchange(scope["method"], send)
        # A plain socket: what was answered can still be read when the other end does not read on.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there:
            there.setblocking(False)
            try:
                await loop.sock_connect(there, self._path)
            except OSError:
                await _unavailable(send)
                return
            sending = asyncio.create_task(_send_request(receive, there, head, framing))
            try:
                async with asyncio.timeout(_HEAD_SECONDS):
                    while not exchange.started and not exchange.over:
                        await exchange.feed(await loop.sock_recv(there, _PIECE))
                while not exchange.over:
                    await exchange.feed(await loop.sock_recv(there, _PIECE))
            except (OSError, httptools.HttpParserError, TimeoutError) as error:
                log.warning("control_process_silent", path=scope["path"], error=type(error).__name__)
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sending
        if not exchange.started:
            await _unavailable(send)
        elif not exchange.whole:
            raise ConnectionError("the control process ended in the middle of its answer")


class FromWorkers:
    """The control process's side: puts the client's address back in its place."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        for place, (name, value) in enumerate(headers):
            if name == CLIENT_HEADER:
                address, _, port = value.decode("latin-1").rpartition(" ")
                scope["client"] = (address, int(port))
                scope["headers"] = headers[:place] + headers[place + 1 :]
                break
        await self._application(scope, receive, send)


class _Exchange:
    """Reads one answer and passes it on. `whole`: it has ended as its framing says."""

    def __init__(self, method: str, send: Send) -> None:
        self._send = send
        self._head_only = method == "HEAD"
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._status = 0
        self._head_read = False
        self._body: list[bytes] = []
        self.started = False
        self.whole = False
        self.over = False

    async def feed(self, data: bytes) -> None:
        if data:
            self._parser.feed_data(data)
        else:
            self.over = True
        if self._head_read and not self.started:
            self.started = True
            await self._send(
                {"type": "http.response.start", "status": self._status, "headers": self._headers}
            )
        body, self._body = b"".join(self._body), []
        if self.started and (body or self.whole):
            await self._send({"type": "http.response.body", "body": body, "more_body": not self.whole})
        self.over = self.over or self.whole

    # ── httptools ─────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name not in _NOT_PASSED_BACK:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status >= 200:
            self._head_read = True
            self.whole = self._head_only

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._head_read:
            self.whole = True


def _head(scope: Scope) -> tuple[bytes | None, bytes]:
    """The request's head for the other end, and how its body is framed: b"length", b"chunks" or nothing."""
    target: bytes = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    lines = [b"%b %b HTTP/1.1\r\n" % (scope["method"].encode("latin-1"), target)]
    pieces = [target]
    framing = b""
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            framing = b"chunks"
        elif name == b"content-length" and framing != b"chunks" and value.isdigit():
            framing = b"length"
            length = int(value)
        if name not in _NOT_PASSED_ON:
            lines.append(b"%b: %b\r\n" % (name, value))
            pieces += (name, value)
    if any(_FORBIDDEN.intersection(piece) for piece in pieces) or b" " in target:
        return None, b""
    if framing == b"chunks":
        lines.append(b"transfer-encoding: chunked\r\n")
    elif framing == b"length":
        lines.append(b"content-length: %d\r\n" % length)
    address, port = scope["client"] or ("", 0)
    lines.append(b"%b: %b %d\r\n" % (CLIENT_HEADER, address.encode("latin-1"), port))
    lines.append(b"connection: close\r\n\r\n")
    return b"".join(lines), framing


async def _send_request(receive: Receive, there: socket.socket, head: bytes, framing: bytes) -> None:
    """Send all of the request; then wait for the client to leave, and leave with it."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):  # it may have answered all the same, without reading to the end
        await loop.sock_sendall(there, head)
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                there.shutdown(socket.SHUT_RDWR)
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            if body and framing:
                data = b"%x\r\n%b\r\n" % (len(body), body) if framing == b"chunks" else body
                await loop.sock_sendall(there, data)
        if framing == b"chunks":
            await loop.sock_sendall(there, b"0\r\n\r\n")
    while (await receive())["type"] != "http.disconnect":
        pass
    with contextlib.suppress(OSError):
        there.shutdown(socket.SHUT_RDWR)


async def _unavailable(send: Send) -> None:
    body = _error("unavailable", "The control plane is being started again. Try again in a moment.")
    await _answer(send, 503, body, [(b"retry-after", b"1")])


def _error(kind: str, message: str) -> bytes:
    return b'{"error":{"type":"%b","message":"%b"}}' % (kind.encode(), message.encode())


async def _answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    lines = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *(headers or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
