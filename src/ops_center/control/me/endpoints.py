"""`/me`: one's own profile."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.me import service
from ops_center.control.me.schemas import ProfileUpdate
from ops_center.control.users.schemas import User
from ops_center.control.users.service import get_user

routes = Routes("me", prefix="/me")


@routes.get("", permission=Permission.OWN_READ)
async def get_me(control: ControlDep, actor: ActorDep) -> User:
    return await get_user(control, actor.user_id)


@routes.patch("", permission=Permission.OWN_WRITE)
async def update_me(control: ControlDep, actor: ActorDep, body: ProfileUpdate) -> User:
    """Change what is sent."""
    return await service.update_profile(control, actor, body)
