"""A throw-away Valkey or Redis server for tests: a port of its own, nothing on disk, ended by pid."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from live import free_port


def program() -> str | None:
    return shutil.which("valkey-server") or shutil.which("redis-server")


class ValkeyServer:
    """`stop` and `start` play a server that goes away and comes back empty; `pause`, one that hangs."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [self._path, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise TimeoutError("the Valkey server does not listen")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running(path: str) -> Iterator[ValkeyServer]:
    server = ValkeyServer(path)
    server.start()
    try:
        yield server
    finally:
        server.stop()
