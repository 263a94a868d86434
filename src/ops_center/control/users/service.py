"""What may happen to users: made, changed, disabled, the last admin kept.

A change that the data plane must know is published before it is answered, so a disabled user's keys are
dead at once. Signing in is not here (`auth/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor, Permission
from ops_center.control.audit_log.service import record
from ops_center.control.auth import passwords, sessions
from ops_center.control.budgets import repository as budgets
from ops_center.control.byok.policy import global_policy
from ops_center.control.context import Control
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.second_factor import repository as second_factor
from ops_center.control.settings.repository import read_setting
from ops_center.control.users import repository
from ops_center.control.users.repository import UserRow
from ops_center.control.users.schemas import (
    MIN_PASSWORD_LENGTH,
    User,
    UserCreate,
    UserUpdate,
    checked_email,
)
from ops_center.errors import Conflict, Forbidden, Invalid, NotFound
from ops_center.storage.database import Database
from ops_center.types import BudgetScope, ByokPolicy, PowerLevel, Role

_MAY_BE_LIFTED = frozenset(
    {
        "power_level",
        "power_level_max",
        "byok_policy",
        "budget_usd",
        "requests_per_minute",
        "tokens_per_minute",
        "concurrent_requests",
    }
)


async def list_users(control: Control) -> list[User]:
    async with control.database.read() as conn:
        return [user.public() for user in await repository.everybody(conn)]


async def get_user(control: Control, user_id: str) -> User:
    async with control.database.read() as conn:
        return (_existing(await repository.by_id(conn, user_id))).public()


async def create_user(control: Control, actor: Actor, wanted: UserCreate) -> User:
    """Raises Conflict naming `email` when it is taken."""
    password_hash = (
        await passwords.hash_password(wanted.password.get_secret_value()) if wanted.password else None
    )
    async with control.database.write() as conn:
        levels = await read_setting(conn, PowerLevelSettings)
        user = await repository.insert(
            control.database,
            conn,
            email=wanted.email,
            name=wanted.name or "",
            role=wanted.role,
            password_hash=password_hash,
            now=control.clock(),
            power_level=levels.default,
        )
        if user is None:
            raise Conflict("A user with this email exists already", param="email")
        await record(
            conn, actor, "user.create", "user", user.id, user.email, None, audited(user), at=control.clock()
        )
    return user.public()


async def update_user(control: Control, actor: Actor, user_id: str, wanted: UserUpdate) -> User:
    """Changes only what was sent. Raises Conflict when no enabled admin would be left."""
    sent = wanted.model_dump(include=wanted.model_fields_set, exclude={"password"})
    values = {name: value for name, value in sent.items() if value is not None or name in _MAY_BE_LIFTED}
    disabled = values.pop("disabled", None)
    if wanted.password is not None:
        values["password_hash"] = await passwords.hash_password(wanted.password.get_secret_value())
    now = control.clock()
    async with control.database.write() as conn:
        admins = await repository.lock_enabled_admins(conn)
        before = _existing(await repository.by_id(conn, user_id))
        if disabled is not None and disabled != (before.disabled_at is not None):
            values["disabled_at"] = now if disabled else None
        if admins == {user_id} and (disabled or values.get("role", Role.ADMIN) != Role.ADMIN):
            raise Conflict("This is the last admin", hint="Make somebody else an admin first.")
        await _bound_power_level(conn, actor, before, values)
        await _check_byok_policy(conn, values.get("byok_policy"))
        if not values:
            return before.public()
        if "budget_usd" in values:
            await budgets.set_monthly(conn, BudgetScope.USER, user_id, values.pop("budget_usd"), now)
        await repository.change(conn, user_id, _stored(values), now)
        after = _existing(await repository.by_id(conn, user_id))
        if disabled:
            await sessions.end_all(conn, user_id)
        elif wanted.password is not None:
            await sessions.end_all(conn, user_id, but=actor.session_hash)
        await record(
            conn,
            actor,
            "user.update",
            "user",
            user_id,
            after.email,
            {**audited(before), "password_changed": False},
            {**audited(after), "password_changed": wanted.password is not None},
            at=now,
        )
    await control.publisher.publish()
    return after.public()


async def _bound_power_level(
    conn: AsyncConnection, actor: Actor, before: UserRow, values: dict[str, Any]
) -> None:
    """Keep the level at or below the user's maximum: a lower maximum takes a higher level down with it.

    Raises Forbidden for users who reach above their own maximum, Invalid for an admin who sets such a level.
    """
    if not values.keys() & {"power_level", "power_level_max"}:
        return
    settings = await read_setting(conn, PowerLevelSettings)
    highest = settings.highest(values.get("power_level_max", before.power_level_max))
    wanted: PowerLevel | None = values.get("power_level")
    if wanted is not None and wanted.exceeds(highest):
        message = f"The highest power level of this user is {highest}"
        if actor.may(Permission.USERS_WRITE):
            raise Invalid(message, param="power_level", hint="Raise power_level_max first.")
        raise Forbidden(message, param="power_level", hint="Ask an admin for more.")
    level: PowerLevel | None = values.get("power_level", before.power_level)
    if level is not None and level.exceeds(highest):
        values["power_level"] = highest


async def _check_byok_policy(conn: AsyncConnection, wanted: ByokPolicy | None) -> None:
    policy = await global_policy(conn)
    if wanted is not None and wanted not in policy.tighter:
        raise Invalid(
            f"The global policy is {policy}; {wanted} would not tighten it",
            param="byok_policy",
            hint="A user's policy can only tighten the global one.",
        )


async def create_admin(database: Database, email: str, password: str, *, now: datetime) -> bool:
    """Make `email` an enabled admin with this password, for the command line; True when it is a new user.

    Somebody with that email is promoted, enabled, given the new password, freed of a second factor and signed out everywhere, so
    this is also the way back in. A running server notices at the next sign-in. Raises Invalid naming
    `email` or `password`.
    """
    _, is_new = await _make_admin(database, email, password, now=now, only_the_first=False)
    return is_new


async def create_first_admin(
    database: Database, email: str, password: str, *, now: datetime
) -> UserRow | None:
    """Like `create_admin`, unless there is an enabled admin already: then nothing changes, and None."""
    user, _ = await _make_admin(database, email, password, now=now, only_the_first=True)
    return user


async def admin_is_missing(database: Database) -> bool:
    """Whether nobody can administer this installation yet."""
    async with database.read() as conn:
        return not await repository.has_enabled_admin(conn)


async def _make_admin(
    database: Database, email: str, password: str, *, now: datetime, only_the_first: bool
) -> tuple[UserRow | None, bool]:
    """The admin and whether it is a new user; None when `only_the_first` and there is one already."""
    try:
        email = checked_email(email)
    except ValueError as error:
        raise Invalid(f"email {error}", param="email") from None
    if len(password) < MIN_PASSWORD_LENGTH:
        raise Invalid(f"password must have at least {MIN_PASSWORD_LENGTH} characters", param="password")
    password_hash = await passwords.hash_password(password)
    async with database.write() as conn:
        if only_the_first and await repository.has_enabled_admin(conn):
            return None, False
        known = await repository.by_email(conn, email)
        if known is not None:
            values = {"role": Role.ADMIN.value, "disabled_at": None, "password_hash": password_hash}
            await repository.change(conn, known.id, values, now)
            await sessions.end_all(conn, known.id)
            await second_factor.remove(conn, known.id)
        else:
            await repository.insert(
                database, conn, email=email, name="", role=Role.ADMIN, password_hash=password_hash, now=now
            )
        user = _existing(await repository.by_email(conn, email))
        action = "user.create" if known is None else "user.update"
        await record(
            conn,
            None,
            action,
            "user",
            user.id,
            user.email,
            None if known is None else {**audited(known), "password_changed": False},
            audited(user) if known is None else {**audited(user), "password_changed": True},
            at=now,
        )
    return user, known is None


def _existing(user: UserRow | None) -> UserRow:
    if user is None:
        raise NotFound("There is no user with this id")
    return user


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "value", value) for name, value in values.items()}


def audited(user: UserRow) -> dict[str, Any]:
    """A user as the audit log shows one."""
    return {
        "email": user.email,
        "name": user.name,
        "role": user.role.value,
        "power_level": user.power_level.value if user.power_level else None,
        "power_level_max": user.power_level_max.value if user.power_level_max else None,
        "byok_policy": user.byok_policy.value if user.byok_policy else None,
        "budget_usd": user.budget_usd,
        "requests_per_minute": user.requests_per_minute,
        "tokens_per_minute": user.tokens_per_minute,
        "concurrent_requests": user.concurrent_requests,
        "disabled": user.disabled_at is not None,
    }
