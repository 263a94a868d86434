"""`/invitations`: an admin's view, and the two doors for whoever holds a link."""

from __future__ import annotations

from fastapi import Request, Response

from ops_center.control.access import PUBLIC, ActorDep, Permission, Routes, client_address
from ops_center.control.auth import sessions
from ops_center.control.auth.schemas import SignedIn
from ops_center.control.auth.service import lacks_second_factor
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId
from ops_center.control.invitations import service
from ops_center.control.invitations.schemas import (
    CreatedInvitation,
    InvitationAcceptance,
    InvitationCreate,
    InvitationList,
    InvitationLookup,
    InvitationOffer,
)

routes = Routes("invitations", prefix="/invitations")


@routes.get("", permission=Permission.USERS_READ)
async def list_invitations(control: ControlDep) -> InvitationList:
    """The newest 500, newest first. Their links are not among it."""
    return InvitationList(invitations=await service.list_invitations(control))


@routes.post("", permission=Permission.USERS_WRITE, status_code=201)
async def create_invitation(
    control: ControlDep, actor: ActorDep, body: InvitationCreate
) -> CreatedInvitation:
    """Invite somebody by a link that works once; an older open one for the same email ends. 409 for a user."""
    return await service.create_invitation(control, actor, body)


@routes.delete("/{invitation_id}", permission=Permission.USERS_WRITE, status_code=204)
async def revoke_invitation(control: ControlDep, actor: ActorDep, invitation_id: ObjectId) -> None:
    """Close a link that nobody used. 409 when it was accepted."""
    await service.revoke_invitation(control, actor, invitation_id)


@routes.post("/lookup", permission=PUBLIC)
async def look_up_invitation(control: ControlDep, body: InvitationLookup) -> InvitationOffer:
    """What a link offers; 403, saying why, when it opens nothing."""
    return await service.look_up(control, body.token)


@routes.post("/accept", permission=PUBLIC)
async def accept_invitation(
    control: ControlDep, request: Request, response: Response, body: InvitationAcceptance
) -> SignedIn:
    """Make the account that a link offers, with a password of one's own, and sign in."""
    user, token = await service.accept(
        control,
        body,
        address=client_address(request),
        user_agent=request.headers.get("user-agent", ""),
    )
    sessions.set_cookie(response, request, token)
    return SignedIn(user=user.public(), second_factor_missing=await lacks_second_factor(control, user))
