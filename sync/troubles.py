"""What follows when a run cannot go on: who waits, until when, and who has to do something about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from domain.integrations import actions, queries, rules
from domain.integrations.model import Integration, IntegrationState, StreamState
from sync import runs
from sync.two_way import queue
from tenure_sdk import (
    AuthExpired,
    AuthRevoked,
    ConfigInvalid,
    ConnectorError,
    PermissionDenied,
    RateLimited,
    Transient,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from sync.runs import Run

log = structlog.get_logger()

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=1)
"""How long a stream waits before it is tried again, where the remote side does not say."""

MOST_FAILURES = 5
"""How often in a row a stream may fail by its connector's fault before the integration is quarantined."""


class Outcome(StrEnum):
    """How a run came to rest."""

    FINISHED = "FINISHED"
    STOPPED = "STOPPED"
    CANCELLED = "CANCELLED"
    LOST = "LOST"
    PARKED = "PARKED"
    FAILED = "FAILED"
    STREAM_PAUSED = "STREAM_PAUSED"
    INTEGRATION_STOPPED = "INTEGRATION_STOPPED"


@dataclass(frozen=True)
class Verdict:
    """How a run came to rest, and when its stream is to be tried again; None: not before somebody did something."""

    outcome: Outcome
    again_at: datetime | None = None


async def meet(work: Writing, integration_id: UUID, run: Run | None, problem: ConnectorError) -> Verdict:
    """Do what a problem calls for: park the run, stop the stream or the integration, or count a failure.

    Without a `run` the remote side could not even be reached. What has landed stays; a later run goes on after it.
    """
    integration = await queries.integration(work, integration_id, lock=True)
    match problem:
        case RateLimited():
            return await _park(work, integration, run, IntegrationState.RATE_LIMITED, problem, problem.retry_after)
        case Transient():
            return await _park(work, integration, run, IntegrationState.DEGRADED, problem, problem.retry_after)
        case AuthRevoked() | AuthExpired():
            return await _stop(work, integration, run, IntegrationState.NEEDS_REAUTH, problem)
        case ConfigInvalid():
            return await _stop(work, integration, run, IntegrationState.PAUSED, problem)
        case PermissionDenied() if run is not None:
            await pause(work, run, str(problem))
            return Verdict(Outcome.STREAM_PAUSED)
        case _:
            return await _count(work, integration, run, problem)


async def pause(work: Writing, run: Run, reason: str) -> None:
    """End a run and leave its stream alone until somebody resumes it; the other streams go on."""
    await end(work, run, error=reason)
    await pause_stream(work, run.integration_id, run.stream.name, reason)


async def pause_stream(work: Writing, integration_id: UUID, stream: str, reason: str) -> None:
    """Leave a stream alone until somebody resumes it."""
    entry = insert(StreamState).values(
        tenant_id=work.tenant_id, integration_id=integration_id, stream=stream, paused_reason=reason,
        updated_at=work.now,
    )  # fmt: skip
    same = ["tenant_id", "integration_id", "stream"]
    await work.execute(entry.on_conflict_do_update(index_elements=same, set_={"paused_reason": reason}))


async def end(work: Writing, run: Run, *, error: str | None = None) -> None:
    """End a run and tell of it."""
    await runs.finish(work, run, error=error, keep=True)
    about = {"error": error} if error else {}
    work.emit("integrations.RunEnded", run.integration_id, run=run.id.hex, stream=run.stream.name, **about)
    if run.first and error is None:
        work.emit("integrations.StreamRead", run.integration_id, stream=run.stream.name)


async def release(work: Writing, integration: Integration) -> None:
    """Try an integration again that was quarantined; its failures are forgotten. Raises WrongState."""
    rules.check_state(integration.state, IntegrationState.QUARANTINED)
    of = (StreamState.tenant_id == work.tenant_id, StreamState.integration_id == integration.id)
    await work.execute(update(StreamState).where(*of, StreamState.failures > 0).values(failures=0))
    integration.failures = 0
    await actions.move(work, integration, IntegrationState.ACTIVE)


async def recover(work: Writing, run: Run) -> None:
    """Take a stream and its integration for healthy again: something came through."""
    await work.execute(update(StreamState).where(*runs.of_lane(work, run), StreamState.failures > 0).values(failures=0))
    await came_through(work, run.integration_id)


async def came_through(work: Writing, integration_id: UUID) -> None:
    """Take an integration for healthy again: its next trouble begins anew, and what waited for its end is tried now."""
    integration = await queries.integration(work, integration_id, lock=True)
    before = integration.state
    if before in {IntegrationState.RATE_LIMITED, IntegrationState.DEGRADED}:
        await actions.move(work, integration, IntegrationState.ACTIVE)
    if before == IntegrationState.DEGRADED:  # how long to be quiet after too many calls, the other side has said
        await queue.resume(work, integration_id)
    integration.failures = 0


async def _park(
    work: Writing, integration: Integration, run: Run | None, state: IntegrationState, problem: ConnectorError,
    retry_after: float | None,
) -> Verdict:  # fmt: skip
    """Give the lease back until a time, rather than to sleep with it."""
    if run is not None:
        await runs.interrupt(work, run, str(problem))
    await _move(work, integration, state, problem)
    return Verdict(Outcome.PARKED, work.now + _pause(work, integration, retry_after))


def _pause(work: Writing, integration: Integration, retry_after: float | None) -> timedelta:
    """As the remote side said; else as long again as it has been in trouble."""
    if retry_after is not None:
        return timedelta(seconds=max(retry_after, 1.0))
    return min(max(work.now - (integration.state_since or work.now), SHORTEST), LONGEST)


async def _stop(
    work: Writing, integration: Integration, run: Run | None, state: IntegrationState, problem: ConnectorError
) -> Verdict:
    if run is not None:
        await runs.interrupt(work, run, str(problem))
    await _move(work, integration, state, problem)
    return Verdict(Outcome.INTEGRATION_STOPPED)


async def _count(work: Writing, integration: Integration, run: Run | None, problem: ConnectorError) -> Verdict:
    """A connector that breaks its contract is tried a few times, and then left alone until the operator releases it."""
    failures = 1 + (await _failures(work, run) if run is not None else integration.failures)
    integration.failures = failures
    if run is not None:
        await runs.interrupt(work, run, str(problem))
        await work.execute(update(StreamState).where(*runs.of_lane(work, run)).values(failures=failures))
    log.warning("run.failed", connector=integration.connector, failures=failures, error=type(problem).__name__)
    if failures >= MOST_FAILURES:
        await _move(work, integration, IntegrationState.QUARANTINED, problem)
        return Verdict(Outcome.INTEGRATION_STOPPED)
    return Verdict(Outcome.FAILED, work.now + min(SHORTEST * 2 ** (failures - 1), LONGEST))


async def _failures(work: Writing, run: Run) -> int:
    return await work.one(select(StreamState.failures).where(*runs.of_lane(work, run))) or 0


async def _move(work: Writing, integration: Integration, state: IntegrationState, problem: ConnectorError) -> None:
    """What an admin did meanwhile stands: only an integration that is being read changes by what its runs meet."""
    if integration.state in rules.READABLE:
        await actions.move(work, integration, state, str(problem))
        await work.flush()
