"""How long a request waited for a place in a limit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("usage_records", sa.Column("queue_seconds", sa.Float(), nullable=True))
