"""`/llm/providers`, their types and their tests."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId
from ops_center.control.providers import service
from ops_center.control.providers.impact import impact_of
from ops_center.control.providers.schemas import (
    Impact,
    Provider,
    ProviderCreate,
    ProviderList,
    ProviderPriorities,
    ProviderTypeList,
    ProviderUpdate,
    RefreshResult,
    TestRequest,
    TestResult,
)
from ops_center.control.providers.types import provider_types

routes = Routes("providers", prefix="/llm")


@routes.get("/provider-types", permission=Permission.PROVIDERS_READ)
async def list_provider_types() -> ProviderTypeList:
    """What can be added, the recommended one first."""
    return ProviderTypeList(provider_types=provider_types())


@routes.get("/providers", permission=Permission.PROVIDERS_READ)
async def list_providers(control: ControlDep) -> ProviderList:
    """The highest priority first, each with its health and the figures of the last 30 days."""
    return ProviderList(providers=await service.list_providers(control))


@routes.post("/providers", permission=Permission.PROVIDERS_WRITE, status_code=201)
async def create_provider(control: ControlDep, actor: ActorDep, body: ProviderCreate) -> Provider:
    """Add a provider; its models are discovered in the background."""
    return await service.create_provider(control, actor, body)


@routes.put("/providers/priorities", permission=Permission.PROVIDERS_WRITE)
async def set_priorities(control: ControlDep, actor: ActorDep, body: ProviderPriorities) -> ProviderList:
    """Several priorities as one change: the order in which providers of the same model are asked."""
    return ProviderList(providers=await service.set_priorities(control, actor, body.priorities))


@routes.get("/providers/{provider_id}", permission=Permission.PROVIDERS_READ)
async def get_provider(control: ControlDep, provider_id: ObjectId) -> Provider:
    return await service.get_provider(control, provider_id)


@routes.patch("/providers/{provider_id}", permission=Permission.PROVIDERS_WRITE)
async def update_provider(
    control: ControlDep, actor: ActorDep, provider_id: ObjectId, body: ProviderUpdate
) -> Provider:
    """Change what is sent; a blank key keeps the old one."""
    return await service.update_provider(control, actor, provider_id, body)


@routes.delete("/providers/{provider_id}", permission=Permission.PROVIDERS_WRITE, status_code=204)
async def delete_provider(control: ControlDep, actor: ActorDep, provider_id: ObjectId) -> None:
    """Remove it with its key and models, at once and for good."""
    await service.delete_provider(control, actor, provider_id)


@routes.get("/providers/{provider_id}/impact", permission=Permission.PROVIDERS_READ)
async def get_provider_impact(control: ControlDep, provider_id: ObjectId) -> Impact:
    """What used it, and which models nobody else would serve."""
    return await impact_of(control, provider_id)


@routes.post("/providers/{provider_id}/test", permission=Permission.PROVIDERS_WRITE)
async def run_provider_test(control: ControlDep, actor: ActorDep, provider_id: ObjectId) -> TestResult:
    """Prove the stored key at no cost; a failure is a result like success."""
    return await service.run_saved_test(control, actor, provider_id)


@routes.post("/test", permission=Permission.PROVIDERS_WRITE)
async def run_connection_test(control: ControlDep, body: TestRequest) -> TestResult:
    """The same for a provider that is not saved yet."""
    return await service.run_unsaved_test(control, body)


@routes.post("/providers/{provider_id}/models/refresh", permission=Permission.PROVIDERS_WRITE)
async def refresh_models(control: ControlDep, provider_id: ObjectId) -> RefreshResult:
    """Look at the provider's own list of models now."""
    return await service.refresh_models(control, provider_id)
