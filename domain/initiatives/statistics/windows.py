"""Which days are compared with which, at the go-live and at the fake ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from domain.core.problems import Invalid
from domain.initiatives.findings import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.initiatives.history import History
    from domain.initiatives.plans import Plan

YEAR = 365
TWO_YEARS = 2 * YEAR
FAKE_STEP = 30


class EmptyWindow(Invalid):
    """A window needs at least one day. Measure after the go-live, and choose a baseline of at least one day."""


class WindowsOverlap(Invalid):
    """The days before and after the go-live overlap. What came after may not begin before the go-live."""


class WindowNotOver(Invalid):
    """The window reaches beyond the days that are known. Measure up to the day that the message names, or wait."""


class WindowBeforeData(Invalid):
    """The baseline window begins before the first day that is known. Choose a shorter baseline."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Two spans that are compared; `after` begins at the go-live, or at a fake one."""

    before: Span
    after: Span

    @property
    def recency_cap(self) -> int:
        """The longest recency that both windows can show."""
        return min(self.before.days, self.after.days)

    @property
    def equally_long(self) -> Windows:
        """The same with no more days after than before, for shares that grow with every day."""
        return Windows(self.before, Span(self.after.first, self.after.first + self.recency_cap))

    @property
    def same_days_of_the_year(self) -> bool:
        """Whether both windows hold the same part of the year, so that no season speaks for one of them."""
        whole_years = self.before.days == self.after.days and self.before.days % YEAR in {0, 1}
        return whole_years or self.is_of_the_year_before

    @property
    def is_of_the_year_before(self) -> bool:
        """Whether the same days one year earlier are compared with."""
        return self.before == _year_earlier(self.after)


def require_known(before: History, after: History, plan: Plan) -> None:
    """Raises what is wrong with the windows of a plan: empty, overlapping, in the future, or before the first data."""
    if plan.baseline_days < 1 or plan.after_days < 1:
        raise EmptyWindow(baseline_days=plan.baseline_days, after_days=plan.after_days)
    if before.last > plan.go_live or after.first < before.last:
        raise WindowsOverlap(go_live=plan.go_live, before_ends=before.last, after_begins=after.first)
    if plan.measured_on > after.last:
        raise WindowNotOver(known_until=after.last, measured_on=plan.measured_on)
    if plan.baseline_begins < before.first:
        raise WindowBeforeData(known_from=before.first, baseline_begins=plan.baseline_begins)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which windows belong to a go-live, true or fake: the same days one year earlier where two years are known.

    Without `year_before` the days just before are compared with, however much is known: too few of those who are
    compared were customers a year earlier, or they were chosen by what they did since.
    """

    first_known: int
    plan: Plan
    year_before: bool = True

    @property
    def compared(self) -> Windows:
        """The windows of the true go-live: as many days before it as after it, as far as the baseline goes."""
        plan = self.plan
        return self._around(plan.go_live, plan.after_days, min(plan.after_days, plan.baseline_days))

    def at_go_live(self, days: int) -> Windows:
        """The windows of the true go-live with so many days on both sides."""
        return self._around(self.plan.go_live, days, days)

    def fakes(self, days: int) -> Iterator[Windows]:
        """The windows of all fake go-lives with this length that lie within the sealed history, the latest first."""
        go_live = self.plan.go_live - days
        while (windows := self._around(go_live, days, days)).before.first >= self.first_known:
            yield windows
            go_live -= FAKE_STEP

    @property
    def _yearly(self) -> bool:
        known = self.plan.go_live - self.first_known >= TWO_YEARS
        return known and self.plan.after_days <= YEAR and self.year_before

    def _around(self, go_live: int, after_days: int, before_days: int) -> Windows:
        after = Span(go_live, go_live + after_days)
        return Windows(_year_earlier(after) if self._yearly else Span(go_live - before_days, go_live), after)


def first_day_to_seal(go_live: int, baseline_days: int, first_known: int) -> int:
    """The first day that a seal holds: two baselines and two years back, as far as anything is known."""
    return max(first_known, go_live - max(2 * baseline_days, TWO_YEARS + 1))


def _year_earlier(span: Span) -> Span:
    day = date.fromordinal(span.first)
    leap = (day.month, day.day) == (2, 29)
    first = day.replace(year=day.year - 1, day=28 if leap else day.day).toordinal()
    return Span(first, first + span.days)
