"""The files of the journal: their names, and the locks that say who still writes or reads them.

A segment is locked by its writer for as long as it may grow, so that whoever gets that lock knows the
writer has finished or died. Process ids would not do: they come back, and containers share them.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ops_center.errors import OpsCenterError
from ops_center.types import new_id

_LOCK_NAME = ".lock"
REJECTED_NAME = "rejected.jsonl"


class JournalError(OpsCenterError):
    """The journal's folder cannot be used; the message is one line for the operator."""

    type = "journal_error"


def make_folder(directory: Path) -> None:
    """Raises JournalError when the folder neither exists nor can be made."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise JournalError(f"The journal folder {directory} cannot be used: {error.strerror}") from error


def create_segment(directory: Path) -> int:
    """A new segment, locked for this writer; its descriptor, for appending. Raises OSError."""
    name = f"{new_id('usage').replace('_', '-')}-{os.getpid()}.jsonl"
    hidden = directory / f".{name}"
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Seen under its own name only once it is locked: nobody takes it for a dead writer's.
        hidden.rename(directory / name)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def segments(directory: Path) -> list[str]:
    """The names of all segments, those begun first at the head."""
    return sorted(
        name for name in os.listdir(directory) if name.startswith("usage-") and name.endswith(".jsonl")
    )


def rejected_lines(directory: Path) -> int:
    """How many lines were put aside because they can never become a row."""
    try:
        with (directory / REJECTED_NAME).open("rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0


def has_no_writer(descriptor: int) -> bool:
    """Whether the segment cannot grow any more; the lock is ours until `descriptor` is closed."""
    return _try_lock(descriptor)


def lock_folder(directory: Path) -> int | None:
    """Become the one ingester of this folder; the descriptor that holds the lock, None when there is one."""
    descriptor = os.open(directory / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if _try_lock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
