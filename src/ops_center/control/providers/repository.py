"""The rows of providers and their credentials. No rules: those are in `service.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.tables import attempts, credentials, models, providers


@dataclass(frozen=True, slots=True)
class CredentialRow:
    id: str
    secret: bytes  # sealed
    preview: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    id: str
    name: str
    type: str
    base_url: str
    options: Mapping[str, str]
    enabled: bool
    priority: int
    auto_fallback: bool
    allow_private_network: bool
    time_limits: Mapping[str, float] | None = None
    test_at: datetime | None = None
    test_since: datetime | None = None
    test_success: bool | None = None
    test_latency_ms: int | None = None
    test_message: str | None = None
    test_error_type: str | None = None
    discovery_status: str = "pending"
    discovery_message: str | None = None
    discovery_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


_COLUMNS = tuple(providers.c)


async def listed(conn: AsyncConnection) -> Sequence[ProviderRow]:
    """The highest priority first, then by name."""
    query = select(*_COLUMNS).order_by(
        providers.c.priority.desc(), func.lower(providers.c.name), providers.c.id
    )
    return [_row(row) for row in await conn.execute(query)]


async def by_id(conn: AsyncConnection, provider_id: str, *, lock: bool = False) -> ProviderRow | None:
    """With `lock`, nobody else changes it before this transaction ends."""
    query = select(*_COLUMNS).where(providers.c.id == provider_id)
    row = (await conn.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else _row(row)


async def names(conn: AsyncConnection, *, but: str | None = None) -> set[str]:
    """The names in use, in lower case; without that of the provider `but`."""
    rows = await conn.execute(select(providers.c.id, providers.c.name))
    return {row.name.lower() for row in rows if row.id != but}


async def pending(conn: AsyncConnection) -> Sequence[str]:
    """The ids of providers whose discovery never came to an end."""
    query = select(providers.c.id).where(providers.c.discovery_status == "pending")
    return (await conn.execute(query)).scalars().all()


async def listed_before(conn: AsyncConnection, at: datetime) -> Sequence[str]:
    """The ids of enabled providers whose list was last asked for before `at`, the oldest first."""
    query = (
        select(providers.c.id)
        .where(providers.c.enabled, providers.c.discovery_at < at)
        .order_by(providers.c.discovery_at, providers.c.id)
    )
    return (await conn.execute(query)).scalars().all()


async def idle_since(conn: AsyncConnection, at: datetime) -> Sequence[ProviderRow]:
    """Enabled providers that have been neither asked nor tested since `at`, the longest untested first."""
    asked = exists().where(attempts.c.provider_id == providers.c.id, attempts.c.started_at > at)
    query = (
        select(*_COLUMNS)
        .where(providers.c.enabled, or_(providers.c.test_at.is_(None), providers.c.test_at < at), ~asked)
        .order_by(providers.c.test_at.is_not(None), providers.c.test_at, providers.c.id)
    )
    return [_row(row) for row in await conn.execute(query)]


async def add(conn: AsyncConnection, row: ProviderRow) -> None:
    await conn.execute(
        insert(providers).values({column.name: getattr(row, column.name) for column in _COLUMNS})
    )


async def change(conn: AsyncConnection, provider_id: str, values: Mapping[str, Any]) -> None:
    if values:
        await conn.execute(update(providers).where(providers.c.id == provider_id).values(**values))


async def remove(conn: AsyncConnection, provider_id: str) -> None:
    """The provider with its credentials and models; usage history stays."""
    for table in (credentials, models):
        await conn.execute(delete(table).where(table.c.provider_id == provider_id))
    await conn.execute(delete(providers).where(providers.c.id == provider_id))


async def credential_of(conn: AsyncConnection, provider_id: str) -> CredentialRow | None:
    """The platform's own key for a provider."""
    query = (
        select(credentials.c.id, credentials.c.secret, credentials.c.preview)
        .where(credentials.c.provider_id == provider_id)
        .order_by(credentials.c.id)
        .limit(1)
    )
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else CredentialRow(row.id, bytes(row.secret), row.preview)


async def previews(conn: AsyncConnection) -> dict[str, str]:
    """The preview of each provider's key, by provider id."""
    query = select(credentials.c.provider_id, credentials.c.preview).where(
        credentials.c.provider_id.is_not(None)
    )
    return {
        row.provider_id: row.preview for row in await conn.execute(query.order_by(credentials.c.id.desc()))
    }


async def put_credential(conn: AsyncConnection, provider_id: str, row: CredentialRow, now: datetime) -> None:
    """Replace whatever key the provider had."""
    await conn.execute(delete(credentials).where(credentials.c.provider_id == provider_id))
    await conn.execute(
        insert(credentials).values(
            id=row.id,
            provider_id=provider_id,
            secret=row.secret,
            preview=row.preview,
            weight=1,
            created_at=now,
            updated_at=now,
        )
    )


async def enabled_models_per_provider(conn: AsyncConnection) -> dict[str, int]:
    query = (
        select(models.c.provider_id, func.count().label("models"))
        .where(models.c.enabled)
        .group_by(models.c.provider_id)
    )
    return {row.provider_id: row.models for row in await conn.execute(query)}


def _row(row: Any) -> ProviderRow:
    return ProviderRow(**row._mapping)
