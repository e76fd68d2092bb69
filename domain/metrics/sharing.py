"""How costs were shared, as far as was known at an earlier moment: worked out anew, since shares are kept as of now."""

from __future__ import annotations

import asyncio
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from domain.costs.rules import AllocationRule, Part, shares
from domain.costs.settling import weights
from domain.metrics.relations import needed
from domain.metrics.rollups import KNOWN, base_amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.metrics.reading import Snapshot

BELIEVED = {
    "cost_allocations": """
        SELECT CAST(:tenant AS uuid) AS tenant_id, a.* FROM unnest(
            CAST(:shares_of AS uuid[]), CAST(:bearers AS uuid[]), CAST(:borne_on AS date[]),
            CAST(:borne_until AS date[]), CAST(:ranks AS bigint[]), CAST(:categories AS text[]),
            CAST(:borne AS bigint[])
        ) AS a(entry_id, customer_id, day, ends_on, rank, category, amount_base)
    """,
    "cost_stretches": """
        SELECT CAST(:tenant AS uuid) AS tenant_id, s.* FROM unnest(
            CAST(:stretches_of AS uuid[]), CAST(:stretches_from AS date[]), CAST(:stretches_until AS date[]),
            CAST(:stretches_people AS bigint[]), CAST(:stretches_turn AS bigint[])
        ) AS s(entry_id, starts_on, ends_on, people, turn)
    """,
    "cost_sums": "SELECT entry_id, CAST(sum(amount_base) AS bigint) AS amount FROM cost_allocations GROUP BY entry_id",
}
"""What stands in the place of shares in a statement of what was once believed; `shared_then` gives its parameters."""

# What sharing reads, under the names of the tables. When a customer was first seen, and which department looked after
# whom when, is kept by when it was so and not by when it was learnt: it is read as it is known now.
_THEN = {
    "customers": """
        SELECT CAST(:tenant AS uuid) AS tenant_id, p.id, p.customer_id AS root_id,
            min(coalesce(c.own_first_seen_at, c.first_seen_at)) OVER (PARTITION BY p.customer_id) AS first_seen_at,
            min(CAST(b.day AS timestamp) AT TIME ZONE :zone) OVER (PARTITION BY p.customer_id) AS first_purchase_at
        FROM people p
        JOIN customers c ON c.tenant_id = :tenant AND c.id = p.id
        LEFT JOIN (SELECT customer_id, min(day) AS day FROM purchase_days WHERE orders > 0 GROUP BY customer_id) AS b
            ON b.customer_id = p.id
    """,
    "department_members": """
        SELECT tenant_id, department_id, customer_id, valid_from,
            CASE WHEN valid_to <= :watermark THEN valid_to END AS valid_to
        FROM department_members WHERE tenant_id = :tenant AND valid_from <= :watermark
    """,
    **{
        table: f"""
        SELECT {columns}, CAST(NULL AS timestamptz) AS superseded_at
        FROM {table} d WHERE d.tenant_id = :tenant AND {KNOWN.format(t="d")}
        """
        for table, columns in {
            "interactions": "d.tenant_id, d.customer_id, d.occurred_at, d.family, d.campaign_key",
            "orders": (
                "d.tenant_id, d.id, d.customer_id, d.status, d.local_day, d.occurred_at,"
                f" {base_amount('d', KNOWN)} AS base_amount"
            ),
            "refunds": (
                "d.tenant_id, d.id, d.order_id, d.customer_id, d.local_day, d.occurred_at,"
                f" {base_amount('d', KNOWN)} AS base_amount"
            ),
        }.items()
    },
}


async def shared_then(snapshot: Snapshot, values: Mapping[str, Any]) -> dict[str, Any]:
    """How the entries of some windows were shared by what was known at `watermark`, as parameters of `BELIEVED`.

    `values` are those of the statement that these stand in. It takes as long as the entries have shares.
    """
    rows = await snapshot.rows(_parts(), **values)
    return await asyncio.to_thread(_shared, rows)


@cache
def _parts() -> str:
    """The SQL of whom each entry concerns, and by which weight: rows of an entry behind each other."""
    known = dict(needed(["people", "purchase_days", "cases", "cost_entries"], believed=True))
    within = "e.starts_on < :until AND e.ends_on > CAST(:since AS date) - CAST(:lag AS int)"
    listed = ", ".join(f"{name} AS ({sql})" for name, sql in [*known.items(), *_THEN.items()])
    return f"""
    WITH {listed.replace("{people}", "")},
    {weights(touched=False, entries=f"AND {within}")}
    SELECT e.id, e.category, e.rule, e.starts_on, e.ends_on, e.base_amount,
        coalesce(w.root_id, e.customer_id) AS customer_id, coalesce(w.weight, 1) AS weight,
        coalesce(w.starts_on, e.starts_on) AS there_from, coalesce(w.ends_on, e.ends_on) AS there_until
    FROM cost_entries e LEFT JOIN weights w ON w.id = e.id
    WHERE {within} AND e.base_amount IS NOT NULL AND num_nonnulls(w.root_id, e.customer_id) > 0
    ORDER BY e.id
    """


def _shared(rows: Sequence[Any]) -> dict[str, Any]:
    borne, stretches = [], []
    for entry, parts in ((each[0], each) for _, group in groupby(rows, lambda row: row["id"]) for each in [[*group]]):
        found = shares(
            entry["base_amount"], AllocationRule(entry["rule"]) if entry["rule"] else None, entry["starts_on"],
            entry["ends_on"],
            [Part(row["customer_id"], row["weight"], row["there_from"], row["there_until"]) for row in parts],
        )  # fmt: skip
        borne += [(entry, share) for share in found.shares]
        stretches += [(entry["id"], stretch) for stretch in found.stretches]
    return {
        "shares_of": [entry["id"] for entry, _ in borne],
        "bearers": [share.customer_id for _, share in borne],
        "borne_on": [share.day for _, share in borne],
        "borne_until": [share.ends_on for _, share in borne],
        "ranks": [share.rank for _, share in borne],
        "categories": [entry["category"] for entry, _ in borne],
        "borne": [share.minor for _, share in borne],
        "stretches_of": [of for of, _ in stretches],
        "stretches_from": [stretch.starts_on for _, stretch in stretches],
        "stretches_until": [stretch.ends_on for _, stretch in stretches],
        "stretches_people": [stretch.people for _, stretch in stretches],
        "stretches_turn": [stretch.turn for _, stretch in stretches],
    }
