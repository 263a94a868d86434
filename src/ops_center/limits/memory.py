"""Limits of one process, in memory: requests and tokens per minute, requests at once, budgets.

`reserve` takes a place in every limit that applies in one step (nothing is awaited between look and take,
so concurrent requests cannot slip through together); `settle` puts what it came to in its place. Money is
whole nano-dollars here. It writes nothing down: what was spent before the start comes from the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from ops_center.errors import BudgetExceeded, RateLimited
from ops_center.limits.demand import NO_USAGE, Demand, OutputLengths, Pace, Reservation
from ops_center.limits.periods import bounds
from ops_center.limits.queue import FairQueue
from ops_center.snapshot import Budget, Principal, Rate, Snapshot, Target
from ops_center.types import Usage

_WINDOW_SECONDS = 60.0
_NANO = Decimal(1_000_000_000)
_WAIT_FOR_A_PLACE_SECONDS = 1.0  # when somebody's answer will end is not known


class Spending:
    """What one budget has spent and holds in its current period."""

    __slots__ = ("ends", "reserved", "spent")

    def __init__(self, ends: float) -> None:
        self.spent = 0
        self.reserved = 0
        self.ends = ends  # Unix seconds


class _Pace:
    """What one subject did in the last minute, and has under way."""

    __slots__ = ("place", "running", "starts", "token_sum", "tokens")

    def __init__(self) -> None:
        self.starts: deque[float] = deque()
        self.tokens: deque[list[float]] = deque()  # [when, how many]; when < 0: left the window
        self.token_sum = 0.0
        self.running = 0
        self.place: asyncio.Event | None = None  # set for whoever waits that something came free

    def sweep(self, now: float) -> None:
        """Forget what left the window."""
        gone = now - _WINDOW_SECONDS
        starts, tokens = self.starts, self.tokens
        while starts and starts[0] <= gone:
            starts.popleft()
        while tokens and tokens[0][0] <= gone:
            left = tokens.popleft()
            self.token_sum -= left[1]
            left[0] = -1.0


class MemoryLimiter:
    """`clock` tells the period, `monotonic` the minute; both are seams for tests."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._paces: dict[str, _Pace] = {}
        self._spendings: dict[str, Spending] = {}
        self.lengths = OutputLengths()
        self.queue = FairQueue(self)

    def reserve(self, principal: Principal, demand: Demand, *, again: bool = False) -> Held:
        """Raises BudgetExceeded, or RateLimited with the seconds to wait; then nothing has been taken.

        A provider without enough left in its budget does not fail the request while the plan has another:
        it stands in the reservation's `spent_providers`. `again`: a former limiter has granted it, so it
        is taken and not looked at.
        """
        budgets = principal.budgets
        held: list[tuple[Spending, int, str]] = []
        spent_providers: set[str] = set()
        if demand.spends and (budgets or demand.providers):
            at = self._clock()
            now_seconds = at.timestamp()
            for budget in budgets:
                spending = self._spending(budget, at, now_seconds)
                if not again and not _fits(spending, budget, demand.expected_nano_usd, demand.most_nano_usd):
                    raise budget_exceeded(budget, spending.spent, spending.reserved, demand.most_nano_usd)
                held.append((spending, demand.most_nano_usd, ""))
            for one in demand.providers:
                holds: list[tuple[Spending, int, str]] = []
                for budget in one.budgets:
                    spending = self._spending(budget, at, now_seconds)
                    if not again and not _fits(spending, budget, one.expected_nano_usd, one.most_nano_usd):
                        spent_providers.add(one.provider_id)
                        break
                    holds.append((spending, one.most_nano_usd, one.provider_id))
                else:
                    held += holds
        rates = principal.rates
        if not rates:
            for spending, amount, _ in held:
                spending.reserved += amount
            return Held(self.lengths, held, (), (), None, frozenset(spent_providers), None)
        now = self._monotonic()
        paces = [self._pace(rate.counter) for rate in rates]
        for rate, pace in zip(rates, paces, strict=True):
            refusal = None if again else _refusal(rate, pace, now, demand.tokens)
            if refusal is not None:
                refusal.pace = _facts(rates, paces, now)
                raise refusal
        tokens = [now, float(demand.tokens)]
        metered: list[_Pace] = []
        for rate, pace in zip(rates, paces, strict=True):
            pace.running += 1
            if rate.requests_per_minute is not None:
                pace.starts.append(now)
            if rate.tokens_per_minute is not None:
                pace.tokens.append(tokens)
                pace.token_sum += tokens[1]
                metered.append(pace)
        for spending, amount, _ in held:
            spending.reserved += amount
        return Held(
            self.lengths, held, paces, metered, tokens, frozenset(spent_providers), _facts(rates, paces, now)
        )

    def has_plenty(self, principal: Principal, demand: Demand, held: Held) -> bool:
        """Whether every limit that `held` is in has half of itself left, and none counts requests at once:
        then nobody is refused for its sake if it is settled a moment late."""
        if demand.providers or any(rate.concurrent_requests is not None for rate in principal.rates):
            return False
        for budget in principal.budgets:
            spending = self._spendings.get(budget.counter)
            if spending is None or 2 * (spending.spent + spending.reserved) > budget.amount_nano_usd:
                return False
        pace = held.pace
        return pace is None or (
            2 * pace.requests_left >= (pace.requests_limit or 0)
            and 2 * pace.tokens_left >= (pace.tokens_limit or 0)
        )

    def take_turn(
        self, principal: Principal, demand: Demand, counter: str, waiting: Mapping[str, int]
    ) -> Reservation:
        """As `reserve`: in one process the queue knows whose turn it is."""
        return self.reserve(principal, demand)

    async def knows(self, budget: Budget) -> bool:
        """Whether the spending of its current period has been counted here since its start or its seeding."""
        spending = self._spendings.get(budget.counter)
        return spending is not None and spending.ends > self._clock().timestamp()

    async def spent(self, budget: Budget) -> int:
        """Nano-dollars settled in the current period, without what requests under way hold."""
        at = self._clock()
        return self._spending(budget, at, at.timestamp()).spent

    async def add_spent(self, budget: Budget, nano_usd: int) -> None:
        """Correct what counts as spent: from the ledger, when a budget is new here or counts differ."""
        at = self._clock()
        self._spending(budget, at, at.timestamp()).spent += nano_usd

    def set_spent(self, budget: Budget, nano_usd: int) -> None:
        """What somebody who knows better counts as spent."""
        at = self._clock()
        self._spending(budget, at, at.timestamp()).spent = nano_usd

    def on_free(self, counter: str, place: asyncio.Event | None) -> None:
        """Set `place` whenever a request under this counter is settled; None: no longer."""
        self._pace(counter).place = place

    def keep_only(self, snapshot: Snapshot) -> None:
        """Forget the counters of limits that are no more. What holds a place keeps its counter."""
        self.queue.renew(snapshot)
        rates = {rate.counter for who in snapshot.principals.values() for rate in who.rates}
        for counter in self._spendings.keys() - {budget.counter for budget in snapshot.budgets}:
            del self._spendings[counter]
        idle = [c for c, pace in self._paces.items() if not pace.running and pace.place is None]
        for counter in [c for c in idle if c not in rates]:
            del self._paces[counter]

    def _pace(self, counter: str) -> _Pace:
        pace = self._paces.get(counter)
        if pace is None:
            pace = self._paces[counter] = _Pace()
        return pace

    def _spending(self, budget: Budget, at: datetime, now_seconds: float) -> Spending:
        spending = self._spendings.get(budget.counter)
        if spending is None or spending.ends <= now_seconds:
            # A new period has a new counter; requests of the former one settle into theirs, as in the ledger,
            # where a request belongs to the period in which it began.
            end = bounds(budget.period, at, budget.time_zone)[1]
            spending = self._spendings[budget.counter] = Spending(end.timestamp())
        return spending


class Held(Reservation):
    __slots__ = ("_held", "_lengths", "_metered", "_paces", "_settled", "_tokens")

    def __init__(
        self,
        lengths: OutputLengths,
        held: Sequence[tuple[Spending, int, str]],
        paces: Sequence[_Pace],
        metered: Sequence[_Pace],
        tokens: list[float] | None,
        spent_providers: frozenset[str],
        pace: Pace | None,
    ) -> None:
        self._lengths = lengths
        self._held = held
        self._paces = paces
        self._metered = metered  # of `paces`, those that count tokens
        self._tokens = tokens  # this request's entry in their windows
        self._settled = False
        self.spent_providers = spent_providers
        self.pace = pace

    def settle(self, cost_usd: Decimal | None, usage: Usage = NO_USAGE, target: Target | None = None) -> None:
        if target is not None and usage.output_tokens and not self._settled:
            self._lengths.observe(target, usage.output_tokens)
        self.settle_nano(
            int(cost_usd * _NANO) if cost_usd else 0,
            usage.input_tokens + usage.output_tokens,
            target.provider.id if target is not None else "",
        )

    def settle_nano(self, cost: int, tokens: int, served_by: str) -> None:
        """The same in whole numbers: nano-dollars, tokens, and the id of the provider that answered."""
        if self._settled:
            return
        self._settled = True
        for spending, amount, provider in self._held:
            spending.reserved -= amount
            if not provider or provider == served_by:
                spending.spent += cost
        for pace in self._paces:
            pace.running -= 1
            if pace.place is not None:
                pace.place.set()
        entry = self._tokens
        if entry is not None and entry[0] >= 0:
            for pace in self._metered:
                pace.token_sum += tokens - entry[1]
            entry[1] = float(tokens)


def _fits(spending: Spending, budget: Budget, expected: int, most: int) -> bool:
    """Whether a request may go: with all it may cost, or alone with what it is likely to cost.

    The second way in keeps a small budget of use where the caller sets no bound to the answer. Whoever took
    it holds the whole rest, so that nobody joins before it is settled.
    """
    left = budget.amount_nano_usd - spending.spent - spending.reserved
    if left <= 0:
        return False
    return most <= left or (not spending.reserved and expected <= left)


def _refusal(rate: Rate, pace: _Pace, now: float, tokens: int) -> RateLimited | None:
    pace.sweep(now)
    if rate.concurrent_requests is not None and pace.running >= rate.concurrent_requests:
        return rate_limited(rate, "running", tokens, _WAIT_FOR_A_PLACE_SECONDS)
    per_minute = rate.requests_per_minute
    if per_minute is not None and len(pace.starts) >= per_minute:
        # When the oldest of those that count leaves the window, one place is free again.
        starts = pace.starts
        free_in = starts[len(starts) - per_minute] + _WINDOW_SECONDS - now if per_minute else _WINDOW_SECONDS
        return rate_limited(rate, "requests", tokens, max(free_in, 0.001))
    per_minute = rate.tokens_per_minute
    if per_minute is not None and pace.token_sum + tokens > per_minute:
        return rate_limited(rate, "tokens", tokens, _until_free(pace, per_minute - tokens, now))
    return None


def rate_limited(
    rate: Rate, why: Literal["running", "requests", "tokens", "turn"], tokens: int, wait_seconds: float
) -> RateLimited:
    """The refusal, in words; `tokens` is what the request was thought to need."""
    sentence = {
        "running": f"{rate.subject} may have {rate.concurrent_requests} requests under way at once.",
        "requests": f"{rate.subject} may send {rate.requests_per_minute} requests per minute.",
        "tokens": f"{rate.subject} may use {rate.tokens_per_minute} tokens per minute;"
        f" this request needs about {tokens}.",
        "turn": f"{rate.subject} has requests that wait for a place already.",
    }[why]
    refusal = RateLimited(sentence, retry_after_seconds=wait_seconds)
    refusal.counter, refusal.exact = rate.counter, why == "requests"
    refusal.hopeless = why == "tokens" and tokens > (rate.tokens_per_minute or 0)
    return refusal


def _until_free(pace: _Pace, room: float, now: float) -> float:
    """Seconds until no more than `room` tokens are in the window; a whole minute where that never happens."""
    left = pace.token_sum
    for when, count in pace.tokens:
        left -= count
        if left <= room:
            return max(when + _WINDOW_SECONDS - now, 0.001)
    return _WINDOW_SECONDS


def _facts(rates: Sequence[Rate], paces: Sequence[_Pace], now: float) -> Pace | None:
    """The tightest of the limits per minute, after this request took its place."""
    requests: tuple[int, int, float] | None = None
    tokens: tuple[int, int, float] | None = None
    for rate, pace in zip(rates, paces, strict=True):
        limit = rate.requests_per_minute
        if limit is not None and (requests is None or limit - len(pace.starts) < requests[0]):
            reset = pace.starts[0] + _WINDOW_SECONDS - now if pace.starts else 0.0
            requests = (limit - len(pace.starts), limit, reset)
        limit = rate.tokens_per_minute
        if limit is not None and (tokens is None or limit - pace.token_sum < tokens[0]):
            reset = pace.tokens[0][0] + _WINDOW_SECONDS - now if pace.tokens else 0.0
            tokens = (int(limit - pace.token_sum), limit, reset)
    return Pace.of(requests, tokens)


def budget_exceeded(budget: Budget, spent: int, reserved: int, most: int) -> BudgetExceeded:
    """The refusal, in the words of the budget's owner; the figures are for the operator's log."""
    amount = Decimal(budget.amount_nano_usd) / _NANO
    under_way = spent < budget.amount_nano_usd and reserved > 0
    return BudgetExceeded(
        f"The budget of {budget.subject} is used up: ${amount:f} per {budget.period.value} ({budget.time_zone})"
        + (", what requests under way may cost included." if under_way else "."),
        detail=f"{budget.counter}: spent ${Decimal(spent) / _NANO:f}, held ${Decimal(reserved) / _NANO:f}, "
        f"this request may cost ${Decimal(most) / _NANO:f}",
    )
