"""The days of the customers who were there before are rolled up by the workers, portion by portion."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO directory.due_work (tenant_id, kind, key, due_at)
        SELECT id, 'metrics_roll_up', 'everybody', now() FROM directory.tenants
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    op.execute("DELETE FROM directory.due_work WHERE kind = 'metrics_roll_up'")
