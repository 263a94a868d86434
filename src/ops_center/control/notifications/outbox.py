"""Notifications as rows: written in the transaction of what they tell, and there until delivered or given up.

An event's key is told once; a delivery is claimed before it is tried, so two processes never try one at the
same time, and one that was cut off is tried again after its claim has run out. Nothing is sent here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.context import Control
from ops_center.control.notifications.events import Event
from ops_center.control.notifications.settings import NotificationSettings
from ops_center.control.settings.repository import read_setting
from ops_center.storage.tables import notifications, users
from ops_center.types import Role, new_id

Channel = Literal["email", "webhook"]
Status = Literal["pending", "delivered", "failed"]

CLAIM = timedelta(minutes=2)  # longer than any attempt may take
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Notification:
    """`body`: the text of an e-mail, the JSON of a webhook, as it is sent. `recipient`: an address; of a
    webhook its URL at the time of the event, without query."""

    id: str
    event: str
    type: str
    channel: Channel
    recipient: str
    subject: str
    body: str
    status: Status
    attempts: int
    next_attempt_at: datetime | None
    outcome: str | None
    created_at: datetime
    ended_at: datetime | None


async def is_known(conn: AsyncConnection, key: str) -> bool:
    """Whether this event was told before."""
    query = select(notifications.c.id).where(notifications.c.event == key).limit(1)
    return (await conn.execute(query)).first() is not None


async def post(control: Control, conn: AsyncConnection, event: Event) -> int:
    """Put one row per recipient; how many were new. None while neither way is switched on."""
    settings = await read_setting(conn, NotificationSettings)
    if not (settings.email_enabled or settings.webhook_enabled) or await is_known(conn, event.key):
        return 0
    now = control.clock()
    base = control.public_url.rstrip("/")
    rows: list[tuple[Channel, str, str]] = []
    if settings.email_enabled:
        for user_id, email, is_admin in await _people(conn, event):
            own = user_id == event.owner_id and not is_admin
            link = base + (event.owner_path if own or not event.admins else event.admin_path)
            rows.append(("email", email, f"{event.text}\n\n{link}\n"))
    if settings.webhook_enabled:
        payload = {
            "type": event.type,
            "timestamp": now.isoformat().replace("+00:00", "Z"),
            "data": {**event.data, "message": event.subject, "link": base + event.admin_path},
        }
        host = settings.webhook_url.partition("?")[0]
        rows.append(("webhook", host[:320], json.dumps(payload, ensure_ascii=False)))
    for channel, recipient, body in rows:
        one = control.database.insert_ignoring_duplicates(notifications).values(
            id=new_id("ntf"),
            event=event.key,
            type=event.type,
            channel=channel,
            recipient=recipient,
            subject=event.subject[:300],
            body=body,
            status="pending",
            attempts=0,
            next_attempt_at=now,
            created_at=now,
        )
        await conn.execute(one)
    return len(rows)


async def _people(conn: AsyncConnection, event: Event) -> Sequence[tuple[str, str, bool]]:
    """Who gets mail: id, address, and whether an admin."""
    query = select(users.c.id, users.c.email, users.c.role).where(users.c.disabled_at.is_(None))
    concerned = users.c.id == (event.owner_id or "")
    query = query.where((users.c.role == Role.ADMIN.value) | concerned if event.admins else concerned)
    found = await conn.execute(query.order_by(users.c.id))
    return [(row.id, row.email, row.role == Role.ADMIN.value) for row in found]


async def due(conn: AsyncConnection, now: datetime, limit: int) -> Sequence[str]:
    """The ids of what waits to be tried, the oldest first."""
    query = (
        select(notifications.c.id)
        .where(notifications.c.status == "pending", notifications.c.next_attempt_at <= now)
        .order_by(notifications.c.next_attempt_at, notifications.c.id)
        .limit(limit)
    )
    return list((await conn.execute(query)).scalars())


async def claim(conn: AsyncConnection, notification_id: str, now: datetime) -> Notification | None:
    """Take one for an attempt, which counts from now on; None when somebody else has it."""
    taken = await conn.execute(
        update(notifications)
        .where(
            notifications.c.id == notification_id,
            notifications.c.status == "pending",
            notifications.c.next_attempt_at <= now,
        )
        .values(attempts=notifications.c.attempts + 1, next_attempt_at=now + CLAIM)
    )
    if taken.rowcount != 1:
        return None
    query = select(notifications).where(notifications.c.id == notification_id)
    return _row((await conn.execute(query)).one())


async def end(
    conn: AsyncConnection, notification_id: str, status: Status, outcome: str, now: datetime
) -> None:
    await conn.execute(
        update(notifications)
        .where(notifications.c.id == notification_id)
        .values(status=status, outcome=outcome, next_attempt_at=None, ended_at=now)
    )


async def put_off(conn: AsyncConnection, notification_id: str, until: datetime, outcome: str) -> None:
    await conn.execute(
        update(notifications)
        .where(notifications.c.id == notification_id)
        .values(outcome=outcome, next_attempt_at=until)
    )


async def latest(conn: AsyncConnection, limit: int) -> Sequence[Notification]:
    query = select(notifications).order_by(notifications.c.id.desc()).limit(limit)
    return [_row(row) for row in await conn.execute(query)]


async def forget(conn: AsyncConnection, before: datetime) -> None:
    """Remove what ended long ago; no event of a period that still runs is that old."""
    await conn.execute(
        delete(notifications).where(notifications.c.created_at < before, notifications.c.status != "pending")
    )


def _row(row: Row[tuple[object, ...]]) -> Notification:
    return Notification(**row._mapping)
