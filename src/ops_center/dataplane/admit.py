"""Admit: one atomic reservation in every limit of the caller, made before the call and settled after it.

Estimates what the request may cost and use; what is taken and refused is the limiter's business, and so is
whose turn it is where requests wait instead of being refused. A caller without any limit passes here at the
price of two look-ups.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from ops_center.dataplane.authenticate import authenticate
from ops_center.dataplane.call import Call, Headers, line
from ops_center.errors import BudgetExceeded, RateLimited
from ops_center.limits.demand import NOTHING_HELD, Demand, OutputLengths, Pace, ProviderDemand, Reservation
from ops_center.own_keys import resolve
from ops_center.route_request import RouteRequest
from ops_center.routing import Choice, Plan
from ops_center.snapshot import Principal
from ops_center.types import CredentialSource

if TYPE_CHECKING:
    from ops_center.dataplane.pipeline import Plane

_A_MOMENT = 0.001  # seconds

Admitted = tuple[Plan, Reservation]


def admit(
    call: Call, principal: Principal, route: RouteRequest, plan: Plan, plane: Plane
) -> Admitted | Awaitable[Admitted]:
    """The plan without providers whose budget is used up, and the place held for it; to be awaited only
    where the limiter asks another process, or where a request waits for its turn. Raises a LimitError
    before anything is sent.
    """
    if not principal.rates and not principal.budgets and not _has_provider_budget(plan):
        return plan, NOTHING_HELD
    limiter = plane.limiter
    demand = _demand(route, plan, limiter.lengths)
    if principal.queueing is not None and limiter.queue.stands_before(principal):
        return _queue(call, principal, route, plan, plane, demand, None)
    try:
        reservation = limiter.reserve(principal, demand)
    except RateLimited as error:
        if principal.queueing is not None:
            return _queue(call, principal, route, plan, plane, demand, error)
        _note_pace(call, error.pace)
        raise
    except BudgetExceeded as refusal:
        return admit(call, principal, route, _own_keys_alone(plan, refusal), plane)
    if isinstance(reservation, Reservation):
        return _admitted(call, plan, reservation)
    return _wait(call, principal, route, plan, plane, demand, reservation)


async def _wait(
    call: Call,
    principal: Principal,
    route: RouteRequest,
    plan: Plan,
    plane: Plane,
    demand: Demand,
    reserving: Awaitable[Reservation],
) -> Admitted:
    try:
        return _admitted(call, plan, await reserving)
    except RateLimited as error:
        if principal.queueing is not None:
            return await _queue(call, principal, route, plan, plane, demand, error)
        _note_pace(call, error.pace)
        raise
    except BudgetExceeded as refusal:
        admitted = admit(call, principal, route, _own_keys_alone(plan, refusal), plane)
        return admitted if isinstance(admitted, tuple) else await admitted


async def _queue(
    call: Call,
    principal: Principal,
    route: RouteRequest,
    plan: Plan,
    plane: Plane,
    demand: Demand,
    refusal: RateLimited | None,
) -> Admitted:
    """Wait for a place, then go by what holds now: the key may be revoked, a provider gone or down."""
    joined = time.perf_counter()
    try:
        reservation = await plane.limiter.queue.wait(principal, demand, refusal, call.deadline)
    except RateLimited as error:
        call.queue_seconds = _waited(call, joined)
        _note_pace(call, error.pace)
        raise
    except BudgetExceeded as spent:
        call.queue_seconds = _waited(call, joined)
        admitted = admit(call, principal, route, _own_keys_alone(plan, spent), plane)
        return admitted if isinstance(admitted, tuple) else await admitted
    call.queue_seconds = _waited(call, joined)
    try:
        snapshot = plane.snapshots.current
        plan = resolve(snapshot, authenticate(call, snapshot), route, plane.health)
    except BaseException:
        reservation.settle(None)
        raise
    return _admitted(call, plan, reservation)


def _waited(call: Call, since: float) -> float | None:
    """With what it waited before; refused at the door of the queue is not waiting."""
    waited = time.perf_counter() - since
    return call.queue_seconds if waited < _A_MOMENT else (call.queue_seconds or 0.0) + waited


def _own_keys_alone(plan: Plan, refusal: BudgetExceeded) -> Plan:
    """What the user's own keys serve costs the platform nothing. Raises `refusal` where they serve nothing."""
    own = tuple(choice for choice in plan.choices if not _on_the_platform(choice))
    if not own or len(own) == len(plan.choices):
        raise refusal
    gone = tuple(_spent(c, refusal.message) for c in plan.choices if _on_the_platform(c))
    return msgspec.structs.replace(plan, choices=own, excluded=plan.excluded + gone)


def _admitted(call: Call, plan: Plan, reservation: Reservation) -> Admitted:
    _note_pace(call, reservation.pace)
    return (_without_spent(plan, reservation) if reservation.spent_providers else plan), reservation


def _note_pace(call: Call, pace: Pace | None) -> None:
    if pace is not None:
        call.limit_headers = _headers(call, pace)
    if call.queue_seconds is not None:
        waited = b"%.3f" % call.queue_seconds
        call.limit_headers = [*call.limit_headers, line(b"x-ops-queue-seconds", waited)]


def _has_provider_budget(plan: Plan) -> bool:
    for choice in plan.choices:  # noqa: SIM110 a generator would cost more than the look
        if choice.target.provider.budgets:
            return True
    return False


def _without_spent(plan: Plan, reservation: Reservation) -> Plan:
    spent = reservation.spent_providers
    gone = tuple(c for c in plan.choices if _on_the_platform(c) and c.target.provider.id in spent)
    left = tuple(c for c in plan.choices if c not in gone)
    if not left:
        reservation.settle(None)
        names = ", ".join(sorted({c.target.provider.name for c in plan.choices}))
        raise BudgetExceeded(f"The budget of every provider of this model is used up: {names}.")
    excluded = tuple(_spent(c, "the budget of its provider is used up") for c in gone)
    return msgspec.structs.replace(plan, choices=left, excluded=plan.excluded + excluded)


def _spent(choice: Choice, reason: str) -> Choice:
    return msgspec.structs.replace(choice, reason=reason, momentary=True)


def _on_the_platform(choice: Choice) -> bool:
    return choice.target.provider.credential_source is CredentialSource.PLATFORM


def _demand(route: RouteRequest, plan: Plan, lengths: OutputLengths) -> Demand:
    """Input by its size, output by what the caller allows, else by what the model did of late."""
    input_tokens, bound = route.input_tokens, route.max_output_tokens
    expected = most = 0
    longest = 0
    spends = not plan.choices
    of_provider: dict[str, ProviderDemand] = {}
    for choice in plan.choices:
        target = choice.target
        likely_out, most_out = lengths.guess(target)
        if bound is not None:
            longest = max(longest, min(bound, likely_out))
            likely_out = most_out = bound
        else:
            longest = max(longest, likely_out)
        if not _on_the_platform(choice):
            continue  # on the user's own key: the platform pays nothing
        spends = True
        price = target.estimate
        if price is None:
            likely_cost = most_cost = 0
        else:
            likely_cost = most_cost = price.nano_usd(input_tokens, likely_out)
            if most_out != likely_out:
                most_cost = price.nano_usd(input_tokens, most_out)
        expected, most = max(expected, likely_cost), max(most, most_cost)
        if target.provider.budgets:
            known = of_provider.get(target.provider.id)
            if known is not None:
                likely_cost = max(likely_cost, known.expected_nano_usd)
                most_cost = max(most_cost, known.most_nano_usd)
            of_provider[target.provider.id] = ProviderDemand(
                target.provider.id, target.provider.budgets, likely_cost, most_cost
            )
    return Demand(
        tokens=input_tokens + longest,
        expected_nano_usd=expected,
        most_nano_usd=most,
        providers=tuple(of_provider.values()),
        spends=spends,
    )


def _headers(call: Call, pace: Pace) -> Headers:
    """The headers by which the caller's client knows its limits."""
    return _anthropic_headers(pace) if call.client_format == "anthropic_messages" else _openai_headers(pace)


def _openai_headers(pace: Pace) -> Headers:
    """https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers (2026-11)"""
    headers: Headers = []
    if pace.requests_limit is not None:
        headers.append(
            b"x-ratelimit-limit-requests: %d\r\n"
            b"x-ratelimit-remaining-requests: %d\r\n"
            b"x-ratelimit-reset-requests: %b\r\n"
            % (pace.requests_limit, pace.requests_left, _duration(pace.requests_reset_seconds))
        )
    if pace.tokens_limit is not None:
        headers.append(
            b"x-ratelimit-limit-tokens: %d\r\n"
            b"x-ratelimit-remaining-tokens: %d\r\n"
            b"x-ratelimit-reset-tokens: %b\r\n"
            % (pace.tokens_limit, pace.tokens_left, _duration(pace.tokens_reset_seconds))
        )
    return headers


def _anthropic_headers(pace: Pace) -> Headers:
    """https://platform.claude.com/docs/en/api/rate-limits#response-headers (2026-11)"""
    headers: Headers = []
    now = datetime.now(UTC)
    if pace.requests_limit is not None:
        headers += [
            b"anthropic-ratelimit-requests-limit: %d\r\n" % pace.requests_limit,
            b"anthropic-ratelimit-requests-remaining: %d\r\n" % pace.requests_left,
            line(b"anthropic-ratelimit-requests-reset", _instant(now, pace.requests_reset_seconds)),
        ]
    if pace.tokens_limit is not None:
        headers += [
            b"anthropic-ratelimit-tokens-limit: %d\r\n" % pace.tokens_limit,
            b"anthropic-ratelimit-tokens-remaining: %d\r\n" % pace.tokens_left,
            line(b"anthropic-ratelimit-tokens-reset", _instant(now, pace.tokens_reset_seconds)),
        ]
    return headers


def _duration(seconds: float) -> bytes:
    """As OpenAI writes it: 120ms, 3.5s."""
    milliseconds = int(seconds * 1000 + 0.5) if seconds > 0 else 0
    return b"%dms" % milliseconds if milliseconds < 1000 else b"%gs" % (milliseconds / 1000)


def _instant(now: datetime, seconds: float) -> bytes:
    at = now + timedelta(seconds=max(0.0, seconds), microseconds=999_999)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
