"""`/system` and the API's own document: what a signed-in console asks first."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Request

from ops_center import __version__
from ops_center.control import openapi
from ops_center.control.access import Permission, Routes
from ops_center.control.context import ControlDep
from ops_center.control.fields import TimeLimits
from ops_center.control.settings.organisation import OrganisationSettings
from ops_center.control.settings.repository import read_setting
from ops_center.control.system.schemas import SystemAnswer

routes = Routes("system", prefix="")


@routes.get("/system", permission=Permission.SYSTEM_READ)
async def get_system(control: ControlDep) -> SystemAnswer:
    async with control.database.read() as conn:
        organisation = await read_setting(conn, OrganisationSettings)
    return SystemAnswer(
        version=__version__,
        demo=control.demo,
        base_url=f"{control.public_url.rstrip('/')}/v1",
        organisation=organisation.name or None,
        time_zone=organisation.time_zone,
        time_limits=TimeLimits(**msgspec.structs.asdict(control.time_limits)),
    )


@routes.get("/openapi.json", permission=Permission.SYSTEM_READ, include_in_schema=False)
async def get_openapi_document(request: Request) -> dict[str, Any]:
    """The document of this API."""
    return openapi.document(request.app)
