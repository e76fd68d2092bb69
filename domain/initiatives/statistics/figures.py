"""The plain figures of a window: what happened, without any claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import Figures, Span
from domain.initiatives.statistics.tallies import total, within

if TYPE_CHECKING:
    from domain.initiatives.history import Amounts, History
    from domain.initiatives.statistics.panel import Panel

WINSORISED_AT = 0.99


def figures(history: History, span: Span, panel: Panel, cut_off: float | None) -> Figures:
    """What the customers of the panel did in the span; amounts above the cut-off count as the cut-off in one figure."""
    amounts, units = _occasions(history, span, panel)
    active = total(history, span, "occasions")[panel.customers]
    buyers = int((active > 0).sum())
    return Figures(
        span=span,
        active_customers=buyers,
        occasions=len(amounts),
        occasions_per_active=_per(len(amounts), buyers),
        size=_per(float(amounts.sum()), len(amounts)),
        size_median=float(np.median(amounts)) if len(amounts) else None,
        size_winsorised=_winsorised(amounts, cut_off),
        units_per_occasion=_per(float(units.sum()), len(amounts)),
        repeat_rate=_per(int((active > 1).sum()), buyers),
    )


def cut_off(history: History, baseline: Span, panel: Panel) -> float | None:
    """The amount that 99 of 100 occasions of the baseline do not exceed: fixed by the seal."""
    amounts, _ = _occasions(history, baseline, panel)
    return float(np.quantile(amounts, WINSORISED_AT)) if len(amounts) else None


def retained(history: History, before: Span, after: Span, panel: Panel) -> int:
    """How many customers of the panel bought in both spans."""
    earlier, later = (total(history, span, "occasions")[panel.customers] > 0 for span in (before, after))
    return int((earlier & later).sum())


def _occasions(history: History, span: Span, panel: Panel) -> tuple[Amounts, Amounts]:
    """Amount and units of each occasion of the panel in the span."""
    chosen = np.zeros(history.customers, dtype=np.bool_)
    chosen[panel.customers] = True
    rows = within(history, span)
    rows = rows[(history.occasions[rows] > 0) & chosen[history.customer[rows]]]
    return history.amount[rows], history.units[rows]


def _winsorised(amounts: Amounts, limit: float | None) -> float | None:
    return None if limit is None or not len(amounts) else float(np.minimum(amounts, limit).mean())


def _per(count: float, of: int) -> float | None:
    return count / of if of else None
