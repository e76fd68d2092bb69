"""What waits for a rate is counted, what is asked of an initiative is kept, and days say of which products use was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "activity_days",
        sa.Column("products", postgresql.ARRAY(sa.Text(collation="C")), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("customer_values", sa.Column("historic_missing", sa.Text(collation="C"), nullable=True))
    op.add_column(
        "initiatives",
        sa.Column(
            "questions",
            postgresql.ARRAY(sa.Text(collation="C")),
            server_default=sa.text("'{FREQUENCY,RECENCY,SIZE,SERVICE_COST,RESPONSE,ACQUISITION_AND_RETENTION}'"),
            nullable=False,
        ),
    )
    op.add_column("metric_definitions", sa.Column("grain", sa.Text(collation="C"), nullable=True))
    op.add_column("sealed_costs", sa.Column("unrated", sa.BigInteger(), nullable=True), schema="baseline")
    op.add_column("sealed_days", sa.Column("unrated", sa.BigInteger(), nullable=True), schema="baseline")
    op.create_check_constraint(
        op.f("customer_values_historic_missing_check"),
        "customer_values",
        "historic_missing IN ('NO_RATE', 'NO_ORDERS', 'NO_DATA', 'DENOMINATOR_ZERO', 'TOO_FEW', 'NO_COST')",
    )
    op.drop_constraint(op.f("measurements_kind_check"), "measurements")
    op.create_check_constraint(
        op.f("measurements_kind_check"), "measurements", "kind IN ('PRELIMINARY', 'FINAL', 'MONITORING', 'EXPLORATORY')"
    )
    op.create_check_constraint(
        op.f("metric_definitions_grain_check"), "metric_definitions", "grain IN ('DAY', 'WEEK', 'MONTH', 'QUARTER')"
    )
    # The days of before do not say of which products use was: the workers roll them up anew, portion by portion.
    op.execute(
        """
        INSERT INTO directory.due_work (tenant_id, kind, key, due_at)
        SELECT id, 'metrics_roll_up', 'everybody', now() FROM directory.tenants
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    op.drop_constraint(op.f("customer_values_historic_missing_check"), "customer_values")
    op.drop_constraint(op.f("measurements_kind_check"), "measurements")
    op.create_check_constraint(
        op.f("measurements_kind_check"), "measurements", "kind IN ('PRELIMINARY', 'FINAL', 'MONITORING')"
    )
    op.drop_constraint(op.f("metric_definitions_grain_check"), "metric_definitions")
    op.drop_column("sealed_days", "unrated", schema="baseline")
    op.drop_column("sealed_costs", "unrated", schema="baseline")
    op.drop_column("metric_definitions", "grain")
    op.drop_column("initiatives", "questions")
    op.drop_column("customer_values", "historic_missing")
    op.drop_column("activity_days", "products")
