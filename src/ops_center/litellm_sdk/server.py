"""The process that runs LiteLLM: `python -m ops_center.litellm_sdk.server SOCKET [--private]`.

It answers POST /v1/chat/completions on a Unix socket, in OpenAI's format, for the server that started it and
nobody else. Each request brings its provider's parameters along; nothing is kept, logged or retried here.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from ops_center.litellm_sdk import guard
from ops_center.providers.litellm_parameters import DROPPED_FIELDS, HEADER, REQUEST_FIELDS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# By the names of LiteLLM's exceptions (https://docs.litellm.ai/docs/exception_mapping, 2026-11): the code for
# the caller; the status is the exception's own. Later names are what earlier ones are made of.
_CODES = {
    "ContextWindowExceededError": "context_length_exceeded",
    "ContentPolicyViolationError": "content_policy_violation",
    "UnsupportedParamsError": "unsupported_parameter",
    "AuthenticationError": "invalid_api_key",
    "PermissionDeniedError": "permission_denied",
    "RateLimitError": "rate_limit_exceeded",
    "NotFoundError": "model_not_found",
    "BadRequestError": "invalid_request",
}
_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", b"text/event-stream")]


class Application:
    """ASGI; `litellm` is the module."""

    def __init__(self, litellm: Any) -> None:
        self._litellm = litellm

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if (scope["method"], scope["path"]) != ("POST", "/v1/chat/completions"):
            await _answer(send, 404, _error("There is no such path", "not_found"))
            return
        body = await _body(receive)
        parameters = json.loads(base64.b64decode(dict(scope["headers"])[HEADER.encode()]))
        guard.refused.set([])
        work = asyncio.create_task(self._chat(json.loads(body), parameters, send))
        gone = asyncio.create_task(_gone(receive))
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        work.cancel()  # the client left: what it asked for is not paid for any longer
        await asyncio.gather(work, gone, return_exceptions=True)

    async def _chat(self, asked: dict[str, Any], parameters: dict[str, Any], send: Send) -> None:
        unknown = sorted(asked.keys() - REQUEST_FIELDS - DROPPED_FIELDS)
        if unknown:
            error = _error(f"LiteLLM does not take “{unknown[0]}”", "unsupported_parameter", unknown[0])
            await _answer(send, 400, error)
            return
        asked = {name: value for name, value in asked.items() if name not in DROPPED_FIELDS}
        secrets = [value for value in _texts(parameters) if len(value) >= 8]
        try:
            answer = await self._litellm.acompletion(**{**parameters, **asked}, max_retries=0, num_retries=0)
            if not asked.get("stream"):
                await _answer(send, 200, _written(answer))
                return
            await _stream(answer, send, secrets)
        except Exception as error:  # noqa: BLE001 - the outermost edge of this process
            await _answer(send, *_refusal(error, secrets))


async def _stream(answer: Any, send: Send, secrets: list[str]) -> None:
    """The answer's chunks as events. Raises what LiteLLM raises while nothing has been sent yet."""
    started = False
    try:
        async for chunk in answer:
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
            await _write(send, _written(chunk))
        if not started:
            await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        await _write(send, b"[DONE]", last=True)
    except Exception as error:  # told in the stream, where it has begun
        if not started:
            raise
        _, told = _refusal(error, secrets)
        await _write(send, told, last=True)
    finally:
        await answer.aclose()


def _written(answer: Any) -> bytes:
    """As JSON, without the cost that LiteLLM computes: that is no bill of the provider's, and we price usage
    ourselves."""
    fields = answer.model_dump(exclude_none=True)
    if isinstance(usage := fields.get("usage"), dict):
        usage.pop("cost", None)
    return json.dumps(fields, default=str).encode()


def _refusal(error: Exception, secrets: list[str]) -> tuple[int, bytes]:
    if guard.refused.get():
        return 502, _error("Address not allowed", "address_refused")
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or not 400 <= status < 600:
        status = 500
    text = str(getattr(error, "message", "")) or type(error).__name__
    for secret in secrets:
        text = text.replace(secret, "…")
    code = next((code for name, code in _CODES.items() if name in names), type(error).__name__)
    return status, _error(text[:2000], code)


def _error(message: str, code: str, param: str | None = None) -> bytes:
    kind = "invalid_request_error" if param else code
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [*_JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _write(send: Send, data: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": b"data: %b\n\n" % data, "more_body": not last})


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the server is gone, however it went
    os._exit(0)


def main(socket: str, *, allow_private_network: bool) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    guard.install(allow_private_network=allow_private_network)
    litellm: Any = importlib.import_module("litellm")
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    logging.disable(logging.CRITICAL)  # its lines may hold prompts and keys
    # asyncio's own loop: uvloop would connect where no audit hook sees it
    uvicorn.run(
        Application(litellm),
        uds=socket,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_keep_alive=3600,
    )


if __name__ == "__main__":
    main(sys.argv[1], allow_private_network="--private" in sys.argv)
