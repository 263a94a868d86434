"""`/llm/models`: the catalogue of what the configured providers serve."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import Query

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId, SearchText
from ops_center.control.models import service
from ops_center.control.models.repository import Filters
from ops_center.control.models.schemas import (
    Capability,
    Model,
    ModelCreate,
    ModelList,
    ModelsUpdate,
    ModelsUpdated,
    ModelUpdate,
    Sort,
)
from ops_center.control.models.service import Wanted

routes = Routes("models", prefix="/llm/models")


@routes.get("", permission=Permission.MODELS_READ)
async def list_models(
    control: ControlDep,
    search: SearchText | None = None,
    provider_id: Annotated[str | None, Query(max_length=60)] = None,
    enabled: bool | None = None,
    capability: Capability | None = None,
    max_input_mtok: Annotated[Decimal | None, Query(ge=0, le=1_000_000, allow_inf_nan=False)] = None,
    min_context: Annotated[int | None, Query(ge=1, le=1_000_000_000)] = None,
    sort: Sort = "name",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> ModelList:
    """Each word of `search` must be in the name of the model or of its provider. `max_input_mtok` and
    `min_context` leave out models of which nobody knows it; sorted by price, context or score, those of
    which nobody knows it come last."""
    wanted = Wanted(
        filters=Filters(search=search or None, provider_id=provider_id or None, enabled=enabled),
        capability=capability,
        max_input_mtok=max_input_mtok,
        min_context=min_context,
    )
    return await service.list_models(control, wanted, sort, limit, offset)


@routes.patch("", permission=Permission.MODELS_WRITE)
async def switch_models(control: ControlDep, actor: ActorDep, body: ModelsUpdate) -> ModelsUpdated:
    """Enable or disable many models at once."""
    return await service.switch_models(control, actor, body)


@routes.post("", permission=Permission.MODELS_WRITE, status_code=201)
async def create_model(control: ControlDep, actor: ActorDep, body: ModelCreate) -> Model:
    """Add a model by hand, where the provider's own list does not name it."""
    return await service.create_model(control, actor, body)


@routes.get("/{model_id}", permission=Permission.MODELS_READ)
async def get_model(control: ControlDep, model_id: ObjectId) -> Model:
    return await service.get_model(control, model_id)


@routes.patch("/{model_id}", permission=Permission.MODELS_WRITE)
async def update_model(control: ControlDep, actor: ActorDep, model_id: ObjectId, body: ModelUpdate) -> Model:
    """Enable, disable or override; null takes an override back."""
    return await service.update_model(control, actor, model_id, body)


@routes.delete("/{model_id}", permission=Permission.MODELS_WRITE, status_code=204)
async def delete_model(control: ControlDep, actor: ActorDep, model_id: ObjectId) -> None:
    """Remove a model that was entered by hand."""
    await service.delete_model(control, actor, model_id)
