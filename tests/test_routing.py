from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_center.catalog.names import canonical_name
from ops_center.errors import CallerError, Forbidden, ModelNotFound
from ops_center.providers.registry import provider_spec
from ops_center.route_request import NO_OPTIONS, Options
from ops_center.routing import MAX_TARGETS, Blocked, Live, Plan, RouteRequest, resolve
from ops_center.snapshot import (
    Alias,
    Principal,
    Provider,
    Rules,
    Snapshot,
    Target,
    build_snapshot,
)
from ops_center.types import PowerLevel, Price, Strategy


def provider(name: str, type: str = "custom", priority: int = 50) -> Provider:
    return Provider(
        id=f"prov_{name.lower()}",
        name=name,
        spec=provider_spec(type),
        base_url="http://x/v1",
        priority=priority,
    )


def target(
    of: Provider, model: str, price: str | None = None, score: float | None = None, capabilities: str = ""
) -> Target:
    return Target(
        id=f"mdl_{of.name}_{model}",
        provider=of,
        model=model,
        price=Price(input_mtok=Decimal(price), output_mtok=Decimal(price), source="test", as_of="2026-11-23")
        if price
        else None,
        score=score,
        capabilities=frozenset(capabilities.split()),
    )


def snapshot(
    *targets: Target, strategy: Strategy = Strategy.BALANCED, aliases: tuple[Alias, ...] = ()
) -> Snapshot:
    return build_snapshot(version=1, strategy=strategy, principals={}, targets=targets, aliases=aliases)


def principal(**given: object) -> Principal:
    return Principal(api_key_id="key_1", api_key_name="k", user_id="usr_1", user_email="a@b.c", **given)  # type: ignore[arg-type]


def names(plan: Plan) -> list[str]:
    return [f"{c.target.provider.name}:{c.target.model}" for c in plan.choices]


def plan(s: Snapshot, model: str | None, who: Principal | None = None, **given: object) -> Plan:
    return resolve(s, who, RouteRequest(model=model, **given))  # type: ignore[arg-type]


OPENAI, OPENROUTER = provider("OpenAI", "openai", 50), provider("OpenRouter", "openrouter", 40)
BOTH = snapshot(
    target(OPENAI, "gpt-4o-mini", "0.3", 50),
    target(OPENROUTER, "openai/gpt-4o-mini", "0.2", 50),
    target(OPENROUTER, "anthropic/claude-haiku-4.5", "2", 70),
    target(OPENROUTER, "meta-llama/llama-3-8b-instruct", "0.05", 10),
    aliases=(Alias(name="claude-haiku", candidates=("claude-haiku-5", "claude-haiku-4-5")),),
)


def test_a_bare_name_finds_the_same_model_at_every_provider_by_priority() -> None:
    assert names(plan(BOTH, "gpt-4o-mini")) == ["OpenAI:gpt-4o-mini", "OpenRouter:openai/gpt-4o-mini"]


def test_a_named_provider_is_the_only_one_asked() -> None:
    assert names(plan(BOTH, "openrouter/openai/gpt-4o-mini")) == ["OpenRouter:openai/gpt-4o-mini"]
    assert names(plan(BOTH, "OpenRouter/gpt-4o-mini")) == ["OpenRouter:openai/gpt-4o-mini"]
    assert names(plan(BOTH, "openai/gpt-4o-mini")) == ["OpenAI:gpt-4o-mini"]


def test_a_models_own_id_with_a_makers_prefix_is_found() -> None:
    assert names(plan(BOTH, "anthropic/claude-haiku-4.5")) == ["OpenRouter:anthropic/claude-haiku-4.5"]


def test_an_alias_is_the_first_candidate_somebody_serves() -> None:
    found = plan(BOTH, "claude-haiku")
    assert names(found) == ["OpenRouter:anthropic/claude-haiku-4.5"]
    assert "alias" in found.choices[0].reason


@pytest.mark.parametrize(
    "name", ["litellm_proxy/gpt-4o-mini", "models/gpt-4o-mini", "ops-center/gpt-4o-mini"]
)
def test_prefixes_that_name_us_or_a_library_are_stripped(name: str) -> None:
    assert names(plan(BOTH, name))[0] == "OpenAI:gpt-4o-mini"


def test_an_unknown_model_names_near_ones() -> None:
    with pytest.raises(ModelNotFound) as caught:
        plan(BOTH, "gpt-4o-mino")
    assert "gpt-4o-mini" in caught.value.message
    assert caught.value.param == "model"


@pytest.mark.parametrize("name", [None, "", "auto", "ops-center/auto"])
def test_without_a_name_the_strategy_chooses(name: str | None) -> None:
    assert names(plan(BOTH, name))[0] != ""
    assert plan(BOTH, name).strategy is Strategy.BALANCED


def test_power_levels_are_the_three_strategies() -> None:
    assert names(plan(BOTH, "eco"))[0] == "OpenRouter:meta-llama/llama-3-8b-instruct"
    assert names(plan(BOTH, "precision"))[0] == "OpenRouter:anthropic/claude-haiku-4.5"
    assert plan(BOTH, "balanced").strategy is Strategy.BALANCED


def test_precedence_is_request_then_key_then_global() -> None:
    eco = principal(power_level=PowerLevel.ECO)
    assert plan(BOTH, "auto", eco).strategy is Strategy.COST
    assert plan(BOTH, "precision", eco).strategy is Strategy.QUALITY
    assert plan(BOTH, "auto", eco, power_level=PowerLevel.PRECISION).strategy is Strategy.QUALITY
    assert plan(BOTH, "auto", principal()).strategy is Strategy.BALANCED


def test_a_key_limited_to_models_reaches_only_those() -> None:
    only = principal(models=frozenset({"gpt-4o-mini"}))
    assert names(plan(BOTH, "gpt-4o-mini", only)) == ["OpenAI:gpt-4o-mini", "OpenRouter:openai/gpt-4o-mini"]
    with pytest.raises(Forbidden):
        plan(BOTH, "claude-haiku", only)
    chosen = plan(BOTH, "auto", only, explain=True)
    assert {c.target.model for c in chosen.choices} == {"gpt-4o-mini", "openai/gpt-4o-mini"}
    assert "not among the models of this API key" in {c.reason for c in chosen.excluded}


def test_equal_priorities_take_turns_and_higher_ones_come_first() -> None:
    a, b, low = provider("A"), provider("B"), provider("Low", priority=10)
    s = snapshot(target(a, "m"), target(b, "m"), target(low, "m"))
    firsts = [names(plan(s, "m", turn=turn))[0] for turn in range(100)]
    assert (firsts.count("A:m"), firsts.count("B:m")) == (50, 50)
    assert all(names(plan(s, "m", turn=turn))[-1] == "Low:m" for turn in range(5))


def test_cost_never_puts_an_unknown_price_before_a_known_one() -> None:
    p = provider("P")
    s = snapshot(target(p, "unknown"), target(p, "dear", "90"), target(p, "cheap", "1"))
    assert [c.target.model for c in plan(s, "eco").choices] == ["cheap", "dear", "unknown"]


def test_models_without_a_needed_capability_are_left_out_with_the_reason() -> None:
    p = provider("P")
    s = snapshot(
        target(p, "plain", "1", capabilities="vision"), target(p, "tooled", "2", capabilities="tools vision")
    )
    found = plan(s, "eco", needs=frozenset({"tools"}), explain=True)
    assert [c.target.model for c in found.choices] == ["tooled"]
    assert [c.reason for c in found.excluded] == ["lacks tools"]


def test_models_that_do_not_converse_are_never_chosen() -> None:
    p = provider("P")
    s = snapshot(target(p, "embed", "0.01", capabilities="embedding"), target(p, "chat", "1"))
    assert [c.target.model for c in plan(s, "eco").choices] == ["chat"]


def test_an_empty_gateway_says_so() -> None:
    with pytest.raises(ModelNotFound, match="no provider serves any model yet"):
        plan(snapshot(), "auto")


def test_canonical_names_join_spellings_and_keep_variants_apart() -> None:
    assert canonical_name("anthropic/claude-haiku-4.5") == canonical_name("claude-haiku-4-5")
    assert canonical_name("x/llama-3:free") != canonical_name("x/llama-3")


targets_strategy = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.sampled_from(["m1", "m2", "v/m1", "m-1.5", "m-1-5"]),
        st.sampled_from([None, "0", "1", "2.5"]),
        st.sampled_from([None, 1.0, 99.0]),
    ),
    max_size=25,
    unique_by=lambda t: (t[0], t[1]),
)


@given(
    targets_strategy,
    st.sampled_from(["m1", "m2", "A/m1", "m-1.5", "auto", "eco", "precision"]),
    st.integers(0, 1000),
)
def test_no_target_stands_twice_and_equal_input_gives_the_same_plan(
    rows: list, model: str, turn: int
) -> None:  # type: ignore[type-arg]
    priorities = {"A": 50, "B": 50, "C": 70}
    s = snapshot(
        *[target(provider(n, priority=priorities[n]), m, price, score) for n, m, price, score in rows]
    )
    try:
        first = plan(s, model, turn=turn)
    except ModelNotFound:
        return
    assert len(set(names(first))) == len(names(first)) <= MAX_TARGETS
    assert names(first) == names(plan(s, model, turn=turn))
    if first.strategy is None:
        order = [c.target.provider.priority for c in first.choices]
        assert order == sorted(order, reverse=True)
    if first.strategy is Strategy.COST:
        known = [c.target.blended_mtok for c in first.choices if c.target.blended_mtok is not None]
        assert known == sorted(known)


class _Unwell(Live):
    """Some targets are blocked at this moment."""

    def __init__(self, ids: frozenset[str]) -> None:
        self.troubled = ids

    def blocked(self, target: Target, *, own_key: bool = False) -> Blocked | None:
        return Blocked("its circuit is open", 5.0) if target.id in self.troubled else None


capability_sets = st.frozensets(st.sampled_from(["tools", "vision", "structured_output"]))


@given(
    facts=st.lists(
        st.tuples(
            st.sampled_from("ABC"),
            st.sampled_from(["m1", "m2", "m3", "m4"]),
            st.sampled_from([None, "1", "3"]),
            st.sampled_from([None, 1_000, 100_000]),
            capability_sets,
            st.booleans(),
        ),
        max_size=12,
        unique_by=lambda f: (f[0], f[1]),
    ),
    model=st.sampled_from(["auto", "eco", "balanced", "precision", "m1", "m2", "A/m3"]),
    needs=capability_sets,
    tokens=st.sampled_from([10, 5_000, 500_000]),
    key_models=st.none() | st.frozensets(st.sampled_from(["m1", "m2", "m3"])),
    key_providers=st.none() | st.frozensets(st.sampled_from(["prov_A", "prov_B", "prov_C"])),
    ignore=st.sampled_from([(), ("a",), ("a", "b")]),
    max_price=st.sampled_from([None, 2.0]),
    strategy=st.sampled_from(Strategy),
    replace=st.booleans(),
)
def test_nobody_ineligible_is_ever_in_a_plan(
    facts: list[tuple[str, str, str | None, int | None, frozenset[str], bool]],
    model: str,
    needs: frozenset[str],
    tokens: int,
    key_models: frozenset[str] | None,
    key_providers: frozenset[str] | None,
    ignore: tuple[str, ...],
    max_price: float | None,
    strategy: Strategy,
    replace: bool,
) -> None:
    targets = [
        msgspec.structs.replace(
            target(provider(of), name, price, 50.0), context_window=window, capabilities=capabilities
        )
        for of, name, price, window, capabilities, _ in facts
    ]
    unwell = frozenset(t.id for t, fact in zip(targets, facts, strict=True) if fact[5])
    s = build_snapshot(
        version=1,
        strategy=strategy,
        principals={},
        targets=targets,
        rules=Rules(replace_named=replace),
    )
    who = Principal(
        api_key_id="k",
        api_key_name="k",
        user_id="u",
        user_email="e",
        models=key_models,
        providers=key_providers,
    )
    request = RouteRequest(
        model=model,
        needs=needs,
        input_tokens=tokens,
        options=Options(ignore=ignore, max_input_mtok=max_price) if ignore or max_price else NO_OPTIONS,
        explain=True,
    )
    try:
        found = resolve(s, who, request, _Unwell(unwell))
    except CallerError:
        return
    chosen = [choice.target for choice in found.choices]
    assert len({t.id for t in chosen}) == len(chosen)
    assert not {t.id for t in chosen} & {c.target.id for c in found.excluded}
    for t in chosen:
        assert t.id not in unwell
        assert key_providers is None or t.provider.id in key_providers
        assert key_models is None or t.model in key_models
        assert t.provider.name.lower() not in ignore
        assert max_price is None or (t.price is not None and t.price.input_mtok <= max_price)
    # Who names a model has the last word on its size and capabilities, but only where nobody fits.
    fits = [
        (not t.capabilities or needs <= t.capabilities)
        and (t.context_window is None or tokens <= t.context_window)
        for t in chosen
    ]
    assert all(fits) or (found.strategy is None and not any(fits))
    assert all(c.reason for c in (*found.choices, *found.excluded))
