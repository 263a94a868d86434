"""`/alerts`: what rings and what rang; what makes it ring is the section `alerts` of the settings."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.alerts import service
from ops_center.control.alerts.repository import State
from ops_center.control.alerts.schemas import Alert, AlertList, AlertUpdate
from ops_center.control.context import ControlDep
from ops_center.control.fields import Limit, ObjectId

routes = Routes("alerts", prefix="/alerts")


@routes.get("", permission=Permission.ALERTS_READ)
async def list_alerts(
    control: ControlDep, state: State | None = None, cursor: str | None = None, limit: Limit = 50
) -> AlertList:
    """Alerts, the newest first, with how many are open and the rules they go by."""
    return await service.list_alerts(control, state, cursor, limit)


@routes.patch("/{alert_id}", permission=Permission.ALERTS_WRITE)
async def update_alert(control: ControlDep, actor: ActorDep, alert_id: ObjectId, body: AlertUpdate) -> Alert:
    """Acknowledge an open alert, or mute it for some hours."""
    return await service.update_alert(control, actor, alert_id, body)
