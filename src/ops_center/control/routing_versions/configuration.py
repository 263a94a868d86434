"""The configuration of routing as one value: read from the rows it is scattered over, and put back into them.

It holds what decides where a request goes and nothing secret: no key, no address. A provider's models stand
in it only where they differ from what discovery alone would make of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import Text, cast, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.aliases import repository as aliases
from ops_center.control.fields import ResponseModel
from ops_center.control.models import repository as models_repository
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.providers import repository as providers_repository
from ops_center.control.settings import repository as settings
from ops_center.storage.database import Database
from ops_center.storage.tables import models, providers, routing_versions
from ops_center.types import new_id

_CHUNK = 500  # names in one statement


class ProviderState(ResponseModel):
    """A provider as routing sees it. `overrides`: an admin's word on a model's price, score or window."""

    name: str
    type: str
    enabled: bool
    priority: int
    auto_fallback: bool
    disabled_models: list[str] = Field(default_factory=list)
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)
    manual_models: list[str] = Field(default_factory=list)


class Configuration(ResponseModel):
    """Everything that decides where a request goes, but for the request and the targets' health.

    `rules`: strategy, weights and the like, as they were set. `aliases`: those that an admin made or
    changed. `providers`: by id.
    """

    rules: dict[str, Any] = Field(default_factory=dict)
    power_levels: PowerLevelSettings = Field(default_factory=PowerLevelSettings)
    aliases: dict[str, list[str]] = Field(default_factory=dict)
    providers: dict[str, ProviderState] = Field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """All of it but the rules, which have a column of their own; without what is default."""
        return self.model_dump(mode="json", exclude={"rules"}, exclude_defaults=True)

    @classmethod
    def restored(cls, rules: Mapping[str, Any], stored: Mapping[str, Any] | None) -> Configuration:
        """From the two columns of a version; fields that this release does not know are left aside."""
        known = dict(stored or {})
        levels = known.get("power_levels") or {}
        known["power_levels"] = {n: v for n, v in levels.items() if n in PowerLevelSettings.model_fields}
        return cls.model_validate(known | {"rules": dict(rules)})


async def read(conn: AsyncConnection) -> Configuration:
    """As it is now, seen from inside this transaction."""
    newest = select(routing_versions.c.rules).order_by(routing_versions.c.version.desc()).limit(1)
    rows = await conn.execute(
        select(
            providers.c.id,
            providers.c.name,
            providers.c.type,
            providers.c.enabled,
            providers.c.priority,
            providers.c.auto_fallback,
        ).order_by(providers.c.id)
    )
    states = {
        row.id: ProviderState(**{name: value for name, value in row._mapping.items() if name != "id"})
        for row in rows
    }
    special = (
        select(models.c.provider_id, models.c.name, models.c.enabled, models.c.origin, models.c.override)
        .where(
            or_(
                models.c.enabled.is_(False),
                models.c.origin == "manual",
                cast(models.c.override, Text) != "null",
            )
        )
        .order_by(models.c.provider_id, models.c.name)
    )
    for row in await conn.execute(special):
        state = states.get(row.provider_id)
        if state is None:
            continue
        if not row.enabled:
            state.disabled_models.append(row.name)
        if row.override is not None:
            state.overrides[row.name] = dict(row.override)
        if row.origin == "manual":
            state.manual_models.append(row.name)
    return Configuration(
        rules=dict((await conn.execute(newest)).scalar_one_or_none() or {}),
        power_levels=await settings.read_setting(conn, PowerLevelSettings),
        aliases={name: list(names) for name, names in (await aliases.listed(conn)).items()},
        providers=states,
    )


async def write(
    database: Database,
    conn: AsyncConnection,
    live: Configuration,
    wanted: Configuration,
    at: datetime,
    by: str,
) -> None:
    """Change the rows from `live` to `wanted`, which holds the same providers. The rules are not among them:
    they change with the version that is written next."""
    if wanted.power_levels != live.power_levels:
        await settings.write_setting(database, conn, wanted.power_levels, at, by=by)
    for name in live.aliases.keys() - wanted.aliases.keys():
        await aliases.remove(conn, name)
    for name, candidates in wanted.aliases.items():
        if candidates != live.aliases.get(name):
            await aliases.put(conn, name, candidates, at)
    for provider_id, state in wanted.providers.items():
        before = live.providers[provider_id]
        changed = {
            name: getattr(state, name)
            for name in ("name", "enabled", "priority", "auto_fallback")
            if getattr(state, name) != getattr(before, name)
        }
        if changed:
            await providers_repository.change(conn, provider_id, {**changed, "updated_at": at})
        await _write_models(conn, provider_id, before, state, at)


async def _write_models(
    conn: AsyncConnection, provider_id: str, before: ProviderState, wanted: ProviderState, at: datetime
) -> None:
    gone = [name for name in before.manual_models if name not in set(wanted.manual_models)]
    for names in _chunks(gone):
        await conn.execute(
            delete(models).where(models.c.provider_id == provider_id, models.c.name.in_(names))
        )
    existing = set(
        (await conn.execute(select(models.c.name).where(models.c.provider_id == provider_id))).scalars()
    )
    for name in wanted.manual_models:
        if name not in existing:
            await models_repository.add(
                conn, new_id("mdl"), provider_id, name, wanted.overrides.get(name), at
            )
    disabled, disabled_before = set(wanted.disabled_models), set(before.disabled_models)
    for switched, enabled in ((disabled - disabled_before, False), (disabled_before - disabled, True)):
        for some in _chunks(sorted(switched)):
            await conn.execute(
                update(models)
                .where(models.c.provider_id == provider_id, models.c.name.in_(some))
                .values(enabled=enabled)
            )
    for name in sorted(wanted.overrides.keys() | before.overrides.keys()):
        override = wanted.overrides.get(name)
        if override != before.overrides.get(name):
            await conn.execute(
                update(models)
                .where(models.c.provider_id == provider_id, models.c.name == name)
                .values(override=override)
            )


def _chunks(names: list[str]) -> list[list[str]]:
    return [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
