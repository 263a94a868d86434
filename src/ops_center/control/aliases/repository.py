"""The rows of aliases that differ from the packaged ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.tables import aliases


async def listed(conn: AsyncConnection) -> dict[str, tuple[str, ...]]:
    """Candidates by name."""
    rows = await conn.execute(select(aliases.c.name, aliases.c.candidates).order_by(aliases.c.name))
    return {row.name: tuple(row.candidates) for row in rows}


async def by_name(conn: AsyncConnection, name: str) -> tuple[str, ...] | None:
    query = select(aliases.c.candidates).where(aliases.c.name == name)
    found = (await conn.execute(query)).scalar_one_or_none()
    return None if found is None else tuple(found)


async def put(conn: AsyncConnection, name: str, candidates: Sequence[str], at: datetime) -> None:
    """Make it, or change it. Raises IntegrityError when somebody makes it at the same moment."""
    values = {"candidates": list(candidates), "updated_at": at}
    changed = await conn.execute(update(aliases).where(aliases.c.name == name).values(**values))
    if not changed.rowcount:
        await conn.execute(insert(aliases).values(name=name, **values))


async def remove(conn: AsyncConnection, name: str) -> None:
    await conn.execute(delete(aliases).where(aliases.c.name == name))
