"""`/notifications`: what was told to whom; what is told, and by which way, is among the settings."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import Limit
from ops_center.control.notifications import service
from ops_center.control.notifications.schemas import (
    NotificationList,
    NotificationTest,
    NotificationTestResult,
)

routes = Routes("notifications", prefix="/notifications")


@routes.get("", permission=Permission.SETTINGS_READ)
async def list_notifications(control: ControlDep, limit: Limit = 20) -> NotificationList:
    """The last deliveries and their outcome, those that still wait included."""
    return await service.list_notifications(control, limit)


@routes.post("/test", permission=Permission.SETTINGS_WRITE)
async def test_notifications(
    control: ControlDep, actor: ActorDep, body: NotificationTest
) -> NotificationTestResult:
    """Send one now by the saved settings: mail to the caller, or a call of the webhook."""
    return await service.send_test(control, actor, body.channel)
