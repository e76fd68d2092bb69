"""Lines and records that were left out: kept as dead letters, and written as a file that a spreadsheet opens safely."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import insert, select

from domain.integrations.model import DeadLetter
from tenure_sdk import record_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from sync.runs import Run
    from tenure_sdk import Record, Reject

ERASED = "is of a person who was erased"
"""The reason for which a record is left out and not even kept to be looked at."""

LONGEST_VALUE = 1_000
"""How much of a value is kept beside the record itself."""

_PAGE = 1_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a spreadsheet recognises a formula."""


async def keep(
    work: Writing, run: Run, rejects: Sequence[Reject], records: Iterable[Record] = (), *, landed: bool = False
) -> None:
    """Keep what was left out, with the field and the reason; and the record itself, where it is among `records`.

    `landed`: these are values, of records that landed without them. Of a person who was erased nothing is kept.
    """
    if not rejects:
        return
    known = {record.id: record for record in records}
    letters = [_letter(work, run, reject, _kept(known, reject)) | {"landed": landed} for reject in rejects]
    await work.execute(insert(DeadLetter), letters)


def shortened(value: str | None) -> str | None:
    """As much of a value as is kept, without the character that PostgreSQL does not keep."""
    return value and value.replace("\0", "")[:LONGEST_VALUE]


def placed(rejects: Iterable[Reject], lines: Mapping[str, int]) -> list[Reject]:
    """The rejects, each with the line in which its record stands, where that is known."""
    return [
        reject
        if reject.line is not None or reject.record_id is None
        else msgspec.structs.replace(reject, line=lines.get(reject.record_id))
        for reject in rejects
    ]


def _letter(work: Writing, run: Run, reject: Reject, record: Record | None) -> dict[str, Any]:
    return {
        "tenant_id": work.tenant_id, "id": work.ids(), "integration_id": run.integration_id, "run_id": run.id,
        "stream": run.stream.name, "remote_id": reject.record_id, "line": reject.line, "field": reject.field,
        "value": shortened(reject.value), "reason": reject.reason,
        "recorded_at": work.now, "type": None if record is None else record_type(record),
        "record": None if record is None else plain(record),
    }  # fmt: skip


def _kept(known: Mapping[str, Record], reject: Reject) -> Record | None:
    return None if reject.record_id is None or reject.reason == ERASED else known.get(reject.record_id)


def plain(record: Record) -> dict[str, Any]:
    """A record as JSON values, without the characters that PostgreSQL does not keep."""
    kept: dict[str, Any] = _storable(msgspec.to_builtins(record, str_keys=True))
    return kept


def _storable(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "").encode(errors="replace").decode()
        case dict():
            return {_storable(name): _storable(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_storable(inner) for inner in value]
        case float():
            return str(value)  # there are no floats in records, and JSON has no NaN
    return value


async def write(reading: Reading, run_id: UUID, path: Path) -> None:
    """Write what a run left out as CSV: line, record, field, value, reason. Memory stays the same for many."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("line", "record", "field", "value", "reason"))
        last = None
        while letters := await _page(reading, run_id, last):
            for letter in letters:
                writer.writerow(
                    map(guarded, (letter.line, letter.remote_id, letter.field, letter.value, letter.reason))
                )
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
