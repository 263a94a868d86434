"""A real Prometheus scrapes a live server: what it answers is what the ledger holds."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from left_out import left_out
from live import LiveServer, SimulatorThread, free_port, wait_until
from ops_center.simulator import SimulatorConfig

Labels = tuple[str, ...]
Row = dict[str, Any]


class Prometheus:
    """One that scrapes a server every half second, in a process of its own."""

    def __init__(self, program: str, server: LiveServer, folder: Path) -> None:
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
            "scrape_configs:\n"
            "  - job_name: ops-center\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{server.port}']}}]\n"
        )
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/api/v1/query"
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'series'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def ask(self, query: str, *labels: str) -> dict[Labels, float]:
        """The values of a query by these labels; nothing while it is not up."""
        try:
            answer = httpx.get(self._url, params={"query": query}, timeout=5)
        except httpx.TransportError:
            return {}
        if answer.status_code == 503:
            return {}
        found = answer.raise_for_status().json()["data"]["result"]
        return {
            tuple(one["metric"].get(each, "") for each in labels): float(one["value"][1]) for one in found
        }

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with (
        SimulatorThread(SimulatorConfig()) as simulated,
        LiveServer(tmp_path_factory.mktemp("scraped") / "data") as running,
    ):
        running.add_provider("openai", api_key="sk-good", base_url=simulated.openai_url)
        running.add_provider("anthropic", api_key="sk-good", base_url=simulated.anthropic_url)
        yield running


@pytest.fixture(scope="module")
def prometheus(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    program = shutil.which("prometheus")
    if program is None:
        left_out("a real Prometheus (not installed)")
    running = Prometheus(program, server, tmp_path_factory.mktemp("prometheus"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def rows(server: LiveServer) -> list[Row]:
    """Traffic of all kinds: whole and streamed, of two providers, refused, of models that nobody has."""
    secret = server.create_api_key("scraped")
    calls = [("gpt-4o-mini", False), ("gpt-4o", True), ("claude-haiku-4-5", True), ("gpt-4o-mini", True)] * 3
    calls += [(f"invented-{n}", False) for n in range(40)]
    with httpx.Client(headers={"authorization": f"Bearer {secret}"}) as client:
        for model, stream in calls:
            client.post(
                f"{server.openai_url}/chat/completions",
                json={"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]},
            )
    wait_until(lambda: len(server.requests(limit=200)) == len(calls), what="the records")
    return server.requests(limit=200)


def by(rows: list[Row], field: str, *labels: str) -> dict[Labels, float]:
    sums: dict[Labels, float] = defaultdict(float)
    for row in rows:
        if row["provider_name"]:
            sums[tuple(row[label] for label in labels)] += row[field] or 0
    return dict(sums)


def test_what_it_answers_is_what_the_ledger_holds(prometheus: Prometheus, rows: list[Row]) -> None:
    wait_until(
        lambda: prometheus.ask("sum(ops_center_requests_total)") == {(): len(rows)},
        seconds=30,
        what="a scrape of everything",
    )
    asked = ("provider", "model", "status")
    calls = Counter(
        (row["provider_name"] or "none", row["model"] or "none", str(row["status"])) for row in rows
    )
    assert prometheus.ask(f"sum by ({','.join(asked)}) (ops_center_requests_total)", *asked) == calls
    assert len(calls) == 4  # three models, and the one line of all that do not exist
    for kind in ("input", "output"):
        query = f'sum by (provider, model) (ops_center_tokens_total{{kind="{kind}"}})'
        expected = by(rows, f"{kind}_tokens", "provider_name", "model")
        assert prometheus.ask(query, "provider", "model") == expected
    cost = prometheus.ask("sum by (provider) (ops_center_cost_usd_total)", "provider")
    assert cost == pytest.approx(by(rows, "cost_usd", "provider_name"))
    seconds = prometheus.ask("sum(ops_center_request_duration_seconds_sum)")
    assert seconds[()] == pytest.approx(sum(row["duration_ms"] for row in rows) / 1000, abs=0.001 * len(rows))
    [p50] = prometheus.ask(
        "histogram_quantile(0.5, sum by (le) (ops_center_request_duration_seconds_bucket))"
    ).values()
    assert 0 < p50 < 5


def test_names_that_clients_invent_make_no_series(prometheus: Prometheus, rows: list[Row]) -> None:
    wait_until(lambda: prometheus.ask("sum(ops_center_requests_total)"), seconds=30, what="a scrape")
    assert prometheus.ask('count({__name__=~"ops_center_.*", model=~"invented.*"})') == {}
    of_family = prometheus.ask('count by (__name__) ({__name__=~"ops_center_.*_total"})', "__name__")
    assert max(of_family.values()) <= 6


def test_the_page_is_as_promtool_wants_it(server: LiveServer, rows: list[Row]) -> None:
    program = shutil.which("promtool")
    if program is None:
        left_out("promtool (not installed)")
    page = httpx.get(f"{server.url}/metrics")
    checked = subprocess.run(
        [program, "check", "metrics"], input=page.content, capture_output=True, timeout=30
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
