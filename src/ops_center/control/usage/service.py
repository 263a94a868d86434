"""Answers how much was used and what it cost, for everybody or for one user.

Adds up and arranges what `repository.py` found; it has no query of its own, and no figure that is not a sum
of rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.context import Control
from ops_center.control.usage import repository
from ops_center.control.usage.calendar import (
    bucket_start,
    buckets,
    date_of_epoch_day,
    length_of,
    midnight,
)
from ops_center.control.usage.conditions import EVERYTHING, Filters
from ops_center.control.usage.dimensions import Dimension
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
from ops_center.control.usage.sums import BASIC, Key, Sums, added_up, total
from ops_center.control.usage.windows import Step, Window
from ops_center.errors import Invalid
from ops_center.storage.rollups.sums import QUARTER, instant_of

_CARD_DAYS = 30
_MOST_HOURS = timedelta(days=7)


async def get_usage(control: Control, period: Period, bucket: Bucket) -> Usage:
    """Everybody's usage of a period up to now, with the cards of the last 30 days."""
    await control.drain_journal()
    now = control.clock()
    async with control.database.read() as conn:
        own = await _usage(conn, now, period, bucket, EVERYTHING)
        return Usage(**dict(own), cards=await _cards(conn, now))


async def get_own_usage(control: Control, period: Period, bucket: Bucket, filters: Filters) -> OwnUsage:
    """The usage of a period up to now of whom the filters leave. Raises Invalid."""
    await control.drain_journal()
    async with control.database.read() as conn:
        return await _usage(conn, control.clock(), period, bucket, filters)


async def _usage(
    conn: AsyncConnection, now: datetime, period: Period, bucket: Bucket, filters: Filters
) -> OwnUsage:
    zone = await repository.calendar_zone(conn)
    window = await window_of(conn, period, now, filters)
    check_bucket(window, bucket)
    found = await repository.sums(
        conn,
        window,
        by=Dimension.PROVIDER,
        step=step_of(bucket, window, zone),
        filters=filters,
        figures=BASIC,
    )
    earlier = window.before() if length_of(period) is not None else None
    previous = await repository.totals(conn, earlier, filters) if earlier is not None else None
    current = total(found)
    from_at = window.from_at or now
    series = Buckets(from_at, window.to_at, bucket, zone)
    return OwnUsage(
        period=period,
        bucket=bucket,
        time_zone=zone.key,
        from_at=from_at,
        to_at=window.to_at,
        totals=totals_of(current),
        previous=None if previous is None else totals_of(previous),
        trends=Trends(
            calls_pct=None if previous is None else change_pct(current.calls, previous.calls),
            cost_pct=None if previous is None else change_pct(current.cost_usd, previous.cost_usd),
        ),
        series=[
            SeriesPoint(
                start_at=start,
                calls=sums.calls,
                input_tokens=sums.input_tokens,
                output_tokens=sums.output_tokens,
                cost_usd=sums.cost_usd,
                estimated_cost_usd=sums.estimated_cost_usd,
                unknown_cost_calls=sums.unknown_cost_calls,
            )
            for start, sums in zip(series.starts, series.sums_of(found), strict=True)
        ],
        cost_by_provider=_shares(found),
        generated_at=now,
    )


async def window_of(
    conn: AsyncConnection, period: Period, now: datetime, filters: Filters = EVERYTHING
) -> Window:
    """The window of a period that ends now; all time starts with the first record."""
    window = Window.last(length_of(period), now)
    if window.from_at is not None:
        return window
    first = await repository.first_at(conn, filters)
    return Window(first or window.to_at - QUARTER, window.to_at, is_open=True)


def check_bucket(window: Window, bucket: Bucket) -> None:
    """Raises Invalid where a window would fall into more hours than anybody can read."""
    if bucket is Bucket.HOUR and (window.from_at is None or window.to_at - window.from_at > _MOST_HOURS):
        raise Invalid(
            "Hours are shown for seven days at most", param="bucket", hint="Choose days, or a shorter period."
        )


def step_of(bucket: Bucket, window: Window, zone: ZoneInfo) -> Step:
    """How finely time must be told apart to fill such buckets: hours begin with those of UTC in most zones."""
    if bucket is not Bucket.HOUR:
        return Step.DAY
    ends = (window.from_at or window.to_at, window.to_at)
    offsets = [at.astimezone(zone).utcoffset() or timedelta() for at in ends]
    return Step.QUARTER if any(offset % timedelta(hours=1) for offset in offsets) else Step.HOUR


class Buckets:
    """The buckets of a window, oldest first, none missing. The first and the last may be cut by it."""

    def __init__(self, from_at: datetime, to_at: datetime, bucket: Bucket, zone: ZoneInfo) -> None:
        self.from_at, self.to_at = from_at, to_at
        self.starts = buckets(from_at, to_at, bucket, zone)
        self._bucket, self._zone = bucket, zone
        self._places = {start: place for place, start in enumerate(self.starts)}
        self._place_of: dict[int, int] = {}

    @property
    def ends(self) -> list[tuple[datetime, datetime]]:
        """Where each begins and ends within the window."""
        starts = [self.from_at, *self.starts[1:]]
        return list(zip(starts, [*starts[1:], self.to_at], strict=True))

    def sums_of(self, found: Mapping[Key, Sums]) -> list[Sums]:
        """What each holds of sums that tell times apart."""
        of_bucket: list[list[Sums]] = [[] for _ in self.starts]
        for key, sums in found.items():
            assert key.slot is not None, "these sums do not tell times apart"
            place = self._place_of.get(key.slot)
            if place is None:
                place = self._place_of[key.slot] = self._places[self._start_of(key.slot)]
            of_bucket[place].append(sums)
        return [added_up(some) for some in of_bucket]

    def _start_of(self, slot: int) -> datetime:
        is_fine = self._bucket is Bucket.HOUR
        at = instant_of(slot) if is_fine else midnight(date_of_epoch_day(slot), self._zone)
        return bucket_start(at, self._bucket, self._zone)


async def _cards(conn: AsyncConnection, now: datetime) -> Cards:
    total_providers, active_models = await repository.configured(conn)
    ages = await repository.by_age_in_days(conn, Window.last(None, now), 2 * _CARD_DAYS)
    recent = ages[:_CARD_DAYS]
    current, previous = added_up(recent), added_up(ages[_CARD_DAYS:])
    return Cards(
        total_providers=total_providers,
        active_models=active_models,
        calls_30d=current.calls,
        calls_trend_pct=change_pct(current.calls, previous.calls),
        cost_30d_usd=current.cost_usd,
        estimated_cost_30d_usd=current.estimated_cost_usd,
        cost_trend_pct=change_pct(current.cost_usd, previous.cost_usd),
        unknown_cost_calls_30d=current.unknown_cost_calls,
        calls_series=[sums.calls for sums in reversed(recent)],
        cost_series=[sums.cost_usd for sums in reversed(recent)],
        computed_at=now,
    )


def change_pct(current: Decimal | int, previous: Decimal | int) -> float | None:
    """By how many per cent a figure has changed, to one decimal; None where it was nothing before."""
    return round(float((Decimal(current) - previous) / previous * 100), 1) if previous else None


def totals_of(sums: Sums) -> Totals:
    return Totals(
        calls=sums.calls,
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        cost_usd=sums.cost_usd,
        estimated_cost_usd=sums.estimated_cost_usd,
        estimated_share=sums.estimated_share,
        unknown_cost_calls=sums.unknown_cost_calls,
        failed_calls=sums.failed_calls,
    )


def _shares(found: Mapping[Key, Sums]) -> list[ProviderShare]:
    """By the provider's name then, the dearest first. Requests that reached no provider cost nothing."""
    of_name: dict[str, Sums] = defaultdict(Sums)
    for key, sums in found.items():
        if key.name is not None:
            of_name[key.name] += sums
    whole = sum((sums.cost_usd for sums in of_name.values()), Decimal(0))
    ordered = sorted(of_name.items(), key=lambda item: (-item[1].cost_usd, -item[1].calls, item[0]))
    return [
        ProviderShare(
            provider=name,
            cost_usd=sums.cost_usd,
            estimated_cost_usd=sums.estimated_cost_usd,
            share=float(sums.cost_usd / whole) if whole else 0.0,
            calls=sums.calls,
            unknown_cost_calls=sums.unknown_cost_calls,
        )
        for name, sums in ordered
    ]
