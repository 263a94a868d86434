"""Options of a provider beside key and base URL: a region, a project, an API version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("providers", sa.Column("options", sa.JSON(), server_default="{}", nullable=False))
