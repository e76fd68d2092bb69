from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from domain import customers, purchases
from domain.customers import NewCustomer
from domain.purchases import NewOrder
from domain.purchases.model import CustomerTotals
from sync.relay import Relay

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database

MAY, JUNE = (datetime(2026, month, 10, 12, tzinfo=UTC) for month in (5, 6))


async def totals(database: Database, tenant: UUID) -> dict[UUID, tuple[int, datetime | None]]:
    async with database.reading(tenant) as reading:
        rows = await reading.all(select(CustomerTotals).where(CustomerTotals.tenant_id == tenant))
    return {row.customer_id: (row.orders, row.last_at) for row in rows}


async def test_totals_follow_a_merge_and_its_undoing(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        ada, eva = [(await customers.create(work, NewCustomer(name=name))).id for name in ("Ada", "Eva")]
        for customer, at in ((ada, MAY), (eva, JUNE)):
            new = NewOrder(occurred_at=at, currency="EUR", total=Decimal(7), customer_id=customer)
            await purchases.record_order(work, new)
    async with database.unit_of_work(tenant) as work:
        merged = await customers.merge(work, ada, [eva])
    await Relay(database).drain(tenant)
    assert await totals(database, tenant) == {ada: (2, JUNE)}
    async with database.reading(tenant) as reading:
        head = await customers.customer(reading, eva)
    assert (head.id, head.first_purchase_at, head.last_purchase_at) == (ada, MAY, JUNE)
    async with database.unit_of_work(tenant) as work:
        await customers.unmerge(work, batch_id=merged.batch_id)
    await Relay(database).drain(tenant)
    assert await totals(database, tenant) == {ada: (1, MAY), eva: (1, JUNE)}
