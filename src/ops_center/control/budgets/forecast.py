"""What a budget will come to at the pace of its period so far. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

_TOO_YOUNG = 0.04  # of a period: about one hour of a day, seven of a week, a good day of a month


@dataclass(frozen=True, slots=True)
class Forecast:
    projected_usd: Decimal | None  # None: the period is too young to tell
    runs_out_at: datetime | None  # None: not in this period


def forecast(
    spent_usd: Decimal, amount_usd: Decimal, start: datetime, end: datetime, now: datetime
) -> Forecast:
    """Straight on from here: every hour to come costs what an hour cost so far on average."""
    gone = (now - start) / (end - start)
    if gone < _TOO_YOUNG or spent_usd <= 0:
        return Forecast(Decimal(0) if spent_usd <= 0 and gone >= _TOO_YOUNG else None, None)
    projected = spent_usd / Decimal(repr(min(gone, 1.0)))
    if spent_usd >= amount_usd or projected <= amount_usd:
        return Forecast(projected, None)
    seconds = (now - start).total_seconds() * float(amount_usd / spent_usd)
    return Forecast(projected, start + timedelta(seconds=seconds))
