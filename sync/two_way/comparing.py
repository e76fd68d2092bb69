"""What changed on either side of a customer since both agreed: ours is queued for them, theirs is taken, or asked.

It looks at what is, not at what happened: asked twice it says the same once, and what was missed once is found the
next time. Reactions call it for the customers that a page or a person touched.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import exists, select

from domain.customers import lock_identities, refresh_heads, settle_identities
from domain.customers.model import Customer
from domain.customers.queries import roots_of, within
from domain.integrations import rules
from domain.integrations.model import (
    ChangeStatus,
    Integration,
    OutboundChange,
    Ownership,
    RecordLink,
    RemoteRecord,
    StreamSetting,
    StreamState,
    SyncConflict,
    SyncDirection,
)
from domain.purchases.model import Order
from sync.two_way import documents, matching, queue, views
from sync.two_way.first_readings import IS_READ
from sync.two_way.merging import NEVER, Merged, Side, merge
from tenure_sdk import Customer as Record
from tenure_sdk import Push

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from sync.registry import Registry
    from sync.two_way.queue import Hops
    from sync.two_way.views import Known
    from tenure_sdk import Connector

TYPE = "customer"


@dataclass(frozen=True)
class Road:
    """An integration that takes our customers: which fields of them, and who owns each."""

    integration: Integration
    stream: str
    connector: type[Connector[Any]]
    push: Push
    ownership: Mapping[str, str]

    @property
    def source(self) -> str:
        """As facts name it."""
        return f"{self.integration.connector}:{self.integration.account}"

    @property
    def most(self) -> dict[str, int | None]:
        """The fields that can be written and go both ways, and how many values of each are kept."""
        return {name: limit.most for name, limit in self.push.fields.items() if name in views.FIELDS}

    def takes(self, values: Mapping[str, Any]) -> bool:
        """Whether enough is known of somebody to be made there: a document may name whom nobody has described yet."""
        return all(values.get(name) is not None for name, limit in self.push.fields.items() if limit.required)

    def owner(self, field: str) -> Ownership:
        """Who wins a conflict about a field."""
        return Ownership(rules.owner_of(field, self.connector.category, self.ownership))


@dataclass(frozen=True)
class Linked:
    """A customer's record at the other side, as it was last seen."""

    link: RecordLink
    record: RemoteRecord


async def roads(work: Reading, registry: Registry) -> list[Road]:
    """The integrations of the tenant to which customers go both ways, once those there were read to their end."""
    found = await work.rows(
        select(Integration, StreamSetting)
        .join(
            StreamSetting,
            (StreamSetting.tenant_id == Integration.tenant_id) & (StreamSetting.integration_id == Integration.id),
        )
        .join(
            StreamState,
            (StreamState.tenant_id == Integration.tenant_id)
            & (StreamState.integration_id == Integration.id)
            & (StreamState.stream == StreamSetting.stream),
        )
        .where(
            Integration.tenant_id == work.tenant_id, StreamSetting.direction == SyncDirection.TWO_WAY,
            Integration.state != "DISCONNECTED", IS_READ,
        )
        .order_by(Integration.id)
    )  # fmt: skip
    return [
        Road(integration, setting.stream, connector, push, setting.ownership)
        for integration, setting in (tuple(row) for row in found)
        if (connector := registry.connectors.get(integration.connector)) is not None
        and any(stream.name == setting.stream and Record in stream.records for stream in connector.streams())
        for push in connector.declared(Push)
        if push.record is Record
    ]


async def compare(work: Writing, registry: Registry, customers: Sequence[UUID]) -> int:
    """Bring these customers together with their records at every integration that takes them; how many were queued."""
    open_roads = await roads(work, registry)
    if not open_roads:
        return 0
    await lock_identities(work)  # before any link is locked: whoever lands has it first, too
    roots = await roots_of(work, customers)
    return sum([await _compare(work, road, roots) for road in open_roads])


async def rebase(work: Writing, registry: Registry, customers: Sequence[UUID]) -> None:
    """Take what we have of these customers for agreed on: a merge, or its undoing, sends nothing to anybody."""
    roots = await roots_of(work, customers)
    known = await views.known(work, roots)
    for road in await roads(work, registry):
        for root, linked in await _linked(work, road, known):
            ours, theirs = _sides(road, known[root], linked.record)
            _agree(linked.link, {name: (ours.values.get(name), theirs.values.get(name)) for name in road.most})
    await work.flush()


async def agree_on(work: Writing, registry: Registry, integration_id: UUID, sent: OutboundChange) -> None:
    """Note that both sides have what was sent, each as it writes it; the answer has landed before."""
    for road in await roads(work, registry):
        if road.integration.id != integration_id:
            continue
        known = await views.known(work, await roots_of(work, [sent.local_id]))
        ours = views.view(sent.record or {}, next((each.country for each in known.values()), None))
        for root, linked in await _linked(work, road, known):
            if linked.link.remote_id == sent.remote_id:
                _, theirs = _sides(road, known[root], linked.record)
                fields = road.most.keys() & set(sent.fields)
                _agree(linked.link, {name: (ours.get(name), theirs.values.get(name)) for name in fields})
    await work.flush()


async def give(work: Writing, registry: Registry, integration_id: UUID, theirs: Sequence[Record]) -> int:
    """Owe an integration what we have of these customers, of whom it has these records now; how many differed."""
    open_roads = [road for road in await roads(work, registry) if road.integration.id == integration_id]
    await lock_identities(work)
    now = {record.id: record for record in theirs}
    whose = await work.all(
        select(RecordLink.local_id).where(
            RecordLink.tenant_id == work.tenant_id, RecordLink.integration_id == integration_id,
            RecordLink.type == TYPE, RecordLink.remote_id.in_(now),
        )
    )  # fmt: skip
    known = await views.known(work, await roots_of(work, whose))
    given = 0
    for road in open_roads:
        for root, each in await _linked(work, road, known):
            if (record := now.get(each.link.remote_id)) is not None:
                given += await _give(work, road, known[root], each.link, record)
    return given


async def _give(work: Writing, road: Road, known: Known, link: RecordLink, theirs: Record) -> int:
    ours = views.cut(known.values, road.most)
    has = views.cut(views.view(msgspec.to_builtins(theirs), known.country), road.most)
    differing = [name for name in road.most if ours.get(name) is not None and ours.get(name) != has.get(name)]
    if differing:
        record = views.record(link.local_id.hex, ours)
        await queue.enqueue(
            work, road.integration.id, link.local_id, "update", record, differing, remote_id=link.remote_id,
            remote_version=theirs.version,
        )  # fmt: skip
    return bool(differing)


async def _compare(work: Writing, road: Road, roots: Sequence[UUID]) -> int:
    known = await views.known(work, roots)
    linked = await _linked(work, road, known)
    whose = [*known, *(each.link.local_id for _, each in linked)]
    on_their_way = await queue.open_for(work, road.integration.id, whose)
    asked = await _asked(work, road, linked)
    merged = [(root, each, _merged(work, road, known[root], each, asked)) for root, each in linked]
    hops = await queue.hops(work, road.integration.id, [each.link.local_id for _, each, said in merged if said.send])
    for root, each, said in merged:
        if said.send:
            _end_ring(road, known[root], each, said, hops)
        if said.ask:
            _ask(work, road, known[root], each, said.ask)
    known = await _taken(work, road, known, merged)
    queued = 0
    for root, each, said in merged:
        _agree(each.link, said.agreed)
        if said.send:
            queued += await _send(work, road, known[root], each, said.send, on_their_way, hops)
    described = {root for root, each in known.items() if road.takes(each.values)}
    missing = described - {root for root, _ in linked} - on_their_way.keys()
    for root in await matching.unmatched(work, road.integration.id, await _wanted(work, road, sorted(missing))):
        values = views.cut(known[root].values, road.most)
        record = views.record(root.hex, values)
        await queue.enqueue(work, road.integration.id, root, "create", record, list(values), hops=1)
        queued += 1
    return queued


async def _taken(
    work: Writing, road: Road, known: Mapping[UUID, Known], merged: Sequence[tuple[UUID, Linked, Merged]]
) -> dict[UUID, Known]:
    """Take over what the other side has changed, and agree on it; all customers as they are known then."""
    takers = sorted({root for root, _, said in merged if said.take})
    if not takers:
        return dict(known)
    for field in road.most:
        if yielding := [known[root] for root, _, said in merged if field in said.take]:
            await views.yield_to(work, yielding, field)
    await refresh_heads(work, takers)
    await settle_identities(work, takers)
    after = {**known, **await views.known(work, takers)}
    for root, each, said in merged:
        if not said.take:
            continue
        ours, theirs = _sides(road, after[root], each.record)
        said.agreed |= {name: (ours.values.get(name), theirs.values.get(name)) for name in said.take}
    return after


def _merged(
    work: Writing, road: Road, known: Known, linked: Linked, asked: Mapping[tuple[UUID, str], list[SyncConflict]]
) -> Merged:
    """What each field needs, without those that wait for a person already."""
    ours, theirs = _sides(road, known, linked.record)
    waiting = _still_asked(work, asked.get((linked.link.local_id, linked.link.remote_id), []), ours, theirs)
    base = {name: (pair[0], pair[1]) for name, pair in (linked.link.agreed or {}).items()}
    return merge([name for name in road.most if name not in waiting], base, ours, theirs, road.owner)


def _end_ring(road: Road, known: Known, linked: Linked, merged: Merged, hops: Hops) -> None:
    """Ask a person, who has not just decided, instead of sending what was rewritten over there too often."""
    record, agreed = _record(road, known, linked), linked.link.agreed or {}
    ringing = [
        name
        for name in merged.send
        if NEVER not in agreed.get(name, ()) and hops.of(linked.link.remote_id, record, [name]) >= queue.MOST_HOPS
    ]
    merged.send = [name for name in merged.send if name not in ringing]
    merged.ask += ringing


def _ask(work: Writing, road: Road, known: Known, linked: Linked, fields: Sequence[str]) -> None:
    """Make a conflict of each of these fields, for a person to decide."""
    ours, theirs = _sides(road, known, linked.record)
    for name in fields:
        base = (linked.link.agreed or {}).get(name)
        conflict = SyncConflict(
            id=work.ids(), integration_id=road.integration.id, type=TYPE, remote_id=linked.link.remote_id,
            local_id=linked.link.local_id, field=name, policy=road.owner(name), base={"value": base},
            ours={"value": ours.values.get(name)}, theirs={"value": theirs.values.get(name)}, recorded_at=work.now,
        )  # fmt: skip
        work.add(conflict)
        work.emit("integrations.ConflictFound", conflict.id, integration=road.integration.id.hex, field=name)


async def _asked(
    work: Reading, road: Road, linked: Sequence[tuple[UUID, Linked]]
) -> Mapping[tuple[UUID, str], list[SyncConflict]]:
    """What a person is asked about these records, by the ids of both sides."""
    found: defaultdict[tuple[UUID, str], list[SyncConflict]] = defaultdict(list)
    for conflict in await work.all(
        select(SyncConflict).where(
            SyncConflict.tenant_id == work.tenant_id, SyncConflict.integration_id == road.integration.id,
            within(SyncConflict.local_id, [each.link.local_id for _, each in linked]),
            SyncConflict.resolution.is_(None),
        )
    ):  # fmt: skip
        found[conflict.local_id, conflict.remote_id].append(conflict)
    return found


def _still_asked(work: Writing, asked: Sequence[SyncConflict], ours: Side, theirs: Side) -> set[str]:
    """The fields about which a person is asked and nothing changed since; others are asked anew."""
    waiting = set()
    for conflict in asked:
        stands = ({"value": ours.values.get(conflict.field)}, {"value": theirs.values.get(conflict.field)})
        if (conflict.ours, conflict.theirs) == stands:
            waiting.add(conflict.field)
        else:
            conflict.resolution, conflict.resolved_at = "SUPERSEDED", work.now
    return waiting


async def _send(
    work: Writing, road: Road, known: Known, linked: Linked, fields: list[str],
    on_their_way: Mapping[UUID, OutboundChange], hops: Hops,
) -> int:  # fmt: skip
    """Queue what we have of these fields, unless it is on its way; how many changes that made."""
    record = _record(road, known, linked)
    underway = on_their_way.get(linked.link.local_id)
    if underway is not None and (underway.status == ChangeStatus.SENDING or _is_same(underway, record, fields)):
        return 0  # what is being sent is compared again when its outcome is known
    base = {name: (linked.link.agreed or {}).get(name) for name in fields}
    await queue.enqueue(
        work, road.integration.id, linked.link.local_id, "update", record, fields, remote_id=linked.link.remote_id,
        remote_version=linked.record.version, base=base, hops=hops.of(linked.link.remote_id, record, fields) + 1,
    )  # fmt: skip
    return 1


def _record(road: Road, known: Known, linked: Linked) -> Record:
    """What we have of a customer, as the other side is to have it."""
    return views.record(linked.link.local_id.hex, views.cut(known.values, road.most))


def _is_same(underway: OutboundChange, record: Record, fields: Iterable[str]) -> bool:
    return bool(underway.record == msgspec.to_builtins(record) and underway.fields == sorted(fields))


async def _linked(work: Reading, road: Road, known: Mapping[UUID, Known]) -> list[tuple[UUID, Linked]]:
    """The records of these customers at the other side that live, each with the customer whose it is."""
    whose = {member: root for root, each in known.items() for member in each.members}
    rows = await work.rows(
        select(RecordLink, RemoteRecord)
        .join(
            RemoteRecord,
            (RemoteRecord.tenant_id == RecordLink.tenant_id)
            & (RemoteRecord.integration_id == RecordLink.integration_id)
            & (RemoteRecord.type == RecordLink.type)
            & (RemoteRecord.remote_id == RecordLink.remote_id),
        )
        .where(
            RecordLink.tenant_id == work.tenant_id, RecordLink.integration_id == road.integration.id,
            RecordLink.type == TYPE, within(RecordLink.local_id, list(whose)), RemoteRecord.deleted.is_(False),
            RemoteRecord.payload.is_not(None),
        )
        .order_by(RecordLink.local_id, RecordLink.remote_id)
        .with_for_update(of=RecordLink)
        .execution_options(populate_existing=True)
    )  # fmt: skip
    return [(whose[link.local_id], Linked(link, record)) for link, record in (tuple(row) for row in rows)]


def _sides(road: Road, known: Known, record: RemoteRecord) -> tuple[Side, Side]:
    ours, theirs = known.ours(road.source), known.theirs(road.source, record.payload or {})
    most = road.most
    return Side(views.cut(ours.values, most), ours.since), Side(views.cut(theirs.values, most), theirs.since)


def _agree(link: RecordLink, pairs: Mapping[str, tuple[Any, Any]]) -> None:
    agreed = {**(link.agreed or {}), **{name: list(pair) for name, pair in pairs.items()}}
    if agreed != link.agreed:
        link.agreed = agreed


async def _wanted(work: Reading, road: Road, roots: Sequence[UUID]) -> Sequence[UUID]:
    """Who of these customers shall be made at the other side: in accounting, who has bought or was billed."""
    if "create" not in road.push.ops or not roots:
        return []
    if road.connector.category != "accounting":
        return roots
    bought = await work.all(
        select(Customer.id).where(
            Customer.tenant_id == work.tenant_id, within(Customer.id, roots),
            exists().where(
                Order.tenant_id == work.tenant_id, Order.customer_id == Customer.member_ids.any_(),
                Order.superseded_at.is_(None),
            ),
        )
    )  # fmt: skip
    billed = await documents.billed_soon(work, road.integration.id) & set(roots)
    return sorted({*bought, *billed})
