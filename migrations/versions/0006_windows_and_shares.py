"""Windows and shares."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("sealed_days", "contribution", existing_type=sa.BIGINT(), nullable=True, schema="baseline")
    op.drop_constraint(op.f("transition_rules_trigger_check"), "transition_rules")
    op.create_check_constraint(
        op.f("transition_rules_trigger_check"), "transition_rules", "trigger IN ('MANUAL', 'EVENT', 'SEGMENT', 'TIME')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("transition_rules_trigger_check"), "transition_rules")
    op.create_check_constraint(
        op.f("transition_rules_trigger_check"), "transition_rules", "trigger IN ('MANUAL', 'EVENT', 'TIME')"
    )
    op.alter_column("sealed_days", "contribution", existing_type=sa.BIGINT(), nullable=False, schema="baseline")
