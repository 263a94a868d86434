"""`/llm/routing/drafts`: policies that are not live, replayed with recorded requests, published or thrown away."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId
from ops_center.control.routing_drafts import service
from ops_center.control.routing_drafts.schemas import (
    Draft,
    DraftCreate,
    DraftList,
    DraftUpdate,
    PublishRequest,
    ReplayRequest,
)
from ops_center.control.routing_versions.schemas import RoutingVersionDetail

routes = Routes("routing drafts", prefix="/llm/routing/drafts")


@routes.get("", permission=Permission.ROUTING_READ)
async def list_routing_drafts(control: ControlDep) -> DraftList:
    """Every draft, the one that was changed last first."""
    return await service.list_drafts(control)


@routes.post("", permission=Permission.ROUTING_WRITE, status_code=201)
async def create_routing_draft(control: ControlDep, actor: ActorDep, body: DraftCreate) -> Draft:
    """A policy that nobody follows yet."""
    return await service.create_draft(control, actor, body)


@routes.get("/{draft_id}", permission=Permission.ROUTING_READ)
async def get_routing_draft(control: ControlDep, draft_id: ObjectId) -> Draft:
    """One draft: how it differs from what is live, and its last replay with progress and result."""
    return await service.get_draft(control, draft_id)


@routes.patch("/{draft_id}", permission=Permission.ROUTING_WRITE)
async def update_routing_draft(control: ControlDep, draft_id: ObjectId, body: DraftUpdate) -> Draft:
    """Change what is sent; `changes` are replaced whole."""
    return await service.update_draft(control, draft_id, body)


@routes.delete("/{draft_id}", permission=Permission.ROUTING_WRITE, status_code=204)
async def throw_routing_draft_away(control: ControlDep, draft_id: ObjectId) -> None:
    """Nothing that is live changes."""
    await service.throw_away(control, draft_id)


@routes.post("/{draft_id}/replay", permission=Permission.ROUTING_WRITE, status_code=202)
async def replay_routing_draft(control: ControlDep, draft_id: ObjectId, body: ReplayRequest) -> Draft:
    """Begin to send the requests of the last days through the live policy and the draft."""
    return await service.start_replay(control, draft_id, body.days)


@routes.post("/{draft_id}/publish", permission=Permission.ROUTING_WRITE)
async def publish_routing_draft(
    control: ControlDep, actor: ActorDep, draft_id: ObjectId, body: PublishRequest
) -> RoutingVersionDetail:
    """Make it live at once, as a new version."""
    return await service.publish(control, actor, draft_id, confirm=body.confirm)
