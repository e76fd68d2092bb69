"""The days of customers as SQL over the raw documents: what the rollups hold, now or as it was known earlier."""

from __future__ import annotations

from domain.core.rounding import half_even

NOW = "{t}.superseded_at IS NULL"
"""SQL: the current version of a document or an interaction `{t}`."""

KNOWN = "{t}.recorded_at <= :watermark AND ({t}.superseded_at IS NULL OR {t}.superseded_at > :watermark)"
"""SQL: the version of a document or an interaction `{t}` that was current at `:watermark`."""

SOME = "{t}.customer_id = ANY(:customers)"
"""SQL: what was recorded of `:customers`."""

PURCHASES = (
    "orders", "paid_orders", "gross", "net", "cash_refunds", "adjusted", "units", "paid_units", "returned_units",
    "cost_of_goods", "uncosted", "unrated",
)  # fmt: skip
"""What a row of `purchase_days` holds beside its key, in the order of `purchase_days`."""

ACTIVITIES = ("interactions", "visits", "ad_views", "inquiries", "usage", "products")
"""What a row of `activity_days` holds beside its key, in the order of `activity_days`."""

SESSION_GAP = "30 minutes"
"""Visits with less between them belong to one session."""


def purchase_days(current: str = NOW, whose: str = SOME) -> str:
    """SQL: the rows of `purchase_days` for some customers, of the documents as they are (`NOW`) or were `KNOWN`."""
    return f"""
        WITH refunded AS ({_refunds(current, whose)})
        SELECT customer_id, day, {", ".join(map(_added_up, PURCHASES))}
        FROM ({_sales(current, whose)} UNION ALL {_booked_refunds(current)} UNION ALL {_cash_refunds(current)})
            AS documents
        GROUP BY customer_id, day
    """


def _added_up(name: str) -> str:
    kind = "numeric(20, 6)" if name.endswith("units") else "bigint"
    return f"CAST(coalesce(sum({name}), 0) AS {kind}) AS {name}"


def _row(document: str, day: str, **values: str) -> str:
    """A select list: the key, then every figure of a day, those that are not named as zero."""
    figures = ", ".join(f"{values.get(name, '0')} AS {name}" for name in PURCHASES)
    return f"SELECT {document}.customer_id, {day} AS day, {figures}"


def _sales(current: str, whose: str) -> str:
    is_sale = "o.kind = 'SALE'"
    is_purchase = f"{is_sale} AND {_is_kept('o', 'back.amount')}"
    cost = _in_base("o", "lines.cost")
    counted = _row(
        "o", "o.local_day",
        orders=f"({is_purchase})::int",
        paid_orders=f"({is_purchase} AND o.amount > 0)::int",
        gross=f"CASE WHEN {is_sale} THEN {base_amount('o', current)} END",
        net=f"CASE WHEN {is_sale} THEN {base_amount('o', current)} END",
        adjusted=f"CASE WHEN {is_sale} THEN 0 ELSE {base_amount('o', current)} END",
        units=f"CASE WHEN {is_purchase} THEN o.units ELSE 0 END",
        paid_units=f"CASE WHEN {is_purchase} AND o.amount > 0 THEN o.units ELSE 0 END",
        cost_of_goods=f"CASE WHEN {is_sale} THEN {cost} END",
        uncosted=f"({is_purchase} AND (lines.cost IS NULL OR lines.unknown OR {cost} IS NULL))::int",
        unrated=f"({base_amount('o', current)} IS NULL)::int",
    )  # fmt: skip
    return f"""
        {counted}
        FROM {_rows("orders", "o", current, whose)}
        CROSS JOIN LATERAL ({_given_back("o", current)}) AS back
        CROSS JOIN LATERAL (
            SELECT sum(l.cost_amount) AS cost, bool_or(l.cost_amount IS NULL) AS unknown FROM order_lines l
            WHERE l.tenant_id = :tenant AND l.order_id = o.id AND l.order_version = o.version
        ) AS lines
        WHERE o.status = 'COMPLETED'
    """


def _booked_refunds(current: str) -> str:
    """What was `refunded`, on the day of its order where that is known."""
    counted = _row(
        "f", "f.booked_on",
        net=f"-{base_amount('f', current)}",
        returned_units="CASE WHEN f.order_is_kept THEN f.units ELSE 0 END",
        cost_of_goods=f"-{_in_base('f', 'lines.cost')}",
        unrated=f"({base_amount('f', current)} IS NULL)::int",
    )  # fmt: skip
    return f"""
        {counted}
        FROM refunded AS f
        CROSS JOIN LATERAL (
            SELECT sum(l.cost_amount) AS cost FROM refund_lines l
            WHERE l.tenant_id = :tenant AND l.refund_id = f.id AND l.refund_version = f.version
        ) AS lines
    """


def _cash_refunds(current: str) -> str:
    """What was `refunded`, on the day on which the money was given back."""
    base = base_amount("f", current)
    unrated = f"({base} IS NULL AND f.local_day <> f.booked_on)::int"
    return f"""
        {_row("f", "f.local_day", cash_refunds=base, unrated=unrated)}
        FROM refunded AS f
    """


def _refunds(current: str, whose: str) -> str:
    """What was given back of the orders of customers, as far as these count, and of orders that nobody knows.

    A refund belongs to whom its order belongs; of an order that is gone nothing was given back.
    """
    known = " AND o.recorded_at <= :watermark" if current == KNOWN else ""
    fence = " OFFSET 0" if whose == SOME else ""  # each is looked up, too
    told = "f.id, f.version, f.local_day, f.currency, f.amount, f.units, f.base_amount, f.base_currency"
    return f"""
        SELECT o.customer_id, o.local_day AS booked_on, {_is_kept("o", "back.amount")} AS order_is_kept, {told}
        FROM {_rows("orders", "o", current, whose)}
        CROSS JOIN LATERAL (
            SELECT * FROM refunds f WHERE f.tenant_id = :tenant AND f.order_id = o.id AND {current.format(t="f")}{fence}
        ) AS f
        CROSS JOIN LATERAL ({_given_back("o", current)}) AS back
        WHERE o.status = 'COMPLETED'
        UNION ALL
        SELECT f.customer_id, f.local_day, true, {told}
        FROM {_rows("refunds", "f", current, whose)}
        WHERE NOT EXISTS (SELECT FROM orders o WHERE o.tenant_id = :tenant AND o.id = f.order_id{known}{fence})
    """


def _given_back(order: str, current: str) -> str:
    return f"""
        SELECT sum(b.amount) AS amount FROM refunds b
        WHERE b.tenant_id = :tenant AND b.order_id = {order}.id AND b.currency = {order}.currency
            AND {current.format(t="b")}
    """


def _is_kept(order: str, given_back: str) -> str:
    """That an order was not wholly refunded."""
    return f"({order}.amount <= 0 OR {order}.amount > coalesce({given_back}, 0))"


def base_amount(document: str, current: str, day: str = "local_day") -> str:
    """SQL: what a document is worth in the tenant's base currency at the rate of its `day`.

    At a watermark only what a rate known then had given.
    """
    if current == NOW:
        return f"{document}.base_amount"
    return f"""(CASE WHEN {document}.currency = {document}.base_currency OR EXISTS (
        SELECT FROM exchange_rates r WHERE r.tenant_id = :tenant AND r.recorded_at <= :watermark
            AND r.day <= {document}.{day}
            AND ((r.base, r.quote) = ({document}.currency, {document}.base_currency)
                OR (r.quote, r.base) = ({document}.currency, {document}.base_currency))
    ) THEN {document}.base_amount END)"""


def _in_base(document: str, cost: str) -> str:
    """A cost of a document in the base currency, at the rate at which the document itself was converted."""
    converted = half_even(f"({cost} * {document}.base_amount)", f"{document}.amount")
    return f"""(CASE WHEN {document}.currency = {document}.base_currency THEN {cost}
        WHEN {document}.amount > 0 THEN {converted} END)"""


def activity_days(current: str = NOW, whose: str = SOME) -> str:
    """SQL: the rows of `activity_days` for some customers, on the days of the time zone `:zone`."""
    return f"""
        SELECT customer_id, CAST(occurred_at AT TIME ZONE :zone AS date) AS day,
            count(*) FILTER (WHERE by_people AND counts) AS interactions,
            count(*) FILTER (WHERE is_visit AND (since_last IS NULL OR since_last >= INTERVAL '{SESSION_GAP}'))
                AS visits,
            count(*) FILTER (WHERE kind = 'AD_VIEW') AS ad_views,
            count(*) FILTER (WHERE by_people AND is_inquiry) AS inquiries,
            count(*) FILTER (WHERE by_people AND kind = 'USAGE') AS usage,
            coalesce(array_agg(DISTINCT product) FILTER (WHERE by_people AND kind = 'USAGE'), '{{}}') AS products
        FROM (
            SELECT told.*,
                occurred_at - lag(occurred_at) OVER (PARTITION BY customer_id, is_visit ORDER BY occurred_at, id)
                    AS since_last,
                is_asked OR (is_inbound AND is_contact
                    AND row_number() OVER (PARTITION BY customer_id, is_contact ORDER BY occurred_at, id) = 1)
                    AS is_inquiry
            FROM ({_told(current, whose)}) AS told
        ) AS happened
        WHERE counts OR kind = 'AD_VIEW'
        GROUP BY 1, 2
        HAVING count(*) FILTER (WHERE by_people OR kind = 'AD_VIEW') > 0
    """


def _told(current: str, whose: str) -> str:
    """SQL: interactions with what they are; a contact is one by which the customer and the business talk."""
    return f"""
        SELECT i.customer_id, i.id, i.occurred_at, i.kind,
            NOT i.machine_suspected AS by_people,
            i.kind = 'VISIT' AND NOT i.machine_suspected AS is_visit,
            i.family NOT IN ('NOTE', 'TASK', 'STAGE') AND i.kind <> 'AD_VIEW' AS counts,
            i.kind IN ('INQUIRY', 'FORM_SUBMITTED') AND i.direction IS DISTINCT FROM 'OUTBOUND' AS is_asked,
            i.direction = 'INBOUND' OR i.kind = 'EMAIL_RECEIVED' AS is_inbound,
            CASE WHEN i.kind = 'USAGE' THEN coalesce(i.payload ->> 'product', '') END COLLATE "C" AS product,
            NOT i.machine_suspected AND i.kind IN (
                'INQUIRY', 'FORM_SUBMITTED', 'EMAIL_SENT', 'EMAIL_RECEIVED', 'MESSAGE', 'CALL', 'MEETING'
            ) AS is_contact
        FROM {_rows("interactions", "i", current, whose)}
    """


def _rows(table: str, alias: str, current: str, whose: str) -> str:
    """SQL for a FROM: the rows of a table. Those of `:customers` are looked up customer by customer."""
    rows = f"SELECT * FROM {table} {alias} WHERE {alias}.tenant_id = :tenant AND {current.format(t=alias)}"
    return looked_up(rows, alias) if whose == SOME else f"({rows} AND {whose.format(t=alias)}) AS {alias}"


def looked_up(rows: str, alias: str) -> str:
    """SQL for a FROM: of some rows, a SELECT that ends in its WHERE, those of `:customers`, customer by customer.

    So there is one plan, whatever the statistics say, and what it reads does not depend on how many others there are.
    Where the planner knows nothing it expects one row of any index that begins with the tenant, and takes the one of
    the fewest levels: the order decides for the one by customer, which alone gives it (an order by what is equal to a
    value would count as none). Whoever runs it has the planner avoid sorting.
    """
    return f"""(SELECT DISTINCT unnest(:customers) AS id) AS named
        CROSS JOIN LATERAL (
            {rows} AND {alias}.customer_id = ANY(ARRAY[named.id]) ORDER BY {alias}.customer_id OFFSET 0
        ) AS {alias}"""
