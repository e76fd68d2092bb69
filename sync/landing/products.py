"""Products: found by their stock code, which is the tenant's own, whatever their id at the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from sync.landing import cells, tables
from sync.landing.customers import Merged
from sync.landing.tables import sql

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from domain.core.unit_of_work import Writing
    from sync.runs import Run
    from tenure_sdk import Product

# A product's name is the description of the first line that has one, by the number of the line.
_FROM_LINES = """
INSERT INTO pg_temp.landing_products (remote_id, sku, name, complete)
SELECT DISTINCT ON (sku) sku, sku, description, false FROM {lines} AS lines
WHERE sku IS NOT NULL ORDER BY sku, description IS NULL, line
"""

_LINK = sql("""
UPDATE pg_temp.landing_products AS landing SET id = link.local_id
FROM record_links AS link
WHERE link.tenant_id = :tenant AND link.integration_id = :integration AND link.type = 'product'
    AND link.remote_id = landing.remote_id
""")

_FIND = sql("""
UPDATE pg_temp.landing_products AS landing SET id = product.id
FROM products AS product
WHERE product.tenant_id = :tenant AND product.valid_to IS NULL AND product.sku = landing.sku
    AND (landing.id IS NULL OR (landing.complete AND landing.id <> product.id))
""")

_SHARE = sql("""
UPDATE pg_temp.landing_products AS landing SET id = first.id
FROM (SELECT DISTINCT ON (sku) sku, id FROM pg_temp.landing_products ORDER BY sku, id) AS first
WHERE first.sku = landing.sku AND first.id <> landing.id
""")

_FAMILIES = """
INSERT INTO product_families (tenant_id, id, key, name, created_at)
SELECT :tenant, made.id, wanted.family, wanted.family, :now
FROM (
    SELECT family, row_number() OVER (ORDER BY family) AS place
    FROM (SELECT DISTINCT family FROM pg_temp.{staged} WHERE family IS NOT NULL) AS families
    WHERE NOT EXISTS (SELECT FROM product_families f WHERE f.tenant_id = :tenant AND f.key = families.family)
) AS wanted
JOIN unnest(:ids) WITH ORDINALITY AS made (id, place) USING (place)
ON CONFLICT (tenant_id, key) DO NOTHING
"""

# Lines only name products: they fill in a missing name, and leave alone what somebody has described.
_COMPARE = sql("""
UPDATE pg_temp.landing_products AS landing SET
    state = CASE WHEN known.id IS NULL THEN 'NEW'
        WHEN (known.sku, known.name, known.family_id, known.tier_rank)
            IS NOT DISTINCT FROM (wanted.sku, wanted.name, wanted.family_id, wanted.tier_rank) THEN 'SAME'
        ELSE 'CHANGED' END,
    sku = wanted.sku, name = wanted.name, family_id = wanted.family_id, tier_rank = wanted.tier_rank
FROM pg_temp.landing_products AS own
LEFT JOIN products AS known ON known.tenant_id = :tenant AND known.id = own.id AND known.valid_to IS NULL
LEFT JOIN product_families AS family ON family.tenant_id = :tenant AND family.key = own.family
CROSS JOIN LATERAL (SELECT
    CASE WHEN own.complete OR known.id IS NULL THEN own.sku ELSE known.sku END AS sku,
    CASE WHEN own.complete THEN own.name ELSE coalesce(known.name, own.name) END AS name,
    CASE WHEN own.complete THEN family.id ELSE known.family_id END AS family_id,
    CASE WHEN own.complete THEN own.tier_rank ELSE known.tier_rank END AS tier_rank
) AS wanted
WHERE own.remote_id = landing.remote_id AND landing.state IS NULL
""")

# Others may make the same product meanwhile: then the database waits for them here, and makes none.
_MAKE = sql("""
WITH made AS (
    INSERT INTO products (tenant_id, id, valid_from, sku, name, family_id, tier_rank, complements)
    SELECT DISTINCT ON (landing.id) :tenant, landing.id, greatest(CAST(:now AS timestamptz), former.valid_to),
        landing.sku, landing.name, landing.family_id, landing.tier_rank, coalesce(former.complements, '{}')
    FROM pg_temp.landing_products AS landing
    LEFT JOIN LATERAL (
        SELECT valid_to, complements FROM products p WHERE p.tenant_id = :tenant AND p.id = landing.id
        ORDER BY valid_from DESC LIMIT 1
    ) AS former ON true
    WHERE landing.state = 'NEW'
    ORDER BY landing.id
    ON CONFLICT DO NOTHING
    RETURNING id
)
UPDATE pg_temp.landing_products AS landing SET state = 'MADE' FROM made WHERE made.id = landing.id
""")

# Only who closes a product's row opens the next one: others may have changed the product meanwhile.
_CHANGE = sql("""
WITH closed AS (
    UPDATE products SET valid_to = greatest(CAST(:now AS timestamptz), valid_from + interval '1 microsecond')
    FROM pg_temp.landing_products AS landing
    WHERE products.tenant_id = :tenant AND products.id = landing.id AND products.valid_to IS NULL
        AND landing.state = 'CHANGED'
    RETURNING products.id, products.valid_to, products.complements
), opened AS (
    INSERT INTO products (tenant_id, id, valid_from, sku, name, family_id, tier_rank, complements)
    SELECT DISTINCT ON (landing.id) :tenant, landing.id, closed.valid_to, landing.sku, landing.name, landing.family_id,
        landing.tier_rank, closed.complements
    FROM pg_temp.landing_products AS landing JOIN closed USING (id)
    ORDER BY landing.id
    RETURNING id
)
UPDATE pg_temp.landing_products AS landing SET state = 'UPDATED' FROM opened WHERE opened.id = landing.id
""")

_OVERTAKEN = sql("""
UPDATE pg_temp.landing_products SET id = CASE WHEN state = 'CHANGED' THEN id END, state = NULL
WHERE state IN ('NEW', 'CHANGED')
""")

_LINKS = sql("""
INSERT INTO record_links AS known (tenant_id, integration_id, type, remote_id, local_id)
SELECT :tenant, :integration, 'product', remote_id, id FROM pg_temp.landing_products
ON CONFLICT (tenant_id, integration_id, type, remote_id) DO UPDATE SET local_id = excluded.local_id
WHERE known.local_id <> excluded.local_id
""")

_STATES = text("SELECT state, count(*) AS found FROM pg_temp.landing_products GROUP BY state")


async def from_lines(work: Writing, run: Run, lines: str) -> Merged:
    """Merge the products that lines of documents name; `lines` is the SQL of a table of such lines."""
    await work.execute(sql(_FROM_LINES.format(lines=lines)), run.binds)
    return await _merge(work, run)


async def from_records(work: Writing, run: Run, records: Sequence[Product]) -> Merged:
    """Merge products as their source describes them."""
    if not records:
        return Merged()
    columns = ("remote_id", "sku", "name", "family", "tier_rank", "complete")
    await tables.copy(work, "landing_products", columns, cells.rows(map(_cells, records)))
    await make_families(work, "landing_products", {record.family for record in records})
    return await _merge(work, run)


async def make_families(work: Writing, staged: str, families: Collection[str | None]) -> None:
    """Have the families that a staging table names; one that nobody has defined is called by its key."""
    ids = [work.ids() for family in families if family is not None]
    if ids:
        await work.execute(
            sql(_FAMILIES.format(staged=staged)), {"tenant": work.tenant_id, "now": work.now, "ids": ids}
        )


async def _merge(work: Writing, run: Run) -> Merged:
    await work.execute(_LINK, run.binds)
    states = await _compare_and_write(work, run)
    while await _are_overtaken(work, states):
        states = await _compare_and_write(work, run)
    await work.execute(_LINKS, run.binds)
    return Merged(states.get("MADE", 0), states.get("UPDATED", 0), states.get("SAME", 0))


async def _compare_and_write(work: Writing, run: Run) -> dict[str, int]:
    """Write what is new or changed; how many products have which state then."""
    await work.execute(_FIND, run.binds)
    await tables.number(work, "landing_products", "sku")
    await work.execute(_SHARE)
    await work.execute(_COMPARE, run.binds)
    states = await _states(work)
    for statement in [statement for state, statement in (("NEW", _MAKE), ("CHANGED", _CHANGE)) if state in states]:
        await work.execute(statement, {"tenant": work.tenant_id, "now": work.now})
    return await _states(work) if states.keys() & {"NEW", "CHANGED"} else states


async def _states(work: Writing) -> dict[str, int]:
    return {row.state: row.found for row in await work.rows(_STATES)}


async def _are_overtaken(work: Writing, states: Mapping[str, int]) -> bool:
    """Whether others wrote some of the products first; these are to be compared with what stands there now."""
    return bool(states.keys() & {"NEW", "CHANGED"}) and bool(await tables.count(work, _OVERTAKEN))


def _cells(record: Product) -> tuple[str, ...]:
    return (
        cells.text(record.id),
        cells.text(record.sku),
        cells.optional(record.name),
        cells.optional(record.family),
        cells.NULL if record.tier_rank is None else str(record.tier_rank),
        "t",
    )
