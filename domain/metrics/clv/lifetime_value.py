"""What expected purchases are worth: monthly flows of money, discounted, less what customers cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.core.problems import Invalid
from domain.metrics.clv import bgnbd, mbgnbd, pnbd
from domain.metrics.clv.fitting import WEEKS_PER_MONTH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from domain.metrics.clv.fitting import BuyingModel, Numbers

MODELS: Mapping[str, BuyingModel] = {model.KIND: model for model in (mbgnbd, pnbd, bgnbd)}
"""The models of buying, by their kind; the first one is the default."""

MOST_MONTHS = 60
"""The longest horizon."""

GONE_BELOW = 0.5
"""A customer whose probability of being alive is below this has churned."""


class NoChurnFromThisModel(ValueError):
    """BG/NBD says nothing of churn: to it, whoever bought once is alive for ever. Use MBG/NBD or Pareto/NBD."""


class AssumptionOutOfRange(Invalid):
    """The horizon is 1 to 60 months, the margin 0 to 1, the discount 0 to under 10 a year, a cost never below 0."""


@dataclass(frozen=True)
class Assumptions:
    """How far a prediction looks, which share of net revenue stays, and what a year discounts.

    `monthly_cost` is what keeping a customer costs a month, in minor units. Raises AssumptionOutOfRange.
    """

    horizon_months: int = 36
    margin: float = 1.0
    discount: float = 0.10
    monthly_cost: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.horizon_months <= MOST_MONTHS:
            raise AssumptionOutOfRange(path=("horizonMonths",))
        if not 0 <= self.margin <= 1:
            raise AssumptionOutOfRange(path=("margin",))
        if not 0 <= self.discount < 10:
            raise AssumptionOutOfRange(path=("discount",))
        if not self.monthly_cost >= 0:
            raise AssumptionOutOfRange(path=("monthlyCost",))

    @property
    def monthly_rate(self) -> float:
        """(1 + d)^(1/12) - 1: twelve months of it discount as one year does."""
        return float((1 + self.discount) ** (1 / 12) - 1)

    @property
    def horizon_weeks(self) -> float:
        """The horizon in weeks."""
        return self.horizon_months * WEEKS_PER_MONTH

    @property
    def factors(self) -> Numbers:
        """What money of each month, counted from 1, is worth today."""
        return (1 + self.monthly_rate) ** -np.arange(1.0, self.horizon_months + 1)


def present_value(flows: Any, assumptions: Assumptions, customers: int = 1) -> Numbers:
    """The sum over months of (flow x margin - cost) / (1 + rate)^month; months are the last axis of `flows`.

    The flows are those of so many customers together, each of whom costs what one does.
    """
    ahead = np.asarray(flows, dtype=np.float64)[..., : assumptions.horizon_months]
    value: Numbers = (ahead * assumptions.margin - assumptions.monthly_cost * customers) @ assumptions.factors
    return value


def present_value_of_future(flows: Any, per_month: float, assumptions: Assumptions) -> Numbers:
    """What the customers are worth who are yet to come, so many a month, up to the horizon.

    `flows` are those of one of them: at the first purchase, and in each month after it. What it costs to win them is
    not taken off: that is the cost of acquisition, a figure of its own.
    """
    each = np.asarray(flows, dtype=np.float64)
    months = assumptions.horizon_months
    # Whoever comes in month k has been there for t - k months in month t: all who have come add up to a running sum.
    together = np.cumsum(each[..., :months], axis=-1) * per_month
    costs = assumptions.monthly_cost * per_month * np.arange(months)
    value: Numbers = (together * assumptions.margin - costs) @ assumptions.factors
    return value


def has_churned(kind: str, p_alive: Any, below: float = GONE_BELOW) -> Any:
    """Whether customers count as churned: alive with less than this probability. Raises NoChurnFromThisModel."""
    if kind == bgnbd.KIND:
        raise NoChurnFromThisModel
    return np.asarray(p_alive) < below


def monthly(expected: Callable[[float], Numbers], months: int = MOST_MONTHS) -> Numbers:
    """What is expected in each of the months to come, from a function that says what is in the weeks up to a moment.

    The function is asked at eight moments only and followed between them by the polynomial through these, on a scale
    on which it is nearly straight: within 0.02 % of every month's figure over five years.
    """
    moments, weights = _nodes(months)
    at_nodes = np.stack([expected(float(moment)) for moment in moments], axis=-1)
    each: Numbers = at_nodes @ weights
    return each


_NODES = 8
_BEND = 3 * WEEKS_PER_MONTH


@cache
def _nodes(months: int) -> tuple[Numbers, Numbers]:
    """The moments at which to ask, in weeks, and what each answer counts in each month."""
    from numpy.polynomial import chebyshev

    end = np.log1p(months * WEEKS_PER_MONTH / _BEND)
    roots = chebyshev.chebpts1(_NODES)
    moments = _BEND * np.expm1((roots + 1) / 2 * end)
    ends = np.log1p(np.arange(months + 1) * WEEKS_PER_MONTH / _BEND) / end * 2 - 1
    through = chebyshev.chebvander(ends, _NODES - 1) @ np.linalg.inv(chebyshev.chebvander(roots, _NODES - 1))
    # Nothing is bought in no time: the polynomial's own beginning is taken off.
    return moments, np.diff(through, axis=0).T
