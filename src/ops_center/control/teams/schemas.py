"""Teams as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ops_center.control.fields import Instant, Name, RequestModel, ResponseModel, Usd
from ops_center.types import ByokPolicy

MemberIds = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=2000)]


class TeamMember(ResponseModel):
    id: str
    email: str
    name: str
    disabled: bool


class Team(ResponseModel):
    """The figures of `month` are of the calendar month so far, in the organisation's time zone."""

    id: str
    name: str
    byok_policy: ByokPolicy | None
    """Tightens the global policy over own keys for everybody in it; null: nothing does."""
    byok_policies: list[ByokPolicy]
    """What the policy of its service keys may be: what holds for it, and what tightens it."""
    members: list[TeamMember]
    service_keys: int
    """How many of its own API keys work."""
    month_requests: int
    month_cost_usd: Usd
    """The sum of known costs."""
    month_estimated_share: float
    """How much of them is estimated, 0 to 1."""
    month_unknown_cost_requests: int
    created_at: Instant
    updated_at: Instant


class TeamList(ResponseModel):
    teams: list[Team]
    month_start_at: Instant


class TeamCreate(RequestModel):
    """`member_ids`: users, who leave the team that they are in."""

    name: Name
    byok_policy: ByokPolicy | None = None
    member_ids: MemberIds = Field(default_factory=list)


class TeamUpdate(RequestModel):
    """Only what is sent changes. `member_ids` is everybody who is in it from then on; null for
    `byok_policy` returns to the global one."""

    name: Name | None = None
    byok_policy: ByokPolicy | None = None
    member_ids: MemberIds | None = None
