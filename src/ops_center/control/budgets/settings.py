"""The section of the settings about limits: whether requests over one wait for a place."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ops_center.control.settings.section import Section
from ops_center.snapshot import Queueing


class LimitSettings(Section):
    """`queue`: whether what is over a limit per minute or at once waits for a place instead of being refused.
    For `queue_seconds` at most, with up to `queue_per_key` requests of one API key and `queue_in_all` of all
    (in each process) at once; more are refused."""

    key: ClassVar[str] = "limits"

    queue: Annotated[bool, Field(strict=True)] = False
    queue_seconds: Annotated[int, Field(strict=True, ge=1, le=600)] = 30
    queue_per_key: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 100
    queue_in_all: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 1000

    @property
    def queueing(self) -> Queueing | None:
        """As the data plane reads it."""
        if not self.queue:
            return None
        return Queueing(seconds=self.queue_seconds, per_key=self.queue_per_key, in_all=self.queue_in_all)
