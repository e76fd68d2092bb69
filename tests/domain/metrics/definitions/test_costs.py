"""What it costs to win, keep and serve customers, and how many opportunities are won."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from domain.costs import AllocationRule
from domain.costs.model import CostEntry
from domain.customers.model import Customer
from domain.metrics.publishing import publish
from domain.metrics.queries import customer_values
from domain.metrics.reading import snapshot
from domain.metrics.rules import Counting, Grain
from domain.purchases.rules import MissingReason, Window
from tests.domain.costs.conftest import catch_up
from tests.domain.metrics.definitions.conftest import at, on

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business


async def test_costs_by_the_customers_that_they_won_kept_and_served(business: Business) -> None:
    for who, *days in (("A", "04-05", "05-05"), ("B", "04-09", "05-09", "05-10"), ("C", "05-11"), ("D", "04-02")):
        for day in days:
            await business.bought(who, day)
    await business.happened("D", "CASE_OPENED", at("05-20"), payload={"case_id": "c1"})
    for category, euros in (
        ("ACQUISITION_MARKETING", "60"), ("ACQUISITION_SALES", "40"), ("RETENTION_MARKETING", "30"),
        ("RETENTION_SALES", "20"), ("SERVICE", "18"), ("INITIATIVE", "7"),
    ):  # fmt: skip
        await business.spent(category, euros, "05-01", "06-01")
    await business.spent("SERVICE", "1000", "04-01", "05-01")
    await business.settle()
    assert await business.values(
        "costs", "acquisition_cost", "retention_cost", "cost_to_serve", "cost_per_case", "acquire_retain_ratio",
        "cost_per_sale",
    ) == {
        "costs": 175_00, "acquisition_cost": 100_00, "retention_cost": 25_00, "cost_to_serve": 4_50,
        "cost_per_case": 18_00, "acquire_retain_ratio": 4, "cost_per_sale": 15_00,
    }  # fmt: skip


async def test_what_won_the_customers_of_a_window_was_spent_before_it(business: Business) -> None:
    await business.bought("A", "05-20")
    await business.bought("B", "06-02")
    await business.spent("ACQUISITION_MARKETING", "60", "04-25", "04-26")
    await business.spent("ACQUISITION_SALES", "40", "05-10", "05-11")
    await business.settle()
    for lag, cost in ((0, 40_00), (7, 100_00), (30, 60_00)):
        found = await business.values("acquisition_cost", "costs", counting=Counting(acquisition_lag=lag))
        assert found == {"acquisition_cost": cost, "costs": 40_00}


async def test_what_is_borne_and_what_is_not_add_up_to_the_entries(business: Business) -> None:
    for who in "ABC":
        await business.bought(who, "05-05")
    await business.settle()
    await business.spent("SERVICE", "100", "05-01", "06-01", rule=AllocationRule.EQUAL)
    await business.spent("SERVICE", "31", "05-10", "06-10", rule=AllocationRule.BY_TIME)
    await business.spent("SERVICE", "9.99", "05-20", "05-21", customer_id=business["A"])
    await business.spent("RETENTION_SALES", "50", "05-20", "05-21")
    await catch_up(business.database, business.tenant)
    keys = ("costs", "allocated_costs", "unallocated_costs")
    whole = await business.values(*keys, window=Window(on("05-01"), on("07-01")))
    async with business.database.reading(business.tenant) as reading:
        entries = await reading.all(select(CostEntry.base_amount).where(CostEntry.tenant_id == business.tenant))
    assert whole == {"costs": sum(filter(None, entries)), "allocated_costs": 140_99, "unallocated_costs": 50_00}
    months = [await business.course(key, Window(on("05-01"), on("07-01")), Grain.MONTH) for key in keys]
    assert months == [[181_99, 9_00], [131_99, 9_00], [50_00, 0]]


async def test_what_it_costs_to_serve_a_customer_beside_all(business: Business) -> None:
    today = datetime.now(UTC)
    yesterday = f"{today - timedelta(days=1):%m-%d}"
    for who in "AB":
        await business.bought(who, yesterday)
    await business.settle()
    for euros, bears in (("30", {"customer_id": business["A"]}), ("20", {"rule": AllocationRule.EQUAL})):
        await business.spent("SERVICE", euros, yesterday, f"{today:%m-%d}", **bears)
    async with business.database.unit_of_work(business.tenant) as work:
        theirs = Customer.tenant_id == business.tenant
        await work.execute(update(Customer).where(theirs).values(first_seen_at=today - timedelta(days=9)))
    await catch_up(business.database, business.tenant)
    async with business.database.unit_of_work(business.tenant) as work:
        await publish(work)
    async with business.database.reading(business.tenant) as reading:
        here, roots = await snapshot(reading), [business["A"], business["C"]]
        found = (await customer_values(here, roots, ["cost_to_serve"])).by_customer
        then = (await customer_values(here, roots, ["cost_to_serve"], as_of=today)).by_customer
    (mine, other), sixth = ((found[each][0] for each in roots), Decimal(20_00) / 6)
    assert mine.value.value == pytest.approx(30_00 + sixth, abs=1)
    assert mine.cohort is not None
    assert [mine.cohort.value, mine.percentile] == [25_00, 100]
    assert (other.value.value, other.value.missing) == (None, MissingReason.NO_DATA)
    assert {placed.value.missing for (placed,) in then.values()} == {MissingReason.NO_DATA}


async def served(business: Business) -> list[object]:
    """What A, B and C cost to serve in the last 365 days, or why that is not known."""
    roots = [business[who] for who in "ABC"]
    async with business.database.reading(business.tenant) as reading:
        found = (await customer_values(await snapshot(reading), roots, ["cost_to_serve"])).by_customer
    return [found[root][0].value.missing or found[root][0].value.value for root in roots]


async def test_a_cost_that_waits_for_a_rate_is_not_known_of_those_who_bear_it(business: Business) -> None:
    """A and B bought in May, so they bear what is shared by its revenue; C bears what names him."""
    for who, day in (("A", "04-05"), ("A", "05-05"), ("B", "05-10"), ("C", "06-05")):
        await business.bought(who, day)
    await business.settle()
    await business.spent("SERVICE", "3", "06-05", "06-06", customer_id=business["C"])
    assert await served(business) == [0, 0, 3_00]
    await business.waits("SERVICE", "05-01", "06-01", rule=AllocationRule.BY_REVENUE)
    nobody_knows = MissingReason.NO_RATE
    assert await served(business) == [nobody_knows, nobody_knows, 3_00]
    assert (await business.values("cost_to_serve"))["cost_to_serve"] is nobody_knows
    june = Window(on("06-01"), on("07-01"))
    assert (await business.values("cost_to_serve", window=june))["cost_to_serve"] == 3_00
    await business.waits("SERVICE", "06-01", "06-02", customer_id=business["C"])
    assert await served(business) == [nobody_knows] * 3


async def test_a_cost_that_is_spread_over_time_waits_in_each_of_its_days(business: Business) -> None:
    for day in ("04-05", "05-05", "06-05", "07-05"):
        await business.bought("A", day)
    await business.settle()
    await business.spent("RETENTION_SALES", "3", "05-05", "05-06")
    await business.waits("RETENTION_SALES", "04-20", "07-01", rule=AllocationRule.BY_TIME)
    nobody_knows = MissingReason.NO_RATE
    assert await business.values("retention_cost", "costs", "allocated_costs", "acquire_retain_ratio") == dict.fromkeys(
        ("retention_cost", "costs", "allocated_costs", "acquire_retain_ratio"), nobody_knows
    )
    july = Window(on("07-01"), on("08-01"))
    assert await business.values("retention_cost", "costs", window=july) == {"retention_cost": 0, "costs": 0}


async def test_what_nobody_has_recorded_yet_is_not_free(business: Business) -> None:
    """Service is recorded from May on: in April it is unknown what it costs, in June it is nothing."""
    for day in ("04-05", "05-05", "06-05"):
        await business.bought("A", day)
    await business.bought("B", "05-06")
    await business.happened("A", "CASE_OPENED", at("05-20"), payload={"case_id": "c1"})
    await business.spent("SERVICE", "18", "05-10", "05-11")
    await business.settle()
    untold = dict.fromkeys(
        ("acquisition_cost", "retention_cost", "acquire_retain_ratio", "cost_per_sale"), MissingReason.NO_COST
    )
    assert await business.values(*untold, "cost_to_serve", "cost_per_case") == {
        **untold, "cost_to_serve": 9_00, "cost_per_case": 18_00,
    }  # fmt: skip
    april, june = Window(on("04-01"), on("05-01")), Window(on("06-01"), on("07-01"))
    assert await business.values("cost_to_serve", window=april) == {"cost_to_serve": MissingReason.NO_COST}
    assert await business.values("cost_to_serve", window=june) == {"cost_to_serve": 0}


async def test_without_a_new_or_a_kept_customer_there_is_no_cost_of_one(business: Business) -> None:
    await business.spent("ACQUISITION_SALES", "10", "05-01", "06-01")
    await business.settle()
    nothing = MissingReason.DENOMINATOR_ZERO
    assert await business.values("acquisition_cost", "retention_cost", "acquire_retain_ratio", "cost_per_sale") == {
        "acquisition_cost": nothing, "retention_cost": nothing, "acquire_retain_ratio": nothing,
        "cost_per_sale": nothing,
    }  # fmt: skip


async def test_opportunities_are_won_more_often_with_those_who_have_bought(business: Business) -> None:
    await business.bought("A", "05-01")
    await business.bought("B", "05-20")
    for who, opened, closed, status in (
        ("A", "05-02", "05-09", "WON"), ("A", "05-03", "05-31", "WON"), ("A", "05-04", "05-10", "LOST"),
        ("A", "04-01", "05-10", "LOST"), ("B", "05-20", "05-25", "WON"), ("C", "05-02", "05-09", "LOST"),
        ("C", "05-02", "06-01", "WON"),
    ):  # fmt: skip
        await business.offered(who, opened, closed, status)
    await business.settle()
    found = await business.measured("win_rate_existing", "win_rate_new")
    told = {key: (value.numerator, value.denominator) for key, value in found.items()}
    assert told == {"win_rate_existing": (2, 3), "win_rate_new": (1, 3)}
    assert found["win_rate_existing"].value == Decimal("0.666667")
