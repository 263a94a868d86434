"""What may happen to budgets: made, changed, removed, and watched.

Hard ones are enforced by the data plane, which counts for itself (`limits/`) from what `counting.py` says
was spent before; what is shown here always comes from the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.budgets import repository
from ops_center.control.budgets.forecast import forecast
from ops_center.control.budgets.repository import BudgetRow, Spent, Subject
from ops_center.control.budgets.schemas import Budget, BudgetCreate, BudgetList, BudgetStatus, BudgetUpdate
from ops_center.control.context import Control
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.limits.periods import bounds
from ops_center.types import BudgetScope


async def list_budgets(control: Control) -> BudgetList:
    """Every budget whose subject is still there."""
    return await _list(control, None)


async def list_own(control: Control, actor: Actor) -> BudgetList:
    """The budgets that bound the caller: their own, their team's, and those of their keys."""
    async with control.database.read() as conn:
        keys = await repository.key_ids_of(conn, actor.user_id)
        team_id = await repository.team_id_of(conn, actor.user_id)
    subjects = [(BudgetScope.USER, actor.user_id), *((BudgetScope.API_KEY, key) for key in keys)]
    if team_id is not None:
        subjects.append((BudgetScope.TEAM, team_id))
    return await _list(control, subjects)


async def get_budget(control: Control, budget_id: str) -> Budget:
    await control.drain_journal()
    async with control.database.read() as conn:
        row = _existing(await repository.by_id(conn, budget_id))
        names = await repository.subject_names(conn)
        names.setdefault((row.scope, row.subject_id), "")
        [budget] = await _measured(control, conn, [row], names)
    return budget


async def create_budget(control: Control, actor: Actor, wanted: BudgetCreate) -> Budget:
    """Raises Invalid naming `subject_id`, or Conflict when the subject has one for this period."""
    now = control.clock()
    async with control.database.write() as conn:
        name = await _subject_name(conn, wanted.scope, wanted.subject_id)
        subject_id = wanted.subject_id or ""
        if await repository.find(conn, wanted.scope, subject_id, wanted.period) is not None:
            raise Conflict(
                f"{name} has a budget per {wanted.period.value} already",
                param="period",
                hint="Change that one.",
            )
        row = await repository.add(
            conn,
            wanted.scope,
            subject_id,
            wanted.period,
            wanted.amount_usd,
            wanted.hard,
            now,
            warn_at=wanted.warn_at,
        )
        await record(conn, actor, "budget.create", "budget", row.id, name, None, _audited(row), at=now)
    await control.publisher.publish()
    return await get_budget(control, row.id)


async def update_budget(control: Control, actor: Actor, budget_id: str, wanted: BudgetUpdate) -> Budget:
    now = control.clock()
    sent = wanted.model_dump(include=wanted.model_fields_set)
    values = {name: getattr(value, "value", value) for name, value in sent.items() if value is not None}
    if wanted.warn_at is not None:
        values["warn_at"] = sorted(set(wanted.warn_at))
    async with control.database.write() as conn:
        before = _existing(await repository.by_id(conn, budget_id, lock=True))
        names = await repository.subject_names(conn)
        name = names.get((before.scope, before.subject_id), before.subject_id)
        if wanted.period is not None and wanted.period is not before.period:
            taken = await repository.find(conn, before.scope, before.subject_id, wanted.period)
            if taken is not None:
                raise Conflict(f"{name} has a budget per {wanted.period.value} already", param="period")
        if values:
            await repository.change(conn, budget_id, values, now)
        after = _existing(await repository.by_id(conn, budget_id))
        await record(
            conn,
            actor,
            "budget.update",
            "budget",
            budget_id,
            name,
            _audited(before),
            _audited(after),
            at=now,
        )
    await control.publisher.publish()
    return await get_budget(control, budget_id)


async def delete_budget(control: Control, actor: Actor, budget_id: str) -> None:
    now = control.clock()
    async with control.database.write() as conn:
        row = _existing(await repository.by_id(conn, budget_id, lock=True))
        names = await repository.subject_names(conn)
        await repository.remove(conn, budget_id)
        name = names.get((row.scope, row.subject_id), row.subject_id)
        await record(conn, actor, "budget.delete", "budget", budget_id, name, _audited(row), None, at=now)
    await control.publisher.publish()


async def measured(control: Control, conn: AsyncConnection, rows: Iterable[BudgetRow]) -> list[Budget]:
    """`rows` with what the ledger has of them, but for those whose subject is gone."""
    return await _measured(control, conn, rows, await repository.subject_names(conn))


async def _measured(
    control: Control,
    conn: AsyncConnection,
    rows: Iterable[BudgetRow],
    names: Mapping[tuple[BudgetScope, str], str],
) -> list[Budget]:
    now, time_zone = control.clock(), control.publisher.current.time_zone
    of_row = [
        (row, Subject(row.scope, row.subject_id, *bounds(row.period, now, time_zone)))
        for row in rows
        if (row.scope, row.subject_id) in names
    ]
    spent = await repository.spent(conn, [subject for _, subject in of_row])
    return [
        _public(row, names[row.scope, row.subject_id], subject, spent[subject], now)
        for row, subject in of_row
    ]


async def _list(control: Control, subjects: Sequence[tuple[BudgetScope, str]] | None) -> BudgetList:
    await control.drain_journal()
    async with control.database.read() as conn:
        rows = await repository.listed(conn, subjects=subjects)
        return BudgetList(
            budgets=await measured(control, conn, rows), time_zone=control.publisher.current.time_zone
        )


def _public(row: BudgetRow, name: str, subject: Subject, spent: Spent, now: datetime) -> Budget:
    start, end = subject.from_at, subject.to_at
    ahead = forecast(spent.cost_usd, row.amount_usd, start, end, now)
    share = float(spent.cost_usd / row.amount_usd) if row.amount_usd else 1.0
    return Budget(
        id=row.id,
        scope=row.scope,
        subject_id=row.subject_id or None,
        subject_name=name,
        amount_usd=row.amount_usd,
        period=row.period,
        hard=row.hard,
        warn_at=list(row.warn_at),
        period_start_at=start,
        period_end_at=end,
        spent_usd=spent.cost_usd,
        estimated_share=spent.estimated_share,
        share=share,
        status=status_of(share),
        unknown_cost_requests=spent.unknown,
        projected_usd=ahead.projected_usd,
        runs_out_at=ahead.runs_out_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def status_of(share: float) -> BudgetStatus:
    if share >= 1:
        return "spent"
    if share >= 0.8:
        return "nearly_spent"
    return "half_spent" if share >= 0.5 else "ok"


async def _subject_name(conn: AsyncConnection, scope: BudgetScope, subject_id: str | None) -> str:
    if scope is BudgetScope.EVERYTHING:
        if subject_id:
            raise Invalid("subject_id must be left out for everything", param="subject_id")
        return "Everything"
    if not subject_id:
        raise Invalid("subject_id must say whose budget this is", param="subject_id")
    name = (await repository.subject_names(conn)).get((scope, subject_id))
    if name is None:
        what = {"api_key": "API key"}.get(scope.value, scope.value)
        raise Invalid(f"subject_id is no {what} of ours", param="subject_id")
    return name


def _existing(row: BudgetRow | None) -> BudgetRow:
    if row is None:
        raise NotFound("There is no budget with this id")
    return row


def _audited(row: BudgetRow) -> dict[str, Any]:
    return {
        "scope": row.scope.value,
        "subject_id": row.subject_id or None,
        "period": row.period.value,
        "amount_usd": row.amount_usd,
        "hard": row.hard,
        "warn_at": list(row.warn_at),
    }
