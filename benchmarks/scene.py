"""Everything a measurement needs, running: simulator, nginx where installed, the gateway, a load generator.

Who calls whom: load generator → (nobody | nginx | gateway) → simulator. All of it on loopback, in a folder
that is thrown away, and ended by pid.
"""

from __future__ import annotations

import os
import subprocess
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
from benchmarks.paced import PacedJob, PacedOutcome
from benchmarks.pacer import MODEL
from benchmarks.processes import BenchmarkError, Child, free_port, listens


class Simulator(Child):
    """The project's provider simulator as its own process."""

    def __init__(self, *, cores: frozenset[int], log: Path, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
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


class Pacer(Child):
    """`benchmarks.pacer` as its own process."""

    def __init__(self, chunks: int, chunks_per_second: float, *, cores: frozenset[int], log: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "benchmarks.pacer"]
        command += [str(self.port), str(chunks), str(chunks_per_second)]
        self.chunks = chunks
        super().__init__(command, name="pacer", cores=cores, log=log)
        self.until(lambda: listens(self.port), "listening")
        self.url = f"http://127.0.0.1:{self.port}"


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
        self.folder = folder

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

    def pacer(self, chunks: int, chunks_per_second: float) -> Pacer:
        """An upstream whose streams have so many chunks."""
        return Pacer(chunks, chunks_per_second, cores=self.cores.others, log=self.folder / "pacer.log")

    def add_pacer(self, pacer: Pacer, name: str) -> str:
        """Make it a provider of the gateway; the name of its model there."""
        return f"{self.gateway.add_provider('custom', pacer.url, name=name)}/{MODEL}"

    def begin_paced(
        self, to: Child, pacer: Pacer, model: str, streams: int, seconds: float
    ) -> subprocess.Popen[bytes]:
        """Open all of them at once, in a process of clients."""
        assert isinstance(to, Gateway | Pacer)
        question = bodies.paced(model)
        job = PacedJob(
            port=to.port,
            request=question.request(to.port, self.api_key),
            streams=streams,
            chunks=pacer.chunks,
            seconds=seconds,
        )
        clients = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.paced"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, self.cores.others),
        )
        assert clients.stdin is not None
        clients.stdin.write(msgspec.json.encode(job))
        clients.stdin.close()
        return clients

    def finish_paced(self, to: Child, clients: subprocess.Popen[bytes], streams: int) -> PacedOutcome:
        """Raises BenchmarkError for the first stream that was not whole."""
        assert clients.stdout is not None
        with clients.stdout as answer:
            said = answer.read()
        clients.wait(10)
        outcome = msgspec.json.decode(said or b'{"error": "the clients ended"}', type=PacedOutcome)
        if outcome.error is not None:
            raise BenchmarkError(outcome.error)
        if to is self.gateway:
            self.sent += streams
        return outcome

    def restart_gateway(self) -> float:
        """Stop the server and start it again on its data; the seconds until its first answer."""
        self.gateway.stop()
        self.gateway = Gateway(
            self.folder / "data",
            cores=self.cores.measured,
            log=self.folder / "gateway.log",
            session=self.gateway.session,
        )
        seconds = self.gateway.wait_for_first_answer(bodies.whole(), self.api_key)
        self.sent += 1
        return seconds


@contextmanager
def scene(upstream_port: int | None = None) -> Iterator[Scene]:
    """Start everything; leave nothing behind. `upstream_port`: where others were told to find the upstream."""
    split = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ops-center-benchmark-")))
        simulator = stack.enter_context(
            Simulator(cores=split.others, log=folder / "simulator.log", port=upstream_port)
        )
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
