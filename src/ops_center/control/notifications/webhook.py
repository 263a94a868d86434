"""A notification as a signed HTTP request, in the way of Standard Webhooks.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (2026-11).
It keeps nothing and tries nothing again (`delivery.py`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from ops_center.errors import AddressRefused, ProviderError, ProviderTimeout, ProviderUnreachable

PREFIX = "whsec_"
_LEAST_BYTES = 24
_GONE = 410


def signing_key(secret: str) -> bytes:
    """The bytes that sign. Raises ValueError for what cannot be a secret."""
    if not secret.startswith(PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("must have base64 after whsec_") from None
    if len(key) < _LEAST_BYTES:
        raise ValueError(f"must have {_LEAST_BYTES} bytes or more")
    return key


def signed_headers(secret: str, message_id: str, at: datetime, body: bytes) -> list[tuple[str, str]]:
    """What a receiver verifies: the id stays the same over every attempt, the time is the attempt's."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(signing_key(secret), signed, hashlib.sha256).digest()).decode()
    return [
        ("content-type", "application/json"),
        ("webhook-id", message_id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", f"v1,{signature}"),
    ]


def refusal(status: int) -> tuple[str, bool] | None:
    """None when the receiver has taken it; else why not, and whether it never will."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"The webhook answered {status}: redirects are not followed.", False
    return f"The webhook answered {status}.", status == _GONE


def unreached(error: ProviderError) -> str:
    """One sentence on a call that came to no answer."""
    if isinstance(error, AddressRefused):
        return f"The webhook's address may not be called. {error.hint or ''}".strip()
    if isinstance(error, ProviderTimeout):
        return "The webhook did not answer in time."
    if isinstance(error, ProviderUnreachable):
        return "The webhook could not be reached."
    return "The webhook's answer cannot be read."
