"""limits/: what is taken in one step, what is given back, and what a clock changes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clock import Clock
from ops_center.errors import BudgetExceeded, RateLimited
from ops_center.limits import MemoryLimiter
from ops_center.limits.demand import Demand, OutputLengths, ProviderDemand, Reservation
from ops_center.limits.periods import bounds
from ops_center.providers.registry import provider_spec
from ops_center.snapshot import Budget, Principal, Provider, Rate, Snapshot, Target
from ops_center.types import BudgetPeriod, BudgetScope, Usage
from plane import budget, rate

pytestmark = pytest.mark.anyio
CENT = 10_000_000  # nano-dollars


def principal(*limits: Budget | Rate) -> Principal:
    return Principal(
        api_key_id="key_1",
        api_key_name="k",
        user_id="usr_1",
        user_email="a@b.c",
        rates=tuple(limit for limit in limits if isinstance(limit, Rate)),
        budgets=tuple(limit for limit in limits if isinstance(limit, Budget)),
    )


def costs(nano_usd: int, most: int | None = None, **given: object) -> Demand:
    return Demand(expected_nano_usd=nano_usd, most_nano_usd=nano_usd if most is None else most, **given)  # type: ignore[arg-type]


FREE = Demand()


def used(tokens: int) -> Usage:
    return Usage(input_tokens=tokens // 3, output_tokens=tokens - tokens // 3)


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# ── per minute ────────────────────────────────────────────────────────────────


def test_requests_per_minute_slide_and_say_when_to_come_back() -> None:
    seconds = Seconds()
    limiter = MemoryLimiter(monotonic=seconds)
    who = principal(rate(requests_per_minute=2))
    limiter.reserve(who, FREE)
    seconds.now += 20
    limiter.reserve(who, FREE)
    with pytest.raises(RateLimited) as caught:
        limiter.reserve(who, FREE)
    assert caught.value.retry_after_seconds == pytest.approx(40)
    seconds.now += 40.001
    limiter.reserve(who, FREE)


def test_tokens_per_minute_count_what_was_used_once_that_is_known() -> None:
    seconds = Seconds()
    limiter = MemoryLimiter(monotonic=seconds)
    who = principal(rate(tokens_per_minute=1000))
    first = limiter.reserve(who, Demand(tokens=900))
    with pytest.raises(RateLimited) as caught:
        limiter.reserve(who, Demand(tokens=200))
    assert caught.value.retry_after_seconds == pytest.approx(60)
    first.settle(None, used(300))
    seconds.now += 10
    limiter.reserve(who, Demand(tokens=700)).settle(None, used(650))
    with pytest.raises(RateLimited) as caught:
        limiter.reserve(who, Demand(tokens=51))
    assert caught.value.retry_after_seconds == pytest.approx(50)
    seconds.now += 50
    limiter.reserve(who, Demand(tokens=350))


def test_what_settles_after_it_left_the_window_changes_nothing() -> None:
    seconds = Seconds()
    limiter = MemoryLimiter(monotonic=seconds)
    who = principal(rate(tokens_per_minute=1000))
    slow = limiter.reserve(who, Demand(tokens=1000))
    seconds.now += 61
    limiter.reserve(who, Demand(tokens=500)).settle(None, used(500))
    slow.settle(None, used(100_000))
    limiter.reserve(who, Demand(tokens=500))
    with pytest.raises(RateLimited):
        limiter.reserve(who, Demand(tokens=1))


def test_requests_at_once_come_free_with_the_end_of_one() -> None:
    limiter = MemoryLimiter()
    who = principal(rate(concurrent_requests=2))
    first, _ = limiter.reserve(who, FREE), limiter.reserve(who, FREE)
    with pytest.raises(RateLimited):
        limiter.reserve(who, FREE)
    first.settle(None)
    first.settle(None)
    limiter.reserve(who, FREE)
    with pytest.raises(RateLimited):
        limiter.reserve(who, FREE)


def test_a_user_is_bounded_over_all_keys_and_a_refusal_takes_nothing() -> None:
    limiter = MemoryLimiter()
    of_user = rate("user:usr_1", requests_per_minute=3)
    one, other = principal(rate("key:1", requests_per_minute=2), of_user), principal(of_user)
    limiter.reserve(one, FREE)
    limiter.reserve(one, FREE)
    for _ in range(5):
        with pytest.raises(RateLimited):  # by its own limit, so the user's place stays free
            limiter.reserve(one, FREE)
    limiter.reserve(other, FREE)
    with pytest.raises(RateLimited):
        limiter.reserve(other, FREE)


def test_the_tightest_limit_is_what_a_caller_is_told() -> None:
    limiter = MemoryLimiter()
    who = principal(
        rate("key:1", requests_per_minute=10, tokens_per_minute=500), rate("user:1", requests_per_minute=3)
    )
    pace = limiter.reserve(who, Demand(tokens=100)).pace
    assert pace is not None
    assert (pace.requests_limit, pace.requests_left) == (3, 2)
    assert (pace.tokens_limit, pace.tokens_left) == (500, 400)


# ── budgets ───────────────────────────────────────────────────────────────────


async def test_fifty_at_once_cannot_spend_two_budgets() -> None:
    limiter = MemoryLimiter()
    bound = budget("0.01")
    who = principal(bound)
    held = []
    for _ in range(50):
        try:
            held.append(limiter.reserve(who, costs(3_000_000)))
        except BudgetExceeded:
            continue
    assert len(held) == 3
    for reservation in held:
        reservation.settle(Decimal("0.001"))
        reservation.settle(Decimal("0.001"))  # only the first counts
    assert await limiter.spent(bound) == 3_000_000
    assert len([limiter.reserve(who, costs(3_000_000)) for _ in range(2)]) == 2
    with pytest.raises(BudgetExceeded):
        limiter.reserve(who, costs(3_000_000))


async def test_what_was_spent_before_counts_and_a_new_month_begins_at_nothing(clock: Clock) -> None:
    limiter = MemoryLimiter(clock=clock)
    bound = budget("1.00")
    assert not await limiter.knows(bound)
    await limiter.add_spent(bound, 100 * CENT)
    assert await limiter.knows(bound)
    with pytest.raises(BudgetExceeded):
        limiter.reserve(principal(bound), FREE)
    clock.advance(10 * 86400)
    assert not await limiter.knows(bound)
    limiter.reserve(principal(bound), costs(50 * CENT)).settle(None)


async def test_a_request_belongs_to_the_period_in_which_it_began(clock: Clock) -> None:
    limiter = MemoryLimiter(clock=clock)
    bound = budget("1.00", period=BudgetPeriod.DAY)
    late = limiter.reserve(principal(bound), costs(50 * CENT))
    clock.advance(86400)
    limiter.reserve(principal(bound), costs(50 * CENT)).settle(Decimal("0.10"))
    late.settle(Decimal("0.50"))
    assert await limiter.spent(bound) == 10 * CENT
    limiter.reserve(principal(bound), costs(90 * CENT))


def test_a_failed_request_gives_its_reservation_back() -> None:
    limiter = MemoryLimiter()
    who = principal(budget("0.01"))
    for _ in range(100):
        limiter.reserve(who, costs(CENT)).settle(Decimal(0))


def test_a_request_without_a_bound_may_go_alone_and_keeps_others_out() -> None:
    limiter = MemoryLimiter()
    who = principal(budget("0.01"))
    alone = limiter.reserve(who, costs(CENT // 10, most=5 * CENT))
    with pytest.raises(BudgetExceeded, match="under way"):
        limiter.reserve(who, costs(1))
    alone.settle(Decimal("0.001"))
    limiter.reserve(who, costs(CENT // 10, most=5 * CENT))


def test_a_used_up_budget_refuses_free_and_unpriced_requests_but_not_those_others_pay() -> None:
    limiter = MemoryLimiter()
    who = principal(budget("0.01"))
    limiter.reserve(who, costs(CENT)).settle(Decimal("0.01"))
    with pytest.raises(BudgetExceeded, match="used up") as caught:
        limiter.reserve(who, FREE)
    assert "under way" not in caught.value.message
    limiter.reserve(who, Demand(spends=False)).settle(Decimal(0))


def a_target(name: str, *budgets: Budget) -> Target:
    of = Provider(
        id=f"prov_{name}", name=name, spec=provider_spec("openai"), base_url="https://x", budgets=budgets
    )
    return Target(id=f"mdl_{name}", provider=of, model="m")


async def test_a_provider_is_charged_for_its_own_answers_and_left_out_when_spent() -> None:
    limiter = MemoryLimiter()
    bounds_ = [budget("0.01", BudgetScope.PROVIDER, counter=name) for name in "ab"]
    a, b = a_target("a", bounds_[0]), a_target("b", bounds_[1])
    demands = tuple(ProviderDemand(t.provider.id, t.provider.budgets, CENT, CENT) for t in (a, b))
    held = limiter.reserve(principal(), costs(CENT, providers=demands))
    assert held.spent_providers == frozenset()
    held.settle(Decimal("0.01"), used(9), b)
    assert [await limiter.spent(bound) for bound in bounds_] == [0, CENT]
    assert limiter.reserve(principal(), costs(1, providers=demands)).spent_providers == {"prov_b"}


async def test_counters_of_limits_that_are_gone_are_forgotten() -> None:
    limiter = MemoryLimiter()
    bound = budget("1")
    await limiter.add_spent(bound, 5)
    running = limiter.reserve(principal(rate("key:kept", concurrent_requests=5)), FREE)
    limiter.reserve(principal(rate("key:gone", requests_per_minute=5)), FREE).settle(None)
    limiter.keep_only(Snapshot(version=1))
    assert not await limiter.knows(bound)
    assert set(limiter._paces) == {"key:kept"}
    running.settle(None)
    limiter.keep_only(Snapshot(version=1))
    assert limiter._paces == {}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_whatever_the_order_nothing_leaks_and_nothing_is_overspent(seed: int, amount: int) -> None:
    """Hundreds of requests that overlap at random, each within what it said it may cost."""
    chance = random.Random(seed)
    seconds = Seconds()
    limiter = MemoryLimiter(monotonic=seconds)
    of_key, of_user = budget("0.02", counter="k"), budget(Decimal(amount) / 1000, counter="u")
    pace = rate(requests_per_minute=50, tokens_per_minute=4000, concurrent_requests=7)
    who = principal(of_key, of_user, pace)
    under_way: list[tuple[Reservation, int]] = []
    spent, starts, most_running = 0, [], 0
    for _ in range(400):
        seconds.now += chance.random()
        if under_way and chance.random() < 0.5:
            reservation, most = under_way.pop(chance.randrange(len(under_way)))
            cost = chance.randint(0, most)
            reservation.settle(Decimal(cost) / 10**9, used(chance.randint(0, 200)))
            spent += cost
            continue
        most = chance.randint(0, 2_000_000)
        try:
            under_way.append((limiter.reserve(who, costs(most, tokens=chance.randint(0, 200))), most))
        except (BudgetExceeded, RateLimited):
            continue
        starts.append(seconds.now)
        most_running = max(most_running, len(under_way))
        assert len([s for s in starts if s > seconds.now - 60]) <= 50
    for reservation, most in under_way:
        reservation.settle(Decimal(most) / 10**9)
        spent += most
    assert most_running <= 7
    assert spent <= min(of_key.amount_nano_usd, of_user.amount_nano_usd)
    for counted in limiter._spendings.values():
        assert (counted.spent, counted.reserved) == (spent, 0)
    for state in limiter._paces.values():
        assert state.running == 0
        seconds.now += 61
        state.sweep(seconds.now)
        assert (len(state.starts), len(state.tokens), state.token_sum) == (0, 0, 0)


# ── guesses ───────────────────────────────────────────────────────────────────


def test_the_guess_of_an_answers_length_follows_what_the_model_did() -> None:
    lengths, model = OutputLengths(), a_target("a")
    assert lengths.guess(model) == (500, 4096)
    for _ in range(50):
        lengths.observe(model, 20)
    assert lengths.guess(model) == (21, 26)
    lengths.observe(model, 2000)
    expected, most = lengths.guess(model)
    assert 200 < expected < 250
    assert most == 2501


# ── calendar ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("period", "at", "zone", "start", "end"),
    [
        ("month", "2026-11-23T12:00Z", "UTC", "2026-11-01T00:00Z", "2026-12-01T00:00Z"),
        ("month", "2026-11-30T23:30Z", "Europe/Berlin", "2026-11-30T23:00Z", "2026-12-31T23:00Z"),
        ("day", "2026-10-25T12:00Z", "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),  # 25 hours
        ("day", "2026-03-29T12:00Z", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),  # 23 hours
        ("day", "2026-11-23T18:00Z", "Asia/Kolkata", "2026-11-22T18:30Z", "2026-11-23T18:30Z"),
        ("week", "2026-11-22T23:59Z", "UTC", "2026-11-16T00:00Z", "2026-11-23T00:00Z"),
        ("week", "2026-11-22T23:59Z", "Pacific/Auckland", "2026-11-22T11:00Z", "2026-11-29T11:00Z"),
        ("month", "2028-02-29T12:00Z", "America/New_York", "2028-02-01T05:00Z", "2028-03-01T05:00Z"),
    ],
)
def test_periods_follow_the_calendar_on_the_wall(
    period: str, at: str, zone: str, start: str, end: str
) -> None:
    instant = datetime.fromisoformat(at)
    assert bounds(BudgetPeriod(period), instant, zone) == (
        datetime.fromisoformat(start),
        datetime.fromisoformat(end),
    )


@given(
    st.sampled_from(list(BudgetPeriod)),
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)),  # noqa: DTZ001 made aware below
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_periods_follow_each_other_without_gap_or_overlap(
    period: BudgetPeriod, at: datetime, zone: str
) -> None:
    instant = at.replace(tzinfo=UTC)
    start, end = bounds(period, instant, zone)
    assert start <= instant < end
    assert bounds(period, end, zone)[0] == end
    assert bounds(period, start - timedelta(microseconds=1), zone)[1] == start
