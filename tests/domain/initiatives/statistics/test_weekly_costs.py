from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import Measure, Reason, Span
from domain.initiatives.history import Weeks
from domain.initiatives.plans import Plan, Question, Tier
from domain.initiatives.statistics import weekly_costs
from domain.initiatives.statistics.windows import Windows
from tests.domain.initiatives.histories import history, split

T0 = date(2026, 1, 1).toordinal()
PLAN = Plan(go_live=T0, baseline_days=91, measured_on=T0 + 91, tier=Tier.STANDARD, seed=5, draws=200)
WINDOWS = Windows(Span(T0 - 91, T0), Span(T0, T0 + 91))


def weeks(before: list[float], after: list[float], category: str = "ACQUISITION_SALES") -> Weeks:
    costs = {category: np.array(before + after)}
    return Weeks(T0, -len(before), costs, np.full(len(before) + len(after), 10.0))


def known(of: Weeks, rows: list[Any] | None = None) -> Any:
    return history(rows or [], customers=20, days=(T0 - 200, T0 + 91), weeks=of)


def test_a_new_customer_costs_a_fifth_less() -> None:
    found = weekly_costs.effects(known(weeks([100.0] * 13, [80.0] * 13)), WINDOWS, PLAN)[0]
    assert (found.measure, found.before.value, found.after.value) == (Measure.ACQUISITION_COST, 10.0, 8.0)
    assert found.change == pytest.approx(-0.2)
    assert found.spread
    assert (found.spread.interval().low, found.spread.interval().high) == pytest.approx((-0.2, -0.2))


def test_weeks_are_drawn_in_blocks() -> None:
    series = weekly_costs.Series(np.arange(13.0), np.ones(13))
    drawn = series.drawn(np.random.default_rng(1), 500)
    assert drawn.min() >= 0
    assert drawn.max() <= 12
    assert drawn.mean() == pytest.approx(6, abs=0.3)
    assert drawn.std() > np.arange(13.0).std() / np.sqrt(13)  # what follows each other is alike: less is known


def test_money_may_be_spent_weeks_before_it_brings_somebody() -> None:
    spent = weeks([0.0] * 2 + [100.0] * 13, [50.0] * 13)
    lagged = weekly_costs.effects(known(spent), WINDOWS, replace(PLAN, acquisition_lag_weeks=2))[0]
    assert (lagged.before.numerator, lagged.after.numerator) == (1_100.0, 750.0)


def test_keeping_a_customer_is_counted_once_for_each_who_came_back() -> None:
    back = [(who, T0 - 150) for who in range(12)] + [(who, T0 - 30) for who in range(8)]
    again = [(who, T0 + day) for who in range(4) for day in (10, 40)]
    spent = weeks([100.0] * 13, [100.0] * 13, "RETENTION_MARKETING")
    found = weekly_costs.effects(known(spent, back + again), WINDOWS, PLAN)[1]
    assert (found.before.denominator, found.after.denominator) == (8, 4)
    assert found.change == pytest.approx(1.0)
    assert found.blocked is Reason.TOO_FEW  # all of them came back in the same week


def test_fewer_than_twelve_weeks_are_too_few() -> None:
    short = Windows(Span(T0 - 77, T0), Span(T0, T0 + 77))
    found = weekly_costs.effects(known(weeks([100.0] * 13, [80.0] * 13)), short, PLAN)[0]
    assert (found.change, found.blocked) == (pytest.approx(-0.2), Reason.TOO_FEW)


@pytest.mark.parametrize("before", [[0.0] * 13, [100.0] * 5])
def test_without_costs_or_with_unknown_weeks_nothing_is_measured(before: list[float]) -> None:
    found = weekly_costs.effects(known(weeks(before, [80.0] * 13)), WINDOWS, PLAN)
    assert [effect.blocked for effect in found] == [Reason.NOT_MEASURED] * 2


def test_a_cheaper_win_that_came_by_itself_before_is_no_evidence() -> None:
    chance = np.random.default_rng(4)
    falling = [300 * 0.98**week * float(chance.normal(1, 0.03)) for week in range(70)]
    of = Weeks(T0, -57, {"ACQUISITION_SALES": np.array(falling)}, np.full(70, 10.0))
    rows = [(who, T0 - 399) for who in range(60)] + [(who, T0 + day) for who in range(60) for day in (-300, -50, 50)]
    whole = history(rows, customers=60, days=(T0 - 400, T0 + 91), weeks=of)
    answer = compare(*split(whole, T0), PLAN).answer(Question.ACQUISITION_AND_RETENTION)
    cost = answer.measures[0]
    assert cost.change is not None
    assert cost.change < -0.1
    assert cost.placebo
    assert cost.reason is Reason.PLACEBO
