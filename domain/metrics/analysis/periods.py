"""The periods of a tenant's calendar: where each begins."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from domain.metrics.rules import Grain
from domain.tenants.model import Calendar

if TYPE_CHECKING:
    from collections.abc import Sequence

_SATURDAY = 5


def starts(first: date, last: date, grain: Grain, calendar: Calendar) -> Sequence[date]:
    """Where the periods begin that have days from `first` to `last` (both within), and where the next one does."""
    begins = [_start(first, grain, calendar)]
    while begins[-1] <= last:
        begins.append(_start(begins[-1] + timedelta(_LONGEST[grain]), grain, calendar))
    return begins


_LONGEST = {Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 31, Grain.QUARTER: 93}
"""So many days after its beginning, the next period has begun, and the one after it has not."""


def _start(day: date, grain: Grain, calendar: Calendar) -> date:
    if grain is Grain.DAY:
        return day
    if grain is Grain.WEEK:
        first_day = _SATURDAY if calendar == Calendar.JALALI else 0
        return day - timedelta((day.weekday() - first_day) % 7)
    months = 1 if grain is Grain.MONTH else 3
    return _jalali(day, months) if calendar == Calendar.JALALI else _gregorian(day, months)


def _gregorian(day: date, months: int) -> date:
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _jalali(day: date, months: int) -> date:
    import jdatetime

    there = jdatetime.date.fromgregorian(date=day)
    begin: date = jdatetime.date(there.year, (there.month - 1) // months * months + 1, 1).togregorian()
    return begin
