"""Which model is first for which request: cost to the cent, balance on scales that hold for one or equals."""

from __future__ import annotations

from decimal import Decimal

import pytest
from benchmarks import plans
from hypothesis import given
from hypothesis import strategies as st

from ops_center.errors import BadRequest, ModelNotFound
from ops_center.providers.registry import provider_spec
from ops_center.ranking import Rankings, Speeds, Weights, speed_of
from ops_center.route_request import Options, RouteRequest
from ops_center.routing import Live, Plan, resolve
from ops_center.snapshot import Provider, Rules, Snapshot, Target, build_snapshot
from ops_center.types import Price, PriceTier, Strategy


def provider(name: str = "P", type: str = "custom", priority: int = 50) -> Provider:
    return Provider(
        id=f"prov_{name}", name=name, spec=provider_spec(type), base_url="http://x/v1", priority=priority
    )


def price(input_mtok: str, output_mtok: str, **more: object) -> Price:
    return Price(
        input_mtok=Decimal(input_mtok),
        output_mtok=Decimal(output_mtok),
        source="test",
        as_of="2026-11-24",
        **more,  # type: ignore[arg-type]
    )


def target(model: str, of: Provider | None = None, **facts: object) -> Target:
    of = of or provider()
    return Target(id=f"mdl_{of.name}_{model}", provider=of, model=model, **facts)  # type: ignore[arg-type]


def snapshot(*targets: Target, strategy: Strategy = Strategy.COST, rules: Rules = Rules()) -> Snapshot:
    return build_snapshot(version=1, strategy=strategy, principals={}, targets=targets, rules=rules)


class Measured(Live):
    def __init__(self, output_tokens: int = 500, **seconds: tuple[float, float]) -> None:
        self.speeds = Speeds(version=1, seconds={f"mdl_P_{name}": pair for name, pair in seconds.items()})
        self._output_tokens = output_tokens

    def output_tokens(self, api_key_id: str) -> int:
        return self._output_tokens


def models(plan: Plan) -> list[str]:
    return [choice.target.model for choice in plan.choices]


def ask(s: Snapshot, live: Live | None = None, **given: object) -> Plan:
    return resolve(s, None, RouteRequest(**given), live or Live())  # type: ignore[arg-type]


# ── cost ──────────────────────────────────────────────────────────────────────

READER = target("cheap-to-read", price=price("0.1", "9"))
WRITER = target("cheap-to-write", price=price("1", "1"))


def test_the_cheapest_depends_on_the_request() -> None:
    s = snapshot(READER, WRITER)
    assert models(ask(s, input_tokens=100_000, max_output_tokens=10))[0] == "cheap-to-read"
    assert models(ask(s, input_tokens=100, max_output_tokens=400))[0] == "cheap-to-write"


def test_the_learned_length_of_answers_decides_where_the_caller_set_no_limit() -> None:
    s = snapshot(READER, WRITER)
    assert models(ask(s, Measured(output_tokens=5), input_tokens=10_000))[0] == "cheap-to-read"
    assert models(ask(s, Measured(output_tokens=20_000), input_tokens=10_000))[0] == "cheap-to-write"


def test_a_price_tier_holds_for_the_request_that_reaches_it() -> None:
    tiered = target(
        "tiered",
        price=price(
            "1",
            "1",
            tiers=(PriceTier(above_input_tokens=1000, input_mtok=Decimal(4), output_mtok=Decimal(4)),),
        ),
    )
    s = snapshot(tiered, target("flat", price=price("2", "2")))
    assert models(ask(s, input_tokens=1000))[0] == "tiered"
    assert models(ask(s, input_tokens=1001))[0] == "flat"


def test_a_fee_per_request_counts_for_small_requests() -> None:
    s = snapshot(
        target("fee", price=price("0.1", "0.1", request_usd=Decimal("0.01"))),
        target("no-fee", price=price("1", "1")),
    )
    assert models(ask(s, input_tokens=100))[0] == "no-fee"
    assert models(ask(s, input_tokens=1_000_000))[0] == "fee"


amounts = st.decimals(min_value=0, max_value=80, places=2)


@given(
    st.lists(st.tuples(amounts, amounts, st.sampled_from(["0", "0.002"])), min_size=1, max_size=40),
    st.integers(0, 200_000),
    st.integers(1, 5_000),
)
def test_the_first_of_a_cost_plan_is_the_cheapest_there_is(
    prices: list[tuple[Decimal, Decimal, str]], input_tokens: int, output_tokens: int
) -> None:
    targets = [
        target(f"m{n}", price=price(str(i), str(o), request_usd=Decimal(fee)))
        for n, (i, o, fee) in enumerate(prices)
    ]
    plan = ask(snapshot(*targets), Measured(output_tokens), input_tokens=input_tokens)
    least = min(
        float(i) * input_tokens / 1e6 + float(o) * output_tokens / 1e6 + float(fee) for i, o, fee in prices
    )
    assert plan.choices[0].cost_usd == pytest.approx(least)
    costs = [choice.cost_usd for choice in plan.choices]
    assert costs == sorted(costs)  # type: ignore[type-var]


# ── quality and balance ───────────────────────────────────────────────────────


def test_quality_ties_go_to_the_cheaper_for_this_request() -> None:
    s = snapshot(
        target("a", score=90.0, price=price("1", "9")),
        target("b", score=90.0, price=price("2", "2")),
        target("c", score=10.0, price=price("0", "0")),
        strategy=Strategy.QUALITY,
    )
    assert models(ask(s, input_tokens=100_000, max_output_tokens=1)) == ["a", "b", "c"]
    assert models(ask(s, input_tokens=1, max_output_tokens=400)) == ["b", "a", "c"]


def test_a_model_nobody_judged_counts_like_the_weakest_quarter() -> None:
    judged = [target(f"m{score}", score=float(score), price=price("1", "1")) for score in range(10, 90, 10)]
    s = snapshot(*judged, target("new", price=price("1", "1")), strategy=Strategy.QUALITY)
    assert s.rankings.scores["mdl_P_new"] == 20.0
    assert models(ask(s))[0] == "m80"


def test_balance_weighs_price_speed_and_quality() -> None:
    cheap = target("cheap", score=10.0, price=price("0.1", "0.1"))
    good = target("good", score=90.0, price=price("10", "10"))
    live = Measured(cheap=(0.5, 0.1), good=(0.2, 0.001))
    for weights, first in (
        (Weights(price=1, speed=0, quality=0), "cheap"),
        (Weights(price=0, speed=1, quality=0), "good"),
        (Weights(price=0, speed=0, quality=1), "good"),
    ):
        s = snapshot(cheap, good, strategy=Strategy.BALANCED, rules=Rules(weights=weights))
        assert models(ask(s, live))[0] == first
    fast = Measured(cheap=(0.1, 0.0001), good=(5.0, 0.2))
    s = snapshot(
        cheap, good, strategy=Strategy.BALANCED, rules=Rules(weights=Weights(price=0, speed=1, quality=0))
    )
    assert models(ask(s, fast))[0] == "cheap"


@pytest.mark.parametrize("count", [1, 3])
def test_one_candidate_or_equal_ones_have_the_whole_of_each_scale(count: int) -> None:
    s = snapshot(
        *[target(f"m{n}", score=50.0, price=price("1", "1")) for n in range(count)],
        strategy=Strategy.BALANCED,
    )
    assert {choice.value for choice in ask(s).choices} == {0.4 + 0.2 * 0.5 + 0.4}


def test_free_and_unpriced_models_have_a_place_on_the_scale() -> None:
    s = snapshot(
        target("free", score=50.0, price=price("0", "0")),
        target("unpriced", score=50.0),
        target("dear", score=50.0, price=price("50", "50")),
        strategy=Strategy.BALANCED,
    )
    plan = ask(s)
    assert models(plan)[0] == "free"
    assert all(choice.value is not None and 0 <= choice.value <= 1 for choice in plan.choices)


def test_the_scale_of_speed_ends_at_half_a_second_and_a_minute() -> None:
    assert speed_of(0.1, 0.0) == 1.0
    assert speed_of(0.5, 0.0) == pytest.approx(1.0)
    assert speed_of(10.0, 0.1) == pytest.approx(0.0)
    assert speed_of(600.0, 1.0) == 0.0
    assert 0.4 < speed_of(0.5, 0.01) < 0.8


# ── who is eligible ───────────────────────────────────────────────────────────


def test_what_does_not_fit_a_context_window_is_left_out_with_the_figures() -> None:
    s = snapshot(
        target("small", price=price("1", "1"), context_window=8192),
        target("large", price=price("9", "9"), context_window=200_000),
    )
    plan = ask(s, input_tokens=8000, max_output_tokens=500, explain=True)
    assert models(plan) == ["large"]
    assert "8,192" in plan.excluded[0].reason and "8,000" in plan.excluded[0].reason
    assert models(ask(s, input_tokens=8000, max_output_tokens=192))[0] == "small"
    assert models(ask(s, input_tokens=9000, max_output_tokens=None)) == ["large"]


def test_an_unknown_context_window_excludes_nobody() -> None:
    assert models(ask(snapshot(target("m", price=price("1", "1"))), input_tokens=10**9)) == ["m"]


def test_a_prompt_too_long_for_every_model_is_the_callers_fault() -> None:
    s = snapshot(target("m", price=price("1", "1"), context_window=1000))
    with pytest.raises(BadRequest, match="context window"):
        ask(s, input_tokens=2000)


def test_more_output_than_a_model_writes_leaves_it_out() -> None:
    s = snapshot(
        target("short", price=price("1", "1"), max_output_tokens=4096),
        target("long", price=price("9", "9"), max_output_tokens=64_000),
    )
    assert models(ask(s, max_output_tokens=10_000)) == ["long"]


def test_a_named_model_that_only_one_provider_has_room_for_goes_there() -> None:
    near, far = provider("Near", priority=90), provider("Far", priority=10)
    s = snapshot(target("m", near, context_window=1000), target("m", far, context_window=9000))
    plan = ask(s, model="m", input_tokens=2000)
    assert [c.target.provider.name for c in plan.choices] == ["Far"]
    # Where nobody is known to have room the provider has the last word: an estimate may be wrong.
    assert [c.target.provider.name for c in ask(s, model="m", input_tokens=20_000).choices] == ["Near", "Far"]


# ── a request's own wishes ────────────────────────────────────────────────────

ONE, TWO = provider("One", "openai", 90), provider("Two", "custom", 10)
PAIR = snapshot(
    target("m", ONE, price=price("5", "5")),
    target("m", TWO, price=price("1", "1")),
    target("other", TWO, price=price("1", "1")),
)


def providers(plan: Plan) -> list[str]:
    return [choice.target.provider.name for choice in plan.choices]


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        ("m", Options(), ["One", "Two"]),
        ("m", Options(order=("two",)), ["Two", "One"]),
        ("m", Options(order=("custom",)), ["Two", "One"]),
        ("m", Options(only=("two",)), ["Two"]),
        ("m", Options(ignore=("openai",)), ["Two"]),
        ("m", Options(sort="price"), ["Two", "One"]),
        ("m:floor", Options(), ["Two", "One"]),
        ("m", Options(max_input_mtok=2.0), ["Two"]),
        ("m", Options(models=("other",)), ["One", "Two", "Two"]),
        ("nobody-has-it", Options(models=("other",)), ["Two"]),
    ],
)
def test_a_requests_own_wishes_are_followed(model: str, options: Options, expected: list[str]) -> None:
    assert providers(ask(PAIR, model=model, options=options)) == expected


def test_wishes_bind_the_strategy_too() -> None:
    assert providers(ask(PAIR, model="auto", options=Options(only=("one",)))) == ["One"]
    with pytest.raises(ModelNotFound):
        ask(PAIR, model="m", options=Options(only=("nobody",)))


def test_nitro_asks_the_fastest_first() -> None:
    live = Live()
    live.speeds = Speeds(version=1, seconds={"mdl_One_m": (0.1, 0.5), "mdl_Two_m": (1.0, 0.001)})
    assert providers(resolve(PAIR, None, RouteRequest(model="m:nitro"), live)) == ["Two", "One"]
    latency = RouteRequest(model="m", options=Options(sort="latency"))
    assert providers(resolve(PAIR, None, latency, live)) == ["One", "Two"]


def test_the_strategy_replaces_named_models_only_where_the_admin_says_so() -> None:
    targets = (target("dear", price=price("9", "9")), target("cheap", price=price("1", "1")))
    assert models(ask(snapshot(*targets), model="dear")) == ["dear"]
    replacing = snapshot(*targets, rules=Rules(replace_named=True))
    plan = ask(replacing, model="dear")
    assert (models(plan)[0], plan.strategy) == ("cheap", Strategy.COST)
    with pytest.raises(ModelNotFound):
        ask(replacing, model="nobody-has-it")


# ── equals share ──────────────────────────────────────────────────────────────


class Loads(Live):
    busy = True

    def __init__(self, **loads: float) -> None:
        self._loads = loads

    def load(self, target_id: str) -> float:
        return self._loads.get(target_id, 1.0)


def firsts(s: Snapshot, live: Live, model: str, turns: int = 1200) -> dict[str, int]:
    counts: dict[str, int] = {}
    for turn in range(turns):
        name = resolve(s, None, RouteRequest(model=model, turn=turn), live).choices[0].target.provider.name
        counts[name] = counts.get(name, 0) + 1
    return counts


@pytest.mark.parametrize("model", ["m", "auto"])
def test_equals_share_within_five_percent_and_the_loaded_one_gets_less(model: str) -> None:
    s = snapshot(*[target("m", provider(name), price=price("1", "1")) for name in "ABC"])
    even = firsts(s, Loads(), model)
    assert all(abs(count - 400) <= 20 for count in even.values()), even
    uneven = firsts(s, Loads(mdl_A_m=9.0), model)
    assert uneven.get("A", 0) == 0
    assert uneven["B"] + uneven["C"] == 1200


# ── speed of planning ─────────────────────────────────────────────────────────


def test_a_plan_over_two_thousand_models_takes_microseconds() -> None:
    """Under 50 µs each on a quiet machine (docs/performance.md); the bounds here are generous, and count CPU
    time only."""
    for asked, (planning, recording) in plans.medians(requests=300).items():
        assert planning < 150, (asked, planning)
        assert recording < 60, (asked, recording)


def test_what_rankings_remember_is_bounded() -> None:
    rankings = Rankings([READER, WRITER], Weights())
    for version in range(1000):
        rankings.order(Strategy.BALANCED, 100, 100, Speeds(version=version))
    assert len(rankings._orders) <= 256
