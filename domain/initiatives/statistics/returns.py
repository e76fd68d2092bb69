"""What an initiative brought beside what it cost: return, payback, return on customer; each with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.findings import CustomerReturn, Estimate, GainBasis, PaidBack, Returns, Span
from domain.initiatives.history import NEVER
from domain.initiatives.plans import Equity, Missing
from domain.initiatives.statistics.bootstrap import Draws, Resampling, add_up
from domain.initiatives.statistics.tallies import Column, tally, total, within

if TYPE_CHECKING:
    from domain.initiatives.history import Amounts, History, Mask
    from domain.initiatives.plans import Plan
    from domain.initiatives.statistics.bootstrap import Counts, Indexes
    from domain.initiatives.statistics.contributions import Contributions
    from domain.initiatives.statistics.matching import Cells
    from domain.initiatives.statistics.panel import Panel
    from domain.initiatives.statistics.windows import Windows

_COLUMNS = (Column.CUSTOMERS, Column.CONTRIBUTION, Column.EXPOSURE)
_CUSTOMERS, _CONTRIBUTION, _EXPOSURE, _EXPOSURE_AFTER = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Gains:
    """The gain up to the end of each day after the go-live: (1 + draws, days), what was found and then the draws."""

    curves: Amounts

    @property
    def total(self) -> Amounts:
        """The gain of all days."""
        found: Amounts = self.curves[:, -1]
        return found


def gains(
    history: History, windows: Windows, panel: Panel, resampling: Resampling, cells: Cells | None = None
) -> Gains | Missing:
    """What the treated brought beyond what was to be expected of them; why not, where there is none.

    Expected is their rate of before over the exposure of after; with cells, moved as the untouched of each cell moved.
    """
    before, after = (tally(history, span, span.days)[panel.customers] for span in (windows.before, windows.after))
    if not before[:, Column.CONTRIBUTION].any() or not after[:, Column.CONTRIBUTION].any():
        return Missing.NO_PURCHASES
    rows = np.concatenate((before[:, _COLUMNS], after[:, (Column.EXPOSURE,)]), axis=1)
    group = np.zeros(panel.size, dtype=np.intp) if cells is None else cells.group
    groups = 1 if cells is None else 2 * len(cells.names)
    drawn = resampling.group_sums(rows, panel.unit, group, groups)
    sums = np.concatenate((add_up(rows, group, groups)[np.newaxis], drawn))
    weight = np.ones(sums.shape[:2]) if cells is None else _weights(sums[..., _CUSTOMERS], cells.matched)
    flows = _Flows.of(history, windows.after, panel, group)
    elapsed = np.arange(1, windows.after.days + 1) / windows.after.days
    curves = _cumulative(flows, resampling, weight) - _expected(sums, weight)[:, np.newaxis] * elapsed
    # A draw may hold more or fewer treated customers than there are: it tells what each of them brought.
    held = np.where(weight > 0, sums[..., _CUSTOMERS], 0.0).sum(axis=1, keepdims=True)
    return Gains(np.divide(curves * held[0], held, out=np.zeros_like(curves), where=held > 0))


def returns(
    known: Contributions, plan: Plan, scope: Mask, found: Gains | Missing, *, helped: bool
) -> Returns:  # fmt: skip
    """What follows from gain and cost. Nothing counts as paid for while no question was answered for the better.

    A gain that has the cost of goods in it is no return on anything.
    """
    cost = _cost(plan)
    missing = _why_no_return(known, found, cost)
    gained = None if isinstance(found, Missing) else found
    roi = None if gained is None or missing or not cost else _estimate(gained.total / cost - 1)
    customer = _return_on_customer(known, plan, scope)
    return Returns(
        gain=None if gained is None else _estimate(gained.total),
        gain_basis=known.basis,
        gain_missing=found if isinstance(found, Missing) else None,
        cost=cost,
        roi=roi,
        roi_missing=missing,
        payback=None if gained is None or missing else _paid_back(gained, plan),
        return_on_customer=None if isinstance(customer, Missing) else customer,
        return_on_customer_missing=customer if isinstance(customer, Missing) else None,
        shown_to_have_paid=helped and roi is not None and roi.interval.low >= 0,
    )


def _cost(plan: Plan) -> float | None:
    """What the initiative cost up to the measurement; None while any of it waits for a rate."""
    amounts = [spent.amount for spent in plan.spent if spent.day < plan.measured_on]
    known = [amount for amount in amounts if amount is not None]
    return float(sum(known)) if len(known) == len(amounts) else None


def _why_no_return(known: Contributions, found: Gains | Missing, cost: float | None) -> Missing | None:
    if isinstance(found, Missing):
        return found
    if known.basis is GainBasis.NET_REVENUE:
        return Missing.NO_COST_OF_GOODS
    if cost is None:
        return Missing.NO_RATE
    return None if cost > 0 else Missing.NO_COST


@dataclass(frozen=True, slots=True, eq=False)
class _Flows:
    """The contributions of a panel in the order of their days."""

    amount: Amounts
    unit: Indexes
    group: Indexes
    day: Indexes
    days: int

    @classmethod
    def of(cls, history: History, span: Span, panel: Panel, group: Indexes) -> _Flows:
        place = np.full(history.customers, -1, dtype=np.intp)
        place[panel.customers] = np.arange(panel.size)
        rows = within(history, span)
        rows = rows[(history.contribution[rows] != 0) & (place[history.customer[rows]] >= 0)]
        rows = rows[np.argsort(history.day[rows], kind="stable")]
        who = place[history.customer[rows]]
        day = (history.day[rows] - span.first).astype(np.intp)
        return cls(history.contribution[rows], panel.unit[who], group[who], day, span.days)

    def cumulative(self, counts: Counts, weight: Amounts) -> Amounts:
        """The weighed contributions up to the end of each day: (draws, days)."""
        weighed = counts[self.unit].T * weight[:, self.group] * self.amount
        days, begins = np.unique(self.day, return_index=True)
        daily = np.zeros((len(weighed), self.days))
        daily[:, days] = np.add.reduceat(weighed, begins, axis=1)
        return daily.cumsum(axis=1)


def _cumulative(flows: _Flows, resampling: Resampling, weight: Amounts) -> Amounts:
    """The weighed contributions of everyone once, then of the draws: (1 + draws, days)."""
    found = np.zeros((1 + resampling.draws, flows.days))
    found[:1] = flows.cumulative(np.ones((resampling.units, 1), dtype=np.uint8), weight[:1])
    for draws, counts in resampling.blocks(len(flows.amount)):
        after = slice(draws.start + 1, draws.stop + 1)
        found[after] = flows.cumulative(counts, weight[after])
    return found


def _weights(customers: Amounts, matched: Mask) -> Amounts:
    """What one customer of each group counts: a matched treated one, an untouched as many treated as he stands for."""
    untouched, treated = customers[:, 0::2], customers[:, 1::2]
    stands_for = np.divide(treated, untouched, out=np.zeros_like(treated), where=(untouched > 0) & matched)
    weight = np.empty_like(customers)
    weight[:, 0::2], weight[:, 1::2] = -stands_for, stands_for > 0
    return weight


def _expected(sums: Amounts, weight: Amounts) -> Amounts:
    """What the groups would have brought after at their rates of before."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = sums[..., _CONTRIBUTION] / sums[..., _EXPOSURE]
    found: Amounts = (weight * np.nan_to_num(rate) * sums[..., _EXPOSURE_AFTER]).sum(axis=1)
    return found


def _estimate(values: Amounts) -> Estimate:
    return Estimate(float(values[0]), Draws.of(values[1:]).interval())


def _paid_back(found: Gains, plan: Plan) -> PaidBack:
    days = found.curves.shape[1]
    spent = np.zeros(days)
    for one in plan.spent:
        if one.day < plan.measured_on:
            spent[max(0, one.day - plan.go_live)] += one.amount or 0.0
    ahead = found.curves >= spent.cumsum()
    stays = np.logical_and.accumulate(ahead[:, ::-1], axis=1)[:, ::-1]
    first = np.where(stays.any(axis=1), stays.argmax(axis=1), days)
    earliest, latest = np.quantile(first[1:], (0.025, 0.975), method="nearest")
    return PaidBack(*(_day(int(one), days, plan.go_live) for one in (first[0], earliest, latest)))


def _day(place: int, days: int, go_live: int) -> int | None:
    return go_live + place if place < days else None


def _return_on_customer(known: Contributions, plan: Plan, scope: Mask) -> CustomerReturn | Missing:
    """(Cash flow from customers + change of customer equity) / customer equity at the go-live. Peppers and Rogers.

    Where no cost of goods is known, both are of net revenue, or none.
    """
    history = known.history
    if not isinstance(plan.equity, Equity):
        return plan.equity
    if known.basis is GainBasis.NET_REVENUE and plan.equity.margin < 1:
        return Missing.NO_COST_OF_GOODS
    present = np.flatnonzero(scope & (history.erased_at == NEVER))
    before, after = (_of(values, history.customers)[present] for values in (plan.equity.before, plan.equity.after))
    if not before.sum() > 0:
        return Missing.NO_EQUITY
    after_window = Span(plan.go_live, plan.measured_on)
    brought = total(history, after_window, "contribution")[present] + after - before
    rows = np.stack((brought, before), axis=1)
    names, unit = np.unique(history.unit[present], return_inverse=True)
    drawn = Resampling(len(names), plan.draws, plan.seed).sums(rows, unit)
    sums = np.concatenate((rows.sum(axis=0)[np.newaxis], drawn))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = _estimate(np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan))
    return CustomerReturn(value, float(before.sum()), float(after.sum()), plan.equity.version)


def _of(values: Amounts, customers: int) -> Amounts:
    return np.concatenate((values, np.zeros(customers - len(values))))
