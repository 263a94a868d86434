"""Asks a provider for its own list of models and brings ours in line with it.

Runs in the background after a provider was added or changed, and on demand. Models entered by hand stay;
so do the admin's overrides, even when the list no longer names the model.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.catalog.discovered import DiscoveredModel
from ops_center.control.context import Control
from ops_center.control.providers import repository
from ops_center.control.providers.proof import Address, Failure, fetch_models
from ops_center.control.providers.repository import ProviderRow
from ops_center.control.providers.schemas import Discovery
from ops_center.control.routing_versions.service import keep
from ops_center.providers.registry import provider_spec
from ops_center.storage.secrets import SecretError
from ops_center.storage.tables import models
from ops_center.types import new_id

_log = structlog.get_logger(__name__)
_CHUNK = 500
_DAY = timedelta(days=1)
_LOOK_SECONDS = 900.0

NO_MODELS = "The provider lists no models; enter them by hand"


def start_discovery(control: Control, provider_id: str) -> None:
    """Discover in the background; the result is in the provider's row and in the snapshot soon after."""
    control.background.start(discover(control, provider_id), name="model_discovery")


async def resume_pending(control: Control) -> None:
    """Start again what the end of the last process cut short. Called once at the start."""
    async with control.database.read() as conn:
        ids = await repository.pending(conn)
    for provider_id in ids:
        start_discovery(control, provider_id)


async def keep_current(control: Control) -> None:
    """Look at every enabled provider's list once a day, until cancelled; one after the other, unhurried."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            await refresh_stale(control)
        except Exception as error:  # noqa: BLE001 - the next look may find the database well again
            _log.warning("models_not_refreshed", error=type(error).__name__)


async def refresh_stale(control: Control) -> int:
    """Ask those whose list is a day old; how many were asked."""
    async with control.database.read() as conn:
        ids = await repository.listed_before(conn, control.clock() - _DAY)
    for provider_id in ids:
        await discover(control, provider_id)
    return len(ids)


async def discover(control: Control, provider_id: str) -> Discovery | None:
    """Look at the provider's list now, store what it says and publish; None when the provider is gone.

    A failure is a result, with the same words as the test's.
    """
    async with control.database.read() as conn:
        row = await repository.by_id(conn, provider_id)
    if row is None:
        return None
    address = await address_of(control, row)
    now = control.clock()
    found: Sequence[DiscoveredModel] | Failure
    if isinstance(address, Failure):
        found = address
    else:
        found = await fetch_models(control.http, address, now)
    at = control.clock()
    async with control.database.write() as conn:
        current = await repository.by_id(conn, provider_id, lock=True)
        if current is None:
            return None
        if (current.base_url, current.options) != (row.base_url, row.options):
            return _discovery(current)  # asked elsewhere meanwhile; that answer will be stored
        if isinstance(found, Failure):
            changes: dict[str, Any] = {
                "discovery_status": "failed",
                "discovery_message": f"{found.message}. {found.hint}",
            }
        elif not found:
            changes = {"discovery_status": "failed", "discovery_message": NO_MODELS}
        else:
            await _store(conn, provider_id, found, at)
            changes = {"discovery_status": "ok", "discovery_message": None}
        changes["discovery_at"] = at
        await repository.change(conn, provider_id, changes)
        await keep(conn, None, "discovery", at=at)
    _log.info(
        "models_discovered",
        provider=row.name,
        status=changes["discovery_status"],
        models=None if isinstance(found, Failure) else len(found),
        error_type=found.error_type if isinstance(found, Failure) else None,
    )
    await control.publisher.publish()
    return _discovery(dataclasses.replace(current, **changes))


async def address_of(control: Control, row: ProviderRow) -> Address | Failure:
    """Whom a saved provider's calls go to, with its key opened."""
    async with control.database.read() as conn:
        credential = await repository.credential_of(conn, row.id)
    try:
        key = (
            ""
            if credential is None
            else control.secrets.open(credential.secret, f"credential:{credential.id}")
        )
    except SecretError:
        _log.error("credential_cannot_be_opened", provider=row.name)
        return Failure(
            "invalid_api_key", "Invalid API key", "The stored key cannot be opened any more: enter it again."
        )
    return Address(
        spec=provider_spec(row.type),
        base_url=row.base_url,
        options=row.options,
        api_key=key,
        allow_private_network=row.allow_private_network,
    )


def _discovery(row: ProviderRow) -> Discovery:
    return Discovery(status=row.discovery_status, message=row.discovery_message, at=row.discovery_at)  # type: ignore[arg-type]


async def _store(
    conn: AsyncConnection, provider_id: str, found: Sequence[DiscoveredModel], at: datetime
) -> None:
    query = select(models.c.id, models.c.name, models.c.origin, models.c.discovered, models.c.override)
    known = {row.name: row for row in await conn.execute(query.where(models.c.provider_id == provider_id))}
    listed = {model.name for model in found}
    fresh = [
        {
            "id": new_id("mdl"),
            "provider_id": provider_id,
            "name": model.name,
            "enabled": True,
            "origin": "discovered",
            "discovered": model.facts,
            "override": None,
            "first_seen_at": at,
            "last_seen_at": at,
        }
        for model in found
        if model.name not in known
    ]
    changed = [
        {"row": known[model.name].id, "facts": model.facts}
        for model in found
        if model.name in known and known[model.name].discovered != model.facts
    ]
    gone = [
        row.id
        for row in known.values()
        if row.name not in listed and row.origin == "discovered" and row.override is None
    ]
    for chunk in _chunks(fresh):
        await conn.execute(insert(models), chunk)
    if changed:
        rewrite = update(models).where(models.c.id == bindparam("row")).values(discovered=bindparam("facts"))
        await conn.execute(rewrite, changed)
    for ids in _chunks(gone):
        await conn.execute(delete(models).where(models.c.id.in_(ids)))
    for ids in _chunks([known[name].id for name in listed & known.keys()]):
        await conn.execute(update(models).where(models.c.id.in_(ids)).values(last_seen_at=at))


def _chunks(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
