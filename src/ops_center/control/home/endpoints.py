"""`/home`: the first page of the console, in one answer."""

from __future__ import annotations

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.home import service
from ops_center.control.home.schemas import Home, Span

routes = Routes("home", prefix="/home")


@routes.get("", permission=Permission.USAGE_READ)
async def get_home(control: ControlDep, actor: ActorDep, span: Span = Span.WEEK) -> Home:
    """Is anything broken, what does it cost, and what changed against the same span before."""
    return await service.get_home(control, actor, span)
