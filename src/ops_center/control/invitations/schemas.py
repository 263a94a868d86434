"""Invitations as JSON. The link's token is in one answer only: the one to its making."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from ops_center.control.fields import Instant, Name, RequestModel, ResponseModel
from ops_center.control.users.schemas import Email, NewPassword
from ops_center.types import Role

Token = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class InvitationStatus(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Invitation(ResponseModel):
    id: str
    email: str
    role: Role
    status: InvitationStatus
    created_at: Instant
    expires_at: Instant


class InvitationList(ResponseModel):
    invitations: list[Invitation]


class InvitationCreate(RequestModel):
    email: Email
    role: Role = Role.USER
    expires_in_days: Annotated[int, Field(ge=1, le=30)] = 7


class CreatedInvitation(ResponseModel):
    invitation: Invitation
    link: str
    """Opens the account once. It is shown now and never again."""


class InvitationLookup(RequestModel):
    token: Token


class InvitationOffer(ResponseModel):
    """What whoever holds the link is told before they accept."""

    email: str
    role: Role
    expires_at: Instant
    organisation: str


class InvitationAcceptance(RequestModel):
    token: Token
    password: NewPassword
    name: Name | None = None
