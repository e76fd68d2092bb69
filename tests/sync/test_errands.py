"""Errands of a slow vendor leave room for those of the others, however many tenants wait for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete

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


async def test_what_is_asked_for_while_an_errand_outlives_its_claim_is_done(
    database: Database, tenant: UUID, tmp_path: Path
) -> None:
    registry = Registry({"slow": connector_of("slow")})
    runs = 0

    async def run(trip: Trip) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            async with database.unit_of_work(tenant) as work:  # after all that it looks at
                await make_due(work.session, tenant, KIND, trip.integration_id.hex, work.now)

    await owes(database, tenant, "slow")
    async with Switchboard(database, Settings(data=tmp_path), registry) as board:
        errands = Errands(database, board, asyncio.Event(), {KIND: run}, leases={KIND: timedelta(0)})
        async with asyncio.timeout(30):
            while runs < 2:
                await errands.start_due()
                await asyncio.sleep(0.01)
            await errands.rest()
    async with database.directory() as connection:
        await connection.execute(delete(DueWork).where(DueWork.tenant_id == tenant))


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
