"""What may happen to teams: made, changed, filled and dissolved.

Each change is published before it is answered. What a team has spent comes from the ledger, where each request
keeps the team that it had; its service keys are `api_keys/`', its budgets `budgets/`'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.api_keys.service import revoke_of_team
from ops_center.control.audit_log.service import record
from ops_center.control.budgets import repository as budgets
from ops_center.control.byok.policy import global_policy, tightened
from ops_center.control.context import Control
from ops_center.control.teams import repository
from ops_center.control.teams.repository import MemberRow, MonthSums, TeamRow
from ops_center.control.teams.schemas import Team, TeamCreate, TeamList, TeamMember, TeamUpdate
from ops_center.errors import Conflict, Invalid, NotFound
from ops_center.limits.periods import bounds
from ops_center.types import BudgetPeriod, BudgetScope, ByokPolicy, new_id

_Members = Mapping[str, Sequence[MemberRow]]


async def list_teams(control: Control) -> TeamList:
    await control.drain_journal()
    async with control.database.read() as conn:
        rows = await repository.listed(conn)
        found, start = await _shown(control, conn, rows)
    return TeamList(teams=found, month_start_at=start)


async def get_team(control: Control, team_id: str) -> Team:
    await control.drain_journal()
    async with control.database.read() as conn:
        row = _existing(await repository.by_id(conn, team_id))
        [team], _ = await _shown(control, conn, [row])
    return team


async def create_team(control: Control, actor: Actor, wanted: TeamCreate) -> Team:
    """Raises Conflict naming `name` when it is taken, Invalid naming `member_ids` or `byok_policy`."""
    now = control.clock()
    policy = wanted.byok_policy.value if wanted.byok_policy else None
    team = TeamRow(new_id("team"), wanted.name, policy, now, now)
    async with control.database.write() as conn:
        await _check_policy(conn, wanted.byok_policy)
        await _check_users(conn, wanted.member_ids)
        if not await repository.add(control.database, conn, team):
            raise _taken(wanted.name)
        before = await repository.members(conn)
        await repository.set_members(conn, team.id, set(wanted.member_ids), now)
        after = await repository.members(conn)
        await _record_leavers(conn, actor, team.id, before, after, now)
        await record(
            conn, actor, "team.create", "team", team.id, team.name, None, _audited(team, after), at=now
        )
    await control.publisher.publish()
    return await get_team(control, team.id)


async def update_team(control: Control, actor: Actor, team_id: str, wanted: TeamUpdate) -> Team:
    """Changes only what was sent. Raises what `create_team` raises, and NotFound."""
    now = control.clock()
    values: dict[str, Any] = {}
    if wanted.name is not None:
        values["name"] = wanted.name
    if "byok_policy" in wanted.model_fields_set:
        values["byok_policy"] = wanted.byok_policy.value if wanted.byok_policy else None
    async with control.database.write() as conn:
        before = _existing(await repository.by_id(conn, team_id, lock=True))
        members = await repository.members(conn)
        if wanted.name not in (None, before.name) and await repository.is_named(conn, wanted.name or ""):
            raise _taken(wanted.name or "")
        await _check_policy(conn, wanted.byok_policy)
        if values:
            await repository.change(conn, team_id, values, now)
        if wanted.member_ids is not None:
            await _check_users(conn, wanted.member_ids)
            await repository.set_members(conn, team_id, set(wanted.member_ids), now)
        after = _existing(await repository.by_id(conn, team_id))
        moved = await repository.members(conn)
        await _record_leavers(conn, actor, team_id, members, moved, now)
        await record(
            conn,
            actor,
            "team.update",
            "team",
            team_id,
            after.name,
            _audited(before, members),
            _audited(after, moved),
            at=now,
        )
    await control.publisher.publish()
    return await get_team(control, team_id)


async def delete_team(control: Control, actor: Actor, team_id: str) -> None:
    """Ends its service keys and its budgets; users and the ledger stay. Raises NotFound."""
    now = control.clock()
    async with control.database.write() as conn:
        row = _existing(await repository.by_id(conn, team_id, lock=True))
        members = await repository.members(conn)
        await revoke_of_team(control, actor, team_id, conn)
        await budgets.remove_of(conn, BudgetScope.TEAM, team_id)
        await repository.remove(conn, team_id)
        await record(
            conn, actor, "team.delete", "team", team_id, row.name, _audited(row, members), None, at=now
        )
    await control.publisher.publish()


async def _shown(
    control: Control, conn: AsyncConnection, rows: Sequence[TeamRow]
) -> tuple[list[Team], datetime]:
    now = control.clock()
    start, _ = bounds(BudgetPeriod.MONTH, now, control.publisher.current.time_zone)
    members = await repository.members(conn)
    keys = await repository.living_keys(conn, now)
    sums = await repository.month_sums(conn, start, now)
    policy = await global_policy(conn)
    nothing = MonthSums()
    return [
        Team(
            id=row.id,
            name=row.name,
            byok_policy=ByokPolicy(row.byok_policy) if row.byok_policy else None,
            byok_policies=sorted(tightened(policy, row.byok_policy).tighter),
            members=[TeamMember.model_validate(member) for member in members.get(row.id, ())],
            service_keys=keys.get(row.id, 0),
            month_requests=(of_team := sums.get(row.id, nothing)).requests,
            month_cost_usd=of_team.cost_usd,
            month_estimated_share=of_team.estimated_share,
            month_unknown_cost_requests=of_team.unknown,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ], start


async def _record_leavers(
    conn: AsyncConnection, actor: Actor, team_id: str, before: _Members, after: _Members, now: datetime
) -> None:
    """A line for every other team that lost somebody to this one."""
    for row in await repository.listed(conn):
        if row.id != team_id and before.get(row.id) != after.get(row.id):
            await record(
                conn,
                actor,
                "team.update",
                "team",
                row.id,
                row.name,
                _audited(row, before),
                _audited(row, after),
                at=now,
            )


async def _check_users(conn: AsyncConnection, ids: Sequence[str]) -> None:
    unknown = set(ids) - await repository.known_users(conn, set(ids))
    if unknown:
        raise Invalid(f"member_ids names a user who does not exist: {min(unknown)}", param="member_ids")


async def _check_policy(conn: AsyncConnection, wanted: ByokPolicy | None) -> None:
    policy = await global_policy(conn)
    if wanted is not None and wanted not in policy.tighter:
        raise Invalid(
            f"The policy of the installation is {policy}; {wanted} would not tighten it",
            param="byok_policy",
        )


def _existing(row: TeamRow | None) -> TeamRow:
    if row is None:
        raise NotFound("There is no team with this id")
    return row


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a team named {name} already", param="name")


def _audited(row: TeamRow, members: _Members) -> dict[str, Any]:
    return {
        "name": row.name,
        "byok_policy": row.byok_policy,
        "members": [member.email for member in members.get(row.id, ())],
    }
