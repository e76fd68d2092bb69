"""Shares by stretches of time, rules of segments, and an index that lists of interactions are read from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cost_stretches",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("people > 0 AND turn < people", name=op.f("cost_stretches_turn_check")),
        sa.PrimaryKeyConstraint("tenant_id", "entry_id", "starts_on", name=op.f("cost_stretches_pkey")),
    )
    op.add_column("cost_allocations", sa.Column("ends_on", sa.Date(), nullable=True))
    op.add_column("cost_allocations", sa.Column("rank", sa.BigInteger(), nullable=True))
    # The owner is behind the walls too; they are raised anew after every migration.
    op.execute("ALTER TABLE interactions NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE interactions SET summary = left(summary, 400) WHERE length(summary) > 400"
    )  # or no index holds it
    # An index answers alone for rows that were vacuumed, and nothing else would vacuum a table that only grows so soon.
    op.execute("ALTER TABLE interactions SET (autovacuum_vacuum_insert_scale_factor = 0.02)")
    op.drop_index(
        op.f("interactions_timeline_idx"), table_name="interactions", postgresql_where="(superseded_at IS NULL)"
    )
    op.create_index(
        "interactions_latest_idx",
        "interactions",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_include=("kind", "family", "channel", "direction", "summary"),
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.alter_column("sealed_days", "contribution", existing_type=sa.BIGINT(), nullable=True, schema="baseline")
    op.create_check_constraint(
        op.f("cost_allocations_rank_check"), "cost_allocations", "(rank IS NULL) = (ends_on IS NULL)"
    )
    op.drop_constraint(op.f("transition_rules_trigger_check"), "transition_rules")
    op.create_check_constraint(
        op.f("transition_rules_trigger_check"), "transition_rules", "trigger IN ('MANUAL', 'EVENT', 'SEGMENT', 'TIME')"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE interactions RESET (autovacuum_vacuum_insert_scale_factor)")
    op.drop_constraint(op.f("cost_allocations_rank_check"), "cost_allocations")
    op.drop_constraint(op.f("transition_rules_trigger_check"), "transition_rules")
    op.create_check_constraint(
        op.f("transition_rules_trigger_check"), "transition_rules", "trigger IN ('MANUAL', 'EVENT', 'TIME')"
    )
    op.alter_column("sealed_days", "contribution", existing_type=sa.BIGINT(), nullable=False, schema="baseline")
    op.drop_index(
        "interactions_latest_idx",
        table_name="interactions",
        postgresql_include=("kind", "family", "channel", "direction", "summary"),
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        op.f("interactions_timeline_idx"),
        "interactions",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where="(superseded_at IS NULL)",
    )
    op.drop_column("cost_allocations", "rank")
    op.drop_column("cost_allocations", "ends_on")
    op.drop_table("cost_stretches")
