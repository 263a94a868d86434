"""The stored rules of routing as values: what an admin has set, and what holds where nothing is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops_center.errors import Invalid
from ops_center.ranking import Weights
from ops_center.snapshot import Rules
from ops_center.types import Strategy

_NEARLY = 1e-6  # what rounding of decimal fractions may leave over


def strategy_of(rules: Mapping[str, Any]) -> Strategy:
    chosen = rules.get("strategy")
    return Strategy(chosen) if chosen else Strategy.BALANCED


def rules_of(rules: Mapping[str, Any]) -> Rules:
    """As `update_rules` stored them."""
    standard = Rules()
    weights = rules.get("weights")
    return Rules(
        weights=Weights(**weights) if weights else standard.weights,
        replace_named=rules.get("replace_named", standard.replace_named),
        larger_window=rules.get("larger_window", standard.larger_window),
        retries=rules.get("retries", standard.retries),
    )


def check_weights(weights: Weights) -> None:
    """Raises Invalid naming `weights` unless they sum to 1."""
    total = weights.price + weights.speed + weights.quality
    if abs(total - 1) > _NEARLY:
        raise Invalid(
            f"The three weights must sum to 1; these sum to {total:.4g}",
            param="weights",
            hint="Raise one of them or lower another.",
        )
