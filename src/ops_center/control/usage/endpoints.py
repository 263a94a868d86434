"""`/llm/usage` for everybody's figures, `/me/usage` for one's own."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import Instant
from ops_center.control.usage import export, service
from ops_center.control.usage.conditions import Filters
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.explore import Question, explore
from ops_center.control.usage.filters import FiltersDep
from ops_center.control.usage.schemas import (
    Bucket,
    Explore,
    ExportFormat,
    Metric,
    OwnUsage,
    Period,
    Usage,
)

routes = Routes("usage", prefix="")


@routes.get("/llm/usage", permission=Permission.USAGE_READ)
async def get_usage(control: ControlDep, period: Period = Period.MONTH, bucket: Bucket = Bucket.DAY) -> Usage:
    """Totals, trend, series and shares of a period up to now, and the cards of the last 30 days."""
    return await service.get_usage(control, period, bucket)


@routes.get("/llm/usage/explore", permission=Permission.USAGE_READ)
async def explore_usage(
    control: ControlDep,
    filters: FiltersDep,
    metric: Metric = Metric.COST,
    group: Dimension | None = None,
    period: Period = Period.MONTH,
    from_at: Annotated[Instant | None, Query(description="Instead of `period`; a quarter-hour.")] = None,
    to_at: Annotated[Instant | None, Query(description="The end; now where it is left out.")] = None,
    bucket: Bucket = Bucket.DAY,
    top: Annotated[int, Query(ge=1, le=50, description="How many groups get a line of their own.")] = 8,
) -> Explore:
    """One metric over a window, in all and by group, with the window before and the way to the requests."""
    question = Question(
        metric=metric,
        group=group,
        period=period,
        from_at=from_at,
        to_at=to_at,
        bucket=bucket,
        filters=filters,
        top=top,
    )
    return await explore(control, question)


@routes.get("/llm/usage/export", permission=Permission.USAGE_READ, response_class=StreamingResponse)
async def export_usage(
    control: ControlDep, period: Period = Period.MONTH, format: ExportFormat = ExportFormat.CSV
) -> StreamingResponse:
    """Every usage record of a period up to now, newest first, as a file."""
    name = export.file_name(period, format, control.clock())
    return StreamingResponse(
        export.export(control, period, format),
        media_type=export.MEDIA_TYPES[format],
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


@routes.get("/me/usage", permission=Permission.OWN_READ)
async def get_my_usage(
    control: ControlDep, actor: ActorDep, period: Period = Period.MONTH, bucket: Bucket = Bucket.DAY
) -> OwnUsage:
    """The same of one's own requests alone."""
    return await service.get_own_usage(control, period, bucket, Filters.only(Dimension.USER, actor.user_id))
