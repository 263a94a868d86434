"""control/invitations: links that make one account each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import select

from clock import Clock
from control_fixtures import BASE_URL, Clients
from ops_center.app import public_url
from ops_center.control.context import Control
from ops_center.settings import Settings
from ops_center.storage.tables import invitations, users

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question

EMAIL = "grace@example.com"
PASSWORD = "correct horse battery"


async def invite(admin: httpx.AsyncClient, **wanted: Any) -> tuple[dict[str, Any], str]:
    """The invitation and the token of its link."""
    answer = await admin.post("/invitations", json={"email": EMAIL} | wanted)
    assert answer.status_code == 201, answer.text
    link = answer.json()["link"]
    assert link.startswith(f"{BASE_URL}/invite?token=")
    return answer.json()["invitation"], link.partition("token=")[2]


async def accept(client: httpx.AsyncClient, token: str, **more: Any) -> httpx.Response:
    return await client.post("/invitations/accept", json={"token": token, "password": PASSWORD} | more)


async def everybody(control: Control) -> list[str]:
    async with control.database.read() as conn:
        return list((await conn.execute(select(users.c.email).order_by(users.c.email))).scalars())


async def test_a_link_makes_one_account_with_the_offered_role(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    invitation, token = await invite(control_client, role="operator")
    assert invitation["status"] == "open"
    stranger = await clients.anonymous()
    offer = await stranger.post("/invitations/lookup", json={"token": token})
    assert offer.json() == {
        "email": EMAIL,
        "role": "operator",
        "expires_at": invitation["expires_at"],
        "organisation": "",
    }

    answer = await accept(stranger, token, name="Grace")
    assert answer.status_code == 200
    user = answer.json()["user"]
    assert (user["email"], user["name"], user["role"]) == (EMAIL, "Grace", "operator")
    assert (await stranger.get("/auth/me")).json()["user"] == user
    login = await (await clients.anonymous()).post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert login.status_code == 200
    [listed] = (await control_client.get("/invitations")).json()["invitations"]
    assert listed == invitation | {"status": "accepted"}


async def test_a_used_link_opens_nothing_more(
    control_client: httpx.AsyncClient, clients: Clients, control: Control
) -> None:
    _, token = await invite(control_client)
    assert (await accept(await clients.anonymous(), token)).status_code == 200
    again = await clients.anonymous()
    for answer in (
        await accept(again, token),
        await again.post("/invitations/lookup", json={"token": token}),
    ):
        assert answer.status_code == 403
        assert answer.json()["error"]["message"] == "This invitation was used already"
    assert "set-cookie" not in answer.headers
    assert await everybody(control) == ["admin@example.com", EMAIL]


async def test_two_who_accept_at_once_make_one_account(
    control_client: httpx.AsyncClient, clients: Clients, control: Control
) -> None:
    _, token = await invite(control_client)
    first, second = await clients.anonymous(), await clients.anonymous()
    answers = await asyncio.gather(accept(first, token), accept(second, token))
    assert sorted(answer.status_code for answer in answers) == [200, 403]
    assert await everybody(control) == ["admin@example.com", EMAIL]


async def test_an_expired_link_says_so_and_changes_nothing(
    control_client: httpx.AsyncClient, clients: Clients, control: Control, clock: Clock
) -> None:
    invitation, token = await invite(control_client, expires_in_days=1)
    clock.advance(timedelta(days=1).total_seconds())
    stranger = await clients.anonymous()
    answer = await accept(stranger, token)
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "This invitation has expired"
    assert await everybody(control) == ["admin@example.com"]
    [listed] = (await control_client.get("/invitations")).json()["invitations"]
    assert listed == invitation | {"status": "expired"}


async def test_a_revoked_link_says_so_and_changes_nothing(
    control_client: httpx.AsyncClient, clients: Clients, control: Control
) -> None:
    invitation, token = await invite(control_client)
    for _ in range(2):  # the second time changes nothing
        answer = await control_client.delete(f"/invitations/{invitation['id']}")
        assert answer.status_code == 204
    refused = await accept(await clients.anonymous(), token)
    assert refused.status_code == 403
    assert refused.json()["error"]["message"] == "This invitation was revoked"
    assert await everybody(control) == ["admin@example.com"]
    log = (await control_client.get("/audit-log", params={"action": "invitation.revoke"})).json()
    assert len(log["entries"]) == 1


async def test_a_new_invitation_ends_the_older_one(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    _, old = await invite(control_client)
    _, new = await invite(control_client, role="viewer")
    client = await clients.anonymous()
    assert (await accept(client, old)).status_code == 403
    assert (await accept(client, new)).json()["user"]["role"] == "viewer"


async def test_who_is_a_user_already_is_not_invited(control_client: httpx.AsyncClient) -> None:
    answer = await control_client.post("/invitations", json={"email": "Admin@example.com"})
    assert answer.status_code == 409
    assert answer.json()["error"]["param"] == "email"


async def test_a_link_whose_email_got_a_user_since_changes_nothing(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    _, token = await invite(control_client)
    assert (await control_client.post("/users", json={"email": EMAIL, "role": "viewer"})).status_code == 201
    answer = await accept(await clients.anonymous(), token)
    assert answer.status_code == 409
    [listed] = (await control_client.get("/invitations")).json()["invitations"]
    assert listed["status"] == "open"
    login = await (await clients.anonymous()).post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert login.status_code == 401


async def test_an_accepted_invitation_cannot_be_revoked(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    invitation, token = await invite(control_client)
    await accept(await clients.anonymous(), token)
    assert (await control_client.delete(f"/invitations/{invitation['id']}")).status_code == 409
    assert (await control_client.delete("/invitations/inv_0")).status_code == 404


async def test_the_token_is_in_no_list_no_log_and_not_in_the_database(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    _, token = await invite(control_client)
    for path in ("/invitations", "/audit-log"):
        assert token not in (await control_client.get(path)).text
    async with control.database.read() as conn:
        rows = (await conn.execute(select(invitations))).all()
    assert token not in repr(rows)


@one_engine
async def test_the_link_is_made_of_our_own_address_whatever_the_caller_names(
    control_client: httpx.AsyncClient,
) -> None:
    answer = await control_client.post(
        "/invitations",
        json={"email": EMAIL},
        headers={"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"},
    )
    assert answer.status_code == 201
    assert answer.json()["link"].startswith(f"{BASE_URL}/invite?token=")


@one_engine
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": EMAIL, "role": "root"}, "role"),
        ({"email": EMAIL, "expires_in_days": 0}, "expires_in_days"),
        ({"email": EMAIL, "expires_in_days": 31}, "expires_in_days"),
    ],
)
async def test_a_bad_field_is_named(
    control_client: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    answer = await control_client.post("/invitations", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == param
    assert (await control_client.get("/invitations")).json() == {"invitations": []}


@one_engine
async def test_a_bad_password_costs_no_link(control_client: httpx.AsyncClient, clients: Clients) -> None:
    _, token = await invite(control_client)
    client = await clients.anonymous()
    answer = await accept(client, token, password="short")
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "password"
    assert (await accept(client, token)).status_code == 200


@one_engine
@pytest.mark.parametrize("token", ["", "x" * 43, "\x00", "é"])
async def test_a_made_up_token_is_refused(clients: Clients, control: Control, token: str) -> None:
    answer = await accept(await clients.anonymous(), token)
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "This invitation link is not valid"
    assert await everybody(control) == []


# ---- the server's public address


def test_links_are_made_of_the_public_address_that_is_configured() -> None:
    assert public_url(Settings(public_url="https://ops.example.com/", port=1)) == "https://ops.example.com"
    assert public_url(Settings(public_url="", port=1)) == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "wrong",
    ["ops.example.com", "ftp://ops.example.com", "https://", "https://a/b", "https://a?b", "https://u@a"],
)
def test_a_public_address_that_cannot_be_one_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="public_url"):
        Settings(public_url=wrong)
