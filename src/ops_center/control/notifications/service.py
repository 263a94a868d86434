"""What may be asked about notifications: what went out, and whether the settings work."""

from __future__ import annotations

import json

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.notifications import outbox
from ops_center.control.notifications.delivery import NotDelivered, send
from ops_center.control.notifications.outbox import Channel, Notification
from ops_center.control.notifications.schemas import (
    NotificationEntry,
    NotificationList,
    NotificationTestResult,
)
from ops_center.types import new_id


async def list_notifications(control: Control, limit: int) -> NotificationList:
    async with control.database.read() as conn:
        found = await outbox.latest(conn, limit)
    return NotificationList(
        notifications=[
            NotificationEntry.model_validate(
                {name: getattr(one, name) for name in NotificationEntry.model_fields}
            )
            for one in found
        ]
    )


async def send_test(control: Control, actor: Actor, channel: Channel) -> NotificationTestResult:
    """One attempt right now by the saved settings, to the caller or to the webhook; it is not kept."""
    now = control.clock()
    subject = "A test of notifications"
    link = f"{control.public_url.rstrip('/')}/admin/settings"
    payload = {
        "type": "test",
        "timestamp": now.isoformat().replace("+00:00", "Z"),
        "data": {"message": subject, "link": link},
    }
    text = f"{actor.email} has sent this to see whether it arrives. It does.\n\n{link}\n"
    note = Notification(
        id=new_id("ntf"),
        event="test",
        type="test",
        channel=channel,
        recipient=actor.email if channel == "email" else "",
        subject=subject,
        body=text if channel == "email" else json.dumps(payload),
        status="pending",
        attempts=1,
        next_attempt_at=None,
        outcome=None,
        created_at=now,
        ended_at=None,
    )
    try:
        result = NotificationTestResult(success=True, message=await send(control, note))
    except NotDelivered as error:
        result = NotificationTestResult(success=False, message=error.message)
    async with control.database.write() as conn:
        await record(
            conn,
            actor,
            "settings.test",
            "settings",
            "notifications",
            "notifications",
            None,
            {"channel": channel, "success": result.success, "message": result.message},
            at=control.clock(),
        )
    return result
