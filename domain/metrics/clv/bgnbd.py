"""BG/NBD (Fader, Hardie and Lee 2005), for figures that were published with it; it gives no churn.

A customer may stop after any purchase but the first: whoever bought once counts as alive for ever, so that churn by
this model would leave out the very customers who are most often gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.clv import stopping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.metrics.clv.fitting import Numbers, Slopes

KIND = "BG_NBD"
PARAMETERS = ("r", "alpha", "a", "b")
START = (0.5, 5.0, 0.8, 2.0)


def log_likelihood(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> tuple[Numbers, Slopes]:  # noqa: N803
    """The logarithm of the likelihood of each history, and its slope in each parameter."""
    return stopping.log_likelihood(parameters, x, x, t_x, T)


def p_alive(parameters: Sequence[Any], x: Any, t_x: Any, T: Any) -> Numbers:  # noqa: N803
    """The probability that a customer has not stopped: 1 for all who bought once, so nothing to tell churn by.

    The paradox of increasing frequency holds here as in MBG/NBD.
    """
    r, alpha, a, b = parameters
    odds_of_gone = a / (b + np.maximum(x, 1) - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    alive: Numbers = 1 / (1 + np.where(x > 0, odds_of_gone, 0.0))
    return alive


def expected_while_alive(parameters: Sequence[Any], t: Any, x: Any, T: Any) -> Numbers:  # noqa: N803
    """The occasions expected in the next `t` weeks of who has not stopped."""
    r, alpha, a, b = parameters
    return stopping.expected(t, r + x, alpha + T, a, b + x)


def expected_of_new(parameters: Sequence[Any], t: Any) -> Numbers:
    """The occasions expected in the `t` weeks after a first purchase, that one not counted."""
    r, alpha, a, b = parameters
    return stopping.expected(t, r, alpha, a, b)
