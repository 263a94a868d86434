"""The rows of alerts. One condition has one open row at most, whoever looks: its key is unique while it is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, String, delete, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.paging import Cursor
from ops_center.storage.database import Database
from ops_center.storage.tables import Instant, alerts
from ops_center.types import new_id

_a = alerts.c
State = Literal["open", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    id: str
    rule: str
    subject_id: str
    subject_name: str
    open_key: str | None
    text: str
    figures: Sequence[Mapping[str, Any]]
    requests: str | None
    path: str
    opened_at: datetime
    seen_at: datetime
    calm_since: datetime | None
    closed_at: datetime | None
    closed_text: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    muted_until: datetime | None

    def is_muted(self, now: datetime) -> bool:
        return self.muted_until is not None and self.muted_until > now


async def open_ones(conn: AsyncConnection) -> Sequence[AlertRow]:
    query = select(alerts).where(_a.open_key.is_not(None)).order_by(_a.opened_at, _a.id)
    return [_row(row) for row in await conn.execute(query)]


async def open_one(
    database: Database, conn: AsyncConnection, key: str, values: Mapping[str, Any], now: datetime
) -> AlertRow | None:
    """None when it is open already: somebody else was quicker. What was muted stays so when it comes back."""
    muted_until = await conn.scalar(
        select(_a.muted_until)
        .where(_a.rule == values["rule"], _a.subject_id == values["subject_id"])
        .order_by(_a.opened_at.desc(), _a.id.desc())
        .limit(1)
    )
    if muted_until is not None and muted_until <= now:
        muted_until = None
    new = database.insert_ignoring_duplicates(alerts).values(
        id=new_id("alt"), open_key=key, opened_at=now, seen_at=now, muted_until=muted_until, **values
    )
    if (await conn.execute(new)).rowcount != 1:
        return None
    return _row((await conn.execute(select(alerts).where(_a.open_key == key))).one())


async def change(conn: AsyncConnection, alert_id: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(alerts).where(_a.id == alert_id).values(**values))


async def close(conn: AsyncConnection, alert_id: str, now: datetime, text: str) -> bool:
    """Whether it was still open, and is closed now by this call."""
    done = await conn.execute(
        update(alerts)
        .where(_a.id == alert_id, _a.open_key.is_not(None))
        .values(open_key=None, closed_at=now, closed_text=text)
    )
    return done.rowcount == 1


async def by_id(conn: AsyncConnection, alert_id: str, *, lock: bool = False) -> AlertRow | None:
    query = select(alerts).where(_a.id == alert_id)
    row = (await conn.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else _row(row)


async def page(
    conn: AsyncConnection, state: State | None, cursor: Cursor | None, limit: int
) -> Sequence[AlertRow]:
    """Up to `limit` alerts opened before the cursor, newest first."""
    query = select(alerts).order_by(_a.opened_at.desc(), _a.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_a.open_key.is_not(None) if state == "open" else _a.open_key.is_(None))
    if cursor is not None:
        query = query.where(
            tuple_(_a.opened_at, _a.id) < tuple_(literal(cursor.at, Instant), literal(cursor.id, String))
        )
    return [_row(row) for row in await conn.execute(query)]


async def counts(conn: AsyncConnection, now: datetime) -> tuple[int, int]:
    """How many are open, and how many of these nobody has acknowledged or muted."""
    is_quiet = or_(_a.acknowledged_at.is_not(None), _a.muted_until > now)
    opened = (await conn.execute(select(func.count()).where(_a.open_key.is_not(None)))).scalar_one()
    quiet = (await conn.execute(select(func.count()).where(_a.open_key.is_not(None), is_quiet))).scalar_one()
    return int(opened), int(opened) - int(quiet)


async def forget(conn: AsyncConnection, before: datetime) -> None:
    """Remove what was closed long ago."""
    await conn.execute(delete(alerts).where(_a.closed_at < before))


def _row(row: Row[*tuple[Any, ...]]) -> AlertRow:
    return AlertRow(**row._mapping)
