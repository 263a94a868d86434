"""Answers what somebody asks who opens the console: is anything broken, what does it cost, what changed.

Every figure is a sum of `usage/repository.py`, over windows of the organisation's calendar.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import TypedDict
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.context import Control
from ops_center.control.home import forecast, troubles
from ops_center.control.home.changes import DIMENSIONS, FIGURES, Pair, changes, paired
from ops_center.control.home.schemas import Changes, Cost, DayCost, Home, MonthForecast, Span, Spend
from ops_center.control.usage import repository
from ops_center.control.usage.calendar import (
    DAY,
    date_of_epoch_day,
    length_of,
    midnight,
    next_start,
    start_of,
)
from ops_center.control.usage.conditions import EVERYTHING
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.filters import requests_of
from ops_center.control.usage.schemas import Bucket, Period
from ops_center.control.usage.service import totals_of
from ops_center.control.usage.sums import BASIC, NOTHING, Sums, by_value, total
from ops_center.control.usage.windows import Step, Window

_DAYS_SHOWN = 30


async def get_home(control: Control, actor: Actor, span: Span) -> Home:
    await control.drain_journal()
    now = control.clock()
    state, figures = await asyncio.gather(troubles.look(control, actor), _figures(control, now, span))
    return Home(state=state, generated_at=now, **figures)


class _Figures(TypedDict):
    time_zone: str
    first_at: datetime | None
    cost: Cost
    changed: Changes


async def _figures(control: Control, now: datetime, span: Span) -> _Figures:
    async with control.database.read() as conn:
        zone = await repository.calendar_zone(conn)
        first_at = await repository.first_at(conn)
        return {
            "time_zone": zone.key,
            "first_at": first_at,
            "cost": await _cost(conn, now, zone, first_at),
            "changed": await _changes(conn, now, span, first_at),
        }


async def _cost(conn: AsyncConnection, now: datetime, zone: ZoneInfo, first_at: datetime | None) -> Cost:
    today = now.astimezone(zone).date()
    month = start_of(today, Bucket.MONTH)
    month_end = next_start(month, Bucket.MONTH)
    first_shown = min(month, today - (_DAYS_SHOWN - 1) * DAY)
    first_read = min(first_shown, today - forecast.DAYS_READ * DAY)
    read = await repository.sums(
        conn,
        Window.since(midnight(first_read, zone), now),
        step=Step.DAY,
        figures=(*BASIC, "estimated_cost_calls"),
    )
    of_day = {date_of_epoch_day(key.slot): sums for key, sums in read.items() if key.slot is not None}
    end = Window.last(None, now).to_at
    days_of_month = [month + number * DAY for number in range((today - month).days + 1)]
    spent = sum((of_day[day] for day in days_of_month if day in of_day), Sums())
    # the first day of all began before the first request, so it is not a whole one
    whole_from = first_read if first_at is None else max(first_read, first_at.astimezone(zone).date() + DAY)
    history = {
        day: _cost_of(of_day.get(day))
        for day in (whole_from + number * DAY for number in range((today - whole_from).days))
        if first_at is not None
    }
    elapsed = end - midnight(today, zone)
    rest_of_days = [  # what was left of such days at this time of them; nothing, where a clock went forward
        Window(min(midnight(day, zone) + elapsed, midnight(day + DAY, zone)), midnight(day + DAY, zone))
        for day in forecast.same_weekdays(today, today)
        if day in history
    ]
    read_of_rest = await repository.sums_of_each(conn, rest_of_days, figures=BASIC)
    rest = [total(found).cost_usd for found in read_of_rest]
    ahead = forecast.forecast(
        history,
        today,
        sum(rest, Decimal(0)) / len(rest) if rest else Decimal(0),
        month_end,
        spent.cost_usd,
    )
    return Cost(
        today=_spend(of_day.get(today, Sums()), midnight(today, zone), end),
        month=_spend(spent, midnight(month, zone), end),
        forecast=MonthForecast(
            expected_usd=ahead.expected_usd,
            low_usd=ahead.low_usd,
            high_usd=ahead.high_usd,
            days_used=min(len(history), forecast.DAYS_USED),
            days_needed=forecast.DAYS_NEEDED,
            days_left=(month_end - today).days,
            compared=ahead.compared,
            month_end_at=midnight(month_end, zone),
        ),
        days=[
            _day_cost(midnight(day, zone), of_day.get(day, NOTHING))
            for day in (today - number * DAY for number in reversed(range(_DAYS_SHOWN)))
        ],
    )


def _cost_of(sums: Sums | None) -> Decimal:
    return Decimal(0) if sums is None else sums.cost_usd


def _day_cost(start_at: datetime, sums: Sums) -> DayCost:
    return DayCost(start_at=start_at, cost_usd=sums.cost_usd, estimated_share=sums.estimated_share)


def _spend(sums: Sums, from_at: datetime, to_at: datetime) -> Spend:
    return Spend(**dict(totals_of(sums)), from_at=from_at, to_at=to_at, requests=requests_of(from_at, to_at))


async def _changes(conn: AsyncConnection, now: datetime, span: Span, first_at: datetime | None) -> Changes:
    length = length_of(Period(span.value))
    window = Window.last(length, now)
    earlier = window.before()
    assert window.from_at is not None and earlier is not None and earlier.from_at is not None
    from_at, to_at = window.from_at, window.to_at
    by: dict[Dimension, dict[str | None, Pair]] = {}
    names: dict[tuple[Dimension, str | None], str | None] = {}
    for dimension in DIMENSIONS:
        both = await repository.sums_of_each(conn, [earlier, window], by=dimension, figures=FIGURES)
        before, found = both
        by[dimension] = paired(by_value(found), by_value(before))
        names |= {(dimension, key.value): key.name for key in (*before, *found)}
    # by model each record counts once, so these are everything
    pairs = by[Dimension.MODEL].values()
    whole = (sum((pair[0] for pair in pairs), Sums()), sum((pair[1] for pair in pairs), Sums()))
    return Changes(
        span=span,
        from_at=from_at,
        to_at=to_at,
        previous_from_at=earlier.from_at,
        has_baseline=first_at is not None and first_at < from_at,
        unknown_cost_calls=whole[0].unknown_cost_calls,
        changes=changes(
            whole, by, names, lambda by, value: requests_of(from_at, to_at, EVERYTHING, by, value)
        ),
    )
