"""control/auth: set-up, login, sessions, throttling."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import select

from clock import Clock
from control_fixtures import BASE_URL, Clients
from ops_center.control.api import create_control_app
from ops_center.control.auth import passwords
from ops_center.control.auth.service import setup_link
from ops_center.control.auth.throttle import LoginThrottle
from ops_center.control.context import Control
from ops_center.control.publish import Publisher
from ops_center.control.users.service import create_admin, create_first_admin
from ops_center.errors import Invalid, RateLimited
from ops_center.storage.tables import sessions, users

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"


@pytest.fixture
async def ada(control: Control) -> str:
    """An admin with a password; her id."""
    user = await create_first_admin(control.database, EMAIL, PASSWORD, now=control.clock())
    assert user is not None
    return user.id


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD, email: str = EMAIL) -> httpx.Response:
    return await client.post("/auth/login", json={"email": email, "password": password})


# ---- set-up


async def test_the_set_up_link_makes_the_first_admin_once(control: Control, clients: Clients) -> None:
    client = await clients.anonymous()
    assert (await client.get("/setup")).json() == {"needed": True}
    link = await setup_link(control)
    assert link is not None
    assert link.startswith(f"{BASE_URL}/setup?token=")
    body = {"token": link.partition("token=")[2], "email": " Ada@Example.com ", "password": PASSWORD}

    answer = await client.post("/setup", json=body)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == EMAIL
    assert answer.json()["user"]["role"] == "admin"
    assert (await client.get("/auth/me")).json() == answer.json()

    assert (await client.get("/setup")).json() == {"needed": False}
    assert await setup_link(control) is None
    assert (await client.post("/setup", json=body)).status_code == 409


async def test_a_wrong_set_up_token_is_refused_and_the_right_one_still_works(
    control: Control, clients: Clients
) -> None:
    client = await clients.anonymous()
    wrong = {"token": "x" * 43, "email": EMAIL, "password": PASSWORD}
    assert (await client.post("/setup", json=wrong)).status_code == 403
    right = wrong | {"token": control.setup_token.value}
    assert (await client.post("/setup", json=right)).status_code == 200


async def test_two_set_ups_at_once_make_one_admin(control: Control, clients: Clients) -> None:
    token = control.setup_token.value
    first, second = await clients.anonymous(), await clients.anonymous()
    answers = await asyncio.gather(
        first.post("/setup", json={"token": token, "email": EMAIL, "password": PASSWORD}),
        second.post("/setup", json={"token": token, "email": "eve@example.com", "password": PASSWORD}),
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert statuses[1] in (403, 409)
    async with control.database.read() as conn:
        assert len((await conn.execute(select(users.c.id))).all()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("password", "short"), ("password", ""), ("email", "nobody"), ("email", "a@b\x00c"), ("token", None)],
)
async def test_a_bad_set_up_field_is_named_and_costs_no_token(
    control: Control, clients: Clients, field: str, value: str | None
) -> None:
    client = await clients.anonymous()
    good = {"token": control.setup_token.value, "email": EMAIL, "password": PASSWORD}
    answer = await client.post("/setup", json=good | {field: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == field
    assert (await client.post("/setup", json=good)).status_code == 200


async def test_a_new_start_has_a_new_set_up_token(control: Control) -> None:
    again = Control(
        database=control.database, secrets=control.secrets, http=control.http, publisher=control.publisher
    )
    assert again.setup_token.value != control.setup_token.value


# ---- the command line's and the environment's admin


async def test_the_first_admin_of_the_environment_changes_nothing_later(
    control: Control, clients: Clients, ada: str
) -> None:
    again = await create_first_admin(control.database, EMAIL, "another password", now=control.clock())
    assert again is None
    assert (await log_in(await clients.anonymous())).status_code == 200


async def test_create_admin_is_the_way_back_in(control: Control, clients: Clients, ada: str) -> None:
    client = await clients.anonymous()
    await log_in(client)
    assert await create_admin(control.database, EMAIL, "another password", now=control.clock()) is False
    assert (await client.get("/me")).status_code == 401
    assert (await log_in(client)).status_code == 401
    assert (await log_in(client, "another password")).status_code == 200
    assert await create_admin(control.database, "new@example.com", PASSWORD, now=control.clock()) is True


@pytest.mark.parametrize(
    ("email", "password", "param"), [("x", PASSWORD, "email"), (EMAIL, "short", "password")]
)
async def test_create_admin_refuses_bad_input(
    control: Control, email: str, password: str, param: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await create_admin(control.database, email, password, now=control.clock())
    assert caught.value.param == param


# ---- login


async def test_login_gives_a_cookie_that_scripts_cannot_read(clients: Clients, ada: str) -> None:
    client = await clients.anonymous()
    answer = await log_in(client, email="ADA@example.com ")
    assert answer.status_code == 200
    assert set(answer.json()["user"]) == {
        "id",
        "email",
        "name",
        "role",
        "power_level",
        "power_level_max",
        "byok_policy",
        "budget_usd",
        "requests_per_minute",
        "tokens_per_minute",
        "concurrent_requests",
        "created_at",
        "disabled",
        "second_factor",
    }
    assert answer.json()["user"]["created_at"] == "2026-11-23T12:00:00Z"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("ops_center_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=1209600" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert (await client.get("/auth/me")).json()["user"]["id"] == ada


async def test_the_cookie_is_secure_on_an_https_page(clients: Clients, ada: str) -> None:
    client = await clients.anonymous()
    answer = await client.post(
        "/auth/login",
        json={"email": EMAIL, "password": PASSWORD},
        headers={"origin": "https://ops.test", "host": "ops.test"},
    )
    assert "Secure" in answer.headers["set-cookie"]


async def test_the_database_knows_only_the_hash_of_a_session(
    control: Control, clients: Clients, ada: str
) -> None:
    client = await clients.anonymous()
    await log_in(client)
    token = client.cookies["ops_center_session"]
    assert len(token) >= 43
    async with control.database.read() as conn:
        [stored] = (await conn.execute(select(sessions.c.token_hash))).scalars()
    assert bytes(stored) == hashlib.sha256(token.encode()).digest()


async def test_a_wrong_email_and_a_wrong_password_look_the_same(clients: Clients, ada: str) -> None:
    client = await clients.anonymous()
    wrong_password = await log_in(client, "wrong password")
    wrong_email = await log_in(client, email="nobody@example.com")
    odd_email = await log_in(client, email="\x00")
    assert wrong_password.status_code == 401
    assert wrong_password.json()["error"]["message"] == "Email or password is wrong"
    assert wrong_password.json() == wrong_email.json() == odd_email.json()
    assert "set-cookie" not in wrong_password.headers


async def test_somebody_without_a_password_or_disabled_cannot_log_in(
    control: Control, clients: Clients, ada: str
) -> None:
    admin = await clients.anonymous()
    await log_in(admin)
    await admin.post("/users", json={"email": "bob@example.com"})
    created = await admin.post("/users", json={"email": "eve@example.com", "password": PASSWORD})
    await admin.patch(f"/users/{created.json()['id']}", json={"disabled": True})
    stranger = await clients.anonymous()
    for email in ("bob@example.com", "eve@example.com"):
        for password in (PASSWORD, ""):
            assert (await log_in(stranger, password, email)).status_code == 401


async def test_a_second_login_ends_the_session_the_browser_had(clients: Clients, ada: str) -> None:
    client, thief = await clients.anonymous(), await clients.anonymous()
    await log_in(client)
    thief.cookies.set("ops_center_session", client.cookies["ops_center_session"])
    await log_in(client)
    assert (await client.get("/me")).status_code == 200
    assert (await thief.get("/me")).status_code == 401


async def test_logout_ends_the_session_on_the_server_too(clients: Clients, ada: str) -> None:
    client, thief = await clients.anonymous(), await clients.anonymous()
    await log_in(client)
    thief.cookies.set("ops_center_session", client.cookies["ops_center_session"])
    answer = await client.post("/auth/logout")
    assert answer.status_code == 204
    assert "ops_center_session" not in client.cookies
    assert (await thief.get("/me")).status_code == 401
    assert (await client.post("/auth/logout")).status_code == 204


async def test_a_session_survives_a_restart(control: Control, clients: Clients, ada: str) -> None:
    client = await clients.anonymous()
    await log_in(client)
    again = Control(
        database=control.database,
        secrets=control.secrets,
        http=control.http,
        publisher=Publisher(control.database, control.secrets, control.clock),
        clock=control.clock,
    )
    transport = httpx.ASGITransport(app=create_control_app(again))
    async with httpx.AsyncClient(
        transport=transport, base_url=f"{BASE_URL}/api/v1", cookies=client.cookies
    ) as after:
        assert (await after.get("/me")).status_code == 200


async def test_a_session_in_use_lives_on_and_an_unused_one_ends(
    clients: Clients, ada: str, clock: Clock
) -> None:
    day = 24 * 3600
    client = await clients.anonymous()
    await log_in(client)
    assert "set-cookie" not in (await client.get("/me")).headers
    for _ in range(3):
        clock.advance(10 * day)
        answer = await client.get("/me")
        assert answer.status_code == 200
        assert "Max-Age=1209600" in answer.headers["set-cookie"]
    clock.advance(14 * day)
    assert (await client.get("/me")).status_code == 401


async def test_sessions_that_ended_are_cleared_away(
    control: Control, clients: Clients, ada: str, clock: Clock
) -> None:
    for _ in range(3):
        await log_in(await clients.anonymous())
        clock.advance(15 * 24 * 3600)
    await log_in(await clients.anonymous())
    async with control.database.read() as conn:
        assert len((await conn.execute(select(sessions.c.token_hash))).all()) == 1


# ---- throttling


async def test_five_wrong_passwords_close_the_door_for_a_while(
    clients: Clients, ada: str, clock: Clock
) -> None:
    client = await clients.anonymous()
    for _ in range(5):
        assert (await log_in(client, "wrong password")).status_code == 401
    clock.advance(60)
    refused = await log_in(client)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "840"
    assert refused.json()["error"]["type"] == "rate_limit_error"
    clock.advance(840)
    assert (await log_in(client)).status_code == 200


async def test_many_wrong_passwords_at_once_gain_nothing(clients: Clients, ada: str) -> None:
    client = await clients.anonymous()
    answers = await asyncio.gather(*(log_in(client, f"wrong password {n}") for n in range(12)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7


async def test_forwarded_addresses_are_not_believed(clients: Clients, ada: str) -> None:
    client = await clients.anonymous()
    statuses = [
        (
            await client.post(
                "/auth/login",
                json={"email": f"user{n}@example.com", "password": "wrong"},
                headers={"x-forwarded-for": f"10.0.0.{n}"},
            )
        ).status_code
        for n in range(21)
    ]
    assert statuses == [401] * 20 + [429]


def test_a_right_password_forgets_the_failures_of_the_email_only() -> None:
    throttle, now = LoginThrottle(), datetime(2026, 11, 23, tzinfo=UTC)
    for _ in range(4):
        throttle.begin("a", "1.2.3.4", now)
    throttle.begin("a", "1.2.3.4", now)
    throttle.succeeded("a", "1.2.3.4", now)
    for n in range(16):  # 4 failures of the address are left
        throttle.begin(f"other{n}", "1.2.3.4", now)
    with pytest.raises(RateLimited):
        throttle.begin("yet another", "1.2.3.4", now)
    throttle.begin("a", "5.6.7.8", now)


def test_the_throttle_remembers_a_bounded_number_of_names() -> None:
    throttle, now = LoginThrottle(), datetime(2026, 11, 23, tzinfo=UTC)
    for n in range(10_500):
        throttle.begin(f"{n}@example.com", f"address {n}", now)
    assert len(throttle._emails._at) == 10_000


# ---- passwords


async def test_passwords_are_argon2id_hashes_with_their_own_salt() -> None:
    first, second = await passwords.hash_password(PASSWORD), await passwords.hash_password(PASSWORD)
    assert first.startswith("$argon2id$")
    assert first != second
    assert await passwords.verify_password(PASSWORD, first)
    assert not await passwords.verify_password("wrong", first)


async def test_nobodys_password_is_hashed_all_the_same() -> None:
    assert not await passwords.verify_password("anything", None)
    assert not await passwords.verify_password("anything", "not a hash")
