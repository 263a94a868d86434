"""control/api_keys: made, shown once, rotated, revoked; each change reaches the data plane at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import insert, select

from clock import Clock
from control_fixtures import Clients
from ops_center.control.context import Control
from ops_center.snapshot import api_key_digest
from ops_center.storage.rollups.rebuild import rebuild
from ops_center.storage.tables import api_keys, usage_records
from ops_center.types import BudgetPeriod, ByokPolicy, PowerLevel, Role, Scope, new_id

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("dialect", ["sqlite"])  # no SQL in question


async def new_key(client: httpx.AsyncClient, **fields: object) -> dict[str, object]:
    answer = await client.post("/me/api-keys", json={"name": "app", **fields})
    assert answer.status_code == 201, answer.text
    created: dict[str, object] = answer.json()
    return created


async def used(
    control: Control, api_key_id: object, *, days_ago: float, cost_usd: Decimal | None, count: int = 1
) -> None:
    async with control.database.write() as conn:
        for _ in range(count):
            await conn.execute(
                insert(usage_records).values(
                    request_id=new_id("req"),
                    started_at=control.clock() - timedelta(days=days_ago),
                    duration_seconds=0.1,
                    endpoint="chat/completions",
                    status=200,
                    stream=False,
                    requested_model="m",
                    api_key_id=api_key_id,
                    api_key_name="app",
                    user_id="usr_1",
                    user_email="a@b",
                    credential_source="platform",
                    input_tokens=1,
                    output_tokens=1,
                    cache_read_tokens=0,
                    cache_write_tokens=0,
                    cache_write_1h_tokens=0,
                    reasoning_tokens=0,
                    cost_usd=cost_usd,
                    cost_source="computed" if cost_usd is not None else "unknown",
                )
            )
    await rebuild(control.database)


async def test_a_secret_is_shown_once_and_stored_as_a_hash(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    created = await new_key(control_client)
    secret = str(created["secret"])
    assert re.fullmatch(r"sk-oc-[A-Za-z0-9_-]{43}", secret)
    assert created["preview"] == f"{secret[:8]}…{secret[-4:]}"
    listed = await control_client.get("/me/api-keys")
    assert secret not in listed.text
    assert "secret" not in listed.json()["api_keys"][0]
    assert secret not in (await control_client.get("/audit-log")).text
    async with control.database.read() as conn:
        [row] = (await conn.execute(select(api_keys))).all()
    assert bytes(row.secret_hash) == api_key_digest(secret)
    assert secret not in [str(value) for value in row]


async def test_a_new_key_is_in_the_snapshot_with_its_limits(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    created = await new_key(
        control_client,
        models=["gpt-4o", "gpt-4o", "auto"],
        power_level="eco",
        requests_per_minute=60,
        budget_usd=12.34,
        expires_at="2026-12-01T00:00:00+02:00",
    )
    assert created["expires_at"] == "2026-11-30T22:00:00Z"
    assert created["models"] == ["gpt-4o", "auto"]
    assert created["budget_usd"] == 12.34
    principal = control.publisher.current.principals[api_key_digest(str(created["secret"]))]
    assert principal.api_key_id == created["id"]
    assert principal.user_email == "admin@example.com"
    assert principal.scope is Scope.INFERENCE
    assert principal.models == {"gpt-4o", "auto"}
    assert principal.power_level is PowerLevel.ECO
    assert [rate.requests_per_minute for rate in principal.rates] == [60]
    [bound] = principal.budgets
    assert (bound.amount_nano_usd, bound.period) == (12_340_000_000, BudgetPeriod.MONTH)
    assert principal.expires_at == datetime(2026, 11, 30, 22, tzinfo=UTC)


BAD_FIELDS: list[tuple[str, object]] = [
    ("name", ""),
    ("name", None),
    ("name", "x" * 101),
    ("scope", "root"),
    ("expires_at", "2026-11-23T11:59:59Z"),
    ("expires_at", "2026-12-01T00:00:00"),
    ("expires_at", "9999-12-31T23:59:59Z"),
    ("expires_at", "tomorrow"),
    ("models", []),
    ("models", [""]),
    ("models", "gpt-4o"),
    ("power_level", "turbo"),
    ("requests_per_minute", 0),
    ("tokens_per_minute", 0),
    ("concurrent_requests", 0),
    ("concurrent_requests", 1.5),
    ("providers", []),
    ("providers", ["prov_nobody"]),
    ("ip_ranges", []),
    ("ip_ranges", ["203.0.113.0/33"]),
    ("ip_ranges", ["example.com"]),
    ("tags", [""]),
    ("tags", ["x" * 41]),
    ("requests_per_minute", -1),
    ("requests_per_minute", 10**12),
    ("requests_per_minute", True),
    ("requests_per_minute", 1.5),
    ("budget_usd", -0.01),
    ("budget_usd", 10**12),
    ("budget_usd", True),
    ("budget_usd", "NaN"),
]


@one_engine
@pytest.mark.parametrize(
    ("field", "value"),
    BAD_FIELDS,
)
async def test_a_bad_field_is_named(control_client: httpx.AsyncClient, field: str, value: object) -> None:
    answer = await control_client.post("/me/api-keys", json={"name": "app", field: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == field
    assert (await control_client.get("/me/api-keys")).json()["api_keys"] == []


@one_engine
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, value) for field, value in BAD_FIELDS if field != "scope"),
        ("scope", "admin"),
        ("tags", None),
        ("secret", "sk-oc-mine"),
    ],
)
async def test_a_bad_field_of_a_change_is_named_and_changes_nothing(
    control_client: httpx.AsyncClient, field: str, value: object
) -> None:
    key = await new_key(control_client, requests_per_minute=5)
    answer = await control_client.patch(
        f"/me/api-keys/{key['id']}", json={"tokens_per_minute": 9, field: value}
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, field)
    [kept] = (await control_client.get("/me/api-keys")).json()["api_keys"]
    assert kept == {name: value for name, value in key.items() if name != "secret"}


async def test_a_change_keeps_what_was_not_sent_and_holds_before_the_answer(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    provider = (
        await control_client.post("/llm/providers", json={"type": "openai", "api_key": "sk-test-abcdefgh"})
    ).json()
    key = await new_key(control_client, models=["a"], requests_per_minute=5, tags=["web"], budget_usd=1)
    secret = str(key.pop("secret"))
    await used(control, key["id"], days_ago=0, cost_usd=Decimal("0.25"))

    async def changed(**fields: object) -> dict[str, object]:
        answer = await control_client.patch(f"/me/api-keys/{key['id']}", json=fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    wanted: dict[str, object] = {
        "name": "renamed",
        "expires_at": "2027-01-01T00:00:00Z",
        "providers": [provider["id"]],
        "power_level": "eco",
        "byok_policy": "byok_only",
        "requests_per_minute": 7,
        "tokens_per_minute": 1000,
        "concurrent_requests": 3,
        "budget_usd": 2.5,
        "ip_ranges": ["203.0.113.0/24"],
    }
    answer = await changed(**wanted)
    figures = {"requests_30d": 1, "cost_30d_usd": 0.25, "cost_month_usd": 0.25}
    assert answer == key | wanted | figures | {"last_used_at": "2026-11-23T12:00:00Z"}
    [principal] = control.publisher.current.principals.values()
    assert control.publisher.current.principals == {api_key_digest(secret): principal}
    [rate] = principal.rates
    assert (rate.requests_per_minute, rate.tokens_per_minute, rate.concurrent_requests) == (7, 1000, 3)
    assert (principal.models, principal.providers) == ({"a"}, {provider["id"]})
    assert (principal.power_level, principal.byok_policy) == (PowerLevel.ECO, ByokPolicy.BYOK_ONLY)
    assert principal.expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert [str(network) for network in principal.ip_ranges] == ["203.0.113.0/24"]
    [bound] = principal.budgets
    assert bound.amount_nano_usd == 2_500_000_000

    lifted = ("models", "providers", "power_level", "byok_policy", "requests_per_minute", "ip_ranges")
    lifted += ("tokens_per_minute", "concurrent_requests", "budget_usd", "expires_at")
    bare = await changed(**dict.fromkeys(lifted), tags=[])
    assert {bare[name] for name in lifted} == {None}
    assert (bare["name"], bare["tags"]) == ("renamed", [])
    [principal] = control.publisher.current.principals.values()
    assert (principal.rates, principal.budgets, principal.models) == ((), (), None)


async def test_a_change_is_in_the_audit_log_with_before_and_after(control_client: httpx.AsyncClient) -> None:
    key = await new_key(control_client, requests_per_minute=5)
    path = f"/me/api-keys/{key['id']}"
    await control_client.patch(path, json={"requests_per_minute": 6})
    await control_client.patch(path, json={"requests_per_minute": 6})  # changes nothing
    await control_client.patch(path, json={})
    entries = (await control_client.get("/audit-log", params={"action": "api_key.update"})).json()["entries"]
    [entry] = entries
    before, after = entry["before"], entry["after"]
    assert {name for name in after if before.get(name) != after[name]} == {"requests_per_minute"}
    assert (before["requests_per_minute"], after["requests_per_minute"]) == (5, 6)


async def test_only_a_living_key_is_changed(control_client: httpx.AsyncClient, clock: Clock) -> None:
    short = await new_key(control_client, expires_at="2026-11-23T13:00:00Z")
    revoked = await new_key(control_client)
    await control_client.delete(f"/me/api-keys/{revoked['id']}")
    clock.advance(3600)
    for key in (short, revoked):
        for path in ("/me/api-keys", "/llm/api-keys"):
            answer = await control_client.patch(f"{path}/{key['id']}", json={"expires_at": None})
            assert answer.status_code == 409, answer.text


async def test_an_admin_changes_anybodys_key_within_what_holds_for_its_owner(
    control: Control, control_client: httpx.AsyncClient, clients: Clients
) -> None:
    owner = await clients.signed_in(Role.USER, "owner@example.com")
    key = await new_key(owner)
    path = f"/llm/api-keys/{key['id']}"
    users = (await control_client.get("/users")).json()["users"]
    [user] = [one for one in users if one["email"] == "owner@example.com"]
    bounds = {"power_level_max": "balanced", "byok_policy": "byok_only"}
    assert (await control_client.patch(f"/users/{user['id']}", json=bounds)).status_code == 200
    high = await control_client.patch(path, json={"power_level": "precision"})
    assert (high.status_code, high.json()["error"]["param"]) == (403, "power_level")
    loose = await control_client.patch(path, json={"byok_policy": "byok_then_shared"})
    assert (loose.status_code, loose.json()["error"]["param"]) == (422, "byok_policy")
    answer = await control_client.patch(path, json={"requests_per_minute": 3, "power_level": "balanced"})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["requests_per_minute"], changed["user_email"]) == (3, "owner@example.com")
    assert changed["byok_policies"] == ["byok_only"]
    assert (await owner.get("/me/api-keys")).json()["byok_policies"] == ["byok_only"]
    assert (await control_client.patch("/llm/api-keys/key_0", json={"name": "x"})).status_code == 404
    # somebody else's own, and by who may not
    assert (await control_client.patch(f"/me/api-keys/{key['id']}", json={"name": "x"})).status_code == 404
    assert (await owner.patch(path, json={"name": "x"})).status_code == 403


async def test_who_may_make_no_key_may_not_loosen_one(
    control_client: httpx.AsyncClient, clients: Clients
) -> None:
    demoted = await clients.signed_in(Role.USER, "demoted@example.com")
    key = await new_key(demoted, budget_usd=1)
    users = (await control_client.get("/users")).json()["users"]
    [user] = [one for one in users if one["email"] == "demoted@example.com"]
    await control_client.patch(f"/users/{user['id']}", json={"role": "viewer"})
    answer = await demoted.patch(f"/me/api-keys/{key['id']}", json={"budget_usd": None})
    assert answer.status_code == 403


async def test_only_an_admin_has_admin_keys(clients: Clients) -> None:
    for role in (Role.OPERATOR, Role.USER):
        client = await clients.signed_in(role)
        answer = await client.post("/me/api-keys", json={"name": "x", "scope": "admin"})
        assert answer.status_code == 403
    admin = await clients.signed_in(Role.ADMIN)
    assert (await new_key(admin, scope="admin"))["scope"] == "admin"


async def test_a_revoked_key_is_dead_before_the_answer(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    created = await new_key(control_client)
    kept = await new_key(control_client, name="kept")
    clock.advance(60)
    answer = await control_client.delete(f"/me/api-keys/{created['id']}")
    assert answer.status_code == 204
    assert set(control.publisher.current.principals) == {api_key_digest(str(kept["secret"]))}
    listed = {key["name"]: key for key in (await control_client.get("/me/api-keys")).json()["api_keys"]}
    assert listed["app"]["revoked_at"] == "2026-11-23T12:01:00Z"
    assert listed["kept"]["revoked_at"] is None
    clock.advance(60)
    assert (await control_client.delete(f"/me/api-keys/{created['id']}")).status_code == 204
    again = {key["name"]: key for key in (await control_client.get("/me/api-keys")).json()["api_keys"]}
    assert again["app"]["revoked_at"] == "2026-11-23T12:01:00Z"


async def test_a_revoked_or_expired_admin_key_opens_nothing(clients: Clients, clock: Clock) -> None:
    admin = await clients.signed_in(Role.ADMIN)
    short = await new_key(admin, scope="admin", expires_at="2026-11-23T13:00:00Z")
    revoked = await new_key(admin, scope="admin")
    await admin.delete(f"/me/api-keys/{revoked['id']}")
    robot = await clients.anonymous()
    robot.headers["authorization"] = f"Bearer {revoked['secret']}"
    assert (await robot.get("/me")).status_code == 401
    robot.headers["authorization"] = f"Bearer {short['secret']}"
    assert (await robot.get("/me")).status_code == 200
    clock.advance(3600)
    assert (await robot.get("/me")).status_code == 401


async def test_a_key_lives_ninety_days_unless_told_otherwise(control_client: httpx.AsyncClient) -> None:
    assert (await new_key(control_client))["expires_at"] == "2027-02-21T12:00:00Z"
    assert (await new_key(control_client, expires_at=None))["expires_at"] is None


async def test_a_key_carries_every_kind_of_limit(control: Control, control_client: httpx.AsyncClient) -> None:
    provider = (
        await control_client.post("/llm/providers", json={"type": "openai", "api_key": "sk-test-abcdefgh"})
    ).json()
    limits = {
        "providers": [provider["id"]],
        "tokens_per_minute": 1000,
        "concurrent_requests": 3,
        "ip_ranges": ["203.0.113.7/24", "2001:db8::1"],
        "tags": ["web", "web", "prod"],
    }
    created = await new_key(control_client, **limits)
    assert created["ip_ranges"] == ["203.0.113.0/24", "2001:db8::1/128"]
    assert created["tags"] == ["web", "prod"]
    principal = control.publisher.current.principals[api_key_digest(str(created["secret"]))]
    [rate] = principal.rates
    assert (rate.requests_per_minute, rate.tokens_per_minute, rate.concurrent_requests) == (None, 1000, 3)
    assert principal.providers == {provider["id"]}
    assert [str(network) for network in principal.ip_ranges] == ["203.0.113.0/24", "2001:db8::1/128"]


async def test_a_rotated_key_keeps_its_limits_and_kills_the_old_secret(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    old = await new_key(control_client, models=["a"], requests_per_minute=5, budget_usd=1, scope="admin")
    answer = await control_client.post(f"/me/api-keys/{old['id']}/rotate")
    assert answer.status_code == 201
    new = answer.json()
    assert new["id"] == old["id"]
    assert new["secret"] != old["secret"]
    kept = ("name", "scope", "models", "power_level", "requests_per_minute", "budget_usd", "expires_at")
    assert [new[name] for name in kept] == [old[name] for name in kept]
    assert set(control.publisher.current.principals) == {api_key_digest(new["secret"])}
    await control_client.delete(f"/me/api-keys/{old['id']}")
    assert (await control_client.post(f"/me/api-keys/{old['id']}/rotate")).status_code == 409


async def test_both_secrets_work_during_the_grace_period_and_count_as_one(
    control: Control, control_client: httpx.AsyncClient, clients: Clients, clock: Clock
) -> None:
    old = await new_key(control_client, scope="admin", budget_usd=1, requests_per_minute=5)
    answer = await control_client.post(f"/me/api-keys/{old['id']}/rotate", json={"grace_seconds": 3600})
    new = answer.json()
    assert new["previous_secret_ends_at"] == "2026-11-23T13:00:00Z"
    principals = control.publisher.current.principals
    of_old, of_new = (principals[api_key_digest(str(key["secret"]))] for key in (old, new))
    assert (of_old.rates, of_old.budgets) == (of_new.rates, of_new.budgets)
    assert of_old.expires_at == clock() + timedelta(hours=1)
    robot = await clients.anonymous()
    for secret in (old["secret"], new["secret"]):
        robot.headers["authorization"] = f"Bearer {secret}"
        assert (await robot.get("/me")).status_code == 200
    clock.advance(3600)
    await control.publisher.publish()
    assert set(control.publisher.current.principals) == {api_key_digest(new["secret"])}
    robot.headers["authorization"] = f"Bearer {old['secret']}"
    assert (await robot.get("/me")).status_code == 401


async def test_a_second_rotation_ends_the_first_secret(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    first = await new_key(control_client)
    second, third = [
        (await control_client.post(f"/me/api-keys/{first['id']}/rotate", json={"grace_seconds": 60})).json()
        for _ in range(2)
    ]
    living = {api_key_digest(key["secret"]) for key in (second, third)}
    assert set(control.publisher.current.principals) == living
    await control_client.delete(f"/me/api-keys/{first['id']}")
    assert control.publisher.current.principals == {}


@one_engine
@pytest.mark.parametrize("grace", [-1, 2_592_001, "1", 1.5, True])
async def test_a_grace_period_is_between_nothing_and_thirty_days(
    control_client: httpx.AsyncClient, grace: object
) -> None:
    key = await new_key(control_client)
    answer = await control_client.post(f"/me/api-keys/{key['id']}/rotate", json={"grace_seconds": grace})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "grace_seconds")


async def test_an_expired_key_is_not_rotated(control_client: httpx.AsyncClient, clock: Clock) -> None:
    key = await new_key(control_client, expires_at="2026-11-23T13:00:00Z")
    clock.advance(3600)
    assert (await control_client.post(f"/me/api-keys/{key['id']}/rotate")).status_code == 409


async def test_somebody_elses_key_is_out_of_reach(control: Control, clients: Clients) -> None:
    owner, stranger = await clients.signed_in(Role.USER), await clients.signed_in(Role.OPERATOR)
    key = await new_key(owner)
    assert (await stranger.get("/me/api-keys")).json()["api_keys"] == []
    assert (await stranger.delete(f"/me/api-keys/{key['id']}")).status_code == 404
    assert (await stranger.post(f"/me/api-keys/{key['id']}/rotate")).status_code == 404
    assert (await stranger.delete(f"/llm/api-keys/{key['id']}")).status_code == 403
    assert len(control.publisher.current.principals) == 1


async def test_an_admin_sees_and_stops_everybodys_keys(
    control: Control, control_client: httpx.AsyncClient, clients: Clients
) -> None:
    owner = await clients.signed_in(Role.USER, "owner@example.com")
    key = await new_key(owner)
    [listed] = (await control_client.get("/llm/api-keys")).json()["api_keys"]
    assert (listed["id"], listed["user_email"]) == (key["id"], "owner@example.com")
    assert (await control_client.delete(f"/llm/api-keys/{key['id']}")).status_code == 204
    assert (await control_client.delete("/llm/api-keys/key_0")).status_code == 404
    assert control.publisher.current.principals == {}


async def test_a_key_shows_what_it_was_used_for(control: Control, control_client: httpx.AsyncClient) -> None:
    busy, unpriced = (
        await new_key(control_client, name="busy"),
        await new_key(control_client, name="unpriced"),
    )
    await new_key(control_client, name="silent")
    await used(control, busy["id"], days_ago=1, cost_usd=Decimal("0.1"), count=3)
    await used(control, busy["id"], days_ago=2, cost_usd=None)
    await used(control, busy["id"], days_ago=22.4, cost_usd=Decimal(2))  # in the night to the first
    await used(control, busy["id"], days_ago=31, cost_usd=Decimal(7))
    await used(control, unpriced["id"], days_ago=1, cost_usd=None)
    listed = {key["name"]: key for key in (await control_client.get("/me/api-keys")).json()["api_keys"]}
    shown = {
        name: (key["requests_30d"], key["cost_30d_usd"], key["last_used_at"]) for name, key in listed.items()
    }
    assert shown == {
        "busy": (5, 2.3, "2026-11-22T12:00:00Z"),
        "silent": (0, 0.0, None),
        "unpriced": (1, None, "2026-11-22T12:00:00Z"),
    }
    assert {name: key["cost_month_usd"] for name, key in listed.items()} == {
        "busy": 2.3,
        "silent": 0,
        "unpriced": 0,
    }
    settings = {"organisation": {"time_zone": "Pacific/Pago_Pago"}}  # where it was October still
    await control_client.patch("/settings", json=settings)
    listed = {key["name"]: key for key in (await control_client.get("/me/api-keys")).json()["api_keys"]}
    assert listed["busy"]["cost_month_usd"] == 0.3


async def test_the_figures_count_requests_that_ended_a_moment_ago(
    control: Control, control_client: httpx.AsyncClient
) -> None:
    key = await new_key(control_client)

    async def drain() -> None:
        await used(control, key["id"], days_ago=0, cost_usd=Decimal(1))

    object.__setattr__(control, "drain_journal", drain)
    [listed] = (await control_client.get("/me/api-keys")).json()["api_keys"]
    assert listed["requests_30d"] == 1
