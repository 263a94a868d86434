"""Reads the ledger for people: a page of requests, one request with its attempts.

Everything was written by the data plane when the request ended; nothing is computed again here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ops_center.catalog.pricing import price_lines
from ops_center.control.access import Actor
from ops_center.control.bodies.repository import is_kept
from ops_center.control.context import Control
from ops_center.control.paging import Cursor
from ops_center.control.requests import repository
from ops_center.control.requests.repository import RecordRow, Wanted
from ops_center.control.requests.schemas import (
    Attempt,
    DroppedParameter,
    LatePrice,
    PriceLine,
    Request,
    RequestDetail,
    RequestPage,
    RequestTail,
)
from ops_center.control.routing.plan import shown_plan
from ops_center.control.usage.repository import requests_kept_from
from ops_center.errors import NotFound
from ops_center.plan_record import PlanRecord, decoded
from ops_center.types import CostSource, Extras, Price, Usage


async def list_requests(control: Control, wanted: Wanted, cursor: str | None, limit: int) -> RequestPage:
    """Newest first. Raises Invalid naming `cursor` for one that was not made here."""
    start = Cursor.decode(cursor) if cursor else None
    await control.drain_journal()
    async with control.database.read() as conn:
        stored = await repository.newest_batch(conn)  # before the rows: what comes between is in both
        page = await repository.page(conn, wanted, start, limit)
        kept_from = await requests_kept_from(conn)
    return RequestPage(
        requests=[Request(**record_fields(row)) for row in page.rows],
        next_cursor=None if page.next is None else page.next.encode(),
        stored=stored,
        kept_from=kept_from,
    )


async def tail(control: Control, wanted: Wanted, after: int, limit: int) -> RequestTail:
    """What was stored since. Does not hurry the journal: a record is there within about a second by itself."""
    async with control.database.read() as conn:
        found = await repository.stored_after(conn, wanted, after, limit)
    return RequestTail(
        requests=[Request(**record_fields(row)) for row in found.rows],
        stored=found.number,
        skipped=found.skipped,
        interrupted=found.interrupted,
    )


async def get_request(control: Control, request_id: str) -> RequestDetail:
    """Raises NotFound."""
    await control.drain_journal()
    async with control.database.read() as conn:
        row = await repository.by_id(conn, request_id)
        attempts = await repository.attempts_of(conn, request_id) if row is not None else ()
        kept = await repository.plan_of(conn, request_id) if row is not None else None
        bodies_kept = await is_kept(conn, request_id)
        replays = await repository.replays_of(conn, request_id)
        late = (
            await repository.late_price(conn, row.late_price_id)
            if row is not None and row.late_price_id is not None
            else None
        )
    if row is None:
        raise await _not_found(control)
    plan = decoded(kept) if kept is not None else None
    return RequestDetail(
        **record_fields(row),
        late_price=None
        if late is None
        else LatePrice(id=late.id, priced_at=late.started_at, source=row.price_source or ""),
        attempts=[_attempt(attempt) for attempt in attempts],
        plan=None if plan is None else shown_plan(plan),
        price_lines=_price_lines(row, _price_of(plan, late)),
        dropped=[]
        if plan is None
        else [DroppedParameter(parameter=name, reason=reason) for name, reason in plan.dropped],
        bodies_kept=bodies_kept,
        replays=[Request(**record_fields(replay)) for replay in replays],
    )


async def get_own_request(control: Control, actor: Actor, request_id: str) -> Request:
    """One of the caller's own. Raises NotFound for somebody else's too."""
    await control.drain_journal()
    async with control.database.read() as conn:
        row = await repository.by_id(conn, request_id)
    if row is None or row.user_id != actor.user_id:
        raise NotFound("There is no request with this id")
    return Request(**record_fields(row))


async def _not_found(control: Control) -> NotFound:
    async with control.database.read() as conn:
        kept_from = await requests_kept_from(conn)
    hint = f"Requests from before {kept_from:%Y-%m-%d} are no longer kept." if kept_from else None
    return NotFound("There is no request with this id", hint=hint)


def _price_of(plan: PlanRecord | None, late: RecordRow | None) -> Price | None:
    """What a request was priced at: the price it got later, else the one of then."""
    if late is not None:
        return msgspec.convert(late.price, Price)
    return None if plan is None else plan.price


def _price_lines(row: RecordRow, price: Price | None) -> list[PriceLine]:
    source = row.own_cost_source or row.cost_source
    if price is None or source not in (CostSource.COMPUTED, CostSource.ESTIMATED):
        return []
    usage = usage_of(row)
    if usage == Usage():
        return []
    return [PriceLine(**line._asdict()) for line in price_lines(usage, price)]


def usage_of(row: RecordRow) -> Usage:
    """What a record counts."""
    return Usage(
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_tokens=row.cache_write_tokens,
        cache_write_1h_tokens=row.cache_write_1h_tokens,
        reasoning_tokens=row.reasoning_tokens,
        extras=None if row.extras is None else msgspec.convert(row.extras, Extras),
    )


def record_fields(row: RecordRow) -> dict[str, Any]:
    """A usage record as the fields of `Request`."""
    return {
        "id": row.request_id,
        "started_at": row.started_at,
        "duration_ms": milliseconds(row.duration_seconds),
        "queue_ms": milliseconds(row.queue_seconds),
        "time_to_first_chunk_ms": milliseconds(row.time_to_first_chunk_seconds),
        "endpoint": row.endpoint,
        "status": row.status,
        "error_type": row.error_type,
        "finish_reason": row.finish_reason,
        "stream": row.stream,
        "requested_model": row.requested_model,
        "strategy": row.strategy,
        "provider_id": row.provider_id,
        "provider_name": row.provider_name,
        "provider_type": row.provider_type,
        "model": row.model,
        "api_key_id": row.api_key_id,
        "api_key_name": row.api_key_name,
        "user_id": row.user_id,
        "user_email": row.user_email,
        "team_id": row.team_id,
        "team_name": row.team_name,
        "credential": row.credential_source,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cache_read_tokens": row.cache_read_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": row.cost_usd,
        "cost_source": row.cost_source,
        "cost_note": row.cost_note,
        "price_source": row.price_source,
        "listed_cost_usd": row.listed_cost_usd,
        "priced_later": row.late_price_id is not None,
        "own_cost_usd": row.own_cost_usd,
        "own_cost_source": row.own_cost_source,
        "saved_usd": row.saved_usd,
        "fallback_from": row.fallback_from,
        "replay_of": row.replay_of,
        "demo": row.demo,
    }


def milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _attempt(row: RecordRow) -> Attempt:
    return Attempt(
        number=row.number,
        provider_id=row.provider_id,
        provider_name=row.provider_name,
        model=row.model,
        started_at=row.started_at,
        duration_ms=round(row.duration_seconds * 1000),
        time_to_first_chunk_ms=milliseconds(row.time_to_first_chunk_seconds),
        status=row.status,
        outcome=row.outcome,
        detail=row.detail,
        credential=row.credential_source,
    )
