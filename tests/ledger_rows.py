"""Rows of the ledger for tests: plain ones with what a test cares about, and a random year of them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ops_center.storage.database import Database
from ops_center.storage.partitions import Partitions
from ops_center.storage.rollups.rebuild import close, rebuild
from ops_center.storage.rollups.store import Rollups
from ops_center.storage.tables import attempts, usage_records
from ops_center.types import CostSource, CredentialSource, Usage, UsageRecord, new_id


def record(started_at: datetime, **fields: Any) -> dict[str, Any]:
    """One usage record as a row: a successful chat of 100 and 50 tokens for $0.001, unless said otherwise."""
    row: dict[str, Any] = {
        "request_id": new_id("req"),
        "started_at": started_at,
        "duration_seconds": 0.5,
        "time_to_first_chunk_seconds": None,
        "endpoint": "chat/completions",
        "status": 200,
        "error_type": None,
        "finish_reason": "stop",
        "stream": False,
        "requested_model": "gpt-4o",
        "strategy": None,
        "api_key_id": "key_1",
        "api_key_name": "laptop",
        "user_id": "usr_1",
        "user_email": "one@example.com",
        "team_id": None,
        "team_name": None,
        "provider_id": "prov_1",
        "provider_name": "OpenAI",
        "provider_type": "openai",
        "model": "gpt-4o",
        "credential_source": "platform",
        "input_tokens": 100,
        "output_tokens": 50,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": Decimal("0.001"),
        "cost_source": "computed",
        "cost_note": None,
        "price_source": "models.dev 2026-07-02",
        "listed_cost_usd": None,
        "extras": None,
        "late_price_id": None,
        "replay_of": None,
        "own_cost_usd": None,
        "own_cost_source": None,
        "saved_usd": None,
        "fallback_from": None,
        "tags": None,
        "fingerprint": None,
        "opening": None,
        "opening_tokens": None,
        "demo": False,
    }
    if fields.get("cost_usd", ...) is None:
        fields = {"cost_source": "unknown", "price_source": None} | fields
    assert fields.keys() <= row.keys(), fields.keys() - row.keys()
    return row | fields


def attempt(request_id: str, started_at: datetime, number: int = 1, **fields: Any) -> dict[str, Any]:
    """One call to a provider as a row: a success of half a second."""
    return {
        "request_id": request_id,
        "number": number,
        "provider_id": "prov_1",
        "provider_name": "OpenAI",
        "model": "gpt-4o",
        "started_at": started_at,
        "duration_seconds": 0.5,
        "time_to_first_chunk_seconds": None,
        "status": 200,
        "outcome": "success",
        "detail": None,
        "credential_source": "platform",
        **fields,
    }


def random_records(now: datetime, count: int, *, days: float = 100, seed: int = 1) -> list[dict[str, Any]]:
    """Records spread over the `days` before now, of several providers, users, outcomes and cost sources."""
    dice = random.Random(seed)
    rows = []
    for _ in range(count):
        known = dice.random() < 0.85
        provider = dice.choice(["OpenAI", "Anthropic", "OpenRouter", None])
        rows.append(
            record(
                now - timedelta(microseconds=dice.randrange(int(days * 86_400_000_000))),
                status=dice.choice([200, 200, 200, 200, 429, 503, 499]),
                provider_name=provider,
                provider_id=None if provider is None else f"prov_{provider.lower()}",
                user_id=dice.choice(["usr_1", "usr_2", "usr_3"]),
                api_key_id=dice.choice(["key_1", "key_2"]),
                strategy=dice.choice([None, "cost", "balanced", "quality"]),
                input_tokens=dice.randrange(200_000),
                output_tokens=dice.randrange(20_000),
                cost_usd=Decimal(dice.randrange(10**10)) / 10**9 if known else None,
                cost_source=dice.choice(["computed", "provider", "estimated"]) if known else "unknown",
            )
        )
    return rows


async def add_records(database: Database, rows: Iterable[dict[str, Any]]) -> None:
    """Store records as if they had always been there, with the sums that belong to them."""
    await _add(database, usage_records, list(rows))
    await rebuild(database)
    await close(database, datetime.now(UTC))


async def add_attempts(database: Database, rows: Iterable[dict[str, Any]]) -> None:
    await _add(database, attempts, list(rows))


async def _add(database: Database, table: Table, rows: list[dict[str, Any]]) -> None:
    async with database.write() as conn:
        days = {(row["started_at"] - datetime(1970, 1, 1, tzinfo=UTC)).days for row in rows}
        await Partitions(database).prepare(conn, days, await Rollups(database.dialect).take_turn(conn))
        await conn.execute(insert(table), rows)


# ── records as the data plane writes them ──


def some_record(dice: random.Random, number: int, now: datetime) -> UsageRecord:
    """Anything that the data plane may write, of the three days before `now`."""
    provider = dice.choice(["OpenAI", "Anthropic", None])
    own = provider is not None and dice.random() < 0.2
    known = dice.random() < 0.9
    cost = Decimal(dice.randrange(10**9)) / 10**9 if known else None
    source = dice.choice([CostSource.PROVIDER, CostSource.COMPUTED, CostSource.ESTIMATED])
    stream = dice.random() < 0.5
    person, key = dice.randrange(3), dice.randrange(4)
    return UsageRecord(
        request_id=f"req_{number:026x}",
        started_at=now - timedelta(microseconds=dice.randrange(3 * 86_400_000_000)),
        duration_seconds=dice.lognormvariate(0, 2),
        endpoint="chat/completions",
        status=dice.choice([200, 200, 200, 429, 499, 502]),
        stream=stream,
        time_to_first_chunk_seconds=dice.random() if stream else None,
        strategy=dice.choice([None, "cost", "balanced"]),
        api_key_id=f"key_{key}",
        api_key_name=f"key {key}",
        user_id=f"usr_{person}",
        user_email=f"{person}@example.com",
        team_id=dice.choice([None, "team_1"]),
        provider_id=None if provider is None else f"prov_{provider}",
        provider_name=provider,
        provider_type=None if provider is None else provider.lower(),
        model=None if provider is None else dice.choice(["small", "large"]),
        credential_source=CredentialSource.BYOK if own else CredentialSource.PLATFORM,
        usage=Usage(
            input_tokens=dice.randrange(10_000),
            output_tokens=dice.randrange(1_000),
            cache_read_tokens=dice.choice([0, 500]),
            cache_write_tokens=dice.choice([0, 50]),
        ),
        cost_usd=Decimal(0) if own else cost,
        cost_source=CostSource.COMPUTED if own else source if known else CostSource.UNKNOWN,
        own_cost_usd=cost if own else None,
        own_cost_source=source if own else None,
        saved_usd=cost if own else None,
        fallback_from=None if own or dice.random() < 0.9 else CredentialSource.BYOK,
        tags=dice.choice([(), ("pilot",), ("pilot", "nightly")]),
    )


class Crash(Exception):
    """The process died before its transaction was over."""


class Crashing(Database):
    """A database whose transactions die now and then at their very end."""

    dice: random.Random

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        async with super().write() as connection:
            yield connection
            if self.dice.random() < 0.3:
                raise Crash
