"""Paced streams: the clients that hold them open, and how long each chunk was on its way.

`python -m benchmarks.paced` reads one `PacedJob` from its standard input and writes one `PacedOutcome`. Every
answer is checked for its number of chunks and its end; the first wrong one ends the job.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from array import array
from typing import cast

import msgspec
import uvloop

from benchmarks.load import percentile

_TIME = b'"content":"'
_DIGITS = 20
_SLACK_SECONDS = 30.0


class PacedJob(msgspec.Struct, frozen=True, kw_only=True):
    """Send `request` on `streams` connections at once; each answer has `chunks` chunks."""

    port: int
    request: bytes
    streams: int
    chunks: int
    seconds: float  # how long the answers may take


class PacedOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Delays from the upstream's write to the client's read, in seconds."""

    error: str | None = None
    p50_seconds: float = 0.0
    p99_seconds: float = 0.0
    most_open: int = 0
    seconds: float = 0.0


class _Client(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._rest = b""
        self._chunks = 0
        self._started = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._run.job.request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        data = self._rest + data
        run = self._run
        if not self._started:
            if not data.startswith(b"HTTP/1.1 200"):
                run.fail(f"no stream: {data[:300]!r}")
                return
            self._started = True
            run.open += 1
            run.most_open = max(run.most_open, run.open)
        place = 0
        while (found := data.find(_TIME, place)) >= 0 and len(data) >= found + len(_TIME) + _DIGITS:
            place = found + len(_TIME) + _DIGITS
            run.delays.append((now - int(data[place - _DIGITS : place])) / 1e9)
            self._chunks += 1
        if b"data: [DONE]" in data:
            run.open -= 1
            run.left -= 1
            if self._chunks != run.job.chunks:
                run.fail(f"{self._chunks} of {run.job.chunks} chunks arrived")
            elif run.left == 0 and not run.over.done():
                run.over.set_result(None)
        self._rest = data[max(place, len(data) - 64) :]

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.fail("a connection was closed in the middle")


class _Run:
    def __init__(self, job: PacedJob) -> None:
        self.job = job
        self.delays = array("d")
        self.open = self.most_open = 0
        self.left = job.streams
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, why: str) -> None:
        if not self.over.done():
            self.over.set_exception(RuntimeError(why))


async def work(job: PacedJob) -> PacedOutcome:
    loop = asyncio.get_running_loop()
    run = _Run(job)
    clients: list[_Client] = []
    started = time.perf_counter()
    try:
        async with asyncio.timeout(job.seconds + _SLACK_SECONDS):
            for _ in range(job.streams):
                client = _Client(run)
                await loop.create_connection(lambda it=client: it, "127.0.0.1", job.port)
                clients.append(client)
            await run.over
    except (RuntimeError, OSError, TimeoutError) as error:
        return PacedOutcome(error=f"{type(error).__name__}: {error}", most_open=run.most_open)
    finally:
        run.over.cancel()
        for client in clients:
            client.transport.abort()
    ordered = sorted(run.delays)
    return PacedOutcome(
        p50_seconds=percentile(ordered, 0.5),
        p99_seconds=percentile(ordered, 0.99),
        most_open=run.most_open,
        seconds=time.perf_counter() - started,
    )


def main() -> None:
    gc.disable()
    outcome = uvloop.run(work(msgspec.json.decode(sys.stdin.buffer.read(), type=PacedJob)))
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")


if __name__ == "__main__":
    main()
