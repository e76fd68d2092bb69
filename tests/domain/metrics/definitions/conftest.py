"""A small business, written down by hand: what it sold, spent and heard, and what its metrics say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from domain import costs, customers, interactions, purchases
from domain.costs import CostCategory, NewCost
from domain.costs.model import CostEntry
from domain.costs.settling import settle_entries
from domain.customers import NewCustomer
from domain.interactions import InteractionKind, NewInteraction
from domain.metrics import queries
from domain.metrics.reading import snapshot
from domain.metrics.settling import roll_up
from domain.purchases import NewOrder, selling
from domain.purchases.contracts import ContractEventKind, NewEvent
from domain.purchases.opportunities import OpportunityStatus
from domain.purchases.rules import NewLine, Window
from tests.domain.costs.conftest import catch_up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.database import Database
    from domain.metrics.rules import Grain


def at(day: str, hour: int = 12) -> datetime:
    """A moment of a day, such as 05-31, which is one of 2026."""
    return datetime.combine(on(day), time(hour), UTC)


def on(day: str) -> date:
    """A day, of 2026 where no year is said."""
    return date.fromisoformat(day if len(day) > len("05-31") else f"2026-{day}")


MAY = Window(on("05-01"), on("06-01"))


@dataclass
class Business:
    """A tenant in euros whose customers are called by letters."""

    database: Database
    tenant: UUID
    people: dict[str, UUID]

    def __getitem__(self, name: str) -> UUID:
        return self.people[name]

    async def bought(
        self, who: str, day: str, amount: str = "10", *, currency: str = "EUR", lines: Sequence[NewLine] = ()
    ) -> UUID:
        """A completed order."""
        total = None if lines else Decimal(amount)
        order = NewOrder(occurred_at=at(day), currency=currency, total=total, lines=lines, customer_id=self[who])
        async with self.database.unit_of_work(self.tenant) as work:
            return (await purchases.record_order(work, order)).id

    async def happened(self, who: str, kind: str, moment: datetime, **known: Any) -> UUID:
        """Something on the timeline."""
        new = NewInteraction(InteractionKind(kind), moment, self[who], **known)
        async with self.database.unit_of_work(self.tenant) as work:
            return (await interactions.record(work, new)).id

    async def spent(self, category: str, euros: str, day: str, until: str, **says: Any) -> UUID:
        """Money spent from a day until another."""
        new = NewCost(
            category=CostCategory(category), amount=Decimal(euros), currency="EUR", starts_on=on(day),
            ends_on=on(until), **says,
        )  # fmt: skip
        async with self.database.unit_of_work(self.tenant) as work:
            return (await costs.record_cost(work, new)).id

    async def waits(self, category: str, day: str, until: str, **says: Any) -> None:
        """Five dollars spent from a day until another, as they come from a connector: there is no exchange rate."""
        entry = CostEntry(
            version=1, category=CostCategory(category), starts_on=on(day), ends_on=on(until), currency="USD",
            amount=5_00, content_hash=b"", recorded_at=self.database.clock.now(), **says,
        )  # fmt: skip
        async with self.database.unit_of_work(self.tenant) as work:
            entry.id = work.ids()
            work.add(entry)
            await work.flush()
            await settle_entries(work, [entry.id])
        await catch_up(self.database, self.tenant)

    async def signed(self, who: str, *events: tuple[str, str, str | None], **says: Any) -> UUID:
        """A contract, as (kind, day, euros a month) of all that happened to it; `says` goes for its START."""
        told = [
            NewEvent(
                kind=ContractEventKind(kind), occurred_at=at(day), mrr=None if euros is None else Decimal(euros),
                **(says if kind == "START" else {}),
            )
            for kind, day, euros in events
        ]  # fmt: skip
        contract = selling.NewContract(currency="EUR", events=told, customer_id=self[who])
        async with self.database.unit_of_work(self.tenant) as work:
            return (await selling.record_contract(work, contract)).id

    async def offered(self, who: str, opened: str, closed: str, status: str) -> UUID:
        """An opportunity that was won or lost."""
        new = selling.NewOpportunity(
            opened_at=at(opened), closed_at=at(closed), customer_id=self[who], status=OpportunityStatus(status)
        )
        async with self.database.unit_of_work(self.tenant) as work:
            return (await selling.record_opportunity(work, new)).id

    async def settle(self) -> None:
        """What follows from all that was told."""
        async with self.database.unit_of_work(self.tenant) as work:
            everybody = list(self.people.values())
            await interactions.settle_evidence(work, everybody)
            await roll_up(work, everybody)

    async def measured(self, *keys: str, window: Window = MAY, **asked: Any) -> dict[str, Any]:
        """Each metric in the window."""
        async with self.database.reading(self.tenant) as reading:
            question = queries.Question(keys, window, **asked)
            answer = await queries.series(await snapshot(reading), question)
        return {series.definition.key: series.total for series in answer.series}

    async def values(self, *keys: str, window: Window = MAY, **asked: Any) -> dict[str, Any]:
        """What each metric is worth in the window, or why it is worth nothing; money in cents."""
        found = await self.measured(*keys, window=window, **asked)
        return {key: value.missing or value.value for key, value in found.items()}

    async def course(self, key: str, window: Window, grain: Grain) -> list[Any]:
        """What a metric is worth in each period of a window."""
        async with self.database.reading(self.tenant) as reading:
            question = queries.Question([key], window, grain)
            answer = await queries.series(await snapshot(reading), question)
        return [value.missing or value.value for _, value in answer.series[0].points]


@pytest.fixture
async def business(database: Database, tenant: UUID) -> Business:
    """A business with the customers A to F, of whom nothing is known yet."""
    async with database.unit_of_work(tenant) as work:
        people = {name: (await customers.create(work, NewCustomer(name=name))).id for name in "ABCDEF"}
    return Business(database, tenant, people)
