"""The law of settling: whatever happened, the totals are what plain Python counts from the documents."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from domain import purchases
from domain.customers.model import Customer
from domain.purchases import NewOrder, NewRefund
from domain.purchases.model import CustomerTotals, Order, OrderKind, OrderStatus, Refund
from domain.tenants import actions as tenants

if TYPE_CHECKING:
    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Step:
    """Something that happens to the `of`-th order there is, or to a new one; `give` is a refund of no known order."""

    deed: str
    of: int
    customer: int | None
    hour: int
    amount: int
    kind: OrderKind
    status: OrderStatus

    def order(self, customers: list[UUID]) -> NewOrder:
        return NewOrder(
            occurred_at=MIDNIGHT + timedelta(hours=self.hour), currency="EUR", total=Decimal(self.amount),
            customer_id=None if self.customer is None else customers[self.customer], kind=self.kind, status=self.status,
        )  # fmt: skip

    def refund(self, order_id: UUID | None) -> NewRefund:
        return NewRefund(occurred_at=MIDNIGHT, currency="EUR", total=Decimal(self.amount), order_id=order_id)


steps = st.builds(
    Step,
    deed=st.sampled_from(["record", "record", "change", "cancel", "refund", "refund", "give", "merge", "part"]),
    of=st.integers(0, 5),
    customer=st.none() | st.integers(0, 2),
    hour=st.integers(0, 24 * 4),
    amount=st.integers(0, 3),
    kind=st.sampled_from([OrderKind.SALE, OrderKind.SALE, OrderKind.SALE, OrderKind.ADJUSTMENT]),
    status=st.sampled_from([OrderStatus.COMPLETED, OrderStatus.COMPLETED, OrderStatus.OPEN, OrderStatus.CANCELLED]),
)  # fmt: skip


async def take(work: Writing, step: Step, orders: list[UUID], customers: list[UUID]) -> None:
    if step.deed == "record":
        orders.append((await purchases.record_order(work, step.order(customers))).id)
    elif step.deed == "give":
        await purchases.record_refund(work, step.refund(None))
    elif step.deed in {"merge", "part"}:
        await join(work, customers, customers[0] if step.deed == "merge" else customers[1])
    elif orders:
        order = await purchases.order(work, orders[step.of % len(orders)])
        if step.deed == "change":
            await purchases.change_order(work, order.id, order.version, step.order(customers))
        elif step.deed == "cancel":
            await purchases.cancel_order(work, order.id, order.version)
        else:
            await purchases.record_refund(work, step.refund(order.id))


async def join(work: Writing, customers: list[UUID], root: UUID) -> None:
    """Let the second customer belong to the first, or to itself again, as a merge leaves them."""
    await work.execute(
        update(Customer).where(Customer.tenant_id == work.tenant_id, Customer.id == customers[1]).values(root_id=root)
    )
    await purchases.settle_totals(work, customers[:2])


async def settled(reading: Reading) -> dict[UUID, tuple[Any, ...]]:
    """What is kept: the totals of every customer, and the purchase dates of the surviving ones."""
    totals = {
        row.customer_id: (row.occasions, row.orders, row.first_at, row.last_at)
        for row in await reading.all(select(CustomerTotals).where(CustomerTotals.tenant_id == reading.tenant_id))
    }
    dates = {
        row.id: (row.first_purchase_at, row.last_purchase_at)
        for row in await reading.all(select(Customer).where(Customer.tenant_id == reading.tenant_id))
        if row.root_id == row.id
    }
    assert {root: total[2:] for root, total in totals.items()} == {
        root: date for root, date in dates.items() if date != (None, None)
    }
    return totals


async def counted(reading: Reading) -> dict[UUID, tuple[Any, ...]]:
    """The same, counted from scratch."""
    tenant = reading.tenant_id
    roots = {row.id: row.root_id for row in await reading.all(select(Customer).where(Customer.tenant_id == tenant))}
    given_back: dict[UUID | None, int] = defaultdict(int)
    for refund in await reading.all(select(Refund).where(Refund.tenant_id == tenant)):
        given_back[refund.order_id] += refund.amount
    bought = defaultdict(list)
    for order in await reading.all(select(Order).where(Order.tenant_id == tenant, Order.superseded_at.is_(None))):
        wholly_refunded = order.amount > 0 and given_back[order.id] >= order.amount
        if order.customer_id and order.kind == "SALE" and order.status == "COMPLETED" and not wholly_refunded:
            bought[roots[order.customer_id]].append(order)
    return {
        root: (
            len({order.occurred_at.date() for order in orders}),
            len(orders),
            min(order.occurred_at for order in orders),
            max(order.occurred_at for order in orders),
        )
        for root, orders in bought.items()
    }


BOUGHT = Step("record", 0, 0, 12, 3, OrderKind.SALE, OrderStatus.COMPLETED)


@pytest.mark.anyio
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(steps, min_size=1, max_size=12))
@example(story=[BOUGHT, replace(BOUGHT, deed="refund", amount=2)])
@example(story=[BOUGHT, replace(BOUGHT, deed="refund", amount=2), replace(BOUGHT, deed="refund", amount=1)])
@example(story=[replace(BOUGHT, amount=0), replace(BOUGHT, deed="refund", amount=0)])
@example(story=[BOUGHT, replace(BOUGHT, customer=1), replace(BOUGHT, deed="merge"), replace(BOUGHT, deed="part")])
async def test_after_any_story_the_totals_are_those_counted_from_scratch(database: Database, story: list[Step]) -> None:
    slug = f"t{uuid4().hex[:20]}"
    tenant = await tenants.create_tenant(database, tenants.NewTenant(slug=slug, name=slug))
    orders: list[UUID] = []
    async with database.unit_of_work(tenant) as work:
        customers = [await customer(work) for _ in range(3)]
    for step in story:
        async with database.unit_of_work(tenant) as work:
            await take(work, step, orders, customers)
    async with database.reading(tenant) as reading:
        assert await settled(reading) == await counted(reading)
        before = await everything(reading)
    async with database.unit_of_work(tenant) as work:
        await purchases.settle_totals(work, customers)
        await purchases.settle_base_amounts(work)
    async with database.reading(tenant) as reading:
        assert await everything(reading) == before


async def customer(work: Writing) -> UUID:
    made = work.ids()
    work.add(
        Customer(
            id=made, kind="PERSON", status="ACTIVE", root_id=made, member_ids=[made], first_seen_at=work.now,
            created_at=work.now, updated_at=work.now,
        )
    )  # fmt: skip
    await work.flush()
    return made


async def everything(reading: Reading) -> list[Any]:
    tables = (model.__table__ for model in (Customer, CustomerTotals, Order, Refund))
    return [
        sorted(await reading.rows(select(table).where(table.c.tenant_id == reading.tenant_id)), key=repr)
        for table in tables
    ]


async def test_settling_nobody_or_strangers_changes_nothing(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await purchases.settle_totals(work, [])
        await purchases.settle_totals(work, [UUID(int=1)])
    async with database.reading(tenant) as reading:
        assert await everything(reading) == [[], [], [], []]


async def test_only_a_change_of_the_dates_touches_the_customer(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        who = await customer(work)
    versions = []
    for hour in (5, 6, 3, 4):
        async with database.unit_of_work(tenant) as work:
            await purchases.record_order(
                work,
                NewOrder(
                    occurred_at=MIDNIGHT + timedelta(hours=hour), currency="EUR", total=Decimal(1), customer_id=who
                ),
            )
            at = work.now
        async with database.reading(tenant) as reading:
            [row] = await reading.all(select(Customer).where(Customer.tenant_id == tenant))
            versions.append((row.version, row.updated_at == at))
    assert versions == [(2, True), (3, True), (4, True), (4, False)]
    async with database.reading(tenant) as reading:
        assert await settled(reading) == {who: (1, 4, MIDNIGHT + timedelta(hours=3), MIDNIGHT + timedelta(hours=6))}


async def test_days_are_the_tenants_days(database: Database) -> None:
    slug = f"t{uuid4().hex[:20]}"
    new = tenants.NewTenant(slug=slug, name=slug, time_zone="Asia/Tehran")
    tenant = await tenants.create_tenant(database, new)
    async with database.unit_of_work(tenant) as work:
        who = await customer(work)
        for hour in (20, 21, 44):  # 23:30 of one day, 00:30 and 23:30 of the next
            await purchases.record_order(
                work,
                NewOrder(
                    occurred_at=MIDNIGHT + timedelta(hours=hour), currency="EUR", total=Decimal(0), customer_id=who
                ),
            )
    async with database.reading(tenant) as reading:
        assert (await settled(reading))[who][:2] == (2, 3)
