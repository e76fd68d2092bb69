"""The plain figures of a window: what happened, without any claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import Figures, Span
from domain.initiatives.statistics.tallies import MOST_UNRATED, total, within

if TYPE_CHECKING:
    from domain.initiatives.history import Amounts, History
    from domain.initiatives.statistics.bootstrap import Indexes
    from domain.initiatives.statistics.panel import Panel

WINSORISED_AT = 0.99


def figures(history: History, span: Span, panel: Panel, cut_off: float | None) -> Figures:
    """What the customers of the panel did in the span; amounts above the cut-off count as the cut-off in one figure.

    Sizes are of the occasions that wait for no rate; where too many do, there are none.
    """
    rows = _occasions(history, span, panel)
    amounts, units = _amounts(history, rows), history.units[rows]
    active = total(history, span, "occasions")[panel.customers]
    buyers = int((active > 0).sum())
    return Figures(
        span=span,
        active_customers=buyers,
        occasions=len(rows),
        occasions_per_active=_per(len(rows), buyers),
        size=_per(float(amounts.sum()), len(amounts)),
        size_median=float(np.median(amounts)) if len(amounts) else None,
        size_winsorised=_winsorised(amounts, cut_off),
        units_per_occasion=_per(float(units.sum()), len(rows)),
        repeat_rate=_per(int((active > 1).sum()), buyers),
    )


def cut_off(history: History, baseline: Span, panel: Panel) -> float | None:
    """The amount that 99 of 100 occasions of the baseline do not exceed: fixed by the seal."""
    amounts = _amounts(history, _occasions(history, baseline, panel))
    return float(np.quantile(amounts, WINSORISED_AT)) if len(amounts) else None


def retained(history: History, before: Span, after: Span, panel: Panel) -> int:
    """How many customers of the panel bought in both spans."""
    earlier, later = (total(history, span, "occasions")[panel.customers] > 0 for span in (before, after))
    return int((earlier & later).sum())


def _occasions(history: History, span: Span, panel: Panel) -> Indexes:
    """Where the occasions of the panel in the span are."""
    chosen = np.zeros(history.customers, dtype=np.bool_)
    chosen[panel.customers] = True
    rows = within(history, span)
    return rows[(history.occasions[rows] > 0) & chosen[history.customer[rows]]]


def _amounts(history: History, rows: Indexes) -> Amounts:
    """The amounts of the occasions of which they are known; none where too many are not."""
    rated = history.unrated[rows] == 0
    return history.amount[rows][rated if (~rated).sum() <= MOST_UNRATED * len(rows) else slice(0)]


def _winsorised(amounts: Amounts, limit: float | None) -> float | None:
    return None if limit is None or not len(amounts) else float(np.minimum(amounts, limit).mean())


def _per(count: float, of: int) -> float | None:
    return count / of if of else None
