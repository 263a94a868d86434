"""What few calls have, the listed cost beside a provider's own, and prices that came after their requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
_UNPRICED = "cost_source = 'unknown' OR own_cost_source = 'unknown'"


def upgrade() -> None:
    op.add_column("usage_records", sa.Column("listed_cost_usd", sa.BigInteger(), nullable=True))
    op.add_column("usage_records", sa.Column("extras", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("usage_records", sa.Column("late_price_id", sa.String(40), nullable=True))
    op.create_index(
        "ix_usage_records_unpriced",
        "usage_records",
        ["provider_id", "model", "started_at", "input_tokens", "output_tokens"],
        sqlite_where=sa.text(_UNPRICED),
        postgresql_where=sa.text(_UNPRICED),
    )
    op.create_table(
        "late_prices",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("provider_id", sa.String(40), nullable=False),
        sa.Column("provider_name", sa.String(100), nullable=False),
        sa.Column("model", sa.String(300), nullable=False),
        sa.Column("price", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.BigInteger(), nullable=False),
        sa.Column("own_cost_usd", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_late_prices_provider_id_model", "late_prices", ["provider_id", "model"])
