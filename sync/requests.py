"""What people ask of the syncs: read now, stop, read from the start again, go on with a stream that was paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from domain.core import events
from domain.core.events import DueWork
from domain.core.problems import Conflict, NotFound
from domain.integrations import queries, rules
from domain.integrations.model import RunMode, StreamState, SyncRun
from sync import runs
from sync.runs import BACKFILL
from tenure_sdk import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing

SYNC = "sync"
"""The kind of due work that reads a stream; its key is `<integration>:<stream>`, for the past `<stream>#backfill`."""


class RunOver(Conflict):
    """This run has ended. What it has read stays."""


def key_of(integration_id: UUID, lane: str) -> str:
    """The key of the due work that reads a stream."""
    return f"{integration_id.hex}:{lane}"


async def request_sync(
    work: Writing, integration_id: UUID, streams: Sequence[str], mode: RunMode, window: Window | None = None,
    requested_by: UUID | None = None,
) -> list[UUID]:  # fmt: skip
    """Have streams read as soon as there is room, whatever their schedule says; the runs that will do it.

    Without a window each goes as far back as its setting says. The names are those of the connector. Raises NotFound,
    or WrongState where the integration is not read.
    """
    integration = await queries.integration(work, integration_id)
    if integration.state not in rules.READABLE:
        raise rules.WrongState(f"The integration is {integration.state}: its streams are not read.")
    settings = await queries.settings(work, integration_id)
    asked = []
    for stream in streams:
        bounds = window or Window(settings[stream].since if stream in settings else None)
        run = SyncRun(
            id=work.ids(), integration_id=integration_id, stream=stream, mode=mode,
            window_start=bounds.start, window_end=bounds.end, requested_by=requested_by, started_at=work.now,
            counters={},
        )  # fmt: skip
        work.add(run)
        asked.append(run.id)
        lane = key_of(integration_id, runs.lane_of(stream, mode))
        await events.make_due(work.session, work.tenant_id, SYNC, lane, work.now)
    work.audit(
        "integrations.request_sync", f"integration:{integration_id.hex}",
        after={"streams": list(streams), "mode": mode.value},
    )  # fmt: skip
    await work.flush()
    return asked


async def next_request(work: Writing, integration_id: UUID, lane: str) -> SyncRun | None:
    """The oldest run that somebody asked for and nobody has begun."""
    stream, is_backfill = lane.removesuffix(BACKFILL), lane.endswith(BACKFILL)
    found = await work.all(
        select(SyncRun)
        .where(
            SyncRun.tenant_id == work.tenant_id,
            SyncRun.integration_id == integration_id,
            SyncRun.stream == stream,
            SyncRun.ended_at.is_(None),
            SyncRun.counters == {},
            (SyncRun.mode == RunMode.BACKFILL) == is_backfill,
        )
        .order_by(SyncRun.id)
        .limit(1)
    )
    return found[0] if found else None


async def is_due(work: Reading, integration_id: UUID) -> bool:
    """Whether a stream of an integration is to be read now."""
    due = select(DueWork.key).where(
        DueWork.tenant_id == work.tenant_id, DueWork.kind == SYNC, DueWork.due_at <= work.now,
        DueWork.key.startswith(key_of(integration_id, ""), autoescape=True),
    )  # fmt: skip
    return bool(await work.all(due.limit(1)))


async def cancel(work: Writing, run_id: UUID) -> None:
    """Stop a run: one that waits at once, one at work after the page under way. Raises NotFound or RunOver."""
    run = await work.one(
        select(SyncRun)
        .where(SyncRun.tenant_id == work.tenant_id, SyncRun.id == run_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if run is None:
        raise NotFound(id=str(run_id))
    if run.ended_at is not None:
        raise RunOver(id=str(run_id))
    run.cancelled_at = work.now
    await work.flush()
    if not await _is_at_work(work, run):
        await runs.abandon(work, run_id, "Cancelled.")
        work.emit("integrations.RunEnded", run.integration_id, run=run.id.hex, stream=run.stream, error="Cancelled.")
    work.audit("integrations.cancel_sync", f"run:{run_id.hex}", after={"stream": run.stream})


async def reset_cursor(work: Writing, integration_id: UUID, stream: str) -> None:
    """Have the next run of a stream read it from the start; nothing is dropped. Raises StreamBusy while one reads."""
    integration = await queries.integration(work, integration_id)
    checkpoint = await runs.forget(work, integration, stream)
    if checkpoint is not None and not checkpoint.over:
        await runs.abandon(work, checkpoint.run, "The cursor was reset.")
    work.audit("integrations.reset_cursor", f"integration:{integration_id.hex}", after={"stream": stream})


async def resume_stream(work: Writing, integration_id: UUID, stream: str) -> None:
    """Read a stream again that was paused by itself: for want of a permission, or for too many rejected records."""
    resumed = await work.execute(
        update(StreamState)
        .where(
            StreamState.tenant_id == work.tenant_id,
            StreamState.integration_id == integration_id,
            StreamState.stream == stream,
            StreamState.paused_reason.is_not(None),
        )
        .values(paused_reason=None, failures=0)
    )
    if resumed.rowcount:
        await events.make_due(work.session, work.tenant_id, SYNC, key_of(integration_id, stream), work.now)
        work.audit("integrations.resume_stream", f"integration:{integration_id.hex}", after={"stream": stream})


async def _is_at_work(work: Writing, run: SyncRun) -> bool:
    """Whether somebody holds the lease of the run's stream for it now."""
    state = await work.one(
        select(StreamState).where(
            StreamState.tenant_id == work.tenant_id,
            StreamState.integration_id == run.integration_id,
            StreamState.stream == runs.lane_of(run.stream, run.mode),
        )
    )
    return state is not None and not runs.is_free(state, work.now) and (state.cursor or {}).get("run") == str(run.id)
