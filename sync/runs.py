"""Runs: who may read a stream, how far it has come, and what it found; all of it moves with the page it belongs to."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from domain.core.problems import Conflict
from domain.integrations.model import Integration, IntegrationState, StagedLine, StreamState, SyncRun

if TYPE_CHECKING:
    from domain.core.unit_of_work import Writing
    from tenure_sdk import Account, Stream

LEASE = timedelta(seconds=60)


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
    made: tuple[str, str] | None = None
    """The last document that was made of waiting lines: its record type and id."""


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

    @property
    def binds(self) -> dict[str, UUID]:
        """What statements about this run bind."""
        return {"tenant": self.tenant_id, "integration": self.integration_id, "run": self.id}


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


async def begin(work: Writing, integration: Integration, stream: Stream, *, mode: str, resume: bool = True) -> Run:
    """Take the lease of a stream and open a run, or go on with the one that a crash left open.

    Raises StreamBusy while another live run has the lease.
    """
    state = await _locked_state(work, integration, stream)
    _check_free(state, work.now)
    checkpoint = msgspec.convert(state.cursor, Checkpoint) if state.cursor else None
    if checkpoint and not (resume and await _is_whole(work, checkpoint)):
        await _abandon(work, checkpoint)
        checkpoint = None
    counts = Counts()
    if checkpoint:
        stored = await work.one(select(SyncRun.counters).where(*_this(SyncRun, work, checkpoint.run)))
        counts = msgspec.convert(stored or {}, Counts)
    else:
        checkpoint = Checkpoint(run=work.ids())
        work.add(
            SyncRun(
                id=checkpoint.run, integration_id=integration.id, stream=stream.name, mode=mode, started_at=work.now,
                counters=msgspec.to_builtins(counts),
            )
        )  # fmt: skip
    run = Run(
        id=checkpoint.run, tenant_id=work.tenant_id, integration_id=integration.id,
        source=f"{integration.connector}:{integration.account}", stream=stream, owner=_me(), fence=state.fence,
        checkpoint=checkpoint, counts=counts,
    )  # fmt: skip
    run.fence = await _move(work, run, checkpoint, fence=state.fence + 1)
    return run


async def advance(work: Writing, run: Run, found: Counts, **progress: Any) -> None:
    """Move cursor, counters and lease with the page of this transaction. Raises LeaseLost when another run took over.

    `progress` is what changes in the checkpoint.
    """
    run.checkpoint = msgspec.structs.replace(run.checkpoint, **progress)
    run.counts = run.counts + found
    await _move(work, run, run.checkpoint, fence=run.fence)
    await _note(work, run)


async def restart(work: Writing, run: Run) -> None:
    """Read the stream from its start: what waited of the earlier reading is dropped."""
    await _drop_staged(work, run.id)
    run.checkpoint, run.counts = Checkpoint(run=run.id), Counts()
    await advance(work, run, Counts())


async def finish(work: Writing, run: Run, *, error: str | None = None) -> None:
    """End a run for good and give the lease back: it read everything, or its input cannot be read (`error`)."""
    await _drop_staged(work, run.id)
    await _move(work, run, None, fence=run.fence, free=True)
    await _note(work, run, ended_at=work.now, error=error)


async def interrupt(work: Writing, run: Run, error: str) -> None:
    """Give the lease of a run back that could not go on; the next one continues from its checkpoint."""
    await _move(work, run, run.checkpoint, fence=run.fence, free=True)
    await _note(work, run, error=error)


async def _locked_state(work: Writing, integration: Integration, stream: Stream) -> StreamState:
    entry = insert(StreamState).values(
        tenant_id=work.tenant_id, integration_id=integration.id, stream=stream.name, updated_at=work.now
    )
    await work.execute(entry.on_conflict_do_nothing())
    state = await work.one(
        select(StreamState)
        .where(
            StreamState.tenant_id == work.tenant_id,
            StreamState.integration_id == integration.id,
            StreamState.stream == stream.name,
        )
        .with_for_update()
    )
    assert state is not None  # noqa: S101 - it was there, or it was just written
    return state


def _check_free(state: StreamState, now: datetime) -> None:
    owner, until = state.lease_owner, state.lease_until
    if owner is None or until is None or until <= now or _is_dead(owner):
        return
    raise StreamBusy(f"Another run ({owner}) is reading this stream. Wait until it has ended; what it has read stays.")


def _me() -> str:
    """This process, so that others on the same machine see when it is gone."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_dead(owner: str) -> bool:
    """Whether a lease belongs to a process of this machine that is no more (or to this one, which asks anew)."""
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
    """Whether the lines that wait are all there, and the connector can go on after them.

    A crash of the database empties their table.
    """
    if not checkpoint.staged:
        return True
    found = await work.one(select(func.count()).select_from(StagedLine).where(*_staged(work, checkpoint.run)))
    return found == checkpoint.staged and (checkpoint.read or checkpoint.cursor is not None)


async def _abandon(work: Writing, checkpoint: Checkpoint) -> None:
    await _drop_staged(work, checkpoint.run)
    await work.execute(
        update(SyncRun)
        .where(*_this(SyncRun, work, checkpoint.run), SyncRun.ended_at.is_(None))
        .values(ended_at=work.now, error="Interrupted; another run began from the start.")
    )


async def _drop_staged(work: Writing, run_id: UUID) -> None:
    await work.execute(delete(StagedLine).where(*_staged(work, run_id)))


def _staged(work: Writing, run_id: UUID) -> tuple[Any, ...]:
    return StagedLine.tenant_id == work.tenant_id, StagedLine.run_id == run_id


def _this(model: type[SyncRun], work: Writing, run_id: UUID) -> tuple[Any, ...]:
    return model.tenant_id == work.tenant_id, model.id == run_id


async def _move(work: Writing, run: Run, checkpoint: Checkpoint | None, *, fence: int, free: bool = False) -> int:
    """Write the state of the stream behind the fence: only the run that holds it can."""
    moved = await work.execute(
        update(StreamState)
        .where(
            StreamState.tenant_id == work.tenant_id,
            StreamState.integration_id == run.integration_id,
            StreamState.stream == run.stream.name,
            StreamState.fence == run.fence,
        )
        .values(
            cursor=None if checkpoint is None else msgspec.to_builtins(checkpoint), fence=fence,
            lease_owner=None if free else run.owner, lease_until=None if free else work.now + LEASE,
            updated_at=work.now,
        )
    )  # fmt: skip
    if not moved.rowcount:
        raise LeaseLost
    return fence


async def _note(work: Writing, run: Run, **values: Any) -> None:
    await work.execute(
        update(SyncRun).where(*_this(SyncRun, work, run.id)).values(counters=msgspec.to_builtins(run.counts), **values)
    )
