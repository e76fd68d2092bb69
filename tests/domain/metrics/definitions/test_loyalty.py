"""How content customers are, who recommends the business, and how fast they are helped."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from math import sqrt
from typing import TYPE_CHECKING

import pytest

from domain.purchases.rules import MissingReason
from tests.domain.metrics.definitions.conftest import at

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business

MINUTE = timedelta(minutes=1)


async def test_promoters_less_detractors_with_its_standard_error(business: Business) -> None:
    for hour, score in enumerate((10, 9, 9, 8, 7, 6, 0, 10)):
        await business.happened("A", "SURVEY", at("05-02", hour), payload={"kind": "NPS", "score": score})
    await business.happened("A", "SURVEY", at("05-02"), payload={"kind": "CSAT", "score": 1})
    await business.settle()
    nps = (await business.measured("nps"))["nps"]
    assert (nps.numerator, nps.denominator, nps.n, nps.value) == (2, 8, 8, 25)
    assert float(nps.standard_error or 0) == pytest.approx(100 * sqrt((4 / 8 + 2 / 8 - (2 / 8) ** 2) / 8))


async def test_satisfied_are_the_two_best_of_five(business: Business) -> None:
    answers = [(5, 5), (4, 5), (3, 5), (8, 10), (7, 10)]
    for hour, (score, scale) in enumerate(answers):
        told = {"kind": "CSAT", "score": score, "scale": scale}
        await business.happened("A", "SURVEY", at("05-02", hour), payload=told)
    for hour, score in enumerate((2, 5)):
        await business.happened("B", "SURVEY", at("05-03", hour), payload={"kind": "CES", "score": score})
    await business.settle()
    assert await business.values("customer_satisfaction", "mean_satisfaction", "mean_effort", "nps") == {
        "customer_satisfaction": Decimal("0.6"), "mean_satisfaction": Decimal("3.9"), "mean_effort": Decimal("3.5"),
        "nps": MissingReason.DENOMINATOR_ZERO,
    }  # fmt: skip


async def test_who_recommends_is_counted_once_and_never_for_himself(business: Business) -> None:
    await business.bought("A", "05-01")
    await business.bought("F", "05-01")
    for who, kind, payload in (
        ("A", "REVIEW", {"rating": 5}), ("A", "REVIEW", {"rating": 4}), ("B", "REVIEW", {"rating": 1}),
        ("A", "REFERRAL", {"referred_customer_id": business["F"]}),
        ("C", "REFERRAL", {"referred_customer_id": business["E"]}),
        ("D", "REFERRAL", {"referred_customer_id": business["D"]}),
        ("A", "SOCIAL_MENTION", {"site": "forum"}), ("E", "SOCIAL_MENTION", {"rating": 1}),
    ):  # fmt: skip
        await business.happened(who, kind, at("05-01"), payload=payload)
    await business.settle()
    assert await business.values(
        "recommending_customers", "recommending_on_social_media", "positive_reviews", "reviewers", "referrals",
        "referrers", "converted_referrals",
    ) == {
        "recommending_customers": 2, "recommending_on_social_media": 1, "positive_reviews": 2, "reviewers": 2,
        "referrals": 2, "referrers": 2, "converted_referrals": 1,
    }  # fmt: skip
    rates = await business.measured("recommendation_rate", "social_recommendation_rate")
    # C recommends and did not buy: of A and F, A recommends.
    assert {(rate.numerator, rate.denominator) for rate in rates.values()} == {(1, 2)}


async def test_how_fast_cases_are_answered_and_resolved(business: Business) -> None:
    for number, (answered, resolved) in enumerate(((5, 60), (15, None), (10, 120))):
        told = {"payload": {"case_id": f"c{number}"}}
        await business.happened("A", "CASE_OPENED", at("05-02"), **told)
        await business.happened("A", "CASE_ANSWERED", at("05-02") + answered * MINUTE, **told)
        if resolved:
            await business.happened("A", "CASE_RESOLVED", at("05-02") + resolved * MINUTE, **told)
    await business.settle()
    assert await business.values("cases", "answer_time", "resolution_time") == {
        "cases": 3, "answer_time": 10, "resolution_time": 90,
    }  # fmt: skip
    waited = await business.measured("answer_time", "resolution_time")
    assert {key: value.censored for key, value in waited.items()} == {"answer_time": False, "resolution_time": True}
