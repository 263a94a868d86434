"""The parent of all processes: holds the listening sockets, starts control process and workers, and again.

It reads no request and no database, so there is little that could end it. A process that ends unasked is
started anew, after a pause that doubles while it keeps ending. Told to stop, it lets every process finish
what is under way. Each hangs on a lifeline from here: when this process is killed, they notice and end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec
import structlog

from ops_center.errors import InternalError, OpsCenterError
from ops_center.workers.lifeline import (
    CONTROL_SOCKET,
    LINK_SOCKET,
    READY,
    STOP,
    ControlSockets,
    WorkerSettings,
)

_BACKLOG = 2048
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 10.0  # who lived so long did not end because of how it started
_FINISH_SECONDS = 45.0  # the processes' own limits for what is under way come first
_PORT_SECONDS = 5.0  # for processes of a killed predecessor to let go of the port

log = structlog.get_logger("ops_center.workers")


class _Child:
    """A process and what is known of its restarts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid: int | None = None
        self.lifeline: socket.socket | None = None
        self.started = 0.0
        self.due = 0.0  # when to start it, while it does not run
        self._pause = 0.0

    def begun(self, pid: int, lifeline: socket.socket) -> None:
        self.pid, self.lifeline, self.started = pid, lifeline, time.monotonic()

    def ended(self) -> float:
        """Note its end; the seconds until it is started again: none for one that had run for a while."""
        self.pid = None
        if self.lifeline is not None:
            self.lifeline.close()
            self.lifeline = None
        now = time.monotonic()
        if now - self.started > _STEADY_SECONDS:
            self._pause = 0.0
            pause = 0.0
        else:
            self._pause = min(self._pause * 2 or _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
            pause = self._pause
        self.due = now + pause
        return pause

    def tell(self, word: bytes) -> None:
        if self.lifeline is not None:
            with contextlib.suppress(OSError):
                self.lifeline.send(word)

    def kill(self) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Supervisor:
    """`worker_settings(index, run_dir, descriptors)` and `run_control(sockets)` say what the children do."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        workers: int,
        worker_settings: Callable[[int, str, tuple[int, ...]], WorkerSettings],
        run_control: Callable[[ControlSockets], None],
    ) -> None:
        self._worker_settings = worker_settings
        self._run_control = run_control
        self._public = listen(host, port)
        self._port: int = self._public[0].getsockname()[1]
        self._run_dir = Path(tempfile.mkdtemp(prefix="ops-center-"))  # mode 0700
        self._http = _local_socket(self._run_dir / CONTROL_SOCKET)
        self._link = _local_socket(self._run_dir / LINK_SOCKET)
        self._control = _Child("control")
        self._workers = [_Child(f"worker {index + 1}") for index in range(workers)]
        self._ready = False  # the control process was, once
        self._stopping = False
        self._kill_at = 0.0
        self._exit_code = 0
        self._wakeup, self._woken = socket.socketpair()

    def run(self) -> int:
        """Until a signal says stop; the exit code. Call it in the main thread, with no other running."""
        self._woken.setblocking(False)
        self._wakeup.setblocking(False)
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(each, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        try:
            for child in (
                *self._workers,
                self._control,
            ):  # the control process takes longest: on its own core
                self._start(child)
            while not (self._stopping and not self._living):
                self._wait()
                self._reap()
                self._start_due()
        finally:
            for child in (*self._workers, self._control):
                child.kill()
            shutil.rmtree(self._run_dir, ignore_errors=True)
        return self._exit_code

    @property
    def _living(self) -> list[_Child]:
        return [child for child in (*self._workers, self._control) if child.pid is not None]

    def _wait(self) -> None:
        now = time.monotonic()
        due = [child.due for child in (*self._workers, self._control) if child.pid is None]
        until = self._kill_at if self._stopping else min(due, default=now + 3600.0)
        watched: list[socket.socket] = [self._woken]
        if not self._ready and self._control.lifeline is not None:
            watched.append(self._control.lifeline)
        readable, _, _ = select.select(watched, [], [], max(0.0, until - now))
        if self._control.lifeline in readable and self._control.lifeline is not None:
            with contextlib.suppress(OSError):
                self._ready = READY in self._control.lifeline.recv(16)
        if self._woken in readable:
            for number in self._woken.recv(4096):
                if number != signal.SIGCHLD:
                    self._told_to_stop()
        if self._stopping and time.monotonic() >= self._kill_at:
            for child in self._living:
                log.error(
                    "process_killed", process=child.name, pid=child.pid, reason="it did not end in time"
                )
                child.kill()
            self._kill_at = time.monotonic() + 1.0

    def _told_to_stop(self) -> None:
        if self._stopping:  # told twice: without waiting for what is under way
            for child in self._living:
                if child.lifeline is not None:
                    child.lifeline.shutdown(socket.SHUT_WR)
            self._kill_at = min(self._kill_at, time.monotonic() + 5.0)
            return
        self._stop()

    def _stop(self) -> None:
        self._stopping = True
        self._kill_at = time.monotonic() + _FINISH_SECONDS
        for each in self._public:
            each.close()
        for child in self._living:
            child.tell(STOP)

    def _reap(self) -> None:
        for child in self._living:
            assert child.pid is not None
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            code = os.waitstatus_to_exitcode(status)
            pause = child.ended()
            if self._stopping:
                continue
            if child is self._control and not self._ready:  # it cannot start: it has said why
                self._exit_code = code or 1
                self._stop()
                continue
            log.error("process_ended", process=child.name, pid=pid, code=code, again_in_seconds=pause)

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in (*self._workers, self._control):
            if not self._stopping and child.pid is None and child.due <= now:
                self._start(child)

    def _start(self, child: _Child) -> None:
        ours, theirs = socket.socketpair()
        if child is self._control:
            pid = self._fork(ours, theirs)
        else:
            pid = self._spawn(self._workers.index(child), ours, theirs)
        theirs.close()
        child.begun(pid, ours)

    def _spawn(self, place: int, ours: socket.socket, theirs: socket.socket) -> int:
        """A fresh interpreter: what this one has loaded is not a worker's to carry."""
        descriptors = tuple(each.fileno() for each in self._public)
        settings = self._worker_settings(place + 1, str(self._run_dir), descriptors)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ops_center.workers.process"],
            stdin=theirs.fileno(),
            pass_fds=descriptors,
            env={name: value for name, value in os.environ.items() if not name.startswith("OPS_CENTER_")},
            start_new_session=True,  # a terminal's Ctrl-C is for the supervisor alone
        )
        ours.sendall(msgspec.json.encode(settings) + b"\n")
        pid: int = process.pid
        process.returncode = 0  # `os.waitpid` is ours: Popen need not look after it
        return pid

    def _fork(self, ours: socket.socket, theirs: socket.socket) -> int:
        """A copy of this process, which has read the settings already."""
        pid = os.fork()
        if pid:
            return pid
        self._become_control(ours, theirs)

    def _become_control(self, ours: socket.socket, theirs: socket.socket) -> NoReturn:
        code = 1
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(each, signal.SIG_DFL)
            lifelines = [child.lifeline for child in self._workers if child.lifeline is not None]
            for unneeded in (ours, self._wakeup, self._woken, *lifelines, *self._public):
                unneeded.close()
            self._run_control(ControlSockets(self._http, self._link, theirs, self._port))
            code = 0
        except OpsCenterError as error:
            hint = f" {error.hint}" if error.hint else ""
            sys.stderr.write(f"ops-center: {error.message}{hint}\n")
            code = 2
        except BaseException:
            log.exception("control_process_crashed")
        finally:
            sys.stderr.flush()
            os._exit(code)


def listen(host: str, port: int) -> list[socket.socket]:
    """The sockets at every address of `host`; all workers accept from the same ones.

    Whoever is free takes the next connection, so nobody waits for a worker that died, or is busy. Waits a
    little for processes of a killed predecessor. Raises InternalError when an address cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sockets: list[socket.socket] = []
        for family, _, _, _, address in dict.fromkeys(found):
            sockets.append(_bound(family, (address[0], port, *address[2:])))
            port = sockets[0].getsockname()[1]  # where the system chose, the same at every address
    except OSError as error:
        raise InternalError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from None
    return sockets


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    end = time.monotonic() + _PORT_SECONDS
    while True:
        each = socket.socket(family, socket.SOCK_STREAM)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            each.bind(address)
            each.listen(_BACKLOG)
        except OSError as error:
            each.close()
            if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return each


def _local_socket(path: Path) -> socket.socket:
    """A Unix socket that only this user can reach. Kept open here: who calls while the control process is
    being started again is answered by the next one."""
    each = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        each.bind(str(path))
    finally:
        os.umask(mask)
    each.listen(_BACKLOG)
    return each
