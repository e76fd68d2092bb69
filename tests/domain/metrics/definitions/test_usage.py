"""Whether customers use what they have."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from domain import purchases
from domain.metrics.rules import Counting
from domain.purchases import NewProduct
from domain.purchases.queries import ProductNotFound
from domain.purchases.rules import NewLine
from tests.domain.metrics.definitions.conftest import at

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business


async def test_owners_are_those_entitled_when_the_window_ends(business: Business) -> None:
    await business.bought("A", "01-05")
    await business.signed("B", ("START", "01-01", "10"))
    await business.signed("C", ("START", "01-01", "10"), ("END", "05-20", None))
    await business.signed("D", ("START", "05-31", "10"))
    await business.bought("E", "06-02")
    for who, *days in (("A", "05-10", "05-11", "05-11"), ("B", "04-30", "05-01"), ("C", "05-19"), ("F", "05-10")):
        for day in days:
            await business.happened(who, "USAGE", at(day))
    await business.settle()
    found = await business.measured("adoption", "unused", "usage_frequency", "stickiness")
    assert {key: (value.numerator, value.denominator) for key, value in found.items()} == {
        "adoption": (2, 3), "unused": (2, None), "usage_frequency": (3, 3 * 31), "stickiness": (3, 2 * 31),
    }  # fmt: skip
    assert found["usage_frequency"].value == Decimal("0.032258")
    for number, owners in ((20, 3), (21, 2)):
        assert (await business.values("unused", counting=Counting(unused_after=number)))["unused"] == owners


async def test_who_uses_what_he_does_not_have_uses_nothing_of_his(business: Business) -> None:
    async with business.database.unit_of_work(business.tenant) as work:
        for sku in ("pro", "app"):
            await purchases.define_product(work, NewProduct(sku))
    line = {sku: NewLine(quantity=Decimal(1), unit_price=Decimal(5), sku=sku) for sku in ("pro", "app")}
    for who, lines in (("A", ["pro"]), ("B", ["pro"]), ("C", ["pro", "app"]), ("D", [])):
        await business.bought(who, "04-05", lines=[line[sku] for sku in lines])
    for who, product in (("A", "pro"), ("B", "app"), ("C", "app"), ("D", "pro")):
        await business.happened(who, "USAGE", at("05-10"), payload={"product": product})
    await business.happened("A", "USAGE", at("05-11"), payload={"product": "app"})
    await business.settle()
    asked = {}
    for product in (None, "pro", "app"):
        found = await business.measured("adoption", "usage_frequency", counting=Counting(product=product))
        asked[product] = [(found[key].numerator, found[key].denominator) for key in found]
    # Of D's order nobody knows of what it was.
    assert asked == {
        None: [(3, 4), (3, 4 * 31)], "pro": [(1, 3), (1, 3 * 31)], "app": [(1, 1), (1, 31)],
    }  # fmt: skip
    with pytest.raises(ProductNotFound):
        await business.measured("adoption", counting=Counting(product="nothing"))
