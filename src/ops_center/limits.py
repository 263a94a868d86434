"""Limits of one process, in memory: requests per minute and monthly budget of an API key.

`reserve` takes a place in every limit that applies in one step (nothing is awaited between look and take,
so concurrent requests cannot slip through together); `settle` puts the true cost in the estimate's place.
Months are calendar months in UTC.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from ops_center.errors import BudgetExceeded, RateLimited
from ops_center.snapshot import Principal

_WINDOW_SECONDS = 60.0
_NOTHING = Decimal(0)


class MemoryLimiter:
    """`clock` tells the month, `monotonic` the minute; both are seams for tests."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._starts: dict[str, deque[float]] = {}
        self._spent: dict[str, Decimal] = {}
        self._reserved: dict[str, Decimal] = {}
        self._month = self._this_month()

    def seed(self, spent_usd: Mapping[str, Decimal]) -> None:
        """What each API key has spent this month already, from the ledger, at the start."""
        for api_key_id, cost in spent_usd.items():
            self._spent[api_key_id] = self._spent.get(api_key_id, _NOTHING) + cost

    def reserve(self, principal: Principal, estimated_cost_usd: Decimal) -> KeyReservation:
        """Raises RateLimited with the seconds to wait, or BudgetExceeded; then nothing has been taken."""
        key = principal.api_key_id
        if principal.budget_usd is not None:
            self._turn_of_month()
            taken = self._spent.get(key, _NOTHING) + self._reserved.get(key, _NOTHING)
            if taken >= principal.budget_usd or taken + estimated_cost_usd > principal.budget_usd:
                raise BudgetExceeded(
                    f"The budget of this API key is used up: ${principal.budget_usd:f} per calendar month (UTC).",
                    detail=f"spent ${self._spent.get(key, _NOTHING):f}, this request needs ${estimated_cost_usd:f}",
                )
        if principal.requests_per_minute is not None:
            self._take_a_start(key, principal.requests_per_minute)
        if principal.budget_usd is None:
            return _UNLIMITED
        self._reserved[key] = self._reserved.get(key, _NOTHING) + estimated_cost_usd
        return KeyReservation(self, key, estimated_cost_usd)

    def _take_a_start(self, key: str, per_minute: int) -> None:
        now = self._monotonic()
        starts = self._starts.setdefault(key, deque())
        while starts and starts[0] <= now - _WINDOW_SECONDS:
            starts.popleft()
        if len(starts) >= per_minute:
            # When the oldest of those that count leaves the window, one place is free again.
            free_in = (
                (starts[len(starts) - per_minute] + _WINDOW_SECONDS - now) if per_minute else _WINDOW_SECONDS
            )
            raise RateLimited(
                f"This API key may send {per_minute} requests per minute.",
                retry_after_seconds=max(free_in, 0.001),
            )
        starts.append(now)

    def _release(self, key: str, estimated_cost_usd: Decimal, cost_usd: Decimal | None) -> None:
        left = self._reserved[key] - estimated_cost_usd
        if left > 0:
            self._reserved[key] = left
        else:
            del self._reserved[key]
        if cost_usd:
            self._turn_of_month()
            self._spent[key] = self._spent.get(key, _NOTHING) + cost_usd

    def _turn_of_month(self) -> None:
        month = self._this_month()
        if month != self._month:
            self._month = month
            self._spent.clear()

    def _this_month(self) -> tuple[int, int]:
        now = self._clock().astimezone(UTC)
        return now.year, now.month


class KeyReservation:
    """A place held in the budget of one API key; only the first `settle` counts."""

    __slots__ = ("_estimated_cost_usd", "_key", "_limiter")

    def __init__(self, limiter: MemoryLimiter | None, key: str, estimated_cost_usd: Decimal) -> None:
        self._limiter = limiter
        self._key = key
        self._estimated_cost_usd = estimated_cost_usd

    def settle(self, cost_usd: Decimal | None) -> None:
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter._release(self._key, self._estimated_cost_usd, cost_usd)


_UNLIMITED = KeyReservation(None, "", _NOTHING)
