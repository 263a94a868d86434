"""Pages through usage records, newest first, and reads one with its attempts. Sums are `usage`'s business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate, takewhile
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    String,
    Text,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from ops_center.control.paging import Cursor
from ops_center.control.usage.conditions import EVERYTHING, Filters
from ops_center.control.usage.dimensions import Dimension
from ops_center.control.usage.windows import Window
from ops_center.storage.tables import Instant, attempts, late_prices, plans, stored_batches, usage_records

_r = usage_records.c
_b = stored_batches.c
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
_MOST_REPLAYS = 50

Columns = ReadOnlyColumnCollection[str, ColumnElement[Any]]
RecordRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to leave out; None leaves nothing out."""

    filters: Filters = EVERYTHING
    from_at: datetime | None = None
    to_at: datetime | None = None
    requested_model: str | None = None
    request_id: str | None = None
    error_types: frozenset[str] = frozenset()
    min_cost_usd: Decimal | None = None
    min_seconds: float | None = None
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


@dataclass(frozen=True, slots=True)
class Stored:
    """Records that were stored after some batch, the newest first. `skipped`: so many more were, and are passed
    over. `interrupted`: what was stored since is not known any more."""

    rows: Sequence[RecordRow]
    number: int
    skipped: int = 0
    interrupted: bool = False


async def newest_batch(conn: AsyncConnection) -> int:
    """The number of the last batch of records that was stored; 0 before the first."""
    return int((await conn.execute(select(func.coalesce(func.max(_b.number), 0)))).scalar_one())


async def stored_after(conn: AsyncConnection, wanted: Wanted, number: int, limit: int) -> Stored:
    """What was stored after a batch, in the order in which it was stored; looks at `_LOOKED_AT` records at most."""
    query = select(_b.number, _b.records, _b.from_at).where(_b.number >= number)
    batches = (await conn.execute(query.order_by(_b.number.desc()))).all()
    newest = batches[0].number if batches else 0
    if number > newest or (batches and batches[-1].number > number + 1):
        return Stored((), await newest_batch(conn), interrupted=True)
    later = [batch for batch in batches if batch.number > number]
    taken = list(takewhile(lambda n: n <= _LOOKED_AT, accumulate(batch.records for batch in later)))
    looked_at = later[: max(1, len(taken))]
    if not looked_at:
        return Stored((), newest)
    looked = _b.number.between(looked_at[-1].number, newest)  # what has come meanwhile is for the next look
    lists = select(_b.request_ids).where(looked).order_by(_b.number)
    ids = [id for text in (await conn.execute(lists)).scalars() for id in msgspec.json.decode(text)]
    place = {id: n for n, id in enumerate(ids)}
    since = _r.started_at >= min(batch.from_at for batch in looked_at)
    conditions = [since, _one_of(conn, ids), *_led_to(wanted), *(each(_r) for each in _looked_for(wanted))]
    rows = (await conn.execute(select(usage_records).where(*conditions))).all()
    rows = sorted(rows, key=lambda row: place[row.request_id], reverse=True)
    passed_over = sum(batch.records for batch in later[len(looked_at) :]) + max(0, len(rows) - limit)
    return Stored(rows[:limit], newest, skipped=passed_over)


async def export(
    conn: AsyncConnection, window: Window, after: Cursor | None, limit: int
) -> Sequence[RecordRow]:
    """Up to `limit` records of a window, newest first, older than the cursor."""
    query = select(usage_records).where(window.holds()).limit(limit)
    return (await conn.execute(_newest_first(query, after))).all()


async def by_id(conn: AsyncConnection, request_id: str) -> RecordRow | None:
    return (await conn.execute(select(usage_records).where(_r.request_id == request_id))).one_or_none()


async def replays_of(conn: AsyncConnection, request_id: str) -> Sequence[RecordRow]:
    """The newest first, `_MOST_REPLAYS` at most."""
    query = select(usage_records).where(_r.replay_of == request_id)
    return (await conn.execute(query.order_by(_r.started_at.desc()).limit(_MOST_REPLAYS))).all()


async def attempts_of(conn: AsyncConnection, request_id: str) -> Sequence[RecordRow]:
    """In the order in which they were made."""
    query = select(attempts).where(attempts.c.request_id == request_id).order_by(attempts.c.number)
    return (await conn.execute(query)).all()


async def plan_of(conn: AsyncConnection, request_id: str) -> str | None:
    """The JSON of its `PlanRecord`."""
    query = select(plans.c.plan).where(plans.c.request_id == request_id)
    return (await conn.execute(query)).scalar_one_or_none()


async def late_price(conn: AsyncConnection, late_price_id: str) -> RecordRow | None:
    return (await conn.execute(select(late_prices).where(late_prices.c.id == late_price_id))).one_or_none()


def cursor_of(row: RecordRow) -> Cursor:
    return Cursor(row.started_at, row.request_id)


def _one_of(conn: AsyncConnection, ids: Sequence[str]) -> ColumnElement[bool]:
    """One parameter however many there are."""
    listed = bindparam("ids", msgspec.json.encode(ids).decode(), type_=Text)
    each = text(_EACH[conn.dialect.name]).bindparams(listed).columns(id=String)
    return _r.request_id.in_(each)


_EACH = {
    "sqlite": "SELECT value AS id FROM json_each(:ids)",
    "postgresql": "SELECT json_array_elements_text(CAST(CAST(:ids AS TEXT) AS JSON)) AS id",
}


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
    if wanted.request_id is not None:
        conditions.append(_r.request_id == wanted.request_id)
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
    if wanted.error_types:
        conditions.append(lambda columns: columns.error_type.in_(wanted.error_types))
    if wanted.min_cost_usd is not None:
        conditions.append(lambda columns: columns.cost_usd >= wanted.min_cost_usd)
    if wanted.min_seconds is not None:
        conditions.append(lambda columns: columns.duration_seconds >= wanted.min_seconds)
    if wanted.search:
        searched = wanted.search.lower()
        conditions.append(
            lambda columns: or_(
                *(func.lower(columns[name]).contains(searched, autoescape=True) for name in _SEARCHED)
            )
        )
    return conditions
