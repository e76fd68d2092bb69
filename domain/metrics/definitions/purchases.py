"""Purchase history and relationship: how recently, how often, how much, and for how long."""

from __future__ import annotations

from domain.metrics.catalogue import (
    Facts,
    Figure,
    Personal,
    Span,
    count,
    mean,
    median,
    metric,
    number_of,
    ratio,
    sum_of,
    total,
    winsorised,
)
from domain.metrics.rules import Better, Grain, Unit
from domain.purchases.rules import MissingReason
from domain.stages.rules import CanonicalStep

BOUGHT = Facts(
    "bought",
    """
    SELECT p.n, d.customer_id, count(*) FILTER (WHERE d.orders > 0) AS occasions,
        sum(d.orders) AS orders, sum(d.gross) AS gross, sum(d.net) AS net, sum(d.cash) AS cash,
        sum(d.adjusted) AS adjusted, sum(d.units) AS units, sum(d.cost_of_goods) AS cost_of_goods,
        sum(d.uncosted) AS uncosted, sum(d.unrated) AS unrated,
        max(p.ends_on) - max(d.day) FILTER (WHERE d.orders > 0) AS days_since
    FROM purchases d JOIN calendar p ON p.day = d.day
    GROUP BY p.n, d.customer_id
    """,
    {
        "occasions": "Days with at least one purchase.",
        "orders": "Completed sales that were not wholly refunded.",
        "gross": "What the completed sales are worth, in minor units of the base currency.",
        "net": "The same less what was given back of them, whenever.",
        "cash": "The same less what was given back in the window.",
        "adjusted": "Adjustments of the books.",
        "units": "Units that were bought and not given back.",
        "cost_of_goods": "What the goods cost, where it is known.",
        "uncosted": "Orders of which the cost is not wholly known.",
        "unrated": "Documents that wait for an exchange rate.",
        "days_since": "Days from the last purchase in the window to its end.",
    },
)
"""Who had any purchase, refund or adjustment in the window."""

OCCASION = Facts(
    "occasion",
    """
    SELECT p.n, d.customer_id, d.net, d.units, d.unrated
    FROM purchases d JOIN calendar p ON p.day = d.day
    WHERE d.orders > 0
    """,
    {"net": "What was bought on the day, less what was given back of it.", "units": "Units bought."},
)
"""Each purchase occasion in the window: a customer and a day, so a customer can have several rows."""

GAP = Facts(
    "gap",
    """
    SELECT n, customer_id, days FROM (
        SELECT p.n, d.customer_id,
            d.day - lag(d.day) OVER (PARTITION BY p.n, d.customer_id ORDER BY d.day) AS days
        FROM purchases d JOIN calendar p ON p.day = d.day
        WHERE d.orders > 0
    ) AS following
    WHERE days IS NOT NULL
    """,
    {"days": "Days between two purchase occasions that follow each other in the window."},
)
"""Each gap between two occasions that follow each other: a customer with three occasions has two rows."""

EXPOSURE = Facts(
    "exposure",
    """
    SELECT p.n, l.customer_id,
        least(p.ends_on, l.gone_on) - greatest(p.starts_on, l.first_seen_on) AS days
    FROM points p JOIN lives l ON l.first_seen_on < p.ends_on AND coalesce(l.gone_on > p.starts_on, true)
    """,
    {"days": "Days of the window in which the customer existed: from first seen to erased."},
)
"""Who existed in the window."""

AT_RISK = Facts(
    "at_risk",
    """
    SELECT p.n, d.customer_id, count(*) AS occasions
    FROM purchases d JOIN calendar p ON p.day = d.day JOIN lives l ON l.customer_id = d.customer_id
    WHERE d.orders > 0 AND d.day <> l.first_seen_on
    GROUP BY p.n, d.customer_id
    """,
    {"occasions": "Purchase occasions but for the one that opens the customer's exposure."},
)
"""Who had an occasion in the window, other than the one by which he became known."""

HISTORY = Facts(
    "history",
    """
    SELECT p.n, d.customer_id, min(d.day) AS first_on, max(d.day) AS last_on, count(*) AS occasions,
        p.ends_on - 1 - max(d.day) AS days_since, max(d.day) - min(d.day) AS lifespan,
        least(p.ends_on - max(d.day), p.ends_on - p.starts_on) AS capped
    FROM points p JOIN past_purchases d ON d.day < p.ends_on
    WHERE d.orders > 0
    GROUP BY p.n, p.starts_on, p.ends_on, d.customer_id
    """,
    {
        "occasions": "Days with at least one purchase, up to the end of the window.",
        "days_since": "Days from the last of them to the last day of the window.",
        "lifespan": "Days from the first of them to the last.",
        "capped": "Days from the last of them to the end of the window, at most the window's length.",
    },
)
"""Who ever bought before the end of the window."""

RELATION = Facts(
    "relation",
    """
    SELECT p.n, l.customer_id,
        least(p.ends_on - 1, l.gone_on, churn.day) - l.first_seen_on AS since_seen,
        least(p.ends_on - 1, l.gone_on, churn.day) - h.first_on AS since_bought
    FROM points p JOIN lives l ON l.first_seen_on < p.ends_on
    LEFT JOIN history h ON h.n = p.n AND h.customer_id = l.customer_id
    LEFT JOIN (
        SELECT i.customer_id, min(CAST(i.entered_at AT TIME ZONE :zone AS date)) AS day
        FROM stage_intervals i
        JOIN lifecycles c ON c.tenant_id = :tenant AND c.key = i.lifecycle_key AND c.is_default
        JOIN stages s ON s.tenant_id = :tenant AND s.id = i.stage_id AND s.kind = 'CHURNED'
        WHERE i.tenant_id = :tenant AND i.is_current
        GROUP BY i.customer_id
    ) AS churn ON churn.customer_id = l.customer_id AND churn.day < p.ends_on
    """,
    {
        "since_seen": "Days of the relationship, from when the customer was first seen.",
        "since_bought": "Days of the relationship, from the first purchase; null without one.",
    },
)
"""Who was known before the end of the window; the relationship ends when the customer churned or was erased."""

_UNRATED = (total(BOUGHT, "unrated"), MissingReason.NO_RATE)
_TOO_FEW = MissingReason.TOO_FEW


@metric(
    "recency", unit=Unit.DAYS, better=Better.LOWER, step=CanonicalStep.RETAIN, en="Recency", fa="تازگی خرید",
    personal=Personal(mean(HISTORY, "days_since"), Span.LIFETIME),
)  # fmt: skip
def recency() -> Figure:
    """Days since the last purchase, lower is better.

    Of a customer: from the last purchase occasion to today; without any purchase it is not known. Of a group in a
    window: the mean over all who bought before its end, from the last occasion in the window to its end; no purchase
    in the window counts as the window's length, so that one window compares with another.
    """
    return mean(HISTORY, "capped")


@metric(
    "frequency", version=2, unit=Unit.PER_YEAR, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Purchase frequency", fa="دفعات خرید در سال",
    personal=Personal(
        ratio(total(AT_RISK, "occasions"), total(EXPOSURE, "days"), scale="365.25", empty=_TOO_FEW), least=30,
    ),
)  # fmt: skip
def frequency() -> Figure:
    """Purchase occasions by exposure, per year of 365.25 days.

    Exposure are the days of the window on which the customer existed: from first seen, by a purchase at the latest, to
    erased. The occasion that opens a customer's exposure does not count. Of a group it is the sum of the occasions by
    the sum of the exposure, never the mean of personal rates; a personal rate needs 30 days of exposure.
    """
    return ratio(total(AT_RISK, "occasions"), total(EXPOSURE, "days"), n=count(EXPOSURE), scale="365.25")


@metric(
    "occasions", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.PURCHASE, en="Purchase occasions",
    fa="نوبت‌های خرید", personal=Personal(sum_of(BOUGHT, "occasions"), least=0),
)  # fmt: skip
def occasions() -> Figure:
    """Distinct pairs of a customer and a local day with at least one completed order; same-day orders are one."""
    return sum_of(BOUGHT, "occasions")


@metric(
    "active_customers", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.PURCHASE, en="Active customers",
    fa="مشتریان فعال",
)  # fmt: skip
def active_customers() -> Figure:
    """Customers with at least one purchase occasion in the window; merged customers count once."""
    return number_of(count(BOUGHT, "occasions >= 1"))


@metric(
    "occasions_per_active", grain=Grain.WEEK, unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Occasions per active customer", fa="نوبت خرید به ازای هر مشتری فعال",
)  # fmt: skip
def occasions_per_active() -> Figure:
    """Purchase occasions by customers with any. It leaves out those who stopped, so it answers no question alone."""
    return ratio(total(BOUGHT, "occasions"), count(BOUGHT, "occasions >= 1"))


@metric(
    "quantity", unit=Unit.UNITS, better=Better.HIGHER, step=CanonicalStep.PURCHASE, en="Quantity", fa="تعداد اقلام",
    personal=Personal(sum_of(BOUGHT, "units"), least=0),
)  # fmt: skip
def quantity() -> Figure:
    """Units bought less units given back."""
    return sum_of(BOUGHT, "units")


@metric(
    "units_per_occasion", unit=Unit.UNITS, better=Better.HIGHER, step=CanonicalStep.PURCHASE,
    en="Units per occasion", fa="اقلام در هر نوبت خرید",
    personal=Personal(ratio(total(BOUGHT, "units"), total(BOUGHT, "occasions"), empty=MissingReason.NO_DATA)),
)  # fmt: skip
def units_per_occasion() -> Figure:
    """Units bought less units given back, by purchase occasions."""
    return ratio(total(BOUGHT, "units"), total(BOUGHT, "occasions"))


@metric(
    "revenue", unit=Unit.MONEY, better=Better.HIGHER, step=CanonicalStep.PURCHASE, en="Net revenue", fa="درآمد خالص",
    personal=Personal(sum_of(BOUGHT, "net + adjusted").unless(*_UNRATED), least=0),
)  # fmt: skip
def revenue() -> Figure:
    """Completed sales less what was given back of them, with adjustments, at each document's date; net of tax."""
    return sum_of(BOUGHT, "net + adjusted").unless(*_UNRATED)


@metric(
    "size_of_transaction", unit=Unit.MONEY, better=Better.HIGHER, step=CanonicalStep.PURCHASE,
    en="Size of transaction", fa="ارزش هر خرید",
    personal=Personal(
        ratio(total(BOUGHT, "net"), total(BOUGHT, "occasions"), empty=MissingReason.NO_DATA).unless(*_UNRATED)
    ),
)  # fmt: skip
def size_of_transaction() -> Figure:
    """The net amount of all purchases by purchase occasions; net of tax, refunds taken off on the order's day.

    Shipping is in it where the document states it: no source tells it apart for all that it sells.
    """
    return ratio(total(BOUGHT, "net"), total(BOUGHT, "occasions")).unless(*_UNRATED)


@metric(
    "median_size_of_transaction", unit=Unit.MONEY, better=Better.HIGHER, step=CanonicalStep.PURCHASE,
    en="Median size of transaction", fa="میانهٔ ارزش خرید",
)  # fmt: skip
def median_size_of_transaction() -> Figure:
    """The middle net amount of all purchase occasions."""
    return median(OCCASION, "net").unless(total(OCCASION, "unrated"), MissingReason.NO_RATE)


@metric(
    "winsorised_size_of_transaction", unit=Unit.MONEY, better=Better.HIGHER, step=CanonicalStep.PURCHASE,
    en="Winsorised size of transaction", fa="ارزش خرید پیراسته",
)  # fmt: skip
def winsorised_size_of_transaction() -> Figure:
    """The mean net amount of purchase occasions, those above the 99th percentile counted as that percentile."""
    return winsorised(OCCASION, "net").unless(total(OCCASION, "unrated"), MissingReason.NO_RATE)


@metric(
    "purchase_gap", grain=Grain.WEEK, unit=Unit.DAYS, better=Better.LOWER, step=CanonicalStep.RETAIN,
    en="Gap between purchases", fa="فاصلهٔ میان خریدها",
    personal=Personal(
        ratio(total(GAP, "days"), count(GAP), empty=_TOO_FEW), Span.LIFETIME,
    ),
)  # fmt: skip
def purchase_gap() -> Figure:
    """Days from the first occasion to the last by the number of gaps between; it takes two occasions."""
    return ratio(total(GAP, "days"), count(GAP), empty=_TOO_FEW)


@metric(
    "median_purchase_gap", grain=Grain.WEEK, unit=Unit.DAYS, better=Better.LOWER, step=CanonicalStep.RETAIN,
    en="Median gap between purchases", fa="میانهٔ فاصلهٔ خریدها",
    personal=Personal(median(GAP, "days"), Span.LIFETIME),
)  # fmt: skip
def median_purchase_gap() -> Figure:
    """The middle one of all gaps between two occasions of a customer that follow each other."""
    return median(GAP, "days")


@metric(
    "lifespan", unit=Unit.DAYS, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Life span", fa="طول عمر خرید",
    personal=Personal(mean(HISTORY, "lifespan"), Span.LIFETIME),
)  # fmt: skip
def lifespan() -> Figure:
    """Days from the first purchase to the most recent one before the window's end; of one-time buyers zero."""
    return mean(HISTORY, "lifespan")


@metric(
    "tenure", version=2, unit=Unit.DAYS, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Duration of the relationship", fa="مدت رابطه", personal=Personal(mean(RELATION, "since_bought"), Span.LIFETIME),
)  # fmt: skip
def tenure() -> Figure:
    """Days from the first purchase until the customer churned or was erased, or else to the window's last day."""
    return mean(RELATION, "since_bought")


@metric(
    "acquaintance", version=2, unit=Unit.DAYS, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Duration since first seen", fa="مدت آشنایی", personal=Personal(mean(RELATION, "since_seen"), Span.LIFETIME),
)  # fmt: skip
def acquaintance() -> Figure:
    """Days from when the customer was first seen until he churned or was erased, or else to the last day."""
    return mean(RELATION, "since_seen")


@metric(
    "repeat_purchase_rate", grain=Grain.WEEK, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Repeat purchase rate", fa="نرخ خرید تکراری",
)  # fmt: skip
def repeat_purchase_rate() -> Figure:
    """Customers with two purchase occasions or more in the window, of those with any."""
    return ratio(count(BOUGHT, "occasions >= 2"), count(BOUGHT, "occasions >= 1"))
