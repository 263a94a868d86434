"""`/me/provider-keys`: one's own keys at providers. `/llm/byok`: what an admin sees of everybody's."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.byok import own_keys, service
from ops_center.control.byok.schemas import (
    ByokSummary,
    ByokUserList,
    OwnKeySettings,
    ProviderKey,
    ProviderKeyList,
    ProviderKeyPut,
    ProviderKeyTest,
    ProviderTypeName,
)
from ops_center.control.context import ControlDep
from ops_center.control.providers.schemas import TestResult

own_routes = Routes("provider keys", prefix="/me/provider-keys")
routes = Routes("byok", prefix="/llm/byok")


@own_routes.get("", permission=Permission.OWN_READ)
async def list_own_provider_keys(control: ControlDep, actor: ActorDep) -> ProviderKeyList:
    """One's own keys with their state and what ran on them, and the policy that holds."""
    return await own_keys.list_keys(control, actor.user_id)


@own_routes.patch("", permission=Permission.OWN_WRITE)
async def update_own_provider_key_settings(
    control: ControlDep, actor: ActorDep, body: OwnKeySettings
) -> ProviderKeyList:
    """Whether the platform's key may serve after one's own has failed."""
    return await own_keys.update_settings(control, actor, body)


@own_routes.put("/{provider_type}", permission=Permission.OWN_WRITE)
async def put_own_provider_key(
    control: ControlDep, actor: ActorDep, provider_type: ProviderTypeName, body: ProviderKeyPut
) -> ProviderKey:
    """Add or replace a key, proven first, or switch it on and off."""
    return await own_keys.put_key(control, actor, provider_type, body)


@own_routes.delete("/{provider_type}", permission=Permission.OWN_WRITE, status_code=204)
async def delete_own_provider_key(
    control: ControlDep, actor: ActorDep, provider_type: ProviderTypeName
) -> None:
    """Remove a key and its secret, at once and for good."""
    await own_keys.delete_key(control, actor, provider_type)


@own_routes.post("/{provider_type}/test", permission=Permission.OWN_WRITE)
async def run_own_provider_key_test(
    control: ControlDep,
    actor: ActorDep,
    provider_type: ProviderTypeName,
    body: Annotated[ProviderKeyTest, Body()] = ProviderKeyTest(),
) -> TestResult:
    """Prove the saved key, or one that is sent along, at no cost."""
    return await own_keys.test_key(control, actor, provider_type, body)


@routes.get("/summary", permission=Permission.BYOK_READ)
async def get_byok_summary(control: ControlDep) -> ByokSummary:
    """How many bring their own keys, and what that saves."""
    return await service.get_summary(control)


@routes.get("/users", permission=Permission.BYOK_READ)
async def list_byok_users(control: ControlDep) -> ByokUserList:
    """Who has own keys, whether they work and what runs on them. Nothing of the keys themselves."""
    return await service.list_users(control)
