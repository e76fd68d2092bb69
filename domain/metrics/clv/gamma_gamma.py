"""Gamma-Gamma (Fader and Hardie, note 25): what customers spend on an occasion, told from what they spent on few.

Amounts vary about a customer's own mean as a gamma(p, v) and its rate as a gamma(q, gamma) among customers. It presumes
that how much somebody spends says nothing of how often: the correlation is measured, and above 0.1 the model is not
used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.clv.fitting import Fit, NotEnough, greatest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.metrics.clv.fitting import Likelihood, Numbers, Slopes

KIND = "GAMMA_GAMMA"
PARAMETERS = ("p", "q", "gamma")
START = (5.0, 4.0, 15.0)

GREATEST_CORRELATION = 0.1
LEAST = 30


@dataclass(frozen=True)
class Spending:
    """What customers who bought again spent: on how many repeat occasions `x`, and `mean` on each, above nothing."""

    x: Numbers
    mean: Numbers

    @classmethod
    def of(cls, x: Any, mean: Any) -> Spending:
        """Those of these customers of whom the model speaks: with a repeat occasion, and an amount above nothing."""
        occasions, means = np.asarray(x, dtype=np.float64), np.asarray(mean, dtype=np.float64)
        counted = (occasions >= 1) & (means > 0)
        return cls(occasions[counted], means[counted])

    @property
    def correlation(self) -> float:
        """Of the number of repeat occasions and their mean amount; 0 where one of them does not vary."""
        if len(self.x) < 2 or not self.x.std() or not self.mean.std():
            return 0.0
        return float(np.corrcoef(self.x, self.mean)[0, 1])

    @property
    def independent(self) -> bool:
        """Whether how much somebody spends says nothing of how often, as the model presumes."""
        return abs(self.correlation) < GREATEST_CORRELATION


def fit(spending: Spending) -> Fit:
    """Fit the model. Raises NotEnough with fewer than 30 customers, or where the likelihood has no greatest value."""
    if len(spending.x) < LEAST:
        raise NotEnough("TOO_FEW_REPEAT_CUSTOMERS", len(spending.x), LEAST)
    # Amounts are counted in units of their mean, so that one start serves every currency.
    scale = float(spending.mean.mean())

    def log_likelihood(parameters: Sequence[float]) -> Likelihood:
        each, slopes = _log_likelihood(parameters, spending.x, spending.mean / scale)
        return float(each.sum()), [float(slope.sum()) for slope in slopes]

    p, q, gamma = START
    found = greatest(log_likelihood, (p, q, gamma * (q - 1) / (p * gamma)))
    p, q, gamma = found.parameters
    return Fit((p, q, gamma * scale), found.log_likelihood - len(spending.x) * float(np.log(scale)), found.covariance)


def expected_mean(parameters: Sequence[Any], x: Any, mean: Any) -> Numbers:
    """What a customer is expected to spend on an occasion: between his own mean and that of all, by how much is known.

    Who never bought again, or for nothing, is expected to spend what all do.
    """
    p, q, gamma = parameters
    known = np.where(np.asarray(mean) > 0, x, 0)
    own = p * known / (p * known + q - 1)
    expected: Numbers = (1 - own) * gamma * p / (q - 1) + own * mean
    return expected


def _log_likelihood(parameters: Sequence[float], x: Numbers, mean: Numbers) -> tuple[Numbers, Slopes]:
    """The logarithm of the likelihood of each customer's spending, and its slope in each parameter."""
    from scipy.special import gammaln, psi

    p, q, gamma = parameters
    whole, rate = p * x + q, np.log(gamma + x * mean)
    each: Numbers = (
        gammaln(whole) - gammaln(p * x) - gammaln(q)
        + q * np.log(gamma) + (p * x - 1) * np.log(mean) + p * x * np.log(x) - whole * rate
    )  # fmt: skip
    return each, (
        x * (psi(whole) - psi(p * x) + np.log(x * mean) - rate),
        psi(whole) - psi(q) + np.log(gamma) - rate,
        q / gamma - whole / (gamma + x * mean),
    )
