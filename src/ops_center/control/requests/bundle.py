"""One request as a file for a bug report: everything that explains it, nothing that names people or opens a door.

Built from what the request's page shows, and what routing was like then; prompts and answers are part of it only
where they were asked for, as they are kept: redacted.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from typing import Any

from ops_center import __version__
from ops_center.control.bodies.schemas import RequestBodies
from ops_center.control.context import Control
from ops_center.control.requests import service
from ops_center.control.requests.schemas import RequestDetail
from ops_center.control.routing_versions import repository as versions
from ops_center.control.routing_versions.configuration import Configuration
from ops_center.control.routing_versions.repository import VersionRow
from ops_center.storage.migrations import HEAD
from ops_center.telemetry.logging import masked

_REMOVED = "[removed]"
_PEOPLE = ("user_email", "api_key_name", "team_name")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")


async def bundle(control: Control, request_id: str, bodies: RequestBodies | None = None) -> dict[str, Any]:
    """What the file holds, as JSON; `bodies`, as they are kept, where they were asked for. Raises NotFound."""
    request = await service.get_request(control, request_id)
    version = request.plan.routing_version if request.plan else 0
    async with control.database.read() as conn:
        then = await versions.by_version(conn, version)
        now = await versions.newest(conn)
    shown = request.model_dump(mode="json") | dict.fromkeys(_PEOPLE, _REMOVED)
    content: dict[str, Any] = {
        "bundle": {
            "made_at": control.clock().isoformat(),
            "left_out": ("prompts and answers, " if bodies is None else "")
            + "keys and other secrets, addresses of providers, names of users, teams and API keys",
        },
        "versions": {
            "ops_center": __version__,
            "python": platform.python_version(),
            "system": platform.system(),
            "database": control.database.dialect,
            "schema": HEAD,
        },
        "request": shown,
        "routing": {
            "version": version or None,
            "is_current": now is not None and now.version == version,
            "time_limits": {
                name: getattr(control.time_limits, name) for name in control.time_limits.__struct_fields__
            },
            **(_routing(request, then) if then is not None else {}),
        },
    }
    if bodies is not None:
        content["bodies"] = bodies.model_dump(mode="json", include={"request", "answer", "removed"})
    clean: dict[str, Any] = _without_emails(masked(content))
    return clean


def file_name(request_id: str) -> str:
    return f"ops-center-{request_id}.json"


def _routing(request: RequestDetail, row: VersionRow) -> dict[str, Any]:
    """The rules of then, with the providers that stand in the plan; of one that was renamed since, the name of then."""
    whole = Configuration.restored(row.rules, row.config).model_dump(mode="json")
    asked = {one.provider_id for one in request.attempts}
    if request.plan:
        asked |= {one.provider_id for one in request.plan.targets}
        asked |= {one.provider_id for one in request.plan.excluded}
    asked_for = request.requested_model.lower()
    return {
        "rules": whole["rules"],
        "power_levels": whole["power_levels"],
        "alias": whole["aliases"].get(asked_for),
        "providers": {id: state for id, state in whole["providers"].items() if id in asked},
    }


def _without_emails(value: Any) -> Any:
    if isinstance(value, str):
        return _EMAIL.sub(_REMOVED, value)
    if isinstance(value, Mapping):
        return {name: _without_emails(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_emails(inner) for inner in value]
    return value
