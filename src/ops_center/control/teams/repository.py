"""The rows of teams and of who is in them. No rules: those are in `service.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.repository import sums
from ops_center.control.usage.sums import BASIC, by_value
from ops_center.control.usage.windows import Window
from ops_center.storage.database import Database
from ops_center.storage.tables import api_keys, team_members, teams, users


@dataclass(frozen=True, slots=True)
class TeamRow:
    id: str
    name: str
    byok_policy: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class MemberRow:
    id: str
    email: str
    name: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class MonthSums:
    """`cost_usd` is the sum of known costs; `unknown` counts requests whose cost nobody knows."""

    requests: int = 0
    cost_usd: Decimal = Decimal(0)
    unknown: int = 0
    estimated_share: float = 0.0  # of the cost


async def listed(conn: AsyncConnection) -> Sequence[TeamRow]:
    rows = await conn.execute(select(teams).order_by(func.lower(teams.c.name), teams.c.id))
    return [TeamRow(**row._mapping) for row in rows]


async def by_id(conn: AsyncConnection, team_id: str, *, lock: bool = False) -> TeamRow | None:
    query = select(teams).where(teams.c.id == team_id)
    row = (await conn.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else TeamRow(**row._mapping)


async def is_named(conn: AsyncConnection, name: str) -> bool:
    return (await conn.execute(select(teams.c.id).where(teams.c.name == name))).first() is not None


async def add(database: Database, conn: AsyncConnection, team: TeamRow) -> bool:
    """Whether it was added; not when the name is taken."""
    added = await conn.execute(
        database.insert_ignoring_duplicates(teams).values(
            id=team.id,
            name=team.name,
            byok_policy=team.byok_policy,
            created_at=team.created_at,
            updated_at=team.updated_at,
        )
    )
    return added.rowcount == 1


async def change(conn: AsyncConnection, team_id: str, values: Mapping[str, Any], now: datetime) -> None:
    await conn.execute(update(teams).where(teams.c.id == team_id).values(**values, updated_at=now))


async def remove(conn: AsyncConnection, team_id: str) -> None:
    """With who is in it; keys and records keep its id."""
    await conn.execute(delete(teams).where(teams.c.id == team_id))


async def members(conn: AsyncConnection) -> dict[str, list[MemberRow]]:
    """Who is in each team, by email."""
    query = (
        select(team_members.c.team_id, users.c.id, users.c.email, users.c.name, users.c.disabled_at)
        .join(users, users.c.id == team_members.c.user_id)
        .order_by(users.c.email)
    )
    found: dict[str, list[MemberRow]] = {}
    for row in await conn.execute(query):
        member = MemberRow(row.id, row.email, row.name, row.disabled_at is not None)
        found.setdefault(row.team_id, []).append(member)
    return found


async def known_users(conn: AsyncConnection, ids: Collection[str]) -> set[str]:
    return set((await conn.execute(select(users.c.id).where(users.c.id.in_(ids)))).scalars())


async def set_members(conn: AsyncConnection, team_id: str, ids: Collection[str], now: datetime) -> None:
    """Exactly these, taken out of any other team."""
    await conn.execute(
        delete(team_members).where((team_members.c.team_id == team_id) | team_members.c.user_id.in_(ids))
    )
    if ids:
        await conn.execute(
            insert(team_members),
            [{"user_id": each, "team_id": team_id, "created_at": now} for each in sorted(ids)],
        )


async def living_keys(conn: AsyncConnection, now: datetime) -> dict[str, int]:
    """How many service keys of each team work."""
    query = (
        select(api_keys.c.team_id, func.count().label("keys"))
        .where(
            api_keys.c.team_id.is_not(None),
            api_keys.c.revoked_at.is_(None),
            (api_keys.c.expires_at.is_(None)) | (api_keys.c.expires_at > now),
        )
        .group_by(api_keys.c.team_id)
    )
    return {row.team_id: row.keys for row in await conn.execute(query)}


async def month_sums(conn: AsyncConnection, from_at: datetime, now: datetime) -> dict[str, MonthSums]:
    """What the requests of each team came to that began since then, the start of a month."""
    found = by_value(await sums(conn, Window.since(from_at, now), by=Dimension.TEAM, figures=BASIC))
    return {
        team_id: MonthSums(one.calls, one.cost_usd, one.unknown_cost_calls, one.estimated_share)
        for team_id, one in found.items()
        if team_id is not None
    }
