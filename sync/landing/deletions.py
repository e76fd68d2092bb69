"""What is gone at the other side: it leaves the current view and stays in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from sync.runs import Run

_GONE = "remote_id = ANY(CAST(:remote_ids AS text[]))"

_DOCUMENTS = [
    sql(f"""
    UPDATE {table} AS gone SET superseded_at = greatest(CAST(:now AS timestamptz), gone.recorded_at)
    FROM record_links AS link
    WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = '{record}'
        AND link.{_GONE} AND gone.tenant_id = :tenant AND gone.id = link.local_id AND gone.superseded_at IS NULL
    RETURNING gone.customer_id
    """)
    for table, record in (("orders", "order"), ("refunds", "refund"))
]

# The timeline shows documents under their type, and interactions under their stream.
_INTERACTIONS = sql(f"""
UPDATE interactions AS gone SET superseded_at = greatest(CAST(:now AS timestamptz), gone.recorded_at)
WHERE gone.tenant_id = :tenant AND gone.integration_id = :integration AND gone.{_GONE} AND gone.superseded_at IS NULL
    AND gone.stream = ANY(CAST(:streams AS text[]))
RETURNING gone.customer_id, gone.stream
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
    shown = [record for record in records if record in {"order", "refund"}]
    streams = [*shown, *([run.stream.name] if "interaction" in records else [])]
    binds = {**run.binds, "now": work.now, "remote_ids": list(remote_ids), "streams": streams}
    found = 0
    touched: set[UUID | None] = set()
    for statement, record in zip(_DOCUMENTS, ("order", "refund"), strict=True):
        gone = (await work.execute(statement, binds)).scalars().all() if record in shown else ()
        found += len(gone)
        touched |= set(gone)
    for row in await work.rows(_INTERACTIONS, binds):
        found += row.stream == run.stream.name
        touched.add(row.customer_id)
    if "customer" in records:
        found += (await work.execute(_CUSTOMERS, binds)).rowcount
    return found, {customer_id for customer_id in touched if customer_id is not None}
