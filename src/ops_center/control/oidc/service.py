"""Sign-in by the OpenID provider: begun here, finished with what the browser brings back.

What a sign-in must come back with is sealed into a cookie of the browser that began it, so a `state` of another
browser finishes nothing and any process can finish what another began. Users are bound to the provider's subject;
an email decides only at the first sign-in, and only when the provider says that it is verified.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.auth.service import start_session
from ops_center.control.context import Control
from ops_center.control.oidc import provider, repository
from ops_center.control.oidc.provider import Attempt
from ops_center.control.oidc.schemas import SingleSignOn
from ops_center.control.oidc.settings import OidcSettings
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.settings.repository import read_secret, read_setting
from ops_center.control.users import repository as users
from ops_center.control.users.repository import UserRow
from ops_center.control.users.schemas import checked_email
from ops_center.control.users.service import audited
from ops_center.errors import Conflict, Forbidden, NotFound, OpsCenterError, Unauthenticated
from ops_center.types import Role

ATTEMPT_LIFETIME = timedelta(minutes=10)
_CONTEXT = "oidc-attempt"


async def get_single_sign_on(control: Control) -> SingleSignOn:
    async with control.database.read() as conn:
        settings = await read_setting(conn, OidcSettings)
    return SingleSignOn(enabled=settings.enabled, label=settings.label or "Single sign-on")


async def begin(control: Control) -> tuple[str, str]:
    """Where the browser goes, and the sealed attempt for its cookie. Raises NotFound when it is off."""
    settings, _ = await _settings(control)
    attempt = Attempt.new()
    found = await provider.discover(control.http, settings)
    url = provider.authorization_url(found, settings, attempt, _redirect_uri(control))
    return url, _seal(control, attempt)


async def finish(
    control: Control, code: str, state: str, sealed: str | None, *, address: str, user_agent: str
) -> tuple[UserRow, str]:
    """The user and the session's token.

    Raises Unauthenticated for an answer that is not this browser's or not good, Forbidden for who may not in.
    """
    settings, client_secret = await _settings(control)
    attempt = _opened(control, sealed)
    if attempt is None or not hmac.compare_digest(attempt.state.encode(), state.encode()):
        raise Unauthenticated(
            "This sign-in was not begun in this browser, or too long ago", hint="Try again."
        )
    now = control.clock()
    claims = await provider.redeem(
        control.http, settings, client_secret, code, attempt, _redirect_uri(control), now
    )
    user = await _admitted(control, settings, claims, address)
    token = await start_session(control, user, method="oidc", address=address, user_agent=user_agent)
    return user, token


async def _admitted(
    control: Control, settings: OidcSettings, claims: Mapping[str, Any], address: str
) -> UserRow:
    role = settings.role(_groups(claims, settings.groups_claim))
    now = control.clock()
    async with control.database.write() as conn:
        admins = await users.lock_enabled_admins(conn)
        user_id = await repository.user_of(conn, settings.issuer, claims["sub"])
        user = None if user_id is None else await users.by_id(conn, user_id)
        if user is None:
            user = await _first_time(control, conn, settings, claims, role, address)
        if user.disabled_at is not None:
            raise Forbidden("Your account is disabled", hint="Ask an admin.")
        if settings.group_roles:
            if role is None:
                raise Forbidden("None of your groups may use Ops-Center", hint="Ask an admin.")
            if role is not user.role and admins != {user.id}:  # the last admin stays one
                await users.change(conn, user.id, {"role": role.value}, now)
                before, user = user, await _again(conn, user.id)
                actor = Actor(user_id=user.id, email=user.email, role=user.role, ip_address=address)
                await record(
                    conn,
                    actor,
                    "user.update",
                    "user",
                    user.id,
                    user.email,
                    audited(before),
                    audited(user),
                    at=now,
                )
    return user


async def _first_time(
    control: Control,
    conn: AsyncConnection,
    settings: OidcSettings,
    claims: Mapping[str, Any],
    role: Role | None,
    address: str,
) -> UserRow:
    """The user with the verified email, bound to the subject; a new one when its domain is allowed."""
    now, subject = control.clock(), claims["sub"]
    try:
        email = checked_email(str(claims.get("email") or ""))
    except ValueError:
        raise Forbidden("The provider says no email address of yours", hint="Ask an admin.") from None
    if claims.get("email_verified") is not True:
        raise Forbidden("The provider has not verified your email address", hint="Ask an admin.")
    user = await users.by_email(conn, email)
    if user is not None:
        if await repository.is_bound(conn, settings.issuer, user.id):
            raise Forbidden("Another account of the provider signs in with this email", hint="Ask an admin.")
        await repository.bind(control.database, conn, settings.issuer, subject, user.id, now)
        return user
    if email.rpartition("@")[2] not in settings.allowed_domains:
        raise Forbidden("There is no account for your email address", hint="Ask an admin for an invitation.")
    if role is None:
        raise Forbidden("None of your groups may use Ops-Center", hint="Ask an admin.")
    levels = await read_setting(conn, PowerLevelSettings)
    name = "".join(ch for ch in str(claims.get("name") or "") if ch.isprintable())[:200].strip()
    user = await users.insert(
        control.database,
        conn,
        email=email,
        name=name,
        role=role,
        password_hash=None,
        now=now,
        power_level=levels.default,
    )
    if user is None:
        raise Conflict("A user with this email was made just now", hint="Try again.")
    await repository.bind(control.database, conn, settings.issuer, subject, user.id, now)
    actor = Actor(user_id=user.id, email=user.email, role=user.role, ip_address=address)
    await record(conn, actor, "user.create", "user", user.id, user.email, None, audited(user), at=now)
    return user


async def _again(conn: AsyncConnection, user_id: str) -> UserRow:
    user = await users.by_id(conn, user_id)
    assert user is not None
    return user


async def _settings(control: Control) -> tuple[OidcSettings, str | None]:
    async with control.database.read() as conn:
        settings = await read_setting(conn, OidcSettings)
        secret = await read_secret(conn, control.secrets, OidcSettings, "client_secret")
    if not settings.enabled:
        raise NotFound("Single sign-on is off")
    return settings, secret


def _groups(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    found = claims.get(claim)
    listed = found if isinstance(found, list) else [found]
    return frozenset(group for group in listed if isinstance(group, str))


def _redirect_uri(control: Control) -> str:
    return f"{control.public_url.rstrip('/')}/sso"


def _seal(control: Control, attempt: Attempt) -> str:
    ends = (control.clock() + ATTEMPT_LIFETIME).timestamp()
    text = json.dumps([attempt.state, attempt.nonce, attempt.verifier, ends])
    return base64.urlsafe_b64encode(control.secrets.seal(text, _CONTEXT)).decode()


def _opened(control: Control, sealed: str | None) -> Attempt | None:
    try:
        text = control.secrets.open(base64.urlsafe_b64decode(sealed or ""), _CONTEXT)
        state, nonce, verifier, ends = json.loads(text)
    except (OpsCenterError, ValueError, binascii.Error):
        return None
    if datetime.fromtimestamp(ends, control.clock().tzinfo) <= control.clock():
        return None
    return Attempt(state, nonce, verifier)
