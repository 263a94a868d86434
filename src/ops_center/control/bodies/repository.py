"""The rows of kept bodies: sealed bytes per request. No rules: those are in `service.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox, installation_key
from ops_center.storage.tables import request_bodies

_b = request_bodies.c
_KEY_NAME = "bodies"


async def box_of_bodies(database: Database, box: SecretBox, now: datetime) -> SecretBox:
    """What seals bodies: a key of its own, itself sealed by the master key like any other secret, so that a new
    master key need not touch each of them. Made when it is first needed."""
    return SecretBox([await installation_key(database, box, _KEY_NAME, now)])


async def add(database: Database, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    await conn.execute(database.insert_ignoring_duplicates(request_bodies), list(rows))


async def sealed_of(conn: AsyncConnection, request_id: str) -> bytes | None:
    return (await conn.execute(select(_b.sealed).where(_b.request_id == request_id))).scalar_one_or_none()


async def is_kept(conn: AsyncConnection, request_id: str) -> bool:
    return (await conn.execute(select(_b.request_id).where(_b.request_id == request_id))).first() is not None


async def remove_before(conn: AsyncConnection, at: datetime) -> int:
    """How many were older, and are gone."""
    return (await conn.execute(delete(request_bodies).where(_b.started_at < at))).rowcount
