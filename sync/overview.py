"""How the integrations of a tenant are: in which state, how far behind, and what waits there for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from domain.core.problems import Invalid, NotFound
from domain.integrations import queries
from domain.integrations.model import (
    BulkDelete,
    DeadLetter,
    Integration,
    IntegrationState,
    LinkCandidate,
    ReconciliationReport,
    StreamState,
    SyncConflict,
    SyncDirection,
    SyncRun,
)
from sync import sweeps
from sync.landing.tables import sql
from sync.runs import is_free

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from domain.core.unit_of_work import Reading
    from domain.integrations.model import StreamSetting
    from sync.registry import Registry
    from tenure_sdk import Stream

WAITING: Mapping[str, tuple[type[Any], Any]] = {
    "conflicts": (SyncConflict, SyncConflict.resolution),
    "rejected records": (DeadLetter, DeadLetter.resolution),
    "large deletions": (BulkDelete, BulkDelete.decision),
    "doubtful links": (LinkCandidate, LinkCandidate.decision),
}
"""What waits for a person, and the column that is null as long as it does."""

_NEEDS_A_PERSON = frozenset({IntegrationState.NEEDS_REAUTH, IntegrationState.QUARANTINED})


class Ambiguous(Invalid):
    """Several integrations are called so. Name one by its id."""


@dataclass(frozen=True)
class StreamView:
    """A stream of an integration."""

    name: str
    direction: str
    known: int | None
    """How many records of it are here; None for what has no records of its own, such as products."""
    lag: timedelta | None
    """How long ago it was read to its end; None before the first time."""
    is_read: bool
    """Whether a run is at work now."""
    idle_because: str | None
    """Why it is not read though the integration is active."""


@dataclass(frozen=True)
class View:
    """An integration at a glance."""

    integration: Integration
    streams: Sequence[StreamView]
    waiting: Mapping[str, int]
    report: ReconciliationReport | None
    """The last comparison of both sides; None before."""

    @property
    def lag(self) -> timedelta | None:
        """That of the stream that is furthest behind; None while one of those switched on was never read."""
        lags = [stream.lag for stream in self.streams if stream.idle_because is None]
        known = [lag for lag in lags if lag is not None]
        return max(known) if known and len(known) == len(lags) else None

    @property
    def records(self) -> int:
        """How many records of it are here."""
        return sum(stream.known or 0 for stream in self.streams)

    @property
    def attention(self) -> list[str]:
        """What a person has to look at, in words."""
        found = [f"{count:,} {what}" for what, count in self.waiting.items() if count]
        if self.integration.state in _NEEDS_A_PERSON:
            found.insert(0, self.integration.reason or self.integration.state)
        paused = [stream for stream in self.streams if stream.idle_because not in {None, OFF}]
        return found + [f"{stream.name}: {stream.idle_because}" for stream in paused]


OFF = "switched off"


async def every(work: Reading) -> list[Integration]:
    """The integrations of a tenant, the oldest first."""
    of = select(Integration).where(Integration.tenant_id == work.tenant_id)
    return list(await work.all(of.order_by(Integration.id)))


async def named(work: Reading, name: str) -> Integration:
    """The integration of an id, as the API shows it, or of a connector or label that only one has.

    Raises NotFound, which says what there is, or Ambiguous.
    """
    known = await every(work)
    plain = name.removeprefix("ing_").replace("-", "")
    found = [each for each in known if each.id.hex == plain] or [
        each for each in known if name in {each.connector, each.label}
    ]
    if len(found) > 1:
        raise Ambiguous(", ".join(f"ing_{each.id.hex}" for each in found))
    if not found:
        there = ", ".join(f"{each.connector} (ing_{each.id.hex})" for each in known) or "none"
        raise NotFound(f"There is no integration {name}; there are: {there}.")
    return found[0]


async def view(work: Reading, registry: Registry, integration: Integration) -> View:
    """How one integration is."""
    connector = registry.connectors.get(integration.connector)
    settings = await queries.settings(work, integration.id)
    states = await _states(work, integration.id)
    streams = [
        await _stream(work, integration.id, stream, settings.get(stream.name), states.get(stream.name))
        for stream in (connector.streams() if connector else ())
    ]
    waiting = {what: await _count(work, integration.id, *where) for what, where in WAITING.items()}
    return View(integration, streams, waiting, await _report(work, integration.id))


async def runs_of(work: Reading, integration_id: UUID, since: datetime) -> list[SyncRun]:
    """The runs that are open, or ended after a moment, the oldest first."""
    of = SyncRun.tenant_id == work.tenant_id, SyncRun.integration_id == integration_id
    recent = SyncRun.ended_at.is_(None) | (SyncRun.ended_at >= since)
    found = select(SyncRun).where(*of, recent).order_by(SyncRun.id).execution_options(populate_existing=True)
    return list(await work.all(found))


async def _stream(
    work: Reading, integration_id: UUID, stream: Stream, setting: StreamSetting | None, state: StreamState | None
) -> StreamView:
    off = OFF if setting is not None and not setting.enabled else None
    return StreamView(
        name=stream.name,
        direction=setting.direction if setting is not None else SyncDirection.READ_ONLY,
        known=await _known(work, integration_id, stream),
        lag=None if state is None or state.read_until is None else work.now - state.read_until,
        is_read=state is not None and not is_free(state, work.now),
        idle_because=off or (state.paused_reason if state is not None else None),
    )


async def _known(work: Reading, integration_id: UUID, stream: Stream) -> int | None:
    kinds = [sweeps.KNOWN[kind] for kind in stream.types if kind in sweeps.KNOWN]
    if not kinds:
        return None
    binds = {"tenant": work.tenant_id, "integration": integration_id, "stream": stream.name}
    statement = f"SELECT count(*) FROM ({' UNION ALL '.join(kinds)}) AS known"
    asked = {name: value for name, value in binds.items() if f":{name}" in statement}
    return int((await work.rows(sql(statement), asked))[0][0])


async def _states(work: Reading, integration_id: UUID) -> dict[str, StreamState]:
    of = StreamState.tenant_id == work.tenant_id, StreamState.integration_id == integration_id
    return {state.stream: state for state in await work.all(select(StreamState).where(*of))}


async def _count(work: Reading, integration_id: UUID, model: type[Any], decided: Any) -> int:
    of = model.tenant_id == work.tenant_id, model.integration_id == integration_id
    return int(await work.one(select(func.count()).select_from(model).where(*of, decided.is_(None))) or 0)


async def _report(work: Reading, integration_id: UUID) -> ReconciliationReport | None:
    of = (
        ReconciliationReport.tenant_id == work.tenant_id,
        ReconciliationReport.integration_id == integration_id,
    )
    return await work.one(select(ReconciliationReport).where(*of).order_by(ReconciliationReport.id.desc()).limit(1))


def accuracy(report: ReconciliationReport) -> float:
    """The share of what was compared that is alike; 1 where there was nothing to compare."""
    return report.matching / report.compared if report.compared else 1.0
