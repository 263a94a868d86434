"""Prices one call: usage × price → USD. The one function in the product that turns tokens into money.

Pure arithmetic in `Decimal`; it looks nothing up, and says None where there is no price.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from ops_center.types import Price, PriceTier, Usage

_PER_MILLION = Decimal("0.000001")
_NANO_USD = Decimal("0.000000001")


def price_usage(usage: Usage, price: Price | None) -> Decimal | None:
    """What `usage` costs at `price`, in USD rounded once to nine decimals; None without a price.

    Input includes cached tokens, output includes reasoning ones. A tier applies to the whole request once
    its input is larger than the tier's bound. What has no price of its own is billed as what it is part of:
    cached reads and writes as input, one-hour writes as writes, reasoning as output.
    """
    if price is None:
        return None
    rates: Price | PriceTier = price
    if price.tiers:
        for tier in price.tiers:
            if usage.input_tokens > tier.above_input_tokens:
                rates = tier
    input_mtok = rates.input_mtok
    output = usage.output_tokens * rates.output_mtok
    cached_read, cached_write = usage.cache_read_tokens, usage.cache_write_tokens
    if not cached_read and not cached_write:
        total = usage.input_tokens * input_mtok + output
    else:
        # A provider that reports more cached tokens than input is wrong about the input, not owed less.
        plain = max(0, usage.input_tokens - cached_read - cached_write)
        read_mtok = rates.cache_read_mtok
        total = plain * input_mtok + cached_read * (input_mtok if read_mtok is None else read_mtok) + output
        if cached_write:
            write_mtok = rates.cache_write_mtok
            if write_mtok is None:
                write_mtok = input_mtok
            hour_mtok = rates.cache_write_1h_mtok
            hour = min(usage.cache_write_1h_tokens, cached_write)
            total += (cached_write - hour) * write_mtok + hour * (
                write_mtok if hour_mtok is None else hour_mtok
            )
    if usage.reasoning_tokens and price.reasoning_mtok is not None:
        # Part of the output already: only the difference to the ordinary rate is added.
        reasoning = min(usage.reasoning_tokens, usage.output_tokens)
        total += reasoning * (price.reasoning_mtok - rates.output_mtok)
    total *= _PER_MILLION
    if price.request_usd:
        total += price.request_usd
    return total.quantize(_NANO_USD, ROUND_HALF_EVEN)


class PriceLine(NamedTuple):
    """A part of a cost. `usd_mtok` is None for what is not counted in tokens."""

    what: str  # input, cache_read, cache_write, cache_write_1h, output, reasoning, request
    tokens: int
    usd_mtok: Decimal | None
    usd: Decimal


def price_lines(usage: Usage, price: Price) -> list[PriceLine]:
    """What `price_usage` adds up, line by line, unrounded; for people, not on the way of a request."""
    rates: Price | PriceTier = price
    for tier in price.tiers:
        if usage.input_tokens > tier.above_input_tokens:
            rates = tier
    read, write = usage.cache_read_tokens, usage.cache_write_tokens
    hour = min(usage.cache_write_1h_tokens, write)
    reasoning = 0 if price.reasoning_mtok is None else min(usage.reasoning_tokens, usage.output_tokens)
    write_mtok = _or(rates.cache_write_mtok, rates.input_mtok)
    parts = [
        ("input", max(0, usage.input_tokens - read - write), rates.input_mtok),
        ("cache_read", read, _or(rates.cache_read_mtok, rates.input_mtok)),
        ("cache_write", write - hour, write_mtok),
        ("cache_write_1h", hour, _or(rates.cache_write_1h_mtok, write_mtok)),
        ("output", usage.output_tokens - reasoning, rates.output_mtok),
        ("reasoning", reasoning, _or(price.reasoning_mtok, rates.output_mtok)),
    ]
    lines = [
        PriceLine(what, tokens, mtok, tokens * mtok * _PER_MILLION) for what, tokens, mtok in parts if tokens
    ]
    if price.request_usd:
        lines.append(PriceLine("request", 0, None, price.request_usd))
    return lines


def _or(mtok: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if mtok is None else mtok
