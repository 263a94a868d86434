"""The outermost layer of the control API: a limit on what comes in, safe headers on what goes out, and the
one place where an error that nobody foresaw ends.

Plain ASGI, because a framework's middleware would break back-pressure. It looks at no path and no caller.
"""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ops_center.control.reject import render
from ops_center.errors import InternalError, TooLarge

_log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 2_000_000

_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Edge:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                message["headers"] = headers + [pair for pair in _HEADERS if pair[0] not in present]
            await send(message)

        body = await _read_body(scope, receive)
        if body is None:
            refusal = render(TooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes"))
            await refusal(scope, receive, send_safely)
            return
        try:
            await self._app(scope, _replay(body, receive), send_safely)
        except Exception as error:
            _log.error("control_request_failed", method=scope["method"], path=scope["path"], exc_info=error)
            if started:
                raise  # the server cuts the answer short, which is all that can still be said
            failure = InternalError("Something went wrong on our side", hint="The server's log says more.")
            await render(failure)(scope, receive, send_safely)


async def _read_body(scope: Scope, receive: Receive) -> list[Message] | None:
    """The messages of the whole body, or None as soon as it proves too large."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > MAX_BODY_BYTES:
            return None
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            return messages
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def replayed() -> Message:
        for message in waiting:
            return message
        return await receive()

    return replayed
