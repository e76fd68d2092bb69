"""When an event takes place within a window: once, or as the occurrences and exceptions of a series."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from plugins.outlook.sandbox import recurrence
from plugins.outlook.sandbox.times import instant, zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Window(NamedTuple):
    """From when until when."""

    start: datetime
    end: datetime

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether something takes place within the window, if only in part."""
        return start < self.end and (end > self.start or start == end == self.start)


class Occurrence(NamedTuple):
    """One time at which an event takes place; `day` names it within its series."""

    day: str | None
    start: datetime
    end: datetime
    is_exception: bool = False

    @property
    def suffix(self) -> str:
        """What its key has beyond that of its event."""
        return "" if self.day is None else f".{self.day}"


def within(
    fields: Mapping[str, Any], exceptions: Mapping[str, Mapping[str, Any]], cancelled: set[str], window: Window
) -> list[Occurrence]:
    """When an event takes place within a window, the exceptions of a series after its regular occurrences."""
    if not fields.get("recurrence"):
        only = Occurrence(None, instant(fields["start"]), instant(fields["end"]))
        return [only] if window.overlaps(only.start, only.end) else []
    found = [each for each in _regular(fields, window.end) if each.day not in exceptions and each.day not in cancelled]
    found += [exception(fields, day, changed) for day, changed in exceptions.items()]
    return [each for each in found if window.overlaps(each.start, each.end)]


def on_day(fields: Mapping[str, Any], day: str) -> Occurrence | None:
    """The regular occurrence of a series on a day, or None if it has none."""
    wanted = date.fromisoformat(day)
    until = datetime.combine(wanted, datetime.min.time(), zone("UTC")) + timedelta(days=2)
    return next((each for each in _regular(fields, until) if each.day == wanted.isoformat()), None)


def exception(fields: Mapping[str, Any], day: str, changed: Mapping[str, Any]) -> Occurrence:
    """One occurrence with what was changed of it."""
    regular = _at(fields, date.fromisoformat(day))
    start = instant(changed["start"]) if "start" in changed else regular.start
    end = instant(changed["end"]) if "end" in changed else regular.end
    return Occurrence(day, start, end, is_exception=True)


def _regular(fields: Mapping[str, Any], until: datetime) -> Iterator[Occurrence]:
    for day in recurrence.days(fields["recurrence"], until.date() + timedelta(days=1)):
        yield _at(fields, day)


def _at(fields: Mapping[str, Any], day: date) -> Occurrence:
    """A series keeps its wall clock time, whatever summer time does to the moment."""
    where = zone(fields["start"].get("timeZone") or "UTC")
    first, last = instant(fields["start"]).astimezone(where), instant(fields["end"])
    start = datetime.combine(day, first.time(), where).astimezone(zone("UTC"))
    return Occurrence(day.isoformat(), start, start + (last - first))
