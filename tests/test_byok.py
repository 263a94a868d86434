"""control/byok: a user's own keys, and an admin's view without any of them, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from clock import Clock
from control_fixtures import Clients, ScriptedFetcher
from ledger_rows import add_attempts, add_records, attempt, record
from ops_center.control.byok.validation import check_due
from ops_center.control.context import Control
from ops_center.errors import ProviderUnreachable
from ops_center.providers.google_tokens import GOOGLES_ISSUER
from ops_center.snapshot import Principal, api_key_digest
from ops_center.storage.tables import api_keys, credentials, users
from ops_center.transport.client import FetchAnswer
from ops_center.types import ByokPolicy, CredentialSource
from test_google_tokens import key_file

pytestmark = pytest.mark.anyio

KEY = "sk-own-4b1d0c9e8f7a6b5c4d3e2f1a"
OTHER_KEY = "sk-own-ffffffffffffffffffffffff"
OPENAI_MODELS = "https://api.openai.com/v1/models"
INSTANCE = "http://10.0.0.9:8000/v1"


def models(*names: str) -> FetchAnswer:
    return FetchAnswer(200, {}, json.dumps({"data": [{"id": name} for name in names]}).encode())


@pytest.fixture(autouse=True)
def _openai_answers(http_fetcher: ScriptedFetcher) -> None:
    http_fetcher.answers[OPENAI_MODELS] = models("gpt-4o-mini")


@pytest.fixture
async def user(clients: Clients) -> httpx.AsyncClient:
    return await clients.signed_in("user", "ben@example.com")


async def put(client: httpx.AsyncClient, type: str = "openai", **body: Any) -> httpx.Response:
    return await client.put(f"/me/provider-keys/{type}", json=body or {"api_key": KEY})


async def own_keys(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/me/provider-keys")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def principal_of(client: httpx.AsyncClient, control: Control) -> Principal:
    made = await client.post("/me/api-keys", json={"name": "k"})
    assert made.status_code == 201, made.text
    return control.publisher.current.principals[api_key_digest(made.json()["secret"])]


# ── adding, replacing, disabling, deleting ────────────────────────────────────


async def test_a_key_is_proven_trimmed_kept_and_shown_to_its_owner_alone(
    user: httpx.AsyncClient, clients: Clients, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    answer = await put(user, api_key=f'  "{KEY}"\n')
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["status"] == "working"
    assert shown["credential_preview"] == "sk-o…2f1a"
    assert shown["used_at"] == ["https://api.openai.com/v1"]
    assert shown["last_check"]["success"] is True
    assert shown["requests_30d"] == 0
    assert [sent.headers["authorization"] for sent in http_fetcher.sent] == [f"Bearer {KEY}"]
    assert (await own_keys(user))["provider_keys"] == [shown]
    other = await clients.signed_in("user", "other@example.com")
    assert (await own_keys(other))["provider_keys"] == []
    assert (await other.post("/me/provider-keys/openai/test")).status_code == 404
    assert (await other.delete("/me/provider-keys/openai")).status_code == 404


async def test_the_database_holds_no_key_in_clear(user: httpx.AsyncClient, control: Control) -> None:
    await put(user)
    async with control.database.read() as conn:
        [row] = (await conn.execute(select(credentials))).all()
    assert row.provider_id is None
    assert KEY.encode() not in bytes(row.secret)
    assert control.secrets.open(bytes(row.secret), f"credential:{row.id}") == KEY


async def test_a_key_that_the_provider_refuses_is_kept_only_with_force(
    user: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, b"{}")
    answer = await put(user)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["message"], error["param"]) == ("Invalid API key", "api_key")
    assert "force" in error["hint"]
    assert (await own_keys(user))["provider_keys"] == []
    answer = await put(user, api_key=KEY, force=True)
    assert answer.status_code == 200
    assert answer.json()["status"] == "failing"


async def test_a_key_that_nobody_could_be_asked_about_is_kept_as_unproven(
    user: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    http_fetcher.answers[OPENAI_MODELS] = ProviderUnreachable("Address unreachable")
    answer = await put(user)
    assert (answer.status_code, answer.json()["status"]) == (200, "unproven")
    assert answer.json()["last_check"]["error_type"] == "unreachable"


@pytest.mark.parametrize(
    ("type", "body", "param"),
    [
        ("openai", {"api_key": "sk with spaces"}, "api_key"),
        ("openai", {"api_key": ""}, "api_key"),
        ("openai", {"api_key": None}, "api_key"),
        ("openai", {}, "api_key"),
        ("openai", {"enabled": True}, "api_key"),
        ("openai", {"api_key": 7}, "api_key"),
        ("openai", {"api_key": KEY, "base_url": "https://evil.example"}, "base_url"),
        ("nonsense", {"api_key": KEY}, "type"),
        ("custom", {"api_key": KEY}, "type"),
    ],
)
async def test_bad_input_is_refused_by_the_name_of_its_field(
    user: httpx.AsyncClient, type: str, body: dict[str, Any], param: str
) -> None:
    answer = await user.put(f"/me/provider-keys/{type}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == param
    assert KEY not in answer.text


async def test_replacing_disabling_and_deleting_reach_the_data_plane_at_once(
    user: httpx.AsyncClient, control: Control
) -> None:
    await put(user)
    principal = await principal_of(user, control)

    def key_in_use() -> str | None:
        own = control.publisher.current.own_keys.get(principal.user_id)
        return None if own is None else own.providers["own_openai"].credential

    assert key_in_use() == KEY
    assert (await put(user, api_key=OTHER_KEY)).status_code == 200
    assert key_in_use() == OTHER_KEY
    assert (await put(user, enabled=False)).json()["status"] == "disabled"
    assert key_in_use() is None
    assert (await put(user, enabled=True)).json()["status"] == "working"
    assert key_in_use() == OTHER_KEY
    assert (await user.delete("/me/provider-keys/openai")).status_code == 204
    assert key_in_use() is None
    assert (await own_keys(user))["provider_keys"] == []


async def test_a_disabled_users_keys_are_out_of_the_snapshot(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control
) -> None:
    await put(user)
    principal = await principal_of(user, control)
    assert principal.own_keys is not None
    answer = await control_client.patch(f"/users/{principal.user_id}", json={"disabled": True})
    assert answer.status_code == 200
    assert control.publisher.current.own_keys == {}


# ── where a key is used ───────────────────────────────────────────────────────


async def test_with_a_provider_of_the_type_the_key_is_tested_and_used_there(
    user: httpx.AsyncClient,
    control_client: httpx.AsyncClient,
    control: Control,
    http_fetcher: ScriptedFetcher,
) -> None:
    http_fetcher.answers[f"{INSTANCE}/models"] = models("gpt-4o-mini")
    made = await control_client.post(
        "/llm/providers",
        json={
            "type": "openai",
            "api_key": "sk-platform",
            "base_url": INSTANCE,
            "allow_private_network": True,
        },
    )
    assert made.status_code == 201, made.text
    await control.background.finished()
    http_fetcher.sent.clear()
    assert (await put(user)).json()["used_at"] == [INSTANCE]
    assert [(s.url, s.headers["authorization"]) for s in http_fetcher.sent] == [
        (f"{INSTANCE}/models", f"Bearer {KEY}")
    ]
    principal = await principal_of(user, control)
    assert principal.own_keys is not None
    [provider] = principal.own_keys.providers.values()
    assert (provider.id, provider.base_url, provider.credential) == (made.json()["id"], INSTANCE, KEY)
    assert provider.credential_source is CredentialSource.BYOK
    assert provider.allow_private_network is True
    assert principal.own_keys.view == frozenset()


async def test_without_one_the_key_opens_the_types_own_address_for_its_owner_alone(
    user: httpx.AsyncClient, clients: Clients, control: Control
) -> None:
    await put(user)
    principal = await principal_of(user, control)
    snapshot = control.publisher.current
    seen = snapshot.seen_by(principal)
    assert snapshot.targets == ()
    assert {target.provider.base_url for target in seen.targets} == {"https://api.openai.com/v1"}
    assert not any(target.provider.allow_private_network for target in seen.targets)
    assert "gpt-4o-mini" in seen.by_model
    other = await principal_of(await clients.signed_in("user"), control)
    assert control.publisher.current.seen_by(other).targets == ()


async def test_an_explained_route_says_where_the_own_key_serves(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control
) -> None:
    await put(user)
    principal = await principal_of(user, control)
    answer = await control_client.post(
        "/llm/route", json={"model": "gpt-4o-mini", "user_id": principal.user_id}
    )
    [target] = answer.json()["targets"]
    assert target["credential"] == "byok"
    assert "own key" in target["reason"]


# ── tests of keys ─────────────────────────────────────────────────────────────


async def test_a_test_of_the_saved_key_marks_it_and_one_of_a_pasted_key_does_not(
    user: httpx.AsyncClient, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    await put(user)
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, b"{}")
    pasted = await user.post("/me/provider-keys/openai/test", json={"api_key": OTHER_KEY})
    assert pasted.json()["message"] == "Invalid API key"
    assert (await own_keys(user))["provider_keys"][0]["status"] == "working"
    clock.advance(3600)
    saved = await user.post("/me/provider-keys/openai/test")
    assert (saved.status_code, saved.json()["error_type"]) == (200, "invalid_api_key")
    [key] = (await own_keys(user))["provider_keys"]
    since = key["failing_since"]
    assert (key["status"], key["last_check"]["message"]) == ("failing", "Invalid API key")
    clock.advance(3600)
    http_fetcher.answers[OPENAI_MODELS] = ProviderUnreachable("Address unreachable")
    await user.post("/me/provider-keys/openai/test")
    [key] = (await own_keys(user))["provider_keys"]
    assert (key["status"], key["failing_since"]) == ("failing", since)  # nobody has said otherwise
    http_fetcher.answers[OPENAI_MODELS] = models("gpt-4o-mini")
    assert (await user.post("/me/provider-keys/openai/test")).json()["success"] is True
    [key] = (await own_keys(user))["provider_keys"]
    assert (key["status"], key["failing_since"]) == ("working", None)


# ── a service account's key, a file of several lines ──────────────────────────


async def test_a_service_accounts_key_is_kept_whole_and_shown_by_its_public_name(
    user: httpx.AsyncClient,
    control_client: httpx.AsyncClient,
    control: Control,
    http_fetcher: ScriptedFetcher,
) -> None:
    lists = "https://aiplatform.googleapis.com/v1beta1/publishers/google/models?pageSize=300"
    http_fetcher.answers[GOOGLES_ISSUER] = FetchAnswer(
        200, {}, b'{"access_token": "ya29.x", "expires_in": 3599, "token_type": "Bearer"}'
    )
    http_fetcher.answers[lists] = FetchAnswer(200, {}, b'{"publisherModels": []}')
    file = key_file(token_uri=GOOGLES_ISSUER)
    assert "\n" in file
    answer = await put(user, "vertex", api_key=f"\n{file}\n")
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["status"] == "working"
    assert shown["credential_preview"] == "gateway@my-project.iam.gserviceaccount.c"
    [vertex] = [one for one in (await own_keys(user))["types"] if one["type"] == "vertex"]
    assert vertex["key_is_a_file"] is True
    assert (await user.post("/me/provider-keys/vertex/test")).json()["success"] is True
    async with control.database.read() as conn:
        [row] = (await conn.execute(select(credentials))).all()
    assert b"PRIVATE KEY" not in bytes(row.secret)
    assert control.secrets.open(bytes(row.secret), f"credential:{row.id}") == file
    seen = [await control_client.get(path) for path in ("/llm/byok/users", "/audit-log", "/users")]
    assert all(answer.status_code == 200 for answer in seen)
    assert not any("gserviceaccount" in answer.text for answer in seen)  # not even its name


async def test_a_service_account_of_ones_own_may_name_no_address_but_googles(
    user: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    answer = await put(user, "vertex", api_key=key_file(token_uri="https://tokens.example/token"), force=True)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "api_key")
    assert not http_fetcher.sent


async def test_half_a_file_is_no_key(user: httpx.AsyncClient, http_fetcher: ScriptedFetcher) -> None:
    answer = await put(user, "vertex", api_key=key_file()[:-20])
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "api_key")
    assert "PRIVATE" not in answer.text
    assert not http_fetcher.sent


# ── proven again, in the background ───────────────────────────────────────────


async def test_every_key_is_proven_again_once_a_day(
    user: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    await put(user)
    assert await check_due(control) == 0
    clock.advance(23 * 3600)
    assert await check_due(control) == 0
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, b"{}")
    clock.advance(2 * 3600)
    assert await check_due(control) == 1
    [key] = (await own_keys(user))["provider_keys"]
    assert (key["status"], key["last_check"]["message"]) == ("failing", "Invalid API key")
    assert key["failing_since"] == key["last_check"]["at"]
    assert await check_due(control) == 0
    http_fetcher.answers[OPENAI_MODELS] = models("gpt-4o-mini")
    clock.advance(25 * 3600)
    assert await check_due(control) == 1
    assert (await own_keys(user))["provider_keys"][0]["status"] == "working"


async def test_a_provider_that_could_not_be_asked_is_asked_again_within_the_hour(
    user: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    http_fetcher.answers[OPENAI_MODELS] = ProviderUnreachable("Address unreachable")
    assert (await put(user)).json()["status"] == "unproven"
    clock.advance(1800)
    assert await check_due(control) == 0
    http_fetcher.answers[OPENAI_MODELS] = models("gpt-4o-mini")
    clock.advance(1801)
    assert await check_due(control) == 1
    assert (await own_keys(user))["provider_keys"][0]["status"] == "working"


@pytest.mark.parametrize(
    "refused",
    [
        {"status": 401, "error_type": "provider_auth_error", "own_cost_source": "unknown"},
        {"fallback_from": "byok"},
    ],
    ids=["an error", "a fallback"],
)
async def test_a_key_that_a_request_was_refused_on_is_proven_again_soon(
    user: httpx.AsyncClient,
    control: Control,
    http_fetcher: ScriptedFetcher,
    clock: Clock,
    refused: dict[str, Any],
) -> None:
    await put(user)
    clock.advance(1200)
    me = (await user.get("/auth/me")).json()["user"]["id"]
    fields = {"provider_type": "openai", "own_cost_source": None, **refused}
    await add_records(control.database, [record(clock(), user_id="usr_other", **fields)])
    await add_records(control.database, [record(clock(), user_id=me, **fields | {"provider_type": "groq"})])
    assert await check_due(control) == 0
    await add_records(control.database, [record(clock(), user_id=me, **fields)])
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, b"{}")
    assert await check_due(control) == 1
    assert (await own_keys(user))["provider_keys"][0]["status"] == "failing"
    clock.advance(1200)
    await add_records(control.database, [record(clock(), user_id=me, **fields)])
    assert await check_due(control) == 0  # known already


async def test_keys_that_nothing_can_run_on_are_not_proven(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await put(user)
    await user.put("/me/provider-keys/openai", json={"enabled": False})
    clock.advance(25 * 3600)
    assert await check_due(control) == 0
    await user.put("/me/provider-keys/openai", json={"enabled": True})
    me = (await user.get("/auth/me")).json()["user"]["id"]
    await control_client.patch(f"/users/{me}", json={"disabled": True})
    assert await check_due(control) == 0


async def test_one_key_that_cannot_be_checked_keeps_no_other_from_its_turn(
    user: httpx.AsyncClient, clients: Clients, control: Control, clock: Clock
) -> None:
    await put(user)
    async with control.database.write() as conn:
        await conn.execute(update(credentials).values(secret=b"not what was sealed"))
    other = await clients.signed_in("user", "other@example.com")
    await put(other)
    clock.advance(25 * 3600)
    assert await check_due(control) == 2
    [key] = (await own_keys(user))["provider_keys"]
    assert key["status"] == "failing"
    assert (await own_keys(other))["provider_keys"][0]["status"] == "working"


# ── the switch and the policies ───────────────────────────────────────────────


async def test_the_users_switch_is_off_until_it_is_set_and_is_published(
    user: httpx.AsyncClient, control: Control
) -> None:
    await put(user)
    listed = await own_keys(user)
    kinds = {kind["type"]: kind["used_at"] for kind in listed["types"]}
    assert kinds["openai"] == ["https://api.openai.com/v1"]
    assert "custom" not in kinds  # until an admin has set one up, it has no address
    assert (listed["policy"], listed["fallback"], listed["fallback_allowed"]) == (
        "byok_then_shared",
        False,
        True,
    )
    assert (await principal_of(user, control)).byok_fallback is False
    answer = await user.patch("/me/provider-keys", json={"fallback": True})
    assert answer.json()["fallback"] is True
    assert (await principal_of(user, control)).byok_fallback is True


async def test_the_global_policy_is_a_setting_and_holds_at_once(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control
) -> None:
    answer = await control_client.patch("/settings", json={"byok": {"policy": "byok_only"}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["byok"] == {"policy": "byok_only"}
    assert (await principal_of(user, control)).byok_policy is ByokPolicy.BYOK_ONLY
    listed = await own_keys(user)
    assert (listed["policy"], listed["fallback_allowed"]) == ("byok_only", False)
    wrong = await control_client.patch("/settings", json={"byok": {"policy": "free_for_all"}})
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("globally", "of_user", "of_key", "held"),
    [
        ("byok_then_shared", "byok_only", None, "byok_only"),
        ("byok_then_shared", None, "byok_only", "byok_only"),
        ("byok_only", "shared_only", "byok_then_shared", "byok_only"),
        ("shared_then_byok", "byok_then_shared", "byok_only", "byok_only"),
        ("shared_then_byok", "byok_then_shared", "shared_only", "byok_then_shared"),
        ("shared_only", "byok_only", None, "shared_only"),
    ],
)
async def test_a_lower_level_only_tightens(
    user: httpx.AsyncClient,
    control_client: httpx.AsyncClient,
    control: Control,
    globally: str,
    of_user: str | None,
    of_key: str | None,
    held: str,
) -> None:
    await control_client.patch("/settings", json={"byok": {"policy": globally}})
    async with control.database.write() as conn:
        await conn.execute(update(users).values(byok_policy=of_user))
    made = await user.post("/me/api-keys", json={"name": "k"})
    async with control.database.write() as conn:
        await conn.execute(update(api_keys).values(byok_policy=of_key))
    await control.publisher.publish()
    principal = control.publisher.current.principals[api_key_digest(made.json()["secret"])]
    assert principal.byok_policy == held


# ── what an admin sees ────────────────────────────────────────────────────────


async def ledger(control: Control, user_id: str, clock: Clock) -> None:
    """Two paid calls (one long ago, estimated), one of unknown price, one fallback, one call of the platform."""
    now = clock()
    own: dict[str, Any] = {
        "user_id": user_id,
        "user_email": "ben@example.com",
        "credential_source": "byok",
        "cost_usd": Decimal(0),
        "own_cost_source": "computed",
    }
    await add_records(
        control.database,
        [
            record(now - timedelta(days=1), **own, own_cost_usd=Decimal("0.02"), saved_usd=Decimal("0.03")),
            record(
                now - timedelta(days=60),
                **{**own, "own_cost_source": "estimated"},
                own_cost_usd=Decimal("0.5"),
                saved_usd=Decimal("0.5"),
            ),
            record(now - timedelta(days=2), **{**own, "own_cost_source": "unknown"}),
            record(
                now - timedelta(days=3),
                user_id=user_id,
                fallback_from="byok",
                cost_usd=Decimal("0.004"),
                cost_source="estimated",
            ),
            record(now - timedelta(days=1), user_id=user_id, cost_usd=Decimal("0.01")),
        ],
    )


async def test_the_summary_and_the_list_add_up_the_ledger(
    user: httpx.AsyncClient, control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await put(user)
    user_id = (await user.get("/me")).json()["id"]
    await ledger(control, user_id, clock)
    summary = (await control_client.get("/llm/byok/summary")).json()
    assert {name: summary[name] for name in summary if name != "computed_at"} == {
        "byok_users": 1,
        "active_accounts": 1,
        "keys": 1,
        "failing_keys": 0,
        "requests_30d": 2,
        "own_cost_30d_usd": 0.02,
        "own_cost_30d_estimated_share": 0,
        "own_cost_total_usd": 0.52,
        "own_cost_total_estimated_share": pytest.approx(0.5 / 0.52),
        "saved_30d_usd": 0.03,
        "saved_30d_estimated_share": 0,
        "saved_total_usd": 0.53,
        "saved_total_estimated_share": pytest.approx(0.5 / 0.53),
        "unknown_saving_requests_30d": 1,
        "fallbacks_30d": 1,
        "fallback_cost_30d_usd": 0.004,
        "fallback_cost_30d_estimated_share": 1,
        "policy": "byok_then_shared",
    }
    [listed] = (await control_client.get("/llm/byok/users")).json()["users"]
    assert (listed["email"], listed["active"], listed["requests_30d"]) == ("ben@example.com", True, 2)
    assert (listed["saved_30d_usd"], listed["saved_total_usd"], listed["fallbacks_30d"]) == (0.03, 0.53, 1)
    assert listed["saved_total_estimated_share"] == pytest.approx(0.5 / 0.53)
    assert [key["status"] for key in listed["keys"]] == ["working"]
    [mine] = (await own_keys(user))["provider_keys"]
    assert (mine["requests_30d"], mine["own_cost_30d_usd"], mine["unknown_cost_requests_30d"]) == (2, 0.02, 1)


async def test_an_empty_installation_has_a_summary_of_zeros(control_client: httpx.AsyncClient) -> None:
    summary = (await control_client.get("/llm/byok/summary")).json()
    assert (summary["byok_users"], summary["active_accounts"], summary["saved_total_usd"]) == (0, 0, 0)
    assert (await control_client.get("/llm/byok/users")).json() == {"users": []}


async def test_own_keys_do_not_cheapen_the_platforms_average_nor_blame_its_provider(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    made = await control_client.post("/llm/providers", json={"type": "openai", "api_key": KEY})
    await control.background.finished()
    provider_id, now = made.json()["id"], clock()
    paid = record(now - timedelta(minutes=1), provider_id=provider_id)
    own = record(
        now - timedelta(minutes=1),
        provider_id=provider_id,
        credential_source="byok",
        cost_usd=Decimal(0),
        own_cost_source="computed",
    )
    await add_records(control.database, [paid, own])
    await add_attempts(
        control.database,
        [
            attempt(paid["request_id"], now - timedelta(minutes=1), provider_id=provider_id),
            *(
                attempt(
                    own["request_id"],
                    now - timedelta(minutes=1),
                    number,
                    provider_id=provider_id,
                    outcome="provider_auth_error",
                    credential_source="byok",
                )
                for number in range(1, 5)
            ),
        ],
    )
    card = (await control_client.get(f"/llm/providers/{provider_id}")).json()
    assert card["average_cost_usd"] == pytest.approx(0.001 / 150 * 1_000_000)
    assert card["health"]["status"] == "healthy"


@pytest.mark.parametrize("role", ["operator", "viewer", "user"])
async def test_only_an_admin_sees_who_has_own_keys(clients: Clients, role: str) -> None:
    client = await clients.signed_in(role)
    assert (await client.get("/llm/byok/summary")).status_code == 403
    assert (await client.get("/llm/byok/users")).status_code == 403


# ── the canary ────────────────────────────────────────────────────────────────


async def test_nothing_of_a_users_key_is_in_what_anybody_else_can_read(
    user: httpx.AsyncClient,
    control_client: httpx.AsyncClient,
    control: Control,
    http_fetcher: ScriptedFetcher,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await put(user)
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, f"no: {OTHER_KEY}".encode())
    refused = await put(user, api_key=OTHER_KEY)
    forced = await put(user, api_key=OTHER_KEY, force=True)
    bad = await put(user, api_key=f"{KEY} and more")
    tested = await user.post("/me/provider-keys/openai/test", json={"api_key": OTHER_KEY})
    await user.delete("/me/provider-keys/openai")
    http_fetcher.answers[OPENAI_MODELS] = models("gpt-4o-mini")
    await put(user)
    seen = [
        refused,
        forced,
        bad,
        tested,
        *[
            await control_client.get(path)
            for path in (
                "/audit-log",
                "/users",
                "/llm/byok/summary",
                "/llm/byok/users",
                "/llm/requests",
                "/llm/usage/export?format=json",
                "/llm/usage/export?format=csv",
                "/settings",
            )
        ],
    ]
    assert all(answer.status_code in (200, 422) for answer in seen), [a.status_code for a in seen]
    output = capsys.readouterr()
    everything = [a.text for a in seen] + [
        caplog.text,
        output.out,
        output.err,
        repr(control.publisher.current),
    ]
    for secret in (KEY, OTHER_KEY):
        assert not any(secret in text for text in everything)
        tail = secret[-4:]  # not even masked
        assert not any(tail in a.text for a in seen[4:])
    async with control.database.read() as conn:
        for table in (credentials, users):
            for row in (await conn.execute(select(table))).all():
                assert KEY not in repr(tuple(row))
