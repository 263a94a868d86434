"""Admit: one atomic reservation in every limit of the caller, made before the call and settled after it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ops_center.dataplane.call import Call
from ops_center.dataplane.ports import Limiter, Reservation
from ops_center.routing import Plan
from ops_center.snapshot import Principal

_BYTES_PER_TOKEN = 4
_ASSUMED_OUTPUT_TOKENS = 500
_MILLION = Decimal(1_000_000)


def admit(call: Call, principal: Principal, plan: Plan, limiter: Limiter) -> Reservation:
    """Hold the estimated cost of this request. Raises RateLimited or BudgetExceeded before anything is sent."""
    return limiter.reserve(principal, _estimate(call, plan) if principal.budget_usd is not None else _FREE)


_FREE = Decimal(0)


def _estimate(call: Call, plan: Plan) -> Decimal:
    """Input by its size, output by what the caller allows (or an assumption), at the plan's dearest price."""
    head = call.head
    output_tokens = _whole_number(head.max_completion_tokens)
    if output_tokens is None:
        output_tokens = _whole_number(head.max_tokens)
    if output_tokens is None:
        output_tokens = _ASSUMED_OUTPUT_TOKENS
    input_tokens = len(call.body) // _BYTES_PER_TOKEN
    prices = [choice.target.price for choice in plan.choices if choice.target.price is not None]
    return max(
        (
            (input_tokens * p.input_mtok + output_tokens * p.output_mtok) / _MILLION + p.request_usd
            for p in prices
        ),
        default=_FREE,
    )


def _whole_number(raw: msgspec.Raw) -> int | None:
    text = bytes(raw)
    return int(text) if len(text) < 12 and text.isdigit() else None
