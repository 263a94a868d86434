"""`/llm/views`: saved views of usage and requests."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import ObjectId
from ops_center.control.saved_views import service
from ops_center.control.saved_views.schemas import (
    SavedView,
    SavedViewCreate,
    SavedViewList,
    SavedViewUpdate,
    ViewPage,
)

routes = Routes("saved views", prefix="/llm/views")


@routes.get("", permission=Permission.VIEWS_READ)
async def list_saved_views(
    control: ControlDep, actor: ActorDep, page: ViewPage | None = None
) -> SavedViewList:
    """One's own and those that others share, by name; each says what of its filters is gone."""
    return await service.list_views(control, actor, page)


@routes.post("", permission=Permission.VIEWS_WRITE, status_code=201)
async def create_saved_view(control: ControlDep, actor: ActorDep, body: SavedViewCreate) -> SavedView:
    """Keep what a page shows under a name."""
    return await service.create_view(control, actor, body)


@routes.patch("/{view_id}", permission=Permission.VIEWS_WRITE)
async def update_saved_view(
    control: ControlDep, actor: ActorDep, view_id: ObjectId, body: SavedViewUpdate
) -> SavedView:
    """Change what is sent: name, query, whether it is shared, whether the page opens with it."""
    return await service.update_view(control, actor, view_id, body)


@routes.delete("/{view_id}", permission=Permission.VIEWS_WRITE, status_code=204)
async def delete_saved_view(control: ControlDep, actor: ActorDep, view_id: ObjectId) -> None:
    """Gone for everybody it was shared with, too."""
    await service.delete_view(control, actor, view_id)
