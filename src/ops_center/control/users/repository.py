"""The rows of users. No rules: those are in `service.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.users.schemas import User
from ops_center.storage.database import Database
from ops_center.storage.tables import budgets, second_factors, users
from ops_center.types import BudgetPeriod, BudgetScope, ByokPolicy, PowerLevel, Role, new_id


@dataclass(frozen=True, slots=True)
class UserRow:
    id: str
    email: str
    name: str
    role: Role
    power_level: PowerLevel | None
    password_hash: str | None
    disabled_at: datetime | None
    created_at: datetime
    second_factor: bool = False
    power_level_max: PowerLevel | None = None
    byok_policy: ByokPolicy | None = None
    budget_usd: Decimal | None = None  # the hard monthly one, a row of `budgets`
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None

    def public(self) -> User:
        return User(
            id=self.id,
            email=self.email,
            name=self.name,
            role=self.role,
            power_level=self.power_level,
            power_level_max=self.power_level_max,
            byok_policy=self.byok_policy,
            budget_usd=self.budget_usd,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            concurrent_requests=self.concurrent_requests,
            created_at=self.created_at,
            disabled=self.disabled_at is not None,
            second_factor=self.second_factor,
        )


_COLUMNS = (
    exists()
    .where(second_factors.c.user_id == users.c.id, second_factors.c.confirmed_at.is_not(None))
    .label("second_factor"),
    users.c.id,
    users.c.email,
    users.c.name,
    users.c.role,
    users.c.power_level,
    users.c.power_level_max,
    users.c.byok_policy,
    users.c.password_hash,
    users.c.disabled_at,
    users.c.created_at,
    users.c.requests_per_minute,
    users.c.tokens_per_minute,
    users.c.concurrent_requests,
    select(budgets.c.amount_usd)
    .where(
        budgets.c.scope == BudgetScope.USER.value,
        budgets.c.subject_id == users.c.id,
        budgets.c.period == BudgetPeriod.MONTH.value,
        budgets.c.hard,
    )
    .scalar_subquery()
    .label("budget_usd"),
)
_ENABLED_ADMIN = (users.c.role == Role.ADMIN, users.c.disabled_at.is_(None))


def _user(row: Row[*tuple[Any, ...]]) -> UserRow:
    return UserRow(
        id=row.id,
        email=row.email,
        name=row.name,
        role=Role(row.role),
        power_level=PowerLevel(row.power_level) if row.power_level else None,
        power_level_max=PowerLevel(row.power_level_max) if row.power_level_max else None,
        byok_policy=ByokPolicy(row.byok_policy) if row.byok_policy else None,
        password_hash=row.password_hash,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
        second_factor=bool(row.second_factor),
        budget_usd=row.budget_usd,
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        concurrent_requests=row.concurrent_requests,
    )


async def by_id(conn: AsyncConnection, user_id: str) -> UserRow | None:
    row = (await conn.execute(select(*_COLUMNS).where(users.c.id == user_id))).one_or_none()
    return None if row is None else _user(row)


async def by_email(conn: AsyncConnection, email: str) -> UserRow | None:
    row = (await conn.execute(select(*_COLUMNS).where(users.c.email == email))).one_or_none()
    return None if row is None else _user(row)


async def everybody(conn: AsyncConnection) -> Sequence[UserRow]:
    return [_user(row) for row in await conn.execute(select(*_COLUMNS).order_by(users.c.email))]


async def has_enabled_admin(conn: AsyncConnection) -> bool:
    return (await conn.execute(select(users.c.id).where(*_ENABLED_ADMIN).limit(1))).first() is not None


async def lock_enabled_admins(conn: AsyncConnection) -> set[str]:
    """Ids of all enabled admins, none of which changes before this transaction ends."""
    query = select(users.c.id).where(*_ENABLED_ADMIN).order_by(users.c.id).with_for_update()
    return set((await conn.execute(query)).scalars())


async def insert(
    database: Database,
    conn: AsyncConnection,
    *,
    email: str,
    name: str,
    role: Role,
    password_hash: str | None,
    now: datetime,
    power_level: PowerLevel | None = None,
) -> UserRow | None:
    """The new user, or None when the email is taken."""
    user_id = new_id("usr")
    result = await conn.execute(
        database.insert_ignoring_duplicates(users).values(
            id=user_id,
            email=email,
            name=name,
            role=role.value,
            power_level=power_level.value if power_level else None,
            password_hash=password_hash,
            created_at=now,
            updated_at=now,
        )
    )
    if result.rowcount == 0:
        return None
    return UserRow(user_id, email, name, role, power_level, password_hash, None, now)


async def change(conn: AsyncConnection, user_id: str, values: Mapping[str, Any], now: datetime) -> None:
    await conn.execute(update(users).where(users.c.id == user_id).values(**values, updated_at=now))
