"""The rows of versions of routing, the newest of which holds; none is ever changed or removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.tables import audit_head, routing_versions

_v = routing_versions.c


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """`config` is None where an older release kept the rules alone."""

    version: int
    rules: dict[str, Any]
    config: dict[str, Any] | None
    created_at: datetime
    created_by: str | None
    created_by_email: str
    action: str
    summary: str
    changes_total: int
    restored_from: int | None


async def newest(conn: AsyncConnection, *, alone: bool = False) -> VersionRow | None:
    """With `alone`, no other transaction writes a version (or a line of the audit log) before this one ends."""
    if alone:
        await conn.execute(select(audit_head.c.id).with_for_update())
    query = select(routing_versions).order_by(_v.version.desc()).limit(1)
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else _row(row)


async def by_version(conn: AsyncConnection, version: int) -> VersionRow | None:
    row = (await conn.execute(select(routing_versions).where(_v.version == version))).one_or_none()
    return None if row is None else _row(row)


async def before(conn: AsyncConnection, version: int) -> VersionRow | None:
    query = select(routing_versions).where(_v.version < version).order_by(_v.version.desc()).limit(1)
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else _row(row)


async def after(conn: AsyncConnection, version: int) -> VersionRow | None:
    query = select(routing_versions).where(_v.version > version).order_by(_v.version).limit(1)
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else _row(row)


async def page(conn: AsyncConnection, limit: int, below: int | None) -> Sequence[VersionRow]:
    """At most `limit` versions, the newest first, those below `below` when given."""
    query = select(routing_versions).order_by(_v.version.desc()).limit(limit)
    if below is not None:
        query = query.where(_v.version < below)
    return [_row(row) for row in await conn.execute(query)]


async def add(conn: AsyncConnection, row: VersionRow) -> None:
    await conn.execute(
        insert(routing_versions).values({name: getattr(row, name) for name in VersionRow.__slots__})
    )


def _row(row: Any) -> VersionRow:
    values = dict(row._mapping)
    return VersionRow(**{**values, "rules": dict(values["rules"] or {})})
