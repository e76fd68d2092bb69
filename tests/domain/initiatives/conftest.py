"""Initiatives that a test plans, seals and measures, at a time of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.initiatives import actions, measuring, queries
from tests.conftest import KEY
from tests.domain.initiatives import evidence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.initiatives.findings import Comparison
    from domain.initiatives.measuring import Evidence
    from domain.initiatives.model import BaselineSnapshot, Measurement
    from tests.conftest import Logins

LIVE = date(2026, 3, 1)
BASELINE = 60
FIRST = LIVE - timedelta(days=100)


@dataclass(frozen=True)
class Desk:
    """A tenant whose initiatives are planned, sealed and measured at whatever time the clock shows."""

    database: Database
    clock: FixedClock
    tenant: UUID

    def at(self, day: date) -> Desk:
        """The same desk on another day, at noon."""
        self.clock.at = datetime.combine(day, time(12), UTC)
        return self

    async def planned(self, **asked: Any) -> UUID:
        proposal = actions.Proposal(**{"name": "Extra support", "go_live_on": LIVE, "baseline_days": BASELINE, **asked})
        async with self.database.unit_of_work(self.tenant) as work:
            return (await actions.create(work, proposal)).id

    async def seal(self, initiative: UUID) -> BaselineSnapshot:
        async with self.database.unit_of_work(self.tenant) as work:
            return await actions.seal_baseline(work, initiative)

    async def sealed(self, **asked: Any) -> BaselineSnapshot:
        return await self.seal(await self.planned(**asked))

    async def compared(self, initiative: UUID, **asked: Any) -> tuple[Evidence, Comparison]:
        async with self.database.reading(self.tenant) as reading:
            gathered = await measuring.gather(reading, initiative, measuring.Asked(**asked))
        return gathered, measuring.compute(gathered)

    async def measured(self, initiative: UUID, **asked: Any) -> tuple[Measurement, Comparison]:
        gathered, found = await self.compared(initiative, **asked)
        async with self.database.unit_of_work(self.tenant) as work:
            return await actions.record(work, gathered, found), found

    async def told(self, measurement: Measurement) -> dict[str, Any]:
        async with self.database.reading(self.tenant) as reading:
            return await queries.told(reading, measurement)


@pytest.fixture
async def desk(logins: Logins, tenant: UUID) -> AsyncIterator[Desk]:
    clock = FixedClock(datetime.combine(LIVE, time(12), UTC))
    async with Database(str(logins.server), readers=2, writers=2, clock=clock, key=KEY) as database:
        yield Desk(database, clock, tenant)


@pytest.fixture
async def book(database: Database, tenant: UUID) -> evidence.Book:
    """Twenty customers who buy every ten days from long before the baseline on, and two who bought once."""
    book = evidence.Book()
    for number in range(20):
        book.customer(*evidence.every(10, FIRST + timedelta(days=number % 3), 10), amount=1000 + number)
    book.customer(LIVE - timedelta(days=5), amount=0)
    book.customer(LIVE + timedelta(days=5))
    await evidence.write(database, tenant, book)
    return book
