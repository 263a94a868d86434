"""Metrics as a scraper reads them: exact, complete histograms, bounded labels."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ops_center.telemetry import metrics as module
from ops_center.telemetry.metrics import Metrics
from ops_center.types import AttemptRecord, CostSource, Usage, UsageRecord

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def record(**changes: Any) -> UsageRecord:
    fields: dict[str, Any] = {
        "request_id": "req_1",
        "started_at": NOW,
        "duration_seconds": 0.3,
        "endpoint": "chat/completions",
        "status": 200,
        "provider_id": "prov_1",
        "provider_name": "OpenAI",
        "model": "gpt-4o",
        "usage": Usage(input_tokens=10, output_tokens=5),
        "cost_usd": Decimal("0.25"),
        "cost_source": CostSource.COMPUTED,
    }
    return UsageRecord(**(fields | changes))


def scraped(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def of(samples: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def test_counters_add_up_what_was_recorded() -> None:
    metrics = Metrics()
    failed = AttemptRecord(
        number=1,
        provider_id="prov_2",
        provider_name="Groq",
        model="llama",
        started_at=NOW,
        duration_seconds=1.0,
        outcome="provider_timeout",
    )
    metrics.count([record(), record(attempts=(failed,))])
    metrics.count([record(cost_usd=None, cost_source=CostSource.UNKNOWN)])
    metrics.count(
        [record(status=401, error_type="authentication_error", provider_id=None, provider_name=None)]
    )
    samples = scraped(metrics)
    target = {"provider": "OpenAI", "model": "gpt-4o"}
    asked = target | {"endpoint": "chat/completions"}
    assert of(samples, "ops_center_requests_total", **asked, status="200", error_type="none") == 3
    assert of(samples, "ops_center_tokens_total", **target, kind="input") == 30
    assert of(samples, "ops_center_tokens_total", **target, kind="output") == 15
    assert of(samples, "ops_center_cost_usd_total", **target, cost_source="computed") == 0.5
    assert of(samples, "ops_center_unknown_cost_requests_total", **target) == 1
    assert (
        of(samples, "ops_center_attempts_total", provider="Groq", model="llama", outcome="provider_timeout")
        == 1
    )


@pytest.mark.parametrize(
    ("seconds", "first_bucket"), [(0.01, "0.05"), (0.05, "0.05"), (0.051, "0.1"), (999, "+Inf")]
)
def test_a_duration_is_counted_in_its_bucket_and_all_above(seconds: float, first_bucket: str) -> None:
    metrics = Metrics()
    metrics.count([record(duration_seconds=seconds)])
    name = "ops_center_request_duration_seconds"
    samples = scraped(metrics)
    counts = {
        dict(labels)["le"]: value
        for (of_name, labels), value in samples.items()
        if of_name == f"{name}_bucket"
    }
    bounds = sorted(counts, key=float)
    assert next(bound for bound in bounds if counts[bound] == 1) == first_bucket
    assert [counts[bound] for bound in bounds] == sorted(counts.values())
    assert of(samples, f"{name}_count", provider="OpenAI") == 1
    assert of(samples, f"{name}_sum", provider="OpenAI") == seconds


def test_labels_are_bounded_and_nothing_is_dropped() -> None:
    metrics = Metrics()
    most = module._MOST_SERIES
    metrics.count([record(model=f"model-{number}") for number in range(most + 10)])
    samples = scraped(metrics)
    requests = [value for (name, _), value in samples.items() if name == "ops_center_requests_total"]
    assert len(requests) == most + 1
    assert sum(requests) == most + 10


def test_only_requests_that_waited_are_in_the_queues_histogram() -> None:
    metrics = Metrics()
    metrics.count([record(), record(queue_seconds=0.2), record(queue_seconds=3.0)])
    samples = scraped(metrics)
    assert of(samples, "ops_center_queue_seconds_count", provider="OpenAI") == 2
    assert of(samples, "ops_center_queue_seconds_sum", provider="OpenAI") == 3.2
