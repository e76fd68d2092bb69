"""What segments can ask about: every metric that has a value for a single customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.core.money import minor_units
from domain.metrics.catalogue import CATALOGUE
from domain.metrics.queries import customer_values
from domain.metrics.reading import snapshot
from domain.metrics.rules import Unit
from domain.segments.measures import Figure, Measure, provide

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from decimal import Decimal
    from uuid import UUID

    from domain.core.unit_of_work import Reading
    from domain.metrics.queries import Placed


async def figures(
    reading: Reading, customers: Sequence[UUID], keys: Collection[str]
) -> Mapping[str, Mapping[UUID, Figure]]:
    """What these metrics are for some surviving customers (money in the base currency), and their percentiles."""
    wanted = sorted(keys)
    places = await customer_values(await snapshot(reading), customers, wanted)
    found: dict[str, dict[UUID, Figure]] = {key: {} for key in wanted}
    for customer, placed in places.by_customer.items():
        for each in placed:
            found[each.definition.key][customer] = Figure(_value(each, places.currency), each.percentile)
    return found


@provide
def measure(key: str) -> Measure | None:
    """The metric of a key as criteria ask about it, where single customers have it."""
    if key not in CATALOGUE or CATALOGUE[key].personal is None:
        return None
    return Measure(key, figures=figures, timed=True)


def _value(placed: Placed, currency: str) -> Decimal | None:
    value = placed.value.value
    if value is None or placed.definition.unit is not Unit.MONEY:
        return value
    return value.scaleb(-minor_units(currency))
