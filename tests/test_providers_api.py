"""control/providers: adding, changing, testing and deleting, on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import event, func, select, update

from clock import Clock
from control_fixtures import ScriptedFetcher
from ledger_rows import add_attempts, add_records, attempt, record
from ops_center.control.context import Control
from ops_center.control.providers.discovery import NO_MODELS, refresh_stale, resume_pending
from ops_center.control.providers.health import health_of
from ops_center.control.providers.probing import probe_idle
from ops_center.control.usage.repository import AttemptCount
from ops_center.errors import ProviderTimeout, ProviderUnreachable
from ops_center.routing import RouteRequest, resolve
from ops_center.storage.database import Database
from ops_center.storage.secrets import SecretBox
from ops_center.storage.tables import credentials, models, providers
from ops_center.transport.client import FetchAnswer

pytestmark = pytest.mark.anyio

KEY = "sk-test-4b1d0c9e8f7a6b5c4d3e2f1a"
OPENAI_MODELS = "https://api.openai.com/v1/models"


def model_list(*names: str) -> FetchAnswer:
    return FetchAnswer(200, {}, json.dumps({"data": [{"id": name} for name in names]}).encode())


@pytest.fixture(autouse=True)
def _a_provider_that_answers(http_fetcher: ScriptedFetcher) -> None:
    http_fetcher.answers[OPENAI_MODELS] = model_list("gpt-4o", "gpt-4o-mini")


async def add(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    body = {"type": "openai", "api_key": KEY} | fields
    answer = await client.post("/llm/providers", json={k: v for k, v in body.items() if v is not ...})
    assert answer.status_code == 201, answer.text
    provider: dict[str, Any] = answer.json()
    return provider


async def get(client: httpx.AsyncClient, provider: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"/llm/providers/{provider['id']}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def patch(client: httpx.AsyncClient, provider: dict[str, Any], **fields: Any) -> httpx.Response:
    return await client.patch(f"/llm/providers/{provider['id']}", json=fields)


async def stored_key(control: Control, provider_id: str) -> str | None:
    async with control.database.read() as conn:
        row = (
            await conn.execute(select(credentials).where(credentials.c.provider_id == provider_id))
        ).one_or_none()
    return None if row is None else control.secrets.open(row.secret, f"credential:{row.id}")


def refusal(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["error"].get("param")


# ── adding ────────────────────────────────────────────────────────────────────


async def test_a_provider_is_added_with_careful_defaults(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    added = await add(control_client)
    assert {
        key: added[key]
        for key in (
            "name",
            "type",
            "type_name",
            "base_url",
            "enabled",
            "priority",
            "auto_fallback",
            "allow_private_network",
            "status",
            "last_test",
            "average_cost_usd",
            "requests_30d",
            "latency_p50_ms",
            "demo",
        )
    } == {
        "name": "OpenAI",
        "type": "openai",
        "type_name": "OpenAI",
        "base_url": "https://api.openai.com/v1",
        "enabled": True,
        "priority": 50,
        "auto_fallback": True,
        "allow_private_network": False,
        "status": "enabled",
        "last_test": None,
        "average_cost_usd": None,
        "requests_30d": 0,
        "latency_p50_ms": None,
        "demo": False,
    }
    assert added["health"]["status"] == "unknown"
    assert added["id"].startswith("prov_")
    await control.background.finished()
    found = await get(control_client, added)
    assert found["discovery"]["status"] == "ok"
    assert found["models_count"] == 2
    listed = (await control_client.get("/llm/providers")).json()["providers"]
    assert listed == [found]


async def test_models_are_usable_soon_after_adding(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    await add(control_client)
    async with asyncio.timeout(2):
        while "gpt-4o" not in control.publisher.current.by_model:
            await asyncio.sleep(0.01)
    [target] = control.publisher.current.by_model["gpt-4o"]
    assert target.provider.credential == KEY
    assert target.price is not None
    [call] = http_fetcher.sent
    assert (call.method, call.url, call.headers["authorization"]) == ("GET", OPENAI_MODELS, f"Bearer {KEY}")


async def test_models_entered_by_hand_are_served_before_any_discovery(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    url = "http://models.test/v1"
    http_fetcher.answers[f"{url}/models"] = FetchAnswer(404, {}, b"")
    added = await add(
        control_client, type="custom", base_url=url, api_key=..., models=["mine", "mine", "other"]
    )
    assert "mine" in control.publisher.current.by_model
    await control.background.finished()
    found = await get(control_client, added)
    assert found["discovery"]["status"] == "failed"
    assert found["discovery"]["message"].startswith("Unexpected answer")
    assert found["models_count"] == 2
    assert found["credential_preview"] is None


async def test_the_key_is_sealed_and_never_comes_back(
    control_client: httpx.AsyncClient, control: Control, database: Database
) -> None:
    added = await add(control_client)
    await control.background.finished()
    assert await stored_key(control, added["id"]) == KEY
    async with database.read() as conn:
        sealed = (await conn.execute(select(credentials.c.secret))).scalar_one()
    assert KEY.encode() not in bytes(sealed)
    assert added["credential_preview"] == "sk-t…2f1a"
    seen = [
        (await control_client.get(path)).text
        for path in ("/llm/providers", f"/llm/providers/{added['id']}", "/audit-log", "/llm/models")
    ]
    assert KEY not in "".join(seen)


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize("pasted", [f"  {KEY}\n", f'"{KEY}"', f"\t'{KEY}' ", f"\r\n{KEY}\r\n", f"“{KEY}”"])
async def test_a_pasted_key_is_trimmed(
    control_client: httpx.AsyncClient, control: Control, pasted: str
) -> None:
    added = await add(control_client, api_key=pasted)
    assert await stored_key(control, added["id"]) == KEY


async def test_names_are_numbered_and_unique(control_client: httpx.AsyncClient) -> None:
    names = [(await add(control_client))["name"] for _ in range(3)]
    assert names == ["OpenAI", "OpenAI 2", "OpenAI 3"]
    taken = await control_client.post(
        "/llm/providers", json={"type": "openai", "api_key": KEY, "name": " openai 2 "}
    )
    assert refusal(taken) == (409, "name")
    assert (await add(control_client, name="  "))["name"] == "OpenAI 4"


async def test_many_of_one_type_may_be_added_at_once(control_client: httpx.AsyncClient) -> None:
    added = await asyncio.gather(*(add(control_client) for _ in range(5)))
    assert len({provider["name"] for provider in added}) == 5


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"type": "nobody"}, "type"),
        ({"type": ""}, "type"),
        ({"type": ...}, "type"),
        ({"type": 7}, "type"),
        ({"api_key": ...}, "api_key"),
        ({"api_key": None}, "api_key"),
        ({"api_key": '  "" '}, "api_key"),
        ({"api_key": "sk-two words"}, "api_key"),
        ({"api_key": "sk-\u00e9"}, "api_key"),
        ({"api_key": "sk-a\x00b"}, "api_key"),
        ({"api_key": "sk-a\r\nX-Evil: 1"}, "api_key"),
        ({"api_key": "x" * 4001}, "api_key"),
        ({"api_key": 5}, "api_key"),
        ({"priority": 0}, "priority"),
        ({"priority": 101}, "priority"),
        ({"priority": -1}, "priority"),
        ({"priority": 50.5}, "priority"),
        ({"priority": "50"}, "priority"),
        ({"priority": True}, "priority"),
        ({"priority": None}, "priority"),
        ({"base_url": "ftp://x.test"}, "base_url"),
        ({"base_url": "api.openai.com"}, "base_url"),
        ({"base_url": "https://"}, "base_url"),
        ({"base_url": "https://user:pass@x.test"}, "base_url"),
        ({"base_url": "https://x.test/v1?key=1"}, "base_url"),
        ({"base_url": "https://x.test:99999"}, "base_url"),
        ({"base_url": "file:///etc/passwd"}, "base_url"),
        ({"base_url": "https://x.test/\r\nHost: evil"}, "base_url"),
        ({"base_url": ["https://x.test"]}, "base_url"),
        ({"type": "custom", "api_key": ...}, "base_url"),
        ({"type": "custom", "base_url": "  "}, "base_url"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"enabled": "maybe"}, "enabled"),
        ({"models": ["a", ""]}, "models"),
        ({"models": "a"}, "models"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_bad_input_names_its_field(
    control_client: httpx.AsyncClient, control: Control, fields: dict[str, Any], param: str
) -> None:
    body = {"type": "openai", "api_key": KEY} | fields
    answer = await control_client.post("/llm/providers", json={k: v for k, v in body.items() if v is not ...})
    assert refusal(answer) == (422, param), answer.text
    for secret in (KEY, "Evil", "pass@"):
        assert secret not in answer.text
    assert (await control_client.get("/llm/providers")).json() == {"providers": []}


async def test_a_refused_address_is_not_saved(
    control_client: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    http_fetcher.refused.add("http://169.254.169.254/v1")
    answer = await control_client.post(
        "/llm/providers", json={"type": "custom", "base_url": "http://169.254.169.254"}
    )
    assert refusal(answer) == (422, "base_url")
    assert answer.json()["error"]["message"] == "Address not allowed"


async def test_the_private_network_switch_reaches_the_transport(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    await add(control_client, type="custom", base_url="http://10.0.0.5:8000", allow_private_network=True)
    await control.background.finished()
    assert http_fetcher.sent[-1].allow_private_network is True
    assert http_fetcher.sent[-1].url == "http://10.0.0.5:8000/v1/models"


# ── changing ──────────────────────────────────────────────────────────────────


async def test_a_change_touches_only_what_is_sent(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    before = await add(control_client, name="Mine", priority=70, auto_fallback=False)
    await control.background.finished()
    before = await get(control_client, before)
    for fields in ({"priority": 1}, {"enabled": False}, {"auto_fallback": True}, {"name": "Ours"}, {}):
        answer = await patch(control_client, before, **fields)
        assert answer.status_code == 200, answer.text
        after = answer.json()
        assert {k: v for k, v in after.items() if v != before[k]} | {"updated_at": 0} == {
            **fields,
            **({"status": "disabled"} if fields.get("enabled") is False else {}),
            "updated_at": 0,
        }
        before = after
    assert await stored_key(control, before["id"]) == KEY


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize("blank", [None, "", "   ", '""'])
async def test_a_blank_key_keeps_the_old_one(
    control_client: httpx.AsyncClient, control: Control, blank: str | None
) -> None:
    added = await add(control_client)
    answer = await patch(control_client, added, api_key=blank, priority=3)
    assert answer.json()["priority"] == 3
    assert await stored_key(control, added["id"]) == KEY


async def test_a_new_key_replaces_the_old_one_at_once(
    control_client: httpx.AsyncClient, control: Control, database: Database
) -> None:
    added = await add(control_client)
    await control.background.finished()
    await control_client.post(f"/llm/providers/{added['id']}/test")
    answer = await patch(control_client, added, api_key=" sk-new-0123456789abcdefghij ")
    assert answer.json()["credential_preview"] == "sk-n…ghij"
    assert answer.json()["last_test"] is None  # it proved the old key
    [target] = control.publisher.current.by_model["gpt-4o"]
    assert target.provider.credential == "sk-new-0123456789abcdefghij"
    async with database.read() as conn:
        assert (await conn.execute(select(func.count()).select_from(credentials))).scalar_one() == 1


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    "base_url",
    [
        "https://evil.test/v1",
        "http://api.openai.com/v1",  # the same host, but in the clear
        "https://api.openai.com:444/v1",
        "https://api.openai.com.evil.test/v1",
    ],
)
async def test_the_stored_key_is_never_sent_to_another_address(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher, base_url: str
) -> None:
    added = await add(control_client)
    await control.background.finished()
    assert refusal(await patch(control_client, added, base_url=base_url)) == (422, "api_key")
    assert (await get(control_client, added))["base_url"] == "https://api.openai.com/v1"
    moved = await patch(control_client, added, base_url=base_url, api_key="sk-other")
    assert moved.status_code == 200, moved.text
    await control.background.finished()
    for call in http_fetcher.sent:
        if not call.url.startswith("https://api.openai.com/"):
            assert KEY not in str(call.headers)


async def test_the_path_may_change_under_the_same_key(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    added = await add(control_client)
    answer = await patch(control_client, added, base_url="https://api.openai.com/v2/")
    assert answer.json()["base_url"] == "https://api.openai.com/v2"
    assert await stored_key(control, added["id"]) == KEY


async def test_a_provider_without_a_key_may_move_anywhere(control_client: httpx.AsyncClient) -> None:
    added = await add(control_client, type="custom", api_key=..., base_url="http://a.test")
    answer = await patch(control_client, added, base_url="http://b.test")
    assert answer.json()["base_url"] == "http://b.test/v1"


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"priority": 0}, 422, "priority"),
        ({"name": "Taken"}, 409, "name"),
        ({"name": "a/b"}, 422, "name"),
        ({"api_key": "two words"}, 422, "api_key"),
        ({"base_url": "gopher://x"}, 422, "base_url"),
        ({"type": "anthropic"}, 422, "type"),
    ],
)
async def test_a_bad_change_changes_nothing(
    control_client: httpx.AsyncClient, fields: dict[str, Any], status: int, param: str
) -> None:
    await add(control_client, name="Taken")
    added = await add(control_client)
    before = await get(control_client, added)
    assert refusal(await patch(control_client, added, **fields)) == (status, param)
    after = await get(control_client, added)
    assert {k: v for k, v in after.items() if k not in ("discovery", "models_count")} == {
        k: v for k, v in before.items() if k not in ("discovery", "models_count")
    }


async def test_disabling_takes_the_models_out_of_traffic(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    added = await add(control_client)
    await control.background.finished()
    await patch(control_client, added, enabled=False)
    assert control.publisher.current.by_model == {}
    await patch(control_client, added, enabled=True)
    assert "gpt-4o" in control.publisher.current.by_model


# ── deleting ──────────────────────────────────────────────────────────────────


async def test_deleting_leaves_no_secret_and_keeps_history(
    control_client: httpx.AsyncClient, control: Control, database: Database, clock: Clock
) -> None:
    added = await add(control_client)
    await control.background.finished()
    await add_records(database, [record(clock.now, provider_id=added["id"])])
    answer = await control_client.delete(f"/llm/providers/{added['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert control.publisher.current.targets == ()
    async with database.read() as conn:
        for table in (providers, credentials, models):
            assert (await conn.execute(select(func.count()).select_from(table))).scalar_one() == 0
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/impact")):
        again = await control_client.request(method, f"/llm/providers/{added['id']}{path}")
        assert again.status_code == 404, path
    [request] = (await control_client.get("/llm/requests")).json()["requests"]
    assert request["provider_name"] == "OpenAI"


async def test_the_impact_counts_who_used_it_and_what_is_left(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, http_fetcher: ScriptedFetcher
) -> None:
    first = await add(control_client)
    url = "http://models.test/v1"
    http_fetcher.answers[f"{url}/models"] = model_list("openai/GPT-4o", "unrelated")
    second = await add(control_client, type="custom", base_url=url)
    await control.background.finished()
    now = clock.now
    await add_records(
        control.database,
        [
            record(now, provider_id=first["id"], api_key_id="key_1", user_id="usr_1"),
            record(now - timedelta(hours=23), provider_id=first["id"], api_key_id="key_2", user_id="usr_1"),
            record(now - timedelta(hours=25), provider_id=first["id"], api_key_id="key_3", user_id="usr_2"),
            record(now - timedelta(days=31), provider_id=first["id"], api_key_id="key_4"),
            record(now, provider_id="prov_other", api_key_id="key_5"),
        ],
    )
    impact = (await control_client.get(f"/llm/providers/{first['id']}/impact")).json()
    assert impact == {
        "provider_id": first["id"],
        "name": "OpenAI",
        "in_use": True,
        "last_24h": {"requests": 2, "api_keys": 2, "users": 1},
        "last_30d": {"requests": 3, "api_keys": 3, "users": 2},
        "models_without_provider": ["gpt-4o-mini"],
        "models_without_provider_total": 1,
        "models_served_elsewhere": [{"model": "gpt-4o", "providers": [second["name"]]}],
        "models_served_elsewhere_total": 1,
    }
    await patch(control_client, second, enabled=False)
    impact = (await control_client.get(f"/llm/providers/{first['id']}/impact")).json()
    assert impact["models_without_provider"] == ["gpt-4o", "gpt-4o-mini"]
    unused = (await control_client.get(f"/llm/providers/{second['id']}/impact")).json()
    assert unused["in_use"] is False


async def test_long_lists_of_the_impact_are_cut_and_counted(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    http_fetcher.answers[OPENAI_MODELS] = model_list(*(f"m{n}" for n in range(60)))
    added = await add(control_client)
    await control.background.finished()
    impact = (await control_client.get(f"/llm/providers/{added['id']}/impact")).json()
    assert len(impact["models_without_provider"]) == 50
    assert impact["models_without_provider_total"] == 60


async def test_every_change_is_in_the_audit_log_without_keys(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    added = await add(control_client, name="Mine")
    await control.background.finished()
    await patch(control_client, added, priority=9, api_key="sk-second-key-0123456789")
    await control_client.post(f"/llm/providers/{added['id']}/test")
    await control_client.delete(f"/llm/providers/{added['id']}")
    answer = await control_client.get("/audit-log")
    entries = {e["action"]: e for e in answer.json()["entries"] if e["object_type"] == "provider"}
    assert set(entries) == {"provider.create", "provider.update", "provider.test", "provider.delete"}
    assert entries["provider.update"]["before"]["priority"] == 50
    assert entries["provider.update"]["after"]["priority"] == 9
    assert entries["provider.update"]["after"]["key_replaced"] is True
    assert entries["provider.delete"]["object_name"] == "Mine"
    assert all(e["actor_email"] == "admin@example.com" for e in entries.values())
    assert KEY not in answer.text
    assert "sk-second-key" not in answer.text


# ── figures ───────────────────────────────────────────────────────────────────


async def test_the_figures_of_a_card_come_from_its_records(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    added = await add(control_client)
    now, provider_id = clock.now, added["id"]
    rows = [
        record(now, provider_id=provider_id, cost_usd=Decimal("0.003"), input_tokens=900, output_tokens=100),
        record(now, provider_id=provider_id, cost_usd=None, input_tokens=5000),
        record(
            now - timedelta(days=29),
            provider_id=provider_id,
            cost_usd=Decimal("0.001"),
            input_tokens=1000,
            output_tokens=0,
        ),
        record(now - timedelta(days=31), provider_id=provider_id, duration_seconds=9),
        record(now, provider_id="prov_other"),
        record(now, provider_id=provider_id, status=504, cost_usd=Decimal(0), input_tokens=0, output_tokens=0)
        | {"duration_seconds": 9},
    ]
    await add_records(control.database, rows)
    found = await get(control_client, added)
    assert (found["requests_30d"], found["unknown_cost_requests_30d"]) == (4, 1)
    assert found["cost_30d_usd"] == 0.004
    assert found["average_cost_usd"] == 2.0  # $0.004 for 2,000 tokens whose cost is known
    path = "/llm/usage/explore?metric=latency_p50&period=30d&group=provider"
    groups = {one["value"]: one for one in (await control_client.get(path)).json()["groups"]}
    assert (
        found["latency_p50_ms"] == round(groups[provider_id]["total"] * 1000) == pytest.approx(500, rel=0.045)
    )


async def test_a_cost_of_which_nothing_is_known_is_null(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    added = await add(control_client)
    await add_records(control.database, [record(clock.now, provider_id=added["id"], cost_usd=None)])
    found = await get(control_client, added)
    assert (found["requests_30d"], found["cost_30d_usd"], found["average_cost_usd"]) == (1, None, None)


@contextmanager
def counted_queries(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    engines = [database._reader.sync_engine, database._writer.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_the_list_needs_the_same_few_queries_for_many_providers(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    counts = []
    for _ in range(2):
        for _ in range(4):
            await add(control_client)
        await control.background.finished()
        with counted_queries(control.database) as seen:
            await control_client.get("/llm/providers")
        counts.append(len(seen))
    assert counts[0] == counts[1]
    assert counts[1] <= 13


async def test_providers_are_listed_by_priority_then_name(control_client: httpx.AsyncClient) -> None:
    for name, priority in (("b", 50), ("A", 50), ("z", 90), ("c", 1)):
        await add(control_client, name=name, priority=priority)
    listed = (await control_client.get("/llm/providers")).json()["providers"]
    assert [provider["name"] for provider in listed] == ["z", "A", "b", "c"]


# ── health ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("outcomes", "test", "status", "words"),
    [
        ([("success", 3)], None, "healthy", "All 3 calls"),
        ([("success", 1)], False, "healthy", "The one call"),
        ([("success", 3), ("provider_timeout", 1)], True, "degraded", "1 of 4 calls"),
        ([("success", 1), ("provider_timeout", 1)], True, "degraded", "1 of 2 calls"),
        ([("success", 1), ("provider_failed", 2)], True, "down", "2 of 3 calls"),
        ([("provider_unreachable", 1)], None, "down", "1 of 1 call in"),
        ([("success", 2), ("client_closed", 9)], None, "healthy", "All 2 calls"),
        ([("invalid_request_error", 5)], True, "healthy", "Last test"),
        ([], True, "healthy", "Last test"),
        ([], False, "down", "Last test: Invalid API key"),
        ([], None, "unknown", "nor tested"),
    ],
)
def test_health_follows_traffic_then_the_test(
    clock: Clock, outcomes: list[tuple[str, int]], test: bool | None, status: str, words: str
) -> None:
    health = health_of(
        [AttemptCount("prov_1", outcome, calls, clock.now, clock.now) for outcome, calls in outcomes],
        test_at=None if test is None else clock.now,
        test_success=test,
        test_message="Invalid API key" if test is False else "Connection successful! (1ms)",
    )
    assert health.status == status
    assert words in health.reason


async def test_health_looks_at_the_last_fifteen_minutes(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    added = await add(control_client)
    failed = {"provider_id": added["id"], "outcome": "provider_timeout"}
    await add_attempts(control.database, [attempt("req_1", clock.now - timedelta(minutes=14), **failed)])
    health = (await get(control_client, added))["health"]
    assert health["status"] == "down"
    assert health["since"] == "2026-11-23T11:46:00Z"
    clock.advance(61)
    assert (await get(control_client, added))["health"]["status"] == "unknown"


async def test_the_newest_of_traffic_and_tests_has_the_word(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, http_fetcher: ScriptedFetcher
) -> None:
    added = await add(control_client)
    await control.background.finished()

    async def asked(request_id: str, **ended: Any) -> dict[str, Any]:
        row = attempt(request_id, clock.now, provider_id=added["id"], **ended)
        await add_attempts(control.database, [row])
        return (await get(control_client, added))["health"]

    assert (await asked("req_1"))["reason"] == "The one call in the last 15 minutes succeeded"
    clock.advance(360)
    well = http_fetcher.answers[OPENAI_MODELS]
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, b"")
    assert await probe_idle(control) == 1
    health = (await get(control_client, added))["health"]
    assert health == {
        "status": "down",
        "reason": "Last test: Invalid API key",
        "since": "2026-11-23T12:06:00Z",
    }
    clock.advance(60)
    assert (await asked("req_2"))["reason"] == "All 2 calls in the last 15 minutes succeeded"
    clock.advance(60)
    assert (await asked("req_3", outcome="provider_failed"))["status"] == "degraded"
    http_fetcher.answers[OPENAI_MODELS] = well
    clock.advance(60)
    await control_client.post(f"/llm/providers/{added['id']}/test")
    health = (await get(control_client, added))["health"]
    assert (health["status"], health["since"]) == ("healthy", "2026-11-23T12:09:00Z")


async def test_since_when_does_not_move_with_a_test_that_says_the_same(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, http_fetcher: ScriptedFetcher
) -> None:
    added = await add(control_client)
    await control.background.finished()

    async def probed() -> tuple[str, str]:
        clock.advance(1800)
        assert await probe_idle(control) == 1
        health = (await get(control_client, added))["health"]
        return health["status"], health["since"]

    assert await probed() == ("healthy", "2026-11-23T12:30:00Z")
    assert await probed() == ("healthy", "2026-11-23T12:30:00Z")
    refused = attempt("req_1", clock.now, provider_id=added["id"], outcome="provider_auth_error")
    await add_attempts(control.database, [{**refused, "credential_source": "byok"}])
    assert await probed() == ("healthy", "2026-11-23T12:30:00Z")  # a user's own key only
    failed = attempt("req_2", clock.now, provider_id=added["id"], outcome="provider_failed")
    await add_attempts(control.database, [failed])
    assert await probed() == ("healthy", "2026-11-23T14:00:00Z")  # it failed in between
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, b"")
    assert await probed() == ("down", "2026-11-23T14:30:00Z")
    assert await probed() == ("down", "2026-11-23T14:30:00Z")


# ── the fallback order ────────────────────────────────────────────────────────


async def test_several_priorities_are_one_change_that_traffic_follows(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    first, second = await add(control_client, name="First"), await add(control_client, name="Second")
    third = await add(control_client, name="Third", priority=10)
    await control.background.finished()

    def asked() -> list[str]:
        plan = resolve(control.publisher.current, None, RouteRequest(model="gpt-4o"))
        return [choice.target.provider.name for choice in plan.choices]

    wanted = {second["id"]: 90, first["id"]: 20, third["id"]: 60}
    answer = await control_client.put("/llm/providers/priorities", json={"priorities": wanted})
    assert answer.status_code == 200, answer.text
    assert [(p["name"], p["priority"]) for p in answer.json()["providers"]] == [
        ("Second", 90),
        ("Third", 60),
        ("First", 20),
    ]
    assert asked() == ["Second", "Third", "First"]
    await control_client.put("/llm/providers/priorities", json={"priorities": wanted})  # nothing is new
    entries = (await control_client.get("/audit-log")).json()["entries"]
    [entry] = [e for e in entries if e["action"] == "provider.prioritise"]
    assert entry["after"] == {"Second": 90, "First": 20, "Third": 60}


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_bad_priority_changes_none_of_them(
    control_client: httpx.AsyncClient, control: Control
) -> None:
    added = await add(control_client)
    for wanted in (
        {added["id"]: 60, "prov_nobody": 50},
        {added["id"]: 101},
        {added["id"]: 0},
        {added["id"]: "9"},
    ):
        answer = await control_client.put("/llm/providers/priorities", json={"priorities": wanted})
        assert answer.status_code == 422, wanted
        assert answer.json()["error"]["param"] in ("priorities", f"priorities.{added['id']}")
    assert (await get(control_client, added))["priority"] == 50


# ── testing ───────────────────────────────────────────────────────────────────


async def test_only_idle_providers_are_probed_and_it_is_no_ones_act(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, http_fetcher: ScriptedFetcher
) -> None:
    idle, busy = await add(control_client), await add(control_client, name="Busy")
    await add(control_client, name="Off", enabled=False)
    await control.background.finished()
    row = record(clock.now)
    await add_records(control.database, [row])
    await add_attempts(control.database, [attempt(row["request_id"], clock.now, provider_id=busy["id"])])

    assert await probe_idle(control) == 1
    assert (await get(control_client, idle))["health"]["status"] == "healthy"
    assert (await get(control_client, busy))["last_test"] is None
    assert await probe_idle(control) == 0  # it was just tested

    clock.advance(360)
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, b"")
    assert await probe_idle(control) == 2  # nobody asked the busy one since
    assert (await get(control_client, idle))["health"]["status"] == "down"
    assert (await get(control_client, busy))["last_test"]["success"] is False
    assert {sent.method for sent in http_fetcher.sent} == {"GET"}  # nothing that could be billed
    entries = (await control_client.get("/audit-log")).json()["entries"]
    assert not [entry for entry in entries if entry["action"] == "provider.test"]


async def test_the_test_of_a_card_is_kept_on_the_card(
    control_client: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    added = await add(control_client)
    result = (await control_client.post(f"/llm/providers/{added['id']}/test")).json()
    assert result["success"] is True
    assert result["message"] == f"Connection successful! ({result['latency_ms']}ms)"
    found = await get(control_client, added)
    assert found["last_test"] == {
        "at": "2026-11-23T12:00:00Z",
        "success": True,
        "latency_ms": result["latency_ms"],
        "message": result["message"],
        "error_type": None,
    }
    assert found["health"]["status"] == "healthy"
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(401, {}, b"canary")
    failed = await control_client.post(f"/llm/providers/{added['id']}/test")
    assert failed.status_code == 200
    assert failed.json()["error_type"] == "invalid_api_key"
    found = await get(control_client, added)
    assert (found["last_test"]["success"], found["last_test"]["message"]) == (False, "Invalid API key")
    assert found["health"]["status"] == "down"


async def run_test(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/llm/test", json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def test_an_unsaved_key_is_tested_and_not_kept(
    control_client: httpx.AsyncClient, http_fetcher: ScriptedFetcher
) -> None:
    result = await run_test(control_client, type="openai", api_key=f" {KEY}\n")
    assert result["success"] is True
    assert http_fetcher.sent[-1].headers["authorization"] == f"Bearer {KEY}"
    assert (await control_client.get("/llm/providers")).json() == {"providers": []}


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("fields", "error_type"),
    [
        ({}, "invalid_api_key"),
        ({"api_key": "   "}, "invalid_api_key"),
        ({"api_key": "two words"}, "invalid_api_key"),
        ({"api_key": "sk-\u00e9"}, "invalid_api_key"),
    ],
)
async def test_a_key_that_cannot_be_one_is_a_result(
    control_client: httpx.AsyncClient,
    http_fetcher: ScriptedFetcher,
    fields: dict[str, Any],
    error_type: str,
) -> None:
    result = await run_test(control_client, type="openai", **fields)
    assert (result["success"], result["error_type"]) == (False, error_type)
    assert http_fetcher.sent == []


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"type": "nobody"}, "type"),
        ({}, "type"),
        ({"type": "openai", "api_key": KEY, "base_url": "nonsense"}, "base_url"),
        ({"type": "custom"}, "base_url"),
        ({"type": "openai", "provider_id": "prov_0"}, "provider_id"),
    ],
)
async def test_only_malformed_input_is_refused(
    control_client: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    assert refusal(await control_client.post("/llm/test", json=body)) == (422, param)


async def test_a_stored_key_is_tested_only_at_its_own_address(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    added = await add(control_client)
    await control.background.finished()
    http_fetcher.sent.clear()
    dialog = {"type": "openai", "provider_id": added["id"], "api_key": ""}
    assert (await run_test(control_client, **dialog))["success"] is True
    assert http_fetcher.sent[-1].headers["authorization"] == f"Bearer {KEY}"
    http_fetcher.sent.clear()
    stolen = await run_test(control_client, **dialog, base_url="https://evil.test/v1")
    assert (stolen["success"], stolen["error_type"]) == (False, "invalid_api_key")
    assert http_fetcher.sent == []
    fresh = {**dialog, "api_key": "sk-fresh"}
    await run_test(control_client, **fresh, base_url="https://evil.test/v1")
    assert http_fetcher.sent[-1].headers["authorization"] == "Bearer sk-fresh"


async def test_a_key_sealed_under_a_lost_master_key_is_said_so(
    control_client: httpx.AsyncClient, control: Control, database: Database
) -> None:
    added = await add(control_client)
    await control.background.finished()
    async with database.write() as conn:
        other = SecretBox([b"x" * 32])
        await conn.execute(update(credentials).values(secret=other.seal(KEY, "credential:x")))
    result = (await control_client.post(f"/llm/providers/{added['id']}/test")).json()
    assert result["error_type"] == "invalid_api_key"
    assert "enter it again" in result["hint"]


# ── discovery ─────────────────────────────────────────────────────────────────


async def refresh(client: httpx.AsyncClient, provider: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(f"/llm/providers/{provider['id']}/models/refresh")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def names(client: httpx.AsyncClient) -> set[str]:
    return {m["name"] for m in (await client.get("/llm/models")).json()["models"]}


async def test_a_refresh_follows_the_list_and_keeps_the_admins_word(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher, clock: Clock
) -> None:
    added = await add(control_client, models=["by-hand"])
    await control.background.finished()
    listed = (await control_client.get("/llm/models")).json()["models"]
    ids = {m["name"]: m["id"] for m in listed}
    await control_client.patch(f"/llm/models/{ids['gpt-4o']}", json={"enabled": False})
    await control_client.patch(f"/llm/models/{ids['gpt-4o-mini']}", json={"score": 50})

    http_fetcher.answers[OPENAI_MODELS] = model_list("gpt-4o", "gpt-5", "by-hand")
    clock.advance(60)
    result = await refresh(control_client, added)
    assert result == {
        "discovery": {"status": "ok", "message": None, "at": "2026-11-23T12:01:00Z"},
        "models_count": 3,
    }
    # gone from the list, but the admin had said something about it
    assert await names(control_client) == {"by-hand", "gpt-4o", "gpt-4o-mini", "gpt-5"}
    models_now = {m["name"]: m for m in (await control_client.get("/llm/models")).json()["models"]}
    assert models_now["gpt-4o"]["enabled"] is False
    assert models_now["gpt-4o"]["id"] == ids["gpt-4o"]
    assert models_now["by-hand"]["origin"] == "manual"

    http_fetcher.answers[OPENAI_MODELS] = model_list("gpt-4o")
    await refresh(control_client, added)
    assert await names(control_client) == {"by-hand", "gpt-4o", "gpt-4o-mini"}


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (FetchAnswer(401, {}, b"canary"), "Invalid API key"),
        (FetchAnswer(429, {}, b"canary"), "Rate limit exceeded"),
        (FetchAnswer(503, {}, b"canary"), "Provider error (HTTP 503)"),
        (FetchAnswer(200, {}, b"<html>canary</html>"), "Unexpected answer"),
        (ProviderTimeout("canary", detail="canary"), "Connection timeout"),
        (ProviderUnreachable("canary", detail="canary"), "Address unreachable"),
        (FetchAnswer(200, {}, b'{"data": []}'), NO_MODELS),
    ],
)
async def test_a_failed_discovery_says_why_and_loses_no_model(
    control_client: httpx.AsyncClient,
    control: Control,
    http_fetcher: ScriptedFetcher,
    answer: FetchAnswer | Exception,
    message: str,
) -> None:
    added = await add(control_client)
    await control.background.finished()
    http_fetcher.answers[OPENAI_MODELS] = answer
    result = await refresh(control_client, added)
    assert result["discovery"]["status"] == "failed"
    assert result["discovery"]["message"].startswith(message)
    assert result["models_count"] == 2
    found = await get(control_client, added)
    assert found["discovery"] == result["discovery"]
    assert "canary" not in json.dumps(found)


async def test_a_provider_deleted_during_its_discovery_stays_deleted(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher, database: Database
) -> None:
    added = await add(control_client)
    await control.background.finished()
    asked, go = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedFetcher):
        async def fetch(self, method: str, url: str, **rest: Any) -> FetchAnswer:
            asked.set()
            await go.wait()
            return model_list("gpt-9")

    object.__setattr__(control, "http", Slow())
    refreshing = asyncio.create_task(control_client.post(f"/llm/providers/{added['id']}/models/refresh"))
    await asked.wait()
    assert (await control_client.delete(f"/llm/providers/{added['id']}")).status_code == 204
    go.set()
    assert (await refreshing).status_code == 404
    async with database.read() as conn:
        assert (await conn.execute(select(func.count()).select_from(models))).scalar_one() == 0


async def test_a_discovery_cut_short_is_taken_up_again(
    control_client: httpx.AsyncClient, control: Control, database: Database
) -> None:
    added = await add(control_client)
    await control.background.finished()
    async with database.write() as conn:
        await conn.execute(update(providers).values(discovery_status="pending"))
    await resume_pending(control)
    await control.background.finished()
    assert (await get(control_client, added))["discovery"]["status"] == "ok"


async def test_a_list_of_thousands_is_taken_whole(
    control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher
) -> None:
    http_fetcher.answers[OPENAI_MODELS] = model_list(*(f"model-{n}" for n in range(1300)))
    added = await add(control_client)
    await control.background.finished()
    assert (await get(control_client, added))["models_count"] == 1300
    http_fetcher.answers[OPENAI_MODELS] = model_list("model-7")
    assert (await refresh(control_client, added))["models_count"] == 1


# ── types ─────────────────────────────────────────────────────────────────────


async def test_types_show_where_keys_come_from_and_what_models_cost(
    control_client: httpx.AsyncClient,
) -> None:
    types = {t["type"]: t for t in (await control_client.get("/llm/provider-types")).json()["provider_types"]}
    assert next(iter(types)) == "openrouter"
    assert types["openrouter"]["get_key_url"] == "https://openrouter.ai/keys"
    assert types["openrouter"]["recommended_for"] == "cost optimization"
    assert types["anthropic"]["key_prefix"] == "sk-ant-"
    assert types["custom"]["requires_base_url"] is True
    assert types["custom"]["requires_key"] is False
    assert types["custom"]["cost_range"] is None
    for name in ("openai", "anthropic", "openrouter"):
        cost_range = types[name]["cost_range"]
        assert 0 < cost_range["min_usd"] < cost_range["max_usd"] < 1000
        assert types[name]["models_count"] > 10


async def test_lists_a_day_old_are_read_again(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, http_fetcher: ScriptedFetcher
) -> None:
    added = await add(control_client)
    disabled = await add(control_client, name="Off", enabled=False)
    await control.background.finished()
    http_fetcher.answers[OPENAI_MODELS] = model_list("gpt-4o", "gpt-4o-mini", "brand-new")
    assert await refresh_stale(control) == 0
    clock.advance(25 * 3600)
    assert await refresh_stale(control) == 1
    assert (await get(control_client, added))["models_count"] == 3
    assert (await get(control_client, disabled))["models_count"] == 2
    assert await refresh_stale(control) == 0


async def test_a_list_that_fails_leaves_the_models_and_says_so(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, http_fetcher: ScriptedFetcher
) -> None:
    added = await add(control_client)
    await control.background.finished()
    before = await get(control_client, added)
    assert (before["discovery"]["status"], before["models_count"]) == ("ok", 2)
    http_fetcher.answers[OPENAI_MODELS] = FetchAnswer(503, {}, b"down")
    clock.advance(25 * 3600)
    assert await refresh_stale(control) == 1
    after = await get(control_client, added)
    assert after["models_count"] == 2
    assert {target.model for target in control.publisher.current.targets} == {"gpt-4o", "gpt-4o-mini"}
    assert after["discovery"]["status"] == "failed"
    assert "HTTP 503" in after["discovery"]["message"]
    assert after["discovery"]["at"] > before["discovery"]["at"]
