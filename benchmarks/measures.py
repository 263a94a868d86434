"""The measurements. Each takes a running scene and gives figures of one kind; none interprets them.

CPU time is compared within the same round, sides in turn, since a shared machine changes from minute to
minute. Latencies are compared slice by slice for the same reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from benchmarks import bodies
from benchmarks.bodies import ANTHROPIC_MODEL, Question
from benchmarks.load import Outcome
from benchmarks.paced import PacedOutcome
from benchmarks.processes import BenchmarkError, Child
from benchmarks.scene import Scene

# For CPU time. One connection makes every side wake up for every request, which stays true on a busy machine.
# With many, the faster side sleeps and then takes several at once, as chance and neighbours will have it.
CONNECTIONS = 1
MANY_CONNECTIONS = 32
PACE = 50.0  # chunks per second of a paced stream, as a quick model writes
_IDLE_PACE = 2.0  # of streams that are only to be open
_IDLE_SECONDS = 8.0
_PROVIDERS = 20  # of the start with many models
_LEDGER_SECONDS = 60.0


class Effort(msgspec.Struct, frozen=True):
    """How long to measure: requests per round and side, and rounds."""

    warm_up: int
    answers: int
    streams: int
    rounds: int
    rate_seconds: float
    slice_seconds: float
    slices: int
    open_streams: int
    starts: int
    paced_streams: int = 0  # results from before this was measured have none
    paced_seconds: float = 0.0


FULL = Effort(
    warm_up=2000,
    answers=5000,
    streams=2000,
    rounds=5,
    rate_seconds=5.0,
    slice_seconds=1.5,
    slices=5,
    open_streams=1000,
    paced_streams=400,
    paced_seconds=6.0,
    starts=3,
)
QUICK = Effort(
    warm_up=300,
    answers=800,
    streams=250,
    rounds=2,
    rate_seconds=1.0,
    slice_seconds=0.4,
    slices=2,
    open_streams=200,
    paced_streams=100,
    paced_seconds=2.0,
    starts=1,
)


class CpuRound(msgspec.Struct, frozen=True):
    """CPU time per answer in microseconds, of one round; None where nginx is not installed."""

    gateway_us: float
    nginx_us: float | None
    gateway_per_second: float  # answers
    gateway_busy: float  # share of its core, 0..1

    @property
    def ratio(self) -> float | None:
        return self.gateway_us / self.nginx_us if self.nginx_us else None


class Cpu(msgspec.Struct, frozen=True):
    """Rounds of one kind of request. The figures are medians over the rounds, the ratio that of the ratios."""

    rounds: list[CpuRound]
    answer_bytes: int
    connections: int

    @property
    def gateway_us(self) -> float:
        return median(each.gateway_us for each in self.rounds)

    @property
    def nginx_us(self) -> float | None:
        return _median([each.nginx_us for each in self.rounds])

    @property
    def ratio(self) -> float | None:
        return _median([each.ratio for each in self.rounds])

    @property
    def gateway_per_second(self) -> float:
        return median(each.gateway_per_second for each in self.rounds)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def cpu_whole(scene: Scene, effort: Effort, connections: int = CONNECTIONS) -> Cpu:
    """Not streamed, same format on both sides."""
    return _cpu(scene, bodies.whole(), bodies.whole(), effort.answers, effort, connections)


def cpu_streamed(scene: Scene, effort: Effort) -> Cpu:
    """Streamed, 64 chunks that arrive at once."""
    return _cpu(scene, bodies.streamed(), bodies.streamed(), effort.streams, effort, CONNECTIONS)


def cpu_translated(scene: Scene, effort: Effort) -> Cpu:
    """The client speaks OpenAI's format, the provider Anthropic's; nginx passes an OpenAI answer on."""
    question = bodies.whole(ANTHROPIC_MODEL)
    return _cpu(scene, question, bodies.whole(), effort.answers // 2, effort, CONNECTIONS)


def _cpu(
    scene: Scene, question: Question, for_nginx: Question, answers: int, effort: Effort, connections: int
) -> Cpu:
    gateway, nginx = scene.gateway, scene.nginx
    scene.run(gateway, question, connections=connections, answers=effort.warm_up)
    if nginx is not None:
        scene.run(nginx, for_nginx, connections=connections, answers=effort.warm_up)
    gateway.until_quiet()
    rounds = []
    answer_bytes = 0
    for _ in range(effort.rounds):
        nginx_us = None
        if nginx is not None:
            nginx_us, _, _ = _cpu_of(scene, nginx, for_nginx, answers, connections)
        gateway_us, busy, outcome = _cpu_of(scene, gateway, question, answers, connections)
        answer_bytes = outcome.answer_bytes
        rounds.append(CpuRound(gateway_us, nginx_us, outcome.answers / outcome.seconds, busy))
    return Cpu(rounds, answer_bytes, connections)


def _cpu_of(
    scene: Scene, side: Child, question: Question, answers: int, connections: int
) -> tuple[float, float, Outcome]:
    """Microseconds of CPU per answer, with what is done after the last answer (the ledger's batches)."""
    before = side.cpu_seconds()
    outcome = scene.run(side, question, connections=connections, answers=answers)
    busy = (side.cpu_seconds() - before) / outcome.seconds
    if side is scene.gateway:
        side.until_quiet()
    return (side.cpu_seconds() - before) / outcome.answers * 1e6, min(busy, 1.0), outcome


class Rate(msgspec.Struct, frozen=True):
    """Answers per second with 32 connections that never wait; `busy` is the share of the core, 0..1."""

    per_second: float
    busy: float


def rate(scene: Scene, side: Child, effort: Effort) -> Rate:
    """The most that one core answers. Below a busy share of 0.95 upstream or clients were the limit."""
    before = side.cpu_seconds()
    outcome = scene.run(
        side,
        bodies.whole(),
        connections=MANY_CONNECTIONS,
        answers=10_000_000,
        seconds=effort.rate_seconds,
    )
    used = side.cpu_seconds() - before
    return Rate(outcome.answers / outcome.seconds, min(used / outcome.seconds, 1.0))


class LatencySlice(msgspec.Struct, frozen=True):
    """One slice of time straight to the upstream, and the next one through the gateway (and nginx). Seconds."""

    direct_p50: float
    direct_p99: float
    gateway_p50: float
    gateway_p99: float
    nginx_p50: float | None
    nginx_p99: float | None


class Latency(msgspec.Struct, frozen=True):
    """Added latency in seconds: medians over the slices of (through minus direct)."""

    slices: list[LatencySlice]
    connections: int
    per_second: float | None  # None: the next request follows the answer

    def added(self, side: str, percentile: str) -> float | None:
        """`side`: gateway or nginx; `percentile`: p50 or p99."""
        return _median(
            [
                None if through is None else through - getattr(each, f"direct_{percentile}")
                for each in self.slices
                for through in [getattr(each, f"{side}_{percentile}")]
            ]
        )


def latency(scene: Scene, effort: Effort, *, connections: int, per_second: float | None = None) -> Latency:
    """Slices in turn: direct, gateway, nginx, direct, gateway, ..."""

    def slice_of(side: Child) -> Outcome:
        more = {} if per_second is None else {"rate": per_second}
        return scene.run(
            side,
            bodies.whole(),
            connections=connections,
            answers=10_000_000,
            seconds=effort.slice_seconds,
            **more,
        )

    slices = []
    for _ in range(effort.slices):
        direct = slice_of(scene.simulator)
        through = slice_of(scene.gateway)
        proxied = slice_of(scene.nginx) if scene.nginx is not None else None
        slices.append(
            LatencySlice(
                direct_p50=direct.p50_seconds,
                direct_p99=direct.p99_seconds,
                gateway_p50=through.p50_seconds,
                gateway_p99=through.p99_seconds,
                nginx_p50=proxied.p50_seconds if proxied else None,
                nginx_p99=proxied.p99_seconds if proxied else None,
            )
        )
    return Latency(slices, connections, per_second)


class OpenStreams(msgspec.Struct, frozen=True):
    """Streams held open at the same time, and the resident memory meanwhile (the highest of samples)."""

    streams: int
    resident_mb: float


def open_streams(scene: Scene, effort: Effort) -> OpenStreams:
    """Raises BenchmarkError unless all of them were open at once and each ended whole."""
    count = effort.open_streams
    with scene.pacer(round(_IDLE_SECONDS * _IDLE_PACE), _IDLE_PACE) as pacer:
        model = scene.add_pacer(pacer, "idle")
        clients = scene.begin_paced(scene.gateway, pacer, model, count, _IDLE_SECONDS)
        highest = _highest(scene.gateway.resident_mb, _IDLE_SECONDS)
        _all_open(scene.finish_paced(scene.gateway, clients, count), count)
    return OpenStreams(count, highest)


class PacedStreams(msgspec.Struct, frozen=True, kw_only=True):
    """Streams of `PACE` chunks a second each: how long chunks are on their way, in seconds, and what one costs."""

    streams: int
    gateway_p50: float
    gateway_p99: float
    direct_p50: float
    direct_p99: float
    chunk_us: float  # of the gateway's CPU time
    busy: float  # share of its core, 0..1

    @property
    def added_p99(self) -> float:
        return self.gateway_p99 - self.direct_p99

    @property
    def streams_per_core(self) -> float:
        """How many would take a core's whole time."""
        return 1e6 / (self.chunk_us * PACE)


def paced_streams(scene: Scene, effort: Effort) -> PacedStreams:
    """Straight to the pacer first, then through the gateway, with the same clients."""
    count, chunks = effort.paced_streams, round(effort.paced_seconds * PACE)
    with scene.pacer(chunks, PACE) as pacer:
        model = scene.add_pacer(pacer, "paced")
        clients = scene.begin_paced(pacer, pacer, model, count, effort.paced_seconds)
        direct = scene.finish_paced(pacer, clients, count)
        before = scene.gateway.cpu_seconds()
        clients = scene.begin_paced(scene.gateway, pacer, model, count, effort.paced_seconds)
        through = scene.finish_paced(scene.gateway, clients, count)
        scene.gateway.until_quiet()
        used = scene.gateway.cpu_seconds() - before
    _all_open(direct, count)
    _all_open(through, count)
    return PacedStreams(
        streams=count,
        gateway_p50=through.p50_seconds,
        gateway_p99=through.p99_seconds,
        direct_p50=direct.p50_seconds,
        direct_p99=direct.p99_seconds,
        chunk_us=used / (count * chunks) * 1e6,
        busy=min(used / through.seconds, 1.0),
    )


def _all_open(outcome: PacedOutcome, count: int) -> None:
    if outcome.most_open != count:
        raise BenchmarkError(f"{outcome.most_open} of {count} streams were open at once")


def _highest(measure: Callable[[], float], seconds: float) -> float:
    end = time.monotonic() + seconds
    highest = 0.0
    while time.monotonic() < end:
        highest = max(highest, measure())
        time.sleep(0.1)
    return highest


def starts(scene: Scene, effort: Effort) -> list[float]:
    """Seconds from the start of the process to its first answered chat request, on existing data."""
    return [scene.restart_gateway() for _ in range(effort.starts)]


def starts_with_many_models(scene: Scene, effort: Effort) -> list[float]:
    """The same with 20 more providers of 100 models each."""
    with scene.pacer(1, PACE) as pacer:
        for number in range(_PROVIDERS):
            scene.gateway.add_provider("custom", f"{pacer.url}/{number}", name=f"Many {number}")
        return [scene.restart_gateway() for _ in range(effort.starts)]


def ledger_is_complete(scene: Scene) -> int:
    """The number of records. Raises BenchmarkError unless it is the number of requests sent."""
    end = time.monotonic() + _LEDGER_SECONDS
    recorded = scene.gateway.recorded_calls()
    while recorded < scene.sent and time.monotonic() < end:
        time.sleep(0.5)
        recorded = scene.gateway.recorded_calls()
    if recorded != scene.sent:
        raise BenchmarkError(f"{scene.sent} requests were answered, {recorded} stand in the ledger")
    return recorded
