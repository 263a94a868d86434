"""`/llm/requests/{id}/replay`: a kept request, sent again."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.replays import service
from ops_center.control.replays.schemas import ReplayCreate, ReplayOptions, RequestReplay

routes = Routes("replays", prefix="/llm/requests")

RequestId = Annotated[str, Path(max_length=60)]


@routes.get("/{request_id}/replay", permission=Permission.BODIES_READ)
async def get_replay_options(control: ControlDep, request_id: RequestId) -> ReplayOptions:
    """Whether a request can be sent again, and to whom; calls nobody and shows nothing of what was asked."""
    return await service.options(control, request_id)


@routes.post("/{request_id}/replay", permission=Permission.BODIES_READ)
async def replay_request(
    control: ControlDep, actor: ActorDep, request_id: RequestId, body: ReplayCreate
) -> RequestReplay:
    """Sends the kept prompt again, on one's own API key, and answers when the replay has ended, well or not. It costs
    what any request costs, and the platform's key of the provider pays."""
    return await service.replay(control, actor, request_id, body)
