"""What is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("metric_definitions", sa.Column("grain", sa.Text(collation="C"), nullable=True))
    op.add_column("sealed_costs", sa.Column("unrated", sa.BigInteger(), nullable=True), schema="baseline")
    op.add_column("sealed_days", sa.Column("unrated", sa.BigInteger(), nullable=True), schema="baseline")
    op.create_check_constraint(
        op.f("metric_definitions_grain_check"), "metric_definitions", "grain IN ('DAY', 'WEEK', 'MONTH', 'QUARTER')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("metric_definitions_grain_check"), "metric_definitions")
    op.drop_column("sealed_days", "unrated", schema="baseline")
    op.drop_column("sealed_costs", "unrated", schema="baseline")
    op.drop_column("metric_definitions", "grain")
