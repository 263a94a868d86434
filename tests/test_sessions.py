"""control/sessions: seen and ended; what a change of the user does to them."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from clock import Clock
from control_fixtures import Clients
from ops_center.types import Role

pytestmark = pytest.mark.anyio

EMAIL = "grace@example.com"
PASSWORD = "correct horse battery"


@pytest.fixture
async def grace(control_client: httpx.AsyncClient) -> str:
    """A user with a password; her id."""
    answer = await control_client.post("/users", json={"email": EMAIL, "password": PASSWORD})
    user_id: str = answer.json()["id"]
    return user_id


async def sign_in(clients: Clients, browser: str = "") -> httpx.AsyncClient:
    client = await clients.anonymous()
    client.headers["user-agent"] = browser
    answer = await client.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return client


async def test_ones_own_sessions_are_listed_and_one_is_the_current(
    clients: Clients, grace: str, clock: Clock
) -> None:
    await sign_in(clients, "Firefox")
    clock.advance(60)
    here = await sign_in(clients, "Chrome")
    answer = await here.get("/me/sessions")
    listed = answer.json()["sessions"]
    assert [(s["user_agent"], s["current"], s["method"]) for s in listed] == [
        ("Chrome", True, "password"),
        ("Firefox", False, "password"),
    ]
    token = here.cookies["ops_center_session"]
    for secret in (token, hashlib.sha256(token.encode()).hexdigest()):
        assert secret not in answer.text


async def test_one_session_is_ended_and_the_others_go_on(clients: Clients, grace: str) -> None:
    there, here = await sign_in(clients, "there"), await sign_in(clients, "here")
    listed = (await here.get("/me/sessions")).json()["sessions"]
    [other] = [session["id"] for session in listed if not session["current"]]
    assert (await here.delete(f"/me/sessions/{other}")).status_code == 204
    assert (await there.get("/me")).status_code == 401
    assert (await here.get("/me")).status_code == 200
    assert (await here.delete(f"/me/sessions/{other}")).status_code == 404


async def test_signing_out_everywhere_else_keeps_this_session(clients: Clients, grace: str) -> None:
    others = [await sign_in(clients) for _ in range(2)]
    here = await sign_in(clients)
    assert (await here.delete("/me/sessions")).status_code == 204
    assert [(await other.get("/me")).status_code for other in others] == [401, 401]
    assert len((await here.get("/me/sessions")).json()["sessions"]) == 1


async def test_nobody_ends_another_users_session_as_their_own(
    clients: Clients, control_client: httpx.AsyncClient, grace: str
) -> None:
    theirs = await sign_in(clients)
    [session] = (await theirs.get("/me/sessions")).json()["sessions"]
    assert (await control_client.delete(f"/me/sessions/{session['id']}")).status_code == 404
    assert (await theirs.get("/me")).status_code == 200


async def test_an_admin_sees_and_ends_a_users_sessions(
    clients: Clients, control_client: httpx.AsyncClient, grace: str
) -> None:
    first, second = await sign_in(clients), await sign_in(clients)
    path = f"/users/{grace}/sessions"
    listed = (await control_client.get(path)).json()["sessions"]
    assert [session["current"] for session in listed] == [False, False]
    [ended] = [s["id"] for s in (await first.get("/me/sessions")).json()["sessions"] if s["current"]]
    assert (await control_client.delete(f"{path}/{ended}")).status_code == 204
    assert (await first.get("/me")).status_code == 401
    assert (await second.get("/me")).status_code == 200
    assert (await control_client.delete(path)).status_code == 204
    assert (await second.get("/me")).status_code == 401
    assert (await control_client.get("/me")).status_code == 200
    log = (await control_client.get("/audit-log", params={"action": "session.end"})).json()["entries"]
    assert [(entry["object_id"], entry["actor_email"]) for entry in log] == [(grace, "admin@example.com")] * 2
    for nobody in ("/users/usr_0/sessions", "/users/usr_0/sessions/ses_0"):
        assert (await control_client.delete(nobody)).status_code == 404
    assert (await control_client.get("/users/usr_0/sessions")).status_code == 404


async def test_a_session_that_has_ended_by_itself_is_not_listed(
    clients: Clients, control_client: httpx.AsyncClient, grace: str, clock: Clock
) -> None:
    await sign_in(clients)
    clock.advance(13 * 86_400)
    assert (await control_client.get("/me")).status_code == 200  # lives on by being used
    clock.advance(2 * 86_400)
    assert (await control_client.get(f"/users/{grace}/sessions")).json() == {"sessions": []}


async def test_a_new_password_ends_the_other_sessions(clients: Clients, grace: str) -> None:
    there, here = await sign_in(clients), await sign_in(clients)
    answer = await here.patch("/me", json={"current_password": PASSWORD, "password": "another long password"})
    assert answer.status_code == 200
    assert (await there.get("/me")).status_code == 401
    assert (await here.get("/me")).status_code == 200


async def test_a_role_change_holds_for_sessions_that_are_there(clients: Clients) -> None:
    admin, other = await clients.signed_in(Role.ADMIN), await clients.signed_in(Role.ADMIN, EMAIL)
    me = (await other.get("/me")).json()["id"]
    assert (await other.get("/users")).status_code == 200
    assert (await admin.patch(f"/users/{me}", json={"role": "user"})).status_code == 200
    for answer in (await other.get("/users"), await other.delete(f"/users/{me}/sessions")):
        assert answer.status_code == 403
    assert (await other.get("/me/sessions")).status_code == 200
