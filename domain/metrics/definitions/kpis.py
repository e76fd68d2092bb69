"""New and repeat business, what grew and who came back: the KPIs of every period."""

from __future__ import annotations

from domain.metrics.catalogue import (
    Facts,
    Figure,
    Personal,
    Span,
    count,
    mean,
    metric,
    number_of,
    ratio,
    sum_of,
    total,
)
from domain.metrics.definitions.purchases import HISTORY
from domain.metrics.rules import Better, Unit
from domain.purchases.rules import MissingReason
from domain.stages.rules import CanonicalStep

MOVED = Facts(
    "moved",
    """
    SELECT p.n, d.customer_id, bool_or(d.day < p.starts_on) AS was_active, bool_or(d.day >= p.starts_on) AS is_active,
        s.first_on >= p.starts_on AS is_new, s.last_on >= p.starts_on AS came_back
    FROM compared_periods p
    JOIN bought_days d ON d.day >= p.before_on AND d.day < p.ends_on
    JOIN bought_spans s ON s.customer_id = d.customer_id
    GROUP BY p.n, p.starts_on, d.customer_id, s.first_on, s.last_on
    """,
    {
        "was_active": "Whether there was a purchase occasion in the period before the window.",
        "is_active": "Whether there was one in the window.",
        "is_new": "Whether the customer's first one ever lies in the window.",
        "came_back": "Whether there was one in the window or at any time after it.",
    },
)
"""Who bought in the window or in the period before it: the calendar's in a series, else as many days."""

MISSED = Facts(
    "missed",
    """
    SELECT m.n, m.customer_id FROM moved m JOIN points p ON p.n = m.n CROSS JOIN usual_gap u
    WHERE m.was_active AND NOT m.came_back
        AND CAST(CAST(:watermark AS timestamptz) AT TIME ZONE :zone AS date) - p.ends_on + 1 < u.days
    """,
)
"""Who bought in the period before and not since, where less time has passed than nine in ten let pass."""

ORDERED = Facts(
    "ordered",
    """
    SELECT p.n, d.customer_id, sum(d.orders) AS orders, (s.first_on >= p.starts_on)::int AS first_orders
    FROM purchases d JOIN calendar p ON p.day = d.day JOIN bought_spans s ON s.customer_id = d.customer_id
    WHERE d.orders > 0
    GROUP BY p.n, p.starts_on, d.customer_id, s.first_on
    """,
    {"orders": "Completed orders.", "first_orders": "1 where one of them is the customer's first, else 0."},
)
"""Who ordered in the window."""

SOLD_FAMILY = Facts(
    "sold_family",
    """
    SELECT p.n, h.customer_id, h.amount, h.unrated,
        coalesce(h.tier > h.tier_before OR (CAST(:expansion AS boolean) AND h.is_more), false) AS is_upsell,
        h.amount - h.amount_before AS more, h.unrated + h.unrated_before AS more_unrated,
        h.day_before IS NULL AND h.day > s.first_on AS is_cross_sell
    FROM (
        SELECT f.*, lag(f.day) OVER earlier AS day_before, lag(f.amount) OVER earlier AS amount_before,
            lag(f.unrated) OVER earlier AS unrated_before, max(f.tier) OVER (
                PARTITION BY f.customer_id, f.family_id ORDER BY f.day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS tier_before
        FROM sold_families f
        WINDOW earlier AS (PARTITION BY f.customer_id, f.family_id ORDER BY f.day)
    ) AS h
    JOIN calendar p ON p.day = h.day
    JOIN bought_spans s ON s.customer_id = h.customer_id
    """,
    {
        "amount": "What was bought of the family on the day.",
        "unrated": "Documents of it that wait for an exchange rate.",
        "is_upsell": "Whether of a higher tier than ever before, or more of the same tier, where the question says so.",
        "more": "How much more than the customer's last time in the family.",
        "more_unrated": "Documents of both times that wait for an exchange rate.",
        "is_cross_sell": "Whether the family is new to a customer who bought other things on an earlier day.",
    },
)
"""Each customer, product family and day with a purchase in the window."""

RAISED = Facts(
    "raised",
    """
    SELECT p.n, c.customer_id, c.base_mrr - c.mrr_before AS more, 1 AS raises,
        (c.base_mrr IS NULL OR c.mrr_before IS NULL)::int AS unrated
    FROM contract_steps c JOIN calendar p ON p.day = c.local_day
    WHERE c.kind IN ('UPGRADE', 'RENEW') AND c.kind_before NOT IN ('PAUSE', 'CANCEL', 'END')
        AND coalesce(c.base_mrr > c.mrr_before, true) AND c.family_id IS NOT DISTINCT FROM c.family_before
    """,
    {"more": "By how much the monthly recurring revenue rose."},
)
"""Each event that raised what a contract earns within its product family."""

OWN_GAPS = Facts(
    "own_gaps",
    """
    SELECT p.n, g.customer_id,
        p.ends_on - 1 - max(g.day) > percentile_cont(0.95) WITHIN GROUP (ORDER BY g.gap) AS is_late
    FROM points p
    JOIN (
        SELECT customer_id, day, day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap
        FROM past_purchases WHERE orders > 0
    ) AS g ON g.day < p.ends_on
    GROUP BY p.n, p.ends_on, g.customer_id
    HAVING count(g.gap) >= 5
    """,
    {"is_late": "Whether more days have passed than 95 % of the customer's own gaps have."},
)
"""Who has at least five gaps between purchases before the window's end."""

ALIVE = Facts(
    "alive",
    f"""
    SELECT n, customer_id,
        round(CAST(1 / (1 + exp(least(greatest(log_odds, -700), 700))) AS numeric), 9) AS p_alive
    FROM (
        SELECT h.n, h.customer_id, ln(m.a / (m.b + h.occasions - 1)) + (m.r + h.occasions - 1)
                * ln((m.alpha + (h.lifespan + h.days_since) / 7.0) / (m.alpha + h.lifespan / 7.0)) AS log_odds
        FROM {HISTORY.name} h CROSS JOIN buying_model m
        WHERE (h.n, h.customer_id) NOT IN (
            SELECT p.n, s.customer_id FROM points p
            JOIN contract_spans s ON s.from_on < p.ends_on AND s.till_on >= p.ends_on
        )
    ) AS silent
    """,
    {"p_alive": "The probability that the customer still buys on the window's last day, by MBG/NBD."},
)
"""Who ever bought before the end of the window and is then under no contract, where the default model is fitted.

The logarithm of the odds of being gone is that of `clv.mbgnbd.p_alive`, in weeks; its bounds keep the exponential from
overflowing.
"""

_NO_RATE = MissingReason.NO_RATE


@metric(
    "new_customers", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.PURCHASE, en="New customers",
    fa="مشتریان تازه",
)  # fmt: skip
def new_customers() -> Figure:
    """Customers whose first completed order lies in the window; of those who were merged the earliest one counts."""
    return number_of(count(MOVED, "is_new"))


@metric(
    "new_orders", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.PURCHASE, en="New orders",
    fa="سفارش‌های نخست",
)  # fmt: skip
def new_orders() -> Figure:
    """Orders that are the customer's first one; they are orders, and customers are never added to them."""
    return sum_of(ORDERED, "first_orders", "first_orders > 0")


@metric(
    "repeat_orders", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Repeat orders",
    fa="سفارش‌های تکراری",
)  # fmt: skip
def repeat_orders() -> Figure:
    """Orders less first orders; renewals of contracts are counted apart."""
    return sum_of(ORDERED, "orders - first_orders")


@metric(
    "upsells", version=2, unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Upsells",
    fa="فروش‌های ارتقایی",
)  # fmt: skip
def upsells() -> Figure:
    """Days on which a customer bought a higher tier of a product family than ever before.

    More of the same tier than ever before is expansion and no upsell, unless the question says so.
    """
    return number_of(count(SOLD_FAMILY, "is_upsell"))


@metric(
    "upsell_revenue", version=2, unit=Unit.MONEY, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Upsell revenue",
    fa="درآمد فروش ارتقایی",
)  # fmt: skip
def upsell_revenue() -> Figure:
    """How much more these purchases were worth than the customer's last one in the family."""
    figure = sum_of(SOLD_FAMILY, "more", "is_upsell")
    return figure.unless(total(SOLD_FAMILY, "more_unrated", "is_upsell"), _NO_RATE)


@metric(
    "contract_upsells", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Contract upsells",
    fa="ارتقای قراردادها",
)  # fmt: skip
def contract_upsells() -> Figure:
    """Upgrades and renewals that raised a contract's monthly recurring revenue within its product family."""
    return number_of(count(RAISED))


@metric(
    "contract_upsell_revenue", unit=Unit.MONEY, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Contract upsell revenue", fa="درآمد ارتقای قراردادها",
)  # fmt: skip
def contract_upsell_revenue() -> Figure:
    """By how much these raised the monthly recurring revenue."""
    return sum_of(RAISED, "more").unless(total(RAISED, "unrated"), _NO_RATE)


@metric(
    "cross_sells", version=2, unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Cross-sells",
    fa="فروش‌های مکمل",
)  # fmt: skip
def cross_sells() -> Figure:
    """Product families that a customer bought for the first time after his first purchase occasion, each once."""
    return number_of(count(SOLD_FAMILY, "is_cross_sell"))


@metric(
    "cross_sell_revenue", version=2, unit=Unit.MONEY, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Cross-sell revenue", fa="درآمد فروش مکمل",
)  # fmt: skip
def cross_sell_revenue() -> Figure:
    """What was bought of these families on the first day."""
    figure = sum_of(SOLD_FAMILY, "amount", "is_cross_sell")
    return figure.unless(total(SOLD_FAMILY, "unrated", "is_cross_sell"), _NO_RATE)


@metric(
    "retention", unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Retention", fa="نرخ ماندگاری"
)  # fmt: skip
def retention() -> Figure:
    """Of the customers who bought in the period before the window, those who bought in the window, too.

    In a series the period before is that of the calendar, else it has as many days as the window. It does not add up to
    1 with any churn: who was active in neither period is in none of both.
    """
    return ratio(count(MOVED, "was_active AND is_active"), count(MOVED, "was_active"))


@metric(
    "retention_on_or_after", unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Retention on or after", fa="نرخ ماندگاری تا امروز",
)  # fmt: skip
def retention_on_or_after() -> Figure:
    """Of the customers who bought in the period before the window, those who bought in it or at any time since.

    The last periods are censored: who is missing there may still come back, since less time has passed since than nine
    in ten customers let pass between two purchases.
    """
    return ratio(count(MOVED, "was_active AND came_back"), count(MOVED, "was_active")).awaiting(count(MISSED))


@metric(
    "returning_customers", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Returning customers", fa="مشتریان ادامه‌دهنده",
)  # fmt: skip
def returning_customers() -> Figure:
    """Customers who bought in the window and in the period before it."""
    return number_of(count(MOVED, "was_active AND is_active"))


@metric(
    "resurrecting_customers", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Resurrecting customers", fa="مشتریان بازگشته",
)  # fmt: skip
def resurrecting_customers() -> Figure:
    """Customers who bought in the window and earlier, but not in the period before it."""
    return number_of(count(MOVED, "is_active AND NOT was_active AND NOT is_new"))


@metric(
    "dormant_customers", unit=Unit.COUNT, better=Better.LOWER, step=CanonicalStep.RETAIN, en="Dormant customers",
    fa="مشتریان خاموش",
)  # fmt: skip
def dormant_customers() -> Figure:
    """Customers who bought in the period before the window and not in it: they count in the period after their last."""
    return number_of(count(MOVED, "was_active AND NOT is_active"))


@metric(
    "churn_by_gap", version=2, unit=Unit.RATIO, better=Better.LOWER, step=CanonicalStep.RETAIN, en="Churn by own gaps",
    fa="ریزش بر پایهٔ فاصلهٔ خود",
    personal=Personal(ratio(count(OWN_GAPS, "is_late"), count(OWN_GAPS), empty=MissingReason.TOO_FEW), Span.LIFETIME),
)  # fmt: skip
def churn_by_gap() -> Figure:
    """Customers who have not bought for longer than 95 % of their own gaps, of those with five gaps or more.

    The silence is counted to the window's last day, as recency is. Of a customer it is 1 for who is gone by it and 0
    for who is not; with fewer than five gaps it is not known.
    """
    return ratio(count(OWN_GAPS, "is_late"), count(OWN_GAPS), empty=MissingReason.TOO_FEW)


@metric(
    "p_alive", unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Probability of still buying",
    fa="احتمال ادامهٔ خرید", personal=Personal(mean(ALIVE, "p_alive"), Span.LIFETIME),
)  # fmt: skip
def p_alive() -> Figure:
    """The mean probability that a customer without a contract still buys, by MBG/NBD as it was last fitted.

    Of a customer: the longer the silence beside the gaps before it, the smaller. More purchases can lower it: for who
    bought often the same silence is the longer one. Without a fitted model, or a purchase, it is not known.
    """
    return mean(ALIVE, "p_alive")


@metric(
    "churn_by_model", unit=Unit.RATIO, better=Better.LOWER, step=CanonicalStep.RETAIN, en="Churn by model",
    fa="ریزش بر پایهٔ مدل",
)  # fmt: skip
def churn_by_model() -> Figure:
    """Customers who still buy with a probability below 0.5, or as the question says, of all who ever bought.

    By MBG/NBD, which lets one-time buyers be gone, too; never by BG/NBD. Customers under contract are left out: see
    `contract_churn`.
    """
    gone = count(ALIVE, "p_alive < CAST(:alive AS numeric)")
    return ratio(gone, count(ALIVE), empty=MissingReason.NO_DATA)
