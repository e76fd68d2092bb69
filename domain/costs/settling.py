"""What is settled when costs, or what their sharing rests on, are written: base amounts, weights and shares.

An entry is shared in two steps. Its weights say what the share of every customer rests on; whoever is touched gets
his own anew, and nobody else is looked at. From the weights alone follow the shares: an entry whose weights changed
is due, and a worker shares it. An entry that names who bears it has no weights and is shared at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Date, Text, Uuid

from domain.core.due import due
from domain.core.events import on
from domain.core.statements import statement
from domain.costs import rules
from domain.costs.queries import ENTRY_TO_CONVERT
from domain.customers.touched import named_by
from domain.purchases.queries import COUNTED_ORDER, RATED, conversion
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from domain.core.events import OutboxEvent
    from domain.core.unit_of_work import Writing

WEIGH = "costs.weigh"
"""The kind of due work that weighs an entry anew, for everybody, and shares it."""

SHARE = "costs.share"
"""The kind of due work that shares an entry anew, from the weights that stand."""

SOON = timedelta(minutes=1)
"""How long shares may be those of before while customers are being settled."""

PORTION = 1_000
"""How many entries are shared at once; it bounds the memory."""


async def settle(work: Writing, customer_ids: Sequence[UUID]) -> None:
    """Weigh these customers, and all who are one with them, anew in every shared entry; what changed is due soon.

    `customer_ids` are all whom a change touched: after a merge or unmerge, both sides. What is right already is not
    written.
    """
    if not customer_ids:
        return
    whom: dict[str, Any] = {"tenant": work.tenant_id, "customers": list(customer_ids)}
    await work.execute(_SETTLING, whom)
    if not (await work.execute(_ANY_SHARED, whom)).scalar_one():
        return
    families = (await work.execute(_FAMILIES, whom)).all()
    roots = {family.root_id for family in families}
    whom |= {"members": [family.id for family in families], "roots": list(roots), "named": [*{*customer_ids, *roots}]}
    changed = (await work.execute(_WEIGH_TOUCHED, whom)).scalars().all()
    await _make_due(work, SHARE, changed, work.now + SOON)


async def settle_entries(work: Writing, entry_ids: Sequence[UUID]) -> None:
    """Do what follows from entries that were recorded, changed or deleted: base amounts, and shares.

    What names its customer is shared at once; what is shared among many is due at once.
    """
    if not entry_ids:
        return
    await settle_base_amounts(work, entry_ids)
    shared = (await work.execute(_WEIGHED, {"tenant": work.tenant_id, "entries": list(entry_ids)})).scalars().all()
    await work.execute(_UNSHARE, {"tenant": work.tenant_id, "entries": list(shared)})
    await _make_due(work, WEIGH, shared, work.now)
    at_once = set(entry_ids).difference(shared)
    await share(work, sorted(at_once))


async def settle_base_amounts(work: Writing, entry_ids: Sequence[UUID] = ()) -> None:
    """Give every entry that waits for it its amount in the tenant's base currency, at the rate of its first day.

    Without a rate it goes on waiting; an amount that stands is never touched. Entries that waited, and are none of
    `entry_ids`, are shared.
    """
    into = (await tenants.tenant(work)).base_currency
    values = {"tenant": work.tenant_id, "into": into}
    converted = [
        *(await work.execute(_SAME_CURRENCY, values)).scalars(),
        *(await work.execute(_AT_THE_RATE, values)).scalars(),
    ]
    await _make_due(work, SHARE, set(converted).difference(entry_ids), work.now)


async def share(work: Writing, entry_ids: Sequence[UUID]) -> None:
    """Make the shares of these entries what their weights say now; those of a deleted entry go."""
    for start in range(0, len(entry_ids), PORTION):
        await _share(work, entry_ids[start : start + PORTION])


@due(WEIGH)
async def weigh_due(work: Writing, key: str) -> datetime | None:
    """Weigh an entry for everybody whom it concerns, and share it."""
    entry = {"tenant": work.tenant_id, "entry": UUID(key)}
    # Whoever settles customers now either sees this entry, or is seen by it.
    await work.execute(_WEIGHING, entry)
    await work.execute(_WEIGH_ENTRY, entry)
    await share(work, [UUID(key)])
    return None


@due(SHARE)
async def share_due(work: Writing, key: str) -> datetime | None:
    """Share an entry from the weights that stand."""
    await share(work, [UUID(key)])
    return None


@on("customers.CustomerCreated")
@on("customers.CustomerChanged")
@on("customers.CustomersMerged")
@on("customers.CustomersUnmerged")
@on("customers.DepartmentAssigned")
@on("interactions.InteractionRecorded")
@on("interactions.InteractionRevised")
@on("purchases.OrderRecorded")
@on("purchases.RefundRecorded")
async def settle_touched(work: Writing, event: OutboxEvent) -> None:
    """Weigh the customers whom an event names anew."""
    await settle(work, named_by(event))


@on("purchases.RateRecorded")
async def settle_rated(work: Writing, _event: OutboxEvent) -> None:
    """Convert the entries that waited for a rate, and weigh anew what is shared by a revenue that waited for it."""
    await settle_base_amounts(work)
    await revenue_changed(work)


@on("tenants.TenantChanged")
async def settle_in_zone(work: Writing, event: OutboxEvent) -> None:
    """Weigh everything anew where the tenant's days begin at another time than before."""
    if "time_zone" in event.body["fields"]:
        await _weigh_again(work, list(rules.AllocationRule))


async def revenue_changed(work: Writing) -> None:
    """Have everything that is shared by revenue weighed anew: the amounts of orders became known by a rate."""
    await _weigh_again(work, [rules.AllocationRule.BY_REVENUE])


async def _weigh_again(work: Writing, by: Sequence[rules.AllocationRule]) -> None:
    entries = (await work.execute(_SHARED_BY, {"tenant": work.tenant_id, "rules": list(by)})).scalars().all()
    await _make_due(work, WEIGH, entries, work.now)


async def _make_due(work: Writing, kind: str, entries: Iterable[UUID], at: datetime) -> None:
    keys = sorted(entry.hex for entry in entries)
    if keys:
        await work.execute(_DUE, {"tenant": work.tenant_id, "kind": kind, "keys": keys, "at": at})


async def _share(work: Writing, entry_ids: Sequence[UUID]) -> None:
    whose = {"tenant": work.tenant_id, "entries": list(entry_ids)}
    entries = (await work.execute(_ENTRIES, whose)).all()
    parts: dict[UUID, list[rules.Part]] = {}
    for weight in (await work.execute(_PARTS, whose)).all():
        part = rules.Part(weight.customer_id, weight.weight, weight.starts_on, weight.ends_on)
        parts.setdefault(weight.entry_id, []).append(part)
    found = {entry.id: _shares(entry, parts.get(entry.id, ())) for entry in entries}
    every = [each for shared in found.values() for each in shared.shares]
    stretches = [each for shared in found.values() for each in shared.stretches]
    columns = {
        "of": [entry for entry, shared in found.items() for _ in shared.shares],
        "whom": [each.customer_id for each in every],
        "days": [each.day for each in every],
        "ends": [each.ends_on for each in every],
        "ranks": [each.rank for each in every],
        "amounts": [each.minor for each in every],
    }
    await work.execute(_WRITE, {**whose, **columns})
    await work.execute(
        _STRETCH,
        {
            **whose,
            "of": [entry for entry, shared in found.items() for _ in shared.stretches],
            "starts": [each.starts_on for each in stretches],
            "ends": [each.ends_on for each in stretches],
            "people": [each.people for each in stretches],
            "turns": [each.turn for each in stretches],
        },
    )
    sums = [sum(each.minor for each in shared.shares) for shared in found.values()]
    await work.execute(_NOTE, {"tenant": work.tenant_id, "shared": list(found), "sums": sums, "now": work.now})


def _shares(entry: Row[Any], parts: Sequence[rules.Part]) -> rules.Shared:
    if entry.customer_id is not None:
        parts = [rules.Part(entry.customer_id, 1, entry.starts_on, entry.ends_on)]
    rule = rules.AllocationRule(entry.rule) if entry.rule else None
    return rules.shares(entry.base_amount, rule, entry.starts_on, entry.ends_on, parts)


_LOCK = "SELECT {function}(hashtextextended('tenure.costs:' || CAST(CAST(:tenant AS uuid) AS text), 0))"
_SETTLING = statement(_LOCK.format(function="pg_advisory_xact_lock_shared"))
_WEIGHING = statement(_LOCK.format(function="pg_advisory_xact_lock"))

_CURRENT = "e.tenant_id = :tenant AND e.superseded_at IS NULL"
_AMONG_MANY = f"{_CURRENT} AND e.customer_id IS NULL AND e.case_key IS NULL AND e.rule IS NOT NULL"
_OF_A_CASE = f"{_CURRENT} AND e.customer_id IS NULL AND e.case_key IS NOT NULL"

_ANY_SHARED = statement(f"""
SELECT EXISTS (SELECT FROM cost_entries e WHERE {_AMONG_MANY}) OR EXISTS (SELECT FROM cost_entries e WHERE {_OF_A_CASE})
""")

_WEIGHED = statement(
    f"""
SELECT e.id FROM cost_entries e
WHERE {_CURRENT} AND e.id = ANY(:entries) AND e.customer_id IS NULL
    AND (e.rule IS NOT NULL OR e.case_key IS NOT NULL)
UNION SELECT w.entry_id FROM cost_weights w WHERE w.tenant_id = :tenant AND w.entry_id = ANY(:entries)
""",
    "entries",
)

_UNSHARE = statement(
    """
WITH stretches AS (DELETE FROM cost_stretches WHERE tenant_id = :tenant AND entry_id = ANY(:entries))
DELETE FROM cost_allocations WHERE tenant_id = :tenant AND entry_id = ANY(:entries)
""",
    "entries",
)

_SHARED_BY = statement(
    f"SELECT e.id FROM cost_entries e WHERE {_AMONG_MANY} AND e.rule = ANY(:rules)", rules=ARRAY(Text)
)

_FAMILIES = statement(
    """
SELECT id, root_id FROM customers
WHERE tenant_id = :tenant
    AND root_id IN (SELECT root_id FROM customers WHERE tenant_id = :tenant AND id = ANY(:customers))
""",
    "customers",
)


def weights(*, touched: bool, entries: str = "") -> str:
    """SQL: the parts of a statement up to `weights`: what shares rest on, of everybody or of the touched customers.

    Of all entries `e` that are shared among several, or of those that fit the condition `entries`.
    """

    def among(customer: str) -> str:
        return f"AND {customer} = ANY(:members)" if touched else ""

    return f"""
    shared AS MATERIALIZED (
        SELECT e.id, e.rule, e.starts_on, e.ends_on, e.campaign_key, e.department_id, t.time_zone AS zone,
            CAST(e.starts_on AS timestamp) AT TIME ZONE t.time_zone AS begins,
            CAST(e.ends_on AS timestamp) AT TIME ZONE t.time_zone AS ends
        FROM cost_entries e JOIN tenants t ON t.tenant_id = e.tenant_id
        WHERE {_AMONG_MANY} {entries}
    ),
    of_cases AS (
        SELECT DISTINCT e.id, c.root_id, e.starts_on, e.ends_on
        FROM cost_entries e
        JOIN cases s ON s.tenant_id = :tenant AND s.case_key = e.case_key {among("s.customer_id")}
        JOIN customers c ON c.tenant_id = :tenant AND c.id = s.customer_id
        WHERE {_OF_A_CASE} {entries}
    ),
    touches AS MATERIALIZED (
        SELECT s.id, c.root_id, count(*) AS weight
        FROM shared s
        JOIN interactions i ON i.tenant_id = :tenant AND i.superseded_at IS NULL {among("i.customer_id")}
            AND i.occurred_at >= s.begins AND i.occurred_at < s.ends AND i.family NOT IN ('STAGE', 'NOTE', 'TASK')
            AND (s.campaign_key IS NULL OR i.campaign_key = s.campaign_key)
        JOIN customers c ON c.tenant_id = :tenant AND c.id = i.customer_id
        WHERE s.rule = 'BY_TOUCH' OR s.campaign_key IS NOT NULL
        GROUP BY s.id, c.root_id
    ),
    earned AS (
        SELECT s.id, c.root_id, CAST(sum(sold.minor) AS bigint) AS weight
        FROM shared s
        JOIN LATERAL (
            SELECT o.customer_id, o.base_amount - coalesce((
                SELECT sum(f.base_amount) FROM refunds f
                WHERE f.tenant_id = :tenant AND f.order_id = o.id AND f.superseded_at IS NULL
            ), 0) AS minor
            FROM orders o
            WHERE o.tenant_id = :tenant AND {COUNTED_ORDER} AND o.local_day >= s.starts_on AND o.local_day < s.ends_on
                AND o.occurred_at >= s.begins - interval '1 day' AND o.occurred_at < s.ends + interval '1 day'
                {among("o.customer_id")}
            UNION ALL
            SELECT f.customer_id, -f.base_amount FROM refunds f
            WHERE f.tenant_id = :tenant AND f.superseded_at IS NULL
                AND f.local_day >= s.starts_on AND f.local_day < s.ends_on
                AND f.occurred_at >= s.begins - interval '1 day' AND f.occurred_at < s.ends + interval '1 day'
                AND NOT EXISTS (
                    SELECT FROM orders o
                    WHERE o.tenant_id = :tenant AND o.id = f.order_id AND o.superseded_at IS NULL
                )
                {among("f.customer_id")}
        ) AS sold ON true
        JOIN customers c ON c.tenant_id = :tenant AND c.id = sold.customer_id
        WHERE s.rule = 'BY_REVENUE'
        GROUP BY s.id, c.root_id
        HAVING sum(sold.minor) > 0
    ),
    looked_after AS (
        SELECT s.id, c.root_id, unnest(range_agg(daterange(
            CAST(m.valid_from AT TIME ZONE s.zone AS date), CAST(m.valid_to AT TIME ZONE s.zone AS date)
        ) * daterange(s.starts_on, s.ends_on))) AS days
        FROM shared s
        JOIN department_members m ON m.tenant_id = :tenant AND m.department_id = s.department_id
            {among("m.customer_id")}
        JOIN customers c ON c.tenant_id = :tenant AND c.id = m.customer_id
        GROUP BY s.id, c.root_id
    ),
    there AS MATERIALIZED (
        SELECT s.id, c.id AS root_id, daterange(
            greatest(s.starts_on, CAST(least(c.first_seen_at, c.first_purchase_at) AT TIME ZONE s.zone AS date)),
            s.ends_on
        ) AS days
        FROM shared s
        JOIN customers c ON c.tenant_id = :tenant AND c.id = c.root_id {among("c.id")}
            AND least(c.first_seen_at, c.first_purchase_at) < s.ends
        WHERE s.rule IN ('EQUAL', 'BY_TIME') AND s.department_id IS NULL AND s.campaign_key IS NULL
        UNION ALL
        SELECT s.id, t.root_id, daterange(s.starts_on, s.ends_on)
        FROM shared s JOIN touches t ON t.id = s.id
        WHERE s.department_id IS NULL AND s.campaign_key IS NOT NULL
        UNION ALL
        SELECT s.id, l.root_id, l.days
        FROM shared s JOIN looked_after l ON l.id = s.id
        WHERE NOT isempty(l.days) AND (
            s.campaign_key IS NULL OR EXISTS (SELECT FROM touches t WHERE t.id = s.id AND t.root_id = l.root_id)
        )
    ),
    weights AS MATERIALIZED (
        SELECT id, root_id, starts_on, ends_on, CAST(1 AS bigint) AS weight FROM of_cases
        UNION ALL
        SELECT s.id, t.root_id, lower(t.days), upper(t.days), 1
        FROM there t JOIN shared s ON s.id = t.id WHERE s.rule = 'BY_TIME'
        UNION ALL
        SELECT DISTINCT s.id, t.root_id, s.starts_on, s.ends_on, 1
        FROM there t JOIN shared s ON s.id = t.id WHERE s.rule = 'EQUAL'
        UNION ALL
        SELECT s.id, measured.root_id, s.starts_on, s.ends_on, measured.weight
        FROM (
            SELECT id, root_id, weight, 'BY_TOUCH' AS rule FROM touches
            UNION ALL
            SELECT id, root_id, weight, 'BY_REVENUE' FROM earned
        ) AS measured
        JOIN shared s ON s.id = measured.id AND s.rule = measured.rule
        WHERE (s.campaign_key IS NULL AND s.department_id IS NULL)
            OR EXISTS (SELECT FROM there t WHERE t.id = measured.id AND t.root_id = measured.root_id)
    )
    """


def _weigh(*, touched: bool) -> str:
    whose = "w.customer_id = ANY(:named)" if touched else "w.entry_id = :entry"
    return f"""
    WITH {weights(touched=touched, entries="" if touched else "AND e.id = :entry")},
    gone AS (
        DELETE FROM cost_weights known
        USING (
            SELECT w.entry_id, w.customer_id, w.starts_on FROM cost_weights w WHERE w.tenant_id = :tenant AND {whose}
            EXCEPT SELECT id, root_id, starts_on FROM weights
        ) AS former
        WHERE known.tenant_id = :tenant AND known.entry_id = former.entry_id
            AND known.customer_id = former.customer_id AND known.starts_on = former.starts_on
        RETURNING known.entry_id
    ),
    written AS (
        INSERT INTO cost_weights AS w (tenant_id, entry_id, customer_id, starts_on, ends_on, weight)
        SELECT :tenant, id, root_id, starts_on, ends_on, weight FROM weights
        ON CONFLICT (tenant_id, entry_id, customer_id, starts_on) DO UPDATE
        SET ends_on = excluded.ends_on, weight = excluded.weight
        WHERE (w.ends_on, w.weight) IS DISTINCT FROM (excluded.ends_on, excluded.weight)
        RETURNING w.entry_id
    )
    SELECT entry_id FROM gone UNION SELECT entry_id FROM written
    """


_WEIGH_TOUCHED = statement(_weigh(touched=True), "members", "named")
_WEIGH_ENTRY = statement(_weigh(touched=False), entry=Uuid())

_SAME_CURRENCY = statement("""
UPDATE cost_entries SET base_amount = amount, base_currency = currency
WHERE tenant_id = :tenant AND currency = :into AND superseded_at IS NULL AND base_amount IS NULL
RETURNING id
""")

_AT_THE_RATE = statement(f"""
UPDATE cost_entries e SET base_amount = settled.minor, base_currency = :into
FROM (
    SELECT d.id, d.version, converted.minor
    FROM ({RATED}) AS rated
    JOIN {ENTRY_TO_CONVERT} d ON d.tenant_id = :tenant AND d.currency = rated.currency
    CROSS JOIN LATERAL ({conversion("d")}) AS converted
) AS settled
WHERE e.tenant_id = :tenant AND e.id = settled.id AND e.version = settled.version
RETURNING e.id
""")

_ENTRIES = statement(
    f"""
SELECT e.id, e.rule, e.starts_on, e.ends_on, e.base_amount, e.customer_id FROM cost_entries e
WHERE {_CURRENT} AND e.id = ANY(:entries) AND e.base_amount IS NOT NULL
""",
    "entries",
)

_PARTS = statement(
    """
SELECT entry_id, customer_id, starts_on, ends_on, weight FROM cost_weights
WHERE tenant_id = :tenant AND entry_id = ANY(:entries)
""",
    "entries",
)

_WRITE = statement(
    """
WITH shares AS MATERIALIZED (
    SELECT s.entry_id, s.customer_id, s.day, s.ends_on, s.rank, e.category, s.minor
    FROM unnest(:of, :whom, :days, :ends, :ranks, :amounts) AS s (entry_id, customer_id, day, ends_on, rank, minor)
    JOIN cost_entries e ON e.tenant_id = :tenant AND e.id = s.entry_id AND e.superseded_at IS NULL
),
gone AS (
    DELETE FROM cost_allocations known
    USING (
        SELECT a.entry_id, a.customer_id, a.day FROM cost_allocations a
        WHERE a.tenant_id = :tenant AND a.entry_id = ANY(:entries)
        EXCEPT SELECT entry_id, customer_id, day FROM shares
    ) AS former
    WHERE known.tenant_id = :tenant AND known.entry_id = former.entry_id
        AND known.customer_id = former.customer_id AND known.day = former.day
)
INSERT INTO cost_allocations AS a (tenant_id, entry_id, customer_id, day, ends_on, rank, category, amount_base)
SELECT :tenant, entry_id, customer_id, day, ends_on, rank, category, minor FROM shares
ON CONFLICT (tenant_id, entry_id, customer_id, day) DO UPDATE
SET ends_on = excluded.ends_on, rank = excluded.rank, category = excluded.category, amount_base = excluded.amount_base
WHERE (a.ends_on, a.rank, a.category, a.amount_base)
    IS DISTINCT FROM (excluded.ends_on, excluded.rank, excluded.category, excluded.amount_base)
""",
    "entries", "of", "whom", days=ARRAY(Date), ends=ARRAY(Date), ranks=ARRAY(BigInteger), amounts=ARRAY(BigInteger),
)  # fmt: skip

_STRETCH = statement(
    """
WITH stretches AS MATERIALIZED (
    SELECT * FROM unnest(:of, :starts, :ends, :people, :turns) AS s (entry_id, starts_on, ends_on, people, turn)
),
gone AS (
    DELETE FROM cost_stretches s
    WHERE s.tenant_id = :tenant AND s.entry_id = ANY(:entries)
        AND NOT EXISTS (SELECT FROM stretches n WHERE n.entry_id = s.entry_id AND n.starts_on = s.starts_on)
)
INSERT INTO cost_stretches AS s (tenant_id, entry_id, starts_on, ends_on, people, turn)
SELECT :tenant, entry_id, starts_on, ends_on, people, turn FROM stretches
ON CONFLICT (tenant_id, entry_id, starts_on) DO UPDATE
SET ends_on = excluded.ends_on, people = excluded.people, turn = excluded.turn
WHERE (s.ends_on, s.people, s.turn) IS DISTINCT FROM (excluded.ends_on, excluded.people, excluded.turn)
""",
    "entries", "of", starts=ARRAY(Date), ends=ARRAY(Date), people=ARRAY(BigInteger), turns=ARRAY(BigInteger),
)  # fmt: skip

_NOTE = statement(
    """
UPDATE cost_entries e SET allocated_amount = noted.sum, allocated_at = :now
FROM unnest(:shared, :sums) AS noted (id, sum)
WHERE e.tenant_id = :tenant AND e.id = noted.id AND e.superseded_at IS NULL
""",
    "shared", sums=ARRAY(BigInteger),
)  # fmt: skip

_DUE = statement(
    """
INSERT INTO directory.due_work AS d (tenant_id, kind, key, due_at)
SELECT :tenant, :kind, key, :at FROM unnest(:keys) AS named (key) ORDER BY key
ON CONFLICT (tenant_id, kind, key) DO UPDATE SET due_at = excluded.due_at WHERE d.due_at > excluded.due_at
""",
    keys=ARRAY(Text),
)
