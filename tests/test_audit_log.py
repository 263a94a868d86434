"""control/audit_log: every change leaves one line, in the transaction of the change, without secrets."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clock import Clock
from control_fixtures import Clients
from ops_center.control.audit_log.chain import BEFORE_THE_FIRST, Noted, verify
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.paging import Cursor
from ops_center.storage.database import Database
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


# ---- the chain


async def write_entries(database: Database, count: int, clock: Clock) -> None:
    for n in range(count):
        async with database.write() as conn:
            await record(conn, None, "x.y", "x", f"x_{n}", "ü", {"n": n}, {"n": n + 1, "f": 0.1}, at=clock())
        clock.advance(1)


async def tamper(database: Database, statement: str) -> None:
    """What somebody with the database in hand may do: take the triggers away first."""
    async with database.write() as conn:
        if database.dialect == "sqlite":
            await conn.execute(text("DROP TRIGGER audit_log_refuses_update"))
            await conn.execute(text("DROP TRIGGER audit_log_refuses_delete"))
        else:
            await conn.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        await conn.execute(text(statement))


async def test_an_empty_log_is_intact(database: Database) -> None:
    found = await verify(database)
    assert (found.intact, found.entries, found.hash) == (True, 0, BEFORE_THE_FIRST)


async def test_every_entry_hangs_on_the_one_before(
    database: Database, clock: Clock, control_client: httpx.AsyncClient
) -> None:
    await write_entries(database, 3, clock)
    newest, middle, oldest = (await control_client.get("/audit-log")).json()["entries"]
    assert [entry["sequence"] for entry in (oldest, middle, newest)] == [1, 2, 3]
    found = (await control_client.get("/audit-log/verification")).json()
    assert found == {
        "intact": True,
        "entries": 3,
        "sequence": 3,
        "at": newest["at"],
        "hash": newest["hash"],
        "problem": None,
    }
    assert (await verify(database, Noted(2, middle["hash"]))).intact
    assert not (await verify(database, Noted(2, newest["hash"]))).intact
    assert "ends before" in str((await verify(database, Noted(4, newest["hash"]))).problem)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET actor_email = 'x'", "DELETE FROM audit_log WHERE sequence = 2"]
)
async def test_the_database_refuses_to_change_or_remove_an_entry(
    database: Database, clock: Clock, statement: str
) -> None:
    await write_entries(database, 3, clock)

    async def attempt() -> None:
        async with database.write() as conn:
            await conn.execute(text(statement))

    with pytest.raises(DBAPIError, match="append-only"):
        await attempt()
    assert (await verify(database)).entries == 3


@pytest.mark.parametrize(
    ("statement", "in_order", "problem"),
    [
        ("UPDATE audit_log SET actor_email = 'nobody' WHERE sequence = 2", 1, "Entry 2 is not what was"),
        ("UPDATE audit_log SET at = at + 1 WHERE sequence = 3", 2, "Entry 3 is not what was written"),
        ("UPDATE audit_log SET after = '{}' WHERE sequence = 1", 0, "Entry 1 is not what was written"),
        ("UPDATE audit_log SET hash = previous_hash WHERE sequence = 4", 3, "Entry 4 is not what was"),
        ("DELETE FROM audit_log WHERE sequence = 2", 1, "Entry 2 is missing"),
        ("DELETE FROM audit_log WHERE sequence > 2", 2, "after number 2 are missing, up to number 4"),
        ("DELETE FROM audit_log", 0, "after number 0 are missing"),
    ],
)
async def test_whatever_was_changed_is_found(
    database: Database, clock: Clock, statement: str, in_order: int, problem: str
) -> None:
    await write_entries(database, 4, clock)
    await tamper(database, statement)
    found = await verify(database)
    assert not found.intact
    assert (found.sequence, found.entries) == (in_order, in_order)
    assert problem in str(found.problem)


async def test_writers_at_the_same_time_make_one_chain(database: Database, clock: Clock) -> None:
    async def change(n: int) -> None:
        async with database.write() as conn:
            await record(conn, None, "x.y", "x", f"x_{n}", "x", at=clock())
            if n % 5 == 4:
                raise ZeroDivisionError

    results = await asyncio.gather(*(change(n) for n in range(30)), return_exceptions=True)
    assert sum(result is None for result in results) == 24
    found = await verify(database)
    assert (found.intact, found.entries) == (True, 24)


# ---- filters and export


async def test_filters_narrow_it_down(
    control_client: httpx.AsyncClient, clients: Clients, clock: Clock
) -> None:
    ann = await clients.signed_in(Role.ADMIN, "ann@example.com")
    await control_client.post("/users", json={"email": "b_b@example.com"})
    clock.advance(60)
    bob = (await ann.post("/users", json={"email": "bob@example.com"})).json()["id"]
    await ann.patch(f"/users/{bob}", json={"name": "Bob"})

    async def found(**query: str) -> list[tuple[str, str]]:
        page = (await control_client.get("/audit-log", params=query)).json()["entries"]
        return [(entry["action"], entry["object_name"]) for entry in page]

    assert await found(actor="ANN@") == [
        ("user.update", "bob@example.com"),
        ("user.create", "bob@example.com"),
    ]
    assert len(await found(action="user.create")) == 2
    assert len(await found(object=bob)) == 2
    assert await found(object="b_b") == [("user.create", "b_b@example.com")]
    assert await found(object_type="provider") == []
    assert len(await found(since="2026-11-23T12:00:30Z")) == 2
    assert len(await found(until="2026-11-23T12:00:30Z")) == 1
    actions = (await control_client.get("/audit-log/actions")).json()["actions"]
    assert actions == ["user.create", "user.update"]
    wrong = await control_client.get("/audit-log", params={"since": "yesterday"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "since")


async def test_an_export_has_every_entry_that_fits(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    await write_entries(control.database, 5, clock)
    async with control.database.write() as conn:
        await record(conn, None, "y.z", "y", "y_1", "=SUM(A1)", at=clock())
    whole = await control_client.get("/audit-log/export", params={"format": "json"})
    assert [entry["sequence"] for entry in whole.json()] == [6, 5, 4, 3, 2, 1]
    assert "attachment" in whole.headers["content-disposition"]
    some = await control_client.get("/audit-log/export", params={"action": "x.y"})
    rows = list(csv.DictReader(io.StringIO(some.text)))
    assert len(rows) == 5
    assert json.loads(rows[0]["after"]) == {"n": 5, "f": 0.1}
    safe = await control_client.get("/audit-log/export", params={"action": "y.z"})
    assert next(csv.DictReader(io.StringIO(safe.text)))["object_name"] == "'=SUM(A1)"
    none = await control_client.get("/audit-log/export", params={"format": "json", "action": "z.z"})
    assert none.json() == []


@one_engine
async def test_the_command_verifies_and_fails_where_something_was_changed(
    database: Database, clock: Clock, data_dir: Path
) -> None:
    async def command(*options: str) -> tuple[int, str]:
        arguments = ["-m", "ops_center.cli", "verify-audit-log", "--data-dir", str(data_dir), *options]
        running = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await running.communicate()
        return int(running.returncode or 0), output.decode()

    await write_entries(database, 3, clock)
    newest = (await verify(database)).hash
    (code, said), right, wrong, half = await asyncio.gather(
        command(),
        command("--noted", f"3:{newest}"),
        command("--noted", f"2:{newest}"),
        command("--noted", "2"),
    )
    assert code == 0
    assert f"3 entries, all as they were written, up to 3:{newest}" in said
    assert (right[0], wrong[0], half[0]) == (0, 1, 2)
    await tamper(database, "DELETE FROM audit_log WHERE sequence = 2")
    code, said = await command()
    assert code == 1
    assert "Entry 2 is missing. In order up to entry 1" in said
