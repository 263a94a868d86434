"""HTTP in: the data plane as a plain ASGI application. Paths, bodies and disconnects; no request is read here.

Every path answers with and without `/v1`, and under `/api/v1/llm/`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

from ops_center.dataplane.authenticate import authenticate
from ops_center.dataplane.call import Call, Headers
from ops_center.dataplane.model_list import find_model, list_models
from ops_center.dataplane.pipeline import Plane, handle
from ops_center.dataplane.reject import reject
from ops_center.dataplane.server import WHEN_GONE
from ops_center.errors import BadRequest, InternalError, NotFound, OpsCenterError, TooLarge
from ops_center.wire.formats import WIRES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES = 32 * 1024 * 1024
_FORMAT_OF_ENDPOINT = {"chat/completions": "openai_chat", "messages": "anthropic_messages"}
_PREFIXES = ("/v1/", "/", "/api/v1/llm/")
_ENDPOINTS = {prefix + endpoint: endpoint for prefix in _PREFIXES for endpoint in _FORMAT_OF_ENDPOINT}

log = structlog.get_logger("ops_center.dataplane")


class DataPlane:
    """`serves(scope)` says whether a request is ours; calling it answers the request."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    @staticmethod
    def serves(path: str) -> bool:
        return (
            path in _ENDPOINTS
            or path.startswith("/v1/")
            or path in ("/v1", "/models")
            or path.startswith("/models/")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        exchange = _AsgiExchange(send)
        path, method = scope["path"], scope["method"]
        endpoint = _ENDPOINTS.get(path)
        client_format = _FORMAT_OF_ENDPOINT.get(endpoint or "") or _format_by_headers(headers)
        call = Call(
            endpoint=endpoint or path.lstrip("/")[:40],
            client_format=client_format,
            wire=WIRES[client_format],
            headers=headers,
            exchange=exchange,
        )
        watcher: asyncio.Task[None] | None = None
        try:
            if endpoint is None:
                await self._answer_other(call, method, path)
                return
            if method != "POST":
                error: OpsCenterError = BadRequest(f"{path} takes POST.")
                error.status = 405
                raise error
            call.body = await _read_body(headers, receive)
            task = asyncio.current_task()
            when_gone = scope.get(WHEN_GONE)
            if when_gone is not None:
                when_gone.append(functools.partial(exchange.leave, task))
            else:
                watcher = asyncio.create_task(exchange.watch(receive, task))
            await handle(call, self._plane)
        except OpsCenterError as error:
            if error.status >= 500 or error.detail:
                log.warning(
                    "request_failed",
                    request_id=call.request_id,
                    status=error.status,
                    type=error.type,
                    detail=error.detail,
                )
            if not exchange.started:
                await reject(exchange, call.wire, call.request_id, error)
        except asyncio.CancelledError:
            if not exchange.gone:
                raise
        except Exception:
            log.exception("request_crashed", request_id=call.request_id)
            if not exchange.started:
                await reject(
                    exchange,
                    call.wire,
                    call.request_id,
                    InternalError("Something went wrong in the gateway."),
                )
        finally:
            if watcher is not None:
                watcher.cancel()

    async def _answer_other(self, call: Call, method: str, path: str) -> None:
        snapshot = self._plane.snapshots.current
        principal = authenticate(call.headers, call.started_at, snapshot)
        name = path.removeprefix("/v1")
        if method in ("GET", "HEAD") and name == "/models":
            body = list_models(snapshot, principal)
        elif method in ("GET", "HEAD") and name.startswith("/models/"):
            body = find_model(snapshot, principal, name.removeprefix("/models/"))
        else:
            raise NotFound(f"There is no {method} {path} here.")
        headers: Headers = [
            (b"content-type", b"application/json"),
            (b"x-request-id", call.request_id.encode()),
        ]
        await call.exchange.answer(200, headers, body)


def _format_by_headers(headers: MutableMapping[bytes, bytes]) -> str:
    return "anthropic_messages" if b"anthropic-version" in headers else "openai_chat"


async def _read_body(headers: MutableMapping[bytes, bytes], receive: Receive) -> bytes:
    """The whole body. Raises TooLarge at once when it says so, or when it turns out so."""
    length = headers.get(b"content-length")
    if length is not None and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _too_large()
    if message["type"] == "http.disconnect":
        raise BadRequest("The request body broke off.")
    return b"".join(parts)


def _too_large() -> TooLarge:
    return TooLarge(f"The request body is larger than {MAX_BODY_BYTES // (1024 * 1024)} MB.")


class _AsgiExchange:
    """`call.Exchange` over ASGI's `send`."""

    __slots__ = ("_send", "complete", "gone", "started")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.gone = False
        self.started = False
        self.complete = False  # the last byte is on its way; what happens to the client now is its own affair

    async def watch(self, receive: Receive, task: asyncio.Task[None] | None) -> None:
        """Wait for the client to go away; then cancel the task that answers it."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.leave(task)

    def leave(self, task: asyncio.Task[None] | None) -> None:
        """The client is gone: nothing more is written, and the task that answers it ends."""
        if self.complete:
            return
        self.gone = True
        if task is not None:
            task.cancel()

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.started = True
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"content-length", b"%d" % len(body))],
            }
        )
        self.complete = True
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        self.complete = True
        await self._send({"type": "http.response.body", "body": b""})
