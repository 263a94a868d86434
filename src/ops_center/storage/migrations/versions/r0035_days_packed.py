"""On PostgreSQL no room is left beside sums by day any more: they are written once."""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE usage_days SET (fillfactor = 100)")
