"""What the platform paid where a user's own key had failed, among the sums. A start fills them in: their layout is new."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    for table in ("usage_quarters", "usage_days"):
        for column in ("fallback_calls", "fallback_cost_usd"):
            op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
