"""What BG/NBD and MBG/NBD share: purchases at a gamma rate by customers who stop after each with a beta probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from domain.metrics.clv.fitting import Numbers

_BESIDE = 1e-7


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
