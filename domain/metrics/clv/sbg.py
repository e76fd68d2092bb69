"""Shifted beta-geometric (Fader and Hardie 2007): for how many periods a contract is renewed.

At the end of each period a customer leaves with a probability that is beta(alpha, beta) among customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.clv.fitting import Fit, NotEnough, greatest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.metrics.clv.fitting import Likelihood, Numbers

KIND = "SBG"
PARAMETERS = ("alpha", "beta")
START = (1.0, 3.0)

LEAST = 30
_LEAST_PERIODS = 2


@dataclass(frozen=True)
class Renewals:
    """Contracts by how long they lasted: `lost[i]` ended after i + 1 periods, `kept[i]` go on after i renewals.

    A contract that was never up for renewal yet says nothing, and stands in `kept[0]`.
    """

    lost: Numbers
    kept: Numbers

    @classmethod
    def of(cls, periods: Any, ended: Any) -> Renewals:
        """One row per contract: the whole periods that it lasted, and whether it ended with the last of them."""
        lasted, over = np.asarray(periods, dtype=np.int64), np.asarray(ended, dtype=bool)
        length = int(lasted.max(initial=0)) + 1
        lost = np.bincount(np.maximum(lasted[over], 1) - 1, minlength=length)
        kept = np.bincount(lasted[~over], minlength=length)
        return cls(lost.astype(np.float64), kept.astype(np.float64))


def fit(renewals: Renewals) -> Fit:
    """Fit the model. Raises NotEnough with fewer than 30 contracts that could have ended, or within one period."""
    decided = int(renewals.lost.sum() + renewals.kept[1:].sum())
    if decided < LEAST:
        raise NotEnough("TOO_FEW_CONTRACTS", decided, LEAST)
    periods = int(np.count_nonzero(renewals.lost) or 0)
    if periods < _LEAST_PERIODS:
        raise NotEnough("TOO_SHORT", periods, _LEAST_PERIODS)

    return greatest(lambda parameters: _log_likelihood(parameters, renewals), START)


def retention(parameters: Sequence[Any], period: Any) -> Numbers:
    """The share of those under contract in a period, counted from 1, who renew at the end of it; it grows."""
    alpha, beta = parameters
    share: Numbers = (beta + period - 1) / (alpha + beta + period - 1)
    return share


def survival(parameters: Sequence[Any], renewals: Any) -> Numbers:
    """The share of customers who renew at least so many times."""
    return np.exp(_log_survival(parameters, renewals))


def paid_from_now(parameters: Sequence[Any], periods: int, renewed: Any) -> Numbers:
    """The probability that each of so many periods to come is paid by who is under contract and renewed so often.

    Periods are the last axis, renewals the one before it, and the draws of the parameters, where there are several,
    the first one.
    """
    alpha, beta = (np.asarray(each)[..., None] if np.ndim(each) else each for each in parameters)
    before = np.asarray(renewed)[..., None]
    ahead = before + np.arange(1, periods + 1)
    paid: Numbers = np.exp(_log_survival((alpha, beta), ahead) - _log_survival((alpha, beta), before))
    return paid


def _log_likelihood(parameters: Sequence[float], renewals: Renewals) -> Likelihood:
    """The logarithm of the likelihood of all contracts, and its slope in both parameters."""
    from scipy.special import psi

    alpha, beta = parameters
    periods = np.arange(len(renewals.lost))
    both, lost = renewals.lost + renewals.kept, renewals.lost
    whole = alpha + beta + periods
    value = both @ _log_survival(parameters, periods) + lost @ np.log(alpha / whole)
    kept = psi(alpha + beta) - psi(whole)
    renewed = kept + psi(beta + periods) - psi(beta)
    leaving = lost.sum() / alpha - lost @ (1 / whole)
    return float(value), [float(both @ kept + leaving), float(both @ renewed - lost @ (1 / whole))]


def _log_survival(parameters: Sequence[Any], renewals: Any) -> Numbers:
    from scipy.special import betaln

    alpha, beta = parameters
    share: Numbers = betaln(alpha, beta + renewals) - betaln(alpha, beta)
    return share
