from __future__ import annotations

from dataclasses import replace

import pytest

from domain.initiatives.findings import Measure, Overall, Placebo, Ratio, Reason, Verdict
from domain.initiatives.plans import MeasurementKind, Plan, Question, Tier
from domain.initiatives.statistics.bootstrap import Normal
from domain.initiatives.statistics.effects import Effect
from domain.initiatives.statistics.verdicts import detectable, holm, judge, overall, reason_against

PLAN = Plan(go_live=1_000, baseline_days=100, measured_on=1_100, tier=Tier.STANDARD, seed=1)
ALL = tuple(Measure)


def effect(measure: Measure, change: float, error: float = 0.01, **more: object) -> Effect:
    plain = Effect(measure, Ratio(10.0, 100.0, 10.0, 10), Ratio(10.0 * (1 + change), 100.0, 10.0, 10))
    return replace(plain, change=change, spread=Normal(change, error), **more)


def test_the_surest_is_judged_most_strictly_and_the_first_that_fails_ends_it() -> None:
    found = holm([effect(Measure.FREQUENCY, 0.1), effect(Measure.SIZE, 0.02), effect(Measure.RECENCY, 0.015)])
    levels = {measure: round(1 - level, 4) for measure, level in found.items()}
    assert levels == {Measure.FREQUENCY: 0.0167, Measure.SIZE: 0.025, Measure.RECENCY: 0.025}


def test_measures_without_data_do_not_make_the_others_stricter() -> None:
    unknown = Effect(Measure.RESPONSE, Ratio(None, 0, 0, 0), Ratio(None, 0, 0, 0), blocked=Reason.NOT_MEASURED)
    assert holm([effect(Measure.FREQUENCY, 0.1), unknown]) == {Measure.FREQUENCY: 0.95}


@pytest.mark.parametrize(
    ("measure", "change", "verdict"),
    [
        (Measure.FREQUENCY, 0.1, Verdict.BETTER),
        (Measure.FREQUENCY, -0.1, Verdict.WORSE),
        (Measure.SIZE, 0.1, Verdict.BETTER),
        (Measure.RESPONSE, -0.1, Verdict.WORSE),
        (Measure.RECENCY, 0.1, Verdict.WORSE),
        (Measure.SERVICE_COST, -0.1, Verdict.BETTER),
    ],
)
def test_what_a_business_wishes_for_is_better(measure: Measure, change: float, verdict: Verdict) -> None:
    answers = _judged({measure: change})
    assert [answer.verdict for answer in answers if answer.measures[0].measure is measure] == [verdict]


def test_a_change_below_the_minimum_or_within_chance_is_too_small() -> None:
    assert reason_against(effect(Measure.SIZE, 0.019, 0.001), 0.95, 0.02) is Reason.TOO_SMALL
    assert reason_against(effect(Measure.SIZE, 0.1, 0.06), 0.95, 0.02) is Reason.TOO_SMALL
    assert reason_against(effect(Measure.SIZE, 0.1, 0.04), 0.95, 0.02) is None


@pytest.mark.parametrize(
    ("true", "passes"),
    [(0.06, True), (0.04, False), (-0.09, False), (0.05, False)],
)
def test_the_change_at_the_go_live_lies_beyond_all_fake_ones_on_its_own_side(true: float, passes: bool) -> None:
    found = effect(Measure.FREQUENCY, 0.1, placebo=Placebo((-0.08, 0.05, 0.01), true))
    assert reason_against(found, 0.95, 0.02) is (None if passes else Reason.PLACEBO)


def test_a_minimum_of_its_own_holds_for_a_question() -> None:
    plan = replace(PLAN, minimum_effects={Question.FREQUENCY: 0.2})
    answer = _judged({Measure.FREQUENCY: 0.1}, plan)[0]
    assert (answer.minimum_effect, answer.verdict, answer.reason) == (0.2, Verdict.NO_EVIDENCE, Reason.TOO_SMALL)


@pytest.mark.parametrize(
    ("winning", "keeping", "verdict", "reason"),
    [
        (-0.1, 0.0, Verdict.BETTER, None),
        (0.0, 0.1, Verdict.WORSE, None),
        (-0.1, -0.2, Verdict.BETTER, None),
        (-0.1, 0.1, Verdict.NO_EVIDENCE, Reason.OPPOSED),
        (0.0, 0.0, Verdict.NO_EVIDENCE, Reason.TOO_SMALL),
    ],
)
def test_winning_and_keeping_customers_answer_one_question(
    winning: float, keeping: float, verdict: Verdict, reason: Reason | None
) -> None:
    answer = _judged({Measure.ACQUISITION_COST: winning, Measure.RETENTION_COST: keeping})[-1]
    assert (answer.verdict, answer.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, Overall.NO_EVIDENCE),
        ({Measure.FREQUENCY: 0.1}, Overall.GOOD_FIT),
        ({Measure.FREQUENCY: -0.1}, Overall.SWITCH),
        ({Measure.FREQUENCY: 0.1, Measure.SIZE: -0.1}, Overall.MIXED),
    ],
)
def test_one_verdict_over_all_questions(changes: dict[Measure, float], said: Overall) -> None:
    assert overall(_judged(changes), PLAN) is said


def test_only_the_final_measurement_has_it_and_never_a_quick_one() -> None:
    answers = _judged({Measure.FREQUENCY: 0.1})
    assert overall(answers, replace(PLAN, kind=MeasurementKind.MONITORING)) is None
    assert overall(answers, replace(PLAN, kind=MeasurementKind.PRELIMINARY)) is None
    assert overall(answers, replace(PLAN, tier=Tier.QUICK)) is None


def test_what_was_asked_after_the_seal_gets_no_verdict() -> None:
    plan = replace(PLAN, exploratory=frozenset({Question.FREQUENCY}))
    answer = _judged({Measure.FREQUENCY: 0.1}, plan)[0]
    assert (answer.verdict, answer.reason, answer.measures[0].interval) == (None, Reason.EXPLORATORY, None)
    assert answer.measures[0].change == 0.1
    alone = replace(PLAN, questions=(Question.FREQUENCY, Question.SIZE), exploratory=frozenset({Question.FREQUENCY}))
    size = judge([effect(Measure.FREQUENCY, 0.1), effect(Measure.SIZE, 0.1)], alone)[1].measures[0]
    assert size.judged_interval == size.interval  # what was asked later makes nothing stricter


def test_the_smallest_change_that_would_have_been_seen() -> None:
    found = detectable(effect(Measure.SIZE, 0.0, 0.01), 0.95, 0.02)
    assert found
    assert (found.rise, found.fall) == pytest.approx(((1.96 + 0.8416) * 0.01,) * 2, abs=1e-4)
    small = detectable(effect(Measure.SIZE, 0.0, 0.001), 0.95, 0.02)
    assert small
    assert (small.rise, small.fall) == (0.02, 0.02)
    beside = detectable(effect(Measure.SIZE, 0.0, 0.01, placebo=Placebo((-0.3, 0.0, 0.01), 0.0)), 0.95, 0.02)
    assert beside
    assert beside.fall == pytest.approx(0.3 + 0.0084, abs=1e-4)
    assert detectable(effect(Measure.SIZE, 0.0, blocked=Reason.PLACEBO_IMPOSSIBLE), 0.95, 0.02) is None


def test_nothing_falls_by_more_than_everything() -> None:
    noisy = detectable(effect(Measure.SIZE, 0.0, 0.5), 0.95, 0.02)
    assert noisy
    assert (noisy.rise, noisy.fall) == (pytest.approx((1.96 + 0.8416) * 0.5, abs=1e-4), None)
    beside = detectable(effect(Measure.SIZE, 0.0, 0.1, placebo=Placebo((-0.95, 0.0, 0.01), 0.0)), 0.95, 0.02)
    assert beside
    assert (beside.rise, beside.fall) == (pytest.approx(0.2802, abs=1e-4), None)


def _judged(changes: dict[Measure, float], plan: Plan = PLAN) -> tuple:  # type: ignore[type-arg]
    return judge([effect(measure, changes.get(measure, 0.0), 0.005) for measure in ALL], plan)
