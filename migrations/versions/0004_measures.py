"""Measures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaign_responses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_key", sa.Text(collation="C"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_on", sa.Date(), nullable=False),
        sa.Column("deliveries", sa.BigInteger(), nullable=False),
        sa.Column("raw_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("human_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raw_responses", sa.BigInteger(), nullable=False),
        sa.Column("human_responses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", "campaign_key", name=op.f("campaign_responses_pkey")),
    )
    op.create_index(
        "campaign_responses_delivered_on_idx", "campaign_responses", ["tenant_id", "delivered_on"], unique=False
    )
    op.create_table(
        "cases",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_key", sa.Text(collation="C"), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(collation="C"), nullable=True),
        sa.Column("priority", sa.Text(collation="C"), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.BigInteger(), nullable=False),
        sa.Column("answer_minutes", sa.BigInteger(), nullable=True),
        sa.Column("resolution_minutes", sa.BigInteger(), nullable=True),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("cases_pkey")),
    )
    op.create_index(
        "cases_customer_idx",
        "cases",
        ["tenant_id", "customer_id", sa.literal_column("opened_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("cases_local_day_idx", "cases", ["tenant_id", "local_day"], unique=False)
    op.create_table(
        "referrals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referred_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(collation="C"), nullable=True),
        sa.Column("is_self", sa.Boolean(), nullable=False),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("referrals_pkey")),
    )
    op.create_index(
        "referrals_customer_idx",
        "referrals",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("referrals_local_day_idx", "referrals", ["tenant_id", "local_day"], unique=False)
    op.create_index(
        "referrals_referred_idx",
        "referrals",
        ["tenant_id", "referred_id"],
        unique=False,
        postgresql_where=sa.text("referred_id IS NOT NULL"),
    )
    op.create_table(
        "reviews",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.Text(collation="C"), nullable=True),
        sa.Column("rating", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("out_of", sa.BigInteger(), nullable=False),
        sa.Column("is_positive", sa.Boolean(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("reviews_pkey")),
    )
    op.create_index(
        "reviews_customer_idx",
        "reviews",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("reviews_local_day_idx", "reviews", ["tenant_id", "local_day"], unique=False)
    op.create_table(
        "segment_sweeps",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reached", sa.Uuid(), nullable=True),
        sa.Column("evaluated", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("segment_sweeps_pkey")),
    )
    op.create_table(
        "segments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("labels", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("role", sa.Text(collation="C"), nullable=False),
        sa.Column("template_key", sa.Text(collation="C"), nullable=True),
        sa.Column("published_version_id", sa.Uuid(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("role IN ('STARTING_POINT', 'MEASURED', 'TARGET')", name=op.f("segments_role_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("segments_pkey")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("segments_tenant_id_key_key")),
    )
    op.create_table(
        "social_mentions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.Text(collation="C"), nullable=True),
        sa.Column("rating", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("out_of", sa.BigInteger(), nullable=False),
        sa.Column("is_positive", sa.Boolean(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("social_mentions_pkey")),
    )
    op.create_index(
        "social_mentions_customer_idx",
        "social_mentions",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("social_mentions_local_day_idx", "social_mentions", ["tenant_id", "local_day"], unique=False)
    op.create_table(
        "survey_responses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("survey", sa.Text(collation="C"), nullable=True),
        sa.Column("measure", sa.Text(collation="C"), nullable=False),
        sa.Column("score", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("out_of", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.CheckConstraint("measure IN ('NPS', 'CSAT', 'CES', 'OTHER')", name=op.f("survey_responses_measure_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("survey_responses_pkey")),
    )
    op.create_index(
        "survey_responses_customer_idx",
        "survey_responses",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("survey_responses_local_day_idx", "survey_responses", ["tenant_id", "local_day"], unique=False)
    op.create_table(
        "segment_members",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("because", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "segment_id"],
            ["segments.tenant_id", "segments.id"],
            name=op.f("segment_members_tenant_id_segment_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "segment_id", "customer_id", name=op.f("segment_members_pkey")),
    )
    op.create_index(
        "segment_members_customer_idx", "segment_members", ["tenant_id", "customer_id", "segment_id"], unique=False
    )
    op.create_table(
        "segment_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("criteria", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("author", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "segment_id"],
            ["segments.tenant_id", "segments.id"],
            name=op.f("segment_versions_tenant_id_segment_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("segment_versions_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "segment_id", "number", name=op.f("segment_versions_tenant_id_segment_id_number_key")
        ),
    )
    op.create_table(
        "segment_membership_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("segment_version_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("change", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_in", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False
        ),
        sa.Column("because", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("change IN ('ENTER', 'EXIT')", name=op.f("segment_membership_events_change_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "segment_id"],
            ["segments.tenant_id", "segments.id"],
            name=op.f("segment_membership_events_tenant_id_segment_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "segment_version_id"],
            ["segment_versions.tenant_id", "segment_versions.id"],
            name=op.f("segment_membership_events_tenant_id_segment_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("segment_membership_events_pkey")),
    )
    op.create_index(
        "segment_membership_events_customer_idx",
        "segment_membership_events",
        ["tenant_id", "customer_id", "at", "id"],
        unique=False,
    )
    op.create_index(
        "segment_membership_events_recorded_in_idx",
        "segment_membership_events",
        ["tenant_id", "recorded_in", "id"],
        unique=False,
    )
    op.create_index(
        "segment_membership_events_segment_idx",
        "segment_membership_events",
        ["tenant_id", "segment_id", "at", "id"],
        unique=False,
    )
    op.create_table(
        "segment_runs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("segment_version_id", sa.Uuid(), nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=False),
        sa.Column("evaluated", sa.BigInteger(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("exited", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(collation="C"), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "segment_id"],
            ["segments.tenant_id", "segments.id"],
            name=op.f("segment_runs_tenant_id_segment_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "segment_version_id"],
            ["segment_versions.tenant_id", "segment_versions.id"],
            name=op.f("segment_runs_tenant_id_segment_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("segment_runs_pkey")),
    )
    op.create_index(
        "segment_runs_segment_idx", "segment_runs", ["tenant_id", "segment_id", "watermark", "id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("segment_runs_segment_idx", table_name="segment_runs")
    op.drop_table("segment_runs")
    op.drop_index("segment_membership_events_segment_idx", table_name="segment_membership_events")
    op.drop_index("segment_membership_events_recorded_in_idx", table_name="segment_membership_events")
    op.drop_index("segment_membership_events_customer_idx", table_name="segment_membership_events")
    op.drop_table("segment_membership_events")
    op.drop_table("segment_versions")
    op.drop_index("segment_members_customer_idx", table_name="segment_members")
    op.drop_table("segment_members")
    op.drop_index("survey_responses_local_day_idx", table_name="survey_responses")
    op.drop_index("survey_responses_customer_idx", table_name="survey_responses")
    op.drop_table("survey_responses")
    op.drop_index("social_mentions_local_day_idx", table_name="social_mentions")
    op.drop_index("social_mentions_customer_idx", table_name="social_mentions")
    op.drop_table("social_mentions")
    op.drop_table("segments")
    op.drop_table("segment_sweeps")
    op.drop_index("reviews_local_day_idx", table_name="reviews")
    op.drop_index("reviews_customer_idx", table_name="reviews")
    op.drop_table("reviews")
    op.drop_index("referrals_referred_idx", table_name="referrals", postgresql_where=sa.text("referred_id IS NOT NULL"))
    op.drop_index("referrals_local_day_idx", table_name="referrals")
    op.drop_index("referrals_customer_idx", table_name="referrals")
    op.drop_table("referrals")
    op.drop_index("cases_local_day_idx", table_name="cases")
    op.drop_index("cases_customer_idx", table_name="cases")
    op.drop_table("cases")
    op.drop_index("campaign_responses_delivered_on_idx", table_name="campaign_responses")
    op.drop_table("campaign_responses")
