"""control/alerts: each rule rings and is calm again on real sums, once, whoever looks, and tells people once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert, select, update

from clock import Clock
from control_fixtures import Clients, ScriptedFetcher
from ledger_rows import add_records, attempt, record
from ops_center.control.alerts.settings import AlertSettings
from ops_center.control.alerts.watch import CALM, look
from ops_center.control.context import Control
from ops_center.errors import ProviderFailed
from ops_center.health import FAILURES_IN_A_ROW, Health
from ops_center.storage.database import Database
from ops_center.storage.tables import attempts, models, notifications, usage_records
from ops_center.transport.client import FetchAnswer
from test_health import Time, fail

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Row = dict[str, Any]


@pytest.fixture
async def admin(control_client: httpx.AsyncClient, http_fetcher: ScriptedFetcher) -> httpx.AsyncClient:
    """An admin whose webhook is told; where it leads to is no matter here."""
    answer = await control_client.patch(
        "/settings",
        json={
            "notifications": {
                "webhook_enabled": True,
                "webhook_url": "https://hooks.example.com/ops",
                "webhook_secret": "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=",
            }
        },
    )
    assert answer.status_code == 200, answer.text
    return control_client


async def told(control: Control) -> list[tuple[str, str]]:
    """Type and subject of everything that was told, oldest first."""
    async with control.database.read() as conn:
        rows = await conn.execute(select(notifications).order_by(notifications.c.id))
        return [(row.type, row.subject) for row in rows]


async def alerts(client: httpx.AsyncClient, state: str | None = None) -> list[Row]:
    answer = await client.get("/alerts", params={"state": state} if state else {})
    assert answer.status_code == 200, answer.text
    found: list[Row] = answer.json()["alerts"]
    return found


async def only(database: Database, rows: list[Row]) -> None:
    """Let these be all records there are."""
    async with database.write() as conn:
        await conn.execute(delete(usage_records))
    await add_records(database, rows)


def failing(at: datetime, failed: int, calls: int, **fields: Any) -> list[Row]:
    return [record(at, status=503 if n < failed else 200, **fields) for n in range(calls)]


async def test_many_failures_ring_once_and_are_over_once_it_has_been_calm(
    admin: httpx.AsyncClient, control: Control, clock: Clock, database: Database
) -> None:
    now = clock() - MINUTE
    await only(database, failing(now, 1, 2))  # half of two says nothing
    await look(control)
    assert await alerts(admin) == []
    await only(
        database, failing(now, 3, 20) + [record(now, status=429) for _ in range(9)]
    )  # the caller's own limit
    await look(control)
    assert await alerts(admin) == []

    await only(database, failing(now, 4, 20))
    await asyncio.gather(*(look(control) for _ in range(3)))  # several servers at once
    for _ in range(2):
        await look(control)
    [alert] = await alerts(admin, "open")
    assert (alert["rule"], alert["subject_name"], alert["status"]) == ("error_rate", "OpenAI", "open")
    figures = {figure["name"]: figure["value"] for figure in alert["figures"]}
    assert figures == {"Failed requests": 4, "Requests": 20, "Error rate": 0.2, "Threshold": 0.2}
    behind = await admin.get(f"/llm/requests?{alert['requests']}")
    assert len(behind.json()["requests"]) == 4
    assert await told(control) == [("alert.opened", "Many requests fail: OpenAI")]

    # in the gap between ringing and calm it stays open, however long
    await only(database, failing(now, 3, 20))
    for _ in range(3):
        clock.advance(240)
        await look(control)
        await only(database, failing(clock() - MINUTE, 3, 20))
    assert len(await alerts(admin, "open")) == 1

    await only(database, failing(clock() - MINUTE, 1, 20))
    await look(control)
    clock.advance(300)
    await look(control)
    assert len(await alerts(admin, "open")) == 1  # not yet long enough
    clock.advance(301)
    await only(database, failing(clock() - MINUTE, 1, 20))
    await asyncio.gather(*(look(control) for _ in range(3)))
    [closed] = await alerts(admin)
    assert (closed["status"], closed["closed_text"]) == ("closed", "1 of 20 requests failed (5%).")
    assert [type for type, _ in await told(control)] == ["alert.opened", "alert.closed"]


async def test_a_slow_model_rings_against_its_own_week(
    admin: httpx.AsyncClient, control: Control, clock: Clock, database: Database
) -> None:
    usual = [
        record(clock() - DAY, model=model, duration_seconds=4)
        for model in ("slow", "steady")
        for _ in range(100)
    ]
    now = [record(clock() - MINUTE, model="slow", duration_seconds=9) for _ in range(20)]
    now += [record(clock() - MINUTE, model="steady", duration_seconds=7) for _ in range(20)]
    now += [
        record(clock() - MINUTE, model="new", duration_seconds=60) for _ in range(50)
    ]  # nothing to compare with
    await only(database, usual + now)
    await look(control)
    [alert] = await alerts(admin)
    assert (alert["rule"], alert["subject_id"]) == ("latency", "slow")
    figures = {figure["name"]: figure["value"] for figure in alert["figures"]}
    assert figures["Latency p95"] == pytest.approx(9, rel=0.05)
    assert figures["Usual p95"] == pytest.approx(4, rel=0.05)
    assert figures["Threshold"] == pytest.approx(8, rel=0.05)


async def test_spending_rings_against_the_same_hour_of_recent_days(
    admin: httpx.AsyncClient, control: Control, clock: Clock, database: Database
) -> None:
    before = [record(clock() - n * DAY - 10 * MINUTE, cost_usd=Decimal(2)) for n in range(1, 8)]
    other_hours = [record(clock() - n * DAY - 300 * MINUTE, cost_usd=Decimal(90)) for n in range(1, 8)]
    # a history that began before the oldest hour that is compared
    first = [record(clock() - 8 * DAY, cost_usd=Decimal(0))]
    now = [record(clock() - 10 * MINUTE, cost_usd=Decimal("5.99"))]
    await only(database, before + other_hours + first + now)
    await look(control)
    assert await alerts(admin) == []
    await only(database, before + other_hours + first + [record(clock() - 10 * MINUTE, cost_usd=Decimal(6))])
    await look(control)
    [alert] = await alerts(admin)
    assert (alert["rule"], alert["subject_id"]) == ("spend", "")
    assert {figure["name"]: figure["value"] for figure in alert["figures"]} == {
        "Spent in the last hour": 6,
        "Usual for this hour": 2,
        "Threshold": 6,
        "Days compared": 7,
    }
    assert "Most by laptop $6.00." in alert["text"]
    # two days say too little
    await control_patch(admin, spend=False)
    await look(control)
    await control_patch(admin, spend=True)
    await only(database, [record(clock() - n * DAY - 10 * MINUTE) for n in (1, 2)] + now)
    await look(control)
    assert await alerts(admin, "open") == []


async def control_patch(client: httpx.AsyncClient, **alerts: Any) -> None:
    answer = await client.patch("/settings", json={"alerts": alerts})
    assert answer.status_code == 200, answer.text


async def add_provider(client: httpx.AsyncClient, http_fetcher: ScriptedFetcher, control: Control) -> str:
    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(
        200, {}, b'{"data": [{"id": "gpt-4o"}]}'
    )
    made = await client.post(
        "/llm/providers", json={"name": "OpenAI", "type": "openai", "api_key": "sk-canary-4b1d0c9e8f7a6b5c"}
    )
    await control.background.finished()
    return str(made.json()["id"])


async def test_a_model_in_use_that_retires_rings_until_it_is_used_no_more(
    admin: httpx.AsyncClient,
    control: Control,
    clock: Clock,
    database: Database,
    http_fetcher: ScriptedFetcher,
) -> None:
    provider = await add_provider(admin, http_fetcher, control)
    async with database.write() as conn:
        await conn.execute(
            update(models).values(discovered={"retires_on": "2026-12-20", "successor": "gpt-5"})
        )
    await control.publisher.publish()
    await look(control)
    assert await alerts(admin) == []  # nobody uses it
    await only(database, [record(clock() - DAY, provider_id=provider) for _ in range(3)])
    for _ in range(2):
        await look(control)
    [alert] = await alerts(admin)
    assert (alert["rule"], alert["subject_name"]) == ("retirement", "gpt-4o at OpenAI")
    assert "retires on 2026-12-20. 3 requests" in alert["text"] and "gpt-5" in alert["text"]
    assert len((await admin.get(f"/llm/requests?{alert['requests']}")).json()["requests"]) == 3
    await control_patch(admin, retirement_days=20)
    await look(control)
    assert await alerts(admin, "open") == []
    assert len(await told(control)) == 1


async def test_a_provider_that_goes_down_rings_once_and_so_does_its_return(
    admin: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    provider_id = await add_provider(admin, http_fetcher, control)
    time = Time()
    here = replace(control, health=Health(monotonic=time, clock=clock))
    there = next(t for t in here.publisher.current.targets if t.provider.id == provider_id)

    async def called(outcome: str, number: int) -> None:
        async with control.database.write() as conn:
            await conn.execute(
                insert(attempts).values(
                    attempt("req_x", clock(), provider_id=provider_id, outcome=outcome, number=number)
                )
            )

    fail(here.health, there, ProviderFailed("x", detail="HTTP 500 canary"), FAILURES_IN_A_ROW - 1)
    await look(here)
    assert await alerts(admin) == []
    fail(here.health, there, ProviderFailed("x", detail="HTTP 500 canary"))
    await called("provider_failed", 1)
    for _ in range(2):
        await look(here)
    assert await told(control) == [("provider.down", "OpenAI is down")]
    home = (await admin.get("/home")).json()["state"]["troubles"]
    assert [(trouble["kind"], trouble["severity"]) for trouble in home] == [
        ("provider", "broken")
    ]  # said once

    after_restart = replace(control, health=Health(monotonic=time, clock=clock))
    clock.advance(60)
    await look(after_restart)
    assert len(await alerts(admin, "open")) == 1  # nothing has shown yet that it is back
    await called("success", 2)
    for _ in range(2):
        await look(after_restart)
    assert await told(control) == [("provider.down", "OpenAI is down"), ("provider.up", "OpenAI is back")]
    assert "canary" not in json.dumps(await alerts(admin))


async def test_acknowledged_and_muted_alerts_keep_still(
    clients: Clients, admin: httpx.AsyncClient, control: Control, clock: Clock, database: Database
) -> None:
    await only(database, failing(clock() - MINUTE, 20, 20))
    await look(control)
    assert (await admin.get("/alerts")).json() | {"open": 1, "ringing": 1} == (
        await admin.get("/alerts")
    ).json()
    [alert] = await alerts(admin)
    home = (await admin.get("/home")).json()["state"]["troubles"]
    assert [trouble["path"] for trouble in home if trouble["kind"] == "alert"] == ["/admin/alerts"]
    viewer, operator = await clients.signed_in("viewer"), await clients.signed_in("operator")
    assert (await viewer.get("/alerts")).status_code == 200
    assert (await viewer.patch(f"/alerts/{alert['id']}", json={"acknowledged": True})).status_code == 403
    taken = (await operator.patch(f"/alerts/{alert['id']}", json={"acknowledged": True})).json()
    assert taken["acknowledged_by"].startswith("operator-") and taken["acknowledged_at"]
    assert (await admin.get("/alerts")).json()["ringing"] == 0
    given_back = await operator.patch(f"/alerts/{alert['id']}", json={"acknowledged": False})
    assert given_back.json()["acknowledged_by"] is None
    muted = (await operator.patch(f"/alerts/{alert['id']}", json={"mute_hours": 2})).json()
    assert datetime.fromisoformat(muted["muted_until"]) == clock() + timedelta(hours=2)
    assert (await admin.get("/alerts")).json()["ringing"] == 0

    # muted, it closes and comes back without a word
    async def comes_back() -> None:
        await only(database, failing(clock() - MINUTE, 0, 20))
        await look(control)
        clock.advance(CALM.total_seconds())
        await only(database, failing(clock() - MINUTE, 0, 20))
        await look(control)
        assert await alerts(admin, "open") == []
        await only(database, failing(clock() - MINUTE, 20, 20))
        await look(control)

    await comes_back()
    assert len(await told(control)) == 1
    [again] = await alerts(admin, "open")
    assert again["id"] != alert["id"] and again["muted_until"] == muted["muted_until"]
    refused = await operator.patch(f"/alerts/{alert['id']}", json={"acknowledged": True})
    assert (refused.status_code, refused.json()["error"]["message"]) == (409, "This alert is closed already")
    await operator.patch(f"/alerts/{again['id']}", json={"mute_hours": 0})
    await comes_back()
    assert [type for type, _ in await told(control)] == ["alert.opened", "alert.closed", "alert.opened"]

    # the list is walked by cursor, newest first
    first = (await admin.get("/alerts", params={"limit": 2})).json()
    rest = (await admin.get("/alerts", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert (len(first["alerts"]), len(rest["alerts"]), rest["next_cursor"]) == (2, 1, None)
    logged = (await admin.get("/audit-log", params={"action": "alert.update"})).json()["entries"]
    assert len(logged) == 4


@one_engine
async def test_a_rule_can_be_tuned_and_switched_off(
    admin: httpx.AsyncClient, control: Control, clock: Clock, database: Database
) -> None:
    await only(database, failing(clock() - MINUTE, 1, 5))
    await look(control)
    assert await alerts(admin) == []
    await control_patch(admin, error_rate_least_requests=5, error_rate_percent=10)
    await look(control)
    assert len(await alerts(admin, "open")) == 1
    await control_patch(admin, error_rate=False)
    await look(control)
    [closed] = await alerts(admin)
    assert closed["closed_text"] == "Its rule was switched off."
    assert len(await told(control)) == 1  # who switched it off knows
    listed = (await admin.get("/alerts")).json()["rules"]
    assert (listed["error_rate"], listed["error_rate_percent"], listed["spend_least_usd"]) == (False, 10, 1)
    for field, value in (
        ("error_rate_percent", 0),
        ("error_rate_percent", 101),
        ("latency_factor", 1),
        ("spend_least_usd", -1),
        ("retirement_days", 0),
        ("error_rate", "yes"),
    ):
        answer = await admin.patch("/settings", json={"alerts": {field: value}})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, f"alerts.{field}")
    assert AlertSettings() == AlertSettings.model_validate(AlertSettings().model_dump(mode="json"))


@one_engine
async def test_an_alert_without_traffic_ends_after_a_while(
    admin: httpx.AsyncClient, control: Control, clock: Clock, database: Database
) -> None:
    await only(database, failing(clock() - MINUTE, 20, 20))
    await look(control)
    clock.advance(3600)  # the night
    await look(control)
    clock.advance(CALM.total_seconds())
    await look(control)
    [closed] = await alerts(admin)
    assert closed["closed_text"] == "No request in the last half hour."
    assert datetime.fromisoformat(closed["opened_at"]).astimezone(UTC) < clock()
