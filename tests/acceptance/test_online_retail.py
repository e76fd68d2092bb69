"""UCI Online Retail, whole, once and once again: the figures that anybody can count in the file itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from sync import imports, registry
from sync.runs import Counts
from tests.acceptance.online_retail import CONFIG
from tests.acceptance.reading import read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.database import Database
    from tests.acceptance.conftest import Retail

FIGURES = {
    "SELECT count(*), sum(line_count) FROM orders WHERE $t": [(22_064, 532_621)],
    "SELECT kind, count(*), sum(amount) FROM orders WHERE $t GROUP BY kind ORDER BY kind": [
        ("ADJUSTMENT", 3, -1_106_206),
        ("SALE", 22_061, 1_065_562_248),
    ],
    "SELECT count(*), sum(amount), count(order_id), sum(line_count) FROM refunds WHERE $t": [
        (3_836, 89_681_249, 0, 9_288)
    ],
    "SELECT count(*) FROM customers WHERE $t": [(4_372,)],
    "SELECT count(*) FROM products WHERE $t": [(4_070,)],
    # Lines without a customer stay, in orders and refunds without one.
    "SELECT sum(line_count) FROM (SELECT line_count FROM orders WHERE $t AND customer_id IS NULL "
    "UNION ALL SELECT line_count FROM refunds WHERE $t AND customer_id IS NULL) AS documents": [(135_080,)],
    # 22,190 invoices of known customers, 18,536 of them not cancelled.
    "SELECT (SELECT count(customer_id) FROM orders WHERE $t), (SELECT count(customer_id) FROM refunds WHERE $t)": [
        (18_536, 3_654)
    ],
    # Two pieces of the file, one order.
    "SELECT count(*) FROM orders WHERE $t AND number = '542806'": [(1,)],
    "SELECT count(*) FROM order_lines WHERE $t AND unit_price = 0.001": [(4,)],
    "SELECT count(*), count(DISTINCT (order_id, order_version)) FROM order_lines WHERE $t": [(532_621, 22_064)],
    "SELECT count(*) FROM interactions WHERE $t AND superseded_at IS NULL": [(25_900,)],
    "SELECT count(*) FROM staged_lines WHERE $t": [(0,)],
    "SELECT (SELECT sum(amount) FROM orders o WHERE o.$t) - (SELECT sum(amount) FROM refunds r WHERE r.$t)": [
        (1_065_562_248 - 1_106_206 - 89_681_249,)
    ],
}  # fmt: skip

OF_12748 = {
    "SELECT count(*), sum(amount) FROM orders WHERE $t AND customer_id = :c": [(210, 3_371_973)],
    "SELECT sum(amount) FROM refunds WHERE $t AND customer_id = :c": [(464_763,)],
    "SELECT orders FROM customer_totals WHERE $t AND customer_id = :c": [(210,)],
    "SELECT display_name, country FROM customers WHERE $t AND id = :c": [("12748", "GB")],
}


OVER_GRAPHQL = """query ($ref: ExternalRef!) {
  orderTotals { orders refunds adjustments gross { amount } refunded { amount } adjusted { amount }
    net { amount currency } missing }
  orders(first: 1, filter: { kind: { eq: SALE } }) { totalCount }
  known: orders(first: 1, filter: { hasCustomer: true }) { totalCount }
  nobody: orders(first: 1, filter: { hasCustomer: false }) { totalCount nodes { customer { id } } }
  refunds(first: 1) { totalCount nodes { order { id } } }
  products(first: 1) { totalCount }
  customers(first: 1) { totalCount }
  customer(by: { external: $ref }) { displayName country
    orderTotals { orders gross { amount } refunded { amount } net { amount currency } } }
}"""

ANSWER = {
    "orderTotals": {
        "orders": 22_061,
        "refunds": 3_836,
        "adjustments": 3,
        "gross": {"amount": "10655622.48"},
        "refunded": {"amount": "896812.49"},
        "adjusted": {"amount": "-11062.06"},
        "net": {"amount": "9747747.93", "currency": "GBP"},
        "missing": None,
    },
    "orders": {"totalCount": 22_061},
    "known": {"totalCount": 18_536},
    "nobody": {"totalCount": 3_528, "nodes": [{"customer": None}]},
    "refunds": {"totalCount": 3_836, "nodes": [{"order": None}]},
    "products": {"totalCount": 4_070},
    "customers": {"totalCount": 4_372},
    "customer": {
        "displayName": "12748",
        "country": "GB",
        "orderTotals": {
            "orders": 210,
            "gross": {"amount": "33719.73"},
            "refunded": {"amount": "4647.63"},
            "net": {"amount": "29072.10", "currency": "GBP"},
        },
    },
}


async def found(database: Database, tenant: UUID, statement: str, **values: Any) -> Sequence[tuple[Any, ...]]:
    async with database.reading(tenant) as reading:
        rows = await reading.rows(text(statement.replace("$t", f"tenant_id = '{tenant}'")), values)
    return [tuple(row) for row in rows]


@pytest.mark.shared
async def test_online_retail_once_and_once_again(database: Database, retail: Retail) -> None:
    tenant = retail.tenant
    assert retail.counts == Counts(read=541_909, created=25_900 + 4_372 + 4_070)
    await check(database, tenant)
    history = await found(database, tenant, "SELECT id, version, updated_at FROM customers WHERE $t ORDER BY id")

    again = await imports.run(database, tenant, registry.load().connector("files"), CONFIG)
    assert again.counts == Counts(read=541_909, unchanged=25_900 + 4_372 + 4_070)
    await check(database, tenant)
    assert history == await found(
        database, tenant, "SELECT id, version, updated_at FROM customers WHERE $t ORDER BY id"
    )


async def check(database: Database, tenant: UUID) -> None:
    for statement, rows in FIGURES.items():
        assert await found(database, tenant, statement) == rows, statement
    ((customer,),) = await found(
        database, tenant, "SELECT local_id FROM record_links WHERE $t AND type = 'customer' AND remote_id = '12748'"
    )
    for statement, rows in OF_12748.items():
        assert await found(database, tenant, statement, c=customer) == rows, statement
    assert await read(database, tenant, OVER_GRAPHQL, ref={"connector": "files", "id": "12748"}) == ANSWER
