"""What may happen to API keys: made, changed, rotated, revoked.

Each change is published before it is answered: a new key works and a new limit holds at once, a revoked key is
dead at once.
Their limits are enforced by the data plane, which reads them from the snapshot.
"""

from __future__ import annotations

import dataclasses
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.api_keys import repository
from ops_center.control.api_keys.repository import ApiKeyRow
from ops_center.control.api_keys.schemas import (
    ApiKey,
    ApiKeyCreate,
    ApiKeyLimits,
    ApiKeyList,
    ApiKeyUpdate,
    CreatedApiKey,
    OwnedApiKey,
)
from ops_center.control.audit_log.service import record
from ops_center.control.budgets import repository as budgets
from ops_center.control.byok import repository as byok
from ops_center.control.byok.policy import global_policy, tightened
from ops_center.control.context import Control
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.settings.repository import read_setting
from ops_center.control.teams import repository as teams
from ops_center.control.teams.repository import TeamRow
from ops_center.control.users import repository as users
from ops_center.errors import Conflict, Forbidden, Invalid, NotFound
from ops_center.snapshot import api_key_digest
from ops_center.types import BudgetScope, ByokPolicy, Role, Scope, new_id

_PREFIX = "sk-oc-"
_LONGEST_LIFE = timedelta(days=36_525)
_ORDINARY_LIFE = timedelta(days=90)
_AT_ONCE = timedelta(0)
_SET_ONCE = frozenset({"scope"})


async def list_own(control: Control, actor: Actor) -> ApiKeyList:
    """The caller's keys, newest first, the revoked ones too, and the policies that they may have."""
    await control.drain_journal()
    async with control.database.read() as conn:
        rows = await repository.listed(conn, control.clock(), user_id=actor.user_id)
        wishes = await byok.wishes_of(conn, actor.user_id)
        policy = tightened(await global_policy(conn), *wishes.policies)
    return ApiKeyList(api_keys=[ApiKey(**_public(row)) for row in rows], byok_policies=sorted(policy.tighter))


async def list_all(control: Control) -> list[OwnedApiKey]:
    """Everybody's keys, newest first."""
    await control.drain_journal()
    async with control.database.read() as conn:
        rows = await repository.listed(conn, control.clock())
        policy = await global_policy(conn)
    return [_owned(row, policy) for row in rows]


async def list_of_team(control: Control, team_id: str) -> list[OwnedApiKey]:
    """The service keys of a team, newest first. Raises NotFound."""
    await control.drain_journal()
    async with control.database.read() as conn:
        await _team(conn, team_id)
        rows = await repository.listed(conn, control.clock(), team_id=team_id)
        policy = await global_policy(conn)
    return [_owned(row, policy) for row in rows]


async def create(
    control: Control, actor: Actor, wanted: ApiKeyCreate, *, team_id: str | None = None
) -> CreatedApiKey:
    """The caller's own key, or with `team_id` a service key of that team.

    Raises Forbidden for scope admin without the role, Invalid naming the field, NotFound for the team.
    """
    now = control.clock()
    _check_scope(actor, wanted.scope)
    if team_id is not None and wanted.scope is Scope.ADMIN:
        raise Invalid("A service key may not use the control API", param="scope")
    key = ApiKeyRow(
        id=new_id("key"),
        user_id=actor.user_id,
        user_email=actor.email,
        name=wanted.name,
        preview="",
        scope=wanted.scope.value,
        expires_at=now + _ORDINARY_LIFE,
        created_at=now,
        revoked_at=None,
        team_id=team_id,
    )
    key, secret = _with_secret(key)
    async with control.database.write() as conn:
        key = await _limited(conn, key, wanted, now)
        await repository.add(conn, key, api_key_digest(secret))
        await budgets.set_monthly(conn, BudgetScope.API_KEY, key.id, wanted.budget_usd, now)
        await record(conn, actor, "api_key.create", "api_key", key.id, key.name, None, _audited(key), at=now)
    await control.publisher.publish()
    return CreatedApiKey(**_public(key), secret=secret)


async def update_own(control: Control, actor: Actor, key_id: str, wanted: ApiKeyUpdate) -> ApiKey:
    """Changes only what was sent. Raises what `create` raises, NotFound for a key of somebody else too, and
    Conflict when the key was revoked or has expired."""
    async with control.database.write() as conn:
        key = await _own(control, actor, key_id, conn)
        key = await _update(control, actor, key, wanted, conn)
    await control.publisher.publish()
    return ApiKey(**_public(key))


async def update_any(control: Control, actor: Actor, key_id: str, wanted: ApiKeyUpdate) -> OwnedApiKey:
    """An admin's way to change anybody's key, or a team's, within what holds for its owner."""
    async with control.database.write() as conn:
        key = await _any(control, key_id, conn)
        key = await _update(control, actor, key, wanted, conn)
        policy = await global_policy(conn)
    await control.publisher.publish()
    return _owned(key, policy)


async def _update(
    control: Control, actor: Actor, before: ApiKeyRow, wanted: ApiKeyUpdate, conn: AsyncConnection
) -> ApiKeyRow:
    now = control.clock()
    _check_scope(actor, Scope(before.scope))
    _check_alive(before, now)
    after = await _limited(conn, before, wanted, now)
    if after == before:
        return before
    await repository.change(conn, after)
    if after.budget_usd != before.budget_usd:
        await budgets.set_monthly(conn, BudgetScope.API_KEY, after.id, after.budget_usd, now)
    await record(
        conn,
        actor,
        "api_key.update",
        "api_key",
        after.id,
        after.name,
        {"name": before.name, **_audited(before)},
        {"name": after.name, **_audited(after)},
        at=now,
    )
    return after


async def _limited(conn: AsyncConnection, key: ApiKeyRow, wanted: ApiKeyLimits, now: datetime) -> ApiKeyRow:
    """`key` with what was sent. Raises Invalid or Forbidden naming the field, NotFound for its team."""
    await _check_providers(conn, wanted.providers)
    await _check_bounds_of_owner(conn, key, wanted)
    sent = {name: getattr(wanted, name) for name in wanted.model_fields_set - _SET_ONCE}
    if "expires_at" in sent:
        sent["expires_at"] = _future(sent["expires_at"], now)
    stored: dict[str, Any] = {name: getattr(value, "value", value) for name, value in sent.items()}
    return dataclasses.replace(key, **stored)


async def rotate(
    control: Control,
    actor: Actor,
    key_id: str,
    grace: timedelta = _AT_ONCE,
    *,
    team_id: str | None = None,
) -> CreatedApiKey:
    """A new secret for the same key, which keeps its limits, its budget and what it was used for.

    The old secret works for `grace` more, or is dead before this returns. Raises NotFound, or Conflict when
    the key was revoked or has expired.
    """
    now = control.clock()
    async with control.database.write() as conn:
        old = await _own(control, actor, key_id, conn, team_id)
        _check_scope(actor, Scope(old.scope))
        _check_alive(old, now)
        new, secret = _with_secret(
            dataclasses.replace(old, previous_secret_ends_at=now + grace if grace else None)
        )
        await repository.replace_secret(
            conn, key_id, api_key_digest(secret), new.preview, new.previous_secret_ends_at
        )
        await record(
            conn,
            actor,
            "api_key.rotate",
            "api_key",
            key_id,
            new.name,
            {"preview": old.preview, "previous_secret_ends_at": None},
            {"preview": new.preview, "previous_secret_ends_at": new.previous_secret_ends_at},
            at=now,
        )
    await control.publisher.publish()
    return CreatedApiKey(**_public(new), secret=secret)


async def revoke_own(control: Control, actor: Actor, key_id: str) -> None:
    """Raises NotFound for a key of somebody else too. Revoking twice is fine."""
    async with control.database.write() as conn:
        key = await _own(control, actor, key_id, conn)
        await _revoke(control, actor, key, conn)
    await control.publisher.publish()


async def revoke_any(control: Control, actor: Actor, key_id: str) -> None:
    """An admin's way to stop anybody's key."""
    async with control.database.write() as conn:
        key = await _any(control, key_id, conn)
        await _revoke(control, actor, key, conn)
    await control.publisher.publish()


async def _revoke(control: Control, actor: Actor, key: ApiKeyRow, conn: AsyncConnection) -> None:
    if key.revoked_at is not None:
        return
    now = control.clock()
    await repository.revoke(conn, key.id, now)
    await budgets.remove_of(conn, BudgetScope.API_KEY, key.id)
    await record(
        conn,
        actor,
        "api_key.revoke",
        "api_key",
        key.id,
        key.name,
        {"revoked_at": None},
        {"revoked_at": now, "user_email": key.user_email},
        at=now,
    )


async def _check_providers(conn: AsyncConnection, wanted: list[str] | None) -> None:
    unknown = set(wanted or ()) - await repository.provider_ids(conn)
    if unknown:
        raise Invalid(f"providers names one that does not exist: {min(unknown)}", param="providers")


async def revoke_of_team(control: Control, actor: Actor, team_id: str, conn: AsyncConnection) -> None:
    """Every service key of a team, when the team goes; the caller publishes."""
    for key in await repository.listed(conn, control.clock(), team_id=team_id):
        await _revoke(control, actor, key, conn)


async def _team(conn: AsyncConnection, team_id: str) -> TeamRow:
    team = await teams.by_id(conn, team_id)
    if team is None:
        raise NotFound("There is no team with this id")
    return team


async def _check_bounds_of_owner(conn: AsyncConnection, key: ApiKeyRow, wanted: ApiKeyLimits) -> None:
    """Raises Forbidden for a power level above the owner's highest, Invalid for a policy that loosens,
    NotFound for a team that is not there."""
    if key.team_id is not None:
        policies: tuple[str | None, ...] = ((await _team(conn, key.team_id)).byok_policy,)
        highest_of_owner = None
    else:
        owner = await users.by_id(conn, key.user_id)
        if owner is None:
            return
        policies = (await byok.wishes_of(conn, key.user_id)).policies
        highest_of_owner = owner.power_level_max
    if wanted.power_level is not None:
        settings = await read_setting(conn, PowerLevelSettings)
        highest = settings.highest(highest_of_owner)
        if wanted.power_level.exceeds(highest):
            raise Forbidden(f"The highest power level is {highest} here", param="power_level")
    if wanted.byok_policy is not None:
        policy = tightened(await global_policy(conn), *policies)
        if wanted.byok_policy not in policy.tighter:
            raise Invalid(
                f"The policy is {policy} here; {wanted.byok_policy} would not tighten it", param="byok_policy"
            )


async def _any(control: Control, key_id: str, conn: AsyncConnection) -> ApiKeyRow:
    key = await repository.by_id(conn, key_id, control.clock(), lock=True)
    if key is None:
        raise NotFound("There is no API key with this id")
    return key


async def _own(
    control: Control, actor: Actor, key_id: str, conn: AsyncConnection, team_id: str | None = None
) -> ApiKeyRow:
    """The caller's own key, or with `team_id` that team's."""
    key = await _any(control, key_id, conn)
    if key.team_id != team_id or (team_id is None and key.user_id != actor.user_id):
        raise NotFound("There is no API key with this id")
    return key


def _check_scope(actor: Actor, scope: Scope) -> None:
    if scope is Scope.ADMIN and actor.role is not Role.ADMIN:
        raise Forbidden("Only an admin may have an API key of scope admin")


def _check_alive(key: ApiKeyRow, now: datetime) -> None:
    if key.revoked_at is not None:
        raise Conflict("This API key was revoked", hint="Create a new one.")
    if key.expires_at is not None and key.expires_at <= now:
        raise Conflict("This API key has expired", hint="Create a new one.")


def _future(expires_at: datetime | None, now: datetime) -> datetime | None:
    if expires_at is None:
        return None
    if expires_at <= now:
        raise Invalid("expires_at must be in the future", param="expires_at")
    if expires_at - now > _LONGEST_LIFE:
        raise Invalid("expires_at must be within a hundred years", param="expires_at")
    return expires_at.astimezone(UTC)


def _with_secret(key: ApiKeyRow) -> tuple[ApiKeyRow, str]:
    secret = _PREFIX + secrets.token_urlsafe(32)
    return dataclasses.replace(key, preview=f"{secret[:8]}…{secret[-4:]}"), secret


def _public(key: ApiKeyRow) -> dict[str, Any]:
    fields = dataclasses.asdict(key)
    for name in ("user_id", "user_email", "team_id", "team_name", "policies_above"):
        del fields[name]
    return fields


def _owned(key: ApiKeyRow, policy: ByokPolicy) -> OwnedApiKey:
    """With the policies that it may have under `policy`, the global one."""
    fields = dataclasses.asdict(key)
    above = tightened(policy, *fields.pop("policies_above"))
    return OwnedApiKey(**fields, byok_policies=sorted(above.tighter))


def _audited(key: ApiKeyRow) -> dict[str, Any]:
    kept = (
        "team_id",
        "scope",
        "models",
        "providers",
        "power_level",
        "byok_policy",
        "requests_per_minute",
        "tokens_per_minute",
        "concurrent_requests",
        "budget_usd",
        "ip_ranges",
        "tags",
        "expires_at",
        "preview",
    )
    return {name: getattr(key, name) for name in kept}
