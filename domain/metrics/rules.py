"""What metrics decide: their kinds and units, why a value is missing, and which windows can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import jdatetime

from domain.core.problems import Invalid
from domain.purchases.rules import RevenueView

if TYPE_CHECKING:
    from domain.purchases.rules import Window


class Unit(StrEnum):
    """What a metric is measured in."""

    DAYS = "DAYS"
    PER_YEAR = "PER_YEAR"
    UNITS = "UNITS"
    MONEY = "MONEY"
    COUNT = "COUNT"
    RATIO = "RATIO"
    SCORE = "SCORE"
    MINUTES = "MINUTES"


class Kind(StrEnum):
    """How a metric is made of its parts."""

    TOTAL = "TOTAL"
    COUNT = "COUNT"
    RATIO = "RATIO"
    MEAN = "MEAN"
    MEDIAN = "MEDIAN"


class Better(StrEnum):
    """Which way is better."""

    HIGHER = "HIGHER"
    LOWER = "LOWER"


class Grain(StrEnum):
    """How long each point of a series is."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"


class ScopeKind(StrEnum):
    """Of whom a value is."""

    TENANT = "TENANT"
    SEGMENT = "SEGMENT"
    STAGE = "STAGE"
    CUSTOMER = "CUSTOMER"


class WindowOpen(Invalid):
    """A window of metrics has a first day and an end. Give both."""


class WindowEmpty(Invalid):
    """A window ends after it starts: its end is the first day that does not belong to it."""


class WindowInFuture(Invalid):
    """A window cannot begin after today: nothing of it is known yet."""


class WindowTooLong(Invalid):
    """A window of metrics has at most 36,525 days, which is a hundred years. Begin it later, or end it earlier."""


class SeriesTooLong(Invalid):
    """A series has at most 1,000 points. Take a shorter window or a longer grain."""


class TooManySeries(Invalid):
    """One question asks for at most 200 series: metrics by segments and stages. Ask for fewer at once."""


class DaysOutOfRange(Invalid):
    """A number of days that figures are counted by is 0 to 3,660; of the others than lag and gap, at least 1."""


class ThresholdOutOfRange(Invalid):
    """The probability below which a customer counts as gone lies above 0 and is at most 1, such as 0.5."""


LONGEST_WINDOW = 36_525
MOST_POINTS = 1_000
MOST_SERIES = 200


MOST_DAYS = 3_660

_LEAST_DAYS = {"acquisition_lag": 0, "contract_gap": 0, "unused_after": 1, "conversion": 1, "response": 1}


@dataclass(frozen=True)
class Counting:
    """What figures count by, where that is a choice. Raises DaysOutOfRange or ThresholdOutOfRange.

    `paid_only`: orders of nothing are no purchases. `view`: whether what was given back counts on the order's day or on
    its own. `acquisition_lag`: by how many days the costs of acquisition lie before the customers whom they won.
    `contract_gap`: how many days without a contract are no end, when another one follows. `unused_after`: for how many
    days nobody used what lies unused. `conversion`: within how many days a lead converts. `response`: how many days a
    campaign is given: younger deliveries are left out, later purchases not told with it. `alive_threshold`: below which
    probability of still buying a customer is gone. `expansion`: more of the same tier than ever before is an upsell.
    `product`: of which product alone, by its stock code, use is told.
    """

    paid_only: bool = False
    view: RevenueView = RevenueView.BOOKED
    acquisition_lag: int = 0
    contract_gap: int = 0
    unused_after: int = 30
    conversion: int = 90
    response: int = 7
    alive_threshold: Decimal = Decimal("0.5")
    expansion: bool = False
    product: str | None = None

    def __post_init__(self) -> None:
        for name, least in _LEAST_DAYS.items():
            if not least <= getattr(self, name) <= MOST_DAYS:
                raise DaysOutOfRange(path=("counting", name))
        if not 0 < self.alive_threshold <= 1:
            raise ThresholdOutOfRange(path=("counting", "alive_threshold"))

    @property
    def parameters(self) -> dict[str, int | Decimal | str | None]:
        """What statements take as parameters, by their names."""
        return {
            "lag": self.acquisition_lag, "gap": self.contract_gap, "idle": self.unused_after,
            "conversion": self.conversion, "response": self.response, "alive": self.alive_threshold,
            "expansion": self.expansion, "product": self.product,
        }  # fmt: skip


USUAL = Counting()
"""What figures count by, unless the question says otherwise."""


def check_window(window: Window, today: date) -> tuple[date, date]:
    """The first day of a window, and the first day after it.

    Raises WindowOpen, WindowEmpty, WindowInFuture or WindowTooLong.
    """
    if window.start is None or window.end is None:
        raise WindowOpen(path=("window",))
    if window.end <= window.start:
        raise WindowEmpty(path=("window", "end"))
    if window.start > today:
        raise WindowInFuture(path=("window", "start"))
    if (min(window.end, today) - window.start).days > LONGEST_WINDOW:
        raise WindowTooLong(path=("window", "start"))
    return window.start, window.end


@dataclass(frozen=True)
class Point:
    """One period of a series, cut off where its window ends; complete where the window and the past hold all of it.

    `before` is the first day of the period before it; None for one that is cut off at its beginning, which has none.
    """

    start: date
    end: date
    label: str
    complete: bool
    before: date | None


def points(start: date, end: date, grain: Grain, calendar: Periods, today: date) -> list[Point]:
    """The periods of a window, in their order. Raises SeriesTooLong."""
    found: list[Point] = []
    day = start
    while day < end:
        first, after = calendar.period(day, grain)
        if len(found) == MOST_POINTS:
            raise SeriesTooLong(path=("grain",))
        whole = start <= first and after <= end and after <= today
        before = calendar.period(first - _DAY, grain)[0] if day == first else None
        found.append(Point(day, min(after, end), calendar.label(first, grain), whole, before))
        day = after
    return found


class Periods(Protocol):
    """A calendar: which days form a period, and what people call it."""

    def period(self, day: date, grain: Grain) -> tuple[date, date]:
        """The first day of the period that a day belongs to, and the first day after it."""
        ...

    def label(self, first: date, grain: Grain) -> str:
        """What the period that begins on a day is called."""
        ...


class Gregorian:
    """Weeks from Monday, months and quarters of the Gregorian calendar."""

    def period(self, day: date, grain: Grain) -> tuple[date, date]:
        """The first day of the period that a day belongs to, and the first day after it."""
        if grain is Grain.DAY:
            return day, day + _DAY
        if grain is Grain.WEEK:
            first = day - day.weekday() * _DAY
            return first, first + _WEEK
        months = _MONTHS[grain]
        month = day.month - (day.month - 1) % months
        last = month + months - 1
        return date(day.year, month, 1), date(day.year + last // 12, last % 12 + 1, 1)

    def label(self, first: date, grain: Grain) -> str:
        """2026-05-01, 2026-W18, 2026-05 or 2026-Q2."""
        year, week, _ = first.isocalendar()
        return {
            Grain.DAY: first.isoformat(),
            Grain.WEEK: f"{year}-W{week:02}",
            Grain.MONTH: f"{first:%Y-%m}",
            Grain.QUARTER: f"{first.year}-Q{(first.month + 2) // 3}",
        }[grain]


class Jalali:
    """Weeks from Saturday, months and quarters of the Solar Hijri calendar."""

    def period(self, day: date, grain: Grain) -> tuple[date, date]:
        """The first day of the period that a day belongs to, and the first day after it."""
        if grain is Grain.DAY:
            return day, day + _DAY
        if grain is Grain.WEEK:
            first = day - (day.weekday() + 2) % 7 * _DAY
            return first, first + _WEEK
        here, months = jdatetime.date.fromgregorian(date=day), _MONTHS[grain]
        month = here.month - (here.month - 1) % months
        last = month + months - 1
        after = jdatetime.date(here.year + last // 12, last % 12 + 1, 1)
        return jdatetime.date(here.year, month, 1).togregorian(), after.togregorian()

    def label(self, first: date, grain: Grain) -> str:
        """1405-02-11 (also of the week that begins then), 1405-02 or 1405-Q1."""
        here = jdatetime.date.fromgregorian(date=first)
        if grain is Grain.QUARTER:
            return f"{here.year}-Q{(here.month + 2) // 3}"
        return f"{here.year}-{here.month:02}" + ("" if grain is Grain.MONTH else f"-{here.day:02}")


_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_MONTHS = {Grain.MONTH: 1, Grain.QUARTER: 3}
