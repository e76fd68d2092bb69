"""What each customer is worth at the go-live and at the measurement, both by one version of a model of buying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.history import NEVER
from domain.initiatives.plans import Equity
from domain.metrics.clv.bootstrap import Customers, Fitted
from domain.metrics.clv.fitting import DAYS_PER_WEEK
from domain.metrics.clv.lifetime_value import MODELS, Assumptions, present_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.initiatives.history import Amounts, Days, History
    from domain.initiatives.plans import Plan

_PORTION = 5_000
"""Of how many customers flows are held at once."""


@dataclass(frozen=True, slots=True)
class Model:
    """A version of a model of buying with the model of spending that it was used with, and the margin known then."""

    version: int
    kind: str
    buying: Sequence[float]
    spending: Sequence[float]
    margin: float


def equity(history: History, plan: Plan, model: Model) -> Equity:
    """The worth of each customer after the last day before the go-live, and after the last day that was measured."""
    before, after = (_worth(history, day - 1, model) for day in (plan.go_live, plan.measured_on))
    return Equity(before, after, model.version, model.margin)


def _worth(history: History, as_of: int, model: Model) -> Amounts:
    """What each customer is expected to bring within 36 months, discounted; nothing of who has not bought yet."""
    fitted = Fitted(MODELS[model.kind], model.buying, model.spending, None, None)
    assumed = Assumptions(margin=model.margin)
    bought = (history.first_occasion != NEVER) & (history.first_occasion <= as_of)
    known = _customers(history, as_of)
    worth = np.zeros(history.customers)
    who = np.flatnonzero(bought)
    for start in range(0, len(who), _PORTION):
        some = who[start : start + _PORTION]
        worth[some] = present_value(fitted.flows(known.some(some), drawn=False), assumed)
    return worth


def _customers(history: History, as_of: int) -> Customers:
    """How each customer had bought up to a day.

    Of purchases before the first day that is kept only their number is known: the last of several is taken to be as
    late as it can be, and what they were worth to be like what came later. So is what waits for an exchange rate.
    """
    rows = (history.occasions > 0) & (history.day <= as_of)
    customer, day = history.customer[rows], history.day[rows]
    x = np.bincount(customer, minlength=history.customers) + history.occasions_before - 1
    first = history.first_occasion.astype(np.int64)
    told = (day > first[customer]) & (history.unrated[rows] == 0)
    amounts = np.bincount(customer[told], history.amount[rows][told], history.customers)
    times = np.bincount(customer[told], minlength=history.customers)
    mean = np.divide(amounts, times, out=np.zeros(history.customers), where=times > 0)
    return Customers(
        np.maximum(x, 0).astype(np.float64), (_last(history, customer, day) - first) / DAYS_PER_WEEK,
        (as_of - first) / DAYS_PER_WEEK, mean,
    )  # fmt: skip


def _last(history: History, customer: Days, day: Days) -> Days:
    """The last purchase of each customer; rows are in the order of customers and days."""
    last = np.where(history.occasions_before > 1, history.first - 1, history.first_occasion)
    # Of equal indexes the last assignment stays.
    last[customer] = day
    return last
