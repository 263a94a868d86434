"""`/audit-log`: who changed what, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from fastapi.responses import StreamingResponse

from ops_center.control.access import Permission, Routes
from ops_center.control.audit_log import chain, export, repository
from ops_center.control.audit_log.export import AuditFormat
from ops_center.control.audit_log.repository import Filters
from ops_center.control.audit_log.schemas import AuditActions, AuditLogPage, AuditVerification
from ops_center.control.context import ControlDep
from ops_center.control.fields import Instant, Limit, SearchText
from ops_center.control.paging import Cursor

routes = Routes("audit-log", prefix="/audit-log")


def _filters(
    actor: SearchText | None = None,
    action: SearchText | None = None,
    object_type: SearchText | None = None,
    object: SearchText | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> Filters:
    return Filters(
        actor=actor, action=action, object_type=object_type, object=object, since=since, until=until
    )


FiltersDep = Annotated[Filters, Depends(_filters)]


@routes.get("", permission=Permission.AUDIT_READ)
async def list_audit_log(
    control: ControlDep, filters: FiltersDep, limit: Limit = 50, cursor: str | None = None
) -> AuditLogPage:
    """Newest first; `next_cursor` leads to what is older. Filters by part of the actor's email, action, type
    of object, part of the object's name or its id, and time."""
    after = Cursor.decode(cursor) if cursor else None
    async with control.database.read() as conn:
        found = await repository.page(conn, limit + 1, after, filters)
    entries = list(found[:limit])
    more = len(found) > limit
    return AuditLogPage(
        entries=entries, next_cursor=Cursor(entries[-1].at, entries[-1].id).encode() if more else None
    )


@routes.get("/actions", permission=Permission.AUDIT_READ)
async def list_audited_actions(control: ControlDep) -> AuditActions:
    """Every action that the log holds."""
    async with control.database.read() as conn:
        return AuditActions(actions=list(await repository.actions(conn)))


@routes.get("/verification", permission=Permission.AUDIT_READ)
async def verify_audit_log(control: ControlDep) -> AuditVerification:
    """Read the whole log and compute every hash anew."""
    return AuditVerification.model_validate(await chain.verify(control.database))


@routes.get("/export", permission=Permission.AUDIT_READ, response_class=StreamingResponse)
async def export_audit_log(
    control: ControlDep, filters: FiltersDep, format: AuditFormat = AuditFormat.CSV
) -> StreamingResponse:
    """Every entry that fits, newest first, as a file."""
    name = export.file_name(format, control.clock())
    return StreamingResponse(
        export.export(control, format, filters),
        media_type=export.MEDIA_TYPES[format],
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
