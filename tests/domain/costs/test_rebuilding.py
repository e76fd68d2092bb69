"""What is kept up to date customer by customer is what a rebuild of everything finds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from domain import costs, customers, interactions, purchases
from domain.costs import AllocationRule, CostCategory, settling
from domain.costs.model import CostAllocation, CostEntry, CostStretch, CostWeight
from domain.customers import departments
from domain.interactions import InteractionKind, NewInteraction
from domain.purchases import NewOrder, NewRefund
from tests.domain.costs.conftest import JUNE, MAY, catch_up, may, noon

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from tests.domain.conftest import NewCustomer

MIDDLE = MAY + timedelta(days=11)
STORIES = range(2)
"""As many stories, of so many chapters each."""
CHAPTERS = 24
KEPT = (CostWeight, CostAllocation, CostStretch)
"""What a rebuild writes."""


class Story:
    """A business to which things happen by chance, some of them late, corrected, deleted, merged and taken back."""

    def __init__(self, seed: int, people: list[UUID]) -> None:
        self.random = Random(seed)  # noqa: S311 - a made-up business
        self.people = people
        self.departments: list[UUID] = []
        self.orders: list[UUID] = []
        self.costs: dict[UUID, int] = {}
        self.merged: list[UUID] = []

    async def happen(self, work: Writing) -> None:
        """One of the things that can happen."""
        deeds = [self.touch, self.touch, self.buy, self.buy, self.give_back, self.spend, self.spend, self.correct]
        await self.random.choice([*deeds, self.delete, self.merge, self.part, self.assign])(work)

    def someone(self) -> UUID:
        return self.random.choice(self.people)

    async def touch(self, work: Writing) -> None:
        at, campaign = noon(self.random.randrange(1, 31)), self.random.choice([None, "spring"])
        new = NewInteraction(InteractionKind.VISIT, at, self.someone(), campaign_key=campaign)
        await interactions.record(work, new)

    async def buy(self, work: Writing) -> None:
        at, total = noon(self.random.randrange(1, 31)), Decimal(self.random.randrange(900)) / 100
        order = await purchases.record_order(
            work, NewOrder(occurred_at=at, currency="EUR", total=total, customer_id=self.someone())
        )
        self.orders.append(order.id)

    async def give_back(self, work: Writing) -> None:
        if self.orders:
            order = self.random.choice(self.orders)
            await purchases.record_refund(
                work, NewRefund(occurred_at=noon(3, 6), currency="EUR", total=Decimal(2), order_id=order)
            )

    async def spend(self, work: Writing) -> None:
        entry = await costs.record_cost(work, may(**self._says()))
        self.costs[entry.id] = 1

    async def correct(self, work: Writing) -> None:
        if self.costs:
            id_ = self.random.choice(list(self.costs))
            changed = await costs.change_cost(work, id_, self.costs[id_], may(**self._says()))
            self.costs[id_] = changed.version

    async def delete(self, work: Writing) -> None:
        if self.costs:
            id_, version = self.costs.popitem()
            await costs.delete_cost(work, id_, version)

    async def merge(self, work: Writing) -> None:
        into, other = self.random.sample(self.people, 2)
        roots = [await customers.resolve(work, each) for each in (into, other)]
        if roots[0] != roots[1]:
            self.merged.append((await customers.merge(work, roots[0], roots[1:])).batch_id)

    async def part(self, work: Writing) -> None:
        if self.merged:
            await customers.unmerge(work, batch_id=self.merged.pop())

    async def assign(self, work: Writing) -> None:
        if len(self.departments) < 2:
            made = await departments.define_department(work, f"d{len(self.departments)}", "One")
            self.departments.append(made.id)
        await departments.assign_department(work, self.someone(), self.random.choice([*self.departments, None]))

    def _says(self) -> dict[str, Any]:
        return {
            "amount": Decimal(self.random.randrange(-5_000, 50_000)) / 100,
            "ends_on": MAY + timedelta(days=self.random.randrange(1, 31)),
            "rule": self.random.choice([None, *AllocationRule, *AllocationRule]),
            "customer_id": self.random.choice([None, None, None, self.someone()]),
            "campaign_key": self.random.choice([None, None, "spring"]),
            "department_id": self.random.choice([None, None, *self.departments]),
        }


async def rows(database: Database, tenant: UUID, model: Any) -> set[tuple[Any, ...]]:
    async with database.reading(tenant) as reading:
        columns = model.__table__.columns
        return {tuple(row) for row in await reading.rows(select(*columns).where(model.tenant_id == tenant))}


@pytest.mark.parametrize("seed", STORIES)
async def test_after_any_story_a_rebuild_changes_nothing_and_all_adds_up(
    database: Database, tenant: UUID, new_customer: NewCustomer, seed: int
) -> None:
    story = Story(seed, [await new_customer() for _ in range(5)])
    for chapter in range(CHAPTERS):
        async with database.unit_of_work(tenant) as work:
            await story.happen(work)
        if chapter % 5 == 4:
            await catch_up(database, tenant)
    await catch_up(database, tenant)
    kept = [await rows(database, tenant, model) for model in KEPT]
    async with database.unit_of_work(tenant) as work:
        entries = select(CostEntry.id).where(CostEntry.tenant_id == tenant).distinct()
        for entry in await work.all(entries):
            await settling.weigh_due(work, entry.hex)
    assert kept == [await rows(database, tenant, model) for model in KEPT]
    await adds_up(database, tenant, story)


async def adds_up(database: Database, tenant: UUID, story: Story) -> None:
    """What customers bear and what nobody bears is everything."""
    async with database.reading(tenant) as reading:
        entries = await reading.all(
            select(CostEntry).where(CostEntry.tenant_id == tenant, CostEntry.superseded_at.is_(None))
        )
        found = await costs.summary(reading, MAY, JUNE)
        borne = await costs.per_customer(reading, story.people, MAY, JUNE, CostCategory)
        shared = await reading.all(select(CostAllocation.amount_base).where(CostAllocation.tenant_id == tenant))
        for start, end in ((MAY, MIDDLE), (MIDDLE, MIDDLE + timedelta(days=1)), (MIDDLE, JUNE)):
            some = await costs.per_customer(reading, story.people, start, end, CostCategory)
            totals = await costs.summary(reading, start, end)
            assert sum(some.values()) == sum(one.allocated for one in totals.values())
    assert {entry.id for entry in entries} == set(story.costs)
    assert all(entry.allocated_at is not None for entry in entries)
    assert sum(entry.allocated_amount or 0 for entry in entries) == sum(shared) == sum(borne.values())
    assert sum(one.entries for one in found.values()) == sum(entry.amount for entry in entries)
    assert sum(one.allocated for one in found.values()) == sum(shared)
