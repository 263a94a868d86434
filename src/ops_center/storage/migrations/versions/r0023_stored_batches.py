"""What each transaction of the ledger stored, so that a live list can go on from where it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "stored_batches",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("request_ids", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_stored_batches")),
    )
