"""Since when a provider's tests have said the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("providers", sa.Column("test_since", sa.BigInteger(), nullable=True))
    op.execute(sa.text("UPDATE providers SET test_since = test_at"))
