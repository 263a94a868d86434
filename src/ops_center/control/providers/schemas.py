"""Providers as JSON. A key comes in and never goes out; what goes out is its preview."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from ops_center.control.fields import (
    Instant,
    LongName,
    Name,
    RequestModel,
    ResponseModel,
    TimeLimits,
    TimeLimitsInput,
    Usd,
)

Priority = Annotated[int, Field(strict=True, ge=1, le=100)]
ApiKeyInput = Annotated[SecretStr, Field(max_length=4000)]
BaseUrlInput = Annotated[str, Field(max_length=2000)]
OptionsInput = Annotated[
    dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=500)] | None],
    Field(max_length=20),
]
TypeName = Annotated[str, Field(min_length=1, max_length=40)]


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


OptionalName = Annotated[Name | None, BeforeValidator(_blank_is_none)]
OptionalBaseUrl = Annotated[BaseUrlInput | None, BeforeValidator(_blank_is_none)]

HealthStatus = Literal["healthy", "degraded", "down", "unknown"]
DiscoveryStatus = Literal["pending", "ok", "failed"]
TestErrorType = Literal[
    "invalid_api_key",
    "timeout",
    "rate_limited",
    "unreachable",
    "provider_error",
    "unexpected_answer",
    "address_not_allowed",
    "key_not_proven",
    "not_installed",
]


class CostRange(ResponseModel):
    """USD per million tokens: the cheapest input and the dearest output of the type's chat models."""

    min_usd: Usd
    max_usd: Usd


class OptionField(ResponseModel):
    """A field that a type asks for beside key and base URL. `default` is taken when it is left blank."""

    name: str
    label: str
    required: bool
    default: str
    placeholder: str
    help: str


class ProviderType(ResponseModel):
    """`default_base_url` may hold the names of options in braces, whose values take their place."""

    type: str
    name: str
    description: str
    color: str
    get_key_url: str | None
    key_prefix: str | None
    recommended_for: str | None
    cost_range: CostRange | None
    default_base_url: str | None
    requires_base_url: bool
    requires_key: bool
    key_help: str | None
    option_fields: list[OptionField]
    local: bool
    """A server of the operator's own: its default base URL is this machine, so it needs
    `allow_private_network`."""
    models_count: int
    """How many models the packaged catalogue knows; the provider's own list may hold more."""
    takes_base_url: bool
    missing: str | None
    """Why providers of this type cannot be added here: an optional package is not installed. null: they can."""
    how_to_get: str | None


class ProviderTypeList(ResponseModel):
    provider_types: list[ProviderType]


class Health(ResponseModel):
    status: HealthStatus
    reason: str
    since: Instant | None


class Discovery(ResponseModel):
    """The last look at the provider's own list of models."""

    status: DiscoveryStatus
    message: str | None
    at: Instant | None


class LastTest(ResponseModel):
    at: Instant
    success: bool
    latency_ms: int | None
    message: str
    error_type: TestErrorType | None


class Provider(ResponseModel):
    """Figures are of the last 30 days. `average_cost_usd` is what a million tokens cost, input and output
    together, over the requests whose cost is known; null where there is none."""

    id: str
    name: str
    type: str
    type_name: str
    color: str
    base_url: str
    options: dict[str, str]
    enabled: bool
    priority: int
    auto_fallback: bool
    allow_private_network: bool
    time_limits: TimeLimits
    credential_preview: str | None
    status: Literal["enabled", "disabled"]
    health: Health
    models_count: int
    discovery: Discovery
    last_test: LastTest | None
    average_cost_usd: Usd | None
    requests_30d: int
    cost_30d_usd: Usd | None
    estimated_share_30d: float
    """How much of that cost is estimated, 0 to 1."""
    unknown_cost_requests_30d: int
    latency_p50_ms: int | None
    created_at: Instant
    updated_at: Instant
    demo: bool


class ProviderList(ResponseModel):
    providers: list[Provider]


class ProviderCreate(RequestModel):
    """Without `name` the type's name is taken, numbered when it is in use. `models` are entered by hand.
    `options` are the fields of the type's `option_fields`."""

    type: TypeName
    name: OptionalName = None
    api_key: ApiKeyInput | None = None
    base_url: OptionalBaseUrl = None
    options: OptionsInput = Field(default_factory=dict)
    priority: Priority = 50
    auto_fallback: bool = True
    enabled: bool = True
    allow_private_network: bool = False
    time_limits: TimeLimitsInput | None = None
    models: Annotated[list[LongName], Field(default_factory=list, max_length=500)]


class ProviderUpdate(RequestModel):
    """Only what is sent changes; a blank key keeps the old one. A blank option goes back to its default."""

    name: OptionalName = None
    api_key: ApiKeyInput | None = None
    base_url: OptionalBaseUrl = None
    options: OptionsInput | None = None
    priority: Priority | None = None
    auto_fallback: bool | None = None
    enabled: bool | None = None
    allow_private_network: bool | None = None
    time_limits: TimeLimitsInput | None = None


class ProviderPriorities(RequestModel):
    """Of the providers named, by id; the others keep theirs."""

    priorities: Annotated[dict[Annotated[str, Field(max_length=40)], Priority], Field(max_length=1000)]


class UsedBy(ResponseModel):
    requests: int
    api_keys: int
    users: int


class ServedElsewhere(ResponseModel):
    model: str
    providers: list[str]


class Impact(ResponseModel):
    """What deleting the provider would touch; the lists hold at most 50 names beside their totals."""

    provider_id: str
    name: str
    in_use: bool
    """Whether any request of the last 24 hours went there."""
    last_24h: UsedBy
    last_30d: UsedBy
    models_without_provider: list[str]
    models_without_provider_total: int
    models_served_elsewhere: list[ServedElsewhere]
    models_served_elsewhere_total: int


class TestRequest(RequestModel):
    """An unsaved provider. With `provider_id` and no key, that provider's stored key is used, if the base
    URL leads to the same host."""

    __test__ = False  # not a class of tests

    type: TypeName
    api_key: ApiKeyInput | None = None
    base_url: OptionalBaseUrl = None
    options: OptionsInput = Field(default_factory=dict)
    allow_private_network: bool = False
    provider_id: Annotated[str | None, Field(max_length=40)] = None


class TestResult(ResponseModel):
    __test__ = False

    success: bool
    latency_ms: int | None
    message: str
    error_type: TestErrorType | None = None
    hint: str | None = None
    models_found: int | None = None


class RefreshResult(ResponseModel):
    discovery: Discovery
    models_count: int
