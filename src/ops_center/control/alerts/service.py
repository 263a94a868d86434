"""What may be asked of alerts, and done with them: listed, acknowledged, muted. They open and close by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.alerts import repository
from ops_center.control.alerts.repository import AlertRow, State
from ops_center.control.alerts.schemas import Alert, AlertList, AlertUpdate, Figure, Rule
from ops_center.control.alerts.settings import AlertSettings
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.paging import Cursor
from ops_center.control.settings.repository import read_setting
from ops_center.errors import Conflict, NotFound


async def list_alerts(control: Control, state: State | None, cursor: str | None, limit: int) -> AlertList:
    """Raises Invalid naming `cursor` for one that was not made here."""
    start = Cursor.decode(cursor) if cursor else None
    async with control.database.read() as conn:
        rows = await repository.page(conn, state, start, limit + 1)
        opened, ringing = await repository.counts(conn, control.clock())
        settings = await read_setting(conn, AlertSettings)
    shown = rows[:limit]
    return AlertList(
        alerts=[_public(row, control.clock()) for row in shown],
        next_cursor=Cursor(shown[-1].opened_at, shown[-1].id).encode() if len(rows) > limit else None,
        open=opened,
        ringing=ringing,
        rules=settings,
    )


async def update_alert(control: Control, actor: Actor, alert_id: str, wanted: AlertUpdate) -> Alert:
    """Raises NotFound, or Conflict for one that is closed already."""
    now = control.clock()
    async with control.database.write() as conn:
        before = await _existing(conn, alert_id)
        if before.open_key is None:
            raise Conflict("This alert is closed already")
        values: dict[str, object] = {}
        if wanted.acknowledged is not None:
            values["acknowledged_at"] = now if wanted.acknowledged else None
            values["acknowledged_by"] = actor.email if wanted.acknowledged else None
        if wanted.mute_hours is not None:
            values["muted_until"] = now + timedelta(hours=wanted.mute_hours) if wanted.mute_hours else None
        if values:
            await repository.change(conn, alert_id, values)
        after = await _existing(conn, alert_id)
        await record(
            conn,
            actor,
            "alert.update",
            "alert",
            alert_id,
            f"{before.rule}: {before.subject_name}"[:320],
            {name: _text(getattr(before, name)) for name in values},
            {name: _text(getattr(after, name)) for name in values},
            at=now,
        )
    return _public(after, now)


async def _existing(conn: AsyncConnection, alert_id: str) -> AlertRow:
    row = await repository.by_id(conn, alert_id, lock=True)
    if row is None:
        raise NotFound("There is no alert with this id")
    return row


def _public(row: AlertRow, now: datetime) -> Alert:
    return Alert(
        id=row.id,
        rule=Rule(row.rule),
        subject_id=row.subject_id,
        subject_name=row.subject_name,
        status="closed" if row.open_key is None else "open",
        text=row.text,
        figures=[Figure.model_validate(figure) for figure in row.figures],
        requests=row.requests,
        path=row.path,
        opened_at=row.opened_at,
        seen_at=row.seen_at,
        closed_at=row.closed_at,
        closed_text=row.closed_text,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        muted_until=row.muted_until if row.is_muted(now) else None,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
