"""Records of unknown cost, by model and in batches, and the prices that came later. Prices nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Integer,
    Row,
    String,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.journal.rows import RECORD_COLUMNS
from ops_center.storage.tables import Instant, late_prices, models, providers, usage_records
from ops_center.types import Price, new_id

_r = usage_records.c
# word for word the condition of the index
UNPRICED = text("(cost_source = 'unknown' OR own_cost_source = 'unknown')")


@dataclass(frozen=True, slots=True)
class Unpriced:
    """One model's records of unknown cost."""

    provider_id: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Served:
    """A provider, and its model where the provider has one of that name; columns as text."""

    provider_name: str
    provider_type: str
    model_id: str | None
    discovered: str | None
    override: str | None


async def unpriced(conn: AsyncConnection) -> list[Unpriced]:
    """Those with the most requests first; the index holds all of it."""
    query = (
        select(
            _r.provider_id,
            _r.model,
            func.count().label("requests"),
            func.sum(_r.input_tokens).label("input_tokens"),
            func.sum(_r.output_tokens).label("output_tokens"),
            func.min(_r.started_at, type_=Instant).label("first_at"),
            func.max(_r.started_at, type_=Instant).label("last_at"),
        )
        .where(UNPRICED, _r.provider_id.is_not(None), _r.model.is_not(None))
        .group_by(_r.provider_id, _r.model)
        .order_by(literal_column("requests").desc(), _r.provider_id, _r.model)
    )
    return [
        Unpriced(
            row.provider_id,
            row.model,
            row.requests,
            int(row.input_tokens),
            int(row.output_tokens),
            row.first_at,
            row.last_at,
        )
        for row in await conn.execute(query)
    ]


async def served(conn: AsyncConnection, provider_id: str, model: str) -> Served | None:
    """What is configured under these names now; None where the provider is gone."""
    query = (
        select(
            providers.c.name,
            providers.c.type,
            models.c.id,
            cast(models.c.discovered, Text),
            cast(models.c.override, Text),
        )
        .outerjoin(models, (models.c.provider_id == providers.c.id) & (models.c.name == model))
        .where(providers.c.id == provider_id)
    )
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else Served(*row)


async def names_then(conn: AsyncConnection, provider_id: str, model: str) -> tuple[str, str]:
    """What the provider was called, and its type, in the newest record of unknown cost."""
    query = (
        select(_r.provider_name, _r.provider_type)
        .where(UNPRICED, _r.provider_id == provider_id, _r.model == model)
        .order_by(_r.started_at.desc())
        .limit(1)
    )
    row = (await conn.execute(query)).one_or_none()
    return (row.provider_name or "", row.provider_type or "") if row is not None else ("", "")


_BATCH = text(
    f"SELECT {', '.join(RECORD_COLUMNS)} FROM usage_records ".replace(  # noqa: S608 our names
        "tags", "CAST(tags AS TEXT) AS tags"
    ).replace("extras", "CAST(extras AS TEXT) AS extras")
    + f"WHERE {UNPRICED.text} AND provider_id = :provider_id AND model = :model "
    "AND (started_at > :at OR (started_at = :at AND request_id > :id)) "
    "ORDER BY started_at, request_id LIMIT :most"
).bindparams(
    bindparam("provider_id", type_=String()),
    bindparam("model", type_=String()),
    bindparam("at", type_=BigInteger()),
    bindparam("id", type_=String()),
    bindparam("most", type_=Integer()),
)


async def batch(
    conn: AsyncConnection, provider_id: str, model: str, after: tuple[int, str], most: int
) -> list[list[Any]]:
    """Up to `most` records of unknown cost, oldest first, as values of RECORD_COLUMNS; `after` says where the batch
    before ended."""
    asked = {"provider_id": provider_id, "model": model, "at": after[0], "id": after[1], "most": most}
    return [list(row) for row in await conn.execute(_BATCH, asked)]


PRICED_COLUMNS = (
    "cost_usd",
    "cost_source",
    "cost_note",
    "price_source",
    "own_cost_usd",
    "own_cost_source",
    "saved_usd",
)
_PRICE_THEM = text(
    f"UPDATE usage_records SET {', '.join(f'{name} = :{name}' for name in PRICED_COLUMNS)}, "  # noqa: S608 our names
    "late_price_id = :late_price_id WHERE request_id = :request_id AND started_at = :started_at"
).bindparams(
    *(
        bindparam(name, type_=BigInteger() if name.endswith("_usd") else String())
        for name in (*PRICED_COLUMNS, "late_price_id", "request_id")
    ),
    bindparam("started_at", type_=BigInteger()),
)


async def price(conn: AsyncConnection, rows: Sequence[Sequence[Any]], late_price_id: str) -> None:
    """Write what records now cost: values of RECORD_COLUMNS."""
    names = (*PRICED_COLUMNS, "request_id", "started_at")
    places = [(name, RECORD_COLUMNS.index(name)) for name in names]
    await conn.execute(
        _PRICE_THEM,
        [{"late_price_id": late_price_id, **{name: row[place] for name, place in places}} for row in rows],
    )


async def under_way(conn: AsyncConnection, provider_id: str, model: str) -> Row[Any] | None:
    """The pricing of this model that has begun and not ended."""
    query = select(late_prices).where(
        late_prices.c.provider_id == provider_id,
        late_prices.c.model == model,
        late_prices.c.finished_at.is_(None),
    )
    return (await conn.execute(query.order_by(late_prices.c.id).limit(1))).one_or_none()


async def begin(
    conn: AsyncConnection, provider_id: str, provider_name: str, model: str, at_price: Price, now: datetime
) -> str:
    late_price_id = new_id("lpr")
    await conn.execute(
        insert(late_prices).values(
            id=late_price_id,
            provider_id=provider_id,
            provider_name=provider_name,
            model=model,
            price=msgspec.to_builtins(at_price),
            started_at=now,
            finished_at=None,
            records=0,
            cost_usd=Decimal(0),
            own_cost_usd=Decimal(0),
        )
    )
    return late_price_id


async def change(conn: AsyncConnection, late_price_id: str, values: Mapping[str, Any]) -> None:
    await conn.execute(update(late_prices).where(late_prices.c.id == late_price_id).values(**values))


async def newest(conn: AsyncConnection, most: int) -> Sequence[Row[Any]]:
    return (await conn.execute(select(late_prices).order_by(late_prices.c.id.desc()).limit(most))).all()
