from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, select, text

from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.core.events import OUTBOX, Causation, DueWork, OutboxEvent, Reactions
from domain.tenants.model import PersistedDocument
from sync.relay import DEEPEST, MOST_ATTEMPTS, Relay, backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from tests.conftest import Logins

THING = "tests.ThingHappened"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def still(logins: Logins, clock: FixedClock) -> AsyncIterator[Database]:
    """The test database under a clock that stands still."""
    async with Database(str(logins.server), readers=1, writers=4, clock=clock) as opened:
        async with opened.directory() as connection:
            await connection.execute(delete(DueWork))  # what other tests left to do
        yield opened


class Log:
    """A reaction whose effect is a row, so that the database itself says how often it happened."""

    def __init__(self, *, fails: int = 0, on_subject: UUID | None = None) -> None:
        self.reactions = Reactions()
        self.reactions.on(THING)(self.react)
        self.fails = fails
        self.only = on_subject
        self.order: list[int] = []

    async def react(self, work: Writing, event: OutboxEvent) -> None:
        work.add(PersistedDocument(digest=work.ids().bytes, document=str(event.body["number"]), used_at=work.now))
        await work.flush()
        if self.fails and self.only in {None, event.subject}:
            self.fails -= 1
            raise ZeroDivisionError
        self.order.append(event.body["number"])


async def happen(database: Database, tenant: UUID, *subjects: UUID) -> list[UUID]:
    async with database.unit_of_work(tenant) as work:
        for number, subject in enumerate(subjects, 1):
            work.emit(THING, subject, number=number)
    return await undelivered(database, tenant)


async def effects(database: Database, tenant: UUID) -> list[str]:
    async with database.reading(tenant) as reading:
        written = select(PersistedDocument.document).where(PersistedDocument.tenant_id == tenant)
        return sorted(await reading.all(written))


async def undelivered(database: Database, tenant: UUID) -> list[UUID]:
    async with database.reading(tenant) as reading:
        waiting = select(OutboxEvent.id).where(OutboxEvent.tenant_id == tenant, OutboxEvent.delivered_at.is_(None))
        return list(await reading.all(waiting.order_by(OutboxEvent.id)))


async def attempts(database: Database, tenant: UUID) -> list[int]:
    async with database.reading(tenant) as reading:
        counted = select(OutboxEvent.attempts).where(OutboxEvent.tenant_id == tenant).order_by(OutboxEvent.id)
        return list(await reading.all(counted))


async def due(database: Database, tenant: UUID) -> dict[str, datetime]:
    async with database.directory() as connection:
        entries = select(DueWork.key, DueWork.due_at).where(DueWork.tenant_id == tenant, DueWork.kind == OUTBOX)
        return {row.key: row.due_at for row in await connection.execute(entries)}


async def test_every_event_has_its_effect_once_in_order_and_nothing_stays_due(still: Database, tenant: UUID) -> None:
    await happen(still, tenant, *(still.ids() for _ in range(3)))
    log = Log()
    await Relay(still, log.reactions).sweep()
    await Relay(still, log.reactions).sweep()
    assert log.order == [1, 2, 3]
    assert await effects(still, tenant) == ["1", "2", "3"]
    assert await undelivered(still, tenant) == []
    assert await due(still, tenant) == {}


async def test_what_nobody_reacts_to_is_passed_over(still: Database, tenant: UUID) -> None:
    await happen(still, tenant, still.ids())
    assert await Relay(still, Reactions()).drain(tenant) == 1
    assert await undelivered(still, tenant) == []
    assert await due(still, tenant) == {}


async def test_a_failed_reaction_leaves_no_trace_and_runs_again_after_its_rest(
    still: Database, clock: FixedClock, tenant: UUID
) -> None:
    (event,) = await happen(still, tenant, still.ids())
    log = Log(fails=2)
    relay = Relay(still, log.reactions)
    await relay.drain(tenant)
    assert await effects(still, tenant) == []
    assert await attempts(still, tenant) == [1]
    assert await due(still, tenant) == {event.hex: NOW + timedelta(seconds=2)}

    await relay.drain(tenant)  # it rests
    assert await attempts(still, tenant) == [1]

    clock.move(timedelta(seconds=2))
    await relay.sweep()
    assert await attempts(still, tenant) == [2]
    assert await due(still, tenant) == {event.hex: NOW + timedelta(seconds=2 + 4)}

    clock.move(timedelta(seconds=4))
    await relay.sweep()
    assert await effects(still, tenant) == ["1"]
    assert await undelivered(still, tenant) == []
    assert await due(still, tenant) == {}


async def test_a_failure_holds_back_its_own_subject_only(still: Database, clock: FixedClock, tenant: UUID) -> None:
    stuck, free = still.ids(), still.ids()
    await happen(still, tenant, stuck, free, stuck)
    log = Log(fails=1, on_subject=stuck)
    relay = Relay(still, log.reactions)
    await relay.drain(tenant)
    assert log.order == [2]
    clock.move(backoff(1))
    await relay.sweep()
    assert log.order == [2, 1, 3]
    assert await due(still, tenant) == {}


async def test_any_number_of_events_can_rest(still: Database, tenant: UUID) -> None:
    log = Log()
    await happen(still, tenant, tenant)
    async with still.directory() as connection:
        rest = "SELECT :tenant, :kind, replace(gen_random_uuid()::text, '-', ''), :later FROM generate_series(1, 33000)"
        await connection.execute(
            text(f"INSERT INTO directory.due_work (tenant_id, kind, key, due_at) {rest}"),
            {"tenant": tenant, "kind": OUTBOX, "later": NOW + timedelta(hours=1)},
        )
    assert await Relay(still, log.reactions).drain(tenant) == 1
    assert log.order == [1]
    async with still.directory() as connection:
        await connection.execute(delete(DueWork).where(DueWork.tenant_id == tenant))


async def test_an_event_that_always_fails_is_parked_and_frees_its_subject(
    still: Database, clock: FixedClock, tenant: UUID
) -> None:
    subject = still.ids()
    first, _ = await happen(still, tenant, subject, subject)
    log = Log(fails=MOST_ATTEMPTS)
    relay = Relay(still, log.reactions)
    for _ in range(MOST_ATTEMPTS):
        await relay.drain(tenant)
        clock.move(timedelta(hours=1))
    assert log.order == [2]
    assert await undelivered(still, tenant) == [first]
    assert await attempts(still, tenant) == [MOST_ATTEMPTS, 0]
    assert await due(still, tenant) == {}


async def test_reactions_know_their_cause_and_a_chain_ends(still: Database, tenant: UUID) -> None:
    reactions = Reactions()
    subject = still.ids()

    @reactions.on(THING)
    async def again(work: Writing, event: OutboxEvent) -> None:
        work.emit(THING, event.subject, number=event.body["number"] + 1)

    await happen(still, tenant, subject)
    await Relay(still, reactions).drain(tenant)
    async with still.reading(tenant) as reading:
        chain = await reading.all(
            select(OutboxEvent)
            .where(OutboxEvent.tenant_id == tenant, OutboxEvent.name == THING)
            .order_by(OutboxEvent.id)
        )
    assert [event.depth for event in chain] == list(range(1, DEEPEST + 2))
    assert [event.causation_id for event in chain] == [None, *(event.id for event in chain[:-1])]
    assert await undelivered(still, tenant) == [chain[-1].id]
    assert await due(still, tenant) == {}


async def test_relays_that_race_have_one_effect_each_and_keep_the_order(still: Database, tenant: UUID) -> None:
    await happen(still, tenant, *(still.ids() for _ in range(20)))
    log = Log()
    relays = [Relay(still, log.reactions) for _ in range(3)]
    while await due(still, tenant):
        await asyncio.gather(*(relay.drain(tenant) for relay in relays))
    assert log.order == list(range(1, 21))
    assert len(await effects(still, tenant)) == 20


async def test_a_relay_that_dies_in_the_middle_has_done_nothing_and_the_next_goes_on(
    still: Database, logins: Logins, tenant: UUID
) -> None:
    await happen(still, tenant, still.ids(), still.ids())
    reactions = Reactions()

    @reactions.on(THING)
    async def killed(work: Writing, event: OutboxEvent) -> None:
        work.add(PersistedDocument(digest=work.ids().bytes, document="lost", used_at=work.now))
        await work.flush()
        await work.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    async with Database(str(logins.server), readers=1, writers=2, clock=still.clock) as dying:
        relay = Relay(dying, reactions)
        relay._remember_failure = _as_if_killed  # type: ignore[method-assign]
        with pytest.raises(SystemExit):
            await relay.drain(tenant)
    assert await effects(still, tenant) == []
    assert list(await due(still, tenant)) == [""]

    log = Log()
    await Relay(still, log.reactions).sweep()
    assert log.order == [1, 2]
    assert await effects(still, tenant) == ["1", "2"]


async def _as_if_killed(*_: object) -> None:
    raise SystemExit


async def test_an_event_that_comes_while_the_outbox_is_drained_is_not_forgotten(still: Database, tenant: UUID) -> None:
    log = Log()
    relay = Relay(still, log.reactions)
    for _ in range(10):
        await asyncio.gather(relay.drain(tenant), happen(still, tenant, still.ids()), relay.drain(tenant))
    while await due(still, tenant):
        await relay.drain(tenant)
    assert len(await effects(still, tenant)) == 10


async def test_a_stopping_relay_begins_nothing_new(still: Database, tenant: UUID) -> None:
    await happen(still, tenant, still.ids(), still.ids())
    stopping = asyncio.Event()
    reactions = Reactions()

    @reactions.on(THING)
    async def stop(work: Writing, event: OutboxEvent) -> None:
        stopping.set()

    assert await Relay(still, reactions, stopping).drain(tenant) == 1
    assert len(await undelivered(still, tenant)) == 1
    assert list(await due(still, tenant)) == [""]


async def test_a_tenants_relay_never_touches_another_tenant(still: Database, tenant: UUID, other_tenant: UUID) -> None:
    await happen(still, tenant, still.ids())
    await happen(still, other_tenant, still.ids())
    await Relay(still, Log().reactions).drain(tenant)
    assert len(await undelivered(still, other_tenant)) == 1
    assert await effects(still, other_tenant) == []


async def test_one_tenants_trouble_holds_up_nobody_elses_events(
    still: Database, tenant: UUID, other_tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    for each in (tenant, other_tenant):
        await happen(still, each, each)
    relay = Relay(still, log.reactions)
    drain = relay.drain

    async def drain_others(of: UUID) -> int:
        if of == tenant:
            raise ConnectionResetError
        return await drain(of)

    monkeypatch.setattr(relay, "drain", drain_others)
    assert await relay.sweep() == 1
    assert [len(await undelivered(still, each)) for each in (tenant, other_tenant)] == [1, 0]


async def test_events_keep_their_cause_from_the_unit_of_work(still: Database, tenant: UUID) -> None:
    cause = still.ids()
    async with still.unit_of_work(tenant) as work:
        work.causation = Causation(cause, 3)
        work.emit(THING, still.ids(), number=1)
    async with still.reading(tenant) as reading:
        event = await reading.one(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant))
    assert event is not None
    assert (event.causation_id, event.depth) == (cause, 4)
