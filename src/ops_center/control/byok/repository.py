"""The rows of own keys, and the sums of what ran on them. No rules: those are in the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, insert, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.errors import ProviderAuthError
from ops_center.storage.tables import (
    Instant,
    Money,
    credentials,
    providers,
    team_members,
    teams,
    usage_records,
    users,
)
from ops_center.types import CredentialSource


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
    """What ran on own keys, of one user (and type). Sums of what is known; the rest is counted."""

    calls: int = 0
    recent_calls: int = 0
    recent_own_cost_usd: Decimal = Decimal(0)
    own_cost_usd: Decimal = Decimal(0)
    recent_saved_usd: Decimal = Decimal(0)
    saved_usd: Decimal = Decimal(0)
    recent_unknown_cost_calls: int = 0
    recent_unknown_saving_calls: int = 0
    last_used_at: datetime | None = None


def _sums_since(since: datetime) -> tuple[ColumnElement[Any], ...]:
    recent = _r.started_at > since

    def money(amount: ColumnElement[Any], *, only_recent: bool = False) -> ColumnElement[Any]:
        return func.sum(case((recent, amount), else_=null()) if only_recent else amount, type_=Money)

    def count(*conditions: ColumnElement[bool]) -> ColumnElement[Any]:
        met = conditions[0]
        for condition in conditions[1:]:
            met = met & condition
        return func.coalesce(func.sum(case((met, 1), else_=0)), 0)

    return (
        func.count().label("calls"),
        count(recent).label("recent_calls"),
        money(_r.own_cost_usd, only_recent=True).label("recent_own_cost_usd"),
        money(_r.own_cost_usd).label("own_cost_usd"),
        money(_r.saved_usd, only_recent=True).label("recent_saved_usd"),
        money(_r.saved_usd).label("saved_usd"),
        count(recent, _r.own_cost_usd.is_(None)).label("recent_unknown_cost_calls"),
        count(recent, _r.saved_usd.is_(None)).label("recent_unknown_saving_calls"),
        func.max(_r.started_at, type_=Instant).label("last_used_at"),
    )


def _own_sums(row: Any) -> OwnSums:
    nothing = Decimal(0)
    return OwnSums(
        calls=int(row.calls),
        recent_calls=int(row.recent_calls),
        recent_own_cost_usd=row.recent_own_cost_usd or nothing,
        own_cost_usd=row.own_cost_usd or nothing,
        recent_saved_usd=row.recent_saved_usd or nothing,
        saved_usd=row.saved_usd or nothing,
        recent_unknown_cost_calls=int(row.recent_unknown_cost_calls),
        recent_unknown_saving_calls=int(row.recent_unknown_saving_calls),
        last_used_at=row.last_used_at,
    )


async def sums_by_user(conn: AsyncConnection, since: datetime) -> dict[str, OwnSums]:
    """By user id, over all time; "recent" is what started after `since`."""
    query = select(_r.user_id, *_sums_since(since)).where(_on_own_key).group_by(_r.user_id)
    return {row.user_id: _own_sums(row) for row in await conn.execute(query)}


async def sums_by_type(conn: AsyncConnection, user_id: str, since: datetime) -> dict[str, OwnSums]:
    """One user's, by provider type."""
    query = (
        select(_r.provider_type, *_sums_since(since))
        .where(_on_own_key, _r.user_id == user_id)
        .group_by(_r.provider_type)
    )
    return {row.provider_type: _own_sums(row) for row in await conn.execute(query) if row.provider_type}


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """Requests that an own key failed and the platform's served, and what that cost the platform."""

    calls: int = 0
    cost_usd: Decimal = Decimal(0)


async def fallbacks_by_user(conn: AsyncConnection, since: datetime) -> dict[str, Fallbacks]:
    query = (
        select(_r.user_id, func.count().label("calls"), func.sum(_r.cost_usd, type_=Money).label("cost"))
        .where(
            _r.fallback_from.is_not(None),
            _r.fallback_from == CredentialSource.BYOK.value,
            _r.started_at > since,
        )
        .group_by(_r.user_id)
    )
    return {
        row.user_id: Fallbacks(int(row.calls), row.cost or Decimal(0)) for row in await conn.execute(query)
    }


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
