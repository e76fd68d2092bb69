"""Records that the other side has made one: whoever they are here becomes one, too, by an entry that can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from domain import customers
from domain.customers.edges import AlreadyMerged, MergedWithItself, MergeVetoed
from domain.customers.merging import CustomerErased
from domain.integrations.model import RecordLink, RemoteRecord
from sync.landing import rejects
from tenure_sdk import Reject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Merge

CUSTOMER = "customer"
VETOED = "was merged at the other side; here it was decided that these are different customers"


async def merge(work: Writing, run: Run, merges: Sequence[Merge]) -> set[UUID]:
    """Follow the merges of a page, in their order, and return whom they touch.

    The gone record is known under its successor's customer from now on; what was recorded with it stays with it and is
    read through the merge. Where a person decided that two customers are different, that stands, and is told.
    """
    touched: set[UUID] = set()
    for each in merges:
        touched |= await _follow(work, run, each)
    return touched


async def _follow(work: Writing, run: Run, merged: Merge) -> set[UUID]:
    gone, into = await _local(work, run, merged.type, merged.gone), await _local(work, run, merged.type, merged.into)
    if gone is None:
        return set()
    if into is not None and merged.type == CUSTOMER and not await _make_one(work, run, merged, gone, into):
        return set()
    await _link(work, run, merged.type, merged.gone if into else merged.into, into or gone)
    await work.execute(
        update(RemoteRecord)
        .where(*_named(RemoteRecord, work, run, merged.type, merged.gone), RemoteRecord.deleted.is_(False))
        .values(deleted=True, updated_at=work.now)
    )
    return {gone, into or gone} if merged.type == CUSTOMER else set()


async def _make_one(work: Writing, run: Run, merged: Merge, gone: UUID, into: UUID) -> bool:
    """Whether the two customers are one now."""
    evidence = {"source": run.source, "gone": merged.gone, "into": merged.into, "run": run.id.hex}
    try:
        await customers.merge(work, into, [gone], "Merged at the other side.", evidence=evidence)
    except (AlreadyMerged, MergedWithItself):
        return True
    except CustomerErased:
        return False
    except MergeVetoed:
        await rejects.keep(work, run, [Reject(None, "merge", merged.into, VETOED, merged.gone)])
        return False
    return True


async def _local(work: Writing, run: Run, kind: str, remote_id: str) -> UUID | None:
    return await work.one(select(RecordLink.local_id).where(*_named(RecordLink, work, run, kind, remote_id)))


async def _link(work: Writing, run: Run, kind: str, remote_id: str, local_id: UUID) -> None:
    entry = insert(RecordLink).values(
        tenant_id=work.tenant_id, integration_id=run.integration_id, type=kind, remote_id=remote_id, local_id=local_id
    )
    same = ["tenant_id", "integration_id", "type", "remote_id"]
    await work.execute(entry.on_conflict_do_update(index_elements=same, set_={"local_id": local_id}))


def _named(
    model: type[RecordLink | RemoteRecord], work: Writing, run: Run, kind: str, remote_id: str
) -> tuple[ColumnElement[bool], ...]:
    return (
        model.tenant_id == work.tenant_id,
        model.integration_id == run.integration_id,
        model.type == kind,
        model.remote_id == remote_id,
    )
