"""`/me/api-keys` for oneself, `/llm/api-keys` for admins."""

from __future__ import annotations

from datetime import timedelta

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.api_keys import service
from ops_center.control.api_keys.schemas import (
    ApiKey,
    ApiKeyCreate,
    ApiKeyList,
    ApiKeyRotate,
    ApiKeyUpdate,
    CreatedApiKey,
    OwnedApiKey,
    OwnedApiKeyList,
)
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId

_AT_ONCE = ApiKeyRotate()

routes = Routes("api-keys", prefix="")


@routes.get("/me/api-keys", permission=Permission.OWN_READ)
async def list_my_api_keys(control: ControlDep, actor: ActorDep) -> ApiKeyList:
    """One's own keys, newest first, with what each was used for."""
    return await service.list_own(control, actor)


@routes.post("/me/api-keys", permission=Permission.OWN_KEYS_CREATE, status_code=201)
async def create_my_api_key(control: ControlDep, actor: ActorDep, body: ApiKeyCreate) -> CreatedApiKey:
    """Make a key; its secret is in this answer only."""
    return await service.create(control, actor, body)


@routes.patch("/me/api-keys/{key_id}", permission=Permission.OWN_KEYS_CREATE)
async def update_my_api_key(
    control: ControlDep, actor: ActorDep, key_id: ObjectId, body: ApiKeyUpdate
) -> ApiKey:
    """Change what is sent, at once; the secret and what the key was used for stay."""
    return await service.update_own(control, actor, key_id, body)


@routes.post("/me/api-keys/{key_id}/rotate", permission=Permission.OWN_KEYS_CREATE, status_code=201)
async def rotate_my_api_key(
    control: ControlDep, actor: ActorDep, key_id: ObjectId, body: ApiKeyRotate = _AT_ONCE
) -> CreatedApiKey:
    """A new secret for the same key; the old one stops working at once, or after the grace period."""
    grace = timedelta(seconds=body.grace_seconds)
    return await service.rotate(control, actor, key_id, grace)


@routes.delete("/me/api-keys/{key_id}", permission=Permission.OWN_WRITE, status_code=204)
async def revoke_my_api_key(control: ControlDep, actor: ActorDep, key_id: ObjectId) -> None:
    """Stop a key at once; it stays in the list as revoked."""
    await service.revoke_own(control, actor, key_id)


@routes.get("/llm/api-keys", permission=Permission.API_KEYS_READ)
async def list_api_keys(control: ControlDep) -> OwnedApiKeyList:
    """Everybody's keys, newest first."""
    return OwnedApiKeyList(api_keys=await service.list_all(control))


@routes.patch("/llm/api-keys/{key_id}", permission=Permission.API_KEYS_WRITE)
async def update_api_key(
    control: ControlDep, actor: ActorDep, key_id: ObjectId, body: ApiKeyUpdate
) -> OwnedApiKey:
    """Change anybody's key or a team's, at once."""
    return await service.update_any(control, actor, key_id, body)


@routes.delete("/llm/api-keys/{key_id}", permission=Permission.API_KEYS_WRITE, status_code=204)
async def revoke_api_key(control: ControlDep, actor: ActorDep, key_id: ObjectId) -> None:
    """Stop anybody's key at once."""
    await service.revoke_any(control, actor, key_id)
