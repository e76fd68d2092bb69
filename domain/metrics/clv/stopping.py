"""What BG/NBD and MBG/NBD share: purchases at a gamma rate by customers who stop after each with a beta probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.metrics.clv.fitting import Numbers, Slopes

_BESIDE = 1e-7


def log_likelihood(
    parameters: Sequence[Any], chances: Any, x: Any, t_x: Any, T: Any  # noqa: N803
) -> tuple[Numbers, Slopes]:  # fmt: skip
    """The logarithm of the likelihood of each history, and its slope in each parameter.

    `chances` counts the purchases after which the customer could have stopped; who had none of them is alive.
    """
    from scipy.special import betaln, expit, psi

    r, alpha, a, b = parameters
    chances = np.asarray(chances)
    earlier = b + np.maximum(chances, 1) - 1
    alive = betaln(a, b + chances) - (r + x) * np.log(alpha + T)
    gone = np.where(chances > 0, betaln(a + 1, earlier) - (r + x) * np.log(alpha + t_x), -np.inf)
    each: Numbers = log_of_purchases(r, alpha, x) - betaln(a, b) + np.logaddexp(alive, gone)
    stopped = expit(gone - alive)
    bought = (1 - stopped) / (alpha + T) + stopped / (alpha + t_x)
    lasting = (1 - stopped) * np.log(alpha + T) + stopped * np.log(alpha + t_x)
    stops = psi(a + b) - psi(a + b + chances)
    return each, (
        psi(r + x) - psi(r) + np.log(alpha) - lasting,
        r / alpha - (r + x) * bought,
        stops + stopped / a,
        stops + psi(b + chances) - psi(b) - stopped / earlier,
    )


def log_of_purchases(r: Any, alpha: Any, x: Any) -> Numbers:
    """The part of the logarithm of the likelihood that counts purchases: G(r + x) alpha^r / G(r)."""
    from scipy.special import gammaln

    part: Numbers = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    return part


def expected(t: Any, shape: Any, rate: Any, a: Any, b: Any) -> Numbers:
    """E[(1 - exp(-l p t)) / p] for l ~ gamma(shape, rate) and p ~ beta(a, b): the purchases of `t` weeks to come.

    The hypergeometric function is taken in its usual form or after Euler's transformation, whichever has the smaller
    power before it: in the other one, a power that vanishes meets a function that grows beyond all numbers.
    """
    from scipy.special import hyp2f1

    a = np.where(np.abs(np.asarray(a) - 1) < _BESIDE, 1 + _BESIDE, a)  # at a = 1 both parts of the difference vanish
    whole, left = a + b - 1, rate / (rate + t)
    usual = shape < a - 1
    power, other = np.where(usual, shape, a - 1), np.where(usual, b, whole - shape)
    future: Numbers = whole / (a - 1) * (1 - left**power * hyp2f1(power, other, whole, 1 - left))
    return future
