"""The rows of models with their provider. What is believed about a model is decided in `catalog/facts.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.publish import FactsKey, decoded
from ops_center.storage.tables import models, providers

_CHUNK = 500  # ids in one statement


@dataclass(frozen=True, slots=True)
class ModelRow:
    id: str
    provider_id: str
    provider_name: str
    provider_type: str
    provider_enabled: bool
    name: str
    enabled: bool
    origin: str
    discovered: str | None
    override_text: str | None

    @property
    def override(self) -> dict[str, Any] | None:
        return decoded(self.override_text)

    @property
    def facts_key(self) -> FactsKey:
        return self.provider_type, self.name, self.discovered, self.override_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to leave out; None leaves nothing out."""

    search: str | None = None
    provider_id: str | None = None
    enabled: bool | None = None
    ids: Sequence[str] | None = None
    names: Sequence[str] | None = None


async def listed(
    conn: AsyncConnection, filters: Filters, limit: int | None, offset: int = 0
) -> Sequence[ModelRow]:
    """By name, then by the provider's priority."""
    query = (
        _query()
        .where(*_conditions(filters))
        .order_by(func.lower(models.c.name), providers.c.priority.desc(), models.c.id)
        .limit(limit)
        .offset(offset)
    )
    return [_row(row) for row in await conn.execute(query)]


async def count(conn: AsyncConnection, filters: Filters) -> int:
    joined = models.join(providers, models.c.provider_id == providers.c.id)
    query = select(func.count()).select_from(joined).where(*_conditions(filters))
    return int((await conn.execute(query)).scalar_one())


async def by_id(conn: AsyncConnection, model_id: str, *, lock: bool = False) -> ModelRow | None:
    """With `lock`, nobody else changes it before this transaction ends."""
    query = _query().where(models.c.id == model_id)
    row = (await conn.execute(query.with_for_update(of=models) if lock else query)).one_or_none()
    return None if row is None else _row(row)


async def add(
    conn: AsyncConnection,
    model_id: str,
    provider_id: str,
    name: str,
    override: dict[str, Any] | None,
    at: datetime,
) -> None:
    """A model entered by hand. Raises IntegrityError when the provider has one of this name."""
    await conn.execute(
        insert(models).values(
            id=model_id,
            provider_id=provider_id,
            name=name,
            enabled=True,
            origin="manual",
            discovered=None,
            override=override,
            first_seen_at=at,
            last_seen_at=at,
        )
    )


async def change(conn: AsyncConnection, model_id: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(models).where(models.c.id == model_id).values(**values))


async def switch(conn: AsyncConnection, ids: Sequence[str], enabled: bool) -> None:
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        await conn.execute(update(models).where(models.c.id.in_(chunk)).values(enabled=enabled))


async def remove(conn: AsyncConnection, model_id: str) -> None:
    await conn.execute(delete(models).where(models.c.id == model_id))


def _query() -> Select[*tuple[Any, ...]]:
    return select(
        models.c.id,
        models.c.provider_id,
        providers.c.name.label("provider_name"),
        providers.c.type.label("provider_type"),
        providers.c.enabled.label("provider_enabled"),
        models.c.name,
        models.c.enabled,
        models.c.origin,
        # as text: most of what they say was worked out for the snapshot already
        cast(models.c.discovered, Text).label("discovered"),
        cast(models.c.override, Text).label("override_text"),
    ).join(providers, models.c.provider_id == providers.c.id)


def _row(row: Any) -> ModelRow:
    return ModelRow(**row._mapping)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.provider_id is not None:
        conditions.append(models.c.provider_id == filters.provider_id)
    if filters.ids is not None:
        conditions.append(models.c.id.in_(filters.ids))
    if filters.names is not None:
        conditions.append(models.c.name.in_(filters.names))
    if filters.enabled is not None:
        conditions.append(models.c.enabled.is_(filters.enabled))
    for word in (filters.search or "").lower().split():
        conditions.append(
            or_(
                func.lower(models.c.name).contains(word, autoescape=True),
                func.lower(providers.c.name).contains(word, autoescape=True),
            )
        )
    return conditions
