"""What tells requests that begin alike, where a provider would have cached that beginning."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"

_OPENING = "opening IS NOT NULL"


def upgrade() -> None:
    op.add_column("usage_records", sa.Column("opening", sa.BigInteger(), nullable=True))
    op.add_column("usage_records", sa.Column("opening_tokens", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_usage_records_opening",
        "usage_records",
        [
            "started_at",
            "provider_id",
            "model",
            "opening",
            "opening_tokens",
            "api_key_id",
            "credential_source",
        ],
        sqlite_where=sa.text(_OPENING),
        postgresql_where=sa.text(_OPENING),
    )
