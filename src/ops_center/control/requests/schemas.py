"""Rows of the ledger as JSON: names as they were then, money as it was computed then."""

from __future__ import annotations

from typing import Literal

from ops_center.control.fields import Instant, ResponseModel, Usd
from ops_center.control.routing.schemas import RoutePlan
from ops_center.types import CostSource


class Request(ResponseModel):
    id: str
    started_at: Instant
    duration_ms: int
    queue_ms: int | None
    """Of its duration, spent waiting for a place in a limit; null: it did not wait."""
    time_to_first_chunk_ms: int | None
    endpoint: str
    status: int
    error_type: str | None
    finish_reason: str | None
    stream: bool
    requested_model: str
    strategy: str | None
    provider_id: str | None
    provider_name: str | None
    provider_type: str | None
    model: str | None
    api_key_id: str
    api_key_name: str
    user_id: str
    user_email: str
    team_id: str | None
    """Whose purse it was: the team of the key, else of its user then."""
    team_name: str | None
    credential: Literal["platform", "byok"]
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Usd | None
    cost_source: CostSource
    cost_note: str | None
    price_source: str | None
    own_cost_usd: Usd | None
    """What the user paid, on their own key; null elsewhere, and where it is not known."""
    own_cost_source: CostSource | None
    saved_usd: Usd | None
    """What the platform would have paid for it."""
    fallback_from: Literal["platform", "byok"] | None
    """Whose credential had failed before the other's was asked."""
    demo: bool


class Attempt(ResponseModel):
    """One call to one provider. `outcome` is "success" or what went wrong; `detail` is for the operator."""

    number: int
    provider_id: str
    provider_name: str
    model: str
    started_at: Instant
    duration_ms: int
    time_to_first_chunk_ms: int | None
    status: int | None
    outcome: str
    detail: str | None
    credential: Literal["platform", "byok"]


class DroppedParameter(ResponseModel):
    parameter: str
    reason: str


class PriceLine(ResponseModel):
    """A part of the cost: its tokens at their price."""

    what: Literal["input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning", "request"]
    tokens: int
    usd_mtok: Usd | None
    usd: Usd


class RequestDetail(Request):
    attempts: list[Attempt]
    plan: RoutePlan | None
    """How it was routed; null where no plan could be made, and for requests from before plans were kept."""
    price_lines: list[PriceLine]
    """What the cost adds up from; empty where the provider reported it as one sum, or no price is known."""
    dropped: list[DroppedParameter]
    """Parameters that the provider asked last does not take."""


class RequestPage(ResponseModel):
    requests: list[Request]
    next_cursor: str | None
