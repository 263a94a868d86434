"""Reads what was kept of one request: for admins alone, and each look is in the audit log."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from ops_center.control.access import Actor
from ops_center.control.audit_log.service import record
from ops_center.control.bodies import repository
from ops_center.control.bodies.keeper import Bodies
from ops_center.control.bodies.schemas import KeptBody, RequestBodies
from ops_center.control.bodies.settings import BodySettings
from ops_center.control.context import Control
from ops_center.control.requests.repository import by_id
from ops_center.control.settings.repository import read_setting
from ops_center.errors import NotFound


async def get_bodies(control: Control, actor: Actor, request_id: str) -> RequestBodies:
    """Raises NotFound, with what to do where nothing is kept."""
    kept = await opened(control, request_id)
    async with control.database.write() as conn:
        await record(
            conn, actor, "request.bodies_view", "request", request_id, request_id, at=control.clock()
        )
    return kept


async def opened(control: Control, request_id: str) -> RequestBodies:
    """What is kept of a request; whoever shows it to somebody records that look first. Raises NotFound."""
    await control.drain_journal()
    async with control.database.read() as conn:
        row = await by_id(conn, request_id)
        sealed = await repository.sealed_of(conn, request_id)
        settings = await read_setting(conn, BodySettings)
    if row is None or sealed is None:
        raise NotFound(
            "Nothing is kept of this request's prompt and answer",
            hint=None if settings.keep else "Storing them is off: see the settings.",
        )
    box = await repository.box_of_bodies(control.database, control.secrets, control.clock())
    bodies = msgspec.json.decode(box.open(sealed, f"bodies:{request_id}"), type=Bodies)
    return RequestBodies(
        request_id=request_id,
        request=KeptBody(content=bodies.request.content, complete=bodies.request.complete),
        answer=KeptBody(content=bodies.answer.content, complete=bodies.answer.complete),
        removed=bodies.removed,
        deleted_at=row.started_at + timedelta(days=settings.days),
    )
