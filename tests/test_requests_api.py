"""control/requests: the ledger row by row, page by page."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import func, insert, select, update

from clock import Clock
from control_fixtures import Clients
from ledger_rows import add_attempts, add_records, attempt, random_records, record
from ops_center import errors
from ops_center.control.context import Control
from ops_center.control.requests.schemas import ErrorType
from ops_center.plan_record import PlanRecord, RecordedExclusion, RecordedTarget
from ops_center.route_request import Options
from ops_center.storage.journal.ledger import KEPT_BATCHES, Entry, Ledger, entry
from ops_center.storage.tables import plans, routing_versions, stored_batches
from ops_center.types import Price, Role, UsageRecord, new_id

pytestmark = pytest.mark.anyio


async def page(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await client.get("/llm/requests", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def every_page(client: httpx.AsyncClient, **params: Any) -> list[str]:
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        found = await page(client, **params, **cursor)
        ids += [request["id"] for request in found["requests"]]
        if found["next_cursor"] is None:
            return ids
        cursor = {"cursor": found["next_cursor"]}


@pytest.mark.parametrize("limit", [1, 7, 50, 200])
async def test_pages_hold_every_request_once_newest_first(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, limit: int
) -> None:
    rows = random_records(clock.now, 40)
    rows += [record(clock.now - timedelta(hours=1)) for _ in range(9)]  # at one instant
    await add_records(control.database, rows)
    expected = sorted(rows, key=lambda r: (r["started_at"], r["request_id"]), reverse=True)
    assert await every_page(control_client, limit=limit) == [r["request_id"] for r in expected]


async def test_a_page_that_ends_with_the_list_has_no_cursor(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    assert await page(control_client) == {
        "requests": [],
        "next_cursor": None,
        "stored": 0,
        "kept_from": None,
    }
    await add_records(control.database, [record(clock.now) for _ in range(3)])
    assert (await page(control_client, limit=3))["next_cursor"] is None
    assert (await page(control_client, limit=2))["next_cursor"] is not None


async def test_new_requests_do_not_shift_older_pages(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = [record(clock.now - timedelta(minutes=n)) for n in range(6)]
    await add_records(control.database, rows)
    first = await page(control_client, limit=3)
    await add_records(control.database, [record(clock.now + timedelta(seconds=1))])
    second = await page(control_client, limit=3, cursor=first["next_cursor"])
    assert [r["id"] for r in second["requests"]] == [r["request_id"] for r in rows[3:]]


async def test_filters_leave_out_the_others(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = {
        "plain": record(clock.now),
        "failed": record(clock.now, status=503, error_type="provider_timeout"),
        "gone": record(clock.now, status=499, error_type="client_closed"),
        "other": record(
            clock.now,
            provider_id="prov_2",
            provider_name="Mine 100%",
            api_key_id="key_2",
            api_key_name="CI_bot",
            model="llama",
            requested_model="cheap",
            user_id="usr_2",
            user_email="Bob@example.com",
            team_id="team_1",
            team_name="Research",
            tags=["pilot", "nightly"],
            cost_usd=Decimal("0.002"),
            duration_seconds=0.501,
        ),
    }
    await add_records(control.database, rows.values())
    names = {row["request_id"]: name for name, row in rows.items()}

    async def found(**params: Any) -> set[str]:
        return {names[r["id"]] for r in (await page(control_client, **params))["requests"]}

    assert await found(status="error") == {"failed", "gone"}
    assert await found(status="ok") == {"plain", "other"}
    assert await found(provider_id="prov_2") == {"other"}
    assert await found(api_key_id="key_1") == {"plain", "failed", "gone"}
    assert await found(user_id="usr_2") == {"other"}
    assert await found(team_id="team_1") == {"other"}
    assert await found(team_id="team_2") == set()
    assert await found(model="llama") == {"other"}
    assert await found(requested_model="cheap") == {"other"}
    assert await found(model=["llama", "gpt-4o"]) == set(rows)
    assert await found(status_code=503) == {"failed"}
    assert await found(status_code=[499, 200]) == {"plain", "gone", "other"}
    assert await found(team_id="none") == {"plain", "failed", "gone"}
    assert await found(tag="nightly") == {"other"}
    assert await found(tag="night") == set()
    assert await found(credential="byok") == set()
    assert await found(from_at=clock.now.isoformat()) == set(rows)
    assert await found(to_at=clock.now.isoformat()) == set()
    assert await found(search="BOB@") == {"other"}
    assert await found(search="ci_b") == {"other"}
    assert await found(search="ciXb") == set()  # _ is no wildcard
    assert await found(search="100%") == {"other"}
    assert await found(search="%") == {"other"}
    assert await found(search="timeout") == {"failed"}
    assert await found(search=rows["plain"]["request_id"]) == {"plain"}
    assert await found(search=rows["plain"]["request_id"], status="error") == set()
    assert await found(search=rows["plain"]["request_id"][4:20].upper()) != set()
    assert await found(error_type="provider_timeout") == {"failed"}
    assert await found(error_type=["provider_timeout", "client_closed"]) == {"failed", "gone"}
    assert await found(min_cost_usd="0.002") == {"other"}
    assert await found(min_duration_ms=501) == {"other"}
    assert await found(min_duration_ms=500) == set(rows)
    assert await found(search="  ") == set(rows)
    assert await found(status="error", provider_id="prov_2") == set()
    assert await found(provider_id="prov_9") == set()


async def test_a_search_for_something_rare_goes_on_page_by_page(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    rows = [record(clock.now - timedelta(seconds=n)) for n in range(12_000)]
    rows[11_000]["requested_model"] = rows[7]["requested_model"] = "needle"
    await add_records(control.database, rows)
    found, pages, cursor = [], 0, None
    while pages == 0 or cursor is not None:
        answer = await page(control_client, search="needle", **({"cursor": cursor} if cursor else {}))
        found += [request["id"] for request in answer["requests"]]
        cursor, pages = answer["next_cursor"], pages + 1
    assert found == [rows[7]["request_id"], rows[11_000]["request_id"]]
    assert pages == 3


async def test_a_request_shows_its_attempts_in_order(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    row = record(
        clock.now,
        stream=True,
        duration_seconds=1.2345,
        time_to_first_chunk_seconds=0.25,
        cache_read_tokens=10,
        cost_usd=Decimal("0.000000123"),
    )
    await add_records(control.database, [row])
    await add_attempts(
        control.database,
        [
            attempt(row["request_id"], clock.now, 2, provider_name="Second", time_to_first_chunk_seconds=0.2),
            attempt(
                row["request_id"],
                clock.now,
                1,
                outcome="provider_timeout",
                status=None,
                detail="no answer",
            ),
            attempt("req_other", clock.now),
        ],
    )
    answer = await control_client.get(f"/llm/requests/{row['request_id']}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["duration_ms"], body["time_to_first_chunk_ms"]) == (1234, 250)
    assert (body["cost_usd"], body["cost_source"], body["credential"]) == (1.23e-7, "computed", "platform")
    assert body["started_at"] == "2026-11-23T12:00:00Z"
    first, second = body["attempts"]
    assert (first["number"], first["outcome"], first["status"]) == (1, "provider_timeout", None)
    assert (first["detail"], first["time_to_first_chunk_ms"]) == ("no answer", None)
    assert (second["provider_name"], second["outcome"]) == ("Second", "success")
    assert (second["status"], second["time_to_first_chunk_ms"]) == (200, 200)
    assert (body["plan"], body["price_lines"], body["dropped"]) == (None, [], [])


async def test_a_request_shows_the_plan_it_was_served_by(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    asked = RecordedTarget(
        "mdl_1", "prov_1", "OpenAI", "gpt-4o", 50, 71.5, 2_500_000_000, 10_000_000_000, True,
        "named by model", None, 0.00125, (0.5, 0.01),
    )  # fmt: skip
    plan = PlanRecord(
        routing_version=4,
        model="gpt-4o",
        needs=("tools",),
        input_tokens=900,
        output_tokens=50,
        options=Options(only=("openai",)),
        targets=(asked,),
        excluded=(RecordedExclusion("mdl_2", "prov_2", "Groq", "gpt-4o", "its circuit is open", True),),
        excluded_total=1,
        dropped=(("logit_bias", "this provider has no such parameter"),),
        price=Price(
            input_mtok=Decimal("2.5"),
            output_mtok=Decimal(10),
            cache_read_mtok=Decimal("1.25"),
            source="models.dev",
            as_of="2026-07-02",
        ),
    )
    row = record(clock.now, cache_read_tokens=40, cost_usd=Decimal("0.0007"))
    await add_records(control.database, [row])
    async with control.database.write() as conn:
        values = {"request_id": row["request_id"], "started_at": clock.now}
        await conn.execute(insert(plans).values(values | {"plan": msgspec.json.encode(plan).decode()}))
    body = (await control_client.get(f"/llm/requests/{row['request_id']}")).json()
    assert body["dropped"] == [{"parameter": "logit_bias", "reason": "this provider has no such parameter"}]
    assert [(line["what"], line["tokens"], line["usd_mtok"]) for line in body["price_lines"]] == [
        ("input", 60, 2.5),
        ("cache_read", 40, 1.25),
        ("output", 50, 10.0),
    ]
    assert sum(line["usd"] for line in body["price_lines"]) == pytest.approx(body["cost_usd"])
    shown = body["plan"]
    assert (shown["routing_version"], shown["needs"], shown["strategy"]) == (4, ["tools"], None)
    assert (shown["wishes"], shown["error"]) == ({"only": ["openai"]}, None)
    assert shown["targets"] == [
        {
            "model_id": "mdl_1",
            "provider": "OpenAI",
            "provider_id": "prov_1",
            "model": "gpt-4o",
            "priority": 50,
            "score": 71.5,
            "input_mtok": 2.5,
            "output_mtok": 10.0,
            "blended_mtok": 4.375,
            "value": None,
            "expected_cost_usd": 0.00125,
            "expected_seconds": 1.0,
            "credential": "byok",
            "larger": False,
            "reason": "named by model",
        }
    ]
    assert [(x["provider"], x["momentary"]) for x in shown["excluded"]] == [("Groq", True)]


def stored(record_: UsageRecord, number: int) -> Entry:
    return entry(record_, msgspec.json.encode(record_), number)


def ended(started_at: datetime, **fields: Any) -> UsageRecord:
    """A record as the journal brings it."""
    return UsageRecord(
        request_id=new_id("req"),
        started_at=started_at,
        duration_seconds=0.5,
        endpoint="chat/completions",
        status=200,
        **fields,
    )


async def tail(client: httpx.AsyncClient, after: int, **params: Any) -> dict[str, Any]:
    answer = await client.get("/llm/requests/tail", params={"after": after} | params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_the_tail_goes_on_from_the_list_in_the_order_in_which_requests_ended(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    ledger = Ledger(control.database)
    assert (await page(control_client))["stored"] == 0
    assert (await tail(control_client, 0))["requests"] == []
    before, early, late, slow = (
        ended(clock.now + timedelta(seconds=seconds), error_type=error)
        for seconds, error in ((0, None), (1, None), (2, "provider_timeout"), (-900, None))
    )
    await ledger.add([stored(before, 1)], "a", 1)
    listed = await page(control_client)
    assert [row["id"] for row in listed["requests"]] == [before.request_id]
    await ledger.add([stored(early, 2), stored(late, 3)], "a", 3)
    await ledger.add([stored(slow, 4)], "a", 4)
    found = await tail(control_client, listed["stored"])
    assert [row["id"] for row in found["requests"]] == [slow.request_id, late.request_id, early.request_id]
    assert (found["skipped"], found["interrupted"]) == (0, False)
    assert (await tail(control_client, found["stored"]))["requests"] == []
    await ledger.add([stored(slow, 4)], "a", 5)  # met again
    assert (await tail(control_client, found["stored"]))["stored"] == found["stored"]

    narrowed = await tail(control_client, listed["stored"], error_type="provider_timeout")
    assert [row["id"] for row in narrowed["requests"]] == [late.request_id]
    fewer = await tail(control_client, listed["stored"], limit=1)
    assert ([row["id"] for row in fewer["requests"]], fewer["skipped"]) == ([slow.request_id], 2)


async def test_the_tail_of_several_writers_misses_none_and_has_none_twice(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    written: list[str] = []

    async def write(segment: str) -> None:
        ledger = Ledger(control.database)
        for number in range(1, 9):
            some = [ended(clock.now + timedelta(seconds=number)) for _ in range(3)]
            written.extend(one.request_id for one in some)
            await ledger.add([stored(one, number) for one in some], segment, number)

    writing = asyncio.gather(*(write(segment) for segment in ("a", "b", "c")))
    seen: list[str] = []
    after = 0
    while not writing.done() or len(seen) < len(written):
        found = await tail(control_client, after)
        assert not found["interrupted"] and found["skipped"] == 0
        seen += [row["id"] for row in reversed(found["requests"])]
        if found["stored"] == after and writing.done():
            break
        after = found["stored"]
    await writing
    assert sorted(seen) == sorted(written)


async def test_a_tail_that_fell_too_far_behind_says_so(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(control.database)
    await ledger.add([stored(ended(clock.now), 1)], "a", 1)
    assert (await tail(control_client, 9))["interrupted"]  # of another database
    async with control.database.write() as conn:
        await conn.execute(update(stored_batches).values(number=KEPT_BATCHES + 1))
    await ledger.add([stored(ended(clock.now), 2)], "a", 2)
    async with control.database.read() as conn:
        assert (await conn.execute(select(func.count()).select_from(stored_batches))).scalar_one() == 2
    gone = await tail(control_client, 5)
    assert (gone["requests"], gone["stored"], gone["interrupted"]) == ([], KEPT_BATCHES + 2, True)
    assert len((await tail(control_client, KEPT_BATCHES))["requests"]) == 2

    monkeypatch.setattr("ops_center.control.requests.repository._LOOKED_AT", 2)
    await ledger.add([stored(ended(clock.now), n) for n in range(2)], "a", 4)
    some = await tail(control_client, KEPT_BATCHES)
    assert (len(some["requests"]), some["skipped"], some["interrupted"]) == (2, 2, False)


async def test_every_error_that_a_request_can_end_with_can_be_filtered_by() -> None:
    only_elsewhere = {"authentication_error", "second_factor_missing", "conflict_error", "validation_error"}
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    of_tree = {each.type for each in classes if issubclass(each, errors.OpsCenterError)}
    of_meter = {"client_closed", "shutdown"}
    assert set(ErrorType) == (of_tree - only_elsewhere) | of_meter


async def test_a_bundle_explains_a_request_and_gives_nobody_away(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    canaries = ["canary@example.org", "canary key", "canary team", "sk-canary0123456789abcdef", "pa55canary"]
    email, key, team, secret, password = canaries
    plan = PlanRecord(
        routing_version=1,
        model="gpt-4o",
        targets=(
            RecordedTarget("mdl_1", "prov_1", "OpenAI", "gpt-4o", 50, 1.0, 1, 1, False, f"as {email}", None,
                           None, None),
        ),
        excluded=(RecordedExclusion("mdl_2", "prov_2", "Groq", "x", f"refused Bearer {secret}", True),),
        excluded_total=1,
        dropped=((secret, f"https://someone:{password}@example.com says no"),),
    )  # fmt: skip
    row = record(
        clock.now,
        user_email=email,
        api_key_name=key,
        team_id="team_1",
        team_name=team,
        requested_model=secret,
        cost_note=f"told {email}",
        tags=[secret],
    )
    await add_records(control.database, [row])
    detail = f'{{"api_key": "{secret}"}} of {email}, password={password}'
    await add_attempts(control.database, [attempt(row["request_id"], clock.now, detail=detail)])
    version = {
        "rules": {"strategy": "cost"},
        "config": {
            "providers": {
                name: {"name": name, "type": "openai", "enabled": True, "priority": 7, "auto_fallback": True}
                for name in ("prov_1", "prov_9")
            }
        },
        "created_at": clock.now,
        "created_by_email": email,
    }
    async with control.database.write() as conn:
        await conn.execute(insert(routing_versions).values(version=1, **version))
        values = {"request_id": row["request_id"], "started_at": clock.now}
        await conn.execute(insert(plans).values(values | {"plan": msgspec.json.encode(plan).decode()}))
    answer = await control_client.get(f"/llm/requests/{row['request_id']}/bundle")
    assert answer.status_code == 200, answer.text
    assert f"ops-center-{row['request_id']}.json" in answer.headers["content-disposition"]
    for canary in canaries:
        assert canary not in answer.text
    body = answer.json()
    assert body["request"]["id"] == row["request_id"]
    assert (body["request"]["user_id"], body["request"]["user_email"]) == ("usr_1", "[removed]")
    assert body["request"]["plan"]["targets"][0]["provider"] == "OpenAI"
    assert body["request"]["attempts"][0]["outcome"] == "success"
    assert (body["routing"]["version"], body["routing"]["is_current"]) == (1, True)
    assert body["routing"]["rules"] == {"strategy": "cost"}
    assert body["routing"]["providers"].keys() == {"prov_1"}  # the others have nothing to do with it
    assert body["versions"]["database"] == control.database.dialect
    assert (await control_client.get("/llm/requests/req_0/bundle")).status_code == 404


async def test_an_unknown_cost_is_null(
    control_client: httpx.AsyncClient, control: Control, clock: Clock
) -> None:
    await add_records(control.database, [record(clock.now, cost_usd=None)])
    [request] = (await page(control_client))["requests"]
    assert (request["cost_usd"], request["cost_source"]) == (None, "unknown")


async def test_an_unknown_request_is_404(control_client: httpx.AsyncClient) -> None:
    assert (await control_client.get("/llm/requests/req_0")).status_code == 404


async def test_a_user_reads_a_request_of_their_own_and_of_nobody_else(
    clients: Clients, control: Control, clock: Clock
) -> None:
    ana = await clients.signed_in(Role.USER, "ana@example.com")
    ben = await clients.signed_in(Role.USER, "ben@example.com")
    row = record(clock.now, user_id=(await ana.get("/me")).json()["id"])
    await add_records(control.database, [row])
    answer = await ana.get(f"/me/requests/{row['request_id']}")
    assert answer.status_code == 200
    assert answer.json()["id"] == row["request_id"]
    assert "attempts" not in answer.json()
    assert (await ben.get(f"/me/requests/{row['request_id']}")).status_code == 404
    assert (await ben.get("/me/requests/req_0")).status_code == 404


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "ten"),
        ("status", "fine"),
        ("status_code", "20"),
        ("credential", "mine"),
        ("from_at", "yesterday"),
        ("cursor", "nonsense"),
        ("cursor", "x" * 201),
        ("search", "x" * 301),
        ("error_type", "anything"),
        ("min_cost_usd", "-1"),
        ("min_duration_ms", "1.5"),
    ],
)
async def test_a_wrong_parameter_is_named(control_client: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await control_client.get("/llm/requests", params={name: value})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == name
