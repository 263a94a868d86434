"""What may happen to sessions: seen and ended. How they begin is in `auth/`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, select

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.control.sessions.schemas import Session
from ops_center.control.users import repository as users
from ops_center.errors import NotFound
from ops_center.storage.tables import sessions


async def list_sessions(control: Control, actor: Actor, user_id: str) -> list[Session]:
    """The living sessions of a user, the one used last first. Raises NotFound for an unknown user."""
    query = (
        select(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.expires_at > control.clock())
        .order_by(sessions.c.last_seen_at.desc(), sessions.c.created_at.desc(), sessions.c.id)
    )
    async with control.database.read() as conn:
        if await users.by_id(conn, user_id) is None:
            raise NotFound("There is no user with this id")
        rows = (await conn.execute(query)).all()
    return [
        Session(
            id=row.id,
            method=row.method,
            ip_address=row.ip_address,
            user_agent=row.user_agent,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=row.expires_at,
            current=row.token_hash == actor.session_hash,
        )
        for row in rows
    ]


async def end_session(control: Control, actor: Actor, user_id: str, session_id: str) -> None:
    """End one of a user's sessions. Raises NotFound when it is not there, or is another user's."""
    if not await _end(control, actor, user_id, sessions.c.id == session_id):
        raise NotFound("There is no session with this id")


async def end_sessions(control: Control, actor: Actor, user_id: str) -> None:
    """End every session of a user but the one that asks. Raises NotFound for an unknown user."""
    others = sessions.c.token_hash != (actor.session_hash or b"")
    await _end(control, actor, user_id, others)


async def _end(control: Control, actor: Actor, user_id: str, which: ColumnElement[bool]) -> int:
    async with control.database.write() as conn:
        user = await users.by_id(conn, user_id)
        if user is None:
            raise NotFound("There is no user with this id")
        ended = (await conn.execute(delete(sessions).where(sessions.c.user_id == user_id, which))).rowcount
        if ended:
            after = {"sessions": ended}
            await record(
                conn, actor, "session.end", "user", user.id, user.email, None, after, at=control.clock()
            )
    return ended
