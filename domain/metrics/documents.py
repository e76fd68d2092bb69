"""Relations over documents that keep their versions, so that figures can be read now and as they were once believed."""

from __future__ import annotations

import re

from domain.costs.queries import borne, overlaps
from domain.interactions import evidence
from domain.interactions.model import Referral
from domain.metrics import sharing
from domain.metrics.relations import BELIEVED, RELATIONS
from domain.metrics.rollups import KNOWN, NOW, base_amount

_CURRENT = re.compile(r"CURRENT\((\w+)\)")


def relation(name: str, sql: str) -> None:
    """Add a relation; in its SQL `CURRENT(t)` stands for the version of a document `t` that counts."""
    RELATIONS[name] = _CURRENT.sub(lambda found: NOW.format(t=found[1]), sql)
    BELIEVED[name] = _CURRENT.sub(lambda found: KNOWN.format(t=found[1]), sql)


relation(
    "compared_periods",
    """
    SELECT n, starts_on, ends_on, coalesce(before_on, starts_on - (ends_on - starts_on)) AS before_on
    FROM unnest(CAST(:starts AS date[]), CAST(:ends AS date[]), CAST(:befores AS date[]))
        WITH ORDINALITY AS p(starts_on, ends_on, before_on, n)
    """,
)  # Every window with the beginning of the one before it: the calendar's in a series, else as many days.

relation(
    "bought_days",
    """
    SELECT p.customer_id, d.day FROM purchase_days d JOIN people p ON p.id = d.customer_id
    WHERE d.tenant_id = :tenant AND d.{orders} > 0
    """,
)  # Every purchase occasion that is known, also those after the windows.

relation(
    "bought_spans",
    "SELECT customer_id, min(day) AS first_on, max(day) AS last_on FROM bought_days GROUP BY customer_id",
)

relation(
    "usual_gap",
    """
    SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY gap) AS days FROM (
        SELECT day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap FROM bought_days
    ) AS gaps
    """,
)  # How many days nine in ten customers let pass at most between two purchases; null where nobody bought twice.

relation(
    "kept_lines",
    """
    SELECT p.customer_id, o.local_day AS day, o.amount AS of_amount, o.base_amount, l.product_id, l.quantity, l.amount
    FROM orders o
    JOIN people p ON p.id = o.customer_id
    LEFT JOIN order_lines l ON l.tenant_id = :tenant AND l.order_id = o.id AND l.order_version = o.version
    WHERE o.tenant_id = :tenant AND o.kind = 'SALE' AND o.status = 'COMPLETED' AND o.local_day < :until AND CURRENT(o)
        {paid} AND (o.amount <= 0 OR o.amount > coalesce((
            SELECT sum(b.amount) FROM refunds b
            WHERE b.tenant_id = :tenant AND b.order_id = o.id AND b.currency = o.currency AND CURRENT(b)
        ), 0))
    """,
)  # Each line of each purchase; of one without lines a row without a product.

relation(
    "had_products",
    """
    SELECT customer_id, product_id, min(day) AS from_on, CAST('infinity' AS date) AS till_on
    FROM kept_lines GROUP BY customer_id, product_id
    UNION ALL
    SELECT customer_id, product_id, from_on, till_on FROM held_spans
    """,
)  # From when to before when a customer has a product, by a purchase or a contract; null is one that nobody named.

relation(
    "asked_product",
    "SELECT id FROM products WHERE tenant_id = :tenant AND sku = CAST(:product AS text) AND valid_to IS NULL",
)

relation(
    "entitled",
    """
    SELECT customer_id, from_on, till_on FROM contract_spans WHERE CAST(:product AS text) IS NULL
    UNION ALL
    SELECT customer_id, first_on, CAST('infinity' AS date) FROM bought_spans WHERE CAST(:product AS text) IS NULL
    UNION ALL
    SELECT customer_id, from_on, till_on FROM had_products WHERE product_id IN (SELECT id FROM asked_product)
    """,
)  # Who has something from when to before when; of a product, where one is asked for.

relation(
    "used_words",
    """
    SELECT p.customer_id, d.day, named.word
    FROM activity_days d
    JOIN people p ON p.id = d.customer_id
    CROSS JOIN LATERAL unnest(CASE WHEN d.products = '{}' THEN ARRAY[''] ELSE d.products END) AS named(word)
    WHERE d.tenant_id = :tenant AND d.day < :until AND d.usage > 0
    """,
)  # Each day on which a customer used something, and what, in the source's words.

relation(
    "used_products",
    """
    SELECT w.word, coalesce(listed.id, (
            SELECT l.local_id FROM integrations i
            JOIN record_links l ON l.tenant_id = :tenant AND l.integration_id = i.id AND l.type = 'product'
                AND l.remote_id = w.word
            WHERE i.tenant_id = :tenant ORDER BY i.id LIMIT 1
        )) AS product_id
    FROM (SELECT DISTINCT word FROM used_words) AS w
    LEFT JOIN products listed ON listed.tenant_id = :tenant AND listed.sku = w.word AND listed.valid_to IS NULL
    """,
)  # Which product is meant: by its stock code, or by its id at a source; null where none is known by the word.

relation(
    "used_days",
    """
    SELECT DISTINCT w.customer_id, w.day
    FROM used_words w
    JOIN used_products u ON u.word = w.word
    JOIN had_products h ON h.customer_id = w.customer_id AND coalesce(h.product_id = u.product_id, true)
    WHERE CAST(:product AS text) IS NULL OR h.product_id IN (SELECT id FROM asked_product)
    """,
)  # Each day on which a customer used what he has; a use, or a purchase, of which nobody knows of what goes with any.


def _spending(start: str, end: str, borne_in_all: str = "e.allocated_amount") -> str:
    return f"""
    SELECT p.n, a.customer_id, a.category, CAST({borne("a", start, end)} AS numeric) AS amount, 0 AS unrated,
        true AS is_allocated
    FROM points p
    JOIN cost_entries e ON e.tenant_id = :tenant AND {NOW.format(t="e")} AND e.starts_on < {end} AND e.ends_on > {start}
    JOIN cost_allocations a ON a.tenant_id = :tenant AND a.entry_id = e.id AND {overlaps("a", start, end)}{{bearing}}
    UNION ALL
    SELECT p.n, NULL, e.category, coalesce(e.base_amount, 0) - coalesce({borne_in_all}, 0),
        (e.base_amount IS NULL)::int, false
    FROM points p
    JOIN cost_entries e ON e.tenant_id = :tenant AND {NOW.format(t="e")} AND e.starts_on >= {start}
        AND e.starts_on < {end}
    UNION ALL
    SELECT p.n, coalesce(e.customer_id, a.customer_id), e.category, 0, 1, true
    FROM points p
    JOIN cost_entries e ON e.tenant_id = :tenant AND {NOW.format(t="e")} AND e.base_amount IS NULL
        AND e.starts_on < {end} AND e.ends_on > {start} AND (e.rule = 'BY_TIME' OR e.starts_on >= {start})
    LEFT JOIN cost_weights a ON a.tenant_id = :tenant AND a.entry_id = e.id AND e.customer_id IS NULL{{bearing}}
    """


_BORNE_THEN = "(SELECT s.amount FROM cost_sums s WHERE s.entry_id = e.id)"

# In each window: what customers bear, on the days of their shares, and the rest, on the first day of each entry.
RELATIONS["spending"] = _spending("p.starts_on", "p.ends_on")
BELIEVED["spending"] = _spending("p.starts_on", "p.ends_on", _BORNE_THEN)

# The same, so many days earlier: what won the customers of a window was spent before they came.
_EARLIER = "(p.starts_on - CAST(:lag AS int))", "(p.ends_on - CAST(:lag AS int))"
RELATIONS["earlier_spending"] = _spending(*_EARLIER)
BELIEVED["earlier_spending"] = _spending(*_EARLIER, _BORNE_THEN)

# What customers bore of all costs up to the end of each window, and the entries of which that is not known.
RELATIONS["past_spending"] = f"""
    SELECT p.n, a.customer_id, CAST({borne("a", "a.day", "p.ends_on")} AS numeric) AS amount
    FROM points p JOIN cost_allocations a ON a.tenant_id = :tenant AND a.day < p.ends_on{{bearing}}
"""
RELATIONS["unrated_shares"] = f"""
    SELECT p.n, coalesce(e.customer_id, w.customer_id) AS customer_id
    FROM points p
    JOIN cost_entries e ON e.tenant_id = :tenant AND {NOW.format(t="e")} AND e.base_amount IS NULL
        AND e.starts_on < p.ends_on
    LEFT JOIN cost_weights w ON w.tenant_id = :tenant AND w.entry_id = e.id AND e.customer_id IS NULL
"""

BELIEVED["cost_entries"] = f"""
    SELECT e.tenant_id, e.id, e.category, e.starts_on, e.ends_on, e.rule, e.customer_id, e.campaign_key, e.case_key,
        e.department_id, {base_amount("e", KNOWN, "starts_on")} AS base_amount,
        CAST(NULL AS timestamptz) AS superseded_at
    FROM cost_entries e WHERE e.tenant_id = :tenant AND {KNOWN.format(t="e")}
"""
BELIEVED |= sharing.BELIEVED

relation(
    "deals",
    """
    SELECT p.customer_id, o.local_day AS opened_on, o.closed_on, o.status
    FROM opportunities o JOIN people p ON p.id = o.customer_id
    WHERE o.tenant_id = :tenant AND o.status IN ('WON', 'LOST') AND CURRENT(o)
    """,
)

relation(
    "contract_steps",
    """
    SELECT p.customer_id, e.contract_id, e.position, e.kind, e.local_day, e.base_mrr, e.term_ends_on, e.product_id,
        coalesce(r.family_id, e.family_id) AS family_id, lead(e.local_day) OVER following AS next_on,
        lag(e.kind) OVER following AS kind_before, lag(e.base_mrr) OVER following AS mrr_before,
        lag(coalesce(r.family_id, e.family_id)) OVER following AS family_before
    FROM contracts c
    JOIN people p ON p.id = c.customer_id
    JOIN contract_events e ON e.tenant_id = :tenant AND e.contract_id = c.id AND e.contract_version = c.version
    LEFT JOIN products r ON r.tenant_id = :tenant AND r.id = e.product_id AND r.valid_to IS NULL
    WHERE c.tenant_id = :tenant AND CURRENT(c)
    WINDOW following AS (PARTITION BY e.contract_id ORDER BY e.position)
    """,
)  # Everything that happened to contracts, each with what came before it and when the next thing did.

relation(
    "held_spans",
    """
    SELECT customer_id, product_id, local_day AS from_on, coalesce(least(term_ends_on, next_on), 'infinity') AS till_on,
        base_mrr
    FROM contract_steps
    WHERE kind NOT IN ('CANCEL', 'END') AND local_day < coalesce(least(term_ends_on, next_on), 'infinity')
    """,
)  # The days on which a contract holds, as `purchases.contracts.spans` says; a pause earns nothing and is no end.

relation(
    "contract_spans",
    """
    SELECT customer_id, from_on, till_on, base_mrr FROM held_spans
    UNION ALL
    SELECT s.customer_id, s.till_on, min(o.from_on), 0
    FROM held_spans s
    JOIN held_spans o ON o.customer_id = s.customer_id AND o.from_on > s.till_on
        AND o.from_on <= s.till_on + CAST(:gap AS int)
    WHERE CAST(:gap AS int) > 0
    GROUP BY s.customer_id, s.till_on
    """,
)  # The same with the gaps that are no end, in which nothing is earned.

relation(
    "contract_terms",
    """
    SELECT customer_id, contract_id, began_on, due_on, ended_on,
        lead(began_on) OVER (PARTITION BY contract_id ORDER BY term) AS next_began_on
    FROM (
        SELECT customer_id, contract_id, term, min(local_day) AS began_on,
            (array_agg(term_ends_on ORDER BY position DESC) FILTER (WHERE kind NOT IN ('CANCEL', 'END')))[1] AS due_on,
            max(local_day) FILTER (WHERE kind IN ('CANCEL', 'END')) AS ended_on
        FROM (
            SELECT *, count(*) FILTER (WHERE kind IN ('START', 'RENEW') OR kind_before IN ('CANCEL', 'END'))
                OVER (PARTITION BY contract_id ORDER BY position) AS term
            FROM contract_steps
        ) AS numbered
        GROUP BY customer_id, contract_id, term
    ) AS terms
    """,
)  # The terms of contracts, as `purchases.contracts.due_within` sees them.

relation(
    "sold_tiers",
    """
    SELECT l.customer_id, f.family_id, f.tier_rank AS tier, l.day, sum(l.quantity) AS units,
        sum(CASE WHEN l.of_amount = 0 THEN 0 ELSE round(CAST(l.amount AS numeric) * l.base_amount / l.of_amount) END)
            AS amount,
        count(*) FILTER (WHERE l.base_amount IS NULL) AS unrated
    FROM kept_lines l
    JOIN products f ON f.tenant_id = :tenant AND f.id = l.product_id AND f.valid_to IS NULL AND f.family_id IS NOT NULL
    GROUP BY l.customer_id, f.family_id, f.tier_rank, l.day
    """,
)  # Each day on which a customer bought of a tier of a product family: how many, and for how much.

relation(
    "sold_families",
    """
    SELECT customer_id, family_id, day, max(tier) AS tier, sum(amount) AS amount, sum(unrated) AS unrated,
        bool_or(units > units_before) AS is_more
    FROM (
        SELECT *, max(units) OVER (
            PARTITION BY customer_id, family_id, tier ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS units_before
        FROM sold_tiers
    ) AS tiers
    GROUP BY customer_id, family_id, day
    """,
)  # Each day on which a customer bought of a family: the highest tier, how much, and whether more of a tier than ever.

relation(
    "step_entries",
    """
    SELECT i.customer_id, s.step, i.entered_at, CAST(i.entered_at AT TIME ZONE :zone AS date) AS day
    FROM stage_intervals i JOIN stages s ON s.tenant_id = :tenant AND s.id = i.stage_id
    WHERE i.tenant_id = :tenant
    """,
)  # Every time that a customer entered a stage, with the canonical step that the stage stands for.

relation(
    "buying_model",
    """
    SELECT CAST(parameters->>'r' AS float8) AS r, CAST(parameters->>'alpha' AS float8) AS alpha,
        CAST(parameters->>'a' AS float8) AS a, CAST(parameters->>'b' AS float8) AS b
    FROM model_versions WHERE tenant_id = :tenant AND kind = 'MBG_NBD' AND fitted_at <= :watermark
    ORDER BY number DESC LIMIT 1
    """,
)  # The default model of buying as it was last fitted; without any there is no row.

BELIEVED["told_evidence"] = f"""
    SELECT p.customer_id AS root, {evidence.SHOWN}
    FROM interactions i
    JOIN people p ON p.id = i.customer_id
    JOIN customers c ON c.tenant_id = :tenant AND c.id = i.customer_id AND c.status <> 'ERASED'
    WHERE i.tenant_id = :tenant AND {KNOWN.format(t="i")} AND ({evidence.PROVES})
"""
BELIEVED |= evidence.CAMPAIGNS
BELIEVED |= {
    model.__tablename__: f"SELECT CAST(:tenant AS uuid) AS tenant_id, w.* FROM ({wanted}) AS w"
    for model, wanted in evidence.PROJECTIONS.items()
}
# Who was referred may have bought later than what was known then.
BELIEVED[Referral.__tablename__] = f"""
    SELECT CAST(:tenant AS uuid) AS tenant_id, w.id, w.customer_id, w.local_day, w.is_self,
        CASE WHEN s.first_on >= w.local_day THEN s.first_on END AS converted_at
    FROM ({evidence.PROJECTIONS[Referral]}) AS w
    LEFT JOIN people p ON p.id = w.referred_id
    LEFT JOIN bought_spans s ON s.customer_id = p.customer_id
"""
