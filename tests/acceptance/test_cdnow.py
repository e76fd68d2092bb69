"""CDNOW, whole, once and once again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from domain.tenants import actions as tenants
from sync import imports, registry
from sync.runs import Counts
from tests.acceptance.reading import read
from tests.conftest import SHARED

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database

FILE = SHARED / "data" / "CDNOW_master.txt"
MAPPING = Path(__file__).parents[2] / "plugins" / "files" / "examples" / "cdnow.toml"

FIGURES = """
SELECT
    (SELECT count(*) FROM orders WHERE tenant_id = :t),
    (SELECT count(*) FROM customers WHERE tenant_id = :t),
    (SELECT sum(amount) FROM orders WHERE tenant_id = :t),
    (SELECT sum(units) FROM orders WHERE tenant_id = :t),
    (SELECT count(DISTINCT (customer_id, local_day)) FROM orders WHERE tenant_id = :t),
    (SELECT sum(occasions) FROM customer_totals WHERE tenant_id = :t),
    (SELECT count(*) FROM orders WHERE tenant_id = :t AND amount = 0),
    (SELECT count(*) FROM interactions JOIN customers USING (tenant_id)
        WHERE tenant_id = :t AND customers.id = customer_id)
"""
EXACT = (69_659, 23_570, 250_031_563, 167_881, 67_591, 67_591, 80, 69_659)


OVER_GRAPHQL = """{
  orderTotals { orders refunds gross { amount currency } net { amount } }
  customers(first: 1) { totalCount }
  orders(first: 1) { totalCount }
}"""

ANSWER = {
    "orderTotals": {
        "orders": 69_659,
        "refunds": 0,
        "gross": {"amount": "2500315.63", "currency": "USD"},
        "net": {"amount": "2500315.63"},
    },
    "customers": {"totalCount": 23_570},
    "orders": {"totalCount": 69_659},
}


METRICS = """query($start: Date!, $end: Date!) {
  metrics(
    keys: ["active_customers", "occasions", "occasions_per_active", "size_of_transaction", "units_per_occasion",
      "repeat_purchase_rate"]
    window: {start: $start, end: $end}
  ) { metric { key } total { value numerator denominator n missing money { amount currency } } }
}"""

HALVES = {
    ("1997-07-01", "1998-01-01"): {
        "active_customers": ("6421", "6421", None, 6_421),
        "occasions": ("14705", "14705", None, 6_421),
        "occasions_per_active": ("2.290142", "14705", "6421", 6_421),
        "size_of_transaction": ("40.340165", "593202.13", "14705", 14_705),
        "units_per_occasion": ("2.729956", "40144", "14705", 14_705),
        "repeat_purchase_rate": ("0.492291", "3161", "6421", 6_421),
    },
    ("1998-01-01", "1998-07-01"): {
        "active_customers": ("5374", "5374", None, 5_374),
        "occasions": ("12272", "12272", None, 5_374),
        "occasions_per_active": ("2.283588", "12272", "5374", 5_374),
        "size_of_transaction": ("38.800063", "476154.37", "12272", 12_272),
        "units_per_occasion": ("2.683833", "32936", "12272", 12_272),
        "repeat_purchase_rate": ("0.492743", "2648", "5374", 5_374),
    },
}
"""Metrics of the second half of 1997 and the first of 1998: value, numerator, denominator, n."""


async def measured(database: Database, tenant: UUID, start: str, end: str) -> dict[str, tuple[Any, ...]]:
    found = (await read(database, tenant, METRICS, start=start, end=end))["metrics"]
    assert [each["total"]["missing"] for each in found] == [None] * len(found)
    assert found[3]["total"]["money"]["currency"] == "USD"
    assert [each["total"]["money"] for each in found if each["metric"]["key"] != "size_of_transaction"] == [None] * 5
    return {
        each["metric"]["key"]: tuple(each["total"][name] for name in ("value", "numerator", "denominator", "n"))
        for each in found
    }


async def figures(database: Database, tenant: UUID) -> tuple[Any, ...]:
    async with database.reading(tenant) as reading:
        return tuple((await reading.rows(text(FIGURES), {"t": tenant}))[0])


@pytest.mark.shared
async def test_cdnow_once_and_once_again(database: Database) -> None:
    new = tenants.NewTenant("cdnow", "CDNOW", time_zone="America/New_York", base_currency="USD")
    tenant = await tenants.create_tenant(database, new)
    config = {"file": str(FILE), "mapping": str(MAPPING)}
    connector = registry.load().connector("files")
    first = await imports.run(database, tenant, connector, config)
    assert (first.counts.read, first.counts.created, first.counts.updated) == (69_659, 69_659 + 23_570, 0)
    assert await figures(database, tenant) == EXACT
    assert await read(database, tenant, OVER_GRAPHQL) == ANSWER
    assert {half: await measured(database, tenant, *half) for half in HALVES} == HALVES
    again = await imports.run(database, tenant, connector, config)
    assert (again.counts.read, again.counts.created, again.counts.updated) == (69_659, 0, 0)
    assert await figures(database, tenant) == EXACT
    assert again.counts == Counts(read=69_659, unchanged=first.counts.created + first.counts.unchanged)
