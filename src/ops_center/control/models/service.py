"""What may happen to models: listed with what is believed about them, overridden, added and removed by hand.

An override is the admin's word: it is kept apart from what was discovered, with the day it was given, and
taking it back brings the other sources to light again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy.exc import IntegrityError

from ops_center.catalog.facts import OVERRIDE_PRICES, ModelFacts, resolve_model_facts
from ops_center.catalog.names import OTHER_TASKS, canonical_name
from ops_center.catalog.packaged import source_of_fees
from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.fields import TimeLimits
from ops_center.control.models import repository
from ops_center.control.models.repository import Filters, ModelRow
from ops_center.control.models.schemas import (
    Model,
    ModelCreate,
    ModelList,
    ModelPrice,
    ModelPriceTier,
    ModelsUpdate,
    ModelsUpdated,
    ModelUpdate,
)
from ops_center.control.providers import repository as providers
from ops_center.control.publish import decoded
from ops_center.control.routing_versions.service import keep
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.snapshot import Snapshot
from ops_center.types import new_id

_OVERRIDABLE = (*OVERRIDE_PRICES, "score", "context_window", "max_output_tokens", "capabilities")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which models: by what stands in their rows, and by what is believed about them."""

    filters: Filters
    capability: str | None = None
    max_input_mtok: Decimal | None = None
    min_context: int | None = None

    @property
    def of_facts(self) -> bool:
        return (self.capability, self.max_input_mtok, self.min_context) != (None, None, None)

    def fits(self, facts: ModelFacts) -> bool:
        """A model of which nobody knows what is asked for does not fit."""
        if self.capability is not None and not _has(facts, self.capability):
            return False
        if self.max_input_mtok is not None and (
            facts.price is None or facts.price.input_mtok > self.max_input_mtok
        ):
            return False
        return self.min_context is None or (facts.context_window or 0) >= self.min_context


def _has(facts: ModelFacts, capability: str) -> bool:
    """`chat` is what a model does that does nothing else."""
    if capability == "chat":
        return not (facts.capabilities & OTHER_TASKS)
    return capability in facts.capabilities


async def list_models(control: Control, wanted: Wanted, sort: str, limit: int, offset: int) -> ModelList:
    """A page of models. What only the rows decide is decided by the database; the rest needs all of them."""
    led_to = aliases_of(control.publisher.current)
    if sort == "name" and not wanted.of_facts:
        async with control.database.read() as conn:
            total = await repository.count(conn, wanted.filters)
            rows = await repository.listed(conn, wanted.filters, limit, offset)
        return ModelList(models=[_model(control, row, led_to) for row in rows], total=total)
    async with control.database.read() as conn:
        rows = await repository.listed(conn, wanted.filters, None)
    # Thousands of models take a while: not on the event loop, where requests are waiting.
    known = await asyncio.to_thread(_ordered, control, rows, wanted, sort)
    return ModelList(
        models=[_model(control, row, led_to) for row in known[offset : offset + limit]], total=len(known)
    )


def _ordered(control: Control, rows: Sequence[ModelRow], wanted: Wanted, sort: str) -> list[ModelRow]:
    """Those that fit; within equals by name. What nobody knows is last in both directions."""
    believed = ((row, control.publisher.facts_of(row.facts_key)) for row in rows)
    known = [(row, facts) for row, facts in believed if wanted.fits(facts)]
    field = sort.removeprefix("-")
    key = _SORT_KEYS[field]
    known.sort(key=lambda one: key(*one) or 0, reverse=sort.startswith("-"))
    known.sort(key=lambda one: key(*one) is None)
    return [row for row, _ in known]


def _blended(row: ModelRow, facts: ModelFacts) -> Decimal | None:
    return None if facts.price is None else 3 * facts.price.input_mtok + facts.price.output_mtok


_SORT_KEYS: Mapping[str, Callable[[ModelRow, ModelFacts], Any]] = {
    "name": lambda row, facts: row.name.lower(),
    "provider": lambda row, facts: row.provider_name.lower(),
    "context": lambda row, facts: facts.context_window,
    "price": _blended,
    "score": lambda row, facts: facts.score,
}


async def switch_models(control: Control, actor: Actor, wanted: ModelsUpdate) -> ModelsUpdated:
    """Enable or disable many models at once, with one entry in the audit log.

    Raises Invalid unless there are either ids or a filter, or when an id is unknown.
    """
    if (wanted.ids is None) == (wanted.filter is None):
        raise Invalid("Either ids or a filter says which models", param="ids")
    which = Wanted(filters=Filters(ids=wanted.ids))
    if wanted.filter is not None:
        given = wanted.filter
        which = Wanted(
            filters=Filters(search=given.search, provider_id=given.provider_id, enabled=given.enabled),
            capability=given.capability,
            max_input_mtok=given.max_input_mtok,
            min_context=given.min_context,
        )
    async with control.database.write() as conn:
        rows = await repository.listed(conn, which.filters, None)
        if wanted.ids is not None and len(rows) != len(set(wanted.ids)):
            raise Invalid("There is no model with one of these ids", param="ids")
        if which.of_facts:
            rows = await asyncio.to_thread(_ordered, control, rows, which, "name")
        changing = [row for row in rows if row.enabled is not wanted.enabled]
        if changing:
            await repository.switch(conn, [row.id for row in changing], wanted.enabled)
            await keep(conn, actor, "model.switch", at=control.clock())
            await record(
                conn,
                actor,
                "model.switch",
                "model",
                "",
                f"{len(changing)} models" if len(changing) > 1 else changing[0].name,
                {"enabled": not wanted.enabled},
                {
                    "enabled": wanted.enabled,
                    "models": [f"{row.provider_name}/{row.name}" for row in changing[:_MOST_NAMED]],
                },
                at=control.clock(),
            )
    if changing:
        await control.publisher.publish()
    return ModelsUpdated(changed=len(changing))


_MOST_NAMED = 100  # models that an entry of the audit log names


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
            await keep(conn, actor, "model.create", at=now)
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
    return _model(control, row, aliases_of(control.publisher.current))


async def update_model(control: Control, actor: Actor, model_id: str, wanted: ModelUpdate) -> Model:
    """Change what is sent; null takes an override back. Raises NotFound, or Invalid naming the field."""
    now = control.clock()
    sent = wanted.model_fields_set
    async with control.database.write() as conn:
        row = await repository.by_id(conn, model_id, lock=True)
        if row is None:
            raise NotFound("There is no model with this id")
        changes = {name: getattr(wanted, name) for name in _OVERRIDABLE if name in sent}
        if "time_limits" in sent:
            before, given = (row.override or {}).get("time_limits"), wanted.time_limits
            changes["time_limits"] = None if given is None else given.merged(before)
        override = row.override
        if changes:
            override = _merged(row.override, changes, now.date().isoformat())
            _check_price(_facts(row, override), override)
        enabled = wanted.enabled if wanted.enabled is not None else row.enabled
        await repository.change(conn, model_id, {"override": override, "enabled": enabled})
        await keep(conn, actor, "model.update", at=now)
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
        await keep(conn, actor, "model.delete", at=control.clock())
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


def _model(control: Control, row: ModelRow, led_to: Mapping[str, list[str]]) -> Model:
    facts = control.publisher.facts_of(row.facts_key)
    price = facts.price
    overridden = sorted(_shown(row.override))
    below = _facts(row, None) if overridden else facts
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
            cache_write_1h_mtok=price.cache_write_1h_mtok,
            reasoning_mtok=price.reasoning_mtok,
            input_audio_mtok=price.input_audio_mtok,
            output_audio_mtok=price.output_audio_mtok,
            input_audio_minute_usd=price.input_audio_minute_usd,
            web_search_usd=price.web_search_usd,
            request_usd=price.request_usd,
            tiered=bool(price.tiers),
            tiers=[ModelPriceTier.model_validate(tier) for tier in price.tiers],
            source=price.source,
            as_of=price.as_of,
        ),
        score=facts.score,
        score_source=facts.score_source,
        served_as=led_to.get(canonical_name(row.name), []) if serving else [],
        overridden=overridden,
        sources=_sources(facts, below, overridden),
        without_override={field: _value(below, field) for field in overridden},
        retires_on=None if facts.retires_on is None else date.fromisoformat(facts.retires_on),
        successor=facts.successor,
        time_limits=TimeLimits(
            **({} if facts.time_limits is None else msgspec.structs.asdict(facts.time_limits))
        ),
    )


def _sources(facts: ModelFacts, below: ModelFacts, overridden: Sequence[str]) -> dict[str, str]:
    """`below` is what the other sources say, under the admin's word."""
    sources = dict(facts.sources)
    if facts.price is not None:
        listed = "" if below.price is None else f"{below.price.source} {below.price.as_of}"
        sources["price"] = "override" if facts.price.source == "override" else listed
        for field in OVERRIDE_PRICES:
            if _value(facts, field) is not None:
                sources[field] = "override" if field in overridden else listed
                if field in ("input_audio_minute_usd", "web_search_usd") and field not in overridden:
                    sources[field] = source_of_fees()
    if facts.score_source is not None:
        sources["score"] = facts.score_source
    return sources


def _value(facts: ModelFacts, field: str) -> Any:
    if field in OVERRIDE_PRICES:
        value = None if facts.price is None else getattr(facts.price, field)
        return None if field == "request_usd" and not value else value  # nearly no model has one
    return sorted(facts.capabilities) if field == "capabilities" else getattr(facts, field)


def _facts(row: ModelRow, override: Mapping[str, Any] | None) -> ModelFacts:
    return resolve_model_facts(row.provider_type, row.name, decoded(row.discovered), override)


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
