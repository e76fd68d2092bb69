"""Drift: the other side sends other fields than before, which somebody should know, and may want to be asked about."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select, update

from domain.core import events
from domain.integrations import queries
from domain.integrations.model import DriftPolicy, SchemaDrift, StreamSetting, StreamState
from tenure_sdk import LinePage, record_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Page, Record

NEW, VANISHED, TYPE = "NEW", "VANISHED", "TYPE"

ENOUGH = 100
"""Of how many records of a type a run must have seen none with a field before the field is taken for gone."""

PAUSED = "The other side sends other fields than before: "
"""How the reason begins for which a stream is paused until somebody has acknowledged the drift."""

_HEAD = frozenset({"id", "version", "updated_at", "created_at", "deleted", "url", "extra"})
_ANY = "any"
"""The type of a field that the contract itself gives a type."""
_EMPTY = frozenset({NoneType, tuple, dict})
"""Of which types values that are not true say nothing: a zero or an empty text does."""


@dataclass(frozen=True)
class Change:
    """A field that is new, has another type, or is gone, and in how many records that was seen."""

    field: str
    kind: str
    was: str | None
    became: str | None
    count: int


@dataclass
class Watch:
    """What a run sees of its records' fields, beside what is known of them."""

    policy: DriftPolicy
    known: dict[str, list[str]] | None
    """Types by field; None while the first run of the stream learns them."""
    quarantined: frozenset[str] = frozenset()
    seen: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    records: Counter[str] = field(default_factory=Counter)
    noticed: set[str] = field(default_factory=set)

    def look(self, page: Page | LinePage) -> list[Change]:
        """How the records of a page differ from what is known. Lines have the fields of the contract only."""
        if isinstance(page, LinePage):
            return []
        found: Counter[tuple[str, str]] = Counter()
        by_type: defaultdict[type[Record], list[Record]] = defaultdict(list)
        for record in page.records:
            by_type[type(record)].append(record)
        for type_, records in by_type.items():
            kind = record_type(records[0])
            self.records[kind] += len(records)
            self._see(kind, type_, records)
            found.update(_extra(kind, records))
        for name, json_type in found:
            self.seen[name].add(json_type)
        return [] if self.known is None else list(self._changes(found))

    def _see(self, kind: str, type_: type[Record], records: Sequence[Record]) -> None:
        """Note which of the contract's own fields records of a type have; one that was seen is not looked for again."""
        for name in type_.__struct_fields__:
            field_ = f"{kind}.{name}"
            if name not in _HEAD and _ANY not in self.seen.get(field_, ()):
                of = attrgetter(name)
                if any(map(of, records)) or not set(map(type, map(of, records))) <= _EMPTY:
                    self.seen[field_].add(_ANY)

    def _changes(self, found: Mapping[tuple[str, str], int]) -> Iterator[Change]:
        known = self.known or {}
        for (name, type_), count in sorted(found.items()):
            types = known.get(name)
            if types is None or type_ not in types or name in self.noticed:
                was = None if types is None else " or ".join(each for each in types if each != type_) or None
                yield Change(name, NEW if was is None else TYPE, was, type_, count)

    def admitted(self, page: Page | LinePage) -> Page | LinePage:
        """The page without the fields that are in quarantine."""
        if isinstance(page, LinePage) or not self.quarantined:
            return page
        records = [_without(record, self.quarantined) for record in page.records]
        return msgspec.structs.replace(page, records=records)

    def take(self, changes: Sequence[Change]) -> None:
        """Know these changes from now on, and let their fields through."""
        fields = {change.field for change in changes}
        self.known = _with(self.known or {}, changes)
        self.noticed -= fields
        self.quarantined -= fields

    def vanished(self) -> list[Change]:
        """Fields that none of enough records had."""
        return [
            Change(name, VANISHED, " or ".join(types), None, self.records[name.partition(".")[0]])
            for name, types in sorted((self.known or {}).items())
            if name not in self.seen and self.records[name.partition(".")[0]] >= ENOUGH
        ]


def _extra(kind: str, records: Sequence[Record]) -> Counter[tuple[str, str]]:
    """In how many records of a kind which fields without a place of their own have which type."""
    found: Counter[tuple[str, str]] = Counter()
    fields = [(name, type(value)) for record in records for name, value in record.extra.items() if value is not None]
    for (name, type_), count in Counter(fields).items():
        found[f"{kind}.extra.{name}", _json_type(type_)] += count
    return found


def _json_type(type_: type[Any]) -> str:
    if issubclass(type_, bool):
        return "boolean"
    return "integer" if issubclass(type_, int) else "string"


def _without(record: Record, fields: Collection[str]) -> Record:
    kind = record_type(record)
    kept = {name: value for name, value in record.extra.items() if f"{kind}.extra.{name}" not in fields}
    return record if len(kept) == len(record.extra) else msgspec.structs.replace(record, extra=kept)


async def watch(work: Writing, run: Run) -> Watch:
    """What is known of a stream's fields, for a run of it."""
    integration = await queries.integration(work, run.integration_id)
    setting = (await queries.settings(work, run.integration_id)).get(run.stream.name)
    known = await work.one(select(StreamState.fields).where(*_state_of(work, run.integration_id, run.stream.name)))
    quarantined = frozenset(setting.quarantined_fields if setting else ())
    return Watch(DriftPolicy(integration.drift_policy), known, quarantined)


async def note(work: Writing, run: Run, watched: Watch, changes: Sequence[Change]) -> None:
    """Write down how fields have changed, tell of what is new about it once, and follow the integration's policy."""
    changes = await _unacknowledged(work, run, watched, changes) if changes else ()
    if not changes:
        return
    told = [change for change in changes if await _is_news(work, run, change)]
    watched.noticed.update(change.field for change in changes)
    if watched.policy is DriftPolicy.ACCEPT:
        await _learn(work, run.integration_id, run.stream.name, changes)
        watched.known = _with(watched.known or {}, changes)
    if watched.policy is DriftPolicy.QUARANTINE_FIELD:
        kept_out = {change.field for change in changes if change.kind != VANISHED}
        watched.quarantined |= kept_out
        await _quarantine(work, run, kept_out)
    if told:
        work.emit(
            "integrations.SchemaDrifted", run.integration_id, run=run.id.hex, stream=run.stream.name,
            fields=[{"field": each.field, "kind": each.kind} for each in told],
        )  # fmt: skip


async def conclude(work: Writing, run: Run, watched: Watch) -> list[Change]:
    """At the end of a run: keep what a first run has learnt, or note what no record had any more."""
    state = _state_of(work, run.integration_id, run.stream.name)
    if watched.known is None:
        learnt = {name: sorted(types) for name, types in sorted(watched.seen.items())}
        await work.execute(update(StreamState).where(*state).values(fields=learnt or None))
        return []
    gone = watched.vanished()
    await note(work, run, watched, gone)
    newly = {name: [_ANY] for name, types in watched.seen.items() if _ANY in types and name not in watched.known}
    if newly:
        known = await work.one(select(StreamState.fields).where(*state)) or {}
        await work.execute(update(StreamState).where(*state).values(fields=newly | known))
    return gone


def reason(changes: Sequence[Change]) -> str:
    """Why a stream is paused, in plain words."""
    return PAUSED + ", ".join(f"{change.field} ({change.kind.lower()})" for change in changes) + "."


async def acknowledge(
    work: Writing, integration_id: UUID, stream: str, fields: Sequence[str] | None = None
) -> list[SchemaDrift]:
    """Say that a drift is all right: the fields, or all of the stream's, are known and taken from now on.

    A stream that was paused for it is read again.
    """
    wanted = select(SchemaDrift).where(
        SchemaDrift.tenant_id == work.tenant_id, SchemaDrift.integration_id == integration_id,
        SchemaDrift.stream == stream, SchemaDrift.acknowledged_at.is_(None),
    )  # fmt: skip
    if fields is not None:
        wanted = wanted.where(SchemaDrift.field.in_(list(fields)))
    drifts = list(await work.all(wanted.order_by(SchemaDrift.field).with_for_update()))
    if not drifts:
        return []
    for drift in drifts:
        drift.acknowledged_at = work.now
    changes = [Change(each.field, each.kind, each.was, each.became, each.count) for each in drifts]
    await _learn(work, integration_id, stream, changes)
    await _release(work, integration_id, stream, {each.field for each in drifts})
    work.audit(
        "integrations.acknowledge_drift", f"integration:{integration_id.hex}",
        after={"stream": stream, "fields": [each.field for each in drifts]},
    )  # fmt: skip
    await work.flush()
    return drifts


async def _unacknowledged(work: Writing, run: Run, watched: Watch, changes: Sequence[Change]) -> Sequence[Change]:
    """The changes that somebody has still to look at; those acknowledged since the run began it knows from now on."""
    acknowledged = await work.all(
        select(SchemaDrift).where(
            SchemaDrift.tenant_id == work.tenant_id, SchemaDrift.integration_id == run.integration_id,
            SchemaDrift.stream == run.stream.name, SchemaDrift.field.in_([change.field for change in changes]),
            SchemaDrift.acknowledged_at.is_not(None),
        )
    )  # fmt: skip
    seen = {(each.field, each.kind, each.became) for each in acknowledged}
    known = [change for change in changes if (change.field, change.kind, change.became) in seen]
    watched.take(known)
    return [change for change in changes if change not in known]


async def _is_news(work: Writing, run: Run, change: Change) -> bool:
    """Write a change down; whether nobody was told of it yet."""
    key = {"integration_id": run.integration_id, "stream": run.stream.name, "field": change.field}
    known = await work.session.get(SchemaDrift, {"tenant_id": work.tenant_id, **key})
    if known is not None and (known.kind, known.became) == (change.kind, change.became):
        known.count += change.count
        known.last_seen_at = work.now
        return False
    if known is None:
        known = SchemaDrift(**key, first_seen_at=work.now)
        work.add(known)
    known.kind, known.was, known.became, known.count = change.kind, change.was, change.became, change.count
    known.last_seen_at, known.acknowledged_at = work.now, None
    await work.flush()
    return True


async def _learn(work: Writing, integration_id: UUID, stream: str, changes: Sequence[Change]) -> None:
    state = _state_of(work, integration_id, stream)
    known = await work.one(select(StreamState.fields).where(*state))
    await work.execute(update(StreamState).where(*state).values(fields=_with(known or {}, changes)))


def _with(known: Mapping[str, Sequence[str]], changes: Sequence[Change]) -> dict[str, list[str]]:
    after = {name: list(types) for name, types in known.items()}
    for change in changes:
        if change.became is None:
            after.pop(change.field, None)
        else:
            after[change.field] = sorted({*after.get(change.field, ()), change.became})
    return after


async def _quarantine(work: Writing, run: Run, fields: Collection[str]) -> None:
    setting = (await queries.settings(work, run.integration_id)).get(run.stream.name)
    if setting is None:
        setting = StreamSetting(integration_id=run.integration_id, stream=run.stream.name)
        work.add(setting)
    setting.quarantined_fields = sorted({*(setting.quarantined_fields or ()), *fields})
    setting.updated_at = work.now
    await work.flush()


async def _release(work: Writing, integration_id: UUID, stream: str, fields: Collection[str]) -> None:
    """Take fields out of quarantine, and have the stream read again where it was paused for them."""
    setting = (await queries.settings(work, integration_id)).get(stream)
    if setting is not None:
        setting.quarantined_fields = [each for each in setting.quarantined_fields if each not in fields]
    resumed = await work.execute(
        update(StreamState)
        .where(*_state_of(work, integration_id, stream), StreamState.paused_reason.startswith(PAUSED, autoescape=True))
        .values(paused_reason=None)
    )
    if resumed.rowcount:
        await events.make_due(work.session, work.tenant_id, "sync", f"{integration_id.hex}:{stream}", work.now)


def _state_of(work: Writing, integration_id: UUID, stream: str) -> tuple[Any, ...]:
    return (
        StreamState.tenant_id == work.tenant_id,
        StreamState.integration_id == integration_id,
        StreamState.stream == stream,
    )
