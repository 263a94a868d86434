"""Rows of the ledger for tests: plain ones with what a test cares about, and a random year of them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert

from ops_center.storage.database import Database
from ops_center.storage.rollups.rebuild import rebuild
from ops_center.storage.tables import attempts, usage_records
from ops_center.types import new_id


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
        "own_cost_usd": None,
        "own_cost_source": None,
        "saved_usd": None,
        "fallback_from": None,
        "tags": None,
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
    async with database.write() as conn:
        await conn.execute(insert(usage_records), list(rows))
    await rebuild(database)


async def add_attempts(database: Database, rows: Iterable[dict[str, Any]]) -> None:
    async with database.write() as conn:
        await conn.execute(insert(attempts), list(rows))
