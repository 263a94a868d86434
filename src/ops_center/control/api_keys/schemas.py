"""API keys as JSON. A secret is in the answer that made it and nowhere else."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from ops_center.control.fields import (
    ConcurrentRequests,
    Instant,
    LongName,
    Name,
    RequestModel,
    RequestsPerMinute,
    ResponseModel,
    TokensPerMinute,
    Usd,
    UsdInput,
)
from ops_center.types import ByokPolicy, PowerLevel, Scope


def _without_repeats(models: list[str]) -> list[str]:
    return list(dict.fromkeys(models))


def _network(text: str) -> str:
    """One address or a network in CIDR notation, in its canonical form."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("must be an address or a network such as 203.0.113.0/24") from None


IpRange = Annotated[str, Field(max_length=60), AfterValidator(_network)]
Tag = Annotated[Name, Field(max_length=40)]


class ApiKeyLimits(RequestModel):
    """What can be said of a key when it is made and later."""

    expires_at: Instant | None = None
    models: (
        Annotated[list[LongName], Field(min_length=1, max_length=500), AfterValidator(_without_repeats)]
        | None
    ) = None
    power_level: PowerLevel | None = None
    byok_policy: ByokPolicy | None = None
    providers: (
        Annotated[list[LongName], Field(min_length=1, max_length=100), AfterValidator(_without_repeats)]
        | None
    ) = None
    requests_per_minute: RequestsPerMinute | None = None
    tokens_per_minute: TokensPerMinute | None = None
    concurrent_requests: ConcurrentRequests | None = None
    budget_usd: UsdInput | None = None
    ip_ranges: (
        Annotated[list[IpRange], Field(min_length=1, max_length=100), AfterValidator(_without_repeats)] | None
    ) = None
    tags: Annotated[list[Tag], Field(max_length=20), AfterValidator(_without_repeats)] = Field(
        default_factory=list
    )


class ApiKeyCreate(ApiKeyLimits):
    """`null` for `models`, `providers` and `ip_ranges` allows every one. Instants need a time zone;
    `expires_at` must be in the future: left out, it is 90 days from now, and null is never.
    `budget_usd` is per calendar month."""

    name: Name
    scope: Scope = Scope.INFERENCE


class ApiKeyUpdate(ApiKeyLimits):
    """Only what is sent changes; null takes a limit away. The scope stays, `tags` is all of them."""

    name: Name = ""


class ApiKey(ResponseModel):
    """`cost_30d_usd` is the sum of known costs of the last 30 days; null when none of them is known."""

    id: str
    name: str
    preview: str
    scope: Scope
    models: list[str] | None
    power_level: PowerLevel | None
    byok_policy: ByokPolicy | None
    """Tightens the owner's policy over own keys; of a service key, the team's."""
    providers: list[str] | None
    """Ids of the providers it may use."""
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_requests: int | None
    budget_usd: Usd | None
    ip_ranges: list[str] | None
    tags: list[str]
    expires_at: Instant | None
    created_at: Instant
    revoked_at: Instant | None
    previous_secret_ends_at: Instant | None
    """Until when the secret before the last rotation works, too."""
    last_used_at: Instant | None
    requests_30d: int
    cost_30d_usd: Usd | None
    estimated_share_30d: float
    """How much of that cost is estimated, 0 to 1."""
    unknown_cost_requests_30d: int
    cost_month_usd: Usd
    """Known costs of the organisation's calendar month so far: what its budget counts."""
    estimated_share_month: float
    """How much of that cost is estimated, 0 to 1."""


class ApiKeyRotate(RequestModel):
    """For how long the old secret works beside the new one; 0, the default, ends it at once."""

    grace_seconds: Annotated[int, Field(strict=True, ge=0, le=30 * 86_400)] = 0


class CreatedApiKey(ApiKey):
    secret: str
    """Shown this once; we keep only its hash."""


class ApiKeyList(ResponseModel):
    api_keys: list[ApiKey]
    byok_policies: list[ByokPolicy]
    """What `byok_policy` of one's own keys may be: what holds, and what tightens it."""


class OwnedApiKey(ApiKey):
    user_id: str
    """Who made it."""
    user_email: str
    team_id: str | None
    """Whose service key it is; null: the user's own."""
    team_name: str | None
    byok_policies: list[ByokPolicy]
    """What its `byok_policy` may be: what holds for its owner, and what tightens it."""


class OwnedApiKeyList(ResponseModel):
    api_keys: list[OwnedApiKey]
