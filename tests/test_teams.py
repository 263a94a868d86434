"""control/teams: who shares a purse, their policy and budgets, and the keys of a team, on both databases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from clock import Clock
from control_fixtures import Clients
from ledger_rows import record
from live import LiveServer, SimulatorThread
from ops_center.control.context import Control
from ops_center.simulator import SimulatorConfig
from ops_center.snapshot import Principal, api_key_digest
from ops_center.storage.rollups.rebuild import rebuild
from ops_center.storage.tables import usage_records
from ops_center.types import BudgetScope, ByokPolicy

one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question


async def new_team(client: httpx.AsyncClient, name: str = "Platform", **fields: Any) -> dict[str, Any]:
    answer = await client.post("/teams", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def new_user(client: httpx.AsyncClient, email: str) -> str:
    return str((await client.post("/users", json={"email": email})).json()["id"])


async def service_key(client: httpx.AsyncClient, team_id: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post(f"/teams/{team_id}/api-keys", json={"name": "batch", **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def own_key(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post("/me/api-keys", json={"name": "laptop"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def principal(control: Control, key: dict[str, Any]) -> Principal | None:
    return control.publisher.current.principals.get(api_key_digest(key["secret"]))


async def called(control: Control, at: Any, cost_usd: str | None, team_id: str) -> None:
    cost = None if cost_usd is None else Decimal(cost_usd)
    async with control.database.write() as conn:
        values = record(at, cost_usd=cost) | {"team_id": team_id, "team_name": "then"}
        await conn.execute(insert(usage_records).values(values))
    await rebuild(control.database)


@pytest.mark.anyio
async def test_a_team_is_made_changed_and_dissolved(control_client: httpx.AsyncClient) -> None:
    ada, ben = [await new_user(control_client, f"{name}@example.com") for name in ("ada", "ben")]
    team = await new_team(control_client, " Platform ", member_ids=[ben, ada, ada])
    assert [member["email"] for member in team["members"]] == ["ada@example.com", "ben@example.com"]
    assert (team["name"], team["byok_policy"], team["service_keys"]) == ("Platform", None, 0)
    taken = await control_client.post("/teams", json={"name": "Platform"})
    assert (taken.status_code, taken.json()["error"]["param"]) == (409, "name")

    other = await new_team(control_client, "Data", member_ids=[ben])  # who leaves the first one
    path = f"/teams/{team['id']}"
    assert [m["email"] for m in (await control_client.get(path)).json()["members"]] == ["ada@example.com"]
    listed = (await control_client.get("/teams")).json()
    assert [one["name"] for one in listed["teams"]] == ["Data", "Platform"]
    assert listed["month_start_at"] == "2026-11-01T00:00:00Z"

    renamed = await control_client.patch(path, json={"name": "Core", "member_ids": []})
    assert (renamed.json()["name"], renamed.json()["members"]) == ("Core", [])
    assert (await control_client.patch(path, json={"name": "Data"})).status_code == 409
    assert (await control_client.patch(path, json={"name": "Core"})).status_code == 200
    assert (await control_client.delete(path)).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        gone = await control_client.request(method, path, json={} if method == "PATCH" else None)
        assert gone.status_code == 404
    assert [one["id"] for one in (await control_client.get("/teams")).json()["teams"]] == [other["id"]]
    log = (await control_client.get("/audit-log", params={"object_type": "team"})).json()["entries"]
    said = sorted((entry["action"], entry["object_name"]) for entry in log)
    assert said == [
        ("team.create", "Data"),
        ("team.create", "Platform"),
        ("team.delete", "Core"),
        ("team.update", "Core"),
        ("team.update", "Core"),
        ("team.update", "Platform"),
    ]
    [moved] = [e for e in log if (e["action"], e["object_name"]) == ("team.update", "Platform")]
    assert moved["before"] == {"members": ["ada@example.com", "ben@example.com"]}
    assert moved["after"] == {"members": ["ada@example.com"]}


@one_engine
@pytest.mark.anyio
async def test_what_cannot_be_is_refused_by_its_field(control_client: httpx.AsyncClient) -> None:
    await control_client.patch("/settings", json={"byok": {"policy": "shared_only"}})
    for wrong, field in (
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x", "member_ids": ["usr_none"]}, "member_ids"),
        ({"name": "x", "byok_policy": "byok_only"}, "byok_policy"),
        ({"name": "x", "owner": 1}, "owner"),
    ):
        answer = await control_client.post("/teams", json=wrong)
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, field)
    assert (await control_client.get("/teams")).json()["teams"] == []


@pytest.mark.anyio
async def test_what_a_team_has_spent_this_month_comes_from_the_ledger(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    team, other = await new_team(control_client), await new_team(control_client, "Data")
    await called(control, clock(), "1.25", team["id"])
    await called(control, clock() - timedelta(days=3), "0.000000001", team["id"])
    await called(control, clock(), None, team["id"])
    await called(control, clock() - timedelta(days=30), "99", team["id"])  # October
    await called(control, clock(), "7", other["id"])
    [data, platform] = (await control_client.get("/teams")).json()["teams"]
    assert (platform["month_requests"], platform["month_cost_usd"]) == (3, 1.250000001)
    assert (platform["month_unknown_cost_requests"], data["month_cost_usd"]) == (1, 7)


# ── budgets ───────────────────────────────────────────────────────────────────


@pytest.mark.anyio
async def test_a_teams_budget_bounds_its_members_and_its_service_keys_alone(
    control_client: httpx.AsyncClient, clients: Clients, control: Control, clock: Clock
) -> None:
    member, stranger = await clients.signed_in("user", "ben@example.com"), await clients.signed_in("user")
    ben = (await member.get("/me")).json()["id"]
    team = await new_team(control_client, member_ids=[ben])
    await called(control, clock(), "4", team["id"])
    body = {"scope": "team", "subject_id": team["id"], "amount_usd": 5}
    made = (await control_client.post("/llm/budgets", json=body)).json()
    assert (made["subject_name"], made["spent_usd"], made["status"]) == ("Platform", 4, "nearly_spent")
    unknown = await control_client.post("/llm/budgets", json={**body, "subject_id": "team_none"})
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (422, "subject_id")

    def bound(key: dict[str, Any]) -> list[tuple[BudgetScope, str]]:
        found = principal(control, key)
        assert found is not None
        return [(budget.scope, budget.subject) for budget in found.budgets]

    assert bound(await own_key(member)) == [(BudgetScope.TEAM, "this team")]
    assert bound(await service_key(control_client, team["id"])) == [(BudgetScope.TEAM, "this team")]
    assert bound(await own_key(stranger)) == []
    assert [b["id"] for b in (await member.get("/me/budgets")).json()["budgets"]] == [made["id"]]
    assert (await stranger.get("/me/budgets")).json()["budgets"] == []
    await control_client.delete(f"/teams/{team['id']}")
    assert (await control_client.get("/llm/budgets")).json()["budgets"] == []
    assert control.publisher.current.budgets == ()


# ── the policy over own keys ──────────────────────────────────────────────────


@pytest.mark.anyio
async def test_a_teams_policy_tightens_the_global_one_for_its_members(
    control_client: httpx.AsyncClient, clients: Clients, control: Control
) -> None:
    member = await clients.signed_in("user", "ben@example.com")
    ben = (await member.get("/me")).json()["id"]
    key = await own_key(member)

    async def policies() -> tuple[str, ByokPolicy]:
        found = principal(control, key)
        assert found is not None
        return (await member.get("/me/provider-keys")).json()["policy"], found.byok_policy

    assert await policies() == ("byok_then_shared", ByokPolicy.BYOK_THEN_SHARED)
    team = await new_team(control_client, member_ids=[ben], byok_policy="byok_only")
    assert await policies() == ("byok_only", ByokPolicy.BYOK_ONLY)
    await control_client.patch(f"/users/{ben}", json={"byok_policy": "byok_then_shared"})
    assert await policies() == ("byok_only", ByokPolicy.BYOK_ONLY)  # a lower level loosens nothing
    loose = await member.post("/me/api-keys", json={"name": "k", "byok_policy": "byok_then_shared"})
    assert (loose.status_code, loose.json()["error"]["param"]) == (422, "byok_policy")
    await control_client.patch(f"/teams/{team['id']}", json={"member_ids": []})
    assert await policies() == ("byok_then_shared", ByokPolicy.BYOK_THEN_SHARED)


# ── service keys ──────────────────────────────────────────────────────────────


@pytest.mark.anyio
async def test_a_service_key_stands_for_its_team_and_for_no_user(
    control_client: httpx.AsyncClient, clients: Clients, control: Control
) -> None:
    maker = await clients.signed_in("admin", "maker@example.com")
    maker_id = (await maker.get("/me")).json()["id"]
    limits = {"requests_per_minute": 1, "budget_usd": 1, "byok_policy": "shared_only"}
    await control_client.patch(f"/users/{maker_id}", json=limits)
    team = await new_team(control_client)
    key = await service_key(maker, team["id"], requests_per_minute=7)
    found = principal(control, key)
    assert found is not None
    assert (found.user_id, found.user_email) == (team["id"], "Platform (team)")
    assert (found.team_id, found.team_name, found.own_keys) == (team["id"], "Platform", None)
    assert [(rate.subject, rate.requests_per_minute) for rate in found.rates] == [("This API key", 7)]
    assert (found.budgets, found.byok_policy) == ((), ByokPolicy.BYOK_THEN_SHARED)

    assert (await maker.get("/me/api-keys")).json()["api_keys"] == []
    [shown] = (await maker.get(f"/teams/{team['id']}/api-keys")).json()["api_keys"]
    assert (shown["team_name"], shown["user_email"], "secret" in shown) == (
        "Platform",
        "maker@example.com",
        False,
    )
    assert (await maker.get(f"/teams/{team['id']}")).json()["service_keys"] == 1
    await control_client.patch(f"/users/{maker_id}", json={"disabled": True})
    assert principal(control, key) is not None

    path = f"/llm/api-keys/{key['id']}"
    changed = await control_client.patch(path, json={"requests_per_minute": 8, "power_level": "precision"})
    assert (changed.status_code, changed.json()["team_name"]) == (200, "Platform")
    found = principal(control, key)
    assert found is not None and found.rates[0].requests_per_minute == 8
    await control_client.patch(f"/teams/{team['id']}", json={"byok_policy": "byok_only"})
    loose = await control_client.patch(path, json={"byok_policy": "byok_then_shared"})
    assert (loose.status_code, loose.json()["error"]["param"]) == (422, "byok_policy")
    assert (await control_client.get(f"/teams/{team['id']}")).json()["byok_policies"] == ["byok_only"]
    [shown] = (await control_client.get(f"/teams/{team['id']}/api-keys")).json()["api_keys"]
    assert shown["byok_policies"] == ["byok_only"]

    new = await control_client.post(f"/teams/{team['id']}/api-keys/{key['id']}/rotate")
    assert (new.status_code, new.json()["id"]) == (201, key["id"])
    assert principal(control, key) is None and principal(control, new.json()) is not None
    assert (await control_client.delete(f"/llm/api-keys/{key['id']}")).status_code == 204
    assert principal(control, new.json()) is None


@pytest.mark.anyio
async def test_service_keys_end_with_their_team(control_client: httpx.AsyncClient, control: Control) -> None:
    team, other = await new_team(control_client), await new_team(control_client, "Data")
    key, kept = await service_key(control_client, team["id"]), await service_key(control_client, other["id"])
    assert (await control_client.delete(f"/teams/{team['id']}")).status_code == 204
    assert principal(control, key) is None and principal(control, kept) is not None
    rows = {k["id"]: k for k in (await control_client.get("/llm/api-keys")).json()["api_keys"]}
    assert rows[key["id"]]["revoked_at"] is not None and rows[kept["id"]]["revoked_at"] is None


@one_engine
@pytest.mark.anyio
async def test_a_service_key_is_its_own_teams_and_no_key_to_the_control_api(
    control_client: httpx.AsyncClient,
) -> None:
    team, other = await new_team(control_client), await new_team(control_client, "Data")
    wide = await control_client.post(f"/teams/{team['id']}/api-keys", json={"name": "k", "scope": "admin"})
    assert (wide.status_code, wide.json()["error"]["param"]) == (422, "scope")
    key = await service_key(control_client, team["id"])
    for path in (f"/teams/{other['id']}/api-keys/{key['id']}/rotate", f"/me/api-keys/{key['id']}/rotate"):
        assert (await control_client.post(path)).status_code == 404
    assert (await control_client.delete(f"/me/api-keys/{key['id']}")).status_code == 404
    assert (await control_client.patch(f"/me/api-keys/{key['id']}", json={"name": "x"})).status_code == 404
    for method in ("GET", "POST"):
        body = {"name": "k"} if method == "POST" else None
        answer = await control_client.request(method, "/teams/team_none/api-keys", json=body)
        assert answer.status_code == 404


def test_traffic_of_a_team_is_recorded_as_its_own_and_held_to_its_budget(tmp_path: Path) -> None:
    with SimulatorThread(SimulatorConfig()) as simulator, LiveServer(tmp_path / "data") as server:
        server.add_provider("openai", api_key="sk-good", base_url=simulator.simulator.openai_url)
        team = server.admin.post("/teams", json={"name": "Platform"}).json()
        body = {"name": "batch", "requests_per_minute": 100}
        key = server.admin.post(f"/teams/{team['id']}/api-keys", json=body).json()
        me = server.admin.get("/me").json()["id"]
        server.admin.patch(f"/teams/{team['id']}", json={"member_ids": [me]})
        mine = server.create_api_key("laptop")

        def ask(secret: str) -> httpx.Response:
            return httpx.post(
                f"{server.url}/v1/chat/completions",
                json={
                    "model": "gpt-4o-mini",
                    "max_tokens": 10,
                    "messages": [{"role": "user", "content": "hi"}],
                },
                headers={"authorization": f"Bearer {secret}"},
                timeout=30,
            )

        def limit(requests_per_minute: int | None) -> None:
            body = {"requests_per_minute": requests_per_minute}
            assert server.admin.patch(f"/llm/api-keys/{key['id']}", json=body).status_code == 200

        assert [ask(secret).status_code for secret in (key["secret"], mine)] == [200, 200]
        limit(1)  # what this minute has had counts on, and the old figure holds no longer
        assert ask(key["secret"]).status_code == 429
        limit(100)
        [shown] = server.admin.get("/teams").json()["teams"]
        assert shown["month_requests"] == 3 and shown["month_cost_usd"] > 0
        people = {row["user_email"] for row in server.admin.get("/llm/requests").json()["requests"]}
        assert "Platform (team)" in people and len(people) == 2
        budget = {"scope": "team", "subject_id": team["id"], "amount_usd": shown["month_cost_usd"]}
        assert server.admin.post("/llm/budgets", json=budget).status_code == 201
        for secret in (key["secret"], mine):
            refused = ask(secret)
            assert refused.status_code == 402 and "this team" in refused.text
