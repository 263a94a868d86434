"""Answers how much was used and what it cost, for everybody or for one user.

Adds up and arranges what `repository.py` found; it has no query of its own, and no figure that is not a sum
of rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.context import Control
from ops_center.control.usage import repository
from ops_center.control.usage.calendar import (
    buckets,
    date_of_epoch_day,
    length_of,
    midnight,
    start_of,
)
from ops_center.control.usage.repository import NOTHING, DailySums, Sums, Window
from ops_center.control.usage.schemas import (
    Bucket,
    Cards,
    OwnUsage,
    Period,
    ProviderShare,
    SeriesPoint,
    Totals,
    Trends,
    Usage,
)

_CARD_DAYS = 30


async def get_usage(control: Control, period: Period, bucket: Bucket) -> Usage:
    """Everybody's usage of a period up to now, with the cards of the last 30 days."""
    own = await get_own_usage(control, period, bucket, user_id=None)
    return Usage(**dict(own), cards=await _cards(control, own.generated_at))


async def get_own_usage(control: Control, period: Period, bucket: Bucket, user_id: str | None) -> OwnUsage:
    """The usage of one user (None: of everybody) in a period up to now."""
    await control.drain_journal()
    now = control.clock()
    async with control.database.read() as conn:
        window = await window_of(conn, period, now, user_id)
        days = await repository.by_day_and_provider(conn, window)
        earlier = window.before() if length_of(period) is not None else None
        previous = await repository.totals(conn, earlier) if earlier is not None else None
    current = _total(day.sums for day in days)
    from_at = window.from_at or now
    return OwnUsage(
        period=period,
        bucket=bucket,
        from_at=from_at,
        to_at=now,
        totals=_totals(current),
        previous=None if previous is None else _totals(previous),
        trends=Trends(
            calls_pct=None if previous is None else change_pct(current.calls, previous.calls),
            cost_pct=None if previous is None else change_pct(current.cost_usd, previous.cost_usd),
        ),
        series=_series(days, from_at, now, bucket),
        cost_by_provider=_shares(days),
        generated_at=now,
    )


async def window_of(
    conn: AsyncConnection, period: Period, now: datetime, user_id: str | None = None
) -> Window:
    """The window of a period that ends now; all time starts just before the first record."""
    length = length_of(period)
    if length is not None:
        return Window.last(length, now, user_id=user_id)
    first = await repository.first_record_at(conn, user_id)
    return Window(min(first, now) - repository.TICK if first else now, now, user_id)


async def _cards(control: Control, now: datetime) -> Cards:
    async with control.database.read() as conn:
        total_providers, active_models = await repository.configured(conn)
        ages = await repository.by_age_in_days(conn, now, 2 * _CARD_DAYS)
    recent = ages[:_CARD_DAYS]
    current, previous = _total(recent), _total(ages[_CARD_DAYS:])
    return Cards(
        total_providers=total_providers,
        active_models=active_models,
        calls_30d=current.calls,
        calls_trend_pct=change_pct(current.calls, previous.calls),
        cost_30d_usd=current.cost_usd,
        cost_trend_pct=change_pct(current.cost_usd, previous.cost_usd),
        unknown_cost_calls_30d=current.unknown_cost_calls,
        calls_series=[sums.calls for sums in reversed(recent)],
        cost_series=[sums.cost_usd for sums in reversed(recent)],
        computed_at=now,
    )


def change_pct(current: Decimal | int, previous: Decimal | int) -> float | None:
    """By how many per cent a figure has changed, to one decimal; None where it was nothing before."""
    return round(float((Decimal(current) - previous) / previous * 100), 1) if previous else None


def _total(parts: Iterable[Sums]) -> Sums:
    return sum(parts, NOTHING)


def _totals(sums: Sums) -> Totals:
    return Totals(
        calls=sums.calls,
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        cost_usd=sums.cost_usd,
        estimated_cost_usd=sums.estimated_cost_usd,
        unknown_cost_calls=sums.unknown_cost_calls,
        failed_calls=sums.failed_calls,
    )


def _series(
    days: Sequence[DailySums], from_at: datetime, to_at: datetime, bucket: Bucket
) -> list[SeriesPoint]:
    """One point per bucket, oldest first, none missing. The first and the last may be cut by the period."""
    of_bucket: dict[date, Sums] = defaultdict(Sums)
    for day in days:
        of_bucket[start_of(date_of_epoch_day(day.epoch_day), bucket)] += day.sums
    return [
        SeriesPoint(
            start_at=midnight(start),
            calls=sums.calls,
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
            cost_usd=sums.cost_usd,
            unknown_cost_calls=sums.unknown_cost_calls,
        )
        for start in buckets(from_at, to_at, bucket)
        for sums in (of_bucket.get(start, NOTHING),)
    ]


def _shares(days: Sequence[DailySums]) -> list[ProviderShare]:
    """By the provider's name then, the dearest first. Requests that reached no provider cost nothing."""
    of_name: dict[str, Sums] = defaultdict(Sums)
    for day in days:
        if day.provider_name is not None:
            of_name[day.provider_name] += day.sums
    whole = sum((sums.cost_usd for sums in of_name.values()), Decimal(0))
    ordered = sorted(of_name.items(), key=lambda item: (-item[1].cost_usd, -item[1].calls, item[0]))
    return [
        ProviderShare(
            provider=name,
            cost_usd=sums.cost_usd,
            share=float(sums.cost_usd / whole) if whole else 0.0,
            calls=sums.calls,
            unknown_cost_calls=sums.unknown_cost_calls,
        )
        for name, sums in ordered
    ]
