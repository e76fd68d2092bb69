"""Allocations: which part of a payment or a credit note settles which invoice, whichever of them comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.customers import lock_identities
from sync.landing import cells, tables
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import CreditNote, Payment

_COLUMNS = ("record", "document", "invoice", "amount")

# An allocation may come before its invoice: the invoice's id is made now, and the invoice takes it when it arrives.
_AWAITED = sql("""
INSERT INTO record_links (tenant_id, integration_id, type, remote_id, local_id)
SELECT :tenant, :integration, 'invoice', awaited.invoice, made.id
FROM (
    SELECT invoice, row_number() OVER (ORDER BY invoice) AS place
    FROM (SELECT DISTINCT invoice FROM pg_temp.landing_allocations WHERE invoice_id IS NULL) AS named
) AS awaited
JOIN unnest(:ids) WITH ORDINALITY AS made (id, place) USING (place)
""")

_NAMED = sql("""
UPDATE pg_temp.landing_allocations AS told SET invoice_id = link.local_id
FROM record_links AS link
WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'invoice'
    AND link.remote_id = told.invoice
""")

_UNKNOWN = text("SELECT count(DISTINCT invoice) FROM pg_temp.landing_allocations WHERE invoice_id IS NULL")

TOLD = """
SELECT record, document, string_agg(concat(invoice, ' ', amount), E'\\n' ORDER BY invoice) AS allocations,
    sum(amount) AS allocated
FROM pg_temp.landing_allocations GROUP BY record, document
"""
"""SQL of what each record on a page settles: a text to compare, and how much it is in all."""


async def copy(work: Writing, record: str, documents: Iterable[Payment | CreditNote], amounts: cells.Cells) -> None:
    """Stage what documents of a type settle; an invoice that one of them names twice is settled by the sum."""
    rows = [row for document in documents for row in _rows(record, document, amounts)]
    if rows:
        await tables.copy(work, "landing_allocations", _COLUMNS, cells.rows(rows))
        await tables.analyse(work, "landing_allocations", "record, document, invoice")


def _rows(record: str, document: Payment | CreditNote, amounts: cells.Cells) -> Iterator[tuple[str, ...]]:
    settled: dict[str, int] = {}
    for allocation in document.allocations:
        named = allocation.invoice.id
        settled[named] = settled.get(named, 0) + int(amounts[allocation.amount, document.currency])
    for invoice, minor in settled.items():
        yield record, cells.text(document.id), cells.text(invoice), str(minor)


def stated(document: Payment | CreditNote) -> Iterator[tuple[str, Decimal | None, str]]:
    """The amounts of a document's allocations, as `amounts.sound` wants them."""
    for allocation in document.allocations:
        yield "allocations", allocation.amount, document.currency


async def link(work: Writing, run: Run) -> None:
    """Have the id of every invoice that the staged allocations name."""
    await lock_identities(work)  # nobody else makes an id for the same invoice meanwhile
    await work.execute(_NAMED, run.binds)
    ((unknown,),) = await work.rows(_UNKNOWN)
    if unknown:
        await work.execute(_AWAITED, {**run.binds, "ids": [work.ids() for _ in range(unknown)]})
        await work.execute(_NAMED, run.binds)


def write(owner: str, source: str) -> str:
    """SQL that keeps the staged allocations of changed documents; `source` is their table, `owner` their type."""
    return f"""
    INSERT INTO {owner}_allocations (tenant_id, {owner}_id, {owner}_version, invoice_id, amount)
    SELECT :tenant, landing.id, landing.version, told.invoice_id, told.amount
    FROM pg_temp.{source} AS landing JOIN pg_temp.landing_allocations AS told USING (record, document)
    WHERE landing.record = '{owner}'
    """


def settled(owner: str, source: str) -> str:
    """SQL of the ids of the invoices that changed documents settle, or did before."""
    return f"""
    SELECT told.invoice_id
    FROM pg_temp.{source} AS landing JOIN pg_temp.landing_allocations AS told USING (record, document)
    WHERE landing.record = '{owner}'
    UNION
    SELECT former.invoice_id
    FROM pg_temp.{source} AS landing
    CROSS JOIN LATERAL (
        SELECT invoice_id FROM {owner}_allocations
        WHERE tenant_id = :tenant AND {owner}_version = landing.version - 1
            AND {tables.found_by(f"{owner}_id", "landing.id")}
    ) AS former
    WHERE landing.record = '{owner}' AND landing.version > 1
    """
