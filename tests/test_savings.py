"""control/savings: every figure of an advice is reckoned anew here from the records; without evidence there is none."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import update

from clock import Clock
from control_fixtures import Clients, ScriptedFetcher
from ledger_rows import add_records, record
from ops_center.catalog.prompt_caching import cached_from_tokens
from ops_center.control.context import Control
from ops_center.control.savings.cheaper import break_even, cost_at
from ops_center.control.usage.sums import Sums
from ops_center.dataplane.call import Call
from ops_center.dataplane.fingerprint import fingerprint, opening
from ops_center.providers.registry import provider_spec
from ops_center.snapshot import Provider
from ops_center.storage.database import Database
from ops_center.storage.tables import api_keys
from ops_center.transport.client import FetchAnswer
from ops_center.types import Price, PriceTier, Usage, UsageRecord
from ops_center.wire import anthropic_messages
from plane import provider as plane_provider
from plane import running_plane, snapshot, target

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
FACTS = {"context_window": 100_000, "max_output_tokens": 8000, "capabilities": ["tools"]}
Row = dict[str, Any]


@pytest.fixture
async def provider(control_client: httpx.AsyncClient, control: Control, http_fetcher: ScriptedFetcher) -> str:
    """One provider with models of known prices and scores."""
    names = ("dear", "cheap", "worse", "narrow", "caching")
    listed = ", ".join(f'{{"id": "{name}"}}' for name in names)
    http_fetcher.answers["https://api.openai.com/v1/models"] = FetchAnswer(
        200, {}, f'{{"data": [{listed}]}}'.encode()
    )
    made = await control_client.post(
        "/llm/providers", json={"name": "OpenAI", "type": "openai", "api_key": "sk-canary-4b1d0c9e8f7a6b5c"}
    )
    await control.background.finished()
    models = {row["name"]: row["id"] for row in (await control_client.get("/llm/models")).json()["models"]}
    for name, facts in {
        "dear": {"input_mtok": 10, "output_mtok": 40, "score": 60},
        "cheap": {"input_mtok": 2, "output_mtok": 8, "score": 60},
        "worse": {"input_mtok": 0.1, "output_mtok": 0.1, "score": 59},
        "narrow": {"input_mtok": 0.1, "output_mtok": 0.1, "score": 90, "capabilities": []},
        "caching": {
            "input_mtok": 4,
            "output_mtok": 8,
            "cache_read_mtok": 0.4,
            "cache_write_mtok": 5,
            "score": 99,
            "context_window": 10,
        },
    }.items():
        answer = await control_client.patch(f"/llm/models/{models[name]}", json=FACTS | facts)
        assert answer.status_code == 200, answer.text
    return str(made.json()["id"])


async def savings(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/llm/savings")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def of_kind(answer: dict[str, Any], kind: str) -> list[Row]:
    return [one for one in answer["advice"] if one["kind"] == kind]


async def test_a_cheaper_model_of_equal_score_is_named_with_its_money(
    provider: str, control_client: httpx.AsyncClient, clock: Clock, database: Database
) -> None:
    tokens = {"input_tokens": 5000, "output_tokens": 500}
    cost = Decimal("0.07")  # 5,000 at $10 and 500 at $40 per million
    rows = [
        record(clock() - DAY, provider_id=provider, model="dear", cost_usd=cost, **tokens) for _ in range(20)
    ]
    # what a user paid on an own key is none of the platform's money
    rows += [
        record(
            clock() - DAY,
            provider_id=provider,
            model="dear",
            credential_source="byok",
            own_cost_source="computed",
            cost_usd=Decimal(0),
            **tokens,
        )
    ]
    await add_records(database, rows)
    [advice] = of_kind(await savings(control_client), "cheaper_model")
    assert advice["subject"] == "dear at OpenAI" and "cheap at OpenAI" in advice["text"]
    assert advice["cost_usd"] == pytest.approx(1.4)
    assert advice["saving_usd"] == pytest.approx(20 * (0.07 - (5000 * 2 + 500 * 8) / 1e6))
    assert advice["path"] == "/playground?model=openai%2Fcheap"
    listed = await control_client.get(f"/llm/requests?{advice['requests']}&limit=200")
    assert len(listed.json()["requests"]) == advice["calls"] == 20

    # below twenty requests, or with costs that nobody knows, nothing is claimed
    await add_records(database, [record(clock() - DAY, provider_id=provider, model="dear", cost_usd=None)])
    answer = await savings(control_client)
    assert of_kind(answer, "cheaper_model") == []
    assert {"subject": "dear at OpenAI", "text": "The cost of 1 of its requests is unknown."} in answer[
        "unsure"
    ]


async def test_caching_that_loses_money_and_caching_that_nobody_can_judge(
    provider: str, control_client: httpx.AsyncClient, clock: Clock, database: Database
) -> None:
    def rows(reads: int, writes: int) -> list[Row]:
        return [
            record(
                clock() - DAY,
                provider_id=provider,
                model="caching",
                input_tokens=10_000,
                cache_read_tokens=reads,
                cache_write_tokens=writes,
                cost_usd=Decimal("0.05"),
            )
            for _ in range(20)
        ]

    await add_records(database, rows(0, 0))
    answer = await savings(control_client)
    [unsure] = [one for one in answer["unsure"] if one["subject"] == "caching at OpenAI"]
    # writing costs $1 more and reading $3.60 less per million: 1 / 4.6
    assert "21.7% of what is marked is read again" in unsure["text"]
    assert of_kind(answer, "caching") == []

    await add_records(database, rows(1000, 8000))
    [advice] = of_kind(await savings(control_client), "caching")
    lost = 20 * (8000 * (5 - 4) - 1000 * (4 - 0.4)) / 1e6
    assert advice["saving_usd"] == pytest.approx(lost)
    assert "11.1% of both; it pays from 21.7% on" in advice["text"]
    await add_records(database, rows(30_000, 0))
    assert of_kind(await savings(control_client), "caching") == []  # it pays by now


async def test_caching_would_pay_where_beginnings_come_again_within_five_minutes(
    provider: str, control_client: httpx.AsyncClient, clock: Clock, database: Database
) -> None:
    made = await control_client.post("/me/api-keys", json={"name": "contracts"})
    start = clock() - DAY

    def begins(mark: int, minutes: float, key: str = made.json()["id"], **fields: Any) -> Row:
        at = start + timedelta(minutes=minutes)
        facts = {"provider_id": provider, "model": "caching", "input_tokens": 9000, "api_key_id": key}
        return record(at, opening=mark, opening_tokens=5000, cost_usd=Decimal("0.05"), **(facts | fields))

    rows = [begins(1, 4.5 * n) for n in range(20)]  # one write, nineteen reads: each within five minutes
    rows += [
        begins(1, 4.5 * 19 + 5.1),
        begins(1, 4.5 * 19 + 10, "key_other"),
    ]  # too late by six seconds; another's
    rows += [begins(2, 6 * n) for n in range(30)]  # comes again, but never in time
    rows += [begins(3 + n, n) for n in range(30)]  # never comes again
    rows += [begins(1, 1, credential_source="byok", own_cost_source="computed")]
    rows += [begins(99, 1, model="dear"), begins(1, -31 * 24 * 60)]
    await add_records(database, rows)
    answer = await savings(control_client)
    [advice] = of_kind(answer, "caching_would_pay")
    reads, writes = 19 + 1, 1 + 1
    gain = (reads * 5000 * (4 - 0.4) - writes * 5000 * (5 - 4)) / 1e6
    assert (advice["subject"], advice["calls"]) == ("caching at OpenAI", reads + writes)
    assert advice["saving_usd"] == pytest.approx(gain)
    assert f"{reads} of {reads + writes} requests" in advice["text"]
    assert "API keys contracts and 1 more" in advice["text"]
    assert "100,000 tokens read and 10,000 written" in advice["assumption"]
    assert advice["examples"] and advice["path"] == f"/admin/requests/{advice['examples'][0]}"
    listed = (await control_client.get(f"/llm/requests?{advice['requests']}&limit=200")).json()["requests"]
    assert advice["examples"][0] in {row["id"] for row in listed}
    assert {row["model"] for row in listed} == {"caching"} and len(listed) == 20 + 2 + 30 + 30
    assert [one for one in answer["unsure"] if one["subject"] == "caching at OpenAI"] == []


async def test_requests_that_were_sent_twice_are_found_by_their_fingerprint(
    control_client: httpx.AsyncClient, control: Control, clock: Clock, database: Database
) -> None:
    costs = {11: ("0.05", "0.05", "0.02"), 12: ("0.5",), 13: ("1", "1")}
    rows = [
        record(clock() - n * DAY, fingerprint=mark, cost_usd=Decimal(cost), status=200 if mark != 13 else 503)
        for mark, some in costs.items()
        for n, cost in enumerate(some, 1)
    ]
    # another key's is none of this one's repetitions
    rows.append(record(clock() - DAY, fingerprint=11, api_key_id="key_2", cost_usd=Decimal("0.05")))
    await add_records(database, rows)
    [advice] = of_kind(await savings(control_client), "duplicates")
    assert (advice["calls"], advice["saving_usd"]) == (2, pytest.approx(0.07))
    assert "newest 7 requests" in advice["assumption"]
    same = await control_client.get(f"/llm/requests/{advice['examples'][0]}")
    assert same.json()["cost_usd"] in (0.05, 0.02)
    control.looks.duplicates.long_seconds = 0  # a look that took long serves for ten minutes
    for minutes, requests in ((0, 7), (9, 7), (1, 8)):
        clock.advance(minutes * 60)
        [advice] = of_kind(await savings(control_client), "duplicates")
        assert f"newest {requests} requests" in advice["assumption"]
        if not minutes:
            await add_records(database, [record(clock(), fingerprint=14)])


async def test_keys_that_nobody_uses_are_named_to_admins(
    control_client: httpx.AsyncClient, clients: Clients, control: Control, clock: Clock, database: Database
) -> None:
    ids = {}
    for name in ("idle", "busy", "revoked", "young"):
        made = await control_client.post("/me/api-keys", json={"name": name})
        ids[name] = made.json()["id"]
    await control_client.delete(f"/me/api-keys/{ids['revoked']}")
    async with database.write() as conn:
        await conn.execute(
            update(api_keys).where(api_keys.c.name != "young").values(created_at=clock() - 40 * DAY)
        )
    await add_records(
        database,
        [
            record(clock() - 35 * DAY, api_key_id=ids["idle"], api_key_name="idle"),
            record(clock() - DAY, api_key_id=ids["busy"], api_key_name="busy"),
        ],
    )
    [advice] = of_kind(await savings(control_client), "unused_key")
    assert (advice["subject"], advice["saving_usd"], advice["path"]) == ("idle", None, "/admin/api-keys")
    assert "used last on 2026-10-19" in advice["text"]
    assert of_kind(await savings(await clients.signed_in("operator")), "unused_key") == []
    assert (await (await clients.signed_in("user")).get("/llm/savings")).status_code == 403


async def test_an_empty_gateway_has_no_advice(control_client: httpx.AsyncClient) -> None:
    answer = await savings(control_client)
    assert (answer["advice"], answer["unsure"], answer["calls"]) == ([], [], 0)


# ── prices ────────────────────────────────────────────────────────────────────


def test_a_price_with_tiers_is_never_reckoned_too_low() -> None:
    price = Price(
        input_mtok=Decimal(1),
        output_mtok=Decimal(2),
        request_usd=Decimal("0.001"),
        tiers=(PriceTier(above_input_tokens=1000, input_mtok=Decimal(3), output_mtok=Decimal(4)),),
        source="test",
        as_of="2026-11-23",
    )
    sums = Sums(calls=10, input_tokens=1_000_000, output_tokens=500_000)
    assert cost_at(sums, price) == Decimal(5) + Decimal("0.01")


def test_caching_breaks_even_where_the_documents_say() -> None:
    # https://docs.claude.com/en/docs/build-with-claude/prompt-caching: 1.25 times to write, 0.1 to read (2026-11)
    price = Price(
        input_mtok=Decimal(3),
        output_mtok=Decimal(15),
        cache_read_mtok=Decimal("0.3"),
        cache_write_mtok=Decimal("3.75"),
        source="test",
        as_of="2026-11-23",
    )
    assert break_even(price) == pytest.approx(Decimal("0.2174"), abs=Decimal("0.0001"))


# ── fingerprints ──────────────────────────────────────────────────────────────


async def test_equal_bodies_have_equal_fingerprints_and_no_answer_none() -> None:
    async with running_plane() as plane:
        unkeyed = plane.source.current
        plane.source.current = msgspec.structs.replace(unkeyed, fingerprint_key=b"k" * 32)
        for text in ("the same", "the same", "another"):
            answer = await plane.chat(messages=[{"role": "user", "content": text}])
            assert answer.status_code == 200
        await plane.chat(model="no-such-model")
        plane.source.current = unkeyed
        await plane.chat()
        first, second, other, refused, keyless = (one.fingerprint for one in plane.sink.records)
        assert first is not None and first == second != other
        assert refused is keyless is None


CACHED = Price(
    input_mtok=Decimal(3),
    output_mtok=Decimal(15),
    cache_read_mtok=Decimal("0.3"),
    cache_write_mtok=Decimal("3.75"),
    source="test",
    as_of="2026-11-23",
)
RULES = "Answer in the words of the contract. " * 200  # 7,400 bytes
ASKED: Row = {"max_tokens": 9, "messages": [{"role": "user", "content": "one"}], "system": RULES}


async def test_requests_that_begin_alike_are_marked_where_the_provider_would_cache_that() -> None:
    async with running_plane() as plane:
        here = plane.simulators[0]
        names = ("claude-sonnet-4-5", "claude-haiku-4-5")
        targets = [target(plane_provider(here, "anthropic"), name, CACHED) for name in names]
        targets.append(target(plane_provider(here), "gpt-4o-mini", CACHED))
        plane.source.current = msgspec.structs.replace(snapshot(*targets), fingerprint_key=b"k" * 32)

        async def ask(model: str = names[0], **body: Any) -> UsageRecord:
            answer = await plane.client.post("/v1/messages", json={"model": model, **(ASKED | body)})
            assert answer.status_code == 200, answer.text
            return plane.sink.records[-1]

        first = await ask()
        again = await ask(messages=[{"role": "user", "content": "two"}], max_tokens=10, stream=True)
        assert first.opening is not None and first.opening == again.opening
        assert first.fingerprint != again.fingerprint
        assert first.opening_tokens is not None
        assert first.opening_tokens == pytest.approx(first.usage.input_tokens * 0.97, rel=0.03)
        assert (await ask(system=RULES + "Now.")).opening not in (first.opening, None)
        marked = [{"type": "text", "text": RULES, "cache_control": {"type": "ephemeral"}}]
        assert (await ask(system=marked)).opening is None  # it does use the cache
        assert (await ask(system="Be brief.")).opening is None
        assert (await ask(model=names[1])).opening is None  # which caches from 4,096 tokens on
        for model, cacheable in ((names[0], True), ("gpt-4o-mini", False)):  # which caches by itself
            messages = [{"role": "system", "content": RULES}, *ASKED["messages"]]
            assert (await plane.chat(model=model, messages=messages)).status_code == 200
            assert (plane.sink.records[-1].opening is not None) is cacheable


def beginning(
    format: str = "anthropic_messages", model: str = "claude-sonnet-4-5", **body: Any
) -> int | None:
    raw = json.dumps(body).encode()
    call = Call(
        endpoint="messages",
        client_format=format,
        wire=anthropic_messages,
        headers={},
        exchange=None,  # type: ignore[arg-type]
        body=raw,
    )
    call.read()
    where = target(
        Provider(id="p", name="p", spec=provider_spec("anthropic"), base_url="http://x"), model, CACHED
    )
    found = opening(b"k" * 32, call, where, Usage(input_tokens=len(raw) // 4))
    return found[0] if found else None


def turns(*texts: str) -> Row:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]}


TOOLS = [{"name": f"tool_{n}", "description": "What it does. " * 20, "input_schema": {}} for n in range(20)]


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        pytest.param(
            turns("a") | {"system": RULES}, {"system": RULES} | turns("b"), True, id="order-of-fields"
        ),
        pytest.param(
            turns("a") | {"tools": TOOLS}, turns("b") | {"tools": TOOLS, "system": ""}, False, id="system"
        ),
        pytest.param(turns("a") | {"tools": TOOLS}, turns("b", "c") | {"tools": TOOLS}, True, id="tools"),
        pytest.param(
            turns("a") | {"tools": TOOLS}, turns("a") | {"tools": TOOLS[1:]}, False, id="fewer-tools"
        ),
        pytest.param(turns(RULES, "a"), turns(RULES, "a", "b"), True, id="conversation-goes-on"),
        pytest.param(turns("a", RULES), turns("b", RULES), False, id="another-conversation"),
        pytest.param(
            turns("a") | {"system": "Today. " + RULES},
            turns("a") | {"system": "Later. " + RULES},
            False,
            id="date-first",
        ),
        pytest.param(
            turns("a") | {"system": RULES + " 07:41"},
            turns("a") | {"system": RULES + " 07:42"},
            False,
            id="time-last",
        ),
    ],
)
def test_what_begins_alike(first: Row, second: Row, alike: bool) -> None:
    one, other = (beginning(max_tokens=5, **body) for body in (first, second))
    assert one is not None and other is not None
    assert (one == other) is alike


def test_the_instructions_of_responses_are_a_beginning_too() -> None:
    one, other = (beginning("openai_responses", instructions=RULES, input=text) for text in ("a", "b"))
    assert one is not None and one == other


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-sonnet-4-5-20250929", 1024),
        ("anthropic/claude-sonnet-4.6", 2048),
        ("eu.anthropic.claude-opus-4-5-20251101-v1:0", 4096),
        ("claude-opus-4-1@20250805", 1024),
        ("claude-opus-4-20250514", 1024),
        ("claude-opus-4-8", 1024),
        ("claude-sonnet-5@default", 1024),
        ("~anthropic/claude-haiku-latest", 4096),
        ("gpt-5", None),
        ("gemini-2.5-flash", None),
    ],
)
def test_how_long_a_beginning_must_be_to_be_cached(model: str, tokens: int | None) -> None:
    assert cached_from_tokens(model) == tokens


def test_a_fingerprint_fits_the_ledger_and_depends_on_every_byte_and_on_the_key() -> None:
    body = bytes(range(256)) * 40
    bodies = [
        body,
        body[:-1],
        body + b" ",
        b"",
        *(body[:n] + b"!" + body[n + 1 :] for n in range(0, 8000, 97)),
    ]
    marks = [fingerprint(key, one) for key in (b"k" * 32, b"l" * 32) for one in bodies]
    assert len(set(marks)) == len(marks)
    assert all(mark is not None and -(2**63) <= mark < 2**63 for mark in marks)
