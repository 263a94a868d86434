"""Notifications as JSON."""

from __future__ import annotations

from ops_center.control.fields import Instant, RequestModel, ResponseModel
from ops_center.control.notifications.events import EventType
from ops_center.control.notifications.outbox import Channel, Status


class NotificationEntry(ResponseModel):
    """One delivery. `outcome`: of its last attempt, in one sentence; null before the first."""

    id: str
    type: EventType
    channel: Channel
    recipient: str
    subject: str
    status: Status
    attempts: int
    next_attempt_at: Instant | None
    outcome: str | None
    created_at: Instant
    ended_at: Instant | None


class NotificationList(ResponseModel):
    """The newest first."""

    notifications: list[NotificationEntry]


class NotificationTest(RequestModel):
    channel: Channel


class NotificationTestResult(ResponseModel):
    success: bool
    message: str
    """What came of it, in one sentence."""
