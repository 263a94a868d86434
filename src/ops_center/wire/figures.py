"""Reads the figures that providers report, whatever shape they are in; used by every format's usage.

Never raises: a provider's odd figure must not cost a user the answer. Knows no format.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

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


def usd(value: object) -> Decimal | None:
    """An amount in USD exactly as written; None for anything that is not a sensible one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return Decimal(value) if 0 <= value <= _MOST_USD else None
