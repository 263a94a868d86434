"""`/llm/power-levels`: the three levels as they are now. They are changed with the settings."""

from __future__ import annotations

from ops_center.control.access import Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.power_levels import service
from ops_center.control.power_levels.schemas import PowerLevels

routes = Routes("power levels", prefix="/llm/power-levels")


@routes.get("", permission=Permission.ROUTING_READ)
async def get_power_levels(control: ControlDep) -> PowerLevels:
    """Each level with target and measured price, what it picks now, and how many users have it."""
    return await service.get_power_levels(control)
