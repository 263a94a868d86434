"""The rows of budgets, and what the ledger says was spent. No rules: those are in `service.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.usage import repository as usage
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.sums import BASIC, NOTHING, by_value
from ops_center.control.usage.windows import Window
from ops_center.storage.tables import api_keys, budgets, providers, team_members, teams, users
from ops_center.types import BudgetPeriod, BudgetScope, new_id

WARN_AT = (50, 80, 100)
_MOST_NAMED = 200  # subjects in one question; beyond, everybody's sums are read


@dataclass(frozen=True, slots=True)
class BudgetRow:
    id: str
    scope: BudgetScope
    subject_id: str  # empty for everything
    period: BudgetPeriod
    amount_usd: Decimal
    hard: bool
    warn_at: tuple[int, ...]  # per cent, rising
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """`cost_usd` is the sum of known costs; `unknown` counts requests whose cost nobody knows."""

    cost_usd: Decimal = Decimal(0)
    requests: int = 0
    unknown: int = 0
    estimated_share: float = 0.0  # of the cost


async def listed(
    conn: AsyncConnection, *, subjects: Iterable[tuple[BudgetScope, str]] | None = None
) -> Sequence[BudgetRow]:
    """All budgets, or those of `subjects`, the widest scope first."""
    rows = [_row(row) for row in await conn.execute(select(budgets).order_by(budgets.c.id))]
    if subjects is not None:
        wanted = set(subjects)
        rows = [row for row in rows if (row.scope, row.subject_id) in wanted]
    order = list(BudgetScope)
    return sorted(rows, key=lambda row: (order.index(row.scope), row.subject_id, row.period))


async def by_id(conn: AsyncConnection, budget_id: str, *, lock: bool = False) -> BudgetRow | None:
    query = select(budgets).where(budgets.c.id == budget_id)
    row = (await conn.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else _row(row)


async def find(
    conn: AsyncConnection, scope: BudgetScope, subject_id: str, period: BudgetPeriod
) -> BudgetRow | None:
    query = select(budgets).where(
        budgets.c.scope == scope.value,
        budgets.c.subject_id == subject_id,
        budgets.c.period == period.value,
    )
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else _row(row)


async def add(
    conn: AsyncConnection,
    scope: BudgetScope,
    subject_id: str,
    period: BudgetPeriod,
    amount_usd: Decimal,
    hard: bool,
    now: datetime,
    *,
    warn_at: Iterable[int] = WARN_AT,
) -> BudgetRow:
    at = tuple(sorted(set(warn_at)))
    row = BudgetRow(new_id("bud"), scope, subject_id, period, amount_usd, hard, at, now, now)
    await conn.execute(
        insert(budgets).values(
            id=row.id,
            scope=scope.value,
            subject_id=subject_id,
            period=period.value,
            amount_usd=amount_usd,
            hard=hard,
            warn_at=list(at),
            created_at=now,
            updated_at=now,
        )
    )
    return row


async def change(conn: AsyncConnection, budget_id: str, values: Mapping[str, Any], now: datetime) -> None:
    await conn.execute(update(budgets).where(budgets.c.id == budget_id).values(**values, updated_at=now))


async def remove(conn: AsyncConnection, budget_id: str) -> None:
    await conn.execute(delete(budgets).where(budgets.c.id == budget_id))


async def remove_of(conn: AsyncConnection, scope: BudgetScope, subject_id: str) -> None:
    """Every budget of one subject, when the subject goes."""
    await conn.execute(
        delete(budgets).where(budgets.c.scope == scope.value, budgets.c.subject_id == subject_id)
    )


async def set_monthly(
    conn: AsyncConnection, scope: BudgetScope, subject_id: str, amount_usd: Decimal | None, now: datetime
) -> None:
    """The hard monthly budget of one subject: what `budget_usd` of a key or a user means. None removes it."""
    known = await find(conn, scope, subject_id, BudgetPeriod.MONTH)
    if amount_usd is None:
        if known is not None and known.hard:
            await remove(conn, known.id)
    elif known is None:
        await add(conn, scope, subject_id, BudgetPeriod.MONTH, amount_usd, True, now)
    else:
        await change(conn, known.id, {"amount_usd": amount_usd, "hard": True}, now)


class Subject(NamedTuple):
    """Whose money, and of which stretch of time."""

    scope: BudgetScope
    id: str  # empty for everything
    from_at: datetime
    to_at: datetime


async def spent(conn: AsyncConnection, subjects: Iterable[Subject]) -> dict[Subject, Spent]:
    """What the requests of each cost that began in its stretch of time, as far as the ledger has them.

    One question per scope and stretch, however many budgets there are.
    """
    together: dict[tuple[BudgetScope, datetime, datetime], list[Subject]] = defaultdict(list)
    for subject in subjects:
        together[subject.scope, subject.from_at, subject.to_at].append(subject)
    found: dict[Subject, Spent] = {}
    for (scope, from_at, to_at), some in together.items():
        by, window = _DIMENSIONS.get(scope), Window(from_at, to_at)
        only = {subject.id for subject in some} if by is not None and len(some) <= _MOST_NAMED else None
        sums = by_value(await usage.sums(conn, window, by=by, only=only, figures=BASIC))
        for subject in some:
            one = sums.get(None if by is None else subject.id, NOTHING)
            found[subject] = Spent(one.cost_usd, one.calls, one.unknown_cost_calls, one.estimated_share)
    return found


_DIMENSIONS = {
    BudgetScope.API_KEY: Dimension.API_KEY,
    BudgetScope.TEAM: Dimension.TEAM,
    BudgetScope.USER: Dimension.USER,
    BudgetScope.PROVIDER: Dimension.PROVIDER,
}


async def subject_names(conn: AsyncConnection) -> dict[tuple[BudgetScope, str], str]:
    """What may have a budget, by name: living keys, enabled or not users, providers."""
    names: dict[tuple[BudgetScope, str], str] = {(BudgetScope.EVERYTHING, ""): "Everything"}
    for row in await conn.execute(select(providers.c.id, providers.c.name)):
        names[BudgetScope.PROVIDER, row.id] = row.name
    for row in await conn.execute(select(teams.c.id, teams.c.name)):
        names[BudgetScope.TEAM, row.id] = row.name
    for row in await conn.execute(select(users.c.id, users.c.email)):
        names[BudgetScope.USER, row.id] = row.email
    living = select(api_keys.c.id, api_keys.c.name).where(api_keys.c.revoked_at.is_(None))
    for row in await conn.execute(living):
        names[BudgetScope.API_KEY, row.id] = row.name
    return names


async def key_ids_of(conn: AsyncConnection, user_id: str) -> list[str]:
    query = select(api_keys.c.id).where(
        api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None), api_keys.c.team_id.is_(None)
    )
    return list((await conn.execute(query)).scalars())


async def team_id_of(conn: AsyncConnection, user_id: str) -> str | None:
    found: str | None = await conn.scalar(
        select(team_members.c.team_id).where(team_members.c.user_id == user_id)
    )
    return found


def _row(row: Row[*tuple[Any, ...]]) -> BudgetRow:
    return BudgetRow(
        id=row.id,
        scope=BudgetScope(row.scope),
        subject_id=row.subject_id,
        period=BudgetPeriod(row.period),
        amount_usd=row.amount_usd,
        hard=row.hard,
        warn_at=tuple(row.warn_at),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
