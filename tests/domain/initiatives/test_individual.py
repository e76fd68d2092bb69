from __future__ import annotations

from datetime import date

import pytest

from domain.initiatives.comparing import individual
from domain.initiatives.findings import Measure
from domain.initiatives.plans import Plan, Tier
from tests.domain.initiatives.histories import history, split

T0 = date(2026, 1, 1).toordinal()
PLAN = Plan(go_live=T0, baseline_days=100, measured_on=T0 + 100, tier=Tier.QUICK, seed=2)


def test_a_customer_stands_beside_the_mean() -> None:
    rows = [(who, T0 - 150) for who in range(4)]
    rows += [(0, T0 - 50), (0, T0 + 20), (0, T0 + 60), (1, T0 - 20), (2, T0 + 30)]
    known = history(rows, customers=4, days=(T0 - 200, T0 + 100))
    found = {one.measure: one for one in individual(*split(known, T0), PLAN, 0)}
    frequency = found[Measure.FREQUENCY]
    assert frequency.before.value == pytest.approx(3.6525)
    assert frequency.after.value == pytest.approx(2 * 3.6525)
    assert frequency.change == pytest.approx(1.0)
    assert frequency.before.mean == pytest.approx(3.6525 / 2)
    assert (frequency.before.percentile, frequency.after.percentile) == (75.0, 87.5)
    assert (found[Measure.RECENCY].before.value, found[Measure.RECENCY].after.value) == (50.0, 40.0)
    assert found[Measure.RESPONSE].before.value is None


def test_a_rate_over_a_few_days_is_not_known() -> None:
    rows = [(0, T0 - 150), (1, T0 - 10), (1, T0 + 10)]
    known = history(rows, customers=2, days=(T0 - 200, T0 + 100), first_seen=[T0 - 200, T0 - 10])
    frequency = individual(*split(known, T0), PLAN, 1)[0]
    assert frequency.before.value is None
    assert frequency.after.value == pytest.approx(3.6525)
    assert frequency.change is None
