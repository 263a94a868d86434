"""The two places where the data plane reaches upwards: limits before a call, usage records after it.

Implementations live elsewhere (`limits/`; the journal in `storage/`). Neither may block: both are called
on the way of a request, on the event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from ops_center.limits.demand import Demand, OutputLengths, Reservation
from ops_center.limits.queue import Queue
from ops_center.snapshot import Principal, Snapshot
from ops_center.types import KeptCall, UsageRecord


class Limiter(Protocol):
    @property
    def lengths(self) -> OutputLengths:
        """How long answers were of late, for estimates."""
        ...

    @property
    def queue(self) -> Queue:
        """Where requests wait for a place, when the admin chose so."""
        ...

    def reserve(self, principal: Principal, demand: Demand) -> Reservation | Awaitable[Reservation]:
        """One atomic step over rate, concurrency and budget; to be awaited only where another process is
        asked. Raises RateLimited or BudgetExceeded, LimitsUnavailable where that process is away."""
        ...


class UsageSink(Protocol):
    def record(self, record: UsageRecord) -> None:
        """Make the record survive the death of this process before returning. Never raises."""
        ...


class BodySink(Protocol):
    def __call__(self, kept: KeptCall) -> None:
        """Take what was noted of a call, or give it up; never waits, never raises."""
        ...


class SnapshotSource(Protocol):
    @property
    def current(self) -> Snapshot:
        """The newest whole, validated configuration; a pointer read, no I/O."""
        ...
