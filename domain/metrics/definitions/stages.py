"""What is measured of each step of a lifecycle: visits and ad views, inquiries, leads and what becomes of them."""

from __future__ import annotations

from domain.metrics.catalogue import Facts, Figure, count, median, metric, number_of, ratio, sum_of
from domain.metrics.rules import Better, Grain, Unit
from domain.stages.rules import CanonicalStep

CONTACTED = Facts(
    "contacted",
    """
    SELECT p.n, d.customer_id, count(DISTINCT d.day) FILTER (WHERE d.interactions > 0) AS days,
        sum(d.visits) AS visits, sum(d.ad_views) AS ad_views, sum(d.inquiries) AS inquiries
    FROM activity d JOIN calendar p ON p.day = d.day
    GROUP BY p.n, d.customer_id
    """,
    {
        "days": "Days with an interaction.",
        "visits": "Sessions: visits with less than 30 minutes between them are one.",
        "ad_views": "Advertisements seen, as the source reports them.",
        "inquiries": "Inquiries, forms, and the first contact where the customer made it.",
    },
)
"""What happened with a customer in the window; suspected machines count in the ad views only."""

CONSIDERING = Facts(
    "considering",
    """
    SELECT p.n, e.customer_id, bool_or(b.customer_id IS NOT NULL) AS is_converted
    FROM step_entries e
    JOIN calendar p ON p.day = e.day
    LEFT JOIN step_entries b ON b.customer_id = e.customer_id AND b.step = 'PURCHASE'
        AND b.entered_at >= e.entered_at AND b.entered_at < e.entered_at + CAST(:conversion AS int) * INTERVAL '1 day'
    WHERE e.step = 'CONSIDER'
    GROUP BY p.n, e.customer_id
    """,
    {"is_converted": "Whether a stage of the step PURCHASE was entered within 90 days, or as many as asked."},
)
"""Who entered a stage of the step CONSIDER in the window, in any lifecycle."""

UNDECIDED = Facts(
    "undecided",
    """
    SELECT c.n, c.customer_id
    FROM considering c
    JOIN step_entries e ON e.customer_id = c.customer_id AND e.step = 'CONSIDER'
    JOIN calendar p ON p.day = e.day AND p.n = c.n
    WHERE NOT c.is_converted
        AND e.entered_at + CAST(:conversion AS int) * INTERVAL '1 day' > CAST(:watermark AS timestamptz)
    GROUP BY c.n, c.customer_id
    """,
)
"""Who entered CONSIDER in the window and has not converted, where the days for it are not over."""

LED = Facts(
    "led",
    """
    SELECT p.n, s.customer_id, s.first_on - min(e.day) AS days
    FROM bought_spans s
    JOIN calendar p ON p.day = s.first_on
    JOIN step_entries e ON e.customer_id = s.customer_id AND e.step = 'CONSIDER' AND e.day <= s.first_on
    GROUP BY p.n, s.customer_id, s.first_on
    """,
    {"days": "Days from first entering a stage of the step CONSIDER to the first purchase."},
)
"""Who bought for the first time in the window, and had been a lead until then."""


@metric(
    "visits", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.AWARE, marketing_only=True, en="Visits",
    fa="بازدیدها",
)  # fmt: skip
def visits() -> Figure:
    """Sessions of known customers: visits with less than 30 minutes between them are one, suspected machines none."""
    return sum_of(CONTACTED, "visits")


@metric(
    "visitors", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.AWARE, marketing_only=True, en="Visitors",
    fa="بازدیدکنندگان",
)  # fmt: skip
def visitors() -> Figure:
    """Customers with at least one visit."""
    return number_of(count(CONTACTED, "visits > 0"))


@metric(
    "ad_views", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.AWARE, marketing_only=True, en="Ad views",
    fa="بازدید آگهی",
)  # fmt: skip
def ad_views() -> Figure:
    """Viewable impressions as the source reports them; that each is another person's is not claimed."""
    return sum_of(CONTACTED, "ad_views")


@metric(
    "inquiries", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.CONSIDER, en="Inquiries", fa="درخواست‌ها"
)  # fmt: skip
def inquiries() -> Figure:
    """Inquiries and forms that came in, and first contacts that the customer made."""
    return sum_of(CONTACTED, "inquiries")


@metric("leads", version=2, unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.CONSIDER, en="Leads", fa="سرنخ‌ها")
def leads() -> Figure:
    """Customers who entered a stage of the step CONSIDER."""
    return number_of(count(CONSIDERING))


@metric(
    "conversion_rate", version=2, grain=Grain.MONTH, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.PURCHASE,
    en="Conversion rate", fa="نرخ تبدیل",
)  # fmt: skip
def conversion_rate() -> Figure:
    """Of the customers who entered CONSIDER in the window, those who entered PURCHASE within 90 days of it.

    Within another number of days, where the question says so. It belongs to those who came, not to those who were won:
    it is censored, and can grow, where one of them who has not converted came less than so many days ago.
    """
    return ratio(count(CONSIDERING, "is_converted"), count(CONSIDERING)).awaiting(count(UNDECIDED))


@metric(
    "lead_to_purchase", unit=Unit.DAYS, better=Better.LOWER, step=CanonicalStep.PURCHASE, en="From lead to purchase",
    fa="از سرنخ تا خرید",
)  # fmt: skip
def lead_to_purchase() -> Figure:
    """The middle number of days from entering CONSIDER to the first purchase, of those who first bought in the window.

    By so many days the costs of acquisition can be taken to lie before the customers whom they won.
    """
    return median(LED, "days")
