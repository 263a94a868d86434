"""Sums by day are of days that are over; the running one is read by its quarter-hours.

Days that were written while they ran are cut anew at the next start: their layout is new.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.add_column("rollup_state", sa.Column("days_until", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE rollup_state SET days_until = days_fixed_before")
