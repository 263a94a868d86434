"""Everything a measurement needs, running: simulator, nginx where installed, the gateway, a load generator.

Who calls whom: load generator → (nobody | nginx | gateway) → simulator. All of it on loopback, in a folder
that is thrown away, and ended by pid.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import msgspec

from benchmarks import bodies, nginx
from benchmarks.bodies import Question
from benchmarks.gateway import Gateway
from benchmarks.load import Job, LoadGenerator, Outcome
from benchmarks.machine import Cores, cores
from benchmarks.nginx import Nginx
from benchmarks.processes import BenchmarkError, Child, free_port, listens


class Simulator(Child):
    """The project's provider simulator as its own process."""

    def __init__(self, *, cores: frozenset[int], log: Path) -> None:
        self.port = free_port()
        start = f"from ops_center.simulator.server import run; run('127.0.0.1', {self.port})"
        super().__init__([sys.executable, "-c", start], name="simulator", cores=cores, log=log)
        self.until(lambda: listens(self.port), "listening")
        self.url = f"http://127.0.0.1:{self.port}"

    def configure(self, **fields: object) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/__simulator/config", msgspec.json.encode(fields))
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 200:
                raise BenchmarkError(f"simulator: {data[:300]!r}")
        finally:
            connection.close()


class Scene:
    """`api_key` opens the gateway; `sent` counts the requests that went to it and must stand in its ledger."""

    def __init__(
        self,
        *,
        simulator: Simulator,
        proxy: Nginx | None,
        gateway: Gateway,
        load: LoadGenerator,
        api_key: str,
        first_ready_seconds: float,
        folder: Path,
        cores: Cores,
    ) -> None:
        self.simulator = simulator
        self.nginx = proxy
        self.gateway = gateway
        self.load = load
        self.api_key = api_key
        self.first_ready_seconds = first_ready_seconds
        self.cores = cores
        self.sent = 0
        self._folder = folder

    def job(
        self,
        to: Child,
        question: Question,
        *,
        connections: int,
        answers: int,
        seconds: float = 60.0,
        **more: float,
    ) -> Job:
        """A job of the load generator towards one of the scene's servers."""
        port = self._port(to, question)
        key = self.api_key if to is self.gateway else "sk-benchmark"
        return Job(
            port=port,
            request=question.request(port, key),
            text=question.text,
            stream=question.stream,
            connections=connections,
            answers=answers,
            seconds=seconds,
            **more,
        )

    def _port(self, to: Child, question: Question) -> int:
        if isinstance(to, Nginx) and question.stream:
            return to.stream_port
        assert isinstance(to, Nginx | Gateway | Simulator)
        return to.port

    def run(self, to: Child, question: Question, **how: object) -> Outcome:
        """Send, check and count. Raises BenchmarkError for the first wrong answer."""
        return self.finish(to, self.begin(to, question, **how))

    def begin(self, to: Child, question: Question, **how: object) -> Job:
        job = self.job(to, question, **how)  # type: ignore[arg-type]
        self.load.start(job)
        return job

    def finish(self, to: Child, job: Job) -> Outcome:
        outcome = self.load.outcome()
        if to is self.gateway:
            self.sent += outcome.answers
        return outcome

    def restart_gateway(self) -> float:
        """Stop the server and start it again on its data; the seconds until its first answer."""
        self.gateway.stop()
        self.gateway = Gateway(
            self._folder / "data",
            cores=self.cores.measured,
            log=self._folder / "gateway.log",
            session=self.gateway.session,
        )
        seconds = self.gateway.wait_for_first_answer(bodies.whole(), self.api_key)
        self.sent += 1
        return seconds


@contextmanager
def scene() -> Iterator[Scene]:
    """Start everything; leave nothing behind."""
    split = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ops-center-benchmark-")))
        simulator = stack.enter_context(Simulator(cores=split.others, log=folder / "simulator.log"))
        proxy = None
        if nginx.program() is not None:
            (folder / "nginx").mkdir()
            proxy = stack.enter_context(
                Nginx(folder / "nginx", upstream=simulator.port, cores=split.measured)
            )
        gateway = Gateway(folder / "data", cores=split.measured, log=folder / "gateway.log")
        stack.callback(gateway.stop)
        ready_seconds = gateway.wait_until_ready()
        gateway.add_provider("openai", f"{simulator.url}/v1")
        gateway.add_provider("anthropic", f"{simulator.url}/v1")
        here = Scene(
            simulator=simulator,
            proxy=proxy,
            gateway=gateway,
            load=stack.enter_context(LoadGenerator(split.others, folder / "load.log")),
            api_key=gateway.create_api_key(),
            first_ready_seconds=ready_seconds,
            folder=folder,
            cores=split,
        )
        stack.callback(lambda: here.gateway.stop())
        yield here
