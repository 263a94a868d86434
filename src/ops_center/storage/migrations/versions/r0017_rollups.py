"""Sums of usage records by quarter-hour and day, and the tags of a record's API key.

The tables start empty; where there are records, the next start of the server fills them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_FIGURES = (
    "calls",
    "failed_calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "provider_cost_usd",
    "computed_cost_usd",
    "estimated_cost_usd",
    "estimated_cost_calls",
    "unknown_cost_calls",
    "priced_tokens",
    "cache_hit_calls",
    "byok_calls",
    "own_cost_usd",
    "unknown_own_cost_calls",
    "saved_usd",
    "unknown_saving_calls",
    "answer_tokens",
    "answer_microseconds",
    "last_started_at",
)


def upgrade() -> None:
    op.add_column("usage_records", sa.Column("tags", sa.JSON(), nullable=True))
    op.create_index(op.f("ix_usage_records_model_started_at"), "usage_records", ["model", "started_at"])
    op.create_table(
        "usage_series",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("provider_id", sa.String(length=40), nullable=True),
        sa.Column("provider_name", sa.String(length=100), nullable=True),
        sa.Column("provider_type", sa.String(length=40), nullable=True),
        sa.Column("model", sa.String(length=300), nullable=True),
        sa.Column("api_key_id", sa.String(length=40), nullable=True),
        sa.Column("api_key_name", sa.String(length=200), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("user_email", sa.String(length=320), nullable=True),
        sa.Column("team_id", sa.String(length=40), nullable=True),
        sa.Column("team_name", sa.String(length=100), nullable=True),
        sa.Column("credential_source", sa.String(length=16), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("strategy", sa.String(length=16), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_series")),
    )
    op.create_index(op.f("ix_usage_series_kind"), "usage_series", ["kind"])
    for name in ("usage_quarters", "usage_days"):
        op.create_table(
            name,
            sa.Column("kind", sa.String(length=16), nullable=False),
            sa.Column("slot", sa.Integer(), nullable=False, autoincrement=False),
            sa.Column("series_id", sa.BigInteger(), nullable=False, autoincrement=False),
            *(sa.Column(figure, sa.BigInteger(), nullable=False) for figure in _FIGURES),
            sa.Column("latencies", sa.LargeBinary(), nullable=True),
            sa.Column("first_chunks", sa.LargeBinary(), nullable=True),
            sa.PrimaryKeyConstraint("kind", "slot", "series_id", name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )
        if op.get_bind().dialect.name == "postgresql":
            # The rows of today are written again with every batch: room beside them keeps the index still.
            op.execute(f"ALTER TABLE {name} SET (fillfactor = 60)")
    op.create_table(
        "rollup_state",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("days_from", sa.Integer(), nullable=False),
        sa.Column("quarters_from", sa.Integer(), nullable=False),
        sa.Column("records_from", sa.Integer(), nullable=False),
        sa.Column("layout", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_state")),
    )
    op.execute(
        "INSERT INTO rollup_state (id, time_zone, days_from, quarters_from, records_from, layout) "
        "SELECT 1, 'UTC', 0, 0, 0, CASE WHEN EXISTS (SELECT 1 FROM usage_records) THEN 0 ELSE 1 END"
    )
