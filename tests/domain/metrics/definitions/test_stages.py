"""What is measured of each step of a lifecycle."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from domain import stages
from domain.metrics.rules import Counting
from domain.purchases.rules import MissingReason, Window
from domain.stages import queries
from domain.stages.rules import CanonicalStep, CauseKind
from tests.domain.metrics.definitions.conftest import at, on

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business


async def test_visits_are_sessions_and_inquiries_are_first_contacts(business: Business) -> None:
    for minutes in (0, 20, 49, 80):
        await business.happened("A", "VISIT", at("05-02") + timedelta(minutes=minutes))
    await business.happened("B", "VISIT", at("05-02"), machine_suspected=True)
    await business.happened("B", "AD_VIEW", at("05-02"))
    await business.happened("B", "AD_VIEW", at("05-02"))
    await business.happened("B", "INQUIRY", at("05-03"), direction="INBOUND")
    await business.settle()
    assert await business.values("visits", "visitors", "ad_views", "inquiries") == {
        "visits": 2, "visitors": 1, "ad_views": 2, "inquiries": 1,
    }  # fmt: skip


async def test_of_those_who_consider_some_buy_within_ninety_days(business: Business) -> None:
    async with business.database.unit_of_work(business.tenant) as work:
        await stages.create_from_template(work, "buyer")
        keys = {one.step: one.key for one in (await queries.lifecycle(work, "buyer")).definition.stages}
        moves = [
            ("A", "CONSIDER", at("05-02")), ("A", "PURCHASE", at("05-20")), ("B", "CONSIDER", at("05-03")),
            ("B", "PURCHASE", at("08-15")), ("C", "CONSIDER", at("05-31")), ("D", "CONSIDER", at("04-30")),
            ("D", "PURCHASE", at("05-20")),
        ]  # fmt: skip
        for who, step, moment in moves:
            await stages.move(
                work, business[who], keys[CanonicalStep(step)], occurred_at=moment, cause=CauseKind.CONNECTOR
            )  # fmt: skip
    await business.happened("F", "CALL", at("01-05"))
    for who in "AD":
        await business.bought(who, "05-20")
    await business.settle()
    found = await business.measured("leads", "conversion_rate", "lead_to_purchase")
    rate = found["conversion_rate"]
    assert (found["leads"].value, rate.numerator, rate.denominator) == (3, 1, 3)
    for days, converted in ((18, 1), (17, 0), (104, 2), (103, 1)):
        within = await business.measured("conversion_rate", counting=Counting(conversion=days + 1))
        assert (days, within["conversion_rate"].numerator) == (days, converted)
    assert (found["lead_to_purchase"].value, found["lead_to_purchase"].n) == (19, 2)


async def test_a_cohort_is_censored_while_somebody_in_it_has_time_to_convert(business: Business) -> None:
    async with business.database.unit_of_work(business.tenant) as work:
        await stages.create_from_template(work, "buyer")
        keys = {one.step: one.key for one in (await queries.lifecycle(work, "buyer")).definition.stages}
        for who, step, moment in (
            ("A", "CONSIDER", at("05-02")), ("A", "PURCHASE", at("05-20")), ("B", "CONSIDER", at("05-30", hour=9)),
        ):  # fmt: skip
            await stages.move(
                work, business[who], keys[CanonicalStep(step)], occurred_at=moment, cause=CauseKind.CONNECTOR
            )  # fmt: skip
    await business.happened("F", "CALL", at("01-05"))
    await business.settle()
    age = (business.database.clock.now() - at("05-30", hour=9)).days
    over, going_on = Counting(conversion=age), Counting(conversion=age + 1)
    for counting, censored in ((over, False), (going_on, True)):
        found = await business.measured("conversion_rate", "leads", counting=counting)
        assert (found["conversion_rate"].value, found["conversion_rate"].censored) == (Decimal("0.5"), censored)
        assert not found["leads"].censored
    converted = await business.measured("conversion_rate", window=Window(on("05-01"), on("05-30")), counting=going_on)
    assert (converted["conversion_rate"].value, converted["conversion_rate"].censored) == (1, False)


async def test_without_leads_there_is_no_conversion(business: Business) -> None:
    await business.bought("A", "05-01")
    await business.settle()
    assert await business.values("leads", "conversion_rate") == {
        "leads": 0, "conversion_rate": MissingReason.DENOMINATOR_ZERO,
    }  # fmt: skip
