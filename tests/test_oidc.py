"""control/oidc: sign-in by a provider that runs beside the tests, and every answer that is not believed."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from clock import Clock
from control_fixtures import BASE_URL, Clients
from oidc_provider import CLIENT_SECRET, OidcProvider
from ops_center.control.context import Control
from ops_center.storage.tables import sealed_secrets, settings, users
from ops_center.transport.client import HttpClient
from ops_center.types import Role

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question

EMAIL = "grace@example.com"


@pytest.fixture
def provider(clock: Clock) -> Iterator[OidcProvider]:
    with OidcProvider(clock) as running:
        yield running


@pytest.fixture
async def real_http(control: Control, control_app: FastAPI) -> AsyncIterator[None]:
    """The way out that the server itself has, addresses checked."""
    http = HttpClient()
    control_app.state.control = dataclasses.replace(control, http=http)
    yield
    await http.close()


@pytest.fixture
async def admin(
    control_client: httpx.AsyncClient, provider: OidcProvider, real_http: None
) -> httpx.AsyncClient:
    await configure(control_client, **provider.settings, allowed_domains=["example.com"])
    return control_client


async def configure(admin: httpx.AsyncClient, **section: Any) -> None:
    answer = await admin.patch("/settings", json={"oidc": section})
    assert answer.status_code == 200, answer.text


async def go(client: httpx.AsyncClient) -> dict[str, str]:
    """To the provider and back: what the browser then carries."""
    begun = await client.post("/auth/oidc/begin")
    assert begun.status_code == 200, begun.text
    async with httpx.AsyncClient() as browser:
        back = (await browser.get(begun.json()["authorization_url"])).headers["location"]
    assert back.startswith(f"{BASE_URL}/sso?")
    return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


async def sign_in(clients: Clients) -> tuple[httpx.AsyncClient, httpx.Response]:
    client = await clients.anonymous()
    return client, await client.post("/auth/oidc/finish", json=await go(client))


async def everybody(control: Control) -> list[str]:
    async with control.database.read() as conn:
        return list((await conn.execute(select(users.c.email).order_by(users.c.email))).scalars())


async def test_who_is_of_an_allowed_domain_gets_an_account(
    admin: httpx.AsyncClient, clients: Clients
) -> None:
    client, answer = await sign_in(clients)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["user"]["email"], answer.json()["user"]["role"]) == (EMAIL, "user")
    assert (await client.get("/me")).json()["email"] == EMAIL
    [session] = (await client.get("/me/sessions")).json()["sessions"]
    assert session["method"] == "oidc"
    _, again = await sign_in(clients)
    assert again.json()["user"]["id"] == answer.json()["user"]["id"]


async def test_a_user_is_the_providers_subject_whatever_email_it_says_later(
    admin: httpx.AsyncClient, clients: Clients, provider: OidcProvider
) -> None:
    _, first = await sign_in(clients)
    provider.person["email"] = "g.hopper@example.com"
    _, renamed = await sign_in(clients)
    assert renamed.json()["user"]["id"] == first.json()["user"]["id"]
    provider.person |= {"sub": "s-2", "email": EMAIL}
    _, other = await sign_in(clients)
    assert other.status_code == 403


async def test_a_user_who_is_there_is_signed_in_with_the_role_they_have(
    admin: httpx.AsyncClient, clients: Clients
) -> None:
    made = (await admin.post("/users", json={"email": EMAIL, "role": "viewer"})).json()
    _, answer = await sign_in(clients)
    assert (answer.json()["user"]["id"], answer.json()["user"]["role"]) == (made["id"], "viewer")
    await admin.patch(f"/users/{made['id']}", json={"disabled": True})
    _, refused = await sign_in(clients)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    "person",
    [
        {"email": "mallory@elsewhere.org"},
        {"email": "mallory@sub.example.com"},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"email": None},
        {"email": "no address"},
    ],
)
@one_engine
async def test_who_may_not_in_gets_no_account(
    admin: httpx.AsyncClient,
    clients: Clients,
    provider: OidcProvider,
    control: Control,
    person: dict[str, Any],
) -> None:
    provider.person |= person
    _, answer = await sign_in(clients)
    assert answer.status_code == 403
    assert await everybody(control) == ["admin@example.com"]


async def test_groups_decide_the_role_at_each_sign_in(
    admin: httpx.AsyncClient, clients: Clients, provider: OidcProvider
) -> None:
    await configure(admin, group_roles={"ops": "operator", "eyes": "viewer"}, default_role=None)
    provider.person["groups"] = ["eyes", "ops", "choir"]
    client, answer = await sign_in(clients)
    assert answer.json()["user"]["role"] == "operator"
    provider.person["groups"] = "eyes"
    assert (await sign_in(clients))[1].json()["user"]["role"] == "viewer"
    assert (await client.get("/auth/me")).json()["user"]["role"] == "viewer"
    provider.person["groups"] = ["choir"]
    assert (await sign_in(clients))[1].status_code == 403


async def test_the_last_admin_stays_one_whatever_the_groups_say(
    admin: httpx.AsyncClient, clients: Clients, provider: OidcProvider
) -> None:
    await configure(admin, group_roles={"eyes": "viewer"})
    provider.person |= {"email": "admin@example.com", "groups": ["eyes"]}
    _, answer = await sign_in(clients)
    assert answer.json()["user"]["role"] == "admin"


@pytest.mark.parametrize(
    "lies",
    [
        {"iss": "http://evil.example"},
        {"aud": "somebody-else"},
        {"aud": ["ops-center", "somebody-else"]},
        {"aud": "ops-center", "azp": "somebody-else"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 99_999_999_999},
        {"sub": ""},
        {"sub": None},
    ],
    ids=str,
)
@one_engine
async def test_a_token_with_a_wrong_claim_signs_nobody_in(
    admin: httpx.AsyncClient, clients: Clients, provider: OidcProvider, control: Control, lies: dict[str, Any]
) -> None:
    provider.lies = lies
    _, answer = await sign_in(clients)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert await everybody(control) == ["admin@example.com"]


@pytest.mark.parametrize(
    "sign", ["unsigned", "signed_by_somebody_else", "signed_with_the_public_key_as_secret"]
)
@one_engine
async def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(
    admin: httpx.AsyncClient, clients: Clients, provider: OidcProvider, control: Control, sign: str
) -> None:
    provider.sign = getattr(provider, sign)
    _, answer = await sign_in(clients)
    assert answer.status_code == 401
    assert await everybody(control) == ["admin@example.com"]


@one_engine
async def test_an_answer_finishes_only_the_sign_in_of_its_own_browser(
    admin: httpx.AsyncClient, clients: Clients, clock: Clock
) -> None:
    client, other = await clients.anonymous(), await clients.anonymous()
    back = await go(client)
    await go(other)
    assert (await other.post("/auth/oidc/finish", json=back)).status_code == 401
    stranger = await clients.anonymous()
    assert (await stranger.post("/auth/oidc/finish", json=back)).status_code == 401
    assert (await client.post("/auth/oidc/finish", json=back | {"state": "x"})).status_code == 401
    assert (await client.post("/auth/oidc/finish", json=back)).status_code == 200
    assert (await client.post("/auth/oidc/finish", json=back)).status_code == 401  # used up

    late = await clients.anonymous()
    back = await go(late)
    clock.advance(11 * 60)
    assert (await late.post("/auth/oidc/finish", json=back)).status_code == 401


@one_engine
async def test_the_way_back_is_our_own_address_whatever_the_caller_names(
    admin: httpx.AsyncClient, clients: Clients
) -> None:
    forged = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    begun = await (await clients.anonymous()).post("/auth/oidc/begin", headers=forged)
    query = parse_qs(urlsplit(begun.json()["authorization_url"]).query)
    assert query["redirect_uri"] == [f"{BASE_URL}/sso"]


@one_engine
@pytest.mark.parametrize(
    "document",
    [{"issuer": "http://evil.example"}, {"token_endpoint": None}, {"jwks_uri": "file:///etc/passwd"}],
)
async def test_a_discovery_document_of_another_kind_is_refused(
    admin: httpx.AsyncClient, clients: Clients, provider: OidcProvider, document: dict[str, Any]
) -> None:
    provider.document = document
    assert (await (await clients.anonymous()).post("/auth/oidc/begin")).status_code == 401


@one_engine
async def test_private_addresses_are_called_only_when_an_admin_says_so(
    admin: httpx.AsyncClient, clients: Clients, provider: OidcProvider
) -> None:
    issuer = provider.issuer.replace("http:", "https:")
    await configure(admin, issuer=issuer, allow_private_network=False)
    answer = await (await clients.anonymous()).post("/auth/oidc/begin")
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "Single sign-on failed: it cannot be reached"


async def test_it_is_off_until_it_is_configured(
    control_client: httpx.AsyncClient, anonymous_client: httpx.AsyncClient
) -> None:
    state = (await anonymous_client.get("/auth/oidc")).json()
    assert state == {"enabled": False, "label": "Single sign-on"}
    assert (await anonymous_client.post("/auth/oidc/begin")).status_code == 404
    body = {"code": "x", "state": "x"}
    assert (await anonymous_client.post("/auth/oidc/finish", json=body)).status_code == 404
    for section, param in (
        ({"enabled": True}, "issuer"),
        ({"enabled": True, "issuer": "https://a.example"}, "client_id"),
        ({"enabled": True, "issuer": "http://a.example", "client_id": "x"}, "issuer"),
        ({"issuer": "a.example"}, "issuer"),
        ({"allowed_domains": ["x@y"]}, "allowed_domains"),
        ({"group_roles": {"a": "root"}}, "a"),
    ):
        answer = await control_client.patch("/settings", json={"oidc": section})
        assert answer.status_code == 422, section
        assert param in answer.json()["error"]["param"]


async def test_the_clients_secret_is_sealed_and_never_shown(
    admin: httpx.AsyncClient, control: Control
) -> None:
    assert (await admin.get("/settings")).json()["oidc"]["client_secret"] == "••••"
    async with control.database.read() as conn:
        stored = repr((await conn.execute(select(settings))).all())
        stored += repr((await conn.execute(select(sealed_secrets))).all())
    for text in (stored, (await admin.get("/audit-log")).text, (await admin.get("/settings")).text):
        assert CLIENT_SECRET not in text


@one_engine
async def test_the_providers_own_second_factor_counts(admin: httpx.AsyncClient, clients: Clients) -> None:
    other_admin = await clients.signed_in(Role.ADMIN)
    required = {"sign_in": {"second_factor_roles": ["user"]}}
    assert (await other_admin.patch("/settings", json=required)).status_code == 200
    client, answer = await sign_in(clients)
    assert answer.json()["second_factor_missing"] is False
    assert (await client.get("/me")).status_code == 200
