"""The schedule: which streams are read when, how many at once, and that a slow vendor makes nobody else wait.

A run is long-lived work: it is claimed by moving its entry of `due_work` into the future, kept by the lease of its
stream, and its entry is set to the next time in the end. Whoever dies leaves both, and another worker goes on.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from domain.core import events
from domain.core.events import DueWork, OutboxEvent
from domain.core.problems import DomainError, NotFound
from domain.integrations import queries, rules
from domain.integrations.model import RunMode, StreamState, SyncRun
from sync import figures, troubles, turns
from sync.dead_letters import LETTERS
from sync.heartbeat import Halt, Stop, rest
from sync.pull import StreamNotRead, pull
from sync.relay import told
from sync.requests import SYNC, key_of, next_request
from sync.runs import BACKFILL, LEASE, StreamBusy
from sync.signals import fetch_letters
from sync.troubles import Outcome
from tenure_sdk import ConnectorError, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from domain.integrations.model import Integration, StreamSetting
    from sync.pull import Pulled
    from sync.registry import Registry
    from sync.remote import Remote
    from tenure_sdk import Connector, Stream

log = structlog.get_logger()

EVERY = 1.0
"""Seconds between two looks at what is due."""

MOST, MOST_OF_CONNECTOR, MOST_BACKFILLS = 16, 6, 4
"""How many runs one worker has at once: in all, of one connector, and of those that read the past."""

UNKNOWN = timedelta(minutes=10)
"""How long a stream waits whose connector is not installed here."""

SOON = timedelta(seconds=5)
"""How long a stream waits for those that it depends on, before it looks again."""


class Opener(Protocol):
    """Opens the other side of integrations."""

    def open(self, tenant_id: UUID, integration_id: UUID) -> AbstractAsyncContextManager[Remote]:
        """The other side of an integration."""
        ...


@dataclass(frozen=True)
class Entry:
    """A stream that is due."""

    tenant_id: UUID
    key: str
    due_at: datetime

    @property
    def integration_id(self) -> UUID:
        """Whose stream it is."""
        return UUID(self.key.partition(":")[0])

    @property
    def lane(self) -> str:
        """The stream, or the stream's past; nothing where all streams of the integration are to be planned."""
        return self.key.partition(":")[2]

    @property
    def is_backfill(self) -> bool:
        """Whether the past is read."""
        return self.lane.endswith(BACKFILL)


@dataclass(frozen=True)
class Claim:
    """An entry that is ours until `until`, with what there is to do."""

    entry: Entry
    until: datetime
    stream: Stream
    every: timedelta
    mode: RunMode
    window: Window | None
    request: UUID | None


@dataclass(frozen=True)
class Next:
    """When a stream is due again; None: not by itself."""

    at: datetime | None
    asked: bool = False
    """Whether it may begin at once, where somebody has asked for more."""


@dataclass
class Running:
    """A run at work."""

    claim: Claim
    connector: str
    halt: Halt = field(default_factory=Halt)


class Syncs:
    """Reads the streams of all tenants when they are due, several at once, until it is asked to stop."""

    def __init__(
        self, database: Database, remotes: Opener, registry: Registry, stopping: asyncio.Event, *, most: int = MOST,
        most_of_connector: int = MOST_OF_CONNECTOR, chance: Callable[[], float] = random.random,  # noqa: S311 - it only spreads the load
    ) -> None:  # fmt: skip
        self._database = database
        self._remotes = remotes
        self._registry = registry
        self._stopping = stopping
        self._most, self._most_of_connector = most, most_of_connector
        self._chance = chance
        self._tasks: dict[asyncio.Task[None], Running] = {}
        self._connectors = turns.Connectors(database)

    async def run(self) -> None:
        """Work until `stopping` is set; the pages that are landing then land, and their runs go on elsewhere."""
        stop = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                with _waiting_for_the_database():
                    await self.start_due()
                await asyncio.wait({stop, *self._tasks}, timeout=EVERY, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            await self.rest(Stop.SHUTDOWN)

    async def rest(self, why: Stop | None = None) -> None:
        """Wait until all runs have come to rest; with a reason they are asked to, and get so much time only."""
        await rest({task: running.halt for task, running in self._tasks.items()}, why)

    async def start_due(self) -> int:
        """Start what is due and has room; how many runs that were."""
        started = 0
        at_work = [running.claim.entry.tenant_id for running in self._tasks.values()]
        # The past comes after the present.
        for entry in turns.in_turn(await self._due(), at_work, rank=lambda entry: entry.is_backfill):
            if len(self._tasks) >= self._most:
                break
            started += await self._start(entry)
        return started

    async def _due(self) -> list[Entry]:
        now = self._database.clock.now()
        waiting = (
            select(DueWork.tenant_id, DueWork.key, DueWork.due_at)
            .where(DueWork.kind == SYNC, DueWork.due_at <= now)
            .order_by(DueWork.due_at)
            .limit(turns.CANDIDATES)
        )
        async with self._database.directory() as connection:
            found = [Entry(*row) for row in await connection.execute(waiting)]
        running = {running.claim.entry.key for running in self._tasks.values()}
        return [entry for entry in found if entry.key not in running]

    async def _start(self, entry: Entry) -> bool:
        """Claim an entry and begin its run, if there is room for it."""
        connector = await self._connectors.of(entry.tenant_id, entry.integration_id)
        if connector is not None and not self._has_room(entry, connector):
            return False
        try:
            async with self._database.unit_of_work(entry.tenant_id) as work:
                claim = await claimed(work, entry, self._registry)
        except DomainError as refused:  # one entry that cannot be planned is nobody else's trouble
            log.warning("sync.unplanned", key=entry.key, **told(refused))
            async with self._database.unit_of_work(entry.tenant_id) as work:
                await _postpone(work, entry, UNKNOWN)
            return False
        if claim is None:
            return False
        running = Running(claim, connector or "")
        task = asyncio.create_task(self._work(running), name=f"sync {entry.key}")
        self._tasks[task] = running
        task.add_done_callback(self._tasks.pop)
        return True

    def _has_room(self, entry: Entry, connector: str) -> bool:
        at_work = [running for running in self._tasks.values() if running.connector == connector]
        backfills = sum(running.claim.entry.is_backfill for running in self._tasks.values())
        return len(at_work) < self._most_of_connector and not (entry.is_backfill and backfills >= MOST_BACKFILLS)

    async def _work(self, running: Running) -> None:
        """One run from its opening to its next time."""
        claim = running.claim
        try:
            following = await self._pull(claim, running.halt)
        except Exception as failure:  # noqa: BLE001 - nobody waits for this task; its entry is due again after the lease
            figures.JOBS.labels(SYNC, "failed").inc()
            log.warning("sync.failed", key=claim.entry.key, **told(failure))
            return
        figures.JOBS.labels(SYNC, "done").inc()
        with _waiting_for_the_database():
            async with self._database.unit_of_work(claim.entry.tenant_id) as work:
                await _set_next(work, claim, following)

    async def _pull(self, claim: Claim, halt: Halt) -> Next:
        """Read the stream; when it is due again."""
        tenant_id, integration_id = claim.entry.tenant_id, claim.entry.integration_id
        now = self._database.clock.now
        try:
            async with self._remotes.open(tenant_id, integration_id) as remote:
                if claim.entry.lane.endswith(LETTERS):
                    await fetch_letters(self._database, remote, tenant_id, integration_id, claim.stream.name)
                    return Next(None)
                pulled = await pull(
                    self._database, remote, tenant_id, integration_id, claim.stream.name, mode=claim.mode,
                    window=claim.window, request=claim.request, halt=halt,
                )  # fmt: skip
        except StreamBusy:
            return Next(now() + LEASE)
        except (StreamNotRead, NotFound):
            return Next(None)
        except ConnectorError as problem:  # the other side could not even be opened
            async with self._database.unit_of_work(tenant_id) as work:
                return Next((await troubles.meet(work, integration_id, None, problem)).again_at)
        return self._again(claim, pulled)

    def _again(self, claim: Claim, pulled: Pulled) -> Next:
        now = self._database.clock.now()
        match pulled.outcome:
            case Outcome.FINISHED | Outcome.CANCELLED:
                usual = now + claim.every * (0.9 + 0.2 * self._chance())
                return Next(None if claim.entry.is_backfill else usual, asked=True)
            case Outcome.STOPPED:
                return Next(now)
            case Outcome.LOST:
                return Next(now + LEASE)
            case _:
                return Next(pulled.again_at)


async def claimed(work: Writing, entry: Entry, registry: Registry) -> Claim | None:
    """Take a due entry for this worker; None where another has it, or where there is nothing to read now."""
    until = work.now + LEASE
    taken = await work.execute(
        update(DueWork).where(_entry(entry), DueWork.due_at == entry.due_at).values(due_at=until)
    )
    if not taken.rowcount:
        return None
    try:
        integration = await queries.integration(work, entry.integration_id)
    except NotFound:
        await _drop(work, entry)
        return None
    if integration.state not in rules.READABLE:
        await _drop(work, entry)
        return None
    connector = registry.connectors.get(integration.connector)
    if connector is None:
        await _postpone(work, entry, UNKNOWN)
        return None
    settings = await queries.settings(work, integration.id)
    if not entry.lane:
        await plan(work, integration, connector, settings)
        await _drop(work, entry)
        return None
    return await _claim(work, entry, until, connector, settings)


async def plan(
    work: Writing, integration: Integration, connector: type[Connector[Any]], settings: Mapping[str, StreamSetting]
) -> None:
    """Make every stream that is switched on due: now, or where it has its time already, not later than that.

    What was begun or asked for of its past goes on, too.
    """
    for stream in connector.streams():
        setting = settings.get(stream.name)
        if setting is not None and not setting.enabled:
            continue
        entry = insert(DueWork).values(
            tenant_id=work.tenant_id, kind=SYNC, key=key_of(integration.id, stream.name), due_at=work.now
        )
        latest = work.now + _every(stream, setting)
        await work.execute(
            entry.on_conflict_do_update(
                index_elements=["tenant_id", "kind", "key"], set_={"due_at": func.least(DueWork.due_at, latest)}
            )
        )
    await _plan_the_past(work, integration.id)


async def _plan_the_past(work: Writing, integration_id: UUID) -> None:
    open_ = select(SyncRun.stream).where(
        SyncRun.tenant_id == work.tenant_id,
        SyncRun.integration_id == integration_id,
        SyncRun.mode == RunMode.BACKFILL,
        SyncRun.ended_at.is_(None),
    )
    for stream in await work.all(open_.distinct()):
        await events.make_due(work.session, work.tenant_id, SYNC, key_of(integration_id, stream + BACKFILL), work.now)


async def _claim(
    work: Writing, entry: Entry, until: datetime, connector: type[Connector[Any]],
    settings: Mapping[str, StreamSetting],
) -> Claim | None:  # fmt: skip
    name = entry.lane.partition("#")[0]
    stream = next((stream for stream in connector.streams() if stream.name == name), None)
    setting = settings.get(name)
    if stream is None or (setting is not None and not setting.enabled):
        await _drop(work, entry)
        return None
    if await _waits_for_others(work, entry, stream, settings):
        await _postpone(work, entry, SOON)
        return None
    asked = await next_request(work, entry.integration_id, entry.lane)
    mode = RunMode(asked.mode) if asked else RunMode.BACKFILL if entry.is_backfill else RunMode.INCREMENTAL
    window = (
        Window(asked.window_start, asked.window_end) if asked and (asked.window_start or asked.window_end) else None
    )
    return Claim(entry, until, stream, _every(stream, setting), mode, window, asked.id if asked else None)


async def _waits_for_others(work: Writing, entry: Entry, stream: Stream, settings: Mapping[str, StreamSetting]) -> bool:
    """Whether a stream that this one depends on is due, at work, or was never read to its end."""
    names = [name for name in stream.depends_on if name not in settings or settings[name].enabled]
    if not names:
        return False
    states = await work.all(
        select(StreamState).where(
            StreamState.tenant_id == work.tenant_id,
            StreamState.integration_id == entry.integration_id,
            StreamState.stream.in_(names),
        )
    )
    paused = {state.stream for state in states if state.paused_reason is not None}
    read = {state.stream for state in states if state.read_until is not None}
    at_work = {state.stream for state in states if state.lease_until is not None and state.lease_until > work.now}
    due = await work.all(
        select(DueWork.key).where(
            DueWork.tenant_id == work.tenant_id,
            DueWork.kind == SYNC,
            DueWork.key.in_([key_of(entry.integration_id, name) for name in names]),
            DueWork.due_at <= work.now,
        )
    )
    is_due = {key.partition(":")[2] for key in due}
    return any(name in at_work | is_due or name not in read for name in names if name not in paused)


def _every(stream: Stream, setting: StreamSetting | None) -> timedelta:
    chosen = setting.every_seconds if setting is not None else None
    return stream.every if chosen is None else timedelta(seconds=chosen)


async def _set_next(work: Writing, claim: Claim, following: Next) -> None:
    """Set when the stream is due next, unless somebody has made it due sooner meanwhile."""
    entry, at = claim.entry, following.at
    if following.asked and await next_request(work, entry.integration_id, entry.lane) is not None:
        at = work.now
    mine = (_entry(entry), DueWork.due_at >= claim.until)
    await work.execute(delete(DueWork).where(*mine) if at is None else update(DueWork).where(*mine).values(due_at=at))


async def _drop(work: Writing, entry: Entry) -> None:
    await work.execute(delete(DueWork).where(_entry(entry)))


async def _postpone(work: Writing, entry: Entry, by: timedelta) -> None:
    await work.execute(update(DueWork).where(_entry(entry)).values(due_at=work.now + by))


def _entry(entry: Entry) -> ColumnElement[bool]:
    return (DueWork.tenant_id == entry.tenant_id) & (DueWork.kind == SYNC) & (DueWork.key == entry.key)


@events.on("integrations.StateChanged")
async def follow(work: Writing, event: OutboxEvent) -> None:
    """Have the streams of an integration planned that has come to life; one that only recovered goes on as it was."""
    if event.body["state"] in rules.READABLE and event.body["before"] not in rules.READABLE:
        await events.make_due(work.session, work.tenant_id, SYNC, key_of(event.subject, ""), work.now)


@contextmanager
def _waiting_for_the_database() -> Iterator[None]:
    """Where the database may be away; what is due stays due."""
    try:
        yield
    except (OSError, SQLAlchemyError) as failure:
        log.warning("sync.waiting", **told(failure))
