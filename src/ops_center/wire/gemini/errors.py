"""Reads Google's errors: the code that says most, and how long to wait; never raises.

Reference: https://cloud.google.com/apis/design/errors (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.wire import provider_errors
from ops_center.wire.chat import ProviderErrorFacts

_decoder = msgspec.json.Decoder()


def read_provider_error(status: int, body: bytes) -> ProviderErrorFacts:
    """`code` is the reason of the error's ErrorInfo ("API_KEY_INVALID"), else its status word
    ("RESOURCE_EXHAUSTED"), which is also its `type`."""
    facts = provider_errors.read_provider_error(status, body)
    if facts == ProviderErrorFacts():
        return facts
    error = _error(_decoder.decode(body))
    word = error.get("status")
    reason = retry = None
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            reason = reason or detail.get("reason")
            retry = retry or detail.get("retryDelay")
    return ProviderErrorFacts(
        code=next((code[:200] for code in (reason, word) if isinstance(code, str) and code), facts.code),
        type=word[:200] if isinstance(word, str) else facts.type,
        message=facts.message,
        retry_after_seconds=_seconds(retry),
    )


def _error(value: Any) -> dict[str, Any]:
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}


def _seconds(delay: object) -> float | None:
    """A duration as protobuf writes it in JSON: "34.074824224s"."""
    if not isinstance(delay, str) or not delay.endswith("s"):
        return None
    try:
        seconds = float(delay[:-1])
    except ValueError:
        return None
    return min(seconds, 86400.0) if seconds >= 0 else None
