"""New and repeat business, what grew and who came back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from domain import purchases
from domain.customers import merge
from domain.metrics.queries import customer_values
from domain.metrics.reading import snapshot
from domain.metrics.rules import Counting, Grain
from domain.purchases.rules import MissingReason, NewLine, Window
from tests.domain.metrics.definitions.conftest import on

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business


async def test_orders_and_customers_are_counted_apart(business: Business) -> None:
    for who, day in (("A", "03-10"), ("A", "05-02"), ("A", "05-02"), ("B", "05-03"), ("B", "05-20"), ("C", "06-02")):
        await business.bought(who, day)
    await business.settle()
    assert await business.values("new_customers", "new_orders", "repeat_orders", "active_customers") == {
        "new_customers": 1, "new_orders": 1, "repeat_orders": 3, "active_customers": 2,
    }  # fmt: skip


async def test_after_a_merge_the_earlier_first_order_wins(business: Business) -> None:
    await business.bought("A", "03-10")
    await business.bought("B", "05-03")
    await business.settle()
    assert (await business.values("new_customers"))["new_customers"] == 1
    async with business.database.unit_of_work(business.tenant) as work:
        await merge(work, business["A"], [business["B"]])
    assert await business.values("new_customers", "new_orders", "repeat_orders") == {
        "new_customers": 0, "new_orders": 0, "repeat_orders": 1,
    }  # fmt: skip


async def test_every_active_customer_moves_one_way(business: Business) -> None:
    """A returns, B is new, C was gone for a month and is back, D falls silent, E did long ago."""
    for who, *days in (
        ("A", "04-05", "05-05"), ("B", "05-09"), ("C", "02-01", "05-31"), ("D", "04-30", "06-01"), ("E", "02-02"),
    ):  # fmt: skip
        for day in days:
            await business.bought(who, day)
    await business.settle()
    spring = Window(on("02-01"), on("07-01"))
    expected = {
        # February, March, April, May, June
        "new_customers": [2, 0, 2, 1, 0],
        "returning_customers": [0, 0, 0, 1, 0],
        "resurrecting_customers": [0, 0, 0, 1, 1],
        "dormant_customers": [0, 2, 0, 1, 3],
        "retention": [MissingReason.DENOMINATOR_ZERO, 0, MissingReason.DENOMINATOR_ZERO, Decimal("0.5"), 0],
        "retention_on_or_after": [MissingReason.DENOMINATOR_ZERO, Decimal("0.5"), MissingReason.DENOMINATOR_ZERO, 1, 0],
    }  # fmt: skip
    assert {key: await business.course(key, spring, Grain.MONTH) for key in expected} == expected


async def test_a_month_is_compared_with_the_whole_month_before_although_the_window_cuts_that(
    business: Business,
) -> None:
    for who, *days in (("A", "04-05", "05-05"), ("B", "04-20"), ("C", "03-25", "04-12")):
        for day in days:
            await business.bought(who, day)
    await business.settle()
    cut = Window(on("04-10"), on("06-01"))
    # Of the 21 days from April 10, those before are compared: C alone bought in both; of May, all of April.
    assert await business.course("retention", cut, Grain.MONTH) == [Decimal("0.5"), Decimal("0.333333")]
    assert await business.course("dormant_customers", cut, Grain.MONTH) == [1, 2]


async def test_a_window_alone_is_compared_with_as_many_days_before(business: Business) -> None:
    for who, *days in (("A", "04-30", "05-01"), ("B", "04-29", "05-01")):
        for day in days:
            await business.bought(who, day)
    await business.settle()
    found = await business.measured("retention", window=Window(on("05-01"), on("05-02")))
    assert (found["retention"].value, found["retention"].numerator, found["retention"].denominator) == (1, 1, 1)


async def _products(business: Business) -> None:
    async with business.database.unit_of_work(business.tenant) as work:
        for family in ("lamps", "bulbs"):
            await purchases.define_family(work, family, family.title())
        for sku, family, tier in (("small", "lamps", 1), ("large", "lamps", 2), ("bulb", "bulbs", 1)):
            await purchases.define_product(work, purchases.NewProduct(sku, family=family, tier_rank=tier))


def _line(sku: str, euros: int, quantity: int = 1) -> NewLine:
    return NewLine(quantity=Decimal(quantity), unit_price=Decimal(euros), sku=sku)


async def test_a_higher_tier_is_an_upsell_and_a_new_family_a_cross_sell(business: Business) -> None:
    await _products(business)
    told = (
        ("A", "05-01", [_line("small", 20), _line("bulb", 1)]),  # a first basket sells nothing across
        ("A", "05-05", [_line("small", 20, 3)]),  # more of the same
        ("A", "05-10", [_line("large", 75)]),
        ("A", "05-12", [_line("large", 75)]),
        ("B", "04-01", [_line("large", 75)]),
        ("B", "05-02", [_line("small", 20)]),  # a step down
        ("B", "05-03", [_line("bulb", 2, 4), _line("bulb", 2)]),
        ("B", "05-04", [_line("bulb", 2)]),
    )
    for who, day, lines in told:
        await business.bought(who, day, lines=lines)
    await business.settle()
    keys = ("upsells", "upsell_revenue", "cross_sells", "cross_sell_revenue")
    assert await business.values(*keys) == {
        "upsells": 1, "upsell_revenue": 15_00, "cross_sells": 1, "cross_sell_revenue": 10_00,
    }  # fmt: skip
    assert await business.values(*keys, counting=Counting(expansion=True)) == {
        "upsells": 2, "upsell_revenue": 55_00, "cross_sells": 1, "cross_sell_revenue": 10_00,
    }  # fmt: skip


async def test_what_was_bought_without_a_rate_is_not_forgotten(business: Business) -> None:
    await _products(business)
    for day, currency, line in (
        ("05-02", "USD", _line("small", 20)), ("05-03", "EUR", _line("bulb", 0)), ("05-20", "EUR", _line("large", 75)),
    ):  # fmt: skip
        await business.bought("A", day, currency=currency, lines=[line])
    await business.settle()
    keys = ("upsells", "upsell_revenue", "cross_sells", "cross_sell_revenue")
    found = {"upsells": 1, "upsell_revenue": MissingReason.NO_RATE, "cross_sells": 1, "cross_sell_revenue": 0}
    assert await business.values(*keys) == found
    without_the_bulb = found | {"cross_sells": 0}
    assert await business.values(*keys, window=Window(on("05-10"), on("06-01"))) == without_the_bulb
    assert await business.values(*keys, counting=Counting(paid_only=True)) == without_the_bulb


async def test_a_raise_within_the_family_is_a_contract_upsell(business: Business) -> None:
    await business.signed("A", ("START", "04-01", "10"), ("UPGRADE", "05-10", "15"), ("DOWNGRADE", "05-20", "5"))
    await business.signed("B", ("START", "04-01", "10"), ("PAUSE", "05-01", None), ("RESUME", "05-10", "12"))
    await business.signed("C", ("START", "04-01", "10"), ("RENEW", "05-01", "11"), ("RENEW", "05-31", "11"))
    await business.settle()
    assert await business.values("contract_upsells", "contract_upsell_revenue", "renewals") == {
        "contract_upsells": 2, "contract_upsell_revenue": 6_00, "renewals": 2,
    }  # fmt: skip


async def test_churn_by_gap_needs_five_gaps_of_ones_own(business: Business) -> None:
    for who, days in (("A", (1, 3, 5, 7, 9, 11)), ("B", (1, 6, 11, 16, 21, 26)), ("C", (1, 2))):
        for day in days:
            await business.bought(who, f"05-{day:02}")
    await business.settle()
    for end, gone in (("05-14", 0), ("05-15", 1), ("06-01", 1), ("06-02", 2)):
        window = Window(on("05-01"), on(end))
        found = (await business.measured("churn_by_gap", window=window))["churn_by_gap"]
        assert (end, found.numerator, found.denominator) == (end, gone, 1 if end < "05-27" else 2)
    first = await business.values("churn_by_gap", window=Window(on("05-01"), on("05-05")))
    assert first == {"churn_by_gap": MissingReason.TOO_FEW}


async def test_a_customer_is_gone_by_his_own_gaps_or_not_or_has_too_few(business: Business) -> None:
    today = business.database.clock.now().date()
    for who, ago in (("A", (100, 90, 80, 70, 60, 50)), ("B", (60, 50, 40, 30, 20, 10)), ("C", (9, 8))):
        for days in ago:
            await business.bought(who, f"{today - timedelta(days)}")
    await business.settle()
    roots = [business[who] for who in "ABC"]
    async with business.database.reading(business.tenant) as reading:
        found = (await customer_values(await snapshot(reading), roots, ["churn_by_gap"])).by_customer
    own = [found[root][0].value for root in roots]
    assert [value.missing or value.value for value in own] == [1, 0, MissingReason.TOO_FEW]
    assert own[0].window == Window(None, today + timedelta(1))


async def test_the_last_periods_are_censored_while_who_is_missing_may_come_back(business: Business) -> None:
    """Nine in ten gaps have 40 days at most; when a window was over for so long, C is waited for no more."""
    today = business.database.clock.now().date()
    for who, ago in (("A", (200, 160, 120, 80)), ("B", (160, 120, 80)), ("C", (160,))):
        for days in ago:
            await business.bought(who, f"{today - timedelta(days)}")
    await business.settle()
    for since, censored in ((38, True), (39, False)):
        window = Window(today - timedelta(150), today - timedelta(since))
        found = await business.measured("retention_on_or_after", "retention", window=window)
        value = found["retention_on_or_after"]
        assert (value.numerator, value.denominator, value.censored) == (2, 3, censored)
        assert not found["retention"].censored
