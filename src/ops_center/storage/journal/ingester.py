"""The journal's far end: lines of all segments into the tables, each record exactly once.

The last thing that happens to a request, after its answer. A batch and the position behind it are one
transaction, so a crash at any point means reading some lines twice and storing them once. One ingester
works in a folder at a time; it decides nothing about a record and never changes one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from ops_center.storage.database import Database
from ops_center.storage.journal.ledger import Entry, Ledger, entry, is_refused
from ops_center.storage.journal.segments import (
    REJECTED_NAME,
    has_no_writer,
    lock_folder,
    make_folder,
    segments,
)
from ops_center.types import UsageRecord

_log = structlog.get_logger(__name__)

_BATCH = 2000
_BREATHE_AFTER = 32  # records between two chances for requests that are waiting
_CHUNK_BYTES = 32 * 1024  # read between two such chances
_GATHER_SECONDS = 0.75  # after the first record: each transaction has costs of its own
_LOOK_SECONDS = 0.5  # other processes cannot notify us
_LONGEST_BACKOFF_SECONDS = 10.0


class JournalIngester:
    """`run()` beside the server; `drain()` wherever the tables must be complete.

    Counts since its start: `ingested` records, `duplicates` met again, `rejected` lines.
    """

    def __init__(
        self,
        database: Database,
        directory: Path,
        *,
        on_batch: Callable[[Sequence[UsageRecord]], None] | None = None,
        batch: int = _BATCH,
    ) -> None:
        """`on_batch` gets every record once, a few at a time, after it was stored. Raises JournalError without a folder."""
        make_folder(directory)
        self._directory = directory
        self._ledger = Ledger(database)
        self._on_batch = on_batch
        self._batch = batch
        self._decoder = msgspec.json.Decoder(UsageRecord)
        self._lock: int | None = None
        self._offsets: dict[str, int] | None = None  # as stored; None: to be read again
        self._turn = asyncio.Lock()
        self._noted = asyncio.Event()
        self._untold: list[UsageRecord] = []  # stored, and not yet given to `on_batch`
        self.ingested = 0
        self.duplicates = 0
        self.rejected = 0

    def notify(self) -> None:
        """There is something to read. Cheap enough to be called for every record, on the event loop."""
        self._noted.set()

    async def run(self) -> None:
        """Ingest until cancelled, within a second of each record; outlives whatever the database does."""
        backoff = _GATHER_SECONDS
        while True:
            try:
                await self.drain()
            except Exception as error:  # noqa: BLE001 the records are safe in the journal: try again
                _log.warning("journal_waits_for_database", error=type(error).__name__, retry_seconds=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)
                continue
            backoff = _GATHER_SECONDS
            try:
                # Not `wait_for`, which on Python 3.11 swallows a cancellation that meets a notification.
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._noted.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_GATHER_SECONDS)
            self._noted.clear()

    async def drain(self) -> None:
        """Store everything that was in the journal at this moment.

        Does nothing while another process ingests this folder. Raises what the database raises; calling
        again goes on where the last transaction ended.
        """
        async with self._turn:
            if self._lock is None:
                self._lock = lock_folder(self._directory)
                if self._lock is None:
                    return
            try:
                if self._offsets is None:
                    self._offsets = await self._ledger.offsets()
                for name in segments(self._directory):
                    await self._ingest(name)
            except BaseException:
                self._offsets = None  # whether the last transaction came through is not known
                raise

    def close(self) -> None:
        """Let another process ingest this folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            self._offsets = None

    async def _ingest(self, name: str) -> None:
        path = self._directory / name
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            finished = has_no_writer(descriptor)  # asked before the size, so nothing can follow it
            size = os.fstat(descriptor).st_size
            position = self._position(name)
            while position < size:
                entries, end = await self._read(name, descriptor, position, size)
                if end == position and not finished:
                    break  # its writer is in the middle of a line
                if end == position:
                    await self._store_torn(name, os.pread(descriptor, size - position, position), size)
                    break
                await self._store(name, entries, end)
                position = end
            if finished:
                await self._ledger.forget(name)
                path.unlink()
                self._known_offsets.pop(name, None)
        finally:
            os.close(descriptor)

    @property
    def _known_offsets(self) -> dict[str, int]:
        assert self._offsets is not None
        return self._offsets

    def _position(self, name: str) -> int:
        return self._known_offsets.get(name, 0)

    async def _read(
        self, name: str, descriptor: int, position: int, size: int
    ) -> tuple[Sequence[Entry], int]:
        """A batch from `position` on, read a piece at a time, and the place behind it."""
        entries: list[Entry] = []
        left = self._batch
        while left and position < size:
            lines = _read_lines(descriptor, position, size, left)
            if not lines:
                break
            left -= len(lines)
            for line in lines:
                position += len(line) + 1
                try:
                    entries.append(entry(self._decoder.decode(line), line, position))
                except (msgspec.DecodeError, ValueError, ArithmeticError) as error:
                    self._reject(name, line, error)
            await asyncio.sleep(0)
        return entries, position

    async def _store_torn(self, name: str, tail: bytes, end: int) -> None:
        """The last line of a writer that died in the middle of it; whole all the same if only its end is missing."""
        try:
            entries = [entry(self._decoder.decode(tail), tail, end)]
        except (msgspec.DecodeError, ValueError, ArithmeticError):
            entries = []
            _log.warning("journal_line_torn", segment=name, bytes=len(tail))
        await self._store(name, entries, end)

    async def _store(self, name: str, entries: Sequence[Entry], end: int) -> None:
        """One transaction; where a row is refused, halves of it, until the one line to blame is found."""
        try:
            fresh = await self._ledger.add(entries, name, end)
        except DBAPIError as error:
            if not entries or not is_refused(error):
                raise
            if len(entries) == 1:
                self._reject(name, entries[0].line, error)
                await self._store(name, [], end)
                return
            middle = len(entries) // 2
            await self._store(name, entries[:middle], entries[middle - 1].end)
            await self._store(name, entries[middle:], end)
            return
        self._known_offsets[name] = end
        self.ingested += len(fresh)
        self.duplicates += len(entries) - len(fresh)
        if self._on_batch is not None:
            self._untold += fresh
            await self._tell(self._on_batch)

    async def _tell(self, listener: Callable[[Sequence[UsageRecord]], None]) -> None:
        """In small pieces, between which requests have their turn; what a cancelled drain leaves comes next."""
        while self._untold:
            some, self._untold = self._untold[:_BREATHE_AFTER], self._untold[_BREATHE_AFTER:]
            try:
                listener(some)
            except Exception:  # noqa: BLE001 a listener's fault must not stop the ledger
                _log.exception("journal_listener_failed")
            await asyncio.sleep(0)

    def _reject(self, name: str, line: bytes, error: Exception) -> None:
        """Put a line aside that can never become a row, for a person to look at."""
        self.rejected += 1
        _log.error("journal_line_rejected", segment=name, error=type(error).__name__, file=REJECTED_NAME)
        target = self._directory / REJECTED_NAME
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line + b"\n")
        finally:
            os.close(descriptor)


def _read_lines(descriptor: int, position: int, size: int, most: int) -> list[bytes]:
    """Whole lines from `position` on, without their ends: at most `most`; none when no line ends there."""
    length = _CHUNK_BYTES
    while True:
        chunk = os.pread(descriptor, min(length, size - position), position)
        end = chunk.rfind(b"\n")
        if end >= 0:
            return chunk[:end].split(b"\n")[:most]
        if position + len(chunk) >= size or not chunk:
            return []
        length *= 2  # a line longer than the chunk
