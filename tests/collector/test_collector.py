"""A real collector takes what a live server sends: GenAI spans and metrics, as the ledger has them, and no secret."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from live import LiveServer, SimulatorThread, free_port, wait_until
from ops_center.simulator import SimulatorConfig

PROGRAM = Path(__file__).parent.parent.parent / ".make" / "collector"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PROMPT = "a prompt to be kept secret"
_ATTRIBUTE = re.compile(r"-> (\S+): (\w+)\((.*)\)$")
_FIELD = re.compile(r"(\w[\w ]*?) *: (.*)$")

Block = dict[str, Any]
"""One span or data point as printed: its fields by name, its attributes by theirs."""


@dataclass(frozen=True)
class Collector:
    """The process: takes OTLP over HTTP, prints all that it took, and counts what it refused."""

    url: str
    own_metrics_url: str
    log: Path

    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    def counted(self, name: str) -> float:
        """The sum of a counter of its own, such as `otelcol_receiver_refused_spans`; 0 where it never counted."""
        page = httpx.get(self.own_metrics_url, timeout=5).text
        found = re.findall(rf"^{name}(?:_total)?(?:__\w+)?\{{.*\}} (\S+)$", page, re.MULTILINE)
        return sum(float(value) for value in found)

    def spans(self) -> list[Block]:
        return _blocks(self.printed(), r"Span #\d+")

    def points(self, metric: str) -> list[Block]:
        """The data points of a metric as last printed (they are cumulative)."""
        of_metric = re.split(r"^Metric #\d+$", self.printed(), flags=re.MULTILINE)
        named = [
            text for text in of_metric if re.search(rf"-> Name: {re.escape(metric)}$", text, re.MULTILINE)
        ]
        return _blocks(named[-1], r"(?:Number|Histogram)DataPoints #\d+") if named else []


def _blocks(text: str, heading: str) -> list[Block]:
    found = []
    for block in re.split(rf"^{heading}$", text, flags=re.MULTILINE)[1:]:
        fields: Block = {}
        for line in block.splitlines():
            if re.match(r"Resource|Scope|Metric|\d{4}-", line):
                break  # what follows belongs to something else
            if attribute := _ATTRIBUTE.search(line):
                name, kind, value = attribute.groups()
                fields.setdefault(name, float(value) if kind in ("Int", "Double") else value)
            elif field := _FIELD.match(line.strip()):
                fields.setdefault(field[1], field[2])
        found.append(fields)
    return found


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    folder = tmp_path_factory.mktemp("collector")
    port, own = free_port(), free_port()
    config = folder / "collector.json"
    pipeline = {"receivers": ["otlp"], "exporters": ["debug"]}
    reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": own}}}}
    settings = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"debug": {"verbosity": "detailed"}},
        "service": {
            "telemetry": {"metrics": {"readers": [reader]}},
            "pipelines": {"traces": pipeline, "metrics": pipeline},
        },
    }
    config.write_text(json.dumps(settings))
    log = folder / "collector.log"
    with log.open("wb") as output:
        process = subprocess.Popen([PROGRAM, f"--config={config}"], stdout=output, stderr=output)
    running = Collector(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{own}/metrics", log)
    try:
        wait_until(lambda: "Everything is ready" in running.printed(), seconds=20, what="the collector")
        yield running
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[LiveServer]:
    env = {
        "OPS_CENTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
    }
    with (
        SimulatorThread(SimulatorConfig()) as simulated,
        LiveServer(tmp_path_factory.mktemp("otel") / "data", env=env) as running,
    ):
        running.add_provider("openai", api_key="sk-secret-openai", base_url=simulated.openai_url)
        running.add_provider("anthropic", api_key="sk-ant-secret", base_url=simulated.anthropic_url)
        yield running


@pytest.fixture(scope="module")
def secret(server: LiveServer) -> str:
    return server.create_api_key("collected")


@pytest.fixture(scope="module")
def rows(server: LiveServer, secret: str) -> list[dict[str, Any]]:
    """The records of four requests: whole, streamed, of another provider, refused."""
    calls = [("gpt-4o-mini", False), ("gpt-4o", True), ("claude-haiku-4-5", True), ("no-such-model", False)]
    for model, stream in calls:
        httpx.post(
            f"{server.openai_url}/chat/completions",
            json={"model": model, "stream": stream, "messages": [{"role": "user", "content": PROMPT}]},
            headers={"authorization": f"Bearer {secret}", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        )
    wait_until(lambda: len(server.requests()) == len(calls), what="the records")
    return server.requests()


def test_a_collector_takes_every_span_with_the_genai_attributes(
    collector: Collector, rows: list[dict[str, Any]]
) -> None:
    wait_until(lambda: len(collector.spans()) == 7, seconds=15, what="four requests and three calls")
    spans = collector.spans()
    assert {span["Trace ID"] for span in spans} == {TRACE}
    by_request = {span["ops_center.request_id"]: span for span in spans if span["Kind"] == "Server"}
    assert set(by_request) == {row["id"] for row in rows}
    calls = {span["Parent ID"]: span for span in spans if span["Kind"] == "Client"}
    for row in rows:
        call = calls.get(by_request[row["id"]]["ID"])
        assert (call is None) == (row["model"] is None), "only what found a model was sent on"
        if call is None:
            continue
        assert call["Name"] == f"chat {call['gen_ai.request.model']}"
        assert call["gen_ai.operation.name"] == "chat"
        assert call["gen_ai.provider.name"] == row["provider_type"]
        assert call["gen_ai.usage.input_tokens"] == row["input_tokens"]
        assert call["gen_ai.usage.output_tokens"] == row["output_tokens"]
        assert call["ops_center.cost_usd"] == pytest.approx(row["cost_usd"])


def test_a_collector_takes_the_genai_metrics_as_the_ledger_has_them(
    collector: Collector, rows: list[dict[str, Any]]
) -> None:
    answered = [row for row in rows if row["model"]]

    def tokens(kind: str) -> float:
        points = collector.points("gen_ai.client.token.usage")
        return sum(float(point["Sum"]) for point in points if point["gen_ai.token.type"] == kind)

    expected = sum(row["output_tokens"] for row in answered)
    wait_until(lambda: tokens("output") == expected, seconds=15, what="the sum of output tokens")
    assert tokens("input") == sum(row["input_tokens"] for row in answered)
    cost = sum(float(point["Value"]) for point in collector.points("ops_center.cost"))
    assert cost == pytest.approx(sum(row["cost_usd"] for row in answered), abs=1e-6)  # all that it prints
    durations = collector.points("gen_ai.client.operation.duration")
    assert sum(int(point["Count"]) for point in durations) == len(answered)
    first = collector.points("gen_ai.server.time_to_first_token")
    assert sum(int(point["Count"]) for point in first) == 2, "of the two streams"


def test_a_collector_refuses_nothing_and_gets_no_secret(
    collector: Collector, rows: list[dict[str, Any]], secret: str
) -> None:
    wait_until(lambda: len(collector.spans()) == 7 and collector.points("ops_center.cost"), seconds=15)
    assert collector.counted("otelcol_receiver_accepted_spans") == 7
    assert collector.counted("otelcol_receiver_accepted_metric_points") > 0
    for signal in ("spans", "metric_points"):
        assert collector.counted(f"otelcol_receiver_refused_{signal}") == 0
    printed = collector.printed()
    assert not re.search(r"^\S+\t(?:warn|error)\t", printed, re.MULTILINE)
    for canary in (secret, "sk-secret-openai", "sk-ant-secret", PROMPT):
        assert canary not in printed
