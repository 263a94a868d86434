"""`/audit-log`: who changed what, for admins."""

from __future__ import annotations

from ops_center.control.access import Permission, Routes
from ops_center.control.audit_log import repository
from ops_center.control.audit_log.schemas import AuditLogPage
from ops_center.control.context import ControlDep
from ops_center.control.fields import Limit
from ops_center.control.paging import Cursor

routes = Routes("audit-log", prefix="/audit-log")


@routes.get("", permission=Permission.AUDIT_READ)
async def list_audit_log(control: ControlDep, limit: Limit = 50, cursor: str | None = None) -> AuditLogPage:
    """Newest first; `next_cursor` leads to what is older."""
    after = Cursor.decode(cursor) if cursor else None
    async with control.database.read() as conn:
        found = await repository.page(conn, limit + 1, after)
    entries = list(found[:limit])
    more = len(found) > limit
    return AuditLogPage(
        entries=entries, next_cursor=Cursor(entries[-1].at, entries[-1].id).encode() if more else None
    )
