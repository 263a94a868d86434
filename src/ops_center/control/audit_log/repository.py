"""Reads the audit log, newest first, all of it or what fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.audit_log.schemas import AuditEntry
from ops_center.control.paging import Cursor
from ops_center.storage.tables import audit_log

_a = audit_log.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What must hold of an entry; None leaves it open. `actor` and `object` are parts of a text."""

    actor: str | None = None
    action: str | None = None
    object_type: str | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    conn: AsyncConnection, limit: int, after: Cursor | None, filters: Filters
) -> Sequence[AuditEntry]:
    """At most `limit` entries, those older than `after` when given."""
    query = select(audit_log).where(*_conditions(filters)).order_by(_a.at.desc(), _a.id.desc()).limit(limit)
    if after is not None:
        position = tuple_(literal(after.at, _a.at.type), after.id)
        query = query.where(tuple_(_a.at, _a.id) < position)
    return [
        AuditEntry(**{name: row[name] for name in AuditEntry.model_fields})
        for row in (await conn.execute(query)).mappings()
    ]


async def actions(conn: AsyncConnection) -> Sequence[str]:
    """Every action that there is an entry of."""
    return (await conn.execute(select(_a.action).distinct().order_by(_a.action))).scalars().all()


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.actor:
        conditions.append(_a.actor_email.icontains(filters.actor, autoescape=True))
    if filters.action:
        conditions.append(_a.action == filters.action)
    if filters.object_type:
        conditions.append(_a.object_type == filters.object_type)
    if filters.object:
        conditions.append(
            _a.object_name.icontains(filters.object, autoescape=True) | (_a.object_id == filters.object)
        )
    if filters.since is not None:
        conditions.append(_a.at >= filters.since)
    if filters.until is not None:
        conditions.append(_a.at < filters.until)
    return conditions
