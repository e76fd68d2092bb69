from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import Flag, Method, Reason, Verdict
from domain.initiatives.plans import Plan, Selection, Tier
from tests.domain.initiatives.histories import history, split

T0 = date(2026, 1, 1).toordinal()
PLAN = Plan(go_live=T0, baseline_days=100, measured_on=T0 + 100, tier=Tier.STANDARD, seed=2, draws=200)


def test_who_had_bought_once_is_decided_before_each_window() -> None:
    rows = [
        (0, T0 - 200), (0, T0 - 50), (0, T0 + 5),  # once before the earlier window, came again in it: no longer once
        (1, T0 - 200), (1, T0 + 5), (1, T0 + 6),  # came again after
        (2, T0 - 200),  # never came again
        (3, T0 - 20), (3, T0 + 50),  # bought first within the earlier window
        (4, T0 - 20), (4, T0 - 19),  # twice by the go-live
        (5, T0 + 1), (5, T0 + 2),  # bought first after it
    ]  # fmt: skip
    known = history(rows, customers=6, days=(T0 - 300, T0 + 100))
    found = compare(*split(known, T0), PLAN).starting_point
    assert found
    assert (found.before.numerator, found.before.denominator) == (1, 3)
    assert (found.after.numerator, found.after.denominator) == (2, 3)
    assert found.change == pytest.approx(1.0)
    assert (found.verdict, found.reason) == (Verdict.NO_EVIDENCE, Reason.TOO_FEW)


def test_purchases_before_the_first_day_that_is_known_count() -> None:
    rows = [(0, T0 - 50), (1, T0 - 50)]
    known = history(rows, customers=2, days=(T0 - 300, T0 + 100), occasions_before=[1, 0])
    known = replace(known, first_occasion=np.array((T0 - 400, T0 - 50), dtype=np.int32))
    found = compare(*split(known, T0), PLAN).starting_point
    assert found
    assert (found.before.numerator, found.before.denominator, found.after.denominator) == (1, 1, 1)


def test_as_many_days_after_count_as_before() -> None:
    known = history([(0, T0 - 200), (0, T0 + 150), (1, T0 - 200), (1, T0 + 50)], customers=2, days=(T0 - 300, T0 + 200))
    found = compare(*split(known, T0), replace(PLAN, measured_on=T0 + 200)).starting_point
    assert found
    assert (found.after.numerator, found.after.denominator) == (1, 2)


def test_of_a_list_made_by_hand_nobody_left_alone_answers_for_it() -> None:
    """The other questions are matched at RIGOROUS; this one has nobody of the same cell beside it."""
    once, again = [(who, T0 - 200) for who in range(120)], [(who, T0 - 50) for who in range(24)]
    later = [(who, T0 + 50) for who in range(24, 72)]
    known = history(once + again + later, customers=120, days=(T0 - 300, T0 + 100))
    plan = replace(PLAN, tier=Tier.RIGOROUS, treated=np.arange(120) % 2 == 0, selection=Selection.LIST, selected_on=T0)
    found = compare(*split(known, T0), plan)
    assert found.method is Method.MATCHED
    assert Flag.SELECTED_ON_BASELINE not in found.flags
    assert found.starting_point
    assert (found.starting_point.change, found.starting_point.reason) == (1.5, Reason.SELECTED_ON_BASELINE)


def test_quick_shows_it_without_a_verdict() -> None:
    known = history([(0, T0 - 200), (0, T0 + 5)], customers=1, days=(T0 - 300, T0 + 100))
    found = compare(*split(known, T0), replace(PLAN, tier=Tier.QUICK)).starting_point
    assert found
    assert (found.verdict, found.reason, found.interval) == (None, None, None)
