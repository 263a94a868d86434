"""The one function that turns tokens into money, case by case."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_center.catalog.pricing import price_lines, price_usage
from ops_center.types import Price, PriceTier, Usage


def price(**fields: object) -> Price:
    amounts = {k: Decimal(v) if isinstance(v, str) else v for k, v in fields.items()}
    return Price(
        **{"input_mtok": Decimal(3), "output_mtok": Decimal(15), **amounts}, source="test", as_of="2026-07-02"
    )  # type: ignore[arg-type]


PLAIN = price()
CACHED = price(cache_read_mtok="0.3", cache_write_mtok="3.75", cache_write_1h_mtok="6")
TIERED = price(
    cache_read_mtok="0.3",
    tiers=(
        PriceTier(above_input_tokens=100_000, input_mtok=Decimal(4), output_mtok=Decimal(20)),
        PriceTier(
            above_input_tokens=200_000,
            input_mtok=Decimal(6),
            output_mtok=Decimal("22.5"),
            cache_read_mtok=Decimal("0.6"),
        ),
    ),
)

CASES: list[tuple[str, Price, Usage, str]] = [
    ("nothing used", PLAIN, Usage(), "0"),
    ("input and output", PLAIN, Usage(input_tokens=1000, output_tokens=200), "0.006"),
    ("one token", PLAIN, Usage(input_tokens=1), "0.000003"),
    (
        "cached reads are part of the input",
        CACHED,
        Usage(input_tokens=1000, cache_read_tokens=800),
        "0.00084",
    ),
    (
        "cached reads without a price are input",
        PLAIN,
        Usage(input_tokens=1000, cache_read_tokens=800),
        "0.003",
    ),
    ("five-minute writes", CACHED, Usage(input_tokens=1000, cache_write_tokens=1000), "0.00375"),
    (
        "one-hour writes are part of the writes",
        CACHED,
        Usage(input_tokens=1000, cache_write_tokens=1000, cache_write_1h_tokens=400),
        "0.00465",
    ),
    (
        "one-hour writes without a price are writes",
        price(cache_write_mtok="3.75"),
        Usage(input_tokens=1000, cache_write_tokens=1000, cache_write_1h_tokens=1000),
        "0.00375",
    ),
    ("writes without a price are input", PLAIN, Usage(input_tokens=1000, cache_write_tokens=1000), "0.003"),
    (
        "reads, writes and plain input together",
        CACHED,
        Usage(
            input_tokens=10_000,
            cache_read_tokens=7000,
            cache_write_tokens=2000,
            cache_write_1h_tokens=500,
            output_tokens=100,
        ),
        "0.015225",  # 1000·3 + 7000·0.3 + 1500·3.75 + 500·6 + 100·15, per million
    ),
    ("at the bound the lower tier holds", TIERED, Usage(input_tokens=100_000), "0.3"),
    ("above the bound the tier holds for all", TIERED, Usage(input_tokens=100_001), "0.400004"),
    ("the highest tier that is passed", TIERED, Usage(input_tokens=300_000, output_tokens=1000), "1.8225"),
    (
        "a tier's own price of cached reads",
        TIERED,
        Usage(input_tokens=300_000, cache_read_tokens=300_000),
        "0.18",
    ),
    (
        "a tier without a price of cached reads bills its input",
        TIERED,
        Usage(input_tokens=150_000, cache_read_tokens=150_000),
        "0.6",
    ),
    ("reasoning is output", PLAIN, Usage(output_tokens=1000, reasoning_tokens=900), "0.015"),
    (
        "reasoning at its own price",
        price(reasoning_mtok="40"),
        Usage(output_tokens=1000, reasoning_tokens=900),
        "0.0375",
    ),
    ("a price per request", price(request_usd="0.005"), Usage(input_tokens=1000), "0.008"),
    ("free is zero, not unknown", price(input_mtok="0", output_mtok="0"), Usage(input_tokens=9), "0"),
    (
        "more cached than input: what was cached is billed, nothing is given back",
        CACHED,
        Usage(input_tokens=100, cache_read_tokens=1000),
        "0.0003",
    ),
    ("rounded once, half to even", price(input_mtok="0.0005"), Usage(input_tokens=1), "0"),
    ("nine decimals", price(input_mtok="0.0375"), Usage(input_tokens=1), "0.000000038"),
]


@pytest.mark.parametrize(("rates", "usage", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_price_of_one_call(rates: Price, usage: Usage, expected: str) -> None:
    assert price_usage(usage, rates) == Decimal(expected)


def test_unknown_price_is_unknown_cost() -> None:
    assert price_usage(Usage(input_tokens=1000), None) is None


def test_cost_has_at_most_nine_decimals() -> None:
    cost = price_usage(Usage(input_tokens=7, output_tokens=3), price(input_mtok="0.123456", output_mtok="7"))
    assert cost is not None
    assert cost.as_tuple().exponent == -9


tokens = st.integers(0, 10_000_000)
rates = st.decimals(0, 200, places=6)


@given(
    plain=tokens,
    read=tokens,
    write=tokens,
    hour=tokens,
    output=tokens,
    r=st.lists(rates, min_size=5, max_size=5),
)
def test_cost_is_the_exact_sum_rounded_once(
    plain: int, read: int, write: int, hour: int, output: int, r: list[Decimal]
) -> None:
    usage = Usage(
        input_tokens=plain + read + write + hour,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=write + hour,
        cache_write_1h_tokens=hour,
    )
    cost = price_usage(
        usage,
        Price(
            input_mtok=r[0],
            output_mtok=r[1],
            cache_read_mtok=r[2],
            cache_write_mtok=r[3],
            cache_write_1h_mtok=r[4],
            source="test",
            as_of="2026-07-02",
        ),
    )
    exact = (
        sum(
            Fraction(count) * Fraction(rate)
            for count, rate in zip((plain, output, read, write, hour), r, strict=True)
        )
        / 1_000_000
    )
    assert cost is not None
    assert abs(Fraction(cost) - exact) <= Fraction(1, 2_000_000_000)


@given(
    case=st.sampled_from([case[1] for case in CASES]),
    count=st.lists(tokens, min_size=6, max_size=6),
)
def test_the_lines_of_a_cost_add_up_to_it(case: Price, count: list[int]) -> None:
    usage = Usage(
        input_tokens=count[0],
        output_tokens=count[1],
        cache_read_tokens=count[2],
        cache_write_tokens=count[3],
        cache_write_1h_tokens=count[4],
        reasoning_tokens=count[5],
    )
    cost = price_usage(usage, case)
    assert cost is not None
    assert abs(sum((line.usd for line in price_lines(usage, case)), Decimal(0)) - cost) <= Decimal("5e-10")
