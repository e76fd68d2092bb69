"""What is settled when purchases are written, so that no read has to compute it: totals and base amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain.core.events import on
from domain.core.statements import statement
from domain.customers.touched import lock_survivors
from domain.purchases.queries import PURCHASE_DAYS, RATED, conversion
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.events import OutboxEvent
    from domain.core.unit_of_work import Writing


_MEMBERS = statement("SELECT id FROM customers WHERE tenant_id = :tenant AND root_id = ANY(:roots)", "roots")

_SETTLE = statement(
    f"""
WITH bought AS MATERIALIZED ({PURCHASE_DAYS}),
totals AS MATERIALIZED (
    SELECT survivor.root_id AS id, count(DISTINCT local_day) AS occasions, CAST(sum(orders) AS bigint) AS orders,
        min(first_at) AS first_at, max(last_at) AS last_at
    FROM bought
    CROSS JOIN LATERAL (
        SELECT root_id FROM customers WHERE tenant_id = :tenant AND id = bought.customer_id LIMIT 1
    ) AS survivor
    GROUP BY survivor.root_id
),
emptied AS (
    DELETE FROM customer_totals
    WHERE tenant_id = :tenant AND customer_id IN (SELECT unnest(:named) EXCEPT SELECT id FROM totals)
),
undated AS (
    UPDATE customers
    SET first_purchase_at = NULL, last_purchase_at = NULL, updated_at = :now, version = version + 1
    WHERE tenant_id = :tenant AND id = ANY(:roots) AND num_nonnulls(first_purchase_at, last_purchase_at) > 0
        AND id NOT IN (SELECT id FROM totals)
),
dated AS (
    UPDATE customers c
    SET first_purchase_at = totals.first_at, last_purchase_at = totals.last_at, updated_at = :now,
        version = c.version + 1
    FROM totals
    WHERE c.tenant_id = :tenant AND c.id = ANY(:roots) AND c.id = totals.id
        AND (c.first_purchase_at, c.last_purchase_at) IS DISTINCT FROM (totals.first_at, totals.last_at)
)
INSERT INTO customer_totals AS t (tenant_id, customer_id, occasions, orders, first_at, last_at)
SELECT :tenant, id, occasions, orders, first_at, last_at FROM totals
ON CONFLICT (tenant_id, customer_id) DO UPDATE
SET occasions = excluded.occasions, orders = excluded.orders, first_at = excluded.first_at, last_at = excluded.last_at
WHERE (t.occasions, t.orders, t.first_at, t.last_at)
    IS DISTINCT FROM (excluded.occasions, excluded.orders, excluded.first_at, excluded.last_at)
""",
    "members",
    "roots",
    "named",
)


async def settle_totals(work: Writing, customers: Sequence[UUID], survivors: Sequence[UUID] | None = None) -> None:
    """Make the totals and the purchase dates of the surviving customers what the documents say now.

    `customers` are all whom a change touched: after a merge or unmerge, both sides. A survivor's totals count the
    completed sales of all its members that are not wholly refunded; who has none has no row. What is right already
    is not written. Customers that the session has loaded must be refreshed to show it. `survivors` are theirs where the
    caller has locked them already.
    """
    if not customers:
        return
    whom: dict[str, Any] = {"tenant": work.tenant_id, "customers": list(customers)}
    whom["roots"] = await lock_survivors(work, customers) if survivors is None else survivors
    whom["members"] = (await work.execute(_MEMBERS, whom)).scalars().all()
    await work.execute(_SETTLE, {**whom, "named": [*{*customers, *whom["roots"]}], "now": work.now})


@on("customers.CustomersMerged")
@on("customers.CustomersUnmerged")
async def settle_merged(work: Writing, event: OutboxEvent) -> None:
    """Give those who became one, or two again, the totals of who they are now."""
    await settle_totals(work, [UUID(customer) for customer in event.body["customers"]])


def _same_currency(table: str) -> str:
    return f"""
        UPDATE {table} SET base_amount = amount, base_currency = currency
        WHERE tenant_id = :tenant AND currency = :into AND superseded_at IS NULL AND base_amount IS NULL
    """


def _at_the_rate(table: str) -> str:
    return f"""
        UPDATE {table} t SET base_amount = settled.minor, base_currency = :into
        FROM (
            SELECT d.id, d.version, converted.minor
            FROM ({RATED}) AS rated
            JOIN {table} d ON d.tenant_id = :tenant AND d.currency = rated.currency
            CROSS JOIN LATERAL ({conversion("d")}) AS converted
            WHERE d.superseded_at IS NULL AND d.base_amount IS NULL
        ) AS settled
        WHERE t.tenant_id = :tenant AND t.id = settled.id AND t.version = settled.version
    """


# What a contract earned after each of its events is converted with the contract, at the rate of its day.
_EARNED = (
    """
    UPDATE contract_events e SET base_mrr = e.mrr
    FROM contracts c
    WHERE c.tenant_id = :tenant AND c.currency = :into AND c.superseded_at IS NULL AND c.base_amount IS NULL
        AND e.tenant_id = :tenant AND e.contract_id = c.id AND e.contract_version = c.version
    """,
    f"""
    UPDATE contract_events t SET base_mrr = converted.minor
    FROM ({RATED}) AS rated
    JOIN contracts c ON c.tenant_id = :tenant AND c.currency = rated.currency
    JOIN contract_events e ON e.tenant_id = :tenant AND e.contract_id = c.id AND e.contract_version = c.version
    CROSS JOIN LATERAL (SELECT e.mrr AS amount, c.currency, c.local_day) AS d
    CROSS JOIN LATERAL ({conversion("d")}) AS converted
    WHERE c.superseded_at IS NULL AND c.base_amount IS NULL AND t.tenant_id = :tenant
        AND (t.contract_id, t.contract_version, t.position) = (e.contract_id, e.contract_version, e.position)
    """,
)

_CONVERTED = ("orders", "refunds", "invoices", "payments", "credit_notes", "contracts", "opportunities")

_SETTLE_BASE = [
    *map(statement, _EARNED),
    *(statement(of(table)) for table in _CONVERTED for of in (_same_currency, _at_the_rate)),
]


async def settle_base_amounts(work: Writing) -> None:
    """Give every document that waits for it its amount in the tenant's base currency, at the rate of its day.

    That is the rate that `queries.conversion` chooses; without one the document goes on waiting. An amount that
    stands is never touched: totals were published with it. So a corrected rate counts for what still waits and for
    versions written from then on; who wants an old document at the new rate records a new version of it.
    """
    into = (await tenants.tenant(work)).base_currency
    for each in _SETTLE_BASE:
        await work.execute(each, {"tenant": work.tenant_id, "into": into})
