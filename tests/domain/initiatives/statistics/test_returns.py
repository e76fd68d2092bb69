from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import Flag, GainBasis
from domain.initiatives.plans import Equity, Missing, Plan, Selection, Spent, Tier
from domain.initiatives.statistics import returns
from domain.initiatives.statistics.contributions import Contributions
from tests.domain.initiatives.histories import history, split

if TYPE_CHECKING:
    from domain.initiatives.findings import Returns
    from domain.initiatives.history import History

T0 = date(2026, 1, 1).toordinal()
PLAN = Plan(
    go_live=T0, baseline_days=100, measured_on=T0 + 100, tier=Tier.STANDARD, seed=2, spent=(Spent(T0, 600.0),), draws=50
)
BOUGHT = (10, 30, 50, 70, 90)


def world(treated: float, untouched: float = 0.0) -> History:
    """40 treated customers, then 40 others: each bought five times before, for 10 each, and five times after."""
    rows = [(who, T0 - 120) for who in range(80)]
    rows += [(who, T0 - 100 + day, {"contribution": 10.0}) for who in range(80) for day in BOUGHT]
    rows += [
        (who, T0 + day, {"contribution": treated if who < 40 else untouched}) for who in range(80) for day in BOUGHT
    ]
    return history(rows, customers=80, days=(T0 - 130, T0 + 100))


OURS = np.arange(80) < 40


def brought(known: History, plan: Plan = PLAN) -> Returns:
    found = compare(*split(known, T0), replace(plan, treated=OURS, selection=Selection.LIST, selected_on=T0 - 100))
    assert found.returns
    return found.returns


def test_what_exceeds_the_rate_of_before_is_gained() -> None:
    found = brought(world(16.0))
    assert found.gain
    assert found.roi
    # 40 customers x 5 purchases x (16 - 10), for 600.
    assert (found.gain.value, found.cost, found.roi.value) == pytest.approx((1_200, 600, 1.0))
    assert (found.roi.interval.low, found.roi.interval.high) == pytest.approx((1.0, 1.0))


def test_it_has_paid_back_from_the_day_on_which_it_stays_ahead() -> None:
    payback = brought(world(16.0)).payback
    assert payback
    # On the 70th day 40 x 16 x 4 - 20 x 71 = 1,140; on the day before it were 520, less than 600.
    assert (payback.day, payback.earliest, payback.latest) == (T0 + 70,) * 3


def test_what_never_stays_ahead_has_not_paid_back() -> None:
    payback = brought(world(12.0)).payback
    assert payback
    assert (payback.day, payback.earliest, payback.latest) == (None, None, None)


def test_beside_untouched_customers_only_the_difference_counts() -> None:
    found = brought(world(16.0, 13.0), replace(PLAN, tier=Tier.RIGOROUS))
    assert found.gain
    assert found.gain.value == pytest.approx(40 * 5 * (16 - 13))
    assert (found.gain.interval.low, found.gain.interval.high) == pytest.approx((600, 600))
    assert found.payback
    assert found.payback.day is None or found.payback.day >= T0 + 90


def test_nothing_counts_as_paid_while_no_question_is_answered_for_the_better() -> None:
    assert not brought(world(16.0)).shown_to_have_paid
    all_known = Contributions(world(16.0), GainBasis.CONTRIBUTION)
    gains = returns.Gains(np.full((51, 100), 1_200.0))
    everyone = np.ones(80, dtype=np.bool_)
    assert returns.returns(all_known, PLAN, everyone, gains, helped=True).shown_to_have_paid
    unsure = returns.Gains(np.concatenate((np.full((20, 100), 1_200.0), np.full((31, 100), 100.0))))
    found = returns.returns(all_known, PLAN, everyone, unsure, helped=True)
    assert found.roi
    assert found.roi.value == 1.0
    assert found.roi.interval.low < 0
    assert not found.shown_to_have_paid


def test_without_cost_there_is_no_return_and_without_contribution_no_gain() -> None:
    free = brought(world(16.0), replace(PLAN, spent=()))
    assert free.gain
    assert (free.roi, free.roi_missing, free.payback, free.cost) == (None, Missing.NO_COST, None, 0.0)
    rows = [(who, T0 + day) for who in range(80) for day in (-120, -20, 20)]
    unknown = brought(history(rows, customers=80, days=(T0 - 130, T0 + 100)))
    assert (unknown.gain, unknown.roi, unknown.payback) == (None, None, None)
    assert (unknown.gain_missing, unknown.roi_missing) == (Missing.NO_PURCHASES, Missing.NO_PURCHASES)


def test_costs_after_the_measurement_do_not_count_yet() -> None:
    assert brought(world(16.0), replace(PLAN, spent=(Spent(T0 - 5, 100.0), Spent(T0 + 100, 9.0)))).cost == 100.0


def with_unknown_costs(known: History, share: float) -> History:
    """The same where the costs of this share of the purchases since go-live are not known."""
    every = round(1 / share)
    unknown = (known.day >= T0) & (known.customer % every == 0)
    return replace(known, contribution=np.where(unknown, np.nan, known.contribution))


def test_goods_of_unknown_cost_leave_as_much_as_the_others_and_are_flagged() -> None:
    """Of each purchase of 100, 10 stay before and 16 after: of 200 + 133 known ones 12.4 each, and so of the rest."""
    plan = replace(PLAN, treated=OURS, selection=Selection.LIST, selected_on=T0 - 100)
    known = with_unknown_costs(world(16.0, 16.0), 1 / 3)
    found = compare(*split(known, T0), plan)
    assert Flag.UNKNOWN_COSTS in found.flags
    assert found.returns
    assert found.returns.gain
    # 80 x 5 purchases before leave 10 each; 53 of the 80 x 5 after leave 16, and of 27 customers nothing is known.
    share = (400 * 10 + 265 * 16) / (400 + 265) / 100
    ours = 14  # of the 40 treated, those whose number is divided by 3
    assert found.returns.gain.value == pytest.approx(5 * ((40 - ours) * 16 + ours * 100 * share) - 40 * 5 * 10)


def test_with_too_many_goods_of_unknown_cost_only_sales_are_told() -> None:
    """Each customer bought five times for 100 on both sides: nothing more came, and nothing is said of a return."""
    known = world(16.0)
    unknown = replace(known, contribution=np.where(known.day >= T0 - 60, np.nan, known.contribution))
    of_revenue, of_margin = (Equity(np.full(80, 100.0), np.full(80, 110.0), 1, margin) for margin in (1.0, 0.4))
    found = brought(unknown, replace(PLAN, equity=of_revenue))
    assert found.gain
    assert (found.gain.value, found.gain_basis) == (pytest.approx(0), GainBasis.NET_REVENUE)
    assert (found.roi, found.payback, found.roi_missing) == (None, None, Missing.NO_COST_OF_GOODS)
    assert found.return_on_customer
    assert found.return_on_customer.value.value == pytest.approx((5 * 100 + 10) / 100)
    mixed = brought(unknown, replace(PLAN, equity=of_margin))
    assert (mixed.return_on_customer, mixed.return_on_customer_missing) == (None, Missing.NO_COST_OF_GOODS)


def test_return_on_customer_adds_what_they_brought_and_what_they_are_worth_more() -> None:
    equity = Equity(before=np.full(80, 100.0), after=np.full(80, 110.0), version=3, margin=0.4)
    found = brought(world(16.0), replace(PLAN, equity=equity)).return_on_customer
    assert found
    assert found.value.value == pytest.approx((5 * 16 + 10) / 100)
    assert (found.value.interval.low, found.value.interval.high) == pytest.approx((0.9, 0.9))
    assert (found.equity_before, found.equity_after, found.version) == (4_000, 4_400, 3)


@pytest.mark.parametrize(
    ("equity", "missing"),
    [
        (Equity(np.zeros(80), np.ones(80), 1, 0.4), Missing.NO_EQUITY),
        (Missing.TOO_FEW_CUSTOMERS, Missing.TOO_FEW_CUSTOMERS),
    ],
)
def test_what_is_not_known_of_a_return_on_customer_has_its_reason(equity: Equity | Missing, missing: Missing) -> None:
    found = brought(world(16.0), replace(PLAN, equity=equity))
    assert (found.return_on_customer, found.return_on_customer_missing) == (None, missing)
