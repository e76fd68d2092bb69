from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest

from api.problems import BadUserInput
from bench.models import simulated
from domain import customers
from domain.metrics.clv.actions import fit_models
from tests.acceptance.reading import answer, read
from tests.conftest import new_tenant
from tests.domain.metrics.analysis.purchased import bought

if TYPE_CHECKING:
    from domain.core.database import Database

EQUITY = """query ($months: Int, $margin: Decimal, $discount: Decimal, $cost: Decimal, $model: EquityModel) {
  customerEquity(horizonMonths: $months, margin: $margin, discount: $discount, monthlyCost: $cost, model: $model) {
    missing asOf modelVersion customers acquiredPerMonth horizonMonths margin discount monthlyCost
    current { value { amount currency } low { amount } high { amount } }
    future { value { amount } }
    total { value { amount } low { amount } high { amount } }
  }
}"""
MODELS = """{ models { kind missing have need version {
  number unit customers trainingEnd logLikelihood parameters { name value } backTest { calibrationEnd foretold came }
} } }"""
VALUE = """query ($id: ID!) { customer(by: { id: $id }) { lifetimeValue {
  asOf historic { amount currency } historicMissing
  predictive { amount } predictiveLow { amount } predictiveHigh { amount }
  pAlive expectedPurchases horizonMonths margin discount missing model { kind number }
} } }"""
RETENTION = """query ($mode: RetentionMode!) {
  cohortRetention(window: {}, grain: MONTH, mode: $mode) {
    asOf cohorts { start end label customers cells { later retained share complete censored } }
  }
}"""


async def made(database: Database, tenant: UUID, number: int) -> list[UUID]:
    async with database.unit_of_work(tenant) as work:
        return [(await customers.create(work, customers.NewCustomer(name=f"c{n}"))).id for n in range(number)]


@pytest.fixture(scope="module")
async def valued(database: Database) -> tuple[UUID, UUID]:
    """A tenant whose nine hundred customers are valued, and one of them who is here by name."""
    tenant = await new_tenant(database)
    [known] = await made(database, tenant, 1)
    rng = np.random.default_rng(11)
    days: dict[UUID, list[int | tuple[int, int]]] = {}
    for number, (x, t_x, age) in enumerate(zip(*simulated(900, seed=2), strict=True)):
        first = round((39 - age) * 7)
        again = np.linspace(first, first + max(round(t_x * 7), int(x)), int(x) + 1).round().astype(int)
        mean = rng.gamma(5, 400)
        who = UUID(int=number) if number else known
        days[who] = [(int(day), int(mean)) for day in dict.fromkeys(again)]
    await bought(database, tenant, days)
    await fit_models(database, tenant)
    return tenant, known


def amounts(equity: dict[str, Any], name: str) -> tuple[float, ...]:
    return tuple(float(money["amount"]) for money in equity[name].values())


async def test_a_customer_is_worth_what_the_latest_models_say(
    database: Database, valued: tuple[UUID, UUID]
) -> None:  # fmt: skip
    tenant, known = valued
    value = (await read(database, tenant, VALUE, id=f"cus_{known.hex}"))["customer"]["lifetimeValue"]
    assert value["model"] == {"kind": "MBG_NBD", "number": 1}
    assert (value["horizonMonths"], value["margin"], value["discount"]) == (36, "1", "0.1")
    low, expected, high = (float(value[name]["amount"]) for name in ("predictiveLow", "predictive", "predictiveHigh"))
    assert low <= expected <= high
    assert 0 <= float(value["pAlive"]) <= 1
    assert (value["historic"]["currency"], value["historicMissing"], value["missing"]) == ("EUR", None, None)


async def test_equity_is_stated_with_its_assumptions(database: Database, valued: tuple[UUID, UUID]) -> None:
    tenant, _ = valued
    whole = (await read(database, tenant, EQUITY))["customerEquity"]
    assert (whole["horizonMonths"], whole["margin"], whole["discount"]) == (36, "1", "0.1")
    assert (whole["customers"], whole["modelVersion"], whole["missing"]) == (900, 1, None)
    value, low, high = amounts(whole, "current")
    assert low < value < high
    assert amounts(whole, "total")[0] == pytest.approx(value + amounts(whole, "future")[0], abs=0.02)
    half = (await read(database, tenant, EQUITY, margin="0.5"))["customerEquity"]
    assert amounts(half, "current")[0] == pytest.approx(value / 2, abs=0.02)
    year = (await read(database, tenant, EQUITY, months=12))["customerEquity"]
    dear = (await read(database, tenant, EQUITY, discount="0.5"))["customerEquity"]
    assert max(amounts(year, "current")[0], amounts(dear, "current")[0]) < value
    kept = (await read(database, tenant, EQUITY, cost="2.5", months=12))["customerEquity"]
    each_month = sum(2.5 / 1.1 ** (month / 12) for month in range(1, 13))
    assert (kept["monthlyCost"], whole["monthlyCost"]) == ("2.5", "0")
    spent = amounts(year, "current")[0] - amounts(kept, "current")[0]
    assert spent == pytest.approx(900 * each_month, abs=0.02)
    other = (await read(database, tenant, EQUITY, model="PARETO_NBD"))["customerEquity"]
    assert amounts(other, "current")[0] == pytest.approx(value, rel=0.25)


async def test_the_models_are_shown_with_what_they_lack(database: Database, valued: tuple[UUID, UUID]) -> None:
    tenant, _ = valued
    models = {each["kind"]: each for each in (await read(database, tenant, MODELS))["models"]}
    assert list(models) == ["BG_NBD", "GAMMA_GAMMA", "MBG_NBD", "PARETO_NBD", "SBG"]
    version = models["MBG_NBD"]["version"]
    assert [each["name"] for each in version["parameters"]] == ["a", "alpha", "b", "r"]
    assert all(float(each["value"]) > 0 for each in version["parameters"])
    assert (version["number"], version["unit"], version["customers"]) == (1, "weeks", 900)
    sbg = models["SBG"]
    assert (sbg["missing"], sbg["have"], sbg["need"], sbg["version"]) == ("TOO_FEW_CONTRACTS", 0, 30, None)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"months": 61}, "1 to 60 months"),
        ({"margin": "1.5"}, "the margin 0 to 1"),
        ({"discount": "-1"}, "discount"),
        ({"cost": "-1"}, "a cost never below 0"),
    ],
)
async def test_assumptions_out_of_range_are_refused(
    database: Database, tenant: UUID, wrong: dict[str, Any], words: str
) -> None:
    refused = await answer(database, tenant, EQUITY, **wrong)
    [error] = refused["errors"]
    assert error["extensions"]["code"] == BadUserInput.code
    assert words in error["message"]


async def test_before_anything_is_fitted_that_is_said(database: Database, tenant: UUID) -> None:
    found = (await read(database, tenant, EQUITY))["customerEquity"]
    assert (found["missing"], found["current"]["value"], found["horizonMonths"]) == ("NOT_FITTED", None, 36)
    (someone,) = await made(database, tenant, 1)
    assert (await read(database, tenant, VALUE, id=f"cus_{someone.hex}"))["customer"] == {"lifetimeValue": None}
    assert (await read(database, tenant, MODELS))["models"] == []


async def test_cohorts_come_back(database: Database, tenant: UUID) -> None:
    ada, bob = await made(database, tenant, 2)
    await bought(database, tenant, {ada: [0, 31, 90], bob: [5, 70]})
    for mode, retained in (("ON", [2, 1, 1, 1]), ("ON_OR_AFTER", [2, 2, 2, 1])):
        table = (await read(database, tenant, RETENTION, mode=mode))["cohortRetention"]
        (january,) = table["cohorts"]
        assert (january["start"], january["end"], january["label"], january["customers"]) == (
            "2026-01-01", "2026-02-01", "2026-01", 2,
        )  # fmt: skip
        assert [cell["retained"] for cell in january["cells"][:4]] == retained
        assert (january["cells"][0]["share"], january["cells"][0]["complete"]) == ("1", True)
        assert date.fromisoformat(table["asOf"]) > date(2026, 4, 1)
