"""control/arrears: what had no price is listed, priced once it has one, once, and the sums with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select, update

from clock import Clock
from ledger_rows import add_records, record
from ops_center.catalog.pricing import NO_PRICE, NO_REQUEST_PRICE
from ops_center.control.arrears import repository
from ops_center.control.arrears.service import Arrears
from ops_center.control.budgets.repository import Subject, spent
from ops_center.control.context import Control
from ops_center.control.usage.repository import sums
from ops_center.control.usage.sums import total
from ops_center.control.usage.windows import Window
from ops_center.storage.database import Database
from ops_center.storage.rollups.verify import verify
from ops_center.storage.tables import late_prices, models, providers, usage_records
from ops_center.types import BudgetScope, Extras, new_id

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MODEL = "own-1"


async def configure(control: Control, *names: str, type: str = "custom") -> dict[str, str]:
    """A provider with these models, none of which has a price; ids by name."""
    ids = {name: new_id("mdl") for name in names}
    async with control.database.write() as conn:
        await conn.execute(
            providers.insert().values(
                id="prov_own", name="House", type=type, base_url="http://house.test/v1", enabled=True,
                priority=50, auto_fallback=True, allow_private_network=True, created_at=NOW, updated_at=NOW,
            )
        )  # fmt: skip
        for name, id in ids.items():
            await conn.execute(
                models.insert().values(
                    id=id, provider_id="prov_own", name=name, enabled=True, origin="manual",
                    first_seen_at=NOW, last_seen_at=NOW,
                )
            )  # fmt: skip
    await control.publisher.publish()
    return ids


def of_house(at: datetime, **fields: Any) -> dict[str, Any]:
    unknown = {"cost_usd": None, "cost_note": NO_PRICE} if "cost_usd" not in fields else {}
    house = {"provider_id": "prov_own", "provider_name": "House", "provider_type": "custom", "model": MODEL}
    return record(at, **house | unknown | fields)


def one_of_each() -> dict[str, dict[str, Any]]:
    """Records of unknown cost of all kinds, and one whose cost is known."""
    tokens = {"input_tokens": 1000, "output_tokens": 100}
    own = {"credential_source": "byok", "cost_usd": Decimal(0), "cost_source": "computed"}
    return {
        "plain": of_house(NOW - timedelta(days=40), **tokens),
        "cached": of_house(NOW - timedelta(days=2), **tokens, cache_read_tokens=600, reasoning_tokens=50),
        "guess": of_house(
            NOW - timedelta(days=1), **tokens, cost_note="the provider sent no usage", status=502
        ),
        "tier": of_house(NOW, **tokens, extras={"service_tier": "priority"}),
        "pictures": of_house(
            NOW, input_tokens=0, output_tokens=0, extras={"units": 3}, cost_note=NO_REQUEST_PRICE
        ),
        "sound": of_house(
            NOW, input_tokens=0, output_tokens=0, extras={"input_audio_seconds": 90}, cost_note=NO_PRICE
        ),
        "own key": of_house(
            NOW, **tokens, **own, own_cost_usd=None, own_cost_source="unknown", cost_note=NO_PRICE
        ),
        "known": of_house(NOW, **tokens, cost_usd=Decimal("0.5"), price_source="override 2026-11-01"),
    }


async def rows_of(database: Database, wanted: dict[str, dict[str, Any]]) -> dict[str, Any]:
    async with database.read() as conn:
        found = {row.request_id: row for row in await conn.execute(select(usage_records))}
    return {name: found[row["request_id"]] for name, row in wanted.items()}


async def test_what_had_no_price_is_priced_by_the_price_that_came(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    clock.now = NOW
    ids = await configure(control, MODEL)
    given = one_of_each()
    await add_records(control.database, given.values())

    listed = (await control_client.get("/llm/unpriced-models")).json()
    assert listed["late_prices"] == []
    [one] = listed["models"]
    assert one == {
        "provider_id": "prov_own",
        "provider_name": "House",
        "provider_exists": True,
        "model": MODEL,
        "model_id": ids[MODEL],
        "needs": "price",
        "requests": 7,
        "input_tokens": 5000,
        "output_tokens": 500,
        "first_at": "2026-10-14T12:00:00Z",
        "last_at": "2026-11-23T12:00:00Z",
    }
    arrears = Arrears(control, batch=2)
    assert await arrears.settle() == 0, "nothing can be priced without a price"

    prices = {"input_mtok": 2, "output_mtok": 10, "cache_read_mtok": 0.5}
    answer = await control_client.patch(f"/llm/models/{ids[MODEL]}", json=prices)
    assert answer.status_code == 200, answer.text
    assert await arrears.settle() == 5
    assert await arrears.settle() == 0, "and once only"

    rows = await rows_of(control.database, given)
    plain, cached, guess = rows["plain"], rows["cached"], rows["guess"]
    assert (plain.cost_usd, plain.cost_source, plain.cost_note) == (Decimal("0.003"), "computed", None)
    assert plain.price_source == "override 2026-11-23"
    assert cached.cost_usd == Decimal("0.0021")  # 400 x 2 + 600 x 0.5 + 100 x 10, per million
    assert (guess.cost_usd, guess.cost_source) == (Decimal("0.003"), "estimated")
    assert guess.cost_note == "the provider sent no usage"
    assert (rows["tier"].cost_source, "priority" in rows["tier"].cost_note) == ("estimated", True)
    own = rows["own key"]
    assert (own.cost_usd, own.own_cost_usd, own.saved_usd) == (0, Decimal("0.003"), Decimal("0.003"))
    assert (own.cost_source, own.own_cost_source) == ("computed", "computed")
    assert (rows["pictures"].cost_usd, rows["pictures"].cost_source) == (None, "unknown")
    assert (rows["known"].cost_usd, rows["known"].late_price_id) == (Decimal("0.5"), None)
    assert (await verify(control.database)).problem is None

    # the pictures wait for a price per request
    listed = (await control_client.get("/llm/unpriced-models")).json()
    assert [(each["needs"], each["requests"]) for each in listed["models"]] == [("request_price", 2)]
    [late] = listed["late_prices"]
    assert (late["requests"], late["cost_usd"], late["own_cost_usd"]) == (5, 0.0111, 0.003)
    assert (late["estimated_cost_usd"], late["estimated_own_cost_usd"]) == (0.006, 0)  # "guess" and "tier"
    assert late["finished_at"] is not None
    await control_client.patch(f"/llm/models/{ids[MODEL]}", json={"input_audio_minute_usd": 0.006})
    assert await arrears.settle() == 1
    assert (await rows_of(control.database, given))["sound"].cost_usd == Decimal("0.009")
    await control_client.patch(f"/llm/models/{ids[MODEL]}", json={"request_usd": 0.04})
    assert await arrears.settle() == 1
    assert (await rows_of(control.database, given))["pictures"].cost_usd == Decimal("0.12")
    assert (await control_client.get("/llm/unpriced-models")).json()["models"] == []

    # one request says when and by which price
    detail = (await control_client.get(f"/llm/requests/{plain.request_id}")).json()
    assert detail["priced_later"]
    assert detail["late_price"]["source"] == "override 2026-11-23"
    assert detail["late_price"]["id"] == late["id"]
    assert [(line["what"], line["usd"]) for line in detail["price_lines"]] == [
        ("input", 0.002),
        ("output", 0.001),
    ]
    entries = (await control_client.get("/audit-log", params={"action": "model.price_in_arrears"})).json()
    assert [entry["after"]["requests"] for entry in entries["entries"]] == [1, 1, 5]
    assert (await verify(control.database)).problem is None


async def test_a_crash_between_two_batches_neither_loses_nor_doubles(control: Control, clock: Clock) -> None:
    clock.now = NOW
    ids = await configure(control, MODEL)
    given = {
        str(n): of_house(NOW - timedelta(minutes=n), input_tokens=1000, output_tokens=0) for n in range(25)
    }
    await add_records(control.database, given.values())
    async with control.database.write() as conn:
        price = {"input_mtok": "1", "output_mtok": "2", "as_of": "2026-11-23"}
        await conn.execute(update(models).where(models.c.id == ids[MODEL]).values(override=price))

    class Crash(Exception):
        pass

    async def crash(*_: object, **__: object) -> None:
        raise Crash

    first = Arrears(control, batch=10)
    correct, count = first._rollups.correct, 0

    async def correct_once(*values: Any) -> None:
        nonlocal count
        count += 1
        await (crash() if count == 2 else correct(*values))

    first._rollups.correct = correct_once  # type: ignore[method-assign]
    with pytest.raises(Crash):
        await first.settle()
    async with control.database.read() as conn:
        begun = (await conn.execute(select(late_prices))).one()
        left = await repository.unpriced(conn)
    assert (begun.records, begun.cost_usd, begun.finished_at) == (10, Decimal("0.01"), None)
    assert [each.requests for each in left] == [15]
    assert (await verify(control.database)).problem is None

    assert await Arrears(control, batch=10).settle() == 15
    async with control.database.read() as conn:
        ended = (await conn.execute(select(late_prices))).one()
        whole = total(await sums(conn, Window.last(None, NOW)))
    assert (ended.id, ended.records, ended.cost_usd) == (begun.id, 25, Decimal("0.025"))
    assert ended.finished_at == NOW
    assert (whole.cost_usd, whole.unknown_cost_calls, whole.calls) == (Decimal("0.025"), 0, 25)
    assert (await verify(control.database)).problem is None


async def test_the_catalogue_may_bring_the_price_and_past_budgets_show_it(
    control: Control, clock: Clock
) -> None:
    clock.now = NOW
    await configure(control, "gpt-4o", type="openai")
    october, tokens = datetime(2026, 10, 5, tzinfo=UTC), {"input_tokens": 1_000_000, "output_tokens": 0}
    given = {"then": of_house(october, model="gpt-4o", provider_type="openai", **tokens)}
    await add_records(control.database, given.values())
    assert await Arrears(control).settle() == 1
    row = (await rows_of(control.database, given))["then"]
    assert (row.cost_usd, row.price_source) == (Decimal("2.5"), "models.dev 2026-07-02")
    subject = Subject(
        BudgetScope.PROVIDER, "prov_own", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    )
    async with control.database.read() as conn:
        found = (await spent(conn, [subject]))[subject]
    assert (found.cost_usd, found.unknown) == (Decimal("2.5"), 0)


async def test_a_deleted_providers_requests_stay_listed(
    control: Control, control_client: httpx.AsyncClient, clock: Clock
) -> None:
    clock.now = NOW
    await add_records(control.database, [of_house(NOW)])
    [one] = (await control_client.get("/llm/unpriced-models")).json()["models"]
    assert (one["provider_name"], one["provider_exists"], one["model_id"]) == ("House", False, None)
    assert await Arrears(control).settle() == 0


async def test_the_list_is_read_from_its_index_alone(database: Database) -> None:
    if database.dialect == "postgresql":
        return  # it plans by size
    async with database.read() as conn:
        query = (
            "SELECT provider_id, model, count(*), sum(input_tokens), min(started_at) FROM usage_records "
            f"WHERE {repository.UNPRICED.text} AND provider_id IS NOT NULL GROUP BY provider_id, model"
        )
        plan = (await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")).all()
    assert "ix_usage_records_unpriced" in str(plan)


def test_extras_in_a_row_are_what_the_journal_wrote() -> None:
    assert msgspec.json.encode(Extras(units=3)) == b'{"units":3}'
