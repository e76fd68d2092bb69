"""Every row of one tenant, read whole by the superuser: what the naive completion looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from domain.metrics.queries import customer_values
from domain.metrics.reading import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    import asyncpg

Row = dict[str, Any]

METRICS = ("occasions", "recency", "lifespan")
"""Personal metrics that the filter of customers is asked for; none is of money."""

NAMES = (
    "tenants", "principals", "api_tokens", "audit_entries", "attribute_definitions", "privacy_requests",
    "dead_letters", "sync_runs", "sync_conflicts", "bulk_deletes", "link_candidates", "outbound_changes",
    "reconciliation_reports", "reconciliation_differences", "stream_settings", "stream_states", "schema_drifts",
    "integration_secrets", "outgoing_webhooks",
    "stage_transitions", "customers", "customer_attributes", "customer_words", "identity_claims",
    "consent_events",
    "merge_candidates", "identity_edges", "integrations", "record_links", "lifecycles", "lifecycle_versions", "stages",
    "transition_rules", "stage_intervals", "stage_notes", "product_families", "products", "orders", "order_lines",
    "refunds", "refund_lines", "invoices", "payments", "credit_notes", "payment_allocations", "credit_note_allocations",
    "exchange_rates", "interactions", "interaction_contents", "segments", "segment_versions", "segment_members",
    "segment_membership_events", "segment_runs", "cases", "survey_responses", "reviews", "social_mentions",
    "initiatives", "baseline.seals", "measurements", "comparisons", "verdicts",
    "referrals", "campaign_responses", "cost_entries", "cost_allocations", "departments", "department_members",
    "objectives", "model_versions", "model_attempts", "customer_values", "contracts", "contract_events",
    "opportunities",
)  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """The rows of one tenant by table."""

    rows: dict[str, list[Row]]

    def all(self, table: str, fits: Callable[[Row], bool] = lambda _: True) -> list[Row]:
        """The rows of a table that fit."""
        return [row for row in self.rows[table] if fits(row)]

    def one(self, table: str, fits: Callable[[Row], bool]) -> Row | None:
        """The row of a table that fits, or None."""
        return next(iter(self.all(table, fits)), None)


async def load(superuser: asyncpg.Connection, tenant_id: UUID) -> Tables:
    """Everything that a tenant has, and what is left of the limits of all accounts."""
    rows = {}
    for name in NAMES:
        found = await superuser.fetch(f"SELECT * FROM {name} WHERE tenant_id = $1", tenant_id)
        rows[name] = [_plain(row) for row in found]
    rows["rate_buckets"] = [_plain(row) for row in await superuser.fetch("SELECT * FROM directory.rate_buckets")]
    rows["metric_values"] = await _metric_values(superuser, tenant_id, [row["root_id"] for row in rows["customers"]])
    return Tables(rows)


async def _metric_values(superuser: asyncpg.Connection, tenant_id: UUID, customers: list[UUID]) -> list[Row]:
    """What some metrics are worth for each customer, asked one by one: the filter asks for all at once."""
    now = Snapshot(superuser, tenant_id, datetime.now(UTC))
    found = (await customer_values(now, sorted(set(customers)), METRICS)).by_customer
    return [
        {"customer_id": customer, "key": each.definition.key, "value": each.value.value}
        for customer, placed in found.items() for each in placed if each.value.value is not None
    ]  # fmt: skip


_JSON = {
    "emails", "phones", "addresses", "attributes", "features", "labels", "needs", "payload", "config", "ownership",
    "streams", "counters", "criteria", "because", "waiting", "findings", "weekly", "details", "base", "ours", "theirs",
    "kpis", "parameters", "back_test", "definition_versions", "evidence",
}  # fmt: skip


def _plain(row: Any) -> Row:
    return {
        name: orjson.loads(value) if name in _JSON and isinstance(value, str) and value[:1] in "{[" else value
        for name, value in row.items()
    }
