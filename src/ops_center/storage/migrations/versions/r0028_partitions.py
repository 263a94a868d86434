"""On PostgreSQL, usage records with their attempts and plans in one partition per day. What is there already becomes
the first partition, whole, up to the end of this day: its rows stay where they are, two of its indexes are made anew.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

_DAY_US = 86_400_000_000
_KEYS = {
    "usage_records": "request_id, started_at",
    "attempts": "request_id, number, started_at",
    "plans": "request_id, started_at",
}


def upgrade() -> None:
    op.add_column(
        "rollup_state", sa.Column("partitions_from", sa.Integer(), nullable=False, server_default="0")
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    latest = time.time_ns() // 1000
    for table in _KEYS:
        newest = connection.execute(sa.text(f"SELECT max(started_at) FROM {table}")).scalar()  # noqa: S608
        latest = max(latest, newest or 0)
    first_day = latest // _DAY_US + 1
    for table, key in _KEYS.items():
        before = f"{table}_before"
        indexes = connection.execute(
            sa.text(
                "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
                "WHERE indrelid = to_regclass(:table) AND NOT indisprimary"
            ),
            {"table": table},
        ).all()
        op.execute(f"ALTER TABLE {table} RENAME TO {before}")
        op.execute(f"ALTER TABLE {before} DROP CONSTRAINT pk_{table}")
        op.execute(f"ALTER TABLE {before} ADD CONSTRAINT pk_{before} PRIMARY KEY ({key})")
        op.execute(f"CREATE TABLE {table} (LIKE {before} INCLUDING DEFAULTS) PARTITION BY RANGE (started_at)")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})")
        for name, definition in indexes:
            op.execute(f"ALTER INDEX {name} RENAME TO {name.rpartition('.')[2]}_before")
            op.execute(definition)
        op.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {before} "
            f"FOR VALUES FROM (MINVALUE) TO ({first_day * _DAY_US})"
        )
    connection.execute(sa.text("UPDATE rollup_state SET partitions_from = :day"), {"day": first_day})
