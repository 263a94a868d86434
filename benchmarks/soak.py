"""`python -m benchmarks.soak`: correctness under load. Random faults, clients that leave and clients that read
slowly, each answer checked, and at the end the ledger against the simulator's own books.

    python -m benchmarks.soak --requests 1000000 --workers 2     the whole of it, for a quiet hour
    python -m benchmarks.soak --requests 20000                   a look

What is asked is drawn with a seed. Models that nobody leaves and no fault strikes must agree with the
simulator's count to the token and the nano-dollar; of all others every request must be there once. Memory is
read after a tenth of the requests and at the end. The first thing that is wrong ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Literal, NamedTuple

import httptools
import msgspec
import uvloop

from benchmarks.bodies import ANTHROPIC_MODEL, OPENAI_MODEL
from benchmarks.gateway import Gateway
from benchmarks.load import WrongAnswer, text_of
from benchmarks.machine import cores
from benchmarks.processes import BenchmarkError
from benchmarks.scene import Simulator

LEFT_MODEL = "gpt-4o"  # of requests whose client does not wait for the end
FAULTS = (
    "status-500",
    "status-429",
    "half-json",
    "html-200",
    "error-in-200",
    "first-event-error",
    "error-mid-stream",
    "stream-cut",
    "stream-ends-early",
    "close",
    "reset",
    "reset-mid-stream",
)
ERROR_RATE = 0.01  # of calls to healthy models: the next provider, or a second try, answers
MOST_UNSERVED = 0.005  # of requests to healthy models: both tries failed, or a circuit was open
_LARGE = 192 * 1024  # more than the buffers between provider and client hold
_CHUNK_TOKENS = 64  # of 4 characters
_MEMORY_GROWTH = 0.05
_SETTLE_SECONDS = 120.0
_ANSWER_SECONDS = 120.0

Kind = Literal["whole", "streamed", "messages", "translated", "slow", "leaves", "leaves early", "fault"]
SHARES: dict[Kind, float] = {
    "whole": 0.50,
    "streamed": 0.20,
    "messages": 0.08,
    "translated": 0.06,
    "slow": 0.01,
    "leaves": 0.02,
    "leaves early": 0.03,
    "fault": 0.10,
}


class Ask(NamedTuple):
    kind: Kind
    path: str
    body: bytes
    text: str
    stream: bool


class Tally:
    """What the clients saw."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.unserved = 0  # of healthy models
        self.ids: set[bytes] = set()  # of every answer that began
        self.maybe = 0  # requests whose client left before it saw any answer


def draw(rng: random.Random, number: int) -> Ask:
    """One request; its text holds its number, so that an answer to somebody else is noticed."""
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    stream = kind in ("streamed", "slow", "leaves") or (kind != "whole" and rng.random() < 0.5)
    text = f"Answer {number}: " + "figures, twice over. " * rng.randint(1, 40)
    if kind in ("slow", "leaves"):
        text += "x" * _LARGE
    text = text.strip()
    model = {
        "messages": ANTHROPIC_MODEL,
        "translated": ANTHROPIC_MODEL,
        "leaves": LEFT_MODEL,
        "leaves early": LEFT_MODEL,
        "fault": f"sim-{rng.choice(FAULTS)}",
    }.get(kind, OPENAI_MODEL)
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": 100_000 if len(text) > _LARGE else 1000,
        "messages": [{"role": "user", "content": f"say:{text}"}],
    }
    if stream:
        body["stream"] = True
    path = "/v1/messages" if kind == "messages" else "/v1/chat/completions"
    return Ask(kind, path, msgspec.json.encode(body), text, stream)


class Client:
    """One connection at a time; asks, reads and checks."""

    def __init__(self, port: int, api_key: str, tally: Tally, rng: random.Random) -> None:
        self._port = port
        self._head = (
            f"host: 127.0.0.1\r\nauthorization: Bearer {api_key}\r\ncontent-type: application/json\r\n"
        )
        self._tally = tally
        self._rng = rng
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, ask: Ask) -> None:
        """Raises WrongAnswer."""
        self._tally.kinds[ask.kind] += 1
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._port, limit=64 * 1024
            )
        head = f"POST {ask.path} HTTP/1.1\r\n{self._head}content-length: {len(ask.body)}\r\n\r\n"
        self._writer.write(head.encode() + ask.body)
        if ask.kind == "leaves early":
            await asyncio.sleep(self._rng.random() * 0.01)
            self._tally.maybe += 1
            self.leave()
            return
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        assert self._reader is not None
        while not answer.whole:
            if ask.kind == "slow":
                await asyncio.sleep(0.002)
            data = await self._reader.read(8192 if ask.kind in ("slow", "leaves") else 65536)
            if not data:
                break
            parser.feed_data(data)
            if ask.kind == "leaves" and answer.status:
                break
        if not answer.status:
            raise WrongAnswer(f"{ask.kind}: the connection was closed without an answer")
        status = answer.status = parser.get_status_code()
        self._tally.statuses[status] += 1
        request_id = answer.headers.get(b"x-request-id")
        if request_id is None:
            raise WrongAnswer(f"{ask.kind}: an answer of {status} without x-request-id")
        if request_id in self._tally.ids:
            raise WrongAnswer(f"{request_id!r} was given twice")
        self._tally.ids.add(request_id)
        self._check(ask, answer)
        if not answer.whole or not parser.should_keep_alive():
            self.leave()

    def _check(self, ask: Ask, answer: _Answer) -> None:
        if ask.kind == "leaves":
            return
        body, status = b"".join(answer.body), answer.status
        if status != 200:
            if status not in (429, 502, 503, 504) or b'"error"' not in body or not answer.whole:
                raise WrongAnswer(f"{ask.kind}: HTTP {status}: {body[:300]!r}")
            if ask.kind != "fault":
                self._tally.unserved += 1
            return
        if ask.kind == "fault":
            # A stream that broke says so; one that did not, and a whole answer, are what the caller asked for.
            if ask.stream and not (b'"error"' in body or body.rstrip().endswith(b"[DONE]")):
                raise WrongAnswer(f"a broken stream without an error: {body[-300:]!r}")
            return
        if not answer.whole:
            raise WrongAnswer(f"{ask.kind}: the answer broke off after {len(body)} bytes")
        text = _anthropic_text(body, ask.stream) if ask.kind == "messages" else text_of(body, ask.stream)
        if text != ask.text:
            raise WrongAnswer(f"{ask.kind}: another text: {text[:200]!r} for {ask.text[:200]!r}")

    def leave(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = self._reader = None


class _Answer:
    """For httptools."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body: list[bytes] = []
        self.whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.status = -1  # known to the parser

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.whole = True


def _anthropic_text(body: bytes, stream: bool) -> str:
    try:
        if not stream:
            return str(msgspec.json.decode(body)["content"][0]["text"])
        text = ""
        for event in body.split(b"\n\n"):
            _, _, data = event.partition(b"\ndata: ")
            if data:
                text += msgspec.json.decode(data).get("delta", {}).get("text", "")
        return text
    except (msgspec.DecodeError, LookupError, TypeError, AttributeError) as error:
        raise WrongAnswer(f"no answer of its format: {error!r}: {body[:300]!r}") from None


async def run_clients(
    port: int, api_key: str, *, first: int, requests: int, connections: int, seed: int, tally: Tally
) -> None:
    """Ask `requests` times over `connections`. Raises the first WrongAnswer."""
    numbers = iter(range(first, first + requests))

    async def one(place: int) -> None:
        rng = random.Random(f"{seed}:{first}:{place}")
        client = Client(port, api_key, tally, rng)
        try:
            for number in numbers:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await client.ask(draw(rng, number))
        finally:
            client.leave()

    async with asyncio.TaskGroup() as group:
        for place in range(connections):
            group.create_task(one(place))


# ── the books ─────────────────────────────────────────────────────────────────


class Book(NamedTuple):
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


def simulator_books(simulator: Simulator) -> dict[str, Book]:
    """What the simulator served with 200, by model."""
    connection = HTTPConnection("127.0.0.1", simulator.port, timeout=30)
    try:
        connection.request("GET", "/__simulator/ledger")
        shown = json.loads(connection.getresponse().read())["by_model"]
    finally:
        connection.close()
    return {model: Book(**totals) for model, totals in shown.items()}


def ledger_books(database: sqlite3.Connection) -> dict[str, Book]:
    """What stands in the ledger as answered, by model."""
    rows = database.execute(
        "SELECT model, count(*), sum(input_tokens), sum(output_tokens), coalesce(sum(cost_usd), 0)"
        " FROM usage_records WHERE status = 200 GROUP BY model"
    )
    return {model: Book(calls, into, out, cost / 1e9) for model, calls, into, out, cost in rows}


def compare(simulator: dict[str, Book], ledger: dict[str, Book]) -> list[str]:
    """What differs for the models that must agree."""
    wrong = []
    for model in (OPENAI_MODEL, ANTHROPIC_MODEL):
        theirs, ours = simulator.get(model), ledger.get(model)
        if theirs is None or ours is None:
            wrong.append(f"{model}: nobody asked for it")
        elif theirs[:3] != ours[:3] or abs(theirs.cost_usd - ours.cost_usd) > 1e-6 * max(1.0, ours.cost_usd):
            wrong.append(f"{model}: the simulator served {theirs}, the ledger has {ours}")
    return wrong


def check_ledger(path: Path, simulator: Simulator, tally: Tally) -> list[str]:
    """Everything that does not add up."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        recorded = {row[0].encode() for row in database.execute("SELECT request_id FROM usage_records")}
        wrong = compare(simulator_books(simulator), ledger_books(database))
    missing = tally.ids - recorded
    if missing:
        wrong.append(f"{len(missing)} answered requests are not in the ledger, such as {sorted(missing)[:3]}")
    unseen = len(recorded - tally.ids)
    if unseen > tally.maybe:
        wrong.append(f"{unseen} records nobody saw an answer to, of {tally.maybe} whose client left early")
    return wrong


# ── the run ───────────────────────────────────────────────────────────────────


def soak(*, requests: int, workers: int, connections: int, seed: int) -> dict[str, Any]:
    """One run. Raises BenchmarkError with everything that is wrong."""
    everywhere = cores().measured | cores().others
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ops-center-soak-")))
        simulator = stack.enter_context(Simulator(cores=everywhere, log=folder / "simulator.log"))
        simulator.configure(list_magic_models=True, chunk_tokens=_CHUNK_TOKENS)
        gateway = Gateway(folder / "data", cores=everywhere, log=folder / "gateway.log", workers=workers)
        stack.callback(gateway.stop)
        gateway.wait_until_ready()
        for name in ("One", "Other"):
            gateway.add_provider("openai", f"{simulator.url}/v1", name=f"OpenAI {name}")
            gateway.add_provider("anthropic", f"{simulator.url}/v1", name=f"Anthropic {name}")
        simulator.configure(error_rate=ERROR_RATE, seed=seed)
        # As many places as could be taken twice over: one that is not given back is missed before the end.
        limits = {"requests_per_minute": 1_000_000, "concurrent_requests": 2 * connections}
        secret = gateway.control("POST", "/me/api-keys", {"name": "soak", "budget_usd": 1_000_000, **limits})[
            "secret"
        ]
        tally = Tally()
        first_part = max(1, requests // 10)
        memory, began = [], time.monotonic()
        for first, count in ((0, first_part), (first_part, requests - first_part)):
            try:
                uvloop.run(
                    run_clients(
                        gateway.port,
                        secret,
                        first=first,
                        requests=count,
                        connections=connections,
                        seed=seed,
                        tally=tally,
                    )
                )
            except BaseExceptionGroup as errors:
                raise BenchmarkError("; ".join(f"{e!r}" for e in errors.exceptions[:3])) from None
            gateway.until(
                lambda: _settled(gateway, tally), "bringing every record into the ledger", _SETTLE_SECONDS
            )
            memory.append({str(pid): mb for pid, mb in _memory(gateway).items()})
        seconds = time.monotonic() - began
        wrong = check_ledger(folder / "data" / "ops-center.db", simulator, tally)
        if tally.unserved > MOST_UNSERVED * requests:
            statuses = dict(sorted(tally.statuses.items()))
            wrong.append(f"{tally.unserved} requests to healthy models were not served; answers: {statuses}")
        growth = sum(memory[1].values()) / sum(memory[0].values()) - 1
        if requests >= 500_000 and growth > _MEMORY_GROWTH:
            wrong.append(f"memory grew by {growth:.1%} from {first_part} to {requests} requests: {memory}")
        if wrong:
            raise BenchmarkError("; ".join(wrong))
        return {
            "requests": requests,
            "workers": workers,
            "seconds": round(seconds, 1),
            "per_second": round(requests / seconds),
            "kinds": dict(tally.kinds),
            "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
            "unserved_of_healthy_models": tally.unserved,
            "answers_with_a_record": len(tally.ids),
            "memory_mb_after_a_tenth": memory[0],
            "memory_mb_at_the_end": memory[1],
            "memory_growth": round(growth, 3),
        }


def _settled(gateway: Gateway, tally: Tally) -> bool:
    time.sleep(0.2)
    return gateway.recorded_calls() >= len(tally.ids)


def _memory(gateway: Gateway) -> dict[int, float]:
    found: dict[int, float] = {}
    for pid in gateway.worked_by():
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                found[pid] = round(int(line.split()[1]) * 1024 / 1e6, 1)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        done = soak(
            requests=options.requests,
            workers=options.workers,
            connections=options.connections,
            seed=options.seed,
        )
    except BenchmarkError as error:
        print(f"wrong: {error}", file=sys.stderr)
        return 1
    print(json.dumps(done, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
