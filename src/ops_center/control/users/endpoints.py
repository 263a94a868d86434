"""`/users`: an admin's view of the people."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId
from ops_center.control.users import service
from ops_center.control.users.schemas import User, UserCreate, UserList, UserUpdate

routes = Routes("users", prefix="/users")


@routes.get("", permission=Permission.USERS_READ)
async def list_users(control: ControlDep) -> UserList:
    """Everybody, by email."""
    return UserList(users=await service.list_users(control))


@routes.post("", permission=Permission.USERS_WRITE, status_code=201)
async def create_user(control: ControlDep, actor: ActorDep, body: UserCreate) -> User:
    """Add somebody. 409 when the email is taken."""
    return await service.create_user(control, actor, body)


@routes.get("/{user_id}", permission=Permission.USERS_READ)
async def get_user(control: ControlDep, user_id: ObjectId) -> User:
    return await service.get_user(control, user_id)


@routes.patch("/{user_id}", permission=Permission.USERS_WRITE)
async def update_user(control: ControlDep, actor: ActorDep, user_id: ObjectId, body: UserUpdate) -> User:
    """Change what is sent. Disabling ends the user's sessions and API keys at once."""
    return await service.update_user(control, actor, user_id, body)
