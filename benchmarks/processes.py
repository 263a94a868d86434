"""Child processes on chosen cores, with what the kernel knows of their CPU time and memory; ended by pid.

Knows nothing of what runs in them; `scene.py` does.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_QUIET_SECONDS = 1.0  # longer than the server gathers records before it stores them
_QUIET_CPU_SECONDS = 0.006  # of each of its processes, which look after this and that
_SETTLE_SECONDS = 20.0


class BenchmarkError(Exception):
    """Something that makes every figure worthless: a wrong answer, a process that ended or never started."""


class Child:
    """A process that is ended, by its pid, when the `with` block is left. stdout and stderr go to `log`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        name: str,
        cores: Collection[int],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if env is None else dict(env),
                # Threads started later inherit this, which setting it from outside would not reach.
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def worked_by(self) -> list[int]:
        """The processes that do the work: this one, or its children where it only watches over them."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(child) for child in children] or [self.pid]

    def cpu_seconds(self) -> float:
        """User and system time of all threads so far.

        The kernel's CPU clock of a process (clock_getcpuclockid(3)) is the sum that /proc/PID/stat shows as
        utime + stime, in nanoseconds instead of hundredths of a second.
        """
        self.must_run()
        return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in self.worked_by()) / 1e9

    def resident_mb(self) -> float:
        """Resident memory in MB (10^6 bytes), as VmRSS of /proc/PID/status shows it."""
        return self._status("VmRSS:") * 1024 / 1e6

    def _status(self, field: str) -> int:
        total = 0
        for pid in self.worked_by():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(field):
                    total += int(line.split()[1])
        return total

    def until_quiet(self) -> None:
        """Wait until work put off (the ledger's batches) is done, so that it is counted with its cause."""
        end = time.monotonic() + _SETTLE_SECONDS
        before = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(_QUIET_SECONDS)
            now = self.cpu_seconds()
            if now - before < _QUIET_CPU_SECONDS * len(self.worked_by()):
                return
            before = now
        raise BenchmarkError(f"{self.name} is still busy {_SETTLE_SECONDS:.0f} s after the last answer")

    def must_run(self) -> None:
        code = self._process.poll()
        if code is not None:
            raise BenchmarkError(f"{self.name} ended with code {code}: {self._last_words()}")

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def until(self, fact: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Wait for `fact()`. Raises BenchmarkError when the process ends or time is up."""
        end = time.monotonic() + seconds
        while not fact():
            self.must_run()
            if time.monotonic() > end:
                raise BenchmarkError(f"{self.name}: {what} did not happen: {self._last_words()}")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
