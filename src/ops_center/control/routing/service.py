"""The strategy that real traffic follows: shown, changed, and explained for one request.

What a strategy would pick comes from `routing.resolve`, the function that traffic itself goes through.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import msgspec

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.byok.policy import global_policy, tightened
from ops_center.control.byok.repository import wishes_of
from ops_center.control.context import Control
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.routing import repository
from ops_center.control.routing.plan import refused, shown_plan
from ops_center.control.routing.rules import check_weights, rules_of, strategy_of
from ops_center.control.routing.schemas import (
    BalanceWeights,
    PickedModel,
    RouteError,
    RouteExplain,
    RoutePlan,
    RoutingRules,
    RoutingRulesUpdate,
    Strategies,
    StrategyFigures,
)
from ops_center.control.routing_versions.repository import newest
from ops_center.control.routing_versions.service import keep
from ops_center.control.settings.repository import read_setting
from ops_center.control.usage.repository import by_strategy
from ops_center.control.usage.sums import NOTHING
from ops_center.control.usage.windows import Window
from ops_center.errors import CallerError, Invalid, ModelNotFound
from ops_center.own_keys import resolve
from ops_center.plan_record import recorded
from ops_center.ranking import Weights
from ops_center.route_request import RouteRequest, estimated_tokens, needs_of, read_options
from ops_center.snapshot import Principal, Snapshot
from ops_center.types import PowerLevel, Strategy

_PICKED = 3
_EXCLUDED_SHOWN = 500
_MONTH = timedelta(days=30)
_NOBODY_WELL = "Everybody who could answer this is failing or resting just now."

TARGETS_USD_MTOK = {
    Strategy.COST: Decimal("0.20"),
    Strategy.BALANCED: Decimal("1.00"),
    Strategy.QUALITY: Decimal("5.00"),
}


async def get_rules(control: Control) -> RoutingRules:
    """The strategy that holds, beside what each of the three costs and picks."""
    await control.drain_journal()
    async with control.database.read() as conn:
        row = await repository.newest(conn)
        measured = await by_strategy(conn, Window.last(_MONTH, control.clock()))
    snapshot = control.publisher.current
    figures = {
        strategy.value: StrategyFigures(
            target_usd_mtok=TARGETS_USD_MTOK[strategy],
            measured_usd_mtok=measured.get(strategy.value, NOTHING).average_mtok,
            models=picks(msgspec.structs.replace(snapshot, strategy=strategy)),
        )
        for strategy in Strategy
    }
    stored = row.rules if row else {}
    rules = rules_of(stored)
    return RoutingRules(
        strategy=strategy_of(stored),
        weights=BalanceWeights(**msgspec.structs.asdict(rules.weights)),
        replace_named=rules.replace_named,
        larger_window=rules.larger_window,
        retries=rules.retries,
        version=row.version if row else 0,
        updated_at=row.created_at if row else None,
        strategies=Strategies(**figures),
    )


async def update_rules(control: Control, actor: Actor, wanted: RoutingRulesUpdate) -> RoutingRules:
    """Merge what is sent into the rules; a change makes a new version, the old ones are kept.

    Raises Invalid naming `weights` that do not sum to 1.
    """
    if wanted.weights is not None:
        check_weights(Weights(**wanted.weights.model_dump()))
    now = control.clock()
    async with control.database.write() as conn:
        row = await newest(conn, alone=True)  # nobody else changes them meanwhile
        before = row.rules if row else {}
        after = {**before, **wanted.model_dump(mode="json", exclude_none=True)}
        changed = after != before
        if changed:
            await keep(conn, actor, "routing.update", at=now, rules=after)
            await record(
                conn,
                actor,
                "routing.update",
                "routing_rules",
                "routing",
                "Routing rules",
                before | {"strategy": strategy_of(before).value},
                after,
                at=now,
            )
    if changed:
        await control.publisher.publish()
    return await get_rules(control)


async def explain(control: Control, wanted: RouteExplain) -> RoutePlan:
    """The plan for a request, with every target left out and why; calls nobody.

    A model that nobody serves is an answer too, in `error`. Raises Invalid naming `user_id`.
    """
    principal = await _principal(control, wanted.user_id)
    try:
        request = _request(wanted)
        plan = resolve(control.publisher.current, principal, request, control.health)
    except CallerError as error:
        return refused(wanted.model, error.message)
    shown = shown_plan(recorded(plan, _EXCLUDED_SHOWN, lower=True))
    if not plan.choices:
        shown.error = RouteError(message=_NOBODY_WELL)
    return shown


def picks(snapshot: Snapshot, level: PowerLevel | None = None) -> list[PickedModel]:
    """What a power level (None: the strategy) chooses now, the first three; nothing where there is nothing."""
    try:
        plan = resolve(snapshot, None, RouteRequest(power_level=level))
    except ModelNotFound:
        return []
    return [
        PickedModel(
            provider=choice.target.provider.name,
            model=choice.target.model,
            blended_mtok=choice.target.blended_mtok,
        )
        for choice in plan.choices[:_PICKED]
    ]


async def _principal(control: Control, user_id: str | None) -> Principal | None:
    """Somebody with the user's power level and a key without limits of its own."""
    if user_id is None:
        return None
    async with control.database.read() as conn:
        user = await repository.power_level_of(conn, user_id)
        if user is None:
            raise Invalid("There is no user with this id", param="user_id")
        wishes = await wishes_of(conn, user_id)
        policy = tightened(await global_policy(conn), *wishes.policies)
        levels = await read_setting(conn, PowerLevelSettings)
    email, level, highest = user
    return Principal(
        api_key_id="",
        api_key_name="",
        user_id=user_id,
        user_email=email,
        power_level=levels.bounded(level, highest, control.publisher.current.strategy),
        highest_level=levels.highest(highest),
        byok_policy=policy,
        byok_fallback=wishes.fallback,
        own_keys=control.publisher.current.own_keys.get(user_id),
    )


def _request(wanted: RouteExplain) -> RouteRequest:
    """What is asked about, read by the same signs as traffic is. Raises BadRequest naming the field."""
    raw = {
        name: json.dumps(getattr(wanted, name), separators=(",", ":"), ensure_ascii=False).encode()
        for name in ("messages", "tools", "response_format", "models", "provider", "fallbacks")
    }
    body = b"".join(raw[name] for name in ("messages", "tools") if raw[name] != b"null")
    return RouteRequest(
        model=wanted.model,
        power_level=wanted.power_level,
        needs=needs_of(raw["tools"], raw["response_format"], body),
        input_tokens=estimated_tokens(body) if wanted.input_tokens is None else wanted.input_tokens,
        max_output_tokens=wanted.max_tokens,
        options=read_options(raw["models"], raw["provider"], raw["fallbacks"]),
        explain=True,
    )
