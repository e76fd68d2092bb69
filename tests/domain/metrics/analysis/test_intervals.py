from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from domain.core.database import dsn_of
from domain.metrics.analysis.extract import purchases
from domain.metrics.analysis.intervals import intervals
from domain.purchases.rules import Window
from tests.domain.metrics.analysis.purchased import bought, day

if TYPE_CHECKING:
    from domain.core.database import Database

WINDOW = Window(day(0), day(100))


async def test_days_between_the_purchases_of_those_who_came_back(database: Database, tenant: UUID) -> None:
    ada, bob, once = uuid4(), uuid4(), uuid4()
    await bought(database, tenant, {ada: [0, 10, 12, 30], bob: [5, 25, 100], once: [7]})
    with purchases(dsn_of(database.url), tenant) as found:
        repeat = intervals(found, WINDOW)
    rows = {row.pop("customer"): row for row in repeat.by_customer.to_pylist()}
    assert rows == {
        ada: {"occasions": 4, "lifespan": 30, "median_gap": 10.0},
        bob: {"occasions": 2, "lifespan": 20, "median_gap": 20.0},  # day 100 is outside the window
    }
    assert repeat.mean == 15.0
    assert repeat.quantiles[50] == 15.0
    assert repeat.quantiles[95] == pytest.approx(19.5)


async def test_nobody_came_back(database: Database, tenant: UUID) -> None:
    await bought(database, tenant, {uuid4(): [0], uuid4(): [1]})
    with purchases(dsn_of(database.url), tenant) as found:
        repeat = intervals(found, WINDOW)
    assert (repeat.by_customer.num_rows, repeat.mean, repeat.quantiles) == (0, None, {})
