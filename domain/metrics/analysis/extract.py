"""All purchases of one tenant in memory: out of PostgreSQL as Arrow, into DuckDB, behind both walls."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.core import tenancy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    import pyarrow as pa

_DAYS = """
SELECT customer_id, day, {orders} AS orders, CASE WHEN unrated = 0 THEN net END AS net{more}
FROM purchase_days WHERE tenant_id = {tenant}
"""
# Whoever was merged stands in the log of merges, which is short; to look at every customer takes as long as their days.
_MERGED = """
SELECT c.id AS customer_id, c.root_id FROM customers c
WHERE c.tenant_id = {tenant} AND c.root_id <> c.id AND c.id IN (
    SELECT e.customer_id FROM identity_edges e WHERE e.tenant_id = {tenant}
    UNION SELECT e.into_id FROM identity_edges e WHERE e.tenant_id = {tenant}
)
"""
_COSTS = """
SELECT customer_id, CAST(sum(amount_base) AS bigint) AS amount
FROM cost_allocations WHERE tenant_id = {tenant} GROUP BY customer_id
"""
_UNTOLD_COSTS = """
SELECT coalesce(e.customer_id, w.customer_id) AS customer_id, e.id AS entry
FROM cost_entries e
LEFT JOIN cost_weights w ON w.tenant_id = {tenant} AND w.entry_id = e.id AND e.customer_id IS NULL
WHERE e.tenant_id = {tenant} AND e.superseded_at IS NULL AND e.base_amount IS NULL
"""
_CONTRACTS = """
SELECT customer_id, id AS contract, local_day AS began, ended_on AS ended
FROM contracts WHERE tenant_id = {tenant} AND superseded_at IS NULL AND customer_id IS NOT NULL
"""
# As `purchases.contracts.spans` says; who is under contract without an end is so for ever.
_HELD = """
SELECT customer_id, contract, began, coalesce(ended, DATE '9999-12-31') AS ended, mrr
FROM (
    SELECT c.customer_id, c.id AS contract, e.kind, e.local_day AS began, e.base_mrr AS mrr,
        least(e.term_ends_on, lead(e.local_day) OVER (PARTITION BY c.id ORDER BY e.position)) AS ended
    FROM contracts c
    JOIN contract_events e ON e.tenant_id = {tenant} AND e.contract_id = c.id AND e.contract_version = c.version
    WHERE c.tenant_id = {tenant} AND c.superseded_at IS NULL AND c.customer_id IS NOT NULL
) AS steps
WHERE kind NOT IN ('CANCEL', 'END') AND (ended IS NULL OR began < ended)
"""

# A merge rewrites no day; what several members bought on one day is one occasion of their survivor.
_UNMERGED = "CREATE TABLE days AS SELECT customer_id AS customer, * EXCLUDE (customer_id) FROM arrow_days"
_SURVIVORS = """
CREATE TABLE days AS
SELECT coalesce(m.root_id, d.customer_id) AS customer, d.day,
    CASE WHEN count(d.net) = count(*) THEN CAST(sum(d.net) AS bigint) END AS net, {sums}
FROM arrow_days d LEFT JOIN arrow_merged m USING (customer_id)
GROUP BY ALL
"""
_OF_SURVIVORS = """
CREATE TABLE {table} AS
SELECT coalesce(m.root_id, d.customer_id) AS customer, d.* EXCLUDE (customer_id)
FROM arrow_{table} d LEFT JOIN arrow_merged m USING (customer_id)
"""
_BESIDE = {"costs": _COSTS, "untold_costs": _UNTOLD_COSTS, "contracts": _CONTRACTS, "held": _HELD}
_MORE_FIGURES = ("adjusted", "cost_of_goods", "uncosted")


@dataclass(frozen=True)
class Purchases:
    """The purchase days of a tenant, one row per surviving customer and day, in the DuckDB table `days`.

    A row with `orders` is an occasion; money is in minor units of the tenant's base currency, and `net` is null where
    any document of the day waits for an exchange rate. Where they are asked for, there are beside it `costs` (customer,
    amount), what was allocated to a customer, `untold_costs` (customer, entry), of which nobody knows how much that is,
    `contracts` (customer, contract, began, ended), and `held` (customer, contract, began, ended, mrr): from which day
    to before which one a contract held, and what it earned a month. The days then have what the goods cost as well.
    """

    connection: Any

    def table(self, query: str, **values: Any) -> pa.Table:
        """The answer to a query, whole."""
        answer: pa.Table = self.connection.sql(query, params=values or None).to_arrow_table()
        return answer

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The answer to a query, row by row."""
        found: list[tuple[Any, ...]] = self.connection.sql(query).fetchall()
        return found

    def register(self, name: str, table: pa.Table) -> None:
        """Have queries see another table."""
        self.connection.register(name, table)


@contextmanager
def purchases(
    dsn: str, tenant_id: UUID, *, paid_only: bool = False, beside: Sequence[str] = ()
) -> Iterator[Purchases]:  # fmt: skip
    """The purchases of a tenant as one snapshot; closed again, nothing is left of them. Blocks: call it in a thread.

    With `paid_only`, orders of amount 0 are no purchases; `beside` names further tables.
    """
    import duckdb

    figures = _MORE_FIGURES if beside else ()
    tables = _read(
        dsn, tenant_id, {"days": _DAYS, "merged": _MERGED, **{table: _BESIDE[table] for table in beside}},
        orders="paid_orders" if paid_only else "orders", more="".join(f", {name}" for name in figures),
    )  # fmt: skip
    # One thread and no way out: it reads what it is given, no file and no address.
    limits: Mapping[str, Any] = {"threads": 1, "enable_external_access": False, "arrow_lossless_conversion": True}
    with duckdb.connect(":memory:", config=dict(limits)) as connection:
        for name, rows in tables.items():
            connection.register(f"arrow_{name}", rows)
        sums = ", ".join(f"CAST(sum(d.{name}) AS bigint) AS {name}" for name in ("orders", *figures))
        connection.execute(_SURVIVORS.format(sums=sums) if tables["merged"].num_rows else _UNMERGED)
        for table in beside:
            connection.execute(_OF_SURVIVORS.format(table=table))
        yield Purchases(connection)


def _read(dsn: str, tenant_id: UUID, queries: Mapping[str, str], **names: str) -> Mapping[str, pa.Table]:
    places = {"tenant": f"'{tenant_id.hex}'::uuid", **names}
    with behind_the_wall(dsn, tenant_id) as cursor:
        found = {}
        for name, query in queries.items():
            cursor.execute(query.format(**places))
            found[name] = cursor.fetch_arrow_table()
        return found


@contextmanager
def behind_the_wall(dsn: str, tenant_id: UUID) -> Iterator[Any]:
    """A cursor in one read-only snapshot behind the wall of one tenant, that answers in Arrow."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(tenancy.enter(tenant_id))
        yield cursor
        cursor.execute("ROLLBACK")
