"""API keys as JSON. A secret is in the answer that made it and nowhere else."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ops_center.control.fields import Instant, LongName, Name, RequestModel, ResponseModel, Usd, UsdInput
from ops_center.types import PowerLevel, Scope


def _without_repeats(models: list[str]) -> list[str]:
    return list(dict.fromkeys(models))


class ApiKeyCreate(RequestModel):
    """`models: null` allows every model. Instants need a time zone; `expires_at` must be in the future."""

    name: Name
    scope: Scope = Scope.INFERENCE
    expires_at: Instant | None = None
    models: (
        Annotated[list[LongName], Field(min_length=1, max_length=500), AfterValidator(_without_repeats)]
        | None
    ) = None
    power_level: PowerLevel | None = None
    requests_per_minute: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None
    budget_usd: UsdInput | None = None


class ApiKey(ResponseModel):
    """`cost_30d_usd` is the sum of known costs of the last 30 days; null when none of them is known."""

    id: str
    name: str
    preview: str
    scope: Scope
    models: list[str] | None
    power_level: PowerLevel | None
    requests_per_minute: int | None
    budget_usd: Usd | None
    expires_at: Instant | None
    created_at: Instant
    revoked_at: Instant | None
    last_used_at: Instant | None
    requests_30d: int
    cost_30d_usd: Usd | None


class CreatedApiKey(ApiKey):
    secret: str
    """Shown this once; we keep only its hash."""


class ApiKeyList(ResponseModel):
    api_keys: list[ApiKey]


class OwnedApiKey(ApiKey):
    user_id: str
    user_email: str


class OwnedApiKeyList(ResponseModel):
    api_keys: list[OwnedApiKey]
