from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from domain.initiatives.comparing import TierNotPossible, compare, possible_tiers
from domain.initiatives.findings import Measure, Method, Reason, Span, Verdict
from domain.initiatives.history import NEVER, History
from domain.initiatives.plans import Plan, Question, Selection, Tier
from domain.initiatives.statistics import matching
from domain.initiatives.statistics.bootstrap import Resampling
from domain.initiatives.statistics.panel import panel
from domain.initiatives.statistics.windows import Windows
from tests.domain.initiatives.histories import history, split

T0 = date(2026, 1, 1).toordinal()
DAYS = 100
BASELINE, AFTER = Span(T0 - DAYS, T0), Span(T0, T0 + DAYS)
PLAN = Plan(
    go_live=T0,
    baseline_days=DAYS,
    measured_on=T0 + DAYS,
    tier=Tier.RIGOROUS,
    seed=3,
    selection=Selection.LIST,
    draws=300,
)


def world(customers: int = 400, *, lift: int = 0, **columns: Any) -> tuple[History, np.ndarray[Any, Any]]:
    """Customers who all bought long ago, then by chance; the treated, every second one, buy `lift` times more after."""
    chance = np.random.default_rng(17)
    treated = np.arange(customers) % 2 == 1
    rows = {(who, T0 - 150 - int(chance.integers(100))) for who in range(customers)}
    for who, often in enumerate(chance.poisson(2.0, customers)):
        rows |= {(who, int(day)) for day in chance.integers(T0 - DAYS, T0, often)}
        rows |= {(who, int(day)) for day in chance.integers(T0, T0 + DAYS, chance.poisson(2.0) + lift * treated[who])}
    spend = {row: {"amount": float(chance.integers(100, 1_000))} for row in sorted(rows)}
    told = [(*row, values) for row, values in spend.items()]
    return history(told, customers=customers, days=(T0 - 260, T0 + DAYS), **columns), treated


def by_hand(known: History, treated: np.ndarray[Any, Any], of: str, *, finer: bool = False) -> tuple[float, float]:
    """Actual and expected sums of the matched treated, customer by customer, as the definition says."""
    bought, late, spent, old, new = np.zeros((5, known.customers))
    for row, (who, day) in enumerate(zip(known.customer, known.day, strict=True)):
        counts = BASELINE.first <= day < BASELINE.last
        bought[who] += counts
        late[who] += T0 - DAYS // 2 <= day < T0
        spent[who] += counts * known.amount[row]
        old[who] += counts * getattr(known, of)[row]
        new[who] += (AFTER.first <= day < AFTER.last) * getattr(known, of)[row]
    each = np.divide(spent, bought, out=np.zeros_like(spent), where=bought > 0)
    lower, upper = np.quantile(each[bought > 0], (1 / 3, 2 / 3))
    tercile = np.where(bought > 0, (each > lower).astype(int) + (each > upper), 0)
    cells: dict[tuple[float, ...], list[int]] = {}
    for who in range(known.customers):
        cell = (min(bought[who], 10), min(late[who], 5), tercile[who] if finer else 0)
        cells.setdefault(cell, []).append(who)
    actual = expected = 0.0
    for members in cells.values():
        ours, alone = [one for one in members if treated[one]], [one for one in members if not treated[one]]
        if ours and len(alone) >= 2:
            actual += sum(new[one] for one in ours)
            expected += sum(old[one] for one in ours) + len(ours) * np.mean([new[one] - old[one] for one in alone])
    return actual, expected


def test_the_change_is_that_of_the_cells_worked_out_by_hand() -> None:
    known, treated = world()
    found = _effects(known, treated)
    actual, expected = by_hand(known, treated, "occasions")
    assert found[Measure.FREQUENCY].change == pytest.approx(actual / expected - 1)
    assert found[Measure.FREQUENCY].before.n == 191  # of 200: nine have nobody like them
    for each in found.values():
        assert each.change == pytest.approx((each.after.value or 0) / (each.expected or 0) - 1)


def test_size_is_matched_by_what_was_spent_too() -> None:
    known, treated = world()
    spent, to_be_spent = by_hand(known, treated, "amount", finer=True)
    bought, to_be_bought = by_hand(known, treated, "occasions", finer=True)
    size = _effects(known, treated)[Measure.SIZE]
    assert size.expected == pytest.approx(to_be_spent / to_be_bought)
    assert size.change == pytest.approx((spent / bought) / (to_be_spent / to_be_bought) - 1)


def test_an_effect_is_found_with_its_interval() -> None:
    known, treated = world(lift=1)
    frequency = compare(*split(known, T0), replace(PLAN, treated=treated)).answer(Question.FREQUENCY)
    assert frequency.verdict is Verdict.BETTER
    (measure,) = frequency.measures
    assert measure.interval
    assert measure.interval.low <= 0.5 <= measure.interval.high
    assert measure.expected
    assert measure.change == pytest.approx((measure.after.value or 0) / measure.expected - 1)


def test_organisations_with_their_people_are_drawn_together() -> None:
    known, treated = world()
    together = replace(known, unit=(np.arange(known.customers) // 8).astype(np.int32))
    found = compare(*split(together, T0), replace(PLAN, treated=treated))
    assert (found.groups.treated, found.groups.treated_units) == (200, 50)


def test_fewer_than_five_departments_on_a_side_say_nothing() -> None:
    departments = np.arange(400) % 8  # four odd ones are treated
    known, treated = world(lift=2, department=departments)
    plan = replace(PLAN, treated=treated, selection=Selection.DEPARTMENTS, departments=True)
    found = compare(*split(known, T0), plan)
    assert found.groups.untouched_units == 4
    assert {answer.reason for answer in found.answers} == {Reason.FEW_UNITS, Reason.NOT_MEASURED}


def test_departments_are_drawn_as_a_whole_and_customers_of_none_left_out() -> None:
    departments = np.where(np.arange(400) < 40, NEVER, np.arange(400) % 24)
    known, treated = world(lift=2, department=departments)
    treated &= departments != NEVER
    plan = replace(PLAN, treated=treated, selection=Selection.DEPARTMENTS, departments=True)
    found = compare(*split(known, T0), plan)
    assert (found.groups.untouched, found.groups.untouched_units) == (180, 12)
    assert found.answer(Question.FREQUENCY).verdict is Verdict.BETTER


@pytest.mark.parametrize("beside", [Selection.LIST, Selection.SEGMENT])
def test_customers_chosen_beside_departments_do_not_make_more_departments_of_them(beside: Selection) -> None:
    """Four departments are chosen, and one customer of each of the others, and one of none, beside them."""
    departments = np.where(np.arange(400) == 399, NEVER, np.arange(400) % 8)
    known, treated = world(lift=2, department=departments)
    treated[:8] = True
    plan = replace(PLAN, treated=treated, selection=beside, selected_on=T0 - DAYS, departments=True)
    found = compare(*split(known, T0), plan)
    assert (found.groups.treated, found.groups.untouched) == (204, 196)
    assert {answer.reason for answer in found.answers} == {Reason.FEW_UNITS, Reason.NOT_MEASURED}


def test_the_erased_leave_the_panel_and_are_counted() -> None:
    erased = np.full(400, NEVER)
    erased[[1, 3, 4]] = T0 + 5
    known, treated = world(erased_at=erased)
    groups = compare(*split(known, T0), replace(PLAN, treated=treated)).groups
    assert (groups.treated, groups.treated_erased, groups.untouched, groups.untouched_erased) == (198, 2, 199, 1)


def test_who_was_seen_after_the_baseline_began_is_not_in_the_panel() -> None:
    known, treated = world()
    late = replace(known, first_occasion=np.where(np.arange(400) < 10, T0 - 5, known.first_occasion).astype(np.int32))
    assert compare(*split(late, T0), replace(PLAN, treated=treated)).groups.treated == 195


def test_sides_that_moved_apart_before_are_no_evidence() -> None:
    known, treated = world(lift=1)
    again = [(int(who), T0 - 1) for who in np.flatnonzero(treated)[::2]]
    rows = [*zip(known.customer.tolist(), known.day.tolist(), strict=True), *again]
    drifted = history(sorted(set(rows)), customers=400, days=(T0 - 260, T0 + DAYS))
    answer = compare(*split(drifted, T0), replace(PLAN, treated=treated)).answer(Question.FREQUENCY)
    assert answer.measures[0].pre_trend
    assert answer.measures[0].pre_trend > 2.58
    assert (answer.verdict, answer.reason) == (Verdict.NO_EVIDENCE, Reason.PRE_TREND)


def test_without_untouched_customers_and_weeks_the_possible_tiers_are_named() -> None:
    known, _ = world()
    with pytest.raises(TierNotPossible) as refused:
        compare(*split(known, T0), replace(PLAN, selection=Selection.EVERYONE))
    assert refused.value.details == {"possible": ["QUICK", "STANDARD"]}
    sealed = split(known, T0)[0]
    assert possible_tiers(sealed, replace(PLAN, selection=Selection.EVERYONE)) == (Tier.QUICK, Tier.STANDARD)
    assert possible_tiers(sealed, replace(PLAN, treated=np.arange(400) < 200)) == tuple(Tier)


def test_one_customer_is_too_few() -> None:
    rows = [(0, T0 - 200), *((0, T0 + day) for day in (-40, -20, 10, 20, 30))]
    known = history(rows, customers=1, days=(T0 - 260, T0 + DAYS))
    found = compare(*split(known, T0), replace(PLAN, tier=Tier.STANDARD, selection=Selection.EVERYONE))
    assert found.method is Method.BEFORE_AFTER
    assert found.answer(Question.FREQUENCY).measures[0].change == pytest.approx(0.5)
    assert {answer.reason for answer in found.answers} == {Reason.TOO_FEW, Reason.NOT_MEASURED}


def test_nobody_at_all_is_not_measured() -> None:
    known = history([], customers=0, days=(T0 - 260, T0 + DAYS))
    found = compare(*split(known, T0), replace(PLAN, tier=Tier.STANDARD, selection=Selection.EVERYONE))
    assert {(answer.verdict, answer.reason) for answer in found.answers} == {(Verdict.NO_EVIDENCE, Reason.NOT_MEASURED)}
    assert found.groups.treated == 0


def _effects(known: History, treated: np.ndarray[Any, Any]) -> dict[Measure, Any]:
    everyone = panel(known, BASELINE.first, np.ones(known.customers, dtype=np.bool_))
    sides = matching.Sides(everyone, treated)
    measures = (Measure.FREQUENCY, Measure.SIZE)
    found = matching.effects(known, BASELINE, Windows(BASELINE, AFTER), sides, measures, Resampling(400, 50, 1))
    return {effect.measure: effect for effect in found}
