"""How a model is fitted: the greatest likelihood over grouped purchase histories, on one thread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Numbers = np.ndarray[Any, np.dtype[np.float64]]
"""One number, or an array of them; what is computed of several has the shape that they have together."""

Slopes = tuple[Numbers, ...]
"""How fast something grows with each parameter."""

Likelihood = tuple[float, list[float]]
"""The logarithm of the likelihood of everything that was seen, and its slope in each parameter."""

DAYS_PER_WEEK = 7
WEEKS_PER_MONTH = 30.4375 / DAYS_PER_WEEK
"""A month is a twelfth of 365.25 days."""


LEAST_CUSTOMERS, LEAST_REPEATERS, LEAST_WEEKS = 100, 30, 12
"""With fewer customers, customers who bought again, or weeks since the first purchase, no model of buying is fitted."""


class NotEnough(Exception):
    """A model cannot be fitted: `missing` names what there is too little of; `have` and `need` say how much."""

    def __init__(self, missing: str, have: int, need: int) -> None:
        self.missing, self.have, self.need = missing, have, need
        super().__init__(f"{missing}: {have} of {need}")


@dataclass(frozen=True)
class Histories:
    """Purchase histories, each with the number of customers who share it: all that these models need to know.

    `x` counts the occasions after the first; `t_x` is the time from the first to the last one and `T` the time from
    the first to the day as of which customers are valued, in weeks.
    """

    x: Numbers
    t_x: Numbers
    T: Numbers
    count: Numbers

    @classmethod
    def of(cls, x: Any, t_x: Any, T: Any) -> Histories:  # noqa: N803 - the symbol of the literature
        """One row per customer, grouped."""
        rows = np.column_stack([np.asarray(each, dtype=np.float64) for each in (x, t_x, T)])
        unique, counts = np.unique(rows, axis=0, return_counts=True)
        return cls(unique[:, 0], unique[:, 1], unique[:, 2], counts.astype(np.float64))

    @cached_property
    def customers(self) -> int:
        """How many customers there are."""
        return int(self.count.sum())

    @cached_property
    def repeaters(self) -> int:
        """How many of them bought again."""
        return int(self.count[self.x > 0].sum())


class BuyingModel(Protocol):
    """A model of how customers buy until they silently stop; its modules here have these functions.

    Parameters are given in the order of `PARAMETERS`; each may be an array, such as the draws of a bootstrap in a
    column, against histories in a row.
    """

    KIND: str
    PARAMETERS: tuple[str, ...]
    START: tuple[float, ...]

    def log_likelihood(self, parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> tuple[Numbers, Slopes]:  # noqa: N803
        """The logarithm of the likelihood of each history, and its slope in each parameter."""

    def p_alive(self, parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> Numbers:  # noqa: N803
        """The probability that a customer with such a history has not stopped."""

    def expected_while_alive(self, parameters: Sequence[Any], t: Any, x: Any, T: Any) -> Numbers:  # noqa: N803
        """The occasions expected in the next `t` weeks of who has not stopped."""

    def expected_of_new(self, parameters: Sequence[Any], t: Any) -> Numbers:
        """The occasions expected in the `t` weeks after a first purchase, that one not counted."""


def expected_from_now(
    model: BuyingModel, parameters: Sequence[Any], t: Any, x: Any, t_x: Any, T: Any  # noqa: N803
) -> Numbers:  # fmt: skip
    """The occasions that a model expects in the next `t` weeks."""
    expected: Numbers = model.p_alive(parameters, x, t_x, T) * model.expected_while_alive(parameters, t, x, T)
    return expected


@dataclass(frozen=True)
class Fit:
    """The parameters of greatest likelihood, and how sure they are: the covariance of their logarithms."""

    parameters: tuple[float, ...]
    log_likelihood: float
    covariance: Numbers

    def draws(self, number: int, seed: int) -> tuple[Numbers, ...]:
        """The parameters as they might have been: drawn from their sampling distribution, as columns."""
        drawn = np.random.default_rng(seed).multivariate_normal(
            np.log(self.parameters), self.covariance, size=number, method="eigh"
        )
        return tuple(np.exp(drawn).T[:, :, None])


def fit_buying(model: BuyingModel, histories: Histories) -> Fit:
    """Fit a model of buying.

    Raises NotEnough with fewer than 100 customers, 30 of whom bought again, within fewer than 12 weeks, or where the
    likelihood has no greatest value.
    """
    _require("TOO_FEW_CUSTOMERS", histories.customers, LEAST_CUSTOMERS)
    _require("TOO_FEW_REPEAT_CUSTOMERS", histories.repeaters, LEAST_REPEATERS)
    _require("TOO_SHORT", int(histories.T.max()), LEAST_WEEKS)

    def log_likelihood(parameters: Sequence[float]) -> Likelihood:
        each, slopes = model.log_likelihood(parameters, histories.x, histories.t_x, histories.T)
        return float(histories.count @ each), [float(histories.count @ slope) for slope in slopes]

    return greatest(log_likelihood, model.START)


def _require(missing: str, have: int, need: int) -> None:
    if have < need:
        raise NotEnough(missing, have, need)


def greatest(log_likelihood: Callable[[Sequence[float]], Likelihood], start: Sequence[float]) -> Fit:
    """The positive parameters at which the likelihood is greatest. Raises NotEnough where there are none."""
    from scipy import optimize

    minimize: Any = optimize.minimize

    def loss(logarithms: Numbers) -> tuple[float, Numbers]:
        parameters = np.exp(logarithms)
        with np.errstate(all="ignore"):
            value, slopes = log_likelihood(tuple(parameters))
            down = -np.array(slopes) * parameters
        if not (np.isfinite(value) and np.all(np.isfinite(down))):
            return _NOWHERE, np.zeros_like(parameters)
        return -value / scale, down / scale

    scale = 1.0
    at = np.log(start)
    scale = max(1.0, abs(loss(at)[0]))
    bounds = [(-_FAR, _FAR)] * len(at)
    best = minimize(loss, at, jac=True, method="L-BFGS-B", bounds=bounds, options=_PRECISION)
    if best.fun >= _NOWHERE or np.any(np.abs(best.x) > _FAR - 0.5):
        raise NotEnough("NO_OPTIMUM", 0, 1)
    covariance = _covariance(lambda at: scale * loss(at)[1], best.x)
    return Fit(tuple(float(each) for each in np.exp(best.x)), -scale * float(best.fun), covariance)


_NOWHERE = 1e10
_FAR = 10.0  # of logarithms: beyond it, a parameter is on its way to nothing or to infinity
_PRECISION = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500}
_STEP = 1e-4


def _covariance(slopes: Callable[[Numbers], Numbers], at: Numbers) -> Numbers:
    """The inverse of the curvature of the loss at its minimum, by central differences of its slopes."""
    steps = _STEP * np.eye(len(at))
    curvature = np.array([(slopes(at + step) - slopes(at - step)) / (2 * _STEP) for step in steps])
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    # A direction in which the likelihood is flat would make the draws infinite; it is kept within a factor of e.
    spread = 1 / np.maximum(values, 1.0)
    covariance: Numbers = (vectors * spread) @ vectors.T
    return covariance
