"""What the same tokens would have cost elsewhere, and what prompt caching gained or lost. Pure: sums and prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from ops_center.catalog.pricing import price_usage
from ops_center.control.usage.sums import Sums
from ops_center.snapshot import Target
from ops_center.types import Price, Usage

_MILLION = Decimal(1_000_000)
_NANO_USD = Decimal("0.000000001")


def usage_of(sums: Sums) -> Usage:
    return Usage(
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        cache_read_tokens=sums.cache_read_tokens,
        cache_write_tokens=sums.cache_write_tokens,
        cache_write_1h_tokens=sums.cache_write_1h_tokens,
        reasoning_tokens=sums.reasoning_tokens,
    )


def cost_at(sums: Sums, price: Price) -> Decimal:
    """The tokens of all these calls at a price. Where it has tiers, at its dearest one for all of them, so that
    it is never less than what the provider would bill."""
    dearest = [
        msgspec.structs.replace(
            price,
            tiers=(),
            input_mtok=tier.input_mtok,
            output_mtok=tier.output_mtok,
            cache_read_mtok=tier.cache_read_mtok,
            cache_write_mtok=tier.cache_write_mtok,
            cache_write_1h_mtok=tier.cache_write_1h_mtok,
        )
        for tier in price.tiers
    ]
    costs = [
        price_usage(usage_of(sums), each) for each in (msgspec.structs.replace(price, tiers=()), *dearest)
    ]
    fees = price.request_usd * max(0, sums.calls - 1)  # the first one is in there
    return max(cost for cost in costs if cost is not None) + fees


@dataclass(frozen=True, slots=True)
class Cheaper:
    target: Target
    cost_usd: Decimal


def cheapest(used: Target, sums: Sums, targets: Iterable[Target]) -> Cheaper | None:
    """The target that would have served these calls for least, among those with a score at least as high that
    can do all that the used one can; None without any. Not the used one itself."""
    if used.score is None:
        return None
    found = [
        Cheaper(other, cost_at(sums, other.price))
        for other in targets
        if other.id != used.id
        and other.chat
        and other.price is not None
        and other.score is not None
        and other.score >= used.score
        and other.capabilities >= used.capabilities - _NO_ABILITIES
        and (other.context_window or 0) >= (used.context_window or 0)
        and (other.max_output_tokens or 0) >= (used.max_output_tokens or 0)
    ]
    return min(found, key=lambda one: (one.cost_usd, one.target.id), default=None)


_NO_ABILITIES = frozenset({"prompt_caching"})  # a matter of price, which is reckoned


def caching_gain(sums: Sums, price: Price) -> Decimal | None:
    """What writing and reading the prompt cache saved against sending all of it as ordinary input; below zero: what
    it lost. None where the price depends on the size of a request, of which sums know nothing."""
    if price.tiers:
        return None
    read = price.input_mtok if price.cache_read_mtok is None else price.cache_read_mtok
    write = price.input_mtok if price.cache_write_mtok is None else price.cache_write_mtok
    hour = write if price.cache_write_1h_mtok is None else price.cache_write_1h_mtok
    hours = min(sums.cache_write_1h_tokens, sums.cache_write_tokens)
    gain = (
        sums.cache_read_tokens * (price.input_mtok - read)
        - (sums.cache_write_tokens - hours) * (write - price.input_mtok)
        - hours * (hour - price.input_mtok)
    )
    return (gain / _MILLION).quantize(_NANO_USD)


def caching_would_gain(read_tokens: int, write_tokens: int, price: Price) -> Decimal:
    """What tokens of ordinary input would have cost less by, had some been written to the cache and the others read
    from it. At the price of short requests, where it has tiers: the least there is to gain."""
    read = price.input_mtok if price.cache_read_mtok is None else price.cache_read_mtok
    write = price.input_mtok if price.cache_write_mtok is None else price.cache_write_mtok
    gain = read_tokens * (price.input_mtok - read) - write_tokens * (write - price.input_mtok)
    return (gain / _MILLION).quantize(_NANO_USD)


def break_even(price: Price) -> Decimal | None:
    """How much of what passes through the cache must be reads, 0 to 1, for it to pay; None where writing is not
    dearer, or reading not cheaper, than ordinary input."""
    if price.cache_read_mtok is None or price.cache_write_mtok is None:
        return None
    loses, gains = price.cache_write_mtok - price.input_mtok, price.input_mtok - price.cache_read_mtok
    return loses / (loses + gains) if loses > 0 and gains > 0 else None
