"""Did a weekly series jump or turn at the go-live: interrupted time series, for initiatives that reached everyone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import Measure, Reason, Span
from domain.initiatives.statistics.bootstrap import Normal
from domain.initiatives.statistics.effects import Effect, missing, ratio, too_few
from domain.initiatives.statistics.tallies import RATIOS, tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.initiatives.history import Amounts, History
    from domain.initiatives.statistics.panel import Panel
    from domain.initiatives.statistics.windows import Windows

DAYS_OF_WEEK = 7
FEWEST_WEEKS = 24
HAC_LAG = 4


@dataclass(frozen=True, slots=True)
class Interruption:
    """What the weeks after a go-live came to on average, what they were to come to, and how sure the change is."""

    actual: float
    expected: float
    change: float
    error: float


def weeks_on_each_side(windows: Windows) -> tuple[int, int]:
    """How many whole weeks there are before and after."""
    return windows.before.days // DAYS_OF_WEEK, windows.after.days // DAYS_OF_WEEK


def long_enough(windows: Windows) -> bool:
    """Whether both sides have the weeks that a series needs."""
    return min(weeks_on_each_side(windows)) >= FEWEST_WEEKS


def effects(history: History, windows: Windows, panel: Panel, measures: Sequence[Measure]) -> list[Effect]:
    """The average change of each measure after the go-live against the line of the weeks before it."""
    before, after = (
        tally(history, span, windows.recency_cap)[panel.customers] for span in (windows.before, windows.after)
    )
    series = weekly(history, windows, panel)
    return [_effect(measure, before, after, series, weeks_on_each_side(windows)[0]) for measure in measures]


def changes(
    history: History, windows: Windows, panel: Panel, measures: Sequence[Measure]
) -> dict[Measure, float | None]:
    """The same as bare fractions: what the method finds at a fake go-live."""
    series = weekly(history, windows, panel)
    before = weeks_on_each_side(windows)[0]
    sides = series[:before], series[before:]
    known = [measure for measure in measures if missing(measure, sides) is not Reason.NO_RATE]
    found = {measure: _change(interruption(of_measure(measure, series), before)) for measure in known}
    return dict.fromkeys(measures) | found


def weekly(history: History, windows: Windows, panel: Panel) -> Amounts:
    """The panel's columns week by week, counted from the go-live both ways: (weeks, columns)."""
    before, after = weeks_on_each_side(windows)
    origin = windows.after.first
    spans = (Span(origin + DAYS_OF_WEEK * week, origin + DAYS_OF_WEEK * (week + 1)) for week in range(-before, after))
    return np.stack([tally(history, span, DAYS_OF_WEEK)[panel.customers].sum(axis=0) for span in spans])


def interruption(series: Amounts, before: int) -> Interruption | None:
    """Level and slope before the go-live, their changes after it, by least squares with Newey-West errors (lag 4).

    The change is that of the mean of all weeks after, as a fraction of the mean that the line of before comes to; its
    error follows by the delta method. Newey-West errors of half a year come out too small where a week says nothing of
    the next one, so the error is never taken to be smaller than the plain one. Null where the series has gaps or the
    line of before comes to nothing.
    """
    if not np.isfinite(series).all():
        return None
    design, fitted = _fit(series, before)
    residuals: Amounts = series - design @ fitted
    mean = design[before:, 1].mean()
    line, jump = np.array((1.0, mean, 0.0, 0.0)), np.array((0.0, 0.0, 1.0, mean))
    expected, effect = float(line @ fitted), float(jump @ fitted)
    if expected <= 0:
        return None
    gradient = jump / expected - line * effect / expected**2
    variances = (
        gradient @ covariance @ gradient for covariance in (newey_west(design, residuals), plain(design, residuals))
    )
    return Interruption(expected + effect, expected, effect / expected, sqrt(max(0.0, *map(float, variances))))


def line(series: Amounts, before: int) -> Amounts | None:
    """What each week after the go-live was to come to by the line of the weeks before; null where that is nothing."""
    if interruption(series, before) is None:
        return None
    design, fitted = _fit(series, before)
    found: Amounts = design[before:, :2] @ fitted[:2]
    return found


def newey_west(design: Amounts, residuals: Amounts) -> Amounts:
    """The covariance of least-squares coefficients under autocorrelation up to HAC_LAG weeks, Bartlett weights.

    With the small-sample factor n / (n - k). Newey and West, Econometrica 55 (1987).
    """
    size, coefficients = design.shape
    inverse = np.linalg.inv(design.T @ design)
    scores = design * residuals[:, np.newaxis]
    middle = scores.T @ scores
    for lag in range(1, HAC_LAG + 1):
        together = scores[lag:].T @ scores[:-lag]
        middle += (1 - lag / (HAC_LAG + 1)) * (together + together.T)
    found: Amounts = inverse @ middle @ inverse * size / (size - coefficients)
    return found


def plain(design: Amounts, residuals: Amounts) -> Amounts:
    """The covariance of least-squares coefficients where no week is like the one before it."""
    size, coefficients = design.shape
    found: Amounts = np.linalg.inv(design.T @ design) * float(residuals @ residuals) / (size - coefficients)
    return found


def _fit(series: Amounts, before: int) -> tuple[Amounts, Amounts]:
    """Level and slope of the weeks, counted from the go-live, and their changes after it: the design, and the fit."""
    week = np.arange(len(series)) - before
    since = (week >= 0).astype(np.float64)
    design: Amounts = np.stack((np.ones(len(series)), week, since, since * week), axis=1).astype(np.float64)
    fitted: Amounts = np.linalg.solve(design.T @ design, design.T @ series).astype(np.float64)
    return design, fitted


def _effect(measure: Measure, before: Amounts, after: Amounts, series: Amounts, weeks: int) -> Effect:
    plain = Effect(measure, ratio(measure, before), ratio(measure, after))
    found = interruption(of_measure(measure, series), weeks)
    change = found.change if found else float("nan")
    blocked = missing(measure, (before, after)) or too_few(measure, (before, after), change, series)
    if blocked or found is None:
        return replace(plain, blocked=blocked)
    return replace(plain, expected=found.expected, change=found.change, spread=Normal(found.change, found.error))


def of_measure(measure: Measure, series: Amounts) -> Amounts:
    """The measure week by week; NaN in a week without a denominator."""
    numerator, denominator, factor = RATIOS[measure]
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Amounts = np.where(
            series[:, denominator] > 0, factor * series[:, numerator] / series[:, denominator], np.nan
        )
    return found


def _change(found: Interruption | None) -> float | None:
    return found.change if found else None
