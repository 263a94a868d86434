"""Which user a subject of an issuer is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.tables import identities


async def user_of(conn: AsyncConnection, issuer: str, subject: str) -> str | None:
    query = select(identities.c.user_id).where(identities.c.issuer == issuer, identities.c.subject == subject)
    found: str | None = await conn.scalar(query)
    return found


async def bind(
    database: Database, conn: AsyncConnection, issuer: str, subject: str, user_id: str, now: datetime
) -> None:
    await conn.execute(
        database.insert_ignoring_duplicates(identities).values(
            issuer=issuer, subject=subject, user_id=user_id, created_at=now
        )
    )


async def is_bound(conn: AsyncConnection, issuer: str, user_id: str) -> bool:
    """Whether the user is some subject of this issuer already."""
    query = select(identities.c.subject).where(identities.c.issuer == issuer, identities.c.user_id == user_id)
    return (await conn.execute(query.limit(1))).first() is not None
