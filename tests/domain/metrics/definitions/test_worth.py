"""What customers have been worth so far."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from domain.costs import AllocationRule
from domain.metrics.queries import customer_values
from domain.metrics.reading import snapshot
from domain.metrics.rules import Grain
from domain.purchases.rules import MissingReason, NewLine, Window
from tests.domain.costs.conftest import catch_up
from tests.domain.metrics.definitions.conftest import on

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business

KEY = "historic_clv"
SPRING = Window(on("04-01"), on("07-01"))


@pytest.fixture
async def costed(business: Business) -> Business:
    """A brings 40 of which the goods cost 15, B 30 of which they cost 10; A has cost 12 to serve, both share 9."""
    for who, day, euros, cost in (("A", "04-10", 25, 10), ("A", "05-10", 15, 5), ("B", "05-20", 30, 10)):
        line = NewLine(quantity=Decimal(1), unit_price=Decimal(euros), cost=Decimal(cost))
        await business.bought(who, day, lines=[line])
    await business.settle()
    await business.spent("SERVICE", "12", "04-20", "04-21", customer_id=business["A"])
    await business.spent("RETENTION_SALES", "9", "06-01", "06-10", rule=AllocationRule.BY_REVENUE)
    await business.spent("RETENTION_SALES", "70", "06-01", "06-10")
    await catch_up(business.database, business.tenant)
    return business


async def worth(business: Business) -> list[object]:
    """What A, B and C are worth for themselves, or why that is not known."""
    roots = [business[who] for who in "ABC"]
    async with business.database.reading(business.tenant) as reading:
        found = (await customer_values(await snapshot(reading), roots, [KEY])).by_customer
    return [found[root][0].value.missing or found[root][0].value.value for root in roots]


async def test_a_customer_is_worth_what_he_left_and_a_group_the_mean_of_all_who_did(costed: Business) -> None:
    assert await costed.course(KEY, SPRING, Grain.MONTH) == [3_00, (13_00 + 20_00) / 2, (13_00 + 20_00) / 2]
    whole = (await costed.measured(KEY, window=SPRING))[KEY]
    assert (whole.numerator, whole.n) == (33_00, 2)
    assert await worth(costed) == [13_00, 20_00, MissingReason.NO_DATA]
    then = costed.database.clock.now()
    await costed.spent("SERVICE", "5", "04-20", "04-21", customer_id=costed["B"])
    for as_of, together in ((then, 33_00), (None, 28_00)):
        found = await costed.measured(KEY, window=Window(on("06-20"), on("07-01")), as_of=as_of)
        assert found[KEY].numerator == together


async def test_what_is_not_known_is_not_free(costed: Business) -> None:
    await costed.waits("SERVICE", "04-01", "05-01", rule=AllocationRule.BY_REVENUE)  # of April, in which A alone bought
    assert await worth(costed) == [MissingReason.NO_RATE, 20_00, MissingReason.NO_DATA]
    assert (await costed.values(KEY, window=SPRING))[KEY] is MissingReason.NO_RATE
    await costed.bought("B", "06-20", "10")
    await costed.settle()
    assert await worth(costed) == [MissingReason.NO_RATE, MissingReason.NO_COST, MissingReason.NO_DATA]
    await costed.waits("SERVICE", "04-01", "05-01", customer_id=costed["C"])
    assert await worth(costed) == [MissingReason.NO_RATE, MissingReason.NO_COST, MissingReason.NO_RATE]
