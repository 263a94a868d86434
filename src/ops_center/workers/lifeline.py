"""What the supervisor and its children agree on: names, words on the lifeline, and a worker's settings."""

from __future__ import annotations

import socket

import msgspec

CONTROL_SOCKET = "control.sock"  # HTTP, from workers
LINK_SOCKET = "workers.sock"  # snapshots and limits
STOP = b"q"  # to a child: finish what is under way and end
READY = b"r"  # from the control process


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must know before anybody tells it anything. Comes over its lifeline, for the address of
    Valkey may hold a password."""

    index: int
    log_level: str
    journal: str  # the folder
    run_dir: str  # the folder with the control process's sockets
    sockets: tuple[int, ...]  # descriptors to listen on
    connect_timeout_seconds: float
    answer_timeout_seconds: float
    first_chunk_timeout_seconds: float
    chunk_timeout_seconds: float
    valkey_url: str | None = None
    valkey_failure: str = "open"


class ControlSockets(msgspec.Struct, frozen=True):
    """What the control process is given: where it listens, where workers join, and its lifeline."""

    http: socket.socket
    workers: socket.socket
    lifeline: socket.socket
    port: int  # of the server, which the system may have chosen
