"""Any metric by any dimension over any window: what `/admin/usage`, the home page and alerts ask.

Four questions to `repository.py` at most, whatever is asked: the values, the same of the window before, the
largest of them over time, and everything over time. A total and its points come from the same sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.context import Control
from ops_center.control.usage import repository
from ops_center.control.usage.conditions import Filters
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.filters import requests_of
from ops_center.control.usage.schemas import (
    Bucket,
    Explore,
    ExploreGroup,
    ExplorePoint,
    Metric,
    Period,
    Unit,
)
from ops_center.control.usage.service import (
    Buckets,
    change_pct,
    check_bucket,
    step_of,
    totals_of,
    window_of,
)
from ops_center.control.usage.sums import BASIC, NOTHING, Key, Sums, added_up, by_value, total
from ops_center.control.usage.windows import Window
from ops_center.errors import Invalid

Value = Decimal | float | int | None


@dataclass(frozen=True, slots=True)
class Measure:
    """How a metric is read from sums. `adds`: parts of it add up to the whole. `guess`: how much of a sum of money is
    estimated."""

    unit: Unit
    of: Callable[[Sums], Value]
    adds: bool = True
    histograms: tuple[str, ...] = ()  # that it is read from
    needs: tuple[str, ...] = ()  # figures beside those of every group
    guess: Callable[[Sums], Decimal] | None = None


_OF_GROUPS = (  # what is said of each
    "calls",
    "provider_cost_usd",
    "computed_cost_usd",
    "estimated_cost_usd",
    "unknown_cost_calls",
)
_TOKENS = ("input_tokens", "output_tokens")
_LATENCIES, _FIRST_CHUNKS = ("latencies",), ("first_chunks",)

MEASURES: Mapping[Metric, Measure] = {
    Metric.COST: Measure(Unit.USD, lambda sums: sums.cost_usd, guess=lambda sums: sums.estimated_cost_usd),
    Metric.CALLS: Measure(Unit.CALLS, lambda sums: sums.calls),
    Metric.ERRORS: Measure(Unit.CALLS, lambda sums: sums.failed_calls, needs=("failed_calls",)),
    Metric.ERROR_RATE: Measure(
        Unit.SHARE, lambda sums: sums.failed_share, adds=False, needs=("failed_calls",)
    ),
    Metric.TOKENS: Measure(Unit.TOKENS, lambda sums: sums.input_tokens + sums.output_tokens, needs=_TOKENS),
    Metric.INPUT_TOKENS: Measure(Unit.TOKENS, lambda sums: sums.input_tokens, needs=_TOKENS),
    Metric.OUTPUT_TOKENS: Measure(Unit.TOKENS, lambda sums: sums.output_tokens, needs=_TOKENS),
    Metric.LATENCY_P50: Measure(Unit.SECONDS, lambda sums: sums.latency_seconds(0.5), False, _LATENCIES),
    Metric.LATENCY_P95: Measure(Unit.SECONDS, lambda sums: sums.latency_seconds(0.95), False, _LATENCIES),
    Metric.FIRST_CHUNK_P50: Measure(
        Unit.SECONDS, lambda sums: sums.first_chunk_seconds(0.5), False, _FIRST_CHUNKS
    ),
    Metric.FIRST_CHUNK_P95: Measure(
        Unit.SECONDS, lambda sums: sums.first_chunk_seconds(0.95), False, _FIRST_CHUNKS
    ),
    Metric.TOKENS_PER_SECOND: Measure(
        Unit.TOKENS_PER_SECOND,
        lambda sums: sums.tokens_per_second,
        adds=False,
        needs=("answer_tokens", "answer_microseconds"),
    ),
    Metric.CACHE_HITS: Measure(
        Unit.SHARE, lambda sums: sums.cache_hit_share, adds=False, needs=("cache_read_tokens", "input_tokens")
    ),
    Metric.SAVINGS: Measure(
        Unit.USD,
        lambda sums: sums.saved_usd,
        needs=("saved_usd", "estimated_own_cost_usd"),
        guess=lambda sums: sums.estimated_own_cost_usd,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked. Without `from_at` the window is `period`, up to now."""

    metric: Metric
    group: Dimension | None
    period: Period
    from_at: datetime | None
    to_at: datetime | None
    bucket: Bucket
    filters: Filters
    top: int


async def explore(control: Control, asked: Question) -> Explore:
    """Raises Invalid for a window or a bucket that cannot be."""
    await control.drain_journal()
    now, by, filters = control.clock(), asked.group, asked.filters
    measure = MEASURES[asked.metric]
    async with control.database.read() as conn:
        zone = await repository.calendar_zone(conn)
        window = _window(asked, now) or await window_of(conn, asked.period, now, filters)
        check_bucket(window, asked.bucket)
        await _check_kept(conn, window, asked)
        is_all = asked.from_at is None and asked.period is Period.ALL
        earlier = None if is_all else window.before()
        if earlier is not None and not await repository.is_kept(conn, earlier):
            earlier = None
        step, histograms = step_of(asked.bucket, window, zone), measure.histograms
        figures = (*_OF_GROUPS, *measure.needs)

        over_time = await repository.sums(
            conn,
            window,
            step=step,
            filters=filters,
            figures=tuple(dict.fromkeys((*BASIC, *measure.needs))),
            histograms=histograms,
        )
        values: dict[str | None, Sums] = {}
        names: dict[str | None, str | None] = {}
        tops: dict[Key, Sums] = {}
        previous: dict[str | None, Sums] = {}
        if by is not None:
            found = await repository.sums(conn, window, by=by, filters=filters, figures=figures)
            values, names = by_value(found), _names(found)
        shown = _largest(values, measure, asked.top)
        if by is not None and shown:
            # histograms are merged here, row by row: only of what is shown
            tops = await repository.sums(
                conn,
                window,
                by=by,
                step=step,
                filters=filters,
                only=shown,
                figures=figures,
                histograms=histograms,
            )
            values |= {value: sums for value, sums in by_value(tops).items() if value in shown}
            if earlier is not None:
                previous = by_value(
                    await repository.sums(
                        conn,
                        earlier,
                        by=by,
                        filters=filters,
                        only=shown,
                        figures=figures,
                        histograms=histograms,
                    )
                )
        before = (
            total(
                await repository.sums(conn, earlier, filters=filters, figures=figures, histograms=histograms)
            )
            if earlier is not None
            else None
        )
    whole = total(over_time)
    assert window.from_at is not None, "all time starts with its first record"
    buckets = Buckets(window.from_at, window.to_at, asked.bucket, zone)
    drawing = _Drawing(measure, buckets, filters, whole)
    lines: dict[str | None, dict[Key, Sums]] = {value: {} for value in shown}
    for key, sums in tops.items():
        if key.value in lines:
            lines[key.value][key] = sums
    groups = [
        drawing.group(
            by,
            value,
            names.get(value),
            values[value],
            None if earlier is None else previous.get(value, NOTHING),
            lines[value],
        )
        for value in shown
        if by is not None
    ]
    amount = measure.of(whole)
    was = None if before is None else measure.of(before)
    return Explore(
        metric=asked.metric,
        unit=measure.unit,
        group=by,
        bucket=asked.bucket,
        time_zone=zone.key,
        from_at=window.from_at,
        to_at=window.to_at,
        previous_from_at=None if earlier is None else earlier.from_at,
        totals=totals_of(whole),
        total=_number(amount),
        previous=_number(was),
        change_pct=_change(amount, was),
        requests=drawing.requests(None, None),
        points=drawing.points(over_time),
        groups=groups,
        groups_total=len(values),
        other=drawing.other(values, shown, by, over_time, tops) if measure.adds else None,
        generated_at=now,
    )


def _window(asked: Question, now: datetime) -> Window | None:
    """The window that was asked for by its ends, which must be those of quarter-hours; None without any."""
    if asked.from_at is None and asked.to_at is None:
        return None
    if asked.from_at is None:
        raise Invalid("A window with an end needs a start", param="from_at")
    running = Window.last(None, now).to_at
    ends = {"from_at": asked.from_at.astimezone(UTC), "to_at": (asked.to_at or running).astimezone(UTC)}
    for name, at in ends.items():
        if at.minute % 15 or at.second or at.microsecond:
            raise Invalid("A window begins and ends with a quarter-hour", param=name)
    if ends["from_at"] >= ends["to_at"]:
        raise Invalid("A window must end after it begins", param="to_at")
    return Window(ends["from_at"], ends["to_at"], is_open=ends["to_at"] >= running)


async def _check_kept(conn: AsyncConnection, window: Window, asked: Question) -> None:
    """Raises Invalid where sums are not kept as finely as they are asked for."""
    if asked.bucket is Bucket.HOUR and not await repository.is_kept(conn, window, finely=True):
        raise Invalid(
            "Hours of so long ago are no longer kept",
            param="bucket",
            hint="Choose days; Settings say how long sums by quarter-hour are kept.",
        )
    if not await repository.is_kept(conn, window):
        raise Invalid(
            "Of so long ago whole days are kept, so the window must begin and end with one",
            param="from_at",
            hint="Days begin at midnight in the organisation's time zone.",
        )


def _names(found: Mapping[Key, Sums]) -> dict[str | None, str | None]:
    """What each value was called last."""
    newest: dict[str | None, tuple[datetime | None, str | None]] = {}
    for key, sums in found.items():
        known = newest.get(key.value)
        if known is None or (sums.last_at is not None and (known[0] is None or sums.last_at > known[0])):
            newest[key.value] = (sums.last_at, key.name)
    return {value: name for value, (_, name) in newest.items()}


def _largest(values: Mapping[str | None, Sums], measure: Measure, top: int) -> list[str | None]:
    """The values to show, the largest first: by the metric, or by calls where it is no sum."""

    def size(value: str | None) -> tuple[Decimal, int, str]:
        sums = values[value]
        amount = measure.of(sums) if measure.adds else sums.calls
        return -Decimal(amount or 0), -sums.calls, value or ""

    return sorted(values, key=size)[:top]


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Sums as the lines of one chart."""

    measure: Measure
    buckets: Buckets
    filters: Filters
    whole: Sums

    def group(
        self,
        by: Dimension,
        value: str | None,
        name: str | None,
        sums: Sums,
        before: Sums | None,
        over_time: Mapping[Key, Sums],
    ) -> ExploreGroup:
        total, was = self.measure.of(sums), None if before is None else self.measure.of(before)
        return ExploreGroup(
            value=value,
            name=name,
            total=_number(total),
            previous=_number(was),
            change_pct=_change(total, was),
            share=self._share(total),
            calls=sums.calls,
            cost_usd=sums.cost_usd,
            estimated_share=sums.estimated_share,
            unknown_cost_calls=sums.unknown_cost_calls,
            requests=self.requests(by, value),
            points=self.points(over_time),
        )

    def other(
        self,
        values: Mapping[str | None, Sums],
        shown: Sequence[str | None],
        by: Dimension | None,
        over_time: Mapping[Key, Sums],
        tops: Mapping[Key, Sums],
    ) -> ExploreGroup | None:
        """What is not shown by itself; None when everything is. Its requests are those of no one filter."""
        rest = [sums for value, sums in values.items() if value not in shown]
        if not rest or by is Dimension.TAG:
            return None  # tags overlap: what is left over is no sum
        sums = added_up(rest)
        total = self.measure.of(sums)
        return ExploreGroup(
            value=None,
            name=None,
            total=_number(total),
            previous=None,
            change_pct=None,
            share=self._share(total),
            calls=sums.calls,
            cost_usd=sums.cost_usd,
            estimated_share=sums.estimated_share,
            unknown_cost_calls=sums.unknown_cost_calls,
            requests=self.requests(None, None),
            points=self.points(over_time, without=tops),
        )

    def _share(self, total: Value) -> float | None:
        whole = self.measure.of(self.whole)
        if not self.measure.adds or not whole:
            return None
        return float(Decimal(total or 0) / Decimal(whole))

    def points(
        self, over_time: Mapping[Key, Sums], *, without: Mapping[Key, Sums] | None = None
    ) -> list[ExplorePoint]:
        values = self._values(over_time)
        if without is not None:
            values = [
                (Decimal(whole or 0) - Decimal(part or 0), guess - part_guess)
                for (whole, guess), (part, part_guess) in zip(values, self._values(without), strict=True)
            ]
        return [
            # without a check of each: there are up to 168 in each of fifty lines
            ExplorePoint.model_construct(
                start_at=start,
                end_at=end,
                value=_number(value),
                estimated_share=float(guess / Decimal(value)) if value and self.measure.guess else None,
            )
            for (start, end), (value, guess) in zip(self.buckets.ends, values, strict=True)
        ]

    def _values(self, over_time: Mapping[Key, Sums]) -> list[tuple[Value, Decimal]]:
        """Of each bucket the value, and how much of it is estimated where it is money."""
        guess = self.measure.guess or (lambda _: Decimal(0))
        return [(self.measure.of(sums), guess(sums)) for sums in self.buckets.sums_of(over_time)]

    def requests(self, by: Dimension | None, value: str | None) -> str:
        return requests_of(self.buckets.from_at, self.buckets.to_at, self.filters, by, value)


def _number(value: Value) -> float | None:
    return None if value is None else float(value)


def _change(now: Value, before: Value) -> float | None:
    return None if now is None or before is None else change_pct(Decimal(now), Decimal(before))
