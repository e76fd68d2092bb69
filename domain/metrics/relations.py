"""The relations that facts are read from: what the rollups hold of surviving customers, now or as it was known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from domain.metrics.catalogue import FACTS
from domain.metrics.rollups import KNOWN, activity_days, purchase_days
from domain.stages.queries import INTERVALS_AS_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_DAYS = "d.tenant_id = :tenant AND d.day < :until"

_EVERY_PURCHASE = """
    SELECT p.customer_id, d.day, CAST(sum(d.{orders}) AS bigint) AS orders, CAST(sum(d.gross) AS bigint) AS gross,
        CAST(sum({net}) AS bigint) AS net, CAST(sum(d.gross - d.cash_refunds) AS bigint) AS cash,
        CAST(sum(d.adjusted) AS bigint) AS adjusted, sum(d.{units} - d.returned_units) AS units,
        CAST(sum(d.cost_of_goods) AS bigint) AS cost_of_goods, CAST(sum(d.uncosted) AS bigint) AS uncosted,
        CAST(sum(d.unrated) AS bigint) AS unrated
    FROM purchase_days d JOIN people p ON p.id = d.customer_id
    WHERE {days}
    GROUP BY p.customer_id, d.day
"""

RELATIONS: dict[str, str] = {
    "points": (
        "SELECT n, starts_on, ends_on FROM unnest(CAST(:starts AS date[]), CAST(:ends AS date[]))"
        " WITH ORDINALITY AS p(starts_on, ends_on, n)"
    ),
    "calendar": (
        "SELECT p.n, p.starts_on, p.ends_on, CAST(g.day AS date) AS day FROM points p"
        " CROSS JOIN LATERAL generate_series(p.starts_on, p.ends_on - 1, INTERVAL '1 day') AS g(day)"
    ),
    "people": "SELECT c.id, c.root_id AS customer_id FROM customers c WHERE c.tenant_id = :tenant{people}",
    "lives": """
        SELECT p.customer_id, least(min(s.first_on), min(
                CAST(coalesce(c.own_first_seen_at, c.first_seen_at) AT TIME ZONE :zone AS date)
            )) AS first_seen_on,
            min(CAST(e.requested_at AT TIME ZONE :zone AS date)) FILTER (WHERE c.id = p.customer_id) AS gone_on
        FROM people p JOIN customers c ON c.tenant_id = :tenant AND c.id = p.id
        LEFT JOIN privacy_requests e ON e.tenant_id = :tenant AND e.customer_id = c.id AND e.kind = 'ERASE'
            AND e.requested_at <= :watermark
        LEFT JOIN bought_spans s ON s.customer_id = p.customer_id
        GROUP BY p.customer_id
    """,
    "purchases": _EVERY_PURCHASE.replace("{days}", f"{_DAYS} AND d.day >= :since"),
    "past_purchases": _EVERY_PURCHASE.replace("{days}", _DAYS),
    "activity": f"""
        SELECT p.customer_id, d.day, d.interactions, d.visits, d.ad_views, d.inquiries, d.usage
        FROM activity_days d JOIN people p ON p.id = d.customer_id WHERE {_DAYS} AND d.day >= :since
    """,
    "beginning": """
        SELECT least((SELECT min(day) FROM purchase_days WHERE tenant_id = :tenant),
            (SELECT min(day) FROM activity_days WHERE tenant_id = :tenant),
            (SELECT CAST(min(first_seen_at) AT TIME ZONE :zone AS date) FROM customers
                WHERE tenant_id = :tenant AND status = 'ACTIVE'),
            (SELECT CAST(min(occurred_at) AT TIME ZONE :zone AS date) FROM contracts
                WHERE tenant_id = :tenant AND superseded_at IS NULL),
            (SELECT CAST(min(opened_at) AT TIME ZONE :zone AS date) FROM opportunities
                WHERE tenant_id = :tenant AND superseded_at IS NULL),
            (SELECT min(starts_on) FROM cost_entries WHERE tenant_id = :tenant AND superseded_at IS NULL)) AS day
    """,
}
"""The relations by their names, as SQL.

- `points`: the windows; `n`, `starts_on`, `ends_on` (the first day after it, tomorrow at the latest).
- `calendar`: every day of every window; `n`, `day`, `starts_on`, `ends_on`. Join days with it by
  `JOIN calendar p ON p.day = d.day`.
- `people`: every customer as recorded (`id`) with the survivor (`customer_id`).
- `lives`: every survivor with `first_seen_on` (by the first purchase at the latest) and `gone_on` (erased).
- `purchases`: the days of survivors with purchases, refunds or adjustments within the windows; `past_purchases`: all
  such days up to the end of the last window.
- `activity`: the days of survivors with interactions within the windows.
- `beginning`: the first `day` of which anything is known.
"""

_WHOSE = "{t}.customer_id IN (SELECT id FROM people)"

BELIEVED: dict[str, str] = {
    "purchase_days": f"SELECT CAST(:tenant AS uuid) AS tenant_id, d.* FROM ({purchase_days(KNOWN, _WHOSE)}) AS d",
    "activity_days": f"SELECT CAST(:tenant AS uuid) AS tenant_id, d.* FROM ({activity_days(KNOWN, _WHOSE)}) AS d",
    "people": """
        SELECT c.id, coalesce(m.root_id, c.id) AS customer_id
        FROM customers c
        LEFT JOIN unnest(CAST(:merged AS uuid[]), CAST(:roots_then AS uuid[])) AS m(id, root_id) ON m.id = c.id
        WHERE c.tenant_id = :tenant AND c.created_at <= :watermark{people}
    """,
    "stage_intervals": f"""
        SELECT CAST(:tenant AS uuid) AS tenant_id, survivor.customer_id, cycle.key AS lifecycle_key, b.*
        FROM (SELECT DISTINCT customer_id FROM people) AS survivor
        CROSS JOIN lifecycles cycle
        CROSS JOIN LATERAL ({
            INTERVALS_AS_OF.replace("$1", ":tenant").format(
                customers="array(SELECT w.id FROM people w WHERE w.customer_id = survivor.customer_id)",
                lifecycle="cycle.id", as_of=":watermark",
            )
        }) AS b
        WHERE cycle.tenant_id = :tenant
    """,
    "segment_members": """
        SELECT CAST(:tenant AS uuid) AS tenant_id, segment_id, customer_id FROM (
            SELECT DISTINCT ON (e.segment_id, e.customer_id) e.segment_id, e.customer_id, e.change
            FROM segment_membership_events e WHERE e.tenant_id = :tenant AND e.at <= :watermark
            ORDER BY e.segment_id, e.customer_id, e.at DESC, e.id DESC
        ) AS last WHERE last.change = 'ENTER'
    """,
}  # fmt: skip
"""What stands in the place of a table or a relation of this name when a value is computed as it was once believed."""


def needed(names: Iterable[str], *, believed: bool) -> Iterator[tuple[str, str]]:
    """The relations and facts that these need, those first that others are read from, each with its SQL."""
    known: Mapping[str, str] = RELATIONS | {name: facts.sql for name, facts in FACTS.items()}
    if believed:
        known = {**known, **BELIEVED}
    word = re.compile(rf"\b({'|'.join(known)})\b")
    done: set[str] = set()

    def follow(name: str) -> Iterator[tuple[str, str]]:
        if name in done:
            return
        done.add(name)
        for other in dict.fromkeys(word.findall(known[name])):
            yield from follow(other)
        yield name, known[name]

    for name in names:
        yield from follow(name)
