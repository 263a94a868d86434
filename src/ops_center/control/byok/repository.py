"""The rows of own keys, and the sums of what ran on them. No rules: those are in the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.usage import repository as usage
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.repository import on_own_keys
from ops_center.control.usage.sums import NOTHING, Sums, by_value
from ops_center.control.usage.windows import Window
from ops_center.errors import ProviderAuthError
from ops_center.storage.tables import (
    credentials,
    providers,
    team_members,
    teams,
    usage_records,
    users,
)
from ops_center.types import CredentialSource

MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKeyRow:
    id: str
    user_id: str
    provider_type: str
    secret: bytes  # sealed
    preview: str
    enabled: bool
    check_at: datetime | None = None
    check_success: bool | None = None
    check_latency_ms: int | None = None
    check_message: str | None = None
    check_error_type: str | None = None
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime


_NAMES = OwnKeyRow.__dataclass_fields__
_COLUMNS = tuple(credentials.c[name] for name in _NAMES)
_own = credentials.c.user_id.is_not(None)
_r = usage_records.c
_on_own_key = _r.own_cost_source.is_not(None)  # the condition of the partial index


def _row(row: Any) -> OwnKeyRow:
    return OwnKeyRow(**{**row._mapping, "secret": bytes(row.secret)})


async def of_user(conn: AsyncConnection, user_id: str) -> Sequence[OwnKeyRow]:
    query = select(*_COLUMNS).where(credentials.c.user_id == user_id).order_by(credentials.c.provider_type)
    return [_row(row) for row in await conn.execute(query)]


async def one(
    conn: AsyncConnection, user_id: str, provider_type: str, *, lock: bool = False
) -> OwnKeyRow | None:
    """With `lock`, nobody else changes it before this transaction ends."""
    query = select(*_COLUMNS).where(
        credentials.c.user_id == user_id, credentials.c.provider_type == provider_type
    )
    row = (await conn.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else _row(row)


async def everybodys(conn: AsyncConnection) -> Sequence[OwnKeyRow]:
    query = select(*_COLUMNS).where(_own).order_by(credentials.c.user_id, credentials.c.provider_type)
    return [_row(row) for row in await conn.execute(query)]


async def due(
    conn: AsyncConnection,
    *,
    types: Sequence[str],
    unreached: Sequence[str],
    day_ago: datetime,
    hour_ago: datetime,
    refused_before: datetime,
    limit: int,
) -> Sequence[OwnKeyRow]:
    """Enabled keys of enabled users that are to be proven again, the longest ago first: a day after the last
    check; an hour after one that ended as one of `unreached`; and one checked before `refused_before` when a
    request has failed on it since."""
    checked = credentials.c.check_at
    ran_since = (
        (_r.user_id == credentials.c.user_id)
        & (_r.provider_type == credentials.c.provider_type)
        & (_r.started_at > checked)
    )
    # two questions, so that each has a partial index of its own
    refused = exists().where(ran_since, _on_own_key, _r.error_type == ProviderAuthError.type)
    fell_back = exists().where(
        ran_since, _r.fallback_from.is_not(None), _r.fallback_from == CredentialSource.BYOK.value
    )
    query = (
        select(*_COLUMNS)
        .join(users, users.c.id == credentials.c.user_id)
        .where(
            credentials.c.enabled,
            users.c.disabled_at.is_(None),
            credentials.c.provider_type.in_(types),
            or_(
                checked.is_(None),
                checked < day_ago,
                and_(checked < hour_ago, credentials.c.check_error_type.in_(unreached)),
                and_(
                    checked < refused_before,
                    credentials.c.failing_since.is_(None),
                    or_(refused, fell_back),
                ),
            ),
        )
        .order_by(checked.is_not(None), checked, credentials.c.id)
        .limit(limit)
    )
    return [_row(row) for row in await conn.execute(query)]


async def add(conn: AsyncConnection, row: OwnKeyRow) -> None:
    values = {name: getattr(row, name) for name in _NAMES}
    await conn.execute(insert(credentials).values(**values, weight=1))


async def change(conn: AsyncConnection, credential_id: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(credentials).where(credentials.c.id == credential_id).values(**values))


async def remove(conn: AsyncConnection, credential_id: str) -> None:
    await conn.execute(delete(credentials).where(credentials.c.id == credential_id))


@dataclass(frozen=True, slots=True)
class Instance:
    """Where keys of a type are used: an enabled provider of the platform."""

    type: str
    base_url: str
    options: Mapping[str, str]
    allow_private_network: bool


async def instances(conn: AsyncConnection) -> dict[str, list[Instance]]:
    """Enabled providers by type, the highest priority first."""
    query = (
        select(providers.c.type, providers.c.base_url, providers.c.options, providers.c.allow_private_network)
        .where(providers.c.enabled)
        .order_by(providers.c.priority.desc(), providers.c.id)
    )
    found: dict[str, list[Instance]] = {}
    for row in await conn.execute(query):
        found.setdefault(row.type, []).append(
            Instance(row.type, row.base_url, row.options, row.allow_private_network)
        )
    return found


@dataclass(frozen=True, slots=True)
class Wishes:
    """What decides over a user's own keys below the settings: the policies of team and user, and a switch."""

    policies: tuple[str | None, str | None]
    fallback: bool


async def wishes_of(conn: AsyncConnection, user_id: str) -> Wishes:
    row = (
        await conn.execute(
            select(users.c.byok_policy, users.c.byok_fallback, teams.c.byok_policy.label("team_policy"))
            .select_from(
                users.outerjoin(team_members, team_members.c.user_id == users.c.id).outerjoin(
                    teams, teams.c.id == team_members.c.team_id
                )
            )
            .where(users.c.id == user_id)
        )
    ).one()
    return Wishes((row.team_policy, row.byok_policy), row.byok_fallback)


async def set_fallback(conn: AsyncConnection, user_id: str, fallback: bool, now: datetime) -> None:
    await conn.execute(
        update(users).where(users.c.id == user_id).values(byok_fallback=fallback, updated_at=now)
    )


# ── the ledger of own keys ────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OwnSums:
    """What ran on own keys, of one user (and type): in the last 30 days, and ever."""

    recent: Sums = field(default_factory=Sums)
    ever: Sums = field(default_factory=Sums)

    def __add__(self, other: OwnSums) -> OwnSums:
        return OwnSums(self.recent + other.recent, self.ever + other.ever)


async def _own_sums(
    conn: AsyncConnection, now: datetime, user_id: str | None = None
) -> dict[tuple[str, str | None], OwnSums]:
    recent = await on_own_keys(conn, Window.last(MONTH, now), user_id)
    ever = await on_own_keys(conn, Window.last(None, now), user_id)
    return {key: OwnSums(recent.get(key, NOTHING), sums) for key, sums in ever.items()}


async def sums_by_user(conn: AsyncConnection, now: datetime) -> dict[str, OwnSums]:
    found: dict[str, OwnSums] = {}
    for (user_id, _), sums in (await _own_sums(conn, now)).items():
        found[user_id] = found.get(user_id, OwnSums()) + sums
    return found


async def sums_by_type(conn: AsyncConnection, user_id: str, now: datetime) -> dict[str, OwnSums]:
    """One user's, by provider type."""
    found = await _own_sums(conn, now, user_id)
    return {provider_type: sums for (_, provider_type), sums in found.items() if provider_type}


async def fallbacks_by_user(conn: AsyncConnection, now: datetime) -> dict[str, Sums]:
    """Of the last 30 days, what an own key failed and the platform's served."""
    figures = ["fallback_calls", "fallback_cost_usd", "estimated_fallback_cost_usd"]
    found = by_value(await usage.sums(conn, Window.last(MONTH, now), by=Dimension.USER, figures=figures))
    return {user_id: sums for user_id, sums in found.items() if user_id and sums.fallback_calls}


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    email: str
    name: str
    disabled: bool


async def people(conn: AsyncConnection, user_ids: Sequence[str]) -> dict[str, Person]:
    found: dict[str, Person] = {}
    for start in range(0, len(user_ids), 500):
        query = select(users.c.id, users.c.email, users.c.name, users.c.disabled_at).where(
            users.c.id.in_(user_ids[start : start + 500])
        )
        for row in await conn.execute(query):
            found[row.id] = Person(row.id, row.email, row.name, row.disabled_at is not None)
    return found
