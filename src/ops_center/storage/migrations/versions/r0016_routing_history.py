"""Versions of routing hold all of it: who made them, by what, and what they changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    for column in (
        sa.Column("config", sa.JSON(), nullable=True),
        sa.Column("created_by_email", sa.String(length=320), nullable=False, server_default=""),
        sa.Column("action", sa.String(length=60), nullable=False, server_default="routing.update"),
        sa.Column("summary", sa.Text(), nullable=False, server_default=""),
        sa.Column("changes_total", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("restored_from", sa.Integer(), nullable=True),
    ):
        op.add_column("routing_versions", column)
    op.execute(
        "UPDATE routing_versions SET created_by_email = coalesce("
        "(SELECT email FROM users WHERE users.id = routing_versions.created_by), '')"
    )
