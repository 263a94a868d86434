"""OpenTelemetry: each request as a trace, and the GenAI metrics, sent to a collector by OTLP over HTTP.

Made from usage records once they have entered the ledger, so nothing of it is on the way of a request. Names
follow the semantic conventions for generative AI (https://opentelemetry.io/docs/specs/semconv/gen-ai/, read
2026-11). No prompt, no answer and no secret is in a record, so none is in a trace.

Needs the extra `ops-center[otel]`; loaded only where `OPS_CENTER_OTLP_ENDPOINT` is set. Headers, sampling,
time-outs, certificates and resource attributes are the SDK's own: the standard variables `OTEL_...`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram, Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from ops_center.types import AttemptRecord, UsageRecord

_QUEUED_SPANS = 65_536  # what a collector that is away may cost in memory: some 100 MB; the oldest stay
_SPANS_PER_EXPORT = 2_048

# The well-known values of gen_ai.provider.name where they differ from our provider types.
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
_OPERATIONS = {
    "completions": "text_completion",
    "embeddings": "embeddings",
    "chat/completions": "chat",
    "messages": "chat",
    "responses": "chat",
}
# Bounds that the conventions give for these three.
_TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_FIRST_TOKEN = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]

Attributes = dict[str, AttributeValue]


class OpenTelemetry:
    """One per server. `count` takes records as they enter the ledger; all work is done in threads beside the loop."""

    def __init__(self, endpoint: str, version: str) -> None:
        """`endpoint`: of the collector, such as http://collector:4318."""
        resource = Resource.create({SERVICE_NAME: "ops-center", SERVICE_VERSION: version})
        self._traces = TracerProvider(resource=resource)
        self._traces.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"),
                max_queue_size=_QUEUED_SPANS,
                max_export_batch_size=_SPANS_PER_EXPORT,
            )
        )
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"))
        self._metrics = MeterProvider(metric_readers=[reader], resource=resource)
        self._tracer: Tracer = self._traces.get_tracer("ops_center", version)
        self._instruments = _Instruments(self._metrics.get_meter("ops_center", version))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="opentelemetry")

    def count(self, records: Sequence[UsageRecord]) -> None:
        self._thread.submit(self._count, records)

    def _count(self, records: Sequence[UsageRecord]) -> None:
        for record in records:
            self._trace(record)
            self._instruments.record(record)

    def close(self) -> None:
        """Send what is left. Waits for the collector, at most as long as the SDK's own time-outs."""
        self._thread.shutdown()
        self._traces.shutdown()
        self._metrics.shutdown()

    def _trace(self, record: UsageRecord) -> None:
        parent = (
            TraceContextTextMapPropagator().extract({"traceparent": record.traceparent})
            if record.traceparent
            else Context()  # of its own: never that of whoever happens to call
        )
        started = _nanoseconds(record)
        span = self._tracer.start_span(
            f"POST /v1/{record.endpoint}",
            context=parent,
            kind=SpanKind.SERVER,
            attributes=_of_request(record),
            start_time=started,
        )
        inside = set_span_in_context(span, Context())
        for attempt in record.attempts:
            self._attempt(record, attempt, inside, started)
        if record.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_time=started + round(record.duration_seconds * 1e9))

    def _attempt(self, record: UsageRecord, attempt: AttemptRecord, inside: Context, started: int) -> None:
        operation = _operation(record)
        begun = started + (attempt.started_at - record.started_at) // timedelta(microseconds=1) * 1_000
        span = self._tracer.start_span(
            f"{operation} {attempt.model}",
            context=inside,
            kind=SpanKind.CLIENT,
            attributes=_of_attempt(record, attempt),
            start_time=begun,
        )
        if attempt.outcome != "success":
            span.set_status(Status(StatusCode.ERROR, attempt.outcome))
        span.end(end_time=begun + round(attempt.duration_seconds * 1e9))


class _Instruments:
    """The histograms of the conventions, and one counter of ours for money."""

    def __init__(self, meter: Meter) -> None:
        self._duration = _histogram(meter, "gen_ai.client.operation.duration", "s", _SECONDS)
        self._tokens = _histogram(meter, "gen_ai.client.token.usage", "{token}", _TOKENS)
        self._first_token = _histogram(meter, "gen_ai.server.time_to_first_token", "s", _FIRST_TOKEN)
        self._cost = meter.create_counter("ops_center.cost", "{USD}", "What the platform pays, in USD")

    def record(self, record: UsageRecord) -> None:
        """Calls that reached no provider have no operation to measure."""
        if record.model is None:
            return
        labels: Attributes = {
            "gen_ai.operation.name": _operation(record),
            "gen_ai.provider.name": _provider(record),
            "gen_ai.request.model": record.model,
            "gen_ai.response.model": record.model,
        }
        outcome = labels if record.error_type is None else {**labels, "error.type": record.error_type}
        self._duration.record(record.duration_seconds, outcome)
        if record.time_to_first_chunk_seconds is not None:
            self._first_token.record(record.time_to_first_chunk_seconds, labels)
        if record.usage.input_tokens or record.usage.output_tokens:
            self._tokens.record(record.usage.input_tokens, {**labels, "gen_ai.token.type": "input"})
            self._tokens.record(record.usage.output_tokens, {**labels, "gen_ai.token.type": "output"})
        if record.cost_usd is not None:
            self._cost.add(float(record.cost_usd), {**labels, "ops_center.cost_source": record.cost_source})


def _histogram(meter: Meter, name: str, unit: str, bounds: Sequence[float]) -> Histogram:
    return meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=bounds)


def _of_request(record: UsageRecord) -> Attributes:
    found: dict[str, AttributeValue | None] = {
        "http.request.method": "POST",
        "http.route": f"/v1/{record.endpoint}",
        "http.response.status_code": record.status,
        "error.type": record.error_type,
        "ops_center.request_id": record.request_id,
        "ops_center.requested_model": record.requested_model,
        "ops_center.strategy": record.strategy,
        "ops_center.api_key_id": record.api_key_id,
        "ops_center.user_id": record.user_id,
        "ops_center.team_id": record.team_id,
        "ops_center.queue_seconds": record.queue_seconds,
        "ops_center.attempts": len(record.attempts),
    }
    return {name: value for name, value in found.items() if value is not None}


def _of_attempt(record: UsageRecord, attempt: AttemptRecord) -> Attributes:
    found: dict[str, AttributeValue | None] = {
        "gen_ai.operation.name": _operation(record),
        "gen_ai.request.model": attempt.model,
        "http.response.status_code": attempt.status,
        "ops_center.provider_name": attempt.provider_name,
        "ops_center.attempt": attempt.number,
        "ops_center.credential": attempt.credential_source.value,
    }
    if attempt.outcome != "success":
        found["error.type"] = attempt.outcome
    if attempt.number == len(record.attempts):  # the one whose answer was used, and what that cost
        usage = record.usage
        found |= {
            "gen_ai.provider.name": _provider(record),
            "gen_ai.response.model": record.model,
            "gen_ai.response.finish_reasons": [record.finish_reason] if record.finish_reason else None,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens or None,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens or None,
            "ops_center.time_to_first_chunk_seconds": attempt.time_to_first_chunk_seconds,
            "ops_center.cost_usd": None if record.cost_usd is None else float(record.cost_usd),
            "ops_center.cost_source": record.cost_source.value,
        }
    return {name: value for name, value in found.items() if value is not None}


def _operation(record: UsageRecord) -> str:
    return _OPERATIONS.get(record.endpoint, record.endpoint.replace("/", "_"))


def _provider(record: UsageRecord) -> str:
    kind = record.provider_type or "none"
    return _PROVIDERS.get(kind, kind)


def _nanoseconds(record: UsageRecord) -> int:
    """Of Unix time; whole microseconds, as the record has them."""
    at = record.started_at
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1_000
