"""Prices requests in arrears: those whose model had no price when they were made, once it has one.

Where the price comes from makes no difference: an admin, a provider's list, a newer catalogue. Batch by batch, each
in one transaction with the sums that it changes; which records are left is written in the records themselves, so
that a crash loses nothing and nothing is priced twice. Tokens and costs that were known are never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec
import structlog

from ops_center.catalog.facts import resolve_model_facts
from ops_center.catalog.pricing import NO_PRICE, NO_REQUEST_PRICE, missing_rate, price_units, price_usage
from ops_center.control.arrears import repository
from ops_center.control.arrears.repository import Served, Unpriced
from ops_center.control.arrears.schemas import LatePricing, UnpricedModel, UnpricedModels
from ops_center.control.audit_log.service import record
from ops_center.control.context import Control
from ops_center.storage.journal.rows import RECORD_COLUMNS
from ops_center.storage.rollups.store import Rollups
from ops_center.types import CostSource, Extras, Price, Usage

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 2.0
_AT_LEAST_EVERY = 30  # looks: what came in meanwhile under an older snapshot is found without a change
_BATCH = 100  # records in one transaction: what waits for the loop meanwhile waits some 20 ms
_PAUSE_SECONDS = 0.01  # between two, in which requests and the ingester have their turn
_MOST_SHOWN = 50
_NANO = Decimal(1_000_000_000)
_AT = {name: place for place, name in enumerate(RECORD_COLUMNS)}
_USAGE = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)


async def list_unpriced(control: Control) -> UnpricedModels:
    await control.drain_journal()
    models = []
    async with control.database.read() as conn:
        for each in await repository.unpriced(conn):
            now = await repository.served(conn, each.provider_id, each.model)
            name, type_then = await repository.names_then(conn, each.provider_id, each.model)
            price = _price_now(control, now, type_then, each.model)
            needs: Literal["price", "request_price"] = "price" if price is None else "request_price"
            models.append(
                UnpricedModel(
                    provider_id=each.provider_id,
                    provider_name=now.provider_name if now else name,
                    provider_exists=now is not None,
                    model=each.model,
                    model_id=now.model_id if now else None,
                    needs=needs,
                    requests=each.requests,
                    input_tokens=each.input_tokens,
                    output_tokens=each.output_tokens,
                    first_at=each.first_at,
                    last_at=each.last_at,
                )
            )
        late = await repository.newest(conn, _MOST_SHOWN)
    return UnpricedModels(models=models, late_prices=[_late(row) for row in late])


def _late(row: Any) -> LatePricing:
    price = msgspec.convert(row.price, Price)
    return LatePricing(
        id=row.id,
        provider_name=row.provider_name,
        model=row.model,
        price_source=f"{price.source} {price.as_of}".strip(),
        input_mtok=price.input_mtok,
        output_mtok=price.output_mtok,
        request_usd=price.request_usd,
        input_audio_minute_usd=price.input_audio_minute_usd,
        started_at=row.started_at,
        finished_at=row.finished_at,
        requests=row.records,
        cost_usd=row.cost_usd,
        own_cost_usd=row.own_cost_usd,
        estimated_cost_usd=row.estimated_cost_usd,
        estimated_own_cost_usd=row.estimated_own_cost_usd,
    )


def _price_now(control: Control, now: Served | None, type_then: str, model: str) -> Price | None:
    """What the model costs by what is known today; a provider that is gone goes by the catalogue of its type."""
    if now is None:
        return resolve_model_facts(type_then, model, None, None).price
    return control.publisher.facts_of((now.provider_type, model, now.discovered, now.override)).price


class Arrears:
    """One per server."""

    def __init__(self, control: Control, *, batch: int = _BATCH) -> None:
        self._control = control
        self._batch = batch
        self._rollups = Rollups(control.database.dialect)
        self._in_vain: dict[tuple[str, str], tuple[Price, int]] = {}  # a price that left so many unpriced

    async def run(self) -> None:
        """Look after every change of the configuration, and now and then; outlives whatever the database does."""
        seen, looks = -1, 0
        while True:
            version = self._control.publisher.current.version
            if version != seen or looks >= _AT_LEAST_EVERY:
                try:
                    await self.settle()
                    seen, looks = version, 0
                except Exception as error:  # noqa: BLE001 the next look tries again
                    _log.warning("arrears_not_priced", error=type(error).__name__)
            looks += 1
            await asyncio.sleep(_LOOK_SECONDS)

    async def settle(self) -> int:
        """Price every record that can be; how many those were."""
        async with self._control.database.read() as conn:
            waiting = await repository.unpriced(conn)
        return sum([await self._settle_model(each) for each in waiting])

    async def _settle_model(self, each: Unpriced) -> int:
        async with self._control.database.read() as conn:
            now = await repository.served(conn, each.provider_id, each.model)
            name, type_then = await repository.names_then(conn, each.provider_id, each.model)
        price = _price_now(self._control, now, type_then, each.model)
        key = (each.provider_id, each.model)
        if price is None or self._in_vain.get(key) == (price, each.requests):
            return 0
        priced, after = 0, (-1, "")
        while True:
            count, last = await self._settle_batch(each, now, name, price, after)
            priced += count
            if last is None:
                break
            after = last
            await asyncio.sleep(_PAUSE_SECONDS)
        if priced < each.requests:
            self._in_vain[key] = (price, each.requests - priced)
        return priced

    async def _settle_batch(
        self, each: Unpriced, now: Served | None, name_then: str, price: Price, after: tuple[int, str]
    ) -> tuple[int, tuple[int, str] | None]:
        """How many records of one batch got a cost, and where the next one starts; None after the last."""
        control, at = self._control, self._control.clock()
        async with control.database.write() as conn:
            await self._rollups.take_turn(conn)  # nobody else counts, or prices, the same records
            rows = await repository.batch(conn, each.provider_id, each.model, after, self._batch)
            pairs = [(row, new) for row in rows if (new := priced_row(row, price)) is not None]
            begun = await repository.under_way(conn, each.provider_id, each.model)
            if begun is not None and msgspec.convert(begun.price, Price) != price:
                await self._finish(conn, begun.id, each, now, _totals(begun))
                begun = None
            totals = _totals(begun)
            late_price_id = begun.id if begun else None
            if pairs:
                if late_price_id is None:
                    provider_name = now.provider_name if now else name_then
                    late_price_id = await repository.begin(
                        conn, each.provider_id, provider_name, each.model, price, at
                    )
                before, new_rows = [row for row, _ in pairs], [new for _, new in pairs]
                await repository.price(conn, new_rows, late_price_id)
                await self._rollups.correct(conn, before, new_rows)
                totals = {
                    "records": totals["records"] + len(pairs),
                    "cost_usd": totals["cost_usd"] + _gained(pairs, "cost"),
                    "own_cost_usd": totals["own_cost_usd"] + _gained(pairs, "own_cost"),
                    "estimated_cost_usd": totals["estimated_cost_usd"]
                    + _gained(_guesses(pairs, "cost"), "cost"),
                    "estimated_own_cost_usd": totals["estimated_own_cost_usd"]
                    + _gained(_guesses(pairs, "own_cost"), "own_cost"),
                }
                await repository.change(conn, late_price_id, totals)
            last = len(rows) < self._batch
            if last and late_price_id is not None:
                await self._finish(conn, late_price_id, each, now, totals)
        if last:
            return len(pairs), None
        return len(pairs), (rows[-1][_AT["started_at"]], rows[-1][_AT["request_id"]])

    async def _finish(
        self,
        conn: Any,
        late_price_id: str,
        each: Unpriced,
        now: Served | None,
        totals: Mapping[str, Any],
    ) -> None:
        at = self._control.clock()
        await repository.change(conn, late_price_id, {"finished_at": at})
        await record(
            conn,
            None,
            "model.price_in_arrears",
            "model",
            (now.model_id if now else None) or "",
            each.model,
            None,
            {
                "provider_id": each.provider_id,
                "late_price": late_price_id,
                "requests": totals["records"],
                "cost_usd": totals["cost_usd"],
                "own_cost_usd": totals["own_cost_usd"],
            },
            at=at,
        )


_TOTALS = ("records", "cost_usd", "own_cost_usd", "estimated_cost_usd", "estimated_own_cost_usd")
_Pairs = Sequence[tuple[list[Any], list[Any]]]  # records as they were and as they are


def _totals(begun: Any) -> dict[str, Any]:
    """What a pricing has come to so far; None has just begun."""
    return {name: getattr(begun, name) if begun else 0 for name in _TOTALS}


def _gained(pairs: _Pairs, sum_of: Literal["cost", "own_cost"]) -> Decimal:
    place = _AT[f"{sum_of}_usd"]
    return Decimal(sum((new[place] or 0) - (old[place] or 0) for old, new in pairs)) / _NANO


def _guesses(pairs: _Pairs, sum_of: Literal["cost", "own_cost"]) -> _Pairs:
    """Those whose cost is estimated now."""
    return [pair for pair in pairs if pair[1][_AT[f"{sum_of}_source"]] == CostSource.ESTIMATED]


def priced_row(row: list[Any], price: Price) -> list[Any] | None:
    """A record of unknown cost, as values of RECORD_COLUMNS, with its cost at this price; None where this price
    says nothing about what it used."""
    extras = row[_AT["extras"]]
    counts: dict[str, Any] = {name: int(row[_AT[name]]) for name in _USAGE}
    usage = Usage(
        **counts,
        extras=None if extras is None else msgspec.json.decode(extras, type=Extras),
    )
    note = row[_AT["cost_note"]]
    if usage.input_tokens or usage.output_tokens or (usage.extras and usage.extras.input_audio_seconds):
        cost, guess = price_usage(usage, price), missing_rate(usage, price)
    elif note is not None and note not in (NO_PRICE, NO_REQUEST_PRICE):
        cost, guess = price_usage(usage, price), None  # estimated at nothing
    else:
        cost, guess = (
            price_units(usage.extras.units if usage.extras and usage.extras.units else 1, price),
            None,
        )
    if cost is None:
        return None
    if note in (NO_PRICE, NO_REQUEST_PRICE):
        note = None
    note = note or guess
    nano = int(cost * _NANO)
    source = (CostSource.COMPUTED if note is None else CostSource.ESTIMATED).value
    new = list(row)
    if row[_AT["own_cost_source"]] == CostSource.UNKNOWN:
        new[_AT["own_cost_usd"]], new[_AT["own_cost_source"]] = nano, source
        new[_AT["saved_usd"]] = nano
    if row[_AT["cost_source"]] == CostSource.UNKNOWN:
        new[_AT["cost_usd"]], new[_AT["cost_source"]] = nano, source
    new[_AT["cost_note"]] = note
    new[_AT["price_source"]] = f"{price.source} {price.as_of}"[:100]
    return new
