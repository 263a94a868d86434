"""Reads the audit log, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.audit_log.schemas import AuditEntry
from ops_center.control.paging import Cursor
from ops_center.storage.tables import audit_log


async def page(conn: AsyncConnection, limit: int, after: Cursor | None) -> Sequence[AuditEntry]:
    """At most `limit` entries, those older than `after` when given."""
    query = select(audit_log).order_by(audit_log.c.at.desc(), audit_log.c.id.desc()).limit(limit)
    if after is not None:
        position = tuple_(literal(after.at, audit_log.c.at.type), after.id)
        query = query.where(tuple_(audit_log.c.at, audit_log.c.id) < position)
    return [
        AuditEntry(**{name: value for name, value in row._mapping.items() if name != "actor_id"})
        for row in await conn.execute(query)
    ]
