"""A stream to land pages of, and what then stands in the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from sync import runs
from sync.land import Landed, land
from tenure_sdk import RECORD_TYPES, Account, Page, Record, Stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.database import Database
    from sync.runs import Run
    from tenure_sdk import LinePage

STREAM = Stream("everything", tuple(RECORD_TYPES.values()), cursor=None, deletes="inline", depends_on=())


@dataclass
class Landing:
    """One run of one stream, and the tenant's tables."""

    database: Database
    tenant: UUID
    run: Run

    async def page(self, page: Page | LinePage) -> Landed:
        async with self.database.unit_of_work(self.tenant) as work:
            return await land(work, self.run, page)

    async def records(self, *records: Record) -> Landed:
        return await self.page(Page(records=records))

    async def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """The rows of a statement; `$t` stands for the tenant's predicate."""
        async with self.database.reading(self.tenant) as reading:
            found = await reading.rows(text(statement.replace("$t", f"tenant_id = '{self.tenant}'")))
        return [tuple(row) for row in found]


@pytest.fixture
async def landing(database: Database, tenant: UUID) -> Landing:
    async with database.unit_of_work(tenant) as work:
        integration = await runs.enabled(work, "shop", Account("1", "Shop"))
        run = await runs.begin(work, integration, STREAM, mode="FULL")
    return Landing(database, tenant, run)
