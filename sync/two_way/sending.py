"""Sending: what we owe an integration's other side goes out, one change after the other, each exactly once.

A change is marked as being sent before it goes out, and its outcome is committed after. Whoever finds one in between
does not know whether the other side has it: it asks, by the same idempotency key or by looking for what it made. Until
that is known, nothing that the other side made lands (`is_unsettled`), so that it cannot be taken for something new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from domain.core.problems import NotFound as NothingHere
from domain.core.statements import statement
from domain.customers import lock_identities
from domain.customers.queries import roots_of, within
from domain.integrations import queries, rules
from domain.integrations.model import ChangeStatus, IntegrationState, OutboundChange, RecordLink, RemoteRecord
from sync import land, runs, settle, troubles
from sync.runs import Checkpoint, Counts, Run
from sync.two_way import comparing, documents, first_readings, lease, queue, views
from sync.two_way.queue import change_of
from tenure_sdk import (
    RECORD_TYPES,
    Conflict,
    ConnectorError,
    Customer,
    Fetch,
    Lookup,
    NotFound,
    Page,
    Push,
    RateLimited,
    RecordRejected,
    Stream,
    Transient,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing
    from domain.integrations.model import Integration
    from sync.heartbeat import Halt
    from sync.registry import Registry
    from sync.remote import Remote
    from tenure_sdk import Change, Invoice, Pushed, Record

MOST_ATTEMPTS = 8
"""How often a change is sent that fails for no reason that we know; then a person has to look at it."""

_PATIENCE = timedelta(seconds=5)
_TICK = timedelta(microseconds=1)
_WAITS = timedelta(minutes=1)
"""How long a change waits for what it refers to, or for a first reading, before it is looked at again."""


@dataclass(frozen=True)
class Sent:
    """How many changes the other side has taken, and when there is more to do; None: not before something changes."""

    count: int
    again_at: datetime | None = None


async def is_unsettled(work: Reading, integration_id: UUID, types: Sequence[str]) -> bool:
    """Whether something of these types may have been made at the other side that we do not know of yet."""
    whose = {"tenant": work.tenant_id, "integration": integration_id, "types": list(types)}
    ((unsettled,),) = await work.rows(_UNSETTLED, whose)
    return bool(unsettled)


async def is_behind(work: Reading, integration_id: UUID, records: Iterable[Record], asked_at: datetime) -> bool:
    """Whether one of these records, asked for at that time, may be older than what has landed since: what we sent."""
    versions = {record.id: record.version for record in records if isinstance(record, Customer)}
    if not versions:
        return False
    asked = {"tenant": work.tenant_id, "integration": integration_id, "ids": list(versions), "asked_at": asked_at}
    landed = await work.rows(_LANDED_SINCE, asked)
    return any(row.version != versions[row.remote_id] for row in landed)


_UNSETTLED = statement(f"""
SELECT EXISTS (
    SELECT FROM outbound_changes WHERE tenant_id = :tenant AND integration_id = :integration AND type = ANY(:types)
        AND op = 'create' AND status = '{ChangeStatus.SENDING}'
)
""")

_LANDED_SINCE = statement("""
SELECT remote_id, version FROM remote_records
WHERE tenant_id = :tenant AND integration_id = :integration AND type = 'customer' AND remote_id = ANY(:ids)
    AND updated_at > :asked_at
""")


async def check_outcomes(
    work: Reading, integration_id: UUID, types: Sequence[str], records: Iterable[Record], asked_at: datetime
) -> None:
    """Raises Transient where records of these types, asked for at that time, may be what we have sent."""
    if await is_unsettled(work, integration_id, types):
        raise Transient("A change was sent whose outcome is not known yet.", retry_after=2)
    if await is_behind(work, integration_id, records, asked_at):
        raise Transient("A change was sent meanwhile.", retry_after=2)


async def send(
    database: Database, remote: Remote, registry: Registry, tenant_id: UUID, integration_id: UUID, halt: Halt
) -> Sent:
    """Send what waits, in the order of its dependence, until nothing does, the other side protests, or we are to stop.

    Returns at once where another worker is at it, to look again later. What fails stays owed; a record that the other
    side does not take is set aside with the reason, and the others go on.
    """
    sender = _Sender(database, remote, registry, tenant_id, integration_id)
    async with database.unit_of_work(tenant_id) as work:
        sender.fence = await lease.take(work, integration_id, queue.PUSH)
        sender.awaited = await first_readings.awaited(work, integration_id, remote.connector)
    if sender.fence is None:
        return Sent(0, database.clock.now() + runs.LEASE)  # its entry is ours now: what the other leaves must stay due
    try:
        return await sender.drain(halt)
    finally:
        async with database.unit_of_work(tenant_id) as work:
            await lease.give_back(work, integration_id, queue.PUSH, sender.fence)


@dataclass
class _Sender:
    """One worker that sends to one integration."""

    database: Database
    remote: Remote
    registry: Registry
    tenant_id: UUID
    integration_id: UUID
    fence: int | None = None
    awaited: Mapping[str, str] = field(default_factory=dict)
    """The types that are not sent yet, each with the stream that has to be read to its end first."""

    async def drain(self, halt: Halt) -> Sent:
        """Send change after change."""
        count = 0
        while halt.why is None and (owed := await self._claim()) is not None:
            again_at = await self._sent(*owed)
            if again_at is not None:
                return Sent(count, again_at)
            count += 1
        return Sent(count, await self._next_time() if halt.why is None else self.database.clock.now())

    async def _claim(self) -> tuple[OutboundChange, bool, dict[str, str]] | None:
        """The next change, marked as being sent, whether it was so before, and the remote ids of what it refers to."""
        while True:
            async with self._step() as work:
                integration = await queries.integration(work, self.integration_id)
                if integration.state not in rules.READABLE:
                    return None
                owed = await queue.next_change(work, self.integration_id)
                if owed is None:
                    return None
                again = owed.status == ChangeStatus.SENDING
                if (unread := self.awaited.get(owed.type)) is not None and not again:
                    _wait(work, owed, f"It waits until the stream {unread} was read to its end once.")
                    continue
                refs = await self._refs(work, owed)
                if refs is None:
                    _wait(work, owed, "It refers to something that the other side does not have yet.")
                    continue
                if (refusal := self._refusal(owed)) is not None and not again:
                    await _reject(work, owed, refusal)
                    continue
                owed.status, owed.next_at, owed.attempts = ChangeStatus.SENDING, None, owed.attempts + 1
                await work.flush()
                work.session.expunge(owed)
                return owed, again, refs

    async def _sent(self, owed: OutboundChange, again: bool, refs: dict[str, str]) -> datetime | None:
        """Send a change and note its outcome; when to go on, where the other side asks for a pause."""
        try:
            change = await self._on_present(owed, change_of(owed, refs))
            if change is None:
                return None
            pushed = None
            if again and owed.op == "create" and not self._push(owed).replays and self._can(Lookup, owed):
                pushed = await self.remote.lookup(change)
            pushed = pushed or await self.remote.push(change)
            current = await self._current(owed, pushed) if again else None
        except RecordRejected as problem:
            async with self._step() as work:
                await _reject(work, await self._mine(work, owed), str(problem))
            return None
        except (Conflict, NotFound) as problem:
            if owed.type == documents.TYPE and isinstance(problem, Conflict):
                return await self._once_more(owed, problem)
            return await self._reread(owed, problem)
        except ConnectorError as problem:
            return await self._failed(owed, problem)
        async with self._step() as work:
            await self._note(work, await self._mine(work, owed), pushed, current)
        return None

    async def _current(self, owed: OutboundChange, pushed: Pushed) -> Sequence[Record]:
        """The record as it is now: an answer that is given again tells how it was when the change was first taken."""
        return await self.remote.fetch(owed.type, [pushed.id]) if self._can(Fetch, owed) and owed.op != "delete" else ()

    async def _on_present(self, owed: OutboundChange, change: Change) -> Change | None:
        """A request to change a document, on what the other side has now; None where nothing of it is left."""
        if owed.type != documents.TYPE or owed.op != "update" or owed.remote_id is None:
            return change
        found = await self.remote.fetch(owed.type, [owed.remote_id])
        if not found:
            raise NotFound("It is gone at the other side.")
        async with self._step() as work:
            rest = await documents.rebased(work, self.registry, owed, cast("Invoice", found[0]))
            mine = await self._mine(work, owed)
            if rest.ask:
                await documents.ask(work, mine, rest.ask)
            if rest.send:
                return msgspec.structs.replace(change, fields=rest.send, remote_version=found[0].version)
            mine.status = ChangeStatus.CONFLICTED if rest.ask else ChangeStatus.SUPERSEDED
            mine.error = "The other side changed the same meanwhile. Look at it, and ask again."
            await self._land(work, Page(list(found)), owed.type)
        return None

    async def _once_more(self, owed: OutboundChange, problem: ConnectorError) -> datetime | None:
        """The other side changed it between our look and our writing: look again."""
        async with self._step() as work:
            mine = await self._mine(work, owed)
            if mine.attempts >= MOST_ATTEMPTS:
                await _reject(work, mine, str(problem))
            else:
                mine.status, mine.error = ChangeStatus.QUEUED, str(problem)
        return None

    async def _note(
        self, work: Writing, owed: OutboundChange, pushed: Pushed, current: Sequence[Record] | None
    ) -> None:  # fmt: skip
        """The other side has it: link, land its answer, and remember what both sides have now."""
        await lock_identities(work)  # before its link is locked, as in `comparing`
        owed.status, owed.sent_at, owed.error = ChangeStatus.SENT, work.now, None
        owed.remote_id, owed.remote_version = pushed.id, pushed.version
        await self._link(work, owed, pushed)
        answer = pushed.record or await self._assumed(work, owed, pushed)
        if owed.op == "delete":
            await self._land(work, Page([], [pushed.id]), owed.type)
        else:
            await self._land(work, Page([await self._aged(work, owed, answer)]), owed.type)
        await work.flush()
        if owed.type == "customer" and owed.op != "delete":
            await comparing.agree_on(work, self.registry, self.integration_id, owed)
            if current:
                await self._land(work, Page(list(current)), owed.type)
            await comparing.compare(work, self.registry, [owed.local_id])
        if (await queries.integration(work, self.integration_id)).state != IntegrationState.ACTIVE:
            await troubles.came_through(work, self.integration_id)
        work.emit("integrations.ChangeSent", owed.id, integration=self.integration_id.hex, type=owed.type, op=owed.op)

    async def _link(self, work: Writing, owed: OutboundChange, pushed: Pushed) -> None:
        values = {"pushed_version": pushed.version, "hops": owed.hops}
        entry = insert(RecordLink).values(
            tenant_id=work.tenant_id, integration_id=self.integration_id, type=owed.type, remote_id=pushed.id,
            local_id=owed.local_id, **values,
        )  # fmt: skip
        keys = ["tenant_id", "integration_id", "type", "remote_id"]
        await work.execute(entry.on_conflict_do_update(index_elements=keys, set_=values))

    async def _aged(self, work: Reading, owed: OutboundChange, answer: Record) -> Record:
        """The answer as older than whatever others say: what comes back is no newer than what it came from."""
        if answer.updated_at is None or owed.type != "customer":
            return answer
        integration = await queries.integration(work, self.integration_id)
        known = await views.known(work, await roots_of(work, [owed.local_id]))
        moments = [
            at
            for each in known.values()
            for said in each.since.values()
            for source, at in said.items()
            if source != source_of(integration)
        ]
        return msgspec.structs.replace(answer, updated_at=min([answer.updated_at, *moments]) - _TICK)

    async def _assumed(self, work: Reading, owed: OutboundChange, pushed: Pushed) -> Record:
        """What the other side has now, where it did not say: what it had, with what we sent."""
        before = await work.one(
            select(RemoteRecord.payload).where(
                RemoteRecord.tenant_id == work.tenant_id, RemoteRecord.integration_id == self.integration_id,
                RemoteRecord.type == owed.type, RemoteRecord.remote_id == pushed.id,
            )
        )  # fmt: skip
        sent = {name: value for name, value in (owed.record or {}).items() if name in owed.fields}
        assumed: Record = _record(owed.type, {**(before or {}), **sent, "id": pushed.id, "version": pushed.version})
        return assumed

    async def _reread(self, owed: OutboundChange, problem: ConnectorError) -> datetime | None:
        """The other side has a newer version, or none any more: look at it, and decide anew what there is to send."""
        if owed.remote_id is None or not self._can(Fetch, owed):
            return await self._failed(owed, problem)
        try:
            found = await self.remote.fetch(owed.type, [owed.remote_id])
        except ConnectorError as trouble:
            return await self._failed(owed, trouble)
        async with self._step() as work:
            mine = await self._mine(work, owed)
            mine.status, mine.error = ChangeStatus.SUPERSEDED, str(problem)
            await work.flush()
            await self._land(work, Page(list(found), [] if found else [owed.remote_id]), owed.type)
            await comparing.compare(work, self.registry, [owed.local_id])
        return None

    async def _failed(self, owed: OutboundChange, problem: ConnectorError) -> datetime | None:
        """Leave the change owed. Whether the other side has it stays open, unless the failure says that it has not."""
        async with self._step() as work:
            mine = await self._mine(work, owed)
            mine.error = str(problem)
            known = isinstance(problem, RateLimited) or (isinstance(problem, Transient) and not problem.unknown_outcome)
            if known and mine.attempts == 1:
                mine.status = ChangeStatus.QUEUED
            elif mine.attempts >= MOST_ATTEMPTS and not isinstance(problem, RateLimited | Transient):
                await _reject(work, mine, str(problem))
                return None
            verdict = await troubles.meet(work, self.integration_id, None, problem)
            mine.next_at = verdict.again_at or work.now + _PATIENCE
            return mine.next_at

    async def _refs(self, work: Reading, owed: OutboundChange) -> dict[str, str] | None:
        """The remote ids of what a change refers to, by ours; None while one of them has none yet."""
        wanted = set(_references(owed.record or {}))
        if not wanted:
            return {}
        rows = await work.rows(
            select(RecordLink.local_id, RecordLink.remote_id)
            .where(
                RecordLink.tenant_id == work.tenant_id, RecordLink.integration_id == self.integration_id,
                within(RecordLink.local_id, map(UUID, wanted)),
            )
            .order_by(RecordLink.remote_id)
        )  # fmt: skip
        found = {row.local_id.hex: row.remote_id for row in rows}
        return found if found.keys() >= wanted else None

    def _refusal(self, owed: OutboundChange) -> str | None:
        """Why the other side would not take a change: a limit that it declared."""
        if owed.op == "delete":
            return None
        record = _record(owed.type, owed.record or {})
        for name, limit in self._push(owed).fields.items():
            value = getattr(record, name, None)
            asked = name in owed.fields or owed.op == "create"
            if asked and (why := limit.refuses(value[: limit.most] if isinstance(value, tuple) else value)):
                return f"{name} {why}."
        return None

    def _push(self, owed: OutboundChange) -> Push:
        for declared in self.remote.connector.declared(Push):
            if declared.record is RECORD_TYPES[owed.type]:
                return declared
        raise NothingHere(type=owed.type)

    def _can(self, kind: type[Lookup | Fetch], owed: OutboundChange) -> bool:
        return any(each.record is RECORD_TYPES[owed.type] for each in self.remote.connector.declared(kind))

    async def _land(self, work: Writing, page: Page, kind: str) -> None:
        """Land what the other side answered, outside of any run."""
        await land_aside(work, self.integration_id, Stream(queue.PUSH, (RECORD_TYPES[kind],)), page)

    async def _mine(self, work: Writing, owed: OutboundChange) -> OutboundChange:
        """The change, for as long as it is ours to note an outcome of. Raises LeaseLost."""
        found = await work.one(
            select(OutboundChange)
            .where(OutboundChange.tenant_id == work.tenant_id, OutboundChange.id == owed.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if found is None or found.status != ChangeStatus.SENDING:
            raise runs.LeaseLost
        return found

    async def _next_time(self) -> datetime | None:
        async with self._step() as work:
            return await queue.next_time(work, self.integration_id)

    def _step(self) -> Any:
        return lease.step(self.database, self.tenant_id, self.integration_id, queue.PUSH, self.fence)


async def land_aside(work: Writing, integration_id: UUID, stream: Stream, page: Page) -> Counts:
    """Land a page that belongs to no run, with all that follows from it."""
    run = aside(work, await queries.integration(work, integration_id), stream)
    landed = await land.merge(work, run, page)
    await settle.customers(work, landed.described, landed.touched)
    land.tell(work, run, landed)
    return landed.counts


def aside(work: Writing, integration: Integration, stream: Stream) -> Run:
    """Something like a run, for a page that belongs to none."""
    id_ = work.ids()
    return Run(
        id=id_, tenant_id=work.tenant_id, integration_id=integration.id,
        source=source_of(integration), stream=stream, owner="", fence=0,
        checkpoint=Checkpoint(run=id_), counts=Counts(),
    )  # fmt: skip


def source_of(integration: Integration) -> str:
    """As facts name an integration."""
    return f"{integration.connector}:{integration.account}"


def _wait(work: Writing, owed: OutboundChange, why: str) -> None:
    owed.status, owed.next_at, owed.error = ChangeStatus.WAITING, work.now + _WAITS, why


async def _reject(work: Writing, owed: OutboundChange, reason: str) -> None:
    owed.status, owed.error = ChangeStatus.REJECTED, reason
    work.emit("integrations.ChangeRejected", owed.id, integration=owed.integration_id.hex, type=owed.type)
    await work.flush()


def _record(kind: str, values: dict[str, Any]) -> Any:
    return msgspec.convert({**values, "type": kind}, cast("Any", RECORD_TYPES[kind]))


def _references(value: Any) -> Iterator[str]:
    """The ids of all references in a record of ours; they are ids of ours, too."""
    if isinstance(value, dict):
        if value.keys() == {"type", "id"}:
            yield value["id"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _references(part)
