"""The days on which a recurring event takes place, from Graph's pattern and range."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from plugins.outlook.sandbox.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = ("first", "second", "third", "fourth", "last")
NEEDED = {
    "daily": (),
    "weekly": ("daysOfWeek",),
    "absoluteMonthly": ("dayOfMonth",),
    "relativeMonthly": ("daysOfWeek",),
    "absoluteYearly": ("dayOfMonth", "month"),
    "relativeYearly": ("daysOfWeek", "month"),
}


def checked(recurrence: dict[str, Any]) -> dict[str, Any]:
    """The recurrence, once it says all that its type needs."""
    pattern, extent = recurrence.get("pattern") or {}, recurrence.get("range") or {}
    if pattern.get("type") not in NEEDED or pattern.get("interval", 0) < 1:
        raise _invalid("pattern")
    if any(not pattern.get(name) for name in NEEDED[pattern["type"]]):
        raise _invalid("pattern")
    wanted = {"endDate": "endDate", "numbered": "numberOfOccurrences", "noEnd": "startDate"}.get(extent.get("type", ""))
    if wanted is None or not extent.get(wanted) or not extent.get("startDate"):
        raise _invalid("range")
    return recurrence


def days(recurrence: dict[str, Any], until: date) -> Iterator[date]:
    """The days of the series from its first one, none after `until`."""
    pattern, extent = recurrence["pattern"], recurrence["range"]
    first = date.fromisoformat(extent["startDate"])
    last = min(until, date.fromisoformat(extent["endDate"])) if extent["type"] == "endDate" else until
    left = extent["numberOfOccurrences"] if extent["type"] == "numbered" else None
    day = first
    while day <= last and left != 0:
        if _takes_place(pattern, first, day):
            yield day
            left = None if left is None else left - 1
        day += timedelta(days=1)


def _takes_place(pattern: dict[str, Any], first: date, day: date) -> bool:
    kind, interval = pattern["type"], pattern["interval"]
    if kind == "daily":
        return bool((day - first).days % interval == 0)
    if kind == "weekly":
        begins = DAYS.index(pattern.get("firstDayOfWeek", "sunday"))
        weeks = (_week(day, begins) - _week(first, begins)).days // 7
        return weeks % interval == 0 and DAYS[day.weekday()] in pattern["daysOfWeek"]
    months = (day.year - first.year) * 12 + day.month - first.month
    if kind.endswith("Yearly"):
        if day.month != pattern["month"] or (day.year - first.year) % interval:
            return False
    elif months % interval:
        return False
    if kind.startswith("absolute"):
        # A month that is too short has its occurrence on its last day.
        return bool(day.day == min(pattern["dayOfMonth"], monthrange(day.year, day.month)[1]))
    return day == _relative(pattern, day)


def _week(day: date, begins: int) -> date:
    return day - timedelta(days=(day.weekday() - begins) % 7)


def _relative(pattern: dict[str, Any], day: date) -> date:
    """The n-th of the pattern's weekdays in the month of this day."""
    length = monthrange(day.year, day.month)[1]
    fitting = [
        found
        for number in range(1, length + 1)
        if DAYS[(found := day.replace(day=number)).weekday()] in pattern["daysOfWeek"]
    ]
    index = pattern.get("index", "first")
    return fitting[-1] if index == "last" else fitting[INDEXES.index(index)]


def _invalid(part: str) -> Exception:
    return bad_request(f"The recurrence {part} is invalid.", "ErrorInvalidRecurrencePattern")
