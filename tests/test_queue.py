"""limits/queue.py: whoever waits gets the next place, keys take turns, and who leaves leaves nothing behind.

In memory, and on a real Valkey server with two limiters, as two processes have them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

import valkey_server
from left_out import left_out
from ops_center.errors import BudgetExceeded, LimitError, RateLimited, Unauthenticated
from ops_center.limits import MemoryLimiter
from ops_center.limits.demand import Demand, Reservation
from ops_center.limits.valkey import ValkeyLimiter
from ops_center.simulator.config import SimulatorConfig
from ops_center.snapshot import Budget, Principal, Queueing, Rate, Snapshot
from ops_center.types import Usage, new_id
from plane import RunningPlane, budget, rate, running_plane, snapshot

pytestmark = pytest.mark.anyio
PATIENT = Queueing(seconds=10, per_key=300, in_all=600)
Limiter = MemoryLimiter | ValkeyLimiter


@pytest.fixture(scope="module")
def valkey_url() -> Any:
    path = valkey_server.program() or left_out("Valkey tests (no server installed)")
    with valkey_server.running(path) as server:
        yield server.url


@pytest.fixture(params=["memory", "valkey"])
async def limiters(request: pytest.FixtureRequest) -> AsyncIterator[list[Limiter]]:
    """Two that share their counters, as two processes do; in memory there is one, given twice."""
    if request.param == "memory":
        yield [MemoryLimiter()] * 2
        return
    url, prefix = request.getfixturevalue("valkey_url"), f"{new_id('test')}:"
    async with AsyncExitStack() as closing:
        pair = [ValkeyLimiter(url, prefix=prefix, answer_seconds=20) for _ in range(2)]
        for limiter in pair:
            await limiter.start()
            closing.push_async_callback(limiter.close)
        yield list(pair)


def who(key: str, *limits: Rate | Budget, queueing: Queueing | None = PATIENT) -> Principal:
    return Principal(
        api_key_id=key,
        api_key_name=key,
        user_id="usr_1",
        user_email="a@b.c",
        rates=tuple(limit for limit in limits if isinstance(limit, Rate)),
        budgets=tuple(limit for limit in limits if isinstance(limit, Budget)),
        queueing=queueing,
    )


ONE_AT_ONCE = rate("user:1", concurrent_requests=1)


async def take(
    limiter: Limiter, principal: Principal, demand: Demand = Demand(), deadline: float | None = None
) -> Reservation:
    """As `dataplane/admit.py` does it."""
    refusal = None
    if not limiter.queue.stands_before(principal):
        try:
            taken = limiter.reserve(principal, demand)
            return taken if isinstance(taken, Reservation) else await taken
        except RateLimited as error:
            refusal = error
    return await limiter.queue.wait(principal, demand, refusal, deadline)


async def until_waiting(count: int, *limiters: Limiter) -> None:
    async with asyncio.timeout(5):
        while sum(limiter.queue._in_all for limiter in set(limiters)) < count:
            await asyncio.sleep(0.005)


async def empty(*limiters: Limiter) -> None:
    """Nobody waits and no line is left."""
    async with asyncio.timeout(5):
        while any(limiter.queue._lines for limiter in limiters):
            await asyncio.sleep(0.005)
    for limiter in limiters:
        assert (limiter.queue._in_all, limiter.queue._waiting) == (0, {})


async def test_a_request_waits_for_the_end_of_another(limiters: list[Limiter]) -> None:
    first = await take(limiters[0], who("a", ONE_AT_ONCE))
    second = asyncio.create_task(take(limiters[1], who("a", ONE_AT_ONCE)))
    await until_waiting(1, *limiters)
    await asyncio.sleep(0.05)
    assert not second.done()
    first.settle(None)
    async with asyncio.timeout(2):
        (await second).settle(None)
    await empty(*limiters)


async def test_keys_take_turns_however_many_requests_one_has(limiters: list[Limiter]) -> None:
    """Across processes, too: the many wait in one, the few in both."""
    served: list[str] = []

    async def request(limiter: Limiter, key: str) -> None:
        held = await take(limiter, who(key, ONE_AT_ONCE))
        served.append(key)
        await asyncio.sleep(0.01)
        held.settle(None)

    running = await take(limiters[0], who("a", ONE_AT_ONCE))
    tasks = [asyncio.create_task(request(limiters[0], "a")) for _ in range(8)]
    await until_waiting(8, *limiters)
    for key, at in (("b", 0), ("b", 1), ("c", 1), ("c", 1)):
        tasks.append(asyncio.create_task(request(limiters[at], key)))
    await until_waiting(12, *limiters)
    await asyncio.sleep(0.25)  # both processes have said who waits
    running.settle(None)
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)
    # b and c are through within the first turns, though they came last
    assert max(served.index(key, served.index(key) + 1) for key in "bc") <= 6, served
    assert served[-4:] == ["a"] * 4
    await empty(*limiters)


async def test_nobody_overtakes_those_who_wait(limiters: list[Limiter]) -> None:
    running = await take(limiters[0], who("a", ONE_AT_ONCE))
    waiting = asyncio.create_task(take(limiters[0], who("a", ONE_AT_ONCE)))
    await until_waiting(1, *limiters)
    await asyncio.sleep(0.15)
    running.settle(None)
    late = asyncio.create_task(take(limiters[1], who("b", ONE_AT_ONCE)))
    async with asyncio.timeout(3):
        held = await waiting
        assert not late.done()
        held.settle(None)
        (await late).settle(None)
    await empty(*limiters)


async def test_the_full_queue_refuses_at_once() -> None:
    limiter = MemoryLimiter()
    short = Queueing(seconds=10, per_key=2, in_all=3)
    running = await take(limiter, who("a", ONE_AT_ONCE, queueing=short))
    waiting = [
        asyncio.create_task(take(limiter, who(key, ONE_AT_ONCE, queueing=short))) for key in ("a", "a", "b")
    ]
    await until_waiting(3, limiter)
    for key in ("a", "c"):  # its own part is full; all of it is
        with pytest.raises(RateLimited, match="queue for it is full"):
            await take(limiter, who(key, ONE_AT_ONCE, queueing=short))
    running.settle(None)
    for task in asyncio.as_completed(waiting):
        (await task).settle(None)
    await empty(limiter)


async def test_waiting_ends_with_the_admins_time_or_the_callers_own(limiters: list[Limiter]) -> None:
    hasty = who("a", ONE_AT_ONCE, queueing=Queueing(seconds=0.2, per_key=9, in_all=9))
    running = await take(limiters[0], hasty)
    with pytest.raises(RateLimited, match=r"at once\. It waited 0\.2 seconds in the queue"):
        await take(limiters[0], hasty)
    patient = who("a", ONE_AT_ONCE)
    with pytest.raises(RateLimited, match=r"It waited 0\.1\d* seconds|It waited 0\.0\d+ seconds"):
        await take(limiters[0], patient, deadline=time.monotonic() + 0.1)
    running.settle(None)
    await empty(*limiters)
    (await take(limiters[0], hasty)).settle(None)


async def test_what_waiting_cannot_help_is_refused_at_once(limiters: list[Limiter]) -> None:
    once = who("a", rate("key:a", requests_per_minute=1))
    (await take(limiters[0], once)).settle(None)
    with pytest.raises(RateLimited) as caught:  # its next place comes free in a minute
        await take(limiters[0], once)
    assert caught.value.retry_after > 10 and "queue" not in caught.value.message
    with pytest.raises(RateLimited, match="this request needs about 200"):
        await take(limiters[0], who("b", rate("key:b", tokens_per_minute=100)), Demand(tokens=200))
    await empty(*limiters)


async def test_a_request_too_large_for_its_limit_stops_nobody_behind_it() -> None:
    limiter = MemoryLimiter()
    bound = rate("user:1", concurrent_requests=1, tokens_per_minute=100)
    running = await take(limiter, who("a", bound))
    waiting = [asyncio.create_task(take(limiter, who("a", bound), Demand(tokens=n))) for n in (10, 500, 20)]
    await until_waiting(3, limiter)
    running.settle(None)
    (await waiting[0]).settle(None)
    with pytest.raises(RateLimited, match="about 500"):
        await waiting[1]
    (await waiting[2]).settle(None)
    await empty(limiter)


async def test_tokens_that_were_not_used_let_the_next_one_in(limiters: list[Limiter]) -> None:
    bound = who("a", rate("key:a", tokens_per_minute=100))
    first = await take(limiters[0], bound, Demand(tokens=90))
    second = asyncio.create_task(take(limiters[0], bound, Demand(tokens=50)))
    await until_waiting(1, *limiters)
    first.settle(None, Usage(input_tokens=20))
    async with asyncio.timeout(2):
        (await second).settle(None)
    await empty(*limiters)


async def test_whoever_leaves_takes_no_place(limiters: list[Limiter]) -> None:
    running = await take(limiters[0], who("a", ONE_AT_ONCE))
    leaving = [asyncio.create_task(take(limiters[0], who("a", ONE_AT_ONCE))) for _ in range(20)]
    await until_waiting(20, *limiters)
    staying = asyncio.create_task(take(limiters[1], who("b", ONE_AT_ONCE)))
    await until_waiting(21, *limiters)
    running.settle(None)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    async with asyncio.timeout(3):
        (await staying).settle(None)
    await empty(*limiters)


async def test_a_place_in_one_limit_does_not_jump_the_line_of_another() -> None:
    limiter = MemoryLimiter()
    of_key, of_user = rate("key:a", concurrent_requests=1), rate("user:1", concurrent_requests=2)
    first = await take(limiter, who("a", of_key, of_user))
    other = await take(limiter, who("b", of_user))
    waiting = asyncio.create_task(take(limiter, who("a", of_key, of_user)))  # for its key's own limit
    behind = asyncio.create_task(take(limiter, who("c", of_user)))
    await until_waiting(2, limiter)
    other.settle(None)
    (await behind).settle(None)  # the user's limit has a place, and only "a" must wait for itself
    assert not waiting.done()
    first.settle(None)
    (await waiting).settle(None)
    await empty(limiter)


async def test_a_budget_that_ends_meanwhile_is_what_the_caller_hears(limiters: list[Limiter]) -> None:
    cent = budget("0.01", counter=new_id("b"))
    principal = who("a", ONE_AT_ONCE, cent)
    cost = Demand(expected_nano_usd=1_000_000, most_nano_usd=1_000_000)
    running = await take(limiters[0], principal, cost)
    waiting = [asyncio.create_task(take(limiters[0], principal, cost)) for _ in range(2)]
    await until_waiting(2, *limiters)
    running.settle(Decimal("0.02"))
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, BudgetExceeded)
    await empty(*limiters)


async def test_those_who_wait_go_by_the_newest_configuration(limiters: list[Limiter]) -> None:
    limiter = limiters[0]
    running = await take(limiter, who("a", ONE_AT_ONCE))
    revoked = asyncio.create_task(take(limiter, who("gone", ONE_AT_ONCE)))
    raised = asyncio.create_task(take(limiter, who("a", ONE_AT_ONCE)))
    await until_waiting(2, limiter)
    wider = who("a", rate("user:1", concurrent_requests=2))
    limiter.keep_only(Snapshot(version=2, principals={b"a": wider}))
    async with asyncio.timeout(2):
        with pytest.raises(Unauthenticated, match="revoked"):
            await revoked
        (await raised).settle(None)
    running.settle(None)
    await empty(*limiters)


@pytest.mark.parametrize("seed", range(2))
async def test_hundreds_that_race_wait_and_leave_hold_nothing_in_the_end(
    limiters: list[Limiter], seed: int
) -> None:
    """Through both processes: five keys of one user, each with limits and a budget of its own."""
    chance = random.Random(seed)
    of_user = rate("user:1", concurrent_requests=12, tokens_per_minute=100_000)
    wallet = budget("0.05", counter=f"u{seed}")
    keys = [
        who(f"key_{n}", rate(f"key:{n}", concurrent_requests=4), of_user, wallet, queueing=PATIENT)
        for n in range(5)
    ]
    spent = running = most_running = 0
    outcomes: dict[str, int] = {}

    async def request() -> None:
        nonlocal spent, running, most_running
        await asyncio.sleep(chance.random() * 0.2)
        most = chance.randint(0, 400_000)
        demand = Demand(tokens=50, expected_nano_usd=most, most_nano_usd=most)
        held = await take(chance.choice(limiters), chance.choice(keys), demand)
        running += 1
        most_running = max(most_running, running)
        try:
            await asyncio.sleep(chance.random() * 0.02)
        finally:
            running -= 1
            cost = chance.randint(0, most)
            spent += cost
            held.settle(Decimal(cost) / 10**9, Usage(input_tokens=chance.randint(0, 50)))

    async def told() -> None:
        try:
            await request()
            outcome = "served"
        except LimitError as error:
            outcome = error.type
        except asyncio.CancelledError:
            outcome = "left"
            raise
        finally:
            outcomes[outcome] = outcomes.get(outcome, 0) + 1

    tasks = [asyncio.create_task(told()) for _ in range(300)]
    for task in chance.sample(tasks, 90):
        asyncio.get_running_loop().call_later(chance.random() * 0.3, task.cancel)
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks, return_exceptions=True)
    await empty(*limiters)
    assert most_running <= 12
    assert 0 < spent <= wallet.amount_nano_usd
    assert outcomes["served"] >= 50 and outcomes.get("left", 0) > 20, outcomes
    assert outcomes.get("rate_limit_error", 0) == 0  # everybody had time to wait
    for limiter in limiters:
        while isinstance(limiter, ValkeyLimiter) and limiter._work:
            await asyncio.wait(set(limiter._work))
    assert await limiters[0].spent(wallet) == spent
    await nothing_is_held(limiters[0])


async def nothing_is_held(limiter: Limiter) -> None:
    if isinstance(limiter, MemoryLimiter):
        assert all(counted.reserved == 0 for counted in limiter._spendings.values())
        assert all(pace.running == 0 and pace.place is None for pace in limiter._paces.values())
        return
    async for key in limiter._client.scan_iter(match=f"{limiter._prefix}[br]:*"):
        fields = await limiter._client.hgetall(key)
        assert int(fields.get(b"reserved", 0)) == int(fields.get(b"running", 0)) == 0, (key, fields)
    assert await limiter._client.zcard(f"{limiter._prefix}leases") == 0


# ── through the data plane ────────────────────────────────────────────────────


@pytest.fixture
async def plane() -> AsyncIterator[RunningPlane]:
    async with running_plane(config=SimulatorConfig(latency_seconds=0.2)) as running:
        yield running


def limited(plane: RunningPlane, *, queueing: Queueing | None = PATIENT) -> None:
    bound = rate(concurrent_requests=1)
    plane.source.current = snapshot(*plane.source.current.targets, rates=(bound,), queueing=queueing)


async def test_a_request_that_waited_says_how_long_and_so_does_its_record(plane: RunningPlane) -> None:
    limited(plane)
    answers = await asyncio.gather(*(plane.chat() for _ in range(3)))
    assert [answer.status_code for answer in answers] == [200] * 3
    waited = sorted(float(answer.headers.get("x-ops-queue-seconds", 0)) for answer in answers)
    assert waited[0] == 0 and waited[1] >= 0.1 and waited[2] >= 0.3
    recorded = sorted(record.queue_seconds or 0.0 for record in plane.sink.records)
    assert recorded == pytest.approx(waited, abs=0.001)
    assert sum("x-ops-queue-seconds" in answer.headers for answer in answers) == 2
    limited(plane, queueing=None)
    refused = [answer.status_code for answer in await asyncio.gather(plane.chat(), plane.chat())]
    assert sorted(refused) == [200, 429]


async def test_the_callers_deadline_ends_the_waiting(plane: RunningPlane) -> None:
    limited(plane)
    running = asyncio.create_task(plane.chat())
    await until_running(plane)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
    answer = await plane.client.post("/v1/chat/completions", json=body, headers={"x-ops-timeout": "0.05"})
    assert answer.status_code == 429
    assert "in the queue" in answer.json()["error"]["message"]
    assert float(answer.headers["x-ops-queue-seconds"]) >= 0.04
    assert int(answer.headers["retry-after"]) >= 1
    assert (await running).status_code == 200


async def test_a_client_that_leaves_the_queue_makes_room_and_asks_nobody(plane: RunningPlane) -> None:
    limited(plane)
    running = asyncio.create_task(plane.chat())
    await until_running(plane)
    with pytest.raises(httpx.ReadTimeout):
        await plane.client.post(
            "/v1/chat/completions",
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]},
            timeout=0.05,
        )
    assert (await running).status_code == 200
    await plane.sink.until(2)
    assert {record.status for record in plane.sink.records} == {200, 499}
    assert len(plane.simulator.requests) == 1
    await empty(plane.limiter)


async def test_what_happened_meanwhile_counts(plane: RunningPlane) -> None:
    """A key that was revoked while its request waited sends nothing to any provider."""
    limited(plane)
    running = asyncio.create_task(plane.chat())
    await until_running(plane)
    waiting = asyncio.create_task(plane.chat())
    await until_waiting(1, plane.limiter)
    plane.source.current = msgspec.structs.replace(plane.source.current, principals={})
    assert (await waiting).status_code == 401
    assert (await running).status_code == 200
    assert len(plane.simulator.requests) == 1
    await nothing_is_held(plane.limiter)


async def until_running(plane: RunningPlane) -> None:
    async with asyncio.timeout(5):
        while not any(pace.running for pace in plane.limiter._paces.values()):
            await asyncio.sleep(0.005)
