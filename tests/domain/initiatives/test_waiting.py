from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from domain.initiatives.findings import Flag
from domain.initiatives.plans import MeasurementKind
from domain.initiatives.waiting import InsufficientData, TooEarly, waiting
from tests.domain.initiatives.histories import GO_LIVE, cdnow, history


@pytest.mark.shared
@pytest.mark.parametrize(("paid_only", "occasions", "repeat"), [(False, 67_591, 10_490), (True, 67_511, 10_487)])
def test_the_rules_of_cdnow_1997(paid_only: bool, occasions: int, repeat: int) -> None:
    known = cdnow(paid_only=paid_only)
    found = waiting(known, GO_LIVE, 365)
    assert (len(known.day), found.repeat_purchasers, found.top_decile) == (occasions, repeat, 1_049)
    assert (round(found.median_gap, 2), round(found.mean_gap, 2), round(found.largest_gap, 2)) == (28.40, 28.32, 50.71)
    assert (found.floor_days, found.floor_days_strict) == (29, 51)
    assert (found.ceiling_days, found.ceiling_days_robust) == (359, 258)
    assert found.earliest_on == date(1998, 1, 30).toordinal()
    assert found.final_on == date(1999, 1, 1).toordinal()
    assert found.flags == (Flag.BASELINE_TOO_SHORT,)


def test_one_time_buyers_give_no_date() -> None:
    with pytest.raises(InsufficientData):
        waiting(history([(0, 10), (1, 20), (2, 99)], customers=3, days=(0, 100)), 100, 100)


def test_nobody_gives_no_date() -> None:
    with pytest.raises(InsufficientData):
        waiting(history([], customers=0, days=(0, 100)), 100, 100)


def test_one_customer_is_a_low_sample() -> None:
    found = waiting(history([(0, 10), (0, 15), (0, 20)], customers=1, days=(0, 100)), 100, 100)
    assert (found.repeat_purchasers, found.top_decile, found.floor_days, found.ceiling_days) == (1, 1, 5, 5)
    assert found.flags == (Flag.LOW_SAMPLE,)


def test_the_top_decile_are_those_who_bought_most_often_not_most_quickly() -> None:
    often = [(0, day) for day in range(0, 60, 10)]
    quickly = [(who, day) for who in range(1, 12) for day in (40, 41)]
    found = waiting(history(often + quickly, customers=12, days=(0, 100)), 100, 100)
    assert found.top_decile == 2  # of 12, rounded up
    assert found.median_gap == (10 + 1) / 2
    assert (found.floor_days, found.floor_days_strict) == (6, 10)


def test_of_equals_the_shorter_gap_counts() -> None:
    rows = [(who, day) for who in range(10) for day in (0, 5 + who)]
    found = waiting(history(rows, customers=10, days=(0, 100)), 100, 100)
    assert (found.top_decile, found.median_gap) == (1, 5.0)


def test_only_purchases_of_the_window_and_of_the_scope_count() -> None:
    rows = [(0, 0), (0, 50), (0, 60), (1, 50), (1, 90), (2, 70), (2, 71)]
    known = history(rows, customers=3, days=(0, 100))
    found = waiting(known, 100, 50, scope=np.array((True, True, False)))
    assert (found.repeat_purchasers, found.ceiling_days) == (2, 40)


def test_a_robust_ceiling_below_the_floor_is_raised() -> None:
    slow = [(0, day) for day in (0, 40, 80)]
    quick = [(who, day) for who in range(1, 41) for day in (50, 51)]
    found = waiting(history(slow + quick, customers=41, days=(0, 100)), 100, 100)
    assert (found.floor_days, found.ceiling_days) == (1, 40)
    one = waiting(history(slow + quick[:16], customers=9, days=(0, 100)), 100, 100)
    assert (one.floor_days, one.ceiling_days, one.ceiling_days_robust) == (40, 40, 40)
    assert one.flags == (Flag.LOW_SAMPLE, Flag.CEILING_RAISED)


def test_kinds_of_measurements_follow_from_the_day() -> None:
    found = waiting(history([(0, 10), (0, 20)], customers=1, days=(0, 100)), 100, 100)
    with pytest.raises(TooEarly) as refused:
        found.kind(109, has_final=False)
    assert refused.value.details == {"earliest_at": date.fromordinal(110), "rule": None}
    assert found.kind(110, has_final=False) is MeasurementKind.PRELIMINARY
    assert found.kind(199, has_final=False) is MeasurementKind.PRELIMINARY
    assert found.kind(200, has_final=False) is MeasurementKind.FINAL
    assert found.kind(210, has_final=True) is MeasurementKind.MONITORING
    assert [found.next_on(day) for day in (110, 200)] == [200, 210]


def test_who_waits_for_the_largest_gap_also_looks_again_after_it() -> None:
    often = [(who, 50 + gap * place) for who, gap in ((0, 2), (1, 10)) for place in range(5)]
    twice = [(who, day) for who in range(2, 20) for day in (60, 90)]
    found = waiting(history(often + twice, customers=20, days=(0, 100)), 100, 100)
    assert (found.floor_days, found.floor_days_strict) == (6, 10)
    assert [found.next_on(day, strict=True) for day in (150, 200, 230)] == [200, 210, 240]
