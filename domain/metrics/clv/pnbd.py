"""Pareto/NBD (Schmittlein, Morrison and Colombo 1987): a customer may stop at any moment.

Purchases come at a rate that is gamma(r, alpha) among customers; lifetimes are exponential at a rate that is
gamma(s, beta) among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.clv import stopping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.metrics.clv.fitting import Numbers

KIND = "PARETO_NBD"
PARAMETERS = ("r", "alpha", "s", "beta")
START = (0.5, 10.0, 0.6, 11.0)

_BESIDE = 1e-7


def log_likelihood(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> Numbers:  # noqa: N803
    """The logarithm of the likelihood of each history."""
    r, alpha, s, beta = parameters
    alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    gone = np.log(s / (r + s + x)) + _log_gone(parameters, x, t_x, T)
    each: Numbers = stopping.log_of_purchases(r, alpha, x) + s * np.log(beta) + np.logaddexp(alive, gone)
    return each


def p_alive(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> Numbers:  # noqa: N803
    """The probability that a customer has not stopped (Fader and Hardie, note 21).

    The paradox of increasing frequency: of two customers silent for equally long, the one who bought more often is the
    less likely to be alive.
    """
    r, alpha, s, beta = parameters
    log_odds = (
        np.log(s / (r + s + x))
        + (r + x) * np.log(alpha + T)
        + s * np.log(beta + T)
        + _log_gone(parameters, x, t_x, T)
    )  # fmt: skip
    alive: Numbers = 1 / (1 + np.exp(log_odds))
    return alive


def expected_from_now(parameters: Sequence[Any], t: Any, x: Any, t_x: Any, T: Any) -> Numbers:  # noqa: N803
    """The occasions expected in the next `t` weeks."""
    r, alpha, s, beta = parameters
    future: Numbers = p_alive(parameters, x, t_x, T) * _expected(t, r + x, alpha + T, s, beta + T)
    return future


def expected_of_new(parameters: Sequence[Any], t: Any) -> Numbers:
    """The occasions expected in the `t` weeks after a first purchase, that one not counted."""
    r, alpha, s, beta = parameters
    return _expected(t, r, alpha, s, beta)


def _expected(t: Any, r: Any, alpha: Any, s: Any, beta: Any) -> Numbers:
    s = np.where(np.abs(np.asarray(s) - 1) < _BESIDE, 1 + _BESIDE, s)  # at s = 1 both parts of the quotient vanish
    future: Numbers = r * beta / (alpha * (s - 1)) * (1 - (beta / (beta + t)) ** (s - 1))
    return future


def _log_gone(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> Numbers:  # noqa: N803
    """The logarithm of the integral over all moments between the last purchase and now at which he may have stopped."""
    r, alpha, s, beta = parameters
    since, until = _log_term(r, alpha, s, beta, x, t_x), _log_term(r, alpha, s, beta, x, T)
    # With t_x = T the difference is nothing, and its logarithm minus infinity: he cannot have stopped yet.
    with np.errstate(divide="ignore"):
        gone: Numbers = since + np.log(-np.expm1(np.minimum(until - since, 0.0)))
    return gone


def _log_term(r: Any, alpha: Any, s: Any, beta: Any, x: Any, t: Any) -> Numbers:
    from scipy.special import hyp2f1

    shape = r + s + x
    larger = np.maximum(alpha, beta)
    second = np.where(np.asarray(alpha) >= beta, s + 1, r + x)
    z = np.abs(np.asarray(alpha) - beta) / (larger + t)
    term: Numbers = np.log(hyp2f1(shape, second, shape + 1, z)) - shape * np.log(larger + t)
    return term
