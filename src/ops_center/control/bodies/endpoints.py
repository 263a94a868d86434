"""`/llm/requests/{id}/bodies`: a kept prompt and its answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.bodies import service
from ops_center.control.bodies.schemas import RequestBodies
from ops_center.control.context import ControlDep

routes = Routes("bodies", prefix="/llm/requests")


@routes.get("/{request_id}/bodies", permission=Permission.BODIES_READ)
async def get_request_bodies(
    control: ControlDep, actor: ActorDep, request_id: Annotated[str, Path(max_length=60)]
) -> RequestBodies:
    """What was asked and answered, redacted; whoever looks stands in the audit log."""
    return await service.get_bodies(control, actor, request_id)
