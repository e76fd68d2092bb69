"""What a whole reading did not bring is gone at the other side: taken out of view, or left for a person to agree to."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import to_builtins
from sqlalchemy import ARRAY, Text, bindparam, select

from domain.core import events
from domain.core.due import due
from domain.core.problems import Conflict, NotFound
from domain.integrations import queries
from domain.integrations.model import BulkDelete
from sync import land, runs, settle
from sync.land import Landed
from sync.landing import deletions
from sync.landing.tables import sql
from sync.runs import ALL, Checkpoint, Counts, Run
from tenure_sdk import LINE_TYPES, LinePage, Listing, Stream, record_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Select

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from sync.remote import Remote
    from tenure_sdk import Page

APPLY = "bulk_delete"
PORTION = 1_000
"""How many records one transaction takes out of view."""

FEW, SHARE = 20, 0.1
"""A sweep of more than this share of a stream, and of more than so few records, waits for a person."""

APPROVED, REJECTED, SUPERSEDED = "APPROVED", "REJECTED", "SUPERSEDED"


class AlreadyDecided(Conflict):
    """This was decided before, or a later reading of the stream has found something else."""


_PAPERS = {
    "order": "orders", "refund": "refunds", "invoice": "invoices", "payment": "payments",
    "credit_note": "credit_notes", "contract": "contracts", "opportunity": "opportunities", "cost": "cost_entries",
}  # fmt: skip

_CUSTOMERS = """
SELECT type, remote_id, updated_at FROM remote_records
WHERE tenant_id = :tenant AND integration_id = :integration AND type = 'customer' AND NOT deleted
"""
_INTERACTIONS = """
SELECT 'interaction', remote_id, recorded_at FROM interactions
WHERE tenant_id = :tenant AND integration_id = :integration AND stream = :stream AND superseded_at IS NULL
"""


def _papers(kind: str) -> str:
    return f"""
    SELECT link.type, link.remote_id, paper.recorded_at FROM record_links AS link
    JOIN {_PAPERS[kind]} AS paper
        ON paper.tenant_id = :tenant AND paper.id = link.local_id AND paper.superseded_at IS NULL
    WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = '{kind}'
    """


KNOWN = {"customer": _CUSTOMERS, "interaction": _INTERACTIONS} | {kind: _papers(kind) for kind in _PAPERS}
"""What is known here of a type at an integration: the SQL of its type, its remote ids, and when each changed here."""

_SEE = sql("""
INSERT INTO seen_records (tenant_id, run_id, type, remote_id)
SELECT DISTINCT CAST(:tenant AS uuid), CAST(:run AS uuid), type, remote_id
FROM unnest(:types, :remote_ids) AS seen (type, remote_id)
ON CONFLICT DO NOTHING
""").bindparams(bindparam("types", type_=ARRAY(Text)), bindparam("remote_ids", type_=ARRAY(Text)))


async def note(work: Writing, run: Run, page: Page | LinePage, left_out: Sequence[str]) -> int:
    """Remember what a page of a whole reading has; how many ids are new. `left_out`: records that were not taken.

    A record that could not be taken is there all the same.
    """
    seen = [*_on(page), *((kind, remote_id) for kind in run.stream.types for remote_id in left_out)]
    if not seen:
        return 0
    types, remote_ids = zip(*seen, strict=True)
    noted = await work.execute(_SEE, {**run.binds, "types": list(types), "remote_ids": list(remote_ids)})
    return noted.rowcount


async def listed(database: Database, remote: Remote, run: Run) -> bool:
    """Whether, after a reading from the start, all ids that the other side lists are known: what was deleted before its
    cursor was lost shows in nothing else.
    """
    of = run.stream
    listing = any(each.stream == of.name for each in remote.connector.declared(Listing))
    if not run.checkpoint.lost or run.window != ALL or not listing or len(of.types) != 1 or of.deletes == "none":
        return False
    async for portion in remote.ids(of.name):
        seen = {"types": list(of.types) * len(portion), "remote_ids": [each.id for each in portion]}
        async with database.unit_of_work(run.tenant_id) as work:
            await runs.renew(work, run)
            await work.execute(_SEE, {**run.binds, **seen})
    return True


def _on(page: Page | LinePage) -> Iterator[tuple[str, str]]:
    if isinstance(page, LinePage):
        document, kind = page.columns.index("document"), page.columns.index("type")
        yield from {(LINE_TYPES[row[kind]][0], row[document]) for row in page.rows}
    else:
        yield from ((record_type(record), record.id) for record in page.records if not record.deleted)


async def sweep(database: Database, remote: Remote, run: Run) -> int:
    """Take out of view what a whole reading, which ended by itself, has not brought; how many records.

    What is too much waits as a BulkDelete. One that waits from an earlier reading is obsolete either way. What a
    person refused to delete stays until the other side has had it again.
    """
    types = [kind for kind in run.stream.types if kind in KNOWN and not _is_shared(remote, run.stream, kind)]
    if not types:
        return 0
    async with database.unit_of_work(run.tenant_id) as work:
        known, missing = await _compare(work, run, types)
        refused = await _refused(work, run)
        missing = [each for each in missing if each not in refused]
        waits = len(missing) > max(FEW, known * SHARE)
        await _supersede(work, run, missing if waits else [])
        if waits:
            await _wait(work, run, known, missing)
            return 0
    for start in range(0, len(missing), PORTION):
        async with database.unit_of_work(run.tenant_id) as work:
            found, touched = await _delete(work, run, missing[start : start + PORTION])
            await land.conclude(work, run, Landed(Counts(deleted=found), (), sorted(touched)))
    return len(missing)


def _is_shared(remote: Remote, stream: Stream, kind: str) -> bool:
    """Whether another stream brings records of this type, too: what this one does not have may be the other's.

    Interactions know their stream.
    """
    others = (other for other in remote.connector.streams() if other.name != stream.name)
    return kind != "interaction" and any(kind in other.types for other in others)


async def _compare(work: Writing, run: Run, types: Sequence[str]) -> tuple[int, list[str]]:
    """How many records are known, and which of them this reading has not seen: `type:id` of each.

    What has come since it began, because the other side called or took it from us, may have missed its page.
    """
    known = " UNION ALL ".join(KNOWN[kind] for kind in types)
    compared = sql(f"""
    SELECT count(*) AS known,
        array_agg(known.type || ':' || known.remote_id ORDER BY known.type, known.remote_id)
            FILTER (WHERE seen.run_id IS NULL AND known.changed_at <= run.started_at) AS missing
    FROM ({known}) AS known (type, remote_id, changed_at)
    JOIN sync_runs AS run ON run.tenant_id = :tenant AND run.id = :run
    LEFT JOIN seen_records AS seen ON seen.tenant_id = :tenant AND seen.run_id = :run AND seen.type = known.type
        AND seen.remote_id = known.remote_id
    """)
    row = (await work.rows(compared, {**run.binds, "stream": run.stream.name}))[0]
    return row.known, row.missing or []


async def _refused(work: Writing, run: Run) -> set[str]:
    """What the last bulk delete of the stream wanted to take, where a person said no."""
    last = _bulk_deletes(work, run).where(BulkDelete.decision.in_([REJECTED, APPROVED]))
    found = await work.one(last.order_by(BulkDelete.id.desc()).limit(1))
    return set(found.ids) if found is not None and found.decision == REJECTED else set()


async def _wait(work: Writing, run: Run, known: int, missing: Sequence[str]) -> None:
    """Ask a person, unless the same question is open already."""
    if await work.one(_bulk_deletes(work, run).where(BulkDelete.decision.is_(None))) is not None:
        return
    waiting = BulkDelete(
        id=work.ids(), integration_id=run.integration_id, run_id=run.id, stream=run.stream.name, found=len(missing),
        known=known, ids=list(missing), recorded_at=work.now,
    )  # fmt: skip
    work.add(waiting)
    work.emit(
        "integrations.BulkDeleteWaiting", run.integration_id, bulk_delete=waiting.id.hex, run=run.id.hex,
        stream=run.stream.name, found=len(missing), known=known,
    )  # fmt: skip


async def _supersede(work: Writing, run: Run, missing: Sequence[str]) -> None:
    """Close an open question that the latest reading answers otherwise."""
    open_ = await work.one(_bulk_deletes(work, run).where(BulkDelete.decision.is_(None)))
    if open_ is not None and open_.ids != list(missing):
        open_.decision, open_.decided_at = SUPERSEDED, work.now
        await work.flush()


def _bulk_deletes(work: Writing, run: Run) -> Select[BulkDelete]:
    return select(BulkDelete).where(
        BulkDelete.tenant_id == work.tenant_id,
        BulkDelete.integration_id == run.integration_id,
        BulkDelete.stream == run.stream.name,
    )


async def _delete(work: Writing, run: Run, missing: Sequence[str]) -> tuple[int, set[UUID]]:
    """Take some records out of view: how many there were, and whom that touches."""
    by_type: dict[str, list[str]] = defaultdict(list)
    for kind, _, remote_id in (each.partition(":") for each in missing):
        by_type[kind].append(remote_id)
    found, touched = 0, set[UUID]()
    for kind, remote_ids in by_type.items():
        more, whom = await deletions.delete(work, run, [kind], remote_ids)
        found, touched = found + more, touched | whom
    return found, touched


async def approve(work: Writing, bulk_delete_id: UUID) -> BulkDelete:
    """Agree to a bulk delete; it is carried out in portions, and every record can come back. Raises AlreadyDecided."""
    decided = await _decide(work, bulk_delete_id, APPROVED)
    await events.make_due(work.session, work.tenant_id, APPLY, _key(decided, 0), work.now)
    return decided


async def reject(work: Writing, bulk_delete_id: UUID) -> BulkDelete:
    """Keep the records of a bulk delete, also against later readings that do not bring them. Raises AlreadyDecided."""
    return await _decide(work, bulk_delete_id, REJECTED)


async def _decide(work: Writing, bulk_delete_id: UUID, decision: str) -> BulkDelete:
    wanted = select(BulkDelete).where(BulkDelete.tenant_id == work.tenant_id, BulkDelete.id == bulk_delete_id)
    found = await work.one(wanted.with_for_update().execution_options(populate_existing=True))
    if found is None:
        raise NotFound(id=str(bulk_delete_id))
    if found.decision is not None:
        raise AlreadyDecided(decision=found.decision)
    found.decision, found.decided_at, found.decided_by = decision, work.now, work.actor.principal_id
    work.audit(
        "integrations.decide_bulk_delete", f"bulk_delete:{found.id.hex}",
        after={"decision": decision, "found": found.found, "stream": found.stream},
    )  # fmt: skip
    await work.flush()
    return found


def _key(bulk_delete: BulkDelete, start: int) -> str:
    return f"{bulk_delete.integration_id.hex}:{bulk_delete.id.hex}:{start}"


@due(APPLY)
async def apply(work: Writing, key: str) -> None:
    """Carry out a portion of a bulk delete that was agreed to."""
    _, found_by, start = key.split(":")
    bulk = await work.one(
        select(BulkDelete).where(BulkDelete.tenant_id == work.tenant_id, BulkDelete.id == UUID(found_by))
    )
    if bulk is None:
        return
    portion = bulk.ids[int(start) : int(start) + PORTION]
    run = await _past(work, bulk)
    deleted, touched = await _delete(work, run, portion)
    await settle.customers(work, (), sorted(touched))
    if deleted:
        work.emit(
            "integrations.PageLanded", bulk.integration_id, run=bulk.run_id.hex, stream=bulk.stream,
            counts=to_builtins(Counts(deleted=deleted)), customers=[each.hex for each in sorted(touched)],
        )  # fmt: skip
    if int(start) + PORTION < len(bulk.ids):
        following = _key(bulk, int(start) + PORTION)
        await events.make_due(work.session, work.tenant_id, APPLY, following, work.now)
    else:
        bulk.applied_at = work.now


async def _past(work: Writing, bulk: BulkDelete) -> Run:
    """The run that found the records, which is long over: it names the stream, and holds nothing."""
    integration = await queries.integration(work, bulk.integration_id)
    return Run(
        id=bulk.run_id, tenant_id=work.tenant_id, integration_id=bulk.integration_id,
        source=f"{integration.connector}:{integration.account}", stream=Stream(bulk.stream, ()), owner="", fence=-1,
        checkpoint=Checkpoint(bulk.run_id), counts=Counts(),
    )  # fmt: skip
