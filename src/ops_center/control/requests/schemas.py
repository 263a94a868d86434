"""Rows of the ledger as JSON: names as they were then, money as it was computed then."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from ops_center.control.fields import Instant, ResponseModel, Usd
from ops_center.control.routing.schemas import RoutePlan
from ops_center.types import CostSource


class ErrorType(StrEnum):
    """What a request can have failed with."""

    INVALID_REQUEST_ERROR = "invalid_request_error"
    PERMISSION_ERROR = "permission_error"
    NOT_FOUND_ERROR = "not_found_error"
    MODEL_NOT_FOUND = "model_not_found"
    REQUEST_TOO_LARGE = "request_too_large"
    RATE_LIMIT_ERROR = "rate_limit_error"
    BUDGET_EXCEEDED = "budget_exceeded"
    LIMITS_UNAVAILABLE = "limits_unavailable"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    PROVIDER_TIMEOUT = "provider_timeout"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_AUTH_ERROR = "provider_auth_error"
    PROVIDER_FAILED = "provider_failed"
    PROVIDER_UNUSABLE_ANSWER = "provider_unusable_answer"
    PROVIDER_ERROR = "provider_error"
    NO_PROVIDER_LEFT = "no_provider_left"
    CLIENT_CLOSED = "client_closed"
    SHUTDOWN = "shutdown"
    INTERNAL_ERROR = "internal_error"


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
    listed_cost_usd: Usd | None
    """Beside a cost that the provider reported: what the same comes to at the price we know."""
    priced_later: bool
    """Whether it had no price when it was made, and got its cost afterwards."""
    own_cost_usd: Usd | None
    """What the user paid, on their own key; null elsewhere, and where it is not known."""
    own_cost_source: CostSource | None
    saved_usd: Usd | None
    """What the platform would have paid for it."""
    fallback_from: Literal["platform", "byok"] | None
    """Whose credential had failed before the other's was asked."""
    replay_of: str | None
    """The request that an admin sent again with this one."""
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

    what: Literal[
        "input",
        "input_audio",
        "input_image",
        "cache_read",
        "cache_write",
        "cache_write_1h",
        "output",
        "output_audio",
        "reasoning",
        "input_audio_seconds",
        "web_search",
        "web_search_preview",
        "file_search",
        "request",
    ]
    tokens: int
    """Of what has no price per token: how many of it."""
    usd_mtok: Usd | None
    usd: Usd


class LatePrice(ResponseModel):
    """The price that a request got after it was made."""

    id: str
    priced_at: Instant
    source: str


class RequestDetail(Request):
    late_price: LatePrice | None
    attempts: list[Attempt]
    plan: RoutePlan | None
    """How it was routed; null where no plan could be made, and for requests from before plans were kept."""
    price_lines: list[PriceLine]
    """What the cost adds up from; empty where the provider reported it as one sum, or no price is known."""
    dropped: list[DroppedParameter]
    """Parameters that the provider asked last does not take."""
    bodies_kept: bool
    """Whether what was asked and answered is stored, redacted."""
    replays: list[Request]
    """When it was sent again by an admin, the newest first; 50 at most."""


class RequestPage(ResponseModel):
    """`stored`: what `tail` goes on from, so that none is missed; some may be in both. `kept_from`: those that
    started earlier are no longer kept (their sums are); null: none was ever deleted."""

    requests: list[Request]
    next_cursor: str | None
    stored: int
    kept_from: Instant | None


class RequestTail(ResponseModel):
    """What was stored since, the newest first; `stored` is what the next call goes on from."""

    requests: list[Request]
    stored: int
    skipped: int
    """So many more were stored and are left out: more than one answer holds, or looks at."""
    interrupted: bool
    """It is not known any more what was stored since: load the list again."""
