"""Asks providers that no request has asked lately whether they are well, at no cost: the same proof as Test.

Runs beside the requests. What traffic shows comes first, so a provider in use is never probed; the result
stands on the card as its last test, and changes no circuit.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from ops_center.control.context import Control
from ops_center.control.providers import repository
from ops_center.control.providers.service import prove_saved
from ops_center.providers.registry import provider_spec

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 60.0
IDLE = timedelta(minutes=5)
_AT_A_TIME = 4


async def keep_probing(control: Control) -> None:
    """Look for idle providers, until cancelled; outlives whatever the database does."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            await probe_idle(control)
        except Exception as error:  # noqa: BLE001 - the next look may find the database well again
            _log.warning("idle_providers_not_probed", error=type(error).__name__)


async def probe_idle(control: Control) -> int:
    """Prove every enabled provider that was neither asked nor tested for five minutes; how many were.

    Not those whose proof is a request that somebody pays for."""
    await control.drain_journal()
    async with control.database.read() as conn:
        idle = await repository.idle_since(conn, control.clock() - IDLE)
    rows = [row for row in idle if provider_spec(row.type).extra is None]
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def probe(row: repository.ProviderRow) -> None:
        async with gate:
            try:
                result = await prove_saved(control, row)
            except Exception as error:  # noqa: BLE001 - one provider's trouble is not the others'
                _log.warning("provider_not_probed", provider=row.name, error=type(error).__name__)
                return
        if not result.success:
            _log.info("idle_provider_not_well", provider=row.name, error_type=result.error_type)

    await asyncio.gather(*(probe(row) for row in rows))
    return len(rows)
