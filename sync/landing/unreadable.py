"""Values that cannot be read, of records that landed without them: one dead letter each, for as long as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from sync.landing import rejects
from sync.landing.tables import sql
from tenure_sdk import Reject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from domain.core.unit_of_work import Writing
    from sync.runs import Run

CORRECTED = "CORRECTED"
"""How the letter of a value ends that its record no longer has, or that can be read now."""

_SOME_ARE_KNOWN = sql("""
SELECT EXISTS (SELECT FROM dead_letters WHERE tenant_id = :tenant AND integration_id = :integration AND landed)
""")

_KNOWN = sql("""
SELECT id, remote_id, line, field, value, reason, resolution FROM dead_letters
WHERE tenant_id = :tenant AND integration_id = :integration AND landed AND remote_id = ANY(CAST(:records AS text[]))
    AND (resolution IS NULL OR resolution = 'DISCARDED')
ORDER BY id
""")

_MET_AGAIN = text("""
UPDATE dead_letters SET run_id = :run, line = met.line
FROM unnest(CAST(:ids AS uuid[]), CAST(:lines AS bigint[])) AS met (id, line)
WHERE tenant_id = :tenant AND dead_letters.id = met.id
""")

_CORRECT = text("""
UPDATE dead_letters SET resolution = :corrected, resolved_at = :now
WHERE tenant_id = :tenant AND id = ANY(CAST(:ids AS uuid[]))
""")


async def keep(
    work: Writing, run: Run, changed: Mapping[str, Sequence[Reject]], same: Collection[str], lines: Mapping[str, int]
) -> list[Reject]:
    """Keep what cannot be read of the records that a page changed, and give all that its records have of it.

    What is known of a record that is the `same` stands; what a changed one no longer has is corrected. A value that a
    person has put aside does not come back.
    """
    found = [reject for said in changed.values() for reject in said]
    known = await _known(work, run, [*changed, *same])
    said = {_key(reject.record_id, reject) for reject in found}
    waiting = [each for each in known if each.resolution is None]
    standing = [each for each in waiting if each.remote_id in same or _key(each.remote_id, each) in said]
    stays = {each.id for each in standing}
    await _meet_again(work, run, standing, lines)
    await _correct(work, [each.id for each in waiting if each.id not in stays])
    there = {_key(each.remote_id, each) for each in known}
    new = [reject for reject in found if _key(reject.record_id, reject) not in there]
    await rejects.keep(work, run, new, landed=True)
    again = [Reject(each.line, each.field, each.value, each.reason, each.remote_id) for each in standing]
    return [*found, *(reject for reject in again if reject.record_id in same)]


def _key(record_id: str | None, of: Any) -> tuple[Any, ...]:
    return record_id, of.field, rejects.shortened(of.value), of.reason


async def _known(work: Writing, run: Run, records: Sequence[str]) -> Sequence[Any]:
    ((some,),) = await work.rows(_SOME_ARE_KNOWN, run.binds)
    return await work.rows(_KNOWN, {**run.binds, "records": records}) if some else []


async def _meet_again(work: Writing, run: Run, letters: Sequence[Any], lines: Mapping[str, int]) -> None:
    if letters:
        met = {"ids": [each.id for each in letters], "lines": [lines.get(each.remote_id) for each in letters]}
        await work.execute(_MET_AGAIN, {"tenant": work.tenant_id, "run": run.id, **met})


async def _correct(work: Writing, ids: Sequence[Any]) -> None:
    if ids:
        about = {"tenant": work.tenant_id, "now": work.now, "corrected": CORRECTED}
        await work.execute(_CORRECT, {**about, "ids": ids})
