"""Invoices: the sale that they bill is an order; what is owed, and when it was sent, paid or voided, is their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.landing import bills, tables, timeline
from sync.landing.bills import Bill
from sync.landing.customers import Merged
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import TextClause

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Invoice

STREAMS = ("invoice", "invoice.sent", "invoice.paid", "invoice.voided")
"""Under which names an invoice's entries stand on the timeline; all have the invoice's id at the other side."""

_SAID = ("status", "native_status", "due_on", "balance", "sent_at")
INVOICE = Bill("invoice", "order", (*_SAID, "changed_at"), _SAID)


def _since(status: str) -> str:
    """SQL: since when an invoice has the status that it has now, as far as the other side or we know."""
    return f"""(
        SELECT coalesce(version.changed_at, version.recorded_at) FROM invoices AS version
        WHERE version.tenant_id = :tenant AND version.id = invoice.id AND version.status = '{status}'
            AND version.version > coalesce((
                SELECT max(before.version) FROM invoices AS before
                WHERE before.tenant_id = :tenant AND before.id = invoice.id AND before.status <> '{status}'
                    AND before.version < invoice.version
            ), 0)
        ORDER BY version.version LIMIT 1
    )"""


def _settled(owner: str, counts: str) -> str:
    """SQL: when the last document of a type that settles an invoice happened."""
    return f"""(
        SELECT max(settling.occurred_at) FROM (
            SELECT {owner}_id AS id, {owner}_version AS version FROM {owner}_allocations
            WHERE tenant_id = :tenant AND {tables.found_by("invoice_id", "invoice.id")}
        ) AS allocation
        CROSS JOIN LATERAL (
            SELECT occurred_at FROM {owner}s
            WHERE tenant_id = :tenant AND version = allocation.version AND superseded_at IS NULL AND {counts}
                AND {tables.found_by("id", "allocation.id")}
        ) AS settling
    )"""


_PAID_AT = f"""coalesce(
    greatest({_settled("payment", "status = 'RECEIVED'")}, {_settled("credit_note", "true")}), {_since("PAID")}
)"""
"""SQL: when a paid invoice was paid: with the last payment or credit note that settles it, where one is known."""

_INTO = """
INSERT INTO pg_temp.landing_entries (stream, remote_id, kind, occurred_at, customer_id, id, revision, summary, payload)
"""

_PAYLOAD = "jsonb_build_object('invoice_id', invoice.id, 'order_id', invoice.id)"

_ENTRIES = sql(f"""
{_INTO}
SELECT entry.stream, landing.document, entry.kind, entry.occurred_at, invoice.customer_id, entry.id, entry.revision,
    concat('Invoice ', invoice.number, entry.what), {_PAYLOAD}
FROM pg_temp.landing_bills AS landing
JOIN invoices AS invoice
    ON invoice.tenant_id = :tenant AND invoice.id = landing.id AND invoice.version = landing.version
CROSS JOIN LATERAL (VALUES
    (
        'invoice', CASE WHEN invoice.status <> 'DRAFT' THEN 'INVOICE_ISSUED' END, invoice.occurred_at, invoice.id,
        invoice.version,
        concat(
            ', ', CASE WHEN invoice.line_count > 0 THEN concat(
                invoice.line_count, CASE WHEN invoice.line_count = 1 THEN ' line, ' ELSE ' lines, ' END) END,
            {timeline.amount("invoice.amount", "landing.digits", "invoice.currency")})
    ),
    (
        'invoice.sent', CASE WHEN invoice.status <> 'DRAFT' AND invoice.sent_at IS NOT NULL THEN 'INVOICE_SENT' END,
        invoice.sent_at, NULL, NULL, ' sent'
    ),
    (
        'invoice.paid', CASE WHEN invoice.status = 'PAID' THEN 'INVOICE_PAID' END,
        CASE WHEN invoice.status = 'PAID' THEN {_PAID_AT} END, NULL, NULL, ' paid'
    ),
    (
        'invoice.voided', CASE WHEN invoice.status = 'VOIDED' THEN 'INVOICE_VOIDED' END,
        CASE WHEN invoice.status = 'VOIDED' THEN {_since("VOIDED")} END, NULL, NULL, ' voided'
    )
) AS entry (stream, kind, occurred_at, id, revision, what)
WHERE landing.record = 'invoice' AND (entry.kind IS NOT NULL OR landing.version > 1)
""")

_SETTLED = sql(f"""
{_INTO}
SELECT 'invoice.paid', invoice.remote_id, 'INVOICE_PAID', {_PAID_AT}, invoice.customer_id, NULL, NULL,
    concat('Invoice ', invoice.number, ' paid'), {_PAYLOAD}
FROM unnest(:ids) AS settled (id)
CROSS JOIN LATERAL (
    SELECT * FROM invoices
    WHERE tenant_id = :tenant AND superseded_at IS NULL AND status = 'PAID' AND {tables.found_by("id", "settled.id")}
) AS invoice
""")


async def from_records(work: Writing, run: Run, records: Sequence[Invoice]) -> Merged:
    """Merge staged invoices, whose orders have been merged before."""
    if not records:
        return Merged()
    merged = await bills.write(work, run, INVOICE, len(records))
    if merged.created or merged.updated:
        async with tables.found_by_remote_id(work):
            await work.execute(_ENTRIES, run.binds)
        await timeline.show(work, run)
    return merged


async def settled(work: Writing, run: Run, invoices: TextClause, **binds: Any) -> None:
    """Show paid invoices as paid when what settles them says, now that it says something else.

    `invoices` selects their ids.
    """
    async with tables.found_by_remote_id(work):
        ids = (await work.execute(invoices, {"tenant": work.tenant_id, **binds})).scalars().all()
        if ids:
            await work.execute(_SETTLED, {"tenant": work.tenant_id, "ids": ids})
    if ids:
        await timeline.show(work, run)
