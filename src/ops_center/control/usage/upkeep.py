"""What the ledger needs beside traffic: rollups that fit the organisation's calendar, partitions for the next days.

Looks every few seconds, at the start too, and does nothing while all is well.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog

from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import read_setting
from ops_center.storage.database import Database
from ops_center.storage.partitions import prepare_days_ahead
from ops_center.storage.rollups.rebuild import bring_up_to_date, close

_log = structlog.get_logger(__name__)
_EVERY_SECONDS = 10.0


async def keep_up(database: Database) -> None:
    """Run until cancelled; outlives whatever the database does."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)  # first: what a start has to do is done before
        try:
            await follow_calendar(database)
            await close(database, datetime.now(UTC))
            await prepare_days_ahead(database, datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 the next look tries again
            _log.warning("rollups_not_kept_up", error=type(error).__name__)


async def follow_calendar(database: Database) -> None:
    """Build what a former release never had, and the days anew when the organisation has moved to another time zone."""
    async with database.read() as conn:
        organisation = await read_setting(conn, OrganisationSettings)
    await bring_up_to_date(database, organisation.time_zone)
