"""`/settings`: what an admin sets while the server runs."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.settings import service
from ops_center.control.settings.schemas import Settings, SettingsUpdate

routes = Routes("settings", prefix="/settings")


@routes.get("", permission=Permission.SETTINGS_READ)
async def get_settings(control: ControlDep) -> Settings:
    """Every setting, the ones that nobody changed with their defaults."""
    return await service.get_settings(control)


@routes.patch("", permission=Permission.SETTINGS_WRITE)
async def update_settings(control: ControlDep, actor: ActorDep, body: SettingsUpdate) -> Settings:
    """Change what is sent, field by field; it holds at once and after a restart."""
    return await service.update_settings(control, actor, body)
