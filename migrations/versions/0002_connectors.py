"""Connectors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "app_deliveries",
        sa.Column("connector", sa.Text(collation="C"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("connector", "digest", name=op.f("app_deliveries_pkey")),
        schema="directory",
    )
    op.create_index(
        "app_deliveries_received_at_idx", "app_deliveries", ["received_at"], unique=False, schema="directory"
    )
    op.create_table(
        "connector_policies",
        sa.Column("connector", sa.Text(collation="C"), nullable=False),
        sa.Column("isolation", sa.Text(collation="C"), nullable=True),
        sa.Column("blocked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("isolation IN ('LOOP', 'PROCESS')", name=op.f("connector_policies_isolation_check")),
        sa.PrimaryKeyConstraint("connector", name=op.f("connector_policies_pkey")),
        schema="directory",
    )
    op.create_table(
        "rate_buckets",
        sa.Column("scope", sa.Text(collation="C"), nullable=False),
        sa.Column("tokens", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("factor", sa.Numeric(precision=20, scale=6), server_default=sa.text("1"), nullable=False),
        sa.Column("parked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refilled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("rate_buckets_pkey")),
        schema="directory",
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enablements",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("connector", sa.Text(collation="C"), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "connector", name=op.f("enablements_pkey")),
    )
    op.create_table(
        "interaction_contents",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("interaction_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("content", sa.Text(collation="C"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "interaction_id", name=op.f("interaction_contents_pkey")),
    )
    op.create_index(
        "interaction_contents_customer_idx", "interaction_contents", ["tenant_id", "customer_id"], unique=False
    )
    op.create_table(
        "outgoing_webhooks",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(collation="C"), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(collation="C"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(collation="C"), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("outgoing_webhooks_pkey")),
    )
    op.create_table(
        "seen_records",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "type", "remote_id", name=op.f("seen_records_pkey")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "unsettled_customers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", name=op.f("unsettled_customers_pkey")),
    )
    op.create_table(
        "authorizations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("state_digest", sa.LargeBinary(), nullable=False),
        sa.Column("verifier", sa.LargeBinary(), nullable=True),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("account", sa.Text(collation="C"), nullable=True),
        sa.Column("account_label", sa.Text(collation="C"), nullable=True),
        sa.Column("error", sa.Text(collation="C"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("called_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("authorizations_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("authorizations_pkey")),
    )
    op.create_table(
        "bulk_deletes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.BigInteger(), nullable=False),
        sa.Column("ids", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.Text(collation="C"), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("bulk_deletes_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("bulk_deletes_pkey")),
    )
    op.create_table(
        "inbox_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("headers", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("signals", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(collation="C"), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("inbox_events_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("inbox_events_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "integration_id", "key", name=op.f("inbox_events_tenant_id_integration_id_key_key")
        ),
    )
    op.create_table(
        "integration_secrets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("key_id", sa.Text(collation="C"), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("integration_secrets_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", "name", name=op.f("integration_secrets_pkey")),
    )
    op.create_table(
        "link_candidates",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=False),
        sa.Column("local_id", sa.Uuid(), nullable=False),
        sa.Column("because", sa.Text(collation="C"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.Text(collation="C"), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("link_candidates_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("link_candidates_pkey")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "type",
            "remote_id",
            "local_id",
            name=op.f("link_candidates_tenant_id_integration_id_type_remote_id_local_id_key"),
        ),
    )
    op.create_table(
        "outbound_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("local_id", sa.Uuid(), nullable=False),
        sa.Column("op", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("remote_version", sa.Text(collation="C"), nullable=True),
        sa.Column("record", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("fields", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("base", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("hops", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(collation="C"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'SENDING', 'SENT', 'WAITING', 'REJECTED', 'CONFLICTED', 'SUPERSEDED')",
            name=op.f("outbound_changes_status_check"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("outbound_changes_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("outbound_changes_pkey")),
    )
    op.create_index("outbound_changes_local_idx", "outbound_changes", ["tenant_id", "local_id", "id"], unique=False)
    op.create_index(
        "outbound_changes_open_idx",
        "outbound_changes",
        ["tenant_id", "integration_id", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('QUEUED', 'SENDING', 'WAITING')"),
    )
    op.create_table(
        "payments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("method", sa.Text(collation="C"), nullable=True),
        sa.Column("unapplied", sa.BigInteger(), nullable=False),
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
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("status IN ('RECEIVED', 'FAILED', 'VOIDED')", name=op.f("payments_status_check")),
        sa.CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name=op.f("payments_base_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("payments_tenant_id_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("payments_pkey")),
    )
    op.create_index(
        "payments_current_key",
        "payments",
        ["tenant_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "payments_customer_idx",
        "payments",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "payments_occurred_at_idx",
        "payments",
        ["tenant_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "payments_unsettled_idx",
        "payments",
        ["tenant_id", "currency"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.create_table(
        "reconciliation_reports",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("streams", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("compared", sa.BigInteger(), nullable=False),
        sa.Column("matching", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("reconciliation_reports_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("reconciliation_reports_pkey")),
    )
    op.create_index(
        "reconciliation_reports_idx", "reconciliation_reports", ["tenant_id", "integration_id", "id"], unique=False
    )
    op.create_table(
        "remote_subscriptions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=False),
        sa.Column("resource", sa.Text(collation="C"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("remote_subscriptions_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", "remote_id", name=op.f("remote_subscriptions_pkey")),
    )
    op.create_table(
        "schema_drifts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("field", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("was", sa.Text(collation="C"), nullable=True),
        sa.Column("became", sa.Text(collation="C"), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("schema_drifts_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", "stream", "field", name=op.f("schema_drifts_pkey")),
    )
    op.create_table(
        "stream_settings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("direction", sa.Text(collation="C"), server_default=sa.text("'READ_ONLY'"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("every_seconds", sa.BigInteger(), nullable=True),
        sa.Column(
            "ownership",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "quarantined_fields",
            postgresql.ARRAY(sa.Text(collation="C")),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("direction IN ('READ_ONLY', 'TWO_WAY')", name=op.f("stream_settings_direction_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("stream_settings_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", "stream", name=op.f("stream_settings_pkey")),
    )
    op.create_table(
        "sync_conflicts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=False),
        sa.Column("local_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(collation="C"), nullable=False),
        sa.Column("policy", sa.Text(collation="C"), nullable=False),
        sa.Column("base", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("ours", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("theirs", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolution", sa.Text(collation="C"), nullable=True),
        sa.Column("resolved", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("sync_conflicts_tenant_id_integration_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("sync_conflicts_pkey")),
    )
    op.create_index(
        "sync_conflicts_open_idx",
        "sync_conflicts",
        ["tenant_id", "integration_id", "id"],
        unique=False,
        postgresql_where=sa.text("resolution IS NULL"),
    )
    op.create_table(
        "credit_notes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("refund_version", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=True),
        sa.Column("units", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("line_count", sa.BigInteger(), nullable=False),
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
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name=op.f("credit_notes_base_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("credit_notes_tenant_id_customer_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "id", "refund_version"],
            ["refunds.tenant_id", "refunds.id", "refunds.version"],
            name=op.f("credit_notes_tenant_id_id_refund_version_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("credit_notes_pkey")),
    )
    op.create_index(
        "credit_notes_current_key",
        "credit_notes",
        ["tenant_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "credit_notes_customer_idx",
        "credit_notes",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "credit_notes_occurred_at_idx",
        "credit_notes",
        ["tenant_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "credit_notes_unsettled_idx",
        "credit_notes",
        ["tenant_id", "currency"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.create_table(
        "invoices",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_version", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("native_status", sa.Text(collation="C"), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("balance", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("units", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("line_count", sa.BigInteger(), nullable=False),
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
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("status IN ('DRAFT', 'OPEN', 'PAID', 'VOIDED')", name=op.f("invoices_status_check")),
        sa.CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name=op.f("invoices_base_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["customers.tenant_id", "customers.id"],
            name=op.f("invoices_tenant_id_customer_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "id", "order_version"],
            ["orders.tenant_id", "orders.id", "orders.version"],
            name=op.f("invoices_tenant_id_id_order_version_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("invoices_pkey")),
    )
    op.create_index(
        "invoices_current_key",
        "invoices",
        ["tenant_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "invoices_customer_idx",
        "invoices",
        ["tenant_id", "customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "invoices_due_on_idx",
        "invoices",
        ["tenant_id", "status", "due_on", "id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "invoices_number_idx",
        "invoices",
        ["tenant_id", "number"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "invoices_occurred_at_idx",
        "invoices",
        ["tenant_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "invoices_unsettled_idx",
        "invoices",
        ["tenant_id", "currency"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.create_table(
        "payment_allocations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("payment_version", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id", "payment_version"],
            ["payments.tenant_id", "payments.id", "payments.version"],
            name=op.f("payment_allocations_tenant_id_payment_id_payment_version_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "payment_id", "payment_version", "invoice_id", name=op.f("payment_allocations_pkey")
        ),
    )
    op.create_index("payment_allocations_invoice_idx", "payment_allocations", ["tenant_id", "invoice_id"], unique=False)
    op.create_table(
        "reconciliation_differences",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("remote_id", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("local_id", sa.Uuid(), nullable=True),
        sa.Column("fields", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("detail", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "report_id"],
            ["reconciliation_reports.tenant_id", "reconciliation_reports.id"],
            name=op.f("reconciliation_differences_tenant_id_report_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "report_id", "stream", "type", "remote_id", name=op.f("reconciliation_differences_pkey")
        ),
    )
    op.create_table(
        "credit_note_allocations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("credit_note_id", sa.Uuid(), nullable=False),
        sa.Column("credit_note_version", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "credit_note_id", "credit_note_version"],
            ["credit_notes.tenant_id", "credit_notes.id", "credit_notes.version"],
            name=op.f("credit_note_allocations_tenant_id_credit_note_id_credit_note_version_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "credit_note_id",
            "credit_note_version",
            "invoice_id",
            name=op.f("credit_note_allocations_pkey"),
        ),
    )
    op.create_index(
        "credit_note_allocations_invoice_idx", "credit_note_allocations", ["tenant_id", "invoice_id"], unique=False
    )
    op.add_column("customers", sa.Column("default_stage", sa.Text(collation="C"), nullable=True))
    op.create_index(
        "customers_default_stage_idx",
        "customers",
        [
            "tenant_id",
            "default_stage",
            "country",
            sa.literal_column("coalesce(last_purchase_at, '-infinity'::timestamptz)"),
            "id",
        ],
        unique=False,
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )
    op.add_column(
        "dead_letters", sa.Column("record", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.add_column("dead_letters", sa.Column("type", sa.Text(collation="C"), nullable=True))
    op.add_column("dead_letters", sa.Column("attempts", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("integrations", sa.Column("account_label", sa.Text(collation="C"), nullable=True))
    op.add_column("integrations", sa.Column("connector_version", sa.Text(collation="C"), nullable=True))
    op.add_column("integrations", sa.Column("reason", sa.Text(collation="C"), nullable=True))
    op.add_column("integrations", sa.Column("state_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("integrations", sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("integrations", sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column(
        "integrations",
        sa.Column("drift_policy", sa.Text(collation="C"), server_default=sa.text("'ACCEPT'"), nullable=False),
    )
    op.alter_column("integrations", "account", existing_type=sa.TEXT(collation="C"), nullable=True)
    op.add_column("interactions", sa.Column("part", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.drop_index(
        op.f("interactions_remote_key"), table_name="interactions", postgresql_where="(superseded_at IS NULL)"
    )
    op.create_index(
        "interactions_remote_key",
        "interactions",
        ["tenant_id", "integration_id", "stream", "remote_id", "part"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.drop_constraint(op.f("interactions_tenant_id_customer_id_fkey"), "interactions", type_="foreignkey")
    op.add_column("record_links", sa.Column("pushed_version", sa.Text(collation="C"), nullable=True))
    op.add_column("record_links", sa.Column("pushed_hash", sa.LargeBinary(), nullable=True))
    op.add_column("record_links", sa.Column("hops", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("stream_states", sa.Column("cursor_version", sa.Text(collation="C"), nullable=True))
    op.add_column("stream_states", sa.Column("read_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("stream_states", sa.Column("expected_count", sa.BigInteger(), nullable=True))
    op.add_column(
        "stream_states", sa.Column("seen_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("stream_states", sa.Column("paused_reason", sa.Text(collation="C"), nullable=True))
    op.add_column("stream_states", sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column(
        "stream_states", sa.Column("fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.add_column("sync_runs", sa.Column("window_start", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sync_runs", sa.Column("window_end", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sync_runs", sa.Column("requested_by", sa.Uuid(), nullable=True))
    op.add_column("sync_runs", sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("integrations_drift_policy_check"),
        "integrations",
        "drift_policy IN ('ACCEPT', 'QUARANTINE_FIELD', 'STOP')",
    )
    op.drop_constraint(op.f("integrations_state_check"), "integrations")
    op.create_check_constraint(
        op.f("integrations_state_check"),
        "integrations",
        "state IN ('DRAFT', 'AUTHORIZING', 'CHECKING', 'ACTIVE', 'PAUSED', 'RATE_LIMITED', 'DEGRADED', 'NEEDS_REAUTH', 'QUARANTINED', 'DISCONNECTED')",
    )
    op.drop_constraint(op.f("interactions_kind_check"), "interactions")
    op.create_check_constraint(
        op.f("interactions_kind_check"),
        "interactions",
        "kind IN ('VISIT', 'AD_VIEW', 'INQUIRY', 'FORM_SUBMITTED', 'EMAIL_SENT', 'EMAIL_RECEIVED', 'EMAIL_OPENED', 'EMAIL_CLICKED', 'EMAIL_BOUNCED', 'MESSAGE', 'CALL', 'MEETING', 'ENVELOPE_SENT', 'ENVELOPE_VIEWED', 'ENVELOPE_SIGNED', 'ENVELOPE_DECLINED', 'ENVELOPE_VOIDED', 'CASE_OPENED', 'CASE_ANSWERED', 'CASE_RESOLVED', 'CASE_REOPENED', 'CASE_CLOSED', 'SURVEY', 'REVIEW', 'REFERRAL', 'SOCIAL_MENTION', 'USAGE', 'CART_CREATED', 'CART_UPDATED', 'CART_ABANDONED', 'CART_RECOVERED', 'ORDER_PLACED', 'ORDER_ADJUSTED', 'ORDER_CANCELLED', 'ORDER_REFUNDED', 'ORDER_SHIPPED', 'ORDER_DELIVERED', 'INVOICE_ISSUED', 'INVOICE_SENT', 'INVOICE_PAID', 'INVOICE_OVERDUE', 'INVOICE_VOIDED', 'PAYMENT_RECEIVED', 'PAYMENT_FAILED', 'CREDIT_NOTE_ISSUED', 'STAGE_CHANGED', 'NOTE', 'TASK')",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("integrations_drift_policy_check"), "integrations")
    op.drop_constraint(op.f("integrations_state_check"), "integrations")
    op.create_check_constraint(
        op.f("integrations_state_check"), "integrations", "state IN ('DRAFT', 'ACTIVE', 'PAUSED', 'DISCONNECTED')"
    )
    op.drop_constraint(op.f("interactions_kind_check"), "interactions")
    op.create_check_constraint(
        op.f("interactions_kind_check"),
        "interactions",
        "kind IN ('VISIT', 'AD_VIEW', 'INQUIRY', 'FORM_SUBMITTED', 'EMAIL_SENT', 'EMAIL_RECEIVED', 'EMAIL_OPENED', 'EMAIL_CLICKED', 'EMAIL_BOUNCED', 'MESSAGE', 'CALL', 'MEETING', 'ENVELOPE_SENT', 'ENVELOPE_VIEWED', 'ENVELOPE_SIGNED', 'ENVELOPE_DECLINED', 'ENVELOPE_VOIDED', 'CASE_OPENED', 'CASE_ANSWERED', 'CASE_RESOLVED', 'CASE_REOPENED', 'CASE_CLOSED', 'SURVEY', 'REVIEW', 'REFERRAL', 'SOCIAL_MENTION', 'USAGE', 'CART_CREATED', 'CART_UPDATED', 'CART_ABANDONED', 'CART_RECOVERED', 'ORDER_PLACED', 'ORDER_ADJUSTED', 'ORDER_CANCELLED', 'ORDER_REFUNDED', 'ORDER_SHIPPED', 'ORDER_DELIVERED', 'INVOICE_SENT', 'INVOICE_PAID', 'INVOICE_OVERDUE', 'PAYMENT_RECEIVED', 'PAYMENT_FAILED', 'STAGE_CHANGED', 'NOTE', 'TASK')",
    )
    op.drop_column("sync_runs", "cancelled_at")
    op.drop_column("sync_runs", "requested_by")
    op.drop_column("sync_runs", "window_end")
    op.drop_column("sync_runs", "window_start")
    op.drop_column("stream_states", "fields")
    op.drop_column("stream_states", "failures")
    op.drop_column("stream_states", "paused_reason")
    op.drop_column("stream_states", "seen_count")
    op.drop_column("stream_states", "expected_count")
    op.drop_column("stream_states", "read_until")
    op.drop_column("stream_states", "cursor_version")
    op.drop_column("record_links", "hops")
    op.drop_column("record_links", "pushed_hash")
    op.drop_column("record_links", "pushed_version")
    op.create_foreign_key(
        op.f("interactions_tenant_id_customer_id_fkey"),
        "interactions",
        "customers",
        ["tenant_id", "customer_id"],
        ["tenant_id", "id"],
    )
    op.drop_index(
        "interactions_remote_key", table_name="interactions", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.create_index(
        op.f("interactions_remote_key"),
        "interactions",
        ["tenant_id", "integration_id", "stream", "remote_id"],
        unique=True,
        postgresql_where="(superseded_at IS NULL)",
    )
    op.drop_column("interactions", "part")
    op.alter_column("integrations", "account", existing_type=sa.TEXT(collation="C"), nullable=False)
    op.drop_column("integrations", "drift_policy")
    op.drop_column("integrations", "failures")
    op.drop_column("integrations", "activated_at")
    op.drop_column("integrations", "state_since")
    op.drop_column("integrations", "reason")
    op.drop_column("integrations", "connector_version")
    op.drop_column("integrations", "account_label")
    op.drop_column("dead_letters", "attempts")
    op.drop_column("dead_letters", "type")
    op.drop_column("dead_letters", "record")
    op.drop_index("customers_default_stage_idx", table_name="customers", postgresql_where=sa.text("status = 'ACTIVE'"))
    op.drop_column("customers", "default_stage")
    op.drop_index("credit_note_allocations_invoice_idx", table_name="credit_note_allocations")
    op.drop_table("credit_note_allocations")
    op.drop_table("reconciliation_differences")
    op.drop_index("payment_allocations_invoice_idx", table_name="payment_allocations")
    op.drop_table("payment_allocations")
    op.drop_index(
        "invoices_unsettled_idx",
        table_name="invoices",
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.drop_index("invoices_occurred_at_idx", table_name="invoices", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("invoices_number_idx", table_name="invoices", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("invoices_due_on_idx", table_name="invoices", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("invoices_customer_idx", table_name="invoices", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("invoices_current_key", table_name="invoices", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_table("invoices")
    op.drop_index(
        "credit_notes_unsettled_idx",
        table_name="credit_notes",
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.drop_index(
        "credit_notes_occurred_at_idx", table_name="credit_notes", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "credit_notes_customer_idx", table_name="credit_notes", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index(
        "credit_notes_current_key", table_name="credit_notes", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_table("credit_notes")
    op.drop_index(
        "sync_conflicts_open_idx", table_name="sync_conflicts", postgresql_where=sa.text("resolution IS NULL")
    )
    op.drop_table("sync_conflicts")
    op.drop_table("stream_settings")
    op.drop_table("schema_drifts")
    op.drop_table("remote_subscriptions")
    op.drop_index("reconciliation_reports_idx", table_name="reconciliation_reports")
    op.drop_table("reconciliation_reports")
    op.drop_index(
        "payments_unsettled_idx",
        table_name="payments",
        postgresql_where=sa.text("superseded_at IS NULL AND base_amount IS NULL"),
    )
    op.drop_index("payments_occurred_at_idx", table_name="payments", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("payments_customer_idx", table_name="payments", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_index("payments_current_key", table_name="payments", postgresql_where=sa.text("superseded_at IS NULL"))
    op.drop_table("payments")
    op.drop_index(
        "outbound_changes_open_idx",
        table_name="outbound_changes",
        postgresql_where=sa.text("status IN ('QUEUED', 'SENDING', 'WAITING')"),
    )
    op.drop_index("outbound_changes_local_idx", table_name="outbound_changes")
    op.drop_table("outbound_changes")
    op.drop_table("link_candidates")
    op.drop_table("integration_secrets")
    op.drop_table("inbox_events")
    op.drop_table("bulk_deletes")
    op.drop_table("authorizations")
    op.drop_table("unsettled_customers")
    op.drop_table("seen_records")
    op.drop_table("outgoing_webhooks")
    op.drop_index("interaction_contents_customer_idx", table_name="interaction_contents")
    op.drop_table("interaction_contents")
    op.drop_table("enablements")
    op.drop_table("rate_buckets", schema="directory")
    op.drop_table("connector_policies", schema="directory")
    op.drop_index("app_deliveries_received_at_idx", table_name="app_deliveries", schema="directory")
    op.drop_table("app_deliveries", schema="directory")
