"""What people are told without asking: the outbox, the thresholds of budgets, providers known to be down."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint(
            "event", "channel", "recipient", name=op.f("uq_notifications_event_channel_recipient")
        ),
    )
    op.create_index(
        op.f("ix_notifications_status_next_attempt_at"), "notifications", ["status", "next_attempt_at"]
    )
    op.add_column("budgets", sa.Column("warn_at", sa.JSON(), nullable=False, server_default="[50, 80, 100]"))
    op.add_column("providers", sa.Column("down_since", sa.BigInteger(), nullable=True))
