"""Cohort retention: of those who first came in a period, how many were there again how many periods later."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from domain.metrics.analysis.extract import Purchases
    from domain.metrics.rules import Grain, Periods
    from domain.purchases.rules import Window


class RetentionMode(StrEnum):
    """When a customer of a cohort counts as retained in a period."""

    ON = "ON"
    ON_OR_AFTER = "ON_OR_AFTER"
    CONTRACTUAL = "CONTRACTUAL"


# A customer's first occasion ever decides the cohort. The two counts come of one pass: in how many periods after it
# how many were active (ON), and for how many the last active one was the k-th (ON_OR_AFTER adds these up from the end).
ACTIVE = """
WITH active AS (
    SELECT DISTINCT customer, period FROM days JOIN periods USING (day) WHERE orders > 0
), spans AS (
    SELECT customer, min(period) AS cohort, max(period) AS last FROM active GROUP BY customer
)
SELECT 'ON' AS mode, cohort, period - cohort AS later, count(*) AS customers
FROM active JOIN spans USING (customer) GROUP BY cohort, later
UNION ALL SELECT 'LAST', cohort, last - cohort, count(*) FROM spans GROUP BY cohort, last
"""

# Who came under contract in a period, and who of them was so on the first day after it and after each later one.
FIRST_HELD = """
SELECT period, count(*) AS customers
FROM (SELECT customer, min(began) AS day FROM held GROUP BY customer) JOIN periods USING (day) GROUP BY period
"""
STILL_HELD = """
WITH came AS (
    SELECT customer, period AS cohort
    FROM (SELECT customer, min(began) AS day FROM held GROUP BY customer) JOIN periods USING (day)
)
SELECT cohort, ends.period - cohort AS later, count(DISTINCT customer) AS customers
FROM came JOIN ends ON ends.period >= cohort JOIN held USING (customer)
WHERE held.began <= ends.day AND ends.day < held.ended
GROUP BY cohort, later
"""

_USUAL_GAP = """
SELECT quantile_cont(gap, 0.9) AS days FROM (
    SELECT day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM days WHERE orders > 0
)
"""


@dataclass(frozen=True)
class Cell:
    """How many customers of a cohort were retained so many periods later.

    `complete` says that the period is over. `censored` is a flag on the last periods of ON_OR_AFTER: who is missing
    there may still come back, since less time has passed since than nine in ten customers let pass between purchases.
    """

    later: int
    retained: int
    complete: bool
    censored: bool


@dataclass(frozen=True)
class Cohort:
    """Those who first came in a period, by an occasion or a contract, and how many were retained in it and later."""

    start: date
    end: date
    customers: int
    cells: tuple[Cell, ...]


def beside(mode: RetentionMode) -> Sequence[str]:
    """The tables that a mode needs beside the purchases."""
    return ("held",) if mode is RetentionMode.CONTRACTUAL else ()


def cohorts(
    purchases: Purchases, window: Window, grain: Grain, mode: RetentionMode, calendar: Periods, as_of: date
) -> tuple[Cohort, ...]:
    """The cohorts whose period begins within the window, in their order, each followed up to the day `as_of`.

    Periods are those of the tenant's calendar; a cohort without customers is left out. Later days than `as_of` do not
    count, and its own period is not complete unless it ends with it. CONTRACTUAL needs the table `held`: its cohorts
    are of those who first came under contract in a period, and retained is who is under contract on the first day
    after a period, or after `as_of`, where the period goes on.
    """
    table = "days WHERE orders > 0" if mode is not RetentionMode.CONTRACTUAL else "(SELECT began AS day FROM held)"
    ((first,),) = purchases.rows(f"SELECT min(day) FROM {table}")
    if first is None or first > as_of:
        return ()
    begins = _starts(first, as_of, grain, calendar)
    came, counted = (_held if mode is RetentionMode.CONTRACTUAL else _bought)(purchases, begins, as_of, mode)
    ((usual,),) = purchases.rows(_USUAL_GAP) if mode is RetentionMode.ON_OR_AFTER else ((None,),)
    return tuple(
        _cohort(begins, number, came[number], counted.get(number, {}), as_of, usual)
        for number in range(len(begins) - 1)
        if _within(begins[number], window) and came.get(number)
    )


def _starts(first: date, last: date, grain: Grain, calendar: Periods) -> Sequence[date]:
    """Where the periods begin that have days from `first` to `last`, and where the one after them does."""
    begin, end = calendar.period(first, grain)
    begins = [begin, end]
    while begins[-1] <= last:
        begins.append(calendar.period(begins[-1], grain)[1])
    return begins


def _within(day: date, window: Window) -> bool:
    return (window.start is None or day >= window.start) and (window.end is None or day < window.end)


Counts = dict[int, dict[int, int]]
"""By cohort and by periods later: customers."""


def _bought(
    purchases: Purchases, begins: Sequence[date], as_of: date, mode: RetentionMode
) -> tuple[Mapping[int, int], Counts]:
    """By cohort, who came by a first occasion, and who bought how many periods later."""
    _register_periods(purchases, begins, as_of)
    active: Counts = {}
    last: Counts = {}
    for kind, cohort, later, customers in purchases.rows(ACTIVE):
        (active if kind == "ON" else last).setdefault(cohort, {})[later] = customers
    came = {cohort: of[0] for cohort, of in active.items()}
    return came, active if mode is RetentionMode.ON else {at: _added_up(of) for at, of in last.items()}


def _held(
    purchases: Purchases, begins: Sequence[date], as_of: date, _mode: RetentionMode
) -> tuple[Mapping[int, int], Counts]:
    """By cohort, who came under contract for the first time, and who was so how many periods later."""
    import pyarrow as pa

    _register_periods(purchases, begins, as_of)
    ends = [min(end, as_of + timedelta(days=1)) for end in begins[1:]]
    purchases.register("ends", pa.table({"period": pa.array(range(len(ends))), "day": pa.array(ends, pa.date32())}))
    counted: Counts = {}
    for cohort, later, customers in purchases.rows(STILL_HELD):
        counted.setdefault(cohort, {})[later] = customers
    return dict(purchases.rows(FIRST_HELD)), counted


def _register_periods(purchases: Purchases, begins: Sequence[date], as_of: date) -> None:
    """Have queries see every day that counts, with the number of its period."""
    import pyarrow as pa

    days = [begins[0] + timedelta(days) for days in range((as_of - begins[0]).days + 1)]
    numbers = [bisect_right(begins, day) - 1 for day in days]
    purchases.register("periods", pa.table({"day": pa.array(days, pa.date32()), "period": pa.array(numbers)}))


def _added_up(last: Mapping[int, int]) -> dict[int, int]:
    """How many were active in a period or any later one, from how many were last active in each."""
    still, counts = 0, {}
    for later in range(max(last), -1, -1):
        still += last.get(later, 0)
        counts[later] = still
    return counts


def _cohort(
    begins: Sequence[date], number: int, came: int, counts: Mapping[int, int], as_of: date, usual: float | None
) -> Cohort:  # fmt: skip
    def cell(later: int) -> Cell:
        end: Any = begins[number + later + 1]
        known = (as_of - end).days + 1  # days after the period that are known
        return Cell(later, counts.get(later, 0), known >= 0, usual is not None and known < usual)

    cells = tuple(cell(later) for later in range(len(begins) - 1 - number))
    return Cohort(begins[number], begins[number + 1], came, cells)
