"""Prometheus metrics, counted from usage records as they enter the ledger, never on the way of a request.

Labels are bounded: configured providers, the models they list, our own error words; never a key or a user.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from ops_center.types import UsageRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """One registry per server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._children: dict[tuple[Any, tuple[str, ...]], Any] = {}
        asked = ("provider", "model", "endpoint")
        self._requests = Counter(
            "ops_center_requests_total",
            "Requests by what became of them",
            (*asked, "status", "error_type"),
            registry=self._registry,
        )
        self._attempts = Counter(
            "ops_center_attempts_total",
            "Calls to providers",
            ("provider", "model", "outcome"),
            registry=self._registry,
        )
        self._tokens = Counter(
            "ops_center_tokens_total",
            "Tokens; input includes cached, output includes reasoning",
            ("provider", "model", "kind"),
            registry=self._registry,
        )
        self._cost = Counter(
            "ops_center_cost_usd_total",
            "Cost in USD by where the figure comes from",
            ("provider", "model", "cost_source"),
            registry=self._registry,
        )
        self._unknown = Counter(
            "ops_center_unknown_cost_requests_total",
            "Requests whose model has no price",
            ("provider", "model"),
            registry=self._registry,
        )
        self._duration = Histogram(
            "ops_center_request_duration_seconds",
            "From the request's first byte to the answer's last",
            ("provider",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._first_chunk = Histogram(
            "ops_center_time_to_first_chunk_seconds",
            "Of streamed answers",
            ("provider",),
            buckets=_SECONDS,
            registry=self._registry,
        )

    def count(self, records: Sequence[UsageRecord]) -> None:
        """Add records that have just entered the ledger."""
        for record in records:
            provider, model = record.provider_name or "none", record.model or "none"
            self._of(
                self._requests,
                provider,
                model,
                record.endpoint,
                str(record.status),
                record.error_type or "none",
            ).inc()
            for attempt in record.attempts:
                self._of(self._attempts, attempt.provider_name, attempt.model, attempt.outcome).inc()
            self._of(self._duration, provider).observe(record.duration_seconds)
            if record.time_to_first_chunk_seconds is not None:
                self._of(self._first_chunk, provider).observe(record.time_to_first_chunk_seconds)
            if record.provider_id is None:
                continue
            self._of(self._tokens, provider, model, "input").inc(record.usage.input_tokens)
            self._of(self._tokens, provider, model, "output").inc(record.usage.output_tokens)
            if record.cost_usd is None:
                self._of(self._unknown, provider, model).inc()
            else:
                self._of(self._cost, provider, model, record.cost_source.value).inc(float(record.cost_usd))

    def _of(self, metric: Any, *labels: str) -> Any:
        """The child of a metric; looking it up in the library costs more than counting."""
        key = (metric, labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self._registry)
