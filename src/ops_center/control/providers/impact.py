"""Says what deleting a provider would break: who used it, and which models would be left without anybody.

Reads only; the deletion itself is in `service.py`.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.catalog.names import canonical_name
from ops_center.control.context import Control
from ops_center.control.providers import repository
from ops_center.control.providers.schemas import Impact, ServedElsewhere, UsedBy
from ops_center.control.usage.repository import Reach, reach_of_provider
from ops_center.control.usage.windows import Window
from ops_center.errors import NotFound
from ops_center.storage.tables import models, providers

_SHOWN = 50


async def impact_of(control: Control, provider_id: str) -> Impact:
    """Raises NotFound. A model counts as served elsewhere when another enabled provider has it enabled,
    under the same canonical name."""
    await control.drain_journal()
    now = control.clock()
    async with control.database.read() as conn:
        provider = await repository.by_id(conn, provider_id)
        if provider is None:
            raise NotFound("There is no provider with this id")
        day = await reach_of_provider(conn, provider_id, Window.last(timedelta(days=1), now))
        month = await reach_of_provider(conn, provider_id, Window.last(timedelta(days=30), now))
        own, others = await _served(conn, provider_id)
    lost = [name for name in own if canonical_name(name) not in others]
    kept = [
        ServedElsewhere(model=name, providers=others[canonical_name(name)])
        for name in own
        if canonical_name(name) in others
    ]
    return Impact(
        provider_id=provider_id,
        name=provider.name,
        in_use=day.requests > 0,
        last_24h=_used_by(day),
        last_30d=_used_by(month),
        models_without_provider=lost[:_SHOWN],
        models_without_provider_total=len(lost),
        models_served_elsewhere=kept[:_SHOWN],
        models_served_elsewhere_total=len(kept),
    )


async def _served(conn: AsyncConnection, provider_id: str) -> tuple[list[str], dict[str, list[str]]]:
    """The provider's own enabled models, and who else serves what, by canonical name."""
    query = (
        select(models.c.name, models.c.provider_id, providers.c.name.label("provider_name"))
        .join(providers, models.c.provider_id == providers.c.id)
        .where(models.c.enabled, providers.c.enabled | (providers.c.id == provider_id))
        .order_by(providers.c.priority.desc(), providers.c.name, models.c.name)
    )
    own: list[str] = []
    others: dict[str, list[str]] = {}
    for row in await conn.execute(query):
        if row.provider_id == provider_id:
            own.append(row.name)
            continue
        serving = others.setdefault(canonical_name(row.name), [])
        if row.provider_name not in serving:
            serving.append(row.provider_name)
    return own, others


def _used_by(reach: Reach) -> UsedBy:
    return UsedBy(requests=reach.requests, api_keys=reach.api_keys, users=reach.users)
