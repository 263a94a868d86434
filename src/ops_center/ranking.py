"""The order of all chat models under each strategy, for a request of a given shape. Pure; calls nobody.

Part of `resolve`. Prices, scores and scales are worked out once per snapshot, and an order once per
strategy, input-to-output ratio and measured speeds; a request only walks the head of such an order. It
does not know who may use what, nor who is well: that is `routing.py`'s business.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ops_center.types import Price, Strategy

if TYPE_CHECKING:
    from ops_center.snapshot import Target

_CHEAPEST_MTOK = 0.01  # below a cent per million tokens a price no longer tells models apart
_RATIO_STEPS = 4  # orders are kept per quarter of a doubling of input tokens to output tokens
_HALF_STEP = 2 ** (0.5 / _RATIO_STEPS)
_NOMINAL_TOKENS = 500.0  # the answer that speeds are compared by
_FASTEST_SECONDS, _SLOWEST_SECONDS = 0.5, 60.0  # for such an answer: 1 and 0 on the scale of speed
_UNMEASURED_SPEED = 0.5
_MOST_ORDERS = 256


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """What `balanced` makes of price, speed and quality; each 0 to 1, together 1."""

    price: float = 0.4
    speed: float = 0.2
    quality: float = 0.4


class Speeds(msgspec.Struct, frozen=True, kw_only=True):
    """Measured speeds at one moment. `seconds`: by target id, (to the first chunk, per output token)."""

    version: int = 0
    seconds: Mapping[str, tuple[float, float]] = {}

    def answer_seconds(self, target_id: str, output_tokens: float) -> float | None:
        """How long an answer of so many tokens takes there; None where nothing was measured."""
        measured = self.seconds.get(target_id)
        return None if measured is None else measured[0] + output_tokens * measured[1]


class Ranked(NamedTuple):
    """`value`: what the order goes by, higher is better; None under `cost`. `nominal`: the cost the order
    was made with, USD; infinite without a price."""

    target: Target
    value: float | None
    nominal: float


class Order(NamedTuple):
    """All chat targets, best first. Costs in it are within a factor of `slack` of those of the request."""

    entries: tuple[Ranked, ...]
    slack: float


class _Rates:
    """A price as floats, USD per token, for comparing; never for billing."""

    __slots__ = ("input", "output", "request", "tiers")

    def __init__(self, price: Price) -> None:
        self.input = float(price.input_mtok) / 1e6
        self.output = float(price.output_mtok) / 1e6
        self.request = float(price.request_usd)
        self.tiers = tuple(
            (tier.above_input_tokens, float(tier.input_mtok) / 1e6, float(tier.output_mtok) / 1e6)
            for tier in price.tiers
        )

    def cost(self, input_tokens: float, output_tokens: float, priced_by: float) -> float:
        """`priced_by`: the input tokens that say which tier holds."""
        input_usd, output_usd = self.input, self.output
        for above, tier_input, tier_output in self.tiers:
            if priced_by > above:
                input_usd, output_usd = tier_input, tier_output
        return input_tokens * input_usd + output_tokens * output_usd + self.request


class Rankings:
    """The rankings of one snapshot. Safe to share; what it remembers is bounded."""

    def __init__(self, targets: Iterable[Target], weights: Weights) -> None:
        targets = tuple(targets)
        self._rates = {t.id: _Rates(t.price) for t in targets if t.price is not None}
        self._chat = tuple(t for t in targets if t.chat)
        self._weights = weights
        rates = self._rates.values()
        self._tier_bounds = sorted({above for r in rates for above, _, _ in r.tiers})
        self._any_fee = any(r.request for r in rates)
        self.scores = _scores(self._chat)
        self._orders: dict[tuple[object, ...], Order] = {}

    def cost_usd(self, target: Target, input_tokens: int, output_tokens: int) -> float | None:
        """What a request is expected to cost there, uncached; None without a price."""
        rates = self._rates.get(target.id)
        return None if rates is None else rates.cost(input_tokens, output_tokens, input_tokens)

    def order(
        self, strategy: Strategy, input_tokens: int, output_tokens: int, speeds: Speeds = Speeds()
    ) -> Order:
        """All chat targets, best first, for a request of about this size; equals by cost, then priority, id."""
        ratio = round(math.log2(max(1, input_tokens) / max(1, output_tokens)) * _RATIO_STEPS)
        tier = bisect_left(self._tier_bounds, input_tokens)
        # A fee per request weighs more the smaller the request is; without fees only the ratio counts.
        scale = round(math.log2(max(1, output_tokens))) if self._any_fee else 9
        key = (strategy, ratio, tier, scale, speeds.version if strategy is Strategy.BALANCED else 0)
        found = self._orders.get(key)
        if found is None:
            output = 2.0**scale
            costs = self._costs(output * 2 ** (ratio / _RATIO_STEPS), output, input_tokens)
            if len(self._orders) >= _MOST_ORDERS:
                self._orders.clear()
            slack = _HALF_STEP * (math.sqrt(2) if self._any_fee else 1.0)
            found = self._orders[key] = Order(self._sorted(strategy, costs, output, speeds), slack)
        return found

    def _costs(self, input_tokens: float, output_tokens: float, priced_by: float) -> list[float]:
        rates = self._rates
        return [
            rates[t.id].cost(input_tokens, output_tokens, priced_by) if t.id in rates else math.inf
            for t in self._chat
        ]

    def _sorted(
        self, strategy: Strategy, costs: list[float], output_tokens: float, speeds: Speeds
    ) -> tuple[Ranked, ...]:
        values: Sequence[float | None]
        if strategy is Strategy.COST:
            values = [None] * len(costs)
        elif strategy is Strategy.QUALITY:
            values = [self.scores[t.id] for t in self._chat]
        else:
            values = self._balance(costs, output_tokens, speeds)
        entries = [Ranked(t, v, c) for t, v, c in zip(self._chat, values, costs, strict=True)]
        entries.sort(
            key=lambda e: (
                -(e.value or 0.0),
                e.nominal,
                -e.target.provider.priority,
                e.target.provider.id,
                e.target.model,
            )
        )
        return tuple(entries)

    def _balance(self, costs: list[float], output_tokens: float, speeds: Speeds) -> list[float]:
        floor = _CHEAPEST_MTOK / 1e6 * output_tokens
        prices = [math.inf if c == math.inf else math.log(max(c, floor)) for c in costs]
        known = [p for p in prices if p != math.inf]
        dear, cheap = max(known, default=0.0), min(known, default=0.0)
        best, worst = max(self.scores.values(), default=0.0), min(self.scores.values(), default=0.0)
        speed = {id: speed_of(*seconds) for id, seconds in speeds.seconds.items()}
        measured = sorted(speed[t.id] for t in self._chat if t.id in speed)
        unseen = measured[len(measured) // 2] if measured else _UNMEASURED_SPEED
        w = self._weights
        return [
            round(
                w.price * (0.0 if price == math.inf else _scaled(-price, -dear, -cheap))
                + w.speed * speed.get(target.id, unseen)
                + w.quality * _scaled(self.scores[target.id], worst, best),
                9,
            )
            for target, price in zip(self._chat, prices, strict=True)
        ]


def speed_of(first_chunk_seconds: float, token_seconds: float) -> float:
    """Speed on a scale of 0 to 1: half a second for an answer of 500 tokens is 1, a minute is 0."""
    seconds = first_chunk_seconds + _NOMINAL_TOKENS * token_seconds
    place = math.log(max(seconds, 1e-6) / _FASTEST_SECONDS) / math.log(_SLOWEST_SECONDS / _FASTEST_SECONDS)
    return min(1.0, max(0.0, 1.0 - place))


def _scaled(value: float, low: float, high: float) -> float:
    """`low` becomes 0 and `high` 1; where all are equal, all are 1."""
    return (value - low) / (high - low) if high > low else 1.0


def _scores(targets: Sequence[Target]) -> dict[str, float]:
    """Quality by target id. A model nobody has judged counts like the weakest quarter of those judged."""
    known = sorted(t.score for t in targets if t.score is not None)
    prior = known[(len(known) - 1) // 4] if known else 0.0
    return {t.id: prior if t.score is None else t.score for t in targets}
