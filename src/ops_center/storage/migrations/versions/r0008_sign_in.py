"""Sessions that can be told apart and ended, invitations by link."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("id", sa.String(length=40), nullable=True))
        table.add_column(sa.Column("method", sa.String(length=16), nullable=True))
    _name_what_is_there()
    with op.batch_alter_table("sessions") as table:
        table.alter_column("id", existing_type=sa.String(length=40), nullable=False)
        table.alter_column("method", existing_type=sa.String(length=16), nullable=False)
        table.create_unique_constraint(op.f("uq_sessions_id"), ["id"])
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index(op.f("ix_invitations_email"), "invitations", ["email"])


def _name_what_is_there() -> None:
    sessions = sa.table("sessions", sa.column("token_hash"), sa.column("id"), sa.column("method"))
    connection = op.get_bind()
    for (token_hash,) in connection.execute(sa.select(sessions.c.token_hash)).all():
        connection.execute(
            sa.update(sessions)
            .where(sessions.c.token_hash == token_hash)
            .values(id=f"ses_{secrets.token_hex(12)}", method="password")
        )
