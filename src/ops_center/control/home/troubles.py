"""What is broken, and what will be: each check looks at one thing and says what it found, in words.

Judges nothing anew: health is `providers`' business, spending `budgets`'. What the caller may not see is not
looked at.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor, Permission
from ops_center.control.alerts import repository as alerts
from ops_center.control.alerts.schemas import Rule
from ops_center.control.budgets import service as budgets
from ops_center.control.byok import repository as byok
from ops_center.control.context import Control
from ops_center.control.home.schemas import Check, State, Trouble
from ops_center.control.models.retiring import retiring_in_use
from ops_center.control.providers import service as providers
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.repository import sums
from ops_center.control.usage.sums import by_value
from ops_center.control.usage.windows import Window
from ops_center.storage.tables import notifications

RETIRES_WITHIN_DAYS = 60
_UNPRICED = timedelta(days=7)
_UNDELIVERED = timedelta(days=1)
_MOST_NAMED = 3
_SEVERITIES = ("broken", "missing", "warning")
_LOOKED_AT = frozenset({Rule.PROVIDER_DOWN.value, Rule.RETIREMENT.value})

Found = tuple[Check, list[Trouble]]


async def look(control: Control, actor: Actor) -> State:
    """Look at everything that the caller may see. Raises what the database raises."""
    at = control.clock()
    found = [await _providers(control), await _budgets(control)]
    async with control.database.read() as conn:
        found += [await _alerts(conn), await _prices(control, conn), await _retirements(control, conn)]
        if actor.may(Permission.BYOK_READ):
            found.append(await _own_keys(conn))
        if actor.may(Permission.SETTINGS_READ):
            found.append(await _notifications(control, conn))
    found.append(_ledger(control))
    troubles = [trouble for _, some in found for trouble in some]
    return State(
        troubles=sorted(troubles, key=lambda trouble: _SEVERITIES.index(trouble.severity)),
        checks=[check for check, _ in found],
        checked_at=at,
    )


async def _providers(control: Control) -> Found:
    every = await providers.list_providers(control)
    enabled = [provider for provider in every if provider.enabled]
    troubles = []
    for provider in enabled:
        path = "/admin/litellm-providers?" + urlencode({"configure": provider.id})
        health = provider.health
        if health.status in ("down", "degraded"):
            refused = bool(control.health.report(provider.id).aside)
            troubles.append(
                Trouble(
                    kind="provider_key" if refused else "provider",
                    severity="broken" if health.status == "down" else "warning",
                    subject=provider.name,
                    text=f"{health.reason}.",
                    since=health.since,
                    path=path if refused else "/admin/litellm-providers",
                    action="Replace its key" if refused else "Test it",
                )
            )
        elif provider.discovery.status == "failed":
            troubles.append(
                Trouble(
                    kind="provider",
                    severity="warning",
                    subject=provider.name,
                    text=f"Its list of models could not be read: {provider.discovery.message or 'no reason given'}",
                    since=provider.discovery.at,
                    path=path,
                    action="Configure it",
                )
            )
        elif not provider.models_count and provider.discovery.status != "pending":
            troubles.append(
                Trouble(
                    kind="provider",
                    severity="warning",
                    subject=provider.name,
                    text="None of its models is enabled, so it serves nothing.",
                    since=None,
                    path="/admin/models?" + urlencode({"provider_id": provider.id}),
                    action="Enable models",
                )
            )
    if every and not enabled:
        troubles.append(
            Trouble(
                kind="provider",
                severity="broken",
                subject="Providers",
                text="Every provider is disabled: no request can be served.",
                since=None,
                path="/admin/litellm-providers",
                action="Enable one",
            )
        )
    if not every:
        missing = Trouble(
            kind="provider",
            severity="missing",
            subject="Providers",
            text="There is none yet, so no request can be served.",
            since=None,
            path="/admin/litellm-providers?add=1",
            action="Add a provider",
        )
        return Check(name="Providers and their keys", found="none yet", well=None), [missing]
    if troubles:
        said = f"{len({trouble.subject for trouble in troubles})} of {len(every)} in trouble"
    else:
        said = f"{len(enabled)} enabled, none in trouble"
    return Check(name="Providers and their keys", found=said, well=not troubles), troubles


async def _budgets(control: Control) -> Found:
    listed = (await budgets.list_budgets(control)).budgets
    troubles = []
    for budget in listed:
        if budget.status not in ("spent", "nearly_spent") or not budget.amount_usd:  # none: closed on purpose
            continue
        spent = budget.status == "spent"
        if spent:
            said = "Requests are refused" if budget.hard else "It only warns: requests go on"
        else:
            said = "Requests will be refused beyond it" if budget.hard else "It only warns"
        troubles.append(
            Trouble(
                kind="budget",
                severity="broken" if spent and budget.hard else "warning",
                subject=budget.subject_name,
                text=f"{budget.share:.0%} of its budget per {budget.period} is spent. {said}.",
                since=None,
                path="/admin/budgets",
                action="See budgets",
            )
        )
    said = "none set" if not listed else f"{len(listed)} set, {len(troubles) or 'none'} at the limit"
    return Check(name="Budgets", found=said, well=not troubles if listed else None), troubles


async def _alerts(conn: AsyncConnection) -> Found:
    """Those that are open; a provider that is down and a model that retires are looked at by themselves."""
    opened = await alerts.open_ones(conn)
    troubles = [
        Trouble(
            kind="alert",
            severity="broken" if row.rule == Rule.ERROR_RATE else "warning",
            subject=row.subject_name,
            text=row.text,
            since=row.opened_at,
            path="/admin/alerts",
            action="See the alert",
        )
        for row in opened
        if row.rule not in _LOOKED_AT
    ]
    return Check(name="Alerts", found=f"{len(opened) or 'none'} open", well=not opened), troubles


async def _prices(control: Control, conn: AsyncConnection) -> Found:
    window = Window.last(_UNPRICED, control.clock())
    of_model = by_value(await sums(conn, window, by=Dimension.MODEL, figures=["calls", "unknown_cost_calls"]))
    unknown = sorted(
        ((model, one.unknown_cost_calls) for model, one in of_model.items() if one.unknown_cost_calls),
        key=lambda pair: (-pair[1], pair[0] or ""),
    )
    if not unknown:
        said = (
            "every request of the last 7 days has a known cost"
            if of_model
            else "no request in the last 7 days"
        )
        return Check(name="Prices", found=said, well=True if of_model else None), []
    calls = sum(calls for _, calls in unknown)
    names = _named([model or "no model" for model, _ in unknown])
    trouble = Trouble(
        kind="price",
        severity="warning",
        subject=unknown[0][0] or "No model" if len(unknown) == 1 else f"{len(unknown)} models",
        text=f"{_requests(calls)} of the last 7 days have no known cost, because nobody knows a price of {names}.",
        since=None,
        path="/admin/models?view=needs-price",
        action="Set a price",
    )
    return Check(
        name="Prices",
        found="1 model needs a price" if len(unknown) == 1 else f"{len(unknown)} models need a price",
        well=False,
    ), [trouble]


async def _retirements(control: Control, conn: AsyncConnection) -> Found:
    if not control.publisher.current.targets:
        return Check(name="Models in use", found="none can be called yet", well=None), []
    now = control.clock()
    found = await retiring_in_use(control, conn, now, RETIRES_WITHIN_DAYS)
    troubles = [
        Trouble(
            kind="retirement",
            severity="warning",
            subject=one.model,
            text=f"{'Retired' if one.retires_on <= now.date() else 'Retires'} on {one.retires_on}. {one.text}",
            since=None,
            path=one.path,
            action="See the model",
        )
        for one in found
    ]
    said = (
        f"{len(found)} {'retires' if len(found) == 1 else 'retire'} soon"
        if found
        else f"none retires within {RETIRES_WITHIN_DAYS} days, as far as is known"
    )
    return Check(name="Models in use", found=said, well=not troubles), troubles


async def _own_keys(conn: AsyncConnection) -> Found:
    keys = [key for key in await byok.everybodys(conn) if key.enabled]
    failing = [key for key in keys if key.failing_since is not None]
    if not failing:
        said = f"{len(keys)}, none refused" if keys else "none"
        return Check(name="Own keys of users", found=said, well=True if keys else None), []
    trouble = Trouble(
        kind="own_keys",
        severity="warning",
        subject="Own keys",
        text=f"Refused by their provider: {len(failing)} of {len(keys)} own keys of users. Their owners were told.",
        since=min(key.failing_since for key in failing if key.failing_since is not None),
        path="/admin/byok",
        action="See whose",
    )
    return Check(name="Own keys of users", found=f"{len(failing)} of {len(keys)} refused", well=False), [
        trouble
    ]


async def _notifications(control: Control, conn: AsyncConnection) -> Found:
    query = select(func.count()).where(
        notifications.c.status == "failed", notifications.c.created_at >= control.clock() - _UNDELIVERED
    )
    failed = int((await conn.execute(query)).scalar_one())
    if not failed:
        return Check(name="Notifications", found="none failed in the last 24 hours", well=True), []
    trouble = Trouble(
        kind="notification",
        severity="warning",
        subject="Notifications",
        text=f"Given up in the last 24 hours, because they could not be delivered: {failed}.",
        since=None,
        path="/admin/settings",
        action="See deliveries",
    )
    return Check(name="Notifications", found=f"{failed} not delivered", well=False), [trouble]


def _ledger(control: Control) -> Found:
    """It answered, or there would be no page; the journal was brought into it before anything was read."""
    rejected = control.rejected_lines()
    if not rejected:
        return Check(name="Ledger", found="up to date, nothing rejected", well=True), []
    trouble = Trouble(
        kind="ledger",
        severity="broken",
        subject="Ledger",
        text=f"Usage records that could not be stored: {rejected:,}, in journal/rejected.jsonl in the data directory.",
        since=None,
        path="/admin/requests",
        action="See requests",
    )
    return Check(name="Ledger", found=f"{rejected} records rejected", well=False), [trouble]


def _requests(calls: int) -> str:
    return "1 request" if calls == 1 else f"{calls:,} requests"


def _named(names: list[str]) -> str:
    shown = names[:_MOST_NAMED]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
