"""Calls that wait are found without those that came before them; every wall reads its setting once for a statement."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("app_deliveries_unsplit_idx"),
        "app_deliveries",
        ["connector", "received_at"],
        schema="directory",
        postgresql_where=sa.text("ciphertext IS NOT NULL"),
    )
    op.create_index(
        op.f("inbox_events_unheard_idx"),
        "inbox_events",
        ["tenant_id", "integration_id", "id"],
        postgresql_where=sa.text("processed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("inbox_events_unheard_idx"), table_name="inbox_events")
    op.drop_index(op.f("app_deliveries_unsplit_idx"), table_name="app_deliveries", schema="directory")
