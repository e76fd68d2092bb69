"""Each treated customer beside untouched ones who had bought alike: matched difference in differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import Measure, Reason, Span
from domain.initiatives.statistics.bootstrap import Draws, Resampling, add_up
from domain.initiatives.statistics.effects import Effect, missing, ratio, too_few, without_rate
from domain.initiatives.statistics.tallies import RATIOS, Column, are_unrated, change, tally, total, value
from domain.initiatives.statistics.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.initiatives.history import Amounts, History, Mask
    from domain.initiatives.statistics.bootstrap import Indexes
    from domain.initiatives.statistics.panel import Panel

MOST_OCCASIONS, MOST_RECENT_OCCASIONS = 10, 5
TERCILES = 3
FEWEST_UNTOUCHED = 2
LEAST_MATCHED = 0.8
FEWEST_DEPARTMENTS = 5
PRE_TREND_Z = 2.58


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The customers of both sides in one panel; `treated` says which side each is on."""

    panel: Panel
    treated: Mask
    departments: bool = False

    def units_of(self, *, treated: bool) -> int:
        """How many units a side has."""
        return len(np.unique(self.panel.unit[self.treated == treated]))

    @property
    def few_units(self) -> bool:
        """Whether whole departments were chosen, and too few of them are on a side: that of most of their customers."""
        if not self.departments:
            return False
        chosen = int((np.bincount(self.panel.unit, self.treated) > np.bincount(self.panel.unit) / 2).sum())
        return min(chosen, self.panel.units - chosen) < FEWEST_DEPARTMENTS


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Which cell each customer of a panel is in, as compact numbers; `names` says what stands behind them."""

    names: Indexes
    cell: Indexes
    treated: Mask

    @classmethod
    def of(cls, names: Indexes, treated: Mask) -> Cells:
        """The cells of customers who are alike where their names are equal."""
        return cls(*np.unique(names, return_inverse=True), treated)

    @property
    def group(self) -> Indexes:
        """Cell and side of each customer: twice the cell, plus one for the treated."""
        return 2 * self.cell + self.treated

    @property
    def matched(self) -> Mask:
        """Which cells have treated customers, and enough untouched ones to compare them with."""
        return _matched(self._counts)

    @property
    def stands_for(self) -> Amounts:
        """For how many treated ones of the cell each untouched one stands; 0 for the treated and in other cells."""
        counts = self._counts
        each = np.divide(counts[:, 1], counts[:, 0], out=np.zeros(len(counts)), where=self.matched)
        return np.where(self.treated, 0.0, each[self.cell])

    @property
    def matched_customers(self) -> int:
        """How many treated customers are in such cells."""
        return int((self.treated & self.matched[self.cell]).sum())

    @property
    def _counts(self) -> Indexes:
        """The (untouched, treated) customers of each cell."""
        return np.bincount(self.group, minlength=2 * len(self.names)).reshape(-1, 2)


def effects(
    history: History,
    baseline: Span,
    windows: Windows,
    sides: Sides,
    measures: Sequence[Measure],
    resampling: Resampling,
) -> list[Effect]:
    """The change of the treated against what the untouched of the same cells tell, measure by measure.

    Nobody is alike by what he spent where too much of that waits for a rate.
    """
    rows = _rows(history, windows, sides, _columns(measures))
    cells = cells_by_amount(history, baseline, sides)
    once = add_up(rows, cells.group, 2 * len(cells.names))[np.newaxis]
    drawn = resampling.group_sums(rows, sides.panel.unit, cells.group, 2 * len(cells.names))
    fine = _Matched.of(once, drawn)
    # The finer cells are added up once; those by occasions alone are their sums.
    coarser = np.unique(cells.names // TERCILES, return_inverse=True)[1]
    coarse = _Matched.of(_joined(once, coarser), _joined(drawn, coarser))
    untouched, treated = rows[~sides.treated], rows[sides.treated]
    cell = cells.cell[sides.treated]
    matched = fine.matched[cell], coarse.matched[coarser[cell]]
    found = [
        fine.effect(measure, treated, matched[0], untouched)
        if measure is Measure.SIZE
        else coarse.effect(measure, treated, matched[1], untouched)
        for measure in measures
    ]
    if are_unrated(_tallied(history, baseline, sides).sum(axis=0)):
        found = [without_rate(effect) if effect.measure is Measure.SIZE else effect for effect in found]
    return [replace(effect, blocked=Reason.FEW_UNITS) for effect in found] if sides.few_units else found


def pre_trends(
    history: History, baseline: Span, sides: Sides, measures: Sequence[Measure], resampling: Resampling
) -> dict[Measure, float | None]:
    """By how many standard errors both sides drifted apart at a fake go-live in the middle of the baseline."""
    half = baseline.days // 2
    middle = baseline.last - half
    earlier = Windows(Span(middle - half, middle), Span(middle, baseline.last))
    found = effects(history, earlier.before, earlier, sides, measures, resampling)
    return {effect.measure: _z(effect) for effect in found}


def without_pre_trend(found: Sequence[Effect], z_of: Mapping[Measure, float | None]) -> list[Effect]:
    """The effects with their pre-trends; PRE_TREND blocks those of which the two sides drifted apart already."""
    return [_judged(effect, z_of[effect.measure]) for effect in found]


def cells_by_occasions(history: History, baseline: Span, sides: Sides) -> Cells:
    """Customers are alike who had equally many occasions in the baseline, and equally many in its last half."""
    return Cells.of(_occasion_names(history, baseline, sides), sides.treated)


def cells_by_amount(history: History, baseline: Span, sides: Sides) -> Cells:
    """Customers are alike who, besides, belong to the same tercile of what they spent each time."""
    names = _occasion_names(history, baseline, sides) * TERCILES
    rows = _tallied(history, baseline, sides)
    return Cells.of(names + _tercile(rows[:, Column.AMOUNT], rows[:, Column.RATED]), sides.treated)


def occasions_of_cells(history: History, baseline: Span, customers: Indexes) -> tuple[Indexes, Indexes]:
    """The occasions of customers in the baseline and in its last half, as far as cells tell them apart."""
    late = Span((baseline.first + baseline.last) // 2, baseline.last)
    whole, recent = (total(history, span, "occasions")[customers].astype(np.intp) for span in (baseline, late))
    return np.minimum(whole, MOST_OCCASIONS), np.minimum(recent, MOST_RECENT_OCCASIONS)


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """The sums of the matched treated after the go-live, as they were and as they were to be expected; per draw too."""

    matched: Mask
    actual: Amounts
    expected: Amounts
    actual_drawn: Amounts
    expected_drawn: Amounts
    share: float

    @classmethod
    def of(cls, once: Amounts, drawn: Amounts) -> _Matched:
        counts = once[0, :, Column.CUSTOMERS].reshape(-1, 2)
        matched = _matched(counts)
        actual, expected = _actual_and_expected(once, matched)
        share = counts[matched, 1].sum() / max(1.0, counts[:, 1].sum())
        return cls(matched, actual[0], expected[0], *_actual_and_expected(drawn, matched), float(share))

    def effect(self, measure: Measure, treated: Amounts, matched: Mask, untouched: Amounts) -> Effect:
        """The change of one measure, of those treated who are `matched`; of all of them where too few are.

        `treated` and `untouched` are the rows of both sides.
        """
        before, after = _halves(treated)
        plain = Effect(measure, ratio(measure, before), ratio(measure, after))
        if not_measured := missing(measure, (before, after, *_halves(untouched))):
            return replace(plain, blocked=not_measured)
        if self.share < LEAST_MATCHED:
            return replace(plain, blocked=Reason.NO_OVERLAP)
        found = float(change(measure, self.expected, self.actual))
        drawn = change(measure, self.expected_drawn, self.actual_drawn)
        if few := too_few(measure, (before, after), found, drawn):
            return replace(plain, blocked=few)
        return Effect(
            measure,
            ratio(measure, before[matched]),
            ratio(measure, after[matched]),
            expected=float(value(measure, self.expected)),
            change=found,
            spread=Draws.of(drawn),
        )


def _matched(counts: Amounts | Indexes) -> Mask:
    """Which cells have both sides, from their (untouched, treated) counts."""
    found: Mask = (counts[:, 1] > 0) & (counts[:, 0] >= FEWEST_UNTOUCHED)
    return found


def _actual_and_expected(sums: Amounts, matched: Mask) -> tuple[Amounts, Amounts]:
    """The treated's sums of after, and those of before moved as the untouched of each cell moved: (..., columns)."""
    by_side = sums.reshape(*sums.shape[:-2], -1, 2, sums.shape[-1])[..., matched, :, :]
    untouched, treated = by_side[..., 0, :], by_side[..., 1, :]
    alone, ours = untouched[..., Column.CUSTOMERS], treated[..., Column.CUSTOMERS]
    # For how many treated one untouched stands; a cell of which a draw has no untouched is left out of that draw.
    factor = np.divide(ours, alone, out=np.zeros_like(ours), where=alone > 0)[..., np.newaxis]
    (before, after), (before_alone, after_alone) = _halves(treated), _halves(untouched)
    expected = np.where(factor > 0, before + (after_alone - before_alone) * factor, 0.0).sum(axis=-2)
    return np.where(factor > 0, after, 0.0).sum(axis=-2), expected


def _joined(sums: Amounts, coarser: Indexes) -> Amounts:
    """The sums of cells, two sides each, added up to those of coarser cells, which follow in the same order."""
    by_cell = sums.reshape(len(sums), -1, 2 * sums.shape[-1])
    begins = np.unique(coarser, return_index=True)[1]
    return np.add.reduceat(by_cell, begins, axis=1).reshape(len(sums), -1, sums.shape[-1])


def _columns(measures: Sequence[Measure]) -> int:
    """How many columns the measures need: they are ordered so that the first ones are enough."""
    return 1 + max([Column.CUSTOMERS, *(column for measure in measures for column in RATIOS[measure][:2])])


def _rows(history: History, windows: Windows, sides: Sides, columns: int) -> Amounts:
    """The first columns of both windows side by side, one row per customer of the panel."""
    chosen = sides.panel.customers
    both = [tally(history, span, windows.recency_cap)[chosen, :columns] for span in (windows.before, windows.after)]
    return np.concatenate(both, axis=1)


def _halves(rows: Amounts) -> tuple[Amounts, Amounts]:
    """The columns of before and of after."""
    middle = rows.shape[-1] // 2
    return rows[..., :middle], rows[..., middle:]


def _occasion_names(history: History, baseline: Span, sides: Sides) -> Indexes:
    """One number for each pair of occasions in the baseline and occasions in its last half."""
    whole, recent = occasions_of_cells(history, baseline, sides.panel.customers)
    return whole * (MOST_RECENT_OCCASIONS + 1) + recent


def _tercile(amount: Amounts, occasions: Amounts) -> Indexes:
    """The tercile of what customers spent each time, among those who bought; the lowest for those who did not."""
    bought = occasions > 0
    each = np.divide(amount, occasions, out=np.zeros_like(amount), where=bought)
    cuts = np.quantile(each[bought], (1 / 3, 2 / 3)) if bought.any() else np.zeros(2)
    return np.where(bought, np.searchsorted(cuts, each), 0).astype(np.intp)


def _tallied(history: History, span: Span, sides: Sides) -> Amounts:
    return tally(history, span, span.days)[sides.panel.customers]


def _z(effect: Effect) -> float | None:
    if effect.spread is None or effect.change is None or not effect.spread.error:
        return None
    return effect.change / effect.spread.error


def _judged(effect: Effect, z: float | None) -> Effect:
    drifted = z is not None and abs(z) > PRE_TREND_Z
    return replace(effect, pre_trend=z, blocked=effect.blocked or (Reason.PRE_TREND if drifted else None))
