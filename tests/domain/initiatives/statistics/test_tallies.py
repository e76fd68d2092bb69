from __future__ import annotations

import numpy as np
import pytest

from domain.initiatives.findings import Measure, Span
from domain.initiatives.statistics.tallies import Column, change, tally, value
from tests.domain.initiatives.histories import history


def test_what_customers_did_in_a_window() -> None:
    rows = [
        (0, 2), (0, 12), (0, 17, {"amount": 50.0, "service_cost": 3.0}),
        (1, 15, {"occasions": 0.0, "amount": 0.0, "deliveries": 2.0, "responses": 1.0}),
    ]  # fmt: skip
    known = history(rows, customers=3, days=(0, 30), first_seen=[0, 14, 0], erased_at=[-1, -1, 18])
    found = tally(known, Span(10, 20), 10)
    assert found[:, Column.OCCASIONS].tolist() == [2, 0, 0]
    assert found[:, Column.AMOUNT].tolist() == [150, 0, 0]
    assert found[:, Column.SERVICE_COST].tolist() == [3, 0, 0]
    assert found[:, Column.EXPOSURE].tolist() == [10, 6, 8]
    assert found[:, Column.RECENCY].tolist() == [3, 10, 10]
    assert (found[1, Column.RESPONSES], found[1, Column.DELIVERIES]) == (1, 2)


def test_recency_is_capped_to_what_both_windows_can_show() -> None:
    known = history([(0, 2), (1, 9)], customers=2, days=(0, 20))
    assert tally(known, Span(0, 10), 5)[:, Column.RECENCY].tolist() == [5, 1]


def test_a_group_is_a_ratio_of_sums() -> None:
    sums = np.zeros(len(Column))
    sums[[Column.OCCASIONS, Column.EXPOSURE, Column.AMOUNT, Column.RATED]] = 4, 730.5, 1_000, 4
    assert value(Measure.FREQUENCY, sums) == 2.0
    assert value(Measure.SIZE, sums) == 250.0
    assert not np.isfinite(value(Measure.RESPONSE, sums))


def test_a_change_from_nothing_is_unknown() -> None:
    before, after = np.zeros(len(Column)), np.ones(len(Column))
    assert np.isnan(change(Measure.FREQUENCY, before, after))
    before[:] = 1
    after[Column.RECENCY] = 0.5
    assert change(Measure.RECENCY, before, after) == pytest.approx(-0.5)
