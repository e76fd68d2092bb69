"""More figures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customers", sa.Column("default_stage_id", sa.Uuid(), nullable=True))
    op.add_column("dead_letters", sa.Column("landed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(
        "dead_letters_value_idx",
        "dead_letters",
        ["tenant_id", "integration_id", "remote_id"],
        unique=False,
        postgresql_where=sa.text("landed"),
    )
    op.add_column(
        "integrations", sa.Column("refused_calls", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("integrations", sa.Column("refused_call_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("integrations", sa.Column("refused_call_reason", sa.Text(collation="C"), nullable=True))
    op.add_column("staged_lines", sa.Column("cost", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("staged_lines", "cost")
    op.drop_column("integrations", "refused_call_reason")
    op.drop_column("integrations", "refused_call_at")
    op.drop_column("integrations", "refused_calls")
    op.drop_index("dead_letters_value_idx", table_name="dead_letters", postgresql_where=sa.text("landed"))
    op.drop_column("dead_letters", "landed")
    op.drop_column("customers", "default_stage_id")
