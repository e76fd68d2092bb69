"""How content customers are, who recommends the business, and how fast they are helped."""

from __future__ import annotations

from dataclasses import replace

from domain.metrics.catalogue import Facts, Figure, computed, count, distinct, mean, median, metric, number_of, ratio
from domain.metrics.definitions.purchases import BOUGHT
from domain.metrics.rules import Better, Unit
from domain.stages.rules import CanonicalStep


def _told(table: str, columns: str, where: str = "true") -> str:
    """SQL: the rows of a table of evidence in the window."""
    return f"""
    SELECT p.n, m.customer_id, {columns}
    FROM {table} e JOIN calendar p ON p.day = e.local_day JOIN people m ON m.id = e.customer_id
    WHERE e.tenant_id = :tenant AND {where}
    """


ANSWER = Facts(
    "answer",
    _told("survey_responses", "e.measure, e.score, e.out_of"),
    {"measure": "NPS, CSAT, CES or OTHER.", "score": "The score given.", "out_of": "The highest there is."},
)
"""Each score that a customer gave in a survey in the window."""

CASE_OPENED = Facts(
    "case_opened",
    _told("cases", "e.answer_minutes, e.resolution_minutes"),
    {"answer_minutes": "From opening to first answer.", "resolution_minutes": "From opening until it was resolved."},
)
"""Each support case that was opened in the window."""

REVIEWED = Facts(
    "reviewed",
    _told("reviews", "e.is_positive"),
    {"is_positive": "Whether its rating is 4 of 5 or better; null without one."},
)
"""Each review in the window."""

REFERRED = Facts(
    "referred",
    _told("referrals", "e.converted_at IS NOT NULL AS is_converted", "NOT e.is_self"),
    {"is_converted": "Whether the one who was referred has bought since."},
)
"""Each referral in the window; whoever referred himself referred nobody."""

RECOMMENDED = Facts(
    "recommended",
    f"""
    SELECT n, customer_id, false AS is_social FROM {REVIEWED.name} WHERE is_positive
    UNION ALL SELECT n, customer_id, false FROM {REFERRED.name}
    UNION ALL {_told("social_mentions", "true", "e.is_positive IS DISTINCT FROM false")}
    """,
    {"is_social": "Whether it was said in social media."},
)
"""Each recommendation in the window: a positive review, a referral, or a social mention that does not rate badly."""

ACTIVE = Facts(
    "active_customer",
    f"""
    SELECT b.n, b.customer_id, count(r.customer_id) > 0 AS recommends,
        coalesce(bool_or(r.is_social), false) AS is_social
    FROM {BOUGHT.name} b LEFT JOIN {RECOMMENDED.name} r ON r.n = b.n AND r.customer_id = b.customer_id
    WHERE b.occasions >= 1
    GROUP BY b.n, b.customer_id
    """,
    {
        "recommends": "Whether there is a recommendation in the window.",
        "is_social": "Whether there is one in social media.",
    },
)
"""Who bought in the window, and whether he recommended the business in it."""

_SCALED = "measure = 'CSAT' AND out_of IS NOT NULL"


@metric(
    "nps", unit=Unit.SCORE, better=Better.HIGHER, step=CanonicalStep.ADVOCATE, en="Net promoter score", fa="شاخص NPS"
)
def nps() -> Figure:
    """The share of 9 and 10 less the share of 0 to 6 among NPS answers, from -100 to 100.

    The standard error is 100 times the root of (p + d - (p - d)^2) / n. It is no measure of who recommends: see
    `recommending_customers`.
    """
    answers = count(ANSWER, "measure = 'NPS'")
    promoters, detractors = (f"count(*) FILTER (WHERE measure = 'NPS' AND score {at})" for at in (">= 9", "<= 6"))
    n = "CAST(nullif(count(*) FILTER (WHERE measure = 'NPS'), 0) AS numeric)"
    shares = f"({promoters} + {detractors}) / {n} - power(({promoters} - {detractors}) / {n}, 2)"
    figure = ratio(computed(ANSWER, f"{promoters} - {detractors}"), answers, scale="100")
    return replace(figure, standard_error=computed(ANSWER, f"100 * sqrt(({shares}) / {n})"))


@metric(
    "customer_satisfaction", unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.ADVOCATE,
    en="Customer satisfaction", fa="رضایت مشتری",
)  # fmt: skip
def customer_satisfaction() -> Figure:
    """CSAT answers of 4 or 5 of 5, or as high on another scale, of all CSAT answers."""
    return ratio(count(ANSWER, f"{_SCALED} AND score * 5 >= out_of * 4"), count(ANSWER, _SCALED))


@metric(
    "mean_satisfaction", unit=Unit.SCORE, better=Better.HIGHER, step=CanonicalStep.ADVOCATE, en="Mean satisfaction",
    fa="میانگین رضایت",
)  # fmt: skip
def mean_satisfaction() -> Figure:
    """The mean of the CSAT answers, on a scale of 5."""
    return mean(ANSWER, "score * 5 / out_of", _SCALED)


@metric(
    "mean_effort", unit=Unit.SCORE, step=CanonicalStep.USE, en="Mean customer effort", fa="میانگین تلاش مشتری"
)  # fmt: skip
def mean_effort() -> Figure:
    """The mean of the CES answers as they were given; which way is better is the survey's own matter."""
    return mean(ANSWER, "score", "measure = 'CES'")


@metric(
    "recommending_customers", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.ADVOCATE,
    en="Recommending customers", fa="مشتریان توصیه‌کننده",
)  # fmt: skip
def recommending_customers() -> Figure:
    """Customers with a positive review, a referral, or a social mention that does not rate badly."""
    return number_of(distinct(RECOMMENDED))


@metric(
    "recommending_on_social_media", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.ADVOCATE,
    marketing_only=True, en="Recommending on social media", fa="توصیه در شبکه‌های اجتماعی",
)  # fmt: skip
def recommending_on_social_media() -> Figure:
    """Those of them who do so in social media."""
    return number_of(distinct(RECOMMENDED, where="is_social"))


@metric(
    "recommendation_rate", version=2, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.ADVOCATE,
    en="Recommendation rate", fa="نرخ توصیه",
)  # fmt: skip
def recommendation_rate() -> Figure:
    """Of the customers who bought in the window, those who recommend in it; who recommends alone is in no part."""
    return ratio(count(ACTIVE, "recommends"), count(ACTIVE))


@metric(
    "social_recommendation_rate", version=2, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.ADVOCATE,
    marketing_only=True, en="Recommendation rate on social media", fa="نرخ توصیه در شبکه‌های اجتماعی",
)  # fmt: skip
def social_recommendation_rate() -> Figure:
    """Of the customers who bought in the window, those who recommend on social media in it."""
    return ratio(count(ACTIVE, "is_social"), count(ACTIVE))


@metric(
    "positive_reviews", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.ADVOCATE, en="Positive reviews",
    fa="نقدهای مثبت",
)  # fmt: skip
def positive_reviews() -> Figure:
    """Reviews that rate 4 of 5 or better."""
    return number_of(count(REVIEWED, "is_positive"))


@metric("reviewers", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.ADVOCATE, en="Reviewers", fa="نقدنویسان")
def reviewers() -> Figure:
    """Distinct customers who wrote a review, of whatever rating."""
    return number_of(distinct(REVIEWED))


@metric("referrals", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.ADVOCATE, en="Referrals", fa="معرفی‌ها")
def referrals() -> Figure:
    """Referrals sent; one of oneself is none."""
    return number_of(count(REFERRED))


@metric("referrers", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.ADVOCATE, en="Referrers", fa="معرفان")
def referrers() -> Figure:
    """Distinct customers who referred somebody."""
    return number_of(distinct(REFERRED))


@metric(
    "converted_referrals", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.ADVOCATE,
    en="Converted referrals", fa="معرفی‌های به ثمر رسیده",
)  # fmt: skip
def converted_referrals() -> Figure:
    """Referrals of the window whose referred customer has bought on that day or later."""
    return number_of(count(REFERRED, "is_converted"))


@metric("cases", unit=Unit.COUNT, better=Better.LOWER, step=CanonicalStep.USE, en="Cases", fa="پرونده‌های پشتیبانی")
def cases() -> Figure:
    """Support cases that were opened."""
    return number_of(count(CASE_OPENED))


@metric(
    "answer_time", unit=Unit.MINUTES, better=Better.LOWER, step=CanonicalStep.USE, en="Time to first answer",
    fa="زمان نخستین پاسخ",
)  # fmt: skip
def answer_time() -> Figure:
    """The middle time from the opening of a case to its first answer, of those that were answered.

    It is censored, and can grow, while others of them wait for one.
    """
    return median(CASE_OPENED, "answer_minutes").awaiting(count(CASE_OPENED, "answer_minutes IS NULL"))


@metric(
    "resolution_time", unit=Unit.MINUTES, better=Better.LOWER, step=CanonicalStep.USE, en="Time to resolution",
    fa="زمان حل",
)  # fmt: skip
def resolution_time() -> Figure:
    """The middle time from the opening of a case until it was resolved, of those that are.

    It is censored, and can grow, while others of them are open.
    """
    return median(CASE_OPENED, "resolution_minutes").awaiting(count(CASE_OPENED, "resolution_minutes IS NULL"))
