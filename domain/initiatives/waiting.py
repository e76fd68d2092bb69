"""How long to wait: not before the best repeat purchasers had time to come again, not after the slowest have."""

from __future__ import annotations

from datetime import date
from math import ceil
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from domain.core.problems import Conflict, NotEnoughData
from domain.initiatives.findings import Flag
from domain.initiatives.plans import MeasurementKind

if TYPE_CHECKING:
    from domain.initiatives.history import Amounts, History, Mask

FEW_REPEAT_PURCHASERS = 10


class InsufficientData(NotEnoughData):
    """Nobody bought twice within the baseline, so no waiting time follows from it. Choose a longer baseline."""


class TooEarly(Conflict):
    """It is too early for this. Do it on the day that the message names, or later."""

    @classmethod
    def to_measure(cls, day: date, rule: str | None = None) -> TooEarly:
        """To measure: not before this day, by this rule."""
        message = f"The best customers had no time to come again yet. Measure on {day}, or later."
        return cls(message, earliest_at=day, rule=rule)


class Waiting(msgspec.Struct, frozen=True):
    """When measurements may begin and when they count. Days are ordinals, gaps are days.

    `earliest_on` is rule 1 by the median of the top decile's gaps, `earliest_strict_on` by their largest;
    `preliminary_by` is rule 2 by the slowest repeat purchaser, `preliminary_robust_by` by the 95 % quantile.
    """

    repeat_purchasers: int
    top_decile: int
    median_gap: float
    mean_gap: float
    largest_gap: float
    floor_days: int
    floor_days_strict: int
    ceiling_days: int
    ceiling_days_robust: int
    earliest_on: int
    earliest_strict_on: int
    preliminary_by: int
    preliminary_robust_by: int
    final_on: int
    flags: tuple[Flag, ...]

    def kind(self, measured_on: int, *, has_final: bool) -> MeasurementKind:
        """Which measurement would be taken on this day. Raises TooEarly with the first day on which one may be."""
        if measured_on < self.earliest_on:
            raise TooEarly.to_measure(date.fromordinal(self.earliest_on))
        if measured_on < self.final_on:
            return MeasurementKind.PRELIMINARY
        return MeasurementKind.MONITORING if has_final else MeasurementKind.FINAL

    def next_on(self, measured_on: int, *, strict: bool = False) -> int:
        """The day of the next measurement after one on this day: the FINAL one, then every rule-1 period."""
        if measured_on < self.final_on:
            return self.final_on
        return measured_on + (self.floor_days_strict if strict else self.floor_days)


def waiting(before: History, go_live: int, baseline_days: int, *, scope: Mask | None = None) -> Waiting:
    """The waiting rules of a baseline window `[go_live - baseline_days, go_live)` over the customers of the scope.

    Raises InsufficientData when nobody in it bought twice.
    """
    occasions, gaps = _repeat_purchasers(before, go_live - baseline_days, go_live, scope)
    if not len(gaps):
        raise InsufficientData(have=0, need=1, of="customers who bought twice within the baseline")
    top = _top_decile(occasions, gaps)
    floor, strict = ceil(float(np.median(top))), ceil(float(top.max()))
    slowest, robust = ceil(float(gaps.max())), ceil(float(np.quantile(gaps, 0.95)))
    ceiling = max(floor, slowest)
    ceiling_robust = max(floor, robust)
    return Waiting(
        repeat_purchasers=len(gaps),
        top_decile=len(top),
        median_gap=float(np.median(top)),
        mean_gap=float(top.mean()),
        largest_gap=float(top.max()),
        floor_days=floor,
        floor_days_strict=strict,
        ceiling_days=ceiling,
        ceiling_days_robust=ceiling_robust,
        earliest_on=go_live + floor,
        earliest_strict_on=go_live + strict,
        preliminary_by=go_live + ceiling,
        preliminary_robust_by=go_live + ceiling_robust,
        final_on=go_live + baseline_days,
        flags=_flags(len(gaps), slowest, baseline_days, raised=floor > robust),
    )


def _repeat_purchasers(before: History, first: int, last: int, scope: Mask | None) -> tuple[Amounts, Amounts]:
    """Occasions and mean gap of each customer with two or more occasions in the window, in the order of customers."""
    kept = (before.day >= first) & (before.day < last) & (before.occasions > 0)
    if scope is not None:
        kept &= scope[before.customer]
    customer, day = before.customer[kept], before.day[kept]
    _, begins, count = np.unique(customer, return_index=True, return_counts=True)
    repeat = count >= 2
    opens, closes = day[begins[repeat]], day[begins[repeat] + count[repeat] - 1]
    return count[repeat].astype(np.float64), (closes - opens) / (count[repeat] - 1)


def _top_decile(occasions: Amounts, gaps: Amounts) -> Amounts:
    """The gaps of the tenth that bought most often; of equals those with the shorter gap, then the smaller id."""
    size = -(-len(gaps) // 10) if len(gaps) >= FEW_REPEAT_PURCHASERS else 1
    return gaps[np.lexsort((gaps, -occasions))[:size]]


def _flags(repeat_purchasers: int, slowest: int, baseline_days: int, *, raised: bool) -> tuple[Flag, ...]:
    found = {
        Flag.LOW_SAMPLE: repeat_purchasers < FEW_REPEAT_PURCHASERS,
        Flag.BASELINE_TOO_SHORT: slowest > baseline_days / 2,
        Flag.CEILING_RAISED: raised,
    }
    return tuple(flag for flag, holds in found.items() if holds)
