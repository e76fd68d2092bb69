"""Where a figure is worse than it was or than elsewhere, and what that is worth: windows of opportunity."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

FALSE_DISCOVERIES = 0.1
FEWEST_CUSTOMERS = 30


@dataclass(frozen=True, slots=True)
class Cell:
    """The latest monitoring value of a metric for the customers of a segment or stage, beside their own baseline.

    `worth` is what one unit of the metric brings per customer, in minor units (the margin). Errors are standard errors.
    """

    group: str
    metric: str
    higher_is_better: bool
    customers: int
    value: float
    error: float
    baseline: float | None
    baseline_error: float | None
    worth: float


class Opportunity(msgspec.Struct, frozen=True):
    """A cell that is worse than its own baseline or than the other cells; `at_stake` is in minor units, 0 or more."""

    group: str
    metric: str
    customers: int
    value: float
    baseline: float | None
    others: float | None
    worse_than_baseline: bool
    worse_than_others: bool
    p_value: float
    at_stake: float


def opportunities(cells: Sequence[Cell]) -> tuple[Opportunity, ...]:
    """The cells that are worse, at most one in ten of them by chance, those with the most money at stake first.

    At stake is customers x gap to the mean of all cells of the metric x worth. Cells of fewer than 30 customers are
    left out. Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995).
    """
    large = [cell for cell in cells if cell.customers >= FEWEST_CUSTOMERS]
    found = sorted((_opportunity(cell, large) for cell in large), key=lambda one: one.p_value)
    return tuple(sorted(_discovered(found), key=lambda one: (-one.at_stake, one.p_value, one.group, one.metric)))


def _discovered(found: list[Opportunity]) -> list[Opportunity]:
    """As many of the smallest p-values as keep false discoveries at 10 %."""
    kept = [place for place, one in enumerate(found, 1) if one.p_value <= FALSE_DISCOVERIES * place / len(found)]
    return found[: max(kept, default=0)]


def _opportunity(cell: Cell, cells: list[Cell]) -> Opportunity:
    same = [one for one in cells if one.metric == cell.metric]
    others = _mean([one for one in same if one is not cell])
    by_baseline = _worse(cell, cell.baseline, cell.baseline_error)
    by_others = _worse(cell, *others) if others else 1.0
    mean = _mean(same)
    gap = _shortfall(cell, mean[0]) if mean else 0.0
    return Opportunity(
        group=cell.group,
        metric=cell.metric,
        customers=cell.customers,
        value=cell.value,
        baseline=cell.baseline,
        others=others[0] if others else None,
        worse_than_baseline=by_baseline <= FALSE_DISCOVERIES / 2,
        worse_than_others=by_others <= FALSE_DISCOVERIES / 2,
        # Two looks at the same cell: the better of both, doubled.
        p_value=min(1.0, 2 * min(by_baseline, by_others)),
        at_stake=max(0.0, cell.customers * gap * cell.worth),
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
    return reference - cell.value if cell.higher_is_better else cell.value - reference
