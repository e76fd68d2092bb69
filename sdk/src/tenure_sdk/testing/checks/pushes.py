"""PUS: what is written at the remote side, once and as it was meant."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tenure_sdk.connector import Change, Lookup, Push, Pushed, Stream
from tenure_sdk.errors import Conflict, ConnectorError, RecordRejected
from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, some
from tenure_sdk.testing.remote import Missing, RemoteSide
from tenure_sdk.testing.wire import READS, lost_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tenure_sdk.http import httpx
    from tenure_sdk.testing.host import ReferenceHost

ROUNDS = 10
STAMPS = {"version", "updated_at", "created_at", "extra"}


@check(
    "PUS-1",
    "bronze",
    "A create returns the id, and sending it again makes no second object",
    "Send Change.key as the idempotency key and declare replays=True, or find the object in a @lookup.",
)
async def create_once(bench: Bench) -> None:
    """Created, then asked for again as after a lost reply."""
    for push in _pushes(bench, "create"):
        remote, host, stream = _side(bench, push)
        change = remote.sample(push.record, 1)
        before = remote.count(stream.name)
        pushed = await host.push_once(change)
        found = await host.fetch(push.record, [pushed.id]) if pushed.id else []
        if not found or remote.count(stream.name) != before + 1:
            seen = f"the id {pushed.id!r}, and {remote.count(stream.name) - before} new objects"
            raise Breach(seen=seen, expected="the id of the one object that is new", at=push.method)
        again: Pushed | None
        if push.replays:
            again = await host.push_once(change)
        elif any(lookup.record is push.record for lookup in bench.connector.declared(Lookup)):
            again = await host.found(change)
        else:
            raise Breach(seen="neither replays=True nor a @lookup", expected="a safe way to try again", at=push.method)
        if again is None or again.id != pushed.id or remote.count(stream.name) != before + 1:
            seen = f"{again}, and {remote.count(stream.name) - before} objects"
            raise Breach(seen=seen, expected=f"{pushed.id} again, and one object", at=push.method)


@check(
    "PUS-2",
    "bronze",
    "An update changes what it is asked to, and nothing else",
    "Send the fields of Change.fields alone; where the vendor replaces the whole, read it first and merge.",
)
async def update_only_what_differs(bench: Bench) -> None:
    """One field changes; the record in hand differs in others too, which nobody asked to write."""
    async for push, remote, host, record in _existing(bench):
        field = _editable(push)[0]
        others = [name for name in _editable(push) if name != field]
        meant = _edited(record, field, 1)
        wrong = meant
        for name in others:
            wrong = _edited(wrong, name, 2)
        await host.push_once(_update(wrong, record, {field}, remote))
        [now] = await host.fetch(push.record, [record.id])
        changed = [
            name for name in push.record.__struct_fields__
            if getattr(now, name) != getattr(meant, name) and name not in STAMPS
        ]  # fmt: skip
        if changed:
            raise Breach(seen=f"other than meant: {some(changed)}", expected=f"only {field} is new", at=push.method)


@check(
    "PUS-3",
    "silver",
    "A change to a version that is no longer the last one is a Conflict",
    "Send Change.remote_version along (If-Match, a sync token), and let Conflict pass.",
)
async def stale_versions(bench: Bench) -> None:
    """Somebody there was faster."""
    async for push, remote, host, record in _existing(bench):
        remote.edit(bench.stream_of(push.record).name, record.id)
        [theirs] = await host.fetch(push.record, [record.id])
        change = _update(_edited(record, _editable(push)[0], 1), record, {_editable(push)[0]}, remote)
        try:
            await host.push_once(change)
        except Conflict:
            [now] = await host.fetch(push.record, [record.id])
            if now == theirs:
                continue
            raise Breach(seen="a Conflict, but it was written", expected="their version", at=push.method) from None
        raise Breach(seen="their change was overwritten", expected="Conflict", at=push.method)


@check(
    "PUS-4",
    "silver",
    "A reply that is lost makes no duplicate",
    "Send Change.key as the idempotency key and declare replays=True, or find the object in a @lookup.",
)
async def lost_replies(bench: Bench) -> None:
    """The remote side has made it, and nobody was told."""
    for push in _pushes(bench, "create"):
        remote, host, stream = _side(bench, push)
        before = remote.count(stream.name)
        host.wire.arm(lost_reply, only=_writes)
        try:
            pushed = await host.push(remote.sample(push.record, 1))
        except (ConnectorError, LookupError) as problem:
            seen = f"{type(problem).__name__}: {problem}"
            raise Breach(seen=seen, expected="the object that was made", at=push.method) from problem
        if remote.count(stream.name) != before + 1 or not pushed.id:
            seen = f"{remote.count(stream.name) - before} objects"
            raise Breach(seen=seen, expected="one", at=push.method)


@check(
    "PUS-5",
    "silver",
    "What the remote side would not take is known before it is called",
    'Declare limits that fit: fields={"name": Limit(max_len=100)}.',
)
async def limits_come_first(bench: Bench) -> None:
    """Each declared length, one too long, and exactly so long."""
    limited = [(push, name, limit.max_len) for push in _pushes(bench, "create")
               for name, limit in push.fields.items() if limit.max_len is not None]  # fmt: skip
    if not limited:
        raise NotApplicable("no length is declared")
    for push, name, most in limited:
        remote, host, _ = _side(bench, push)
        change = remote.sample(push.record, 1)
        for length in (most + 1, most):
            record = msgspec.structs.replace(change.record, **{name: "x" * length})
            try:
                await host.push_once(msgspec.structs.replace(change, record=record, fields=change.fields | {name}))
            except (RecordRejected, ConnectorError) as problem:
                if length == most or host.wire.calls:
                    seen = f"{length} characters: {problem}, after {len(host.wire.calls)} requests"
                    raise Breach(
                        seen=seen, expected=f"{most} are taken, more are not sent", at=push.method
                    ) from problem


@check(
    "PUS-6",
    "silver",
    "Two sides that agree stop writing",
    "Return the new version in Pushed, and read back exactly what was written.",
)
async def ping_pong(bench: Bench) -> None:
    """Ten rounds of changes on both sides; then the host insists on its values until the remote side has them."""
    for push in _pushes(bench, "update"):
        stream = bench.stream_of(push.record)
        remote, host, _ = _side(bench, push)
        ids = list(remote.seed(stream.name, 3))
        await host.pull(stream)
        sides = _Sides(push, stream, host)
        for number in range(ROUNDS):
            remote.clock.forward(60)
            if number % 2:
                remote.edit(stream.name, ids[number % 3])
            else:
                sides.edit(ids[number % 3], number)
            await sides.sync()
        await sides.sync()
        before = len(host.wire.writes)
        for _ in range(2):
            remote.clock.forward(60)
            await sides.sync()
        if len(host.wire.writes) != before:
            seen = f"{len(host.wire.writes) - before} writes although nobody changed anything"
            raise Breach(seen=seen, expected="none", at=push.method)


@check("PUS-7", "silver", "A delete deletes", 'Delete the object at the remote side, or take "delete" out of ops.')
async def deletes(bench: Bench) -> None:
    """Where it is declared."""
    async for push, remote, host, record in _existing(bench, "delete"):
        await host.push_once(msgspec.structs.replace(_update(record, record, set(), remote), op="delete"))
        if await host.fetch(push.record, [record.id]):
            raise Breach(seen=f"{record.id} is still there", expected="it is gone", at=push.method)


@check(
    "PUS-8", "silver", "What was pushed is what is read", "Write every declared field, and map it back the same way."
)
async def reads_what_was_pushed(bench: Bench) -> None:
    """Field by field."""
    for push in _pushes(bench, "create"):
        remote, host, _ = _side(bench, push)
        change = remote.sample(push.record, 1)
        pushed = await host.push_once(change)
        [found] = await host.fetch(push.record, [pushed.id])
        for name in sorted(change.fields & push.fields.keys()):
            meant, now = getattr(change.record, name), getattr(found, name)
            if meant != now and not isinstance(meant, msgspec.Struct):
                raise Breach(seen=f"{name} = {now!r}", expected=f"{meant!r}, as it was pushed", at=push.method)


class _Sides:
    """What the host has of some records, and how it brings both sides together: its own values always win."""

    def __init__(self, push: Push, stream: Stream, host: ReferenceHost) -> None:
        self._push, self._stream, self._host = push, stream, host
        self._local = dict(host.store.get(host.kind(stream), {}))
        self._owned: dict[str, set[str]] = {}
        self._pushed: dict[str, str | None] = {}
        self._number = 0

    def edit(self, record_id: str, number: int) -> None:
        field = _editable(self._push)[0]
        self._local[record_id] = _edited(self._local[record_id], field, number)
        self._owned.setdefault(record_id, set()).add(field)

    async def sync(self) -> None:
        await self._host.pull(self._stream)
        self._host.remote.clock.forward(1)
        for record_id, theirs in sorted(self._host.store.get(self._host.kind(self._stream), {}).items()):
            ours, owned = self._local.get(record_id, theirs), self._owned.get(record_id, set())
            differs = {name for name in owned if getattr(ours, name) != getattr(theirs, name)}
            if not differs or (theirs.version is not None and theirs.version == self._pushed.get(record_id)):
                continue
            self._number += 1
            change = Change(
                op="update", record=ours, fields=frozenset(differs), key=f"round-{self._number}",
                remote_id=record_id, remote_version=theirs.version,
            )  # fmt: skip
            self._pushed[record_id] = (await self._host.push(change)).version


def _pushes(bench: Bench, op: str) -> list[Push]:
    found = [push for push in bench.declared(Push) if op in push.ops]
    if not found:
        raise NotApplicable(f"no push can {op}")
    return found


def _side(bench: Bench, push: Push) -> tuple[RemoteSide, ReferenceHost, Stream]:
    remote = bench.remote()
    return remote, bench.host(remote), bench.stream_of(push.record)


async def _existing(bench: Bench, op: str = "update") -> AsyncIterator[tuple[Push, RemoteSide, ReferenceHost, Any]]:
    """A record that the remote side has, for each push."""
    for push in _pushes(bench, op):
        remote, host, stream = _side(bench, push)
        if "create" in push.ops:
            record_id = (await host.push_once(remote.sample(push.record, 1))).id
        else:
            [record_id] = remote.seed(stream.name, 1)
        remote.clock.forward(60)
        [record] = await host.fetch(push.record, [record_id])
        yield push, remote, host, record


def _update(record: Any, before: Any, fields: set[str], remote: RemoteSide) -> Change:
    return Change(
        op="update", record=record, fields=frozenset(fields), key=f"{remote.account}-update",
        remote_id=before.id, remote_version=before.version,
    )  # fmt: skip


def _editable(push: Push) -> list[str]:
    """The pushed fields that the kit can make other values for. Raises Missing where there are none."""
    found = [name for name in push.fields if next(_values_for(push.record, name, 1), None) is not None]
    if not found:
        raise Missing(f"none of the fields of {push.record.__name__} is text, e-mail, telephone or money")
    return found


def _edited(record: Any, field: str, number: int) -> Any:
    return msgspec.structs.replace(record, **{field: next(_values_for(type(record), field, number))})


def _values_for(record: type[Any], field: str, number: int) -> Iterator[Any]:
    annotation = record.__annotations__.get(field) or next(
        (base.__annotations__[field] for base in record.__mro__ if field in getattr(base, "__annotations__", {})), ""
    )
    if field == "emails":
        yield (f"changed{number}@example.com",)
    elif field == "phones":
        yield (f"+4940{number:07}",)
    elif annotation in {"str | None", "Line | None"}:
        yield f"Changed {number}"
    elif annotation == "Decimal | None":
        yield Decimal(number)


def _writes(request: httpx.Request) -> bool:
    return request.method not in READS
