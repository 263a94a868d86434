"""The load generator: HTTP/1.1 over raw sockets in a process of its own, each answer checked for being whole.

`python -m benchmarks.load` reads one `Job` per line from its standard input and writes one `Outcome` per
line; `LoadGenerator` is the other end of these pipes. It never retries and never ignores: the first wrong
answer ends the job, since a figure that counts wrong answers says nothing.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httptools
import msgspec
import uvloop

from benchmarks.processes import BenchmarkError

_DONE = b"data: [DONE]\n\n"
_SLACK_SECONDS = 30.0  # after its time a job may take so long to get its last answers


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Send `request` over `connections` until `answers` have come or `seconds` are over."""

    port: int
    request: bytes
    text: str  # what the answer must say
    stream: bool
    connections: int
    answers: int
    seconds: float
    rate: float | None = (
        None  # requests per second over all connections; None: each waits for its answer only
    )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` from the first request to the last answer; latencies in seconds, of whole answers.

    With a rate, a latency counts from the instant the request was due, so that a server that falls behind
    cannot hide it.
    """

    error: str | None = None
    answers: int = 0
    seconds: float = 0.0
    p50_seconds: float = 0.0
    p99_seconds: float = 0.0
    max_seconds: float = 0.0
    first_chunk_p50_seconds: float = 0.0
    most_open: int = 0  # answers begun and not yet ended at the same time
    answer_bytes: int = 0  # length of one answer's body


class LoadGenerator:
    """The process that sends; kept for the whole run so that it is warm."""

    def __init__(self, cores: Collection[int], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.load"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=Path(__file__).resolve().parent.parent,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )

    def start(self, job: Job) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()

    def outcome(self) -> Outcome:
        """The result of the job started last. Raises BenchmarkError for the first wrong answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError("the load generator ended")
        outcome = msgspec.json.decode(line, type=Outcome)
        if outcome.error is not None:
            raise BenchmarkError(outcome.error)
        return outcome

    def run(self, job: Job) -> Outcome:
        self.start(job)
        return self.outcome()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:  # in the middle of a job that nobody waits for any more
            self._process.kill()
            self._process.wait(5)
        self._process.stdout.close()


class WrongAnswer(Exception):
    pass


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` (0..1) of the values do not exceed (nearest rank); 0.0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def text_of(body: bytes, stream: bool) -> str:
    """What an OpenAI answer says. Raises WrongAnswer for anything that is none."""
    try:
        if not stream:
            return str(msgspec.json.decode(body)["choices"][0]["message"]["content"])
        text = ""
        for event in body.split(b"\n\n"):
            data = event.removeprefix(b"data: ")
            if data and data != b"[DONE]":
                for choice in msgspec.json.decode(data)["choices"]:
                    text += choice["delta"].get("content") or ""
        return text
    except (msgspec.DecodeError, LookupError, TypeError, AttributeError) as error:
        raise WrongAnswer(f"no answer of its format: {error!r}: {body[:300]!r}") from None


class _Run:
    """One job while it runs."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.latencies = array("d")
        self.first_chunks = array("d")
        self.sent = 0
        self.open = 0
        self.most_open = 0
        self.answer_bytes = 0
        self.last_at = 0.0
        self.over = asyncio.get_running_loop().create_future()
        self.started = time.perf_counter()
        self._alike: tuple[int, int] | None = None  # length and events of an answer that was read in full

    def may_send(self) -> bool:
        return self.sent < self.job.answers and time.perf_counter() - self.started < self.job.seconds

    def check(self, status: int, body: bytes) -> None:
        """Every answer for status, completeness and shape; the first of each shape for its text as well."""
        if status != 200:
            raise WrongAnswer(f"HTTP {status}: {body[:300]!r}")
        if self.job.stream and not body.endswith(_DONE):
            raise WrongAnswer(f"a stream without its end: {body[-300:]!r}")
        shape = (len(body), body.count(b"\n\n") if self.job.stream else 0)
        if shape != self._alike:
            if text_of(body, self.job.stream) != self.job.text:
                raise WrongAnswer(f"an answer with another text: {body[:300]!r}")
            self._alike = shape
            self.answer_bytes = len(body)
        elif not self.job.stream and self.job.text.encode() not in body:
            raise WrongAnswer(f"an answer with another text: {body[:300]!r}")

    def fail(self, error: Exception) -> None:
        if not self.over.done():
            self.over.set_exception(error)

    def outcome(self) -> Outcome:
        ordered = sorted(self.latencies)
        return Outcome(
            answers=len(ordered),
            seconds=self.last_at - self.started,
            p50_seconds=percentile(ordered, 0.5),
            p99_seconds=percentile(ordered, 0.99),
            max_seconds=ordered[-1] if ordered else 0.0,
            first_chunk_p50_seconds=percentile(sorted(self.first_chunks), 0.5),
            most_open=self.most_open,
            answer_bytes=self.answer_bytes,
        )


class _Connection(asyncio.Protocol):
    """Sends a request, reads its answer, sends the next one."""

    def __init__(self, run: _Run, number: int) -> None:
        self._run = run
        self._transport: Any = None
        self._parser: Any = None
        self._parts: list[bytes] = []
        self._begun = 0.0
        self._first = 0.0
        self._waiting = False  # for an answer
        rate = run.job.rate
        self._interval = run.job.connections / rate if rate else 0.0
        self._due = run.started + (number / rate if rate else 0.0)
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        if self._interval:
            self._later()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._run.fail(WrongAnswer(f"the connection was closed before the answer's end: {exc!r}"))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except WrongAnswer as error:
            self._run.fail(error)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._run.fail(cause if isinstance(cause, WrongAnswer) else WrongAnswer(repr(error)))

    def on_headers_complete(self) -> None:
        self._first = time.perf_counter()
        self._run.open += 1
        self._run.most_open = max(self._run.most_open, self._run.open)

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        run = self._run
        run.open -= 1
        run.last_at = now
        body = b"".join(self._parts)
        self._parts.clear()
        self._waiting = False
        run.check(self._parser.get_status_code(), body)
        run.latencies.append(now - self._begun)
        run.first_chunks.append(self._first - self._begun)
        if self._interval:
            self._later()
        else:
            self._send()

    def _later(self) -> None:
        loop = asyncio.get_running_loop()
        wait = self._due - time.perf_counter()
        if wait > 0:
            loop.call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        run = self._run
        if run.over.done() or not run.may_send():
            self._end()
            return
        run.sent += 1
        self._waiting = True
        self._begun = time.perf_counter()
        if self._interval:
            # A timer fires up to a millisecond late; only lateness by a whole turn is the server's doing.
            if self._begun - self._due > self._interval:
                self._begun = self._due
            self._due += self._interval
        self._transport.write(run.job.request)

    def _end(self) -> None:
        self.ended = True
        self._transport.close()


async def work(job: Job) -> Outcome:
    """Do one job on this event loop."""
    loop = asyncio.get_running_loop()
    run = _Run(job)
    connections: list[_Connection] = []
    try:
        async with asyncio.timeout(job.seconds + _SLACK_SECONDS):
            for number in range(job.connections):
                connection = _Connection(run, number)
                connections.append(connection)
                await loop.create_connection(lambda it=connection: it, "127.0.0.1", job.port)
            while not all(connection.ended for connection in connections):
                await asyncio.wait([run.over], timeout=0.01)
                if run.over.done():
                    run.over.result()
    except (WrongAnswer, OSError, TimeoutError) as error:
        return Outcome(error=f"{type(error).__name__}: {error}", answers=len(run.latencies))
    finally:
        for connection in connections:
            connection._waiting = False
            if connection._transport is not None:
                connection._transport.abort()
        run.over.cancel()
    return run.outcome()


def main() -> None:
    gc.disable()  # a collection in the middle of a job would be latency of nobody's making
    for line in sys.stdin.buffer:
        outcome = uvloop.run(work(msgspec.json.decode(line, type=Job)))
        sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
        sys.stdout.buffer.flush()
        gc.collect()


if __name__ == "__main__":
    main()
