"""`python -m benchmarks.workers`: what several worker processes bring and cost, beside one.

The same requests go to a server with one process and to one with two workers, in turns. CPU time is that of
all processes of a server together, so what the control process does for its workers is counted. From it
follows what two cores can carry; rates by the clock mean something on a machine with cores to spare for the
upstream and the clients.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from benchmarks import bodies
from benchmarks.bodies import Question
from benchmarks.gateway import Gateway
from benchmarks.load import Job, LoadGenerator
from benchmarks.machine import Neighbours, cores
from benchmarks.processes import BenchmarkError
from benchmarks.scene import Simulator

_CONNECTIONS = 32
_WARM_UP = 1000
_PROVIDERS = 20
_MODELS = 100  # of each


class _Side:
    """One server under load."""

    def __init__(self, gateway: Gateway, load: LoadGenerator, simulator: Simulator) -> None:
        self.gateway = gateway
        self._load = load
        gateway.wait_until_ready()
        gateway.add_provider("openai", f"{simulator.url}/v1")
        self.api_key = gateway.create_api_key()
        secret = gateway.control("POST", "/me/api-keys", {"name": "without limits"})["secret"]
        self.keys = {"limited": self.api_key, "free": secret}
        self.us: dict[str, list[float]] = {name: [] for name in self.keys}
        self.per_second: list[float] = []

    def run(self, question: Question, key: str, answers: int) -> float:
        """Microseconds of CPU time per answer."""
        self.gateway.until_quiet()
        before = self.gateway.cpu_seconds()
        port = self.gateway.port
        outcome = self._load.run(
            Job(
                port=port,
                request=question.request(port, self.keys[key]),
                text=question.text,
                stream=question.stream,
                connections=_CONNECTIONS,
                answers=answers,
                seconds=120.0,
            )
        )
        self.gateway.until_quiet()
        self.per_second.append(outcome.answers / outcome.seconds)
        return (self.gateway.cpu_seconds() - before) / outcome.answers * 1e6

    def memory_mb(self) -> list[float]:
        """Of each process: first what was started, then its children."""
        pids = [self.gateway.pid, *(p for p in self.gateway.worked_by() if p != self.gateway.pid)]
        return [round(_resident_mb(pid), 1) for pid in pids]


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def measure(rounds: int, answers: int) -> dict[str, object]:
    """All figures of one run."""
    neighbours = Neighbours()
    everywhere = cores().measured | cores().others
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ops-center-benchmark-")))
        simulator = stack.enter_context(Simulator(cores=everywhere, log=folder / "simulator.log"))
        load = stack.enter_context(LoadGenerator(everywhere, folder / "load.log"))

        def side(workers: int) -> _Side:
            gateway = Gateway(
                folder / f"data{workers}", cores=everywhere, log=folder / f"{workers}.log", workers=workers
            )
            stack.callback(gateway.stop)
            return _Side(gateway, load, simulator)

        one, two = side(1), side(2)
        idle = two.memory_mb()
        question = bodies.whole()
        for each in (one, two):
            for key in each.keys:
                each.run(question, key, _WARM_UP)
        for _ in range(rounds):
            for key in one.keys:
                for each in (one, two):
                    each.us[key].append(each.run(question, key, answers))
        loaded = two.memory_mb()
        visible, start = _large_configuration(two, folder, everywhere)
        return {
            "cpu_us_per_request": {
                key: {"one process": round(median(one.us[key])), "two workers": round(median(two.us[key]))}
                for key in one.keys
            },
            "two_cores_carry_times_one": {
                key: round(_times_one(one.us[key], two.us[key]), 2) for key in one.keys
            },
            "per_second_by_the_clock": {
                "one process": round(median(one.per_second)),
                "two workers": round(median(two.per_second)),
            },
            "memory_mb_idle": idle,
            "memory_mb_after_the_load": loaded,
            "change_visible_in_all_workers_seconds": visible,
            "start_to_first_answer_seconds": start,
            "neighbours_share": round(neighbours.share(), 2),
        }


def _times_one(one_us: Sequence[float], two_us: Sequence[float]) -> float:
    """Two busy cores beside one, by what a request costs in all processes together."""
    return median(2 * one / two for one, two in zip(one_us, two_us, strict=True))


def _large_configuration(side: _Side, folder: Path, everywhere: frozenset[int]) -> tuple[float, float]:
    """With 20 providers and 2,000 models: the longest change until all workers follow it, and the start."""
    gateway = side.gateway
    with _lists(_MODELS) as url:
        for number in range(_PROVIDERS - 1):
            gateway.add_provider("custom", f"{url}/{number}/v1", name=f"Provider {number}")
    took = []
    for strategy in ("cost", "quality", "balanced"):
        began = time.monotonic()
        gateway.control("PUT", "/llm/routing/rules", {"strategy": strategy})
        took.append(time.monotonic() - began)  # it returns once every worker has applied it
    gateway.stop()
    again = Gateway(
        folder / "data2", cores=everywhere, log=folder / "again.log", session=gateway.session, workers=2
    )
    try:
        start = again.wait_for_first_answer(bodies.whole(), side.api_key)
    finally:
        again.stop()
    return round(max(took), 3), round(start, 2)


@contextmanager
def _lists(models: int) -> Iterator[str]:
    """The URL of a server of model lists; each first part of a path has names of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = self.path.split("/")[1]
            names = [{"id": f"model-{place}-{number}", "object": "model"} for number in range(models)]
            body = json.dumps({"object": "list", "data": names}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--answers", type=int, default=5000)
    options = parser.parse_args()
    try:
        figures = measure(options.rounds, options.answers)
    except BenchmarkError as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
