"""`/llm/savings`: what the last 30 days could have cost less by."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.savings import service
from ops_center.control.savings.schemas import Savings

routes = Routes("savings", prefix="/llm/savings")


@routes.get("", permission=Permission.USAGE_READ)
async def get_savings(control: ControlDep, actor: ActorDep) -> Savings:
    """Advice from the traffic of the last 30 days, each with its money, its evidence and what is assumed."""
    return await service.get_savings(control, actor)
