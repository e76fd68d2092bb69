"""What is gone at the other side: it leaves the current view and stays in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.costs import settling as costs
from sync.landing import contents, invoices
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import TextClause

    from domain.core.unit_of_work import Writing
    from sync.runs import Run

_GONE = "remote_id = ANY(CAST(:remote_ids AS text[]))"


def _gone(table: str, record: str) -> TextClause:
    return sql(f"""
    UPDATE {table} AS gone SET superseded_at = greatest(CAST(:now AS timestamptz), gone.recorded_at)
    FROM record_links AS link
    WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = '{record}'
        AND link.{_GONE} AND gone.tenant_id = :tenant AND gone.id = link.local_id AND gone.superseded_at IS NULL
    RETURNING gone.id, gone.customer_id
    """)


# An invoice goes with the order that it bills, a credit note with its refund: each is one record that is gone.
_DOCUMENTS = {
    "order": (_gone("orders", "order"),),
    "refund": (_gone("refunds", "refund"),),
    "invoice": (_gone("invoices", "invoice"), _gone("orders", "invoice")),
    "payment": (_gone("payments", "payment"),),
    "credit_note": (_gone("credit_notes", "credit_note"), _gone("refunds", "credit_note")),
    "contract": (_gone("contracts", "contract"),),
    "opportunity": (_gone("opportunities", "opportunity"),),
    "cost": (_gone("cost_entries", "cost"),),
}

_SHOWN = ("order", "refund", "payment", "credit_note")
_STREAMS = {**{record: (record,) for record in _SHOWN}, "invoice": invoices.STREAMS}
"""Under which names documents stand on the timeline."""

_SETTLED = {
    owner: sql(f"""
    SELECT DISTINCT invoice_id FROM {owner}_allocations WHERE tenant_id = :tenant AND {owner}_id = ANY(:ids)
    """)
    for owner in ("payment", "credit_note")
}

# Interactions stand on the timeline under their stream.
_INTERACTIONS = sql(f"""
UPDATE interactions AS gone SET superseded_at = greatest(CAST(:now AS timestamptz), gone.recorded_at)
WHERE gone.tenant_id = :tenant AND gone.integration_id = :integration AND gone.{_GONE} AND gone.superseded_at IS NULL
    AND gone.stream = ANY(CAST(:streams AS text[]))
RETURNING gone.id, gone.remote_id, gone.customer_id, gone.stream
""")

_CUSTOMERS = sql(f"""
UPDATE remote_records AS gone SET deleted = true, updated_at = :now
WHERE gone.tenant_id = :tenant AND gone.integration_id = :integration AND gone.type = 'customer' AND gone.{_GONE}
    AND NOT gone.deleted
""")


async def delete(work: Writing, run: Run, records: Sequence[str], remote_ids: Sequence[str]) -> tuple[int, set[UUID]]:
    """Take records of these types and ids out of the current view: how many there were, and whom that touches.

    A customer stays, with what other sources and the business itself know of it; only its record is marked.
    """
    if not remote_ids:
        return 0, set()
    binds = {**run.binds, "now": work.now, "remote_ids": list(remote_ids)}
    found = 0
    touched: set[UUID | None] = set()
    papers = [record for record in records if record in _DOCUMENTS]
    for record in papers:
        for statement in _DOCUMENTS[record]:
            gone = await work.rows(statement, binds)
            touched |= {row.customer_id for row in gone}
        found += len(gone)
        if record in _SETTLED and gone:
            await invoices.settled(work, run, _SETTLED[record], ids=[row.id for row in gone])
        if record == "cost":
            await costs.settle_entries(work, [row.id for row in gone])
    own = [run.stream.name] if "interaction" in records else []
    streams = [*own, *(stream for record in papers for stream in _STREAMS.get(record, ()))]
    entries = await work.rows(_INTERACTIONS, {**binds, "streams": streams})
    found += len({row.remote_id for row in entries if row.stream in own})
    touched |= {row.customer_id for row in entries}
    await contents.forget(work, [row.id for row in entries if row.stream in own])
    if "customer" in records:
        found += (await work.execute(_CUSTOMERS, binds)).rowcount
    return found, {customer_id for customer_id in touched if customer_id is not None}
