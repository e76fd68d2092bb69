"""How customers answer campaigns, with and without those answers that a machine may have given."""

from __future__ import annotations

from domain.metrics.catalogue import Facts, Figure, Personal, count, metric, number_of, ratio
from domain.metrics.rules import Better, Unit
from domain.purchases.rules import MissingReason
from domain.stages.rules import CanonicalStep

REACHED = Facts(
    "reached",
    """
    SELECT p.n, m.customer_id, r.campaign_key, bool_or(r.raw_at IS NOT NULL) AS is_answered,
        bool_or(r.human_at IS NOT NULL) AS is_answered_by_person, count(d.day) > 0 AS is_followed_by_purchase
    FROM campaign_responses r
    JOIN people m ON m.id = r.customer_id
    JOIN calendar p ON p.day = r.delivered_on
    LEFT JOIN bought_days d ON d.customer_id = m.customer_id AND d.day >= r.delivered_on
        AND d.day < r.delivered_on + CAST(:response AS int)
    WHERE r.tenant_id = :tenant
        AND r.delivered_at <= CAST(:watermark AS timestamptz) - CAST(:response AS int) * INTERVAL '1 day'
    GROUP BY p.n, m.customer_id, r.campaign_key
    """,
    {
        "is_answered": "Whether there was a click, a reply or a redemption.",
        "is_answered_by_person": "Whether there was one that no machine is suspected of.",
        "is_followed_by_purchase": "Whether the customer bought within 7 days, the delivery's included, or as asked.",
    },
)
"""Each pair of a customer and a campaign first delivered in the window, at least 7 days ago, or as many as asked."""


@metric(
    "deliveries", version=2, unit=Unit.COUNT, step=CanonicalStep.AWARE, marketing_only=True, en="Deliveries",
    fa="ارسال‌های رسیده",
)  # fmt: skip
def deliveries() -> Figure:
    """Pairs of a customer and a campaign that reached him at least 7 days ago, or as many as the question says."""
    return number_of(count(REACHED))


@metric(
    "response_rate", version=3, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.CONSIDER,
    en="Response rate", fa="نرخ پاسخ",
    personal=Personal(ratio(count(REACHED, "is_answered_by_person"), count(REACHED), empty=MissingReason.NO_DATA)),
)  # fmt: skip
def response_rate() -> Figure:
    """Pairs of a customer and a campaign with a click, a reply or a redemption that is likely a person's.

    Of all pairs that it was delivered to; deliveries of the last 7 days, or as many as the question says, are left
    out. Opening a mail is no response.
    """
    return ratio(count(REACHED, "is_answered_by_person"), count(REACHED))


@metric(
    "raw_response_rate", version=2, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.CONSIDER,
    marketing_only=True, en="Raw response rate", fa="نرخ پاسخ خام",
)  # fmt: skip
def raw_response_rate() -> Figure:
    """The same with the responses that a machine is suspected of."""
    return ratio(count(REACHED, "is_answered"), count(REACHED))


@metric(
    "attributed_purchase_rate", version=2, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.PURCHASE,
    en="Purchases after a campaign", fa="نرخ خرید پس از کارزار",
)  # fmt: skip
def attributed_purchase_rate() -> Figure:
    """Pairs of a customer and a campaign with a purchase within 7 days of the delivery, of all pairs.

    Within another number of days, where the question says so. It is no response: those who would have bought anyway are
    in it.
    """
    return ratio(count(REACHED, "is_followed_by_purchase"), count(REACHED))
