"""`/llm/usage` for everybody's figures, `/me/usage` for one's own."""

from __future__ import annotations

from fastapi.responses import StreamingResponse

from ops_center.control.access import ActorDep, Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.usage import export, service
from ops_center.control.usage.repository import Dimension, Filters
from ops_center.control.usage.schemas import Bucket, ExportFormat, OwnUsage, Period, Usage

routes = Routes("usage", prefix="")


@routes.get("/llm/usage", permission=Permission.USAGE_READ)
async def get_usage(control: ControlDep, period: Period = Period.MONTH, bucket: Bucket = Bucket.DAY) -> Usage:
    """Totals, trend, series and shares of a period up to now, and the cards of the last 30 days."""
    return await service.get_usage(control, period, bucket)


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
