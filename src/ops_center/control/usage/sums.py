"""What usage records add up to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from operator import add, attrgetter
from typing import Any

from ops_center.storage.rollups.histogram import Histogram, percentile
from ops_center.storage.rollups.histogram import add as add_histogram
from ops_center.storage.rollups.sums import FIGURES
from ops_center.storage.tables import Money, usage_days

_MILLION = Decimal(1_000_000)


@dataclass(slots=True)
class Sums:
    """What some usage records add up to. `cost_usd` is the sum of known costs, estimated ones included."""

    calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    provider_cost_usd: Decimal = Decimal(0)
    computed_cost_usd: Decimal = Decimal(0)
    estimated_cost_usd: Decimal = Decimal(0)
    estimated_cost_calls: int = 0
    unknown_cost_calls: int = 0
    priced_tokens: int = 0  # input and output of the calls that the platform paid and whose cost is known
    cache_hit_calls: int = 0
    byok_calls: int = 0
    own_cost_usd: Decimal = Decimal(0)
    estimated_own_cost_usd: Decimal = Decimal(0)  # as much of the saving is estimated
    unknown_own_cost_calls: int = 0
    saved_usd: Decimal = Decimal(0)
    unknown_saving_calls: int = 0
    fallback_calls: int = 0  # that an own key failed and the platform's served, and what that cost
    fallback_cost_usd: Decimal = Decimal(0)
    estimated_fallback_cost_usd: Decimal = Decimal(0)
    answer_tokens: int = 0
    answer_microseconds: int = 0
    last_at: datetime | None = None
    latencies: Histogram = field(default_factory=dict)  # where they were asked for
    first_chunks: Histogram = field(default_factory=dict)

    def __add__(self, other: Sums) -> Sums:
        if self is NOTHING or other is NOTHING:
            return other if self is NOTHING else self
        whole = Sums(*map(add, _figures_of(self), _figures_of(other)))
        whole.last_at = (
            max(self.last_at, other.last_at)
            if self.last_at and other.last_at
            else self.last_at or other.last_at
        )
        whole.latencies = both(self.latencies, other.latencies)
        whole.first_chunks = both(self.first_chunks, other.first_chunks)
        return whole

    @property
    def cost_usd(self) -> Decimal:
        return self.provider_cost_usd + self.computed_cost_usd + self.estimated_cost_usd

    @property
    def estimated_share(self) -> float:
        """How much of the cost is estimated, 0 to 1."""
        return _part(self.estimated_cost_usd, self.cost_usd)

    @property
    def own_estimated_share(self) -> float:
        """The same of what users paid on their own keys."""
        return _part(self.estimated_own_cost_usd, self.own_cost_usd)

    @property
    def saved_estimated_share(self) -> float:
        """The same of what that saved the platform."""
        return _part(self.estimated_own_cost_usd, self.saved_usd)

    @property
    def fallback_estimated_share(self) -> float:
        """The same of what the platform paid after an own key had failed."""
        return _part(self.estimated_fallback_cost_usd, self.fallback_cost_usd)

    @property
    def known_cost_usd(self) -> Decimal | None:
        """The cost, or None when some calls have no known cost and all others used nothing (they failed)."""
        return (
            None if self.unknown_cost_calls and not (self.cost_usd or self.priced_tokens) else self.cost_usd
        )

    @property
    def average_mtok(self) -> Decimal | None:
        """What a million tokens cost, input and output together; None where no cost is known."""
        return self.cost_usd * _MILLION / self.priced_tokens if self.priced_tokens else None

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second of answering, from the first chunk (else the start) to the end."""
        return self.answer_tokens * 1e6 / self.answer_microseconds if self.answer_microseconds else None

    @property
    def cache_hit_share(self) -> float | None:
        """How much of the input came from a provider's prompt cache, 0 to 1."""
        return self.cache_read_tokens / self.input_tokens if self.input_tokens else None

    @property
    def failed_share(self) -> float | None:
        return self.failed_calls / self.calls if self.calls else None

    def latency_seconds(self, share: float) -> float | None:
        """The duration that a `share` of the calls that succeeded did not exceed, within 4.5 %."""
        return percentile(self.latencies, share)

    def first_chunk_seconds(self, share: float) -> float | None:
        """The same of the time to the first chunk of streams."""
        return percentile(self.first_chunks, share)


def _part(some: Decimal, whole: Decimal) -> float:
    return float(some / whole) if whole else 0.0


HISTOGRAMS = ("latencies", "first_chunks")
NOTHING = Sums()
_figures_of = attrgetter(*FIGURES)
assert tuple(each.name for each in fields(Sums))[: len(FIGURES)] == FIGURES
BASIC = (  # what every answer about usage says
    "calls",
    "failed_calls",
    "input_tokens",
    "output_tokens",
    "provider_cost_usd",
    "computed_cost_usd",
    "estimated_cost_usd",
    "unknown_cost_calls",
)
_MONEY = frozenset(name for name in FIGURES if isinstance(usage_days.c[name].type, Money))


def sums_of(values: Sequence[Any], figures: Sequence[str]) -> Sums:
    """`values` in the order of `figures`."""
    found: dict[str, Any] = {}
    for name, value in zip(figures, values, strict=True):
        found[name] = value if name in _MONEY else int(value)
    return Sums(**found)


def both(one: Histogram, other: Histogram) -> Histogram:
    if not one or not other:
        return one or other
    whole = dict(one)
    add_histogram(whole, other)
    return whole


def added_up(parts: Sequence[Sums]) -> Sums:
    """The sum of many, column by column: several times quicker than one after the other."""
    if len(parts) < 2:
        return parts[0] if parts else NOTHING
    columns: Iterable[tuple[Any, ...]] = zip(*map(_figures_of, parts), strict=True)
    whole = Sums(*[sum(column) for column in columns])
    whole.last_at = max((part.last_at for part in parts if part.last_at), default=None)
    for part in parts:
        if part.latencies:
            add_histogram(whole.latencies, part.latencies)
        if part.first_chunks:
            add_histogram(whole.first_chunks, part.first_chunks)
    return whole


@dataclass(frozen=True, slots=True)
class Key:
    """Whose sums they are. `slot`: a quarter-hour (an hour by its first) or a day (on the organisation's calendar)
    since 1970, None for the whole window. `value`: what it is grouped by, None for what has none (no provider was
    asked, no team). `name`: what that was called then."""

    slot: int | None = None
    value: str | None = None
    name: str | None = None


def total(found: Mapping[Key, Sums]) -> Sums:
    return added_up(list(found.values()))


def by_value(found: Mapping[Key, Sums]) -> dict[str | None, Sums]:
    """The sums of each value, whatever it was called and whenever it was."""
    of_value: dict[str | None, list[Sums]] = {}
    for key, one in found.items():
        of_value.setdefault(key.value, []).append(one)
    return {value: added_up(parts) for value, parts in of_value.items()}
