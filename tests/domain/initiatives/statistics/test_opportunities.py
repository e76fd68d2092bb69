from __future__ import annotations

from dataclasses import replace

import pytest

from domain.initiatives.statistics.opportunities import Cell, opportunities

USUAL = Cell("new", "frequency", True, 100, 2.0, 0.1, 2.0, 0.1, 500.0)  # noqa: FBT003 - the fields are named in Cell


def test_a_group_that_fell_behind_is_an_opportunity_worth_its_gap() -> None:
    cells = [USUAL, replace(USUAL, group="loyal"), replace(USUAL, group="sleeping", value=1.0)]
    (found,) = opportunities(cells)
    assert (found.group, found.worse_than_baseline, found.worse_than_others) == ("sleeping", True, True)
    assert found.others == 2.0
    # The mean of all is 5/3: 100 customers x 2/3 x 5 of margin.
    assert found.at_stake == pytest.approx(100 * (5 / 3 - 1.0) * 500)


def test_what_is_lower_may_be_better() -> None:
    dear = replace(USUAL, metric="cost", higher_is_better=False, value=3.0)
    cheap = replace(USUAL, metric="cost", higher_is_better=False, group="loyal", value=1.0)
    assert [one.group for one in opportunities([dear, cheap])] == ["new"]


def test_few_customers_say_nothing() -> None:
    assert opportunities([replace(USUAL, customers=29, value=0.1)]) == ()
    assert opportunities([]) == ()


def test_one_of_many_that_is_a_little_worse_is_chance() -> None:
    cells = [replace(USUAL, group=str(number)) for number in range(40)]
    cells[7] = replace(cells[7], value=1.75, baseline=2.0)  # alone it would count: one-sided p is 0.04
    assert opportunities(cells) == ()
    assert [one.group for one in opportunities([cells[7]])] == ["7"]


def test_the_most_money_comes_first() -> None:
    cells = [replace(USUAL, group="a", value=0.5), replace(USUAL, group="b", value=0.5, customers=900), USUAL]
    assert [one.group for one in opportunities(cells)] == ["b", "a"]


def test_without_a_baseline_the_other_groups_are_the_measure() -> None:
    cells = [replace(USUAL, value=1.0, baseline=None, baseline_error=None), replace(USUAL, group="loyal")]
    (found,) = opportunities(cells)
    assert (found.worse_than_baseline, found.worse_than_others) == (False, True)
