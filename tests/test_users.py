"""control/users and control/me: people, what they may be made into, and what they may change themselves."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from control_fixtures import Clients
from ops_center.control.context import Control
from ops_center.types import PowerLevel, Role

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question

PASSWORD = "correct horse battery"


async def new_user(admin: httpx.AsyncClient, email: str = "bob@example.com", **fields: object) -> str:
    answer = await admin.post("/users", json={"email": email, "password": PASSWORD, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def signed_in(clients: Clients, email: str = "bob@example.com") -> httpx.AsyncClient:
    client = await clients.anonymous()
    answer = await client.post("/auth/login", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return client


async def test_a_user_is_made_listed_and_can_sign_in(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    answer = await control_client.post(
        "/users", json={"email": "Bob@Example.com", "name": " Bob ", "password": PASSWORD}
    )
    assert answer.status_code == 201
    bob = answer.json()
    assert (bob["email"], bob["name"], bob["role"], bob["disabled"]) == (
        "bob@example.com",
        "Bob",
        "user",
        False,
    )
    listed = (await control_client.get("/users")).json()["users"]
    assert [user["email"] for user in listed] == ["admin@example.com", "bob@example.com"]
    assert listed[1] == bob
    assert (await control_client.get(f"/users/{bob['id']}")).json() == bob
    assert (await (await signed_in(clients)).get("/me")).json() == bob


async def test_no_answer_carries_a_password_or_its_hash(control_client: httpx.AsyncClient) -> None:
    await new_user(control_client)
    text = (await control_client.get("/users")).text + (await control_client.get("/audit-log")).text
    assert "argon2" not in text
    assert PASSWORD not in text


async def test_an_email_is_taken_once(control_client: httpx.AsyncClient) -> None:
    await new_user(control_client)
    answer = await control_client.post("/users", json={"email": "BOB@example.com"})
    assert answer.status_code == 409
    assert answer.json()["error"]["param"] == "email"


@one_engine
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "email"),
        ({"email": 1}, "email"),
        ({"email": "a b@example.com"}, "email"),
        ({"email": "a@example.com", "role": "root"}, "role"),
        ({"email": "a@example.com", "name": "x" * 101}, "name"),
        ({"email": "a@example.com", "name": "two\nlines"}, "name"),
        ({"email": "a@example.com", "password": "x" * 11}, "password"),
    ],
)
async def test_a_bad_field_is_named(
    control_client: httpx.AsyncClient, body: dict[str, object], param: str
) -> None:
    answer = await control_client.post("/users", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["message"]


async def test_a_change_leaves_what_was_not_sent(control_client: httpx.AsyncClient) -> None:
    bob = await new_user(control_client, name="Bob", role="viewer")
    await control_client.patch(f"/users/{bob}", json={"power_level": "eco"})
    answer = await control_client.patch(f"/users/{bob}", json={"name": "Robert"})
    assert answer.json()["name"] == "Robert"
    assert answer.json()["role"] == "viewer"
    assert answer.json()["power_level"] == "eco"
    cleared = await control_client.patch(f"/users/{bob}", json={"power_level": None})
    assert cleared.json()["power_level"] is None
    unchanged = await control_client.patch(f"/users/{bob}", json={})
    assert unchanged.json() == cleared.json()
    assert (await control_client.patch("/users/usr_0", json={"name": "x"})).status_code == 404


async def test_disabling_ends_sessions_and_keys_at_once(
    control: Control, control_client: httpx.AsyncClient, clients: Clients
) -> None:
    bob = await new_user(control_client)
    client = await signed_in(clients)
    await client.post("/me/api-keys", json={"name": "app"})
    assert len(control.publisher.current.principals) == 1

    answer = await control_client.patch(f"/users/{bob}", json={"disabled": True})
    assert answer.json()["disabled"] is True
    assert control.publisher.current.principals == {}
    assert (await client.get("/me")).status_code == 401

    await control_client.patch(f"/users/{bob}", json={"disabled": False})
    assert len(control.publisher.current.principals) == 1
    assert (await client.get("/me")).status_code == 401  # that session is gone for good
    assert (await (await signed_in(clients)).get("/me")).status_code == 200


@pytest.mark.parametrize("change", [{"role": "operator"}, {"disabled": True}])
async def test_the_last_admin_stays(control_client: httpx.AsyncClient, change: dict[str, object]) -> None:
    me = (await control_client.get("/me")).json()["id"]
    await new_user(control_client, "former@example.com", role="operator")
    answer = await control_client.patch(f"/users/{me}", json=change)
    assert answer.status_code == 409
    assert (await control_client.get("/me")).json()["role"] == "admin"
    await new_user(control_client, "second@example.com", role="admin")
    assert (await control_client.patch(f"/users/{me}", json=change)).status_code == 200


async def test_two_admins_cannot_remove_each_other_at_once(clients: Clients) -> None:
    first, second = await clients.signed_in(Role.ADMIN), await clients.signed_in(Role.ADMIN)
    first_id = (await first.get("/me")).json()["id"]
    second_id = (await second.get("/me")).json()["id"]
    answers = await asyncio.gather(
        first.patch(f"/users/{second_id}", json={"role": "user"}),
        second.patch(f"/users/{first_id}", json={"role": "user"}),
    )
    assert 200 in {answer.status_code for answer in answers}
    roles = {(await client.get("/me")).json()["role"] for client in (first, second)}
    assert roles == {"admin", "user"}


async def test_a_new_password_by_an_admin_ends_the_users_sessions(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    bob = await new_user(control_client)
    client = await signed_in(clients)
    await control_client.patch(f"/users/{bob}", json={"password": "another password"})
    assert (await client.get("/me")).status_code == 401
    answer = await client.post(
        "/auth/login", json={"email": "bob@example.com", "password": "another password"}
    )
    assert answer.status_code == 200


# ---- oneself


async def test_one_changes_ones_own_name_and_level_and_the_keys_follow(
    control: Control, control_client: httpx.AsyncClient, clients: Clients
) -> None:
    await new_user(control_client)
    client = await signed_in(clients)
    await client.post("/me/api-keys", json={"name": "app"})
    await client.post("/me/api-keys", json={"name": "own level", "power_level": "precision"})
    answer = await client.patch("/me", json={"name": "Bob", "power_level": "eco"})
    assert (answer.json()["name"], answer.json()["power_level"]) == ("Bob", "eco")
    levels = {p.api_key_name: p.power_level for p in control.publisher.current.principals.values()}
    assert levels == {"app": PowerLevel.ECO, "own level": PowerLevel.PRECISION}


@one_engine
@pytest.mark.parametrize("field", ["role", "disabled", "email", "id"])
async def test_one_cannot_promote_oneself(clients: Clients, field: str) -> None:
    client = await clients.signed_in(Role.USER)
    answer = await client.patch("/me", json={field: "admin"})
    assert answer.status_code == 422
    assert (await client.get("/me")).json()["role"] == "user"


async def test_a_new_password_needs_the_current_one_and_ends_other_sessions(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    await new_user(control_client)
    client, other = await signed_in(clients), await signed_in(clients)
    for body in ({}, {"current_password": "wrong"}, {"current_password": None}):
        answer = await client.patch("/me", json={"password": "another password", **body})
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == "current_password"
    good = {"password": "another password", "current_password": PASSWORD}
    assert (await client.patch("/me", json=good)).status_code == 200
    assert (await client.get("/me")).status_code == 200
    assert (await other.get("/me")).status_code == 401
    assert (await client.patch("/me", json=good)).status_code == 422  # that is no longer the current one


async def test_guessing_the_current_password_is_throttled(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    await new_user(control_client)
    client = await signed_in(clients)
    bodies = [{"password": "another password", "current_password": f"guess {n}"} for n in range(6)]
    statuses = [(await client.patch("/me", json=body)).status_code for body in bodies]
    assert statuses == [422] * 5 + [429]
