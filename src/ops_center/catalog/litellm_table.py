"""Reads the table of models that comes inside LiteLLM's package, without importing it, into rows of ours.

It is the packaged source for the provider type `litellm` alone, whose model strings are its keys; empty where
the extra is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

_FILE = "model_prices_and_context_window_backup.json"
_MILLION = Decimal(1_000_000)
# https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json, its `sample_spec` (2026-11)
_CAPABILITIES = {
    "supports_function_calling": "tools",
    "supports_vision": "vision",
    "supports_response_schema": "structured_output",
    "supports_reasoning": "reasoning",
    "supports_prompt_caching": "prompt_caching",
    "supports_pdf_input": "pdf",
    "supports_audio_input": "audio_input",
}
_TASKS = {
    "embedding": "embedding",
    "image_generation": "image_generation",
    "audio_transcription": "transcription",
    "audio_speech": "speech",
    "moderation": "moderation",
    "rerank": "rerank",
    "responses": "responses_only",
}
_PRICES = {
    "input_mtok": "input_cost_per_token",
    "output_mtok": "output_cost_per_token",
    "cache_read_mtok": "cache_read_input_token_cost",
    "cache_write_mtok": "cache_creation_input_token_cost",
}
_TIERS = ((128_000, "_above_128k_tokens"), (200_000, "_above_200k_tokens"))


def read_table() -> dict[str, Any] | None:
    """A file in the form of `data/models/*.json`; None without the package, or without its table."""
    try:
        package = find_spec("litellm")
        release = version("litellm")
        if package is None or not package.submodule_search_locations:
            return None
        path = Path(package.submodule_search_locations[0]) / _FILE
        listed = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (PackageNotFoundError, OSError, msgspec.DecodeError):
        return None
    models: dict[str, Any] = {}
    for name, entry in listed.items():
        if name == "sample_spec" or not isinstance(entry, dict):
            continue
        row = _row(name, entry)
        models[name] = row
        provider = str(entry.get("litellm_provider", "")).removesuffix("_converse")
        if provider and not name.startswith(f"{provider}/"):
            models.setdefault(f"{provider}/{name}", row)
    return {"source": "litellm", "as_of": release, "models": models}


def _row(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    capabilities = {ours for theirs, ours in _CAPABILITIES.items() if entry.get(theirs) is True}
    mode = entry.get("mode")
    if isinstance(mode, str) and mode in _TASKS:
        capabilities.add(_TASKS[mode])
    return {
        "name": name,
        "context_window": _tokens(entry.get("max_input_tokens")),
        "max_output_tokens": _tokens(entry.get("max_output_tokens")),
        "capabilities": sorted(capabilities),
        "price": _price(entry),
        "retires_on": _day(entry.get("deprecation_date")),
    }


def _price(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """None where a token has no price: what is billed by time or picture is not known to us."""
    price: dict[str, Any] = _rates(entry, "")
    if "input_mtok" not in price or "output_mtok" not in price:
        return None
    for field, theirs in (
        ("cache_write_1h_mtok", "cache_creation_input_token_cost_above_1hr"),
        ("reasoning_mtok", "output_cost_per_reasoning_token"),
    ):
        amount = _mtok(entry.get(theirs))
        if amount is not None and amount != price["output_mtok"]:
            price[field] = amount
    tiers = []
    for above, suffix in _TIERS:
        rates = _rates(entry, suffix)
        if "input_mtok" in rates and "output_mtok" in rates:
            tiers.append({"above_input_tokens": above, **rates})
    return price | ({"tiers": tiers} if tiers else {})


def _rates(entry: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    found = {field: _mtok(entry.get(theirs + suffix)) for field, theirs in _PRICES.items()}
    return {field: amount for field, amount in found.items() if amount is not None}


def _mtok(value: Any) -> str | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
        return None
    try:
        return format((Decimal(str(value)) * _MILLION).normalize(), "f")
    except InvalidOperation:
        return None


def _day(value: Any) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None


def _tokens(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
