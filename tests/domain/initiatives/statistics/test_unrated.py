"""What waits for an exchange rate is not known, and never nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import Flag, GainBasis, Measure, Overall, Reason, Verdict
from domain.initiatives.history import Weeks
from domain.initiatives.plans import Equity, Missing, Plan, Question, Spent, Tier
from domain.initiatives.statistics import individuals
from domain.initiatives.statistics.equity import _customers
from domain.initiatives.statistics.tallies import RATIOS
from domain.initiatives.statistics.windows import Calendar
from tests.domain.initiatives.histories import history, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.initiatives.findings import Comparison
    from domain.initiatives.history import History

T0 = date(2026, 1, 1).toordinal()
CUSTOMERS = 200
EVERYBODY = np.ones(CUSTOMERS)
PLAN = Plan(
    go_live=T0, baseline_days=60, measured_on=T0 + 60, tier=Tier.STANDARD, seed=3, draws=50,
    spent=(Spent(T0, 1_000.0),), equity=Equity(500 * EVERYBODY, 600 * EVERYBODY, version=1, margin=1.0),
)  # fmt: skip


def world(unrated: int = 0, before: int = 0, service: float = 0.0) -> History:
    """200 customers who bought every 20 days, for 100 to 299, of which half stays.

    The purchase that each of so many customers made first after go-live, or last before it, waits for a rate.
    """
    rows = [
        (
            who,
            T0 + 20 * turn + who % 20,
            bought(who, waits=who < {0: unrated, -1: before}.get(turn, 0), service=service),
        )
        for who in range(CUSTOMERS)
        for turn in range(-20, 3)
    ]
    return history(rows, customers=CUSTOMERS, days=(T0 - 400, T0 + 60))


def bought(who: int, *, waits: bool, service: float) -> dict[str, float]:
    if waits:
        return {"amount": 0.0, "contribution": np.nan, "unrated": 1.0, "service_cost": service}
    amount = 100.0 + who
    return {"amount": amount, "contribution": amount / 2 - service, "service_cost": service}


def found(known: History, plan: Plan = PLAN) -> Comparison:
    return compare(*split(known, T0), plan)


@pytest.mark.parametrize("sides", [{"unrated": 120}, {"before": 120}])
def test_how_much_is_spent_is_not_told_where_a_fifth_of_the_sales_waits(sides: Mapping[str, int]) -> None:
    """120 of 600 purchases wait: as nothing they would be a fall by a fifth, and the advice to stop."""
    comparison = found(world(**sides))
    answer = comparison.answer(Question.SIZE)
    (size,) = answer.measures
    assert (answer.verdict, answer.reason, size.change, size.interval) == (
        Verdict.NO_EVIDENCE,
        Reason.NO_RATE,
        None,
        None,
    )
    told = (199.5, None) if "unrated" in sides else (None, 199.5)
    assert (size.before.value, size.after.value) == told
    assert (comparison.figures_before.size, comparison.figures_after.size) == told
    assert (comparison.overall, Flag.UNRATED_SALES in comparison.flags) == (Overall.NO_EVIDENCE, True)
    assert not [one for one in comparison.opportunities if one.measure is Measure.SIZE]
    assert weeks_that_wait(comparison) == ([0, 1, 2] if "unrated" in sides else [-3, -2, -1])


def weeks_that_wait(comparison: Comparison) -> list[int]:
    """The weeks of the picture of which nobody knows the amount, counted from go-live."""
    weekly = comparison.weekly
    return [place + weekly.first for place, amount in enumerate(weekly.treated.amount) if amount is None]


def test_neither_is_money() -> None:
    returns = found(world(unrated=120)).returns
    assert returns
    assert (returns.gain, returns.roi, returns.payback, returns.return_on_customer) == (None, None, None, None)
    missing = {returns.gain_missing, returns.roi_missing, returns.return_on_customer_missing}
    assert (missing, returns.cost, returns.shown_to_have_paid) == ({Missing.NO_RATE}, 1_000.0, False)


def test_one_in_a_hundred_may_wait_and_is_taken_to_be_like_the_others() -> None:
    """Six of 600 wait, of those who spend 100 to 105 a time; what is told rests on the 594 others, and is flagged."""
    comparison = found(world(unrated=6))
    (size,) = comparison.answer(Question.SIZE).measures
    others = (119_700 - sum(range(100, 106))) / 594
    assert (size.after.value, size.after.denominator) == (pytest.approx(others), 594)
    assert (size.reason, Flag.UNRATED_SALES in comparison.flags) == (Reason.TOO_SMALL, True)
    assert Flag.UNKNOWN_COSTS not in comparison.flags
    returns = comparison.returns
    assert returns
    assert returns.gain
    # Each of the six purchases is taken to be of the mean of both windows, and to leave a half like all others.
    usual = (2 * 119_700 - 615) / (1_200 - 6)
    assert returns.gain.value == pytest.approx((6 * usual - 615) / 2)
    assert returns.gain_basis is GainBasis.CONTRIBUTION
    assert found(world(unrated=7)).answer(Question.SIZE).reason is Reason.NO_RATE


def test_a_quick_look_prints_no_change_of_what_is_not_known() -> None:
    (size,) = found(world(unrated=120), replace(PLAN, tier=Tier.QUICK)).answer(Question.SIZE).measures
    assert (size.change, size.after.value) == (None, None)


@pytest.mark.parametrize("sides", [{"unrated": 120}, {"before": 120}])
def test_beside_untouched_customers_neither(sides: Mapping[str, int]) -> None:
    """Of the baseline it is asked, too, who spends alike."""
    treated = np.arange(CUSTOMERS) % 2 == 0
    comparison = found(world(**sides), replace(PLAN, tier=Tier.RIGOROUS, treated=treated, selected_on=T0 - 60))
    (size,) = comparison.answer(Question.SIZE).measures
    assert (size.reason, size.change) == (Reason.NO_RATE, None)
    assert comparison.returns
    assert comparison.returns.gain_missing is Missing.NO_RATE


def test_a_fake_go_live_at_which_too_much_waits_tells_nothing_of_amounts() -> None:
    known = world()
    early = (known.day < T0 - 340) & (known.customer < 40)
    waiting = replace(
        known, unrated=early.astype(float), amount=np.where(early, 0.0, known.amount),
        contribution=np.where(early, np.nan, known.contribution),
    )  # fmt: skip
    plain, waits = (found(each).answer(Question.SIZE).measures[0].placebo for each in (known, waiting))
    assert plain
    assert waits
    assert (len(plain.changes), waits.changes) == (10, plain.changes[:8])


def test_a_customer_whose_purchase_waits_has_no_size_of_his_own() -> None:
    known = world(unrated=1)
    rows = individuals.tallied(known, Calendar(T0 - 400, PLAN).compared.after, 60)
    sizes = individuals.value(Measure.SIZE, rows[:2])
    assert np.isnan(sizes[0])
    assert sizes[1] == 101.0


def test_a_model_values_customers_by_the_purchases_of_which_the_amount_is_known() -> None:
    assert _customers(world(unrated=1), T0 + 59).mean[:2].tolist() == [100.0, 101.0]


def waiting_weeks(*weeks: int, category: str) -> Weeks:
    """40 weeks before go-live and 8 after in each of which 100 were spent; what else was waits for a rate."""
    spent = dict.fromkeys(("ACQUISITION_SALES", "RETENTION_SALES", "SERVICE"), np.full(48, 100.0))
    return Weeks(T0, -40, spent, np.ones(48), {category: frozenset(weeks)})


def costs(known: History, weeks: Weeks) -> Comparison:
    before, after = split(known, T0)
    return compare(replace(before, weeks=weeks), replace(after, weeks=Weeks.none(T0)), PLAN)


@pytest.mark.parametrize("week", [-9, -1, 0, 8])
def test_what_serving_costs_is_not_told_while_a_cost_of_it_waits(week: int) -> None:
    """The baseline begins in the ninth week before go-live, and the days after end in the ninth after it."""
    comparison = costs(world(service=5.0), waiting_weeks(week, category="SERVICE"))
    (service,) = comparison.answer(Question.SERVICE_COST).measures
    assert (service.reason, service.change, service.before.value, service.after.value) == (
        Reason.NO_RATE,
        None,
        None,
        None,
    )
    assert comparison.returns
    assert comparison.returns.gain_missing is Missing.NO_RATE
    assert (Flag.UNRATED_COSTS in comparison.flags, Flag.UNRATED_SALES in comparison.flags) == (True, False)
    assert {each.measure for each in comparison.spreads} == set(RATIOS) - {Measure.SERVICE_COST}


def test_a_cost_outside_of_what_is_compared_does_not_matter() -> None:
    comparison = costs(world(service=5.0), waiting_weeks(-10, 9, category="SERVICE"))
    answer = comparison.answer(Question.SERVICE_COST)
    assert answer.reason is Reason.TOO_SMALL
    assert answer.measures[0].placebo
    # Of the ten fake go-lives three have the tenth week before in one of their windows: these tell nothing.
    assert len(answer.measures[0].placebo.changes) == 7
    assert Flag.UNRATED_COSTS not in comparison.flags


@pytest.mark.parametrize(
    ("category", "reasons"),
    [
        ("ACQUISITION_SALES", (Reason.NO_RATE, Reason.TOO_FEW)),
        ("RETENTION_SALES", (Reason.TOO_FEW, Reason.NO_RATE)),
        ("INITIATIVE", (Reason.TOO_FEW, Reason.TOO_FEW)),
    ],
)
def test_what_winning_and_keeping_costs_is_not_told_while_a_cost_of_it_waits(
    category: str, reasons: tuple[Reason, Reason]
) -> None:
    comparison = costs(world(), waiting_weeks(-2, category=category))
    measures = comparison.answer(Question.ACQUISITION_AND_RETENTION).measures
    assert tuple(one.reason for one in measures) == reasons
    assert [one.before.value is None for one in measures] == [reason is Reason.NO_RATE for reason in reasons]


def test_a_return_on_a_cost_that_waits_is_not_told() -> None:
    returns = found(world(), replace(PLAN, spent=(Spent(T0 - 9, 100.0), Spent(T0, None)))).returns
    assert returns
    assert (returns.gain is None, returns.cost, returns.roi, returns.payback) == (False, None, None, None)
    assert (returns.roi_missing, returns.shown_to_have_paid) == (Missing.NO_RATE, False)
    later = found(world(), replace(PLAN, spent=(Spent(T0, 100.0), Spent(T0 + 60, None)))).returns
    assert later
    assert later.cost == 100.0
