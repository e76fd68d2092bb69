from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from domain.metrics import actions as metrics
from domain.metrics.publishing import publish
from domain.metrics.settling import roll_up
from domain.segments import actions, measures, settling
from domain.segments.criteria import Metric
from domain.segments.measures import Measure, UnknownMeasure

if TYPE_CHECKING:
    from tests.domain.segments.conftest import Shop

assert metrics.ASKED_ABOUT


async def test_every_metric_of_single_customers_can_be_asked_about(shop: Shop) -> None:
    ann, ben, cat = [await shop.customer(name) for name in ("ann", "ben", "cat")]
    for who, days in ((ann, 40), (ann, 4), (ben, 9)):
        await shop.order(who, days)
    async with shop.database.unit_of_work(shop.tenant) as work:
        await roll_up(work, [ann, ben, cat])
        await publish(work)
    late = await shop.segment("late", Metric(key="recency", gte=Decimal(5)))
    await shop.segment("dear", Metric(key="size_of_transaction", gte=Decimal(10), lte=Decimal(10)))
    await shop.segment("last_half", Metric(key="recency", gte=Decimal(60), percentile=True))
    assert await shop.members() == {"late": {"ben"}, "dear": {"ann", "ben"}, "last_half": {"ben"}}
    await shop.order(ben, 0)
    async with shop.database.unit_of_work(shop.tenant) as work:
        await roll_up(work, [ben])
    assert await shop.settle(ben) >= 1
    assert (await shop.members())["late"] == set()
    async with shop.database.unit_of_work(shop.tenant) as work:
        await actions.measured_anew(work, {"recency"})
    async with shop.database.reading(shop.tenant) as reading:
        assert (await actions.queries.segment(reading, late)).due_at == shop.clock.at


async def test_metrics_change_by_time(shop: Shop) -> None:
    ann = await shop.customer("ann")
    await shop.order(ann, 4)
    async with shop.database.unit_of_work(shop.tenant) as work:
        await roll_up(work, [ann])
    await shop.segment("late", Metric(key="recency", gte=Decimal(5)))
    shop.clock.move(timedelta(days=1))
    async with shop.database.unit_of_work(shop.tenant) as work:
        await settling.sweep_due(work, "")
    assert await shop.members() == {"late": {"ann"}}


def test_a_key_is_of_one_measure() -> None:
    with pytest.raises(ValueError, match="two measures are called 'rfm_recency'"):
        measures.register(Measure("rfm_recency", "SELECT 1"))
    for key in ("nonsense", "repeat_purchase_rate"):
        with pytest.raises(UnknownMeasure):
            measures.measure(key)
