"""`/llm/requests`: the ledger, row by row."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from ops_center.control.access import Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import Instant, Limit, SearchText
from ops_center.control.requests import service
from ops_center.control.requests.repository import Wanted
from ops_center.control.requests.schemas import RequestDetail, RequestPage
from ops_center.control.usage.filters import FiltersDep

routes = Routes("requests", prefix="/llm/requests")


@routes.get("", permission=Permission.REQUESTS_READ)
async def list_requests(
    control: ControlDep,
    filters: FiltersDep,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    from_at: Annotated[Instant | None, Query(description="Started then or later.")] = None,
    to_at: Annotated[Instant | None, Query(description="Started before then.")] = None,
    requested_model: Annotated[str | None, Query(max_length=300)] = None,
    search: SearchText | None = None,
) -> RequestPage:
    """Newest first; `cursor` continues where the page before ended, also where a page of a search is short or
    empty: it looks at some thousand requests at a time."""
    wanted = Wanted(
        filters=filters,
        from_at=from_at,
        to_at=to_at,
        requested_model=requested_model or None,
        search=search or None,
    )
    return await service.list_requests(control, wanted, cursor, limit)


@routes.get("/{request_id}", permission=Permission.REQUESTS_READ)
async def get_request(control: ControlDep, request_id: Annotated[str, Path(max_length=60)]) -> RequestDetail:
    """One request with every call that was made for it."""
    return await service.get_request(control, request_id)
