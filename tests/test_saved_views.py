"""control/saved_views: kept, shared, chosen, and opened when what they name is gone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from control_fixtures import Clients
from ops_center.types import Role

pytestmark = pytest.mark.anyio

QUERY = {"metric": "errors", "group": "model", "period": "7d", "provider_id": "prov_gone"}


async def save(client: httpx.AsyncClient, name: str = "Errors", **fields: Any) -> httpx.Response:
    return await client.post("/llm/views", json={"page": "usage", "name": name} | fields)


async def names(client: httpx.AsyncClient, **params: str) -> list[str]:
    answer = await client.get("/llm/views", params=params)
    assert answer.status_code == 200, answer.text
    return [view["name"] for view in answer.json()["views"]]


async def test_a_view_keeps_what_its_page_showed(control_client: httpx.AsyncClient) -> None:
    made = await save(control_client, query=QUERY | {"status": "error"}, is_default=True)
    assert made.status_code == 201, made.text
    assert {k: v for k, v in made.json()["query"].items() if v is not None} == QUERY | {"status": "error"}
    assert await names(control_client, page="requests") == []
    [view] = (await control_client.get("/llm/views", params={"page": "usage"})).json()["views"]
    assert view == made.json()
    assert (view["own"], view["may_change"], view["shared"], view["is_default"]) == (True, True, False, True)
    path = f"/llm/views/{view['id']}"
    changed = (
        await control_client.patch(path, json={"name": "Failures", "query": {"metric": "calls"}})
    ).json()
    assert (changed["name"], changed["query"]["metric"]) == ("Failures", "calls")
    assert (changed["query"]["provider_id"], changed["missing"]) == (None, [])
    assert (await control_client.delete(path)).status_code == 204
    assert await names(control_client) == []
    assert (await control_client.delete(path)).status_code == 404


async def test_a_page_opens_with_one_view_at_most(control_client: httpx.AsyncClient) -> None:
    first = (await save(control_client, "One", is_default=True)).json()
    second = (await save(control_client, "Two", is_default=True)).json()
    other = await control_client.post(
        "/llm/views", json={"page": "requests", "name": "One", "is_default": True, "query": {"live": "on"}}
    )
    assert other.status_code == 201
    views = (await control_client.get("/llm/views")).json()["views"]
    assert {view["id"] for view in views if view["is_default"]} == {second["id"], other.json()["id"]}
    taken_back = await control_client.patch(f"/llm/views/{second['id']}", json={"is_default": False})
    assert taken_back.json()["is_default"] is False
    assert first["id"] in {view["id"] for view in views}


async def test_a_view_whose_filter_names_something_gone_says_so(control_client: httpx.AsyncClient) -> None:
    team = (await control_client.post("/teams", json={"name": "Research"})).json()
    query = {"team_id": team["id"], "provider_id": "none", "user_id": "usr_gone"}
    made = (await save(control_client, query=query)).json()
    assert made["missing"] == [{"parameter": "user_id", "value": "usr_gone"}]
    await control_client.delete(f"/teams/{team['id']}")
    [view] = (await control_client.get("/llm/views")).json()["views"]
    assert {"parameter": "team_id", "value": team["id"]} in view["missing"]
    assert view["query"]["team_id"] == team["id"]


async def test_shared_views_are_seen_by_all_and_changed_by_owner_and_admin(
    clients: Clients, control_client: httpx.AsyncClient
) -> None:
    ops = await clients.signed_in(Role.OPERATOR, "ops@example.com")
    viewer = await clients.signed_in(Role.VIEWER, "view@example.com")
    private = (await save(ops, "Mine")).json()
    shared = (await save(ops, "Ours", shared=True)).json()
    assert await names(viewer) == ["Ours"]
    seen = (await viewer.get("/llm/views")).json()["views"][0]
    assert (seen["own"], seen["may_change"], seen["owner_email"]) == (False, False, "ops@example.com")
    path = f"/llm/views/{shared['id']}"
    assert (await viewer.patch(path, json={"name": "Hers"})).status_code == 403
    assert (await viewer.delete(path)).status_code == 403
    assert (await viewer.patch(path, json={"is_default": True})).json()["is_default"] is True
    assert (await ops.get("/llm/views", params={"page": "usage"})).json()["views"][1]["is_default"] is False
    assert (await viewer.get(f"/llm/views/{private['id']}")).status_code in (404, 405)
    assert (await control_client.patch(f"/llm/views/{private['id']}", json={"name": "x"})).status_code == 404
    refused = await save(viewer, "Theirs", shared=True)
    assert (refused.status_code, refused.json()["error"]["param"]) == (403, "shared")
    assert (await save(viewer, "Theirs")).status_code == 201

    assert (await control_client.patch(path, json={"name": "All of us"})).json()["name"] == "All of us"
    assert (await ops.patch(path, json={"shared": False})).json()["shared"] is False
    assert await names(viewer) == ["Theirs"]
    log = (await control_client.get("/audit-log")).json()["entries"]
    actions = [(e["action"], e["actor_email"]) for e in log if e["object_type"] == "saved_view"]
    assert actions == [
        ("saved_view.update", "ops@example.com"),
        ("saved_view.update", "admin@example.com"),
        ("saved_view.share", "ops@example.com"),
    ]


async def test_a_name_is_one_views_alone(clients: Clients, control_client: httpx.AsyncClient) -> None:
    ops = await clients.signed_in(Role.OPERATOR)
    assert (await save(ops, "Costs", shared=True)).status_code == 201
    taken = await save(ops, "costs")
    assert (taken.status_code, taken.json()["error"]["param"]) == (409, "name")
    assert (await save(control_client, "Costs")).status_code == 201  # a private one beside the shared one
    mine = (await save(control_client, "Other", shared=True)).json()
    assert (await control_client.patch(f"/llm/views/{mine['id']}", json={"name": "COSTS"})).status_code == 409
    assert (
        await control_client.post("/llm/views", json={"page": "requests", "name": "Costs"})
    ).status_code == 201


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": " "}, "name"),
        ({"page": "home"}, "page"),
        ({"query": {"metric": "beauty"}}, "query.metric"),
        ({"query": {"colour": "red"}}, "query.colour"),
        ({"shared": "yes"}, "shared"),
        ({"query": {"from_at": "yesterday"}}, "query.from_at"),
    ],
)
async def test_what_cannot_be_is_named(
    control_client: httpx.AsyncClient, fields: dict[str, Any], param: str
) -> None:
    answer = await save(control_client, **fields)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_query_is_of_its_page(control_client: httpx.AsyncClient) -> None:
    answer = await save(control_client, query={"search": "x"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "query.search")
    made = (await save(control_client)).json()
    changed = await control_client.patch(f"/llm/views/{made['id']}", json={"query": {"live": "on"}})
    assert (changed.status_code, changed.json()["error"]["param"]) == (422, "query.live")
