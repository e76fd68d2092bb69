"""Whether customers use what they have."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from domain.metrics.rules import Counting
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
