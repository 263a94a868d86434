"""Reads the figures that providers report, whatever shape they are in; used by every format's usage.

Never raises: a provider's odd figure must not cost a user the answer. Knows no format.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from ops_center.types import Extras, Usage

_MOST_TOKENS = 10**12  # beyond this a figure is an error of the provider, not a count
_MOST_USD = Decimal(10**6)
# Money stays exactly as it was written: no float in between.
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def read_object(raw: msgspec.Raw | bytes | None) -> dict[str, Any] | None:
    """A JSON object with its numbers exact; None for everything else."""
    if raw is None:
        return None
    try:
        value = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        return None
    return value if isinstance(value, dict) else None


def tokens(value: object) -> int:
    """A token count; 0 for anything that is not a sensible number."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value) > _MOST_TOKENS:
            return 0
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= _MOST_TOKENS else 0


def seconds(value: object) -> int:
    """A length of time to the nearest second; 0 for anything that is not a sensible number."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value) <= _MOST_TOKENS:
        value = int(value.to_integral_value(ROUND_HALF_UP))
    return tokens(value)


# How providers call the tier that their price lists mean.
_USUAL_TIERS = frozenset({"", "default", "standard", "auto", "on_demand", "unspecified"})


def at_tier(usage: Usage | None, tier: object) -> Usage | None:
    """`usage` with the tier that the provider says it was served at, where that is not the usual one."""
    if usage is None or not isinstance(tier, str) or tier.lower() in _USUAL_TIERS:
        return usage
    extras = msgspec.structs.replace(usage.extras or Extras(), service_tier=tier.lower()[:40])
    return msgspec.structs.replace(usage, extras=extras)


def extras(
    *,
    input_audio: int = 0,
    output_audio: int = 0,
    input_image: int = 0,
    audio_seconds: int = 0,
    web_searches: int = 0,
    tool_calls: dict[str, int] | None = None,
) -> Extras | None:
    """None where there is nothing of the kind."""
    if not (input_audio or output_audio or input_image or audio_seconds or web_searches or tool_calls):
        return None
    return Extras(
        input_audio_tokens=input_audio,
        output_audio_tokens=output_audio,
        input_image_tokens=input_image,
        input_audio_seconds=audio_seconds,
        web_searches=web_searches,
        tool_calls=tool_calls or {},
    )


def with_tools(usage: Usage, *, web_searches: int = 0, tool_calls: dict[str, int]) -> Usage:
    """`usage` with what the provider's own tools did, where they did anything."""
    if not web_searches and not tool_calls:
        return usage
    found = usage.extras or Extras()
    found = msgspec.structs.replace(found, web_searches=web_searches, tool_calls=tool_calls)
    return msgspec.structs.replace(usage, extras=found)


def usd(value: object) -> Decimal | None:
    """An amount in USD exactly as written; None for anything that is not a sensible one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return Decimal(value) if 0 <= value <= _MOST_USD else None
