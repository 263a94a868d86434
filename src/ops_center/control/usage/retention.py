"""How long what requests leave behind is kept, and the task that deletes what is older.

Totals are not touched by it: they come from sums by day, which are kept for ever unless an admin says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar

import structlog
from pydantic import Field

from ops_center.control.bodies.keeper import delete_old_bodies
from ops_center.control.settings.repository import read_setting
from ops_center.control.settings.section import Section
from ops_center.errors import Invalid
from ops_center.storage.database import Database
from ops_center.storage.retention import Ages, sweep

if TYPE_CHECKING:
    from ops_center.control.context import Control

_log = structlog.get_logger(__name__)
_EVERY_SECONDS = 60.0

_LONGEST = 36_500
_Days = Annotated[int, Field(strict=True, ge=1, le=_LONGEST)]
# Charts go back 90 days and compare with the 90 before, to the quarter-hour.
_SumDays = Annotated[int, Field(strict=True, ge=190, le=_LONGEST)]


class RetentionSettings(Section):
    """For how many days what is kept; null: for ever. `request_days`: every single request with its attempts;
    `plan_days`: how each was routed; `quarter_days`: sums by quarter-hour; `day_days`: sums by day, from which
    figures of longer ago and of all time come."""

    key: ClassVar[str] = "retention"

    request_days: _Days | None = 400
    plan_days: _Days | None = 90
    quarter_days: _SumDays | None = 800
    day_days: _SumDays | None = None

    async def check(self, control: Control) -> None:
        if self.day_days is not None and self.day_days < (self.quarter_days or _LONGEST):
            raise Invalid(
                "Sums by day must be kept at least as long as sums by quarter-hour",
                param="retention.day_days",
                hint="They are what remains of them.",
            )

    @property
    def ages(self) -> Ages:
        return Ages(self.request_days, self.plan_days, self.quarter_days, self.day_days)


async def keep_retention(database: Database, clock: Callable[[], datetime]) -> None:
    """Run until cancelled; outlives whatever the database does."""
    while True:
        try:
            await delete_what_is_old(database, clock())
        except Exception as error:  # noqa: BLE001 the next look tries again
            _log.warning("old_details_not_deleted", error=type(error).__name__)
        await asyncio.sleep(_EVERY_SECONDS)


async def delete_what_is_old(database: Database, now: datetime) -> None:
    """As the settings say now."""
    async with database.read() as conn:
        settings = await read_setting(conn, RetentionSettings)
    deleted = await sweep(database, settings.ages, now)
    deleted += await delete_old_bodies(database, now, settings.request_days)
    if deleted:
        _log.info("old_details_deleted", rows=deleted)
