"""`/llm/routing/versions`: every change of where traffic goes, and the way back to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import Limit
from ops_center.control.routing_versions import service
from ops_center.control.routing_versions.schemas import (
    RollbackRequest,
    RoutingVersionDetail,
    RoutingVersionList,
)

routes = Routes("routing versions", prefix="/llm/routing/versions")

VersionNumber = Annotated[int, Path(ge=1, le=2_147_483_647)]


@routes.get("", permission=Permission.ROUTING_READ)
async def list_routing_versions(
    control: ControlDep, limit: Limit = 50, cursor: str | None = None
) -> RoutingVersionList:
    """The newest first; `next_cursor` leads to older ones."""
    return await service.list_versions(control, limit, cursor)


@routes.get("/{version}", permission=Permission.ROUTING_READ)
async def get_routing_version(control: ControlDep, version: VersionNumber) -> RoutingVersionDetail:
    """What it changed, what has changed since, the whole of it, and what a return to it would do."""
    return await service.get_version(control, version)


@routes.post("/{version}/rollback", permission=Permission.ROUTING_WRITE)
async def roll_back_routing(
    control: ControlDep, actor: ActorDep, version: VersionNumber, body: RollbackRequest
) -> RoutingVersionDetail:
    """Bring back what held under this version, as a new version that serves at once."""
    return await service.roll_back(control, actor, version, confirm=body.confirm)
