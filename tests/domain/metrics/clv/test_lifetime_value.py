from __future__ import annotations

import numpy as np
import pytest

from domain.metrics.clv import bootstrap, gamma_gamma, lifetime_value, mbgnbd
from domain.metrics.clv.bootstrap import Customers, Fitted
from domain.metrics.clv.fitting import Fit, Histories, fit_buying
from domain.metrics.clv.lifetime_value import AssumptionOutOfRange, Assumptions
from tests.domain.metrics.clv.cdnow import calibration


def test_twelve_months_discount_as_a_year_does() -> None:
    assert Assumptions(discount=0.21).monthly_rate == pytest.approx(1.21 ** (1 / 12) - 1)
    assert Assumptions(horizon_months=24, discount=0.21).factors[[11, 23]] == pytest.approx([1 / 1.21, 1 / 1.21**2])


def test_a_flow_is_worth_its_margin_less_its_cost_discounted() -> None:
    assumptions = Assumptions(horizon_months=2, margin=0.5, discount=0.0, monthly_cost=3)
    assert float(lifetime_value.present_value([10, 20, 99], assumptions)) == 0.5 * 30 - 6
    yearly = Assumptions(horizon_months=12, margin=1, discount=1.0)
    assert float(lifetime_value.present_value([0] * 11 + [100], yearly)) == pytest.approx(50)


def test_customers_to_come_are_worth_what_is_left_of_the_horizon() -> None:
    """Two a month; in the third month those of the first are in their second month after it."""
    assumptions = Assumptions(horizon_months=3, margin=1, discount=0)
    flows = [10, 5, 2, 99]
    first, second, third = 10 + 5 + 2, 10 + 5, 10
    assert float(lifetime_value.present_value_of_future(flows, 2, assumptions)) == 2 * (first + second + third)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"horizon_months": 0}, "horizonMonths"),
        ({"horizon_months": 61}, "horizonMonths"),
        ({"margin": 1.01}, "margin"),
        ({"discount": -0.01}, "discount"),
    ],
)
def test_assumptions_out_of_range_are_refused(wrong: dict[str, float], where: str) -> None:
    with pytest.raises(AssumptionOutOfRange) as raised:
        Assumptions(**wrong)  # type: ignore[arg-type]
    assert raised.value.path == (where,)


FEW = Customers(
    np.array([0.0, 3.0, 0.0, 3.0]), np.array([0.0, 20.0, 0.0, 20.0]), np.array([30.0, 39.0, 30.0, 39.0]),
    np.array([0.0, 50.0, 0.0, 10.0]),
)  # fmt: skip


def fitted(spread: float = 0.05) -> Fitted:
    buying = Fit((0.525, 6.183, 0.891, 1.614), 0.0, np.eye(4) * spread**2)
    spending = Fit((6.25, 3.74, 15.44), 0.0, np.eye(3) * spread**2)
    return Fitted.of(mbgnbd, buying, spending, seed=1)


def test_all_together_are_worth_the_sum_of_each() -> None:
    assumptions = Assumptions()
    found = bootstrap.values(fitted(), FEW, assumptions)
    assert float(lifetime_value.present_value(found.current.point, assumptions)) == pytest.approx(
        found.predictive.sum()
    )
    assert found.current.draws.shape == (200, 60)
    assert np.all((found.low < found.predictive) & (found.predictive < found.high))


def test_equal_customers_get_equal_values_and_a_bigger_spender_more() -> None:
    found = bootstrap.values(fitted(), FEW, Assumptions())
    assert found.predictive[0] == found.predictive[2]
    assert found.low[0] == found.low[2]
    assert found.predictive[1] > found.predictive[3]


def test_the_same_seed_draws_the_same_and_certainty_leaves_no_interval() -> None:
    first, again = (bootstrap.values(fitted(), FEW, Assumptions()) for _ in range(2))
    assert first.low.tolist() == again.low.tolist()
    sure = bootstrap.values(fitted(spread=1e-9), FEW, Assumptions())
    np.testing.assert_allclose(sure.low, sure.predictive, rtol=1e-6)


def test_a_new_customer_spends_at_once_and_then_less_each_month() -> None:
    flows = fitted().of_new().point
    assert flows[0] == pytest.approx(15.44 * 6.25 / 2.74)
    assert np.all(np.diff(flows) < 0)
    assert len(flows) == 61


@pytest.mark.shared
def test_cdnow_three_years_ahead() -> None:
    customers = calibration()
    histories = Histories.of(customers.x, customers.t_x, customers.T)
    spending = gamma_gamma.fit(gamma_gamma.Spending.of(customers.x, customers.mean))
    cdnow = Fitted.of(mbgnbd, fit_buying(mbgnbd, histories), spending, seed=7)
    found = bootstrap.values(cdnow, customers, Assumptions())
    low, high = bootstrap.interval(lifetime_value.present_value(found.current.draws, Assumptions()))
    assert float(found.predictive.sum()) == pytest.approx(137_229, rel=0.005)
    assert low < found.predictive.sum() < high
