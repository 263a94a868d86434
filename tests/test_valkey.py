"""limits/valkey.py on a real server: the same limits, for several processes, and what happens without it."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

import valkey_server
from left_out import left_out
from ops_center.errors import BudgetExceeded, LimitsUnavailable, RateLimited
from ops_center.limits import MemoryLimiter
from ops_center.limits.demand import Demand, ProviderDemand, Reservation
from ops_center.limits.valkey import ValkeyLimiter
from ops_center.snapshot import Budget, Principal, Provider, Rate
from ops_center.types import BudgetScope, Usage, new_id
from plane import budget, provider_spec, rate
from plane import target as target_of
from valkey_server import ValkeyServer

pytestmark = pytest.mark.anyio
CENT = 10_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    path = valkey_server.program()
    if path is None:
        left_out("Valkey tests (no server installed)")
    with valkey_server.running(path) as running:
        yield running


@asynccontextmanager
async def node(server: ValkeyServer, prefix: str | None = None, **given: Any) -> AsyncIterator[ValkeyLimiter]:
    # A busy machine is no server that went away: where that is meant, the test says after how long.
    given = {"answer_seconds": 10.0} | given
    limiter = ValkeyLimiter(server.url, prefix=prefix or f"{new_id('test')}:", **given)
    await limiter.start()
    try:
        yield limiter
    finally:
        await limiter.close()


@pytest.fixture
async def limiter(server: ValkeyServer) -> AsyncIterator[ValkeyLimiter]:
    async with node(server) as one:
        yield one


def principal(*limits: Budget | Rate) -> Principal:
    return Principal(
        api_key_id="key_1",
        api_key_name="k",
        user_id="usr_1",
        user_email="a@b.c",
        rates=tuple(limit for limit in limits if isinstance(limit, Rate)),
        budgets=tuple(limit for limit in limits if isinstance(limit, Budget)),
    )


def costs(nano_usd: int, most: int | None = None, **given: Any) -> Demand:
    return Demand(expected_nano_usd=nano_usd, most_nano_usd=nano_usd if most is None else most, **given)


async def take(limiter: ValkeyLimiter, who: Principal, demand: Demand = Demand()) -> Reservation:
    reserving = limiter.reserve(who, demand)
    return await reserving if inspect.isawaitable(reserving) else reserving


async def settled(*limiters: ValkeyLimiter) -> None:
    for limiter in limiters:
        while limiter._work:
            await asyncio.wait(set(limiter._work))


async def state(limiter: ValkeyLimiter) -> dict[str, dict[str, int]]:
    """Every counter on the server, by its name without the prefix."""
    found: dict[str, dict[str, int]] = {}
    async for key in limiter._client.scan_iter(match=f"{limiter._prefix}[br]:*"):
        fields = await limiter._client.hgetall(key)
        found[key.decode().removeprefix(limiter._prefix)] = {f.decode(): int(v) for f, v in fields.items()}
    return found


async def test_fifty_at_once_on_two_nodes_cannot_spend_two_budgets(server: ValkeyServer) -> None:
    prefix = f"{new_id('test')}:"
    bound = budget("0.01")
    async with node(server, prefix) as one, node(server, prefix) as other:
        tries = [take((one, other)[n % 2], principal(bound), costs(3_000_000)) for n in range(50)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        held = [outcome for outcome in outcomes if isinstance(outcome, Reservation)]
        assert len(held) == 3
        assert all(isinstance(o, (Reservation, BudgetExceeded)) for o in outcomes)
        for reservation in held:
            reservation.settle(Decimal("0.001"))
            reservation.settle(Decimal("0.001"))  # only the first counts
        await settled(one, other)
        assert await one.spent(bound) == await other.spent(bound) == 3_000_000
        [counted] = (await state(one)).values()
        assert counted["reserved"] == 0


@pytest.mark.parametrize("seed", range(3))
async def test_hundreds_of_racing_requests_leak_nothing_and_overspend_nothing(
    server: ValkeyServer, seed: int
) -> None:
    chance = random.Random(seed)
    prefix = f"{new_id('test')}:"
    of_key, of_user = budget("0.03", counter="k"), budget("0.02", counter="u")
    pace = rate(requests_per_minute=120, tokens_per_minute=9000, concurrent_requests=20)
    who = principal(of_key, of_user, pace)
    spent = running = most_running = started = tokens_used = 0
    async with node(server, prefix) as one, node(server, prefix) as other:

        async def request() -> None:
            nonlocal spent, running, most_running, started, tokens_used
            most = chance.randint(0, 2_000_000)
            await asyncio.sleep(chance.random() * 0.3)
            try:
                held = await take(chance.choice((one, other)), who, costs(most, tokens=100))
            except (BudgetExceeded, RateLimited):
                return
            started += 1
            running += 1
            most_running = max(most_running, running)
            await asyncio.sleep(chance.random() * 0.05)
            running -= 1
            cost, used = chance.randint(0, most), chance.randint(0, 100)
            spent += cost
            tokens_used += used
            held.settle(Decimal(cost) / 10**9, Usage(input_tokens=used))

        leaving = [asyncio.create_task(request()) for _ in range(300)]
        await asyncio.gather(*leaving)
        await settled(one, other)
        counted = await state(one)
    # `running` is the test's own view and a settle is on its way for a moment after it
    assert most_running <= 20
    assert 0 < started <= 120
    assert spent <= of_user.amount_nano_usd
    for key, fields in counted.items():
        if key.startswith("b:"):
            assert (fields["spent"], fields["reserved"]) == (spent, 0)
        else:
            assert (fields["running"], fields["requests"], fields["tokens"]) == (0, started, tokens_used)


async def test_a_client_that_leaves_while_the_server_is_asked_holds_nothing(limiter: ValkeyLimiter) -> None:
    who = principal(budget("1"), rate(concurrent_requests=5))
    for _ in range(20):
        task = asyncio.ensure_future(take(limiter, who, costs(CENT)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await settled(limiter)
    for fields in (await state(limiter)).values():
        assert fields.get("reserved", 0) == fields.get("running", 0) == 0
    assert limiter._live == set()


async def test_what_a_killed_process_held_is_given_back_when_its_lease_lapses(server: ValkeyServer) -> None:
    prefix = f"{new_id('test')}:"
    who = principal(budget("0.01"), rate(concurrent_requests=1))
    async with node(server, prefix, lease_seconds=0.3) as survivor:
        killed = ValkeyLimiter(server.url, prefix=prefix, lease_seconds=0.3)  # never started: renews nothing
        await take(killed, who, costs(CENT))
        with pytest.raises(BudgetExceeded):
            await take(survivor, who, costs(CENT))
        await asyncio.sleep(0.35)
        kept = await take(survivor, who, costs(CENT))
        await asyncio.sleep(0.7)  # its process lives, so its lease is renewed
        with pytest.raises(BudgetExceeded):
            await take(survivor, who, costs(CENT))
        kept.settle(Decimal(0))
        await settled(survivor)
        (await take(survivor, who, costs(CENT))).settle(None)
        await killed._client.aclose()


async def test_a_caller_is_told_the_same_as_by_the_memory_of_one_process(limiter: ValkeyLimiter) -> None:
    memory = MemoryLimiter()
    limits = (rate(requests_per_minute=2, tokens_per_minute=1000), rate("user:1", concurrent_requests=9))
    for _ in range(2):
        there = await take(limiter, principal(*limits), Demand(tokens=300))
        here = memory.reserve(principal(*limits), Demand(tokens=300))
        assert there.pace is not None and here.pace is not None
        for name in ("requests_limit", "requests_left", "tokens_limit", "tokens_left"):
            assert getattr(there.pace, name) == getattr(here.pace, name)
        assert there.pace.requests_reset_seconds == pytest.approx(60, abs=1.5)
    errors = []
    for who in (limiter, memory):
        with pytest.raises(RateLimited) as caught:
            await take(who, principal(*limits), Demand(tokens=300))  # type: ignore[arg-type]
        errors.append(caught.value)
    assert errors[0].message == errors[1].message
    assert errors[0].retry_after_seconds == pytest.approx(60, abs=1.5)
    tokens = principal(rate("t", tokens_per_minute=1000))
    (await take(limiter, tokens, Demand(tokens=900))).settle(None, Usage(input_tokens=300))
    await settled(limiter)
    await take(limiter, tokens, Demand(tokens=700))
    with pytest.raises(RateLimited, match="tokens per minute"):
        await take(limiter, tokens, Demand(tokens=1))


async def test_the_window_slides_even_after_a_long_silence(limiter: ValkeyLimiter) -> None:
    who = principal(rate("r", requests_per_minute=1, tokens_per_minute=10))
    (await take(limiter, who, Demand(tokens=10))).settle(None, Usage(input_tokens=10))
    await settled(limiter)
    key = f"{limiter._prefix}r:r"
    with pytest.raises(RateLimited):
        await take(limiter, who)
    for ago in (62, 500):  # as if the second in which it was counted lay so far back
        fields = {f.decode(): v for f, v in (await limiter._client.hgetall(key)).items()}
        second = int(next(f for f in fields if f[0] == "q" and f[1:].isdigit())[1:])
        await limiter._client.hdel(key, f"q{second}", f"t{second}")
        moved = {f"q{second - ago}": 1, f"t{second - ago}": 10, "swept": second - ago - 61}
        await limiter._client.hset(key, mapping=moved)
        (await take(limiter, who, Demand(tokens=10))).settle(None, Usage(input_tokens=10))
        await settled(limiter)
        left = (await state(limiter))["r:r"]
        assert (left["requests"], left["tokens"]) == (1, 10)


async def test_a_provider_is_charged_for_its_own_answers_and_left_out_when_spent(
    limiter: ValkeyLimiter,
) -> None:
    bound = budget("0.01", BudgetScope.PROVIDER, counter="p")
    of = Provider(id="prov_a", name="a", spec=provider_spec("openai"), base_url="https://x", budgets=(bound,))
    demand = costs(CENT, providers=(ProviderDemand(of.id, of.budgets, CENT, CENT),))
    (await take(limiter, principal(), demand)).settle(Decimal("0.01"))  # somebody else answered
    held = await take(limiter, principal(), demand)
    assert held.spent_providers == frozenset()
    held.settle(Decimal("0.01"), Usage(output_tokens=3), target_of(of, "m"))
    await settled(limiter)
    assert await limiter.spent(bound) == CENT
    assert (await take(limiter, principal(), demand)).spent_providers == {"prov_a"}


async def test_a_budget_is_seeded_once(limiter: ValkeyLimiter) -> None:
    bound = budget("1")
    assert not await limiter.knows(bound)
    await limiter.add_spent(bound, 5)
    assert await limiter.knows(bound)
    assert await limiter.spent(bound) == 5
    await limiter.add_spent(bound, -2)
    assert await limiter.spent(bound) == 3


# ── without the server ────────────────────────────────────────────────────────


async def test_while_it_is_away_each_process_counts_for_itself_and_goes_on_from_what_it_knew() -> None:
    path = valkey_server.program() or left_out("Valkey tests (no server installed)")
    with valkey_server.running(path) as server:
        async with node(server) as limiter:
            who = principal(budget("0.01"))
            await limiter.add_spent(who.budgets[0], CENT - 3)
            (await take(limiter, who, costs(1))).settle(Decimal("0.000000001"))
            await settled(limiter)
            (await take(limiter, who, costs(1))).settle(None)
            await settled(limiter)
            server.stop()
            (await take(limiter, who, costs(2))).settle(Decimal("0.000000002"))
            with pytest.raises(BudgetExceeded):
                await take(limiter, who, costs(1))
            assert await limiter.knows(who.budgets[0])
            with pytest.raises(LimitsUnavailable):
                await limiter.spent(who.budgets[0])
            server.start()
            limiter._away_until = 1e-9  # as after a second
            assert not await limiter.knows(who.budgets[0])  # it came back empty: to be seeded anew
            await take(limiter, who, costs(1))
            assert limiter._away_until == 0


async def test_while_it_is_away_requests_with_limits_are_refused_where_that_is_the_setting() -> None:
    limiter = ValkeyLimiter("redis://127.0.0.1:1/0", when_away="closed")
    await limiter.start()
    for _ in range(2):
        with pytest.raises(LimitsUnavailable) as caught:
            await take(limiter, principal(rate(requests_per_minute=1)))
        assert caught.value.status == 503
        assert caught.value.retry_after_seconds == 1
    await limiter.close()


def test_a_url_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError):
        ValkeyLimiter("http://127.0.0.1")
