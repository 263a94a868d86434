"""Sums are found by series, so that a question about a few of them reads no others.

Days lie that way: on SQLite their table is written anew. Quarter-hours, most of which are written while they run,
get an index.
"""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    with op.batch_alter_table("usage_days", table_kwargs={"sqlite_with_rowid": False}) as table:
        table.drop_constraint("pk_usage_days", type_="primary")
        table.create_primary_key("pk_usage_days", ["kind", "series_id", "slot"])
    op.create_index(op.f("ix_usage_days_kind_slot"), "usage_days", ["kind", "slot"])
    op.create_index(op.f("ix_usage_quarters_series_id_slot"), "usage_quarters", ["series_id", "slot"])
