"""control/access.py: denied by default, for every route and every role."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from control_fixtures import Clients
from ops_center.control import api
from ops_center.control.access import (
    PERMISSIONS,
    PUBLIC,
    GuardedRoute,
    Permission,
    Routes,
    UndeclaredAccess,
)
from ops_center.control.api import create_control_app, guarded_routes
from ops_center.control.context import Control
from ops_center.types import Role

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question

ROLES: list[Role | None] = [None, *Role]
PUBLIC_OPERATIONS = {
    "get_setup",
    "set_up",
    "log_in",
    "log_out",
    "get_single_sign_on",
    "begin_single_sign_on",
    "finish_single_sign_on",
    "look_up_invitation",
    "accept_invitation",
}


async def call(client: httpx.AsyncClient, route: GuardedRoute) -> httpx.Response:
    """The route with an id that exists nowhere and, for a body, something it cannot accept."""
    path = re.sub(r"{\w+}", "none_0", route.path.removeprefix("/api/v1"))
    [method] = route.methods
    content = "[" if method in ("POST", "PUT", "PATCH") else None
    return await client.request(method, path, content=content, headers={"content-type": "application/json"})


@one_engine
@pytest.mark.parametrize("role", ROLES, ids=str)
async def test_every_route_lets_in_exactly_the_roles_it_declares(
    clients: Clients, control_app: FastAPI, role: Role | None
) -> None:
    routes = guarded_routes(control_app)
    assert len(routes) > 15
    wrong = []
    for route in routes:
        client = await clients.anonymous() if role is None else await clients.signed_in(role)
        status = (await call(client, route)).status_code
        allowed = route.access is None or (role is not None and route.access in PERMISSIONS[role])
        refused = 401 if role is None else 403
        if (status == refused) == allowed or status >= 500:
            wrong.append(f"{route.methods} {route.path} as {role}: {status}")
    assert wrong == []


def test_only_the_doors_are_public(control_app: FastAPI) -> None:
    assert {r.unique_id for r in guarded_routes(control_app) if r.access is None} == PUBLIC_OPERATIONS


def test_a_user_reaches_only_their_own_things(control_app: FastAPI) -> None:
    reached = {
        route.path.removeprefix("/api/v1/").split("/")[0]
        for route in guarded_routes(control_app)
        if route.access in PERMISSIONS[Role.USER]
    }
    assert reached == {"me", "auth", "system", "openapi.json"}


def test_a_viewer_changes_nothing_but_themselves(control_app: FastAPI) -> None:
    changed = {
        route.path
        for route in guarded_routes(control_app)
        if route.access in PERMISSIONS[Role.VIEWER]
        and route.methods != {"GET"}
        and route.access is not Permission.ROUTING_READ  # explains a plan, changes nothing
        and route.access is not Permission.VIEWS_WRITE  # one's own
    }
    assert all(path.startswith("/api/v1/me") for path in changed)


def test_a_route_without_a_permission_cannot_be_made() -> None:
    router = APIRouter(route_class=GuardedRoute)

    async def open_door() -> None: ...

    with pytest.raises(UndeclaredAccess):
        router.add_api_route("/open", open_door)


def test_the_application_refuses_a_route_made_by_the_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    class Smuggled(Routes):
        @property
        def routes(self) -> list:  # type: ignore[type-arg]
            router = APIRouter()
            router.add_api_route("/open", lambda: None)
            return list(router.routes)

    monkeypatch.setattr(api, "NOUNS", (Smuggled("x", prefix="/x"),))
    with pytest.raises(UndeclaredAccess):
        create_control_app(None)


def test_two_operations_with_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = Routes("x", prefix="/x")
    for path in ("/a", "/b"):

        @routes.get(path, permission=PUBLIC)
        async def same_name() -> None: ...

    monkeypatch.setattr(api, "NOUNS", (routes,))
    with pytest.raises(ValueError, match="same_name"):
        create_control_app(None)


async def test_an_unknown_path_is_a_404_in_our_shape(anonymous_client: httpx.AsyncClient) -> None:
    answer = await anonymous_client.get("/no/such/thing")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {"type": "not_found_error", "message": "There is nothing at this address"}
    }


async def test_no_answer_leads_to_the_host_that_the_caller_named(control_client: httpx.AsyncClient) -> None:
    answer = await control_client.get("/users/", headers={"host": "evil.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers


async def test_an_unknown_method_is_a_405_in_our_shape(control_client: httpx.AsyncClient) -> None:
    answer = await control_client.put("/users")
    assert answer.status_code == 405
    assert answer.json()["error"]["type"] == "method_not_allowed"


@one_engine
async def test_every_answer_carries_safe_headers(
    anonymous_client: httpx.AsyncClient, control_client: httpx.AsyncClient
) -> None:
    for answer in (
        await anonymous_client.get("/setup"),
        await anonymous_client.get("/users"),
        await control_client.get("/users"),
        await control_client.get("/nothing"),
        await control_client.post("/users", json={}),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


@one_engine
async def test_a_body_that_is_too_large_is_refused(control_client: httpx.AsyncClient) -> None:
    async def chunks():  # type: ignore[no-untyped-def]
        for _ in range(30):
            yield b" " * 100_000

    declared = await control_client.post("/users", content=b" " * 3_000_000)
    undeclared = await control_client.post("/users", content=chunks())
    for answer in (declared, undeclared):
        assert answer.status_code == 413
        assert answer.json()["error"]["type"] == "request_too_large"
        assert answer.headers["x-content-type-options"] == "nosniff"


@one_engine
@pytest.mark.parametrize("body", ["{", "[" * 100_000, '{"email": ' + "1" * 10_000 + "}", "[]", "null", ""])
async def test_a_broken_body_is_a_4xx_in_our_shape(control_client: httpx.AsyncClient, body: str) -> None:
    answer = await control_client.post("/users", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]


async def test_a_wrong_field_is_named_and_its_value_is_not_repeated(
    control_client: httpx.AsyncClient,
) -> None:
    answer = await control_client.post("/users", json={"email": "someone@example.com", "password": "hunter2"})
    assert answer.status_code == 422
    assert answer.json()["error"] == {
        "type": "validation_error",
        "message": "password must have at least 12 characters",
        "param": "password",
    }


async def test_an_unknown_field_is_refused_by_name(control_client: httpx.AsyncClient) -> None:
    answer = await control_client.post("/users", json={"email": "someone@example.com", "admin": True})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "admin"


async def test_an_internal_failure_says_nothing_about_itself(control: Control, clients: Clients) -> None:
    client = await clients.signed_in(Role.ADMIN)

    async def broken() -> None:
        raise RuntimeError("sk-secret-in-a-traceback")

    object.__setattr__(control, "drain_journal", broken)
    answer = await client.get("/me/api-keys")
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "internal_error"
    assert "sk-secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


# ---- who the caller is


async def test_an_admin_key_opens_the_control_api_with_its_owners_role(
    clients: Clients, control: Control
) -> None:
    admin = await clients.signed_in(Role.ADMIN)
    created = (await admin.post("/me/api-keys", json={"name": "robot", "scope": "admin"})).json()
    robot = await clients.anonymous()
    robot.headers["authorization"] = f"Bearer {created['secret']}"
    assert (await robot.get("/users")).status_code == 200

    me = (await admin.get("/me")).json()["id"]
    other = await clients.signed_in(Role.ADMIN)
    assert (await other.patch(f"/users/{me}", json={"role": "viewer"})).status_code == 200
    assert (await robot.get("/users")).status_code == 403


async def test_an_inference_key_does_not_open_the_control_api(clients: Clients) -> None:
    admin = await clients.signed_in(Role.ADMIN)
    created = (await admin.post("/me/api-keys", json={"name": "app"})).json()
    answer = await (await clients.anonymous()).get(
        "/me", headers={"authorization": f"Bearer {created['secret']}"}
    )
    assert answer.status_code == 403


@one_engine
@pytest.mark.parametrize(
    "header", ["Bearer sk-oc-unknown", "Bearer ", "Bearer", "Basic abc", "", "Bearer \xff"]
)
async def test_an_unknown_key_is_a_401_even_beside_a_good_cookie(
    control_client: httpx.AsyncClient, header: str
) -> None:
    answer = await control_client.get("/me", headers=[("authorization", header.encode("latin-1"))])
    assert answer.status_code == 401


async def test_a_made_up_cookie_is_a_401(anonymous_client: httpx.AsyncClient) -> None:
    for value in ("x", "x" * 5000, "%00"):
        answer = await anonymous_client.get("/me", headers={"cookie": f"ops_center_session={value}"})
        assert answer.status_code == 401


async def test_an_id_that_cannot_be_one_is_a_404(control_client: httpx.AsyncClient) -> None:
    for path in ("/users/%00", "/users/" + "x" * 500, "/users/usr_';drop", "/users/usr_0"):
        assert (await control_client.get(path)).status_code == 404


# ---- requests of other sites


@one_engine
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://ops.test:8085"},
        {"origin": "http://ops.test.evil.example"},
        {"origin": "null"},
        {"origin": "file://ops.test"},
        {"origin": "http://[bad"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://ops.test", "sec-fetch-site": "cross-site"},
    ],
)
async def test_an_unsafe_request_of_another_site_is_refused(
    control_client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for method, path in (("POST", "/me/api-keys"), ("PATCH", "/me"), ("POST", "/auth/login")):
        answer = await control_client.request(method, path, json={"name": "x"}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"]["type"] == "permission_error"
    assert (await control_client.get("/me/api-keys")).json()["api_keys"] == []


@one_engine
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://ops.test"},
        {"origin": "http://OPS.test:80"},
        {"origin": "https://ops.test", "host": "ops.test"},  # a proxy ends TLS and passes Host on
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
async def test_an_unsafe_request_of_our_own_site_is_let_in(
    control_client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await control_client.post("/me/api-keys", json={"name": "x"}, headers=headers)
    assert answer.status_code == 201


async def test_another_site_may_read_nothing_but_may_ask(control_client: httpx.AsyncClient) -> None:
    # A browser keeps the answer from the other site; no CORS header of ours changes that.
    answer = await control_client.get("/me", headers={"origin": "https://evil.example"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_a_program_with_a_key_has_no_origin_to_prove(clients: Clients) -> None:
    admin = await clients.signed_in(Role.ADMIN)
    created = (await admin.post("/me/api-keys", json={"name": "robot", "scope": "admin"})).json()
    answer = await (await clients.anonymous()).post(
        "/me/api-keys",
        json={"name": "second"},
        headers={"authorization": f"Bearer {created['secret']}", "origin": "https://elsewhere.example"},
    )
    assert answer.status_code == 201
