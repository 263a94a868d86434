"""Errors in OpenAI's format, as bodies and inside a stream.

Reference: https://platform.openai.com/docs/guides/error-codes (2026-11).
"""

from __future__ import annotations

import msgspec

from ops_center.errors import OpsCenterError
from ops_center.wire.sse import encode_event

# OpenAI's own code words, where it has one for what we mean; else our type is the code.
_CODES = {
    "authentication_error": "invalid_api_key",
    "rate_limit_error": "rate_limit_exceeded",
    "provider_rate_limited": "rate_limit_exceeded",
}
_WITHOUT_CODE = frozenset(["invalid_request_error"])


def encode_error(error: OpsCenterError, *, request_id: str | None = None) -> bytes:
    """The JSON body; `request_id` has no place in this format (the header carries it)."""
    body = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error_code(error),
    }
    return msgspec.json.encode({"error": body})


def error_code(error: OpsCenterError) -> str | None:
    """OpenAI's word for an error; None where it has none."""
    code: str | None = getattr(error, "code", None)
    if code is None and error.type not in _WITHOUT_CODE:
        code = _CODES.get(error.type, error.type)
    return code


def encode_stream_error(error: OpsCenterError, *, request_id: str | None = None) -> bytes:
    """The event that ends a stream which cannot go on; no [DONE] follows, since it is not done."""
    return encode_event(encode_error(error))
