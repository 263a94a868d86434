"""The rows of invitations. No rules: those are in `service.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy import insert as insert_into
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.invitations.schemas import Invitation, InvitationStatus
from ops_center.storage.tables import invitations
from ops_center.types import Role, new_id

_LISTED = 500
_OPEN = (invitations.c.accepted_at.is_(None), invitations.c.revoked_at.is_(None))


@dataclass(frozen=True, slots=True)
class InvitationRow:
    id: str
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None = None
    revoked_at: datetime | None = None

    def status(self, now: datetime) -> InvitationStatus:
        if self.accepted_at is not None:
            return InvitationStatus.ACCEPTED
        if self.revoked_at is not None:
            return InvitationStatus.REVOKED
        return InvitationStatus.OPEN if self.expires_at > now else InvitationStatus.EXPIRED

    def public(self, now: datetime) -> Invitation:
        return Invitation(
            id=self.id,
            email=self.email,
            role=self.role,
            status=self.status(now),
            created_at=self.created_at,
            expires_at=self.expires_at,
        )


_COLUMNS = (
    invitations.c.id,
    invitations.c.email,
    invitations.c.role,
    invitations.c.created_at,
    invitations.c.expires_at,
    invitations.c.accepted_at,
    invitations.c.revoked_at,
)


def _invitation(row: Row[*tuple[Any, ...]]) -> InvitationRow:
    return InvitationRow(
        row.id,
        row.email,
        Role(row.role),
        row.created_at,
        row.expires_at,
        row.accepted_at,
        row.revoked_at,
    )


async def newest(conn: AsyncConnection) -> Sequence[InvitationRow]:
    query = select(*_COLUMNS).order_by(invitations.c.created_at.desc(), invitations.c.id).limit(_LISTED)
    return [_invitation(row) for row in await conn.execute(query)]


async def by_id(conn: AsyncConnection, invitation_id: str) -> InvitationRow | None:
    found = (await conn.execute(select(*_COLUMNS).where(invitations.c.id == invitation_id))).one_or_none()
    return None if found is None else _invitation(found)


async def by_token(conn: AsyncConnection, token_hash: bytes) -> InvitationRow | None:
    found = await conn.execute(select(*_COLUMNS).where(invitations.c.token_hash == token_hash))
    row = found.one_or_none()
    return None if row is None else _invitation(row)


async def insert(
    conn: AsyncConnection,
    *,
    email: str,
    role: Role,
    token_hash: bytes,
    now: datetime,
    by: str,
    expires_at: datetime,
) -> InvitationRow:
    row = InvitationRow(new_id("inv"), email, role, now, expires_at)
    await conn.execute(
        insert_into(invitations).values(
            id=row.id,
            email=email,
            role=role.value,
            token_hash=token_hash,
            created_at=now,
            created_by=by,
            expires_at=expires_at,
        )
    )
    return row


async def accept(conn: AsyncConnection, invitation_id: str, now: datetime) -> bool:
    """Use it up; True for one caller only, and for none once it has expired."""
    query = update(invitations).where(
        invitations.c.id == invitation_id, *_OPEN, invitations.c.expires_at > now
    )
    return (await conn.execute(query.values(accepted_at=now))).rowcount == 1


async def revoke(conn: AsyncConnection, invitation_id: str, now: datetime) -> bool:
    """Close it, unless it was accepted or revoked before."""
    query = update(invitations).where(invitations.c.id == invitation_id, *_OPEN)
    return (await conn.execute(query.values(revoked_at=now))).rowcount == 1


async def revoke_open(conn: AsyncConnection, email: str, now: datetime) -> None:
    await conn.execute(update(invitations).where(invitations.c.email == email, *_OPEN).values(revoked_at=now))
