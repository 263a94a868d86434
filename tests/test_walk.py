"""Whom traffic reaches when providers fail, rest and come back: counted where it arrives."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest

from ops_center.dataplane.upstream import Timeouts
from ops_center.health import FAILURES_IN_A_ROW, FIRST_PAUSE_SECONDS, Health
from ops_center.snapshot import Credential, Rules
from ops_center.types import Price, Strategy
from plane import RunningPlane, provider, running_plane, snapshot, target
from test_health import Time

pytestmark = pytest.mark.anyio
NO_RETRIES = Rules(retries=0)
LONG = "A long document about llamas. " * 300


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def plane(time: Time) -> AsyncIterator[RunningPlane]:
    """Two providers of equal priority, each a simulator of its own."""
    async with running_plane(
        simulators=2,
        timeouts=Timeouts(answer_seconds=2, first_chunk_seconds=2),
        health=Health(monotonic=time, clock=time.date),
    ) as running:
        pair(running)
        yield running


def pair(plane: RunningPlane, *, rules: Rules = NO_RETRIES, first: int = 50, second: int = 50) -> None:
    one, two = plane.simulators
    plane.source.current = snapshot(
        target(provider(one, name="one", priority=first), "gpt-4o-mini"),
        target(provider(two, name="two", priority=second), "gpt-4o-mini"),
        rules=rules,
    )


def counts(plane: RunningPlane) -> list[int]:
    return [len(simulator.inference_requests) for simulator in plane.simulators]


async def served_by(plane: RunningPlane, requests: int, **body: object) -> Counter[str]:
    return Counter([(await plane.chat(**body)).headers.get("x-ops-provider", "") for _ in range(requests)])


async def test_equal_priorities_share_within_five_percent(plane: RunningPlane) -> None:
    for batch in range(5):
        await asyncio.gather(*[plane.chat() for _ in range(40)])
        assert all(abs(n - 20 * (batch + 1)) <= 0.05 * 40 * (batch + 1) for n in counts(plane)), counts(plane)


async def test_the_slower_of_equals_gets_less(plane: RunningPlane) -> None:
    plane.simulators[0].configure(latency_seconds=0.5)
    await plane.chat()
    await plane.chat()
    before = counts(plane)
    await asyncio.gather(*[plane.chat() for _ in range(20)])
    slow, fast = (now - then for now, then in zip(counts(plane), before, strict=True))
    assert slow < fast / 1.5, (slow, fast)


async def test_priority_comes_before_everything(plane: RunningPlane) -> None:
    pair(plane, first=10, second=90)
    assert await served_by(plane, 12) == {"two": 12}


async def test_an_open_circuit_keeps_traffic_away_until_one_call_closed_it(
    plane: RunningPlane, time: Time
) -> None:
    pair(plane, first=90, second=10)
    sick = plane.simulators[0]
    sick.configure(fault="status-500")
    assert await served_by(plane, 12) == {"two": 12}
    assert counts(plane) == [FAILURES_IN_A_ROW, 12]
    sick.configure(fault=None)
    time.now += FIRST_PAUSE_SECONDS - 0.1
    assert await served_by(plane, 2) == {"two": 2}
    time.now += 0.2
    assert await served_by(plane, 3) == {"one": 3}


async def test_a_half_open_circuit_is_tried_by_one_call_only(plane: RunningPlane, time: Time) -> None:
    pair(plane, first=90, second=10)
    sick = plane.simulators[0]
    sick.configure(fault="status-500")
    await served_by(plane, FAILURES_IN_A_ROW)
    sick.configure(fault=None, latency_seconds=0.2)
    time.now += FIRST_PAUSE_SECONDS
    before = counts(plane)[0]
    await asyncio.gather(*[plane.chat() for _ in range(10)])
    assert counts(plane)[0] - before == 1


async def test_with_everybody_unwell_the_caller_hears_when_to_come_back(plane: RunningPlane) -> None:
    for simulator in plane.simulators:
        simulator.configure(fault="status-500")
    await served_by(plane, FAILURES_IN_A_ROW)
    asked = sum(counts(plane))
    response = await plane.chat()
    assert (response.status_code, response.json()["error"]["type"]) == (503, "no_provider_left")
    assert 0 < float(response.headers["retry-after"]) <= FIRST_PAUSE_SECONDS + 1
    assert sum(counts(plane)) == asked
    assert plane.sink.records[-1].attempts == ()


async def test_a_provider_that_is_deleted_finishes_what_it_began(plane: RunningPlane) -> None:
    plane.simulators[0].configure(tokens_per_second=60.0)
    plane.simulators[1].configure(tokens_per_second=60.0)
    async with plane.client.stream(
        "POST",
        "/v1/chat/completions",
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "stream": True},
    ) as response:
        lines = response.aiter_lines()
        await anext(lines)
        plane.source.current = snapshot()
        rest = [line async for line in lines if line]
    assert rest[-1] == "data: [DONE]"
    assert (await plane.chat()).status_code == 404


# ── credentials ───────────────────────────────────────────────────────────────


def keyed(plane: RunningPlane, *secrets: str, rules: Rules = NO_RETRIES) -> None:
    keys = tuple(Credential(id=f"cred_{n}", secret=secret) for n, secret in enumerate(secrets))
    one = msgspec.structs.replace(
        provider(plane.simulators[0], name="one"),
        credential=keys[0].secret,
        credential_id=keys[0].id,
        credentials=keys,
    )
    plane.source.current = snapshot(target(one, "gpt-4o-mini"), rules=rules)


def keys_used(plane: RunningPlane) -> Counter[str]:
    return Counter(r.headers["authorization"] for r in plane.simulators[0].inference_requests)


async def test_keys_of_a_provider_take_turns(plane: RunningPlane) -> None:
    keyed(plane, "sk-a", "sk-b")
    await served_by(plane, 10)
    assert keys_used(plane) == {"Bearer sk-a": 5, "Bearer sk-b": 5}


async def test_a_refused_key_is_asked_once_and_the_other_one_serves(plane: RunningPlane) -> None:
    keyed(plane, "sk-wrong", "sk-good")
    assert await served_by(plane, 10) == {"one": 10}
    assert keys_used(plane) == {"Bearer sk-wrong": 1, "Bearer sk-good": 10}
    [trouble] = plane.health.report("prov_one").aside
    assert trouble.credential_id == "cred_0"


async def test_a_key_at_its_limit_rests_until_its_own_reset(plane: RunningPlane, time: Time) -> None:
    keyed(plane, "sk-a", "sk-b")
    plane.simulators[0].configure(requests_per_minute=3)
    assert await served_by(plane, 6) == {"one": 6}
    refused = await plane.chat()
    assert refused.status_code == 429
    assert float(refused.headers["retry-after"]) > 1
    asked = counts(plane)[0]
    again = await plane.chat()
    assert (again.status_code, again.json()["error"]["type"]) == (429, refused.json()["error"]["type"])
    assert counts(plane)[0] == asked  # both rest: nobody is asked
    plane.simulators[0].configure(requests_per_minute=None)
    time.now += 61
    assert await served_by(plane, 2) == {"one": 2}


# ── the last target once more ─────────────────────────────────────────────────


async def test_a_busy_sole_provider_is_asked_once_more_and_not_for_ever(plane: RunningPlane) -> None:
    keyed(plane, "sk-a", rules=Rules(retries=1))
    plane.simulators[0].configure(fault="status-529", fault_times=1)
    response = await plane.chat()
    assert (response.status_code, response.headers["x-ops-attempts"]) == (200, "2")
    plane.simulators[0].configure(fault="status-529", fault_times=None)
    assert (await plane.chat()).status_code == 503
    assert len(plane.sink.records[-1].attempts) == 2


@pytest.mark.parametrize("fault", ["status-500", "status-504", "status-408", "html-200", "status-400"])
async def test_what_may_have_cost_money_or_is_the_callers_fault_is_not_repeated(
    plane: RunningPlane, fault: str
) -> None:
    keyed(plane, "sk-a", rules=Rules(retries=3))
    plane.simulators[0].configure(fault=fault)
    await plane.chat()
    assert counts(plane)[0] == 1


async def test_an_outage_is_not_multiplied_by_retries(plane: RunningPlane, time: Time) -> None:
    keyed(plane, "sk-a", rules=Rules(retries=1))
    plane.simulators[0].configure(fault="status-503")
    plane.health.take_retry("prov_one")
    while plane.health.take_retry("prov_one"):
        pass
    await plane.chat()
    assert counts(plane)[0] == 1


async def test_the_callers_deadline_ends_the_walk(plane: RunningPlane) -> None:
    for simulator in plane.simulators:
        simulator.configure(fault="hang")
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    async with asyncio.timeout(1.5):
        response = await plane.client.post(
            "/v1/chat/completions", json=body, headers={"x-ops-timeout": "0.3"}
        )
    assert response.status_code == 504
    wrong = await plane.client.post("/v1/chat/completions", json=body, headers={"x-ops-timeout": "soon"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "x-ops-timeout")


# ── conversations stay ────────────────────────────────────────────────────────


async def test_a_conversation_stays_where_its_prompt_cache_is(plane: RunningPlane) -> None:
    opening = [{"role": "system", "content": LONG}, {"role": "user", "content": "first question"}]
    home = (await plane.chat(messages=opening)).headers["x-ops-provider"]
    longer = [*opening, {"role": "assistant", "content": "an answer"}, {"role": "user", "content": "and?"}]
    assert await served_by(plane, 10, messages=longer) == {home: 10}
    other = [opening[0], {"role": "user", "content": "another question"}]
    assert await served_by(plane, 1, messages=other)
    # short ones have no cache to stay for
    assert await served_by(plane, 10) == {"one": 5, "two": 5}


async def test_a_named_session_stays_and_moves_when_its_home_is_unwell(plane: RunningPlane) -> None:
    async def ask() -> str:
        response = await plane.client.post(
            "/v1/chat/completions",
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]},
            headers={"x-session-id": "chat-7"},
        )
        return str(response.headers["x-ops-provider"])

    home = await ask()
    assert {await ask() for _ in range(6)} == {home}
    plane.simulators[0 if home == "one" else 1].configure(fault="status-500")
    away = {await ask() for _ in range(FAILURES_IN_A_ROW + 3)}
    assert away == ({"one", "two"} - {home})


# ── the strategy ──────────────────────────────────────────────────────────────


def three_models(plane: RunningPlane, strategy: Strategy, rules: Rules = NO_RETRIES) -> None:
    """A cheap one, a good one and one in between, at two providers."""
    one, two = plane.simulators
    plane.source.current = msgspec.structs.replace(
        snapshot(
            target(provider(one, name="one"), "gpt-4o-mini", a_price("0.1"), score=20.0),
            target(provider(one, name="one"), "gpt-4o", a_price("9"), score=60.0),
            target(provider(two, name="two"), "gpt-4.1-mini", a_price("1"), score=55.0),
            rules=rules,
        ),
        strategy=strategy,
    )


def a_price(usd: str) -> Price:
    return Price(input_mtok=Decimal(usd), output_mtok=Decimal(usd), source="test", as_of="2026-11-28")


def models_called(plane: RunningPlane) -> Counter[str]:
    return Counter(
        msgspec.json.decode(entry.body)["model"]
        for simulator in plane.simulators
        for entry in simulator.inference_requests
    )


@pytest.mark.parametrize(
    ("strategy", "model"),
    [
        (Strategy.COST, "gpt-4o-mini"),
        (Strategy.BALANCED, "gpt-4.1-mini"),
        (Strategy.QUALITY, "gpt-4o"),
    ],
)
async def test_every_request_that_names_no_model_goes_where_the_strategy_says(
    plane: RunningPlane, strategy: Strategy, model: str
) -> None:
    three_models(plane, strategy)
    await asyncio.gather(*[plane.chat(model="auto") for _ in range(20)])
    assert models_called(plane) == {model: 20}


async def test_a_change_of_strategy_holds_for_the_very_next_request(plane: RunningPlane) -> None:
    three_models(plane, Strategy.COST)
    await plane.chat(model="auto")
    three_models(plane, Strategy.QUALITY)
    await plane.chat(model="auto")
    assert models_called(plane) == {"gpt-4o-mini": 1, "gpt-4o": 1}


@pytest.mark.parametrize(("replace", "model"), [(False, "gpt-4o"), (True, "gpt-4o-mini")])
async def test_the_strategy_replaces_a_named_model_only_where_the_admin_says_so(
    plane: RunningPlane, replace: bool, model: str
) -> None:
    three_models(plane, Strategy.COST, Rules(retries=0, replace_named=replace))
    await asyncio.gather(*[plane.chat(model="gpt-4o") for _ in range(10)])
    assert models_called(plane) == {model: 10}


# ── a prompt too long ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_prompt_too_long_moves_to_a_larger_window_only_where_the_admin_allows_it(
    plane: RunningPlane, allowed: bool
) -> None:
    one, two = plane.simulators
    one.configure(fault="context-length")
    plane.source.current = snapshot(
        target(provider(one, name="one"), "gpt-4o-mini", context_window=8000),
        target(provider(two, name="two"), "gpt-4o", context_window=128_000),
        rules=Rules(larger_window=allowed),
    )
    response = await plane.chat()
    if allowed:
        assert (response.status_code, response.headers["x-ops-model"]) == (200, "gpt-4o")
    else:
        assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")
        assert counts(plane) == [1, 0]


async def test_a_refusal_of_content_is_nobody_elses_to_answer(plane: RunningPlane) -> None:
    plane.simulators[0].configure(fault="moderated")
    pair(plane, first=90, second=10)
    response = await plane.chat()
    assert response.status_code == 403
    assert counts(plane) == [1, 0]
    assert plane.health.report("prov_one").aside == ()
