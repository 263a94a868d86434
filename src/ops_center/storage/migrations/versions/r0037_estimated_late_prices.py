"""How much of what was priced in arrears is estimated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    for column in ("estimated_cost_usd", "estimated_own_cost_usd"):
        op.add_column("late_prices", sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
    conn = op.get_bind()
    if conn.execute(sa.text("SELECT count(*) FROM late_prices")).scalar_one() == 0:
        return  # the records need not be looked through
    found = conn.execute(
        sa.text(
            "SELECT late_price_id, "
            "sum(CASE WHEN cost_source = 'estimated' THEN cost_usd ELSE 0 END), "
            "sum(CASE WHEN own_cost_source = 'estimated' THEN own_cost_usd ELSE 0 END) "
            "FROM usage_records WHERE late_price_id IS NOT NULL GROUP BY late_price_id"
        )
    )
    for late_price_id, cost, own in found.all():
        conn.execute(
            sa.text(
                "UPDATE late_prices SET estimated_cost_usd = :cost, estimated_own_cost_usd = :own WHERE id = :id"
            ),
            {"cost": int(cost or 0), "own": int(own or 0), "id": late_price_id},
        )
