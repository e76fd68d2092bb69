"""Pareto/NBD (Schmittlein, Morrison and Colombo 1987): a customer may stop at any moment.

Purchases come at a rate that is gamma(r, alpha) among customers; lifetimes are exponential at a rate that is
gamma(s, beta) among them. The likelihood of a history is a sum over all moments at which the customer may have stopped;
it is taken by Gauss and Legendre's rule, because the hypergeometric function in which it is usually written takes a
hundred times longer where lifetimes are nearly alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.clv import stopping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.metrics.clv.fitting import Numbers, Slopes

KIND = "PARETO_NBD"
PARAMETERS = ("r", "alpha", "s", "beta")
START = (0.5, 10.0, 0.6, 11.0)

_BESIDE = 1e-7

_PLACES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_NOTHING = 36.0  # a part that is smaller than the greatest by a factor of e to this power is lost among its digits


def log_likelihood(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> tuple[Numbers, Slopes]:  # noqa: N803
    """The logarithm of the likelihood of each history, and its slope in each parameter."""
    from scipy.special import psi

    r, alpha, s, beta = parameters
    ends = _ends(parameters, x, t_x, T)
    each: Numbers = stopping.log_of_purchases(r, alpha, x) + s * np.log(beta) + ends.log_likelihood
    return each, (
        psi(r + x) - psi(r) + np.log(alpha) - ends.mean(np.log(ends.bought)),
        r / alpha - (r + x) * ends.mean(1 / ends.bought),
        np.log(beta) - ends.mean(np.log(ends.lived)) + (1 - ends.alive) / s,
        s / beta - s * ends.mean(1 / ends.lived) - ends.mean_of_stopped(1 / ends.lived),
    )


def p_alive(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> Numbers:  # noqa: N803
    """The probability that a customer has not stopped (Fader and Hardie, note 21).

    The paradox of increasing frequency: of two customers silent for equally long, the one who bought more often is the
    less likely to be alive.
    """
    return _ends(parameters, x, t_x, T).alive


def expected_while_alive(parameters: Sequence[Any], t: Any, x: Any, T: Any) -> Numbers:  # noqa: N803
    """The occasions expected in the next `t` weeks of who has not stopped."""
    r, alpha, s, beta = parameters
    return _expected(t, r + x, alpha + T, s, beta + T)


def expected_of_new(parameters: Sequence[Any], t: Any) -> Numbers:
    """The occasions expected in the `t` weeks after a first purchase, that one not counted."""
    r, alpha, s, beta = parameters
    return _expected(t, r, alpha, s, beta)


def _expected(t: Any, r: Any, alpha: Any, s: Any, beta: Any) -> Numbers:
    s = np.where(np.abs(np.asarray(s) - 1) < _BESIDE, 1 + _BESIDE, s)  # at s = 1 both parts of the quotient vanish
    future: Numbers = r * beta / (alpha * (s - 1)) * (1 - (beta / (beta + t)) ** (s - 1))
    return future


@dataclass(frozen=True)
class _Ends:
    """When each customer may have stopped, and how likely: the last axis has the moments, and as the last of them now.

    `bought` and `lived` are alpha and beta with the time up to each moment; `shares` add up to 1.
    """

    bought: Numbers
    lived: Numbers
    shares: Numbers
    log_likelihood: Numbers

    @property
    def alive(self) -> Numbers:
        """The share of those who have not stopped."""
        return self.shares[..., -1]

    def mean(self, values: Numbers) -> Numbers:
        """The mean of what is given for each moment."""
        mean: Numbers = (self.shares * values).sum(axis=-1)
        return mean

    def mean_of_stopped(self, values: Numbers) -> Numbers:
        """What those who have stopped add to the mean."""
        return self.mean(values) - self.alive * values[..., -1]


def _ends(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> _Ends:  # noqa: N803
    r, alpha, s, beta, x, t_x, T = (  # noqa: N806
        np.asarray(each, dtype=np.float64)[..., None] for each in (*parameters, x, t_x, T)
    )
    least = np.minimum(alpha, beta)
    begun = least + t_x
    span = np.log((least + _last(r, alpha, s, beta, x, t_x, T)) / begun)
    # Moments are spread evenly on the scale of the logarithm, on which what is added up is smooth.
    passed = begun * np.exp(span * (_PLACES + 1) / 2)
    weights = s * span * _WEIGHTS / 2 * passed / (beta - least + passed)
    passed, now = np.broadcast_arrays(passed, least + T)[0], np.broadcast_to(least + T, (*passed.shape[:-1], 1))
    moments = np.concatenate([passed, now], axis=-1) - least
    bought, lived = alpha + moments, beta + moments
    known = -(r + x) * np.log(bought) - s * np.log(lived)
    top = known.max(axis=-1, keepdims=True)
    parts = np.exp(known - top) * np.concatenate([weights, np.ones((*weights.shape[:-1], 1))], axis=-1)
    whole = parts.sum(axis=-1, keepdims=True)
    return _Ends(bought, lived, parts / whole, (top + np.log(whole))[..., 0])


def _last(r: Any, alpha: Any, s: Any, beta: Any, x: Any, t_x: Any, T: Any) -> Any:  # noqa: N803
    """The moment after which stopping adds nothing that could be seen, or now.

    Each of the three powers in turn is taken alone, or in the place of all: what is left out is even smaller.
    """
    powers = ((np.maximum(alpha, beta), r + s + x + 1), (alpha, r + x), (beta, s + 1))
    with np.errstate(over="ignore"):
        ends = [(start + t_x) * np.exp(_NOTHING / power) - start for start, power in powers]
    return np.minimum.reduce([*np.broadcast_arrays(*ends, T)])
