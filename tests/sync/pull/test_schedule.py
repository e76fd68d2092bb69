from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete

from domain.core import events
from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.core.events import DueWork
from domain.integrations import actions, queries
from domain.integrations.model import IntegrationState, RunMode
from sync import requests
from sync.registry import Registry
from sync.requests import SYNC, key_of
from sync.schedule import Syncs
from tenure_sdk import AuthRevoked, Order, RateLimited, Ref
from tests.conftest import new_tenant
from tests.sync.pull.conftest import Shop, Side, connected, connector_of
from tests.sync.pull.test_pull import failing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sync.remote import Remote
    from tests.conftest import Logins

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def still(logins: Logins, clock: FixedClock) -> AsyncIterator[Database]:
    """The database under a clock that stands still, with nothing due in it."""
    async with Database(str(logins.server), readers=2, writers=8, clock=clock) as opened:
        async with opened.directory() as connection:
            await connection.execute(delete(DueWork))
        yield opened


@pytest.fixture
async def timed(still: Database, tenant: UUID, side: Side) -> Shop:
    return await connected(still, tenant, side, connector_of(side))


class Shops:
    """The other sides of several integrations."""

    def __init__(self, *shops: Shop) -> None:
        self._by_id = {shop.id: shop for shop in shops}

    @asynccontextmanager
    async def open(self, tenant_id: UUID, integration_id: UUID) -> AsyncIterator[Remote]:
        yield self._by_id[integration_id].remote


def syncs(*shops: Shop, stopping: asyncio.Event | None = None, **limits: Any) -> Syncs:
    connectors = {shop.connector.key: shop.connector for shop in shops}
    installed, stop = Registry(connectors), stopping or asyncio.Event()
    return Syncs(shops[0].database, Shops(*shops), installed, stop, chance=lambda: 0.5, **limits)


async def make_due(shop: Shop, lane: str) -> None:
    async with shop.database.unit_of_work(shop.tenant) as work:
        await events.make_due(work.session, shop.tenant, SYNC, key_of(shop.id, lane), work.now)


async def due(shop: Shop) -> dict[str, datetime]:
    """When the lanes of an integration are due."""
    found = await shop.rows(f"SELECT key, due_at FROM directory.due_work WHERE $t AND kind = '{SYNC}'")
    return {key.partition(":")[2]: at for key, at in found}


async def once(of: Syncs) -> int:
    """Start what is due, and wait until it has come to rest."""
    started = await of.start_due()
    await of.rest()
    return started


async def test_an_integration_that_comes_to_life_is_planned_and_read_in_the_order_of_its_streams(
    timed: Shop, side: Side, clock: FixedClock
) -> None:
    side.customers(2)
    side.orders.append(Order(id="o", occurred_at=NOW, currency="EUR", total=Decimal(1), customer=Ref("customer", "0")))
    of = syncs(timed)
    await make_due(timed, "")
    assert await once(of) == 0  # planned
    assert await due(timed) == {"customers": NOW, "orders": NOW}
    assert await once(of) == 1
    assert await due(timed) == {"customers": NOW + timedelta(minutes=15), "orders": NOW + timedelta(seconds=5)}
    clock.move(timedelta(seconds=5))
    assert await once(of) == 1
    assert [run.stream for run in await timed.runs()] == ["customers", "orders"]
    assert (await due(timed))["orders"] == NOW + timedelta(minutes=15, seconds=5)
    assert await once(of) == 0


@pytest.mark.parametrize(
    "state", [IntegrationState.PAUSED, IntegrationState.NEEDS_REAUTH, IntegrationState.QUARANTINED]
)
async def test_an_integration_that_is_not_read_is_dropped_and_planned_when_it_is_back(
    timed: Shop, side: Side, state: IntegrationState
) -> None:
    await make_due(timed, "customers")
    await move(timed, state)
    assert await once(syncs(timed)) == 0
    assert await due(timed) == {}
    assert await timed.runs() == []


async def move(shop: Shop, to: IntegrationState) -> None:
    async with shop.database.unit_of_work(shop.tenant) as work:
        await actions.move(work, await queries.integration(work, shop.id), to)


async def test_a_remote_side_that_asks_to_slow_down_is_left_alone_until_then(
    timed: Shop, side: Side, clock: FixedClock
) -> None:
    side.customers(15)
    side.before_page = failing(1, RateLimited(90))
    await make_due(timed, "customers")
    await once(syncs(timed))
    assert (await timed.integration()).state == IntegrationState.RATE_LIMITED
    assert await due(timed) == {"customers": NOW + timedelta(seconds=90)}
    side.before_page = None
    clock.move(timedelta(seconds=90))
    await once(syncs(timed))
    assert (await timed.integration()).state == IntegrationState.ACTIVE
    assert len(await timed.living()) == 15


async def test_credentials_that_were_revoked_stop_everything_and_are_told_once(timed: Shop, side: Side) -> None:
    side.customers(5)
    side.before_page = failing(0, AuthRevoked("Somebody removed the app."))
    for lane in ("customers", "customers"):
        await make_due(timed, lane)
        await once(syncs(timed))
    integration = await timed.integration()
    assert (integration.state, integration.reason) == (IntegrationState.NEEDS_REAUTH, "Somebody removed the app.")
    assert await due(timed) == {}
    assert len(await timed.events("integrations.NeedsReauth")) == 1


async def test_what_is_asked_for_runs_at_once_one_after_the_other(timed: Shop, side: Side) -> None:
    side.customers(5)
    principal = timed.id
    async with timed.database.unit_of_work(timed.tenant) as work:
        full = await requests.request_sync(work, timed.id, ["customers"], RunMode.FULL, None, principal)
        past = await requests.request_sync(work, timed.id, ["customers"], RunMode.BACKFILL)
        again = await requests.request_sync(work, timed.id, ["customers"], RunMode.INCREMENTAL)
    of = syncs(timed)
    while await once(of):
        pass
    found = {run.id: run for run in await timed.runs()}
    assert found.keys() == {*full, *past, *again}
    assert all(run.ended_at and run.error is None for run in found.values())
    assert found[full[0]].requested_by == principal
    assert sum(run.counters["created"] for run in found.values()) == 5
    assert [found[each[0]].counters["read"] for each in (full, past, again)] == [5, 5, 0]
    assert set(await due(timed)) == {"customers"}


async def test_fifty_tenants_of_a_slow_vendor_do_not_delay_the_others(still: Database) -> None:
    slow, fast = Side(account="slow"), Side(account="fast")
    begun, release = asyncio.Event(), asyncio.Event()

    async def linger(_: int) -> None:
        await begun.wait()

    async def wait(_: int) -> None:
        await release.wait()

    fast.before_page, slow.before_page = linger, wait
    slow.customers(1)
    fast.customers(1)
    sluggish, brisk = connector_of(slow), connector_of(fast)
    sluggish.key = "sluggish"
    stuck = [await connected(still, await new_tenant(still), slow, sluggish) for _ in range(50)]
    quick = [await connected(still, await new_tenant(still), fast, brisk) for _ in range(5)]
    for shop in (*stuck, *quick):
        await make_due(shop, "customers")
    of = syncs(*stuck, *quick, most=8, most_of_connector=4)
    async with asyncio.timeout(120):
        assert await of.start_due() == 8
        begun.set()
        await all_read(of, quick)
        assert [len(await shop.living()) for shop in stuck] == [0] * 50
        release.set()
        await all_read(of, stuck)
        await of.rest()


async def all_read(of: Syncs, shops: list[Shop]) -> None:
    for shop in shops:
        while len(await shop.living()) != 1:
            await of.start_due()
            await asyncio.sleep(0.02)


async def test_a_tenant_with_many_streams_due_lets_others_have_their_turn(still: Database, side: Side) -> None:
    side.customers(1)
    connector = connector_of(side)
    one, other = [await connected(still, await new_tenant(still), side, connector) for _ in range(2)]
    for lane in ("customers", "customers#backfill", ""):
        await make_due(one, lane)
    await make_due(other, "customers")
    of = syncs(one, other, most=2)
    await once(of)
    assert [[run.mode for run in await shop.runs()] for shop in (one, other)] == [["INCREMENTAL"], ["INCREMENTAL"]]


async def test_a_worker_that_is_asked_to_stop_ends_after_the_pages_under_way(timed: Shop, side: Side) -> None:
    side.customers(35)
    stopping, at_work = asyncio.Event(), asyncio.Event()

    async def stall(number: int) -> None:
        if number == 2:
            at_work.set()
            await asyncio.Event().wait()

    side.before_page = stall
    await make_due(timed, "customers")
    of = syncs(timed, stopping=stopping)
    working = asyncio.create_task(of.run())
    async with asyncio.timeout(10):
        await at_work.wait()
        stopping.set()
        await working
    assert len(await timed.living()) == 20
    assert await due(timed) == {"customers": NOW}
    side.before_page = None
    await once(syncs(timed))
    assert len(await timed.living()) == 35
    (run,) = await timed.runs()
    assert (run.ended_at is not None, run.error) == (True, None)


async def test_of_two_workers_one_takes_a_stream(timed: Shop, side: Side) -> None:
    side.customers(15)
    await make_due(timed, "customers")
    one, other = syncs(timed), syncs(timed)
    assert sum(await asyncio.gather(one.start_due(), other.start_due())) == 1
    await asyncio.gather(one.rest(), other.rest())
    assert len(await timed.runs()) == 1
