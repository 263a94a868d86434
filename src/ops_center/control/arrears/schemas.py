"""What needs a price, and what was priced later, as JSON."""

from __future__ import annotations

from typing import Literal

from ops_center.control.fields import Instant, ResponseModel, Usd


class UnpricedModel(ResponseModel):
    """A model with requests whose cost is unknown."""

    provider_id: str
    provider_name: str
    provider_exists: bool
    """false: it was deleted since, and nobody can set a price for its models."""
    model: str
    model_id: str | None
    """null: it is not in the list of models; setting its price puts it there by hand."""
    needs: Literal["price", "request_price"]
    """`request_price`: it has a price per token, and calls that counted no tokens: those go by the request, or by the
    minute of sound."""
    requests: int
    input_tokens: int
    output_tokens: int
    first_at: Instant
    last_at: Instant


class LatePricing(ResponseModel):
    """Requests that were priced after they were made, all at one price."""

    id: str
    provider_name: str
    model: str
    price_source: str
    input_mtok: Usd
    output_mtok: Usd
    request_usd: Usd
    input_audio_minute_usd: Usd | None
    started_at: Instant
    finished_at: Instant | None
    """null: under way."""
    requests: int
    cost_usd: Usd
    """What they came to for the platform."""
    own_cost_usd: Usd
    """And for users, on their own keys."""
    estimated_cost_usd: Usd
    """How much of `cost_usd` is estimated."""
    estimated_own_cost_usd: Usd


class UnpricedModels(ResponseModel):
    models: list[UnpricedModel]
    late_prices: list[LatePricing]
    """The newest ones first, fifty at most."""
