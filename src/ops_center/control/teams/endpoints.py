"""`/teams`: who shares a purse, and the service keys of each."""

from __future__ import annotations

from datetime import timedelta

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.api_keys import service as api_keys
from ops_center.control.api_keys.schemas import (
    ApiKeyCreate,
    ApiKeyRotate,
    CreatedApiKey,
    OwnedApiKeyList,
)
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId
from ops_center.control.teams import service
from ops_center.control.teams.schemas import Team, TeamCreate, TeamList, TeamUpdate

_AT_ONCE = ApiKeyRotate()

routes = Routes("teams", prefix="/teams")


@routes.get("", permission=Permission.USERS_READ)
async def list_teams(control: ControlDep) -> TeamList:
    """Every team by name, with who is in it and what this month has cost."""
    return await service.list_teams(control)


@routes.post("", permission=Permission.USERS_WRITE, status_code=201)
async def create_team(control: ControlDep, actor: ActorDep, body: TeamCreate) -> Team:
    """Make a team; users who are named leave the one they are in."""
    return await service.create_team(control, actor, body)


@routes.get("/{team_id}", permission=Permission.USERS_READ)
async def get_team(control: ControlDep, team_id: ObjectId) -> Team:
    """One team, as in the list."""
    return await service.get_team(control, team_id)


@routes.patch("/{team_id}", permission=Permission.USERS_WRITE)
async def update_team(control: ControlDep, actor: ActorDep, team_id: ObjectId, body: TeamUpdate) -> Team:
    """Change what is sent: name, members, policy."""
    return await service.update_team(control, actor, team_id, body)


@routes.delete("/{team_id}", permission=Permission.USERS_WRITE, status_code=204)
async def delete_team(control: ControlDep, actor: ActorDep, team_id: ObjectId) -> None:
    """Dissolve it: its service keys and budgets end, its users and its history stay."""
    await service.delete_team(control, actor, team_id)


@routes.get("/{team_id}/api-keys", permission=Permission.API_KEYS_READ)
async def list_service_keys(control: ControlDep, team_id: ObjectId) -> OwnedApiKeyList:
    """The keys that belong to the team and to no user."""
    return OwnedApiKeyList(api_keys=await api_keys.list_of_team(control, team_id))


@routes.post("/{team_id}/api-keys", permission=Permission.API_KEYS_WRITE, status_code=201)
async def create_service_key(
    control: ControlDep, actor: ActorDep, team_id: ObjectId, body: ApiKeyCreate
) -> CreatedApiKey:
    """Make a service key; its secret is in this answer only."""
    return await api_keys.create(control, actor, body, team_id=team_id)


@routes.post("/{team_id}/api-keys/{key_id}/rotate", permission=Permission.API_KEYS_WRITE, status_code=201)
async def rotate_service_key(
    control: ControlDep,
    actor: ActorDep,
    team_id: ObjectId,
    key_id: ObjectId,
    body: ApiKeyRotate = _AT_ONCE,
) -> CreatedApiKey:
    """A new secret for the same key; the old one stops working at once, or after the grace period."""
    grace = timedelta(seconds=body.grace_seconds)
    return await api_keys.rotate(control, actor, key_id, grace, team_id=team_id)
