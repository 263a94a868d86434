"""From when on plans and quarter-hours are kept, beside what was known of records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    for column in ("plans_from", "days_fixed_before"):
        op.add_column("rollup_state", sa.Column(column, sa.Integer(), nullable=False, server_default="0"))
