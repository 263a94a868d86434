"""`/llm/requests`: the ledger, row by row."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from ops_center.control.access import Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import Limit, SearchText
from ops_center.control.requests import service
from ops_center.control.requests.repository import Filters
from ops_center.control.requests.schemas import RequestDetail, RequestPage, RequestStatus

routes = Routes("requests", prefix="/llm/requests")

_Id = Annotated[str | None, Query(max_length=60)]


@routes.get("", permission=Permission.REQUESTS_READ)
async def list_requests(
    control: ControlDep,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    provider_id: _Id = None,
    api_key_id: _Id = None,
    user_id: _Id = None,
    team_id: _Id = None,
    status: RequestStatus | None = None,
    model: Annotated[str | None, Query(max_length=300)] = None,
    search: SearchText | None = None,
) -> RequestPage:
    """Newest first; `cursor` continues where the page before ended. An error is a status of 400 or more."""
    filters = Filters(
        provider_id=provider_id or None,
        api_key_id=api_key_id or None,
        user_id=user_id or None,
        team_id=team_id or None,
        failed=None if status is None else status is RequestStatus.ERROR,
        model=model or None,
        search=search or None,
    )
    return await service.list_requests(control, filters, cursor, limit)


@routes.get("/{request_id}", permission=Permission.REQUESTS_READ)
async def get_request(control: ControlDep, request_id: Annotated[str, Path(max_length=60)]) -> RequestDetail:
    """One request with every call that was made for it."""
    return await service.get_request(control, request_id)
