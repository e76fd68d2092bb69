"""The weeks of a comparison, for its picture: what was bought, beside what the answer on frequency compares it with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import Bought, Measure, Weekly
from domain.initiatives.history import WEEK
from domain.initiatives.statistics import matching, timeseries
from domain.initiatives.statistics.tallies import DAYS_PER_YEAR, Column, total

if TYPE_CHECKING:
    from domain.initiatives.findings import Span
    from domain.initiatives.history import Amounts, History
    from domain.initiatives.statistics.bootstrap import Indexes
    from domain.initiatives.statistics.matching import Sides
    from domain.initiatives.statistics.panel import Panel
    from domain.initiatives.statistics.windows import Windows


def before_after(history: History, windows: Windows, panel: Panel, begins: int) -> Weekly:
    """A panel beside the same weeks of the year before, or else beside its mean over the days before.

    `begins`, here and below, is the day before which everyone of the panel had bought: earlier weeks, in which some of
    them were no customers yet, are not shown.
    """
    weeks, once = windows.after.days // WEEK, _once(history, panel.customers)
    if windows.is_of_the_year_before:
        anyway = _by_week(history, "occasions", once, windows.before.first, range(weeks))
    else:
        anyway = np.full(weeks, total(history, windows.before, "occasions") @ once * WEEK / windows.before.days)
    return _weekly(history, windows, panel.customers, anyway, begins)


def time_series(history: History, windows: Windows, panel: Panel, begins: int) -> Weekly:
    """A panel beside the line that its weeks before the go-live prolong; beside nothing where that leads to nothing."""
    series, before = timeseries.weekly(history, windows, panel), timeseries.weeks_on_each_side(windows)[0]
    line = timeseries.line(timeseries.of_measure(Measure.FREQUENCY, series), before)
    anyway = np.zeros(0) if line is None else line * series[before:, Column.EXPOSURE] / DAYS_PER_YEAR
    return _weekly(history, windows, panel.customers, anyway, begins)


def matched(history: History, baseline: Span, windows: Windows, sides: Sides, begins: int) -> Weekly:
    """The treated who found somebody like them, beside what those who were left alone make expect of them.

    In each week that is what the untouched of the same cells bought, each for as many treated as he stands for, and
    what the treated bought more than they before. Beside nothing where too few found anybody.
    """
    cells = matching.cells_by_occasions(history, baseline, sides)
    ours = sides.panel.customers[sides.treated & cells.matched[cells.cell]]
    everyone = sides.panel.customers[sides.treated]
    if len(ours) < matching.LEAST_MATCHED * len(everyone):
        return _weekly(history, windows, everyone, np.zeros(0), begins)
    stands_for, once = np.zeros(history.customers), _once(history, ours)
    stands_for[sides.panel.customers] = cells.stands_for
    ahead = total(history, windows.before, "occasions") @ (once - stands_for) * WEEK / windows.after.days
    alone = _by_week(history, "occasions", stands_for, windows.after.first, range(windows.after.days // WEEK))
    return _weekly(history, windows, ours, alone + ahead, begins)


def _weekly(history: History, windows: Windows, customers: Indexes, anyway: Amounts, begins: int) -> Weekly:
    origin, once = windows.after.first, _once(history, customers)
    weeks = range(-((origin - begins) // WEEK), windows.after.days // WEEK)
    occasions, amounts, unrated = (
        _by_week(history, name, once, origin, weeks).tolist() for name in ("occasions", "amount", "unrated")
    )
    known = tuple(None if waits else amount for amount, waits in zip(amounts, unrated, strict=True))
    return Weekly(weeks.start, Bought(len(customers), tuple(occasions), known), tuple(anyway.tolist()))


def _once(history: History, customers: Indexes) -> Amounts:
    """A weight for each customer: 1 for these, 0 for the others."""
    found = np.zeros(history.customers)
    found[customers] = 1.0
    return found


def _by_week(history: History, column: str, weight: Amounts, origin: int, weeks: range) -> Amounts:
    """A column added up by the weeks from the origin on, each customer by his weight."""
    week = (history.day - origin) // WEEK
    inside = (week >= weeks.start) & (week < weeks.stop)
    values = getattr(history, column)[inside] * weight[history.customer[inside]]
    return np.bincount(week[inside] - weeks.start, values, len(weeks)).astype(np.float64)
