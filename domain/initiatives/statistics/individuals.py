"""One customer before and after, beside the mean of all: a picture of him, and no evidence of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from domain.initiatives.findings import Measure
from domain.initiatives.statistics.tallies import RATIOS, Column, change, tally, value

if TYPE_CHECKING:
    from domain.initiatives.findings import Span
    from domain.initiatives.history import Amounts, History
    from domain.initiatives.statistics.panel import Panel
    from domain.initiatives.statistics.windows import Windows

SHORTEST_EXPOSURE = 30


class Beside(msgspec.Struct, frozen=True):
    """A customer's value in a window beside the panel's; the percentile counts equals half. Null where unknown."""

    value: float | None
    mean: float | None
    percentile: float | None


class IndividualAnswer(msgspec.Struct, frozen=True):
    """One measure of one customer before and after. There is no verdict on one person."""

    measure: Measure
    before: Beside
    after: Beside
    change: float | None


def individual(history: History, windows: Windows, panel: Panel, customer: int) -> tuple[IndividualAnswer, ...]:
    """Every measure of a customer, beside a panel that includes him or not."""
    before, after = (_tally(history, span, windows.recency_cap) for span in (windows.before, windows.after))
    return tuple(
        IndividualAnswer(
            measure,
            _beside(measure, before, panel, customer),
            _beside(measure, after, panel, customer),
            _known(float(change(measure, before[customer], after[customer]))),
        )
        for measure in RATIOS
    )


def _tally(history: History, span: Span, cap: int) -> Amounts:
    """The columns of all customers; a rate over less than 30 days is not known."""
    rows = tally(history, span, cap)
    rows[rows[:, Column.EXPOSURE] < SHORTEST_EXPOSURE, Column.EXPOSURE] = np.nan
    return rows


def _beside(measure: Measure, rows: Amounts, panel: Panel, customer: int) -> Beside:
    values = value(measure, rows)
    own = _known(float(values[customer]))
    everyone = values[panel.customers]
    known = everyone[np.isfinite(everyone)]
    mean = _known(float(value(measure, np.nansum(rows[panel.customers], axis=0))))
    return Beside(own, mean, None if own is None or not len(known) else _percentile(own, known))


def _percentile(own: float, known: Amounts) -> float:
    return float(100 * ((known < own).mean() + (known == own).mean() / 2))


def _known(found: float) -> float | None:
    return found if np.isfinite(found) else None
