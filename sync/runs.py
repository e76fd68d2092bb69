"""Runs: who may read a stream, how far it has come, and what it found; all of it moves with the page it belongs to."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from domain.core.problems import Conflict
from domain.core.statements import statement
from domain.integrations.model import (
    Integration,
    IntegrationState,
    RunMode,
    SeenRecord,
    StagedLine,
    StreamState,
    SyncRun,
)
from tenure_sdk import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import TextClause

    from domain.core.unit_of_work import Reading, Writing
    from tenure_sdk import Account, Stream

LEASE = timedelta(seconds=60)
"""How long a run may be silent before another one takes its stream over."""

ALL = Window()

BACKFILL = "#backfill"
"""What follows a stream's name where its past is read beside its present: a lease and a cursor of their own."""


class StreamBusy(Conflict):
    """Another run is reading this stream. Wait until it has ended; what it has read stays."""


class LeaseLost(Conflict):
    """Another run has taken this stream over. This one stops; nothing of its last page was kept."""


class Counts(msgspec.Struct):
    """What a run has found so far: rows read and records merged."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0
    doubles: int = 0
    """Rows that a later one of the same page made obsolete."""
    strangers: int = 0
    """Interactions of which nobody is known here; they were not kept."""
    unreadable: int = 0
    """Values that could not be read; their records landed without them."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(_fields(self), _fields(other), strict=True)))


def _fields(counts: Counts) -> tuple[int, ...]:
    return msgspec.structs.astuple(counts)


class Checkpoint(msgspec.Struct, frozen=True):
    """From where a run goes on after a crash."""

    run: UUID
    cursor: Any = None
    """The connector's."""
    staged: int = 0
    """How many lines wait for their documents."""
    read: bool = False
    """Whether the stream was read to its end, so that the waiting documents can be made."""
    described: str = ""
    """The last customer that was made of waiting lines."""
    made: tuple[str, str] | None = None
    """The last document that was made of waiting lines: its record type and id."""
    seen: int = 0
    """How many ids of a whole reading are kept, to tell in the end which ones it did not bring."""
    lost: bool = False
    """Whether the cursor before was lost, so that deletions may have gone unheard."""
    over: bool = False
    """Whether the run has ended: the next one begins after the cursor."""


@dataclass
class Pace:
    """How fast a run is, and when it may be over."""

    began_at: datetime
    began_with: int
    """How many rows it had read before."""
    expected: int | None = None
    """How many records the remote side says there are."""
    share: float | None = None
    """How much of the run the connector says is read, 0 to 1."""

    def told(self, read: int, now: datetime) -> dict[str, Any]:
        """What people see of it: `expected`, `rate` in rows per second, `ends_at`; each only where it is known."""
        seconds = (now - self.began_at).total_seconds()
        rate = (read - self.began_with) / seconds if seconds > 0 else 0.0
        left = self._left(read, rate, seconds)
        shown = {
            "expected": self.expected,
            "rate": round(rate, 1) if rate else None,
            "ends_at": None if left is None else (now + timedelta(seconds=round(left))).isoformat(),
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _left(self, read: int, rate: float, seconds: float) -> float | None:
        if self.expected is not None and rate:
            return max(self.expected - read, 0) / rate
        if self.share and not self.began_with:
            return seconds * (1 - self.share) / self.share
        return None


@dataclass
class Run:
    """A run that holds the lease of its stream."""

    id: UUID
    tenant_id: UUID
    integration_id: UUID
    source: str
    """`connector:account`, as facts and claims name it."""
    stream: Stream
    owner: str
    fence: int
    checkpoint: Checkpoint
    counts: Counts
    lane: str = ""
    """Under which name its lease and its cursor are kept: that of the stream, unless it runs beside it."""
    mode: str = RunMode.FULL
    window: Window = ALL
    cursor_version: str | None = None
    """The version of the connector that wrote the cursor."""
    cancelled: bool = False
    """Whether somebody asked it to stop, as of its last page."""
    resumed: bool = False
    first: bool = False
    """Whether the stream was never read to its end before."""
    pace: Pace | None = None

    @property
    def binds(self) -> dict[str, Any]:
        """What statements about this run bind."""
        rebuild = self.mode == RunMode.REBUILD
        return {"tenant": self.tenant_id, "integration": self.integration_id, "run": self.id, "rebuild": rebuild}

    @property
    def is_whole(self) -> bool:
        """Whether it reads all that the stream has, so that what it does not bring is gone."""
        return self.mode != RunMode.BACKFILL and self.stream.deletes == "snapshot"

    @property
    def goes_by_cursor(self) -> bool:
        """Whether the next run goes on where this one ended."""
        return self.mode != RunMode.BACKFILL and self.stream.cursor is not None and not self.is_whole


def lane_of(stream: str, mode: str) -> str:
    """Under which name the lease and the cursor of a stream are kept, for runs of a mode."""
    return f"{stream}{BACKFILL}" if mode == RunMode.BACKFILL else stream


async def enabled(work: Writing, connector: str, account: Account) -> Integration:
    """The integration of a connector and an account: the one there is, or a new one that reads only."""
    entry = insert(Integration).values(
        tenant_id=work.tenant_id, id=work.ids(), connector=connector, account=account.id, label=account.label,
        config={}, state=IntegrationState.ACTIVE, created_at=work.now, updated_at=work.now,
    )  # fmt: skip
    await work.execute(entry.on_conflict_do_nothing(index_elements=["tenant_id", "connector", "account"]))
    found = await work.one(
        select(Integration).where(
            Integration.tenant_id == work.tenant_id,
            Integration.connector == connector,
            Integration.account == account.id,
        )
    )
    assert found is not None  # noqa: S101 - it was there, or it was just written
    return found


async def begin(
    work: Writing, integration: Integration, stream: Stream, *, mode: str, resume: bool = True,
    window: Window | None = None, request: UUID | None = None, beside: str = "",
) -> Run:  # fmt: skip
    """Take the lease of a stream and open a run, or go on with the one that could not end.

    An INCREMENTAL run goes on with whatever is open, or after the cursor of the last one; any other begins anew unless
    one of its own mode is open. `request` is the run that somebody asked for; `beside` names a lease of its own, for
    what does not get in the way of the stream's readings. Raises StreamBusy while another live run has the lease.
    """
    lane = lane_of(stream.name, mode) + beside
    state = await _locked_state(work, integration, lane)
    _check_free(state, work.now)
    checkpoint = msgspec.convert(state.cursor, Checkpoint) if state.cursor else None
    before = None if checkpoint is None or checkpoint.over else await _row(work, checkpoint.run)
    whole = checkpoint is not None and await _is_whole(work, checkpoint)
    if before and not (resume and whole and mode in {RunMode.INCREMENTAL, before.mode}):
        await abandon(work, before.id, "Interrupted; another run began from the start.")
        before = None
    row = before or await _opened(work, integration, stream, mode, window, request)
    run = Run(
        id=row.id, tenant_id=work.tenant_id, integration_id=integration.id,
        source=f"{integration.connector}:{integration.account}", stream=stream, lane=lane, owner=me(),
        fence=state.fence,
        checkpoint=Checkpoint(run=row.id), counts=msgspec.convert(row.counters, Counts), mode=row.mode,
        window=Window(row.window_start, row.window_end), cursor_version=state.cursor_version,
        resumed=before is not None, first=lane == stream.name and state.read_until is None,
    )  # fmt: skip
    if checkpoint is not None and before:
        run.checkpoint = checkpoint
    elif checkpoint is not None and mode == RunMode.INCREMENTAL and run.goes_by_cursor and whole:
        run.checkpoint = Checkpoint(run=row.id, cursor=checkpoint.cursor)
    run.fence = await _move(work, run, run.checkpoint, fence=state.fence + 1)
    await _note(work, run, error=None)
    return run


async def advance(work: Writing, run: Run, found: Counts, **progress: Any) -> None:
    """Move cursor, counters and lease with the page of this transaction. Raises LeaseLost when another run took over.

    `progress` is what changes in the checkpoint.
    """
    run.checkpoint = msgspec.structs.replace(run.checkpoint, **progress)
    run.counts = run.counts + found
    await _move(work, run, run.checkpoint, fence=run.fence)
    await _note(work, run)


async def renew(work: Writing, run: Run) -> None:
    """Keep the lease while nothing lands, and learn whether the run is to stop. Raises LeaseLost.

    One that the run itself has given back meanwhile stays free.
    """
    ours = (*held(work, run), StreamState.lease_owner == run.owner)
    kept = await work.execute(update(StreamState).where(*ours).values(lease_until=work.now + LEASE))
    if not kept.rowcount:
        raise LeaseLost
    run.cancelled = await work.one(select(SyncRun.cancelled_at).where(*_this(SyncRun, work, run.id))) is not None


async def restart(work: Writing, run: Run) -> None:
    """Read the stream from its start: what waited of the earlier reading is dropped."""
    await _drop_staged(work, run.id)
    run.checkpoint, run.counts = Checkpoint(run=run.id), Counts()
    await advance(work, run, Counts())


async def finish(work: Writing, run: Run, *, error: str | None = None, keep: bool = False) -> None:
    """End a run for good and give the lease back: it read everything, or it cannot go on (`error`).

    With `keep` the next run begins after the cursor, where the stream goes by one.
    """
    await _drop_staged(work, run.id)
    goes_on = keep and run.goes_by_cursor
    after = Checkpoint(run=run.id, cursor=run.checkpoint.cursor, over=True) if goes_on else None
    await _move(work, run, after, fence=run.fence, free=True)
    await _note(work, run, ended_at=work.now, error=error)
    if error is None:
        began = select(SyncRun.started_at).where(*_this(SyncRun, work, run.id)).scalar_subquery()
        await work.execute(update(StreamState).where(*held(work, run)).values(read_until=began))


async def interrupt(work: Writing, run: Run, error: str) -> None:
    """Give the lease of a run back that could not go on; the next one continues from its checkpoint."""
    await _move(work, run, run.checkpoint, fence=run.fence, free=True)
    await _note(work, run, error=error)


async def expect(work: Writing, integration_id: UUID, counted: Mapping[str, int]) -> None:
    """Remember how much the other side said there is of streams that were not read yet: it need not count again."""
    for stream, count in counted.items():
        entry = insert(StreamState).values(
            tenant_id=work.tenant_id, integration_id=integration_id, stream=stream, expected_count=count,
            updated_at=work.now,
        )  # fmt: skip
        same = ["tenant_id", "integration_id", "stream"]
        known = {"expected_count": count, "updated_at": work.now}
        await work.execute(
            entry.on_conflict_do_update(index_elements=same, set_=known, where=StreamState.seen_count == 0)
        )


def held(work: Reading, run: Run) -> tuple[Any, ...]:
    """The state of the stream while this run holds it."""
    return *of_lane(work, run), StreamState.fence == run.fence


def of_lane(work: Reading, run: Run) -> tuple[Any, ...]:
    """The state of the stream, whoever holds it."""
    return (
        StreamState.tenant_id == work.tenant_id,
        StreamState.integration_id == run.integration_id,
        StreamState.stream == run.lane,
    )


async def abandon(work: Writing, run_id: UUID, why: str) -> None:
    """End a run that nobody works on."""
    await _drop_staged(work, run_id)
    await work.execute(
        update(SyncRun)
        .where(*_this(SyncRun, work, run_id), SyncRun.ended_at.is_(None))
        .values(ended_at=work.now, error=why)
    )


async def forget(work: Writing, integration: Integration, stream: str) -> Checkpoint | None:
    """Forget how far a stream has been read, and return it. Raises StreamBusy while a run reads it."""
    state = await _locked_state(work, integration, stream)
    _check_free(state, work.now)
    checkpoint = msgspec.convert(state.cursor, Checkpoint) if state.cursor else None
    state.cursor = None
    await work.flush()
    return checkpoint


async def _locked_state(work: Writing, integration: Integration, lane: str) -> StreamState:
    entry = insert(StreamState).values(
        tenant_id=work.tenant_id, integration_id=integration.id, stream=lane, updated_at=work.now
    )
    await work.execute(entry.on_conflict_do_nothing())
    state = await work.one(
        select(StreamState)
        .where(
            StreamState.tenant_id == work.tenant_id,
            StreamState.integration_id == integration.id,
            StreamState.stream == lane,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    assert state is not None  # noqa: S101 - it was there, or it was just written
    return state


def _check_free(state: StreamState, now: datetime) -> None:
    if not is_free(state, now):
        owner = state.lease_owner
        raise StreamBusy(
            f"Another run ({owner}) is reading this stream. Wait until it has ended; what it has read stays."
        )


def is_free(state: StreamState, now: datetime) -> bool:
    """Whether nobody who is alive holds the lease."""
    owner, until = state.lease_owner, state.lease_until
    return owner is None or until is None or until <= now or _is_dead(owner)


def me() -> str:
    """This process, so that others on the same machine see when it is gone."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_dead(owner: str) -> bool:
    """Whether a lease belongs to a process of this machine that is no more."""
    host, _, pid = owner.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


async def _is_whole(work: Writing, checkpoint: Checkpoint) -> bool:
    """Whether the lines that wait, or the ids that were seen, are all there, and the connector can go on after them.

    A crash of the database empties their tables.
    """
    if checkpoint.seen and not await _has_seen(work, checkpoint):
        return False
    if not checkpoint.staged:
        return True
    found = await work.one(select(func.count()).select_from(StagedLine).where(*_staged(work, checkpoint.run)))
    return found == checkpoint.staged and (checkpoint.read or checkpoint.cursor is not None)


async def _has_seen(work: Writing, checkpoint: Checkpoint) -> bool:
    kept = (SeenRecord.tenant_id == work.tenant_id, SeenRecord.run_id == checkpoint.run)
    return await work.one(select(func.count()).select_from(SeenRecord).where(*kept)) == checkpoint.seen


async def _row(work: Writing, run_id: UUID) -> SyncRun | None:
    """The run behind a checkpoint, unless it was ended meanwhile."""
    open_ = (*_this(SyncRun, work, run_id), SyncRun.ended_at.is_(None))
    return await work.one(select(SyncRun).where(*open_).execution_options(populate_existing=True))


async def _opened(
    work: Writing, integration: Integration, stream: Stream, mode: str, window: Window | None, request: UUID | None
) -> SyncRun:
    """The run that was asked for, or a new one."""
    asked = None if request is None else await _row(work, request)
    if asked is not None:
        return asked
    bounds = window or Window()
    row = SyncRun(
        id=work.ids(), integration_id=integration.id, stream=stream.name, mode=mode, window_start=bounds.start,
        window_end=bounds.end, started_at=work.now, counters=msgspec.to_builtins(Counts()),
    )  # fmt: skip
    work.add(row)
    await work.flush()
    return row


async def _drop_staged(work: Writing, run_id: UUID) -> None:
    """Drop what was kept only until the end of a run."""
    await work.execute(delete(StagedLine).where(*_staged(work, run_id)))
    await work.execute(delete(SeenRecord).where(SeenRecord.tenant_id == work.tenant_id, SeenRecord.run_id == run_id))


def _staged(work: Writing, run_id: UUID) -> tuple[Any, ...]:
    return StagedLine.tenant_id == work.tenant_id, StagedLine.run_id == run_id


def _this(model: type[SyncRun], work: Writing, run_id: UUID) -> tuple[Any, ...]:
    return model.tenant_id == work.tenant_id, model.id == run_id


_MOVE = statement(
    """
UPDATE stream_states SET cursor = :cursor, fence = :next, lease_owner = :owner, lease_until = :until,
    cursor_version = :version, seen_count = :seen, updated_at = :now
WHERE tenant_id = :tenant AND integration_id = :integration AND stream = :lane AND fence = :fence
""",
    cursor=JSONB(none_as_null=True),
)


async def _move(work: Writing, run: Run, checkpoint: Checkpoint | None, *, fence: int, free: bool = False) -> int:
    """Write the state of the stream behind the fence: only the run that holds it can."""
    whose = {"tenant": work.tenant_id, "integration": run.integration_id, "lane": run.lane, "fence": run.fence}
    lease = {"owner": None, "until": None} if free else {"owner": run.owner, "until": work.now + LEASE}
    come = {
        "cursor": None if checkpoint is None else msgspec.to_builtins(checkpoint), "next": fence,
        "version": run.cursor_version, "seen": run.counts.read, "now": work.now,
    }  # fmt: skip
    moved = await work.execute(_MOVE, whose | lease | come)
    if not moved.rowcount:
        raise LeaseLost
    return fence


async def _note(work: Writing, run: Run, **values: Any) -> None:
    counters = msgspec.to_builtins(run.counts) | (run.pace.told(run.counts.read, work.now) if run.pace else {})
    this = {"tenant": work.tenant_id, "run": run.id, "counters": counters}
    noted = await work.execute(_noting(tuple(values)), this | values)
    run.cancelled = noted.scalar_one() is not None


@cache
def _noting(columns: tuple[str, ...]) -> TextClause:
    """A statement that writes the counters of a run and these columns, and says when somebody asked it to stop."""
    noted = ", ".join(f"{name} = :{name}" for name in ("counters", *columns))
    return statement(
        f"UPDATE sync_runs SET {noted} WHERE tenant_id = :tenant AND id = :run RETURNING cancelled_at", counters=JSONB()
    )
