"""Brings what waits in the outbox to people, with growing pauses between attempts, and gives up in the end.

An attempt counts before it is made, so one that a crash cut off is made again after its claim: a receiver may
see a notification twice, with the same id, but nothing is lost. What is told, and to whom, is `outbox.py`'s.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

import structlog

from ops_center.control.context import Control
from ops_center.control.notifications import outbox
from ops_center.control.notifications.outbox import Notification
from ops_center.control.notifications.settings import NotificationSettings
from ops_center.control.notifications.webhook import refusal, signed_headers, unreached
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import read_secret, read_setting
from ops_center.errors import ProviderError
from ops_center.storage.secrets import SecretError
from ops_center.transport.mail import MailNotSent, MailServer

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 5.0
_AT_ONCE, _AT_A_TIME = 40, 4
TIMEOUT_SECONDS = 20.0

# Close to the example of Standard Webhooks: soon at first, then over most of a day.
PAUSES = tuple(timedelta(seconds=s) for s in (5, 60, 300, 1800, 7200, 18_000, 36_000))


class NotDelivered(Exception):
    """Why, in one sentence. `final`: trying again is of no use."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.final = final


async def keep_delivering(control: Control) -> None:
    """Look for what is due until cancelled; outlives whatever the database does."""
    while True:
        try:
            tried = await deliver_due(control)
        except Exception as error:  # noqa: BLE001 - the next look may find the database well again
            _log.warning("notifications_not_looked_at", error=type(error).__name__)
            tried = 0
        if tried < _AT_ONCE:
            await asyncio.sleep(_LOOK_SECONDS)


async def deliver_due(control: Control) -> int:
    """Try everything that is due once, a few at a time; how many there were."""
    async with control.database.read() as conn:
        ids = await outbox.due(conn, control.clock(), _AT_ONCE)
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def one(notification_id: str) -> None:
        async with gate:
            try:
                await _deliver(control, notification_id)
            except Exception as error:  # noqa: BLE001 - one delivery's trouble is not the others'
                _log.warning("notification_not_tried", id=notification_id, error=type(error).__name__)

    await asyncio.gather(*(one(each) for each in ids))
    return len(ids)


async def _deliver(control: Control, notification_id: str) -> None:
    async with control.database.write() as conn:
        note = await outbox.claim(conn, notification_id, control.clock())
    if note is None:
        return
    try:
        outcome = await send(control, note)
    except NotDelivered as error:
        now = control.clock()
        given_up = error.final or note.attempts > len(PAUSES)
        async with control.database.write() as conn:
            if given_up:
                await outbox.end(conn, note.id, "failed", error.message, now)
            else:
                await outbox.put_off(conn, note.id, now + PAUSES[note.attempts - 1], error.message)
        _log.warning(
            "notification_failed" if given_up else "notification_put_off",
            id=note.id,
            channel=note.channel,
            reason=error.message,
        )
    else:
        async with control.database.write() as conn:
            await outbox.end(conn, note.id, "delivered", outcome, control.clock())


async def send(control: Control, note: Notification) -> str:
    """One attempt by the settings of this moment; what came of it. Raises NotDelivered."""
    async with control.database.read() as conn:
        settings = await read_setting(conn, NotificationSettings)
        organisation = await read_setting(conn, OrganisationSettings)
        field = "smtp_password" if note.channel == "email" else "webhook_secret"
        try:
            secret = await read_secret(conn, control.secrets, NotificationSettings, field)
        except SecretError:
            raise NotDelivered(f"The stored {field} cannot be opened any more: enter it again.") from None
    if note.channel == "email":
        return await _email(control, settings, organisation.name, secret, note)
    return await _webhook(control, settings, secret, note)


async def _email(
    control: Control,
    settings: NotificationSettings,
    organisation: str,
    password: str | None,
    note: Notification,
) -> str:
    if not settings.email_enabled:
        raise NotDelivered("Email was switched off.", final=True)
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=password,
        allow_private_network=settings.allow_private_network,
    )
    message = _message(settings.email_from, organisation, note, control.clock())
    try:
        await control.mailer.send(server, message, timeout_seconds=TIMEOUT_SECONDS)
    except MailNotSent as error:
        raise NotDelivered(error.message, final=error.final) from None
    return f"{server.host} took the mail to {note.recipient}."


def _message(sender: str, organisation: str, note: Notification, at: datetime) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = note.recipient
    message["Subject"] = f"[{organisation or 'Ops-Center'}] {note.subject}"
    message["Date"] = format_datetime(at)
    # Stays the same over every attempt, so that a mail box can tell a second copy.
    message["Message-ID"] = f"<{note.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office notes in answer
    message.set_content(note.body)
    return message


async def _webhook(
    control: Control, settings: NotificationSettings, secret: str | None, note: Notification
) -> str:
    if not settings.webhook_enabled or secret is None:
        raise NotDelivered("The webhook was switched off.", final=True)
    body = note.body.encode()
    try:
        answer = await control.http.fetch(
            "POST",
            settings.webhook_url,
            headers=signed_headers(secret, note.id, control.clock(), body),
            body=body,
            allow_private_network=settings.allow_private_network,
            timeout_seconds=TIMEOUT_SECONDS,
            max_bytes=1_000_000,
        )
    except ProviderError as error:
        raise NotDelivered(unreached(error)) from None
    refused = refusal(answer.status)
    if refused is not None:
        raise NotDelivered(refused[0], final=refused[1])
    return f"The webhook answered {answer.status}."
