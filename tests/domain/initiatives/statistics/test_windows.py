from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import Flag, Span, Verdict
from domain.initiatives.plans import Plan, Question, Selection, Tier
from domain.initiatives.statistics.windows import (
    Calendar,
    EmptyWindow,
    WindowBeforeData,
    WindowNotOver,
    Windows,
    WindowsOverlap,
    first_day_to_seal,
)
from tests.domain.initiatives.histories import history, split

GO_LIVE = date(2026, 3, 1).toordinal()
PLAN = Plan(go_live=GO_LIVE, baseline_days=90, measured_on=GO_LIVE + 60, tier=Tier.STANDARD, seed=1)


def test_a_short_after_window_is_compared_with_the_last_days_of_the_baseline() -> None:
    found = Calendar(GO_LIVE - 400, PLAN).compared
    assert found == Windows(Span(GO_LIVE - 60, GO_LIVE), Span(GO_LIVE, GO_LIVE + 60))
    assert not found.same_days_of_the_year


def test_a_long_after_window_keeps_the_whole_baseline() -> None:
    found = Calendar(GO_LIVE - 400, replace(PLAN, measured_on=GO_LIVE + 120)).compared
    assert (found.before.days, found.after.days, found.recency_cap) == (90, 120, 90)


def test_with_two_years_the_same_days_of_the_year_before_are_compared() -> None:
    found = Calendar(GO_LIVE - 730, PLAN).compared
    assert found.before == Span(date(2025, 3, 1).toordinal(), date(2025, 3, 1).toordinal() + 60)
    assert found.same_days_of_the_year
    assert Calendar(GO_LIVE - 729, PLAN).compared.before == Span(GO_LIVE - 60, GO_LIVE)


def test_the_year_before_is_compared_where_a_fifth_of_the_panel_had_bought_before_it() -> None:
    """Two years are known of one customer; the others came half a year before the go-live."""
    long_ago, since = GO_LIVE - 729, GO_LIVE - 180
    for others, year_before in ((4, True), (5, False)):
        rows = [(0, long_ago), *((who, since) for who in range(1, 1 + others))]
        known = history(rows, customers=1 + others, days=(GO_LIVE - 730, GO_LIVE + 60))
        found = compare(*split(known, GO_LIVE), replace(PLAN, draws=1))
        assert (found.before.last == GO_LIVE, found.groups.treated) == (not year_before, 1 if year_before else 6)


@pytest.mark.parametrize(
    ("chosen", "of_the_year_before", "flagged"),
    [
        ({}, True, False),
        ({"selection": Selection.SEGMENT, "selected_on": GO_LIVE - 90}, False, False),
        ({"selection": Selection.SEGMENT, "selected_on": GO_LIVE - 365}, True, False),
        ({"selection": Selection.SEGMENT, "selected_on": None}, False, True),
        ({"selection": Selection.DEPARTMENTS, "selected_on": GO_LIVE - 700}, True, False),
        ({"selection": Selection.DEPARTMENTS, "selected_on": GO_LIVE - 90}, False, False),
        ({"selection": Selection.DEPARTMENTS, "selected_on": GO_LIVE - 89}, False, True),
        ({"selection": Selection.DEPARTMENTS, "selected_on": None}, True, False),  # as older seals have it
    ],
)
def test_whoever_was_chosen_by_what_he_did_since_is_not_compared_with_the_year_before(
    chosen: dict[str, Any], of_the_year_before: bool, flagged: bool
) -> None:
    known = history([(0, GO_LIVE - 730), (1, GO_LIVE - 730)], customers=2, days=(GO_LIVE - 730, GO_LIVE + 60))
    found = compare(*split(known, GO_LIVE), replace(PLAN, draws=1, treated=np.array([True, False]), **chosen))
    assert (found.before.last < GO_LIVE, Flag.SELECTED_ON_BASELINE in found.flags) == (of_the_year_before, flagged)


def test_those_at_their_best_a_year_ago_do_not_fall_for_it() -> None:
    """Everybody buys by the same chance; those who bought thrice in half a year are the segment when the next begins.

    Beside the same days of the year before, in which they were at their best, they would fall by a half.
    """
    first, chance = GO_LIVE - 1000, np.random.default_rng(1)
    bought = {(who, int(day)) for who in range(2000) for day in chance.integers(first, GO_LIVE + 180, 10)}
    known = history(sorted(bought), customers=2000, days=(first, GO_LIVE + 180))
    inside = (known.day >= GO_LIVE - 360) & (known.day < GO_LIVE - 180)
    chosen = np.bincount(known.customer[inside], minlength=2000) >= 3
    asked = {"baseline_days": 180, "measured_on": GO_LIVE + 180, "questions": (Question.FREQUENCY,), "draws": 200}
    plan = replace(PLAN, treated=chosen, selection=Selection.SEGMENT, selected_on=GO_LIVE - 180, **asked)
    (answer,) = compare(*split(known, GO_LIVE), plan).answers
    (measure,) = answer.measures
    assert (chosen.sum(), answer.verdict) == (363, Verdict.NO_EVIDENCE)
    assert measure.change == pytest.approx(0, abs=0.1)


def test_the_29th_of_february_is_compared_with_the_28th() -> None:
    go_live = date(2028, 2, 29).toordinal()
    found = Calendar(go_live - 800, replace(PLAN, go_live=go_live, measured_on=go_live + 60)).compared
    assert found.before.first == date(2027, 2, 28).toordinal()


def test_whole_years_have_no_season() -> None:
    for days, holds in ((365, True), (364, False), (367, False), (731, True)):
        windows = Windows(Span(GO_LIVE - days, GO_LIVE), Span(GO_LIVE, GO_LIVE + days))
        assert windows.same_days_of_the_year is holds


def test_fake_go_lives_lie_within_the_sealed_history() -> None:
    found = list(Calendar(GO_LIVE - 180, PLAN).fakes(60))
    assert [fake.after.first for fake in found] == [GO_LIVE - 60, GO_LIVE - 90, GO_LIVE - 120]
    assert all(fake.before.first >= GO_LIVE - 180 and fake.after.last <= GO_LIVE for fake in found)


def test_fake_go_lives_look_a_year_back_like_the_true_one() -> None:
    found = list(Calendar(GO_LIVE - 730, PLAN).fakes(60))
    assert found[0] == Windows(
        Span(date(2024, 12, 31).toordinal(), date(2024, 12, 31).toordinal() + 60), Span(GO_LIVE - 60, GO_LIVE)
    )


def test_a_seal_goes_back_two_baselines_and_two_years_as_far_as_there_is_anything() -> None:
    assert first_day_to_seal(1_000, 90, 0) == 1_000 - 731
    assert first_day_to_seal(1_000, 450, 0) == 100
    assert first_day_to_seal(1_000, 90, 600) == 600


@pytest.mark.parametrize(
    ("problem", "asked", "details"),
    [
        (EmptyWindow, {"measured_on": 100}, {"baseline_days": 50, "after_days": 0}),
        (EmptyWindow, {"baseline_days": 0}, {"baseline_days": 0, "after_days": 20}),
        (WindowsOverlap, {"go_live": 99}, {"go_live": 99, "before_ends": 100, "after_begins": 100}),
        (WindowNotOver, {"measured_on": 121}, {"known_until": 120, "measured_on": 121}),
        (WindowBeforeData, {"baseline_days": 101}, {"known_from": 0, "baseline_begins": -1}),
    ],
)
def test_windows_that_cannot_be_compared_are_refused(
    problem: type[Exception], asked: dict[str, Any], details: dict[str, int]
) -> None:
    plan = replace(Plan(go_live=100, baseline_days=50, measured_on=120, tier=Tier.QUICK, seed=1), **asked)
    before, after = history([], customers=0, days=(0, 100)), history([], customers=0, days=(100, 120))
    with pytest.raises(problem) as refused:
        compare(before, after, plan)
    assert refused.value.details == details  # type: ignore[attr-defined]


def test_histories_that_overlap_are_refused() -> None:
    plan = Plan(go_live=100, baseline_days=50, measured_on=120, tier=Tier.QUICK, seed=1)
    with pytest.raises(WindowsOverlap):
        compare(history([], customers=0, days=(0, 100)), history([], customers=0, days=(99, 120)), plan)


@pytest.mark.parametrize(
    ("sealed_after", "read_after", "immature"),
    [(0, 0, False), (10, 9, True), (10, 10, False), (400, 89, True), (400, 90, False)],
)
def test_days_count_as_complete_when_they_are_as_old_as_the_sealed_ones_or_a_quarter(
    sealed_after: int, read_after: int, immature: bool
) -> None:
    known = history([(0, GO_LIVE - 95)], customers=1, days=(GO_LIVE - 100, GO_LIVE + 60))
    plan = replace(
        PLAN, draws=1, sealed_on=GO_LIVE + sealed_after, read_on=PLAN.measured_on + read_after
    )  # fmt: skip
    flags = compare(*split(known, GO_LIVE), plan).flags
    assert (Flag.IMMATURE in flags, Flag.RETROSPECTIVE in flags) == (immature, sealed_after > 0)


def test_the_amount_above_which_purchases_count_as_it_is_that_of_the_seal() -> None:
    rows = [(0, GO_LIVE + day, {"amount": amount}) for day, amount in ((-95, 1.0), (-5, 900.0), (5, 100.0), (9, 300.0))]
    known = history(rows, customers=1, days=(GO_LIVE - 100, GO_LIVE + 60))
    found = compare(*split(known, GO_LIVE), replace(PLAN, draws=1, size_cutoff=200))
    assert (found.figures_before.size_winsorised, found.figures_after.size_winsorised) == (200, 150)
