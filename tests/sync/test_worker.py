from __future__ import annotations

import asyncio
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, select

from domain.core import events
from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.core.due import Jobs
from domain.core.events import DueWork, OutboxEvent, Reactions
from domain.tenants.actions import EXPIRED_ANSWERS, forget_expired_answers
from domain.tenants.model import IdempotencyKey
from sync import figures, worker
from sync.hints import Hints
from sync.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from tests.conftest import Logins

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def still(logins: Logins, clock: FixedClock) -> AsyncIterator[Database]:
    async with Database(str(logins.server), readers=1, writers=4, clock=clock) as opened:
        async with opened.directory() as connection:
            await connection.execute(delete(DueWork))
        yield opened


async def make_due(database: Database, tenant: UUID, kind: str, key: str = "") -> None:
    async with database.unit_of_work(tenant) as work:
        await events.make_due(work.session, tenant, kind, key, work.now)


async def entries(database: Database, tenant: UUID) -> dict[tuple[str, str], datetime]:
    async with database.directory() as connection:
        found = await connection.execute(select(DueWork).where(DueWork.tenant_id == tenant))
        return {(row.kind, row.key): row.due_at for row in found}


def doing(still: Database, jobs: Jobs) -> Worker:
    return Worker(still, asyncio.Event(), Reactions(), jobs)


async def test_a_job_is_done_once_and_says_when_it_is_due_again(still: Database, tenant: UUID) -> None:
    jobs, done = Jobs(), []

    @jobs.due("once")
    async def once(work: Writing, key: str) -> None:
        done.append((work.tenant_id, key))

    @jobs.due("daily")
    async def daily(work: Writing, key: str) -> datetime:
        return work.now + timedelta(days=1)

    await make_due(still, tenant, "once", "a key")
    await make_due(still, tenant, "daily")
    await make_due(still, tenant, "unknown")
    await doing(still, jobs).work()
    await doing(still, jobs).work()
    assert done == [(tenant, "a key")]
    assert await entries(still, tenant) == {("daily", ""): NOW + timedelta(days=1), ("unknown", ""): NOW}


async def test_workers_that_race_do_a_job_once(still: Database, tenant: UUID) -> None:
    jobs, done = Jobs(), []

    @jobs.due("once")
    async def once(work: Writing, key: str) -> None:
        await asyncio.sleep(0.05)
        done.append(key)

    await make_due(still, tenant, "once")
    await asyncio.gather(*(doing(still, jobs).work() for _ in range(2)))
    assert done == [""]
    assert await entries(still, tenant) == {}


async def test_a_job_that_fails_leaves_no_trace_and_is_tried_later(still: Database, tenant: UUID) -> None:
    jobs = Jobs()

    @jobs.due("broken")
    async def broken(work: Writing, key: str) -> None:
        work.emit("tests.Never", work.ids())
        await work.complete()
        raise ZeroDivisionError

    await make_due(still, tenant, "broken")
    await doing(still, jobs).work()
    assert await entries(still, tenant) == {("broken", ""): NOW + timedelta(minutes=1)}
    async with still.reading(tenant) as reading:
        assert await reading.one(select(func.count()).where(OutboxEvent.tenant_id == tenant)) == 0


async def test_stored_answers_are_forgotten_when_their_time_is_over(
    still: Database, clock: FixedClock, tenant: UUID
) -> None:
    async with still.unit_of_work(tenant) as work:
        for hours in (1, 2):
            work.add(
                IdempotencyKey(
                    token_id=work.ids(), field="f", key=str(hours), input_digest=b"", answer={}, created_at=work.now,
                    expires_at=work.now + timedelta(hours=hours),
                )
            )  # fmt: skip
    jobs = Jobs({EXPIRED_ANSWERS: forget_expired_answers})
    clock.move(timedelta(hours=1))
    await make_due(still, tenant, EXPIRED_ANSWERS)
    await doing(still, jobs).work()
    assert await entries(still, tenant) == {(EXPIRED_ANSWERS, ""): NOW + timedelta(hours=2)}
    async with still.reading(tenant) as reading:
        assert await reading.all(select(IdempotencyKey.key).where(IdempotencyKey.tenant_id == tenant)) == ["2"]


async def test_a_worker_hears_of_what_happened_and_stops_when_asked(database: Database, tenant: UUID) -> None:
    reactions, stopping = Reactions(), asyncio.Event()

    @reactions.on("tests.ThingHappened")
    async def stop(work: Writing, event: OutboxEvent) -> None:
        stopping.set()

    async with Hints(database) as hints, asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(Worker(database, stopping, reactions, Jobs()).run(hints))
        async with database.unit_of_work(tenant) as work:
            work.emit("tests.ThingHappened", work.ids())
    assert await entries(database, tenant) in ({}, {("outbox", ""): work.now})


async def test_a_hint_wakes_who_waits_for_its_tenant_and_nobody_else(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    async with Hints(database) as hints, asyncio.timeout(20):
        with hints.of(tenant, at_least_every=60) as mine, hints.of(other_tenant, at_least_every=60) as others:
            await anext(mine)  # at once
            await anext(others)
            await anext(mine)  # the listener has connected
            await anext(others)
            async with database.unit_of_work(tenant) as work:
                work.emit("tests.ThingHappened", work.ids())
            await anext(mine)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(others), 0.2)


async def test_hints_come_again_after_the_connection_was_lost(database: Database, logins: Logins, tenant: UUID) -> None:
    async with Hints(database, reconnect_after=0.01) as hints, asyncio.timeout(20):
        with hints.of(tenant, at_least_every=60) as wakeups:
            await anext(wakeups)
            await anext(wakeups)
            async with database.directory() as connection:
                await connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'tenure-hints' AND datname = current_database()"
                )
            await anext(wakeups)  # connected again
            async with database.unit_of_work(tenant) as work:
                work.emit("tests.ThingHappened", work.ids())
            await anext(wakeups)


def test_figures_are_shown_on_the_loopback_port_and_a_taken_port_only_warns(unused_port: int) -> None:
    with figures.served(unused_port), figures.served(unused_port), figures.served(0):
        shown = urllib.request.urlopen(f"http://127.0.0.1:{unused_port}/metrics").read().decode()
    assert "tenure_events_total" in shown
    assert 'tenant="' not in shown


def test_every_concepts_actions_are_loaded() -> None:
    worker.load()
    assert EXPIRED_ANSWERS in worker.due.jobs.by_kind
