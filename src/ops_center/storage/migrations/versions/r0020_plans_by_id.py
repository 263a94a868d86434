"""Plans are found by the id of their request alone: each one written cost an index that nothing needs."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.drop_index(op.f("ix_plans_started_at"), table_name="plans")
