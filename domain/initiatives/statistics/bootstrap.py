"""How much a figure would differ had other customers come: units are drawn with replacement, figures added up anew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.initiatives.findings import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.initiatives.history import Amounts

BLOCK = 1_000_000
"""How many counts are worked on at a time: a block of draws over all units stays within a few megabytes."""

KEPT = 64_000_000
"""How many counts are kept for the next figure of the same customers instead of being drawn anew."""

MOST_TIMES = 255
"""Nobody is drawn more often in one draw (the chance of 256 times is below 1e-500)."""

Counts = NDArray[np.uint8]
Indexes = NDArray[np.intp]


class Spread(Protocol):
    """How sure a change is, whichever way that was found."""

    @property
    def error(self) -> float:
        """The standard error."""

    @property
    def p_value(self) -> float:
        """How often chance alone would bring a change as large, seen from both sides."""

    def interval(self, level: float = 0.95) -> Interval:
        """Where the change lies, as surely as `level` says."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """A spread by what the change was in each draw."""

    changes: Amounts

    @classmethod
    def of(cls, changes: Amounts) -> Draws:
        """The draws in which the change can be told."""
        return cls(changes[np.isfinite(changes)])

    @property
    def error(self) -> float:
        """The standard deviation of the draws."""
        return float(self.changes.std(ddof=1))

    @property
    def p_value(self) -> float:
        """Twice the share of draws on the other side of zero, never quite zero."""
        below, above = (self.changes <= 0).sum(), (self.changes >= 0).sum()
        return float(min(1.0, 2 * (1 + min(below, above)) / (1 + len(self.changes))))

    def interval(self, level: float = 0.95) -> Interval:
        """The percentile interval."""
        low, high = np.quantile(self.changes, ((1 - level) / 2, (1 + level) / 2))
        return Interval(float(low), float(high))


@dataclass(frozen=True, slots=True)
class Normal:
    """A spread by a standard error."""

    change: float
    error: float

    @property
    def p_value(self) -> float:
        """Both tails of the normal distribution."""
        return 2 * NormalDist().cdf(-abs(self.change) / self.error) if self.error else float(self.change == 0)

    def interval(self, level: float = 0.95) -> Interval:
        """The change give or take so many standard errors."""
        reach = NormalDist().inv_cdf((1 + level) / 2) * self.error
        return Interval(self.change - reach, self.change + reach)


@dataclass(frozen=True, eq=False)
class Resampling:
    """How often each of `units` is drawn, in each of `draws`: the same seed draws the same, for every figure alike."""

    units: int
    draws: int
    seed: int

    def sums(self, rows: Amounts, unit: Indexes) -> Amounts:
        """The sums of the rows' columns in each draw: (draws, columns). `unit` says whom each row belongs to."""
        return self.group_sums(rows, unit, np.zeros(len(rows), dtype=np.intp), 1)[:, 0]

    def group_sums(self, rows: Amounts, unit: Indexes, group: Indexes, groups: int) -> Amounts:
        """The same apart for each group of rows: (draws, groups, columns)."""
        order = np.argsort(group, kind="stable")
        names, begins, sizes = np.unique(group[order], return_index=True, return_counts=True)
        parts = list(zip(names, begins, begins + sizes, strict=True))
        values, members = rows[order].astype(np.float32), unit[order]
        found = np.zeros((self.draws, groups, rows.shape[1]))
        for draws, counts in self.blocks(len(rows)):
            weights = counts[members].astype(np.float32)
            for name, begin, end in parts:
                found[draws, name] = weights[begin:end].T @ values[begin:end]
        return found

    def blocks(self, rows: int) -> Iterator[tuple[slice, Counts]]:
        """How often each unit was drawn, (units, some draws), and in which draws; so few that `rows` of them fit."""
        size, done = max(1, BLOCK // max(1, rows)), 0
        for counts in self._kept if self.units * self.draws <= KEPT else self._drawn():
            for begin in range(0, counts.shape[1], size):
                some = counts[:, begin : begin + size]
                yield slice(done, done + some.shape[1]), some
                done += some.shape[1]

    @cached_property
    def _kept(self) -> tuple[Counts, ...]:
        return tuple(self._drawn())

    def _drawn(self) -> Iterator[Counts]:
        generator = np.random.default_rng(self.seed)
        size = max(1, min(self.draws, BLOCK // max(1, self.units)))
        for begin in range(0, self.draws, size):
            yield self._block(generator, min(size, self.draws - begin))

    def _block(self, generator: np.random.Generator, draws: int) -> Counts:
        counts = np.empty((draws, self.units), dtype=np.uint8)
        for one in counts:
            drawn = generator.integers(0, self.units, self.units)
            one[:] = np.minimum(np.bincount(drawn, minlength=self.units), MOST_TIMES)
        return np.ascontiguousarray(counts.T)


def add_up(rows: Amounts, group: Indexes, groups: int) -> Amounts:
    """The rows of each group added up: (groups, columns)."""
    return np.stack([np.bincount(group, column, groups) for column in rows.T], axis=1)
