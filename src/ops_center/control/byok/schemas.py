"""Own keys as JSON. A preview is shown to its owner alone; nothing of a key is in what admins see."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from ops_center.control.fields import Instant, RequestModel, ResponseModel, Usd
from ops_center.control.providers.schemas import LastTest
from ops_center.types import ByokPolicy

OwnKeySecret = Annotated[SecretStr, Field(max_length=4000)]
ProviderTypeName = Annotated[str, StringConstraints(max_length=40)]


class KeyStatus(StrEnum):
    """`unproven`: saved, but nobody could be asked yet. `failing`: the provider refuses it now."""

    WORKING = "working"
    UNPROVEN = "unproven"
    FAILING = "failing"
    DISABLED = "disabled"


class ProviderKey(ResponseModel):
    """One's own key for a type of provider. `used_at`: the only addresses it is ever sent to."""

    type: str
    type_name: str
    color: str
    credential_preview: str
    enabled: bool
    status: KeyStatus
    last_check: LastTest | None
    failing_since: Instant | None
    used_at: list[str]
    requests_30d: int
    own_cost_30d_usd: Usd | None
    estimated_share_30d: float
    """How much of that cost is estimated, 0 to 1."""
    unknown_cost_requests_30d: int
    last_used_at: Instant | None
    created_at: Instant
    updated_at: Instant


class OwnKeyType(ResponseModel):
    """A type that one can have an own key for, and the only addresses such a key is sent to. `key_is_a_file`:
    the key may be a whole JSON file of several lines."""

    type: str
    name: str
    description: str
    color: str
    get_key_url: str | None
    key_prefix: str | None
    key_help: str | None
    key_is_a_file: bool
    used_at: list[str]


class ProviderKeyList(ResponseModel):
    """`policy` holds for the caller now; `fallback` is the caller's switch, which counts only where the
    policy lets the platform's key follow (`fallback_allowed`)."""

    provider_keys: list[ProviderKey]
    types: list[OwnKeyType]
    policy: ByokPolicy
    fallback: bool
    fallback_allowed: bool


class ProviderKeyPut(RequestModel):
    """`api_key` may be left out to change only `enabled`. `force` keeps a key that the provider refuses."""

    api_key: OwnKeySecret | None = None
    enabled: bool | None = None
    force: bool = False


class ProviderKeyTest(RequestModel):
    """A key that is not saved yet; without one, the saved key is tested."""

    api_key: OwnKeySecret | None = None


class OwnKeySettings(RequestModel):
    """`fallback`: after an own key failed, the platform's may serve, where the policy allows it."""

    fallback: bool | None = None


class ByokSummary(ResponseModel):
    """Own keys of everybody. Sums of 30 days and of all time; what is not known is counted, not added. Each
    `..._estimated_share`: how much of a sum is estimated, 0 to 1."""

    byok_users: int
    """Users with at least one own key."""
    active_accounts: int
    """Users whose own key served a request in the last 30 days."""
    keys: int
    failing_keys: int
    requests_30d: int
    own_cost_30d_usd: Usd
    own_cost_30d_estimated_share: float
    own_cost_total_usd: Usd
    own_cost_total_estimated_share: float
    saved_30d_usd: Usd
    saved_30d_estimated_share: float
    saved_total_usd: Usd
    saved_total_estimated_share: float
    unknown_saving_requests_30d: int
    fallbacks_30d: int
    fallback_cost_30d_usd: Usd
    fallback_cost_30d_estimated_share: float
    policy: ByokPolicy
    computed_at: Instant


class ByokKey(ResponseModel):
    """That somebody has a key, and whether it works. Nothing of the key itself."""

    type: str
    type_name: str
    color: str
    status: KeyStatus
    last_check_at: Instant | None
    failing_since: Instant | None
    created_at: Instant


class ByokUser(ResponseModel):
    user_id: str
    email: str
    name: str
    disabled: bool
    active: bool
    keys: list[ByokKey]
    requests_30d: int
    own_cost_30d_usd: Usd
    own_cost_30d_estimated_share: float
    saved_30d_usd: Usd
    saved_30d_estimated_share: float
    saved_total_usd: Usd
    saved_total_estimated_share: float
    unknown_saving_requests_30d: int
    fallbacks_30d: int
    last_used_at: Instant | None


class ByokUserList(ResponseModel):
    users: list[ByokUser]
