from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from domain.initiatives.comparing import compare
from domain.initiatives.findings import GainBasis, Measure
from domain.initiatives.plans import Group, GroupKind, GroupName, Plan, Tier
from domain.initiatives.statistics.opportunities import Cell, opportunities
from tests.domain.initiatives.histories import history, split


def named(key: str) -> GroupName:
    return GroupName(GroupKind.SEGMENT, key, {"en": key})


USUAL = Cell(named("new"), Measure.FREQUENCY, 100, 2.0, 0.1, 2.0, 0.1, 500.0)


def test_a_group_that_fell_behind_is_an_opportunity_worth_its_gap() -> None:
    cells = [USUAL, replace(USUAL, group=named("loyal")), replace(USUAL, group=named("sleeping"), value=1.0)]
    (found,) = opportunities(cells)
    assert (found.group.key, found.worse_than_baseline, found.worse_than_others) == ("sleeping", True, True)
    assert found.others == 2.0
    # The mean of all is 5/3: 100 customers x 2/3 x 5 of margin.
    assert found.at_stake == pytest.approx(100 * (5 / 3 - 1.0) * 500)


def test_what_is_lower_may_be_better() -> None:
    dear = replace(USUAL, measure=Measure.SERVICE_COST, value=3.0)
    cheap = replace(dear, group=named("loyal"), value=1.0)
    assert [one.group.key for one in opportunities([dear, cheap])] == ["new"]


def test_few_customers_say_nothing() -> None:
    assert opportunities([replace(USUAL, customers=29, value=0.1)]) == ()
    assert opportunities([]) == ()


def test_one_of_many_that_is_a_little_worse_is_chance() -> None:
    cells = [replace(USUAL, group=named(str(number))) for number in range(40)]
    cells[7] = replace(cells[7], value=1.75, baseline=2.0)  # alone it would count: one-sided p is 0.04
    assert opportunities(cells) == ()
    assert [one.group.key for one in opportunities([cells[7]])] == ["7"]


def test_the_most_money_comes_first() -> None:
    small, large = (replace(USUAL, group=named(key), value=0.5) for key in "ab")
    priceless = replace(small, group=named("c"), worth=None)
    found = opportunities([priceless, small, replace(large, customers=900), USUAL])
    assert [one.group.key for one in found] == ["b", "a", "c"]
    assert found[-1].at_stake is None


def test_without_a_baseline_the_other_groups_are_the_measure() -> None:
    cells = [replace(USUAL, value=1.0, baseline=None, baseline_error=None), replace(USUAL, group=named("loyal"))]
    (found,) = opportunities(cells)
    assert (found.worse_than_baseline, found.worse_than_others) == (False, True)


T0 = date(2026, 1, 1).toordinal()


def test_groups_are_looked_through_whether_or_not_the_initiative_was_for_them() -> None:
    """40 customers go on to buy ten times, 40 others three times; each purchase is worth 100 and leaves 40."""
    rows = [(who, T0 - 150) for who in range(80)]
    rows += [(who, T0 + day, LEFT) for who in range(80) for day in range(-100 + who % 5, 0, 10)]
    rows += [(who, T0 + day, LEFT) for who in range(40) for day in range(who % 5, 100, 10)]
    rows += [(who, T0 + day, LEFT) for who in range(40, 80) for day in range(who % 5, 75 + who % 4 * 25, 25)]
    known = history(rows, customers=80, days=(T0 - 150, T0 + 100))
    first = np.arange(80) < 40
    groups = (Group(named("regular"), first), Group(named("slower"), ~first), Group(named("few"), np.arange(80) < 20))
    plan = Plan(go_live=T0, baseline_days=100, measured_on=T0 + 100, tier=Tier.QUICK, seed=2, groups=groups)
    frequency, *others = compare(*split(known, T0), plan).opportunities
    assert (frequency.group.key, frequency.measure, frequency.customers) == ("slower", Measure.FREQUENCY, 40)
    assert frequency.baseline == pytest.approx(10 * 3.6525)
    assert frequency.value < frequency.others == pytest.approx(10 * 3.6525)
    # The mean of both is half-way, and each purchase leaves 40.
    assert frequency.at_stake == pytest.approx(40 * (10 * 3.6525 - frequency.value) / 2 * 40)
    assert frequency.basis is GainBasis.CONTRIBUTION
    sales = compare(*split(replace(known, contribution=np.full(len(known.day), np.nan)), T0), plan).opportunities[0]
    assert sales.at_stake == pytest.approx(40 * (10 * 3.6525 - frequency.value) / 2 * 100)
    assert sales.basis is GainBasis.NET_REVENUE
    assert {(one.group.key, one.measure, one.at_stake) for one in others} <= {("slower", Measure.RECENCY, None)}


LEFT = {"contribution": 40.0}
