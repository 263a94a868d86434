"""A clock for tests that only moves when told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock for tests: call it for the instant, `advance` it by seconds."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
