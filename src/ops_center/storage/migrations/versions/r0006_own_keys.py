"""Users' own keys: their state, the policies over them, and what calls on them cost whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for column in (
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("check_at", sa.BigInteger(), nullable=True),
        sa.Column("check_success", sa.Boolean(), nullable=True),
        sa.Column("check_latency_ms", sa.Integer(), nullable=True),
        sa.Column("check_message", sa.Text(), nullable=True),
        sa.Column("check_error_type", sa.String(length=40), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
    ):
        op.add_column("credentials", column)
    op.create_index(
        op.f("ix_credentials_user_id_provider_type"), "credentials", ["user_id", "provider_type"], unique=True
    )
    op.add_column("users", sa.Column("byok_policy", sa.String(length=20), nullable=True))
    op.add_column(
        "users", sa.Column("byok_fallback", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("api_keys", sa.Column("byok_policy", sa.String(length=20), nullable=True))
    op.add_column("usage_records", sa.Column("own_cost_usd", sa.BigInteger(), nullable=True))
    op.add_column("usage_records", sa.Column("own_cost_source", sa.String(length=16), nullable=True))
    op.add_column("usage_records", sa.Column("saved_usd", sa.BigInteger(), nullable=True))
    op.add_column("usage_records", sa.Column("fallback_from", sa.String(length=16), nullable=True))
    op.add_column(
        "attempts",
        sa.Column("credential_source", sa.String(length=16), nullable=False, server_default="platform"),
    )
    for name, columns, condition in (
        ("ix_usage_records_own", ["user_id", "started_at"], "own_cost_source IS NOT NULL"),
        ("ix_usage_records_fallback", ["started_at"], "fallback_from IS NOT NULL"),
    ):
        op.create_index(
            name,
            "usage_records",
            columns,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
