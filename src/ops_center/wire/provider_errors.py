"""Reads what a provider's error says, in any of the shapes that providers use; never raises.

The shapes: OpenAI `{"error": {code, type, message}}`, Anthropic `{"type": "error", "error": {...}}`,
OpenRouter with a number as code, FastAPI `{"detail": ...}`, old vLLM `{"object": "error", "message": ...}`,
a bare string. Classifies nothing.
"""

from __future__ import annotations

import msgspec

from ops_center.wire.chat import ProviderErrorFacts

_MOST_TEXT = 2000  # characters of foreign text that are kept
_MOST_BYTES = 256 * 1024
_decoder = msgspec.json.Decoder()


def read_provider_error(status: int, body: bytes) -> ProviderErrorFacts:
    """Code, type and message of an error body; all None for what holds none (HTML, half a JSON)."""
    if len(body) > _MOST_BYTES:
        return ProviderErrorFacts()
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ProviderErrorFacts()
    if isinstance(value, list) and value:  # Google answers with a list of one
        value = value[0]
    return error_facts(value)


def error_facts(value: object) -> ProviderErrorFacts:
    """The same for a value already decoded."""
    if isinstance(value, str):
        return ProviderErrorFacts(message=value[:_MOST_TEXT])
    if not isinstance(value, dict):
        return ProviderErrorFacts()
    inner = value.get("error", value.get("detail", value))
    if isinstance(inner, str):
        return ProviderErrorFacts(
            code=_word(value.get("code")), type=_error_type(value.get("type")), message=inner[:_MOST_TEXT]
        )
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):  # FastAPI's list of field errors
        inner = {"message": inner[0].get("msg"), "type": inner[0].get("type")}
    if not isinstance(inner, dict):
        inner = value
    message = inner.get("message", inner.get("msg"))
    return ProviderErrorFacts(
        code=_word(inner.get("code")),
        type=_error_type(inner.get("type", inner.get("status"))),
        message=message[:_MOST_TEXT] if isinstance(message, str) else None,
    )


# A credential that is refused by another status than 401, 402 or 403 (Google: 400).
_REFUSED_KEY = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})


def refuses_credential(status: int, facts: ProviderErrorFacts) -> bool:
    """Whether an error answer is about who asks, not about what was asked."""
    return status in (401, 402, 403) or (status == 400 and facts.code in _REFUSED_KEY)


def carries_error(value: object) -> bool:
    """Whether a decoded 200 body is an error instead of an answer."""
    if not isinstance(value, dict):
        return False
    return bool(value.get("error")) or value.get("type") == "error" or value.get("object") == "error"


def _word(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)[:200] or None


def _error_type(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value != "error" else None
