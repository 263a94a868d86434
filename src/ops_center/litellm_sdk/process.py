"""Starts the process that runs LiteLLM when a call first needs it, and says where it answers.

Importing LiteLLM takes some ten seconds of CPU time and 200 MB, and each of its calls several milliseconds:
all of that happens over there, so no other provider's request waits for it. The process gets none of the
server's environment, so neither the master key nor other providers' keys; it ends when the server does.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import structlog

from ops_center.errors import ProviderUnreachable
from ops_center.litellm_sdk.install import missing

NAME = "litellm"  # as in the base URL process://litellm
_START_SECONDS = 300.0  # a first import also compiles some thousands of files
_LOOK_SECONDS = 0.05
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH")
_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks GitHub at each import
    "LITELLM_MODE": "PRODUCTION",  # else it reads .env files
    "LITELLM_TELEMETRY": "False",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_log = structlog.get_logger(__name__)


class LiteLLM:
    """The processes of one process of ours: private addresses are another's business than public ones, so
    that neither a kept connection nor a thread of a library carries the one's permission to the other."""

    def __init__(self) -> None:
        self._by_reach: dict[bool, _Process] = {}

    async def socket_path(self, allow_private_network: bool) -> str:
        """Where it listens, once it does; who stops waiting does not stop the start. Raises ProviderUnreachable."""
        process = self._by_reach.get(allow_private_network)
        if process is None:
            process = self._by_reach[allow_private_network] = _Process(allow_private_network)
        return await process.socket_path()

    def close(self) -> None:
        """End what was started."""
        for process in self._by_reach.values():
            process.close()


class _Process:
    def __init__(self, allow_private_network: bool) -> None:
        self._allow_private_network = allow_private_network
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._starting: asyncio.Task[str] | None = None

    async def socket_path(self) -> str:
        if self._process is not None and self._process.poll() is None and self._starting is None:
            return str(self._socket)
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), name="litellm_start")
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)

    @property
    def _socket(self) -> Path:
        return Path(self._folder or "") / "socket"

    def _started(self, task: asyncio.Task[str]) -> None:
        self._starting = None
        if not task.cancelled() and task.exception() is not None:
            self.close()

    async def _start(self) -> str:
        problem = missing()
        if problem is not None:
            raise ProviderUnreachable("LiteLLM's SDK cannot be used", detail=problem)
        self.close()
        self._folder = tempfile.mkdtemp(prefix="ops-center-")  # mode 0700
        self._process = self._launch(self._folder)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while not self._socket.exists():
            if self._process.poll() is not None:
                raise ProviderUnreachable(
                    "LiteLLM's SDK could not be started", detail="its process ended; see the server's log"
                )
            if loop.time() - begun > _START_SECONDS:
                raise ProviderUnreachable(
                    "LiteLLM's SDK could not be started", detail=f"not ready in {_START_SECONDS:g} s"
                )
            await asyncio.sleep(_LOOK_SECONDS)
        _log.info("litellm_started", pid=self._process.pid, seconds=round(loop.time() - begun, 1))
        return str(self._socket)

    def _launch(self, folder: str) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        arguments = [sys.executable, "-P", "-m", "ops_center.litellm_sdk.server", str(self._socket)]
        arguments += ["--private"] if self._allow_private_network else []
        return subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,  # closed with us: its sign to end
            stdout=subprocess.DEVNULL,
            env={**environment, **_ENVIRONMENT, "HOME": folder},
            cwd=folder,
        )

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            if process.stdin is not None:
                process.stdin.close()
            process.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
