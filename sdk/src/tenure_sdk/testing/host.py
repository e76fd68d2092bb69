"""A host in memory that keeps to the page protocol, the links and the push rules, so that a connector can be tried."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tenure_sdk.auth import Credentials
from tenure_sdk.connector import (
    Account,
    Change,
    Connector,
    Declared,
    Fetch,
    IdVersion,
    Listing,
    Lookup,
    Push,
    Pushed,
    Stream,
)
from tenure_sdk.errors import AuthRevoked, Conflict, CursorExpired, RecordRejected, Transient
from tenure_sdk.http import Context, Window, httpx
from tenure_sdk.pages import Cursor, LinePage, Page
from tenure_sdk.records import AnyRecord, Record, record_type
from tenure_sdk.testing.values import problem_of
from tenure_sdk.testing.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence

    from tenure_sdk.testing.remote import RemoteSide

SWEEP_SHARE, SWEEP_LEAST = 0.1, 20
"""A sweep of more than this share of a stream, and of more than so many records, waits for a person."""

LOG = logging.getLogger("tenure_sdk.connector")


class ReferenceHost:
    """One integration of one connector with one remote side: what has landed, and what is agreed on."""

    def __init__(self, connector: type[Connector[Any]], remote: RemoteSide, *, strict: bool = False) -> None:
        self.connector = connector
        self.remote = remote
        self.wire = Wire(remote.transport(), remote.clock)
        self.store: dict[str, dict[str, Any]] = {}
        """What has landed, by record type and id."""
        self.cursors: dict[str, Cursor] = {}
        self.dead: dict[tuple[str, str | None], str] = {}
        """Why a record was set aside."""
        self.waiting: dict[str, Collection[str]] = {}
        """Sweeps that wait for a person, by stream."""
        self.read: list[Any] = []
        """Every record that a page has brought, as it came, in turn."""
        self.refreshes = 0
        self.slowed: list[float | None] = []
        self.admitted = 0
        self._strict = strict
        self._account: str | None = None
        self._made = connector()
        self._seen: dict[str, set[tuple[str, str]]] = {}
        self.kept = [Credentials(dict(remote.credentials()), "1")]
        """What lets requests in, as it is kept: every issue, the latest last. Nothing is used before it stands here."""
        self._renewing = asyncio.Lock()
        self._slots = asyncio.Semaphore(connector.rate.concurrency)
        self._pace: list[float] = []
        self._clients: list[httpx.AsyncClient] = []

    @property
    def secrets(self) -> set[str]:
        """What lets requests in, as nobody may see it."""
        return {value for name, value in self.kept[-1].values.items() if name != "username"}

    async def credentials(self, refused: str | None = None) -> Credentials:
        """What lets a request in; what was refused is renewed once, however many ask."""
        async with self._renewing:
            if refused == self.kept[-1].mark:
                await asyncio.sleep(0)
                self.kept.append(Credentials(dict(self.remote.credentials()), str(len(self.kept) + 1)))
                self.refreshes += 1
        latest = self.kept[-1]
        return Credentials(dict(latest.values), latest.mark)

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        """The right to have one request under way, within the declared limits."""
        async with self._slots:
            while (pause := self._pause()) > 0:
                await self.sleep(pause)
            self._pace.append(self.remote.clock.now().timestamp())
            self.admitted += 1
            yield

    async def slow_down(self, seconds: float | None) -> None:
        """Note that the remote side asked for it."""
        self.slowed.append(seconds)

    async def sleep(self, seconds: float) -> None:
        """Let the remote side's time pass instead of ours."""
        await self.remote.clock.sleep(seconds)

    def context(self, *, window: Window | None = None, callback: Mapping[str, str] | None = None) -> Context[Any]:
        """What the connector gets for one run."""
        client = httpx.AsyncClient(transport=self.wire)
        self._clients.append(client)
        return Context(
            self.remote.config,
            now=self.remote.clock.now,
            log=LOG,
            client=client,
            host=self,
            auth=self._made.auth_for(self.remote.config),
            hosts=self.connector.hosts,
            account=self._account,
            callback=self.remote.callback if callback is None else callback,
            window=window,
            classify=self._made.classify,
            sleep=self.sleep,
        )

    async def check(self) -> Account:
        """The account; raises AuthRevoked where it is another one than before."""
        account = await self._made.check(self.context())
        if self._account not in {None, account.id}:
            raise AuthRevoked(f"These credentials lead to {account.label}, which is another account.")
        self._account = account.id
        return account

    def restarted(self) -> ReferenceHost:
        """The same integration after a crash: what was committed is there, and nothing else."""
        again = ReferenceHost(self.connector, self.remote, strict=self._strict)
        again.kept = list(self.kept)
        again.store = {kind: dict(records) for kind, records in self.store.items()}
        again.cursors = dict(self.cursors)
        again._seen = {stream: set(seen) for stream, seen in self._seen.items()}
        return again

    async def pages(self, stream: Stream, cursor: Cursor = None) -> list[Page | LinePage]:
        """The pages of a stream after a cursor, without landing them; of a real account the first of them."""
        found: list[Page | LinePage] = []
        async with aclosing(stream.read(self._made, self.context(), cursor)) as pages:
            async for page in pages:
                found.append(page)
                if len(found) == self.remote.most_pages:
                    break
        return found

    async def pull(self, stream: Stream, *, stop_after: int | None = None) -> None:
        """One run of a stream; `stop_after` kills it after so many pages. An expired cursor makes it a full one."""
        try:
            await self._run(stream, self.cursors.get(stream.name), stop_after)
        except CursorExpired:
            await self._run(stream, None, stop_after)

    async def pull_all(self) -> None:
        """One run of each stream, those that others depend on before these."""
        for stream in _in_turn(self.connector.streams()):
            await self.pull(stream)

    async def fetch(self, record: type[AnyRecord], ids: Sequence[str]) -> Sequence[Any]:
        """Records by their ids."""
        declared = self._declared(Fetch, record)
        return list(await declared.bound(self._made)(self.context(), list(ids)))

    async def push_once(self, change: Change) -> Pushed:
        """Have the remote side take over a change. Raises RecordRejected, without a call, for what it does not take."""
        declared = self._declared(Push, type(change.record))
        for name in sorted(change.fields):
            refusal = declared.fields[name].refuses(getattr(change.record, name)) if name in declared.fields else None
            if refusal is not None:
                raise RecordRejected(change.record.id, f"{name} {refusal}", field=name)
        pushed: Pushed = await declared.bound(self._made)(self.context(), change)
        return pushed

    async def push(self, change: Change) -> Pushed:
        """Push as often as it is safe: a lost reply is looked up or sent once more, a stale version is read again."""
        for _ in range(3):
            try:
                return await self.push_once(change)
            except Conflict:
                [current] = await self.fetch(type(change.record), [change.remote_id or ""])
                change = msgspec.structs.replace(change, remote_version=current.version)
            except Transient as problem:
                if not problem.unknown_outcome:
                    raise
                found = await self.found(change)
                if found is not None:
                    return found
        return await self.push_once(change)

    async def found(self, change: Change) -> Pushed | None:
        """What a create has made whose reply was lost; None where it is safe to send it again.

        Raises LookupError where neither can be known: the connector has no @lookup, and no @push that replays.
        """
        if change.op != "create" or self._declared(Push, type(change.record)).replays:
            return None
        lookup = self._declared(Lookup, type(change.record))
        found: Pushed | None = await lookup.bound(self._made)(self.context(), change)
        return found

    async def ids(self, listing: Listing) -> list[IdVersion]:
        """The ids of a stream at the remote side."""
        return [each async for some in listing.bound(self._made)(self.context()) for each in some]

    async def reconcile(self, stream: Stream, listing: Listing) -> dict[str, str]:
        """What differs, by id: missing_local, missing_remote or different."""
        theirs = {each.id: each.version for each in await self.ids(listing)}
        ours = self._of(stream)
        differences = dict.fromkeys(theirs.keys() - ours.keys(), "missing_local")
        differences |= dict.fromkeys(ours.keys() - theirs.keys(), "missing_remote")
        both = theirs.keys() & ours.keys()
        return differences | {each: "different" for each in both if theirs[each] != ours[each].version}

    async def repair(self, stream: Stream, differences: Mapping[str, str]) -> None:
        """Take over what the remote side has."""
        kind = stream.records[0]
        wanted = sorted(each for each, what in differences.items() if what != "missing_remote")
        for gone in differences.keys() - set(wanted):
            self.store[_kind(kind)].pop(gone, None)
        for record in await self.fetch(kind, wanted):
            self._take(record)

    async def aclose(self) -> None:
        """Close what the contexts used."""
        for client in self._clients:
            await client.aclose()

    def _pause(self) -> float:
        now = self.remote.clock.now().timestamp()
        rates = [(int(most), span) for most, span in self.connector.rate.rates if len(self._pace) >= most >= 1]
        return max((self._pace[-most] + span - now for most, span in rates), default=0.0)

    async def _run(self, stream: Stream, cursor: Cursor, stop_after: int | None) -> None:
        seen = self._seen.setdefault(stream.name, set())
        read = 0
        async with aclosing(stream.read(self._made, self.context(), cursor)) as pages:
            while read != stop_after:
                page = await anext(pages, None)
                if page is None:
                    self._finish(stream, seen)
                    return
                read += 1
                self._land(stream, page, seen)

    def _land(self, stream: Stream, page: Page | LinePage, seen: set[tuple[str, str]]) -> None:
        for reject in page.rejects:
            self.dead[stream.name, reject.record_id] = reject.reason
        if isinstance(page, Page):
            for record in page.records:
                self.read.append(record)
                problem = problem_of(record) if self._strict else None
                if problem is not None:
                    self.dead[stream.name, record.id] = problem
                    continue
                seen.add((record_type(record), record.id))
                self._take(record)
            for kind in stream.records:
                for gone in page.deletes:
                    self.store.get(_kind(kind), {}).pop(gone, None)
            for merge in page.merges:
                self.store.get(merge.type, {}).pop(merge.gone, None)
        else:
            self.store.setdefault("line", {}).update({str(row[page.columns.index("line")]): row for row in page.rows})
        if page.cursor is not None:
            self.cursors[stream.name] = page.cursor

    def _take(self, record: Record) -> None:
        records = self.store.setdefault(record_type(record), {})
        if record.deleted:
            records.pop(record.id, None)
        else:
            records[record.id] = record

    def _finish(self, stream: Stream, seen: set[tuple[str, str]]) -> None:
        """The end of a whole reading: of a snapshot stream, what was not in it is gone."""
        del self._seen[stream.name]
        if stream.deletes != "snapshot":
            return
        self.cursors.pop(stream.name, None)
        known = {(_kind(kind), each) for kind in stream.records for each in self.store.get(_kind(kind), {})}
        missing = known - seen
        if len(missing) > max(SWEEP_LEAST, SWEEP_SHARE * len(known)):
            self.waiting[stream.name] = {each for _, each in missing}
            return
        for kind, each in missing:
            del self.store[kind][each]

    def kind(self, stream: Stream) -> str:
        """The name of a stream's (first) record type."""
        return _kind(stream.records[0])

    def _of(self, stream: Stream) -> dict[str, Any]:
        return {each: record for kind in stream.records for each, record in self.store.get(_kind(kind), {}).items()}

    def _declared(self, kind: type[Declared], record: type[AnyRecord]) -> Declared:
        for declared in self.connector.declared(kind):
            if getattr(declared, "record", None) is record:
                return declared
        raise LookupError(f"{self.connector.__name__} has no @{kind.__name__.lower()}({record.__name__})")


def _in_turn(streams: Sequence[Stream]) -> Iterator[Stream]:
    """As they are written, but for those that wait for others."""
    waiting = list(streams)
    while waiting:
        names = {stream.name for stream in waiting}
        stream = next((each for each in waiting if not names & set(each.depends_on) - {each.name}), waiting[0])
        waiting.remove(stream)
        yield stream


def _kind(record: type[AnyRecord]) -> str:
    return str(record.__struct_config__.tag)


def moment_of(record: Any) -> datetime | None:
    """When a record was changed, as the connector says; None where it is no moment."""
    at = getattr(record, "updated_at", None)
    return at if isinstance(at, datetime) and at.tzinfo is not None else None
