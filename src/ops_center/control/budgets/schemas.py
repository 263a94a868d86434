"""Budgets as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ops_center.control.budgets.repository import WARN_AT
from ops_center.control.fields import Instant, RequestModel, ResponseModel, Usd, UsdInput
from ops_center.types import BudgetPeriod, BudgetScope

WarnAt = Annotated[list[Annotated[int, Field(strict=True, ge=1, le=100)]], Field(max_length=10)]
"""At what per cent of a budget its owner and the admins are told."""

BudgetStatus = Literal["ok", "half_spent", "nearly_spent", "spent"]


class BudgetCreate(RequestModel):
    """`subject_id`: the provider, team, user or API key; left out for everything. `hard`: refuse with 402, else
    only warn."""

    scope: BudgetScope
    subject_id: Annotated[str, Field(max_length=40)] | None = None
    amount_usd: UsdInput
    period: BudgetPeriod = BudgetPeriod.MONTH
    hard: Annotated[bool, Field(strict=True)] = True
    warn_at: WarnAt = Field(default_factory=lambda: list(WARN_AT))


class BudgetUpdate(RequestModel):
    """Only what is sent changes."""

    amount_usd: UsdInput | None = None
    period: BudgetPeriod | None = None
    hard: Annotated[bool, Field(strict=True)] | None = None
    warn_at: WarnAt | None = None


class Budget(ResponseModel):
    """`spent_usd` is the sum of known costs; `unknown_cost_requests` have none and count as nothing.

    `runs_out_at`: when it would be used up at the pace of this period, null where it would not be, or where
    the period is too young to tell. `projected_usd`: what the whole period would come to at that pace.
    """

    id: str
    scope: BudgetScope
    subject_id: str | None
    subject_name: str
    amount_usd: Usd
    period: BudgetPeriod
    hard: bool
    warn_at: list[int]
    """At what per cent people are told; none: nobody is."""
    period_start_at: Instant
    period_end_at: Instant
    spent_usd: Usd
    estimated_share: float
    """How much of that is estimated, 0 to 1."""
    share: float
    """Of the amount; above 1 when more was spent."""
    status: BudgetStatus
    unknown_cost_requests: int
    projected_usd: Usd | None
    runs_out_at: Instant | None
    created_at: Instant
    updated_at: Instant


class BudgetList(ResponseModel):
    budgets: list[Budget]
    time_zone: str
    """The calendar that periods follow."""
