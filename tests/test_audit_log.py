"""control/audit_log: every change leaves one line, in the transaction of the change, without secrets."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest

from clock import Clock
from control_fixtures import Clients
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.paging import Cursor
from ops_center.types import Role

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question


async def entries(client: httpx.AsyncClient) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await client.get("/audit-log")).json()["entries"]
    return found


async def test_a_change_is_recorded_with_who_what_and_from_where(control_client: httpx.AsyncClient) -> None:
    bob = (await control_client.post("/users", json={"email": "bob@example.com"})).json()["id"]
    await control_client.patch(f"/users/{bob}", json={"role": "viewer", "name": ""} | {"name": "Bob"})
    changed, created = await entries(control_client)
    assert changed["action"] == "user.update"
    assert changed["actor_email"] == "admin@example.com"
    assert changed["object_type"] == "user"
    assert changed["object_id"] == bob
    assert changed["object_name"] == "bob@example.com"
    assert changed["ip_address"] == "127.0.0.1"
    assert changed["at"] == "2026-11-23T12:00:00Z"
    assert changed["before"] == {"name": "", "role": "user"}
    assert changed["after"] == {"name": "Bob", "role": "viewer"}
    assert created["action"] == "user.create"
    assert created["before"] is None


async def test_keys_leave_their_whole_life(control_client: httpx.AsyncClient) -> None:
    key = (await control_client.post("/me/api-keys", json={"name": "app"})).json()["id"]
    new = (await control_client.post(f"/me/api-keys/{key}/rotate")).json()["id"]
    await control_client.delete(f"/me/api-keys/{new}")
    assert [e["action"] for e in await entries(control_client)] == [
        "api_key.revoke",
        "api_key.rotate",
        "api_key.create",
    ]


async def test_a_refused_change_leaves_no_line(control_client: httpx.AsyncClient) -> None:
    me = (await control_client.get("/me")).json()["id"]
    await control_client.patch(f"/users/{me}", json={"disabled": True})
    await control_client.post("/users", json={"email": "admin@example.com"})
    assert await entries(control_client) == []


async def test_a_change_that_is_rolled_back_takes_its_line_along(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    async def fails_after_the_line() -> None:
        async with control.database.write() as conn:
            await record(conn, None, "x.y", "x", "x_1", "x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails_after_the_line()
    assert await entries(control_client) == []


async def test_secrets_are_masked_and_values_stay_exact(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    before = {"api_key": "sk-old", "nested": {"password": "x", "kept": [1]}, "price": Decimal("0.10")}
    async with control.database.write() as conn:
        await record(conn, None, "x.delete", "x", "x_1", "n" * 1000, before)
    [entry] = await entries(control_client)
    assert entry["before"] == {
        "api_key": "••••",
        "nested": {"password": "••••", "kept": [1]},
        "price": "0.10",
    }
    assert entry["actor_email"] == "system"


async def test_pages_go_back_in_time_without_gap_or_repeat(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    async with control.database.write() as conn:
        for n in range(25):
            await record(conn, None, "x.y", "x", f"x_{n}", str(n), at=clock())
            if n % 3 == 2:  # several lines within one instant
                clock.advance(1)
    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while True:
        query = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
        page = (await control_client.get("/audit-log", params=query)).json()
        seen += [entry["object_name"] for entry in page["entries"]]
        pages += 1
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == 4
    assert len(seen) == len(set(seen)) == 25
    assert seen[0] in ("24", "23", "22")


@pytest.mark.parametrize("cursor", ["x", "%00", "////", "MTIz", "é", Cursor.__doc__])
async def test_a_made_up_cursor_is_a_422(control_client: httpx.AsyncClient, cursor: str) -> None:
    answer = await control_client.get("/audit-log", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "cursor"


@one_engine
@pytest.mark.parametrize("limit", ["0", "201", "x"])
async def test_a_page_has_1_to_200_entries(control_client: httpx.AsyncClient, limit: str) -> None:
    answer = await control_client.get("/audit-log", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "limit"


async def test_only_an_admin_reads_it(clients: Clients) -> None:
    for role in (Role.OPERATOR, Role.VIEWER, Role.USER):
        assert (await (await clients.signed_in(role)).get("/audit-log")).status_code == 403
