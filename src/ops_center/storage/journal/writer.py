"""The journal's near end: one line per finished request, handed to the kernel before the answer ends.

The last step of a request. A line in the page cache survives the death of this process (not a power
cut); it never waits for the disk, never touches the database, and never fails a request.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from ops_center.storage.journal.segments import JournalError, create_segment, make_folder
from ops_center.types import UsageRecord

_log = structlog.get_logger(__name__)

_SEGMENT_BYTES = 16 * 1024 * 1024
_MOST_WAITING = 10_000  # lines kept in memory while the disk refuses them: some 10 MB


class UsageJournal:
    """Appends records to a segment of its own; several processes may each have one in the same folder.

    `lost` counts records given up for want of disk and memory, `waiting` those still in memory.
    """

    def __init__(
        self,
        directory: Path,
        *,
        on_record: Callable[[], None] | None = None,
        segment_bytes: int = _SEGMENT_BYTES,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        """`on_record` is called after each record, on the way of a request: it must only leave a note.

        Raises JournalError when the folder cannot be written to.
        """
        make_folder(directory)
        self._directory = directory
        self._on_record = on_record
        self._segment_bytes = segment_bytes
        self._encode = msgspec.json.Encoder().encode
        self._waiting: deque[bytes] = deque(maxlen=most_waiting)
        self.lost = 0
        self._size = 0
        try:
            self._segment: int | None = create_segment(directory)
        except OSError as error:
            raise JournalError(f"The journal folder {directory} cannot be used: {error.strerror}") from error

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def record(self, record: UsageRecord) -> None:
        """Make `record` survive this process. Never raises; a failing disk delays it, and is logged once."""
        try:
            line = self._encode(record) + b"\n"
        except (ValueError, TypeError, OverflowError):
            line = _encode_anyhow(record)
        if self._waiting or not self._append(line):
            self._keep(line)
        if self._on_record is not None:
            self._on_record()

    def close(self) -> None:
        """Give the segment up for ingestion, after a last attempt for what is waiting."""
        self._write_waiting()
        if self._waiting:
            _log.error(
                "usage_records_lost", records=len(self._waiting), reason="the disk refused them to the end"
            )
            self.lost += len(self._waiting)
            self._waiting.clear()
        self._give_up_segment()

    def _append(self, line: bytes) -> bool:
        """One write, whole or not at all."""
        try:
            if self._segment is None:
                self._segment = create_segment(self._directory)
                self._size = 0
            written = os.write(self._segment, line)
        except OSError as error:
            self._failed(error.strerror)
            return False
        if written != len(line):
            self._failed("no space for a whole line")
            self._cut_back()
            return False
        self._size += written
        if self._size >= self._segment_bytes:
            self._give_up_segment()
        return True

    def _keep(self, line: bytes) -> None:
        """Behind what waits already, so that the order stays; the oldest goes when memory's share is full."""
        if len(self._waiting) == self._waiting.maxlen:
            self.lost += 1
        self._waiting.append(line)
        if len(self._waiting) > 1:
            self._write_waiting()

    def _write_waiting(self) -> None:
        if not self._waiting:
            return
        while self._waiting and self._append(self._waiting[0]):
            self._waiting.popleft()
        if not self._waiting:
            with contextlib.suppress(OSError):
                _log.info("journal_writable_again", records_lost=self.lost)

    def _failed(self, reason: str | None) -> None:
        if not self._waiting:  # the first of this outage
            with contextlib.suppress(OSError):  # the log may live on the same disk
                _log.error("journal_not_writable", folder=str(self._directory), reason=reason)

    def _cut_back(self) -> None:
        """Take half a line away again; where even that fails, leave the segment to end with it."""
        assert self._segment is not None
        try:
            os.ftruncate(self._segment, self._size)
        except OSError:
            self._give_up_segment()

    def _give_up_segment(self) -> None:
        if self._segment is not None:
            os.close(self._segment)
            self._segment = None


def _encode_anyhow(record: UsageRecord) -> bytes:
    """For text that UTF-8 cannot hold and numbers beyond 64 bits: whatever is readable of it."""
    plain = msgspec.to_builtins(msgspec.structs.replace(record, plan=None), builtin_types=())
    if bytes(record.plan):
        plain["plan"] = json.loads(bytes(record.plan))
    else:
        del plain["plan"]
    return json.dumps(plain, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
