"""What is settled when purchases are written, so that no read has to compute it: totals and base amounts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from domain.core.events import on
from domain.purchases.queries import RATED, conversion, purchase_days
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Row, TextClause

    from domain.core.events import OutboxEvent
    from domain.core.unit_of_work import Writing


def _sql(statement: str, *lists: str) -> TextClause:
    ids = (bindparam(name, type_=ARRAY(Uuid())) for name in lists)
    return text(statement).bindparams(bindparam("tenant", type_=Uuid()), *ids)


_ROOTS = _sql(
    "SELECT DISTINCT root_id FROM customers WHERE tenant_id = :tenant AND id = ANY(:customers)", "customers"
)  # fmt: skip

# Whoever settles the same customer at the same time waits here, and then sees what the other one wrote.
_LOCK = _sql(
    "SELECT FROM customers WHERE tenant_id = :tenant AND id = ANY(:roots) ORDER BY id FOR NO KEY UPDATE", "roots"
)

_MEMBERS = _sql("SELECT id, root_id FROM customers WHERE tenant_id = :tenant AND root_id = ANY(:roots)", "roots")

_EMPTIED = _sql("DELETE FROM customer_totals WHERE tenant_id = :tenant AND customer_id = ANY(:emptied)", "emptied")

_WRITTEN = _sql(
    """
INSERT INTO customer_totals AS t (tenant_id, customer_id, occasions, orders, first_at, last_at)
SELECT :tenant, settled.*
FROM unnest(
    :roots, CAST(:occasions AS bigint[]), CAST(:orders AS bigint[]), CAST(:first AS timestamptz[]),
    CAST(:last AS timestamptz[])
) AS settled
ON CONFLICT (tenant_id, customer_id) DO UPDATE
SET occasions = excluded.occasions, orders = excluded.orders, first_at = excluded.first_at, last_at = excluded.last_at
WHERE (t.occasions, t.orders, t.first_at, t.last_at)
    IS DISTINCT FROM (excluded.occasions, excluded.orders, excluded.first_at, excluded.last_at)
""",
    "roots",
)

_DATED = _sql(
    """
UPDATE customers c
SET first_purchase_at = dated.first_at, last_purchase_at = dated.last_at, updated_at = :now, version = c.version + 1
FROM unnest(:roots, CAST(:first AS timestamptz[]), CAST(:last AS timestamptz[])) AS dated (id, first_at, last_at)
WHERE c.tenant_id = :tenant AND c.id = ANY(:roots) AND c.id = dated.id
    AND (c.first_purchase_at, c.last_purchase_at) IS DISTINCT FROM (dated.first_at, dated.last_at)
""",
    "roots",
)


@dataclass
class _Totals:
    """What the documents say of one survivor."""

    days: set[date] = field(default_factory=set)
    orders: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def add(self, day: Row[Any]) -> None:
        """Count what a member bought on a day."""
        self.days.add(day.local_day)
        self.orders += day.orders
        self.first_at = min(day.first_at, self.first_at or day.first_at)
        self.last_at = max(day.last_at, self.last_at or day.last_at)


async def settle_totals(work: Writing, customers: Sequence[UUID]) -> None:
    """Make the totals and the purchase dates of the surviving customers what the documents say now.

    `customers` are all whom a change touched: after a merge or unmerge, both sides. A survivor's totals count the
    completed sales of all its members that are not wholly refunded; who has none has no row. What is right already
    is not written. Customers that the session has loaded must be refreshed to show it.
    """
    if not customers:
        return
    whom: dict[str, Any] = {"tenant": work.tenant_id, "customers": list(customers)}
    whom["roots"] = (await work.execute(_ROOTS, whom)).scalars().all()
    await work.execute(_LOCK, whom)
    root_of = {row.id: row.root_id for row in await work.rows(_MEMBERS, whom)}
    totals = {root: _Totals() for root in whom["roots"]}
    for day in await purchase_days(work, list(root_of)):
        totals[root_of[day.customer_id]].add(day)
    await _write(work, totals, emptied={*customers, *totals} - {root for root in totals if totals[root].orders})


async def _write(work: Writing, totals: Mapping[UUID, _Totals], *, emptied: Iterable[UUID]) -> None:
    await work.execute(_EMPTIED, {"tenant": work.tenant_id, "emptied": list(emptied)})
    bought = {root: found for root, found in totals.items() if found.orders}
    await work.execute(
        _WRITTEN,
        {
            **_moments(work, bought),
            "occasions": [len(found.days) for found in bought.values()],
            "orders": [found.orders for found in bought.values()],
        },
    )
    await work.execute(_DATED, {**_moments(work, totals), "now": work.now})


def _moments(work: Writing, totals: Mapping[UUID, _Totals]) -> dict[str, Any]:
    return {
        "tenant": work.tenant_id,
        "roots": list(totals),
        "first": [found.first_at for found in totals.values()],
        "last": [found.last_at for found in totals.values()],
    }


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


_CONVERTED = ("orders", "refunds", "invoices", "payments", "credit_notes")

_SETTLE_BASE = [_sql(statement(table)) for table in _CONVERTED for statement in (_same_currency, _at_the_rate)]


async def settle_base_amounts(work: Writing) -> None:
    """Give every document that waits for it its amount in the tenant's base currency, at the rate of its day.

    That is the rate that `queries.conversion` chooses; without one the document goes on waiting. An amount that
    stands is never touched: totals were published with it. So a corrected rate counts for what still waits and for
    versions written from then on; who wants an old document at the new rate records a new version of it.
    """
    into = (await tenants.tenant(work)).base_currency
    for statement in _SETTLE_BASE:
        await work.execute(statement, {"tenant": work.tenant_id, "into": into})
