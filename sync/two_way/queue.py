"""What we owe the other side: changes on their way, one at a time for each thing, in the order of their dependence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
from sqlalchemy import case, func, select, update

from domain.core.events import make_due
from domain.customers.queries import within
from domain.integrations.model import ChangeStatus, OutboundChange
from tenure_sdk import RECORD_TYPES, Change

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from tenure_sdk import Record
    from tenure_sdk.connector import Operation

PUSH = "push"
"""The kind of due work that sends changes; its key is the integration."""

OPEN = (ChangeStatus.QUEUED, ChangeStatus.SENDING, ChangeStatus.WAITING)
MOST_HOPS = 3
"""How often the same value is sent to the same record: a ring of systems that rewrite each other's values ends here."""

RING = timedelta(hours=1)
"""How long a value that was sent counts: systems rewrite at once, and people may change their minds."""

_FIRST = ("customer", "product", "order", "invoice", "payment", "credit_note", "refund")
"""In which order types are sent: what others refer to comes before them."""


async def enqueue(
    work: Writing, integration_id: UUID, local_id: UUID, op: str, record: Record, fields: Sequence[str], *,
    remote_id: str | None = None, remote_version: str | None = None, base: Mapping[str, Any] | None = None,
    hops: int = 0,
) -> OutboundChange:  # fmt: skip
    """Owe the other side a change; one that waits for the same thing and was not sent yet gives way to it."""
    await work.execute(
        update(OutboundChange)
        .where(*_of(work, integration_id), OutboundChange.local_id == local_id)
        .where(OutboundChange.status.in_((ChangeStatus.QUEUED, ChangeStatus.WAITING, ChangeStatus.REJECTED)))
        .values(status=ChangeStatus.SUPERSEDED)
        .execution_options(synchronize_session="fetch")
    )
    id_ = work.ids()
    change = OutboundChange(
        id=id_, integration_id=integration_id, type=record.__struct_config__.tag, local_id=local_id, op=op,
        remote_id=remote_id, remote_version=remote_version, record=msgspec.to_builtins(record), fields=sorted(fields),
        base=dict(base) if base else None, key=id_.hex, hops=hops, status=ChangeStatus.QUEUED, attempts=0,
        recorded_at=work.now,
    )  # fmt: skip
    work.add(change)
    await work.flush()
    await make_due(work.session, work.tenant_id, PUSH, integration_id.hex, work.now)
    return change


async def open_for(work: Reading, integration_id: UUID, local_ids: Sequence[UUID]) -> dict[UUID, OutboundChange]:
    """The changes that are on their way for some things, by the thing."""
    found = await work.all(
        select(OutboundChange)
        .where(*_of(work, integration_id), within(OutboundChange.local_id, local_ids))
        .where(OutboundChange.status.in_(OPEN))
        .order_by(OutboundChange.id)
    )
    return {change.local_id: change for change in found}


@dataclass(frozen=True)
class Hops:
    """What was sent to an integration of late."""

    sent: Sequence[OutboundChange]

    def of(self, remote_id: str, record: Record, fields: Sequence[str]) -> int:
        """How often a remote record was sent what one of these fields is to be now: the most of them."""
        values = msgspec.to_builtins(record)
        there = [change for change in self.sent if change.remote_id == remote_id]
        return max(sum(_sent(change, name, values.get(name)) for change in there) for name in fields)


async def hops(work: Reading, integration_id: UUID, local_ids: Sequence[UUID]) -> Hops:
    """What was sent to an integration of these things, of late."""
    if not local_ids:
        return Hops(())
    lately = OutboundChange.sent_at > work.now - RING
    sent = select(OutboundChange).where(*_of(work, integration_id), within(OutboundChange.local_id, local_ids), lately)
    return Hops(await work.all(sent))


def _sent(change: OutboundChange, field: str, value: Any) -> bool:
    return field in change.fields and (change.record or {}).get(field) == value


async def open_of(work: Reading, integration_id: UUID, kind: str) -> Sequence[OutboundChange]:
    """The changes of a type that are on their way."""
    return await work.all(
        select(OutboundChange).where(
            *_of(work, integration_id), OutboundChange.type == kind, OutboundChange.status.in_(OPEN)
        )
    )


async def next_change(work: Reading, integration_id: UUID) -> OutboundChange | None:
    """The change to send next: what may already have been sent first, then by dependence and age."""
    order = case({name: place for place, name in enumerate(_FIRST)}, value=OutboundChange.type, else_=len(_FIRST))
    ready = OutboundChange.next_at.is_(None) | (OutboundChange.next_at <= work.now)
    return await work.one(
        select(OutboundChange)
        .where(*_of(work, integration_id), OutboundChange.status.in_(OPEN), ready)
        .order_by(OutboundChange.status != ChangeStatus.SENDING, order, OutboundChange.id)
        .limit(1)
        .with_for_update()
    )


async def look_again(work: Writing, integration_id: UUID, customers: Sequence[UUID]) -> None:
    """Have these customers compared with the other side, soon."""
    work.emit("integrations.CustomersToCompare", integration_id, customers=[each.hex for each in customers])


async def resume(work: Writing, integration_id: UUID) -> None:
    """Have what waits tried again now."""
    await work.execute(
        update(OutboundChange)
        .where(*_of(work, integration_id), OutboundChange.status.in_(OPEN), OutboundChange.next_at > work.now)
        .values(next_at=None)
        .execution_options(synchronize_session=False)
    )
    await wake(work, integration_id)


async def next_time(work: Reading, integration_id: UUID) -> datetime | None:
    """When the next change may be sent that waits; None when none does."""
    return await work.one(
        select(func.min(OutboundChange.next_at)).where(*_of(work, integration_id), OutboundChange.status.in_(OPEN))
    )


def change_of(owed: OutboundChange, refs: Mapping[str, str]) -> Change:
    """A change as connectors take it; `refs` are the remote ids of what it refers to, by ours."""
    return Change(
        op=cast("Operation", owed.op), record=msgspec.convert(owed.record, RECORD_TYPES[owed.type]),
        fields=frozenset(owed.fields), key=owed.key, remote_id=owed.remote_id, remote_version=owed.remote_version,
        refs=dict(refs),
    )  # fmt: skip


def _of(work: Reading, integration_id: UUID) -> tuple[Any, ...]:
    return OutboundChange.tenant_id == work.tenant_id, OutboundChange.integration_id == integration_id


async def wake(work: Writing, integration_id: UUID) -> None:
    """Have what is owed sent as soon as there is room."""
    await make_due(work.session, work.tenant_id, PUSH, integration_id.hex, work.now)
