"""Looks for what is worth telling and is no alert: budgets at a threshold, refused keys.

What a look finds goes into the outbox at most once, whoever looks. It judges nothing by itself: spending is
the ledger's, and who is set aside is what traffic of this process ran into (`health.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy import select

from ops_center.control.budgets import repository as budgets_repository
from ops_center.control.budgets.service import measured
from ops_center.control.context import Control
from ops_center.control.notifications import events, outbox
from ops_center.control.notifications.events import Event
from ops_center.control.notifications.settings import NotificationSettings
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import read_setting
from ops_center.storage.tables import api_keys, credentials, providers
from ops_center.types import BudgetScope

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 30.0
_FORGET_EVERY = 120  # looks
_FORECAST_FROM = 0.25  # of a budget: before that, one busy morning would be an alarm


async def keep_watch(control: Control) -> None:
    """Look until cancelled; outlives whatever the database does."""
    looks = 0
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            await look(control)
            if looks % _FORGET_EVERY == 0:
                async with control.database.write() as conn:
                    await outbox.forget(conn, control.clock() - outbox.KEPT)
        except Exception as error:  # noqa: BLE001 - the next look may find the database well again
            _log.warning("watch_failed", error=type(error).__name__)
        looks += 1


async def look(control: Control) -> None:
    """One look at everything; nothing at all while nobody is to be told."""
    async with control.database.read() as conn:
        settings = await read_setting(conn, NotificationSettings)
    if not (settings.email_enabled or settings.webhook_enabled):
        return
    await control.drain_journal()
    await _look_at_budgets(control)
    await _look_at_keys(control)


async def _look_at_budgets(control: Control) -> None:
    found: list[Event] = []
    async with control.database.read() as conn:
        zone = (await read_setting(conn, OrganisationSettings)).zone
        for budget in await measured(control, conn, await budgets_repository.listed(conn)):
            reached = [percent for percent in budget.warn_at if budget.share * 100 >= percent]
            ahead = bool(budget.warn_at) and budget.runs_out_at is not None and budget.share >= _FORECAST_FROM
            if not (reached or ahead) or not budget.amount_usd:  # none at all is how a subject is closed
                continue
            owner_id = budget.subject_id
            if budget.scope is BudgetScope.API_KEY:
                owner_id = await conn.scalar(
                    select(api_keys.c.user_id).where(
                        api_keys.c.id == budget.subject_id, api_keys.c.team_id.is_(None)
                    )
                )
            elif budget.scope is not BudgetScope.USER:
                owner_id = None
            # Only the highest: who went past two at once is told of one.
            told = [events.budget_threshold(budget, max(reached), owner_id)] if reached else []
            if ahead:
                told.append(events.budget_runs_out(budget, zone, owner_id))
            found += [event for event in told if not await outbox.is_known(conn, event.key)]
    await _post(control, found)


async def _look_at_keys(control: Control) -> None:
    now = control.clock()
    async with control.database.read() as conn:
        rows = (
            await conn.execute(
                select(
                    providers.c.id,
                    providers.c.name,
                    providers.c.enabled,
                )
            )
        ).all()
        keys: dict[str, set[str]] = {}
        for key in await conn.execute(
            select(credentials.c.id, credentials.c.provider_id).where(
                credentials.c.provider_id.is_not(None), credentials.c.enabled
            )
        ):
            keys.setdefault(key.provider_id, set()).add(key.id)
        refused: list[Event] = []
        for row in rows:
            mine = keys.get(row.id, set())
            aside = {trouble.credential_id for trouble in control.health.report(row.id).aside} & mine
            for credential_id in sorted(aside) if row.enabled else ():
                event = events.key_set_aside(row.id, row.name, credential_id, len(aside), len(mine), now)
                if not await outbox.is_known(conn, event.key):
                    refused.append(event)
    await _post(control, refused)


async def _post(control: Control, found: Sequence[Event]) -> None:
    for event in found:
        async with control.database.write() as conn:
            await outbox.post(control, conn, event)
