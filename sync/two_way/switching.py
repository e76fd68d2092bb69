"""Switching a stream on to be written: what that would do, seen before; then everybody is compared, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select, update

from domain.core.events import make_due
from domain.customers.model import Customer
from domain.integrations import actions, queries
from domain.integrations.model import (
    ChangeStatus,
    LinkCandidate,
    OutboundChange,
    StreamState,
    SyncConflict,
    SyncDirection,
)
from sync import requests
from sync.two_way import comparing, first_readings, queue
from tenure_sdk import Push

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing
    from domain.integrations.model import Integration, StreamSetting
    from sync.registry import Registry
    from tenure_sdk import Connector

COMPARE = "compare"
"""The kind of due work that compares all customers with an integration; its key is `<integration>:<last customer>`."""

PORTION = 500
_SHOWN = 50
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Preview:
    """What pushing would do: how many would be made, changed or asked about, and the first of each change."""

    creates: int = 0
    updates: int = 0
    conflicts: int = 0
    doubtful: int = 0
    changes: list[OutboundChange] = field(default_factory=list)
    waits_for: list[str] = field(default_factory=list)
    """The streams that have to be read to their end first; what goes there is not among the changes."""


class _TakeBack(Exception):
    """Ends a portion of a preview: nothing of it is kept."""


async def preview(database: Database, registry: Registry, tenant_id: UUID, integration_id: UUID) -> Preview:
    """What would be made and changed at the other side if pushing were on for all streams. Nothing is written.

    Portion by portion, so that who lands or writes meanwhile waits for one of them only.
    """
    shown = Preview()
    async with database.reading(tenant_id) as work:
        await _look(work, integration_id, shown, since=_EVER)
    after: UUID | None = UUID(int=0)
    while after is not None:
        try:
            async with database.unit_of_work(tenant_id) as work:
                shown.waits_for = await _pretend(work, registry, integration_id)
                after = await _compare_portion(work, registry, after)
                await _look(work, integration_id, shown, since=work.now)
                raise _TakeBack  # noqa: TRY301 - the only way out that keeps nothing
        except _TakeBack:
            continue
    return shown


async def begin(work: Writing, integration_id: UUID) -> None:
    """Have all customers compared with an integration that was switched on to be written."""
    await make_due(work.session, work.tenant_id, COMPARE, f"{integration_id.hex}:{UUID(int=0).hex}", work.now)


async def read_whole(work: Writing, integration: Integration, connector: type[Connector[Any]]) -> None:
    """Have streams of customers that are written read from the start: who was there before `since` would be made again.

    Nothing is sent to them until then. Raises StreamBusy while one of them is read.
    """
    settings = await queries.settings(work, integration.id)
    for stream in connector.streams():
        setting = settings.get(stream.name)
        if "customer" in stream.types and setting is not None and setting.since is not None and _is_written(setting):
            setting.since = None
            await requests.reset_cursor(work, integration.id, stream.name)
            unread = update(StreamState).where(
                StreamState.tenant_id == work.tenant_id, StreamState.integration_id == integration.id,
                StreamState.stream == stream.name,
            )  # fmt: skip
            await work.execute(unread.values(read_until=None))
            key = requests.key_of(integration.id, stream.name)
            await make_due(work.session, work.tenant_id, requests.SYNC, key, work.now)


def _is_written(setting: StreamSetting) -> bool:
    return setting.enabled and setting.direction == SyncDirection.TWO_WAY


async def stream_read(work: Writing, registry: Registry, integration_id: UUID, stream: str) -> None:
    """Begin to write what waited until a stream was read to its end: who is there already is known from now on."""
    if any(
        (road.integration.id, road.stream) == (integration_id, stream) for road in await comparing.roads(work, registry)
    ):
        await begin(work, integration_id)
    await queue.resume(work, integration_id)


async def go_on(work: Writing, registry: Registry, key: str) -> datetime | None:
    """Compare the next portion, as due work; another entry stands for the one after it."""
    integration, _, last = key.partition(":")
    after = await _compare_portion(work, registry, UUID(last))
    if after is not None:
        await make_due(work.session, work.tenant_id, COMPARE, f"{integration}:{after.hex}", work.now)
    return None


async def _compare_portion(work: Writing, registry: Registry, after: UUID) -> UUID | None:
    """Compare the customers that come next; the last one of them, None when these were the last."""
    wanted = (
        select(Customer.id)
        .where(Customer.tenant_id == work.tenant_id, Customer.id > after, Customer.status == "ACTIVE")
        .order_by(Customer.id)
        .limit(PORTION)
    )
    found: Sequence[UUID] = await work.all(wanted)
    await comparing.compare(work, registry, found)
    return found[-1] if len(found) == PORTION else None


async def _pretend(work: Writing, registry: Registry, integration_id: UUID) -> list[str]:
    """Switch pushing on for every stream that can be written; those of them that were never read to their end."""
    integration = await queries.integration(work, integration_id)
    connector = registry.connector(integration.connector)
    pushed = {declared.record for declared in connector.declared(Push)}
    writable = [stream.name for stream in connector.streams() if pushed & set(stream.records)]
    choices = [actions.StreamChoice(name, direction=SyncDirection.TWO_WAY) for name in writable]
    await actions.choose(work, integration, choices)
    unread = await first_readings.missing(work, integration_id, connector)
    return [name for name in writable if name in unread]


async def _look(work: Reading, integration_id: UUID, shown: Preview, *, since: datetime) -> None:
    """Add what was queued and asked since then, and waits."""

    def waiting(table: Any, *condition: Any) -> tuple[Any, ...]:
        mine = table.tenant_id == work.tenant_id, table.integration_id == integration_id
        return *mine, table.recorded_at >= since, *condition

    queued = waiting(OutboundChange, OutboundChange.status == ChangeStatus.QUEUED)
    creates = await _count(work, (*queued, OutboundChange.op == "create"))
    shown.creates += creates
    shown.updates += await _count(work, queued) - creates
    first = select(OutboundChange).where(*queued).order_by(OutboundChange.id).limit(_SHOWN - len(shown.changes))
    for change in await work.all(first):
        work.session.expunge(change)
        shown.changes.append(change)
    shown.conflicts += await _count(work, waiting(SyncConflict, SyncConflict.resolution.is_(None)))
    shown.doubtful += await _count(work, waiting(LinkCandidate, LinkCandidate.decision.is_(None)))


async def _count(work: Reading, condition: Sequence[Any]) -> int:
    return await work.one(select(func.count()).where(*condition)) or 0
