"""benchmarks/analytics: the made-up ledger is one that the product itself would have written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from benchmarks.analytics import fill
from sqlalchemy import func, select

from ops_center.storage.database import Database
from ops_center.storage.rollups.verify import verify
from ops_center.storage.tables import usage_records

pytestmark = pytest.mark.anyio


async def test_the_made_up_ledger_equals_its_sums(empty_database_url: str, data_dir: Path) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert await fill(empty_database_url, data_dir, 300, now, days=5) == 300
    database = await Database.open(empty_database_url)
    try:
        found = await verify(database)
        assert (found.problem, found.records) == (None, 300)
        async with database.read() as connection:
            record = usage_records.c
            query = select(
                func.count(record.api_key_id.distinct()),
                func.count(record.model.distinct()),
                func.max(record.started_at),
            )
            keys, models, newest = (await connection.execute(query)).one()
        assert keys > 30
        assert models > 15
        assert newest < now
    finally:
        await database.close()
