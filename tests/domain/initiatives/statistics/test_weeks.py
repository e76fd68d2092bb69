"""The weeks of the picture add up to what the answer on frequency compares with, whichever way that was found."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import Comparison, Measure, Method, Reason
from domain.initiatives.plans import Plan, Question, Selection, Tier
from tests.domain.initiatives.histories import history, split, with_rows

if TYPE_CHECKING:
    from domain.initiatives.history import History

T0 = date(2026, 1, 1).toordinal()
DAYS = 182
PLAN = Plan(go_live=T0, baseline_days=DAYS, measured_on=T0 + DAYS, tier=Tier.STANDARD, seed=1, draws=50)
PER_YEAR = 365.25


def world(first: int, *, customers: int = 80) -> History:
    """Customers who all bought long ago and since then by chance, more and more of them."""
    chance = np.random.default_rng(5)
    rows = {(who, first) for who in range(customers)}
    for day in range(first + 1, T0 + DAYS, 3):
        share = 0.1 + 0.2 * (day - first) / (T0 + DAYS - first)
        rows |= {(int(who), day) for who in np.flatnonzero(chance.random(customers) < share)}
    return history(rows, customers=customers, days=(first, T0 + DAYS))


def expected(found: Comparison) -> float:
    """The purchases after go-live that the answer compares with: its rate over the days of all who are compared."""
    (measure,) = found.answer(Question.FREQUENCY).measures
    assert measure.measure is Measure.FREQUENCY
    rate = measure.before.value if measure.expected is None else measure.expected
    return (rate or 0.0) * measure.after.denominator / PER_YEAR


def test_before_and_after_is_beside_the_mean_of_the_days_before() -> None:
    found = compare(*split(world(T0 - 400), T0), PLAN)
    weekly = found.weekly
    assert (weekly.first, len(weekly.treated.occasions), weekly.treated.customers) == (-26, 26 + 26, 80)
    assert sum(weekly.treated.occasions[-26:]) == found.figures_after.occasions
    assert len(set(weekly.anyway)) == 1
    assert sum(weekly.anyway) == pytest.approx(expected(found))


def test_the_same_days_of_the_year_before_are_shown_week_by_week() -> None:
    known = world(T0 - 800)
    found = compare(*split(known, T0), PLAN)
    begins = date(2025, 1, 1).toordinal()
    assert found.before.first == begins
    weeks = [((known.day >= begins + 7 * week) & (known.day < begins + 7 * week + 7)).sum() for week in range(26)]
    assert found.weekly.anyway == tuple(weeks)
    assert sum(weeks) == pytest.approx(expected(found))


def test_a_line_that_is_prolonged_is_shown_as_a_line() -> None:
    found = compare(*split(world(T0 - 400), T0), replace(PLAN, tier=Tier.RIGOROUS))
    assert found.method is Method.TIME_SERIES
    steps = np.diff(found.weekly.anyway)
    assert steps == pytest.approx(np.full(25, steps[0]))
    assert steps[0] != 0
    assert sum(found.weekly.anyway) == pytest.approx(expected(found))


@pytest.mark.parametrize("days", [DAYS, 154])
def test_only_those_who_are_matched_are_shown_beside_those_who_were_left_alone_like_them(days: int) -> None:
    """Also where more days follow the go-live than were compared before it."""
    known = world(T0 - 400, customers=1_200)
    treated = np.arange(1_200) % 3 == 0
    plan = replace(PLAN, tier=Tier.RIGOROUS, baseline_days=days, treated=treated, selection=Selection.LIST)
    found = compare(*split(known, T0), plan)
    assert found.method is Method.MATCHED
    assert found.groups.matched is not None
    assert 0.8 * 400 < found.weekly.treated.customers == found.groups.matched < 400
    assert sum(found.weekly.treated.occasions[-26:]) == found.answer(Question.FREQUENCY).measures[0].after.numerator
    assert sum(found.weekly.anyway) == pytest.approx(expected(found))


def test_where_nobody_like_them_was_left_alone_there_is_nothing_to_compare_with() -> None:
    known = world(T0 - 400)
    treated = np.arange(80) < 40
    known = with_rows(known, treated[known.customer] | (known.day == known.first))
    plan = replace(PLAN, tier=Tier.RIGOROUS, treated=treated, selection=Selection.LIST)
    found = compare(*split(known, T0), plan)
    assert found.answer(Question.FREQUENCY).reason is Reason.NO_OVERLAP
    assert (found.weekly.treated.customers, found.weekly.anyway) == (40, ())
