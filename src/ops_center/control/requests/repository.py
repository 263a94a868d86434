"""Pages through usage records, newest first, and reads one with its attempts. Sums are `usage`'s business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, String, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from ops_center.control.paging import Cursor
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.repository import EVERYTHING, Filters, Window
from ops_center.storage.tables import Instant, attempts, plans, usage_records

_r = usage_records.c
_SEARCHED = (
    "request_id",
    "requested_model",
    "model",
    "provider_name",
    "api_key_name",
    "user_email",
    "team_id",
    "team_name",
    "error_type",
)
_INDEXED = frozenset({Dimension.PROVIDER, Dimension.MODEL, Dimension.USER, Dimension.TEAM, Dimension.API_KEY})
_LOOKED_AT = 5000

Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]
RecordRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to leave out; None leaves nothing out."""

    filters: Filters = EVERYTHING
    from_at: datetime | None = None
    to_at: datetime | None = None
    requested_model: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and where the next page begins; None after the last."""

    rows: Sequence[RecordRow]
    next: Cursor | None


async def page(conn: AsyncConnection, wanted: Wanted, cursor: Cursor | None, limit: int) -> Page:
    """Up to `limit` records older than the cursor, newest first.

    Where no index leads to the matches, a page looks at `_LOOKED_AT` records at most, so that it is quick however
    rare they are; it may then hold fewer, and the next one goes on from there.
    """
    query = _newest_first(select(usage_records).where(*_led_to(wanted)), cursor)
    conditions = _looked_for(wanted)
    if not conditions:
        rows = (await conn.execute(query.limit(limit + 1))).all()
        return Page(rows[:limit], cursor_of(rows[limit - 1]) if len(rows) > limit else None)
    some = query.limit(_LOOKED_AT).subquery()
    matching = (
        select(some)
        .where(*(condition(some.c) for condition in conditions))
        .order_by(some.c.started_at.desc(), some.c.request_id.desc())
        .limit(limit + 1)
    )
    rows = (await conn.execute(matching)).all()
    if len(rows) > limit:
        return Page(rows[:limit], cursor_of(rows[limit - 1]))
    keys = query.with_only_columns(_r.started_at, _r.request_id).offset(_LOOKED_AT - 1).limit(1)
    last = (await conn.execute(keys)).one_or_none()
    return Page(rows, None if last is None else Cursor(last.started_at, last.request_id))


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


def _led_to(wanted: Wanted) -> list[ColumnElement[bool]]:
    """The conditions that an index answers, together with the order."""
    led = Filters(
        values={
            dimension: values
            for dimension, values in wanted.filters.values.items()
            if dimension in _INDEXED and len(values) == 1
        }
    )
    conditions = led.hold_records()
    if wanted.from_at is not None:
        conditions.append(_r.started_at >= wanted.from_at)
    if wanted.to_at is not None:
        conditions.append(_r.started_at < wanted.to_at)
    return conditions


def _looked_for(wanted: Wanted) -> list[Callable[[Columns], ColumnElement[bool]]]:
    """All other conditions, on the columns of whatever was led to."""
    filters = wanted.filters
    rest = Filters(
        values={
            dimension: values
            for dimension, values in filters.values.items()
            if values and not (dimension in _INDEXED and len(values) == 1)
        },
        failed=filters.failed,
    )
    conditions: list[Callable[[Columns], ColumnElement[bool]]] = []
    if rest.dimensions:
        conditions.append(lambda columns: and_(*rest.hold_records(columns)))
    if wanted.requested_model is not None:
        conditions.append(lambda columns: columns.requested_model == wanted.requested_model)
    if wanted.search:
        text = wanted.search.lower()
        conditions.append(
            lambda columns: or_(
                *(func.lower(columns[name]).contains(text, autoescape=True) for name in _SEARCHED)
            )
        )
    return conditions
