"""The rows of drafts, and recorded requests with their plans, oldest first. No rules: those are in `service.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.tables import Instant, models, plans, routing_drafts, usage_records

_d, _p, _r = routing_drafts.c, plans.c, usage_records.c
_PLANNED = usage_records.join(plans, _p.request_id == _r.request_id)
_SHARES = 4096  # the last three digits of a request's id, which are random, tell it from others
_CHUNK = 500

RecordedRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRow:
    """`replay`: the last one as JSON (`service.py`), with the number of its run."""

    id: str
    name: str
    changes: dict[str, Any]
    created_at: datetime
    created_by_email: str
    updated_at: datetime
    replay: dict[str, Any] | None


async def listed(conn: AsyncConnection) -> Sequence[DraftRow]:
    """The one that was changed last, first."""
    rows = await conn.execute(select(routing_drafts).order_by(_d.updated_at.desc(), _d.id))
    return [DraftRow(**row._mapping) for row in rows]


async def count(conn: AsyncConnection) -> int:
    return int((await conn.execute(select(func.count()).select_from(routing_drafts))).scalar_one())


async def by_id(conn: AsyncConnection, draft_id: str, *, lock: bool = False) -> DraftRow | None:
    """With `lock`, nobody else changes it before this transaction ends."""
    query = select(routing_drafts).where(_d.id == draft_id)
    row = (await conn.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else DraftRow(**row._mapping)


async def add(conn: AsyncConnection, row: DraftRow) -> None:
    await conn.execute(
        insert(routing_drafts).values({name: getattr(row, name) for name in DraftRow.__slots__})
    )


async def change(conn: AsyncConnection, draft_id: str, values: Mapping[str, Any]) -> None:
    if values:
        await conn.execute(update(routing_drafts).where(_d.id == draft_id).values(**values))


async def remove(conn: AsyncConnection, draft_id: str) -> None:
    await conn.execute(delete(routing_drafts).where(_d.id == draft_id))


async def models_by_id(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Provider id and name of each that there is."""
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(ids), _CHUNK):
        query = select(models.c.id, models.c.provider_id, models.c.name).where(
            models.c.id.in_(ids[start : start + _CHUNK])
        )
        found |= {row.id: (row.provider_id, row.name) for row in await conn.execute(query)}
    return found


# ── what is replayed ──────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Span:
    """What started after `from_at` and not after `to_at`; of `share` of 4096, by the requests' ids."""

    from_at: datetime
    to_at: datetime
    share: int = _SHARES

    @property
    def sampled(self) -> bool:
        return self.share < _SHARES

    def of_at_most(self, most: int, total: int) -> Span:
        """The same span, thinned out evenly until about `most` are left."""
        share = _SHARES if total <= most else max(1, _SHARES * most // total)
        return Span(self.from_at, self.to_at, share)

    def _holds(self) -> ColumnElement[bool]:
        condition = and_(_r.started_at > self.from_at, _r.started_at <= self.to_at)
        if self.sampled:
            digits = func.substr(_r.request_id, func.length(_r.request_id) - 2)
            condition = and_(condition, digits < f"{self.share:03x}")
        return condition


async def recorded_count(conn: AsyncConnection, span: Span) -> int:
    query = select(func.count()).select_from(_PLANNED).where(span._holds())
    return int((await conn.execute(query)).scalar_one())


async def requests_count(conn: AsyncConnection, span: Span) -> int:
    """All of the span, with or without a plan."""
    query = (
        select(func.count())
        .select_from(usage_records)
        .where(_r.started_at > span.from_at, _r.started_at <= span.to_at)
    )
    return int((await conn.execute(query)).scalar_one())


async def recorded(
    conn: AsyncConnection, span: Span, after: tuple[datetime, str] | None, limit: int
) -> Sequence[RecordedRow]:
    """Up to `limit` requests with their plans, oldest first, after the one with this instant and id."""
    query = (
        select(
            _r.request_id,
            _r.started_at,
            _p.plan,
            _r.endpoint,
            _r.status,
            _r.api_key_id,
            _r.user_id,
            _r.provider_id,
            _r.model,
            _r.credential_source,
            _r.input_tokens,
            _r.output_tokens,
            _r.cache_read_tokens,
            _r.cache_write_tokens,
            _r.cache_write_1h_tokens,
            _r.reasoning_tokens,
            _r.cost_usd,
            _r.cost_source,
            _r.own_cost_source,
            _r.extras.is_not(None).label("billed_apart"),
        )
        .select_from(_PLANNED)
        .where(span._holds())
        .order_by(_r.started_at, _r.request_id)
        .limit(limit)
    )
    if after is not None:
        position = tuple_(literal(after[0], Instant()), literal(after[1]))
        query = query.where(tuple_(_r.started_at, _r.request_id) > position)
    return (await conn.execute(query)).all()


async def measured_speeds(conn: AsyncConnection, span: Span) -> dict[str, tuple[float, float]]:
    """By model id: seconds to the first chunk and per output token, of the span's successful answers."""
    query = (
        select(
            models.c.id,
            func.avg(_r.time_to_first_chunk_seconds).label("first"),
            func.sum(_r.duration_seconds).label("seconds"),
            func.count().label("calls"),
            func.sum(_r.output_tokens).label("tokens"),
        )
        .join(models, and_(models.c.provider_id == _r.provider_id, models.c.name == _r.model))
        .where(
            _r.started_at > span.from_at,
            _r.started_at <= span.to_at,
            _r.status == 200,
            _r.output_tokens > 0,
        )
        .group_by(models.c.id)
    )
    found = {}
    for row in await conn.execute(query):
        first = float(row.first or 0.0)
        rest = max(float(row.seconds) - first * int(row.calls), 0.0)
        found[row.id] = (first, rest / int(row.tokens))
    return found
