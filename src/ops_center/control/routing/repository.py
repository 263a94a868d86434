"""The rules of the newest version of routing, which hold. Versions are written by `routing_versions/`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.tables import routing_versions, users
from ops_center.types import PowerLevel


@dataclass(frozen=True, slots=True)
class RulesRow:
    version: int
    rules: dict[str, Any]
    created_at: datetime


async def newest(conn: AsyncConnection) -> RulesRow | None:
    query = (
        select(routing_versions.c.version, routing_versions.c.rules, routing_versions.c.created_at)
        .order_by(routing_versions.c.version.desc())
        .limit(1)
    )
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else RulesRow(row.version, dict(row.rules or {}), row.created_at)


async def power_level_of(
    conn: AsyncConnection, user_id: str
) -> tuple[str, PowerLevel | None, PowerLevel | None] | None:
    """The email, power level and highest power level of a user; None for an unknown one."""
    query = select(users.c.email, users.c.power_level, users.c.power_level_max).where(users.c.id == user_id)
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        return None
    level, highest = row.power_level, row.power_level_max
    return row.email, PowerLevel(level) if level else None, PowerLevel(highest) if highest else None
