"""Sets up the first admin, signs people in and out.

A wrong email and a wrong password cannot be told apart, by text or by time. Guessing is slowed down
(`throttle.py`); nothing here locks an account for good.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.auth import passwords, sessions
from ops_center.control.auth.settings import SignInSettings
from ops_center.control.context import Control
from ops_center.control.second_factor import proof
from ops_center.control.settings.repository import read_setting
from ops_center.control.users import repository as users
from ops_center.control.users.repository import UserRow
from ops_center.control.users.service import admin_is_missing, create_first_admin
from ops_center.errors import Conflict, Forbidden, Unauthenticated

_log = structlog.get_logger(__name__)


async def setup_link(control: Control) -> str | None:
    """The one-time link for the operator's log, or None when there is an admin already."""
    token = control.setup_token.value
    if token is None or not await admin_is_missing(control.database):
        return None
    return f"{control.public_url.rstrip('/')}/setup?token={token}"


async def set_up(
    control: Control, token: str, email: str, password: str, *, address: str, user_agent: str
) -> tuple[UserRow, str]:
    """Make the first admin and sign it in: the user and the session's token.

    Raises Conflict when there is an admin already, Forbidden when the token is wrong or used.
    """
    if not await admin_is_missing(control.database):
        raise Conflict("Ops-Center is set up already", hint="Sign in instead.")
    if not control.setup_token.claim(token):
        raise Forbidden(
            "This set-up link is not valid", hint="The server prints a new one in its log at each start."
        )
    try:
        user = await create_first_admin(control.database, email, password, now=control.clock())
    except BaseException:
        control.setup_token.restore(token)
        raise
    if user is None:
        raise Conflict("Ops-Center is set up already", hint="Sign in instead.")
    return user, await start_session(control, user, method="setup", address=address, user_agent=user_agent)


async def log_in(
    control: Control,
    email: str,
    password: str,
    code: str | None,
    *,
    address: str,
    user_agent: str,
    old_token: str | None,
) -> tuple[UserRow, str]:
    """The user and a new session's token; a session that the browser had before is ended.

    Raises Unauthenticated (naming `code` when the password was right), or RateLimited after too many failures.
    """
    email = email.strip().lower()
    now = control.clock()
    control.login_throttle.begin(email, address, now)
    async with control.database.read() as conn:
        user = None if "\x00" in email else await users.by_email(conn, email)
    known_hash = user.password_hash if user is not None and user.disabled_at is None else None
    if not await passwords.verify_password(password, known_hash) or user is None:
        _log.warning("login_failed", ip_address=address)
        raise Unauthenticated("Email or password is wrong")
    await _check_second_factor(control, user, code, address=address, now=now)
    control.login_throttle.succeeded(email, address, now)
    return user, await start_session(
        control, user, method="password", address=address, user_agent=user_agent, old_token=old_token
    )


async def lacks_second_factor(control: Control, user: UserRow) -> bool:
    """Whether the user's role must have a second factor and the user has none."""
    async with control.database.read() as conn:
        required = user.role in (await read_setting(conn, SignInSettings)).second_factor_roles
        return required and not await proof.is_asked_for(conn, user.id)


async def _check_second_factor(
    control: Control, user: UserRow, code: str | None, *, address: str, now: datetime
) -> None:
    async with control.database.write() as conn:
        if not await proof.is_asked_for(conn, user.id):
            return
        right = code is not None and await proof.prove(conn, control.secrets, user.id, code, now)
    if code is None:
        control.login_throttle.undo(user.email, address, now)
        raise Unauthenticated(
            "A code of your second factor is needed",
            param="code",
            hint="Send it as code beside the password.",
        )
    if not right:
        _log.warning("second_factor_failed", user_id=user.id, ip_address=address)
        raise Unauthenticated("This code is wrong or was used already", param="code")


async def log_out(control: Control, token: str) -> None:
    async with control.database.write() as conn:
        await sessions.end(conn, token)


async def start_session(
    control: Control,
    user: UserRow,
    *,
    method: str,
    address: str,
    user_agent: str,
    old_token: str | None = None,
) -> str:
    """Sign `user` in, who has proven by `method` to be it: the session's token. `old_token`'s session ends."""
    now = control.clock()
    actor = Actor(user_id=user.id, email=user.email, role=user.role, ip_address=address)
    async with control.database.write() as conn:
        if old_token:
            await sessions.end(conn, old_token)
        token = await sessions.start(
            conn, user.id, now, method=method, address=address, user_agent=user_agent
        )
        await record(conn, actor, "auth.login", "user", user.id, user.email, at=now)
    return token
