"""A connector that breaks is stopped in its process, and in the end left alone; nobody else notices."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from domain.core import events
from domain.core.events import DueWork
from domain.integrations import actions, queries
from domain.integrations.model import InboxEvent, Integration, IntegrationState, StreamState
from domain.integrations.rules import WrongState
from sync import inbox, troubles
from sync.errands import Errands
from sync.heartbeat import Stop
from sync.isolation.process import ProcessStopped
from sync.requests import SYNC, key_of
from sync.schedule import Syncs
from sync.switchboard import Switchboard
from tenure_sdk import ContractViolation
from tests.sync.isolation.conftest import CONNECTORS, integrated, opened

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.settings import Settings
    from sync.access.remotes import Remotes

CURSOR = select(StreamState.cursor["cursor"].as_integer()).where(StreamState.stream == "customers")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    ("fault", "limits", "told"),
    [
        ("block", {"heartbeat": 1.0}, "showed no sign of life for 1 seconds"),
        ("stdout", {"heartbeat": 1.0}, "showed no sign of life for 1 seconds"),
        ("memory", {}, "failed unexpectedly (MemoryError)"),
        ("cpu", {"cpu": 2}, "was stopped by the system, which lets it use 2 seconds and 768 MiB"),
        ("SystemExit", {}, "failed unexpectedly (SystemExit)"),
        ("task", {}, "ended by itself (code 6)"),
        ("exit", {}, "ended by itself (code 5)"),
        ("hang", {"deadline": 1.5}, "did not answer within 1.5 seconds"),
        ("garbage", {}, "sent what is no message"),
        ("log", {}, "sent what is no message"),
        ("raise", {}, "failed unexpectedly (KeyError)"),
    ],
)
async def test_what_breaks_is_stopped_and_the_server_goes_on(
    remotes: Remotes, tenant: UUID, fault: str, limits: dict[str, float], told: str
) -> None:
    remotes._limits = replace(remotes._limits, **limits)  # type: ignore[arg-type]
    lags = asyncio.create_task(longest_lag())
    async with opened(remotes, tenant, fault=fault) as remote:
        async with aclosing(remote.pages("customers")) as pages:
            assert [record.name for record in (await anext(pages)).records] == ["Before"]  # type: ignore[union-attr]
            pid = remote._process.pid  # type: ignore[union-attr]
            with pytest.raises(ContractViolation) as stopped:
                await anext(pages)
        assert told in str(stopped.value)
    assert is_gone(pid or 0)
    assert not lags.done()
    lags.cancel()
    assert not [task for task in asyncio.all_tasks() if "odd" in task.get_name()]


async def longest_lag() -> None:
    """Fails when the server's event loop is held up."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.05)
        assert time.monotonic() - before < 1.0


async def test_it_is_counted_and_after_five_times_left_alone_while_another_connector_goes_on(
    database: Database, remotes: Remotes, tenant: UUID, other_tenant: UUID
) -> None:
    bad = await integrated(remotes, tenant, fault="exit", at_once=True)
    good = await integrated(remotes, other_tenant)
    syncs = Syncs(database, remotes, CONNECTORS, asyncio.Event())
    for turn in range(1, troubles.MOST_FAILURES + 1):
        for tenant_id, integration_id in ((tenant, bad), (other_tenant, good)):
            await make_due(database, tenant_id, integration_id)
        await syncs.start_due()
        await syncs.rest()
        integration = await found(database, tenant, bad)
        assert (integration.failures, integration.state) == (
            turn, IntegrationState.QUARANTINED if turn == troubles.MOST_FAILURES else IntegrationState.ACTIVE
        )  # fmt: skip
    assert integration.reason == "The connector's process ended by itself (code 5)."
    assert (await found(database, other_tenant, good)).state == IntegrationState.ACTIVE
    async with database.reading(other_tenant) as work:
        assert await work.one(CURSOR) == 2 * troubles.MOST_FAILURES


async def test_a_run_goes_on_after_the_page_that_landed_before_its_process_was_killed(
    database: Database, remotes: Remotes, tenant: UUID
) -> None:
    integration_id = await integrated(remotes, tenant, fault="exit")
    syncs = Syncs(database, remotes, CONNECTORS, asyncio.Event())
    for landed in (1, 2, 3):
        await make_due(database, tenant, integration_id)
        await syncs.start_due()
        await syncs.rest()
        async with database.reading(tenant) as work:
            assert await work.one(CURSOR) == landed


async def test_what_is_asked_after_a_stop_starts_another_process(remotes: Remotes, tenant: UUID) -> None:
    async with opened(remotes, tenant, fault="exit") as remote:
        with pytest.raises(ProcessStopped):
            [page async for page in remote.pages("customers")]
        assert [record.id for record in await remote.fetch("customer", ["7"])] == ["7"]


async def make_due(database: Database, tenant_id: UUID, integration_id: UUID) -> None:
    async with database.unit_of_work(tenant_id) as work:
        await events.make_due(work.session, tenant_id, SYNC, key_of(integration_id, "customers"), work.now)
        await work.execute(
            update(DueWork).where(DueWork.tenant_id == tenant_id, DueWork.kind == SYNC).values(due_at=work.now)
        )


async def found(database: Database, tenant_id: UUID, integration_id: UUID) -> Integration:
    async with database.reading(tenant_id) as work:
        return await queries.integration(work, integration_id)


async def test_a_worker_that_stops_leaves_no_process(database: Database, remotes: Remotes, tenant: UUID) -> None:
    await make_due(database, tenant, await integrated(remotes, tenant, fault="hang"))
    syncs = Syncs(database, remotes, CONNECTORS, asyncio.Event())
    await syncs.start_due()
    async with asyncio.timeout(10):
        while not (pids := children()):  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(0.05)
    await syncs.rest(Stop.SHUTDOWN)
    assert [pid for pid in pids if not is_gone(pid)] == []


def children() -> list[int]:
    """The processes of connectors that this process started."""
    started = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [int(path.name) for path in started if is_connector(path)]


def is_connector(path: Path) -> bool:
    try:
        parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
        return int(parent) == os.getpid() and b"sync.isolation.child" in (path / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_an_event_that_ends_the_process_is_counted_against_its_integration(
    database: Database, settings: Settings, remotes: Remotes, tenant: UUID
) -> None:
    integration_id = await integrated(remotes, tenant)
    async with Switchboard(database, settings, CONNECTORS) as board:
        errands = Errands(database, board, asyncio.Event(), {inbox.INBOX: inbox.hear})
        for failures in (1, 2):
            async with database.unit_of_work(tenant) as work:
                await inbox._keep(work, integration_id, f"event {failures}", "events", body=b"end")
                await work.execute(
                    update(DueWork)
                    .where(DueWork.tenant_id == tenant, DueWork.kind == inbox.INBOX)
                    .values(due_at=work.now)
                )
            await errands.start_due()
            await errands.rest()
            assert (await found(database, tenant, integration_id)).failures == failures
    async with database.reading(tenant) as work:
        kept = select(InboxEvent.processed_at).where(InboxEvent.tenant_id == tenant)
        assert await work.all(kept) == [None, None]  # nothing that was told is lost


async def test_what_an_operator_releases_is_tried_again(database: Database, remotes: Remotes, tenant: UUID) -> None:
    integration_id = await integrated(remotes, tenant)
    async with database.unit_of_work(tenant) as work:
        integration = await queries.integration(work, integration_id, lock=True)
        with pytest.raises(WrongState):
            await troubles.release(work, integration)
        integration.failures = 5
        await actions.move(work, integration, IntegrationState.QUARANTINED, "It broke.")
        await troubles.release(work, integration)
    released = await found(database, tenant, integration_id)
    assert (released.state, released.failures, released.reason) == (IntegrationState.ACTIVE, 0, None)
