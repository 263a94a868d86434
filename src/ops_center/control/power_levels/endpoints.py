"""`/llm/power-levels`: the three levels as they are now, changed with the settings. `/me/power-level`: one's own."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.power_levels import service
from ops_center.control.power_levels.schemas import OwnPowerLevel, PowerLevels

routes = Routes("power levels", prefix="/llm/power-levels")
own_routes = Routes("power levels", prefix="/me/power-level")


@own_routes.get("", permission=Permission.OWN_READ)
async def get_own_power_level(control: ControlDep, actor: ActorDep) -> OwnPowerLevel:
    """One's own level, and how high one may go."""
    return await service.get_own_power_level(control, actor.user_id)


@routes.get("", permission=Permission.ROUTING_READ)
async def get_power_levels(control: ControlDep) -> PowerLevels:
    """Each level with target and measured price, what it picks now, and how many users have it."""
    return await service.get_power_levels(control)
