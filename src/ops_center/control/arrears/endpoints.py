"""`/llm/unpriced-models`: requests of unknown cost, and what came of them once their model had a price."""

from __future__ import annotations

from ops_center.control.access import Permission, Routes
from ops_center.control.arrears import service
from ops_center.control.arrears.schemas import UnpricedModels
from ops_center.control.context import ControlDep

routes = Routes("unpriced_models", prefix="/llm/unpriced-models")


@routes.get("", permission=Permission.MODELS_READ)
async def list_unpriced_models(control: ControlDep) -> UnpricedModels:
    """Models with requests whose cost is unknown, the most requests first. A price set on the model prices them
    within seconds, from the tokens that were kept."""
    return await service.list_unpriced(control)
