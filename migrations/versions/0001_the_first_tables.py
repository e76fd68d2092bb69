"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attribute_definitions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("labels", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("pii", sa.Text(collation="C"), nullable=False),
        sa.Column("survivorship", sa.Text(collation="C"), nullable=False),
        sa.Column("authority", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("pii IN ('NONE', 'PERSONAL')", name=op.f("attribute_definitions_pii_check")),
        sa.CheckConstraint(
            "survivorship IN ('LATEST', 'MOST_TRUSTED', 'MOST_FREQUENT')",
            name=op.f("attribute_definitions_survivorship_check"),
        ),
        sa.CheckConstraint(
            "type IN ('TEXT', 'INTEGER', 'DECIMAL', 'BOOLEAN', 'DATE', 'DATETIME')",
            name=op.f("attribute_definitions_type_check"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("attribute_definitions_pkey")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("attribute_definitions_tenant_id_key_key")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("action", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Text(collation="C"), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("request_id", sa.Text(collation="C"), nullable=True),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "position", name=op.f("audit_entries_pkey")),
    )
    op.create_table(
        "consent_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(collation="C"), nullable=False),
        sa.Column("channel", sa.Text(collation="C"), nullable=False),
        sa.Column("decision", sa.Text(collation="C"), nullable=False),
        sa.Column("lawful_basis", sa.Text(collation="C"), nullable=True),
        sa.Column("evidence", sa.Text(collation="C"), nullable=True),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("decision IN ('GRANTED', 'REVOKED', 'DENIED')", name=op.f("consent_events_decision_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("consent_events_pkey")),
    )
    op.create_index(
        "consent_events_customer_idx",
        "consent_events",
        ["tenant_id", "customer_id", "purpose", "channel", "occurred_at"],
        unique=False,
    )
    op.create_table(
        "customer_attributes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("text_value", sa.Text(collation="C"), nullable=True),
        sa.Column("integer_value", sa.BigInteger(), nullable=True),
        sa.Column("boolean_value", sa.Boolean(), nullable=True),
        sa.Column("date_value", sa.Date(), nullable=True),
        sa.Column("time_value", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", "key", name=op.f("customer_attributes_pkey")),
    )
    op.create_index(
        "customer_attributes_boolean_value_idx",
        "customer_attributes",
        ["tenant_id", "key", "boolean_value", "customer_id"],
        unique=False,
        postgresql_where=sa.text("boolean_value IS NOT NULL"),
    )
    op.create_index(
        "customer_attributes_date_value_idx",
        "customer_attributes",
        ["tenant_id", "key", "date_value", "customer_id"],
        unique=False,
        postgresql_where=sa.text("date_value IS NOT NULL"),
    )
    op.create_index(
        "customer_attributes_integer_value_idx",
        "customer_attributes",
        ["tenant_id", "key", "integer_value", "customer_id"],
        unique=False,
        postgresql_where=sa.text("integer_value IS NOT NULL"),
    )
    op.create_index(
        "customer_attributes_text_value_idx",
        "customer_attributes",
        ["tenant_id", "key", "text_value", "customer_id"],
        unique=False,
        postgresql_where=sa.text("text_value IS NOT NULL"),
    )
    op.create_index(
        "customer_attributes_time_value_idx",
        "customer_attributes",
        ["tenant_id", "key", "time_value", "customer_id"],
        unique=False,
        postgresql_where=sa.text("time_value IS NOT NULL"),
    )
    op.create_table(
        "customer_relations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("to_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('EMPLOYS', 'HOUSEHOLD', 'REFERRED', 'PARENT_OF')", name=op.f("customer_relations_kind_check")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("customer_relations_pkey")),
    )
    op.create_index(
        "customer_relations_from_idx", "customer_relations", ["tenant_id", "from_id", "kind", "to_id"], unique=False
    )
    op.create_index(
        "customer_relations_to_idx", "customer_relations", ["tenant_id", "to_id", "kind", "from_id"], unique=False
    )
    op.create_table(
        "customer_totals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("occasions", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", name=op.f("customer_totals_pkey")),
    )
    op.create_table(
        "customer_words",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("word", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "word", "customer_id", name=op.f("customer_words_pkey")),
    )
    op.create_index("customer_words_customer_idx", "customer_words", ["tenant_id", "customer_id"], unique=False)
    op.create_table(
        "customers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("display_name", sa.Text(collation="C"), nullable=True),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("country", sa.Text(collation="C"), nullable=True),
        sa.Column("primary_email", sa.Text(collation="C"), nullable=True),
        sa.Column("primary_phone", sa.Text(collation="C"), nullable=True),
        sa.Column("emails", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("phones", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("addresses", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("attributes", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("root_id", sa.Uuid(), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("member_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("own_first_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_purchase_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_purchase_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("kind IN ('PERSON', 'ORGANISATION')", name=op.f("customers_kind_check")),
        sa.CheckConstraint("status IN ('ACTIVE', 'MERGED', 'ERASED')", name=op.f("customers_status_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("customers_pkey")),
    )
    op.create_index(
        "customers_country_idx",
        "customers",
        ["tenant_id", "country", sa.literal_column("coalesce(last_purchase_at, '-infinity'::timestamptz)"), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )
    op.create_index(
        "customers_display_name_idx",
        "customers",
        ["tenant_id", sa.literal_column("coalesce(display_name, '')"), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )
    op.create_index(
        "customers_first_purchase_at_idx",
        "customers",
        ["tenant_id", sa.literal_column("coalesce(first_purchase_at, '-infinity'::timestamptz)"), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )
    op.create_index(
        "customers_first_seen_at_idx",
        "customers",
        ["tenant_id", sa.literal_column("first_seen_at"), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )
    op.create_index(
        "customers_last_purchase_at_idx",
        "customers",
        ["tenant_id", sa.literal_column("coalesce(last_purchase_at, '-infinity'::timestamptz)"), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )
    op.create_index("customers_organisation_idx", "customers", ["tenant_id", "organisation_id", "id"], unique=False)
    op.create_index("customers_root_idx", "customers", ["tenant_id", "root_id"], unique=False)
    op.create_index(
        "customers_updated_at_idx",
        "customers",
        ["tenant_id", sa.literal_column("updated_at"), "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )
    op.create_table(
        "due_work",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "key", name=op.f("due_work_pkey")),
        schema="directory",
    )
    op.create_index("due_work_due_at_idx", "due_work", ["due_at"], unique=False, schema="directory")
    op.create_table(
        "hook_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("app", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("hook_tokens_pkey")),
        schema="directory",
    )
    op.create_table(
        "remote_accounts",
        sa.Column("connector", sa.Text(collation="C"), nullable=False),
        sa.Column("account", sa.Text(collation="C"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "account", "tenant_id", name=op.f("remote_accounts_pkey")),
        schema="directory",
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), server_default=sa.text("'ACTIVE'"), nullable=False),
        sa.CheckConstraint("status IN ('ACTIVE', 'SUSPENDED')", name=op.f("tenants_status_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("tenants_pkey")),
        sa.UniqueConstraint("slug", name=op.f("tenants_slug_key")),
        schema="directory",
    )
    op.create_table(
        "token_prefixes",
        sa.Column("prefix", sa.Text(collation="C"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("token_prefixes_pkey")),
        schema="directory",
    )
    op.create_table(
        "exchange_rates",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("base", sa.Text(collation="C"), nullable=False),
        sa.Column("quote", sa.Text(collation="C"), nullable=False),
        sa.Column("rate", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("exchange_rates_pkey")),
    )
    op.create_index(
        "exchange_rates_day_idx", "exchange_rates", ["tenant_id", "base", "quote", "day", "recorded_at"], unique=False
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("input_digest", sa.LargeBinary(), nullable=False),
        sa.Column("answer", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "token_id", "field", "key", name=op.f("idempotency_keys_pkey")),
    )
    op.create_index("idempotency_keys_expires_at_idx", "idempotency_keys", ["tenant_id", "expires_at"], unique=False)
    op.create_table(
        "identity_edges",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("into_id", sa.Uuid(), nullable=False),
        sa.Column("undoes", sa.Uuid(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=True),
        sa.Column("evidence", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('MERGE', 'UNMERGE', 'VETO')", name=op.f("identity_edges_kind_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("identity_edges_pkey")),
    )
    op.create_index("identity_edges_batch_idx", "identity_edges", ["tenant_id", "batch_id"], unique=False)
    op.create_index("identity_edges_customer_idx", "identity_edges", ["tenant_id", "customer_id"], unique=False)
    op.create_index("identity_edges_into_idx", "identity_edges", ["tenant_id", "into_id"], unique=False)
    op.create_table(
        "integrations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connector", sa.Text(collation="C"), nullable=False),
        sa.Column("account", sa.Text(collation="C"), nullable=False),
        sa.Column("label", sa.Text(collation="C"), nullable=False),
        sa.Column("config", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('DRAFT', 'ACTIVE', 'PAUSED', 'DISCONNECTED')", name=op.f("integrations_state_check")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("integrations_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "connector", "account", name=op.f("integrations_tenant_id_connector_account_key")
        ),
    )
    op.create_table(
        "lifecycles",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("template_key", sa.Text(collation="C"), nullable=True),
        sa.Column("labels", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("lifecycles_pkey")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("lifecycles_tenant_id_key_key")),
    )
    op.create_index(
        "lifecycles_default_key", "lifecycles", ["tenant_id"], unique=True, postgresql_where=sa.text("is_default")
    )
    op.create_table(
        "merge_candidates",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("left_id", sa.Uuid(), nullable=False),
        sa.Column("right_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("features", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("decided_by", sa.Text(collation="C"), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('OPEN', 'ACCEPTED', 'REJECTED')", name=op.f("merge_candidates_state_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("merge_candidates_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "left_id", "right_id", name=op.f("merge_candidates_tenant_id_left_id_right_id_key")
        ),
    )
    op.create_index("merge_candidates_right_idx", "merge_candidates", ["tenant_id", "right_id"], unique=False)
    op.create_index(
        "merge_candidates_score_idx", "merge_candidates", ["tenant_id", "state", "score", "id"], unique=False
    )
    op.create_table(
        "outbox_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("body", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("causation_id", sa.Uuid(), nullable=True),
        sa.Column("depth", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("outbox_events_pkey")),
    )
    op.create_index(
        "outbox_events_undelivered_idx",
        "outbox_events",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "persisted_documents",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.Text(collation="C"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name=op.f("persisted_documents_pkey")),
    )
    op.create_table(
        "principals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("role", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("kind IN ('PERSON', 'SERVICE')", name=op.f("principals_kind_check")),
        sa.CheckConstraint("role IN ('VIEWER', 'AGENT', 'ANALYST', 'ADMIN')", name=op.f("principals_role_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("principals_pkey")),
    )
    op.create_table(
        "privacy_requests",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("steps", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("kind IN ('EXPORT', 'ERASE', 'RESTRICT')", name=op.f("privacy_requests_kind_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("privacy_requests_pkey")),
    )
    op.create_index("privacy_requests_customer_idx", "privacy_requests", ["tenant_id", "customer_id"], unique=False)
    op.create_table(
        "product_families",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("product_families_pkey")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("product_families_tenant_id_key_key")),
    )
    op.create_table(
        "rate_buckets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("refilled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "token_id", name=op.f("rate_buckets_pkey")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "stage_checks",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", name=op.f("stage_checks_pkey")),
    )
    op.create_index("stage_checks_due_idx", "stage_checks", ["tenant_id", "due_at", "customer_id"], unique=False)
    op.create_table(
        "stage_intervals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("lifecycle_id", sa.Uuid(), nullable=False),
        sa.Column("lifecycle_key", sa.Text(collation="C"), nullable=False),
        sa.Column("stage_id", sa.Uuid(), nullable=False),
        sa.Column("stage_key", sa.Text(collation="C"), nullable=False),
        sa.Column("visit", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("exited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("cause_kind", sa.Text(collation="C"), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("stage_intervals_pkey")),
    )
    op.create_index(
        "stage_intervals_current_key",
        "stage_intervals",
        ["tenant_id", "customer_id", "lifecycle_id"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )
    op.create_index(
        "stage_intervals_entered_idx", "stage_intervals", ["tenant_id", "lifecycle_id", "entered_at"], unique=False
    )
    op.create_index(
        "stage_intervals_history_idx",
        "stage_intervals",
        ["tenant_id", "customer_id", "lifecycle_key", "entered_at", "id"],
        unique=False,
    )
    op.create_index(
        "stage_intervals_stage_idx",
        "stage_intervals",
        ["tenant_id", "lifecycle_key", "stage_key", "customer_id"],
        unique=False,
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "staged_lines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("record", sa.Text(collation="C"), nullable=False),
        sa.Column("document", sa.Text(collation="C"), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=True),
        sa.Column("number", sa.Text(collation="C"), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=True),
        sa.Column("refunds", sa.Text(collation="C"), nullable=True),
        sa.Column("customer", sa.Text(collation="C"), nullable=True),
        sa.Column("customer_name", sa.Text(collation="C"), nullable=True),
        sa.Column("country", sa.Text(collation="C"), nullable=True),
        sa.Column("country_name", sa.Text(collation="C"), nullable=True),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("digits", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(collation="C"), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("units", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("sku", sa.Text(collation="C"), nullable=True),
        sa.Column("description", sa.Text(collation="C"), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("unit_price", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("discount", sa.BigInteger(), nullable=True),
        sa.Column("tax", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "record", "document", "line", name=op.f("staged_lines_pkey")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "suppressions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name=op.f("suppressions_pkey")),
    )
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("time_zone", sa.Text(collation="C"), nullable=False),
        sa.Column("calendar", sa.Text(collation="C"), nullable=False),
        sa.Column("base_currency", sa.Text(collation="C"), nullable=False),
        sa.Column("locale", sa.Text(collation="C"), nullable=False),
        sa.Column("vocabulary", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(collation="C"), server_default=sa.text("'ACTIVE'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("calendar IN ('GREGORIAN', 'JALALI')", name=op.f("tenants_calendar_check")),
        sa.CheckConstraint("status IN ('ACTIVE', 'SUSPENDED')", name=op.f("tenants_status_check")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("tenants_pkey")),
    )
    op.create_table(
        "api_tokens",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("prefix", sa.Text(collation="C"), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "principal_id"],
            ["principals.tenant_id", "principals.id"],
            name=op.f("api_tokens_tenant_id_principal_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("api_tokens_pkey")),
        sa.UniqueConstraint("tenant_id", "prefix", name=op.f("api_tokens_tenant_id_prefix_key")),
    )
    op.create_table(
        "customer_facts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("json_value", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("confidence", sa.BigInteger(), server_default=sa.text("100"), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("text_value", sa.Text(collation="C"), nullable=True),
        sa.Column("integer_value", sa.BigInteger(), nullable=True),
        sa.Column("boolean_value", sa.Boolean(), nullable=True),
        sa.Column("date_value", sa.Date(), nullable=True),
        sa.Column("time_value", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("customer_facts_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("customer_facts_pkey")),
    )
    op.create_index(
        "customer_facts_customer_idx",
        "customer_facts",
        ["tenant_id", "customer_id", "key", "recorded_at"],
        unique=False,
    )
    op.create_table(
        "dead_letters",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.Column("field", sa.Text(collation="C"), nullable=True),
        sa.Column("value", sa.Text(collation="C"), nullable=True),
        sa.Column("reason", sa.Text(collation="C"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolution", sa.Text(collation="C"), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("dead_letters_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("dead_letters_pkey")),
    )
    op.create_index("dead_letters_run_idx", "dead_letters", ["tenant_id", "run_id", "id"], unique=False)
    op.create_table(
        "identity_claims",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("scheme", sa.Text(collation="C"), nullable=False),
        sa.Column("value", sa.Text(collation="C"), nullable=True),
        sa.Column("normalised", sa.Text(collation="C"), nullable=True),
        sa.Column("strength", sa.Text(collation="C"), nullable=False),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("is_primary", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("strength IN ('STRONG', 'WEAK', 'DEVICE')", name=op.f("identity_claims_strength_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("identity_claims_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("identity_claims_pkey")),
    )
    op.create_index("identity_claims_customer_idx", "identity_claims", ["tenant_id", "customer_id"], unique=False)
    op.create_index(
        "identity_claims_value_idx",
        "identity_claims",
        ["tenant_id", "scheme", "normalised", "customer_id"],
        unique=False,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "interactions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("family", sa.Text(collation="C"), nullable=False),
        sa.Column("channel", sa.Text(collation="C"), nullable=True),
        sa.Column("direction", sa.Text(collation="C"), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_in", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False
        ),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_version", sa.Text(collation="C"), nullable=True),
        sa.Column("correlation_key", sa.Text(collation="C"), nullable=True),
        sa.Column("causation_id", sa.Uuid(), nullable=True),
        sa.Column("campaign_key", sa.Text(collation="C"), nullable=True),
        sa.Column("machine_suspected", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("summary", sa.Text(collation="C"), nullable=True),
        sa.Column("payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "channel IN ('EMAIL', 'PHONE', 'SMS', 'CHAT', 'WEB', 'SOCIAL', 'IN_PERSON', 'VIDEO', 'MAIL', 'STORE', 'APP', 'OTHER')",
            name=op.f("interactions_channel_check"),
        ),
        sa.CheckConstraint(
            "direction IN ('INBOUND', 'OUTBOUND', 'INTERNAL')", name=op.f("interactions_direction_check")
        ),
        sa.CheckConstraint(
            "family IN ('EMAIL', 'MESSAGE', 'CALL', 'MEETING', 'ENVELOPE', 'CASE', 'SURVEY', 'REVIEW', 'REFERRAL', 'USAGE', 'VISIT', 'COMMERCE', 'STAGE', 'NOTE', 'TASK')",
            name=op.f("interactions_family_check"),
        ),
        sa.CheckConstraint(
            "kind IN ('VISIT', 'AD_VIEW', 'INQUIRY', 'FORM_SUBMITTED', 'EMAIL_SENT', 'EMAIL_RECEIVED', 'EMAIL_OPENED', 'EMAIL_CLICKED', 'EMAIL_BOUNCED', 'MESSAGE', 'CALL', 'MEETING', 'ENVELOPE_SENT', 'ENVELOPE_VIEWED', 'ENVELOPE_SIGNED', 'ENVELOPE_DECLINED', 'ENVELOPE_VOIDED', 'CASE_OPENED', 'CASE_ANSWERED', 'CASE_RESOLVED', 'CASE_REOPENED', 'CASE_CLOSED', 'SURVEY', 'REVIEW', 'REFERRAL', 'SOCIAL_MENTION', 'USAGE', 'CART_CREATED', 'CART_UPDATED', 'CART_ABANDONED', 'CART_RECOVERED', 'ORDER_PLACED', 'ORDER_ADJUSTED', 'ORDER_CANCELLED', 'ORDER_REFUNDED', 'ORDER_SHIPPED', 'ORDER_DELIVERED', 'INVOICE_SENT', 'INVOICE_PAID', 'INVOICE_OVERDUE', 'PAYMENT_RECEIVED', 'PAYMENT_FAILED', 'STAGE_CHANGED', 'NOTE', 'TASK')",
            name=op.f("interactions_kind_check"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("interactions_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "revision", name=op.f("interactions_pkey")),
    )
    op.create_index(
        "interactions_occurred_at_idx",
        "interactions",
        ["tenant_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "interactions_remote_key",
        "interactions",
        ["tenant_id", "integration_id", "stream", "remote_id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "interactions_timeline_idx",
        "interactions",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "lifecycle_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lifecycle_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stage_map", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lifecycle_id"],
            ["lifecycles.tenant_id", "lifecycles.id"],
            name=op.f("lifecycle_versions_tenant_id_lifecycle_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("lifecycle_versions_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "lifecycle_id", "number", name=op.f("lifecycle_versions_tenant_id_lifecycle_id_number_key")
        ),
    )
    op.create_table(
        "orders",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("channel", sa.Text(collation="C"), nullable=True),
        sa.Column("campaign_key", sa.Text(collation="C"), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(collation="C"), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("base_amount", sa.BigInteger(), nullable=True),
        sa.Column("base_currency", sa.Text(collation="C"), nullable=True),
        sa.Column("units", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("line_count", sa.BigInteger(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN ('SALE', 'ADJUSTMENT')", name=op.f("orders_kind_check")),
        sa.CheckConstraint("status IN ('OPEN', 'COMPLETED', 'CANCELLED')", name=op.f("orders_status_check")),
        sa.CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name=op.f("orders_base_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("orders_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("orders_pkey")),
    )
    op.create_index(
        "orders_current_key",
        "orders",
        ["tenant_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "orders_customer_idx",
        "orders",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "orders_number_idx",
        "orders",
        ["tenant_id", "number"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "orders_occurred_at_idx",
        "orders",
        ["tenant_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "orders_unsettled_idx",
        "orders",
        ["tenant_id", "currency"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.create_table(
        "products",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sku", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=True),
        sa.Column("family_id", sa.Uuid(), nullable=True),
        sa.Column("tier_rank", sa.BigInteger(), nullable=True),
        sa.Column("complements", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "family_id"],
            ["product_families.tenant_id", "product_families.id"],
            name=op.f("products_tenant_id_family_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "valid_from", name=op.f("products_pkey")),
    )
    op.create_index(
        "products_sku_key", "products", ["tenant_id", "sku"], unique=True, postgresql_where=sa.text("valid_to IS NULL")
    )
    op.create_table(
        "record_links",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=False),
        sa.Column("local_id", sa.Uuid(), nullable=False),
        sa.Column("agreed", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("record_links_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", "type", "remote_id", name=op.f("record_links_pkey")),
    )
    op.create_index("record_links_local_id_idx", "record_links", ["tenant_id", "local_id"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(collation="C"), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(collation="C"), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("base_amount", sa.BigInteger(), nullable=True),
        sa.Column("base_currency", sa.Text(collation="C"), nullable=True),
        sa.Column("units", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("line_count", sa.BigInteger(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name=op.f("refunds_base_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("refunds_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("refunds_pkey")),
    )
    op.create_index(
        "refunds_current_key",
        "refunds",
        ["tenant_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "refunds_customer_idx",
        "refunds",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "refunds_occurred_at_idx",
        "refunds",
        ["tenant_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "refunds_order_idx",
        "refunds",
        ["tenant_id", "order_id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND order_id IS NOT NULL"),
    )
    op.create_index(
        "refunds_unsettled_idx",
        "refunds",
        ["tenant_id", "currency"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.create_table(
        "remote_records",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("remote_records_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", "type", "remote_id", name=op.f("remote_records_pkey")),
    )
    op.create_table(
        "stage_notes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("lifecycle_id", sa.Uuid(), nullable=False),
        sa.Column("stage_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("text", sa.Text(collation="C"), nullable=True),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("author", sa.Text(collation="C"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('NEED', 'PAIN_POINT', 'PLAN')", name=op.f("stage_notes_kind_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("stage_notes_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("stage_notes_pkey")),
    )
    op.create_index(
        "stage_notes_customer_idx",
        "stage_notes",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "stage_transitions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("lifecycle_id", sa.Uuid(), nullable=False),
        sa.Column("lifecycle_version_id", sa.Uuid(), nullable=False),
        sa.Column("from_stage_id", sa.Uuid(), nullable=True),
        sa.Column("to_stage_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_in", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False
        ),
        sa.Column("direction", sa.Text(collation="C"), nullable=True),
        sa.Column("cause_kind", sa.Text(collation="C"), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=True),
        sa.Column("evidence", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("corrects", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "cause_kind IN ('RULE', 'PERSON', 'CONNECTOR', 'MIGRATION')",
            name=op.f("stage_transitions_cause_kind_check"),
        ),
        sa.CheckConstraint(
            "direction IN ('FORWARD', 'REGRESSION', 'REENTRY', 'SKIP')", name=op.f("stage_transitions_direction_check")
        ),
        sa.CheckConstraint(
            "corrects IS NOT NULL OR from_stage_id IS DISTINCT FROM to_stage_id",
            name=op.f("stage_transitions_moves_check"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("stage_transitions_tenant_id_customer_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lifecycle_id"],
            ["lifecycles.tenant_id", "lifecycles.id"],
            name=op.f("stage_transitions_tenant_id_lifecycle_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("stage_transitions_pkey")),
    )
    op.create_index(
        "stage_transitions_corrects_idx",
        "stage_transitions",
        ["tenant_id", "corrects"],
        unique=False,
        postgresql_where=sa.text("corrects IS NOT NULL"),
    )
    op.create_index(
        "stage_transitions_customer_idx",
        "stage_transitions",
        ["tenant_id", "customer_id", "lifecycle_id", "occurred_at", "id"],
        unique=False,
    )
    op.create_index(
        "stage_transitions_recorded_idx",
        "stage_transitions",
        ["tenant_id", "lifecycle_id", "recorded_at", "id"],
        unique=False,
    )
    op.create_index(
        "stage_transitions_recorded_in_idx", "stage_transitions", ["tenant_id", "recorded_in", "id"], unique=False
    )
    op.create_table(
        "stream_states",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("cursor", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_owner", sa.Text(collation="C"), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("stream_states_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", "stream", name=op.f("stream_states_pkey")),
    )
    op.create_table(
        "sync_runs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("mode", sa.Text(collation="C"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counters", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("error", sa.Text(collation="C"), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("sync_runs_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("sync_runs_pkey")),
    )
    op.create_index(
        "sync_runs_started_at_idx", "sync_runs", ["tenant_id", "integration_id", "started_at"], unique=False
    )
    op.create_table(
        "order_lines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_version", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("description", sa.Text(collation="C"), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("discount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("cost_amount", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id", "order_version"],
            ["orders.tenant_id", "orders.id", "orders.version"],
            name=op.f("order_lines_tenant_id_order_id_order_version_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "order_id", "order_version", "position", name=op.f("order_lines_pkey")),
    )
    op.create_table(
        "refund_lines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("refund_version", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("description", sa.Text(collation="C"), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("discount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("cost_amount", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "refund_id", "refund_version"],
            ["refunds.tenant_id", "refunds.id", "refunds.version"],
            name=op.f("refund_lines_tenant_id_refund_id_refund_version_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "refund_id", "refund_version", "position", name=op.f("refund_lines_pkey")),
    )
    op.create_table(
        "stages",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lifecycle_version_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("labels", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("rotting_days", sa.BigInteger(), nullable=True),
        sa.Column("needs", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("kind IN ('OPEN', 'WON', 'LOST', 'CHURNED')", name=op.f("stages_kind_check")),
        sa.CheckConstraint(
            "step IN ('AWARE', 'CONSIDER', 'PURCHASE', 'USE', 'RETAIN', 'ADVOCATE')", name=op.f("stages_step_check")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lifecycle_version_id"],
            ["lifecycle_versions.tenant_id", "lifecycle_versions.id"],
            name=op.f("stages_tenant_id_lifecycle_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("stages_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "lifecycle_version_id", "key", name=op.f("stages_tenant_id_lifecycle_version_id_key_key")
        ),
    )
    op.create_table(
        "transition_rules",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lifecycle_version_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("from_stage", sa.Text(collation="C"), nullable=True),
        sa.Column("to_stage", sa.Text(collation="C"), nullable=True),
        sa.Column("trigger", sa.Text(collation="C"), nullable=False),
        sa.Column("condition", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("requires_reason", sa.Boolean(), nullable=False),
        sa.CheckConstraint("trigger IN ('MANUAL', 'EVENT', 'TIME')", name=op.f("transition_rules_trigger_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lifecycle_version_id"],
            ["lifecycle_versions.tenant_id", "lifecycle_versions.id"],
            name=op.f("transition_rules_tenant_id_lifecycle_version_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("transition_rules_pkey")),
    )
    op.create_index(
        "transition_rules_version_idx",
        "transition_rules",
        ["tenant_id", "lifecycle_version_id", "position"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("transition_rules_version_idx", table_name="transition_rules")
    op.drop_table("transition_rules")
    op.drop_table("stages")
    op.drop_table("refund_lines")
    op.drop_table("order_lines")
    op.drop_index("sync_runs_started_at_idx", table_name="sync_runs")
    op.drop_table("sync_runs")
    op.drop_table("stream_states")
    op.drop_index("stage_transitions_recorded_in_idx", table_name="stage_transitions")
    op.drop_index("stage_transitions_recorded_idx", table_name="stage_transitions")
    op.drop_index("stage_transitions_customer_idx", table_name="stage_transitions")
    op.drop_index(
        "stage_transitions_corrects_idx",
        table_name="stage_transitions",
        postgresql_where=sa.text("corrects IS NOT NULL"),
    )
    op.drop_table("stage_transitions")
    op.drop_index("stage_notes_customer_idx", table_name="stage_notes")
    op.drop_table("stage_notes")
    op.drop_table("remote_records")
    op.drop_index(
        "refunds_unsettled_idx",
        table_name="refunds",
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.drop_index(
        "refunds_order_idx",
        table_name="refunds",
        postgresql_where=sa.text("superseded_at IS NULL AND order_id IS NOT NULL"),
    )
    op.drop_index("refunds_occurred_at_idx", table_name="refunds", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("refunds_customer_idx", table_name="refunds", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("refunds_current_key", table_name="refunds", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_table("refunds")
    op.drop_index("record_links_local_id_idx", table_name="record_links")
    op.drop_table("record_links")
    op.drop_index("products_sku_key", table_name="products", postgresql_where=sa.text("valid_to IS NULL"))
    op.drop_table("products")
    op.drop_index(
        "orders_unsettled_idx",
        table_name="orders",
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.drop_index("orders_occurred_at_idx", table_name="orders", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("orders_number_idx", table_name="orders", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("orders_customer_idx", table_name="orders", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("orders_current_key", table_name="orders", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_table("orders")
    op.drop_table("lifecycle_versions")
    op.drop_index(
        "interactions_timeline_idx", table_name="interactions", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "interactions_remote_key", table_name="interactions", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "interactions_occurred_at_idx", table_name="interactions", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_table("interactions")
    op.drop_index(
        "identity_claims_value_idx", table_name="identity_claims", postgresql_where=sa.text("valid_to IS NULL")
    )
    op.drop_index("identity_claims_customer_idx", table_name="identity_claims")
    op.drop_table("identity_claims")
    op.drop_index("dead_letters_run_idx", table_name="dead_letters")
    op.drop_table("dead_letters")
    op.drop_index("customer_facts_customer_idx", table_name="customer_facts")
    op.drop_table("customer_facts")
    op.drop_table("api_tokens")
    op.drop_table("tenants")
    op.drop_table("suppressions")
    op.drop_table("staged_lines")
    op.drop_index("stage_intervals_stage_idx", table_name="stage_intervals", postgresql_where=sa.text("is_current"))
    op.drop_index("stage_intervals_history_idx", table_name="stage_intervals")
    op.drop_index("stage_intervals_entered_idx", table_name="stage_intervals")
    op.drop_index("stage_intervals_current_key", table_name="stage_intervals", postgresql_where=sa.text("is_current"))
    op.drop_table("stage_intervals")
    op.drop_index("stage_checks_due_idx", table_name="stage_checks")
    op.drop_table("stage_checks")
    op.drop_table("rate_buckets")
    op.drop_table("product_families")
    op.drop_index("privacy_requests_customer_idx", table_name="privacy_requests")
    op.drop_table("privacy_requests")
    op.drop_table("principals")
    op.drop_table("persisted_documents")
    op.drop_index(
        "outbox_events_undelivered_idx", table_name="outbox_events", postgresql_where=sa.text("delivered_at IS NULL")
    )
    op.drop_table("outbox_events")
    op.drop_index("merge_candidates_score_idx", table_name="merge_candidates")
    op.drop_index("merge_candidates_right_idx", table_name="merge_candidates")
    op.drop_table("merge_candidates")
    op.drop_index("lifecycles_default_key", table_name="lifecycles", postgresql_where=sa.text("is_default"))
    op.drop_table("lifecycles")
    op.drop_table("integrations")
    op.drop_index("identity_edges_into_idx", table_name="identity_edges")
    op.drop_index("identity_edges_customer_idx", table_name="identity_edges")
    op.drop_index("identity_edges_batch_idx", table_name="identity_edges")
    op.drop_table("identity_edges")
    op.drop_index("idempotency_keys_expires_at_idx", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("exchange_rates_day_idx", table_name="exchange_rates")
    op.drop_table("exchange_rates")
    op.drop_table("token_prefixes", schema="directory")
    op.drop_table("tenants", schema="directory")
    op.drop_table("remote_accounts", schema="directory")
    op.drop_table("hook_tokens", schema="directory")
    op.drop_index("due_work_due_at_idx", table_name="due_work", schema="directory")
    op.drop_table("due_work", schema="directory")
    op.drop_index("customers_updated_at_idx", table_name="customers", postgresql_where=sa.text("status = 'ACTIVE'"))
    op.drop_index("customers_root_idx", table_name="customers")
    op.drop_index("customers_organisation_idx", table_name="customers")
    op.drop_index(
        "customers_last_purchase_at_idx", table_name="customers", postgresql_where=sa.text("status = 'ACTIVE'")
    )
    op.drop_index("customers_first_seen_at_idx", table_name="customers", postgresql_where=sa.text("status = 'ACTIVE'"))
    op.drop_index(
        "customers_first_purchase_at_idx", table_name="customers", postgresql_where=sa.text("status = 'ACTIVE'")
    )
    op.drop_index("customers_display_name_idx", table_name="customers", postgresql_where=sa.text("status = 'ACTIVE'"))
    op.drop_index("customers_country_idx", table_name="customers", postgresql_where=sa.text("status = 'ACTIVE'"))
    op.drop_table("customers")
    op.drop_index("customer_words_customer_idx", table_name="customer_words")
    op.drop_table("customer_words")
    op.drop_table("customer_totals")
    op.drop_index("customer_relations_to_idx", table_name="customer_relations")
    op.drop_index("customer_relations_from_idx", table_name="customer_relations")
    op.drop_table("customer_relations")
    op.drop_index(
        "customer_attributes_time_value_idx",
        table_name="customer_attributes",
        postgresql_where=sa.text("time_value IS NOT NULL"),
    )
    op.drop_index(
        "customer_attributes_text_value_idx",
        table_name="customer_attributes",
        postgresql_where=sa.text("text_value IS NOT NULL"),
    )
    op.drop_index(
        "customer_attributes_integer_value_idx",
        table_name="customer_attributes",
        postgresql_where=sa.text("integer_value IS NOT NULL"),
    )
    op.drop_index(
        "customer_attributes_date_value_idx",
        table_name="customer_attributes",
        postgresql_where=sa.text("date_value IS NOT NULL"),
    )
    op.drop_index(
        "customer_attributes_boolean_value_idx",
        table_name="customer_attributes",
        postgresql_where=sa.text("boolean_value IS NOT NULL"),
    )
    op.drop_table("customer_attributes")
    op.drop_index("consent_events_customer_idx", table_name="consent_events")
    op.drop_table("consent_events")
    op.drop_table("audit_entries")
    op.drop_table("attribute_definitions")
