"""The demo's traffic is made up, but its arithmetic is not."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ops_center.catalog.pricing import price_usage
from ops_center.demo.company import PROGRAMS, PROVIDERS
from ops_center.demo.traffic import KeyOwner, Served, make_traffic
from ops_center.providers.registry import provider_spec
from ops_center.simulator.catalogues import models_of
from ops_center.snapshot import Provider, Target
from ops_center.types import CostSource, Price, UsageRecord

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
OWNERS = {
    program.key_name: KeyOwner(
        api_key_id=f"key_{n}",
        api_key_name=program.key_name,
        user_id=f"usr_{n}",
        user_email=program.user_email,
    )
    for n, program in enumerate(PROGRAMS)
}


def targets() -> list[Target]:
    """Every model that the simulated providers list, at their list's price."""
    found = []
    for number, row in enumerate(PROVIDERS):
        provider = Provider(
            id=f"prov_{number}",
            name=row.name,
            spec=provider_spec(row.type),
            base_url="http://127.0.0.1/v1",
            priority=row.priority,
        )
        for model in models_of(row.type).values():  # type: ignore[arg-type]
            price = None
            if model.input_mtok is not None and model.output_mtok is not None:
                price = Price(
                    input_mtok=model.input_mtok,
                    output_mtok=model.output_mtok,
                    cache_read_mtok=model.cache_read_mtok,
                    cache_write_mtok=model.cache_write_mtok,
                    source="simulator",
                    as_of="2026-07-02",
                )
            found.append(
                Target(
                    id=f"mdl_{number}_{model.id}",
                    provider=provider,
                    model=model.id,
                    price=price,
                    context_window=model.context_window,
                    max_output_tokens=model.max_output_tokens,
                )
            )
    return found


TARGETS = targets()
PRICES = {(target.provider.id, target.model): target.price for target in TARGETS}


def traffic(days: int = 90, seed: int = 7) -> list[UsageRecord]:
    return list(make_traffic(PROGRAMS, OWNERS, Served.of(TARGETS), now=NOW, days=days, seed=seed))


@pytest.fixture(scope="module")
def records() -> list[UsageRecord]:
    return traffic()


def test_same_seed_makes_the_same_traffic() -> None:
    assert traffic(days=5) == traffic(days=5)
    assert traffic(days=5) != traffic(days=5, seed=8)


def test_every_model_of_a_program_is_served_by_the_simulated_providers() -> None:
    served = Served.of(TARGETS)
    wanted = {(provider, model) for program in PROGRAMS for provider, model, _ in program.models}
    assert wanted <= set(served.by_place)


def test_every_cost_is_what_the_pricing_function_says(records: list[UsageRecord]) -> None:
    answered = [record for record in records if record.status == 200]
    assert len(answered) > 10_000
    for record in answered:
        price = PRICES[record.provider_id or "", record.model or ""]
        assert record.cost_usd == price_usage(record.usage, price)
        if price is None:
            assert record.cost_source is CostSource.UNKNOWN
        elif record.provider_type == "openrouter":
            assert record.cost_source is CostSource.PROVIDER
            assert record.usage.provider_cost_usd == record.cost_usd
        else:
            assert record.cost_source is CostSource.COMPUTED
            assert record.price_source == "simulator 2026-07-02"


def test_models_without_a_price_have_an_unknown_cost_and_never_zero(records: list[UsageRecord]) -> None:
    local = [r for r in records if r.provider_type == "custom" and r.status == 200]
    assert local
    assert {record.cost_usd for record in local} == {None}


def test_failed_requests_cost_nothing_and_used_nothing(records: list[UsageRecord]) -> None:
    failed = [record for record in records if record.status not in (200, 499)]
    assert failed
    for record in failed:
        assert (record.cost_usd, record.usage.input_tokens) == (Decimal(0), 0)
        assert record.error_type


def test_working_days_are_busier_than_weekends(records: list[UsageRecord]) -> None:
    per_day = Counter(record.started_at.date() for record in records)
    working = [count for day, count in per_day.items() if day.weekday() < 5]
    weekend = [count for day, count in per_day.items() if day.weekday() >= 5]
    assert sum(working) / len(working) > 1.5 * sum(weekend) / len(weekend)


def test_traffic_fills_the_days_and_never_the_future(records: list[UsageRecord]) -> None:
    assert len({record.started_at.date() for record in records}) >= 90
    assert all(NOW - timedelta(days=90) <= record.started_at < NOW for record in records)


def test_ids_are_unique_and_sort_by_time(records: list[UsageRecord]) -> None:
    assert len({record.request_id for record in records}) == len(records)
    by_id = sorted(records, key=lambda record: record.request_id)
    assert all(
        one.started_at - other.started_at < timedelta(milliseconds=2)
        for one, other in itertools.pairwise(by_id)
    )


def test_attempts_tell_the_same_story_as_the_record(records: list[UsageRecord]) -> None:
    rescued = 0
    for record in records:
        assert [attempt.number for attempt in record.attempts] == list(range(1, len(record.attempts) + 1))
        last = record.attempts[-1]
        assert (last.provider_id, last.model) == (record.provider_id, record.model)
        assert (last.outcome == "success") is (record.status in (200, 499))
        rescued += len(record.attempts) == 2 and record.status == 200
    assert rescued > 50


def test_outage_shows_as_fallbacks_of_one_afternoon(records: list[UsageRecord]) -> None:
    failed = Counter(
        attempt.started_at.date()
        for record in records
        for attempt in record.attempts
        if attempt.provider_name == PROVIDERS[0].name and attempt.outcome != "success"
    )
    assert failed.most_common(1)[0][0] == (NOW - timedelta(days=12)).date()


def test_a_program_whose_models_nobody_serves_is_silent() -> None:
    empty = list(make_traffic(PROGRAMS, OWNERS, Served.of([]), now=NOW, days=10, seed=1))
    assert empty == []
