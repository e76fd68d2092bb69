"""Errands: what is due besides reading streams and has to do with the other side: sending, hearing, comparing.

An errand is claimed by moving its entry of `due_work` into the future, again and again while it lasts, and its entry is
set to the next time in the end. Whoever dies leaves it, and another worker goes on; each errand says by itself what
must not be done twice.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from domain.core.events import DueWork
from domain.core.problems import DomainError, NotFound
from domain.integrations import queries, rules
from sync import figures, troubles, turns
from sync.heartbeat import Halt, Stop, repeating, rest
from sync.relay import told
from sync.runs import LEASE
from tenure_sdk import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from domain.core.database import Database
    from sync.inbox import Splitter
    from sync.remote import Remote
    from sync.switchboard import Switchboard

log = structlog.get_logger()

EVERY = 1.0
"""Seconds between two looks at what is due."""

MOST, MOST_OF_CONNECTOR = 8, 4
"""How many errands one worker runs at once: in all, and of one connector."""

_LATER = timedelta(minutes=1)
_BEATS = 4
"""How often a claim is renewed in the time that it holds."""


@dataclass(frozen=True)
class Trip:
    """One errand: for which integration, and what it needs."""

    database: Database
    board: Switchboard
    tenant_id: UUID
    integration_id: UUID
    remote: Remote
    halt: Halt
    about: str = ""
    """What the key says besides the integration."""


@dataclass
class Errands:
    """Runs the errands of all tenants when they are due, several at once, until it is asked to stop."""

    database: Database
    board: Switchboard
    stopping: asyncio.Event
    kinds: Mapping[str, Callable[[Trip], Awaitable[datetime | None]]]
    """What is done for each kind of due work; the key begins with the integration."""
    splitter: Splitter | None = None
    """Splits what came to the addresses of apps."""
    of_tenants: Mapping[str, Callable[[Database, Switchboard, DueWork], Awaitable[datetime | None]]] = field(
        default_factory=dict
    )
    """What is done for kinds of due work that belong to no integration."""
    lease: timedelta = LEASE
    """For how long an errand is nobody else's, since its claim was renewed."""
    _tasks: dict[asyncio.Task[None], _Errand] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._connectors = turns.Connectors(self.database)

    async def run(self) -> None:
        """Work until `stopping` is set; what is under way then comes to rest."""
        stop = asyncio.create_task(self.stopping.wait())
        splitting = asyncio.create_task(self._split())
        try:
            while not self.stopping.is_set():
                with suppress(OSError, SQLAlchemyError):  # while the database is away, what is due stays due
                    await self.start_due()
                await asyncio.wait({stop, *self._tasks}, timeout=EVERY, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            splitting.cancel()
            await self.rest(Stop.SHUTDOWN)
            await asyncio.gather(splitting, return_exceptions=True)

    async def _split(self) -> None:
        """Split what comes to the addresses of apps, beside the errands: a connector may take long over it."""
        while self.splitter is not None:
            try:
                await self.splitter.split()
            except Exception as failure:  # noqa: BLE001 - nobody waits for this task; what waits is split the next time
                log.warning("split.failed", **told(failure))
            await asyncio.sleep(EVERY)

    async def rest(self, why: Stop | None = None) -> None:
        """Wait until all errands have come to rest; with a reason they are asked to, and get so much time only."""
        await rest({task: errand.halt for task, errand in self._tasks.items()}, why)

    async def start_due(self) -> int:
        """Start what is due and has room; how many errands that were."""
        started = 0
        at_work = [errand.entry.tenant_id for errand in self._tasks.values()]
        for entry in turns.in_turn(await self._due(), at_work):
            if len(self._tasks) >= MOST:
                break
            started += await self._start(entry)
        return started

    async def _start(self, entry: DueWork) -> bool:
        """Begin an errand, if there is room for it and no other worker has it."""
        whose = await self._whose(entry)
        if sum(errand.whose == whose for errand in self._tasks.values()) >= MOST_OF_CONNECTOR:
            return False
        until = await self._claimed(entry)
        if until is None:
            return False
        errand = _Errand(entry, whose, until)
        task = asyncio.create_task(self._go(errand), name=f"{entry.kind} {entry.key}")
        self._tasks[task] = errand
        task.add_done_callback(self._tasks.pop)
        return True

    async def _whose(self, entry: DueWork) -> str:
        """What errands share their room with: the others of the connector, or of the kind where there is none."""
        if entry.kind in self.of_tenants:
            return f"#{entry.kind}"
        return await self._connectors.of(entry.tenant_id, _integration_of(entry)) or ""

    async def _due(self) -> list[DueWork]:
        now = self.database.clock.now()
        waiting = (
            select(DueWork.tenant_id, DueWork.kind, DueWork.key, DueWork.due_at)
            .where(DueWork.kind.in_([*self.kinds, *self.of_tenants]), DueWork.due_at <= now)
            .order_by(DueWork.due_at)
            .limit(turns.CANDIDATES)
        )
        async with self.database.directory() as connection:
            found = [
                DueWork(tenant_id=row.tenant_id, kind=row.kind, key=row.key, due_at=row.due_at)
                for row in await connection.execute(waiting)
            ]
        running = {(errand.entry.kind, errand.entry.key) for errand in self._tasks.values()}
        return [entry for entry in found if (entry.kind, entry.key) not in running]

    async def _claimed(self, entry: DueWork) -> datetime | None:
        """Until when an entry is ours; None where another worker has it."""
        async with self.database.unit_of_work(entry.tenant_id) as work:
            until = work.now + self.lease
            taken = await work.execute(update(DueWork).where(*_at(entry, entry.due_at)).values(due_at=until))
            return until if taken.rowcount else None

    async def _go(self, errand: _Errand) -> None:
        entry, halt = errand.entry, errand.halt
        try:
            renewed, seconds = partial(self._renewed, errand), self.lease.total_seconds() / _BEATS
            async with repeating(renewed, seconds, f"claim {entry.key}"):
                again_at = await self._done(entry, halt)
            figures.JOBS.labels(entry.kind, "done").inc()
        except Exception as failure:  # noqa: BLE001 - nobody waits for this task; it is due again
            figures.JOBS.labels(entry.kind, "failed").inc()
            log.warning("errand.failed", kind=entry.kind, key=entry.key, **told(failure))
            again_at = self.database.clock.now() + _LATER
        with suppress(OSError, SQLAlchemyError):
            async with self.database.unit_of_work(entry.tenant_id) as work:
                mine = _at(entry, errand.until)  # an earlier time was set meanwhile: somebody has asked for more
                outlived = errand.until <= work.now  # who asked then found it due already, and left the time as it was
                if outlived or (again_at is None and halt.why is not None):  # or it was stopped amid what there is
                    again_at = work.now
                await work.execute(
                    delete(DueWork).where(*mine)
                    if again_at is None
                    else update(DueWork).where(*mine).values(due_at=again_at)
                )

    async def _renewed(self, errand: _Errand) -> bool:
        """Renew the claim of an errand; False when somebody has asked for more, or taken it over."""
        try:
            async with self.database.unit_of_work(errand.entry.tenant_id) as work:
                mine, until = _at(errand.entry, errand.until), work.now + self.lease
                kept = await work.execute(update(DueWork).where(*mine).values(due_at=until))
        except (OSError, SQLAlchemyError):  # while the database is away, nobody else can claim it
            return True
        if kept.rowcount:
            errand.until = until
        return bool(kept.rowcount)

    async def _done(self, entry: DueWork, halt: Halt) -> datetime | None:
        if entry.kind in self.of_tenants:
            return await self.of_tenants[entry.kind](self.database, self.board, entry)
        integration_id, about = _integration_of(entry), entry.key.partition(":")[2]
        try:
            async with self.database.reading(entry.tenant_id) as work:
                integration = await queries.integration(work, integration_id)
        except NotFound:
            return None
        if integration.state not in rules.READABLE:
            return None  # whoever switches it on again makes it due
        try:
            async with self.board.remotes.open(entry.tenant_id, integration_id) as remote:
                trip = Trip(self.database, self.board, entry.tenant_id, integration_id, remote, halt, about)
                return await self.kinds[entry.kind](trip)
        except ConnectorError as problem:
            async with self.database.unit_of_work(entry.tenant_id) as writing:
                return (await troubles.meet(writing, integration_id, None, problem)).again_at
        except DomainError as refused:
            log.warning("errand.refused", kind=entry.kind, key=entry.key, reason=refused.name)
            return self.database.clock.now() + _LATER


@dataclass
class _Errand:
    """An errand under way, which is ours until a time."""

    entry: DueWork
    whose: str
    until: datetime
    halt: Halt = field(default_factory=Halt)


def _integration_of(entry: DueWork) -> UUID:
    return UUID(entry.key.partition(":")[0])


def _at(entry: DueWork, due_at: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        DueWork.tenant_id == entry.tenant_id, DueWork.kind == entry.kind, DueWork.key == entry.key,
        DueWork.due_at == due_at,
    )  # fmt: skip
