"""control/second_factor: codes, enrolment, sign-in with a code, what a role must have."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select

from clock import Clock
from control_fixtures import Clients
from ops_center.control.context import Control
from ops_center.control.second_factor import codes
from ops_center.control.users.service import create_admin
from ops_center.storage.tables import recovery_codes, sealed_secrets
from ops_center.types import Role

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question

EMAIL = "grace@example.com"
PASSWORD = "correct horse battery"
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890"


# ---- codes


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B's table for SHA-1, of which six digits are the last six of its eight."""
    assert codes.code_at(RFC_SECRET, seconds // codes.STEP_SECONDS) == code


def test_a_code_matches_one_step_either_side_and_no_further(clock: Clock) -> None:
    step = codes.step_at(clock())
    matching = {
        away: codes.matching_step(RFC_SECRET, codes.code_at(RFC_SECRET, step + away), clock())
        for away in range(-3, 4)
    }
    assert matching == {-3: None, -2: None, -1: step - 1, 0: step, 1: step + 1, 2: None, 3: None}


def test_the_qr_code_is_a_picture_that_loads_nothing() -> None:
    svg = codes.qr_svg(codes.uri(RFC_SECRET, EMAIL, "Ops-Center"))
    assert svg.startswith("<svg")
    assert 'xmlns="http://www.w3.org/2000/svg"' in svg
    assert "href" not in svg
    assert "<script" not in svg


def test_recovery_codes_are_random_and_typed_in_any_way() -> None:
    made = codes.new_recovery_codes()
    assert len(set(made)) == codes.RECOVERY_CODES
    assert codes.digest(made[0].upper().replace("-", " ")) == codes.digest(made[0])


# ---- enrolment


class Person:
    """A user with a password, in a browser, with an authenticator app."""

    def __init__(self, clients: Clients, clock: Clock, client: httpx.AsyncClient) -> None:
        self.clients, self.clock, self.client = clients, clock, client
        self.secret = ""
        self.recovery: list[str] = []

    def code(self, away: int = 0) -> str:
        return codes.code_at(self.secret, codes.step_at(self.clock()) + away)

    async def enrol(self) -> None:
        begun = await self.client.post("/me/second-factor")
        assert begun.status_code == 201, begun.text
        self.secret = begun.json()["secret"]
        confirmed = await self.client.post("/me/second-factor/confirm", json={"code": self.code()})
        assert confirmed.status_code == 200, confirmed.text
        self.recovery = confirmed.json()["recovery_codes"]
        self.clock.advance(codes.STEP_SECONDS)  # the code that confirmed it is used up

    async def sign_in(self, code: str | None = None) -> httpx.Response:
        body: dict[str, Any] = {"email": EMAIL, "password": PASSWORD}
        return await (await self.clients.anonymous()).post(
            "/auth/login", json=body if code is None else body | {"code": code}
        )


@pytest.fixture
async def grace(control_client: httpx.AsyncClient, clients: Clients, clock: Clock) -> Person:
    made = await control_client.post("/users", json={"email": EMAIL, "password": PASSWORD, "role": "viewer"})
    assert made.status_code == 201
    client = await clients.anonymous()
    answer = await client.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 200
    return Person(clients, clock, client)


async def test_a_factor_is_asked_for_only_once_it_is_confirmed(grace: Person) -> None:
    begun = (await grace.client.post("/me/second-factor")).json()
    parts = urlsplit(begun["uri"])
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parse_qs(parts.query)["secret"] == [begun["secret"]]
    assert (await grace.sign_in()).status_code == 200  # not yet
    await grace.enrol()
    state = (await grace.client.get("/me/second-factor")).json()
    assert state.pop("since") is not None
    assert state == {"enabled": True, "required": False, "recovery_codes_left": 10}
    refused = await grace.sign_in()
    assert refused.status_code == 401
    assert refused.json()["error"]["param"] == "code"
    assert "set-cookie" not in refused.headers
    assert (await grace.sign_in(grace.code())).status_code == 200


async def test_a_wrong_first_code_confirms_nothing(grace: Person) -> None:
    grace.secret = (await grace.client.post("/me/second-factor")).json()["secret"]
    wrong = f"{(int(grace.code()) + 1) % 1_000_000:06d}"
    answer = await grace.client.post("/me/second-factor/confirm", json={"code": wrong})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "code"
    assert (await grace.sign_in()).status_code == 200
    assert (await grace.client.get("/me")).json()["second_factor"] is False


async def test_a_second_enrolment_changes_nothing(grace: Person) -> None:
    await grace.enrol()
    assert (await grace.client.post("/me/second-factor")).status_code == 409
    again = await grace.client.post("/me/second-factor/confirm", json={"code": grace.code()})
    assert again.status_code == 409
    assert (await grace.sign_in(grace.code())).status_code == 200


async def test_confirming_ends_the_other_sessions(grace: Person, clients: Clients) -> None:
    other = await clients.anonymous()
    await other.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
    await grace.enrol()
    assert (await other.get("/me")).status_code == 401
    assert (await grace.client.get("/me")).status_code == 200


async def test_secret_and_recovery_codes_are_nowhere_in_clear(
    grace: Person, control: Control, control_client: httpx.AsyncClient
) -> None:
    await grace.enrol()
    async with control.database.read() as conn:
        stored = repr((await conn.execute(select(sealed_secrets))).all())
        stored += repr((await conn.execute(select(recovery_codes))).all())
    log = (await control_client.get("/audit-log")).text
    for secret in (grace.secret, *grace.recovery):
        assert secret not in stored
        assert secret not in log


# ---- sign-in


async def test_a_code_counts_once(grace: Person) -> None:
    await grace.enrol()
    code = grace.code()
    assert (await grace.sign_in(code)).status_code == 200
    replayed = await grace.sign_in(code)
    assert replayed.status_code == 401
    assert replayed.json()["error"]["message"] == "This code is wrong or was used already"
    assert (await grace.sign_in(grace.code(away=-1))).status_code == 401  # older than the newest used
    assert (await grace.sign_in(grace.code(away=1))).status_code == 200


async def test_one_code_at_once_from_two_browsers_lets_one_in(grace: Person) -> None:
    await grace.enrol()
    answers = await asyncio.gather(grace.sign_in(grace.code()), grace.sign_in(grace.code()))
    assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_a_recovery_code_works_once_in_place_of_the_app(grace: Person) -> None:
    await grace.enrol()
    code = grace.recovery[3]
    assert (await grace.sign_in(code.upper().replace("-", " "))).status_code == 200
    assert (await grace.sign_in(code)).status_code == 401
    assert (await grace.client.get("/me/second-factor")).json()["recovery_codes_left"] == 9


async def test_new_recovery_codes_end_the_old_ones(grace: Person) -> None:
    await grace.enrol()
    answer = await grace.client.post("/me/second-factor/recovery-codes", json={"code": grace.code()})
    assert answer.status_code == 200
    assert (await grace.sign_in(grace.recovery[0])).status_code == 401
    assert (await grace.sign_in(answer.json()["recovery_codes"][0])).status_code == 200


async def test_guessing_codes_is_throttled_and_the_right_one_must_wait_too(grace: Person) -> None:
    await grace.enrol()
    answers = [await grace.sign_in("000000") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert (await grace.sign_in(grace.code())).status_code == 429
    grace.clock.advance(16 * 60)
    assert (await grace.sign_in(grace.code())).status_code == 200


async def test_asking_for_the_code_is_no_failure(grace: Person) -> None:
    await grace.enrol()
    assert {(await grace.sign_in()).status_code for _ in range(7)} == {401}
    assert (await grace.sign_in(grace.code())).status_code == 200


async def test_a_wrong_password_says_nothing_of_the_factor(grace: Person, clients: Clients) -> None:
    await grace.enrol()
    answer = await (await clients.anonymous()).post(
        "/auth/login", json={"email": EMAIL, "password": "wrong", "code": grace.code()}
    )
    assert answer.status_code == 401
    assert answer.json()["error"] == {"type": "authentication_error", "message": "Email or password is wrong"}
    assert (await grace.sign_in(grace.code())).status_code == 200  # and costs no code


# ---- the end of it


async def test_it_is_removed_with_a_code_only(grace: Person) -> None:
    await grace.enrol()
    assert (await grace.client.post("/me/second-factor/remove", json={"code": "000000"})).status_code == 422
    assert (await grace.sign_in()).status_code == 401
    removed = await grace.client.post("/me/second-factor/remove", json={"code": grace.code()})
    assert removed.status_code == 204
    assert (await grace.sign_in()).status_code == 200
    assert (await grace.client.post("/me/second-factor/remove", json={"code": "1"})).status_code == 409


async def test_an_admin_resets_it_and_the_sessions_end(
    grace: Person, control_client: httpx.AsyncClient
) -> None:
    await grace.enrol()
    user_id = (await grace.client.get("/me")).json()["id"]
    assert (await control_client.get(f"/users/{user_id}")).json()["second_factor"] is True
    for _ in range(2):  # the second time changes nothing
        assert (await control_client.delete(f"/users/{user_id}/second-factor")).status_code == 204
    assert (await grace.client.get("/me")).status_code == 401
    assert (await grace.sign_in()).status_code == 200
    assert (await control_client.delete("/users/usr_0/second-factor")).status_code == 404
    log = await control_client.get("/audit-log", params={"action": "second_factor.reset"})
    assert len(log.json()["entries"]) == 1


async def test_create_admin_is_the_way_back_in_without_the_app(grace: Person, control: Control) -> None:
    await grace.enrol()
    await create_admin(control.database, EMAIL, PASSWORD, now=control.clock())
    assert (await grace.sign_in()).status_code == 200


# ---- a role that must have one


async def require(admin: httpx.AsyncClient, *roles: str) -> None:
    answer = await admin.patch("/settings", json={"sign_in": {"second_factor_roles": list(roles)}})
    assert answer.status_code == 200, answer.text


async def test_a_role_that_must_have_one_can_do_nothing_else_first(
    grace: Person, control_client: httpx.AsyncClient
) -> None:
    assert (await grace.client.get("/llm/providers")).status_code == 200
    await require(control_client, "viewer")
    for refused in (
        await grace.client.get("/llm/providers"),  # the session was there before
        await grace.client.get("/me"),
        await grace.client.get("/me/sessions"),
        await grace.client.patch("/me", json={"name": "Mallory"}),
    ):
        assert refused.status_code == 403
        assert refused.json()["error"]["message"] == "Your role must have a second factor"
        assert refused.json()["error"]["type"] == "second_factor_missing"
    login = await grace.sign_in()
    assert (login.status_code, login.json()["second_factor_missing"]) == (200, True)
    assert (await grace.client.get("/auth/me")).json()["second_factor_missing"] is True

    await grace.enrol()
    assert (await grace.client.get("/llm/providers")).status_code == 200
    assert (await grace.client.get("/auth/me")).json()["second_factor_missing"] is False
    removed = await grace.client.post("/me/second-factor/remove", json={"code": grace.code()})
    assert removed.status_code == 403
    assert (await grace.client.get("/me/second-factor")).json()["required"] is True


async def test_other_roles_go_on_as_before(grace: Person, control_client: httpx.AsyncClient) -> None:
    await require(control_client, "operator")
    assert (await grace.client.get("/llm/providers")).status_code == 200


async def test_a_new_role_brings_its_duty_at_once(
    clients: Clients, grace: Person, control_client: httpx.AsyncClient
) -> None:
    await require(control_client, "operator")
    user_id = (await grace.client.get("/me")).json()["id"]
    await control_client.patch(f"/users/{user_id}", json={"role": "operator"})
    assert (await grace.client.get("/llm/providers")).status_code == 403


async def test_admins_who_require_it_of_themselves_are_not_locked_out(clients: Clients) -> None:
    admin = await clients.signed_in(Role.ADMIN)
    await require(admin, "admin")
    assert (await admin.get("/users")).status_code == 403
    secret = (await admin.post("/me/second-factor")).json()["secret"]
    code = codes.code_at(secret, codes.step_at(clients.control.clock()))
    assert (await admin.post("/me/second-factor/confirm", json={"code": code})).status_code == 200
    assert (await admin.get("/users")).status_code == 200


@one_engine
async def test_an_unknown_role_is_refused_by_name(control_client: httpx.AsyncClient) -> None:
    answer = await control_client.patch("/settings", json={"sign_in": {"second_factor_roles": ["root"]}})
    assert answer.status_code == 422
    assert "second_factor_roles" in answer.json()["error"]["param"]
