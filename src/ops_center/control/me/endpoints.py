"""`/me`: one's own profile, and what one's own requests cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.me import service
from ops_center.control.me.schemas import Activity, OwnModels, ProfileUpdate
from ops_center.control.requests.schemas import Request
from ops_center.control.requests.service import get_own_request
from ops_center.control.users.schemas import User
from ops_center.control.users.service import get_user

routes = Routes("me", prefix="/me")


@routes.get("", permission=Permission.OWN_READ)
async def get_me(control: ControlDep, actor: ActorDep) -> User:
    return await get_user(control, actor.user_id)


@routes.get("/activity", permission=Permission.OWN_READ)
async def get_my_activity(control: ControlDep, actor: ActorDep) -> Activity:
    """When one's own keys last called: cheap enough to be asked every other second."""
    return await service.get_activity(control, actor)


@routes.get("/models", permission=Permission.OWN_READ)
async def list_my_models(control: ControlDep, actor: ActorDep) -> OwnModels:
    """Which names one may send as the model, before one has a key to ask with."""
    return service.list_models(control, actor)


@routes.patch("", permission=Permission.OWN_WRITE)
async def update_me(control: ControlDep, actor: ActorDep, body: ProfileUpdate) -> User:
    """Change what is sent."""
    return await service.update_profile(control, actor, body)


@routes.get("/requests/{request_id}", permission=Permission.OWN_READ)
async def get_my_request(
    control: ControlDep, actor: ActorDep, request_id: Annotated[str, Path(max_length=60)]
) -> Request:
    """One request of one's own API keys: who served it and what it cost. There as soon as it was answered."""
    return await get_own_request(control, actor, request_id)
