"""What tells requests with the same body, without what they said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.add_column("usage_records", sa.Column("fingerprint", sa.BigInteger(), nullable=True))
