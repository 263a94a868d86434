"""Pages through usage records, newest first, and reads one with its attempts. Sums are `usage`'s business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, String, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.control.paging import Cursor
from ops_center.control.usage.repository import Window
from ops_center.storage.tables import Instant, attempts, plans, usage_records

_r = usage_records.c
_SEARCHED = (
    _r.request_id,
    _r.requested_model,
    _r.model,
    _r.provider_name,
    _r.api_key_name,
    _r.user_email,
    _r.team_id,
    _r.team_name,
    _r.error_type,
)

RecordRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to leave out; None leaves nothing out. `failed`: status 400 and above, or only below."""

    provider_id: str | None = None
    api_key_id: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    failed: bool | None = None
    model: str | None = None
    search: str | None = None


async def page(
    conn: AsyncConnection, filters: Filters, cursor: Cursor | None, limit: int
) -> Sequence[RecordRow]:
    """Up to `limit` records older than the cursor, newest first."""
    query = select(usage_records).where(*_conditions(filters)).limit(limit)
    return (await conn.execute(_newest_first(query, cursor))).all()


async def export(
    conn: AsyncConnection, window: Window, after: Cursor | None, limit: int
) -> Sequence[RecordRow]:
    """Up to `limit` records of a window, newest first, older than the cursor."""
    query = select(usage_records).where(window.holds()).limit(limit)
    return (await conn.execute(_newest_first(query, after))).all()


async def by_id(conn: AsyncConnection, request_id: str) -> RecordRow | None:
    return (await conn.execute(select(usage_records).where(_r.request_id == request_id))).one_or_none()


async def attempts_of(conn: AsyncConnection, request_id: str) -> Sequence[RecordRow]:
    """In the order in which they were made."""
    query = select(attempts).where(attempts.c.request_id == request_id).order_by(attempts.c.number)
    return (await conn.execute(query)).all()


async def plan_of(conn: AsyncConnection, request_id: str) -> str | None:
    """The JSON of its `PlanRecord`."""
    query = select(plans.c.plan).where(plans.c.request_id == request_id)
    return (await conn.execute(query)).scalar_one_or_none()


def cursor_of(row: RecordRow) -> Cursor:
    return Cursor(row.started_at, row.request_id)


def _newest_first(query: Select[*tuple[Any, ...]], cursor: Cursor | None) -> Select[*tuple[Any, ...]]:
    if cursor is not None:
        last = tuple_(literal(cursor.at, Instant), literal(cursor.id, String))
        query = query.where(tuple_(_r.started_at, _r.request_id) < last)
    return query.order_by(_r.started_at.desc(), _r.request_id.desc())


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.provider_id is not None:
        conditions.append(_r.provider_id == filters.provider_id)
    if filters.api_key_id is not None:
        conditions.append(_r.api_key_id == filters.api_key_id)
    if filters.user_id is not None:
        conditions.append(_r.user_id == filters.user_id)
    if filters.team_id is not None:
        conditions.append(_r.team_id == filters.team_id)
    if filters.failed is not None:
        conditions.append(_r.status >= 400 if filters.failed else _r.status < 400)
    if filters.model is not None:
        conditions.append(or_(_r.model == filters.model, _r.requested_model == filters.model))
    if filters.search:
        text = filters.search.lower()
        conditions.append(or_(*(func.lower(column).contains(text, autoescape=True) for column in _SEARCHED)))
    return conditions
