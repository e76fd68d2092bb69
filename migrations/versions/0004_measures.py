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
        "activity_days",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("interactions", sa.BigInteger(), nullable=False),
        sa.Column("visits", sa.BigInteger(), nullable=False),
        sa.Column("ad_views", sa.BigInteger(), nullable=False),
        sa.Column("inquiries", sa.BigInteger(), nullable=False),
        sa.Column("usage", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", "day", name=op.f("activity_days_pkey")),
    )
    op.create_index("activity_days_day_idx", "activity_days", ["tenant_id", "day", "customer_id"], unique=False)
    op.create_table(
        "seal_batches",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seal_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Text(collation="C"), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "part IN ('CUSTOMERS', 'DAYS', 'COSTS', 'NEWCOMERS', 'LINKS')", name=op.f("seal_batches_part_check")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "seal_id", "position", name=op.f("seal_batches_pkey")),
        schema="baseline",
    )
    op.create_table(
        "sealed_costs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seal_id", sa.Uuid(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seal_id", "week", "category", name=op.f("sealed_costs_pkey")),
        schema="baseline",
    )
    op.create_table(
        "sealed_customers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seal_id", sa.Uuid(), nullable=False),
        sa.Column("pseudonym", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_on", sa.Date(), nullable=False),
        sa.Column("first_occasion_on", sa.Date(), nullable=True),
        sa.Column("occasions_before", sa.BigInteger(), nullable=False),
        sa.Column("is_treated", sa.Boolean(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("segment_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seal_id", "pseudonym", name=op.f("sealed_customers_pkey")),
        schema="baseline",
    )
    op.create_table(
        "sealed_days",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seal_id", sa.Uuid(), nullable=False),
        sa.Column("pseudonym", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("occasions", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("contribution", sa.BigInteger(), nullable=False),
        sa.Column("service_cost", sa.BigInteger(), nullable=False),
        sa.Column("deliveries", sa.BigInteger(), nullable=False),
        sa.Column("responses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seal_id", "pseudonym", "day", name=op.f("sealed_days_pkey")),
        schema="baseline",
    )
    op.create_table(
        "sealed_links",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seal_id", sa.Uuid(), nullable=False),
        sa.Column("pseudonym", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seal_id", "pseudonym", name=op.f("sealed_links_pkey")),
        schema="baseline",
    )
    op.create_index(
        "sealed_links_customer_idx", "sealed_links", ["tenant_id", "customer_id"], unique=False, schema="baseline"
    )
    op.create_table(
        "sealed_newcomers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seal_id", sa.Uuid(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seal_id", "week", name=op.f("sealed_newcomers_pkey")),
        schema="baseline",
    )
    op.create_table(
        "seals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("initiative_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.Text(collation="C"), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("go_live_on", sa.Date(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("baseline_days", sa.BigInteger(), nullable=False),
        sa.Column("tier", sa.Text(collation="C"), nullable=False),
        sa.Column("selection", sa.Text(collation="C"), nullable=False),
        sa.Column("selected_on", sa.Date(), nullable=True),
        sa.Column("segment_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("department_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("treated", sa.BigInteger(), nullable=False),
        sa.Column("questions", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("minimum_effects", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("definition_versions", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("paid_only", sa.Boolean(), nullable=False),
        sa.Column("size_cutoff", sa.BigInteger(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("waiting", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("earliest_measurement_on", sa.Date(), nullable=True),
        sa.Column("preliminary_begin_by", sa.Date(), nullable=True),
        sa.Column("final_on", sa.Date(), nullable=False),
        sa.Column("is_retrospective", sa.Boolean(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("header_digest", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "selection IN ('EVERYONE', 'SEGMENT', 'LIST', 'DEPARTMENTS')", name=op.f("seals_selection_check")
        ),
        sa.CheckConstraint("tier IN ('QUICK', 'STANDARD', 'RIGOROUS')", name=op.f("seals_tier_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("seals_pkey")),
        sa.UniqueConstraint("tenant_id", "initiative_id", name=op.f("seals_tenant_id_initiative_id_key")),
        schema="baseline",
    )
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
    op.create_index("cases_case_key_idx", "cases", ["tenant_id", "case_key"], unique=False)
    op.create_index(
        "cases_customer_idx",
        "cases",
        ["tenant_id", "customer_id", sa.literal_column("opened_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("cases_local_day_idx", "cases", ["tenant_id", "local_day"], unique=False)
    op.create_table(
        "cost_allocations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("amount_base", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "entry_id", "customer_id", "day", name=op.f("cost_allocations_pkey")),
    )
    op.create_index(
        "cost_allocations_customer_idx", "cost_allocations", ["tenant_id", "customer_id", "day"], unique=False
    )
    op.create_table(
        "cost_weights",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("weight > 0", name=op.f("cost_weights_weight_check")),
        sa.PrimaryKeyConstraint("tenant_id", "entry_id", "customer_id", "starts_on", name=op.f("cost_weights_pkey")),
    )
    op.create_index("cost_weights_customer_idx", "cost_weights", ["tenant_id", "customer_id"], unique=False)
    op.create_table(
        "departments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("departments_pkey")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("departments_tenant_id_key_key")),
    )
    op.create_table(
        "initiatives",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("go_live_on", sa.Date(), nullable=False),
        sa.Column("baseline_days", sa.BigInteger(), nullable=False),
        sa.Column("tier", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("segment_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("department_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("minimum_effects", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("paid_only", sa.Boolean(), nullable=False),
        sa.Column("strict_floor", sa.Boolean(), nullable=False),
        sa.Column("robust_ceiling", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('CRM_ROLLOUT', 'RETENTION_OFFER', 'LOYALTY_PROGRAMME', 'EXTRA_SUPPORT', 'CAMPAIGN', 'PRICING', 'OTHER')",
            name=op.f("initiatives_kind_check"),
        ),
        sa.CheckConstraint("status IN ('PLANNED', 'SEALED', 'MEASURED')", name=op.f("initiatives_status_check")),
        sa.CheckConstraint("tier IN ('QUICK', 'STANDARD', 'RIGOROUS')", name=op.f("initiatives_tier_check")),
        sa.CheckConstraint("baseline_days BETWEEN 1 AND 3660", name=op.f("initiatives_baseline_days_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("initiatives_pkey")),
    )
    op.create_index(
        "initiatives_go_live_idx",
        "initiatives",
        ["tenant_id", sa.literal_column("go_live_on DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "metric_definitions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("step", sa.Text(collation="C"), nullable=True),
        sa.Column("better", sa.Text(collation="C"), nullable=True),
        sa.Column("min_n", sa.BigInteger(), nullable=False),
        sa.Column("marketing_only", sa.Boolean(), nullable=False),
        sa.Column("formula", sa.Text(collation="C"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("labels", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("better IN ('HIGHER', 'LOWER')", name=op.f("metric_definitions_better_check")),
        sa.CheckConstraint(
            "kind IN ('TOTAL', 'COUNT', 'RATIO', 'MEAN', 'MEDIAN')", name=op.f("metric_definitions_kind_check")
        ),
        sa.CheckConstraint(
            "step IN ('AWARE', 'CONSIDER', 'PURCHASE', 'USE', 'RETAIN', 'ADVOCATE')",
            name=op.f("metric_definitions_step_check"),
        ),
        sa.CheckConstraint(
            "unit IN ('DAYS', 'PER_YEAR', 'UNITS', 'MONEY', 'COUNT', 'RATIO', 'SCORE', 'MINUTES')",
            name=op.f("metric_definitions_unit_check"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "key", "version", name=op.f("metric_definitions_pkey")),
    )
    op.create_table(
        "metric_distributions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metric_key", sa.Text(collation="C"), nullable=False),
        sa.Column("definition_version", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("mean_log", sa.Double(), nullable=True),
        sa.Column("sd_log", sa.Double(), nullable=True),
        sa.Column("quantiles", sa.ARRAY(sa.Double()), nullable=True),
        sa.Column("cohort_value", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("cohort_numerator", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("cohort_denominator", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("metric_distributions_pkey")),
    )
    op.create_index(
        "metric_distributions_latest_idx",
        "metric_distributions",
        ["tenant_id", "metric_key", "definition_version", sa.literal_column("as_of DESC")],
        unique=False,
    )
    op.create_table(
        "metric_observations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metric_key", sa.Text(collation="C"), nullable=False),
        sa.Column("definition_version", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Text(collation="C"), nullable=False),
        sa.Column("scope_id", sa.Uuid(), nullable=True),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("window_end", sa.Date(), nullable=False),
        sa.Column("numerator", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("denominator", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("missing", sa.Text(collation="C"), nullable=True),
        sa.Column("standard_error", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("currency", sa.Text(collation="C"), nullable=True),
        sa.Column("parameters", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=False),
        sa.Column("input_digest", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "missing IN ('NO_RATE', 'NO_ORDERS', 'NO_DATA', 'DENOMINATOR_ZERO', 'TOO_FEW', 'NO_COST')",
            name=op.f("metric_observations_missing_check"),
        ),
        sa.CheckConstraint(
            "scope IN ('TENANT', 'SEGMENT', 'STAGE', 'CUSTOMER')", name=op.f("metric_observations_scope_check")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("metric_observations_pkey")),
    )
    op.create_index(
        "metric_observations_key_idx",
        "metric_observations",
        ["tenant_id", "metric_key", "scope", "scope_id", "window_start", "as_of"],
        unique=False,
    )
    op.create_table(
        "model_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("training_start", sa.Date(), nullable=False),
        sa.Column("training_end", sa.Date(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(collation="C"), nullable=False),
        sa.Column("parameters", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("covariance", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("log_likelihood", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("back_test", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("checks", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "kind IN ('MBG_NBD', 'PARETO_NBD', 'BG_NBD', 'SBG', 'GAMMA_GAMMA')", name=op.f("model_versions_kind_check")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("model_versions_pkey")),
        sa.UniqueConstraint("tenant_id", "kind", "number", name=op.f("model_versions_tenant_id_kind_number_key")),
    )
    op.create_table(
        "objectives",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("kpis", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("(status = 'ACTIVE') = (place IS NOT NULL)", name=op.f("objectives_active_check")),
        sa.CheckConstraint("status IN ('ACTIVE', 'REACHED', 'DROPPED')", name=op.f("objectives_status_check")),
        sa.CheckConstraint("place BETWEEN 1 AND 3", name=op.f("objectives_place_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("objectives_pkey")),
    )
    op.create_index(
        "objectives_place_key",
        "objectives",
        ["tenant_id", "place"],
        unique=True,
        postgresql_where=sa.text("place IS NOT NULL"),
    )
    op.create_table(
        "purchase_days",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("paid_orders", sa.BigInteger(), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("cash_refunds", sa.BigInteger(), nullable=False),
        sa.Column("adjusted", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("paid_units", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("returned_units", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("cost_of_goods", sa.BigInteger(), nullable=False),
        sa.Column("uncosted", sa.BigInteger(), nullable=False),
        sa.Column("unrated", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", "day", name=op.f("purchase_days_pkey")),
    )
    op.create_index("purchase_days_day_idx", "purchase_days", ["tenant_id", "day", "customer_id"], unique=False)
    op.create_index(
        "purchase_days_unrated_idx",
        "purchase_days",
        ["tenant_id", "customer_id"],
        unique=False,
        postgresql_where=sa.text("unrated > 0"),
    )
    op.create_table(
        "referrals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referred_id", sa.Uuid(), nullable=True),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("referred_remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("is_self", sa.Boolean(), nullable=False),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("referrals_pkey")),
    )
    op.create_index(
        "referrals_awaited_idx",
        "referrals",
        ["tenant_id", "integration_id", "referred_remote_id"],
        unique=False,
        postgresql_where=sa.text("referred_id IS NULL"),
    )
    op.create_index(
        "referrals_customer_idx",
        "referrals",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("referrals_local_day_idx", "referrals", ["tenant_id", "local_day"], unique=False)
    op.create_index("referrals_referred_idx", "referrals", ["tenant_id", "referred_id"], unique=False)
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
        "rfm_cutoffs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("measure", sa.Text(collation="C"), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("bound", sa.BigInteger(), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("window_end", sa.Date(), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("measure IN ('RECENCY', 'FREQUENCY', 'MONETARY')", name=op.f("rfm_cutoffs_measure_check")),
        sa.PrimaryKeyConstraint("tenant_id", "measure", "score", name=op.f("rfm_cutoffs_pkey")),
    )
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
        "unrolled_customers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", name=op.f("unrolled_customers_pkey")),
    )
    op.create_table(
        "contracts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("plan", sa.Text(collation="C"), nullable=True),
        sa.Column("term_ends_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("event_count", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(collation="C"), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("base_amount", sa.BigInteger(), nullable=True),
        sa.Column("base_currency", sa.Text(collation="C"), nullable=True),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("status IN ('ACTIVE', 'PAUSED', 'ENDED')", name=op.f("contracts_status_check")),
        sa.CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name=op.f("contracts_base_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("contracts_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("contracts_pkey")),
    )
    op.create_index(
        "contracts_current_key",
        "contracts",
        ["tenant_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "contracts_customer_idx",
        "contracts",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "contracts_number_idx",
        "contracts",
        ["tenant_id", "number"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "contracts_occurred_at_idx",
        "contracts",
        ["tenant_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "contracts_term_ends_on_idx",
        "contracts",
        ["tenant_id", "status", "term_ends_on", "id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "contracts_unsettled_idx",
        "contracts",
        ["tenant_id", "currency"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.create_table(
        "cost_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("base_amount", sa.BigInteger(), nullable=True),
        sa.Column("base_currency", sa.Text(collation="C"), nullable=True),
        sa.Column("rule", sa.Text(collation="C"), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("campaign_key", sa.Text(collation="C"), nullable=True),
        sa.Column("case_key", sa.Text(collation="C"), nullable=True),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("initiative_id", sa.Uuid(), nullable=True),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("allocated_amount", sa.BigInteger(), nullable=True),
        sa.Column("allocated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "category IN ('ACQUISITION_MARKETING', 'ACQUISITION_SALES', 'RETENTION_MARKETING', 'RETENTION_SALES', 'SERVICE', 'INITIATIVE', 'COGS')",
            name=op.f("cost_entries_category_check"),
        ),
        sa.CheckConstraint(
            "rule IN ('EQUAL', 'BY_TOUCH', 'BY_REVENUE', 'BY_TIME')", name=op.f("cost_entries_rule_check")
        ),
        sa.CheckConstraint(
            "(allocated_amount IS NULL) = (allocated_at IS NULL)", name=op.f("cost_entries_allocated_check")
        ),
        sa.CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name=op.f("cost_entries_base_check")),
        sa.CheckConstraint("starts_on < ends_on", name=op.f("cost_entries_period_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("cost_entries_tenant_id_customer_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "department_id"],
            ["departments.tenant_id", "departments.id"],
            name=op.f("cost_entries_tenant_id_department_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("cost_entries_pkey")),
    )
    op.create_index(
        "cost_entries_campaign_key_idx",
        "cost_entries",
        ["tenant_id", "campaign_key", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND campaign_key IS NOT NULL"),
    )
    op.create_index(
        "cost_entries_case_key_idx",
        "cost_entries",
        ["tenant_id", "case_key", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND case_key IS NOT NULL"),
    )
    op.create_index(
        "cost_entries_current_key",
        "cost_entries",
        ["tenant_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "cost_entries_customer_idx",
        "cost_entries",
        ["tenant_id", "customer_id", sa.literal_column("starts_on DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "cost_entries_department_id_idx",
        "cost_entries",
        ["tenant_id", "department_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND department_id IS NOT NULL"),
    )
    op.create_index(
        "cost_entries_initiative_id_idx",
        "cost_entries",
        ["tenant_id", "initiative_id", "starts_on", "id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND initiative_id IS NOT NULL"),
    )
    op.create_index(
        "cost_entries_shared_idx",
        "cost_entries",
        ["tenant_id", "starts_on"],
        unique=False,
        postgresql_where=sa.text(
            "superseded_at IS NULL AND customer_id IS NULL AND case_key IS NULL AND rule IS NOT NULL"
        ),
    )
    op.create_index(
        "cost_entries_starts_on_idx",
        "cost_entries",
        ["tenant_id", sa.literal_column("starts_on DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "cost_entries_unsettled_idx",
        "cost_entries",
        ["tenant_id", "currency"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.create_table(
        "customer_values",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("valued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("historic", sa.BigInteger(), nullable=True),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("p_alive", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("expected_purchases", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("predictive", sa.BigInteger(), nullable=True),
        sa.Column("predictive_low", sa.BigInteger(), nullable=True),
        sa.Column("predictive_high", sa.BigInteger(), nullable=True),
        sa.Column("horizon_months", sa.BigInteger(), nullable=False),
        sa.Column("margin", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("discount", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("missing", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint(
            "missing IN ('NOT_FITTED', 'TOO_FEW_CUSTOMERS', 'TOO_FEW_REPEAT_CUSTOMERS', 'TOO_SHORT', 'TOO_FEW_CONTRACTS', 'NO_OPTIMUM', 'SPEND_NOT_INDEPENDENT', 'NO_PURCHASES')",
            name=op.f("customer_values_missing_check"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("customer_values_tenant_id_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", name=op.f("customer_values_pkey")),
    )
    op.create_table(
        "department_members",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("department_members_tenant_id_customer_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "department_id"],
            ["departments.tenant_id", "departments.id"],
            name=op.f("department_members_tenant_id_department_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("department_members_pkey")),
    )
    op.create_index(
        "department_members_current_key",
        "department_members",
        ["tenant_id", "customer_id"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_index(
        "department_members_customer_idx",
        "department_members",
        ["tenant_id", "customer_id", "valid_from"],
        unique=False,
    )
    op.create_index(
        "department_members_department_idx",
        "department_members",
        ["tenant_id", "department_id", "customer_id"],
        unique=False,
    )
    op.create_table(
        "equity_curves",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("spend_version_id", sa.Uuid(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("margin", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("acquired_per_month", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("current", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("future", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "spend_version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("equity_curves_tenant_id_spend_version_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("equity_curves_tenant_id_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "version_id", name=op.f("equity_curves_pkey")),
    )
    op.create_table(
        "measurements",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("initiative_id", sa.Uuid(), nullable=False),
        sa.Column("seal_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("tier", sa.Text(collation="C"), nullable=False),
        sa.Column("overall", sa.Text(collation="C"), nullable=True),
        sa.Column("flags", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("late_occasions", sa.BigInteger(), nullable=False),
        sa.Column("late_amount", sa.BigInteger(), nullable=False),
        sa.Column("findings", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("weekly", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("kind IN ('PRELIMINARY', 'FINAL', 'MONITORING')", name=op.f("measurements_kind_check")),
        sa.CheckConstraint(
            "overall IN ('GOOD_FIT', 'SWITCH', 'MIXED', 'NO_EVIDENCE')", name=op.f("measurements_overall_check")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "initiative_id"],
            ["initiatives.tenant_id", "initiatives.id"],
            name=op.f("measurements_tenant_id_initiative_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("measurements_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "initiative_id", "number", name=op.f("measurements_tenant_id_initiative_id_number_key")
        ),
    )
    op.create_table(
        "model_attempts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("missing", sa.Text(collation="C"), nullable=True),
        sa.Column("have", sa.BigInteger(), nullable=True),
        sa.Column("need", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('MBG_NBD', 'PARETO_NBD', 'BG_NBD', 'SBG', 'GAMMA_GAMMA')", name=op.f("model_attempts_kind_check")
        ),
        sa.CheckConstraint(
            "missing IN ('NOT_FITTED', 'TOO_FEW_CUSTOMERS', 'TOO_FEW_REPEAT_CUSTOMERS', 'TOO_SHORT', 'TOO_FEW_CONTRACTS', 'NO_OPTIMUM', 'SPEND_NOT_INDEPENDENT', 'NO_PURCHASES')",
            name=op.f("model_attempts_missing_check"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["model_versions.tenant_id", "model_versions.id"],
            name=op.f("model_attempts_tenant_id_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("model_attempts_pkey")),
    )
    op.create_table(
        "opportunities",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("probability", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("stage", sa.Text(collation="C"), nullable=True),
        sa.Column("expected_close_on", sa.Date(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(collation="C"), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("base_amount", sa.BigInteger(), nullable=True),
        sa.Column("base_currency", sa.Text(collation="C"), nullable=True),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("(closed_at IS NULL) = (status = 'OPEN')", name=op.f("opportunities_closed_check")),
        sa.CheckConstraint("status IN ('OPEN', 'WON', 'LOST')", name=op.f("opportunities_status_check")),
        sa.CheckConstraint("(amount IS NULL) = (currency IS NULL)", name=op.f("opportunities_amount_check")),
        sa.CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name=op.f("opportunities_base_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("opportunities_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("opportunities_pkey")),
    )
    op.create_index(
        "opportunities_closed_on_idx",
        "opportunities",
        ["tenant_id", "status", "closed_on", "id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "opportunities_current_key",
        "opportunities",
        ["tenant_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "opportunities_customer_idx",
        "opportunities",
        ["tenant_id", "customer_id", sa.literal_column("opened_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "opportunities_number_idx",
        "opportunities",
        ["tenant_id", "number"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "opportunities_occurred_at_idx",
        "opportunities",
        ["tenant_id", sa.literal_column("opened_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "opportunities_unsettled_idx",
        "opportunities",
        ["tenant_id", "currency"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
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
        "comparisons",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("measurement_id", sa.Uuid(), nullable=False),
        sa.Column("measure", sa.Text(collation="C"), nullable=False),
        sa.Column("question", sa.Text(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("verdict", sa.Text(collation="C"), nullable=True),
        sa.Column("reason", sa.Text(collation="C"), nullable=True),
        sa.Column("details", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "question IN ('FREQUENCY', 'RECENCY', 'SIZE', 'SERVICE_COST', 'RESPONSE', 'ACQUISITION_AND_RETENTION')",
            name=op.f("comparisons_question_check"),
        ),
        sa.CheckConstraint("verdict IN ('BETTER', 'WORSE', 'NO_EVIDENCE')", name=op.f("comparisons_verdict_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "measurement_id"],
            ["measurements.tenant_id", "measurements.id"],
            name=op.f("comparisons_tenant_id_measurement_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "measurement_id", "measure", name=op.f("comparisons_pkey")),
    )
    op.create_table(
        "contract_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("contract_version", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("mrr", sa.BigInteger(), nullable=False),
        sa.Column("base_mrr", sa.BigInteger(), nullable=True),
        sa.Column("term_starts_on", sa.Date(), nullable=True),
        sa.Column("term_ends_on", sa.Date(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("family_id", sa.Uuid(), nullable=True),
        sa.Column("plan", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint(
            "kind IN ('START', 'RENEW', 'UPGRADE', 'DOWNGRADE', 'PAUSE', 'RESUME', 'CANCEL', 'END')",
            name=op.f("contract_events_kind_check"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contract_id", "contract_version"],
            ["contracts.tenant_id", "contracts.id", "contracts.version"],
            name=op.f("contract_events_tenant_id_contract_id_contract_version_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "contract_id", "contract_version", "position", name=op.f("contract_events_pkey")
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
    op.create_table(
        "verdicts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("measurement_id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.Text(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(collation="C"), nullable=True),
        sa.Column("reason", sa.Text(collation="C"), nullable=True),
        sa.Column("minimum_effect", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "question IN ('FREQUENCY', 'RECENCY', 'SIZE', 'SERVICE_COST', 'RESPONSE', 'ACQUISITION_AND_RETENTION')",
            name=op.f("verdicts_question_check"),
        ),
        sa.CheckConstraint("verdict IN ('BETTER', 'WORSE', 'NO_EVIDENCE')", name=op.f("verdicts_verdict_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "measurement_id"],
            ["measurements.tenant_id", "measurements.id"],
            name=op.f("verdicts_tenant_id_measurement_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "measurement_id", "question", name=op.f("verdicts_pkey")),
    )


def downgrade() -> None:
    op.drop_table("verdicts")
    op.drop_index("segment_runs_segment_idx", table_name="segment_runs")
    op.drop_table("segment_runs")
    op.drop_index("segment_membership_events_segment_idx", table_name="segment_membership_events")
    op.drop_index("segment_membership_events_recorded_in_idx", table_name="segment_membership_events")
    op.drop_index("segment_membership_events_customer_idx", table_name="segment_membership_events")
    op.drop_table("segment_membership_events")
    op.drop_table("contract_events")
    op.drop_table("comparisons")
    op.drop_table("segment_versions")
    op.drop_index("segment_members_customer_idx", table_name="segment_members")
    op.drop_table("segment_members")
    op.drop_index(
        "opportunities_unsettled_idx",
        table_name="opportunities",
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.drop_index(
        "opportunities_occurred_at_idx", table_name="opportunities", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "opportunities_number_idx", table_name="opportunities", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "opportunities_customer_idx", table_name="opportunities", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "opportunities_current_key", table_name="opportunities", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "opportunities_closed_on_idx", table_name="opportunities", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_table("opportunities")
    op.drop_table("model_attempts")
    op.drop_table("measurements")
    op.drop_table("equity_curves")
    op.drop_index("department_members_department_idx", table_name="department_members")
    op.drop_index("department_members_customer_idx", table_name="department_members")
    op.drop_index(
        "department_members_current_key", table_name="department_members", postgresql_where=sa.text("valid_to IS NULL")
    )
    op.drop_table("department_members")
    op.drop_table("customer_values")
    op.drop_index(
        "cost_entries_unsettled_idx",
        table_name="cost_entries",
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.drop_index(
        "cost_entries_starts_on_idx", table_name="cost_entries", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "cost_entries_shared_idx",
        table_name="cost_entries",
        postgresql_where=sa.text(
            "superseded_at IS NULL AND customer_id IS NULL AND case_key IS NULL AND rule IS NOT NULL"
        ),
    )
    op.drop_index(
        "cost_entries_initiative_id_idx",
        table_name="cost_entries",
        postgresql_where=sa.text("superseded_at IS NULL AND initiative_id IS NOT NULL"),
    )
    op.drop_index(
        "cost_entries_department_id_idx",
        table_name="cost_entries",
        postgresql_where=sa.text("superseded_at IS NULL AND department_id IS NOT NULL"),
    )
    op.drop_index(
        "cost_entries_customer_idx", table_name="cost_entries", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "cost_entries_current_key", table_name="cost_entries", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "cost_entries_case_key_idx",
        table_name="cost_entries",
        postgresql_where=sa.text("superseded_at IS NULL AND case_key IS NOT NULL"),
    )
    op.drop_index(
        "cost_entries_campaign_key_idx",
        table_name="cost_entries",
        postgresql_where=sa.text("superseded_at IS NULL AND campaign_key IS NOT NULL"),
    )
    op.drop_table("cost_entries")
    op.drop_index(
        "contracts_unsettled_idx",
        table_name="contracts",
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.drop_index(
        "contracts_term_ends_on_idx", table_name="contracts", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "contracts_occurred_at_idx", table_name="contracts", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index("contracts_number_idx", table_name="contracts", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("contracts_customer_idx", table_name="contracts", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("contracts_current_key", table_name="contracts", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_table("contracts")
    op.drop_table("unrolled_customers")
    op.drop_index("survey_responses_local_day_idx", table_name="survey_responses")
    op.drop_index("survey_responses_customer_idx", table_name="survey_responses")
    op.drop_table("survey_responses")
    op.drop_index("social_mentions_local_day_idx", table_name="social_mentions")
    op.drop_index("social_mentions_customer_idx", table_name="social_mentions")
    op.drop_table("social_mentions")
    op.drop_table("segments")
    op.drop_table("segment_sweeps")
    op.drop_table("rfm_cutoffs")
    op.drop_index("reviews_local_day_idx", table_name="reviews")
    op.drop_index("reviews_customer_idx", table_name="reviews")
    op.drop_table("reviews")
    op.drop_index("referrals_referred_idx", table_name="referrals")
    op.drop_index("referrals_local_day_idx", table_name="referrals")
    op.drop_index("referrals_customer_idx", table_name="referrals")
    op.drop_index("referrals_awaited_idx", table_name="referrals", postgresql_where=sa.text("referred_id IS NULL"))
    op.drop_table("referrals")
    op.drop_index("purchase_days_unrated_idx", table_name="purchase_days", postgresql_where=sa.text("unrated > 0"))
    op.drop_index("purchase_days_day_idx", table_name="purchase_days")
    op.drop_table("purchase_days")
    op.drop_index("objectives_place_key", table_name="objectives", postgresql_where=sa.text("place IS NOT NULL"))
    op.drop_table("objectives")
    op.drop_table("model_versions")
    op.drop_index("metric_observations_key_idx", table_name="metric_observations")
    op.drop_table("metric_observations")
    op.drop_index("metric_distributions_latest_idx", table_name="metric_distributions")
    op.drop_table("metric_distributions")
    op.drop_table("metric_definitions")
    op.drop_index("initiatives_go_live_idx", table_name="initiatives")
    op.drop_table("initiatives")
    op.drop_table("departments")
    op.drop_index("cost_weights_customer_idx", table_name="cost_weights")
    op.drop_table("cost_weights")
    op.drop_index("cost_allocations_customer_idx", table_name="cost_allocations")
    op.drop_table("cost_allocations")
    op.drop_index("cases_local_day_idx", table_name="cases")
    op.drop_index("cases_customer_idx", table_name="cases")
    op.drop_index("cases_case_key_idx", table_name="cases")
    op.drop_table("cases")
    op.drop_index("campaign_responses_delivered_on_idx", table_name="campaign_responses")
    op.drop_table("campaign_responses")
    op.drop_table("seals", schema="baseline")
    op.drop_table("sealed_newcomers", schema="baseline")
    op.drop_index("sealed_links_customer_idx", table_name="sealed_links", schema="baseline")
    op.drop_table("sealed_links", schema="baseline")
    op.drop_table("sealed_days", schema="baseline")
    op.drop_table("sealed_customers", schema="baseline")
    op.drop_table("sealed_costs", schema="baseline")
    op.drop_table("seal_batches", schema="baseline")
    op.drop_index("activity_days_day_idx", table_name="activity_days")
    op.drop_table("activity_days")
