"""Which request a replay sent again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.add_column("usage_records", sa.Column("replay_of", sa.String(40), nullable=True))
    few = sa.text("replay_of IS NOT NULL")
    op.create_index(
        "ix_usage_records_replay", "usage_records", ["replay_of"], sqlite_where=few, postgresql_where=few
    )
