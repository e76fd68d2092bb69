"""The outbox relay: runs the reactions to what happened, at least once, each effect exactly once, in order.

The truth is `due_work`. One relay at a time is on a tenant's outbox, by an advisory lock: a lock on the entry itself
would make everyone who emits an event wait. Killed anywhere, it leaves the entry, and the next relay goes on.
"""

from __future__ import annotations

import asyncio
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, Uuid, any_, delete, literal, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from domain.core import events
from domain.core.events import OUTBOX, Causation, DueWork, OutboxEvent
from sync import figures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import ColumnElement, Delete, Select

    from domain.core.database import Database
    from domain.core.events import Reactions
    from domain.core.unit_of_work import Writing

    Remember = Callable[[Writing, Sequence[UUID]], Awaitable[None]]

log = structlog.get_logger()

DEEPEST = 16
"""How long a chain of events that cause events may grow before it is taken for an endless one."""

MOST_ATTEMPTS = 12
"""How often a reaction is tried, over about an hour, before its event is parked: it stays undelivered."""

_TURN = 200
_LOCK = text(f"""
    SELECT pg_try_advisory_xact_lock(hashtextextended('tenure.outbox:' || :tenant, 0)) AS alone,
        ARRAY(
            SELECT key FROM {DueWork.__table__}
            WHERE tenant_id = CAST(:tenant AS uuid) AND kind = '{OUTBOX}' AND key <> '' AND due_at > :now
        ) AS resting
""")


class Relay:
    """Delivers outbox events to the reactions registered for their names.

    `remember` learns, in the same transaction, which events were delivered.
    """

    def __init__(
        self, database: Database, reactions: Reactions = events.reactions, stopping: asyncio.Event | None = None,
        remember: Remember | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._remember = remember
        self._reactions = reactions.by_name
        self._stopping = stopping or asyncio.Event()

    async def sweep(self) -> int:
        """Give every tenant whose outbox is due one turn, and return how many events were tried."""
        tried = 0
        for tenant_id in await self._due_tenants():
            try:
                tried += await self.drain(tenant_id)
            except (OSError, SQLAlchemyError) as failure:  # what is due stays due, and the others' is tried
                log.warning("outbox.waiting", tenant=str(tenant_id), **told(failure))
        return tried

    async def drain(self, tenant_id: UUID) -> int:
        """Try a tenant's undelivered events in the order of their ids, unless another relay is at it.

        An event that fails rests for a while, and with it the later ones of its subject; the others go on.
        """
        tried = await self._pass_over(tenant_id)
        for _ in range(_TURN):
            if self._stopping.is_set() or not await self._deliver_next(tenant_id):
                break
            tried += 1
        return tried

    async def _due_tenants(self) -> list[UUID]:
        due = (
            select(DueWork.tenant_id)
            .where(DueWork.kind == OUTBOX, DueWork.due_at <= self._database.clock.now())
            .order_by(DueWork.due_at)
        )
        async with self._database.directory() as connection:
            return list(dict.fromkeys(await connection.scalars(due)))

    async def _pass_over(self, tenant_id: UUID) -> int:
        """Mark what nobody reacts to as delivered, all at once."""
        async with self._database.unit_of_work(tenant_id) as work:
            marked = (
                update(OutboxEvent)
                .where(*_undelivered(tenant_id), OutboxEvent.name.not_in(list(self._reactions)))
                .values(delivered_at=work.now)
                .execution_options(synchronize_session=False)
            )
            if self._remember is not None:
                passed = list((await work.execute(marked.returning(OutboxEvent.id))).scalars())
                await self._remember(work, passed)
                figures.EVENTS.labels("ignored").inc(len(passed))
                return len(passed)
            done = await work.execute(marked)
        figures.EVENTS.labels("ignored").inc(done.rowcount)
        return done.rowcount

    async def _deliver_next(self, tenant_id: UUID) -> bool:
        """Run the reactions to the next event and mark it delivered, in one transaction; False when there is none."""
        event: OutboxEvent | None = None
        try:
            async with self._database.unit_of_work(tenant_id) as work:
                lock = (await work.rows(_LOCK, {"tenant": tenant_id.hex, "now": work.now}))[0]
                if not lock.alone:
                    return False
                event = await work.one(_next(tenant_id, lock.resting))
                if event is None:
                    await _settle(work, lock.resting)
                    return False
                await self._react(work, event)
        except Exception as failure:  # whatever a reaction raises is its event's failure, never the relay's
            if event is None:
                raise
            await self._remember_failure(tenant_id, event.id, failure)
        return True

    async def _react(self, work: Writing, event: OutboxEvent) -> None:
        if event.depth > DEEPEST:
            await _park(work, event, "It ends a chain of events that is too long.")
            return
        work.causation = Causation(event.id, event.depth)
        for reaction in self._reactions.get(event.name, ()):
            await reaction(work, event)
        event.delivered_at = work.now
        if self._remember is not None:
            await self._remember(work, [event.id])
        if event.attempts:
            await work.execute(_rest_of(event))
        figures.EVENTS.labels("delivered").inc()
        figures.DELAY.observe((work.now - event.occurred_at).total_seconds())

    async def _remember_failure(self, tenant_id: UUID, event_id: UUID, failure: Exception) -> None:
        async with self._database.unit_of_work(tenant_id) as work:
            event = await work.one(select(OutboxEvent).where(*_undelivered(tenant_id), OutboxEvent.id == event_id))
            if event is None:
                return
            event.attempts += 1
            figures.EVENTS.labels("failed").inc()
            log.warning("event.failed", **_named(event), **told(failure))
            if event.attempts >= MOST_ATTEMPTS:
                await _park(work, event, "Its reactions failed too often.")
                return
            await work.execute(_rest_of(event))
            again = work.now + backoff(event.attempts)
            await events.make_due(work.session, tenant_id, OUTBOX, event_id.hex, again)


def backoff(attempts: int) -> timedelta:
    """How long an event rests after so many failures: 2 seconds, 4, 8... and at most an hour."""
    return timedelta(seconds=min(2**attempts, 3600))


def told(failure: Exception) -> dict[str, str]:
    """A failure as the log may keep it: what and where; its message may quote a customer."""
    frames = traceback.extract_tb(failure.__traceback__)
    return {"error": type(failure).__name__, "at": f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""}


def _undelivered(tenant_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (OutboxEvent.tenant_id == tenant_id, OutboxEvent.delivered_at.is_(None))


def _next(tenant_id: UUID, resting: Sequence[str]) -> Select[OutboxEvent]:
    """The first event to try: not parked, and of no subject that waits for an event that rests."""
    found = select(OutboxEvent).where(*_undelivered(tenant_id), OutboxEvent.attempts < MOST_ATTEMPTS)
    if resting:
        failed = select(OutboxEvent.subject).where(
            OutboxEvent.tenant_id == tenant_id, OutboxEvent.id == any_(literal(list(map(UUID, resting)), ARRAY(Uuid())))
        )
        found = found.where(OutboxEvent.subject.not_in(failed))
    return found.order_by(OutboxEvent.id).limit(1)


async def _settle(work: Writing, resting: Sequence[str]) -> None:
    """Forget that the outbox is due, unless an event came meanwhile: whoever emits one waits for this entry."""
    entry = (DueWork.tenant_id == work.tenant_id, DueWork.kind == OUTBOX, DueWork.key == "")
    await work.execute(delete(DueWork).where(*entry))
    if await work.one(_next(work.tenant_id, resting)) is not None:
        await events.make_due(work.session, work.tenant_id, OUTBOX, "", work.now)


async def _park(work: Writing, event: OutboxEvent, why: str) -> None:
    """Leave an event undelivered for good, for people to look at; those behind it go on."""
    event.attempts = MOST_ATTEMPTS
    await work.execute(_rest_of(event))
    figures.EVENTS.labels("parked").inc()
    log.error("event.parked", **_named(event), why=why)


def _rest_of(event: OutboxEvent) -> Delete:
    """Remove the entry that makes a failed event due again."""
    entry = (DueWork.tenant_id == event.tenant_id, DueWork.kind == OUTBOX, DueWork.key == event.id.hex)
    return delete(DueWork).where(*entry)


def _named(event: OutboxEvent) -> dict[str, str | int]:
    return {"name": event.name, "id": str(event.id), "depth": event.depth, "attempts": event.attempts}
