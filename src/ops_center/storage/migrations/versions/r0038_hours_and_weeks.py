"""Sums by hour and by week, so that a question about many series reads fewer of them.

The control process fills them out of those by quarter-hour and by day once it runs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

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
    "estimated_own_cost_usd",
    "unknown_own_cost_calls",
    "saved_usd",
    "unknown_saving_calls",
    "fallback_calls",
    "fallback_cost_usd",
    "estimated_fallback_cost_usd",
    "answer_tokens",
    "answer_microseconds",
    "last_started_at",
)
_LATER = ("estimated_own_cost_usd", "fallback_calls", "fallback_cost_usd", "estimated_fallback_cost_usd")


def upgrade() -> None:
    for name, key, index in (
        ("usage_hours", ("kind", "slot", "series_id"), ("series_id", "slot")),
        ("usage_weeks", ("kind", "series_id", "slot"), ("kind", "slot")),
    ):
        op.create_table(
            name,
            sa.Column("kind", sa.String(length=16), nullable=False),
            sa.Column("slot", sa.Integer(), nullable=False, autoincrement=False),
            sa.Column("series_id", sa.BigInteger(), nullable=False, autoincrement=False),
            *(
                sa.Column(
                    figure, sa.BigInteger(), nullable=False, server_default="0" if figure in _LATER else None
                )
                for figure in _FIGURES
            ),
            sa.Column("latencies", sa.LargeBinary(), nullable=True),
            sa.Column("first_chunks", sa.LargeBinary(), nullable=True),
            sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )
        op.create_index(op.f(f"ix_{name}_{'_'.join(index)}"), name, list(index))
    for column in ("hours_until", "weeks_until", "weeks_from"):
        op.add_column("rollup_state", sa.Column(column, sa.Integer(), nullable=False, server_default="0"))
