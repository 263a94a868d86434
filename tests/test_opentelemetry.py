"""Traces and GenAI metrics as a collector gets them, by OTLP over HTTP from a live server."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from live import LiveServer, SimulatorThread, wait_until
from ops_center.simulator import SimulatorConfig

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(ThreadingHTTPServer):
    """Takes what is sent and keeps it, decoded by the schema that OpenTelemetry publishes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Span]:
        return [
            span
            for request in list(self.traces)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def newest(self, metric: str) -> Any:
        """The data of the metric as last sent (they are cumulative); None before that."""
        found = [
            one
            for request in list(self.metrics)
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for one in scope.metrics
            if one.name == metric
        ]
        return found[-1] if found else None


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append(body)
        if self.path == "/v1/traces":
            self.server.traces.append(ExportTraceServiceRequest.FromString(body))
        elif self.path == "/v1/metrics":
            self.server.metrics.append(ExportMetricsServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread(SimulatorConfig()) as running:
        yield running


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector, simulator: SimulatorThread
) -> Iterator[LiveServer]:
    env = {
        "OPS_CENTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
    }
    with LiveServer(tmp_path_factory.mktemp("otel") / "data", env=env) as running:
        running.add_provider(
            "openai",
            name="First",
            api_key="sk-secret-openai",
            priority=90,
            base_url=simulator.simulator.openai_url,
        )
        yield running


def attributes(span: Span) -> dict[str, Any]:
    found = {}
    for pair in span.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [each.string_value for each in value.values] if kind == "array_value" else value
    return found


def ask(server: LiveServer, secret: str, model: str = "gpt-4o-mini", **headers: str) -> httpx.Response:
    return httpx.post(
        f"{server.openai_url}/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": "a prompt to be kept secret"}]},
        headers={"authorization": f"Bearer {secret}", **headers},
    )


def test_a_request_is_a_trace_below_the_callers_own(server: LiveServer, collector: Collector) -> None:
    secret = server.create_api_key("traced")
    answer = ask(server, secret, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    assert answer.status_code == 200
    request_id = answer.headers["x-request-id"]
    spans = wait_until(
        lambda: [s for s in collector.spans() if s.trace_id.hex() == TRACE], seconds=15, what="the trace"
    )
    wait_until(lambda: len([s for s in collector.spans() if s.trace_id.hex() == TRACE]) == 2, seconds=15)
    root, call = sorted(
        [s for s in collector.spans() if s.trace_id.hex() == TRACE], key=lambda span: span.kind
    )
    assert (root.name, root.kind, root.parent_span_id.hex()) == (
        "POST /v1/chat/completions",
        Span.SPAN_KIND_SERVER,
        "00f067aa0ba902b7",
    )
    assert (call.name, call.kind, call.parent_span_id) == (
        "chat gpt-4o-mini",
        Span.SPAN_KIND_CLIENT,
        root.span_id,
    )
    assert root.start_time_unix_nano <= call.start_time_unix_nano < call.end_time_unix_nano
    assert call.end_time_unix_nano <= root.end_time_unix_nano + 1_000  # instants are whole microseconds
    row = server.wait_for_request(request_id)
    of_root, of_call = attributes(root), attributes(call)
    assert of_root["ops_center.request_id"] == request_id
    assert of_root["http.response.status_code"] == 200
    assert of_call["gen_ai.provider.name"] == "openai"
    assert of_call["gen_ai.usage.input_tokens"] == row["input_tokens"]
    assert of_call["gen_ai.usage.output_tokens"] == row["output_tokens"]
    assert of_call["gen_ai.response.finish_reasons"] == ["stop"]
    assert of_call["ops_center.cost_usd"] == pytest.approx(row["cost_usd"])
    assert spans


def test_a_refused_request_says_why_and_calls_nobody(server: LiveServer, collector: Collector) -> None:
    answer = ask(server, server.create_api_key("lost"), model="no-such-model")
    assert answer.status_code == 404
    request_id = answer.headers["x-request-id"]

    def of_request() -> list[Span]:
        return [s for s in collector.spans() if attributes(s).get("ops_center.request_id") == request_id]

    [root] = wait_until(of_request, seconds=15, what="the trace")
    assert attributes(root)["error.type"] == "model_not_found"
    assert root.parent_span_id == b""
    assert [s for s in collector.spans() if s.parent_span_id == root.span_id] == []


def test_the_metrics_agree_with_the_ledger(server: LiveServer, collector: Collector) -> None:
    ask(server, server.create_api_key("counted"))
    rows = [row for row in server.requests() if row["model"]]

    def tokens(kind: str) -> float:
        metric = collector.newest("gen_ai.client.token.usage")
        points = metric.histogram.data_points if metric else []
        return sum(
            point.sum
            for point in points
            if any(p.key == "gen_ai.token.type" and p.value.string_value == kind for p in point.attributes)
        )

    expected = sum(row["output_tokens"] for row in rows)
    wait_until(lambda: tokens("output") == expected, seconds=15, what="the sum of output tokens")
    assert tokens("input") == sum(row["input_tokens"] for row in rows)
    [cost] = collector.newest("ops_center.cost").sum.data_points
    assert cost.as_double == pytest.approx(sum(row["cost_usd"] for row in rows))
    durations = collector.newest("gen_ai.client.operation.duration").histogram.data_points
    assert sum(point.count for point in durations) == len(rows)


def test_nothing_sent_holds_a_secret_or_a_prompt(server: LiveServer, collector: Collector) -> None:
    secret = server.create_api_key("quiet")
    ask(server, secret)
    before = len(collector.traces)
    wait_until(lambda: len(collector.traces) > before or collector.spans(), seconds=15)
    sent = b"".join(collector.bodies)
    assert b"deployment.environment.name" in sent
    for canary in (secret, "sk-secret-openai", "a prompt to be kept secret"):
        assert canary.encode() not in sent


def test_a_wrong_endpoint_stops_the_start_with_one_line(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data", env={"OPS_CENTER_OTLP_ENDPOINT": "collector:4318"})
    with pytest.raises(AssertionError):
        server.start()
    assert "otlp_endpoint" in server.log_path.read_text().lower()
