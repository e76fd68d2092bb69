from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from domain import costs, purchases
from domain.core.audit import AuditEntry
from domain.core.events import OutboxEvent
from domain.core.problems import DomainError, StaleVersion
from domain.costs import AllocationRule, CostCategory
from domain.costs.actions import NoRateForCost
from domain.costs.model import CostEntry
from domain.costs.queries import CostNotFound, Summary
from domain.costs.rules import PeriodIsEmpty
from domain.customers.departments import DepartmentNotFound
from domain.interactions.queries import CustomerNotFound
from domain.purchases.rules import TooPrecise
from tests.domain.costs.conftest import JUNE, MAY, may, shares

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from tests.domain.conftest import NewCustomer, Unchanged
    from tests.domain.costs.conftest import Spend


async def versions(database: Database, tenant: UUID, entry_id: UUID) -> list[tuple[int, int, bool]]:
    async with database.reading(tenant) as reading:
        rows = await reading.all(
            select(CostEntry)
            .where(CostEntry.tenant_id == tenant, CostEntry.id == entry_id)
            .order_by(CostEntry.version)
        )  # fmt: skip
    return [(row.version, row.amount, row.superseded_at is None) for row in rows]


async def test_a_cost_is_kept_in_both_currencies_and_told(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await purchases.record_rate(work, MAY - timedelta(days=3), "USD", "EUR", Decimal("0.905"))
        new = may(amount=Decimal("10.01"), category=CostCategory.RETENTION_MARKETING)
        entry = await costs.record_cost(work, replace(new, currency="USD"))
    assert (entry.amount, entry.base_amount, entry.base_currency) == (1001, 906, "EUR")
    async with database.reading(tenant) as reading:
        told = await reading.all(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant))
        deeds = await reading.all(select(AuditEntry).where(AuditEntry.tenant_id == tenant))
    assert [(event.name, event.body) for event in told if event.subject == entry.id] == [
        ("costs.CostRecorded", {"customer_id": None, "version": 1, "category": "RETENTION_MARKETING"})
    ]
    assert sorted(deed.action for deed in deeds)[:2] == ["costs.record", "exchange_rates.record"]


@pytest.mark.parametrize(
    ("says", "problem", "path"),
    [
        ({"currency": "USD"}, NoRateForCost, ("currency",)),
        ({"amount": Decimal("0.001")}, TooPrecise, ("amount",)),
        ({"ends_on": MAY}, PeriodIsEmpty, ("period", "end")),
        ({"customer_id": uuid4()}, CustomerNotFound, ("customer",)),
        ({"department_id": uuid4()}, DepartmentNotFound, ()),
    ],
)
async def test_what_cannot_be_recorded_changes_nothing(
    database: Database, tenant: UUID, unchanged: Unchanged, says: dict[str, Any], problem: type[DomainError], path: Any
) -> None:
    async with unchanged():
        with pytest.raises(problem) as refused:
            async with database.unit_of_work(tenant) as work:
                await costs.record_cost(work, may(**{"amount": Decimal(1), **says}))
    assert refused.value.path == path


async def test_a_correction_is_a_version_and_the_same_again_is_none(
    database: Database, tenant: UUID, spend: Spend, new_customer: NewCustomer
) -> None:
    ada = await new_customer()
    cost = await spend("10", customer_id=ada)
    async with database.unit_of_work(tenant) as work:
        await costs.change_cost(work, cost, 1, may(amount=Decimal("10.00"), customer_id=ada))
        await costs.change_cost(work, cost, 1, may(amount=Decimal("-2.5"), customer_id=ada))
    assert await versions(database, tenant, cost) == [(1, 1000, False), (2, -250, True)]
    assert await shares(database, tenant, cost) == {(ada, MAY): -250}


async def test_a_change_of_what_changed_meanwhile_is_refused(
    database: Database, tenant: UUID, spend: Spend, unchanged: Unchanged
) -> None:
    cost = await spend("10")
    async with unchanged():
        for refused, version in ((cost, 2), (uuid4(), 1)):
            with pytest.raises((StaleVersion, CostNotFound)) as problem:
                async with database.unit_of_work(tenant) as work:
                    await costs.delete_cost(work, refused, version)
            assert problem.type is (StaleVersion if refused == cost else CostNotFound)


async def test_a_deleted_cost_stays_readable_and_counts_nowhere(
    database: Database, tenant: UUID, spend: Spend, new_customer: NewCustomer
) -> None:
    ada = await new_customer()
    cost = await spend("10", customer_id=ada)
    async with database.unit_of_work(tenant) as work:
        await costs.delete_cost(work, cost, 1)
    assert await versions(database, tenant, cost) == [(1, 1000, False)]
    assert await shares(database, tenant, cost) == {}
    async with database.reading(tenant) as reading:
        assert await costs.summary(reading, MAY, JUNE) == {}


async def test_a_summary_counts_every_cost_on_its_days_and_loses_nothing(
    database: Database, tenant: UUID, spend: Spend, new_customer: NewCustomer
) -> None:
    ada = await new_customer()
    await spend("31.30", customer_id=ada, rule=AllocationRule.BY_TIME)
    await spend("5", customer_id=ada)
    await spend("-7.77")
    await spend("100", category=CostCategory.COGS, starts_on=JUNE, ends_on=JUNE + timedelta(days=1))
    middle = date(2026, 5, 16)
    async with database.reading(tenant) as reading:
        first, second = await costs.summary(reading, MAY, middle), await costs.summary(reading, middle, JUNE)
        later = await costs.summary(reading, middle, JUNE + timedelta(days=1))
    assert first == {CostCategory.SERVICE: Summary(1515 + 500 - 777, 1515 + 500, -777, 0)}
    assert second == {CostCategory.SERVICE: Summary(1615, 1615, 0, 0)}
    assert later == {**second, CostCategory.COGS: Summary(10000, 0, 10000, 0)}
