"""What a month will cost, from what its days cost so far: the mean of like weekdays, with a band that was measured.

No growth is assumed: a month that grows ends high in the band, since the band comes from how far the same method
was off before. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

DAYS_NEEDED = 7  # one of each weekday
DAYS_USED = 28
_WEEKS = DAYS_USED // 7
_LEAST_COMPARED = 8
_MOST_COMPARED = 60
_LOW, _HIGH = 0.1, 0.9
_DAY = timedelta(days=1)
_NOTHING = Decimal(0)

DAYS_READ = _MOST_COMPARED + DAYS_USED + 31  # of history, for the longest month


@dataclass(frozen=True, slots=True)
class Forecast:
    """None where there are too few days to say."""

    expected_usd: Decimal | None = None
    low_usd: Decimal | None = None
    high_usd: Decimal | None = None
    compared: int = 0


def same_weekdays(day: date, known_until: date) -> list[date]:
    """The last four days of the weekday of `day` that were over when `known_until` began, the newest first."""
    newest = known_until - timedelta(days=(known_until.weekday() - day.weekday()) % 7 or 7)
    return [newest - timedelta(weeks=week) for week in range(_WEEKS)]


def usual(history: Mapping[date, Decimal], day: date, known_until: date) -> Decimal:
    """What days like `day` cost on average, by what was known when `known_until` began."""
    known = [history[one] for one in same_weekdays(day, known_until) if one in history]
    return sum(known, _NOTHING) / len(known) if known else _NOTHING


def forecast(
    history: Mapping[date, Decimal], today: date, rest_of_today: Decimal, month_end: date, spent: Decimal
) -> Forecast:
    """`history`: every whole day from the first one to yesterday. `spent`: in this month until now.
    `rest_of_today`: what is left of days like today at this time. `month_end`: the first day of the next month."""
    if len(history) < DAYS_NEEDED:
        return Forecast()
    days_left = (month_end - today).days
    ahead = rest_of_today + sum(
        (usual(history, today + number * _DAY, today) for number in range(1, days_left)), _NOTHING
    )
    missed = _missed_by(history, days_left)
    if len(missed) < _LEAST_COMPARED:
        return Forecast(spent + ahead, compared=len(missed))
    low, high = _percentile(missed, _LOW), _percentile(missed, _HIGH)
    return Forecast(
        spent + ahead,
        spent + ahead * min(low, Decimal(1)),
        spent + ahead * max(high, Decimal(1)),
        len(missed),
    )


def _missed_by(history: Mapping[date, Decimal], days: int) -> list[Decimal]:
    """What so many days cost, over what this method would have said on their eve; of the newest such spans."""
    first, last = min(history), max(history)
    start = max(first + DAYS_NEEDED * _DAY, last - (days + _MOST_COMPARED - 2) * _DAY)
    found = []
    while start + (days - 1) * _DAY <= last:
        span = [start + number * _DAY for number in range(days)]
        said = sum((usual(history, day, start) for day in span), _NOTHING)
        if said:
            found.append(sum((history[day] for day in span), _NOTHING) / said)
        start += _DAY
    return found


def _percentile(values: list[Decimal], share: float) -> Decimal:
    ordered = sorted(values)
    return ordered[round(share * (len(ordered) - 1))]
