"""What may happen to invitations: made, looked at by whoever holds the link, accepted once, revoked.

The link is made of the configured public address and of nothing that a caller sends; the database knows only
its token's hash. Sending it to the invited person is the inviter's part.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.auth import passwords
from ops_center.control.auth.service import start_session
from ops_center.control.context import Control
from ops_center.control.invitations import repository
from ops_center.control.invitations.repository import InvitationRow
from ops_center.control.invitations.schemas import (
    CreatedInvitation,
    Invitation,
    InvitationAcceptance,
    InvitationCreate,
    InvitationOffer,
    InvitationStatus,
)
from ops_center.control.power_levels.settings import PowerLevelSettings
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import read_setting
from ops_center.control.users import repository as users
from ops_center.control.users.repository import UserRow
from ops_center.control.users.service import audited
from ops_center.errors import Conflict, Forbidden, NotFound

_ASK_AGAIN = "Ask an admin for a new invitation."
_CLOSED = {
    InvitationStatus.ACCEPTED: ("This invitation was used already", "Sign in instead."),
    InvitationStatus.EXPIRED: ("This invitation has expired", _ASK_AGAIN),
    InvitationStatus.REVOKED: ("This invitation was revoked", _ASK_AGAIN),
}
_TAKEN = "A user with this email exists already"


async def list_invitations(control: Control) -> list[Invitation]:
    now = control.clock()
    async with control.database.read() as conn:
        return [row.public(now) for row in await repository.newest(conn)]


async def create_invitation(control: Control, actor: Actor, wanted: InvitationCreate) -> CreatedInvitation:
    """Invite; an open invitation of the same email is revoked. Raises Conflict naming `email` for a user's."""
    now, token = control.clock(), secrets.token_urlsafe(32)
    async with control.database.write() as conn:
        if await users.by_email(conn, wanted.email) is not None:
            raise Conflict(_TAKEN, param="email")
        await repository.revoke_open(conn, wanted.email, now)
        row = await repository.insert(
            conn,
            email=wanted.email,
            role=wanted.role,
            token_hash=_digest(token),
            now=now,
            by=actor.user_id,
            expires_at=now + timedelta(days=wanted.expires_in_days),
        )
        await record(
            conn,
            actor,
            "invitation.create",
            "invitation",
            row.id,
            row.email,
            None,
            {"email": row.email, "role": row.role.value, "expires_at": row.expires_at.isoformat()},
            at=now,
        )
    link = f"{control.public_url.rstrip('/')}/invite?token={token}"
    return CreatedInvitation(invitation=row.public(now), link=link)


async def revoke_invitation(control: Control, actor: Actor, invitation_id: str) -> None:
    """Raises NotFound, or Conflict when it was accepted; to revoke one twice changes nothing."""
    now = control.clock()
    async with control.database.write() as conn:
        row = await repository.by_id(conn, invitation_id)
        if row is None:
            raise NotFound("There is no invitation with this id")
        if row.status(now) is InvitationStatus.ACCEPTED:
            raise Conflict("This invitation was accepted already", hint="Disable the user instead.")
        if await repository.revoke(conn, invitation_id, now):
            await record(conn, actor, "invitation.revoke", "invitation", row.id, row.email, at=now)


async def look_up(control: Control, token: str) -> InvitationOffer:
    """What the link offers. Raises Forbidden, saying why, when it opens nothing."""
    async with control.database.read() as conn:
        row = await _open(control, conn, token)
        organisation = await read_setting(conn, OrganisationSettings)
    return InvitationOffer(
        email=row.email, role=row.role, expires_at=row.expires_at, organisation=organisation.name
    )


async def accept(
    control: Control, wanted: InvitationAcceptance, *, address: str, user_agent: str
) -> tuple[UserRow, str]:
    """Make the account that was offered and sign it in: the user and the session's token.

    Raises Forbidden when the link opens nothing, Conflict when the email has got a user since.
    """
    async with control.database.read() as conn:
        await _open(control, conn, wanted.token)  # before a hash is computed for a stranger
    password_hash = await passwords.hash_password(wanted.password.get_secret_value())
    now = control.clock()
    async with control.database.write() as conn:
        row = await _open(control, conn, wanted.token)
        if not await repository.accept(conn, row.id, now):
            raise Forbidden("This invitation was used already", hint="Sign in instead.")
        levels = await read_setting(conn, PowerLevelSettings)
        user = await users.insert(
            control.database,
            conn,
            email=row.email,
            name=wanted.name or "",
            role=row.role,
            password_hash=password_hash,
            now=now,
            power_level=levels.default,
        )
        if user is None:
            raise Conflict(_TAKEN, hint="Sign in instead.")
        actor = Actor(user_id=user.id, email=user.email, role=user.role, ip_address=address)
        after = audited(user) | {"invitation": row.id}
        await record(conn, actor, "invitation.accept", "user", user.id, user.email, None, after, at=now)
    token = await start_session(control, user, method="invitation", address=address, user_agent=user_agent)
    return user, token


async def _open(control: Control, conn: AsyncConnection, token: str) -> InvitationRow:
    row = await repository.by_token(conn, _digest(token))
    if row is None:
        raise Forbidden("This invitation link is not valid", hint=_ASK_AGAIN)
    closed = _CLOSED.get(row.status(control.clock()))
    if closed is not None:
        raise Forbidden(closed[0], hint=closed[1])
    return row


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
