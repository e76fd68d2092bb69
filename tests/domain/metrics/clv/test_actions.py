from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import func, insert, select, update

from bench.models import simulated
from domain.core.database import dsn_of
from domain.costs.model import CostAllocation, CostEntry, CostWeight
from domain.metrics.analysis.extract import purchases
from domain.metrics.clv import computing, sbg
from domain.metrics.clv.actions import fit_models
from domain.metrics.clv.fitting import NotEnough
from domain.metrics.clv.model import CustomerValue, EquityCurve, ModelAttempt, ModelKind, ModelVersion
from domain.metrics.model import PurchaseDay
from domain.purchases.model import Contract, ContractEvent
from tests.domain.metrics.analysis.purchased import BEGIN, bought

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.core.database import Database
    from tests.domain.conftest import NewCustomer

WEEKS = 39
FITTED = {ModelKind.MBG_NBD, ModelKind.PARETO_NBD, ModelKind.BG_NBD, ModelKind.GAMMA_GAMMA}


async def history(database: Database, tenant: UUID, customers: int, grows: float = 0.0) -> list[UUID]:
    """Customers who bought as BG/NBD says, up to day 273; how much has nothing to do with how often unless it grows."""
    rng = np.random.default_rng(11)
    days: dict[UUID, list[int | tuple[int, int]]] = {}
    for x, t_x, age in zip(*simulated(customers, seed=2), strict=True):
        first = round((WEEKS - age) * 7)
        last = first + max(round(t_x * 7), int(x))
        again = np.linspace(first, last, int(x) + 1).round().astype(int)
        mean = rng.gamma(5, 400) * (1 + grows * x)
        days[uuid4()] = [(int(day), int(mean * rng.uniform(0.5, 1.5)) + 1) for day in dict.fromkeys(again)]
    days[uuid4()] = [273]
    await bought(database, tenant, days)
    return list(days)


async def all_of(database: Database, tenant: UUID, of: Any) -> Sequence[Any]:
    async with database.reading(tenant) as reading:
        return await reading.all(select(of).where(of.tenant_id == tenant))


async def test_models_are_kept_and_everybody_is_valued(database: Database, tenant: UUID) -> None:
    customers = await history(database, tenant, 900)
    async with database.unit_of_work(tenant) as work:
        work.add(
            CostAllocation(entry_id=uuid4(), customer_id=customers[0], day=BEGIN, category="SERVICE", amount_base=1_000)
        )
        adjusted = update(PurchaseDay).where(PurchaseDay.tenant_id == tenant, PurchaseDay.customer_id == customers[-1])
        await work.execute(adjusted.values(adjusted=-50))
    outcome = await fit_models(database, tenant)
    assert outcome is not None
    assert (outcome.as_of, outcome.missing) == (BEGIN + timedelta(273), None)

    versions = await all_of(database, tenant, ModelVersion)
    assert {(each.kind, each.number) for each in versions} == {(kind, 1) for kind in FITTED}
    by_kind = {each.kind: each for each in versions}
    default = by_kind[ModelKind.MBG_NBD]
    assert (default.customers, default.training_end, default.unit) == (901, date(2026, 10, 1), "weeks")
    assert set(default.parameters) == {"r", "alpha", "a", "b"}
    assert set(default.back_test) == {
        "calibration_end", "weeks", "customers", "foretold", "came", "mean_absolute_error",
    }  # fmt: skip
    assert by_kind[ModelKind.GAMMA_GAMMA].checks["independent"] is True
    missing = [each for each in await all_of(database, tenant, ModelAttempt) if each.version_id is None]
    assert [(each.kind, each.missing, each.have, each.need) for each in missing] == [
        ("SBG", "TOO_FEW_CONTRACTS", 0, 30)
    ]

    values = {each.customer_id: each for each in await all_of(database, tenant, CustomerValue)}
    assert set(values) == set(customers)
    for each in values.values():
        assert each.version_id == default.id
        assert 0 <= each.p_alive <= 1
        assert 0 <= each.predictive_low <= each.predictive <= each.predictive_high
        assert (each.horizon_months, each.currency, each.missing) == (36, "EUR", None)
    async with database.reading(tenant) as reading:
        ((net,),) = await reading.rows(
            select(func.sum(CustomerValue.historic)).where(CustomerValue.tenant_id == tenant)
        )
        ((spent,),) = await reading.rows(select(func.sum(PurchaseDay.net)).where(PurchaseDay.tenant_id == tenant))
    assert net == spent - 1_000 - 50

    curves = await all_of(database, tenant, EquityCurve)
    assert {each.version_id for each in curves} == {
        by_kind[kind].id for kind in (ModelKind.MBG_NBD, ModelKind.PARETO_NBD)
    }  # fmt: skip
    assert len(curves[0].current["draws"]) == 200
    assert (len(curves[0].current["point"]), len(curves[0].future["point"])) == (60, 61)


async def test_fitting_again_makes_a_new_version_and_values_anew(database: Database, tenant: UUID) -> None:
    customers = await history(database, tenant, 200)
    await fit_models(database, tenant)
    await fit_models(database, tenant)
    versions = await all_of(database, tenant, ModelVersion)
    numbers = sorted(each.number for each in versions if each.kind == ModelKind.MBG_NBD)
    assert numbers == [1, 2]
    values = await all_of(database, tenant, CustomerValue)
    assert len(values) == len(customers)
    (latest,) = {each.version_id for each in values}
    assert latest == next(each.id for each in versions if (each.kind, each.number) == (ModelKind.MBG_NBD, 2))


async def test_with_too_little_data_it_is_said_what_is_missing(database: Database, tenant: UUID) -> None:
    someone = uuid4()
    await bought(database, tenant, {someone: [0, 9], uuid4(): [200]})
    outcome = await fit_models(database, tenant)
    assert outcome is not None
    found = outcome.models[ModelKind.MBG_NBD]
    assert isinstance(found, NotEnough)
    assert (found.missing, found.have, found.need) == ("TOO_FEW_CUSTOMERS", 2, 100)
    assert await all_of(database, tenant, ModelVersion) == []
    assert len(await all_of(database, tenant, ModelAttempt)) == len(ModelKind)
    value = next(each for each in await all_of(database, tenant, CustomerValue) if each.customer_id == someone)
    assert (value.historic, value.predictive, value.p_alive, value.missing) == (200, None, None, "TOO_FEW_CUSTOMERS")


async def test_what_a_customer_brought_is_not_known_where_anything_of_it_is_not(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    """One waits for a rate, of one the goods' cost is unknown, of one a cost that he bears alone, of one a share."""
    rated, unrated, uncosted, named, sharing = [await new_customer() for _ in range(5)]
    everybody = {who: [(0, 100), (9, 200)] for who in (rated, unrated, uncosted, named, sharing)}
    await bought(database, tenant, {**everybody, unrated: [(0, 100), (9, None)]})
    async with database.unit_of_work(tenant) as work:
        unknown = update(PurchaseDay).where(PurchaseDay.tenant_id == tenant, PurchaseDay.customer_id == uncosted)
        await work.execute(unknown.values(uncosted=1))
        for bears in (named, None):
            entry = CostEntry(
                id=work.ids(), version=1, category="SERVICE", starts_on=BEGIN, ends_on=BEGIN + timedelta(1),
                currency="USD", amount=7, customer_id=bears, content_hash=b"", recorded_at=work.now,
            )  # fmt: skip
            work.add(entry)
        share = {"customer_id": sharing, "starts_on": BEGIN, "ends_on": BEGIN + timedelta(1), "weight": 1}
        work.add(CostWeight(entry_id=entry.id, **share))
    await fit_models(database, tenant)
    found = {
        each.customer_id: (each.historic, each.historic_missing)
        for each in await all_of(database, tenant, CustomerValue)
    }
    nobody_knows = (None, "NO_RATE")
    assert found == {
        rated: (300, None), unrated: nobody_knows, uncosted: (None, "NO_COST"), named: nobody_knows,
        sharing: nobody_knows,
    }  # fmt: skip


async def test_what_waits_for_a_rate_is_no_purchase_of_nothing(database: Database, tenant: UUID) -> None:
    """What somebody spends is told by his repeat purchases of which the amount is known, the margin by all of these."""
    some, first, none = uuid4(), uuid4(), uuid4()
    days = {some: [(0, 100), (9, 300), (12, None)], first: [(0, None), (9, 40), (12, 60)], none: [(0, 20), (9, None)]}
    await bought(database, tenant, days)
    with purchases(dsn_of(database.url), tenant, beside=("held",)) as found:
        history = computing._history(found, BEGIN + timedelta(12))
    assert dict(zip(history.ids, history.customers.mean.tolist(), strict=True)) == {some: 300, first: 50, none: 0}
    assert history.customers.x.sum() == 5
    # Eight purchases, of which five are worth 520: of all 832, 420 are more than half and 400 are not.
    for uncosted, margin in (((0, 100), 0.6), ((0, 100, 20), 1.0)):
        async with database.unit_of_work(tenant) as work:
            theirs = update(PurchaseDay).where(PurchaseDay.tenant_id == tenant)
            await work.execute(theirs.values(cost_of_goods=42))
            await work.execute(theirs.where(PurchaseDay.net.in_(uncosted)).values(uncosted=1))
        with purchases(dsn_of(database.url), tenant, beside=("held",)) as found:
            assert computing._margin(found) == pytest.approx(margin)


async def test_an_amount_that_grows_with_frequency_leaves_money_unknown(database: Database, tenant: UUID) -> None:
    await history(database, tenant, 600, grows=0.5)
    outcome = await fit_models(database, tenant)
    assert outcome is not None
    assert outcome.missing == "SPEND_NOT_INDEPENDENT"
    for each in await all_of(database, tenant, CustomerValue):
        assert (each.predictive, each.missing) == (None, "SPEND_NOT_INDEPENDENT")
        assert each.p_alive is not None
    assert await all_of(database, tenant, EquityCurve) == []


async def signed(database: Database, tenant: UUID, held: dict[UUID, tuple[int, int | None]], mrr: int = 1_000) -> None:
    """A contract for each customer: from which day on, and on which it was called off."""
    contracts, events = [], []
    for customer, (first, last) in held.items():
        began, ended = (None if each is None else BEGIN + timedelta(each) for each in (first, last))
        contract = {"tenant_id": tenant, "id": uuid4(), "version": 1}
        at = datetime.combine(began or BEGIN, time(12), UTC)
        contracts.append({
            **contract, "customer_id": customer, "occurred_at": at, "local_day": began, "recorded_at": at,
            "currency": "EUR", "amount": mrr, "base_amount": mrr, "base_currency": "EUR", "content_hash": b"",
            "status": "ENDED" if ended else "ACTIVE", "ended_on": ended, "event_count": 2 if ended else 1,
        })  # fmt: skip
        for position, (kind, day) in enumerate((("START", began), ("CANCEL", ended)), start=1):
            if day is not None:
                earns = mrr if kind == "START" else 0
                events.append({
                    "tenant_id": tenant, "contract_id": contract["id"], "contract_version": 1, "position": position,
                    "kind": kind, "occurred_at": at, "local_day": day, "mrr": earns, "base_mrr": earns,
                })  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        await work.execute(insert(Contract), contracts)
        await work.execute(insert(ContractEvent), events)


async def test_who_is_under_contract_is_valued_by_how_contracts_are_renewed(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    left = [await new_customer() for _ in range(24)]
    stay = [await new_customer() for _ in range(12)]
    months = np.repeat([1, 2, 3, 4, 6], [12, 6, 3, 2, 1])
    held: dict[UUID, tuple[int, int | None]] = {who: (0, 31 * int(n)) for who, n in zip(left, months, strict=True)}
    await signed(database, tenant, {**held, **dict.fromkeys(stay, (0, None))})
    await signed(database, tenant, dict.fromkeys(stay[:1], (155, None)), mrr=500)
    await bought(database, tenant, {stay[0]: [0, 9], left[0]: [3]})
    outcome = await fit_models(database, tenant)
    assert outcome is not None
    assert outcome.as_of == BEGIN + timedelta(186)
    (version,) = [each for each in await all_of(database, tenant, ModelVersion) if each.kind == ModelKind.SBG]
    fitted = (version.parameters["alpha"], version.parameters["beta"])

    def worth(mrr: int, renewed: int) -> float:
        survival = sbg.survival(fitted, np.arange(60))
        months = np.arange(1, 37)
        return float(mrr * (survival[renewed + months] / survival[renewed] / 1.1 ** (months / 12)).sum())

    values = {each.customer_id: each for each in await all_of(database, tenant, CustomerValue)}
    assert set(values) == {*left, *stay}
    two, one, gone = values[stay[0]], values[stay[1]], values[left[0]]
    assert (one.version_id, one.p_alive, one.missing, one.historic) == (version.id, 1, None, 0)
    assert one.predictive == pytest.approx(worth(1_000, 6), abs=1)
    assert two.predictive == pytest.approx(worth(1_000, 6) + worth(500, 1), abs=1)
    assert two.expected_purchases > one.expected_purchases > 0
    assert one.predictive_low < one.predictive < one.predictive_high
    assert (gone.version_id, gone.predictive, gone.missing) == (None, None, "TOO_FEW_CUSTOMERS")
    assert values[left[1]].missing == "NO_PURCHASES"


async def test_where_nobody_bought_nothing_is_written(database: Database, tenant: UUID) -> None:
    assert await fit_models(database, tenant) is None
    assert await all_of(database, tenant, ModelAttempt) == []
