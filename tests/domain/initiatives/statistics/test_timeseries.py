from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import Method, Reason, Verdict
from domain.initiatives.plans import Plan, Question, Tier
from domain.initiatives.statistics.timeseries import interruption, newey_west
from tests.domain.initiatives.histories import history, split

T0 = date(2026, 1, 1).toordinal()
PLAN = Plan(go_live=T0, baseline_days=182, measured_on=T0 + 182, tier=Tier.RIGOROUS, seed=1, draws=100)


def test_a_jump_and_a_turn_are_found_exactly_where_nothing_else_happens() -> None:
    week = np.arange(-30, 30)
    series = 100 + 0.5 * week + (week >= 0) * (12 + 0.2 * week)
    found = interruption(series.astype(np.float64), 30)
    assert found
    assert found.expected == pytest.approx(100 + 0.5 * 14.5)
    assert found.actual == pytest.approx(found.expected + 12 + 0.2 * 14.5)
    assert found.change == pytest.approx((12 + 0.2 * 14.5) / found.expected)
    assert found.error == pytest.approx(0, abs=1e-9)


def test_a_series_with_gaps_or_a_line_into_nothing_tells_nothing() -> None:
    assert interruption(np.array([1.0] * 30 + [np.nan] * 30), 30) is None
    assert interruption(np.arange(60.0, 0.0, -1.0) - 45, 30) is None


def test_errors_follow_newey_and_west() -> None:
    chance = np.random.default_rng(4)
    design = np.stack((np.ones(40), np.arange(40.0)), axis=1)
    residuals = chance.normal(size=40)
    middle = np.zeros((2, 2))
    for one in range(40):
        for other in range(40):
            weight = max(0.0, 1 - abs(one - other) / 5)
            middle += weight * residuals[one] * residuals[other] * np.outer(design[one], design[other])
    inverse = np.linalg.inv(design.T @ design)
    assert newey_west(design, residuals) == pytest.approx(inverse @ middle @ inverse * 40 / 38)


def test_who_does_nothing_finds_nothing_and_the_interval_is_honest() -> None:
    chance, misses = np.random.default_rng(8), 0
    for _ in range(200):
        found = interruption(100 + chance.normal(0, 5, 52), 26)
        assert found
        misses += abs(found.change) > 1.96 * found.error
    assert misses <= 30  # Newey-West errors are known to be small in short series: 5 % would be 10


def test_an_initiative_for_everyone_is_seen_in_the_weeks() -> None:
    chance = np.random.default_rng(2)
    rows = {(who, T0 - 1_000) for who in range(300)}
    for week in range(-105, 26):
        buyers = chance.permutation(300)[: 60 if week < 0 else 90]
        rows |= {(int(who), T0 + 7 * week + int(chance.integers(7))) for who in buyers}
    known = history(rows, customers=300, days=(T0 - 728, T0 + 182))
    known = replace(known, first_occasion=np.full(300, T0 - 1_000, dtype=np.int32))
    found = compare(*split(known, T0), PLAN)
    frequency = found.answer(Question.FREQUENCY)
    assert found.method is Method.TIME_SERIES
    assert frequency.verdict is Verdict.BETTER
    assert frequency.measures[0].change == pytest.approx(0.5)
    assert frequency.measures[0].expected == pytest.approx(60 / 300 / 7 * 365.25)
    assert found.battery
    assert found.answer(Question.SIZE).reason is Reason.TOO_SMALL
