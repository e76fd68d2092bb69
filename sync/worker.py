"""The worker: delivers what happened and does what is due, until it is asked to stop."""

from __future__ import annotations

import pkgutil
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import and_, delete, select, update
from sqlalchemy.exc import SQLAlchemyError

import domain
from domain.core import due, events
from domain.core.events import DueWork
from sync import figures
from sync.relay import Relay, told

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Row

    from domain.core.database import Database
    from domain.core.due import Jobs
    from domain.core.events import Reactions
    from sync.hints import Hints
    from sync.relay import Remember

log = structlog.get_logger()

EVERY = 1.0
"""Seconds between two looks at what is due when nothing hints at anything."""

_LATER = timedelta(minutes=1)
_PORTION = 100


class Worker:
    """Works through the outbox and the due jobs of all tenants, one transaction after the other."""

    def __init__(
        self, database: Database, stopping: asyncio.Event, reactions: Reactions = events.reactions,
        jobs: Jobs = due.jobs, remember: Remember | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._stopping = stopping
        self._relay = Relay(database, reactions, stopping, remember)
        self._jobs = jobs.by_kind

    async def run(self, hints: Hints) -> None:
        """Work until `stopping` is set; the transaction that is under way then is finished.

        While the database is away it waits; nothing is lost, since what is due stays due.
        """
        with hints.of(None, at_least_every=EVERY) as wakeups:
            async for _ in wakeups:
                try:
                    while not self._stopping.is_set() and await self.work():
                        pass
                except (OSError, SQLAlchemyError) as failure:
                    log.warning("worker.waiting", **told(failure))
                if self._stopping.is_set():
                    return

    async def work(self) -> int:
        """One look at everything that is due; how much was tried."""
        return await self._relay.sweep() + await self._sweep_jobs()

    async def _sweep_jobs(self) -> int:
        entries = await self._due_jobs()
        figures.OVERDUE.set(len(entries))
        for entry in entries:
            if self._stopping.is_set():
                break
            await self._attempt(entry.tenant_id, entry.kind, entry.key)
        return len(entries)

    async def _due_jobs(self) -> Sequence[Row[UUID, str, str]]:
        waiting = (
            select(DueWork.tenant_id, DueWork.kind, DueWork.key)
            .where(DueWork.kind.in_(list(self._jobs)), DueWork.due_at <= self._database.clock.now())
            .order_by(DueWork.due_at)
            .limit(_PORTION)
        )
        async with self._database.directory() as connection:
            return (await connection.execute(waiting)).all()

    async def _attempt(self, tenant_id: UUID, kind: str, key: str) -> None:
        try:
            await self._do(tenant_id, kind, key)
        except Exception as failure:  # noqa: BLE001 - whatever a job raises is its own failure, never the worker's
            figures.JOBS.labels(kind, "failed").inc()
            log.warning("job.failed", kind=kind, **told(failure))
            async with self._database.unit_of_work(tenant_id) as work:
                later = work.now + _LATER
                await work.execute(update(DueWork).where(_entry(tenant_id, kind, key)).values(due_at=later))

    async def _do(self, tenant_id: UUID, kind: str, key: str) -> None:
        """Do a job and move its entry to the next time, in one transaction; another worker's entry is left alone."""
        entry = _entry(tenant_id, kind, key)
        async with self._database.unit_of_work(tenant_id) as work:
            mine = select(DueWork.due_at).where(entry, DueWork.due_at <= work.now).with_for_update(skip_locked=True)
            if await work.one(mine) is None:
                return
            again = await self._jobs[kind](work, key)
            await work.execute(
                delete(DueWork).where(entry) if again is None else update(DueWork).where(entry).values(due_at=again)
            )
        figures.JOBS.labels(kind, "done").inc()


def load() -> None:
    """Import the actions of every concept, and the syncs, so that all reactions and jobs are registered."""
    for syncing in ("sync.schedule", "sync.settle", "sync.sweeps", "sync.leaving", "sync.duties"):
        import_module(syncing)
    for concept in pkgutil.iter_modules(domain.__path__, "domain."):
        if concept.ispkg and find_spec(f"{concept.name}.actions"):
            import_module(f"{concept.name}.actions")


def _entry(tenant_id: UUID, kind: str, key: str) -> ColumnElement[bool]:
    return and_(DueWork.tenant_id == tenant_id, DueWork.kind == kind, DueWork.key == key)
