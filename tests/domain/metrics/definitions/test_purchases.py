"""Purchase history of customers who were recorded here later than they bought."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from domain.purchases.rules import MissingReason, Window
from tests.domain.metrics.definitions.conftest import on

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business


async def test_who_bought_was_seen_then_although_he_was_recorded_later(business: Business) -> None:
    for who, *days in (("A", "05-01", "05-10", "05-20"), ("B", "05-02", "06-20")):
        for day in days:
            await business.bought(who, day)
    await business.settle()
    found = await business.measured("frequency", "acquaintance", "tenure", window=Window(on("05-01"), on("07-01")))
    frequency = found["frequency"]
    assert (frequency.numerator, frequency.denominator, frequency.n) == (2 + 1, 61 + 60, 2)
    assert [found[key].value for key in ("acquaintance", "tenure")] == [Decimal("59.5"), Decimal("59.5")]
    earlier = await business.values("frequency", window=Window(on("04-01"), on("05-01")))
    assert earlier == {"frequency": MissingReason.NO_DATA}
