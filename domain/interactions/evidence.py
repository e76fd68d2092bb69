"""What interactions prove of service and loyalty: cases, survey answers, reviews, referrals, mentions and responses to
campaigns, as projections of the current interactions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Text

from domain.core import planning
from domain.core.events import on
from domain.core.money import currencies
from domain.core.rounding import half_even, minor_per_unit
from domain.core.statements import statement
from domain.customers.touched import lock_survivors, named_by
from domain.interactions import rules
from domain.interactions.model import (
    CampaignResponse,
    Case,
    Referral,
    Review,
    SocialMention,
    SurveyResponse,
)
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from domain.core.events import OutboxEvent
    from domain.core.tables import TenantTable
    from domain.core.unit_of_work import Writing


async def settle_evidence(work: Writing, customer_ids: Sequence[UUID], survivors: Sequence[UUID] | None = None) -> None:
    """Make the evidence of these customers what the current interactions say, for everyone who is one with them.

    `customer_ids` are all whom a change touched: after a merge or unmerge, both sides. Referrals that name one of
    them are settled, too. Of who was erased there is no evidence. What is right already is not written. `survivors`
    are theirs where the caller has locked them already.
    """
    if not customer_ids:
        return
    roots = await lock_survivors(work, customer_ids) if survivors is None else survivors
    whom = {"tenant": work.tenant_id, "roots": roots}
    (families,) = await work.rows(_MEMBERS, whom)
    zone = (await tenants.tenant(work)).time_zone
    async with planning.planned_for(work, len(families.members)):
        await work.execute(_SETTLE, {"tenant": work.tenant_id, "zone": zone, **families._asdict()})


@on("customers.CustomerChanged")
@on("customers.CustomerErased")
@on("customers.CustomersMerged")
@on("customers.CustomersUnmerged")
@on("interactions.InteractionRecorded")
@on("interactions.InteractionRevised")
@on("purchases.OrderRecorded")
@on("purchases.RefundRecorded")
async def settle_touched(work: Writing, event: OutboxEvent) -> None:
    """Settle the evidence of the customers whom an event names."""
    await settle_evidence(work, named_by(event))


_MEMBERS = statement(
    """
SELECT coalesce(array_agg(id), '{}') AS members,
    coalesce(array_agg(id) FILTER (WHERE status <> 'ERASED'), '{}') AS living,
    coalesce(array_agg(root_id) FILTER (WHERE status <> 'ERASED'), '{}') AS survivors
FROM customers WHERE tenant_id = :tenant AND root_id = ANY(:roots)
""",
    "roots",
)

SHOWN = """i.id, i.customer_id, i.kind, i.direction, i.occurred_at, i.integration_id, i.remote_id, i.correlation_key,
        i.campaign_key, i.machine_suspected, i.payload, CAST(i.occurred_at AT TIME ZONE :zone AS date) AS local_day"""
"""SQL: what of an interaction `i` evidence is made of."""

PROVES = """i.family IN ('CASE', 'SURVEY', 'REVIEW', 'REFERRAL') OR i.campaign_key IS NOT NULL
        OR (i.kind IN ('EMAIL_RECEIVED', 'EMAIL_BOUNCED', 'MESSAGE') AND i.correlation_key IS NOT NULL)"""
"""SQL: that an interaction `i` can be evidence of something."""

# Referrals that name one of these customers by id, or by the id that the other side knows him by.
_NAMING = """
    SELECT id FROM referrals WHERE tenant_id = :tenant AND referred_id = ANY(:members)
    UNION
    SELECT awaiting.id
    FROM record_links l
    JOIN referrals awaiting ON awaiting.tenant_id = :tenant AND awaiting.integration_id = l.integration_id
        AND awaiting.referred_remote_id = l.remote_id AND awaiting.referred_id IS NULL
    WHERE l.tenant_id = :tenant AND l.local_id = ANY(:members) AND l.type = 'customer'
"""

_TOLD = f"""
    SELECT m.root, {SHOWN}
    FROM unnest(:living, :survivors) AS m (id, root)
    JOIN interactions i ON i.tenant_id = :tenant AND i.customer_id = m.id AND i.superseded_at IS NULL
    WHERE {PROVES}
    UNION ALL
    SELECT c.root_id, {SHOWN}
    FROM ({_NAMING}) AS naming
    JOIN interactions i ON i.tenant_id = :tenant AND i.id = naming.id AND i.superseded_at IS NULL
    JOIN customers c ON c.tenant_id = :tenant AND c.id = i.customer_id AND c.status <> 'ERASED'
    WHERE i.customer_id <> ALL(:members)
"""


_CURRENCIES, _NETS, _AGENTS = (
    ",".join(sorted(currencies())),
    ",".join(rules.SCANNER_NETS),
    "|".join(rules.SCANNER_AGENTS),
)
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS = rf"^{_OCTET}(\.{_OCTET}){{3}}$"
_FASTEST, _BURST = (f"INTERVAL '{time.total_seconds()} seconds'" for time in (rules.FASTEST_PERSON, rules.BURST))


def _last(value: str, known: str | None = None) -> str:
    """SQL of an aggregate: the value that the latest step told that knows `known`, or else that value itself."""
    return f"(array_agg({value} ORDER BY occurred_at DESC, id DESC) FILTER (WHERE {known or value} IS NOT NULL))[1]"


_CASES = f"""
    SELECT id, customer_id, case_key, integration_id, title, priority, opened_at,
        CAST(opened_at AT TIME ZONE :zone AS date) AS local_day, answered_at, resolved_at, reopened,
        CAST(floor(extract(epoch FROM answered_at - opened_at) / 60) AS bigint) AS answer_minutes,
        CAST(floor(extract(epoch FROM resolved_at - opened_at) / 60) AS bigint) AS resolution_minutes,
        CAST({half_even("exact_cost")} AS bigint) AS cost, currency
    FROM (
        SELECT (array_agg(id ORDER BY id))[1] AS id,
            (array_agg(customer_id ORDER BY occurred_at, id))[1] AS customer_id, case_key, integration_id,
            {_last("title")} AS title, {_last("priority")} AS priority, min(occurred_at) AS opened_at,
            min(occurred_at) FILTER (WHERE kind = 'CASE_ANSWERED') AS answered_at,
            min(occurred_at) FILTER (
                WHERE kind IN ('CASE_RESOLVED', 'CASE_CLOSED') AND occurred_at >= begun_at
            ) AS resolved_at,
            count(*) FILTER (WHERE kind = 'CASE_REOPENED') AS reopened,
            {_last("cost")} AS exact_cost, {_last("currency", "cost")} AS currency
        FROM (
            SELECT *, payload ->> 'title' AS title, payload ->> 'priority' AS priority,
                payload ->> 'currency' AS currency, CASE WHEN payload ->> 'currency' = ANY('{{{_CURRENCIES}}}')
                    THEN CAST(payload ->> 'cost' AS numeric) * {minor_per_unit("(payload ->> 'currency')")} END AS cost,
                coalesce(max(occurred_at) FILTER (WHERE kind = 'CASE_REOPENED')
                    OVER (PARTITION BY root, integration_id, case_key), '-infinity') AS begun_at
            FROM (
                SELECT *, coalesce(payload ->> 'case_id', correlation_key, remote_id) AS case_key
                FROM told_evidence WHERE kind IN
                    ('CASE_OPENED', 'CASE_ANSWERED', 'CASE_RESOLVED', 'CASE_REOPENED', 'CASE_CLOSED')
            ) AS of_cases
        ) AS steps
        GROUP BY root, integration_id, case_key
    ) AS cases
"""


_SURVEYS = """
    SELECT id, customer_id, occurred_at, local_day, survey, measure, score,
        coalesce(scale, CASE measure WHEN 'NPS' THEN 10 WHEN 'CSAT' THEN CASE WHEN score <= 5 THEN 5 END END) AS out_of
    FROM (
        SELECT *, payload ->> 'survey' AS survey, coalesce(payload ->> 'kind', 'OTHER') AS measure,
            CAST(payload ->> 'score' AS numeric(20, 6)) AS score, CAST(payload ->> 'scale' AS bigint) AS scale
        FROM told_evidence WHERE kind = 'SURVEY'
    ) AS answers
    WHERE score IS NOT NULL
"""


def _opinions(kind: str) -> str:
    return f"""
    SELECT id, customer_id, occurred_at, local_day, site, rating, out_of, rating * 5 >= out_of * 4 AS is_positive
    FROM (
        SELECT *, payload ->> 'site' AS site, CAST(payload ->> 'rating' AS numeric(20, 6)) AS rating,
            coalesce(CAST(payload ->> 'scale' AS bigint), 5) AS out_of
        FROM told_evidence WHERE kind = '{kind}'
    ) AS opinions
"""


# What is looked up stands in a subquery of its own: only then is it a plain value, and an index serves it behind
# row-level security.
_REFERRALS = """
    SELECT t.id, t.customer_id, t.occurred_at, t.local_day, referred.id AS referred_id, t.integration_id,
        CASE WHEN t.integration_id IS NOT NULL THEN t.payload ->> 'referred' END AS referred_remote_id,
        coalesce(referred.root_id = t.root OR EXISTS (
            SELECT FROM customers mine
            JOIN identity_claims ours ON ours.tenant_id = :tenant AND ours.customer_id = ANY(mine.member_ids)
            JOIN identity_claims others ON others.tenant_id = :tenant AND others.scheme = ours.scheme
                AND others.normalised = ours.normalised AND others.customer_id = ANY(bought.member_ids)
                AND others.valid_to IS NULL AND others.strength = 'STRONG'
            WHERE mine.tenant_id = :tenant AND mine.id = t.root AND ours.valid_to IS NULL AND ours.strength = 'STRONG'
        ), false) AS is_self,
        CASE WHEN CAST(bought.first_purchase_at AT TIME ZONE :zone AS date) >= t.local_day
            THEN bought.first_purchase_at END AS converted_at
    FROM told_evidence t
    CROSS JOIN LATERAL (
        SELECT CAST(t.payload ->> 'referred_customer_id' AS uuid) AS id, t.payload ->> 'referred' AS remote_id LIMIT 1
    ) AS said
    LEFT JOIN LATERAL (
        SELECT local_id FROM record_links
        WHERE tenant_id = :tenant AND integration_id = t.integration_id AND type = 'customer'
            AND remote_id = said.remote_id
        LIMIT 1
    ) AS l ON true
    CROSS JOIN LATERAL (SELECT coalesce(said.id, l.local_id) AS id LIMIT 1) AS named
    LEFT JOIN LATERAL (
        SELECT id, root_id FROM customers WHERE tenant_id = :tenant AND id = named.id LIMIT 1
    ) AS referred ON true
    LEFT JOIN LATERAL (
        SELECT member_ids, first_purchase_at FROM customers WHERE tenant_id = :tenant AND id = referred.root_id LIMIT 1
    ) AS bought ON true
    WHERE t.kind = 'REFERRAL'
"""

# A mail that came back was not delivered; what came back names the mail's thread, or else its campaign.
_DELIVERIES = """
    SELECT root, campaign_key, correlation_key, occurred_at
    FROM told_evidence
    WHERE campaign_key IS NOT NULL AND kind IN ('MESSAGE', 'CALL') AND direction = 'OUTBOUND'
    UNION ALL
    SELECT d.root, d.campaign_key, d.correlation_key, d.occurred_at
    FROM told_evidence d
    WHERE d.campaign_key IS NOT NULL AND d.kind = 'EMAIL_SENT' AND NOT EXISTS (
        SELECT FROM told_evidence b
        WHERE b.kind = 'EMAIL_BOUNCED' AND b.root = d.root AND b.occurred_at >= d.occurred_at
            AND b.correlation_key IS NOT DISTINCT FROM d.correlation_key
            AND (b.correlation_key IS NOT NULL OR b.campaign_key = d.campaign_key)
    )
"""

_PAIRS = """
    SELECT root, campaign_key, min(occurred_at) AS delivered_at, array_agg(occurred_at) AS moments
    FROM campaign_deliveries
    GROUP BY root, campaign_key
"""

# A reply need not name the campaign: it is in the thread of a delivery. `pg_input_is_valid` came with PostgreSQL 16.
_HITS = f"""
    SELECT DISTINCT p.root, p.campaign_key, p.delivered_at, t.id, t.occurred_at,
        coalesce(t.payload ->> 'link', t.payload ->> 'url') AS link,
        t.machine_suspected OR upper(t.payload ->> 'method') IS NOT DISTINCT FROM 'HEAD'
            OR coalesce(lower(t.payload ->> 'user_agent') ~ '{_AGENTS}', false)
            OR CASE WHEN t.payload ->> 'ip' ~ '{_ADDRESS}'
                THEN CAST(t.payload ->> 'ip' AS inet) <<= ANY(CAST('{{{_NETS}}}' AS inet[])) ELSE false END
            OR EXISTS (
                SELECT FROM unnest(p.moments) AS delivered (at)
                WHERE t.occurred_at >= delivered.at AND t.occurred_at < delivered.at + {_FASTEST}
            ) AS is_machine
    FROM told_evidence t
    LEFT JOIN campaign_deliveries d ON t.campaign_key IS NULL AND d.root = t.root
        AND d.correlation_key = t.correlation_key
    JOIN campaign_pairs p ON p.root = t.root AND p.campaign_key = coalesce(t.campaign_key, d.campaign_key)
        AND t.occurred_at >= p.delivered_at
    WHERE t.kind IN ('EMAIL_CLICKED', 'VISIT', 'EMAIL_RECEIVED', 'INQUIRY', 'FORM_SUBMITTED', 'ORDER_PLACED')
        OR (t.kind IN ('MESSAGE', 'CALL') AND t.direction = 'INBOUND')
"""

_RESPONSES = f"""
    SELECT p.root AS customer_id, p.campaign_key, p.delivered_at,
        CAST(p.delivered_at AT TIME ZONE :zone AS date) AS delivered_on, cardinality(p.moments) AS deliveries,
        min(h.occurred_at) AS raw_at, min(h.occurred_at) FILTER (WHERE is_person) AS human_at,
        count(h.id) AS raw_responses, count(*) FILTER (WHERE is_person) AS human_responses
    FROM campaign_pairs p
    LEFT JOIN (
        SELECT *, NOT is_machine AND NOT bool_or(begins_burst) OVER (
                PARTITION BY root, campaign_key ORDER BY occurred_at RANGE BETWEEN {_BURST} PRECEDING AND CURRENT ROW
            ) AS is_person
        FROM (
            SELECT *, {rules.LINKS_OF_BURST} <= (
                    SELECT count(DISTINCT link) FROM unnest(soon) AS followed (link)
                ) AS begins_burst
            FROM (
                SELECT *, array_agg(link) OVER (
                    PARTITION BY root, campaign_key ORDER BY occurred_at
                    RANGE BETWEEN CURRENT ROW AND {_BURST} FOLLOWING
                ) AS soon
                FROM campaign_hits
            ) AS gathered
        ) AS counted
    ) AS h ON h.root = p.root AND h.campaign_key = p.campaign_key
    GROUP BY p.root, p.campaign_key, p.delivered_at, p.moments
"""

CAMPAIGNS = {"campaign_deliveries": _DELIVERIES, "campaign_pairs": _PAIRS, "campaign_hits": _HITS}
"""SQL: what the responses to campaigns are worked out from, each under the name by which the following call it."""

PROJECTIONS: dict[type[TenantTable], str] = {
    Case: _CASES,
    SurveyResponse: _SURVEYS,
    Review: _opinions("REVIEW"),
    SocialMention: _opinions("SOCIAL_MENTION"),
    Referral: _REFERRALS,
    CampaignResponse: _RESPONSES,
}
"""SQL: what the rows of each table are to be, by the interactions that stand in `told_evidence` with their `root`."""


def _project(model: type[TenantTable], wanted: str) -> str:
    """The parts of a statement that make a table's rows of these customers the wanted ones, and touch no right one."""
    key, rest = _columns(model)
    columns, keys, name = ", ".join([*key, *rest]), ", ".join(key), model.__tablename__
    ours, theirs = (", ".join(f"{of}.{each}" for each in rest) for of in ("t", "excluded"))
    return f"""
wanted_{name} AS MATERIALIZED (SELECT {", ".join(_compared(model, [*key, *rest]))} FROM ({wanted}) AS wanted),
known_{name} AS MATERIALIZED (
    SELECT {columns} FROM {name} WHERE tenant_id = :tenant AND customer_id = ANY(:members)
),
gone_{name} AS (
    DELETE FROM {name} t USING (SELECT {keys} FROM known_{name} EXCEPT SELECT {keys} FROM wanted_{name}) AS old
    WHERE t.tenant_id = :tenant AND {" AND ".join(f"t.{each} = old.{each}" for each in key)}
),
kept_{name} AS (
    INSERT INTO {name} AS t (tenant_id, {columns})
    SELECT :tenant, fresh.* FROM (SELECT * FROM wanted_{name} EXCEPT SELECT * FROM known_{name}) AS fresh
    ON CONFLICT (tenant_id, {keys}) DO UPDATE SET {", ".join(f"{each} = excluded.{each}" for each in rest)}
    WHERE ({ours}) IS DISTINCT FROM ({theirs})
)"""


def _columns(model: type[TenantTable]) -> tuple[list[str], list[str]]:
    """The columns of a table's key and the others, without the tenant."""
    key = [column.name for column in model.__table__.primary_key if column.name != "tenant_id"]
    return key, [column.name for column in model.__table__.columns if column.name not in {"tenant_id", *key}]


def _compared(model: type[TenantTable], columns: Sequence[str]) -> Iterator[str]:
    """Columns as they can be compared with those of the table: texts in its collation."""
    for name in columns:
        yield f'{name} COLLATE "C" AS {name}' if isinstance(model.__table__.columns[name].type, Text) else name


_PARTS = [f"{name} AS MATERIALIZED ({part})" for name, part in {"told_evidence": _TOLD, **CAMPAIGNS}.items()]

_SETTLE = statement(
    f"WITH {', '.join([*_PARTS, *(_project(model, wanted) for model, wanted in PROJECTIONS.items())])} SELECT",
    "members", "living", "survivors",
)  # fmt: skip
