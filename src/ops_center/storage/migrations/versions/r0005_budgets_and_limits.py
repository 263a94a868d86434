"""Budgets in a table of their own, and the other limits of API keys and users.

A key's monthly budget becomes a row of the new table; its column goes, so that one place says what holds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("amount_usd", sa.BigInteger(), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint("scope", "subject_id", "period", name=op.f("uq_budgets_scope_subject_id_period")),
    )
    op.execute(
        "INSERT INTO budgets (id, scope, subject_id, period, amount_usd, hard, created_at, updated_at) "
        "SELECT 'bud_' || substr(id, 5), 'api_key', id, 'month', budget_usd, true, created_at, created_at "
        "FROM api_keys WHERE budget_usd IS NOT NULL AND revoked_at IS NULL"
    )
    op.drop_column("api_keys", "budget_usd")
    op.drop_column("users", "budget_usd")
    for table in ("users", "api_keys"):
        op.add_column(table, sa.Column("tokens_per_minute", sa.Integer(), nullable=True))
        op.add_column(table, sa.Column("concurrent_requests", sa.Integer(), nullable=True))
    op.add_column("users", sa.Column("requests_per_minute", sa.Integer(), nullable=True))
    op.add_column("api_keys", sa.Column("providers", sa.JSON(), nullable=True))
    op.add_column("api_keys", sa.Column("ip_ranges", sa.JSON(), nullable=True))
    op.add_column("api_keys", sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("api_keys", sa.Column("previous_secret_hash", sa.LargeBinary(length=32), nullable=True))
    op.add_column("api_keys", sa.Column("previous_secret_ends_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("api_keys") as batch:
        batch.create_unique_constraint(op.f("uq_api_keys_previous_secret_hash"), ["previous_secret_hash"])
