from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import select, update

from domain.core.events import DueWork
from domain.core.settings import Settings
from domain.metrics import schedule
from domain.metrics.clv.actions import FIT_MODELS
from domain.metrics.clv.model import ModelAttempt, ModelKind
from sync import duties
from sync.errands import Errands
from sync.registry import Registry
from sync.runs import LEASE
from sync.switchboard import Switchboard
from tests.domain.metrics.analysis.purchased import bought

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from domain.core.database import Database


async def times(database: Database, tenant: UUID) -> dict[str, datetime]:
    async with database.directory() as connection:
        rows = await connection.execute(select(DueWork.kind, DueWork.due_at).where(DueWork.tenant_id == tenant))
        return {row.kind: row.due_at for row in rows if row.kind in schedule.FIRST}


async def test_it_begins_once(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await schedule.begin(work)
        first = work.now
    begun = await times(database, tenant)
    assert begun == {kind: first + after for kind, after in schedule.FIRST.items()}
    async with database.unit_of_work(tenant) as work:
        await schedule.begin(work)
    assert await times(database, tenant) == begun


async def test_a_worker_fits_and_comes_back_in_a_week(database: Database, tenant: UUID, tmp_path: Path) -> None:
    await bought(database, tenant, {uuid4(): [0]})
    async with database.unit_of_work(tenant) as work:
        await schedule.begin(work)
        await work.flush()
        mine = (DueWork.tenant_id == tenant, DueWork.kind == FIT_MODELS)
        await work.execute(update(DueWork).where(*mine).values(due_at=work.now))
        now = work.now
    only = {FIT_MODELS: duties.OF_TENANTS[FIT_MODELS]}
    async with Switchboard(database, Settings(data=tmp_path), Registry({})) as board:
        errands = Errands(database, board, asyncio.Event(), {}, of_tenants=only)
        assert await errands.start_due() == 1
        assert (await times(database, tenant))[FIT_MODELS] >= now + LEASE  # nobody else's meanwhile
        await errands.rest()
    assert (await times(database, tenant))[FIT_MODELS] >= now + timedelta(days=7)
    async with database.reading(tenant) as reading:
        attempts = await reading.all(select(ModelAttempt.kind).where(ModelAttempt.tenant_id == tenant))
    assert sorted(attempts) == sorted(ModelKind)
