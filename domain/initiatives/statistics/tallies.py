"""What each customer did within a window, as columns of which every measure is a ratio of sums."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.initiatives.findings import Measure

if TYPE_CHECKING:
    from domain.initiatives.findings import Span
    from domain.initiatives.history import Amounts, History


class Column(IntEnum):
    """What is added up over customers. EXPOSURE is days, RECENCY capped days, CUSTOMERS one each.

    AMOUNT is that of the days of which it is known, RATED the occasions among these, UNRATED the other days.
    """

    OCCASIONS = 0
    EXPOSURE = 1
    RECENCY = 2
    CUSTOMERS = 3
    AMOUNT = 4
    UNRATED = 5
    RATED = 6
    SERVICE_COST = 7
    RESPONSES = 8
    DELIVERIES = 9
    CONTRIBUTION = 10


DAYS_PER_YEAR = 365.25

RATIOS = {
    Measure.FREQUENCY: (Column.OCCASIONS, Column.EXPOSURE, DAYS_PER_YEAR),
    Measure.RECENCY: (Column.RECENCY, Column.CUSTOMERS, 1.0),
    Measure.SIZE: (Column.AMOUNT, Column.RATED, 1.0),
    Measure.SERVICE_COST: (Column.SERVICE_COST, Column.EXPOSURE, DAYS_PER_YEAR),
    Measure.RESPONSE: (Column.RESPONSES, Column.DELIVERIES, 1.0),
}
"""Numerator, denominator and factor of the measures that rest on a panel: a group's value is a ratio of sums."""

MONEY = frozenset({Measure.SIZE, Measure.SERVICE_COST, Measure.ACQUISITION_COST, Measure.RETENTION_COST})
"""The measures that are amounts, in minor units."""

MOST_UNRATED = 0.01
"""With a greater share of days that wait for an exchange rate no amount is told.

Sales in another currency are of another size: where they are three times as large as the others, one in a hundred of
them left out is 2 % of the mean, the smallest change that counts unless a seal says otherwise.
"""

_SUMMED = {
    Column.OCCASIONS: "occasions",
    Column.SERVICE_COST: "service_cost",
    Column.RESPONSES: "responses",
    Column.DELIVERIES: "deliveries",
    Column.CONTRIBUTION: "contribution",
}


def tally(history: History, span: Span, recency_cap: int) -> Amounts:
    """One row per customer, one value per Column, of the days of the span."""
    rows = within(history, span)
    customer = history.customer[rows]
    columns = np.zeros((history.customers, len(Column)))
    for column, name in _SUMMED.items():
        values = getattr(history, name)[rows]
        if values.any():
            columns[:, column] = np.bincount(customer, values, history.customers)
    _add_amounts(columns, history, rows)
    columns[:, Column.EXPOSURE] = _exposure(history, span)
    columns[:, Column.RECENCY] = _recency(history, span, recency_cap, rows)
    columns[:, Column.CUSTOMERS] = 1.0
    return columns


def are_unrated(rows: Amounts) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether too much of what columns (the last axis) count waits for a rate to tell an amount."""
    unrated = rows[..., Column.UNRATED]
    found: np.ndarray[Any, np.dtype[np.bool_]] = unrated > MOST_UNRATED * (rows[..., Column.RATED] + unrated)
    return found


def total(history: History, span: Span, column: str) -> Amounts:
    """One column of the rows of the span added up per customer."""
    rows = within(history, span)
    values = getattr(history, column)[rows]
    return np.bincount(history.customer[rows], values, history.customers).astype(np.float64)


def within(history: History, span: Span) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Where the rows of the span are."""
    return np.flatnonzero((history.day >= span.first) & (history.day < span.last))


def change(measure: Measure, before: Amounts, after: Amounts) -> Amounts:
    """By which fraction the measure changed between two sums of columns (the last axis); NaN where it is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        old, new = value(measure, before), value(measure, after)
        found: Amounts = np.where(old == 0, np.nan, (new - old) / np.abs(old))
    return found


def value(measure: Measure, sums: Amounts) -> Amounts:
    """The measure of sums of columns (the last axis); not finite where the denominator is zero."""
    numerator, denominator, factor = RATIOS[measure]
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Amounts = sums[..., numerator] * factor / sums[..., denominator]
    return found


def _add_amounts(columns: Amounts, history: History, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> None:
    customer, amount, unrated = history.customer[rows], history.amount[rows], history.unrated[rows] > 0
    columns[:, Column.RATED] = columns[:, Column.OCCASIONS]
    if unrated.any():
        columns[:, Column.UNRATED] = np.bincount(customer[unrated], minlength=history.customers)
        columns[:, Column.RATED] -= np.bincount(customer, history.occasions[rows] * unrated, history.customers)
        amount = np.where(unrated, 0.0, amount)
    if amount.any():
        columns[:, Column.AMOUNT] = np.bincount(customer, amount, history.customers)


def _exposure(history: History, span: Span) -> Amounts:
    """For how many days of the span each customer existed."""
    begins = np.maximum(span.first, history.first_seen)
    ends = np.where(history.erased_at < 0, span.last, np.minimum(span.last, history.erased_at))
    days: Amounts = np.maximum(0, ends - begins).astype(np.float64)
    return days


def _recency(history: History, span: Span, cap: int, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Amounts:
    """Days from the last occasion in the span to its end, at most `cap`."""
    bought = rows[history.occasions[rows] > 0]
    last = np.full(history.customers, span.last - cap, dtype=np.int64)
    # Rows are sorted by customer and day, and of equal indexes the last assignment stays.
    last[history.customer[bought]] = history.day[bought]
    return np.minimum(cap, span.last - last).astype(np.float64)
