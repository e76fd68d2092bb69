"""Pulling: one stream of one integration is read page by page, each page landing whole or not at all."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from domain.core.problems import Conflict
from domain.integrations import queries, rules
from domain.integrations.model import DriftPolicy, IntegrationState, RunMode, StreamState
from sync import contract, dead_letters, drift, land, runs, settle, sweeps, troubles
from sync.drift import Watch
from sync.heartbeat import Halt, Stop, ahead, beating
from sync.relay import told
from sync.runs import Counts
from sync.troubles import Outcome, Verdict
from sync.two_way import sending
from tenure_sdk import (
    ConnectorError,
    ContractViolation,
    Control,
    CursorExpired,
    LinePage,
    Page,
    Transient,
    Unsupported,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from domain.integrations.model import Integration, StreamSetting
    from sync.contract import Checked
    from sync.drift import Change
    from sync.remote import Remote
    from sync.runs import Run
    from tenure_sdk import Stream

log = structlog.get_logger()

LOST = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""How it shows that the database went away; SQLAlchemy wraps these."""

CROSSED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""How it shows that others wrote the same at the same time: what was undone succeeds when it is done again."""

FEW_REJECTS, MANY_REJECTS = 20, 0.05
"""A stream of which more than this share, and at least so many records, cannot be taken is paused."""


HOLD = timedelta(seconds=2)
"""How long a stream waits for the outcome of what was sent to the other side."""


class _Held(Exception):
    """Something may have been made at the other side that is not known here yet, or is known in a later version."""


class StreamNotRead(Conflict):
    """This stream is not being read: it or its integration is paused, or it was switched off."""


@dataclass(frozen=True)
class Pulled:
    """What a run has found, how it came to rest, and when its stream is to be tried again where it did not end."""

    run_id: UUID | None
    mode: str
    counts: Counts
    outcome: Outcome
    again_at: datetime | None = None


async def pull(
    database: Database, remote: Remote, tenant_id: UUID, integration_id: UUID, stream: str, *,
    mode: RunMode = RunMode.INCREMENTAL, window: Window | None = None, request: UUID | None = None,
    halt: Halt | None = None, secrets: Collection[str] = (),
) -> Pulled:  # fmt: skip
    """Read a stream from where its last run came to, and land what it brings; everything else follows from the mode.

    What a failing page did is undone, and what was committed stays: the next pull goes on after it. Troubles of the
    remote side do not raise; they end in an outcome, in the state of the integration and in `again_at`. Raises
    StreamBusy while another run reads the stream, StreamNotRead where it is not to be read, and what the database
    raises when it goes away.
    """
    of = declared(remote, stream)
    work_of = _Pull(database, remote, tenant_id, integration_id, of, halt or Halt(), secrets)
    pulled = await work_of.go(mode, window, request)
    if pulled is None:  # the cursor is too old: everything is read instead
        pulled = await work_of.go(RunMode.FULL, window, None)
    assert pulled is not None  # noqa: S101 - a second expiry breaks the contract, which is an outcome
    return pulled


def declared(remote: Remote, name: str) -> Stream:
    """A stream of a connector by its name. Raises Unsupported."""
    for stream in remote.connector.streams():
        if stream.name == name:
            return stream
    raise Unsupported(f"{remote.connector.title} has no stream {name}.")


async def readable(work: Writing, integration_id: UUID, stream: str) -> tuple[Integration, StreamSetting | None]:
    """An integration with the setting of one of its streams, if that may be read. Raises StreamNotRead."""
    integration = await queries.integration(work, integration_id)
    if integration.state not in rules.READABLE:
        raise StreamNotRead(f"The integration is {integration.state}: its streams are not read.")
    setting = (await queries.settings(work, integration_id)).get(stream)
    if setting is not None and not setting.enabled:
        raise StreamNotRead(f"The stream {stream} is switched off.")
    paused = select(StreamState.paused_reason).where(
        StreamState.tenant_id == work.tenant_id,
        StreamState.integration_id == integration_id,
        StreamState.stream == stream,
    )
    why = await work.one(paused)
    if why is not None:
        raise StreamNotRead(f"The stream {stream} is paused: {why}")
    return integration, setting


def is_loss(problem: BaseException | None) -> bool:
    """Whether the database went away, which is nobody's mistake."""
    return _is_caused_by(problem, LOST)


def _is_caused_by(problem: BaseException | None, kinds: tuple[type[BaseException], ...]) -> bool:
    while problem is not None and not isinstance(problem, kinds):
        problem = problem.__cause__
    return problem is not None


@dataclass
class _Pull:
    """One pull at work."""

    database: Database
    remote: Remote
    tenant_id: UUID
    integration_id: UUID
    stream: Stream
    halt: Halt
    secrets: Collection[str]
    expired: bool = False
    troubled: bool = False
    watched: Watch = field(default_factory=lambda: Watch(DriftPolicy.ACCEPT, None))

    async def go(self, mode: RunMode, window: Window | None, request: UUID | None) -> Pulled | None:
        """One run from its lease to its rest; None where its cursor has expired for the first time."""
        run = await self._open(mode, window, request)
        try:
            async with beating(self.database, run, self.halt):
                verdict = await self._read(run)
        except runs.LeaseLost:
            verdict = Verdict(Outcome.LOST)
        except _Held:
            verdict = await self._hold(run, "It waits for a change that was sent.")
        except CursorExpired as problem:
            if not self.expired:
                self.expired = True
                await self._end(run, error=str(problem))
                return None
            verdict = await self._meet(run, ContractViolation("A reading from the start ended with: cursor expired."))
        except ConnectorError as problem:
            verdict = await self._meet(run, problem)
        except Exception as problem:
            if is_loss(problem) or (isinstance(problem, DBAPIError) and problem.connection_invalidated):
                raise
            log.warning("run.broke", stream=self.stream.name, **told(problem))
            verdict = await self._break(run, problem)
        return Pulled(run.id, run.mode, run.counts, verdict.outcome, verdict.again_at)

    async def _open(self, mode: RunMode, window: Window | None, request: UUID | None) -> Run:
        async with self.database.unit_of_work(self.tenant_id) as work:
            integration, setting = await readable(work, self.integration_id, self.stream.name)
            self.troubled = integration.state != IntegrationState.ACTIVE or integration.failures > 0
            integration.connector_version = self.remote.connector.version
            if window is None and setting is not None and setting.since is not None:
                window = Window(setting.since)
            run = await runs.begin(work, integration, self.stream, mode=mode, window=window, request=request)
            if self.expired:
                await runs.advance(work, run, Counts(), lost=True)
            run.pace = runs.Pace(work.now, run.counts.read)
            self.watched = await drift.watch(work, run)
            if not run.resumed:
                work.emit("integrations.RunStarted", self.integration_id, run=run.id.hex, stream=self.stream.name)
        return run

    async def _read(self, run: Run) -> Verdict:
        await self._migrate(run)
        await self._expect(run)
        asked_at = self.database.clock.now()
        async with (
            aclosing(self.remote.pages(self.stream.name, run.checkpoint.cursor, run.window)) as pages,
            aclosing(ahead(pages, self.halt)) as following,
        ):
            async for page in following:
                if await self._land(run, page, asked_at):
                    return Verdict(Outcome.STREAM_PAUSED)
        return await self._close(run)

    async def _migrate(self, run: Run) -> None:
        """Have a cursor of an earlier version of the connector rewritten by this one."""
        version, before = self.remote.connector.version, run.cursor_version
        run.cursor_version = version
        if run.checkpoint.cursor is None or before in {None, version}:
            return
        cursor = await self.remote.migrate_cursor(self.stream.name, before or "", run.checkpoint.cursor)
        contract.check_cursor(cursor, self.secrets)
        async with self.database.unit_of_work(self.tenant_id) as work:
            await runs.advance(work, run, Counts(), cursor=cursor)

    async def _expect(self, run: Run) -> None:
        """Ask how much there is, where the whole stream is read and the remote side can tell."""
        if run.checkpoint.cursor is not None or run.pace is None:
            return
        if not any(control.stream == self.stream.name for control in self.remote.connector.declared(Control)):
            return
        if run.mode == RunMode.INCREMENTAL:  # the estimate before it was switched on is what is read now
            async with self.database.reading(self.tenant_id) as work:
                told = select(StreamState.expected_count).where(*runs.held(work, run), StreamState.seen_count == 0)
                run.pace.expected = await work.one(told)
            if run.pace.expected is not None:
                return
        try:
            run.pace.expected = (await self.remote.totals(self.stream.name, run.window)).count
        except ConnectorError as problem:  # nobody but the estimate needs it
            log.info("run.uncounted", stream=self.stream.name, error=type(problem).__name__)
            return
        async with self.database.unit_of_work(self.tenant_id) as work:
            await work.execute(
                update(StreamState).where(*runs.held(work, run)).values(expected_count=run.pace.expected)
            )

    async def _land(self, run: Run, page: Page | LinePage, asked_at: datetime) -> bool:
        """Land a page that was asked for at a time; whether so much was left out that the stream is paused."""
        checked = contract.check(page, self.stream, self.secrets)
        changes = self.watched.look(checked.page)
        if changes and self.watched.policy is DriftPolicy.STOP:
            return await self._stop_for(run, changes)
        before = run.checkpoint, run.counts
        try:
            async with self.database.unit_of_work(self.tenant_id) as work:
                await settle.announce(work, run)
                await self._wait_for_outcomes(work, checked.page, asked_at)
                await drift.note(work, run, self.watched, changes)
                paused = await self._land_checked(work, run, checked)
        except BaseException:
            run.checkpoint, run.counts = before
            raise
        if run.cancelled:
            self.halt.ask(Stop.CANCELLED)
        return paused

    async def _stop_for(self, run: Run, changes: Sequence[Change]) -> bool:
        """Leave a page alone that has other fields than before, until somebody has seen that."""
        async with self.database.unit_of_work(self.tenant_id) as work:
            await drift.note(work, run, self.watched, changes)
            await troubles.pause(work, run, drift.reason(changes))
        return True

    async def _land_checked(self, work: Writing, run: Run, checked: Checked) -> bool:
        page, refused = self.watched.admitted(checked.page), len(checked.refused)
        moved = page.cursor is not None and page.cursor != run.checkpoint.cursor
        if run.pace is not None:
            run.pace.share = page.progress
        await dead_letters.keep(work, run, checked.refused)
        landed = await land.merge(work, run, page)
        left_out = [reject.record_id for reject in (*landed.rejects, *(each.reject for each in checked.refused))]
        seen = await sweeps.note(work, run, page, [each for each in left_out if each]) if run.is_whole else 0
        extra = Counts(read=refused + checked.doubles, rejected=refused, doubles=checked.doubles)
        progress = {"cursor": page.cursor, "seen": run.checkpoint.seen + seen}
        await settle.identities(work, landed.described)
        await settle.note(work, landed.touched)
        await land.move_on(work, run, landed._replace(counts=landed.counts + extra), **progress)
        if self.troubled and moved:  # the same page again, before it breaks again, is no recovery
            await troubles.recover(work, run)
            self.troubled = False
        return await self._pause_if_too_much_is_left_out(work, run)

    async def _pause_if_too_much_is_left_out(self, work: Writing, run: Run) -> bool:
        read, rejected = run.counts.read, run.counts.rejected
        if rejected < FEW_REJECTS or rejected <= read * MANY_REJECTS:
            return False
        await troubles.pause(work, run, f"{rejected} of {read} records could not be taken.")
        work.emit(
            "integrations.RecordsRejected", self.integration_id, run=run.id.hex, stream=self.stream.name,
            rejected=rejected, read=read,
        )  # fmt: skip
        return True

    async def _close(self, run: Run) -> Verdict:
        """What follows when there are no more pages: because all are read, or because the run was asked to stop."""
        match self.halt.why:
            case None:
                if run.is_whole or await sweeps.listed(self.database, self.remote, run):
                    await sweeps.sweep(self.database, self.remote, run)
                await settle.noted(self.database, self.tenant_id, self.halt)
                await self._end(run)
                return Verdict(Outcome.FINISHED)
            case Stop.CANCELLED:
                await self._end(run, error="Cancelled.")
                return Verdict(Outcome.CANCELLED)
            case Stop.LOST:
                return Verdict(Outcome.LOST)
            case Stop.SHUTDOWN:
                async with self.database.unit_of_work(self.tenant_id) as work:
                    await runs.interrupt(work, run, "The worker was stopped; the run goes on with the next one.")
                return Verdict(Outcome.STOPPED)

    async def _end(self, run: Run, *, error: str | None = None) -> None:
        async with self.database.unit_of_work(self.tenant_id) as work:
            if error is None:
                await troubles.recover(work, run)
                gone = await drift.conclude(work, run, self.watched)
                if gone and self.watched.policy is DriftPolicy.STOP:
                    await troubles.pause(work, run, drift.reason(gone))
                    return
            await troubles.end(work, run, error=error)

    async def _wait_for_outcomes(self, work: Writing, page: Page | LinePage, asked_at: datetime) -> None:
        if await sending.is_unsettled(work, self.integration_id, self.stream.types):
            raise _Held
        if isinstance(page, Page) and await sending.is_behind(work, self.integration_id, page.records, asked_at):
            raise _Held

    async def _break(self, run: Run, problem: Exception) -> Verdict:
        """Try a page again that only came at the wrong moment; another one is the connector's mistake."""
        if _is_caused_by(problem, CROSSED):
            return await self._hold(run, "Others wrote the same at the same time.")
        if _is_caused_by(problem, (asyncpg.UniqueViolationError,)):  # no record can do that: somebody was faster
            return await self._meet(run, Transient("Others wrote the same at the same time."))
        name = type(problem).__name__
        return await self._meet(run, ContractViolation(f"A page could not be landed ({name})."))

    async def _hold(self, run: Run, why: str) -> Verdict:
        """Come back soon and ask anew: what we have made there is not new, and what we have changed there not news."""
        async with self.database.unit_of_work(self.tenant_id) as work:
            await runs.interrupt(work, run, why)
            return Verdict(Outcome.PARKED, work.now + HOLD)

    async def _meet(self, run: Run, problem: ConnectorError) -> Verdict:
        try:
            async with self.database.unit_of_work(self.tenant_id) as work:
                return await troubles.meet(work, self.integration_id, run, problem)
        except runs.LeaseLost:
            return Verdict(Outcome.LOST)
