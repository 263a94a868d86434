"""Drafts of routing and what their replay has shown, as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ops_center.control.fields import Instant, LongName, Name, RequestModel, ResponseModel, Usd
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.routing.schemas import RoutingRulesUpdate
from ops_center.control.routing_versions.changes import Change

Flag = Annotated[bool, Field(strict=True)]
Id = Annotated[str, Field(max_length=40)]


class DraftProvider(RequestModel):
    enabled: Flag | None = None
    priority: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    auto_fallback: Flag | None = None


class DraftModel(RequestModel):
    enabled: Flag


class DraftChanges(RequestModel):
    """What is to be otherwise than it is now; all else follows what is live. `providers` and `models`: by
    id. An alias that is null is taken back."""

    rules: RoutingRulesUpdate = Field(default_factory=RoutingRulesUpdate)
    power_levels: PowerLevelSettings = Field(default_factory=PowerLevelSettings)
    aliases: Annotated[
        dict[LongName, Annotated[list[LongName], Field(min_length=1, max_length=50)] | None],
        Field(max_length=500),
    ] = Field(default_factory=dict)
    providers: Annotated[dict[Id, DraftProvider], Field(max_length=500)] = Field(default_factory=dict)
    models: Annotated[dict[Id, DraftModel], Field(max_length=5000)] = Field(default_factory=dict)


class DraftCreate(RequestModel):
    name: Name
    changes: DraftChanges = Field(default_factory=DraftChanges)


class DraftUpdate(RequestModel):
    """Only what is sent changes; `changes` are replaced whole."""

    name: Name | None = None
    changes: DraftChanges | None = None


class ReplayRequest(RequestModel):
    days: Annotated[int, Field(strict=True, ge=1, le=90)] = 7


class PublishRequest(RequestModel):
    """`confirm`: also when something of the draft is gone meanwhile."""

    confirm: Flag = False


class Place(ResponseModel):
    """Where a request goes. `own_key`: on a key that the user has brought."""

    provider: str
    model: str
    own_key: bool


class Move(ResponseModel):
    """Requests that go elsewhere. Costs are of those whose cost is known in both places."""

    source: Place
    target: Place
    requests: int
    cost_before_usd: Usd
    cost_after_usd: Usd
    unknown_cost: int
    examples: list[str]
    """Ids of a few of these requests."""


class Refusal(ResponseModel):
    """Requests that would be refused, by what they ask for; `message` is that of the first."""

    requested_model: str
    error_type: str
    message: str
    requests: int
    examples: list[str]


class Policy(ResponseModel):
    """What one policy comes to. Cost, speed and quality are of the requests that both policies serve and for
    which both know the figure, so that the two can be compared."""

    served: int
    refused: int
    cost_usd: Usd
    estimated_cost_usd: Usd
    """How much of it is of requests whose tokens or cost were estimated."""
    mean_seconds: float | None
    mean_score: float | None


class Reproduced(ResponseModel):
    """How many requests the live policy sends where they really went first, and why others go elsewhere: the
    policy was another then, something was failing or used up, or the rest (load, speeds, keys that changed)."""

    same: int
    older_policy: int
    health: int
    other: int


class ReplayResult(ResponseModel):
    from_at: Instant
    to_at: Instant
    requests: int
    """Recorded with their plan in this time."""
    without_plan: int
    """Refused before a plan was made, or recorded by a release that kept none: nothing to replay."""
    replayed: int
    sampled: bool
    before: Policy
    after: Policy
    cost_compared: int
    recorded_cost_usd: Usd
    """What those that are compared were really recorded with, at the prices of then."""
    recorded_estimated_cost_usd: Usd
    """How much of that is estimated."""
    speed_compared: int
    quality_compared: int
    cold_cache_usd: Usd
    """How much dearer the new policy could be if no prompt cache were warm where requests move."""
    stay: int
    move: int
    moves: list[Move]
    moves_left_out: int
    """Requests in moves too small to be listed."""
    newly_refused: list[Refusal]
    newly_refused_total: int
    newly_served_total: int
    reproduced: Reproduced
    unknown: list[str]
    """What cannot be known, each in one sentence with its numbers."""


class Replay(ResponseModel):
    """`outdated`: draft or live policy have changed since it began."""

    status: Literal["running", "done", "failed"]
    days: int
    started_at: Instant
    finished_at: Instant | None
    done: int
    total: int | None
    error: str | None
    outdated: bool
    result: ReplayResult | None


class Draft(ResponseModel):
    id: str
    name: str
    created_at: Instant
    created_by_email: str
    updated_at: Instant
    changes: DraftChanges
    differences: list[Change]
    """Against what is live now, 500 at most."""
    differences_total: int
    lost: list[str]
    """What it speaks of that is gone meanwhile."""
    model_names: dict[str, str]
    """Of the models that `changes` switches, by id, such as "gpt-5 at OpenAI"."""
    replay: Replay | None


class DraftSummary(ResponseModel):
    id: str
    name: str
    created_at: Instant
    created_by_email: str
    updated_at: Instant
    replay_status: Literal["running", "done", "failed"] | None


class DraftList(ResponseModel):
    drafts: list[DraftSummary]
