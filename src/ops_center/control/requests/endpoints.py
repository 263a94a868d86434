"""`/llm/requests`: the ledger, row by row."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, Path, Query
from fastapi.responses import JSONResponse

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.bodies.service import get_bodies
from ops_center.control.context import ControlDep
from ops_center.control.fields import Instant, Limit, SearchText
from ops_center.control.requests import bundle, service
from ops_center.control.requests.repository import Wanted
from ops_center.control.requests.schemas import ErrorType, RequestDetail, RequestPage, RequestTail
from ops_center.control.usage.filters import FiltersDep
from ops_center.errors import Forbidden

_REQUEST_ID = re.compile(r"req_[0-9a-f]{26}")

routes = Routes("requests", prefix="/llm/requests")


def _wanted(
    filters: FiltersDep,
    from_at: Annotated[Instant | None, Query(description="Started then or later.")] = None,
    to_at: Annotated[Instant | None, Query(description="Started before then.")] = None,
    requested_model: Annotated[str | None, Query(max_length=300)] = None,
    error_type: Annotated[list[ErrorType] | None, Query(description="Failed with one of these.")] = None,
    min_cost_usd: Annotated[Decimal | None, Query(ge=0, le=1_000_000, allow_inf_nan=False)] = None,
    min_duration_ms: Annotated[int | None, Query(ge=0, le=86_400_000)] = None,
    search: SearchText | None = None,
) -> Wanted:
    """A `search` for a whole request id finds that request at once."""
    is_id = search is not None and _REQUEST_ID.fullmatch(search)
    return Wanted(
        filters=filters,
        from_at=from_at,
        to_at=to_at,
        requested_model=requested_model or None,
        request_id=search if is_id else None,
        error_types=frozenset(error_type or ()),
        min_cost_usd=min_cost_usd,
        min_seconds=None if min_duration_ms is None else min_duration_ms / 1000,
        search=None if is_id else search or None,
    )


WantedDep = Annotated[Wanted, Depends(_wanted)]


@routes.get("", permission=Permission.REQUESTS_READ)
async def list_requests(
    control: ControlDep,
    wanted: WantedDep,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> RequestPage:
    """Newest first; `cursor` continues where the page before ended, also where a page of a search is short or
    empty: it looks at some thousand requests at a time."""
    return await service.list_requests(control, wanted, cursor, limit)


@routes.get("/tail", permission=Permission.REQUESTS_READ)
async def tail_requests(
    control: ControlDep,
    wanted: WantedDep,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`stored` of the answer before.")] = 0,
    limit: Limit = 200,
) -> RequestTail:
    """What has been stored since another answer, in the order in which it was; to be asked every second or so."""
    return await service.tail(control, wanted, after, limit)


@routes.get("/{request_id}", permission=Permission.REQUESTS_READ)
async def get_request(control: ControlDep, request_id: Annotated[str, Path(max_length=60)]) -> RequestDetail:
    """One request with every call that was made for it."""
    return await service.get_request(control, request_id)


@routes.get("/{request_id}/bundle", permission=Permission.REQUESTS_READ, response_class=JSONResponse)
async def get_request_bundle(
    control: ControlDep,
    actor: ActorDep,
    request_id: Annotated[str, Path(max_length=60)],
    bodies: Annotated[
        bool, Query(description="With prompt and answer as they are kept; for admins.")
    ] = False,
) -> JSONResponse:
    """A file for a bug report: the request, its plan and the routing of then; no secret, nobody's name. With
    `bodies` it is a look at prompt and answer, and stands in the audit log as one."""
    if bodies and not actor.may(Permission.BODIES_READ):
        raise Forbidden("Your role does not allow prompts and answers", param="bodies")
    kept = await get_bodies(control, actor, request_id) if bodies else None
    content = await bundle.bundle(control, request_id, kept)
    name = bundle.file_name(content["request"]["id"])
    return JSONResponse(content, headers={"content-disposition": f'attachment; filename="{name}"'})
