"""The kinds of providers that can be added, each with the range of its prices from the packaged catalogue."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from ops_center.catalog.facts import resolve_model_facts
from ops_center.catalog.names import OTHER_TASKS
from ops_center.catalog.packaged import packaged_models
from ops_center.control.providers.schemas import CostRange, OptionField, ProviderType
from ops_center.litellm_sdk.install import HOW_TO_GET, missing
from ops_center.providers.registry import PROVIDER_SPECS
from ops_center.providers.spec import ProviderSpec


def provider_types() -> list[ProviderType]:
    """All types, the recommended one first."""
    return [_with_extra(spec) if spec.extra else _provider_type(spec) for spec in PROVIDER_SPECS]


def _with_extra(spec: ProviderSpec) -> ProviderType:
    problem = missing()
    return _provider_type(spec).model_copy(
        update={"missing": problem, "how_to_get": HOW_TO_GET if problem else None}
    )


@cache
def _provider_type(spec: ProviderSpec) -> ProviderType:
    return ProviderType(
        type=spec.type,
        name=spec.name,
        description=spec.description,
        color=spec.color,
        get_key_url=spec.get_key_url,
        key_prefix=spec.key_prefix,
        recommended_for=spec.recommended_for,
        cost_range=None if spec.extra else _cost_range(spec.type),
        default_base_url=None if spec.extra else spec.default_base_url,
        requires_base_url=spec.default_base_url is None,
        requires_key=spec.requires_key,
        key_help=spec.key_help,
        option_fields=[OptionField.model_validate(field) for field in spec.option_fields],
        local=spec.local,
        models_count=0 if spec.extra else len(packaged_models(spec.type)),
        takes_base_url=spec.extra is None,
        missing=None,
        how_to_get=None,
    )


def _cost_range(provider_type: str) -> CostRange | None:
    lowest: list[Decimal] = []
    highest: list[Decimal] = []
    for name in packaged_models(provider_type):
        facts = resolve_model_facts(provider_type, name, None, None)
        if facts.price is None or facts.capabilities & OTHER_TASKS:
            continue
        if facts.price.input_mtok > 0:
            lowest.append(facts.price.input_mtok)
        if facts.price.output_mtok > 0:
            highest.append(facts.price.output_mtok)
    return CostRange(min_usd=min(lowest), max_usd=max(highest)) if lowest and highest else None
