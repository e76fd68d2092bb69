"""Reconciliation: both sides are compared, record by record, and what an auditor can compute again is written down.

Two levels, the second only as far as needed: which ids each side has, in which version; and, where that leaves a doubt,
whether the record as it is there would change anything here.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ARRAY, Text, any_, bindparam, delete, literal, select

from domain.core.problems import NotFound
from domain.integrations import queries
from domain.integrations.model import (
    DeadLetter,
    OutboundChange,
    ReconciliationDifference,
    ReconciliationReport,
    RecordLink,
    SeenRecord,
    SyncConflict,
)
from sync import land, sweeps
from sync.landing.tables import sql
from sync.two_way import queue
from sync.two_way.sending import aside
from tenure_sdk import Fetch, Listing, Page, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing
    from sync.remote import Remote
    from tenure_sdk import Record

PORTION = 200
"""How many records are fetched and looked at together."""


class Difference(StrEnum):
    """How a record is not alike on both sides."""

    MISSING_LOCAL = "MISSING_LOCAL"
    MISSING_REMOTE = "MISSING_REMOTE"
    DIFFERENT = "DIFFERENT"
    AWAITING_PUSH = "AWAITING_PUSH"
    REJECTED = "REJECTED"


@dataclass(frozen=True)
class Found:
    """A record that is not alike on both sides."""

    type: str
    remote_id: str
    kind: Difference
    fields: tuple[str, ...] = ()
    local_id: UUID | None = None


@dataclass
class Compared:
    """A stream on both sides."""

    stream: str
    local_count: int = 0
    remote_count: int = 0
    compared: int = 0
    differences: list[Found] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """The comparison as the report holds it."""
        kinds = Counter(each.kind for each in self.differences)
        return {
            "stream": self.stream, "local_count": self.local_count, "remote_count": self.remote_count,
            "compared": self.compared, "matching": self.compared - len(self.differences),
            **{kind.lower(): kinds[kind] for kind in Difference},
        }  # fmt: skip


def can_compare(remote: Remote) -> bool:
    """Whether the other side can list anything."""
    return bool(remote.connector.declared(Listing))


async def reconcile(
    database: Database, remote: Remote, tenant_id: UUID, integration_id: UUID, *, deep: bool = False
) -> UUID:
    """Compare all streams that can be listed; the report. `deep` looks into every record, whatever its version says.

    Nothing is changed. What is on its way is told apart: pull and push before, so that only real differences are left.
    """
    async with database.reading(tenant_id) as work:
        started_at = work.now
    comparison = _Comparison(database, remote, tenant_id, integration_id, deep)
    compared = [await comparison.of(stream) for stream in remote.connector.streams() if comparison.can_list(stream)]
    async with database.unit_of_work(tenant_id) as work:
        return await _write(work, integration_id, started_at, compared)


def digest_of(
    integration_id: UUID, started_at: datetime, streams: Sequence[Mapping[str, Any]], found: Iterable[Found]
) -> bytes:
    """SHA-256 of a report in canonical form: JSON with sorted keys, differences in the order of stream, type and id."""
    told = {
        "integration": integration_id.hex,
        "started_at": started_at.isoformat(),
        "streams": [dict(stream) for stream in streams],
        "differences": sorted([each.type, each.remote_id, each.kind, sorted(each.fields)] for each in found),
    }
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()


async def differences(work: Reading, report_id: UUID) -> list[Found]:
    """What a report found not to be alike."""
    rows = await work.all(
        select(ReconciliationDifference)
        .where(ReconciliationDifference.tenant_id == work.tenant_id, ReconciliationDifference.report_id == report_id)
        .order_by(ReconciliationDifference.type, ReconciliationDifference.remote_id)
    )
    return [Found(row.type, row.remote_id, Difference(row.kind), tuple(row.fields), row.local_id) for row in rows]


async def verify(work: Reading, report_id: UUID) -> bool:
    """Whether a report still has the digest that it was written with."""
    report = await report_of(work, report_id)
    found = await differences(work, report_id)
    return report.digest == digest_of(report.integration_id, report.started_at, report.streams, found)


@dataclass
class _Comparison:
    """One comparison of an integration."""

    database: Database
    remote: Remote
    tenant_id: UUID
    integration_id: UUID
    deep: bool

    def can_list(self, stream: Stream) -> bool:
        """Whether the other side can list what a stream has, and all of that is kept here, by its id.

        Of mail and meetings only those are kept that concern a customer: their number says nothing.
        """
        listed = any(each.stream == stream.name for each in self.remote.connector.declared(Listing))
        return listed and any(kind in sweeps.KNOWN for kind in stream.types) and "interaction" not in stream.types

    async def of(self, stream: Stream) -> Compared:
        """How a stream compares."""
        compared = Compared(stream.name)
        (kind,) = [kind for kind in stream.types if kind in sweeps.KNOWN][:1]
        async with self.database.unit_of_work(self.tenant_id) as work:
            listing = work.ids()
        try:
            compared.remote_count = await self._list(listing, stream.name, kind)
            async with self.database.reading(self.tenant_id) as work:
                counts = await self._compare_ids(work, listing, stream, kind, compared)
                doubtful = await self._doubtful(work, listing, kind, counts)
                pending = await self._pending(work, kind)
            await self._look_into(kind, doubtful, compared)
        finally:
            async with self.database.unit_of_work(self.tenant_id) as work:
                await work.execute(
                    delete(SeenRecord).where(SeenRecord.tenant_id == self.tenant_id, SeenRecord.run_id == listing)
                )
        _tell_apart(compared, pending)
        return compared

    async def _list(self, listing: UUID, stream: str, kind: str) -> int:
        """Keep the ids that the other side lists; how many there are."""
        count = 0
        async for portion in self.remote.ids(stream):
            ids = {each.id: each.version for each in portion}
            async with self.database.unit_of_work(self.tenant_id) as work:
                noted = await work.execute(
                    _SEE,
                    {
                        "tenant": self.tenant_id,
                        "run": listing,
                        "type": kind,
                        "ids": list(ids),
                        "versions": list(ids.values()),
                    },
                )
                count += noted.rowcount
        return count

    async def _compare_ids(self, work: Reading, listing: UUID, stream: Stream, kind: str, compared: Compared) -> int:
        """Which ids only one side has; how many records are known here."""
        binds = {"tenant": self.tenant_id, "integration": self.integration_id, "run": listing, "stream": stream.name}
        rows = await work.rows(sql(_ONLY_ONE_SIDE.format(known=sweeps.KNOWN[kind])), binds)
        compared.local_count = rows[0].known
        compared.compared = rows[0].known + rows[0].only_there
        for row in rows:
            if row.remote_id is not None:
                kind_of = Difference.MISSING_LOCAL if row.there else Difference.MISSING_REMOTE
                compared.differences.append(Found(kind, row.remote_id, kind_of))
        return int(rows[0].known)

    async def _doubtful(self, work: Reading, listing: UUID, kind: str, known: int) -> list[str]:
        """The ids that both sides have, of which the versions do not say that they are alike."""
        if not known or not self._can_fetch(kind):
            return []
        alike = "false" if self.deep else "seen.version IS NOT NULL AND record.version = seen.version"
        binds = {"tenant": self.tenant_id, "integration": self.integration_id, "run": listing, "type": kind}
        return list((await work.session.execute(sql(_DOUBTFUL.format(alike=alike)), binds)).scalars())

    async def _look_into(self, kind: str, doubtful: Sequence[str], compared: Compared) -> None:
        """Fetch what is doubtful, and what only one side seems to have: it may have come or gone meanwhile."""
        if not self._can_fetch(kind):
            return
        one_sided = {each.remote_id: each for each in compared.differences}
        compared.differences = []
        ids = [*doubtful, *one_sided]
        for start in range(0, len(ids), PORTION):
            portion = ids[start : start + PORTION]
            records = {record.id: record for record in await self.remote.fetch(kind, portion)}
            known = [records[id_] for id_ in portion if id_ in records and id_ not in one_sided]
            compared.differences += [each async for each in self._different(kind, known)]
            for id_ in portion:
                each = one_sided.get(id_)
                if each is not None and (id_ in records) == (each.kind is Difference.MISSING_LOCAL):
                    compared.differences.append(each)
                elif each is None and id_ not in records:
                    compared.differences.append(Found(kind, id_, Difference.MISSING_REMOTE))

    async def _different(self, kind: str, records: Sequence[Record]) -> AsyncIterator[Found]:
        """Which of these records would change something here if they landed: halved until each is found."""
        if not records or not await self._would_change(kind, records):
            return
        if len(records) == 1:
            yield Found(kind, records[0].id, Difference.DIFFERENT)
            return
        middle = len(records) // 2
        for half in (records[:middle], records[middle:]):
            async for each in self._different(kind, half):
                yield each

    async def _would_change(self, kind: str, records: Sequence[Record]) -> bool:
        """Land the records and take it back."""
        try:
            async with self.database.unit_of_work(self.tenant_id) as work:
                run = aside(work, await queries.integration(work, self.integration_id), stream_of(self.remote, kind))
                landed = await land.merge(work, run, Page(list(records)))
                raise _TakeBack(bool(landed.counts.created or landed.counts.updated))  # noqa: TRY301
        except _TakeBack as tried:
            return tried.changed

    async def _pending(self, work: Reading, kind: str) -> _Pending:
        """What is known to be on its way, refused, or asked about."""
        of = OutboundChange.tenant_id == work.tenant_id, OutboundChange.integration_id == self.integration_id
        owed = await work.all(
            select(OutboundChange).where(
                *of, OutboundChange.type == kind, OutboundChange.status.in_([*queue.OPEN, "REJECTED", "CONFLICTED"])
            )
        )
        asked = await work.all(
            select(SyncConflict).where(
                SyncConflict.tenant_id == work.tenant_id, SyncConflict.integration_id == self.integration_id,
                SyncConflict.type == kind, SyncConflict.resolution.is_(None),
            )
        )  # fmt: skip
        refused = await work.all(
            select(DeadLetter.remote_id).where(
                DeadLetter.tenant_id == work.tenant_id, DeadLetter.integration_id == self.integration_id,
                DeadLetter.resolution.is_(None), DeadLetter.remote_id.is_not(None),
            )
        )  # fmt: skip
        return _Pending(owed, asked, frozenset(each for each in refused if each))

    def _can_fetch(self, kind: str) -> bool:
        return any(each.record.__struct_config__.tag == kind for each in self.remote.connector.declared(Fetch))


@dataclass(frozen=True)
class _Pending:
    """What is known to be on its way, refused, or asked about."""

    owed: Sequence[OutboundChange]
    asked: Sequence[SyncConflict]
    refused: frozenset[str]


def _tell_apart(compared: Compared, pending: _Pending) -> None:
    """Name what is on its way, was refused, or waits for a person; records that only we have are compared, too."""
    by_id = {each.remote_id: each for each in compared.differences}
    for remote_id, each in by_id.items():
        if each.kind is Difference.MISSING_LOCAL and remote_id in pending.refused:
            by_id[remote_id] = Found(each.type, remote_id, Difference.REJECTED)
    for change in pending.owed:
        id_ = change.remote_id or change.local_id.hex
        kind = Difference.REJECTED if change.status == "REJECTED" else Difference.AWAITING_PUSH
        by_id[id_] = Found(change.type, id_, kind, tuple(change.fields), change.local_id)
        compared.compared += change.remote_id is None
    for conflict in pending.asked:
        known = by_id.get(conflict.remote_id)
        fields = (*(known.fields if known and known.kind is Difference.DIFFERENT else ()), conflict.field)
        by_id[conflict.remote_id] = Found(
            conflict.type, conflict.remote_id, Difference.DIFFERENT, fields, conflict.local_id
        )
    compared.differences = [by_id[id_] for id_ in sorted(by_id)]


class _TakeBack(Exception):
    """Ends a trial: nothing of it is kept."""

    def __init__(self, changed: bool) -> None:
        super().__init__()
        self.changed = changed


def stream_of(remote: Remote, kind: str) -> Stream:
    """The stream that has records of a type."""
    return next(stream for stream in remote.connector.streams() if kind in stream.types)


async def _write(work: Writing, integration_id: UUID, started_at: datetime, compared: Sequence[Compared]) -> UUID:
    streams = [each.told() for each in compared]
    found = [(each.stream, difference) for each in compared for difference in each.differences]
    local_ids = await _local_ids(work, integration_id, [difference for _, difference in found])
    report = ReconciliationReport(
        id=work.ids(), integration_id=integration_id, started_at=started_at, recorded_at=work.now, streams=streams,
        compared=sum(each.compared for each in compared),
        matching=sum(each.compared - len(each.differences) for each in compared),
        digest=digest_of(integration_id, started_at, streams, [difference for _, difference in found]),
    )  # fmt: skip
    work.add(report)
    await work.flush()
    work.add(
        *(
            ReconciliationDifference(
                report_id=report.id, stream=stream, type=each.type, remote_id=each.remote_id, kind=each.kind,
                local_id=each.local_id or local_ids.get((each.type, each.remote_id)), fields=sorted(each.fields),
                detail={},
            )
            for stream, each in found
        )
    )  # fmt: skip
    work.emit(
        "integrations.Reconciled", integration_id, report=report.id.hex, compared=report.compared,
        matching=report.matching,
    )  # fmt: skip
    return report.id


async def _local_ids(work: Reading, integration_id: UUID, found: Sequence[Found]) -> dict[tuple[str, str], UUID]:
    rows = await work.rows(
        select(RecordLink.type, RecordLink.remote_id, RecordLink.local_id).where(
            RecordLink.tenant_id == work.tenant_id, RecordLink.integration_id == integration_id,
            RecordLink.remote_id == any_(literal([each.remote_id for each in found], ARRAY(Text()))),
        )
    )  # fmt: skip
    return {(row.type, row.remote_id): row.local_id for row in rows}


async def report_of(work: Reading, report_id: UUID) -> ReconciliationReport:
    """A report by its id. Raises NotFound."""
    found = await work.one(
        select(ReconciliationReport).where(
            ReconciliationReport.tenant_id == work.tenant_id, ReconciliationReport.id == report_id
        )
    )
    if found is None:
        raise NotFound(id=report_id)
    return found


_SEE = sql("""
INSERT INTO seen_records (tenant_id, run_id, type, remote_id, version)
SELECT CAST(:tenant AS uuid), CAST(:run AS uuid), CAST(:type AS text), id, version
FROM unnest(:ids, :versions) AS seen (id, version)
ON CONFLICT DO NOTHING
""").bindparams(bindparam("ids", type_=ARRAY(Text)), bindparam("versions", type_=ARRAY(Text)))

_ONLY_ONE_SIDE = """
WITH known (type, remote_id) AS ({known}),
    seen AS (SELECT remote_id FROM seen_records WHERE tenant_id = :tenant AND run_id = :run),
    lone AS (
        SELECT remote_id, true AS there FROM seen EXCEPT SELECT remote_id, true FROM known
        UNION ALL
        (SELECT remote_id, false FROM known EXCEPT SELECT remote_id, false FROM seen)
    ),
    counted AS (SELECT (SELECT count(*) FROM known) AS known, (SELECT count(*) FROM lone WHERE there) AS only_there)
SELECT counted.known, counted.only_there, lone.remote_id, lone.there
FROM counted LEFT JOIN lone ON true ORDER BY lone.remote_id
"""

_DOUBTFUL = """
SELECT seen.remote_id FROM seen_records AS seen
JOIN record_links AS link ON link.tenant_id = :tenant AND link.integration_id = :integration
    AND link.type = :type AND link.remote_id = seen.remote_id
LEFT JOIN remote_records AS record ON record.tenant_id = :tenant AND record.integration_id = :integration
    AND record.type = :type AND record.remote_id = seen.remote_id AND NOT record.deleted
WHERE seen.tenant_id = :tenant AND seen.run_id = :run AND NOT ({alike})
ORDER BY seen.remote_id
"""
