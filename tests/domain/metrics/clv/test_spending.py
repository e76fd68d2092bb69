from __future__ import annotations

import numpy as np
import pytest

from domain.metrics.clv import gamma_gamma
from domain.metrics.clv.fitting import NotEnough
from domain.metrics.clv.gamma_gamma import Spending
from tests.domain.metrics.clv.cdnow import calibration

PUBLISHED = (6.25, 3.74, 15.44)


@pytest.mark.shared
def test_the_published_parameters_are_found() -> None:
    customers = calibration()
    spending = Spending.of(customers.x, customers.mean)
    assert len(spending.x) == 946
    assert tuple(round(each, 2) for each in gamma_gamma.fit(spending).parameters) == PUBLISHED
    # The published sample itself is beyond what the model presumes: it would not be used to value customers.
    assert spending.correlation == pytest.approx(0.1139, abs=5e-5)
    assert not spending.independent


@pytest.mark.shared
def test_the_unit_of_money_changes_nothing_but_the_scale() -> None:
    customers = calibration()
    in_cents = gamma_gamma.fit(Spending.of(customers.x, customers.mean * 100)).parameters
    assert tuple(round(each, 2) for each in in_cents[:2]) == PUBLISHED[:2]
    assert in_cents[2] == pytest.approx(1544.4, abs=0.5)


def test_between_the_own_mean_and_that_of_all() -> None:
    of_all = 15.44 * 6.25 / 2.74
    assert float(gamma_gamma.expected_mean(PUBLISHED, 0, 0)) == pytest.approx(of_all)
    few, many = gamma_gamma.expected_mean(PUBLISHED, np.array([1.0, 50.0]), 100.0)
    assert of_all < few < many < 100
    assert few == pytest.approx((2.74 * of_all + 6.25 * 100) / (6.25 + 2.74))


def test_of_whom_the_model_speaks() -> None:
    spending = Spending.of([0, 1, 2, 3], [10, 20, 0, 40])
    assert (spending.x.tolist(), spending.mean.tolist()) == ([1, 3], [20, 40])


def test_amounts_that_grow_with_frequency_are_not_independent() -> None:
    x = np.arange(1, 41)
    assert not Spending.of(x, 10 + x).independent
    assert Spending.of(x, 10 + x % 2).independent
    assert Spending.of([1, 1], [5, 5]).correlation == 0


def test_with_few_customers_there_is_no_model() -> None:
    with pytest.raises(NotEnough) as raised:
        gamma_gamma.fit(Spending.of([1] * 29, range(1, 30)))
    assert (raised.value.missing, raised.value.have, raised.value.need) == ("TOO_FEW_REPEAT_CUSTOMERS", 29, 30)
