"""Builds the packaged catalogue from a dump of models.dev:
`python -m ops_center.catalog.build_data DUMP.json 2026-07-02`.

Run by hand when a newer dump is at hand; the product only reads what it wrote. The same dump gives the same
bytes. It looks up nothing elsewhere: what models.dev does not know stands in `data/own.json`, by hand.

The dump: `{"source": ..., "providers": {id: {"models": {name: {...}}}}, "benchmarks_by_model": {...}}`.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from ops_center.catalog.names import canonical_name, score_names, task_of_name, undated_name

_Benchmark = tuple[str, str]  # its name, and what it measured

DATA = Path(__file__).parent / "data"

# Zero means "free" only here; elsewhere the dump writes zero where nobody knows (NVIDIA's trial catalogue,
# models priced by the picture or by the song).
_FREE = {
    "openrouter": ("openrouter/free",),
    "zai": ("glm-4.5-flash", "glm-4.7-flash"),  # https://docs.z.ai/guides/overview/pricing (2026-07)
}
# Billed also by searches and citations, which no usage block counts: a token price alone would mislead.
_NOT_BY_TOKENS = ("request", "citation")
# https://docs.claude.com/en/docs/build-with-claude/prompt-caching (2026-11): one-hour writes cost 2 × input.
_HOUR_WRITE = {"anthropic": Decimal(2)}

_MIN_MODELS = 5  # a benchmark with fewer tells nothing about the others
_SHRINK = 1  # how many further results "as good as others of its time" each model is given
_ROUNDS = 500


def build(dump: Mapping[str, Any], as_of: str) -> None:
    """Write `data/models/<provider>.json` for every provider of the dump, and `data/scores.json`."""
    folder = DATA / "models"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for provider, entry in sorted(dump["providers"].items()):
        rows = {name: model_row(provider, name, facts) for name, facts in sorted(entry["models"].items())}
        _write(folder / f"{provider}.json", {"source": "models.dev", "as_of": as_of}, "models", rows)
    scores, benchmarks = quality_scores(dump["benchmarks_by_model"], release_days(dump["providers"]))
    head = {
        "source": "benchmarks",
        "as_of": as_of,
        "method": "logit(result) = quality − difficulty, least squares over all results and the "
        "trend by day of release; 0–100 is the result expected on a benchmark of average difficulty. See build_data.py.",
        "benchmarks": benchmarks,
    }
    _write(DATA / "scores.json", head, "scores", scores)


def model_row(provider: str, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """One model in our own schema; what is not known is left out."""
    limit = facts.get("limit") or {}
    row: dict[str, Any] = {
        "name": facts["name"],
        "context_window": limit.get("context") or limit.get("input"),
        "max_output_tokens": limit.get("output"),
        "capabilities": _capabilities(name, facts),
        "price": _price(provider, name, facts.get("cost_usd_per_mtok")),
    }
    return {field: value for field, value in row.items() if value}


def _capabilities(name: str, facts: Mapping[str, Any]) -> list[str]:
    reads = facts["modalities"].get("input") or ["text"]
    writes = facts["modalities"].get("output") or ["text"]
    found = {
        "tools": facts.get("tool_call"),
        "vision": "image" in reads,
        "pdf": "pdf" in reads,
        "audio_input": "audio" in reads,
        "structured_output": facts.get("structured_output"),
        "reasoning": facts.get("reasoning"),
        "prompt_caching": "cache_read" in (facts.get("cost_usd_per_mtok") or {}),
    }
    capabilities = {capability for capability, has in found.items() if has}
    task = task_of_name(name)
    if task is None and "text" not in writes:
        task = "speech" if "audio" in writes else "image_generation"
    return sorted(capabilities | ({task} if task else set()))


def _price(provider: str, name: str, cost: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not cost or any(extra in cost for extra in _NOT_BY_TOKENS):
        return None
    free = name.endswith(":free") or name in _FREE.get(provider, ())
    if not cost["input"] and not cost["output"] and not free:
        return None
    price = _rates(provider, name, cost)
    if "reasoning" in cost and cost["reasoning"] != cost["output"]:
        price["reasoning_mtok"] = _text(cost["reasoning"])
    tiers = [
        {"above_input_tokens": tier["tier"]["size"], **_rates(provider, name, tier)}
        for tier in sorted(cost.get("tiers", ()), key=lambda tier: tier["tier"]["size"])
    ]
    return {**price, "tiers": tiers} if tiers else price


def _rates(provider: str, name: str, cost: Mapping[str, Any]) -> dict[str, Any]:
    rates = {"input_mtok": _text(cost["input"]), "output_mtok": _text(cost["output"])}
    read = cost.get("cache_read", cost.get("cached_input"))
    if read is not None:
        rates["cache_read_mtok"] = _text(read)
    write = cost.get("cache_write", cost.get("cached_write"))
    # A write dearer than nothing but cheaper than input is a storage fee or a slip; billed as input instead.
    if write is not None and write >= cost["input"]:
        rates["cache_write_mtok"] = _text(write)
    for sound in ("input_audio", "output_audio"):
        if sound in cost:
            rates[f"{sound}_mtok"] = _text(cost[sound])
    if provider in _HOUR_WRITE and read is not None:
        rates["cache_write_1h_mtok"] = _text(_HOUR_WRITE[provider] * Decimal(str(cost["input"])))
    return rates


def _text(number: float | Decimal) -> str:
    return format(Decimal(str(number)).normalize(), "f")


def quality_scores(
    results_by_model: Mapping[str, list[Mapping[str, Any]]], released: Mapping[str, date]
) -> tuple[dict[str, float], list[str]]:
    """One figure of 0 to 100 per model, and the names of the benchmarks it was computed from.

    Every model took some of the benchmarks and none took all, so their results cannot be averaged: the
    benchmarks that old models took are the easy ones. Instead each result r (0 to 100) is read as
    `logit(r) = quality(model) - difficulty(benchmark)` (the Rasch model), solved by alternating least
    squares over all of them. One result is little evidence, so every model is given `_SHRINK` further ones
    that say "as good as others of its time": on the straight line through quality by day of release. The
    score is the result to be expected on a benchmark of average difficulty.

    A model's several results on one benchmark (other harness, other effort) count once, with the best.
    Benchmarks taken by fewer than five models link nothing and are left out; a model without any of the
    others gets no score.
    """
    best: dict[_Benchmark, dict[str, float]] = defaultdict(dict)
    for model, results in results_by_model.items():
        name = undated_name(canonical_name(model))
        for result in results:
            taken = best[(result["name"], result.get("metric") or "")]
            taken[name] = max(taken.get(name, 0.0), float(result["score"]))
    logits = {
        benchmark: {model: _logit(score) for model, score in taken.items()}
        for benchmark, taken in sorted(best.items())
        if len(taken) >= _MIN_MODELS
    }
    of_model: dict[str, list[tuple[_Benchmark, float]]] = defaultdict(list)
    for benchmark, results_of in logits.items():
        for model, logit in results_of.items():
            of_model[model].append((benchmark, logit))

    quality = dict.fromkeys(sorted(of_model), 0.0)
    difficulty = dict.fromkeys(logits, 0.0)
    for _ in range(_ROUNDS):
        for benchmark, results_of in logits.items():
            gaps = [quality[model] - logit for model, logit in results_of.items()]
            difficulty[benchmark] = sum(gaps) / len(gaps)
        centre = sum(difficulty.values()) / len(difficulty)
        difficulty = {benchmark: value - centre for benchmark, value in difficulty.items()}
        usual = _trend(quality, released)
        for model, found in of_model.items():
            total = sum(logit + difficulty[benchmark] for benchmark, logit in found)
            quality[model] = (total + _SHRINK * usual(model)) / (len(found) + _SHRINK)
    scores = {model: round(100 / (1 + math.exp(-value)), 1) for model, value in quality.items()}
    return scores, [f"{name} ({metric})" if metric else name for name, metric in logits]


def _trend(quality: Mapping[str, float], released: Mapping[str, date]) -> Callable[[str], float]:
    """The line through quality by day of release; the average day for a model whose day is not known."""
    days = {model: float(released[model].toordinal()) for model in quality if model in released}
    mean_day = sum(days.values()) / len(days)
    mean_quality = sum(quality[model] for model in days) / len(days)
    spread = sum((day - mean_day) ** 2 for day in days.values())
    slope = sum((d - mean_day) * (quality[m] - mean_quality) for m, d in days.items()) / spread
    return lambda model: mean_quality + slope * (days.get(model, mean_day) - mean_day)


def release_days(providers: Mapping[str, Any]) -> dict[str, date]:
    """The first day of release that any provider gives for a model, by every name its score may stand under."""
    days: dict[str, date] = {}
    for entry in providers.values():
        for model, facts in entry["models"].items():
            day = date.fromisoformat((facts["release_date"] + "-01-01")[:10])
            for name in score_names(model):
                days[name] = min(day, days.get(name, day))
    return days


def _logit(score: float) -> float:
    share = min(0.99, max(0.01, score / 100))
    return math.log(share / (1 - share))


def _write(path: Path, head: Mapping[str, Any], name: str, rows: Mapping[str, Any]) -> None:
    """One row per line, so that a newer dump shows as the lines that changed."""
    lines = [
        f"{json.dumps(k)}:{json.dumps(v, ensure_ascii=False, separators=(',', ':'))}" for k, v in head.items()
    ]
    body = [
        f"{json.dumps(k)}:{json.dumps(v, ensure_ascii=False, separators=(',', ':'))}" for k, v in rows.items()
    ]
    path.write_text("{" + ",\n".join(lines) + f',\n"{name}":' + "{\n" + ",\n".join(body) + "\n}}\n", "utf-8")


def main() -> None:
    path, as_of = sys.argv[1], sys.argv[2]
    build(json.loads(Path(path).read_text("utf-8")), as_of)


if __name__ == "__main__":
    main()
