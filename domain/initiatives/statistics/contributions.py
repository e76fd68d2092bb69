"""What purchases leave when their costs are paid, also where not every cost is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import GainBasis
from domain.initiatives.statistics.tallies import within

if TYPE_CHECKING:
    from domain.initiatives.findings import Span
    from domain.initiatives.history import Amounts, History
    from domain.initiatives.statistics.bootstrap import Indexes
    from domain.initiatives.statistics.windows import Windows

LEAST_KNOWN = 0.5
"""With less of the net amount whose costs are known, nothing is said of what the rest leaves."""


SERVICE = "SERVICE"
"""The category of costs that customers bear for being served."""


def service_waits(history: History, *spans: Span) -> bool:
    """Whether a cost of service on any of these days waits for an exchange rate: nobody knows then who bears what."""
    return any(history.weeks.are_unrated(SERVICE, span.first, span.last) for span in spans)


def are_unknown(history: History, windows: Windows) -> bool:
    """Whether the cost of anything is unknown that was bought on the days that are compared."""
    rows = _rows(history, windows)
    return bool((np.isnan(history.contribution[rows]) & (history.unrated[rows] == 0)).any())


def margin(history: History, windows: Windows) -> float | None:
    """The share of the net amount that stays, of the days of which it is known; none where they are less than half."""
    rows = _rows(history, windows)
    amount, left = _amounts(history, windows)[rows], history.contribution[rows] + history.service_cost[rows]
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
    if not np.isnan(history.contribution[_rows(history, windows)]).any():
        return Contributions(history, GainBasis.CONTRIBUTION)
    share, amount = margin(history, windows), _amounts(history, windows)
    if share is None:
        revenue = amount - history.service_cost
        return Contributions(replace(history, contribution=revenue), GainBasis.NET_REVENUE)
    guessed = amount * share - history.service_cost
    known = np.where(np.isnan(history.contribution), guessed, history.contribution)
    return Contributions(replace(history, contribution=known), GainBasis.CONTRIBUTION)


def _rows(history: History, windows: Windows) -> Indexes:
    """Where the days are that are compared."""
    return np.concatenate([within(history, span) for span in (windows.before, windows.after)])


def _amounts(history: History, windows: Windows) -> Amounts:
    """The amount of each day; a purchase that waits for a rate is taken to be as large as the others."""
    rows = _rows(history, windows)
    rated = rows[(history.occasions[rows] > 0) & (history.unrated[rows] == 0)]
    usual = history.amount[rated].mean() if len(rated) else 0.0
    return np.where(history.unrated > 0, usual * history.occasions, history.amount)
