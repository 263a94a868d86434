"""Own keys proven again: each once a day, and soon when the provider has refused it or could not be asked.

Runs beside the requests for as long as the server does. It marks keys and takes none away: a key that is
refused stays in use until its owner, who sees the mark, replaces it or switches it off.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from ops_center.control.byok import own_keys, repository
from ops_center.control.context import Control

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 600.0
_DAY = timedelta(days=1)
_AGAIN = timedelta(hours=1)  # after a check that reached nobody
_REFUSED = timedelta(minutes=10)  # at the soonest, after a request on the key was refused
_AT_ONCE, _AT_A_TIME = 200, 4


async def keep_proven(control: Control) -> None:
    """Look for keys that are due, until cancelled; outlives whatever the database does."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            await check_due(control)
        except Exception as error:  # noqa: BLE001 - the next look may find the database well again
            _log.warning("own_keys_not_checked", error=type(error).__name__)


async def check_due(control: Control) -> int:
    """Prove every key that is due, a few at a time; how many were. One that fails to be checked, whatever
    the reason, keeps no other from its turn."""
    await control.drain_journal()
    now = control.clock()
    async with control.database.read() as conn:
        rows = await repository.due(
            conn,
            types=own_keys.provable_types(await repository.instances(conn)),
            unreached=sorted(own_keys.UNPROVEN),
            day_ago=now - _DAY,
            hour_ago=now - _AGAIN,
            refused_before=now - _REFUSED,
            limit=_AT_ONCE,
        )
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def check(row: repository.OwnKeyRow) -> None:
        async with gate:
            try:
                result = await own_keys.check_saved(control, row, tell_owner=True)
            except Exception as error:  # noqa: BLE001 - one key's trouble is not the others'
                _log.warning(
                    "own_key_not_checked",
                    user=row.user_id,
                    type=row.provider_type,
                    error=type(error).__name__,
                )
            else:
                if not result.success:
                    _log.info(
                        "own_key_check_failed",
                        user=row.user_id,
                        type=row.provider_type,
                        error=result.error_type,
                    )

    await asyncio.gather(*(check(row) for row in rows))
    return len(rows)
