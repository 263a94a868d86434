"""Other gateways on this machine: the same requests from the same clients to the same upstream.

Whoever gives one by URL has started it and pointed it at the upstream (`--upstream-port`); `installed.py` starts
those that it knows. Answers are checked like ours. CPU time is known only of a gateway whose process is named; its children are counted with it.
"""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks import bodies
from benchmarks.bodies import OPENAI_MODEL, Question
from benchmarks.load import Job, Outcome
from benchmarks.measures import MANY_CONNECTIONS, Effort
from benchmarks.scene import Scene

_MOST_SECONDS = 10.0  # some need a hundred times ours: fewer answers then have to do
_SYNTAX = "NAME=http://127.0.0.1:PORT[,key=KEY][,model=MODEL][,pid=PID]"


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that answers `/v1/chat/completions`."""

    name: str
    port: int
    key: str = "sk-benchmark"
    model: str = OPENAI_MODEL
    pid: int | None = None
    headers: tuple[tuple[str, str], ...] = ()  # that it needs beside ours


class OtherFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Answers per second with 32 connections that never wait, the time of an answer with one connection, and the
    CPU time per answer in microseconds where the process is known."""

    name: str
    per_second: float
    p50_seconds: float
    p99_seconds: float
    whole_us: float | None
    streamed_us: float | None


def parse(text: str) -> Other:
    """One `--gateway`. Raises ValueError with what is wrong."""
    name, equals, rest = text.partition("=")
    url, *pairs = rest.split(",")
    parts = urlsplit(url)
    if not name or not equals or parts.scheme != "http" or parts.port is None or parts.path not in ("", "/"):
        raise ValueError(f"--gateway {text}: it must look like {_SYNTAX}")
    if parts.hostname not in ("127.0.0.1", "localhost"):
        raise ValueError(f"--gateway {text}: only a gateway on this machine is measured")
    given = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        return msgspec.convert({"name": name, "port": parts.port, **given}, Other, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"--gateway {text}: {error}") from None


def measure(scene: Scene, other: Other, effort: Effort) -> OtherFigures:
    """Raises BenchmarkError for the first wrong answer."""
    whole, streamed = bodies.whole(other.model), bodies.streamed(other.model)
    _ask(scene, other, whole, answers=effort.warm_up)
    one, whole_us = _with_cpu(scene, other, whole, effort.answers)
    _, streamed_us = _with_cpu(scene, other, streamed, effort.streams)
    many = _ask(
        scene,
        other,
        whole,
        connections=MANY_CONNECTIONS,
        answers=10_000_000,
        seconds=effort.rate_seconds,
    )
    return OtherFigures(
        name=other.name,
        per_second=many.answers / many.seconds,
        p50_seconds=one.p50_seconds,
        p99_seconds=one.p99_seconds,
        whole_us=whole_us,
        streamed_us=streamed_us,
    )


def _with_cpu(scene: Scene, other: Other, question: Question, answers: int) -> tuple[Outcome, float | None]:
    before = _cpu_seconds(other.pid)
    outcome = _ask(scene, other, question, answers=answers)
    after = _cpu_seconds(other.pid)
    if before is None or after is None:
        return outcome, None
    return outcome, (after - before) / outcome.answers * 1e6


def _ask(
    scene: Scene,
    other: Other,
    question: Question,
    *,
    answers: int,
    connections: int = 1,
    seconds: float = _MOST_SECONDS,
) -> Outcome:
    job = Job(
        port=other.port,
        request=question.request(other.port, other.key, other.headers),
        text=question.text,
        stream=question.stream,
        connections=connections,
        answers=answers,
        seconds=seconds,
    )
    return scene.load.run(job)


def _cpu_seconds(pid: int | None) -> float | None:
    """Of a process and all below it, as `processes.Child.cpu_seconds` reads it."""
    if pid is None:
        return None
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = time.clock_gettime_ns((~pid << 3) | 2) / 1e9
    return own + sum(_cpu_seconds(int(child)) or 0.0 for child in children)
