"""Models as JSON. Prices are USD per million tokens; null is "unknown", never zero."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ops_center.control.fields import LongName, RequestModel, ResponseModel, Usd, UsdInput

Tokens = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Score = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class ModelPrice(ResponseModel):
    input_mtok: Usd
    output_mtok: Usd
    cache_read_mtok: Usd | None
    cache_write_mtok: Usd | None
    tiered: bool
    """Whether larger requests have other prices; the figures are those of the smallest."""
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


class ModelList(ResponseModel):
    models: list[Model]
    total: int


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
    input_mtok: UsdInput | None = None
    output_mtok: UsdInput | None = None
    cache_read_mtok: UsdInput | None = None
    cache_write_mtok: UsdInput | None = None
    score: Score | None = None
    context_window: Tokens | None = None
