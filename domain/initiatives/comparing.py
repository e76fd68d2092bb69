"""Did it help: what came after a go-live, compared with what the seal holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs

from domain.core.problems import Conflict
from domain.initiatives.findings import Comparison, Flag, Groups, Measure, Method, Reason, Span, Verdict
from domain.initiatives.history import NEVER
from domain.initiatives.plans import Missing, Question, Tier
from domain.initiatives.statistics import (
    battery,
    contributions,
    effects,
    individuals,
    matching,
    opportunities,
    returns,
    timeseries,
    verdicts,
    weekly_costs,
    weeks,
)
from domain.initiatives.statistics.bootstrap import Resampling
from domain.initiatives.statistics.contributions import SERVICE
from domain.initiatives.statistics.effects import without_rate
from domain.initiatives.statistics.figures import cut_off, figures, retained
from domain.initiatives.statistics.panel import calendar, least, panel, selected_on_baseline, treated, untouched
from domain.initiatives.statistics.starting_point import starting_point
from domain.initiatives.statistics.tallies import RATIOS, are_unrated, change, tally, within
from domain.initiatives.statistics.windows import require_known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from domain.initiatives.findings import Opportunity, QuestionAnswer, Returns, Weekly
    from domain.initiatives.history import Amounts, History, Mask
    from domain.initiatives.plans import Plan
    from domain.initiatives.statistics.effects import Effect
    from domain.initiatives.statistics.panel import Panel
    from domain.initiatives.statistics.windows import Calendar, Windows

    Changes = Mapping[Measure, float | None]

COUNTED = (SERVICE, *(category for categories in weekly_costs.CATEGORIES.values() for category in categories))
"""The categories of costs that answers rest on."""

RIPE_AFTER = 90
"""Days after which what is known of a day counts as complete: returns, bills and costs of a quarter are in by then."""


class TierNotPossible(Conflict):
    """Nobody was left alone and a side has less than 24 weeks, so this tier has no answer. Choose a possible one."""


def compare(before: History, after: History, plan: Plan) -> Comparison:
    """What followed a go-live, compared with the sealed history by the tier of the plan.

    `before` is what the seal holds, `after` what came since, under the identity graph of the measurement. The same
    input gives the same comparison to the last digit. Raises EmptyWindow, WindowsOverlap, WindowNotOver or
    WindowBeforeData for windows that cannot be compared, and TierNotPossible with the tiers that are.
    """
    require_known(before, after, plan)
    return _Study(before, before.joined(after), plan).comparison()


def possible_tiers(history: History, plan: Plan) -> tuple[Tier, ...]:
    """The tiers at which a plan can be answered at all, given what is known before and after its go-live."""
    study = _Study(history, history, plan)
    found = {
        Tier.QUICK: True,
        Tier.STANDARD: bool(study.fakes),
        Tier.RIGOROUS: study.has_untouched or timeseries.long_enough(study.windows),
    }
    return tuple(tier for tier, possible in found.items() if possible)


@dataclass(frozen=True, eq=False)
class _Study:
    """One comparison while it is made: what is known, what is asked, and what both lead to."""

    sealed: History
    history: History
    plan: Plan

    def comparison(self) -> Comparison:
        method = self.method
        found = self._effects(method)
        answers = verdicts.judge(found, self.plan)
        baseline, windows = self.baseline, self.windows
        limit = cut_off(self.sealed, baseline, self.panel) if self.plan.size_cutoff is None else self.plan.size_cutoff
        return Comparison(
            tier=self.plan.tier,
            method=method,
            baseline=baseline,
            before=windows.before,
            after=windows.after,
            groups=self._groups(method),
            figures_baseline=figures(self.history, baseline, self.panel, limit),
            figures_before=figures(self.history, windows.before, self.panel, limit),
            figures_after=figures(self.history, windows.after, self.panel, limit),
            retained=retained(self.history, baseline, windows.after, self.panel),
            answers=answers,
            overall=verdicts.overall(answers, self.plan),
            battery=battery.battery(self.fakes),
            starting_point=starting_point(self.history, self.calendar, self.scope, self.fakes),
            returns=self._returns(method, answers),
            opportunities=self._opportunities(),
            spreads=individuals.spreads(self.history, windows, self.panel, self.plan.minor),
            alike=individuals.alike(self.history, baseline, windows, self.sides) if method is Method.MATCHED else (),
            weekly=self._weekly(method),
            flags=self._flags(),
        )

    @cached_property
    def method(self) -> Method:
        """How the change is found at the tier. Raises TierNotPossible."""
        if self.plan.tier is not Tier.RIGOROUS:
            return Method.BEFORE_AFTER
        if self.has_untouched:
            return Method.MATCHED
        if not timeseries.long_enough(self.windows):
            raise TierNotPossible(possible=[tier.value for tier in possible_tiers(self.history, self.plan)])
        return Method.TIME_SERIES

    @cached_property
    def calendar(self) -> Calendar:
        return calendar(self.history, self.plan, self.sealed.first)

    @cached_property
    def windows(self) -> Windows:
        return self.calendar.compared

    @cached_property
    def baseline(self) -> Span:
        return Span(self.plan.baseline_begins, self.plan.go_live)

    @cached_property
    def scope(self) -> Mask:
        return treated(self.history, self.plan)

    @cached_property
    def panel(self) -> Panel:
        """The treated of before the baseline, and of before the days that it is compared with."""
        return self._panel(self.scope)

    @cached_property
    def has_untouched(self) -> bool:
        return self._panel(untouched(self.history, self.plan)).size > 0

    @cached_property
    def fakes(self) -> tuple[Windows, ...]:
        enough = least(self.panel.size)
        return battery.fake_go_lives(
            self.calendar, lambda fake: panel(self.history, fake.before.first, self.scope).size >= enough
        )

    @cached_property
    def sides(self) -> matching.Sides:
        """Treated and untouched in one panel; when departments were chosen, they are drawn as a whole.

        Then customers of no department are on neither side, also those who were chosen beside the departments.
        """
        both, departments = self.scope | untouched(self.history, self.plan), self.plan.departments
        if departments:
            both = both & (self.history.department != NEVER)
        found = self._panel(both, of_departments=departments)
        return matching.Sides(found, self.scope[found.customers], departments)

    @cached_property
    def resampling(self) -> Resampling:
        units = self.sides.panel.units if self.method is Method.MATCHED else self.panel.units
        return Resampling(units, self.plan.draws, self.plan.seed)

    def _panel(self, scope: Mask, *, of_departments: bool = False) -> Panel:
        return panel(
            self.history, self._begins, scope, self.history.department if of_departments else self.history.unit
        )

    @property
    def _begins(self) -> int:
        """The day before which everyone who is compared had bought."""
        return min(self.baseline.first, self.windows.before.first)

    @property
    def _measures(self) -> tuple[Measure, ...]:
        """The measures of a panel that the plan asks for."""
        asked = [one for question in self.plan.questions for one in effects.MEASURES[question]]
        return tuple(one for one in asked if one in RATIOS)

    def _effects(self, method: Method) -> list[Effect]:
        found = {
            Method.BEFORE_AFTER: self._before_after,
            Method.MATCHED: self._matched,
            Method.TIME_SERIES: self._time_series,
        }[method]()
        if Question.ACQUISITION_AND_RETENTION in self.plan.questions:
            found += self._weekly_costs()
        if self._service_waits:
            found = [without_rate(each) if each.measure is Measure.SERVICE_COST else each for each in found]
        selected = Reason.SELECTED_ON_BASELINE if self._selected_on_baseline else None
        return [replace(effect, blocked=effect.blocked or selected) for effect in found]

    @property
    def _selected_on_baseline(self) -> bool:
        return selected_on_baseline(self.plan, matched=self.method is Method.MATCHED)

    @property
    def _service_waits(self) -> bool:
        return contributions.service_waits(self.history, self.baseline, self.windows.before, self.windows.after)

    def _before_after(self) -> list[Effect]:
        before, after = self._tallies(self.windows, self.panel)
        width = before.shape[1]
        drawn = self.resampling.sums(np.concatenate((before, after), axis=1), self.panel.unit)
        found = [
            effects.of_panel(measure, before, after, change(measure, drawn[:, :width], drawn[:, width:]))
            for measure in self._measures
        ]
        return self._beside_placebo(found, self._panel_changes)

    def _matched(self) -> list[Effect]:
        given = (self.sides, self._measures, self.resampling)
        found = matching.effects(self.history, self.baseline, self.windows, *given)
        return matching.without_pre_trend(found, matching.pre_trends(self.history, self.baseline, *given))

    def _time_series(self) -> list[Effect]:
        found = timeseries.effects(self.history, self.windows, self.panel, self._measures)
        return self._beside_placebo(found, self._series_changes)

    def _weekly_costs(self) -> list[Effect]:
        found = weekly_costs.effects(self.history, self.windows, self.plan)
        return self._beside_placebo(found, self._weekly_changes)

    def _beside_placebo(self, found: list[Effect], changes_at: Callable[[Windows], Changes]) -> list[Effect]:
        """The effects beside what the same method finds at the fake go-lives; without those there is no evidence."""
        if not self.fakes:
            return [replace(effect, blocked=effect.blocked or Reason.PLACEBO_IMPOSSIBLE) for effect in found]
        at_fakes = [self._known(fake, changes_at) for fake in self.fakes]
        at_true = self._known(self.calendar.at_go_live(self.fakes[0].after.days), changes_at)
        return [self._with_placebo(effect, at_fakes, at_true) for effect in found]

    def _known(self, windows: Windows, changes_at: Callable[[Windows], Changes]) -> Changes:
        """The changes that are known: what serving costs is not, while a cost of it waits for a rate."""
        waits = contributions.service_waits(self.history, windows.before, windows.after)
        return {**changes_at(windows), Measure.SERVICE_COST: None} if waits else changes_at(windows)

    def _with_placebo(self, effect: Effect, at_fakes: list[Changes], at_true: Changes) -> Effect:
        found = battery.placebo([changes[effect.measure] for changes in at_fakes], at_true[effect.measure])
        impossible = None if found else Reason.PLACEBO_IMPOSSIBLE
        return replace(effect, placebo=found, blocked=effect.blocked or impossible)

    def _panel_changes(self, windows: Windows) -> Changes:
        chosen = panel(self.history, windows.before.first, self.scope)
        sides = self._tallies(windows, chosen)
        found = {measure: effects.plain_change(measure, *sides) for measure in self._measures}
        return {measure: one if np.isfinite(one) else None for measure, one in found.items()}

    def _series_changes(self, windows: Windows) -> Changes:
        chosen = panel(self.history, windows.before.first, self.scope)
        return timeseries.changes(self.history, windows, chosen, self._measures)

    def _weekly_changes(self, windows: Windows) -> Changes:
        return {one: weekly_costs.change(one, self.history, windows, self.plan) for one in weekly_costs.CATEGORIES}

    def _tallies(self, windows: Windows, chosen: Panel) -> tuple[Amounts, Amounts]:
        before, after = (
            tally(self.history, span, windows.recency_cap)[chosen.customers] for span in (windows.before, windows.after)
        )
        return before, after

    def _groups(self, method: Method) -> Groups:
        plain = Groups(treated=self.panel.size, treated_units=self.panel.units, treated_erased=self.panel.erased)
        if method is not Method.MATCHED:
            return plain
        alone = self._panel(untouched(self.history, self.plan))
        return structs.replace(
            plain,
            untouched=alone.size,
            untouched_units=self.sides.units_of(treated=False),
            untouched_erased=alone.erased,
            matched=matching.cells_by_occasions(self.history, self.baseline, self.sides).matched_customers,
        )

    def _returns(self, method: Method, answers: tuple[QuestionAnswer, ...]) -> Returns | None:
        """Money, but not at QUICK. A time series has no untouched: its gain is what exceeds the rate of before."""
        if self.plan.tier is Tier.QUICK:
            return None
        matched = method is Method.MATCHED
        cells = matching.cells_by_occasions(self.history, self.baseline, self.sides) if matched else None
        chosen = self.sides.panel if matched else self.panel
        costed = contributions.completed(self.history, self.windows)
        helped = any(answer.verdict is Verdict.BETTER for answer in answers)
        if self._service_waits or any(are_unrated(rows.sum(axis=0)) for rows in self._tallies(self.windows, chosen)):
            unknown = replace(self.plan, equity=Missing.NO_RATE)
            return returns.returns(costed, unknown, self.scope, Missing.NO_RATE, helped=helped)
        gains = returns.gains(costed.history, self.windows, chosen, self.resampling, cells)
        return returns.returns(costed, self.plan, self.scope, gains, helped=helped)

    def _opportunities(self) -> tuple[Opportunity, ...]:
        """Where all customers together could do better, whether the initiative was for them or not."""
        everybody = self._panel(np.ones(self.history.customers, dtype=np.bool_))
        margin = contributions.margin(self.history, self.windows)
        cells = opportunities.cells(self.history, self.windows, everybody, self.plan.groups, margin)
        return opportunities.opportunities(cells)

    def _weekly(self, method: Method) -> Weekly:
        if method is Method.MATCHED:
            return weeks.matched(self.history, self.baseline, self.windows, self.sides, self._begins)
        drawn = weeks.time_series if method is Method.TIME_SERIES else weeks.before_after
        return drawn(self.history, self.windows, self.panel, self._begins)

    def _flags(self) -> tuple[Flag, ...]:
        plan = self.plan
        sealed_on = plan.go_live if plan.sealed_on is None else plan.sealed_on
        read_on = plan.measured_on if plan.read_on is None else plan.read_on
        spans = (self.baseline, self.windows.before, self.windows.after)
        found = {
            Flag.RETROSPECTIVE: sealed_on > plan.go_live,
            Flag.SEASONALITY: not self.windows.same_days_of_the_year,
            Flag.IMMATURE: read_on - plan.measured_on < min(sealed_on - plan.go_live, RIPE_AFTER),
            Flag.SELECTED_ON_BASELINE: self._selected_on_baseline,
            Flag.EXPLORATORY: bool(plan.exploratory),
            Flag.UNKNOWN_COSTS: contributions.are_unknown(self.history, self.windows),
            Flag.UNRATED_SALES: any((self.history.unrated[within(self.history, span)] > 0).any() for span in spans),
            Flag.UNRATED_COSTS: any(spent.amount is None for spent in plan.spent)
            or any(self.history.weeks.are_unrated(each, span.first, span.last) for each in COUNTED for span in spans),
        }
        return tuple(flag for flag, holds in found.items() if holds)
