"""What is believed about a model, and in which order the sources win."""

from __future__ import annotations

import json
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ops_center.catalog import packaged
from ops_center.catalog.aliases import ALIASES
from ops_center.catalog.build_data import model_row, quality_scores
from ops_center.catalog.discovered import MAX_MODELS, parse_model_list
from ops_center.catalog.facts import resolve_model_facts
from ops_center.catalog.names import canonical_name, score_names, task_of_name, undated_name
from ops_center.providers.registry import PROVIDER_SPECS

DAY = "2026-11-23"


def openrouter_entry(**changes: Any) -> dict[str, Any]:
    return {
        "id": "acme/model-1",
        "name": "Acme: Model 1",
        "context_length": 131072,
        "architecture": {"input_modalities": ["text", "image", "file"], "output_modalities": ["text"]},
        "pricing": {
            "prompt": "0.00000015",
            "completion": "0.0000006",
            "request": "0",
            "image": "0.000217",
            "input_cache_read": "0.000000075",
        },
        "top_provider": {"context_length": 131072, "max_completion_tokens": 16384},
        "supported_parameters": ["tools", "structured_outputs", "temperature", "include_reasoning"],
        **changes,
    }


def parse_one(entry: dict[str, Any], provider_type: str = "openrouter") -> dict[str, Any]:
    found = parse_model_list(provider_type, json.dumps({"data": [entry]}).encode(), DAY)
    assert found is not None
    return found[0].facts


# ── precedence ────────────────────────────────────────────────────────────────


def test_override_wins_over_the_list_and_the_list_over_the_catalogue() -> None:
    packaged_facts = resolve_model_facts("openrouter", "openai/gpt-4o-mini", None, None)
    listed = parse_one(openrouter_entry(id="openai/gpt-4o-mini", context_length=99))
    by_list = resolve_model_facts("openrouter", "openai/gpt-4o-mini", listed, None)
    by_admin = resolve_model_facts(
        "openrouter", "openai/gpt-4o-mini", listed, {"context_window": 7, "input_mtok": "9", "as_of": DAY}
    )
    assert packaged_facts.price is not None
    assert (packaged_facts.context_window, packaged_facts.price.source) == (128000, "models.dev")
    assert by_list.price is not None
    assert (by_list.context_window, by_list.price.source, by_list.price.as_of) == (99, "openrouter", DAY)
    assert by_admin.price is not None
    assert (by_admin.context_window, by_admin.price.source, by_admin.price.as_of) == (7, "override", DAY)
    assert (by_admin.price.input_mtok, by_admin.price.output_mtok) == (Decimal(9), Decimal("0.6"))


def test_an_override_ends_tiers() -> None:
    base = resolve_model_facts("openai", "gpt-5.4", None, None).price
    flat = resolve_model_facts("openai", "gpt-5.4", None, {"output_mtok": 20}).price
    assert base is not None
    assert base.tiers
    assert flat is not None
    assert flat.tiers == ()


def test_half_an_override_makes_no_price() -> None:
    assert resolve_model_facts("custom", "mine", None, {"input_mtok": "1"}).price is None
    whole = resolve_model_facts("custom", "mine", None, {"input_mtok": "1", "output_mtok": "0"}).price
    assert whole is not None
    assert whole.source == "override"


def test_a_custom_provider_gets_facts_by_name_but_no_price() -> None:
    facts = resolve_model_facts("custom", "openai/gpt-4o", {}, None)
    assert facts.price is None
    assert facts.context_window == 128000
    assert "vision" in facts.capabilities
    assert facts.score is not None


def test_a_custom_provider_may_name_its_own_prices() -> None:
    facts = resolve_model_facts("custom", "m", parse_one(openrouter_entry(id="m"), "custom"), None)
    assert facts.price is not None
    assert (facts.price.input_mtok, facts.price.source) == (Decimal("0.15"), "provider")


def test_an_unknown_model_has_nothing_but_its_name() -> None:
    facts = resolve_model_facts("openai", "ft:nobody-knows", None, None)
    assert (facts.display_name, facts.price, facts.score, facts.capabilities) == (
        "ft:nobody-knows",
        None,
        None,
        frozenset(),
    )


def test_a_dated_release_has_the_facts_of_its_undated_name() -> None:
    dated = resolve_model_facts("openai", "gpt-4o-mini-2024-07-18", None, None)
    assert dated.price is not None
    assert dated.price.input_mtok == Decimal("0.15")


def test_a_finetune_of_another_maker_gets_no_price_by_its_name() -> None:
    assert packaged.find_model("openrouter", "somebody/gpt-4o") is None
    assert packaged.find_model("openrouter", "openai/gpt-4o") is not None


def test_our_own_table_fills_gaps() -> None:
    facts = resolve_model_facts("openai", "gpt-4-0613", None, None)
    assert facts.price is not None
    assert (facts.price.input_mtok, facts.price.source) == (Decimal(30), "ops-center")
    assert resolve_model_facts("custom", "mixtral-8x7b", None, None).context_window == 32768


def test_the_end_of_a_model_is_that_providers_alone_and_its_own_list_wins() -> None:
    name = "claude-sonnet-4-5-20250929"
    known = resolve_model_facts("anthropic", name, None, None)
    assert (known.retires_on, known.successor) == ("2026-11-30", "claude-sonnet-5-5")
    assert known.sources["retires_on"] == "ops-center 2026-11-28"
    listed = resolve_model_facts("anthropic", name, {"retires_on": "2027-01-01"}, None)
    assert (listed.retires_on, listed.sources["retires_on"]) == ("2027-01-01", "provider")
    for elsewhere in ("bedrock", "custom"):
        assert resolve_model_facts(elsewhere, name, None, None).retires_on is None
    assert resolve_model_facts("gemini", "gemini-2.5-pro", None, None).retires_on == "2026-12-01"
    assert resolve_model_facts("vertex", "gemini-2.5-pro", None, None).retires_on is None


def test_a_score_of_the_admin_wins() -> None:
    facts = resolve_model_facts("openai", "gpt-4o", None, {"score": 77})
    assert (facts.score, facts.score_source) == (77.0, "override")


@pytest.mark.parametrize(
    ("provider_type", "model", "task"),
    [
        ("openai", "text-embedding-3-small", "embedding"),
        ("openai", "dall-e-3", "image_generation"),
        ("openai", "whisper-1", "transcription"),
        ("openai", "gpt-4o-transcribe", "transcription"),
        ("openai", "tts-1-hd", "speech"),
        ("openai", "gpt-4o-realtime-preview", "audio"),
        ("openai", "omni-moderation-latest", "moderation"),
        ("openai", "gpt-5-codex", "responses_only"),
        ("openai", "gpt-5.5-pro", "responses_only"),
        ("custom", "BAAI/bge-m3", "embedding"),
    ],
)
def test_models_that_do_not_converse_say_so(provider_type: str, model: str, task: str) -> None:
    assert task in resolve_model_facts(provider_type, model, None, None).capabilities


@pytest.mark.parametrize("model", ["gpt-4o", "claude-opus-4-8", "llama-3.3-70b-instruct", "gemini-2.5-flash"])
def test_models_that_converse_have_no_other_task(model: str) -> None:
    assert task_of_name(model) is None


def test_codex_at_openrouter_is_a_chat_model() -> None:
    facts = resolve_model_facts("openrouter", "openai/gpt-5-codex", None, None)
    assert "responses_only" not in facts.capabilities


# ── a provider's own list ─────────────────────────────────────────────────────


def test_openrouter_prices_per_token_become_prices_per_million() -> None:
    facts = parse_one(openrouter_entry())
    assert facts == {
        "display_name": "Acme: Model 1",
        "context_window": 131072,
        "max_output_tokens": 16384,
        "capabilities": ["pdf", "reasoning", "structured_output", "tools", "vision"],
        "price": {
            "input_mtok": "0.15",
            "output_mtok": "0.6",
            "cache_read_mtok": "0.075",
            "source": "openrouter",
            "as_of": DAY,
        },
    }


@pytest.mark.parametrize(
    ("name", "pricing", "known"),
    [
        ("openrouter/auto", {"prompt": "-1", "completion": "-1"}, False),
        ("a/b", {"prompt": "NaN", "completion": "1e-6"}, False),
        ("a/b", {"prompt": "1e-6"}, False),
        ("a/b", {"prompt": "Infinity", "completion": "0"}, False),
        ("a/b", {"prompt": [], "completion": {}}, False),
        ("a/b", "free", False),
        ("a/b:free", {"prompt": "0", "completion": "0"}, True),
        ("openrouter/stealth", {"prompt": "0", "completion": "0"}, True),
        ("a/b", {"prompt": "0", "completion": "0", "request": "0.01"}, True),
        ("a/b", {"prompt": 0.000001, "completion": 0.000002}, True),
    ],
)
def test_only_prices_that_mean_something_are_taken(name: str, pricing: Any, known: bool) -> None:
    assert ("price" in parse_one(openrouter_entry(id=name, pricing=pricing))) is known


def test_zero_for_a_model_that_makes_pictures_is_unknown() -> None:
    architecture = {"input_modalities": ["text"], "output_modalities": ["image"]}
    entry = openrouter_entry(architecture=architecture, pricing={"prompt": "0", "completion": "0"})
    facts = parse_one(entry)
    assert "price" not in facts
    assert "image_generation" in facts["capabilities"]


def test_zero_in_the_list_of_a_custom_server_is_unknown() -> None:
    entry = openrouter_entry(pricing={"prompt": "0", "completion": "0"})
    assert "price" not in parse_one(entry, "custom")


def test_lists_of_openai_and_anthropic_are_read() -> None:
    openai = parse_model_list("openai", b'{"object":"list","data":[{"id":"gpt-4o","object":"model"}]}', DAY)
    assert openai is not None
    assert [(m.name, m.facts) for m in openai] == [("gpt-4o", {})]
    anthropic = parse_model_list(
        "anthropic", b'{"data":[{"type":"model","id":"claude-x","display_name":"Claude X"}]}', DAY
    )
    assert anthropic is not None
    assert anthropic[0].facts == {"display_name": "Claude X"}


def test_an_empty_list_is_a_list() -> None:
    assert parse_model_list("openai", b'{"data":[]}', DAY) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>canary</html>",
        b'{"error":"canary"}',
        b'{"data":{"id":"x"}}',
        b'"text"',
        b'{"data":[1,2]}',
        b'{"data":[{"id":5}]}',
        b'{"data":[{"id":"a\\nb"}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_list_of_models_is_none(body: bytes) -> None:
    assert parse_model_list("openai", body, DAY) is None


def test_names_are_unique_and_bounded() -> None:
    entries = [{"id": f"m{n}"} for n in range(MAX_MODELS + 50)] + [{"id": "x" * 301}]
    found = parse_model_list("custom", json.dumps({"data": [{"id": "m0"}, *entries]}).encode(), DAY)
    assert found is not None
    assert len(found) == MAX_MODELS
    assert len({model.name for model in found}) == MAX_MODELS


def test_a_context_of_nonsense_is_left_out() -> None:
    for value in (-1, 0, True, "128k", 10**30, 1.5):
        assert "context_window" not in parse_one({"id": "m", "context_length": value}, "custom")
    assert parse_one({"id": "m", "max_model_len": 4096}, "custom")["context_window"] == 4096


# ── names ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("mistral-large-2411", "mistral-large-2411"),
        ("gpt-4-0613", "gpt-4-0613"),
    ],
)
def test_dates_go_months_stay(name: str, bare: str) -> None:
    assert undated_name(name) == bare


def test_the_same_weights_have_the_same_score_everywhere() -> None:
    assert "claude-haiku-4-5" in score_names("us.anthropic.claude-haiku-4-5-20251001-v1:0")
    scores = {
        packaged.find_score(name)
        for name in (
            "claude-haiku-4-5",
            "anthropic/claude-haiku-4.5",
            "claude-haiku-4-5@20251001",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        )
    }
    assert len(scores) == 1
    assert None not in scores


def test_a_model_nobody_tested_has_no_score() -> None:
    assert packaged.find_score("llama-3-8b") is None


# ── the packaged data ─────────────────────────────────────────────────────────


def test_every_provider_type_finds_its_data() -> None:
    for spec in PROVIDER_SPECS:
        if spec.catalog_id is not None:
            assert packaged.catalog_id(spec.type) == spec.catalog_id
            assert packaged.packaged_models(spec.type)
    assert packaged.packaged_models("custom") == {}
    assert packaged.packaged_models("../own") == {}


def test_all_of_it_is_there_and_plausible() -> None:
    ids = packaged.catalog_ids()
    assert len(ids) == 30
    for provider in ids:
        for name, model in packaged.packaged_models(provider).items():
            assert model.name, (provider, name)
            price = packaged.price_of(model, own=False, provider_type=provider)
            if price is None:
                continue
            assert (price.source, price.as_of) == ("models.dev", "2026-07-02")
            assert 0 <= price.input_mtok < 1000, (provider, name)
            assert 0 <= price.output_mtok < 1000, (provider, name)
            bounds = [tier.above_input_tokens for tier in price.tiers]
            assert bounds == sorted(bounds)
            if not price.input_mtok and not price.output_mtok:
                free = name.endswith(":free") or (provider, name) in {
                    ("openrouter", "openrouter/free"),
                    ("zai", "glm-4.5-flash"),
                    ("zai", "glm-4.7-flash"),
                }
                assert free, (provider, name)


def test_scores_order_models_as_everybody_would() -> None:
    def score(name: str) -> float:
        found = packaged.find_score(name)
        assert found is not None
        return found[0]

    assert score("claude-opus-4-8") > score("claude-haiku-4-5") > score("gpt-4o-mini")
    assert score("gpt-5") > score("gpt-4.1") > score("gpt-3.5-turbo")
    assert len(packaged.score_benchmarks()) >= 10


def test_every_alias_leads_to_models_that_exist() -> None:
    known = {canonical_name(m) for p in packaged.catalog_ids() for m in packaged.packaged_models(p)}
    names = [row.name for row in ALIASES]
    assert len(names) == len(set(names))
    assert {"llama-3-8b", "mixtral-8x7b", "gpt-4o-mini", "claude-haiku", "gpt-4", "claude-opus"} <= set(names)
    for row in ALIASES:
        assert any(canonical_name(candidate) in known for candidate in row.candidates), row.name
        assert row.name not in row.candidates


def test_an_alias_that_is_a_models_own_id_never_leads_to_a_dearer_model() -> None:
    def blended(model: str) -> Decimal | None:
        for maker in ("openai", "anthropic", "openrouter"):
            facts = resolve_model_facts(maker, model, None, None)
            if facts.price is not None:
                return 3 * facts.price.input_mtok + facts.price.output_mtok
        return None

    checked = 0
    ids = {canonical_name(m) for maker in ("openai", "anthropic") for m in packaged.packaged_models(maker)}
    for row in ALIASES:
        own = blended(row.name) if canonical_name(row.name) in ids else None
        for candidate in row.candidates if own is not None else ():
            other = blended(candidate)
            if other is not None:
                assert own is not None
                assert other <= own, (row.name, candidate)
                checked += 1
    assert checked > 5


def test_a_first_look_is_fast() -> None:
    packaged._shelf.cache_clear()
    best = min(_first_look() for _ in range(3))
    assert best < 0.03


def _first_look() -> float:
    packaged._shelf.cache_clear()
    started = time.perf_counter()
    resolve_model_facts("openrouter", "openai/gpt-4o", None, None)
    return time.perf_counter() - started


# ── how it is built ───────────────────────────────────────────────────────────


def raw(**changes: Any) -> dict[str, Any]:
    return {
        "name": "M",
        "limit": {"context": 1000},
        "modalities": {"input": ["text"], "output": ["text"]},
        "tool_call": True,
        "reasoning": False,
        "release_date": "2026-01",
        "cost_usd_per_mtok": {"input": 1, "output": 2},
        **changes,
    }


def test_zero_prices_are_kept_only_where_free_is_meant() -> None:
    nothing = {"input": 0, "output": 0}
    assert "price" not in model_row("nvidia", "m", raw(cost_usd_per_mtok=nothing))
    assert model_row("openrouter", "m:free", raw(cost_usd_per_mtok=nothing))["price"]["input_mtok"] == "0"


def test_a_price_that_is_not_all_in_tokens_is_left_out() -> None:
    cost = {"input": 2, "output": 8, "citation": 2, "request": 5}
    assert "price" not in model_row("perplexity", "m", raw(cost_usd_per_mtok=cost))


def test_cache_writes_below_the_input_price_are_left_out() -> None:
    cost = {"input": 2, "output": 8, "cache_read": 0.2, "cache_write": 0.1}
    price = model_row("openrouter", "m", raw(cost_usd_per_mtok=cost))["price"]
    assert "cache_write_mtok" not in price
    assert price["cache_read_mtok"] == "0.2"


def test_hour_writes_at_anthropic_cost_twice_the_input() -> None:
    cost = {"input": 5, "output": 25, "cache_read": 0.5, "cache_write": 6.25}
    assert model_row("anthropic", "m", raw(cost_usd_per_mtok=cost))["price"]["cache_write_1h_mtok"] == "10"


def test_scores_see_through_a_harder_benchmark() -> None:
    # strong took only the hard one, weak only the easy one with the better figure; five others took both
    both = {f"m{n}": (20 + 10 * n, 50 + 10 * n) for n in range(5)}
    results: dict[str, list[dict[str, Any]]] = {
        name: [{"name": "hard", "score": hard}, {"name": "easy", "score": easy}]
        for name, (hard, easy) in both.items()
    }
    results["strong"] = [{"name": "hard", "score": 55}]
    results["weak"] = [{"name": "easy", "score": 60}]
    results["lonely"] = [{"name": "taken by nobody else", "score": 99}]
    days = {**dict.fromkeys(results, date(2026, 1, 1)), "m4": date(2026, 1, 2)}
    scores, benchmarks = quality_scores(results, days)
    assert scores["strong"] > scores["weak"]
    assert "lonely" not in scores
    assert benchmarks == ["easy", "hard"]
