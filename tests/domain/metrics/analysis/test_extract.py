from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from adbc_driver_manager import Error

from domain import customers
from domain.core.database import dsn_of
from domain.core.ids import new_id
from domain.metrics.analysis.extract import behind_the_wall, purchases
from tests.domain.metrics.analysis.purchased import bought, day

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.conftest import Logins

ALL = "SELECT customer, day, orders, net FROM days ORDER BY day, net"


def extracted(dsn: str, tenant: UUID, **options: Any) -> list[tuple[Any, ...]]:
    with purchases(dsn, tenant, **options) as found:
        return [tuple(row.values()) for row in found.table(ALL).to_pylist()]


async def test_the_wall_holds_without_the_predicate(database: Database, tenant: UUID, other_tenant: UUID) -> None:
    mine, theirs = uuid4(), uuid4()
    await bought(database, tenant, {mine: [0]})
    await bought(database, other_tenant, {theirs: [0]})
    with behind_the_wall(dsn_of(database.url), tenant) as cursor:
        cursor.execute("SELECT customer_id FROM purchase_days")
        assert cursor.fetch_arrow_table().to_pylist() == [{"customer_id": mine}]


async def test_the_predicate_holds_without_the_wall(
    logins: Logins, database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    """A superuser passes every wall."""
    mine, theirs = uuid4(), uuid4()
    await bought(database, tenant, {mine: [3]})
    await bought(database, other_tenant, {theirs: [3]})
    assert extracted(dsn_of(logins.superuser), tenant) == [(mine, day(3), 1, 100)]


async def test_the_snapshot_cannot_write(database: Database, tenant: UUID) -> None:
    with pytest.raises(Error, match="read-only"), behind_the_wall(dsn_of(database.url), tenant) as cursor:
        cursor.execute("DELETE FROM purchase_days")
    with behind_the_wall(dsn_of(database.url), tenant) as cursor:
        cursor.execute("SELECT current_setting('transaction_isolation') AS level")
        assert cursor.fetch_arrow_table().to_pylist() == [{"level": "repeatable read"}]


async def test_members_buy_as_their_survivor(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        made = [(await customers.create(work, customers.NewCustomer(name=name))).id for name in ("Ada", "Ada L.")]
        await customers.merge(work, made[0], [made[1]])
    await bought(database, tenant, {made[0]: [(0, 10), (1, 20)], made[1]: [(1, 5)]})
    assert extracted(dsn_of(database.url), tenant) == [(made[0], day(0), 1, 10), (made[0], day(1), 2, 25)]


async def test_an_order_worth_nothing_is_a_purchase_unless_only_paid_ones_are(
    database: Database, tenant: UUID
) -> None:  # fmt: skip
    someone = uuid4()
    await bought(database, tenant, {someone: [(0, 0), (1, 7)]})
    assert [row[2] for row in extracted(dsn_of(database.url), tenant)] == [1, 1]
    assert [row[2] for row in extracted(dsn_of(database.url), tenant, paid_only=True)] == [0, 1]


async def test_nobody_bought_anything(database: Database) -> None:
    assert extracted(dsn_of(database.url), new_id()) == []
