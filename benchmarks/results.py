"""One run as a value: rows for people, raw figures for machines; JSON in `results/`, a table in the docs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.machine import Machine
from benchmarks.measures import PACE, Cpu, Effort, Latency, OpenStreams, PacedStreams, Rate
from benchmarks.others import OtherFigures
from benchmarks.table import Bound, Row, as_markdown

RESULTS = Path(__file__).resolve().parent / "results"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
_BEGIN = "<!-- measured: written by `python -m benchmarks`, not by hand -->"
_END = "<!-- end of measured -->"


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """Everything measured, in the units of `measures.py`."""

    effort: Effort
    whole: Cpu
    whole_many: Cpu
    streamed: Cpu
    translated: Cpu
    gateway_rate: Rate
    nginx_rate: Rate | None
    latency_one: Latency
    latency_many: Latency
    idle_mb: float
    loaded_mb: float
    open_streams: OpenStreams
    paced: PacedStreams | None = None  # results from before this was measured have none
    many_models_start_seconds: list[float] | None = None
    others: list[OtherFigures] = []
    first_start_seconds: float
    start_seconds: list[float]
    ledger_records: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    measured_at: str  # ISO 8601, UTC
    seconds: float  # the run's length
    machine: Machine
    neighbours: float  # share of the machine that other processes took during the run, 0..1
    switched_on: list[str]
    rows: list[Row]
    raw: Raw


def rows(raw: Raw) -> list[Row]:
    """The table: values with their targets. A ratio that lacks nginx is left open, never guessed."""
    no_nginx = "" if raw.whole.ratio is not None else "nginx is not installed"
    return [
        Row(
            key="cpu_whole_ratio",
            name="CPU time per request, not streamed (1 KB in, 1 KB out)",
            unit="× nginx",
            value=raw.whole.ratio,
            first_target=Bound("≤", 6),
            goal=Bound("≤", 3),
            note=no_nginx or _spread(raw.whole),
        ),
        Row(
            key="cpu_whole",
            name="… in microseconds",
            unit="µs",
            value=raw.whole.gateway_us,
            nginx=raw.whole.nginx_us,
        ),
        Row(
            key="cpu_whole_many_ratio",
            name=f"… with {raw.whole_many.connections} connections that never wait",
            unit="× nginx",
            value=raw.whole_many.ratio,
            first_target=Bound("≤", 6),
            goal=Bound("≤", 3),
            note=no_nginx or _spread(raw.whole_many),
        ),
        Row(
            key="cpu_whole_many",
            name="… in microseconds",
            unit="µs",
            value=raw.whole_many.gateway_us,
            nginx=raw.whole_many.nginx_us,
        ),
        Row(
            key="cpu_streamed_ratio",
            name="CPU time per streamed answer (64 chunks at once)",
            unit="× nginx",
            value=raw.streamed.ratio,
            goal=Bound("≤", 4),
            note=no_nginx or _spread(raw.streamed),
        ),
        Row(
            key="cpu_streamed",
            name="… in microseconds",
            unit="µs",
            value=raw.streamed.gateway_us,
            nginx=raw.streamed.nginx_us,
        ),
        Row(
            key="cpu_translated_ratio",
            name="CPU time per request translated OpenAI → Anthropic → OpenAI",
            unit="× nginx",
            value=raw.translated.ratio,
            goal=Bound("≤", 6),
            note=no_nginx or f"{_spread(raw.translated)}; nginx passes an OpenAI answer on",
        ),
        Row(
            key="requests_per_second",
            name="Requests per second, 32 connections, gateway on one core",
            unit="/s",
            value=raw.gateway_rate.per_second,
            nginx=raw.nginx_rate.per_second if raw.nginx_rate else None,
            note=_busy(raw),
        ),
        Row(
            key="requests_per_core_second",
            name="Requests per second of CPU time",
            unit="/s",
            value=1e6 / raw.whole_many.gateway_us,
            nginx=1e6 / raw.whole_many.nginx_us if raw.whole_many.nginx_us else None,
            note="from the CPU time with 32 connections",
        ),
        Row(
            key="chunks_per_core_second",
            name="Streamed chunks per second of CPU time",
            unit="/s",
            value=64e6 / raw.streamed.gateway_us,
            nginx=64e6 / raw.streamed.nginx_us if raw.streamed.nginx_us else None,
            note=f"measured on the clock: {raw.streamed.gateway_per_second * 64:,.0f}/s with {raw.streamed.connections} connection",
        ),
        _added(raw.latency_one, "p50", Bound("≤", 0.3)),
        _added(raw.latency_one, "p99", Bound("≤", 1.5)),
        _added(raw.latency_many, "p50", None),
        _added(raw.latency_many, "p99", Bound("≤", 8)),
        Row(
            key="idle_mb",
            name="Resident memory, idle",
            unit="MB",
            value=raw.idle_mb,
            first_target=Bound("<", 130),
            goal=Bound("≤", 110),
            note="after a restart and one request",
        ),
        Row(
            key="loaded_mb",
            name="Resident memory after the load",
            unit="MB",
            value=raw.loaded_mb,
            first_target=Bound("<", 130),
            note=f"of {raw.ledger_records:,} requests in all",
        ),
        Row(
            key="open_streams_mb",
            name=f"Resident memory at {raw.open_streams.streams} open streams",
            unit="MB",
            value=raw.open_streams.resident_mb,
            first_target=Bound("<", 130) if raw.open_streams.streams < 1000 else None,
            goal=Bound("≤", 170) if raw.open_streams.streams >= 1000 else None,
        ),
        *_paced(raw.paced),
        Row(
            key="start_seconds",
            name="Start to first answered request",
            unit="s",
            value=sorted(raw.start_seconds)[len(raw.start_seconds) // 2],
            first_target=Bound("<", 2.5),
            goal=Bound("≤", 1.5),
            note=f"the very first start, on an empty folder, is ready in {raw.first_start_seconds:.2f} s",
        ),
        *_many_models(raw.many_models_start_seconds),
        *[row for other in raw.others for row in _other(other, raw)],
    ]


def _paced(paced: PacedStreams | None) -> list[Row]:
    if paced is None:
        return []
    return [
        Row(
            key="paced_streams_per_core",
            name=f"Streams of {PACE:g} chunks/s each that take one core, by the CPU time of a chunk",
            unit="streams",
            value=paced.streams_per_core,
            goal=Bound("≥", 400),
            note=f"{paced.chunk_us:.1f} µs per chunk, each a wake-up and a write of its own",
        ),
        Row(
            key="paced_added_p99",
            name=f"Added delay p99 per chunk, {paced.streams} streams of {PACE:g} chunks/s",
            unit="ms",
            value=paced.added_p99 * 1000,
            goal=Bound("≤", 10),
            note=f"its core {paced.busy:.0%} busy; p50 {(paced.gateway_p50 - paced.direct_p50) * 1000:.1f} ms",
        ),
    ]


def _many_models(seconds: list[float] | None) -> list[Row]:
    if not seconds:
        return []
    return [
        Row(
            key="start_many_models_seconds",
            name="… with 20 more providers of 100 models each",
            unit="s",
            value=sorted(seconds)[len(seconds) // 2],
            goal=Bound("≤", 1.5),
        )
    ]


def _other(other: OtherFigures, raw: Raw) -> list[Row]:
    """Another gateway beside ours, in the order of our own rows."""
    ours = raw.gateway_rate.per_second
    found = []
    for key, kind, us, beside in (
        ("whole", "request, not streamed", other.whole_us, raw.whole),
        ("streamed", "streamed answer", other.streamed_us, raw.streamed),
    ):
        if us is not None:
            found.append(
                Row(
                    key=f"{other.name}_{key}",
                    name=f"{other.name}: CPU time per {kind}",
                    unit="µs",
                    value=us,
                    nginx=beside.nginx_us,
                    note=f"{us / beside.gateway_us:.2f} × ours",
                )
            )
    return [
        *found,
        Row(
            key=f"{other.name}_rate",
            name=f"{other.name}: requests per second, 32 connections",
            unit="/s",
            value=other.per_second,
            note=f"{other.per_second / ours:.2f} × ours",
        ),
        Row(
            key=f"{other.name}_p50",
            name=f"{other.name}: time of an answer p50, 1 connection",
            unit="ms",
            value=other.p50_seconds * 1000,
            note=f"p99 {other.p99_seconds * 1000:.2f} ms; not less the upstream's own",
        ),
    ]


def _spread(cpu: Cpu) -> str:
    ratios = sorted(each.ratio for each in cpu.rounds if each.ratio is not None)
    return f"rounds from {ratios[0]:.1f} to {ratios[-1]:.1f}"


def _busy(raw: Raw) -> str:
    share = raw.gateway_rate.busy
    if share >= 0.95:
        return f"its core {share:.0%} busy"
    return f"its core only {share:.0%} busy: upstream, clients or neighbours were the limit"


def _added(measured: Latency, percentile: str, goal: Bound | None) -> Row:
    def milliseconds(side: str) -> float | None:
        seconds = measured.added(side, percentile)
        return None if seconds is None else seconds * 1000

    where = "1 connection" if measured.connections == 1 else f"{measured.connections} connections"
    if measured.per_second is not None:
        where += f", {measured.per_second:,.0f} requests/s (half of the most)"
    return Row(
        key=f"added_{percentile}_{measured.connections}",
        name=f"Added latency {percentile}, {where}",
        unit="ms",
        value=milliseconds("gateway"),
        nginx=milliseconds("nginx"),
        goal=goal,
    )


def write(result: Result, folder: Path = RESULTS) -> Path:
    """`<version>.json` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.version}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def read(path: Path) -> Result:
    return msgspec.json.decode(path.read_bytes(), type=Result)


def section(result: Result) -> str:
    """The part of the page that a run writes."""
    machine = result.machine
    return "\n".join(
        [
            _BEGIN,
            "",
            as_markdown(result.rows),
            "",
            f"Version {result.version}, measured {result.measured_at} on {machine.cpu}, {machine.cores} cores, "
            f"{machine.memory_gb:g} GB, {machine.system}; {machine.python}, uvloop {machine.uvloop}, "
            f"httptools {machine.httptools}, nginx {machine.nginx or 'not installed'}. "
            f"Other processes took {result.neighbours:.0%} of the machine meanwhile.",
            "",
            "Switched on: " + ", ".join(result.switched_on) + ".",
            "",
            f"Raw figures: [`benchmarks/results/{result.version}.json`]"
            f"(../benchmarks/results/{result.version}.json).",
            "",
            _END,
        ]
    )


def into_page(text: str, result: Result) -> str:
    """The page with its measured part replaced. Raises ValueError for a page without the two marks."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the page has no place for the measured table")
    return before + section(result) + after
