"""Signals: single records that the other side called about, or that have to be looked at again, fetched and landed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.integrations.model import DriftPolicy, RunMode
from sync import contract, dead_letters, drift, land, runs, troubles
from sync.pull import declared, readable
from sync.runs import Counts
from sync.two_way import sending
from tenure_sdk import Fetch, Page, Unsupported

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from domain.integrations.model import Integration
    from sync.contract import Checked
    from sync.remote import Remote
    from tenure_sdk import Merge, Record, Stream

ASIDE = "#signals"
"""What follows a stream's name where single records land beside its readings."""

PORTION = 500
"""How many records are fetched for one transaction."""


async def fetch_signalled(
    database: Database, remote: Remote, tenant_id: UUID, integration_id: UUID, stream: str, ids: Sequence[str],
    deleted: Sequence[str] = (), *, merges: Sequence[Merge] = (), secrets: Collection[str] = (),
) -> Counts:  # fmt: skip
    """Fetch records of a stream by their ids and land them; what the other side no longer has is deleted here, too.

    Records that it merged are merged here.

    It may run beside a reading of the same stream, and for the same ids as often as one likes. Raises StreamNotRead
    where the stream is not to be read, Unsupported where its records cannot be fetched by id, and the ConnectorErrors
    of the remote side; each portion lands whole or not at all.
    """
    of = declared(remote, stream)
    counts = Counts()
    for start in range(0, max(len(ids), 1), PORTION):
        portion = list(dict.fromkeys(ids[start : start + PORTION]))
        asked_at = database.clock.now()
        records, gone = await _fetched(remote, of, portion)
        also, merged = (deleted, merges) if start == 0 else ((), ())
        page = Page(records, deletes=[*gone, *also], merges=merged)
        checked = contract.check(page, of, secrets)
        async with database.unit_of_work(tenant_id) as work:
            integration, _ = await readable(work, integration_id, stream)
            await sending.check_outcomes(work, integration_id, of.types, records, asked_at)
            counts = counts + await _land(work, integration, of, checked)
    return counts


async def fetch_letters(database: Database, remote: Remote, tenant_id: UUID, integration_id: UUID, stream: str) -> None:
    """Fetch the records anew that dead letters are about and that were not kept. Raises as `fetch_signalled` does."""
    async with database.unit_of_work(tenant_id) as work:
        letters = await dead_letters.to_fetch(work, integration_id, stream)
    ids = sorted({letter.remote_id for letter in letters if letter.remote_id})
    fetched = True
    try:
        await fetch_signalled(database, remote, tenant_id, integration_id, stream, ids)
    except Unsupported:
        fetched = False
    async with database.unit_of_work(tenant_id) as work:
        await dead_letters.settle_fetched(work, [letter.id for letter in letters], fetched=fetched)


async def _fetched(remote: Remote, stream: Stream, ids: Sequence[str]) -> tuple[list[Record], list[str]]:
    """The records with these ids, and the ids that none of the stream's types has any more."""
    if not ids:
        return [], []
    fetched = {str(fetch.record.__struct_config__.tag) for fetch in remote.connector.declared(Fetch)}
    kinds = [kind for kind in stream.types if kind in fetched]
    if not kinds:
        raise Unsupported(f"{remote.connector.title} cannot fetch records of {stream.name} by their ids.")
    records = [record for kind in kinds for record in await remote.fetch(kind, ids)]
    found = {record.id for record in records}
    knows_all = len(kinds) == len(stream.types)
    return records, [each for each in ids if each not in found] if knows_all else []


async def _land(work: Writing, integration: Integration, stream: Stream, checked: Checked) -> Counts:
    run = await runs.begin(work, integration, stream, mode=RunMode.INCREMENTAL, resume=False, beside=ASIDE)
    watched = await drift.watch(work, run)
    changes = watched.look(checked.page)
    await drift.note(work, run, watched, changes)
    if changes and watched.policy is DriftPolicy.STOP:
        await troubles.pause_stream(work, integration.id, stream.name, drift.reason(changes))
        await runs.finish(work, run, error=drift.reason(changes))
        return Counts()
    await dead_letters.keep(work, run, checked.refused)
    landed = await land.merge(work, run, watched.admitted(checked.page))
    extra = Counts(read=len(checked.refused), rejected=len(checked.refused), doubles=checked.doubles)
    await land.conclude(work, run, landed._replace(counts=landed.counts + extra))
    await runs.finish(work, run)
    return run.counts
