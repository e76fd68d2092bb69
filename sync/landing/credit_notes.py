"""Credit notes: what they take back is a refund; which invoices they settle is their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.landing import allocations, bills, cells, invoices, timeline
from sync.landing.bills import Bill
from sync.landing.customers import Merged
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import CreditNote

CREDIT_NOTE = Bill("credit_note", "refund", ("balance",), ("balance",))

_ALLOCATIONS = sql(allocations.write("credit_note", "landing_bills"))

_ENTRIES = sql(f"""
INSERT INTO pg_temp.landing_entries (stream, remote_id, kind, occurred_at, customer_id, id, revision, summary, payload)
SELECT 'credit_note', landing.document, 'CREDIT_NOTE_ISSUED', note.occurred_at, note.customer_id, note.id, note.version,
    concat('Credit note ', note.number, ', ', {timeline.amount("note.amount", "landing.digits", "note.currency")}),
    jsonb_build_object('credit_note_id', note.id, 'refund_id', note.id)
FROM pg_temp.landing_bills AS landing
JOIN credit_notes AS note ON note.tenant_id = :tenant AND note.id = landing.id AND note.version = landing.version
WHERE landing.record = 'credit_note'
""")

_SETTLED = sql(allocations.settled("credit_note", "landing_bills"))


async def from_records(work: Writing, run: Run, records: Sequence[CreditNote], amounts: cells.Cells) -> Merged:
    """Merge staged credit notes, whose refunds have been merged; the invoices that they settle may come later."""
    if not records:
        return Merged()
    await allocations.copy(work, "credit_note", records, amounts)
    merged = await bills.write(work, run, CREDIT_NOTE, len(records))
    if merged.created or merged.updated:
        await allocations.link(work, run)
        await work.execute(_ALLOCATIONS, run.binds)
        await work.execute(_ENTRIES, run.binds)
        await timeline.show(work, run)
        await invoices.settled(work, run, _SETTLED)
    return merged
