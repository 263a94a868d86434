"""Errors in Anthropic's format, as bodies and inside a stream.

Reference: https://platform.claude.com/docs/en/api/errors (2026-11).
"""

from __future__ import annotations

import msgspec

from ops_center.errors import OpsCenterError
from ops_center.wire.sse import encode_event

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def encode_error(error: OpsCenterError, *, request_id: str | None = None) -> bytes:
    """The JSON body; `type` is Anthropic's own word for the status."""
    kind = _TYPES.get(error.status, "invalid_request_error" if 400 <= error.status < 500 else "api_error")
    body: dict[str, object] = {"type": "error", "error": {"type": kind, "message": error.message}}
    if request_id:
        body["request_id"] = request_id
    return msgspec.json.encode(body)


def encode_stream_error(error: OpsCenterError, *, request_id: str | None = None) -> bytes:
    """The event that ends a stream which cannot go on."""
    return encode_event(encode_error(error, request_id=request_id), "error")
