"""What a new and what a kept customer cost: figures of weeks, which have no panel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import Measure, Ratio, Reason, Span
from domain.initiatives.statistics.bootstrap import Draws
from domain.initiatives.statistics.effects import LEAST_KNOWN_DRAWS, Effect
from domain.initiatives.statistics.tallies import within

if TYPE_CHECKING:
    from domain.initiatives.history import Amounts, History
    from domain.initiatives.plans import Plan
    from domain.initiatives.statistics.windows import Windows

DAYS_OF_WEEK = 7
FEWEST_WEEKS = 12
BLOCK_WEEKS = 4
CATEGORIES = {
    Measure.ACQUISITION_COST: ("ACQUISITION_MARKETING", "ACQUISITION_SALES"),
    Measure.RETENTION_COST: ("RETENTION_MARKETING", "RETENTION_SALES"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Costs and the customers they brought or kept, week by week; none where they are not known.

    `unrated`: some of the costs wait for an exchange rate.
    """

    costs: Amounts
    customers: Amounts
    unrated: bool = False

    @property
    def ratio(self) -> Ratio:
        """The cost of one customer over all these weeks."""
        costs, customers = float(self.costs.sum()), float(self.customers.sum())
        known = customers and not self.unrated
        return Ratio(costs / customers if known else None, costs, customers, len(self.costs))

    def drawn(self, generator: np.random.Generator, draws: int) -> Amounts:
        """The cost of one customer over weeks drawn in blocks, so that what follows each other stays together."""
        weeks = len(self.costs)
        begins = generator.integers(0, weeks - BLOCK_WEEKS + 1, (draws, -(-weeks // BLOCK_WEEKS)))
        chosen = (begins[..., np.newaxis] + np.arange(BLOCK_WEEKS)).reshape(draws, -1)[:, :weeks]
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Amounts = self.costs[chosen].sum(axis=1) / self.customers[chosen].sum(axis=1)
        return found


def effects(history: History, windows: Windows, plan: Plan) -> list[Effect]:
    """The change of both costs, by a moving-block bootstrap over weeks, 12 or more on each side."""
    return [_effect(measure, history, windows, plan) for measure in CATEGORIES]


def change(measure: Measure, history: History, windows: Windows, plan: Plan) -> float | None:
    """The bare change of a cost: what is found at a fake go-live."""
    before, after = (_series(measure, history, span, plan).ratio.value for span in (windows.before, windows.after))
    return after / before - 1 if before and after else None


def _effect(measure: Measure, history: History, windows: Windows, plan: Plan) -> Effect:
    before, after = (_series(measure, history, span, plan) for span in (windows.before, windows.after))
    plain = Effect(measure, before.ratio, after.ratio)
    if before.unrated or after.unrated:
        return replace(plain, blocked=Reason.NO_RATE)
    if not (before.ratio.value and after.ratio.value):
        return replace(plain, blocked=Reason.NOT_MEASURED)
    found = after.ratio.value / before.ratio.value - 1
    if min(len(before.costs), len(after.costs)) < FEWEST_WEEKS:
        return replace(plain, change=found, blocked=Reason.TOO_FEW)
    generator = np.random.default_rng((plan.seed, list(CATEGORIES).index(measure)))
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = after.drawn(generator, plan.draws) / before.drawn(generator, plan.draws) - 1
    if np.isfinite(drawn).mean() < LEAST_KNOWN_DRAWS:
        return replace(plain, change=found, blocked=Reason.TOO_FEW)
    return replace(plain, change=found, spread=Draws.of(drawn))


def _series(measure: Measure, history: History, span: Span, plan: Plan) -> Series:
    """The whole weeks of a span, counted from the go-live; empty where they are not all known."""
    weeks = history.weeks
    count = span.days // DAYS_OF_WEEK
    first = (span.first - plan.go_live) // DAYS_OF_WEEK
    lag = plan.acquisition_lag_weeks if measure is Measure.ACQUISITION_COST else 0
    whole = Span(plan.go_live + first * DAYS_OF_WEEK, plan.go_live + (first + count) * DAYS_OF_WEEK)
    if first - lag < weeks.first or first + count > weeks.last:
        return Series(np.zeros(0), np.zeros(0))
    paid = slice(first - lag - weeks.first, first - lag - weeks.first + count)
    costs = sum((weeks.costs[name][paid] for name in CATEGORIES[measure] if name in weeks.costs), np.zeros(count))
    ahead = lag * DAYS_OF_WEEK
    unrated = any(weeks.are_unrated(name, whole.first - ahead, whole.last - ahead) for name in CATEGORIES[measure])
    if measure is Measure.RETENTION_COST:
        return Series(costs, _kept_customers(history, whole), unrated)
    return Series(costs, weeks.new_customers[first - weeks.first : first - weeks.first + count], unrated)


def _kept_customers(history: History, span: Span) -> Amounts:
    """Customers who bought in the span and in the one of equal length before it, in the week of their first return."""
    earlier = Span(span.first - span.days, span.first)
    weeks = np.zeros(span.days // DAYS_OF_WEEK)
    if earlier.first < history.first:
        return weeks
    active = np.zeros(history.customers, dtype=np.bool_)
    active[history.customer[_bought(history, earlier)]] = True
    rows = _bought(history, span)
    customer, begins = np.unique(history.customer[rows], return_index=True)
    returned = (history.day[rows][begins] - span.first) // DAYS_OF_WEEK
    np.add.at(weeks, returned[active[customer]], 1.0)
    return weeks


def _bought(history: History, span: Span) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    rows = within(history, span)
    return rows[history.occasions[rows] > 0]
