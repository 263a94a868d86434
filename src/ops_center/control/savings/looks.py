"""What looks at single requests found, kept for a while where it took long to find."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from ops_center.control.savings.repository import Duplicates, Looked, Opening, OpeningsLooked
from ops_center.control.usage.windows import Window

_KEPT = timedelta(minutes=10)

Found = TypeVar("Found")


class Look(Generic[Found]):
    """The same look again and again. One that took longer than `long_seconds` serves for ten minutes, with the window
    that it looked at; a quick one is always made anew."""

    def __init__(self, long_seconds: float = 0.1) -> None:
        self.long_seconds = long_seconds
        self._kept: tuple[datetime, Found, Window] | None = None

    async def at(
        self, window: Window, now: datetime, look: Callable[[Window], Awaitable[Found]]
    ) -> tuple[Found, Window]:
        """What it found, and in which window."""
        if self._kept is not None and self._kept[0] <= now < self._kept[0] + _KEPT:
            return self._kept[1], self._kept[2]
        started = time.perf_counter()
        found = await look(window)
        took = time.perf_counter() - started
        self._kept = (now, found, window) if took > self.long_seconds else None
        return found, window


@dataclass(frozen=True, slots=True)
class Looks:
    """Those of `/llm/savings`."""

    openings: Look[tuple[list[Opening], OpeningsLooked]]
    duplicates: Look[tuple[list[Duplicates], Looked]]

    @classmethod
    def new(cls) -> Looks:
        return cls(Look(), Look())
