"""Usage as JSON. Costs are sums of known costs; how many calls are missing from them stands beside."""

from __future__ import annotations

from enum import StrEnum

from ops_center.control.fields import Instant, ResponseModel, Usd


class Period(StrEnum):
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    ALL = "all"


class Bucket(StrEnum):
    """Hours, days, ISO weeks (from Monday) and months on the organisation's calendar."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class ExportFormat(StrEnum):
    CSV = "csv"
    JSON = "json"


class Totals(ResponseModel):
    """`cost_usd` holds estimated costs too; `estimated_cost_usd` says how much of it that is."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Usd
    estimated_cost_usd: Usd
    estimated_share: float
    """Of the known cost, 0 to 1."""
    unknown_cost_calls: int
    failed_calls: int


class Trends(ResponseModel):
    """Against the period of equal length before; null where that one is empty."""

    calls_pct: float | None
    cost_pct: float | None


class SeriesPoint(ResponseModel):
    start_at: Instant
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Usd
    estimated_cost_usd: Usd
    unknown_cost_calls: int


class ProviderShare(ResponseModel):
    provider: str
    cost_usd: Usd
    estimated_cost_usd: Usd
    share: float
    """Of the known costs of the period, 0 to 1."""
    calls: int
    unknown_cost_calls: int


class Cards(ResponseModel):
    """The four figures on top of the page; trends compare the last 30 days with the 30 before."""

    total_providers: int
    active_models: int
    calls_30d: int
    calls_trend_pct: float | None
    cost_30d_usd: Usd
    estimated_cost_30d_usd: Usd
    cost_trend_pct: float | None
    unknown_cost_calls_30d: int
    calls_series: list[int]
    """One figure per day, oldest first, thirty of them."""
    cost_series: list[Usd]
    computed_at: Instant


class OwnUsage(ResponseModel):
    """Of the records that started at or after `from_at` and before `to_at`, the end of the quarter-hour that is
    running. `previous` is null for all time."""

    period: Period
    bucket: Bucket
    time_zone: str
    """Whose days these are: the organisation's."""
    from_at: Instant
    to_at: Instant
    totals: Totals
    previous: Totals | None
    trends: Trends
    series: list[SeriesPoint]
    cost_by_provider: list[ProviderShare]
    generated_at: Instant


class Usage(OwnUsage):
    cards: Cards
