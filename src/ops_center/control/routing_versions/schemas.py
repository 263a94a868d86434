"""Versions of routing as JSON."""

from __future__ import annotations

from ops_center.control.fields import Instant, RequestModel, ResponseModel
from ops_center.control.routing_versions.changes import Change
from ops_center.control.routing_versions.configuration import Configuration


class RoutingVersion(ResponseModel):
    version: int
    current: bool
    created_at: Instant
    created_by_email: str
    """Empty where the server itself wrote it: changes that it found at its start or in a provider's list."""
    action: str
    """What was done, as in the audit log, or `start` and `discovery` where nobody did it."""
    summary: str
    changes_total: int
    restored_from: int | None
    """The version that a rollback returned to."""


class RoutingVersionList(ResponseModel):
    versions: list[RoutingVersion]
    next_cursor: str | None


class Rollback(ResponseModel):
    """What a return to this version would change now, and what it cannot bring back."""

    changes: list[Change]
    changes_total: int
    lost: list[str]


class RoutingVersionDetail(RoutingVersion):
    """`changes`: against the version before it; `since`: from it until now. Each shows 500 at most."""

    previous: int | None
    complete: bool
    """False where only the rules were kept, by an older release."""
    changes: list[Change]
    since: list[Change]
    since_total: int
    rollback: Rollback | None
    """Null for the version that holds."""
    configuration: Configuration


class RollbackRequest(RequestModel):
    """`confirm`: also when something cannot be brought back."""

    confirm: bool = False
