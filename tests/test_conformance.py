"""Every scenario of `conformance.py` over every provider row; and the page that says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance import CASES, PAGE, ROWS, SCENARIOS, Case, Runner, page, runner

CLIENT_TABLE = "(the table that sdk/test_client_libraries.py compares)"
passed: set[tuple[str, str, bool]] = set()


@pytest.fixture(scope="module")
def running() -> Iterator[Runner]:
    with runner() as one:
        yield one


def _id(case: Case) -> str:
    spec, scenario, stream = case
    return f"{spec.type}-{scenario.name.replace(' ', '_')}-{'streamed' if stream else 'whole'}"


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_conformance(running: Runner, case: Case) -> None:
    running.run(case)
    passed.add((case[0].type, case[1].name, case[2]))


def test_the_page_is_what_came_out(request: pytest.FixtureRequest) -> None:
    """After the whole list; on its own it compares only that the page has a row for every provider."""
    ran = sum(1 for item in request.session.items if item.originalname == "test_conformance")  # type: ignore[attr-defined]
    if ran == len(CASES):
        expected = page(passed, CLIENT_TABLE)
        for part in expected.split(CLIENT_TABLE):
            assert part in PAGE.read_text(), "run .venv/bin/python tests/conformance.py"
    for spec in ROWS:
        assert f"| {spec.name} |" in PAGE.read_text()


def test_nothing_is_left_out_but_what_a_row_declares() -> None:
    all_of_them = sum(len(scenario.streamed) for scenario in SCENARIOS) * len(ROWS)
    left_out = sum(
        len(scenario.streamed) for spec in ROWS for scenario in SCENARIOS if scenario.needs in spec.lacks
    )
    assert len(CASES) == all_of_them - left_out
    assert left_out < all_of_them / 50


def test_a_row_that_fails_is_shown_as_failing() -> None:
    everything = {(spec.type, scenario.name, stream) for spec, scenario, stream in CASES}
    without = everything - {("openai", "stop", True)}
    row = next(line for line in page(without, "").splitlines() if line.startswith("| OpenAI |"))
    assert row.count("✗") == 1
    assert "✗" not in page(everything, "").split("|---|")[1]
