from __future__ import annotations

from datetime import date

import pytest

from domain.initiatives.plans import Missing, Plan, Tier
from domain.initiatives.statistics.equity import Model, equity
from domain.metrics.clv import gamma_gamma, mbgnbd
from domain.metrics.clv.fitting import expected_from_now
from domain.metrics.clv.lifetime_value import Assumptions, monthly, present_value
from domain.metrics.clv.model import Shortage
from tests.domain.initiatives.histories import history

T0 = date(2026, 1, 1).toordinal()
PLAN = Plan(go_live=T0, baseline_days=100, measured_on=T0 + 70, tier=Tier.STANDARD, seed=2)
BUYING, SPENDING = (0.5, 6.0, 0.8, 2.4), (6.25, 3.74, 1544.0)
MODEL = Model(4, mbgnbd.KIND, BUYING, SPENDING, 0.4)


def worth(x: float, t_x: float, age: float, mean: float) -> float:
    """What the models of MBG/NBD and Gamma-Gamma say of one customer, of whom all is known."""
    flows = monthly(lambda weeks: expected_from_now(mbgnbd, BUYING, weeks, x, t_x, age))
    each = gamma_gamma.expected_mean(SPENDING, x, mean)
    return float(present_value(flows * each, Assumptions(margin=0.4)))


def test_both_ends_are_valued_by_one_version_of_the_model() -> None:
    """0 buys on both sides, 1 only before, 2 only after; days are counted from the first purchase."""
    rows = [(0, T0 - 141), (0, T0 - 71, {"amount": 1000.0}), (0, T0 - 1, {"amount": 3000.0}), (1, T0 - 141),
            (0, T0 + 69, {"amount": 5000.0}), (2, T0 + 62)]  # fmt: skip
    found = equity(history(rows, customers=4, days=(T0 - 141, T0 + 70)), PLAN, MODEL)
    assert found.version == 4
    assert found.before == pytest.approx([worth(2, 20, 20, 2000), worth(0, 0, 20, 0), 0, 0])
    assert found.after == pytest.approx([worth(3, 30, 30, 3000), worth(0, 0, 30, 0), worth(0, 0, 1, 0), 0])


def test_of_purchases_before_the_first_day_that_is_kept_only_the_number_is_known() -> None:
    """Of three of them the last lies as late as it can; a single one is the first."""
    known = history(
        [], customers=2, days=(T0 - 71, T0 + 70), first_occasion=[T0 - 141, T0 - 141], occasions_before=[3, 1]
    )  # fmt: skip
    assert equity(known, PLAN, MODEL).before == pytest.approx([worth(2, 69 / 7, 20, 0), worth(0, 0, 20, 0)])


def test_all_that_a_model_of_buying_can_lack_is_a_reason() -> None:
    assert {each.value for each in Shortage} - {"TOO_FEW_CONTRACTS"} <= {each.value for each in Missing}
