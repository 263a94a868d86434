"""Prometheus metrics, counted from usage records as they enter the ledger, never on the way of a request.

Labels are bounded: configured providers, the models they list, our own error words; never a key or a user.
Counting is plain addition into dictionaries; the library is asked only when somebody scrapes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ops_center.types import UsageRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_MOST_SERIES = 5000  # of one metric; whatever is new beyond that is counted under "other"

Labels = tuple[str, ...]


class Metrics(Collector):
    """One registry per server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        asked = ("provider", "model")
        self._requests = _Counts(
            "ops_center_requests",
            "Requests by what became of them",
            (*asked, "endpoint", "status", "error_type"),
        )
        self._attempts = _Counts("ops_center_attempts", "Calls to providers", (*asked, "outcome"))
        self._tokens = _Counts(
            "ops_center_tokens", "Tokens; input includes cached, output includes reasoning", (*asked, "kind")
        )
        self._cost = _Counts(
            "ops_center_cost_usd", "Cost in USD by where the figure comes from", (*asked, "cost_source")
        )
        self._unknown = _Counts(
            "ops_center_unknown_cost_requests", "Requests whose model has no price", asked
        )
        self._duration = _Durations(
            "ops_center_request_duration_seconds", "From the request's first byte to the answer's last"
        )
        self._first_chunk = _Durations("ops_center_time_to_first_chunk_seconds", "Of streamed answers")
        self._queue = _Durations("ops_center_queue_seconds", "Of requests that waited for a place in a limit")
        self._registry.register(self)

    def count(self, records: Sequence[UsageRecord]) -> None:
        """Add records that have just entered the ledger."""
        alike: dict[tuple[str | int | None, ...], _Alike] = {}
        for record in records:
            provider = record.provider_name or "none"
            key = (
                provider,
                record.model,
                record.endpoint,
                record.status,
                record.error_type,
                record.cost_source._value_,
            )
            some = alike.get(key)
            if some is None:
                some = alike[key] = _Alike(record)
            some.add(record)
            for attempt in record.attempts:
                self._attempts.add((attempt.provider_name, attempt.model, attempt.outcome), 1)
            self._duration.observe(provider, record.duration_seconds)
            if record.time_to_first_chunk_seconds is not None:
                self._first_chunk.observe(provider, record.time_to_first_chunk_seconds)
            if record.queue_seconds is not None:
                self._queue.observe(provider, record.queue_seconds)
        for some in alike.values():
            self._count(some)

    def _count(self, some: _Alike) -> None:
        one = some.one
        asked = (one.provider_name or "none", one.model or "none")
        self._requests.add((*asked, one.endpoint, str(one.status), one.error_type or "none"), some.requests)
        if one.provider_id is None:
            return
        self._tokens.add((*asked, "input"), some.input_tokens)
        self._tokens.add((*asked, "output"), some.output_tokens)
        if some.unknown_costs:
            self._unknown.add(asked, some.unknown_costs)
        if some.requests > some.unknown_costs:
            self._cost.add((*asked, one.cost_source._value_), some.cost_usd)

    def collect(self) -> Iterator[Metric]:
        """Called by the library for each scrape."""
        counters = (self._requests, self._attempts, self._tokens, self._cost, self._unknown)
        for family in (*counters, self._duration, self._first_chunk, self._queue):
            yield family.metric()

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self._registry)


class _Alike:
    """Records whose labels are the same, added up before they are counted."""

    __slots__ = ("cost_usd", "input_tokens", "one", "output_tokens", "requests", "unknown_costs")

    def __init__(self, one: UsageRecord) -> None:
        self.one = one
        self.requests = self.input_tokens = self.output_tokens = self.unknown_costs = 0
        self.cost_usd = 0.0

    def add(self, record: UsageRecord) -> None:
        self.requests += 1
        self.input_tokens += record.usage.input_tokens
        self.output_tokens += record.usage.output_tokens
        if record.cost_usd is None:
            self.unknown_costs += 1
        else:
            self.cost_usd += float(record.cost_usd)


class _Counts:
    """A counter with labels."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._other = ("other",) * len(labels)
        self._values: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float) -> None:
        values = self._values
        if labels in values:
            values[labels] += amount
        elif len(values) < _MOST_SERIES:
            values[labels] = amount
        else:
            values[self._other] = values.get(self._other, 0) + amount

    def metric(self) -> Metric:
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        return family


class _Durations:
    """A histogram of seconds per provider."""

    def __init__(self, name: str, meaning: str) -> None:
        self._name, self._meaning = name, meaning
        self._counts: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_SECONDS) + 1))
        self._sums: dict[str, float] = defaultdict(float)

    def observe(self, provider: str, seconds: float) -> None:
        self._counts[provider][bisect_left(_SECONDS, seconds)] += 1
        self._sums[provider] += seconds

    def metric(self) -> Metric:
        family = HistogramMetricFamily(self._name, self._meaning, labels=("provider",))
        bounds = (*(str(float(bound)) for bound in _SECONDS), "+Inf")
        for provider, counts in self._counts.items():
            family.add_metric((provider,), _pairs(bounds, accumulate(counts)), self._sums[provider])
        return family


def _pairs(bounds: Iterable[str], counts: Iterable[int]) -> list[tuple[str, float]]:
    return [(bound, float(count)) for bound, count in zip(bounds, counts, strict=True)]
