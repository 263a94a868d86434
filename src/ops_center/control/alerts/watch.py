"""Looks at traffic and health every half minute, opens alerts and closes them again.

A condition opens one alert, whoever looks: several servers on one database race for its row, and who gets it tells
people, in the same transaction. It is closed once it has been calm for a while, so that a figure that comes and goes
rings once. Judging is `rules.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.alerts import repository, rules
from ops_center.control.alerts.repository import AlertRow
from ops_center.control.alerts.rules import Finding
from ops_center.control.alerts.schemas import Rule
from ops_center.control.alerts.settings import AlertSettings
from ops_center.control.context import Control
from ops_center.control.models.retiring import IN_USE, retiring_in_use
from ops_center.control.notifications import events, outbox
from ops_center.control.settings.repository import read_setting
from ops_center.control.usage import repository as usage
from ops_center.control.usage.conditions import EVERYTHING, Filters
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.filters import requests_of
from ops_center.control.usage.sums import BASIC, NOTHING, Key, Sums, by_value
from ops_center.control.usage.windows import Window
from ops_center.storage.rollups.sums import QUARTER
from ops_center.storage.tables import providers

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 30.0
_FORGET_EVERY = 120  # looks
KEPT = timedelta(days=365)
_RECENT = 3 * QUARTER  # the running quarter-hour and the two before
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK = 7
CALM = timedelta(minutes=10)
_MOST_MOVERS = 2
# What the gateway or a provider failed at; below 500 it is the caller's, its limit's or a client that left.
_FAILED = Filters.only(Dimension.STATUS, "500", "502", "503", "504", "529")


async def keep_alerting(control: Control) -> None:
    """Look until cancelled; outlives whatever the database does."""
    looks = 0
    while True:
        try:
            await look(control)
            if looks % _FORGET_EVERY == 0:
                async with control.database.write() as conn:
                    await repository.forget(conn, control.clock() - KEPT)
        except Exception as error:  # noqa: BLE001 - the next look may find the database well again
            _log.warning("alerts_not_looked_at", error=type(error).__name__)
        looks += 1
        await asyncio.sleep(_LOOK_SECONDS)


async def look(control: Control) -> None:
    """One look at everything that has a rule."""
    await control.drain_journal()
    now = control.clock()
    async with control.database.read() as conn:
        settings = await read_setting(conn, AlertSettings)
        known = {row.open_key: row for row in await repository.open_ones(conn)}
        found = {finding.key: finding for finding in await _findings(control, conn, settings, known, now)}
    for finding in found.values():
        if finding.rings:
            await _rings(control, finding, known.get(finding.key), now)
    for key, row in known.items():
        of_row = found.get(key or "")
        if of_row is None or not of_row.rings:
            await _rests(control, row, of_row, settings, now)


async def _rings(control: Control, finding: Finding, row: AlertRow | None, now: datetime) -> None:
    values = {
        "text": finding.text,
        "figures": [figure.model_dump(mode="json") for figure in finding.figures],
        "requests": finding.requests,
    }
    async with control.database.write() as conn:
        if row is not None:
            await repository.change(conn, row.id, values | {"seen_at": now, "calm_since": None})
            return
        values |= {
            "rule": finding.rule.value,
            "subject_id": finding.subject_id,
            "subject_name": finding.subject_name,
            "path": finding.path,
        }
        opened = await repository.open_one(control.database, conn, finding.key, values, now)
        if opened is not None and not opened.is_muted(now):
            await outbox.post(control, conn, events.alert_opened(opened))


async def _rests(
    control: Control, row: AlertRow, finding: Finding | None, settings: AlertSettings, now: datetime
) -> None:
    """It does not ring at this look: close it once that has lasted, at once where nothing can come back."""
    if not getattr(settings, row.rule):
        await _close(control, row, "Its rule was switched off.", now, told=False)
    elif finding is not None and not finding.calm:
        if row.calm_since is not None:
            async with control.database.write() as conn:
                await repository.change(conn, row.id, {"calm_since": None})
    elif row.rule in (Rule.PROVIDER_DOWN, Rule.RETIREMENT):
        text = finding.calm_text if finding is not None else "It is gone, or not used any more."
        await _close(control, row, text, now, told=finding is not None)
    elif row.calm_since is None:
        async with control.database.write() as conn:
            await repository.change(conn, row.id, {"calm_since": now})
    elif now - row.calm_since >= CALM:
        text = finding.calm_text if finding is not None else "No request in the last half hour."
        await _close(control, row, text, now, told=True)


async def _close(control: Control, row: AlertRow, text: str, now: datetime, *, told: bool) -> None:
    async with control.database.write() as conn:
        if await repository.close(conn, row.id, now, text) and told and not row.is_muted(now):
            await outbox.post(control, conn, events.alert_closed(row, text))


async def _findings(
    control: Control,
    conn: AsyncConnection,
    settings: AlertSettings,
    known: Mapping[str | None, AlertRow],
    now: datetime,
) -> list[Finding]:
    recent = Window.last(_RECENT, now)
    found: list[Finding] = []
    if settings.provider_down:
        found += await _providers(control, conn, known)
    if settings.error_rate:
        found += await _error_rates(conn, settings, recent)
    if settings.latency:
        found += await _latencies(conn, settings, recent)
    if settings.spend and (spend := await _spend(conn, settings, now)) is not None:
        found.append(spend)
    if settings.retirement:
        window = Window.last(IN_USE, now)
        assert window.from_at is not None
        for model in await retiring_in_use(control, conn, now, settings.retirement_days):
            requests = requests_of(
                window.from_at,
                window.to_at,
                Filters(
                    values={
                        Dimension.MODEL: frozenset({model.model}),
                        Dimension.PROVIDER: frozenset({model.provider_id}),
                    }
                ),
            )
            found.append(rules.retirement(model, now.date(), requests))
    return found


async def _providers(
    control: Control, conn: AsyncConnection, known: Mapping[str | None, AlertRow]
) -> list[Finding]:
    """Down: a circuit of it is open, and no call has succeeded since. Back: a call or a test has succeeded.

    Circuits are what traffic of this process ran into, so that an open alert is closed by what is in the database
    alone."""
    rows = (
        await conn.execute(
            select(
                providers.c.id,
                providers.c.name,
                providers.c.enabled,
                providers.c.test_success,
                providers.c.test_at,
            )
        )
    ).all()
    found = []
    for row in rows:
        alert = known.get(f"{Rule.PROVIDER_DOWN}:{row.id}")
        opened = control.health.report(row.id).newest_opened_at
        down = (
            row.enabled
            and opened is not None
            and not await usage.ended_since(conn, row.id, opened, ("success",))
        )
        if not down and alert is None:
            continue
        back = alert is not None and (
            not row.enabled
            or (
                not down
                and (
                    await usage.ended_since(conn, row.id, alert.opened_at, ("success",))
                    or bool(row.test_success and row.test_at and row.test_at >= alert.opened_at)
                )
            )
        )
        since = alert.opened_at if alert is not None else control.clock()
        found.append(
            Finding(
                rule=Rule.PROVIDER_DOWN,
                subject_id=row.id,
                subject_name=row.name,
                rings=down,
                calm=back,
                text="Its last calls have all failed, and requests go elsewhere where they can "
                f"(since {since:%H:%M} UTC).",
                calm_text="Calls succeed again." if row.enabled else "It was disabled.",
                path="/admin/litellm-providers",
                requests=requests_of(
                    since - QUARTER, since + QUARTER, EVERYTHING, Dimension.PROVIDER, row.id
                ),
            )
        )
    return found


async def _error_rates(conn: AsyncConnection, settings: AlertSettings, recent: Window) -> list[Finding]:
    every = await usage.sums(conn, recent, by=Dimension.PROVIDER, figures=["calls"])
    bad = by_value(await usage.sums(conn, recent, by=Dimension.PROVIDER, filters=_FAILED, figures=["calls"]))
    names = _names(every)
    assert recent.from_at is not None
    return [
        rules.error_rate(
            settings,
            ("", "Requests that reached no provider") if value is None else (value, names[value] or value),
            sums.calls,
            bad.get(value, NOTHING).calls,
            requests_of(recent.from_at, recent.to_at, Filters(failed=True), Dimension.PROVIDER, value),
        )
        for value, sums in by_value(every).items()
    ]


async def _latencies(conn: AsyncConnection, settings: AlertSettings, recent: Window) -> list[Finding]:
    now = by_value(
        await usage.sums(conn, recent, by=Dimension.MODEL, figures=["calls"], histograms=["latencies"])
    )
    models = [model for model in now if model is not None]
    if not models:
        return []
    assert recent.from_at is not None
    before = Window(recent.from_at - _WEEK * _DAY, recent.from_at)
    usual = by_value(
        await usage.sums(
            conn, before, by=Dimension.MODEL, only=models, figures=["calls"], histograms=["latencies"]
        )
    )
    found = [
        rules.latency(
            settings,
            model,
            _p95(now[model]),
            _p95(usual.get(model, NOTHING)),
            requests_of(recent.from_at, recent.to_at, EVERYTHING, Dimension.MODEL, model),
        )
        for model in models
    ]
    return [finding for finding in found if finding is not None]


def _p95(sums: Sums) -> tuple[int, float | None]:
    """Of the calls that succeeded: how many, and the time that 95 in 100 did not exceed."""
    return sum(sums.latencies.values()), sums.latency_seconds(0.95)


async def _spend(conn: AsyncConnection, settings: AlertSettings, now: datetime) -> Finding | None:
    """The last four quarter-hours against the same hours of the clock on the seven days before."""
    window = Window.last(_HOUR, now)
    from_at = window.from_at
    first_at = await usage.first_at(conn)
    if first_at is None or from_at is None:
        return None
    zone = await usage.calendar_zone(conn)
    local = from_at.astimezone(zone)
    same_hours = []
    for days in range(1, _WEEK + 1):
        start = (local - days * _DAY).astimezone(from_at.tzinfo)
        if start >= first_at:
            same_hours.append((await usage.totals(conn, Window(start, start + _HOUR))).cost_usd)
    by_key = await usage.sums(conn, window, by=Dimension.API_KEY, figures=BASIC)
    names, keys = _names(by_key), by_value(by_key)
    dearest = sorted(keys, key=lambda key: (-keys[key].cost_usd, key or ""))[:_MOST_MOVERS]
    return rules.spend(
        settings,
        sum((sums.cost_usd for sums in keys.values()), Decimal(0)),
        same_hours,
        {names[key] or key or "no key": keys[key].cost_usd for key in dearest if keys[key].cost_usd},
        requests_of(from_at, window.to_at),
    )


def _names(found: Iterable[Key]) -> dict[str | None, str | None]:
    return {key.value: key.name for key in found}
