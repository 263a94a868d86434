"""How high a user's power level may go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("users", sa.Column("power_level_max", sa.String(length=16), nullable=True))
