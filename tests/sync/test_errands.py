"""Errands of a slow vendor leave room for those of the others, however many tenants wait for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, select

from domain.core.clock import FixedClock
from domain.core.events import DueWork, make_due
from domain.core.settings import Settings
from domain.integrations import actions
from domain.integrations.model import IntegrationState
from sync.errands import MOST, MOST_OF_CONNECTOR, Errands
from sync.heartbeat import Stop
from sync.registry import Registry
from sync.switchboard import Switchboard
from tenure_sdk import Account, Connector, Context
from tests.conftest import new_tenant

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    import pytest

    from domain.core.database import Database
    from sync.errands import Trip

KIND = "an errand"


class NoConfig(msgspec.Struct):
    """Nothing to set."""


def connector_of(name: str) -> type[Connector[NoConfig]]:
    class Vendor(Connector[NoConfig]):
        """A vendor."""

        key, title, version, category = name, name.title(), "1", "crm"

        async def check(self, ctx: Context[NoConfig]) -> Account:
            return Account("1", name)

    return Vendor


async def owes(database: Database, tenant: UUID, connector: str) -> None:
    """Have an integration of the connector with an errand that is due."""
    async with database.unit_of_work(tenant) as work:
        await actions.enable(work, connector)
        made = await actions.create(work, connector, connector)
        for state in (IntegrationState.CHECKING, IntegrationState.ACTIVE):
            await actions.move(work, made, state)
        await make_due(work.session, tenant, KIND, made.id.hex, work.now)


async def test_fifty_tenants_of_a_slow_vendor_do_not_delay_the_errands_of_others(
    database: Database, tmp_path: Path
) -> None:
    registry = Registry({name: connector_of(name) for name in ("sluggish", "brisk")})
    done: Counter[str] = Counter()
    most: Counter[str] = Counter()
    under_way: Counter[str] = Counter()
    release = asyncio.Event()

    async def run(trip: Trip) -> None:
        key = trip.remote.connector.key
        under_way[key] += 1
        most[key] = max(most[key], under_way[key])
        if key == "sluggish":
            await release.wait()
        under_way[key] -= 1
        done[key] += 1

    tenants = [await new_tenant(database) for _ in range(55)]
    for number, tenant in enumerate(tenants):
        await owes(database, tenant, "sluggish" if number < 50 else "brisk")
    async with Switchboard(database, Settings(data=tmp_path), registry) as board:
        errands = Errands(database, board, asyncio.Event(), {KIND: run})
        async with asyncio.timeout(30):
            while done["brisk"] < 5:
                await errands.start_due()
                await asyncio.sleep(0.01)
            assert (done["sluggish"], most["sluggish"]) == (0, MOST_OF_CONNECTOR)
            assert MOST_OF_CONNECTOR < MOST
            release.set()
            while done["sluggish"] < 50:
                await errands.start_due()
                await asyncio.sleep(0.01)
            await errands.rest()
    assert most["sluggish"] == MOST_OF_CONNECTOR
    async with database.directory() as connection:
        await connection.execute(delete(DueWork).where(DueWork.tenant_id.in_(tenants)))


async def test_an_errand_that_takes_long_stays_one_worker_s_and_is_done_again_only_when_asked_for(
    database: Database, tenant: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, clock = Registry({"slow": connector_of("slow")}), FixedClock(datetime.now(UTC))
    monkeypatch.setattr(database, "clock", clock)
    lease, runs = timedelta(seconds=0.04), 0

    async def due() -> datetime:
        async with database.directory() as connection:
            found = await connection.scalar(select(DueWork.due_at).where(mine))
            assert found is not None
            return found

    async def run(trip: Trip) -> datetime:
        nonlocal runs
        runs += 1
        for _ in range(3):
            clock.move(0.9 * lease)
            while await due() < clock.now() + lease:  # noqa: ASYNC110 - the table is all that tells of a claim
                await asyncio.sleep(0.005)
        if runs == 1:
            async with database.unit_of_work(tenant) as work:  # after all that it looks at
                await make_due(work.session, tenant, KIND, trip.integration_id.hex, work.now)
        return clock.now() + timedelta(days=1)

    mine = (DueWork.tenant_id == tenant) & (DueWork.kind == KIND)
    await owes(database, tenant, "slow")
    async with Switchboard(database, Settings(data=tmp_path), registry) as board:
        errands = Errands(database, board, asyncio.Event(), {KIND: run}, lease=lease)
        async with asyncio.timeout(30):
            while await errands.start_due():
                await errands.rest()
    assert (runs, await due()) == (2, clock.now() + timedelta(days=1))


async def test_an_errand_that_is_asked_to_stop_is_due_again(database: Database, tenant: UUID, tmp_path: Path) -> None:
    registry, started, halts = Registry({"slow": connector_of("slow")}), asyncio.Event(), []

    async def run(trip: Trip) -> None:
        started.set()
        await trip.halt.wait()
        halts.append(trip.halt.why)

    await owes(database, tenant, "slow")
    async with Switchboard(database, Settings(data=tmp_path), registry) as board:
        errands = Errands(database, board, asyncio.Event(), {KIND: run})
        await errands.start_due()
        async with asyncio.timeout(30):
            await started.wait()
        await errands.rest(Stop.SHUTDOWN)
    assert halts == [Stop.SHUTDOWN]
    now = database.clock.now()
    async with database.directory() as connection:
        owed = delete(DueWork).where(DueWork.tenant_id == tenant, DueWork.kind == KIND, DueWork.due_at <= now)
        assert (await connection.execute(owed)).rowcount == 1
