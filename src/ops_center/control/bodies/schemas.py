"""Kept prompts and answers as JSON."""

from __future__ import annotations

from typing import Any

from ops_center.control.fields import Instant, ResponseModel


class KeptBody(ResponseModel):
    content: Any
    """JSON where it was, else text; of a stream, the answer that it came to. Redacted."""
    complete: bool
    """Nothing was cut off for want of room."""


class RequestBodies(ResponseModel):
    request_id: str
    request: KeptBody
    answer: KeptBody
    removed: dict[str, int]
    """How much was taken out, by kind: secret, email, phone, card, file."""
    deleted_at: Instant
    """When it will be gone, as the settings say now."""
