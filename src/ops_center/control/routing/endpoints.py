"""`/llm/routing/rules` and `/llm/route`."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.routing import service
from ops_center.control.routing.schemas import RouteExplain, RoutePlan, RoutingRules, RoutingRulesUpdate

routes = Routes("routing", prefix="/llm")


@routes.get("/routing/rules", permission=Permission.ROUTING_READ)
async def get_routing_rules(control: ControlDep) -> RoutingRules:
    """The strategy that holds, with target and measured price and what each strategy picks now."""
    return await service.get_rules(control)


@routes.put("/routing/rules", permission=Permission.ROUTING_WRITE)
async def update_routing_rules(
    control: ControlDep, actor: ActorDep, body: RoutingRulesUpdate
) -> RoutingRules:
    """Merge; what is left out stays as it was."""
    return await service.update_rules(control, actor, body)


@routes.post("/route", permission=Permission.ROUTING_READ)
async def explain_route(control: ControlDep, body: RouteExplain) -> RoutePlan:
    """Where a request would go and why, without sending it."""
    return await service.explain(control, body)
