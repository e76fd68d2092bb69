"""Dead letters: records that could not be taken, kept to be tried again or put aside by a person."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from sqlalchemy import Select, insert, select

from domain.core import events
from domain.core.problems import Conflict, NotFound
from domain.customers.queries import within
from domain.integrations import queries
from domain.integrations.model import DeadLetter, RunMode
from sync import land, runs
from sync.landing import tables
from tenure_sdk import AnyRecord, Page, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.core.unit_of_work import Reading, Writing
    from sync.contract import Refused
    from sync.runs import Run
    from tenure_sdk import Record

LETTERS = "#letters"
"""What follows a stream's name in the due work that fetches the records of its dead letters anew."""

RETRIED, DISCARDED, FETCHING = "RETRIED", "DISCARDED", "FETCHING"


class LetterResolved(Conflict):
    """This record is dealt with: it was tried again, or put aside."""


@dataclass(frozen=True)
class Retried:
    """Which dead letters have landed now, which ones still cannot be taken, and which ones are fetched anew."""

    landed: Sequence[UUID]
    refused: Sequence[UUID]
    fetching: Sequence[UUID]


async def keep(work: Writing, run: Run, refused: Sequence[Refused]) -> None:
    """Keep the records that broke the contract, each with the reason."""
    letters = [
        {
            "tenant_id": work.tenant_id, "id": work.ids(), "integration_id": run.integration_id, "run_id": run.id,
            "stream": run.stream.name, "remote_id": each.reject.record_id, "line": None, "field": each.reject.field,
            "value": None, "reason": each.reject.reason, "recorded_at": work.now, "type": each.type,
            "record": each.record,
        }
        for each in refused
    ]  # fmt: skip
    if letters:
        await work.execute(insert(DeadLetter), letters)


async def retry(work: Writing, letter_ids: Sequence[UUID]) -> Retried:
    """Try records again that could not be taken: the kept ones at once; others are fetched as soon as there is room.

    What still cannot be taken waits on. Raises NotFound, or LetterResolved.
    """
    letters = await _open(work, letter_ids)
    landed, refused, fetching = list[UUID](), list[UUID](), list[UUID]()
    for (integration_id, stream), group in _by_stream(letters).items():
        run = await _aside(work, integration_id, stream)
        for letter in group:
            if letter.landed:  # it ends by itself, when the other side has corrected the value
                refused.append(letter.id)
            elif letter.record is not None:
                (landed if await _land_again(work, run, letter) else refused).append(letter.id)
            elif letter.remote_id is not None:
                letter.resolution = FETCHING
                fetching.append(letter.id)
                key = f"{integration_id.hex}:{stream}{LETTERS}"
                await events.make_due(work.session, work.tenant_id, "sync", key, work.now)
            else:
                refused.append(letter.id)
        await runs.finish(work, run)
    told = {"landed": len(landed), "refused": len(refused), "fetching": len(fetching)}
    work.audit("integrations.retry_dead_letters", f"tenant:{work.tenant_id.hex}", after=told)
    await work.flush()
    return Retried(landed, refused, fetching)


async def discard(work: Writing, letter_ids: Sequence[UUID]) -> None:
    """Put dead letters aside for good; the records stay as they are at the other side.

    Raises NotFound, or LetterResolved.
    """
    for letter in await _open(work, letter_ids):
        letter.resolution, letter.resolved_at = DISCARDED, work.now
    told = {"discarded": len(letter_ids)}
    work.audit("integrations.discard_dead_letters", f"tenant:{work.tenant_id.hex}", after=told)
    await work.flush()


async def to_fetch(work: Reading, integration_id: UUID, stream: str) -> list[DeadLetter]:
    """The letters of a stream whose records are to be fetched anew."""
    return list(
        await work.all(
            _of(work).where(
                DeadLetter.integration_id == integration_id,
                DeadLetter.stream == stream,
                DeadLetter.resolution == FETCHING,
            )
        )
    )


async def settle_fetched(work: Writing, letter_ids: Sequence[UUID], *, fetched: bool) -> None:
    """Close the letters whose records were fetched: one that was refused once more has become a new letter."""
    for letter in await work.all(_of(work).where(within(DeadLetter.id, letter_ids))):
        letter.resolution = RETRIED if fetched else None
        letter.resolved_at = work.now if fetched else None
        letter.attempts += 1
    await work.flush()


async def _open(work: Writing, letter_ids: Sequence[UUID]) -> list[DeadLetter]:
    found = list(await work.all(_of(work).where(within(DeadLetter.id, letter_ids)).with_for_update()))
    missing = {*letter_ids} - {letter.id for letter in found}
    if missing:
        raise NotFound(id=str(min(missing)))
    for letter in found:
        if letter.resolution is not None:
            raise LetterResolved(id=str(letter.id), resolution=letter.resolution)
    return found


def _of(work: Reading) -> Select[DeadLetter]:
    mine = select(DeadLetter).where(DeadLetter.tenant_id == work.tenant_id).order_by(DeadLetter.id)
    return mine.execution_options(populate_existing=True)


def _by_stream(letters: Sequence[DeadLetter]) -> Mapping[tuple[UUID, str], list[DeadLetter]]:
    groups: dict[tuple[UUID, str], list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        groups[letter.integration_id, letter.stream].append(letter)
    return groups


async def _aside(work: Writing, integration_id: UUID, stream: str) -> Run:
    integration = await queries.integration(work, integration_id)
    run = await runs.begin(
        work, integration, Stream(stream, ()), mode=RunMode.INCREMENTAL, resume=False, beside=LETTERS
    )
    await tables.prepare(work)  # before the savepoints: what they undo must not take the tables away
    return run


async def _land_again(work: Writing, run: Run, letter: DeadLetter) -> bool:
    """Land a record that was kept; where it is refused again nothing of it stays, and the letter waits on."""
    letter.attempts += 1
    await work.flush()
    try:
        record: Record = msgspec.convert(letter.record, AnyRecord)
    except msgspec.ValidationError:
        return False
    before = run.checkpoint, run.counts
    async with work.session.begin_nested() as savepoint:
        landed = await land.land(work, run, Page([record]), refuse_strangers=True)
        if landed.rejects:
            await savepoint.rollback()
            run.checkpoint, run.counts = before
            return False
    letter.resolution, letter.resolved_at = RETRIED, work.now
    return True
