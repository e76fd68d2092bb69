from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from domain.metrics.clv import bgnbd, lifetime_value, mbgnbd, pnbd
from domain.metrics.clv.fitting import DAYS_PER_WEEK, Histories, NotEnough, expected_from_now, fit_buying
from tests.domain.metrics.clv.cdnow import calibration

if TYPE_CHECKING:
    from domain.metrics.clv.fitting import BuyingModel

BG = (0.243, 4.414, 0.793, 2.426)
PUBLISHED = {
    bgnbd: ((0.243, 4.414, 0.793, 2.426), -9582.4),
    pnbd: ((0.553, 10.578, 0.606, 11.669), -9595.0),
    mbgnbd: ((0.525, 6.183, 0.891, 1.614), -9582.1),
}
ALL = pytest.mark.parametrize("model", lifetime_value.MODELS.values(), ids=list(lifetime_value.MODELS))
POINTS = {bgnbd: BG, mbgnbd: (0.525, 6.183, 0.891, 1.614), pnbd: (0.553, 10.578, 0.606, 11.669)}


def of(model: BuyingModel) -> Any:
    return POINTS[model]  # type: ignore[index]


@pytest.mark.shared
@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.KIND)
def test_the_published_parameters_are_found(model: Any) -> None:
    customers = calibration()
    histories = Histories.of(customers.x, customers.t_x, customers.T)
    assert (histories.customers, histories.repeaters) == (2_357, 946)
    parameters, log_likelihood = PUBLISHED[model]
    found = fit_buying(model, histories)
    assert tuple(round(each, 3) for each in found.parameters) == parameters
    assert round(found.log_likelihood, 1) == log_likelihood


def test_the_customer_of_the_paper() -> None:
    """Two repeat purchases, the last in week 30.43 of 38.86 (Fader, Hardie and Lee 2005)."""
    history = (2.0, 30.43, 38.86)
    assert float(bgnbd.p_alive(BG, *history)) == pytest.approx(0.7266, abs=5e-5)
    assert float(expected_from_now(bgnbd, BG, 39, *history)) == pytest.approx(1.226, abs=5e-4)


def test_more_purchases_can_lower_the_probability_of_being_alive() -> None:
    """The paradox of increasing frequency: the same silence is longer for who bought more often."""
    seldom, often = mbgnbd.p_alive(of(mbgnbd), np.array([2.0, 20.0]), 20.0, 39.0)
    assert often < seldom
    assert float(bgnbd.p_alive(BG, 23.0, 39.0, 39.0)) == pytest.approx(0.9686, abs=5e-5)


def test_who_bought_once_can_be_gone_but_not_to_bg_nbd() -> None:
    once = (0.0, 0.0, 39.0)
    assert float(bgnbd.p_alive(BG, *once)) == 1.0
    assert float(mbgnbd.p_alive(of(mbgnbd), *once)) < 0.5
    with pytest.raises(lifetime_value.NoChurnFromThisModel):
        lifetime_value.has_churned("BG_NBD", [0.2])
    assert list(lifetime_value.has_churned("MBG_NBD", [0.2, 0.5])) == [True, False]


@ALL
def test_probabilities_are_probabilities_and_expectations_grow(model: BuyingModel) -> None:
    rng = np.random.default_rng(4)
    x = rng.poisson(3, 200).astype(float)
    T = rng.uniform(1, 200, 200)  # noqa: N806 - the symbol of the literature
    t_x = np.where(x > 0, T * rng.uniform(0, 1, 200), 0.0)
    alive = model.p_alive(of(model), x, t_x, T)
    assert np.all((alive >= 0) & (alive <= 1))
    soon, later = (expected_from_now(model, of(model), weeks, x, t_x, T) for weeks in (10.0, 20.0))
    assert np.all((soon > 0) & (later > soon) & (later < 2 * soon))
    assert model.expected_of_new(of(model), 0.0) == pytest.approx(0, abs=1e-12)


@ALL
def test_many_purchases_leave_the_numbers_finite(model: BuyingModel) -> None:
    expected = expected_from_now(model, of(model), 156.0, 900.0, 103.9, 104.0)
    assert 500 < float(expected) < 1_300


@pytest.mark.parametrize("model", [bgnbd, mbgnbd], ids=lambda model: model.KIND)
def test_customers_who_all_stop_alike_are_expected_to_buy_what_follows_from_that(model: Any) -> None:
    """With a and b without bound, everybody stops with the same probability a / (a + b), here a fifth."""
    r, alpha, t, stops = 0.5, 6.0, 20.0, 0.2
    expected = (1 - (alpha / (alpha + stops * t)) ** r) / stops
    if model is mbgnbd:
        expected *= 1 - stops
    assert float(model.expected_of_new((r, alpha, 2_000.0, 8_000.0), t)) == pytest.approx(expected, rel=1e-3)


@ALL
def test_likelihoods_of_all_histories_add_up_to_one(model: BuyingModel) -> None:
    """Nothing within T weeks, or a first repeat at some moment: told apart, these are all that x <= 1 can be."""
    T = 10.0  # noqa: N806 - the symbol of the literature
    moments = (np.arange(2_000) + 0.5) * T / 2_000
    never = np.exp(model.log_likelihood(of(model), 0.0, 0.0, T)[0])
    none_up_to = np.exp(model.log_likelihood(of(model), 0.0, 0.0, moments)[0])
    # The density of the first repeat is how fast the probability of none falls.
    assert float(never) == pytest.approx(1 + float(np.gradient(none_up_to, moments).mean()) * T, abs=0.01)


@ALL
def test_the_months_of_five_years_follow_from_eight_moments(model: BuyingModel) -> None:
    history = (np.array([0.0, 1.0, 12.0, 60.0]), np.array([0.0, 3.0, 50.0, 51.0]), np.array([52.0, 5.0, 52.0, 52.0]))
    followed = lifetime_value.monthly(lambda weeks: expected_from_now(model, of(model), weeks, *history))
    ends = np.arange(61)[:, None] * 30.4375 / DAYS_PER_WEEK
    asked = np.diff(expected_from_now(model, of(model), ends, *history), axis=0).T
    assert followed.shape == (4, 60)
    np.testing.assert_allclose(followed, asked, rtol=5e-4)


@ALL
def test_slopes_are_those_of_the_likelihood(model: BuyingModel) -> None:
    x, t_x, age = np.array([0.0, 1, 3, 300]), np.array([0.0, 40, 60, 103]), np.array([30.0, 40, 100, 104])
    _, slopes = model.log_likelihood(of(model), x, t_x, age)
    for place, slope in enumerate(slopes):
        step = 1e-5 * of(model)[place] * (np.arange(4) == place)
        after, before = (model.log_likelihood(np.array(of(model)) + way * step, x, t_x, age)[0] for way in (1, -1))
        np.testing.assert_allclose(slope, (after - before) / (2 * step[place]), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("alpha", [9.0, 11.669, 14.0])
def test_the_likelihood_of_pareto_nbd_is_that_of_the_paper(alpha: float) -> None:
    """Equations 22 to 25 of Schmittlein, Morrison and Colombo (1987), with the hypergeometric function."""
    from scipy.special import gammaln, hyp2f1

    r, s, beta = 0.553, 0.606, 11.669
    x, t_x, age = np.array([0.0, 1, 3, 60]), np.array([0.0, 20, 60, 103]), np.array([30.0, 40, 100, 104])
    larger, second = max(alpha, beta), s + 1 if alpha >= beta else r + x

    def term(t: Any) -> Any:
        shape = r + s + x
        return hyp2f1(shape, second, shape + 1, abs(alpha - beta) / (larger + t)) / (larger + t) ** shape

    alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
    gone = s / (r + s + x) * (term(t_x) - term(age))
    paper = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(alive + gone)
    np.testing.assert_allclose(pnbd.log_likelihood((r, alpha, s, beta), x, t_x, age)[0], paper, rtol=1e-12)
    np.testing.assert_allclose(pnbd.p_alive((r, alpha, s, beta), x, t_x, age), alive / (alive + gone), rtol=1e-9)


def test_pareto_nbd_becomes_what_it_is_when_all_lifetimes_are_alike() -> None:
    """With s and beta without bound, everybody stops at the same rate s / beta, here a tenth a week."""
    r, alpha, age = 0.5, 10.0, np.array([5.0, 50.0])
    moments = (np.arange(100_000) + 0.5) / 100_000 * age[:, None]
    stopped = (np.exp(-moments / 10) / 10 * (alpha / (alpha + moments)) ** r).mean(axis=1) * age
    each = np.log(np.exp(-age / 10) * (alpha / (alpha + age)) ** r + stopped)
    found, _ = pnbd.log_likelihood((r, alpha, 1e5, 1e6), 0.0, 0.0, age)
    np.testing.assert_allclose(found, each, atol=1e-4)


def test_customers_who_share_a_history_are_counted_once() -> None:
    histories = Histories.of([0, 2, 0, 0], [0, 3, 0, 0], [5, 5, 5, 6])
    assert histories.x.tolist() == [0, 0, 2]
    assert histories.count.tolist() == [2, 1, 1]
    assert (histories.customers, histories.repeaters) == (4, 1)


@pytest.mark.parametrize(
    ("missing", "x", "weeks", "customers"),
    [
        ("TOO_FEW_CUSTOMERS: 99 of 100", 1, 40, 99),
        ("TOO_FEW_REPEAT_CUSTOMERS: 0 of 30", 0, 40, 100),
        ("TOO_SHORT: 11 of 12", 1, 11, 100),
        ("NO_OPTIMUM: 0 of 1", 5, 40, 100),  # all buy alike: nothing tells how customers differ
    ],
)
def test_what_is_missing_is_said(missing: str, x: int, weeks: int, customers: int) -> None:
    with pytest.raises(NotEnough, match=missing):
        fit_buying(mbgnbd, Histories.of([x] * customers, [weeks if x else 0] * customers, [weeks] * customers))


def test_simulated_customers_give_their_parameters_back() -> None:
    """Ten thousand customers drawn from BG/NBD, their purchases dated by day: in CI; 100,000 in `bench models`."""
    from bench.models import simulated

    histories = Histories.of(*simulated(10_000, seed=5))
    r, alpha, a, b = fit_buying(bgnbd, histories).parameters
    assert (r, alpha) == (pytest.approx(0.243, rel=0.1), pytest.approx(4.414, rel=0.1))
    assert a / (a + b) == pytest.approx(0.793 / (0.793 + 2.426), rel=0.15)
