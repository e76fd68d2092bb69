"""How customers answer campaigns, with and without those answers that a machine may have given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from domain.metrics.rules import Counting
from domain.purchases.rules import Window
from tests.domain.metrics.definitions.conftest import at

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business

SPRING = {"campaign_key": "spring"}


async def test_pairs_that_answered_of_those_that_were_reached(business: Business) -> None:
    for who in "ABCD":
        await business.happened(who, "EMAIL_SENT", at("05-02"), **SPRING)
    await business.happened("A", "EMAIL_SENT", at("05-09"), **SPRING)  # the same pair
    await business.happened("A", "EMAIL_SENT", at("05-09"), campaign_key="may")
    await business.happened("A", "EMAIL_CLICKED", at("05-03"), **SPRING)
    await business.happened("B", "EMAIL_CLICKED", at("05-02") + timedelta(seconds=1), **SPRING)
    await business.happened("C", "EMAIL_OPENED", at("05-03"), **SPRING)
    await business.happened("D", "MESSAGE", at("05-20"), direction="INBOUND", **SPRING)
    await business.bought("C", "05-08")
    await business.bought("D", "05-09")
    await business.settle()
    found = await business.measured("deliveries", "response_rate", "raw_response_rate", "attributed_purchase_rate")
    assert {key: (value.numerator, value.denominator) for key, value in found.items()} == {
        "deliveries": (5, None), "response_rate": (2, 5), "raw_response_rate": (3, 5),
        "attributed_purchase_rate": (1, 5),
    }  # fmt: skip


async def test_deliveries_of_the_last_week_are_left_out(business: Business) -> None:
    now = datetime.now(UTC)
    for who, days in (("A", 6.9), ("B", 7.1)):
        await business.happened(who, "EMAIL_SENT", now - timedelta(days=days), **SPRING)
    await business.settle()
    lately = Window((now - timedelta(days=30)).date(), (now + timedelta(days=1)).date())
    assert await business.values("deliveries", window=lately) == {"deliveries": 1}
    for days, reached in ((6, 2), (8, 0)):
        found = await business.values("deliveries", window=lately, counting=Counting(response=days))
        assert found == {"deliveries": reached}


async def test_how_long_a_campaign_is_given_is_a_choice(business: Business) -> None:
    await business.happened("A", "EMAIL_SENT", at("05-02"), **SPRING)
    await business.bought("A", "05-09")
    await business.settle()
    for days, bought in ((7, 0), (8, 1)):
        found = await business.values("attributed_purchase_rate", counting=Counting(response=days))
        assert found == {"attributed_purchase_rate": bought}
