"""The audit log as JSON."""

from __future__ import annotations

from typing import Any

from ops_center.control.fields import Instant, ResponseModel


class AuditEntry(ResponseModel):
    """One change. `before` and `after` hold only the fields that differ, never a secret.

    `hash` covers the entry and the hash of the one before it, number `sequence - 1`.
    """

    id: str
    sequence: int
    at: Instant
    actor_email: str
    action: str
    object_type: str
    object_id: str
    object_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ip_address: str
    hash: str


class AuditLogPage(ResponseModel):
    entries: list[AuditEntry]
    next_cursor: str | None


class AuditActions(ResponseModel):
    actions: list[str]


class AuditVerification(ResponseModel):
    """Whether every entry is what was written: `entries` of them, up to number `sequence`."""

    intact: bool
    entries: int
    sequence: int
    at: Instant | None
    """When the last entry that is in order was written."""
    hash: str
    """The hash of that entry. Noted elsewhere, it proves later that nothing before it was changed."""
    problem: str | None
