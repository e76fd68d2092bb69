"""What a method found of one measure, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import Measure, Ratio, Reason
from domain.initiatives.plans import Question
from domain.initiatives.statistics.bootstrap import Draws
from domain.initiatives.statistics.tallies import RATIOS, Column, change, value

if TYPE_CHECKING:
    from domain.initiatives.findings import Placebo
    from domain.initiatives.history import Amounts
    from domain.initiatives.statistics.bootstrap import Spread

MEASURES = {
    Question.FREQUENCY: (Measure.FREQUENCY,),
    Question.RECENCY: (Measure.RECENCY,),
    Question.SIZE: (Measure.SIZE,),
    Question.SERVICE_COST: (Measure.SERVICE_COST,),
    Question.RESPONSE: (Measure.RESPONSE,),
    Question.ACQUISITION_AND_RETENTION: (Measure.ACQUISITION_COST, Measure.RETENTION_COST),
}

FEWEST_CUSTOMERS = 30
"""Below so many customers to whom anything happened no interval by drawing is to be trusted."""

LEAST_KNOWN_DRAWS = 0.95

_HAPPENS = {
    Measure.FREQUENCY: Column.OCCASIONS,
    Measure.RECENCY: Column.OCCASIONS,
    Measure.SIZE: Column.OCCASIONS,
    Measure.SERVICE_COST: Column.SERVICE_COST,
    Measure.RESPONSE: Column.DELIVERIES,
}
"""What has to happen to a customer to tell anything about the measure."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A change of one measure and how sure it is. `blocked` says why it cannot be judged, whatever its size."""

    measure: Measure
    before: Ratio
    after: Ratio
    expected: float | None = None
    change: float | None = None
    spread: Spread | None = None
    placebo: Placebo | None = None
    pre_trend: float | None = None
    blocked: Reason | None = None


def of_panel(measure: Measure, before: Amounts, after: Amounts, drawn: Amounts) -> Effect:
    """The plain change of a measure: `before` and `after` are (customers, columns), `drawn` the changes per draw."""
    old, new = ratio(measure, before), ratio(measure, after)
    found = float(change(measure, before.sum(axis=0), after.sum(axis=0)))
    blocked = missing(measure, (before, after)) or too_few(measure, (before, after), found, drawn)
    if blocked:
        return Effect(measure, old, new, change=_known(found), blocked=blocked)
    return Effect(measure, old, new, change=found, spread=Draws.of(drawn))


def ratio(measure: Measure, rows: Amounts) -> Ratio:
    """The value of the measure over rows of columns, with what it is made of and on how many rows it rests."""
    numerator, denominator, _ = RATIOS[measure]
    sums = rows.sum(axis=0)
    found = _known(float(value(measure, sums)))
    return Ratio(found, float(sums[numerator]), float(sums[denominator]), int((rows[:, denominator] > 0).sum()))


def missing(measure: Measure, sides: tuple[Amounts, ...]) -> Reason | None:
    """NOT_MEASURED where nothing is known: unknown is not zero. No purchase is known; no cost and no mailing is not."""
    happens = [side[:, _HAPPENS[measure]].any() for side in sides]
    unknown = not any(happens) if _HAPPENS[measure] is Column.OCCASIONS else not all(happens)
    return Reason.NOT_MEASURED if unknown else None


def too_few(measure: Measure, sides: tuple[Amounts, Amounts], found: float, drawn: Amounts) -> Reason | None:
    """TOO_FEW where too few customers tell anything, or the change cannot be told in too many of the draws."""
    happened = (sides[0][:, _HAPPENS[measure]] != 0) | (sides[1][:, _HAPPENS[measure]] != 0)
    told = np.isfinite(drawn).mean() >= LEAST_KNOWN_DRAWS and np.isfinite(found)
    return None if told and happened.sum() >= FEWEST_CUSTOMERS else Reason.TOO_FEW


def _known(found: float) -> float | None:
    return found if np.isfinite(found) else None
