from __future__ import annotations

from decimal import Decimal

import pytest

from ops_center.errors import BudgetExceeded, RateLimited
from ops_center.limits import MemoryLimiter
from ops_center.snapshot import Principal


def principal(**given: object) -> Principal:
    return Principal(api_key_id="key_1", api_key_name="k", user_id="usr_1", user_email="a@b.c", **given)  # type: ignore[arg-type]


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_requests_per_minute_slide_and_say_when_to_come_back() -> None:
    seconds = Seconds()
    limiter = MemoryLimiter(monotonic=seconds)
    who = principal(requests_per_minute=2)
    limiter.reserve(who, Decimal(0))
    seconds.now += 20
    limiter.reserve(who, Decimal(0))
    with pytest.raises(RateLimited) as caught:
        limiter.reserve(who, Decimal(0))
    assert caught.value.retry_after_seconds == pytest.approx(40)
    seconds.now += 40.001
    limiter.reserve(who, Decimal(0))


def test_fifty_at_once_cannot_spend_two_budgets() -> None:
    limiter = MemoryLimiter()
    who = principal(budget_usd=Decimal("0.01"))
    held = []
    for _ in range(50):
        try:
            held.append(limiter.reserve(who, Decimal("0.003")))
        except BudgetExceeded:
            continue
    assert len(held) == 3
    for reservation in held:
        reservation.settle(Decimal("0.001"))
        reservation.settle(Decimal("0.001"))  # only the first counts
    assert len([limiter.reserve(who, Decimal("0.003")) for _ in range(2)]) == 2
    with pytest.raises(BudgetExceeded):
        limiter.reserve(who, Decimal("0.003"))


def test_what_was_spent_before_the_start_counts_and_a_new_month_begins_at_nothing(clock) -> None:  # type: ignore[no-untyped-def]
    limiter = MemoryLimiter(clock=clock)
    limiter.seed({"key_1": Decimal("1.00")})
    who = principal(budget_usd=Decimal("1.00"))
    with pytest.raises(BudgetExceeded):
        limiter.reserve(who, Decimal(0))
    clock.advance(10 * 86400)
    limiter.reserve(who, Decimal("0.5")).settle(None)


def test_a_failed_request_gives_its_reservation_back() -> None:
    limiter = MemoryLimiter()
    who = principal(budget_usd=Decimal("0.01"))
    for _ in range(100):
        limiter.reserve(who, Decimal("0.01")).settle(Decimal(0))
