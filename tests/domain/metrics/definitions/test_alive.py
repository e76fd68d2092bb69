"""Who still buys, by the default model as it was last fitted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from domain.core.clock import SystemClock
from domain.metrics.clv import mbgnbd
from domain.metrics.clv.model import ModelKind, ModelVersion
from domain.metrics.queries import customer_values
from domain.metrics.reading import snapshot
from domain.metrics.rules import Counting, ThresholdOutOfRange
from domain.purchases.rules import MissingReason
from tests.domain.metrics.definitions.conftest import on

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business

FITTED = {"r": 0.5, "alpha": 4.0, "a": 1.0, "b": 1.2}
KEYS = ("p_alive", "churn_by_model")


async def fitted(business: Business, number: int, kind: ModelKind = ModelKind.MBG_NBD, **parameters: float) -> None:
    """A version of a model with these parameters."""
    async with business.database.unit_of_work(business.tenant) as work:
        version = ModelVersion(
            id=work.ids(), kind=kind, number=number, fitted_at=work.now, training_start=on("01-01"),
            training_end=on("05-31"), customers=6, unit="weeks", parameters=FITTED | parameters,
            covariance={"rows": []}, log_likelihood=Decimal(-1), back_test={}, checks={},
        )  # fmt: skip
        work.add(version)


def alive(first: str, *later: str, of: dict[str, float] = FITTED, end: str = "05-31") -> float:
    """What the model says on the last day of May, of days of purchases."""
    days = [on(day) for day in (first, *later)]
    t_x, age = ((day - days[0]).days / 7 for day in (days[-1], on(end)))
    return float(mbgnbd.p_alive(tuple(of.values()), len(later), t_x, age))


async def test_who_is_gone_by_the_model(business: Business) -> None:
    bought: dict[str, tuple[str, ...]] = {
        "A": ("01-05",), "B": ("01-05", "02-01", "02-20", "03-01"), "C": ("03-01", "04-01", "05-28"), "D": ("05-31",),
        "E": ("06-01",), "F": ("01-05", "05-10"),
    }  # fmt: skip
    for who, days in bought.items():
        for day in days:
            await business.bought(who, day)
    await business.signed("F", ("START", "05-31", "10"))
    await business.settle()
    assert await business.values(*KEYS) == dict.fromkeys(KEYS, MissingReason.NO_DATA)
    before = SystemClock().now()
    await fitted(business, 1, ModelKind.BG_NBD)
    assert await business.values(*KEYS) == dict.fromkeys(KEYS, MissingReason.NO_DATA)
    await fitted(business, 1)
    each = [alive(*bought[who]) for who in "ABCD"]
    assert [p < 0.5 for p in each] == [True, True, False, False]
    found = await business.measured(*KEYS)
    assert float(found["p_alive"].value) == pytest.approx(sum(each) / 4, abs=1e-6)
    assert (found["churn_by_model"].numerator, found["churn_by_model"].denominator) == (2, 4)
    above = Counting(alive_threshold=Decimal(str(round(each[3], 3))) + Decimal("0.001"))
    assert (await business.measured(*KEYS, counting=above))["churn_by_model"].numerator == 3
    then = SystemClock().now()
    await fitted(business, 2, b=100.0)
    later = (await business.measured("p_alive"))["p_alive"].value
    assert float(later) == pytest.approx(sum(alive(*bought[who], of=FITTED | {"b": 100.0}) for who in "ABCD") / 4)
    assert (await business.measured("p_alive", as_of=then))["p_alive"].value == found["p_alive"].value
    assert await business.values(*KEYS, as_of=before) == dict.fromkeys(KEYS, MissingReason.NO_DATA)


async def test_what_a_customer_is_told(business: Business) -> None:
    today = datetime.now(UTC)
    days = [f"{today - timedelta(days=ago):%m-%d}" for ago in (200, 100, 20)]
    for day in days:
        await business.bought("A", day)
    await business.settle()
    await fitted(business, 1, r=900.0)  # the odds of having gone are beyond all numbers for who is silent for long
    await business.bought("B", days[0])
    await business.bought("B", f"{today - timedelta(days=199):%m-%d}")
    await business.settle()
    async with business.database.reading(business.tenant) as reading:
        roots = [business[who] for who in "ABC"]
        found = (await customer_values(await snapshot(reading), roots, ["p_alive"])).by_customer
    ada, bob, cora = (found[root][0].value for root in roots)
    assert ada.value is not None
    expected = alive(*days, of=FITTED | {"r": 900.0}, end=f"{today:%m-%d}")
    assert float(ada.value) == pytest.approx(expected, abs=1e-6)
    assert [bob.value, cora.missing] == [0, MissingReason.NO_DATA]


@pytest.mark.parametrize("threshold", ["0", "-0.1", "1.01"])
def test_a_threshold_of_a_probability_is_one(threshold: str) -> None:
    with pytest.raises(ThresholdOutOfRange):
        Counting(alive_threshold=Decimal(threshold))
