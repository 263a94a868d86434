"""Sessions and the API keys that open the control API: who stands behind a secret, asked at each request.

A session's cookie is 32 random bytes of which the database knows only the SHA-256, so a copy of the
database opens nothing. This module decides nothing about permissions (`access.py`).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request, Response
from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.auth.settings import SignInSettings
from ops_center.control.settings.repository import read_setting
from ops_center.snapshot import api_key_digest
from ops_center.storage.database import Database
from ops_center.storage.tables import api_keys, second_factors, sessions, users
from ops_center.types import Role, Scope, new_id

COOKIE = "ops_center_session"
LIFETIME = timedelta(days=14)
_RENEW_AFTER = timedelta(hours=1)  # a write at most once an hour, not at every request
_MAX_SECRET_LENGTH = 200


@dataclass(frozen=True, slots=True)
class FoundSession:
    token_hash: bytes
    user_id: str
    email: str
    role: Role
    renewed: bool
    second_factor_missing: bool  # the role must have one, and there is none


@dataclass(frozen=True, slots=True)
class FoundApiKey:
    api_key_id: str
    user_id: str
    email: str
    role: Role
    admin_scope: bool


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def find(database: Database, token: str, now: datetime) -> FoundSession | None:
    """The living session of an enabled user, its life extended when that was an hour ago or more."""
    if len(token) > _MAX_SECRET_LENGTH:
        return None
    token_hash = _digest(token)
    query = (
        select(
            users.c.id,
            users.c.email,
            users.c.role,
            sessions.c.last_seen_at,
            sessions.c.method,
            second_factors.c.confirmed_at.label("second_factor_since"),
        )
        .join(users, users.c.id == sessions.c.user_id)
        .outerjoin(second_factors, second_factors.c.user_id == users.c.id)
        .where(
            sessions.c.token_hash == token_hash, sessions.c.expires_at > now, users.c.disabled_at.is_(None)
        )
    )
    async with database.read() as conn:
        row = (await conn.execute(query)).one_or_none()
        missing = row is not None and row.second_factor_since is None
        # The provider of single sign-on asks for its own second factor.
        missing = missing and row is not None and row.method != "oidc"
        if row is not None and missing:
            missing = row.role in (await read_setting(conn, SignInSettings)).second_factor_roles
    if row is None:
        return None
    renewed = now - row.last_seen_at >= _RENEW_AFTER
    if renewed:
        async with database.write() as conn:
            await conn.execute(
                update(sessions)
                .where(sessions.c.token_hash == token_hash)
                .values(last_seen_at=now, expires_at=now + LIFETIME)
            )
    return FoundSession(token_hash, row.id, row.email, Role(row.role), renewed, missing)


async def find_api_key_owner(database: Database, secret: str, now: datetime) -> FoundApiKey | None:
    """The living API key with this secret and its enabled owner, found by the secret's hash alone."""
    if len(secret) > _MAX_SECRET_LENGTH:
        return None
    digest = api_key_digest(secret)
    query = (
        select(
            api_keys.c.id, api_keys.c.scope, api_keys.c.expires_at, users.c.id, users.c.email, users.c.role
        )
        .join(users, users.c.id == api_keys.c.user_id)
        .where(
            or_(
                api_keys.c.secret_hash == digest,
                and_(api_keys.c.previous_secret_hash == digest, api_keys.c.previous_secret_ends_at > now),
            ),
            api_keys.c.revoked_at.is_(None),
            users.c.disabled_at.is_(None),
        )
    )
    async with database.read() as conn:
        row = (await conn.execute(query)).one_or_none()
    if row is None:
        return None
    key_id, scope, expires_at, user_id, email, role = row
    if expires_at is not None and expires_at <= now:
        return None
    return FoundApiKey(key_id, user_id, email, Role(role), scope == Scope.ADMIN)


async def start(
    conn: AsyncConnection, user_id: str, now: datetime, *, method: str, address: str, user_agent: str
) -> str:
    """A new session's token, for the cookie. Sessions that have ended are cleared away in passing."""
    token = secrets.token_urlsafe(32)
    await conn.execute(delete(sessions).where(sessions.c.expires_at <= now))
    await conn.execute(
        insert(sessions).values(
            token_hash=_digest(token),
            id=new_id("ses"),
            method=method,
            user_id=user_id,
            created_at=now,
            expires_at=now + LIFETIME,
            last_seen_at=now,
            ip_address=address[:64],
            user_agent="".join(ch for ch in user_agent if ch.isprintable())[:400],
        )
    )
    return token


async def end(conn: AsyncConnection, token: str) -> None:
    await conn.execute(delete(sessions).where(sessions.c.token_hash == _digest(token)))


async def end_all(conn: AsyncConnection, user_id: str, *, but: bytes | None = None) -> None:
    """End every session of a user, except the one with the hash `but`."""
    query = delete(sessions).where(sessions.c.user_id == user_id)
    await conn.execute(query if but is None else query.where(sessions.c.token_hash != but))


def set_cookie(response: Response, request: Request, token: str) -> None:
    """Hand the session to the browser; Secure whenever the page came over https."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=is_https(request),
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response, request: Request) -> None:
    response.delete_cookie(COOKIE, path="/", secure=is_https(request), httponly=True, samesite="lax")


def is_https(request: Request) -> bool:
    # Behind a proxy that ends TLS the socket speaks http, but the browser's Origin still says https.
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
