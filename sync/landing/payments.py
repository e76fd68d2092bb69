"""Payments: versioned where they changed, shown on the timeline; what they settle is paid at their date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.core.money import minor_units
from domain.tenants import queries as tenants
from sync import settle
from sync.landing import allocations, amounts, cells, customers, invoices, tables, timeline
from sync.landing.customers import Merged
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from domain.core.unit_of_work import Writing
    from domain.tenants.queries import ThisTenant
    from sync.runs import Run
    from tenure_sdk import Payment

_COLUMNS = (
    "record",
    "document",
    "number",
    "occurred_at",
    "customer",
    "currency",
    "digits",
    "amount",
    "method",
    "status",
)

_HASH = text(f"""
UPDATE pg_temp.landing_payments AS landing SET unapplied = landing.amount - coalesce(told.allocated, 0),
    hash = sha256(convert_to(concat(ROW(landing.number, extract(epoch FROM landing.occurred_at), landing.customer,
        landing.currency, landing.amount, landing.method, landing.status), E'\\n', told.allocations), 'UTF8'))
FROM pg_temp.landing_payments AS own
LEFT JOIN ({allocations.TOLD}) AS told USING (record, document)
WHERE own.document = landing.document
""")

_LINK = sql("""
UPDATE pg_temp.landing_payments AS landing
SET id = link.local_id, version = latest.version, former_customer_id = latest.customer_id,
    unchanged = latest.superseded_at IS NULL AND latest.content_hash = landing.hash AND NOT CAST(:rebuild AS boolean)
FROM record_links AS link
CROSS JOIN LATERAL (
    SELECT version, customer_id, superseded_at, content_hash FROM payments
    WHERE payments.tenant_id = :tenant AND payments.id = link.local_id ORDER BY version DESC LIMIT 1
) AS latest
WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'payment'
    AND link.remote_id = landing.document
""")

_UNCHANGED = sql("DELETE FROM pg_temp.landing_payments WHERE unchanged")

_NEW_LINKS = sql("""
INSERT INTO record_links (tenant_id, integration_id, type, remote_id, local_id)
SELECT :tenant, :integration, 'payment', document, id FROM pg_temp.landing_payments WHERE version IS NULL
""")

_RESOLVE = text("""
UPDATE pg_temp.landing_payments AS landing
SET version = coalesce(landing.version, 0) + 1, customer_id = customer.id
FROM pg_temp.landing_payments AS own
LEFT JOIN pg_temp.landing_customers AS customer ON customer.remote_id = own.customer
WHERE own.document = landing.document
""")

_SUPERSEDE = sql("""
UPDATE payments SET superseded_at = greatest(CAST(:now AS timestamptz), payments.recorded_at)
FROM pg_temp.landing_payments AS landing
WHERE payments.tenant_id = :tenant AND payments.id = landing.id AND payments.superseded_at IS NULL
""")

_INSERT = sql("""
INSERT INTO payments
    (tenant_id, id, version, number, customer_id, occurred_at, local_day, recorded_at, currency, amount, base_amount,
     base_currency, integration_id, remote_id, content_hash, status, method, unapplied)
SELECT :tenant, id, version, number, customer_id, occurred_at,
    CAST(occurred_at AT TIME ZONE CAST(:zone AS text) AS date), CAST(:now AS timestamptz), currency, amount,
    CASE WHEN currency = :base THEN amount END, CASE WHEN currency = :base THEN currency END, :integration, document,
    hash, status, method, unapplied
FROM pg_temp.landing_payments
""")

_ALLOCATIONS = sql(allocations.write("payment", "landing_payments"))

# A voided payment never was: nothing of it is left on the timeline.
_ENTRIES = text(f"""
INSERT INTO pg_temp.landing_entries (stream, remote_id, kind, occurred_at, customer_id, id, revision, summary, payload)
SELECT 'payment', document, CASE status WHEN 'RECEIVED' THEN 'PAYMENT_RECEIVED' WHEN 'FAILED' THEN 'PAYMENT_FAILED' END,
    occurred_at, customer_id, id, version,
    concat(CASE status WHEN 'FAILED' THEN 'Failed payment' ELSE 'Payment' END, ' ' || number, ' of ',
        {timeline.amount("amount", "digits", "currency")}),
    jsonb_build_object('payment_id', id)
FROM pg_temp.landing_payments
""")

_SETTLED = sql(allocations.settled("payment", "landing_payments"))

_TOUCHED = text("""
SELECT DISTINCT touched.id FROM pg_temp.landing_payments
CROSS JOIN LATERAL (VALUES (customer_id), (former_customer_id)) AS touched (id) WHERE touched.id IS NOT NULL
""")

_FOUND = text("""
SELECT count(*) AS changed, count(*) FILTER (WHERE version = 1) AS created,
    count(*) FILTER (WHERE currency <> :base) AS converted FROM pg_temp.landing_payments
""")


async def from_records(work: Writing, run: Run, records: Sequence[Payment]) -> Merged:
    """Merge payments; who is named and not known yet becomes a customer, and what they settle may come later."""
    known = amounts.known()
    accepted, rejects = amounts.sound(records, _stated, known)
    if not accepted:
        return Merged(rejects=rejects)
    unchanged = await _stage(work, run, accepted, known)
    if unchanged == len(accepted):
        return Merged(unchanged=unchanged, rejects=rejects)
    mentioned = await customers.mentioned(work, run, "pg_temp.landing_payments")
    await _link(work, run)
    tenant = await tenants.tenant(work)
    (found,) = await work.rows(_FOUND, {"base": tenant.base_currency})
    await _write(work, run, tenant, some_known=found.created < found.changed)
    if found.converted:
        await settle.money(work)
    touched = (await work.execute(_TOUCHED)).scalars().all()
    updated = found.changed - found.created
    return Merged(found.created, updated, unchanged, mentioned.described, touched, rejects)


async def _stage(work: Writing, run: Run, records: Sequence[Payment], known: cells.Cells) -> int:
    """Stage what is new or changed; how many are neither."""
    await tables.copy(work, "landing_payments", _COLUMNS, _rows(records, known))
    await allocations.copy(work, "payment", records, known)
    await tables.analyse(work, "landing_payments", "record, document")
    await work.execute(_HASH)
    await work.execute(_LINK, run.binds)
    return await tables.count(work, _UNCHANGED)


async def _link(work: Writing, run: Run) -> None:
    """Have ids for the payments and the invoices that they settle, and know the customers' ids."""
    await allocations.link(work, run)
    await tables.number(work, "landing_payments", "occurred_at, document")
    await work.execute(_NEW_LINKS, run.binds)
    await work.execute(_RESOLVE)


async def _write(work: Writing, run: Run, tenant: ThisTenant, *, some_known: bool) -> None:
    binds = {**run.binds, "now": work.now, "zone": tenant.time_zone, "base": tenant.base_currency}
    for statement in (*([_SUPERSEDE] if some_known else ()), _INSERT, _ALLOCATIONS, _ENTRIES):
        await work.execute(statement, binds)
    await timeline.show(work, run)
    await invoices.settled(work, run, _SETTLED)


def _stated(payment: Payment) -> Iterator[tuple[str, Decimal | None, str]]:
    yield "amount", payment.amount, payment.currency
    yield from allocations.stated(payment)


def _rows(records: Sequence[Payment], known: cells.Cells) -> bytes:
    digits = cells.Cells(lambda currency: str(minor_units(currency)))
    columns = (
        ["payment"] * len(records),
        cells.texts([record.id for record in records]),
        cells.optionals([record.number for record in records]),
        map(cells.Cells(cells.moment).__getitem__, [record.occurred_at for record in records]),
        cells.optionals([record.customer.id if record.customer else None for record in records]),
        [record.currency for record in records],
        map(digits.__getitem__, [record.currency for record in records]),
        [known[record.amount, record.currency] for record in records],
        map(cells.Cells(cells.text).__getitem__, [record.method for record in records]),
        [record.status for record in records],
    )
    return cells.rows(zip(*columns, strict=True))
