"""Models as JSON. Prices are USD per million tokens; null is "unknown", never zero."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from ops_center.control.fields import (
    LongName,
    RequestModel,
    ResponseModel,
    TimeLimits,
    TimeLimitsInput,
    Usd,
    UsdInput,
)

Tokens = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Capability = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
Sort = Literal[
    "name", "provider", "context", "price", "score", "-name", "-provider", "-context", "-price", "-score"
]
Score = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Capabilities = Annotated[list[Capability], Field(max_length=30)]


class ModelPriceTier(ResponseModel):
    """What the whole of a request costs whose input is larger than `above_input_tokens`."""

    above_input_tokens: int
    input_mtok: Usd
    output_mtok: Usd
    cache_read_mtok: Usd | None
    cache_write_mtok: Usd | None


class ModelPrice(ResponseModel):
    """The figures are those of the smallest requests, where there are `tiers`."""

    input_mtok: Usd
    output_mtok: Usd
    cache_read_mtok: Usd | None
    cache_write_mtok: Usd | None
    cache_write_1h_mtok: Usd | None
    reasoning_mtok: Usd | None
    """null: reasoning is billed as any output."""
    input_audio_mtok: Usd | None
    """null: not known; sound is reckoned as text then, and its cost marked as estimated."""
    output_audio_mtok: Usd | None
    input_audio_minute_usd: Usd | None
    """A minute of sound, where that is billed by its length; null: not known."""
    web_search_usd: Usd | None
    """Each search of the provider's own tool; null: not known."""
    request_usd: Usd
    tiered: bool
    """Whether larger requests have other prices."""
    tiers: list[ModelPriceTier]
    source: str
    as_of: str


class Model(ResponseModel):
    id: str
    provider_id: str
    provider_name: str
    name: str
    display_name: str
    enabled: bool
    origin: Literal["discovered", "manual"]
    context_window: int | None
    max_output_tokens: int | None
    capabilities: list[str]
    price: ModelPrice | None
    score: float | None
    score_source: str | None
    served_as: list[str]
    """The aliases that lead here."""
    overridden: list[str]
    """The fields that an admin has set by hand."""
    sources: dict[str, str]
    """Where the values of `context_window`, `max_output_tokens`, `capabilities`, `price`, `score` and the single
    prices come from: `override`, `provider` (its own list), a catalogue with its date, or `name`."""
    without_override: dict[str, Usd | list[str] | None]
    """For each field of `overridden`: the value that the other sources have, and that counts once the
    override is taken back; null where none of them knows one."""
    retires_on: date | None
    """The day from which the provider serves it no more, where its list or a catalogue says so."""
    successor: str | None
    time_limits: TimeLimits
    """Its own; where it has none, its provider's hold."""


class ModelList(ResponseModel):
    models: list[Model]
    total: int


class ModelFilter(RequestModel):
    """The same as the query of the list."""

    search: Annotated[str, Field(max_length=300)] | None = None
    provider_id: Annotated[str, Field(max_length=60)] | None = None
    enabled: bool | None = None
    capability: Capability | None = None
    max_input_mtok: UsdInput | None = None
    min_context: Tokens | None = None


class ModelsUpdate(RequestModel):
    """Many models at once: those with these ids, or all that fit a filter (an empty one fits all)."""

    enabled: bool
    ids: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=5000)] | None = None
    filter: ModelFilter | None = None


class ModelsUpdated(ResponseModel):
    changed: int
    """How many were not so before."""


class ModelCreate(RequestModel):
    """A model that the provider's own list does not name."""

    provider_id: Annotated[str, Field(max_length=40)]
    name: LongName
    input_mtok: UsdInput | None = None
    output_mtok: UsdInput | None = None
    context_window: Tokens | None = None


class ModelUpdate(RequestModel):
    """Only what is sent changes; null takes the admin's word back, and the other sources count again."""

    enabled: bool | None = None
    time_limits: TimeLimitsInput | None = None
    input_mtok: UsdInput | None = None
    output_mtok: UsdInput | None = None
    cache_read_mtok: UsdInput | None = None
    cache_write_mtok: UsdInput | None = None
    reasoning_mtok: UsdInput | None = None
    input_audio_mtok: UsdInput | None = None
    output_audio_mtok: UsdInput | None = None
    input_audio_minute_usd: UsdInput | None = None
    request_usd: UsdInput | None = None
    web_search_usd: UsdInput | None = None
    score: Score | None = None
    context_window: Tokens | None = None
    max_output_tokens: Tokens | None = None
    capabilities: Capabilities | None = None
