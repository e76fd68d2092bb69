"""CDNOW sold compact discs and did nothing at the turn of 1998: whoever finds something there is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import Flag, Method, Overall, Reason, Verdict
from domain.initiatives.plans import MeasurementKind, Plan, Question, Selection, Tier
from tests.domain.initiatives.histories import GO_LIVE, MEASURED, cdnow, split

if TYPE_CHECKING:
    from domain.initiatives.findings import Comparison, MeasureAnswer

pytestmark = pytest.mark.shared

FINAL = Plan(go_live=GO_LIVE, baseline_days=181, measured_on=MEASURED, tier=Tier.STANDARD, seed=7)
QUIET = replace(FINAL, draws=200)
"""With fewer draws, where nothing hangs on their number."""


@pytest.fixture(scope="module")
def final() -> Comparison:
    return compare(*split(cdnow(), GO_LIVE), FINAL)


def test_the_second_half_of_1997_beside_the_first_of_1998() -> None:
    plan = replace(QUIET, baseline_days=184, kind=MeasurementKind.PRELIMINARY)
    found = compare(*split(cdnow(), GO_LIVE), plan)
    before, after = found.figures_baseline, found.figures_after
    assert (before.active_customers, after.active_customers) == (6_421, 5_374)
    assert (before.occasions, after.occasions) == (14_705, 12_272)
    assert _rounded(before.occasions_per_active, after.occasions_per_active, digits=3) == (2.290, 2.284)
    assert _rounded(before.size, after.size) == (4_034, 3_880)
    assert _rounded(before.units_per_occasion, after.units_per_occasion, digits=2) == (2.73, 2.68)
    assert _rounded(before.repeat_rate, after.repeat_rate, digits=3) == (0.492, 0.493)
    assert found.retained == 3_463
    assert found.overall is None
    assert found.before.days == found.after.days == 181
    start = found.starting_point
    assert start
    assert (start.baseline.numerator, start.baseline.denominator) == (2_470, 15_550)
    assert (start.after.numerator, start.after.denominator) == (1_026, 13_080)
    assert (start.verdict, start.reason) == (Verdict.NO_EVIDENCE, Reason.PLACEBO)


def test_181_days_before_and_after(final: Comparison) -> None:
    assert (final.figures_before.occasions, final.figures_after.occasions) == (14_456, 12_272)
    assert (final.figures_before.active_customers, final.figures_after.active_customers) == (6_350, 5_374)
    assert _rounded(final.figures_before.size, final.figures_after.size) == (4_037, 3_880)
    frequency, size = _measure(final, Question.FREQUENCY), _measure(final, Question.SIZE)
    assert _percents(frequency.change, size.change) == (-15.1, -3.9)
    assert frequency.interval
    assert size.interval
    assert (frequency.interval.low, frequency.interval.high) == pytest.approx((-0.176, -0.127), abs=0.002)
    assert (size.interval.low, size.interval.high) == pytest.approx((-0.063, -0.014), abs=0.002)


def test_seven_fake_go_lives_move_as_much(final: Comparison) -> None:
    assert final.battery
    assert final.battery.days == 90
    assert [date.fromordinal(day).isoformat() for day in final.battery.go_lives] == [
        "1997-10-03", "1997-09-03", "1997-08-04", "1997-07-05", "1997-06-05", "1997-05-06", "1997-04-06",
    ]  # fmt: skip
    frequency, size = _measure(final, Question.FREQUENCY).placebo, _measure(final, Question.SIZE).placebo
    assert frequency
    assert size
    assert _percents(*frequency.changes) == (1.8, -7.5, -21.2, -21.5, -23.0, -29.8, -37.0)
    assert _percents(frequency.low, frequency.high, frequency.at_go_live) == (-37.0, 1.8, -9.1)
    assert _percents(size.low, size.high, size.at_go_live) == (-4.7, 5.8, -2.2)


def test_nothing_is_claimed(final: Comparison) -> None:
    assert {answer.question: answer.reason for answer in final.answers} == {
        Question.FREQUENCY: Reason.PLACEBO,
        Question.RECENCY: Reason.PLACEBO,
        Question.SIZE: Reason.PLACEBO,
        Question.SERVICE_COST: Reason.NOT_MEASURED,
        Question.RESPONSE: Reason.NOT_MEASURED,
        Question.ACQUISITION_AND_RETENTION: Reason.NOT_MEASURED,
    }
    assert {answer.verdict for answer in final.answers} == {Verdict.NO_EVIDENCE}
    assert final.overall is Overall.NO_EVIDENCE
    assert final.flags == (Flag.SEASONALITY,)


def test_the_same_input_gives_the_same_bytes_and_they_read_back() -> None:
    found, again = (compare(*split(cdnow(), GO_LIVE), QUIET) for _ in range(2))
    written = msgspec.json.encode(found)
    assert msgspec.json.encode(again) == written
    assert msgspec.json.decode(written, type=type(found)) == found


def test_quick_shows_a_change_and_no_verdict() -> None:
    found = compare(*split(cdnow(), GO_LIVE), replace(QUIET, tier=Tier.QUICK))
    frequency = _measure(found, Question.FREQUENCY)
    assert _percents(frequency.change) == (-15.1,)
    assert frequency.placebo
    assert (frequency.interval, frequency.verdict, frequency.reason, frequency.detectable) == (None, None, None, None)
    assert {answer.verdict for answer in found.answers} == {None}
    assert (found.overall, found.returns) == (None, None)


def test_the_interrupted_series_finds_nothing() -> None:
    found = compare(*split(cdnow(), GO_LIVE), replace(QUIET, tier=Tier.RIGOROUS))
    assert found.method is Method.TIME_SERIES
    assert {answer.verdict for answer in found.answers} == {Verdict.NO_EVIDENCE}
    assert {answer.reason for answer in found.answers} == {Reason.TOO_SMALL, Reason.NOT_MEASURED}
    assert found.overall is Overall.NO_EVIDENCE


def test_the_best_customers_have_nobody_like_them() -> None:
    bought = _bought_in_the_second_half()
    best = np.lexsort((np.arange(len(bought)), -bought))[: -(-int((bought >= 1).sum()) // 10)]
    found = compare(*split(cdnow(), GO_LIVE), _for(best))
    assert found.method is Method.MATCHED
    assert found.groups.matched is not None
    assert found.groups.matched < 0.8 * found.groups.treated
    assert _reasons(found) == {Reason.NO_OVERLAP, Reason.NOT_MEASURED}
    assert found.overall is Overall.NO_EVIDENCE


def test_repeat_purchasers_of_the_baseline_fall_by_themselves() -> None:
    repeat = np.flatnonzero(_bought_in_the_second_half() >= 2)
    plan = replace(_for(repeat), tier=Tier.STANDARD, selection=Selection.SEGMENT, selected_on=GO_LIVE)
    found = compare(*split(cdnow(), GO_LIVE), replace(plan, baseline_days=184, draws=2_000))
    frequency = _measure(found, Question.FREQUENCY)
    assert frequency.interval
    assert _percents(frequency.change) == (-38.5,)
    assert (frequency.interval.low, frequency.interval.high) == pytest.approx((-0.408, -0.359), abs=0.004)
    assert Flag.SELECTED_ON_BASELINE in found.flags
    assert _reasons(found) == {Reason.SELECTED_ON_BASELINE, Reason.NOT_MEASURED}
    assert found.starting_point
    assert found.starting_point.verdict is Verdict.NO_EVIDENCE
    assert found.overall is Overall.NO_EVIDENCE


def _for(customers: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Plan:
    treated = np.zeros(cdnow().customers, dtype=np.bool_)
    treated[customers] = True
    return replace(QUIET, tier=Tier.RIGOROUS, treated=treated, selection=Selection.LIST, selected_on=GO_LIVE)


def _bought_in_the_second_half() -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    known = cdnow()
    rows = (known.day >= date(1997, 7, 1).toordinal()) & (known.day < GO_LIVE)
    return np.bincount(known.customer[rows], minlength=known.customers)


def _measure(found: Comparison, question: Question) -> MeasureAnswer:
    return found.answer(question).measures[0]


def _reasons(found: Comparison) -> set[Reason | None]:
    return {answer.reason for answer in found.answers}


def _rounded(*values: float | None, digits: int = 0) -> tuple[float, ...]:
    return tuple(round(value or 0.0, digits) for value in values)


def _percents(*fractions: float | None) -> tuple[float, ...]:
    return tuple(round(100 * (fraction or 0.0), 1) for fraction in fractions)
