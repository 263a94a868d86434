"""The home page as JSON. Every figure is a sum of usage records and names the requests behind it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from ops_center.control.fields import Instant, ResponseModel, Usd
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.schemas import Metric, Totals, Unit


class Span(StrEnum):
    """What is compared with the same span before it."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


class Trouble(ResponseModel):
    """Something that is broken (`broken`), will be unless somebody acts (`warning`), or is needed and not set up yet
    (`missing`). `path`: the page of the console where one acts, `action` what one does there."""

    kind: Literal[
        "alert",
        "provider",
        "provider_key",
        "own_keys",
        "budget",
        "price",
        "retirement",
        "ledger",
        "notification",
    ]
    severity: Literal["broken", "warning", "missing"]
    subject: str
    text: str
    since: Instant | None
    path: str
    action: str


class Check(ResponseModel):
    """One thing that was looked at, and what was found, in a few words."""

    name: str
    found: str
    well: bool | None
    """Null: there is nothing yet that could be well or not."""


class State(ResponseModel):
    troubles: list[Trouble]
    """What is broken first."""
    checks: list[Check]
    checked_at: Instant


class Spend(Totals):
    """Of the records that started at or after `from_at` and before `to_at`. `requests`: they, as the query of
    `/llm/requests`."""

    from_at: Instant
    to_at: Instant
    requests: str


class DayCost(ResponseModel):
    start_at: Instant
    cost_usd: Usd
    estimated_share: float


class MonthForecast(ResponseModel):
    """What the calendar month will come to: what is spent, and for every day that is left what the last four of
    its weekday cost on average. The band reaches from the 10th to the 90th percentile of what the same method
    missed by on the days before, as many days ahead; null while there are too few days to say."""

    expected_usd: Usd | None
    low_usd: Usd | None
    high_usd: Usd | None
    days_used: int
    """Whole days of traffic that it stands on, 28 at most."""
    days_needed: int
    days_left: int
    """Of the month, today included."""
    compared: int
    """How many earlier forecasts the band was measured on."""
    month_end_at: Instant


class Cost(ResponseModel):
    today: Spend
    month: Spend
    forecast: MonthForecast
    days: list[DayCost]
    """The last 30 days of the calendar, oldest first, today last."""


class Mover(ResponseModel):
    """What one value of a dimension had now and before; `change` of all movers and the rest add up to the whole's."""

    value: str | None
    name: str | None
    now: float
    before: float
    change: float
    requests: str


class MovedBy(ResponseModel):
    """A change by one dimension: the values that moved most, in either direction, and all others together."""

    dimension: Dimension
    movers: list[Mover]
    others: int
    """How many values are not among the movers."""
    others_change: float


class MetricChange(ResponseModel):
    """One metric against the span before. `mostly`: the value that explains most of what moved, where there is
    more than one to choose among. Of a cost, `by_calls_usd` comes from more or fewer calls, `by_cost_per_call_usd`
    from dearer or cheaper ones; together they are the change."""

    metric: Metric
    unit: Unit
    now: float
    before: float
    change: float
    change_pct: float | None
    mostly: Dimension | None
    moved_by: list[MovedBy]
    by_calls_usd: Usd | None
    by_cost_per_call_usd: Usd | None
    requests: str


class Changes(ResponseModel):
    span: Span
    from_at: Instant
    to_at: Instant
    previous_from_at: Instant
    has_baseline: bool
    """Whether anything was recorded before `from_at`."""
    unknown_cost_calls: int
    changes: list[MetricChange]


class Home(ResponseModel):
    time_zone: str
    """Whose days and months these are: the organisation's."""
    first_at: Instant | None
    """When the first request came; null before it."""
    state: State
    cost: Cost
    changed: Changes
    generated_at: Instant
