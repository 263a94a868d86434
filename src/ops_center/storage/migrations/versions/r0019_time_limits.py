"""A provider's own time limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("providers", sa.Column("time_limits", sa.JSON(none_as_null=True), nullable=True))
