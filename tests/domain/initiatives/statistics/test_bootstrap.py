from __future__ import annotations

import numpy as np
import pytest

from domain.initiatives.statistics import bootstrap
from domain.initiatives.statistics.bootstrap import Draws, Normal, Resampling


def test_every_draw_draws_as_many_units_as_there_are() -> None:
    counts = _counts(Resampling(50, 20, 1))
    assert counts.shape == (50, 20)
    assert counts.sum(axis=0).tolist() == [50] * 20


def test_sums_are_those_of_the_units_drawn() -> None:
    chance = np.random.default_rng(5)
    rows, unit, group = chance.normal(size=(40, 3)), chance.integers(0, 25, 40), chance.integers(0, 4, 40)
    resampling = Resampling(25, 10, 3)
    counts = _counts(resampling)
    by_hand = np.zeros((10, 4, 3))
    for draw in range(10):
        for row in range(40):
            by_hand[draw, group[row]] += counts[unit[row], draw] * rows[row]
    assert resampling.group_sums(rows, unit, group, 4) == pytest.approx(by_hand, abs=1e-4)
    assert resampling.sums(rows, unit) == pytest.approx(by_hand.sum(axis=1), abs=1e-4)


def test_the_seed_decides_the_draws_whether_they_are_kept_or_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, unit = np.arange(30.0)[:, np.newaxis], np.arange(30)
    kept = Resampling(30, 12, 9).sums(rows, unit)
    monkeypatch.setattr(bootstrap, "KEPT", 0)
    assert (Resampling(30, 12, 9).sums(rows, unit) == kept).all()
    monkeypatch.setattr(bootstrap, "BLOCK", 60)
    assert (Resampling(30, 12, 9).sums(rows, unit) == kept).all()
    assert (Resampling(30, 12, 8).sums(rows, unit) != kept).any()


def test_an_interval_by_draws_holds_the_middle_ones() -> None:
    draws = Draws(np.arange(1.0, 102.0))
    assert (draws.interval(0.9).low, draws.interval(0.9).high) == pytest.approx((6.0, 96.0))
    assert draws.p_value == pytest.approx(2 / 102)
    assert Draws(np.array((-1.0, 1.0))).p_value == 1.0
    assert Draws.of(np.array((1.0, np.nan, 3.0))).changes.tolist() == [1.0, 3.0]


def test_an_interval_by_an_error_is_the_normal_one() -> None:
    found = Normal(0.1, 0.05)
    assert (found.interval().low, found.interval().high) == pytest.approx((0.1 - 0.098, 0.1 + 0.098), abs=1e-3)
    assert found.p_value == pytest.approx(0.0455, abs=1e-4)


def test_blocks_are_as_small_as_the_rows_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "BLOCK", 1_000)
    found = list(Resampling(10, 7, 1).blocks(400))
    assert [(draws.start, draws.stop) for draws, _ in found] == [(0, 2), (2, 4), (4, 6), (6, 7)]
    assert [counts.shape for _, counts in found] == [(10, 2)] * 3 + [(10, 1)]


def _counts(resampling: Resampling) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.concatenate([counts for _, counts in resampling.blocks(1)], axis=1)
