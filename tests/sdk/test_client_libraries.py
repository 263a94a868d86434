"""LangChain, pydantic-ai, LlamaIndex, the Vercel AI SDK and the official clients against a live server."""

from __future__ import annotations

import pytest

from client_libraries import CLIENTS, RESULTS, Result, add_providers, everything, table
from conformance import PAGE
from left_out import left_out
from live import LiveServer, SimulatorThread

passed: set[Result] = set()
by_id = {client.id: client for client in CLIENTS}


# the first test waits for all of the scripts
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def told(server: LiveServer, running_simulator: SimulatorThread, api_key: str) -> dict[Result, str | None]:
    """What every client's script says of itself."""
    add_providers(server, running_simulator)
    return everything(server, api_key)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: "-".join(result).replace(" ", "_"))
def test_client_library(told: dict[Result, str | None], result: Result) -> None:
    if not by_id[result[0]].installed:
        left_out("client libraries (not installed: make clients)")
    assert result in told, "the script did not come so far"
    assert told[result] is None, told[result]
    passed.add(result)


def test_the_page_shows_what_came_out(request: pytest.FixtureRequest) -> None:
    """After the whole list; on its own it compares only that the page has a row for every client."""
    ran = sum(1 for item in request.session.items if item.originalname == "test_client_library")  # type: ignore[attr-defined]
    page = PAGE.read_text()
    if ran == len(RESULTS) and all(client.installed for client in CLIENTS):
        assert table(passed) in page, "run .venv/bin/python tests/conformance.py"
    for client in CLIENTS:
        assert f"| {client.name} |" in page


def test_a_client_that_fails_is_shown_as_failing() -> None:
    without = set(RESULTS) - {("javascript openai_client", "stream", "anthropic/claude-haiku-4-5")}
    row = next(line for line in table(without).splitlines() if line.startswith("| JavaScript `openai` |"))
    assert row.count("✗ Anthropic") == 1
    assert "✗" not in table(set(RESULTS))
