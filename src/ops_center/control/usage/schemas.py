"""Usage as JSON. Costs are sums of known costs; how many calls are missing from them stands beside."""

from __future__ import annotations

from enum import StrEnum

from ops_center.control.fields import Instant, ResponseModel, Usd
from ops_center.control.usage.dimensions import Dimension


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


class Metric(StrEnum):
    """What can be explored. Latencies are of the calls that succeeded, within 4.5 %."""

    COST = "cost"
    CALLS = "calls"
    ERRORS = "errors"
    ERROR_RATE = "error_rate"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    LATENCY_P50 = "latency_p50"
    LATENCY_P95 = "latency_p95"
    FIRST_CHUNK_P50 = "time_to_first_chunk_p50"
    FIRST_CHUNK_P95 = "time_to_first_chunk_p95"
    TOKENS_PER_SECOND = "tokens_per_second"
    CACHE_HITS = "cache_hit_rate"
    SAVINGS = "savings"


class Unit(StrEnum):
    USD = "usd"
    CALLS = "calls"
    TOKENS = "tokens"
    SECONDS = "seconds"
    TOKENS_PER_SECOND = "tokens_per_second"
    SHARE = "share"


class ExplorePoint(ResponseModel):
    """One bucket: the requests behind it started at or after `start_at` and before `end_at`. `value` is null where
    there is nothing to measure."""

    start_at: Instant
    end_at: Instant
    value: float | None
    estimated_share: float | None
    """How much of a cost or a saving is estimated, 0 to 1; null for other metrics, and where there is none."""


class ExploreGroup(ResponseModel):
    """One line of the chart. `requests`: its requests of the whole window, as the query of `/llm/requests` (and of
    the console's page); a point's narrow `from_at` and `to_at`."""

    value: str | None
    """An id, a name or a status; null for requests that have none (no provider was asked, no team)."""
    name: str | None
    total: float | None
    previous: float | None
    """Of the window before; null for all time."""
    change_pct: float | None
    share: float | None
    """Of the total, 0 to 1; null where the metric is no sum."""
    calls: int
    cost_usd: Usd
    estimated_share: float
    unknown_cost_calls: int
    requests: str
    points: list[ExplorePoint]


class Explore(ResponseModel):
    """A metric, by one dimension, over a window. `groups` holds the largest; `other` what all others add up to,
    where the metric is a sum."""

    metric: Metric
    unit: Unit
    group: Dimension | None
    bucket: Bucket
    time_zone: str
    from_at: Instant
    to_at: Instant
    previous_from_at: Instant | None
    """Where the window before begins, which is as long and ends with `from_at`; null for all time."""
    totals: Totals
    total: float | None
    previous: float | None
    change_pct: float | None
    requests: str
    points: list[ExplorePoint]
    groups: list[ExploreGroup]
    groups_total: int
    other: ExploreGroup | None
    generated_at: Instant
