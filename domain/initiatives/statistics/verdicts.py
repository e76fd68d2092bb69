"""What may be said of the changes that were found: verdicts per question, and one over all."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

from msgspec import structs

from domain.initiatives.findings import (
    Detectable,
    MeasureAnswer,
    Overall,
    QuestionAnswer,
    Reason,
    Verdict,
)
from domain.initiatives.plans import MeasurementKind, Tier
from domain.initiatives.statistics.battery import passes
from domain.initiatives.statistics.effects import MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from domain.initiatives.findings import Measure
    from domain.initiatives.plans import Plan, Question
    from domain.initiatives.statistics.bootstrap import Spread
    from domain.initiatives.statistics.effects import Effect

ERROR = 0.05
POWER = 0.8


def judge(effects: Sequence[Effect], plan: Plan) -> tuple[QuestionAnswer, ...]:
    """The answers to the questions of a plan, in their order."""
    sealed = {one for question in plan.questions if question not in plan.exploratory for one in MEASURES[question]}
    levels = holm([effect for effect in effects if effect.measure in sealed])
    found = {effect.measure: effect for effect in effects}
    return tuple(
        _answer(question, [found[one] for one in MEASURES[question]], levels, plan) for question in plan.questions
    )


def holm(effects: Sequence[Effect]) -> Mapping[Measure, float]:
    """At which level each interval is judged, so that all answers together err in at most 5 of 100 cases.

    Holm, Scandinavian Journal of Statistics 6 (1979): the surest first at 5 % / m, the next at 5 % / (m - 1), until one
    includes zero; those left are judged like that one.
    """
    known = sorted((spread.p_value, measure, spread) for measure, spread in _spreads(effects))
    levels, share = {}, len(known)
    for _, measure, spread in known:
        levels[measure] = 1 - ERROR / share
        if spread.interval(levels[measure]).excludes(0):
            share = max(1, share - 1)
    return levels


def overall(answers: Sequence[QuestionAnswer], plan: Plan) -> Overall | None:
    """The verdict over all questions, of the FINAL measurement alone: who looks often finds something by chance."""
    if plan.kind is not MeasurementKind.FINAL or plan.tier is Tier.QUICK:
        return None
    better = any(answer.verdict is Verdict.BETTER for answer in answers)
    worse = any(answer.verdict is Verdict.WORSE for answer in answers)
    if better and worse:
        return Overall.MIXED
    if better:
        return Overall.GOOD_FIT
    return Overall.SWITCH if worse else Overall.NO_EVIDENCE


def reason_against(effect: Effect, level: float, minimum: float) -> Reason | None:
    """Why a change is no evidence; none when it is."""
    if effect.blocked or effect.change is None or effect.spread is None:
        return effect.blocked or Reason.NOT_MEASURED
    if not effect.spread.interval(level).excludes(0) or abs(effect.change) < minimum:
        return Reason.TOO_SMALL
    return Reason.PLACEBO if effect.placebo and not passes(effect.placebo, effect.change) else None


def detectable(effect: Effect, level: float, minimum: float) -> Detectable | None:
    """The smallest changes that four measurements out of five would have called evidence; none where nothing could."""
    if effect.spread is None or effect.blocked:
        return None
    power = NormalDist().inv_cdf(POWER) * effect.spread.error
    seen = max(minimum, NormalDist().inv_cdf((1 + level) / 2) * effect.spread.error + power)
    rise = fall = seen
    if effect.placebo is not None:
        rise, fall = max(seen, effect.placebo.high + power), max(seen, power - effect.placebo.low)
    return Detectable(rise, fall if fall <= 1 else None)


def _answer(question: Question, effects: list[Effect], levels: Mapping[Measure, float], plan: Plan) -> QuestionAnswer:
    minimum = plan.minimum_effect(question)
    exploratory = question in plan.exploratory
    silent, told = plan.tier is Tier.QUICK or exploratory, Reason.EXPLORATORY if exploratory else None
    measures = tuple(
        _measure(effect, levels.get(effect.measure, 1 - ERROR), minimum, silent=silent) for effect in effects
    )
    if silent:
        measures = tuple(structs.replace(each, reason=told) for each in measures)
        return QuestionAnswer(question, None, told, minimum, measures)
    return QuestionAnswer(question, *_together(measures), minimum, measures)


def _measure(effect: Effect, level: float, minimum: float, *, silent: bool) -> MeasureAnswer:
    reason = reason_against(effect, level, minimum)
    shown = None if silent else effect.spread
    return MeasureAnswer(
        measure=effect.measure,
        before=effect.before,
        after=effect.after,
        expected=effect.expected,
        change=effect.change,
        absolute=_absolute(effect),
        interval=None if shown is None else shown.interval(),
        judged_interval=None if shown is None else shown.interval(level),
        placebo=effect.placebo,
        pre_trend=effect.pre_trend,
        verdict=None if silent else _verdict(effect, reason),
        reason=None if silent else reason,
        detectable=None if silent else detectable(effect, level, minimum),
    )


def _absolute(effect: Effect) -> float | None:
    compared = effect.before.value if effect.expected is None else effect.expected
    return None if effect.after.value is None or compared is None else effect.after.value - compared


def _verdict(effect: Effect, reason: Reason | None) -> Verdict:
    if reason or effect.change is None:
        return Verdict.NO_EVIDENCE
    rose = effect.change > 0
    return Verdict.BETTER if rose == effect.measure.higher_is_better else Verdict.WORSE


def _together(measures: tuple[MeasureAnswer, ...]) -> tuple[Verdict, Reason | None]:
    """What several measures say of their question: one is enough unless another says the opposite."""
    found = {measure.verdict for measure in measures} - {Verdict.NO_EVIDENCE, None}
    if len(found) > 1:
        return Verdict.NO_EVIDENCE, Reason.OPPOSED
    if found:
        return found.pop() or Verdict.NO_EVIDENCE, None
    told = [measure.reason for measure in measures if measure.reason is not Reason.NOT_MEASURED]
    return Verdict.NO_EVIDENCE, told[0] if told else Reason.NOT_MEASURED


def _spreads(effects: Sequence[Effect]) -> Iterator[tuple[Measure, Spread]]:
    return ((effect.measure, effect.spread) for effect in effects if effect.spread is not None)
