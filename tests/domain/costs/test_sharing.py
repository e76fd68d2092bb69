from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from domain import costs, customers, interactions, purchases
from domain.costs import AllocationRule, CostCategory, settling
from domain.costs.model import CostEntry, CostWeight
from domain.customers import departments
from domain.customers.model import Customer
from domain.interactions import InteractionKind, NewInteraction
from domain.interactions.rules import CasePayload
from domain.purchases import NewOrder, NewRefund
from domain.tenants import actions as tenants
from tests.domain.costs.conftest import JUNE, MAY, catch_up, may, noon, shares

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from tests.domain.conftest import NewCustomer
    from tests.domain.costs.conftest import Borne, Spend

EARLY = datetime(2026, 1, 1, tzinfo=UTC)


async def known(database: Database, tenant: UUID, *new: UUID, since: datetime = EARLY) -> None:
    """Let customers have been known for longer than they are here, and settle what follows."""
    async with database.unit_of_work(tenant) as work:
        mine = (Customer.tenant_id == tenant, Customer.id.in_(new))
        await work.execute(update(Customer).where(*mine).values(first_seen_at=since))
        await costs.settle(work, new)


async def touch(database: Database, tenant: UUID, customer: UUID, *days: int, campaign: str | None = None) -> None:
    async with database.unit_of_work(tenant) as work:
        for day in days:
            new = NewInteraction(InteractionKind.VISIT, noon(day), customer, campaign_key=campaign)
            await interactions.record(work, new)


async def buy(database: Database, tenant: UUID, customer: UUID, total: str, day: int, **says: str) -> UUID:
    async with database.unit_of_work(tenant) as work:
        new = NewOrder(**{"occurred_at": noon(day), "currency": "EUR", "total": Decimal(total), **says})  # type: ignore[arg-type]
        return (await purchases.record_order(work, NewOrder(**{**vars(new), "customer_id": customer}))).id


async def entry(database: Database, tenant: UUID, entry_id: UUID) -> CostEntry:
    async with database.reading(tenant) as reading:
        return await costs.entry(reading, entry_id)


async def test_equally_among_all_who_were_known_in_the_period(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada, eva, ida, late = [await new_customer() for _ in range(4)]
    await known(database, tenant, ada, eva)
    await known(database, tenant, ida, since=noon(31))
    await known(database, tenant, late, since=noon(1, 6))
    cost = await spend("100", rule=AllocationRule.EQUAL)
    assert (await entry(database, tenant, cost)).allocated_at is None
    assert await borne(cost) == {ada: 3334, eva: 3333, ida: 3333}
    made = await entry(database, tenant, cost)
    assert (made.allocated_amount, made.allocated_at is None) == (10000, False)
    await known(database, tenant, late, since=noon(30))
    assert await borne(cost) == {ada: 2500, eva: 2500, ida: 2500, late: 2500}


async def test_by_touch_follows_what_becomes_known_later(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada, eva = await new_customer(), await new_customer()
    cost, other = await spend("9", rule=AllocationRule.BY_TOUCH), await spend("8", rule=AllocationRule.EQUAL)
    assert await borne(cost) == {}
    await touch(database, tenant, ada, 2, 3)
    await touch(database, tenant, eva, 31)
    assert await catch_up(database, tenant) == [(settling.SHARE, cost)]
    assert await borne(cost) == {ada: 600, eva: 300}
    async with database.unit_of_work(tenant) as work:
        await interactions.record(work, NewInteraction(InteractionKind.NOTE, noon(4), eva, payload={"text": "Hm."}))
        await interactions.record(work, NewInteraction(InteractionKind.VISIT, noon(1, 6), eva))
    assert await catch_up(database, tenant) == []
    await touch(database, tenant, eva, 31)
    assert await borne(cost) == {ada: 450, eva: 450}
    assert await borne(other) == {}


async def test_by_revenue_counts_net_and_nobody_below_zero(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada, eva, ida = [await new_customer() for _ in range(3)]
    cost = await spend("10", rule=AllocationRule.BY_REVENUE)
    bought = await buy(database, tenant, ada, "30", 5)
    await buy(database, tenant, eva, "10", 6)
    await buy(database, tenant, ida, "-5", 7, kind="ADJUSTMENT")
    await buy(database, tenant, ida, "50", 8, status="CANCELLED")
    assert await borne(cost) == {ada: 750, eva: 250}
    async with database.unit_of_work(tenant) as work:
        back = NewRefund(occurred_at=noon(9, 7), currency="EUR", total=Decimal(20), order_id=bought)
        await purchases.record_refund(work, back)
    assert await borne(cost) == {ada: 500, eva: 500}


async def test_by_revenue_follows_a_rate_that_comes_later(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada, eva = await new_customer(), await new_customer()
    cost = await spend("10", rule=AllocationRule.BY_REVENUE)
    await buy(database, tenant, ada, "10", 5)
    await buy(database, tenant, eva, "10", 6, currency="USD")
    assert await borne(cost) == {ada: 1000}
    async with database.unit_of_work(tenant) as work:
        await purchases.record_rate(work, MAY, "USD", "EUR", Decimal(3))
    assert await borne(cost) == {ada: 250, eva: 750}


async def test_by_time_over_the_days_on_which_each_was_there(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend
) -> None:
    ada, eva = await new_customer(), await new_customer()
    await known(database, tenant, ada)
    await known(database, tenant, eva, since=noon(3))
    cost = await spend("3", rule=AllocationRule.BY_TIME, ends_on=MAY + timedelta(days=3))
    await catch_up(database, tenant)
    days = [MAY + timedelta(days=number) for number in range(3)]
    assert await shares(database, tenant, cost) == {
        (ada, days[0]): 100, (ada, days[1]): 100, (ada, days[2]): 50, (eva, days[2]): 50,
    }  # fmt: skip


async def test_who_is_named_bears_it_alone_and_at_once(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend
) -> None:
    ada = await new_customer()
    plain = await spend("10", customer_id=ada)
    spread = await spend("-0.05", customer_id=ada, rule=AllocationRule.BY_TIME, ends_on=MAY + timedelta(days=3))
    assert await shares(database, tenant, plain) == {(ada, MAY): 1000}
    assert await shares(database, tenant, spread) == {
        (ada, MAY): -2, (ada, MAY + timedelta(days=1)): -2, (ada, MAY + timedelta(days=2)): -1,
    }  # fmt: skip
    assert await catch_up(database, tenant) == []


async def test_without_a_rule_nobody_bears_it(database: Database, tenant: UUID, spend: Spend, borne: Borne) -> None:
    cost = await spend("10", category=CostCategory.INITIATIVE)
    assert await borne(cost) == {}
    made = await entry(database, tenant, cost)
    assert (made.allocated_amount, made.allocated_at is None) == (0, False)


async def test_a_case_is_borne_by_its_customer_as_soon_as_that_is_known(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    cost = await spend("12", case_key="T-1")
    assert await borne(cost) == {}
    ada = await new_customer()
    async with database.unit_of_work(tenant) as work:
        opened = NewInteraction(InteractionKind.CASE_OPENED, noon(4), ada, payload=CasePayload(case_id="T-1"))
        await interactions.record(work, opened)
    await catch_up(database, tenant)
    assert await borne(cost) == {ada: 1200}


async def test_a_campaign_concerns_whom_it_touched(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada, eva, ida = [await new_customer() for _ in range(3)]
    await known(database, tenant, ada, eva, ida)
    await touch(database, tenant, ada, 2, 3, campaign="spring")
    await touch(database, tenant, eva, 4, campaign="spring")
    await touch(database, tenant, eva, 5, 6, campaign="summer")
    await touch(database, tenant, ida, 5)
    await buy(database, tenant, eva, "5", 9)
    await buy(database, tenant, ida, "5", 9)
    by = {rule: await spend("9", rule=rule, campaign_key="spring") for rule in AllocationRule}
    assert await borne(by[AllocationRule.EQUAL]) == {ada: 450, eva: 450}
    assert await borne(by[AllocationRule.BY_TOUCH]) == {ada: 600, eva: 300}
    assert await borne(by[AllocationRule.BY_REVENUE]) == {eva: 900}
    assert await borne(by[AllocationRule.BY_TIME]) == {ada: 450, eva: 450}


async def test_a_department_concerns_whom_it_looked_after(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada, eva, ida = [await new_customer() for _ in range(3)]
    async with database.unit_of_work(tenant) as work:
        south, north = [await departments.define_department(work, key, key) for key in ("south", "north")]
        await departments.assign_department(work, ada, south.id, EARLY)
        await departments.assign_department(work, eva, south.id, noon(1))
        await departments.assign_department(work, eva, north.id, noon(16))
        await departments.assign_department(work, ida, north.id, noon(17))
        south_id = south.id
    equal = await spend("10", rule=AllocationRule.EQUAL, department_id=south_id)
    time = await spend("31", rule=AllocationRule.BY_TIME, department_id=south_id)
    assert await borne(equal) == {ada: 500, eva: 500}
    assert await borne(time) == {ada: 2350, eva: 750}
    async with database.unit_of_work(tenant) as work:
        await departments.assign_department(work, eva, None)
        await departments.assign_department(work, ida, south_id)
    assert await catch_up(database, tenant) == []
    assert await borne(equal) == {ada: 500, eva: 500}


async def test_who_became_one_bears_one_share_and_gives_it_back(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada, eva, ida = [await new_customer() for _ in range(3)]
    await known(database, tenant, ada, eva, ida)
    cost = await spend("9", rule=AllocationRule.EQUAL)
    alone = await spend("1", customer_id=eva)
    await catch_up(database, tenant)
    async with database.unit_of_work(tenant) as work:
        merged = await customers.merge(work, ada, [eva])
    async with database.reading(tenant) as reading:
        before = await costs.per_customer(reading, [ada, ida], MAY, JUNE, CostCategory)
    assert before == {ada: 700, ida: 300}
    assert await borne(cost) == {ada: 450, ida: 450}
    async with database.reading(tenant) as reading:
        after = await costs.per_customer(reading, [ada, ida], MAY, JUNE, CostCategory)
    assert after == {ada: 550, ida: 450}
    async with database.unit_of_work(tenant) as work:
        await customers.unmerge(work, batch_id=merged.batch_id)
    assert await borne(cost) == {ada: 300, eva: 300, ida: 300}
    assert await borne(alone) == {eva: 100}


async def test_a_correction_is_shared_anew_and_a_deleted_cost_is_gone(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada, eva = await new_customer(), await new_customer()
    await known(database, tenant, ada, eva)
    cost = await spend("10", rule=AllocationRule.EQUAL)
    assert await borne(cost) == {ada: 500, eva: 500}
    async with database.unit_of_work(tenant) as work:
        await costs.change_cost(work, cost, 1, may(amount=Decimal(-3), rule=AllocationRule.EQUAL))
    assert await borne(cost) == {ada: -150, eva: -150}
    async with database.unit_of_work(tenant) as work:
        await costs.change_cost(work, cost, 2, may(amount=Decimal(4), customer_id=eva))
    assert await borne(cost) == {eva: 400}
    async with database.unit_of_work(tenant) as work:
        await costs.delete_cost(work, cost, 3)
    assert await borne(cost) == {}
    async with database.reading(tenant) as reading:
        assert await reading.all(select(CostWeight).where(CostWeight.tenant_id == tenant)) == []
        assert await costs.summary(reading, MAY, JUNE) == {}


async def test_the_period_is_one_of_the_tenants_own_days(
    database: Database, tenant: UUID, new_customer: NewCustomer, spend: Spend, borne: Borne
) -> None:
    ada = await new_customer()
    cost = await spend("1", rule=AllocationRule.BY_TOUCH)
    async with database.unit_of_work(tenant) as work:
        last_hour = datetime(2026, 5, 31, 20, 30, tzinfo=UTC)
        await interactions.record(work, NewInteraction(InteractionKind.VISIT, last_hour, ada))
    assert await borne(cost) == {ada: 100}
    async with database.unit_of_work(tenant) as work:
        await tenants.update_tenant(work, 1, {"time_zone": "Asia/Tehran"})
    assert await borne(cost) == {}
    async with database.unit_of_work(tenant) as work:
        await interactions.record(work, NewInteraction(InteractionKind.VISIT, last_hour - timedelta(minutes=1), ada))
    assert await borne(cost) == {ada: 100}
