"""One live server with a simulated provider of each kind, shared by all tests of official clients."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from live import LiveServer, SimulatorThread
from ops_center.simulator import SimulatorConfig

OPENAI_KEY = "sk-simulated-openai"
ANTHROPIC_KEY = "sk-ant-simulated"
OPENROUTER_KEY = "sk-or-v1-simulated"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/sdk/" in str(item.path):
            item.add_marker("sdk")


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread(SimulatorConfig(list_magic_models=True)) as running:
        yield running


@pytest.fixture
def simulator(running_simulator: SimulatorThread) -> Iterator[SimulatorThread]:
    """The simulator behind the server, healthy and with empty books."""
    running_simulator.reset()
    yield running_simulator
    running_simulator.reset()


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, running_simulator: SimulatorThread
) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("sdk") / "data") as running:
        add_providers(running, running_simulator)
        yield running


def add_providers(server: LiveServer, running: SimulatorThread) -> None:
    simulator = running.simulator
    server.add_provider("openai", api_key=OPENAI_KEY, base_url=simulator.openai_url, priority=90)
    server.add_provider("anthropic", api_key=ANTHROPIC_KEY, base_url=simulator.anthropic_url, priority=80)
    server.add_provider("openrouter", api_key=OPENROUTER_KEY, base_url=simulator.openrouter_url, priority=40)
    server.add_provider("custom", name="Local", base_url=simulator.custom_url, priority=30)


@pytest.fixture(autouse=True)
def nobody_rests(server: LiveServer, simulator: SimulatorThread) -> Iterator[None]:
    """A fault of one test leaves circuits open and keys resting: the next one finds other providers."""
    before = simulator.config
    yield
    if simulator.config != before or any((each.status or 200) >= 400 for each in simulator.requests):
        simulator.reset()
        for provider in server.admin.get("/llm/providers").json()["providers"]:
            assert server.admin.delete(f"/llm/providers/{provider['id']}").status_code == 204
        add_providers(server, simulator)


@pytest.fixture(scope="session")
def api_key(server: LiveServer) -> str:
    return server.create_api_key("sdk tests")


@pytest.fixture
def openai_client(server: LiveServer, api_key: str, simulator: SimulatorThread) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key=api_key, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def anthropic_client(
    server: LiveServer, api_key: str, simulator: SimulatorThread
) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=server.anthropic_url, api_key=api_key, max_retries=0, timeout=20
    ) as client:
        yield client
