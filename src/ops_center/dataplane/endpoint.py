"""Which calls the data plane takes, and the outermost edge of each: an error becomes an answer here.

Every path answers with and without `/v1`, and under `/api/v1/llm/`. No byte of a body is read here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from ops_center.dataplane.authenticate import authenticate
from ops_center.dataplane.call import Call, Headers, line
from ops_center.dataplane.count_tokens import count_tokens
from ops_center.dataplane.inside import InsideExchange
from ops_center.dataplane.keep import Kept
from ops_center.dataplane.model_list import find_model, list_models
from ops_center.dataplane.pipeline import Plane, handle
from ops_center.dataplane.reject import reject
from ops_center.dataplane.server import MAX_BODY_BYTES, HttpExchange
from ops_center.dataplane.tasks import TaskCall
from ops_center.errors import BadRequest, InternalError, NotFound, OpsCenterError, TooLarge, Unauthenticated
from ops_center.providers.tasks import TASKS
from ops_center.types import KeptCall
from ops_center.wire.formats import WIRES

_FORMAT_OF_ENDPOINT = {
    "chat/completions": "openai_chat",
    "completions": "openai_completions",
    "responses": "openai_responses",
    "messages": "anthropic_messages",
    "messages/count_tokens": "anthropic_messages",
    **dict.fromkeys(TASKS, "openai_chat"),
}
_ANSWERS = {"messages/count_tokens": count_tokens}  # every other endpoint goes the way of `handle`
_PREFIXES = ("/v1/", "/", "/api/v1/llm/")
_ENDPOINTS = {prefix + endpoint: endpoint for prefix in _PREFIXES for endpoint in _FORMAT_OF_ENDPOINT}

log = structlog.get_logger("ops_center.dataplane")


class DataPlane:
    """Answers what `serves` says is ours; `server.Connection` hands the calls in."""

    urls: Mapping[bytes, str] = {path.encode(): path for path in _ENDPOINTS}

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

    async def answer(self, exchange: HttpExchange) -> None:
        """Answer one call, whatever it is. Only the end of the task itself is raised."""
        await self._answer(self._call(exchange), exchange)

    async def replay(
        self, of: str, endpoint: str, headers: dict[bytes, bytes], body: bytes, client_address: str
    ) -> KeptCall:
        """Make a call of our own that sends the request `of` again, the way of any call; what it came to.

        Its record says `replay_of`, and it is answered by the one target that its model names or by nobody.
        """
        exchange = InsideExchange(f"/v1/{endpoint}", headers, body, client_address)
        call = self._call(exchange)
        call.replay_of = of
        noted = Kept(call)
        await self._answer(call, exchange)
        return noted.told()

    @staticmethod
    def _call(exchange: HttpExchange | InsideExchange) -> Call:
        endpoint = _ENDPOINTS.get(exchange.path)
        client_format = _FORMAT_OF_ENDPOINT.get(endpoint or "") or _format_by_headers(exchange.headers)
        return (TaskCall if endpoint in TASKS else Call)(
            endpoint=endpoint or exchange.path.lstrip("/")[:40],
            client_format=client_format,
            wire=WIRES[client_format],
            headers=exchange.headers,
            exchange=exchange,
            body=exchange.body,
        )

    async def _answer(self, call: Call, exchange: HttpExchange | InsideExchange) -> None:
        endpoint = _ENDPOINTS.get(exchange.path)
        keeps = self._plane.bodies is not None and self._plane.snapshots.current.keep_bodies
        kept = Kept(call) if keeps else None
        try:
            if exchange.too_large:
                raise TooLarge(f"The request body is larger than {MAX_BODY_BYTES // (1024 * 1024)} MB.")
            if endpoint is None:
                await self._answer_other(call, exchange)
            elif exchange.method != b"POST":
                error: OpsCenterError = BadRequest(f"{exchange.path} takes POST.")
                error.status = 405
                raise error
            else:
                await _ANSWERS.get(endpoint, handle)(call, self._plane)
        except OpsCenterError as error:
            if isinstance(error, Unauthenticated):
                kept = None  # nobody's request: it has no record either
            if error.status >= 500 or error.detail:
                log.warning(
                    "request_failed",
                    request_id=call.request_id,
                    status=error.status,
                    type=error.type,
                    detail=error.detail,
                )
            if not exchange.started:
                await reject(call, error)
        except asyncio.CancelledError:
            if not exchange.gone:
                raise
        except Exception:
            log.exception("request_crashed", request_id=call.request_id)
            if not exchange.started:
                await reject(call, InternalError("Something went wrong in the gateway."))
        finally:
            if kept is not None and self._plane.bodies is not None and endpoint is not None:
                self._plane.bodies(kept.told())

    async def _answer_other(self, call: Call, exchange: HttpExchange | InsideExchange) -> None:
        method, path = exchange.method.decode("latin-1"), exchange.path
        snapshot = self._plane.snapshots.current
        principal = authenticate(call, snapshot)
        name = path.removeprefix("/v1")
        if method in ("GET", "HEAD") and name == "/models":
            body = list_models(snapshot, principal)
        elif method in ("GET", "HEAD") and name.startswith("/models/"):
            body = find_model(snapshot, principal, name.removeprefix("/models/"))
        else:
            raise NotFound(f"There is no {method} {path} here.")
        headers: Headers = [
            b"content-type: application/json\r\n",
            line(b"x-request-id", call.request_id.encode()),
        ]
        await exchange.answer(200, headers, body)


def _format_by_headers(headers: Mapping[bytes, bytes]) -> str:
    return "anthropic_messages" if b"anthropic-version" in headers else "openai_chat"
