"""Reads a provider's own list of models into facts of ours: names, limits, capabilities, prices.

A pure function over the bytes of a foreign answer, which it trusts in nothing: what has not the expected
shape is left out, and no text of it but names of models goes further. It fetches nothing and stores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ops_center.types import Price

MAX_MODELS = 5_000
_MAX_NAME = 300
_MAX_TOKENS = 1_000_000_000
_MILLION = Decimal(1_000_000)
_DEAREST_MTOK = Decimal(1_000_000)

_CONTEXT_FIELDS = (
    "context_length",
    "context_window",
    "max_context_length",
    "max_model_len",
    "max_input_tokens",
    "inputTokenLimit",
)
_OUTPUT_FIELDS = ("max_completion_tokens", "max_output_tokens", "max_output_length", "outputTokenLimit")
# OpenRouter's supported_parameters (https://openrouter.ai/docs/api-reference/list-available-models, 2026-11)
_PARAMETER_CAPABILITY = {
    "tools": "tools",
    "structured_outputs": "structured_output",
    "reasoning": "reasoning",
    "include_reasoning": "reasoning",
}
_MODALITY_CAPABILITY = {"image": "vision", "file": "pdf", "audio": "audio_input"}
_OUTPUT_TASK = {"image": "image_generation", "audio": "speech", "embeddings": "embedding", "rerank": "rerank"}

# What Cloudflare's models are for; those for anything else answer to no endpoint of ours.
_CLOUDFLARE_TASK = {
    "Text Generation": None,
    "Text Embeddings": "embedding",
    "Text-to-Image": "image_generation",
    "Automatic Speech Recognition": "transcription",
    "Text-to-Speech": "speech",
}


class DiscoveredModel(msgspec.Struct, frozen=True):
    """One entry of a list: the provider's own id, and its facts as the JSON column `models.discovered`."""

    name: str
    facts: dict[str, Any]


def parse_model_list(provider_type: str, body: bytes, as_of: str) -> list[DiscoveredModel] | None:
    """The models of a list in the form of OpenAI, Anthropic, OpenRouter, Google, AWS or Cohere; None when it is no such list.

    `as_of` is the day of asking, which prices carry. Entries without a usable name are left out, a name
    that comes twice counts once.
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    entries = _entries(answer)
    if not isinstance(entries, list):
        return None
    found: dict[str, DiscoveredModel] = {}
    for entry in entries:
        name = _id(entry) if isinstance(entry, dict) else None
        if name is not None and name not in found:
            found[name] = DiscoveredModel(name, _facts(provider_type, name, entry, as_of))
            if len(found) == MAX_MODELS:
                break
    if entries and not found:
        return None
    return list(found.values())


# Where a list's entries stand: OpenAI's `data`, the Gemini API's `models`, Vertex AI's `publisherModels`
# (https://ai.google.dev/api/models, 2026-11), the two lists of Bedrock
# (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html, 2026-11), Cloudflare's
# `result` (https://developers.cloudflare.com/api/resources/ai/subresources/models/methods/list, 2026-11).
_PLACES_OF_ENTRIES = (
    "data",
    "models",
    "publisherModels",
    "modelSummaries",
    "inferenceProfileSummaries",
    "result",
)


_SERVED_BY_VERTEX = ("gemini-", "text-embedding-", "text-multilingual-embedding-")


def _entries(answer: Any) -> Any:
    if not isinstance(answer, dict):
        return answer
    return next((answer[place] for place in _PLACES_OF_ENTRIES if isinstance(answer.get(place), list)), None)


def _id(entry: Mapping[str, Any]) -> str | None:
    """The id by which a model is called. Google's stands at the end of a resource's name."""
    types = entry.get("inferenceTypesSupported")
    if isinstance(types, list) and "ON_DEMAND" not in types:
        return None  # Bedrock: it answers under another name, that of a profile
    task = entry.get("task")
    if isinstance(task, dict) and "source" in entry:  # Cloudflare: the id is one of its database
        return _name(entry.get("name")) if task.get("name") in _CLOUDFLARE_TASK else None
    name = _name(entry.get("id")) or _name(entry.get("modelId")) or _name(entry.get("inferenceProfileId"))
    if name is None and isinstance(entry.get("endpoints"), list):
        return _name(entry.get("name"))  # Cohere
    if name is None and (resource := _name(entry.get("name"))) and "models/" in resource:
        name = _name(resource.rpartition("models/")[2])
        if resource.startswith("publishers/") and name and not name.startswith(_SERVED_BY_VERTEX):
            return None  # pictures, speech and films, which answer at other addresses
    return name


def _name(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    name = value.strip()
    return name if 0 < len(name) <= _MAX_NAME and name.isprintable() else None


def _facts(provider_type: str, name: str, entry: Mapping[str, Any], as_of: str) -> dict[str, Any]:
    serving = entry.get("top_provider")
    places = [entry, serving] if isinstance(serving, dict) else [entry]
    facts: dict[str, Any] = {
        "display_name": _name(entry.get("display_name"))
        or _name(entry.get("displayName"))
        or _name(entry.get("modelName"))
        or _name(entry.get("inferenceProfileName"))
        or (_name(entry.get("name")) if provider_type == "openrouter" else None),
        "context_window": _tokens(places, _CONTEXT_FIELDS),
        "max_output_tokens": _tokens(places, _OUTPUT_FIELDS),
        "capabilities": _capabilities(entry),
        "price": _price(provider_type, name, entry, as_of),
        "retires_on": next((day for field in _RETIRING_FIELDS if (day := _day(entry.get(field)))), None),
        "successor": _name(entry.get("deprecation_replacement_model")),
    }
    return {field: value for field, value in facts.items() if value is not None}


# The day after which a model is served no more: Mistral's, OpenRouter's and OpenAI's lists say it
# (https://docs.mistral.ai/api/endpoint/models, https://openrouter.ai/docs/api-reference/list-available-models,
# https://developers.openai.com/api/reference/resources/models/methods/list, 2026-11).
_RETIRING_FIELDS = ("deprecation", "expiration_date", "shutdown_date")


def _day(value: Any) -> str | None:
    try:
        return datetime.fromisoformat(value).date().isoformat() if isinstance(value, str) else None
    except ValueError:
        return None


def _tokens(places: list[Mapping[str, Any]], fields: tuple[str, ...]) -> int | None:
    for place in places:
        for field in fields:
            value = place.get(field)
            if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_TOKENS:
                return value
    return None


def _capabilities(entry: Mapping[str, Any]) -> list[str] | None:
    """None when the list says nothing about them, so that the packaged catalogue is asked."""
    task = entry.get("task")
    if isinstance(task, dict) and (other := _CLOUDFLARE_TASK.get(task.get("name", ""))):
        return [other]
    parameters, architecture = entry.get("supported_parameters"), entry.get("architecture")
    if not isinstance(parameters, list) or not isinstance(architecture, dict):
        return None
    found = {
        _PARAMETER_CAPABILITY[p] for p in parameters if isinstance(p, str) and p in _PARAMETER_CAPABILITY
    }
    reads, writes = architecture.get("input_modalities"), architecture.get("output_modalities")
    if isinstance(reads, list):
        found |= {_MODALITY_CAPABILITY[m] for m in reads if isinstance(m, str) and m in _MODALITY_CAPABILITY}
    if isinstance(writes, list) and writes and "text" not in writes:
        found |= {_OUTPUT_TASK[m] for m in writes if isinstance(m, str) and m in _OUTPUT_TASK}
    return sorted(found)


def _price(provider_type: str, name: str, entry: Mapping[str, Any], as_of: str) -> dict[str, Any] | None:
    """OpenRouter's form: USD per single token as text; -1 stands for "depends", as for its own router.

    Zero for both input and output means free where OpenRouter says so of a model that writes text, and
    under a name that ends in `:free`; anywhere else it is what a server writes that knows no price.
    """
    pricing = entry.get("pricing")
    if not isinstance(pricing, dict):
        return None
    input_mtok, output_mtok = _mtok(pricing.get("prompt")), _mtok(pricing.get("completion"))
    if input_mtok is None or output_mtok is None:
        return None
    request = _dollars(pricing.get("request"))
    if not input_mtok and not output_mtok and not request and not _is_free(provider_type, name, entry):
        return None
    read, write = _mtok(pricing.get("input_cache_read")), _mtok(pricing.get("input_cache_write"))
    reasoning = _mtok(pricing.get("internal_reasoning"))
    price = Price(
        input_mtok=input_mtok,
        output_mtok=output_mtok,
        cache_read_mtok=read or None,  # zero is "none given" here, never "free"
        # below the input price it is a storage fee (Gemini), not what a written token costs
        cache_write_mtok=write if write and write >= input_mtok else None,
        reasoning_mtok=reasoning if reasoning and reasoning != output_mtok else None,
        request_usd=request or Decimal(0),
        source="openrouter" if provider_type == "openrouter" else "provider",
        as_of=as_of,
    )
    built: dict[str, Any] = msgspec.to_builtins(price)
    if not request:
        built.pop("request_usd", None)
    return built


def _is_free(provider_type: str, name: str, entry: Mapping[str, Any]) -> bool:
    if name.endswith(":free"):
        return True
    architecture = entry.get("architecture")
    writes = architecture.get("output_modalities") if isinstance(architecture, dict) else None
    return provider_type == "openrouter" and (not isinstance(writes, list) or writes == ["text"])


def _mtok(value: Any) -> Decimal | None:
    dollars = _dollars(value)
    if dollars is None or dollars * _MILLION > _DEAREST_MTOK:
        return None
    return (dollars * _MILLION).normalize() + 0


def _dollars(value: Any) -> Decimal | None:
    if not isinstance(value, (str, int, float)) or isinstance(value, bool) or len(str(value)) > 40:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= 1000 else None
