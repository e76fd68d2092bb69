"""Whether customers use what they have: adoption, what lies unused, how often, and how steadily."""

from __future__ import annotations

from domain.metrics.catalogue import Facts, Figure, Personal, count, metric, number_of, ratio, total
from domain.metrics.rules import Better, Grain, Unit
from domain.purchases.rules import MissingReason
from domain.stages.rules import CanonicalStep

OWNER = Facts(
    "owner",
    """
    SELECT o.n, o.customer_id, count(u.day) FILTER (WHERE u.day >= o.starts_on) AS used_days,
        count(u.day) FILTER (WHERE u.day >= o.ends_on - CAST(:idle AS int)) > 0 AS used_lately,
        o.ends_on - o.starts_on AS days
    FROM (
        SELECT DISTINCT p.n, p.starts_on, p.ends_on, e.customer_id
        FROM points p JOIN entitled e ON e.from_on < p.ends_on AND e.till_on >= p.ends_on
    ) AS o
    LEFT JOIN used_days u ON u.customer_id = o.customer_id AND u.day < o.ends_on
        AND u.day >= least(o.starts_on, o.ends_on - CAST(:idle AS int))
    GROUP BY o.n, o.customer_id, o.starts_on, o.ends_on
    """,
    {
        "used_days": "Days of the window with a use of a product that the customer has.",
        "used_lately": "Whether there was one in the last days of it: 30, or as many as the question says.",
        "days": "How many days the window has.",
    },
)
"""Who is entitled to a product on the window's last day: under contract, or by a purchase that was kept."""

_STEP = CanonicalStep.USE


@metric("adoption", version=3, unit=Unit.RATIO, better=Better.HIGHER, step=_STEP, en="Adoption", fa="نرخ به‌کارگیری")
def adoption() -> Figure:
    """Owners who used in the window what they have, of all owners at its end.

    What somebody uses and has not bought is no use of his. Where a source does not say what was used, or bought, it
    goes with anything. Of one product alone, where the question names it.
    """
    return ratio(count(OWNER, "used_days > 0"), count(OWNER))


@metric("unused", version=3, unit=Unit.COUNT, better=Better.LOWER, step=_STEP, en="Unused", fa="مالکان بی‌استفاده")
def unused() -> Figure:
    """Owners without any use of what they have in the last days of the window: 30, or as many as the question says."""
    return number_of(count(OWNER, "NOT used_lately"))


@metric(
    "usage_frequency",
    version=3,
    unit=Unit.RATIO,
    better=Better.HIGHER,
    step=_STEP,
    en="Usage frequency",
    fa="دفعات استفاده",
    personal=Personal(ratio(total(OWNER, "used_days"), total(OWNER, "days"), empty=MissingReason.NO_DATA)),
)
def usage_frequency() -> Figure:
    """Days on which owners used what they have, by days of the window, over all owners."""
    return ratio(total(OWNER, "used_days"), total(OWNER, "days"), n=count(OWNER))


@metric(
    "stickiness",
    version=3,
    grain=Grain.MONTH,
    unit=Unit.RATIO,
    better=Better.HIGHER,
    step=_STEP,
    en="Stickiness",
    fa="چسبندگی",
)
def stickiness() -> Figure:
    """The mean number of users a day by the number of users in the window."""
    users = "used_days > 0"
    return ratio(total(OWNER, "used_days", users), total(OWNER, "days", users), n=count(OWNER, users))
