"""What moved a figure between two spans, by each dimension. Arranges sums; it has no query of its own. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from ops_center.control.home.schemas import MetricChange, MovedBy, Mover
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.schemas import Metric, Unit
from ops_center.control.usage.service import change_pct
from ops_center.control.usage.sums import NOTHING, Sums

# Narrow ones first: of two that explain a change equally well, the narrower says more.
DIMENSIONS = (Dimension.MODEL, Dimension.API_KEY, Dimension.PROVIDER, Dimension.USER, Dimension.TEAM)
FIGURES = (  # all that is looked at here
    "calls",
    "failed_calls",
    "provider_cost_usd",
    "computed_cost_usd",
    "estimated_cost_usd",
    "unknown_cost_calls",
)
_MOST_MOVERS = 4
_NANO_USD = Decimal("0.000000001")

Pair = tuple[Sums, Sums]  # now, before
RequestsOf = Callable[[Dimension | None, str | None], str]

_METRICS: Mapping[Metric, tuple[Unit, Callable[[Sums], Decimal | int]]] = {
    Metric.COST: (Unit.USD, lambda sums: sums.cost_usd),
    Metric.CALLS: (Unit.CALLS, lambda sums: sums.calls),
    Metric.ERRORS: (Unit.CALLS, lambda sums: sums.failed_calls),
}


def changes(
    whole: Pair,
    by: Mapping[Dimension, Mapping[str | None, Pair]],
    names: Mapping[tuple[Dimension, str | None], str | None],
    requests: RequestsOf,
) -> list[MetricChange]:
    """Cost, calls and errors, each with what moved it. `by` holds every value of each dimension."""
    return [_change(metric, unit, of, whole, by, names, requests) for metric, (unit, of) in _METRICS.items()]


def _change(
    metric: Metric,
    unit: Unit,
    of: Callable[[Sums], Decimal | int],
    whole: Pair,
    by: Mapping[Dimension, Mapping[str | None, Pair]],
    names: Mapping[tuple[Dimension, str | None], str | None],
    requests: RequestsOf,
) -> MetricChange:
    now, before = (Decimal(of(sums)) for sums in whole)
    moved = {
        dimension: {value: Decimal(of(pair[0])) - Decimal(of(pair[1])) for value, pair in values.items()}
        for dimension, values in by.items()
    }
    by_calls = _by_calls(whole) if metric is Metric.COST else None
    return MetricChange(
        metric=metric,
        unit=unit,
        now=float(now),
        before=float(before),
        change=float(now - before),
        change_pct=change_pct(now, before),
        mostly=_mostly(moved, now - before),
        moved_by=[
            _moved_by(dimension, moved[dimension], values, of, names, requests)
            for dimension, values in by.items()
        ],
        by_calls_usd=by_calls,
        by_cost_per_call_usd=None if by_calls is None else now - before - by_calls,
        requests=requests(None, None),
    )


def _moved_by(
    dimension: Dimension,
    moved: Mapping[str | None, Decimal],
    values: Mapping[str | None, Pair],
    of: Callable[[Sums], Decimal | int],
    names: Mapping[tuple[Dimension, str | None], str | None],
    requests: RequestsOf,
) -> MovedBy:
    ordered = sorted(
        (value for value in moved if moved[value]), key=lambda value: (-abs(moved[value]), value or "")
    )
    shown, rest = ordered[:_MOST_MOVERS], ordered[_MOST_MOVERS:]
    return MovedBy(
        dimension=dimension,
        movers=[
            Mover(
                value=value,
                name=names.get((dimension, value)),
                now=float(of(values[value][0])),
                before=float(of(values[value][1])),
                change=float(moved[value]),
                requests=requests(dimension, value),
            )
            for value in shown
        ],
        others=len(rest),
        others_change=float(sum((moved[value] for value in rest), Decimal(0))),
    )


def _mostly(moved: Mapping[Dimension, Mapping[str | None, Decimal]], change: Decimal) -> Dimension | None:
    """The dimension whose first mover stands out most from the movement of all its values, and moved with the
    whole; None where nothing moved, or where no dimension has two values."""
    best: tuple[Decimal, Dimension] | None = None
    for dimension, values in moved.items():
        total = sum((abs(amount) for amount in values.values()), Decimal(0))
        if len(values) < 2 or not total:
            continue
        first = max(values.values(), key=abs)
        if first * change > 0 and (best is None or abs(first) / total > best[0]):
            best = (abs(first) / total, dimension)
    return None if best is None else best[1]


def _by_calls(whole: Pair) -> Decimal | None:
    """What as many calls more or fewer would have cost at the old cost per call; None without calls before."""
    now, before = whole
    if not before.calls:
        return None
    return ((now.calls - before.calls) * before.cost_usd / before.calls).quantize(_NANO_USD)


def paired(now: Mapping[str | None, Sums], before: Mapping[str | None, Sums]) -> dict[str | None, Pair]:
    """Every value that is on either side, with the sums of both."""
    return {value: (now.get(value, NOTHING), before.get(value, NOTHING)) for value in (*now, *before)}
