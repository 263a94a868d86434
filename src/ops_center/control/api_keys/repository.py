"""The rows of API keys, each with what it was used for. No rules: those are in `service.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import read_setting
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.repository import last_at, sums
from ops_center.control.usage.sums import BASIC, NOTHING, Sums, by_value
from ops_center.control.usage.windows import Window
from ops_center.limits.periods import bounds
from ops_center.storage.tables import api_keys, budgets, providers, team_members, teams, users
from ops_center.types import BudgetPeriod, BudgetScope

_owners_teams = teams.alias()
_STATISTICS_WINDOW = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    id: str
    user_id: str
    user_email: str
    name: str
    preview: str
    scope: str
    expires_at: datetime | None
    created_at: datetime
    revoked_at: datetime | None
    models: list[str] | None = None
    power_level: str | None = None
    byok_policy: str | None = None
    providers: list[str] | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    budget_usd: Decimal | None = None  # the hard monthly one, a row of `budgets`
    ip_ranges: list[str] | None = None
    tags: list[str] = field(default_factory=list)
    team_id: str | None = None  # a service key's
    team_name: str | None = None
    policies_above: tuple[str | None, ...] = ()  # over own keys: of its team, or of its owner's and its owner
    previous_secret_ends_at: datetime | None = None
    last_used_at: datetime | None = None
    requests_30d: int = 0
    cost_30d_usd: Decimal | None = Decimal(0)
    estimated_share_30d: float = 0.0  # of that
    unknown_cost_requests_30d: int = 0
    cost_month_usd: Decimal = Decimal(0)  # of the calendar month, as its budget counts
    estimated_share_month: float = 0.0  # of that


async def listed(
    conn: AsyncConnection, now: datetime, *, user_id: str | None = None, team_id: str | None = None
) -> Sequence[ApiKeyRow]:
    """Newest first; only the own ones of `user_id`, or the service keys of `team_id`, when given."""
    query = _query().order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
    if user_id is not None:
        query = query.where(api_keys.c.user_id == user_id, api_keys.c.team_id.is_(None))
    if team_id is not None:
        query = query.where(api_keys.c.team_id == team_id)
    used = await _used(conn, now)
    return [_row(row, used) for row in await conn.execute(query)]


async def by_id(conn: AsyncConnection, key_id: str, now: datetime, *, lock: bool = False) -> ApiKeyRow | None:
    """With `lock`, nobody else changes it before this transaction ends."""
    query = _query().where(api_keys.c.id == key_id)
    row = (await conn.execute(query.with_for_update(of=api_keys) if lock else query)).one_or_none()
    return None if row is None else _row(row, await _used(conn, now))


async def add(conn: AsyncConnection, key: ApiKeyRow, secret_hash: bytes) -> None:
    await conn.execute(
        insert(api_keys).values(
            id=key.id,
            user_id=key.user_id,
            secret_hash=secret_hash,
            preview=key.preview,
            scope=key.scope,
            created_at=key.created_at,
            team_id=key.team_id,
            **_changeable(key),
        )
    )


async def change(conn: AsyncConnection, key: ApiKeyRow) -> None:
    await conn.execute(update(api_keys).where(api_keys.c.id == key.id).values(**_changeable(key)))


def _changeable(key: ApiKeyRow) -> dict[str, Any]:
    """All that may change later without a new secret, but for the budget, which has a row of its own."""
    return {
        "name": key.name,
        "models": key.models,
        "power_level": key.power_level,
        "byok_policy": key.byok_policy,
        "providers": key.providers,
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "concurrent_requests": key.concurrent_requests,
        "ip_ranges": key.ip_ranges,
        "tags": key.tags,
        "expires_at": key.expires_at,
    }


async def replace_secret(
    conn: AsyncConnection, key_id: str, secret_hash: bytes, preview: str, old_ends_at: datetime | None
) -> None:
    """A new secret; the one before works until `old_ends_at`, if at all. One before that ends now."""
    await conn.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id)
        .values(
            previous_secret_hash=api_keys.c.secret_hash if old_ends_at is not None else None,
            previous_secret_ends_at=old_ends_at,
            secret_hash=secret_hash,
            preview=preview,
        )
    )


async def revoke(conn: AsyncConnection, key_id: str, now: datetime) -> None:
    await conn.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=now))


async def _month_start(conn: AsyncConnection, now: datetime) -> datetime:
    zone = (await read_setting(conn, OrganisationSettings)).time_zone
    return bounds(BudgetPeriod.MONTH, now, zone)[0]


@dataclass(frozen=True, slots=True)
class _Used:
    """What keys were used for, by their id."""

    last_at: Mapping[str, datetime]
    recent: Mapping[str | None, Sums]
    this_month: Mapping[str | None, Sums]


async def _used(conn: AsyncConnection, now: datetime) -> _Used:
    recent = Window.last(_STATISTICS_WINDOW, now)
    this_month = Window.since(await _month_start(conn, now), now)
    return _Used(
        await last_at(conn, Dimension.API_KEY),
        by_value(await sums(conn, recent, by=Dimension.API_KEY, figures=BASIC)),
        by_value(await sums(conn, this_month, by=Dimension.API_KEY, figures=BASIC)),
    )


def _query() -> Select[*tuple[Any, ...]]:
    return select(
        api_keys,
        users.c.email.label("user_email"),
        users.c.byok_policy.label("owner_policy"),
        teams.c.name.label("team_name"),
        teams.c.byok_policy.label("team_policy"),
        _owners_teams.c.byok_policy.label("owners_team_policy"),
        budgets.c.amount_usd.label("budget_usd"),
    ).select_from(
        api_keys.join(users, users.c.id == api_keys.c.user_id)
        .outerjoin(teams, teams.c.id == api_keys.c.team_id)
        .outerjoin(team_members, team_members.c.user_id == api_keys.c.user_id)
        .outerjoin(_owners_teams, _owners_teams.c.id == team_members.c.team_id)
        .outerjoin(
            budgets,
            and_(
                budgets.c.scope == BudgetScope.API_KEY.value,
                budgets.c.subject_id == api_keys.c.id,
                budgets.c.period == BudgetPeriod.MONTH.value,
                budgets.c.hard,
            ),
        )
    )


def _row(row: Row[*tuple[Any, ...]], used: _Used) -> ApiKeyRow:
    recent = used.recent.get(row.id, NOTHING)
    return ApiKeyRow(
        id=row.id,
        user_id=row.user_id,
        user_email=row.user_email,
        name=row.name,
        preview=row.preview,
        scope=row.scope,
        models=row.models,
        power_level=row.power_level,
        byok_policy=row.byok_policy,
        providers=row.providers,
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        concurrent_requests=row.concurrent_requests,
        budget_usd=row.budget_usd,
        ip_ranges=row.ip_ranges,
        tags=row.tags or [],
        expires_at=row.expires_at,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        team_id=row.team_id,
        team_name=row.team_name,
        policies_above=(row.team_policy,) if row.team_id else (row.owners_team_policy, row.owner_policy),
        previous_secret_ends_at=row.previous_secret_ends_at,
        last_used_at=used.last_at.get(row.id),
        requests_30d=recent.calls,
        cost_30d_usd=None if recent.calls == recent.unknown_cost_calls > 0 else recent.cost_usd,
        estimated_share_30d=recent.estimated_share,
        unknown_cost_requests_30d=recent.unknown_cost_calls,
        cost_month_usd=used.this_month.get(row.id, NOTHING).cost_usd,
        estimated_share_month=used.this_month.get(row.id, NOTHING).estimated_share,
    )


async def provider_ids(conn: AsyncConnection) -> set[str]:
    return set((await conn.execute(select(providers.c.id))).scalars())
