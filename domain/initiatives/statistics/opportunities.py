"""Where a figure is worse than it was or than elsewhere, and what that is worth: windows of opportunity."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from domain.initiatives.findings import GainBasis, Measure, Opportunity, Reason
from domain.initiatives.statistics.contributions import service_waits
from domain.initiatives.statistics.effects import missing, ratio
from domain.initiatives.statistics.panel import grown
from domain.initiatives.statistics.tallies import RATIOS, tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from domain.initiatives.history import Amounts, History
    from domain.initiatives.plans import Group, GroupName
    from domain.initiatives.statistics.bootstrap import Indexes
    from domain.initiatives.statistics.panel import Panel
    from domain.initiatives.statistics.windows import Windows

FALSE_DISCOVERIES = 0.1
FEWEST_CUSTOMERS = 30


@dataclass(frozen=True, slots=True)
class Cell:
    """The latest value of a measure for the customers of a segment or stage, beside their own baseline.

    `worth` is what one unit of the measure brings per customer and year, in minor units (the margin), where it has a
    price; `basis` whether that is of sales, since their margin is not known. Errors are standard errors.
    """

    group: GroupName
    measure: Measure
    customers: int
    value: float
    error: float
    baseline: float | None
    baseline_error: float | None
    worth: float | None
    basis: GainBasis = GainBasis.CONTRIBUTION


def cells(
    history: History, windows: Windows, panel: Panel, groups: Sequence[Group], margin: float | None
) -> tuple[Cell, ...]:
    """The cells of all groups of a panel; `margin` is what share of a purchase stays, None where unknown."""
    before, after = (
        tally(history, span, windows.recency_cap)[panel.customers] for span in (windows.before, windows.after)
    )
    unknown = {Measure.SERVICE_COST} if service_waits(history, windows.before, windows.after) else set()
    measures = [measure for measure in RATIOS if measure not in unknown and not missing(measure, (before, after))]
    found = []
    for group in groups:
        inside = grown(group.members, history.customers)[panel.customers]
        found += [*_cells(group.name, measures, (before[inside], after[inside]), panel.unit[inside], margin)]
    return tuple(found)


def opportunities(found: Sequence[Cell]) -> tuple[Opportunity, ...]:
    """The cells that are worse, at most one in ten of them by chance, those with the most money at stake first.

    At stake is customers x gap to the mean of all cells of the measure x worth. Cells of fewer than 30 customers are
    left out. Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995).
    """
    large = [cell for cell in found if cell.customers >= FEWEST_CUSTOMERS]
    judged = sorted((_opportunity(cell, large) for cell in large), key=lambda one: one.p_value)
    return tuple(sorted(_discovered(judged), key=_most_money_first))


def _most_money_first(one: Opportunity) -> tuple[float, float, str, str, str]:
    """What has no price comes last."""
    stake = -1.0 if one.at_stake is None else one.at_stake
    return (-stake, one.p_value, one.group.kind, one.group.key, one.measure)


def _cells(
    name: GroupName, measures: Sequence[Measure], sides: tuple[Amounts, Amounts], unit: Indexes, margin: float | None
) -> Iterator[Cell]:
    before, after = sides
    size, frequency = (ratio(measure, after).value for measure in (Measure.SIZE, Measure.FREQUENCY))
    for measure in measures:
        now, then = _estimate(measure, after, unit), _estimate(measure, before, unit)
        if now is not None and missing(measure, sides) is not Reason.NO_RATE:
            yield Cell(
                name, measure, now.customers, now.value, now.error, then and then.value, then and then.error,
                worth=_worth(measure, size, frequency, 1.0 if margin is None else margin),
                basis=GainBasis.NET_REVENUE if margin is None else GainBasis.CONTRIBUTION,
            )  # fmt: skip


class _Estimate(NamedTuple):
    value: float
    error: float
    customers: int


def _estimate(measure: Measure, rows: Amounts, unit: Indexes) -> _Estimate | None:
    """A ratio of sums with its standard error by linearisation over units, and of how many customers it tells."""
    numerator, denominator, factor = RATIOS[measure]
    known = rows[:, denominator] > 0
    divisor = float(rows[known, denominator].sum())
    if not divisor:
        return None
    found = factor * float(rows[known, numerator].sum()) / divisor
    residuals = factor * rows[known, numerator] - found * rows[known, denominator]
    _, of = np.unique(unit[known], return_inverse=True)
    by_unit = np.bincount(of, residuals)
    small_sample = len(by_unit) / max(1, len(by_unit) - 1)
    return _Estimate(found, sqrt(small_sample * float(by_unit @ by_unit)) / divisor, int(known.sum()))


def _worth(measure: Measure, size: float | None, frequency: float | None, margin: float) -> float | None:
    """What one unit of a measure is worth: a purchase its margin, money at each purchase that of a year's."""
    if measure is Measure.SERVICE_COST:
        return 1.0
    of = {Measure.FREQUENCY: size, Measure.SIZE: frequency}.get(measure)
    return None if of is None else of * margin


def _discovered(found: list[Opportunity]) -> list[Opportunity]:
    """As many of the smallest p-values as keep false discoveries at 10 %."""
    kept = [place for place, one in enumerate(found, 1) if one.p_value <= FALSE_DISCOVERIES * place / len(found)]
    return found[: max(kept, default=0)]


def _opportunity(cell: Cell, cells: list[Cell]) -> Opportunity:
    same = [one for one in cells if one.measure == cell.measure]
    others = _mean([one for one in same if one is not cell])
    by_baseline = _worse(cell, cell.baseline, cell.baseline_error)
    by_others = _worse(cell, *others) if others else 1.0
    mean = _mean(same)
    gap = _shortfall(cell, mean[0]) if mean else 0.0
    return Opportunity(
        group=cell.group,
        measure=cell.measure,
        customers=cell.customers,
        value=cell.value,
        baseline=cell.baseline,
        others=others[0] if others else None,
        worse_than_baseline=by_baseline <= FALSE_DISCOVERIES / 2,
        worse_than_others=by_others <= FALSE_DISCOVERIES / 2,
        # Two looks at the same cell: the better of both, doubled.
        p_value=min(1.0, 2 * min(by_baseline, by_others)),
        at_stake=None if cell.worth is None else max(0.0, cell.customers * gap * cell.worth),
        basis=cell.basis,
    )


def _mean(cells: list[Cell]) -> tuple[float, float] | None:
    """The mean of cells by their customers, with its standard error."""
    size = sum(cell.customers for cell in cells)
    if not size:
        return None
    mean = sum(cell.customers * cell.value for cell in cells) / size
    return mean, sqrt(sum((cell.customers * cell.error) ** 2 for cell in cells)) / size


def _worse(cell: Cell, reference: float | None, error: float | None) -> float:
    """How often chance alone makes a cell as much worse than its reference, seen from one side."""
    spread = sqrt(cell.error**2 + (error or 0.0) ** 2)
    if reference is None or not spread:
        return 1.0
    return NormalDist().cdf(-_shortfall(cell, reference) / spread)


def _shortfall(cell: Cell, reference: float) -> float:
    """By how much the cell is worse; below zero where it is better."""
    return reference - cell.value if cell.measure.higher_is_better else cell.value - reference
