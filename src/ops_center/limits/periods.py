"""The calendar of budgets: days, weeks from Monday and months, as a clock on the wall shows them. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ops_center.types import BudgetPeriod


def bounds(period: BudgetPeriod, at: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """Start and end, in UTC, of the period that holds the instant `at`; the end belongs to the next one.

    A day is 23 or 25 hours long where clocks change. Raises ZoneInfoNotFoundError for an unknown zone.
    """
    zone = _zone(time_zone)
    day = at.astimezone(zone).date()
    match period:
        case BudgetPeriod.DAY:
            first, after = day, day + timedelta(days=1)
        case BudgetPeriod.WEEK:
            first = day - timedelta(days=day.weekday())
            after = first + timedelta(days=7)
        case BudgetPeriod.MONTH:
            first = day.replace(day=1)
            after = (first + timedelta(days=32)).replace(day=1)
    return _midnight(first, zone), _midnight(after, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
