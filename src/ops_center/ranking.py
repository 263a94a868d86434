"""The order of all models under each strategy, worked out once per snapshot. Pure; knows no request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from ops_center.types import Strategy

if TYPE_CHECKING:
    from ops_center.snapshot import Target

PRICE_WEIGHT = 0.5
QUALITY_WEIGHT = 0.5
_CHEAPEST_MTOK = 0.01  # below a cent per million tokens a price no longer tells models apart


def rank(targets: Iterable[Target], strategy: Strategy) -> tuple[Target, ...]:
    """All chat models, best first under a strategy; equals by price, then priority, then id.

    `cost`: the lowest price, unknown prices last. `quality`: the highest score, models without one last.
    `balanced`: half price and half quality, each on a scale of 0 to 1 over the models at hand (the price
    on a logarithmic one, since prices span four decades); an unknown half counts 0.
    """
    chat = [target for target in targets if target.chat]
    if strategy is Strategy.COST:
        return tuple(sorted(chat, key=_cheapest_first))
    if strategy is Strategy.QUALITY:
        return tuple(sorted(chat, key=lambda t: (t.score is None, -(t.score or 0.0), *_cheapest_first(t))))
    balance = _balance(chat)
    return tuple(sorted(chat, key=lambda t: (-balance(t), *_cheapest_first(t))))


def _cheapest_first(target: Target) -> tuple[bool, Decimal, int, str, str]:
    price = target.blended_mtok
    return (price is None, price or Decimal(0), -target.provider.priority, target.provider.id, target.model)


def _balance(targets: list[Target]) -> Callable[[Target], float]:
    cheapness = _scale([-_log_price(price) for t in targets if (price := t.blended_mtok) is not None])
    quality = _scale([t.score for t in targets if t.score is not None])

    def value(target: Target) -> float:
        price = target.blended_mtok
        return round(
            PRICE_WEIGHT * (0.0 if price is None else cheapness(-_log_price(price)))
            + QUALITY_WEIGHT * (0.0 if target.score is None else quality(target.score)),
            9,
        )

    return value


def _log_price(price: Decimal) -> float:
    return math.log(max(float(price), _CHEAPEST_MTOK))


def _scale(values: list[float]) -> Callable[[float], float]:
    """Maps the smallest of `values` to 0 and the largest to 1; equal values all to 1."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    return (lambda value: (value - low) / (high - low)) if high > low else (lambda value: 1.0)
