"""How sure a value is: the same computed with parameters as they might have been, and the range of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.clv import gamma_gamma
from domain.metrics.clv.lifetime_value import MOST_MONTHS, monthly, present_value

if TYPE_CHECKING:
    from domain.metrics.clv.fitting import BuyingModel, Fit, Numbers
    from domain.metrics.clv.lifetime_value import Assumptions

DRAWS = 200
LOW, HIGH = 2.5, 97.5
_CHUNK = 500
_LEAST_SHAPE = 1.01


@dataclass(frozen=True)
class Customers:
    """The purchase history of each customer, and the mean amount of the repeat occasions (0 without any)."""

    x: Numbers
    t_x: Numbers
    T: Numbers
    mean: Numbers

    def __len__(self) -> int:
        return len(self.x)

    def some(self, which: Any) -> Customers:
        """These of them."""
        return Customers(self.x[which], self.t_x[which], self.T[which], self.mean[which])

    def histories(self) -> tuple[tuple[Numbers, ...], Any]:
        """Each history once, as x, t_x and T, and which of them each customer has."""
        unique, which = np.unique(np.stack([self.x, self.t_x, self.T]), axis=1, return_inverse=True)
        return tuple(unique), which.reshape(-1)


@dataclass(frozen=True)
class Flows:
    """Money by month: as expected, and once for each draw of the parameters."""

    point: Numbers
    draws: Numbers


@dataclass(frozen=True)
class Values:
    """What each customer is worth, with the range of it, and the flows of all of them together."""

    predictive: Numbers
    low: Numbers
    high: Numbers
    current: Flows


@dataclass(frozen=True)
class Fitted:
    """A model of buying and one of spending, with their draws."""

    model: BuyingModel
    buying: Any
    spending: Any
    buying_draws: Any
    spending_draws: Any

    @classmethod
    def of(cls, model: BuyingModel, buying: Fit, spending: Fit, seed: int, draws: int = DRAWS) -> Fitted:
        """Draw both models' parameters; the same seed draws the same."""
        p, q, gamma = spending.draws(draws, seed + 1)
        # With q at 1 or below, the mean of all means is infinite; such a draw is taken to its edge.
        drawn = (p, np.maximum(q, _LEAST_SHAPE), gamma)
        return cls(model, buying.parameters, spending.parameters, buying.draws(draws, seed), drawn)

    def flows(self, customers: Customers, *, drawn: bool) -> Numbers:
        """What each customer is expected to spend in each month to come: draws (one if not `drawn`) x customers."""
        buying, spending = (self.buying_draws, self.spending_draws) if drawn else (self.buying, self.spending)
        (x, t_x, age), which = customers.histories()
        alive = self.model.p_alive(buying, x, t_x, age)
        occasions = monthly(lambda weeks: alive * self.model.expected_while_alive(buying, weeks, x, age))
        mean = gamma_gamma.expected_mean(spending, customers.x, customers.mean)
        flows: Numbers = occasions[..., which, :] * mean[..., None]
        return flows

    def of_new(self, months: int = MOST_MONTHS) -> Flows:
        """What one new customer is expected to spend: at the first purchase, and in each month after it."""

        def flows(buying: Any, spending: Any) -> Numbers:
            occasions = monthly(lambda weeks: np.asarray(self.model.expected_of_new(buying, weeks)), months)
            mean = np.asarray(gamma_gamma.expected_mean(spending, 0, 0))[..., None]
            first = np.ones((*occasions.shape[:-1], 1))
            both: Numbers = mean * np.concatenate([first, occasions], axis=-1)
            return both

        return Flows(flows(self.buying, self.spending), flows(self.buying_draws, self.spending_draws)[:, 0])


def values(fitted: Fitted, customers: Customers, assumptions: Assumptions) -> Values:
    """Value every customer, and all together."""
    if not len(customers):
        return NOBODY
    # Neighbours share histories, and what is expected of a history is computed once.
    order = np.lexsort((customers.T, customers.t_x, customers.x))
    parts = [
        _valued(fitted, customers.some(order[start : start + _CHUNK]), assumptions)
        for start in range(0, len(customers), _CHUNK)
    ]
    back = np.argsort(order)
    joined = {name: np.concatenate([getattr(part, name) for part in parts])[back] for name in _OF_EACH}
    flows = [np.sum([getattr(part.current, name) for part in parts], axis=0) for name in ("point", "draws")]
    return Values(**joined, current=Flows(*flows))


NOBODY = Values(
    np.zeros(0), np.zeros(0), np.zeros(0), Flows(np.zeros(MOST_MONTHS), np.zeros((DRAWS, MOST_MONTHS)))
)  # fmt: skip
"""What nobody is worth."""

_OF_EACH = ("predictive", "low", "high")


def _valued(fitted: Fitted, customers: Customers, assumptions: Assumptions) -> Values:
    point, draws = fitted.flows(customers, drawn=False), fitted.flows(customers, drawn=True)
    low, high = interval(present_value(draws, assumptions))
    return Values(present_value(point, assumptions), low, high, Flows(point.sum(axis=0), draws.sum(axis=1)))


def interval(draws: Any) -> tuple[Numbers, Numbers]:
    """The middle 95 % of the draws, which are the first axis."""
    low, high = np.percentile(draws, (LOW, HIGH), axis=0)
    return low, high
