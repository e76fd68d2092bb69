"""MBG/NBD (Batislam, Denizel and Filiztekin 2007): a customer may stop at any purchase, the first one included.

Purchases come at a rate that is gamma(r, alpha) among customers; after each, also the first, a customer stops with a
probability that is beta(a, b) among them. Unlike BG/NBD it lets those who bought once be gone, so it gives churn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.clv import stopping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.metrics.clv.fitting import Numbers, Slopes

KIND = "MBG_NBD"
PARAMETERS = ("r", "alpha", "a", "b")
START = (0.5, 5.0, 0.8, 2.0)


def log_likelihood(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> tuple[Numbers, Slopes]:  # noqa: N803
    """The logarithm of the likelihood of each history, and its slope in each parameter."""
    return stopping.log_likelihood(parameters, np.asarray(x) + 1, x, t_x, T)


def p_alive(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> Numbers:  # noqa: N803
    """The probability that a customer has not stopped.

    The paradox of increasing frequency: of two customers silent for equally long, the one who bought more often is the
    less likely to be alive, since for him the silence is the longer one. More purchases can so lower it.
    """
    r, alpha, a, b = parameters
    odds_of_gone = a / (b + x) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    alive: Numbers = 1 / (1 + odds_of_gone)
    return alive


def expected_while_alive(parameters: Sequence[Any], t: Any, x: Any, T: Any) -> Numbers:  # noqa: N803
    """The occasions expected in the next `t` weeks of who has not stopped."""
    r, alpha, a, b = parameters
    return stopping.expected(t, r + x, alpha + T, a, b + x + 1)


def expected_of_new(parameters: Sequence[Any], t: Any) -> Numbers:
    """The occasions expected in the `t` weeks after a first purchase, that one not counted."""
    r, alpha, a, b = parameters
    future: Numbers = b / (a + b) * stopping.expected(t, r, alpha, a, b + 1)
    return future
