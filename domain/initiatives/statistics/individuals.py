"""One customer before and after, beside the mean of all: a picture of him, and no evidence of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from domain.initiatives.findings import Alike, Interval, Measure, Spread, Spreads
from domain.initiatives.statistics.battery import FEWEST
from domain.initiatives.statistics.contributions import service_waits
from domain.initiatives.statistics.matching import occasions_of_cells
from domain.initiatives.statistics.tallies import MONEY, RATIOS, Column, are_unrated, change, tally, value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.initiatives.findings import Span
    from domain.initiatives.history import Amounts, History
    from domain.initiatives.statistics.matching import Sides
    from domain.initiatives.statistics.panel import Panel
    from domain.initiatives.statistics.windows import Windows

SHORTEST_EXPOSURE = 30
FEWEST_FOR_Z = 30
_PERCENT = np.linspace(0, 1, 101)


class Beside(msgspec.Struct, frozen=True):
    """A customer's value in a window beside the panel's; the percentile counts equals half. Null where unknown.

    `z` is by how many standard deviations log(1 + value) lies above the panel's; null with fewer than 30 customers.
    """

    value: float | None
    mean: float | None
    percentile: float | None
    z: float | None


class IndividualAnswer(msgspec.Struct, frozen=True):
    """One measure of one customer before and after. There is no verdict on one person.

    `usual` is the range of his own changes at the fake go-lives, `alike_before` and `alike_after` what those came to
    who were left alone and had bought as he had.
    """

    measure: Measure
    before: Beside
    after: Beside
    change: float | None
    usual: Interval | None
    alike_before: float | None
    alike_after: float | None


def spreads(history: History, windows: Windows, panel: Panel, minor: int) -> tuple[Spreads, ...]:
    """How every measure is spread over a panel, before and after; not what serving costs while a cost of it waits."""
    waits = {Measure.SERVICE_COST} if service_waits(history, windows.before, windows.after) else set()
    both = [tallied(history, span, windows.recency_cap)[panel.customers] for span in (windows.before, windows.after)]
    return tuple(
        Spreads(measure, *(_spread(measure, rows, minor if measure in MONEY else 1) for rows in both))
        for measure in RATIOS
        if measure not in waits
    )


def alike(history: History, baseline: Span, windows: Windows, sides: Sides) -> tuple[Alike, ...]:
    """What the customers left alone of each cell came to, of whom there are enough to be compared with."""
    left = sides.panel.customers[~sides.treated]
    names = np.stack(occasions_of_cells(history, baseline, left), axis=1)
    before, after = (tally(history, span, windows.recency_cap)[left] for span in (windows.before, windows.after))
    cells, of, sizes = np.unique(names, axis=0, return_inverse=True, return_counts=True)
    found = []
    for place, ((occasions, recent), size) in enumerate(zip(cells.tolist(), sizes.tolist(), strict=True)):
        inside = of.reshape(-1) == place
        values = ({one: _of_all(one, rows[inside]) for one in RATIOS} for rows in (before, after))
        found.append(Alike(occasions, recent, size, *values))
    return tuple(one for one in found if one.customers > 1)


def individual(
    history: History, baseline: Span, windows: Windows, fakes: Iterable[Windows], among: Sequence[Spreads],
    others: Sequence[Alike], minor: int,
) -> tuple[IndividualAnswer, ...]:  # fmt: skip
    """Every measure of the only customer of a history, beside how it was spread and those who are like him."""
    before, after = (tallied(history, span, windows.recency_cap)[0] for span in (windows.before, windows.after))
    usual = [
        [tally(history, span, fake.recency_cap)[0] for span in (fake.before, fake.after)] for fake in fakes
    ]  # fmt: skip
    occasions, recent = (int(each[0]) for each in occasions_of_cells(history, baseline, np.zeros(1, dtype=np.intp)))
    same = next((one for one in others if (one.occasions, one.recent) == (occasions, recent)), None)
    return tuple(
        IndividualAnswer(
            measure=each.measure,
            before=_beside(each.measure, before, each.before, minor),
            after=_beside(each.measure, after, each.after, minor),
            change=_known(float(change(each.measure, before, after))),
            usual=_range([_known(float(change(each.measure, *one))) for one in usual]),
            alike_before=same.before[each.measure] if same else None,
            alike_after=same.after[each.measure] if same else None,
        )
        for each in among
    )


def tallied(history: History, span: Span, cap: int) -> Amounts:
    """The columns of all customers; a rate over less than 30 days is not known, nor an amount that waits for a rate."""
    rows = tally(history, span, cap)
    unrated = are_unrated(rows)
    rows[unrated, Column.AMOUNT] = rows[unrated, Column.RATED] = np.nan
    rows[rows[:, Column.EXPOSURE] < SHORTEST_EXPOSURE, Column.EXPOSURE] = np.nan
    return rows


def _spread(measure: Measure, rows: Amounts, unit: int) -> Spread:
    values = value(measure, rows)
    known = values[np.isfinite(values)]
    if not len(known):
        return Spread(_of_all(measure, rows), 0, (), None, None)
    logs = _log(known, unit)
    quantiles = tuple(np.quantile(known, _PERCENT, method="inverted_cdf").tolist())
    return Spread(_of_all(measure, rows), len(known), quantiles, float(logs.mean()), float(logs.std()))


def _of_all(measure: Measure, rows: Amounts) -> float | None:
    """The value of all of them together: a ratio of sums."""
    return _known(float(value(measure, np.nansum(rows, axis=0))))


def _beside(measure: Measure, row: Amounts, among: Spread, minor: int) -> Beside:
    own = _known(float(value(measure, row)))
    if own is None or not among.n:
        return Beside(own, among.mean, None, None)
    grid = np.array(among.quantiles)
    percentile = float(100 * ((grid < own).mean() + (grid == own).mean() / 2))
    return Beside(own, among.mean, percentile, _z(own, among, minor if measure in MONEY else 1))


def _z(own: float, among: Spread, unit: int) -> float | None:
    if among.n < FEWEST_FOR_Z or not among.sd_log or among.mean_log is None:
        return None
    return (float(_log(np.array(own), unit)) - among.mean_log) / among.sd_log


def _log(values: Amounts, unit: int) -> Amounts:
    """log(1 + value) in whole units of the currency; what is below nothing counts as nothing."""
    found: Amounts = np.log1p(np.maximum(values, 0) / unit)
    return found


def _range(changes: list[float | None]) -> Interval | None:
    known = [one for one in changes if one is not None]
    return Interval(min(known), max(known)) if len(known) >= FEWEST else None


def _known(found: float) -> float | None:
    return found if np.isfinite(found) else None
