"""Lines and records that were left out: kept as dead letters, and written as a file that a spreadsheet opens safely."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from domain.integrations.model import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from sync.runs import Run
    from tenure_sdk import Reject

_PAGE = 1_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a spreadsheet recognises a formula."""


async def keep(work: Writing, run: Run, rejects: Iterable[Reject]) -> None:
    """Keep what was left out, with the field and the reason."""
    letters = [
        {
            "tenant_id": work.tenant_id, "id": work.ids(), "integration_id": run.integration_id, "run_id": run.id,
            "stream": run.stream.name, "line": reject.line, "field": reject.field,
            "value": None if reject.value is None else reject.value.replace("\0", ""), "reason": reject.reason,
            "recorded_at": work.now,
        }
        for reject in rejects
    ]  # fmt: skip
    if letters:
        await work.execute(insert(DeadLetter), letters)


async def write(reading: Reading, run_id: UUID, path: Path) -> None:
    """Write what a run left out as CSV: line, field, value, reason. Memory stays the same however many there are."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("line", "field", "value", "reason"))
        last = None
        while letters := await _page(reading, run_id, last):
            for letter in letters:
                writer.writerow(map(guarded, (letter.line, letter.field, letter.value, letter.reason)))
            last = letters[-1].id


def guarded(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    cell = "" if value is None else str(value)
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


async def _page(reading: Reading, run_id: UUID, after: UUID | None) -> list[DeadLetter]:
    letters = (
        select(DeadLetter)
        .where(DeadLetter.tenant_id == reading.tenant_id, DeadLetter.run_id == run_id)
        .order_by(DeadLetter.id)
        .limit(_PAGE)
        .execution_options(populate_existing=True)
    )
    found = await reading.all(letters if after is None else letters.where(DeadLetter.id > after))
    reading.session.expunge_all()
    return list(found)
