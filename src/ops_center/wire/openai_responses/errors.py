"""Errors in the format of OpenAI's Responses: bodies as in the rest of OpenAI's API, and an event of its own.

Reference: https://platform.openai.com/docs/api-reference/responses-streaming/error (2026-11).
"""

from __future__ import annotations

import msgspec

from ops_center.errors import OpsCenterError
from ops_center.wire.openai_chat.errors import encode_error, error_code
from ops_center.wire.sse import encode_event

__all__ = ["encode_error", "encode_stream_error"]


def encode_stream_error(error: OpsCenterError, *, request_id: str | None = None) -> bytes:
    """The event that ends a stream which cannot go on; neither completed nor incomplete follows."""
    code = error_code(error)
    body = {
        "type": "error",
        "sequence_number": 0,
        "code": code,
        "message": error.message,
        "param": error.param,
        # The official clients raise on a field of this name, whatever the event is called.
        "error": {"type": error.type, "code": code, "message": error.message, "param": error.param},
    }
    return encode_event(msgspec.json.encode(body), "error")
