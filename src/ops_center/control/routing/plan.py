"""A plan as JSON: the same for one that was recorded with a request and one that nobody has been asked by."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ops_center.control.routing.schemas import ExcludedTarget, PlannedTarget, RouteError, RoutePlan
from ops_center.plan_record import PlanRecord, RecordedTarget

_NANO = Decimal(1_000_000_000)


def shown_plan(plan: PlanRecord) -> RoutePlan:
    return RoutePlan(
        model=plan.model,
        strategy=plan.strategy,
        power_level=plan.power_level,
        routing_version=plan.routing_version,
        needs=list(plan.needs),
        input_tokens=plan.input_tokens,
        output_tokens=plan.output_tokens,
        max_output_tokens=plan.max_output_tokens,
        wishes={} if plan.options is None else msgspec.to_builtins(plan.options),
        stays_at=plan.home,
        targets=[_target(target, plan.output_tokens) for target in plan.targets],
        excluded=[
            ExcludedTarget(
                model_id=one.target_id,
                provider=one.provider_name,
                provider_id=one.provider_id,
                model=one.model,
                reason=one.reason,
                momentary=one.momentary,
            )
            for one in plan.excluded
        ],
        excluded_total=plan.excluded_total,
    )


def refused(model: str | None, message: str) -> RoutePlan:
    """The answer to a request that no plan can be made for."""
    return RoutePlan(
        model=model,
        strategy=None,
        power_level=None,
        routing_version=0,
        needs=[],
        input_tokens=None,
        output_tokens=None,
        max_output_tokens=None,
        wishes={},
        stays_at=None,
        targets=[],
        excluded=[],
        excluded_total=0,
        error=RouteError(message=message),
    )


def _target(target: RecordedTarget, output_tokens: int) -> PlannedTarget:
    into, out = _usd(target.input_nano_mtok), _usd(target.output_nano_mtok)
    return PlannedTarget(
        model_id=target.target_id,
        provider=target.provider_name,
        provider_id=target.provider_id,
        model=target.model,
        priority=target.priority,
        score=target.score,
        input_mtok=into,
        output_mtok=out,
        blended_mtok=None if into is None or out is None else (3 * into + out) / 4,
        value=target.value,
        expected_cost_usd=target.cost_usd,
        expected_seconds=None
        if target.seconds is None
        else target.seconds[0] + output_tokens * target.seconds[1],
        credential="byok" if target.own_key else "platform",
        larger=target.larger,
        reason=target.reason,
    )


def _usd(nano: int | None) -> Decimal | None:
    return None if nano is None else nano / _NANO
