from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from domain import customers, purchases
from domain.core.problems import StaleVersion
from domain.customers import NewCustomer
from domain.metrics.catalogue import UnknownMetric
from domain.metrics.objectives import Kpi, KpiDirection, ObjectiveStatus, create_objective, queries, update_objective
from domain.metrics.objectives.actions import ObjectiveNotFound
from domain.metrics.objectives.rules import KpiTwice, NoKpi, NoStatement, TooManyObjectives
from domain.metrics.reading import snapshot
from domain.purchases import NewOrder
from domain.purchases.rules import NotANumber, TooPrecise
from sync import worker
from sync.relay import Relay

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.domain.conftest import Unchanged

MORE = Kpi("repeat_purchase_rate", KpiDirection.AT_LEAST, Decimal("42.50"), date(2026, 12, 31))


async def pursue(database: Database, tenant: UUID, *statements: str) -> list[UUID]:
    async with database.unit_of_work(tenant) as work:
        return [(await create_objective(work, statement, [MORE])).id for statement in statements]


async def test_an_objective_keeps_its_kpis_exactly(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        made = await create_objective(work, "Keep them.", [MORE], date(2027, 1, 1))
        assert made.kpis == [
            {"metric": "repeat_purchase_rate", "direction": "AT_LEAST", "target": "42.50", "dueOn": "2026-12-31"}
        ]
        assert (made.status, made.place, made.due_on, made.version) == ("ACTIVE", 1, date(2027, 1, 1), 1)


async def test_there_are_at_most_three_and_a_dropped_one_makes_room(
    database: Database, tenant: UUID, unchanged: Unchanged
) -> None:
    _, second, _ = await pursue(database, tenant, "One", "Two", "Three")
    async with unchanged():
        with pytest.raises(TooManyObjectives):
            await pursue(database, tenant, "Four")
    async with database.unit_of_work(tenant) as work:
        dropped = await update_objective(work, second, 1, "Two", [MORE], status=ObjectiveStatus.DROPPED)
        assert (dropped.place, dropped.version) == (None, 2)
        four = await create_objective(work, "Four", [MORE])
        assert four.place == 2
    async with unchanged():
        with pytest.raises(TooManyObjectives):
            async with database.unit_of_work(tenant) as work:
                await update_objective(work, second, 2, "Two", [MORE])


async def test_what_is_no_objective_is_refused(database: Database, tenant: UUID, unchanged: Unchanged) -> None:
    (known,) = await pursue(database, tenant, "One")
    async with unchanged(), database.unit_of_work(tenant) as work:
        for statement, kpis, problem, path in (
            (" ", [MORE], NoStatement, ("statement",)),
            ("One", [], NoKpi, ("kpis",)),
            ("One", [MORE, MORE], KpiTwice, ("kpis", "1", "metric")),
            ("One", [replace(MORE, metric="luck")], UnknownMetric, ("kpis", "0", "metric")),
            ("One", [replace(MORE, target=Decimal("nan"))], NotANumber, ("kpis", "0", "target")),
            ("One", [replace(MORE, target=Decimal("0.0000001"))], TooPrecise, ("kpis", "0", "target")),
        ):
            with pytest.raises(problem) as refused:
                await create_objective(work, statement, kpis)
            assert refused.value.path == path
        with pytest.raises(StaleVersion):
            await update_objective(work, known, 2, "One", [MORE])
        with pytest.raises(ObjectiveNotFound):
            await update_objective(work, uuid4(), 1, "One", [MORE])


async def test_progress_is_what_the_metrics_are_worth_since_it_was_set(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        ada = (await customers.create(work, NewCustomer(name="Ada"))).id
        for at, total in ((work.now, "30"), (work.now - timedelta(days=3), "500")):
            new = NewOrder(occurred_at=at, currency="EUR", total=Decimal(total), customer_id=ada)
            await purchases.record_order(work, new)
        pursued = await create_objective(work, "Sell more, and often.", [
            Kpi("revenue", KpiDirection.AT_LEAST, Decimal("30.00")),
            Kpi("occasions", KpiDirection.AT_MOST, Decimal(0)),
            Kpi("purchase_gap", KpiDirection.AT_MOST, Decimal(30)),
        ])  # fmt: skip
        dropped = await create_objective(work, "No more.", [MORE])
        await update_objective(work, dropped.id, 1, "No more.", [MORE], status=ObjectiveStatus.DROPPED)
    worker.load()
    await Relay(database).drain(tenant)
    async with database.reading(tenant) as reading:
        standing = await queries.progress(await snapshot(reading), [pursued.id, dropped.id])
    assert [(one.objective_id, one.position, one.value.value, one.is_reached) for one in standing.progress] == [
        (pursued.id, 1, Decimal(3000), True), (pursued.id, 2, Decimal(1), False), (pursued.id, 3, None, None),
    ]  # fmt: skip
    assert standing.currency == "EUR"
