"""`/me/sessions`: where one is signed in; `/users/{user_id}/sessions`: the same for an admin."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId
from ops_center.control.sessions import service
from ops_center.control.sessions.schemas import SessionList

own_routes = Routes("sessions", prefix="/me/sessions")
routes = Routes("sessions", prefix="/users/{user_id}/sessions")


@own_routes.get("", permission=Permission.OWN_READ)
async def list_own_sessions(control: ControlDep, actor: ActorDep) -> SessionList:
    """Where one is signed in, the session used last first."""
    return SessionList(sessions=await service.list_sessions(control, actor, actor.user_id))


@own_routes.delete("", permission=Permission.OWN_WRITE, status_code=204)
async def end_other_sessions(control: ControlDep, actor: ActorDep) -> None:
    """Sign out everywhere else."""
    await service.end_sessions(control, actor, actor.user_id)


@own_routes.delete("/{session_id}", permission=Permission.OWN_WRITE, status_code=204)
async def end_own_session(control: ControlDep, actor: ActorDep, session_id: ObjectId) -> None:
    """Sign out there."""
    await service.end_session(control, actor, actor.user_id, session_id)


@routes.get("", permission=Permission.USERS_READ)
async def list_user_sessions(control: ControlDep, actor: ActorDep, user_id: ObjectId) -> SessionList:
    """Where a user is signed in."""
    return SessionList(sessions=await service.list_sessions(control, actor, user_id))


@routes.delete("", permission=Permission.USERS_WRITE, status_code=204)
async def end_user_sessions(control: ControlDep, actor: ActorDep, user_id: ObjectId) -> None:
    """Sign a user out everywhere, except where it is the session that asks."""
    await service.end_sessions(control, actor, user_id)


@routes.delete("/{session_id}", permission=Permission.USERS_WRITE, status_code=204)
async def end_user_session(
    control: ControlDep, actor: ActorDep, user_id: ObjectId, session_id: ObjectId
) -> None:
    """Sign a user out there."""
    await service.end_session(control, actor, user_id, session_id)
