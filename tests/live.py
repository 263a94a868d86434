"""A real `ops-center serve` in a process of its own, and a simulator in a thread, for tests from outside.

The server runs on a free port of 127.0.0.1 with a data directory of the test, and is always ended by its
pid. Nothing in here reaches into the server: only its command line, its HTTP interface and its log.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from ops_center.simulator import Simulator, SimulatorConfig, serve

ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = "correct horse battery staple"
START_SECONDS = 60.0


# Below those that the kernel gives out by itself: a server finds its port free, also when it starts again.
_PORTS = itertools.count(random.SystemRandom().randrange(10_000, 30_000))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that no other server or client is given by chance."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port := next(_PORTS)))
            return port


def wait_until(fact: Callable[[], Any], *, seconds: float = 5.0, what: str = "it") -> Any:
    """The first true value of `fact()`, asked every 20 ms. Raises AssertionError when time is up."""
    end = time.monotonic() + seconds
    while not (value := fact()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)
    return value


class LiveServer:
    """`with LiveServer(tmp_path) as server:` starts, waits until ready, and ends the process at the end."""

    def __init__(
        self, data_dir: Path, *, command: str = "serve", env: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.openai_url = f"{self.url}/v1"
        self.anthropic_url = self.url
        self.log_path = data_dir.parent / f"{data_dir.name}-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._command = command
        self._env = env or {}
        self._admin: httpx.Client | None = None

    # --- life ---

    def launch(self) -> None:
        """Start the process and wait for nothing."""
        assert self.process is None, "it runs already"
        env = {name: value for name, value in os.environ.items() if not name.startswith("OPS_CENTER_")}
        env |= {"OPS_CENTER_ADMIN_EMAIL": ADMIN_EMAIL, "OPS_CENTER_ADMIN_PASSWORD": ADMIN_PASSWORD}
        env |= self._env
        arguments = [sys.executable, "-m", "ops_center.cli", self._command, "--port", str(self.port)]
        if self._command == "serve":
            arguments += ["--data-dir", str(self.data_dir)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env
            )

    def start(self) -> Self:
        """Start the process and wait until `/readyz` says 200."""
        self.launch()
        ready = False
        try:
            wait_until(self._ready, seconds=START_SECONDS, what="the server's start")
            httpx.get(f"{self.url}/api/v1/auth/me", timeout=30)  # the first call loads the control API
            ready = True
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{self.logs}") from None
        finally:
            if not ready:
                self.kill()
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with code {self.process.returncode}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, *, seconds: float = 10.0) -> int:
        """End it as an operator would (SIGTERM); its exit code. Killed when it takes too long."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> int:
        """`kill -9`, and wait until workers that it left behind have ended, too."""
        code = self._end(signal.SIGKILL, 10.0)
        wait_until(lambda: not self.listens(), seconds=20, what="the end of the workers")
        return code

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self, how: signal.Signals, seconds: float) -> int:
        process, self.process = self.process, None
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise AssertionError(
                f"the server did not stop within {seconds} s; its log:\n{self.logs}"
            ) from None

    def restart(self) -> Self:
        """Start again on the same port and data directory, after `stop` or `kill`."""
        if self.process is not None:
            self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- talking to it ---

    @property
    def logs(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def client(self) -> httpx.Client:
        """A client of the control API that nobody has signed in."""
        return httpx.Client(base_url=f"{self.url}/api/v1", timeout=10)

    @property
    def admin(self) -> httpx.Client:
        """A client of the control API, signed in as the first admin."""
        if self._admin is None:
            client = self.client()
            answer = client.post("/auth/login", json={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
            assert answer.status_code == 200, answer.text
            self._admin = client
        return self._admin

    def add_provider(self, type: str, *, discovered: bool = True, **fields: Any) -> dict[str, Any]:
        """Add a provider on a private address; waits until its models were asked for."""
        body = {"type": type, "allow_private_network": True} | fields
        answer = self.admin.post("/llm/providers", json=body)
        assert answer.status_code == 201, answer.text
        provider: dict[str, Any] = answer.json()

        def asked() -> dict[str, Any] | None:
            now: dict[str, Any] = self.admin.get(f"/llm/providers/{provider['id']}").json()
            return now if now["discovery"]["status"] != "pending" else None

        provider = wait_until(asked, seconds=10, what="model discovery")
        if discovered:
            assert provider["discovery"]["status"] == "ok", provider["discovery"]
        return provider

    def create_api_key(self, name: str = "test", **fields: Any) -> str:
        """The secret of a new API key of the admin."""
        answer = self.admin.post("/me/api-keys", json={"name": name} | fields)
        assert answer.status_code == 201, answer.text
        secret: str = answer.json()["secret"]
        return secret

    def requests(self, **filters: Any) -> list[dict[str, Any]]:
        """The newest rows of the ledger, newest first."""
        answer = self.admin.get("/llm/requests", params=filters)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["requests"]
        return rows

    def wait_for_request(self, request_id: str, *, seconds: float = 5.0) -> dict[str, Any]:
        """One row of the ledger with its attempts, as soon as it is there."""

        def found() -> dict[str, Any] | None:
            answer = self.admin.get(f"/llm/requests/{request_id}")
            return answer.json() if answer.status_code == 200 else None

        row: dict[str, Any] = wait_until(found, seconds=seconds, what=f"a record of {request_id}")
        return row


class SimulatorThread:
    """A simulator on an event loop of its own, so that tests without one can use it."""

    def __init__(self, config: SimulatorConfig | None = None) -> None:
        self._config = config
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)
        self.simulator: Simulator

    def __enter__(self) -> Self:
        self._thread.start()
        self.simulator = self._run(serve(self._config))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self.simulator.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def configure(self, **changes: Any) -> None:
        """Change some fields of its configuration."""

        async def change() -> None:
            self.simulator.configure(**changes)

        self._run(change())

    def reset(self, config: SimulatorConfig | None = None) -> None:
        """Forget everything, and behave like `config` (default: without faults) from now on."""

        async def change() -> None:
            self.simulator.configure(**_fields(config or self._config or SimulatorConfig()))
            self.simulator.reset()

        self._run(change())

    def until(self, fact: Callable[[Simulator], bool], *, seconds: float = 5.0) -> None:
        """Wait until `fact(simulator)` holds. Raises TimeoutError."""
        self._run(self.simulator.until(lambda: fact(self.simulator), seconds))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.simulator, name)


def _fields(config: SimulatorConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in config.__struct_fields__}
