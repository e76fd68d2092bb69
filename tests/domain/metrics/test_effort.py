"""What settling costs grows with the customers that were touched, not with the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import text

from domain.metrics import settling
from tests.conftest import dsn, new_tenant

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from tests.conftest import Logins

TOUCHED = 100

_CUSTOMERS = """
INSERT INTO customers (tenant_id, id, kind, status, root_id, member_ids, first_seen_at, created_at, updated_at)
SELECT :t, id, 'PERSON', 'ACTIVE', id, array[id], :now, :now, :now
FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, :size)) AS made
"""
_ORDERS = """
INSERT INTO orders (tenant_id, id, version, customer_id, kind, status, occurred_at, local_day, recorded_at, currency,
    amount, base_amount, base_currency, units, line_count, content_hash)
SELECT :t, gen_random_uuid(), 1, c.id, 'SALE', 'COMPLETED', at, at::date, :now, 'EUR', 100, 100, 'EUR', 1, 0, ''
FROM customers c CROSS JOIN generate_series(timestamptz '2026-01-01', '2026-01-05', interval '1 day') AS at
WHERE c.tenant_id = :t
"""
_INTERACTIONS = """
INSERT INTO interactions (tenant_id, id, revision, customer_id, kind, family, occurred_at, recorded_at, stream,
    remote_id)
SELECT :t, x.id, 1, c.id, 'VISIT', 'VISIT', at, :now, 'manual', x.id::text
FROM customers c CROSS JOIN generate_series(timestamptz '2026-01-01', '2026-01-05', interval '1 day') AS at
CROSS JOIN LATERAL (SELECT gen_random_uuid() AS id WHERE c.id IS NOT NULL AND at IS NOT NULL) AS x
WHERE c.tenant_id = :t
"""


async def filled(database: Database, size: int) -> tuple[UUID, list[UUID]]:
    """A tenant of so many customers whose days are rolled up, and the customers that are about to be touched."""
    tenant = await new_tenant(database)
    async with database.unit_of_work(tenant) as work:
        values = {"t": tenant, "now": work.now, "size": size}
        for statement in (_CUSTOMERS, _ORDERS, _INTERACTIONS):
            await work.execute(text(statement), values)
        ids = [
            *(await work.execute(text("SELECT id FROM customers WHERE tenant_id = :t ORDER BY id"), values)).scalars()
        ]
        for start in range(0, size, settling.PORTION):
            await settling.roll_up(work, ids[start : start + settling.PORTION])
    return tenant, ids[:TOUCHED]


async def buffers(work: Writing, touched: list[UUID]) -> int:
    """How many pages rolling up some customers looks at."""
    values = {"tenant": work.tenant_id, "customers": touched, "zone": "UTC"}
    read = 0
    for statement in settling.ROLL_UP_STATEMENTS:
        explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.text}").bindparams(
            *statement._bindparams.values()
        )
        ((plan,),) = await work.rows(explained, {name: values[name] for name in explained._bindparams})
        read += plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    return read


async def analysed(logins: Logins) -> None:
    """Statistics as the server keeps them by itself: without any, a plan depends on the order of the indexes."""
    connection = await asyncpg.connect(dsn(logins.superuser))
    await connection.execute("ANALYZE orders, order_lines, refunds, interactions, purchase_days, activity_days")
    await connection.close()


async def test_a_tenant_ten_times_larger_costs_no_more_for_the_same_customers(
    database: Database, logins: Logins
) -> None:
    tenants = [await filled(database, size) for size in (TOUCHED, 10 * TOUCHED)]
    await analysed(logins)
    found = []
    for tenant, touched in tenants:
        async with database.unit_of_work(tenant) as work:
            more = "UPDATE orders SET base_amount = 200 WHERE tenant_id = :t AND customer_id = ANY(:touched)"
            await work.execute(text(more), {"t": tenant, "touched": touched})
            found.append(await buffers(work, touched))
            assert await buffers(work, touched) < found[-1]
    small, large = found
    assert large <= 1.3 * small, (small, large)
