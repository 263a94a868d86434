"""How much of what users paid themselves, and of what the platform paid after them, is estimated, among the sums. A
start fills it in: the layout of the sums is new."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    for table in ("usage_quarters", "usage_days"):
        for column in ("estimated_own_cost_usd", "estimated_fallback_cost_usd"):
            op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
