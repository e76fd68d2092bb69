"""What a method found of one measure, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs

from domain.initiatives.findings import Measure, Ratio, Reason
from domain.initiatives.plans import Question
from domain.initiatives.statistics.bootstrap import Draws
from domain.initiatives.statistics.tallies import RATIOS, Column, are_unrated, change, value

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    found = plain_change(measure, before, after)
    blocked = missing(measure, (before, after)) or too_few(measure, (before, after), found, drawn)
    if blocked:
        return Effect(measure, old, new, change=_known(found), blocked=blocked)
    return Effect(measure, old, new, change=found, spread=Draws.of(drawn))


def plain_change(measure: Measure, before: Amounts, after: Amounts) -> float:
    """The change between rows of columns; NaN where it is unknown, also since too much waits for a rate."""
    old, new = before.sum(axis=0), after.sum(axis=0)
    return float("nan") if _unrated(measure, (old, new)) else float(change(measure, old, new))


def ratio(measure: Measure, rows: Amounts) -> Ratio:
    """The value of the measure over rows of columns, with what it is made of and on how many rows it rests."""
    numerator, denominator, _ = RATIOS[measure]
    sums = rows.sum(axis=0)
    found = None if _unrated(measure, (sums,)) else _known(float(value(measure, sums)))
    return Ratio(found, float(sums[numerator]), float(sums[denominator]), int((rows[:, denominator] > 0).sum()))


def missing(measure: Measure, sides: tuple[Amounts, ...]) -> Reason | None:
    """NOT_MEASURED where nothing is known: unknown is not zero. No purchase is known; no cost and no mailing is not.

    NO_RATE where too much of any side waits for an exchange rate.
    """
    if _unrated(measure, [side.sum(axis=0) for side in sides]):
        return Reason.NO_RATE
    happens = [side[:, _HAPPENS[measure]].any() for side in sides]
    unknown = not any(happens) if _HAPPENS[measure] is Column.OCCASIONS else not all(happens)
    return Reason.NOT_MEASURED if unknown else None


def too_few(measure: Measure, sides: tuple[Amounts, Amounts], found: float, drawn: Amounts) -> Reason | None:
    """TOO_FEW where too few customers tell anything, or the change cannot be told in too many of the draws."""
    happened = (sides[0][:, _HAPPENS[measure]] != 0) | (sides[1][:, _HAPPENS[measure]] != 0)
    told = np.isfinite(drawn).mean() >= LEAST_KNOWN_DRAWS and np.isfinite(found)
    return None if told and happened.sum() >= FEWEST_CUSTOMERS else Reason.TOO_FEW


def without_rate(effect: Effect) -> Effect:
    """What is left of an effect when too much of what it is made of waits for an exchange rate: no figure."""
    before, after = (structs.replace(side, value=None) for side in (effect.before, effect.after))
    return Effect(effect.measure, before, after, blocked=Reason.NO_RATE)


def _unrated(measure: Measure, sums: Iterable[Amounts]) -> bool:
    return measure is Measure.SIZE and any(bool(are_unrated(side)) for side in sums)


def _known(found: float) -> float | None:
    return found if np.isfinite(found) else None
