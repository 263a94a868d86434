"""Prices one call: usage × price → USD. The one function in the product that turns tokens into money.

Pure arithmetic in `Decimal`; it looks nothing up, and says None where there is no price.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from ops_center.types import Extras, Price, PriceTier, Usage

_PER_MILLION = Decimal("0.000001")
_NANO_USD = Decimal("0.000000001")


def price_usage(usage: Usage, price: Price | None) -> Decimal | None:
    """What `usage` costs at `price`, in USD rounded once to nine decimals; None without a price, and for sound alone
    without one of its minutes.

    Input includes cached tokens, output includes reasoning ones. A tier applies to the whole request once
    its input is larger than the tier's bound. What has no price of its own is billed as what it is part of:
    cached reads and writes as input, one-hour writes as writes, reasoning and audio as what they are part of;
    `missing_rate` says when that is a guess.
    """
    if price is None:
        return None
    extras = usage.extras
    if extras is not None and _unpriced_sound(usage, extras, price):
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
    if extras is not None:
        total += sum(tokens * (mtok - rate) for _, tokens, mtok, rate in _apart(usage, extras, price, rates))
        total *= price.service_tiers.get(extras.service_tier or "", 1)
        total += sum(usd for _, _, usd in _fees(extras, price)) * 1_000_000
    total *= _PER_MILLION
    if price.request_usd:
        total += price.request_usd
    return total.quantize(_NANO_USD, ROUND_HALF_EVEN)


def _apart(
    usage: Usage, extras: Extras, price: Price, rates: Price | PriceTier
) -> list[tuple[str, int, Decimal, Decimal]]:
    """Tokens with a rate of their own that are part of the plain input or of the output: what they are, how many,
    their rate, and the one they are counted at already."""
    plain = max(0, usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens)
    audio = min(extras.input_audio_tokens, plain)
    parts = [
        ("input_audio", audio, price.input_audio_mtok, rates.input_mtok),
        (
            "input_image",
            min(extras.input_image_tokens, plain - audio),
            price.input_image_mtok,
            rates.input_mtok,
        ),
        (
            "output_audio",
            min(extras.output_audio_tokens, max(0, usage.output_tokens - usage.reasoning_tokens)),
            price.output_audio_mtok,
            rates.output_mtok,
        ),
    ]
    return [(what, tokens, mtok, rate) for what, tokens, mtok, rate in parts if tokens and mtok is not None]


def _unpriced_sound(usage: Usage, extras: Extras, price: Price) -> bool:
    """Whether nothing was counted but seconds of sound, and the price says nothing about those."""
    counted = usage.input_tokens or usage.output_tokens or price.request_usd
    return bool(extras.input_audio_seconds) and not counted and price.input_audio_minute_usd is None


def _fees(extras: Extras, price: Price) -> list[tuple[str, int, Decimal]]:
    """What is billed beside the tokens, in USD: what it is, how much of it, and what that costs."""
    fees = []
    if extras.input_audio_seconds and price.input_audio_minute_usd is not None:
        seconds = extras.input_audio_seconds
        fees.append(("input_audio_seconds", seconds, seconds * price.input_audio_minute_usd / 60))
    if extras.web_searches and price.web_search_usd is not None:
        searches = 1 if price.web_search_once else extras.web_searches
        fees.append(("web_search", searches, searches * price.web_search_usd))
    for tool, calls in extras.tool_calls.items():
        if tool in price.tool_call_usd:
            fees.append((tool, calls, calls * price.tool_call_usd[tool]))
    return fees


def price_units(units: int, price: Price | None) -> Decimal | None:
    """What a call costs that counts no tokens: its price per request, or per picture. A price for tokens or for
    minutes of sound says nothing about it; one that is zero everywhere says it is free."""
    if price is None:
        return None
    if not price.request_usd and (price.input_mtok or price.output_mtok or price.input_audio_minute_usd):
        return None
    return (price.request_usd * units).quantize(_NANO_USD, ROUND_HALF_EVEN)


def missing_rate(usage: Usage, price: Price) -> str | None:
    """Why a cost at this price is a guess: what was used has a rate that the price does not name."""
    extras = usage.extras
    if extras is None:
        return None
    if extras.service_tier is not None and extras.service_tier not in price.service_tiers:
        return f"it was served at the tier “{extras.service_tier}”, whose price is not known; reckoned at the usual one"
    if (extras.input_audio_tokens and price.input_audio_mtok is None) or (
        extras.output_audio_tokens and price.output_audio_mtok is None
    ):
        return "the price of sound is not known; its tokens are reckoned as text"
    if extras.input_audio_seconds and price.input_audio_minute_usd is None:
        return "the price of a minute of sound is not known; it is not part of it"
    if extras.web_searches and price.web_search_usd is None:
        return "the price of web searches is not known; they are not part of it"
    for tool in extras.tool_calls:
        if tool not in price.tool_call_usd:
            return f"what the provider bills for its tool “{tool}” is not known; it is not part of it"
    return DOUBTS.get(price.web_search_doubt or "") if extras.web_searches else None


# why the fee for web searches is a guess although it is known
DOUBTS = {
    "free_first": "the provider leaves the first searches of each day or month free; these are reckoned as billed",
    "content_tokens": "the provider bills 8,000 tokens of input for each search; whether its figures hold them is "
    "not known, and they are not added",
}


# what a record of unknown cost says for its reason, where its usage itself is no guess
NO_PRICE = "this model has no price"
NO_REQUEST_PRICE = "the provider counted no tokens, and there is no price per request"


class PriceLine(NamedTuple):
    """A part of a cost. `usd_mtok` is None for what is not counted in tokens; `tokens` then counts that."""

    what: str  # input, cache_read, cache_write, cache_write_1h, output, reasoning, request, ...
    tokens: int
    usd_mtok: Decimal | None
    usd: Decimal


def price_lines(usage: Usage, price: Price) -> list[PriceLine]:
    """What `price_usage` adds up, line by line, unrounded; for people, not on the way of a request."""
    rates: Price | PriceTier = price
    for tier in price.tiers:
        if usage.input_tokens > tier.above_input_tokens:
            rates = tier
    extras = usage.extras or _NO_EXTRAS
    read, write = usage.cache_read_tokens, usage.cache_write_tokens
    hour = min(usage.cache_write_1h_tokens, write)
    reasoning = 0 if price.reasoning_mtok is None else min(usage.reasoning_tokens, usage.output_tokens)
    write_mtok = _or(rates.cache_write_mtok, rates.input_mtok)
    apart = _apart(usage, extras, price, rates)
    input_apart = sum(tokens for what, tokens, _, _ in apart if what != "output_audio")
    output_apart = sum(tokens for what, tokens, _, _ in apart if what == "output_audio")
    share = price.service_tiers.get(extras.service_tier or "", Decimal(1))
    parts = [
        ("input", max(0, usage.input_tokens - read - write) - input_apart, rates.input_mtok),
        *((what, tokens, mtok) for what, tokens, mtok, _ in apart if what != "output_audio"),
        ("cache_read", read, _or(rates.cache_read_mtok, rates.input_mtok)),
        ("cache_write", write - hour, write_mtok),
        ("cache_write_1h", hour, _or(rates.cache_write_1h_mtok, write_mtok)),
        ("output", usage.output_tokens - reasoning - output_apart, rates.output_mtok),
        *((what, tokens, mtok) for what, tokens, mtok, _ in apart if what == "output_audio"),
        ("reasoning", reasoning, _or(price.reasoning_mtok, rates.output_mtok)),
    ]
    lines = [
        PriceLine(what, tokens, mtok * share, tokens * mtok * share * _PER_MILLION)
        for what, tokens, mtok in parts
        if tokens
    ]
    lines += [PriceLine(what, count, None, usd) for what, count, usd in _fees(extras, price)]
    if price.request_usd:
        lines.append(PriceLine("request", 0, None, price.request_usd))
    return lines


_NO_EXTRAS = Extras()


def _or(mtok: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if mtok is None else mtok
