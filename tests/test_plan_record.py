"""plan_record: what the ledger keeps of each plan is what traffic went by, bounded, and never a prompt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest

from ops_center.errors import ProviderRateLimited
from ops_center.plan_record import MOST_EXCLUDED, PlanRecord, decoded, encoded
from ops_center.providers.registry import provider_spec
from ops_center.route_request import Options
from ops_center.routing import Live, RouteRequest, resolve
from ops_center.snapshot import Provider, Snapshot, Target, build_snapshot
from ops_center.types import PowerLevel, Price, Strategy
from plane import RunningPlane, provider, running_plane, snapshot, target

pytestmark = pytest.mark.anyio


@pytest.fixture
async def plane() -> AsyncIterator[RunningPlane]:
    async with running_plane() as running:
        yield running


async def plan_of(plane: RunningPlane) -> PlanRecord:
    return decoded(bytes((await plane.sink.until()).plan))


async def test_a_named_model_keeps_who_was_asked_and_by_what(plane: RunningPlane) -> None:
    answer = await plane.chat(max_tokens=50, provider={"ignore": ["groq"]})
    assert answer.status_code == 200, answer.text
    kept = await plan_of(plane)
    assert (kept.model, kept.strategy, kept.max_output_tokens) == ("gpt-4o-mini", None, 50)
    assert kept.options == Options(ignore=("groq",))
    assert kept.snapshot_version == plane.source.current.version
    [asked] = kept.targets
    assert (asked.provider_name, asked.model, asked.reason) == ("openai", "gpt-4o-mini", "named by model")
    assert (asked.input_nano_mtok, asked.output_nano_mtok) == (1_000_000_000, 4_000_000_000)
    assert asked.cost_usd is not None
    assert asked.cost_usd > 0


async def test_the_prompt_is_nowhere_in_it(plane: RunningPlane) -> None:
    await plane.chat(model="auto", messages=[{"role": "user", "content": "the secret of the house"}])
    assert b"secret" not in bytes((await plane.sink.until()).plan)


async def test_a_choice_of_the_strategy_keeps_values_needs_and_who_was_left_out(plane: RunningPlane) -> None:
    first = provider(plane.simulator)
    plane.source.current = snapshot(
        target(first, "gpt-4o-mini", capabilities=frozenset({"tools"}), score=60.0),
        target(first, "gpt-4o", capabilities=frozenset({"vision"}), score=70.0),
    )
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    answer = await plane.client.post(
        "/v1/chat/completions",
        json={"model": "auto", "tools": tools, "messages": [{"role": "user", "content": "Hello"}]},
        headers={"x-power-level": "precision"},
    )
    assert answer.status_code == 200, answer.text
    kept = await plan_of(plane)
    assert (kept.strategy, kept.power_level, kept.asked_level) == (
        Strategy.QUALITY,
        PowerLevel.PRECISION,
        PowerLevel.PRECISION,
    )
    assert kept.needs == ("tools",)
    assert [(t.model, t.value, t.score) for t in kept.targets] == [("gpt-4o-mini", 60.0, 60.0)]
    assert [(x.model, x.reason, x.momentary) for x in kept.excluded] == [("gpt-4o", "lacks tools", False)]


async def test_what_health_decided_is_marked_as_of_that_moment(plane: RunningPlane) -> None:
    first, second = provider(plane.simulator, name="first"), provider(plane.simulator, name="second")
    rests = target(first, "gpt-4o-mini")
    plane.source.current = snapshot(rests, target(second, "gpt-4o-mini"))
    plane.health.begin(rests, first.credentials[0]).failed(ProviderRateLimited("", retry_after_seconds=60))
    await plane.chat()
    kept = await plan_of(plane)
    assert [t.provider_name for t in kept.targets] == ["second"]
    assert [(x.provider_name, x.momentary) for x in kept.excluded] == [("first", True)]
    assert "rate limit" in kept.excluded[0].reason


async def test_parameters_that_were_dropped_are_kept_with_their_reason(plane: RunningPlane) -> None:
    plane.source.current = snapshot(target(provider(plane.simulator, "anthropic"), "claude-haiku-4-5"))
    await plane.chat(model="claude-haiku-4-5", frequency_penalty=0.5)
    [(parameter, reason)] = (await plan_of(plane)).dropped
    assert parameter == "frequency_penalty"
    assert reason


async def test_a_refused_name_leaves_no_plan(plane: RunningPlane) -> None:
    answer = await plane.chat(model="nobody-serves-this")
    assert answer.status_code == 404
    assert bytes((await plane.sink.until()).plan) == b""


# ── made by hand ──────────────────────────────────────────────────────────────


def many(count: int) -> Snapshot:
    """One model with tools and many without."""
    of = Provider(id="prov_1", name="One", spec=provider_spec("openai"), base_url="https://one.example")
    price = Price(input_mtok=Decimal(1), output_mtok=Decimal(1), source="test", as_of="2026-11-27")
    return build_snapshot(
        version=7,
        routing_version=3,
        strategy=Strategy.COST,
        principals={},
        targets=[
            Target(
                id=f"mdl_{number}",
                provider=of,
                model=f"model-{number:04}",
                price=price,
                capabilities=frozenset({"vision" if number else "tools"}),
            )
            for number in range(count)
        ],
    )


def test_a_record_is_bounded_and_counts_the_rest() -> None:
    needs = frozenset({"tools"})
    plan = resolve(many(1000), None, RouteRequest(model="auto", needs=needs, explain=True))
    text = bytes(encoded(plan))
    kept = decoded(text)
    assert (len(kept.excluded), kept.excluded_total) == (MOST_EXCLUDED, 999)
    assert (kept.routing_version, kept.snapshot_version) == (3, 7)
    assert len(text) < 8000
    names = tuple(f"{number:0200}" for number in range(50))
    plan = resolve(many(2), None, RouteRequest(model="model-0001", options=Options(models=names)))
    assert decoded(bytes(encoded(plan))).options is None
    assert len(bytes(encoded(plan))) < 1000


def test_a_name_that_utf8_cannot_hold_costs_the_plan_and_not_the_request() -> None:
    plan = resolve(many(2), None, RouteRequest(model="model-0001"))
    broken = msgspec.structs.replace(plan, request=RouteRequest(model="half a \ud83d"))
    assert bytes(encoded(broken)) == b""


class _Home(Live):
    def home(self, session: object) -> str | None:
        return "mdl_1"


def test_the_home_of_a_conversation_is_kept() -> None:
    plan = resolve(many(3), None, RouteRequest(model="auto", session="s"), _Home())
    kept = decoded(bytes(encoded(plan)))
    assert (kept.session, kept.home, kept.targets[0].target_id) == (True, "mdl_1", "mdl_1")
    assert "prompt cache" in kept.targets[0].reason
