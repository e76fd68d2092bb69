"""Of those who had bought exactly once, how many came again: where measuring begins, and no more than that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import Measure, Ratio, Reason, Span, StartingPoint, Verdict
from domain.initiatives.history import NEVER
from domain.initiatives.plans import DEFAULT_MINIMUM_EFFECT, MeasurementKind, Tier
from domain.initiatives.statistics.battery import placebo
from domain.initiatives.statistics.bootstrap import Draws, Resampling
from domain.initiatives.statistics.effects import FEWEST_CUSTOMERS, Effect
from domain.initiatives.statistics.panel import selected_on_baseline
from domain.initiatives.statistics.tallies import total
from domain.initiatives.statistics.verdicts import ERROR, reason_against

if TYPE_CHECKING:
    from domain.initiatives.findings import Placebo
    from domain.initiatives.history import Amounts, History, Mask
    from domain.initiatives.plans import Plan
    from domain.initiatives.statistics.windows import Calendar, Windows


def starting_point(history: History, calendar: Calendar, scope: Mask, fakes: tuple[Windows, ...]) -> StartingPoint:
    """The share of one-time purchasers of the scope who bought again, with the placebo rule of the other questions."""
    plan, windows = calendar.plan, calendar.compared.equally_long
    present = scope & (history.erased_at == NEVER)
    rows = _rows(history, windows, present)
    effect = _effect(rows, history.unit, plan)
    true = calendar.at_go_live(fakes[0].after.days) if fakes else windows
    at_fakes = [_change(_rows(history, fake, present)) for fake in fakes]
    found = placebo(at_fakes, _change(_rows(history, true, present)))
    effect = replace(effect, placebo=found, blocked=effect.blocked or _blocked(plan, found))
    baseline = Span(plan.baseline_begins, plan.go_live)
    return _judged(effect, _ratio(_of(history, baseline, present)), plan)


def _blocked(plan: Plan, found: Placebo | None) -> Reason | None:
    if selected_on_baseline(plan):
        return Reason.SELECTED_ON_BASELINE
    return None if found else Reason.PLACEBO_IMPOSSIBLE


def _rows(history: History, windows: Windows, present: Mask) -> Amounts:
    """Per customer: came again and had bought once, before; the same two after."""
    return np.concatenate((_of(history, windows.before, present), _of(history, windows.after, present)), axis=1)


def _of(history: History, span: Span, present: Mask) -> Amounts:
    """Per customer: had bought exactly once when the span began and came again in it; had bought exactly once."""
    bought = history.occasions_before + total(history, Span(history.first, span.first), "occasions")
    once = present & (bought == 1)
    again = total(history, span, "occasions") > 0
    return np.stack((once & again, once), axis=1).astype(np.float64)


def _effect(rows: Amounts, unit: np.ndarray[tuple[int], np.dtype[np.int32]], plan: Plan) -> Effect:
    plain = Effect(Measure.FREQUENCY, _ratio(rows[:, :2]), _ratio(rows[:, 2:]), change=_change(rows))
    told = rows.any(axis=1)
    if min(plain.before.n, plain.after.n) < FEWEST_CUSTOMERS or plain.change is None:
        return replace(plain, blocked=Reason.TOO_FEW)
    names, of = np.unique(unit[told], return_inverse=True)
    drawn = Resampling(len(names), plan.draws, plan.seed).sums(rows[told], of)
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = (drawn[:, 2] / drawn[:, 3]) / (drawn[:, 0] / drawn[:, 1]) - 1
    return replace(plain, spread=Draws.of(changes))


def _ratio(rows: Amounts) -> Ratio:
    again, once = (float(one) for one in rows.sum(axis=0))
    return Ratio(again / once if once else None, again, once, int(once))


def _change(rows: Amounts) -> float | None:
    before, after = _ratio(rows[:, :2]).value, _ratio(rows[:, 2:]).value
    return after / before - 1 if before and after is not None else None


def _judged(effect: Effect, baseline: Ratio, plan: Plan) -> StartingPoint:
    exploratory = plan.kind is MeasurementKind.EXPLORATORY
    silent, told = plan.tier is Tier.QUICK or exploratory, Reason.EXPLORATORY if exploratory else None
    reason = reason_against(effect, 1 - ERROR, DEFAULT_MINIMUM_EFFECT)
    verdict = Verdict.BETTER if effect.change and effect.change > 0 else Verdict.WORSE
    return StartingPoint(
        baseline=baseline,
        before=effect.before,
        after=effect.after,
        change=effect.change,
        interval=None if silent or effect.spread is None else effect.spread.interval(),
        placebo=effect.placebo,
        verdict=None if silent else Verdict.NO_EVIDENCE if reason else verdict,
        reason=told if silent else reason,
    )
