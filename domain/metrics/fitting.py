"""Which customers have a metric between two bounds, all of them looked at by one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.metrics.catalogue import CATALOGUE
from domain.metrics.queries import NotPersonal, parts, personal, personal_values, setting_of
from domain.metrics.statement import Grouping, statement

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from domain.metrics.reading import Snapshot


async def customers_between(
    snapshot: Snapshot, key: str, gte: Decimal | None = None, lte: Decimal | None = None
) -> list[UUID]:
    """The surviving customers whose value of a metric is known and lies between the bounds, both included.

    Values are those that `customer_values` tells now, money in its main unit. Raises UnknownMetric or NotPersonal.
    """
    chosen = CATALOGUE.chosen([key])
    if chosen[0].personal is None:
        raise NotPersonal(path=("key",), key=key)
    setting = await setting_of(snapshot)
    (part,) = parts(chosen, setting)
    rows = await snapshot.rows(
        _BETWEEN.format(every_customer=statement(personal(chosen), Grouping.EVERY_CUSTOMER)),
        **personal_values(snapshot, setting), part=part, gte=gte, lte=lte,
    )  # fmt: skip
    return [row["g"] for row in rows]


_BETWEEN = """
SELECT told.g FROM ({every_customer}) AS told
WHERE told.value IS NOT NULL
    AND (CAST(:gte AS numeric) IS NULL OR told.value >= CAST(:gte AS numeric) * CAST(:part AS numeric))
    AND (CAST(:lte AS numeric) IS NULL OR told.value <= CAST(:lte AS numeric) * CAST(:part AS numeric))
ORDER BY told.g
"""
