"""What may happen to models: listed with what is believed about them, overridden, added and removed by hand.

An override is the admin's word: it is kept apart from what was discovered, with the day it was given, and
taking it back brings the other sources to light again.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import IntegrityError

from ops_center.catalog.facts import OVERRIDE_PRICES, ModelFacts, resolve_model_facts
from ops_center.catalog.names import canonical_name
from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.models import repository
from ops_center.control.models.repository import Filters, ModelRow
from ops_center.control.models.schemas import Model, ModelCreate, ModelList, ModelPrice, ModelUpdate
from ops_center.control.providers import repository as providers
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.snapshot import Snapshot
from ops_center.types import new_id

_OVERRIDABLE = (*OVERRIDE_PRICES, "score", "context_window")


async def list_models(control: Control, filters: Filters, limit: int, offset: int) -> ModelList:
    """A page of models, by name."""
    async with control.database.read() as conn:
        total = await repository.count(conn, filters)
        rows = await repository.listed(conn, filters, limit, offset)
    led_to = aliases_of(control.publisher.current)
    return ModelList(models=[_model(row, led_to) for row in rows], total=total)


async def create_model(control: Control, actor: Actor, wanted: ModelCreate) -> Model:
    """Raises Invalid naming the field, or Conflict naming `name`."""
    now = control.clock()
    given = {name: getattr(wanted, name) for name in ("input_mtok", "output_mtok", "context_window")}
    override = _merged(None, {k: v for k, v in given.items() if v is not None}, now.date().isoformat())
    model_id = new_id("mdl")
    try:
        async with control.database.write() as conn:
            provider = await providers.by_id(conn, wanted.provider_id, lock=True)
            if provider is None:
                raise Invalid("There is no provider with this id", param="provider_id")
            _check_price(resolve_model_facts(provider.type, wanted.name, None, override), override)
            await repository.add(conn, model_id, provider.id, wanted.name, override, now)
            await record(
                conn,
                actor,
                "model.create",
                "model",
                model_id,
                wanted.name,
                None,
                {"provider": provider.name, **(override or {})},
                at=now,
            )
    except IntegrityError:
        raise Conflict("This provider has a model of this name already", param="name") from None
    await control.publisher.publish()
    return await get_model(control, model_id)


async def get_model(control: Control, model_id: str) -> Model:
    """Raises NotFound."""
    async with control.database.read() as conn:
        row = await repository.by_id(conn, model_id)
    if row is None:
        raise NotFound("There is no model with this id")
    return _model(row, aliases_of(control.publisher.current))


async def update_model(control: Control, actor: Actor, model_id: str, wanted: ModelUpdate) -> Model:
    """Change what is sent; null takes an override back. Raises NotFound, or Invalid naming the field."""
    now = control.clock()
    sent = wanted.model_fields_set
    async with control.database.write() as conn:
        row = await repository.by_id(conn, model_id, lock=True)
        if row is None:
            raise NotFound("There is no model with this id")
        changes = {name: getattr(wanted, name) for name in _OVERRIDABLE if name in sent}
        override = row.override
        if changes:
            override = _merged(row.override, changes, now.date().isoformat())
            _check_price(_facts(row, override), override)
        enabled = wanted.enabled if wanted.enabled is not None else row.enabled
        await repository.change(conn, model_id, {"override": override, "enabled": enabled})
        await record(
            conn,
            actor,
            "model.update",
            "model",
            model_id,
            row.name,
            {"enabled": row.enabled, **_shown(row.override)},
            {"enabled": enabled, **_shown(override)},
            at=now,
        )
    await control.publisher.publish()
    return await get_model(control, model_id)


async def delete_model(control: Control, actor: Actor, model_id: str) -> None:
    """Remove a model that was entered by hand. Raises NotFound, or Conflict for a discovered one."""
    async with control.database.write() as conn:
        row = await repository.by_id(conn, model_id, lock=True)
        if row is None:
            raise NotFound("There is no model with this id")
        if row.origin != "manual":
            raise Conflict(
                "This model is in the provider's own list and would come back",
                hint="Disable it instead.",
            )
        await repository.remove(conn, model_id)
        await record(
            conn,
            actor,
            "model.delete",
            "model",
            model_id,
            row.name,
            {"provider": row.provider_name, **_shown(row.override)},
            None,
            at=control.clock(),
        )
    await control.publisher.publish()


def aliases_of(snapshot: Snapshot) -> dict[str, list[str]]:
    """Which aliases lead to which canonical name right now: to the first candidate that somebody serves."""
    led_to: dict[str, list[str]] = {}
    for alias, candidates in snapshot.aliases.items():
        if alias in snapshot.by_model:
            continue  # a model of this very name is served, and wins
        first = next((name for name in candidates if name in snapshot.by_model), None)
        if first is not None:
            led_to.setdefault(first, []).append(alias)
    return led_to


def _model(row: ModelRow, led_to: Mapping[str, list[str]]) -> Model:
    facts = _facts(row, row.override)
    price = facts.price
    serving = row.enabled and row.provider_enabled
    return Model(
        id=row.id,
        provider_id=row.provider_id,
        provider_name=row.provider_name,
        name=row.name,
        display_name=facts.display_name,
        enabled=row.enabled,
        origin=row.origin,  # type: ignore[arg-type]
        context_window=facts.context_window,
        max_output_tokens=facts.max_output_tokens,
        capabilities=sorted(facts.capabilities),
        price=None
        if price is None
        else ModelPrice(
            input_mtok=price.input_mtok,
            output_mtok=price.output_mtok,
            cache_read_mtok=price.cache_read_mtok,
            cache_write_mtok=price.cache_write_mtok,
            tiered=bool(price.tiers),
            source=price.source,
            as_of=price.as_of,
        ),
        score=facts.score,
        score_source=facts.score_source,
        served_as=led_to.get(canonical_name(row.name), []) if serving else [],
        overridden=sorted(_shown(row.override)),
    )


def _facts(row: ModelRow, override: Mapping[str, Any] | None) -> ModelFacts:
    return resolve_model_facts(row.provider_type, row.name, row.discovered, override)


def _merged(
    override: Mapping[str, Any] | None, changes: Mapping[str, Any], day: str
) -> dict[str, Any] | None:
    """The override with `changes` put in, None taking one out; None when nothing is left."""
    merged = dict(override or {})
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = format(value, "f") if isinstance(value, Decimal) else value
    merged.pop("as_of", None)
    return {**merged, "as_of": day} if merged else None


def _check_price(facts: ModelFacts, override: Mapping[str, Any] | None) -> None:
    """Raises Invalid when the override names some prices, but not enough of them to make one."""
    if facts.price is not None or not any(name in (override or {}) for name in OVERRIDE_PRICES):
        return
    missing = next(name for name in ("output_mtok", "input_mtok") if name not in (override or {}))
    raise Invalid(
        f"{missing} is needed too: no other source knows a price of this model",
        param=missing,
    )


def _shown(override: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (override or {}).items() if name != "as_of"}
