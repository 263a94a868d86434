"""Chain the entries of the audit log by hash, those that are there too, and let nobody change one again."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_FIRST = "0" * 64
_HASHED = (
    "id",
    "at",
    "actor_id",
    "actor_email",
    "action",
    "object_type",
    "object_id",
    "object_name",
    "before",
    "after",
    "ip_address",
)


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    with op.batch_alter_table("audit_log") as table:
        table.add_column(sa.Column("sequence", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("previous_hash", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("hash", sa.String(length=64), nullable=True))
    _chain_what_is_there()
    with op.batch_alter_table("audit_log") as table:
        table.alter_column("sequence", existing_type=sa.BigInteger(), nullable=False)
        table.alter_column("previous_hash", existing_type=sa.String(length=64), nullable=False)
        table.alter_column("hash", existing_type=sa.String(length=64), nullable=False)
        table.create_unique_constraint(op.f("uq_audit_log_sequence"), ["sequence"])
    op.create_index(op.f("ix_audit_log_object_type_object_id"), "audit_log", ["object_type", "object_id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_log_refuses_{verb.lower()} BEFORE {verb} ON audit_log "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION refuse_audit_log_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_log_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_log_change()"
        )


def _chain_what_is_there() -> None:
    entries = sa.table(
        "audit_log",
        *(sa.column(name) for name in _HASHED if name not in ("before", "after")),
        sa.column("before", sa.JSON),
        sa.column("after", sa.JSON),
        sa.column("sequence"),
        sa.column("previous_hash"),
        sa.column("hash"),
    )
    connection = op.get_bind()
    sequence, previous = 0, _FIRST
    rows = connection.execute(sa.select(entries).order_by(entries.c.at, entries.c.id)).all()
    for row in rows:
        sequence += 1
        fields = {name: getattr(row, name) for name in _HASHED}
        fields |= {"sequence": sequence, "previous_hash": previous}
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        connection.execute(
            sa.update(entries)
            .where(entries.c.id == row.id)
            .values(sequence=sequence, previous_hash=previous, hash=digest)
        )
        previous = digest
    connection.execute(
        sa.insert(sa.table("audit_head", sa.column("id"), sa.column("sequence"), sa.column("hash"))).values(
            id=1, sequence=sequence, hash=previous
        )
    )
