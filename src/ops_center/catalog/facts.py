"""Decides what we believe about a model, field by field: the admin's word, the provider's own list, the
packaged catalogue, our own table; the first that knows wins.

Pure over its arguments and the packaged data; it asks no provider and reads no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ops_center.catalog import packaged
from ops_center.catalog.names import task_of_name
from ops_center.types import Price, TimeLimits

OVERRIDE_PRICES = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "reasoning_mtok",
    "input_audio_mtok",
    "output_audio_mtok",
    "input_audio_minute_usd",
    "request_usd",
    "web_search_usd",
)
_OF_ANY_SIZE = frozenset(
    {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "reasoning_mtok"}
)

# Served by OpenAI only under /v1/responses (https://platform.openai.com/docs/models, 2026-11); other
# providers serve the same models as chat.
RESPONSES_ONLY = "responses_only"
_RESPONSES_ONLY_WORDS = ("-codex", "codex-", "-deep-research", "computer-use")


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one model at one provider; None and empty where nothing is."""

    display_name: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    price: Price | None = None
    score: float | None = None  # quality, 0 to 100
    score_source: str | None = None  # "override", "benchmarks 2026-07-02"
    retires_on: str | None = None  # ISO date from which the provider serves it no more
    successor: str | None = None  # what the provider names instead
    # field → "override", "provider" (its own list), "models.dev 2026-07-02" or "ops-center 2026-11-23"; of
    # fields that are known at all, without price and score, which carry their own
    sources: dict[str, str] = {}
    time_limits: TimeLimits | None = None  # the admin's alone


def resolve_model_facts(
    provider_type: str,
    model_name: str,
    discovered: Mapping[str, Any] | None,
    override: Mapping[str, Any] | None,
) -> ModelFacts:
    """The facts about `model_name`, the provider's own id.

    `discovered` is what `discovered.py` read from the provider's list, `override` the admin's fields
    (prices per million tokens and per request, score, limits, capabilities, and the day as `as_of`). A provider without data of
    its own, such as a custom one, gets a well-known model's facts by its name, but never its price.
    """
    said, wanted = discovered or {}, override or {}
    here = packaged.find_model(provider_type, model_name)
    known = here or packaged.find_anywhere(model_name)
    own = packaged.find_own(provider_type, model_name)
    rows = []
    if known is not None:
        rows.append((packaged.source_of(provider_type if here else None, own=False), known))
    if own is not None:
        rows.append((packaged.source_of(own=True), own))
    sources: dict[str, str] = {}

    price = _override_price(wanted, _base_price(provider_type, said, here, own))
    price = _with_fees(provider_type, model_name, price)
    score, score_source = _score(model_name, wanted)
    retires_on, successor = _retirement(provider_type, model_name, said, here, sources)
    return ModelFacts(
        display_name=_text(said.get("display_name")) or next((row.name for _, row in rows), model_name),
        context_window=_first(wanted, said, rows, "context_window", sources),
        max_output_tokens=_first(wanted, said, rows, "max_output_tokens", sources),
        capabilities=_capabilities(provider_type, model_name, wanted, said, rows, price, sources),
        price=price,
        score=score,
        score_source=score_source,
        retires_on=retires_on,
        successor=successor,
        sources=sources,
        time_limits=_time_limits(wanted),
    )


def _retirement(
    provider_type: str,
    model_name: str,
    said: Mapping[str, Any],
    here: packaged.PackagedModel | None,
    sources: dict[str, str],
) -> tuple[str | None, str | None]:
    """The day and the successor. Of this very provider: the same model may live on at another."""
    listed, known = _text(said.get("retires_on")), packaged.find_retirement(provider_type, model_name)
    successor = _text(said.get("successor")) or (known[0].successor if known else None)
    if listed is not None:
        sources["retires_on"] = "provider"
        return listed, successor
    if known is not None:
        sources["retires_on"] = known[1]
        return known[0].on, successor
    if here is not None and here.retires_on is not None:
        sources["retires_on"] = packaged.source_of(provider_type, own=False)
        return here.retires_on, successor
    return None, successor


def _time_limits(wanted: Mapping[str, Any]) -> TimeLimits | None:
    try:
        return msgspec.convert(wanted.get("time_limits"), TimeLimits | None)
    except msgspec.ValidationError:
        return None


def _base_price(
    provider_type: str,
    said: Mapping[str, Any],
    here: packaged.PackagedModel | None,
    own: packaged.PackagedModel | None,
) -> Price | None:
    listed = said.get("price")
    if listed is not None:
        try:
            return msgspec.convert(listed, Price)
        except msgspec.ValidationError:
            pass  # written by another version of ours: what is packaged still holds
    price = packaged.price_of(here, own=False, provider_type=provider_type) if here else None
    if price is None and own is not None:
        price = packaged.price_of(own, own=True)
    return price


def _override_price(wanted: Mapping[str, Any], base: Price | None) -> Price | None:
    """`base` with the admin's prices put in; those of tokens hold for any size of request, so tiers go.

    With no price below, an override needs both input and output to make one.
    """
    changes: dict[str, Any] = {}
    for field in OVERRIDE_PRICES:
        amount = _amount(wanted.get(field))
        if amount is not None:
            changes[field] = amount
    if not changes:
        return base
    if base is None:
        if "input_mtok" not in changes or "output_mtok" not in changes:
            return None
        return Price(**changes, source="override", as_of=_text(wanted.get("as_of")) or "")
    if "cache_write_mtok" in changes:
        changes["cache_write_1h_mtok"] = None
    if "output_mtok" in changes:
        changes.setdefault("reasoning_mtok", None)
    if changes.keys() & _OF_ANY_SIZE:
        changes["tiers"] = ()
    return msgspec.structs.replace(base, **changes, source="override", as_of=_text(wanted.get("as_of")) or "")


def _with_fees(provider_type: str, model_name: str, price: Price | None) -> Price | None:
    fees = packaged.fees_of(provider_type, model_name)
    if price is None or fees is None:
        return price
    minute, search = price.input_audio_minute_usd, price.web_search_usd
    return msgspec.structs.replace(
        price,
        input_audio_minute_usd=fees.input_audio_minute_usd if minute is None else minute,
        request_usd=price.request_usd or fees.request_usd or Decimal(0),
        web_search_usd=fees.web_search_usd if search is None else search,
        web_search_once=fees.web_search_once,
        web_search_doubt=fees.web_search_doubt if search is None else None,  # an admin knows what they pay
        tool_call_usd=fees.tool_call_usd,
        service_tiers=fees.service_tiers,
    )


def _score(model_name: str, wanted: Mapping[str, Any]) -> tuple[float | None, str | None]:
    own = wanted.get("score")
    if isinstance(own, (int, float)) and not isinstance(own, bool):
        return float(own), "override"
    return packaged.find_score(model_name) or (None, None)


def _first(
    wanted: Mapping[str, Any],
    said: Mapping[str, Any],
    rows: list[tuple[str, packaged.PackagedModel]],
    field: str,
    sources: dict[str, str],
) -> int | None:
    told = [("override", wanted.get(field)), ("provider", said.get(field))]
    told += [(source, getattr(row, field)) for source, row in rows]
    for source, value in told:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            sources[field] = source
            return value
    return None


def _capabilities(
    provider_type: str,
    model_name: str,
    wanted: Mapping[str, Any],
    said: Mapping[str, Any],
    rows: list[tuple[str, packaged.PackagedModel]],
    price: Price | None,
    sources: dict[str, str],
) -> frozenset[str]:
    by_hand = wanted.get("capabilities")
    if isinstance(by_hand, list):
        sources["capabilities"] = "override"
        return frozenset(item for item in by_hand if isinstance(item, str))
    listed = said.get("capabilities")
    found: set[str] = set()
    if isinstance(listed, list):
        found = {item for item in listed if isinstance(item, str)}
        sources["capabilities"] = "provider"
    elif (known := next((one for one in rows if one[1].capabilities), None)) is not None:
        found = set(known[1].capabilities)
        sources["capabilities"] = known[0]
    task = task_of_name(model_name)
    if task is not None and not found:
        sources["capabilities"] = "name"
    if task is not None:
        found.add(task)
    if price is not None and price.cache_read_mtok is not None:
        found.add("prompt_caching")
    if provider_type == "openai" and _only_responses(model_name):
        found.add(RESPONSES_ONLY)
    return frozenset(found)


def _only_responses(model: str) -> bool:
    pro = model.startswith(("gpt-5", "o1-", "o3-")) and "-pro" in model
    return pro or any(word in model for word in _RESPONSES_ONLY_WORDS)


def _amount(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
