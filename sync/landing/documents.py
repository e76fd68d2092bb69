"""Orders and refunds: made of the lines in the staging table, versioned where they changed, shown on the timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.interactions import LINE
from sync.landing import tables
from sync.landing.customers import Merged
from sync.landing.tables import sql

if TYPE_CHECKING:
    from domain.core.unit_of_work import Writing
    from domain.tenants.queries import ThisTenant
    from sync.runs import Run


def _first(column: str) -> str:
    """The first value of a column that there is, by the number of the line."""
    return f"(array_agg({column} ORDER BY line) FILTER (WHERE {column} IS NOT NULL))[1]"


# The hash covers what the source says and nothing that we add, so an unchanged document is known before it is linked.
# A cost stands behind its line: one that says none has the hash that it had before lines could say one.
_GROUP = sql(f"""
INSERT INTO pg_temp.landing_documents
    (record, document, kind, number, occurred_at, status, refunds, customer, currency, digits, channel,
     amount, units, line_count, hash)
SELECT record, document, kind, coalesce(number, document), occurred_at, status, refunds, customer, currency, digits,
    channel, coalesce(CASE WHEN line_count > 0 THEN line_amount ELSE total END, 0),
    coalesce(CASE WHEN line_count > 0 THEN line_units ELSE units END, 0), line_count,
    sha256(convert_to(concat(
        ROW(kind, number, extract(epoch FROM occurred_at), status, refunds, customer, currency, channel, total, units),
        lines
    ), 'UTF8'))
FROM (
    SELECT record, document, {_first("kind")} AS kind, {_first("number")} AS number, min(occurred_at) AS occurred_at,
        {_first("status")} AS status, {_first("refunds")} AS refunds, {_first("customer")} AS customer,
        {_first("currency")} AS currency, {_first("digits")} AS digits, {_first("channel")} AS channel,
        {_first("total")} AS total, {_first("units")} AS units, count(quantity) AS line_count,
        sum(amount) AS line_amount, sum(quantity) AS line_units,
        string_agg(
            concat(ROW(sku, description, quantity, unit_price, discount, tax, amount), cost), E'\\n' ORDER BY line
        ) FILTER (WHERE quantity IS NOT NULL) AS lines
    FROM pg_temp.incoming_lines GROUP BY record, document
) AS documents
""")

_LINK = sql("""
UPDATE pg_temp.landing_documents AS landing
SET id = link.local_id, version = coalesce(latest.version, 0), former_customer_id = latest.customer_id,
    unchanged = latest.superseded_at IS NULL AND latest.content_hash = landing.hash AND NOT CAST(:rebuild AS boolean)
FROM record_links AS link
LEFT JOIN LATERAL (
    SELECT version, customer_id, superseded_at, content_hash FROM orders
    WHERE link.type IN ('order', 'invoice') AND orders.tenant_id = :tenant AND orders.id = link.local_id
    UNION ALL
    SELECT version, customer_id, superseded_at, content_hash FROM refunds
    WHERE link.type IN ('refund', 'credit_note') AND refunds.tenant_id = :tenant AND refunds.id = link.local_id
    ORDER BY version DESC LIMIT 1
) AS latest ON true
WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = landing.record
    AND link.remote_id = landing.document
""")

_UNCHANGED = sql("DELETE FROM pg_temp.landing_documents WHERE unchanged")

_NEW_LINKS = sql("""
INSERT INTO record_links (tenant_id, integration_id, type, remote_id, local_id)
SELECT :tenant, :integration, record, document, id FROM pg_temp.landing_documents WHERE version IS NULL
""")

# A refund may come before its order: the order's id is made now, and the order takes it when it arrives.
_AWAITED = sql("""
INSERT INTO record_links (tenant_id, integration_id, type, remote_id, local_id)
SELECT :tenant, :integration, 'order', awaited.refunds, made.id
FROM (
    SELECT refunds, row_number() OVER (ORDER BY refunds) AS place
    FROM (SELECT DISTINCT refunds FROM pg_temp.landing_documents WHERE refunds IS NOT NULL) AS named
    WHERE NOT EXISTS (
        SELECT FROM record_links AS link
        WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'order'
            AND link.remote_id = named.refunds
    )
) AS awaited
JOIN unnest(:ids) WITH ORDINALITY AS made (id, place) USING (place)
""")

_RESOLVE = sql("""
UPDATE pg_temp.landing_documents AS landing SET version = coalesce(landing.version, 0) + 1, customer_id = link.local_id
FROM pg_temp.landing_documents AS own
LEFT JOIN record_links AS link
    ON link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'customer'
    AND link.remote_id = own.customer
WHERE own.record = landing.record AND own.document = landing.document
""")


def _supersede(table: str, version: str, records: str) -> str:
    return f"""
    UPDATE {table} SET superseded_at = greatest(CAST(:now AS timestamptz), {table}.recorded_at)
    FROM pg_temp.landing_documents AS landing
    WHERE {table}.tenant_id = :tenant AND {table}.id = landing.id AND {table}.superseded_at IS NULL
        AND {table}.{version} < landing.version AND landing.record IN ({records})
    """


_SUPERSEDE = [
    sql(_supersede("orders", "version", "'order', 'invoice'")),
    sql(_supersede("refunds", "version", "'refund', 'credit_note'")),
    sql(_supersede("interactions", "revision", "'order', 'refund'")),
]

_HEAD = """
tenant_id, id, version, number, customer_id, occurred_at, local_day, recorded_at, currency, amount, base_amount,
base_currency, units, line_count, integration_id, remote_id, content_hash
"""
_HEAD_VALUES = """
:tenant, landing.id, landing.version, landing.number, landing.customer_id, landing.occurred_at,
CAST(landing.occurred_at AT TIME ZONE CAST(:zone AS text) AS date), CAST(:now AS timestamptz), landing.currency,
landing.amount, CASE WHEN landing.currency = :base THEN landing.amount END,
CASE WHEN landing.currency = :base THEN landing.currency END, landing.units, landing.line_count, :integration,
landing.document, landing.hash
"""

_ORDERS = sql(f"""
INSERT INTO orders ({_HEAD}, kind, status, channel)
SELECT {_HEAD_VALUES}, landing.kind, coalesce(landing.status, 'COMPLETED'), landing.channel
FROM pg_temp.landing_documents AS landing WHERE landing.record IN ('order', 'invoice')
""")

_REFUNDS = sql(f"""
INSERT INTO refunds ({_HEAD}, order_id)
SELECT {_HEAD_VALUES}, link.local_id
FROM pg_temp.landing_documents AS landing
LEFT JOIN record_links AS link
    ON link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'order'
    AND link.remote_id = landing.refunds
WHERE landing.record IN ('refund', 'credit_note')
""")


def _lines(table: str, owner: str, records: str) -> str:
    return f"""
    INSERT INTO {table}
        (tenant_id, {owner}_id, {owner}_version, position, product_id, description, quantity, unit_price, discount,
         tax, amount, cost_amount)
    SELECT :tenant, landing.id, landing.version,
        row_number() OVER (PARTITION BY lines.document ORDER BY lines.line), link.local_id, lines.description,
        lines.quantity, lines.unit_price, coalesce(lines.discount, 0), coalesce(lines.tax, 0), lines.amount,
        lines.cost
    FROM pg_temp.incoming_lines AS lines
    JOIN pg_temp.landing_documents AS landing USING (record, document)
    LEFT JOIN record_links AS link
        ON link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'product'
        AND link.remote_id = lines.sku
    WHERE lines.record IN ({records}) AND lines.quantity IS NOT NULL
    """


_LINES = [
    sql(_lines("order_lines", "order", "'order', 'invoice'")),
    sql(_lines("refund_lines", "refund", "'refund', 'credit_note'")),
]

# On the timeline a document has its own id and version. Invoices and credit notes see to their entries themselves.
_TIMELINE = sql(f"""
INSERT INTO interactions
    (tenant_id, id, revision, customer_id, kind, family, occurred_at, recorded_at, integration_id, stream, remote_id,
     summary, payload)
SELECT :tenant, landing.id, landing.version, landing.customer_id, shown.kind, 'COMMERCE', landing.occurred_at,
    CAST(:now AS timestamptz), :integration, landing.record, landing.document,
    left(concat(
        shown.word, ' ', landing.number, ', ',
        CASE WHEN landing.line_count > 0 THEN concat(
            landing.line_count, CASE WHEN landing.line_count = 1 THEN ' line, ' ELSE ' lines, ' END) END,
        round(landing.amount / power(10::numeric, landing.digits), CAST(landing.digits AS integer)), ' ',
        landing.currency
    ), {LINE}),
    jsonb_build_object(
        CASE WHEN landing.record = 'order' THEN 'order_id' ELSE 'refund_id' END, CAST(landing.id AS text))
FROM pg_temp.landing_documents AS landing
CROSS JOIN LATERAL (SELECT
    CASE WHEN landing.record = 'refund' THEN 'ORDER_REFUNDED' WHEN landing.kind = 'ADJUSTMENT' THEN 'ORDER_ADJUSTED'
        WHEN landing.status = 'CANCELLED' THEN 'ORDER_CANCELLED' ELSE 'ORDER_PLACED' END AS kind,
    CASE WHEN landing.record = 'refund' THEN 'Refund' WHEN landing.kind = 'ADJUSTMENT' THEN 'Adjustment'
        WHEN landing.status = 'CANCELLED' THEN 'Cancelled order' ELSE 'Order' END AS word
) AS shown
WHERE landing.record IN ('order', 'refund')
""")

_WRITE = (
    (_ORDERS, {"order", "invoice"}),
    (_REFUNDS, {"refund", "credit_note"}),
    (_LINES[0], {"order", "invoice"}),
    (_LINES[1], {"refund", "credit_note"}),
    (_TIMELINE, {"order", "refund"}),
)
"""What writes new versions, each with the types of documents that it is for."""

_TOUCHED = text("""
SELECT DISTINCT touched.id FROM pg_temp.landing_documents
CROSS JOIN LATERAL (VALUES (customer_id), (former_customer_id)) AS touched (id) WHERE touched.id IS NOT NULL
""")

_CHANGED = text("""
SELECT count(*) FILTER (WHERE coalesce(version, 0) = 0) AS created, count(DISTINCT refunds) AS awaited,
    array_agg(DISTINCT record) AS records
FROM pg_temp.landing_documents
""")

_TO_CONVERT = text("SELECT EXISTS (SELECT FROM pg_temp.landing_documents WHERE currency <> :base)")


async def merge(work: Writing, run: Run, tenant: ThisTenant) -> Merged:
    """Make the documents of the lines in the staging table; their customers and products have been merged before."""
    await tables.analyse(work, "incoming_lines", "record, document, line, sku")
    total = await tables.count(work, _GROUP)
    await tables.analyse(work, "landing_documents", "record, document, customer")
    await work.execute(_LINK, run.binds)
    unchanged = await tables.count(work, _UNCHANGED)
    changed = total - unchanged
    if not changed:
        return Merged(unchanged=unchanged)
    await tables.number(work, "landing_documents", "occurred_at, record, document")
    await work.execute(_NEW_LINKS, run.binds)
    (found,) = await work.rows(_CHANGED)
    if found.awaited:
        await work.execute(_AWAITED, {**run.binds, "ids": [work.ids() for _ in range(found.awaited)]})
    await work.execute(_RESOLVE, run.binds)
    await tables.analyse(work, "landing_documents", "record, document, id, version")
    binds = {**run.binds, "now": work.now, "zone": tenant.time_zone, "base": tenant.base_currency}
    for statement in _SUPERSEDE if found.created < changed else ():
        await work.execute(statement, binds)
    for statement, meant in _WRITE:
        if not meant.isdisjoint(found.records):
            await work.execute(statement, binds)
    touched = (await work.execute(_TOUCHED)).scalars().all()
    return Merged(found.created, changed - found.created, unchanged, touched=touched)


async def wait_for_rate(work: Writing, tenant: ThisTenant) -> bool:
    """Whether the page has documents in another currency than the tenant's own."""
    ((waits,),) = await work.rows(_TO_CONVERT, {"base": tenant.base_currency})
    return bool(waits)
