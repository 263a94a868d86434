"""The audit log as JSON."""

from __future__ import annotations

from typing import Any

from ops_center.control.fields import Instant, ResponseModel


class AuditEntry(ResponseModel):
    """One change. `before` and `after` hold only the fields that differ, never a secret."""

    id: str
    at: Instant
    actor_email: str
    action: str
    object_type: str
    object_id: str
    object_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ip_address: str


class AuditLogPage(ResponseModel):
    entries: list[AuditEntry]
    next_cursor: str | None
