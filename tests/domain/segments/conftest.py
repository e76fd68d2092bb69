"""A tenant's customers, written straight into the tables: what segments ask about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, update

from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.core.ids import new_id
from domain.customers.model import Customer
from domain.interactions.model import FAMILY_OF, Interaction, InteractionKind
from domain.purchases.model import Order, Refund
from domain.segments import actions, queries, settling
from domain.segments.model import Segment, SegmentMember, SegmentMembershipEvent
from tests.conftest import KEY, Logins

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.segments.criteria import Criteria

DAY = timedelta(days=1)
NOW = datetime(2126, 6, 1, 12, tzinfo=UTC)
"""Far ahead, so that what becomes due here is no work of other tests in the same database."""


@dataclass
class Shop:
    """A tenant on a day that stands still; `names` are of customers by their ids."""

    database: Database
    tenant: UUID
    clock: FixedClock
    names: dict[UUID, str] = field(default_factory=dict)

    async def customer(self, name: str, **differently: Any) -> UUID:
        """A customer who became known a hundred days ago."""
        made = new_id()
        self.names[made] = name
        seen = NOW - 100 * DAY
        values = {
            "tenant_id": self.tenant, "id": made, "kind": "PERSON", "status": "ACTIVE", "root_id": made,
            "member_ids": [made], "first_seen_at": seen, "created_at": seen, "updated_at": seen,
        } | differently  # fmt: skip
        await self._insert(Customer, values)
        return made

    async def order(self, who: UUID, days_ago: float, **differently: Any) -> UUID:
        """A completed sale of ten euros."""
        at = self.clock.at - days_ago * DAY
        values = {
            "tenant_id": self.tenant, "id": new_id(), "version": 1, "customer_id": who, "occurred_at": at,
            "local_day": at.date(), "recorded_at": at, "currency": "EUR", "amount": 1000, "base_amount": 1000,
            "base_currency": "EUR", "units": Decimal(1), "line_count": 1, "content_hash": b"", "kind": "SALE",
            "status": "COMPLETED",
        } | differently  # fmt: skip
        await self._insert(Order, values)
        made: UUID = values["id"]
        return made

    async def refund(self, who: UUID, order: UUID, amount: int, days_ago: float = 0) -> None:
        """Money given back."""
        at = self.clock.at - days_ago * DAY
        values = {
            "tenant_id": self.tenant, "id": new_id(), "version": 1, "customer_id": who, "order_id": order,
            "occurred_at": at, "local_day": at.date(), "recorded_at": at, "currency": "EUR", "amount": amount,
            "base_amount": amount, "base_currency": "EUR", "units": Decimal(1), "line_count": 0, "content_hash": b"",
        }  # fmt: skip
        await self._insert(Refund, values)

    async def interaction(self, who: UUID, kind: InteractionKind, days_ago: float, **differently: Any) -> None:
        """Something that happened."""
        made = new_id()
        values = {
            "tenant_id": self.tenant, "id": made, "revision": 1, "customer_id": who, "kind": kind,
            "family": FAMILY_OF[kind], "occurred_at": self.clock.at - days_ago * DAY, "recorded_at": self.clock.at,
            "stream": "manual", "remote_id": made.hex,
        } | differently  # fmt: skip
        await self._insert(Interaction, values)

    async def change(self, who: UUID, **values: Any) -> None:
        """Another value in the customer's own row."""
        async with self.database.unit_of_work(self.tenant) as work:
            one = (Customer.tenant_id == self.tenant) & (Customer.id == who)
            await work.execute(update(Customer).where(one).values(**values))

    async def fitting(self, criteria: Criteria) -> set[str]:
        """The names of those whom criteria fit now."""
        async with self.database.reading(self.tenant) as reading:
            found = await queries.preview(reading, criteria)
        assert found.count == len(found.sample)
        return {self.names[each] for each in found.sample}

    async def fitted(self, criteria: Criteria, days_ago: float) -> set[str]:
        """The names of those whom criteria fitted just before a moment."""
        async with self.database.reading(self.tenant) as reading:
            found = await queries.members_as_of(reading, criteria, self.clock.at - days_ago * DAY)
        return {self.names[each] for each in found}

    async def segment(self, key: str, criteria: Criteria, *, published: bool = True) -> UUID:
        """A segment that has been worked out."""
        async with self.database.unit_of_work(self.tenant) as work:
            made = await actions.create(work, key, {"en": key}, criteria)
            if published:
                assert (await settling.run(work, made.id)).error is None
        return made.id

    async def settle(self, *who: UUID) -> int:
        """What follows when something has happened to these customers; how many memberships that changed."""
        async with self.database.unit_of_work(self.tenant) as work:
            return await settling.settle(work, who)

    async def run(self, segment: UUID) -> None:
        """Work a segment out for everybody."""
        async with self.database.unit_of_work(self.tenant) as work:
            await settling.run(work, segment)

    async def members(self) -> Mapping[str, set[str]]:
        """By the key of each segment, the names of those who are in it."""
        async with self.database.reading(self.tenant) as reading:
            found: dict[str, set[str]] = {
                key: set() for key in await reading.all(select(Segment.key).where(Segment.tenant_id == self.tenant))
            }
            for row in await reading.rows(
                select(Segment.key, SegmentMember.customer_id)
                .join(SegmentMember, (SegmentMember.tenant_id == Segment.tenant_id)
                      & (SegmentMember.segment_id == Segment.id))
                .where(Segment.tenant_id == self.tenant)
            ):  # fmt: skip
                found[row.key].add(self.names[row.customer_id])
        return found

    async def history(self, segment: UUID) -> list[tuple[str, str, Any]]:
        """Who came and went, and why, in the order in which it happened."""
        async with self.database.reading(self.tenant) as reading:
            log = await reading.all(
                select(SegmentMembershipEvent)
                .where(SegmentMembershipEvent.tenant_id == self.tenant, SegmentMembershipEvent.segment_id == segment)
                .order_by(SegmentMembershipEvent.at, SegmentMembershipEvent.id)
            )
        return [(self.names[row.customer_id], row.change, row.because) for row in log]

    async def _insert(self, model: Any, values: Mapping[str, Any]) -> None:
        async with self.database.unit_of_work(self.tenant) as work:
            await self._written(work, model, values)

    async def _written(self, work: Writing, model: Any, values: Mapping[str, Any]) -> None:
        await work.execute(insert(model), values)


@pytest.fixture(scope="session")
async def standing(logins: Logins) -> AsyncIterator[Database]:
    """The database in a process whose clock stands still."""
    async with Database(str(logins.server), readers=2, writers=2, clock=FixedClock(NOW), key=KEY) as opened:
        yield opened


@pytest.fixture
def shop(standing: Database, tenant: UUID) -> Shop:
    """An empty tenant at NOW."""
    clock = standing.clock
    assert isinstance(clock, FixedClock)
    clock.at = NOW
    return Shop(standing, tenant, clock)
