"""What purchases leave when their costs are paid, also where not every cost is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import GainBasis
from domain.initiatives.statistics.tallies import within

if TYPE_CHECKING:
    from domain.initiatives.findings import Span
    from domain.initiatives.history import History
    from domain.initiatives.statistics.windows import Windows

LEAST_KNOWN = 0.5
"""With less of the net amount whose costs are known, nothing is said of what the rest leaves."""


def are_unknown(history: History, windows: Windows) -> bool:
    """Whether the contribution of any day is unknown that is compared."""
    return any(np.isnan(history.contribution[within(history, span)]).any() for span in _spans(windows))


def margin(history: History, windows: Windows) -> float | None:
    """The share of the net amount that stays, of the days of which it is known; none where they are less than half."""
    rows = np.concatenate([within(history, span) for span in _spans(windows)])
    amount, left = history.amount[rows], history.contribution[rows] + history.service_cost[rows]
    known = ~np.isnan(left)
    bought = float(amount[known].sum())
    if bought <= 0 or bought < LEAST_KNOWN * amount.sum():
        return None
    return float(np.clip(left[known].sum() / bought, 0, 1))


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """A history in which every contribution is known, and what these are."""

    history: History
    basis: GainBasis


def completed(history: History, windows: Windows) -> Contributions:
    """What is unknown is taken to leave as much as the rest; where the rest is too little, all is net revenue."""
    if not are_unknown(history, windows):
        return Contributions(history, GainBasis.CONTRIBUTION)
    share = margin(history, windows)
    if share is None:
        revenue = history.amount - history.service_cost
        return Contributions(replace(history, contribution=revenue), GainBasis.NET_REVENUE)
    guessed = history.amount * share - history.service_cost
    known = np.where(np.isnan(history.contribution), guessed, history.contribution)
    return Contributions(replace(history, contribution=known), GainBasis.CONTRIBUTION)


def _spans(windows: Windows) -> tuple[Span, Span]:
    return windows.before, windows.after
