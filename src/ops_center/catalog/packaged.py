"""Reads the packaged catalogue: one file per provider, loaded when first asked for and kept.

It answers exact questions about data; which answer wins over which is decided in `facts.py`.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from ops_center.catalog.litellm_table import read_table
from ops_center.catalog.names import canonical_name, score_names, undated_name
from ops_center.types import Price, PriceTier

_DATA = Path(__file__).parent / "data"

# Provider types whose data stands under another id.
_CATALOG_ID = {
    "bedrock": "amazon-bedrock",
    "together": "togetherai",
    "fireworks": "fireworks-ai",
    "cloudflare": "cloudflare-workers-ai",
    "novita": "novita-ai",
    "vertex": "google-vertex",
    "gemini": "google",
    "moonshot": "moonshotai",
    "qwen": "alibaba",
}
# Who makes models, for what a model is when its provider is not known; makers before those who serve others'.
_MAKERS = (
    "openai",
    "anthropic",
    "google",
    "mistral",
    "deepseek",
    "alibaba",
    "xai",
    "moonshotai",
    "zai",
    "minimax",
    "cohere",
    "openrouter",
    "huggingface",
)


class _Rates(msgspec.Struct, frozen=True):
    input_mtok: Decimal
    output_mtok: Decimal
    cache_read_mtok: Decimal | None = None
    cache_write_mtok: Decimal | None = None
    cache_write_1h_mtok: Decimal | None = None
    reasoning_mtok: Decimal | None = None
    input_audio_mtok: Decimal | None = None
    output_audio_mtok: Decimal | None = None
    input_image_mtok: Decimal | None = None
    tiers: tuple[PriceTier, ...] = ()


class PackagedModel(msgspec.Struct, frozen=True):
    """One line of the data."""

    name: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    price: _Rates | None = None
    retires_on: str | None = None  # ISO date


class _File(msgspec.Struct, frozen=True):
    source: str
    as_of: str
    models: dict[str, PackagedModel]


class Fees(msgspec.Struct, frozen=True):
    """What a provider bills beside tokens, and what its tiers cost, whatever the model. `models` says what is
    different for those whose names begin so; of several, the longest beginning counts."""

    request_usd: Decimal | None = None
    input_audio_minute_usd: Decimal | None = None
    web_search_usd: Decimal | None = None
    web_search_once: bool = False
    web_search_doubt: str | None = None
    tool_call_usd: dict[str, Decimal] = {}
    service_tiers: dict[str, Decimal] = {}
    models: dict[str, Fees] = {}


class _FeesFile(msgspec.Struct, frozen=True):
    as_of: str
    providers: dict[str, Fees]


class Retirement(msgspec.Struct, frozen=True):
    """The day from which a provider serves a model no more, and what it names instead."""

    on: str  # ISO date
    successor: str | None = None


class _RetirementsOf(msgspec.Struct, frozen=True):
    models: dict[str, Retirement]


class _Retirements(msgspec.Struct, frozen=True):
    as_of: str
    providers: dict[str, _RetirementsOf]


class _Scores(msgspec.Struct, frozen=True):
    source: str
    as_of: str
    method: str
    benchmarks: tuple[str, ...]
    scores: dict[str, float]


class _Shelf:
    """One file with the further names under which its models are found."""

    def __init__(self, file: _File) -> None:
        self.file = file
        self.by_name: dict[str, str] = {}
        undated: dict[str, str] = {}
        for name in sorted(file.models):
            canonical = canonical_name(name)
            self.by_name.setdefault(canonical, name)
            undated[undated_name(canonical)] = name  # the newest of the dated ones, which sort by date
        for canonical, name in undated.items():
            self.by_name.setdefault(canonical, name)

    def find(self, model: str) -> PackagedModel | None:
        """The model of this id; else of this canonical name; else the same name without or with a date.

        Two makers' models of one name stay apart: a fine-tune must not get the original's price.
        """
        found = self.file.models.get(model)
        if found is not None:
            return found
        canonical = canonical_name(model)
        name = self.by_name.get(canonical) or self.by_name.get(undated_name(canonical))
        if name is None or (_maker(name) and _maker(model) and _maker(name) != _maker(model)):
            return None
        return self.file.models[name]


@cache
def _shelf(catalog_id: str) -> _Shelf | None:
    if catalog_id == "litellm":
        table = read_table()
        return None if table is None else _Shelf(msgspec.convert(table, _File, strict=False))
    path = _DATA / "models" / f"{catalog_id}.json"
    if not path.is_file():
        return None
    return _Shelf(msgspec.json.decode(path.read_bytes(), type=_File))


@cache
def _own() -> _File:
    return msgspec.json.decode((_DATA / "own.json").read_bytes(), type=_File)


@cache
def _scores() -> _Scores:
    return msgspec.json.decode((_DATA / "scores.json").read_bytes(), type=_Scores)


@cache
def _fees() -> _FeesFile:
    return msgspec.json.decode((_DATA / "fees.json").read_bytes(), type=_FeesFile)


@cache
def _retirements() -> _Retirements:
    return msgspec.json.decode((_DATA / "retirements.json").read_bytes(), type=_Retirements)


def find_retirement(provider_type: str, model: str) -> tuple[Retirement, str] | None:
    """What our table knows of a model's end at this provider, and how it is named beside it; None for nothing."""
    table = _retirements()
    provider = table.providers.get(catalog_id(provider_type))
    found = provider.models.get(model) if provider else None
    return None if found is None else (found, f"{_own().source} {table.as_of}")


def fees_of(provider_type: str, model: str) -> Fees | None:
    """What our table knows of the fees for a model at a provider; None for nothing."""
    fees = _fees().providers.get(catalog_id(provider_type))
    if fees is None or not fees.models:
        return fees
    begins = max((name for name in fees.models if model.startswith(name)), key=len, default=None)
    if begins is None:
        return fees
    special = fees.models[begins]
    return msgspec.structs.replace(
        fees,
        request_usd=special.request_usd,
        input_audio_minute_usd=special.input_audio_minute_usd,
        web_search_usd=fees.web_search_usd if special.web_search_usd is None else special.web_search_usd,
        web_search_once=special.web_search_once,
        web_search_doubt=special.web_search_doubt or fees.web_search_doubt,
        tool_call_usd={**fees.tool_call_usd, **special.tool_call_usd},
    )


def source_of_fees() -> str:
    """How our table of fees is named beside a value of it."""
    return f"{_own().source} {_fees().as_of}"


def catalog_id(provider_type: str) -> str:
    """Under which id the data of a provider type stands, whether or not there is any."""
    return _CATALOG_ID.get(provider_type, provider_type)


def catalog_ids() -> tuple[str, ...]:
    """All providers there is data for."""
    return tuple(sorted(path.stem for path in (_DATA / "models").glob("*.json")))


def packaged_models(provider_type: str) -> dict[str, PackagedModel]:
    """Everything the data knows of a provider type, by the provider's own model id; empty for an unknown one."""
    shelf = _shelf(catalog_id(provider_type)) if _is_plain(provider_type) else None
    return dict(shelf.file.models) if shelf else {}


def find_model(provider_type: str, model: str) -> PackagedModel | None:
    """What the data knows of a model at this provider, prices included."""
    shelf = _shelf(catalog_id(provider_type)) if _is_plain(provider_type) else None
    return shelf.find(model) if shelf else None


def find_anywhere(model: str) -> PackagedModel | None:
    """What a well-known maker's model of this name is. Its price is that maker's and means nothing elsewhere."""
    for maker in _MAKERS:
        shelf = _shelf(maker)
        found = shelf.find(model) if shelf else None
        if found is not None:
            return found
    return None


def find_own(provider_type: str, model: str) -> PackagedModel | None:
    """A row of our own table: for this provider, or for a model by its name wherever it is served."""
    rows = _own().models
    return rows.get(f"{provider_type}/{model}") or rows.get(f"*/{canonical_name(model)}")


@cache
def source_of(provider_type: str | None = None, *, own: bool) -> str:
    """How the packaged catalogue, or our own table, is named beside a value: source and day."""
    shelf = _shelf(catalog_id(provider_type)) if provider_type is not None else _shelf(_MAKERS[0])
    file = _own() if own or shelf is None else shelf.file
    return f"{file.source} {file.as_of}"


def find_score(model: str) -> tuple[float, str] | None:
    """The quality of a model, 0 to 100, and "benchmarks <date>"; None for one nobody has tested."""
    table = _scores()
    for name in score_names(model):
        if name in table.scores:
            return table.scores[name], f"{table.source} {table.as_of}"
    return None


def score_benchmarks() -> tuple[str, ...]:
    """The benchmarks that scores are computed from, as "name (what it measures)"."""
    return _scores().benchmarks


def price_of(model: PackagedModel, *, own: bool, provider_type: str = "") -> Price | None:
    """The price of a row, with the source and date of the file it stands in."""
    rates = model.price
    if rates is None:
        return None
    if own:
        file: _File = _own()
    else:
        shelf = _shelf(catalog_id(provider_type))
        if shelf is None:
            return None
        file = shelf.file
    return Price(
        input_mtok=rates.input_mtok,
        output_mtok=rates.output_mtok,
        cache_read_mtok=rates.cache_read_mtok,
        cache_write_mtok=rates.cache_write_mtok,
        cache_write_1h_mtok=rates.cache_write_1h_mtok,
        reasoning_mtok=rates.reasoning_mtok,
        input_audio_mtok=rates.input_audio_mtok,
        output_audio_mtok=rates.output_audio_mtok,
        input_image_mtok=rates.input_image_mtok,
        tiers=rates.tiers,
        source=file.source,
        as_of=file.as_of,
    )


def _maker(model: str) -> str:
    return model.rpartition("/")[0].lower().lstrip("~")


def _is_plain(provider_type: str) -> bool:
    """Whether it can be the name of a file of ours."""
    return provider_type.replace("-", "").isalnum()
