from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.costs import rules
from domain.costs.rules import AllocationRule, Part, Share

ADA, EVA, IDA = (UUID(int=number) for number in (1, 2, 3))
MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)


def whole(customer: UUID, weight: int = 1) -> Part:
    return Part(customer, weight, MAY, JUNE)


@pytest.mark.parametrize(
    ("amount", "weights", "portions"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (100, [1, 2, 4], [14, 29, 57]),
        (7, [1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 0]),
        (5, [0, 3, 0], [0, 5, 0]),
        (5, [0, 0], [0, 0]),
        (0, [1, 2], [0, 0]),
        (5, [], []),
    ],
)
def test_what_is_left_goes_to_the_largest_fractions(amount: int, weights: list[int], portions: list[int]) -> None:
    assert rules.largest_remainder(amount, weights) == portions


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), max_size=40))
def test_portions_add_up_and_none_is_a_unit_off(amount: int, weights: list[int]) -> None:
    portions = rules.largest_remainder(amount, weights)
    assert sum(portions) == (amount if sum(weights) else 0)
    for portion, weight in zip(portions, weights, strict=True):
        assert abs(portion * sum(weights) - amount * weight) < max(sum(weights), 1)


def test_a_share_counts_on_the_first_day_of_the_period() -> None:
    found = rules.shares(1000, AllocationRule.BY_TOUCH, MAY, JUNE, [whole(EVA, 3), whole(ADA, 1)])
    assert found == [Share(ADA, MAY, 250), Share(EVA, MAY, 750)]


def test_a_share_of_nothing_is_none() -> None:
    assert rules.shares(1, AllocationRule.EQUAL, MAY, JUNE, [whole(ADA), whole(EVA)]) == [Share(ADA, MAY, 1)]
    assert rules.shares(100, AllocationRule.EQUAL, MAY, JUNE, []) == []


def test_by_time_every_day_is_borne_by_who_was_there() -> None:
    start, end = MAY, MAY + timedelta(days=4)
    parts = [Part(ADA, 1, start, start + timedelta(days=2)), Part(EVA, 1, start + timedelta(days=1), end)]
    found = rules.shares(1002, AllocationRule.BY_TIME, start, end, parts)
    days = [start + timedelta(days=number) for number in range(4)]
    assert found == [
        Share(ADA, days[0], 251),
        Share(ADA, days[1], 126), Share(EVA, days[1], 125),
        Share(EVA, days[2], 250), Share(EVA, days[3], 250),
    ]  # fmt: skip


def test_by_time_a_day_without_anybody_is_borne_by_nobody() -> None:
    later = MAY + timedelta(days=1)
    found = rules.shares(-90, AllocationRule.BY_TIME, MAY, MAY + timedelta(days=3), [Part(ADA, 1, later, JUNE)])
    assert found == [Share(ADA, later, -30), Share(ADA, later + timedelta(days=1), -30)]


def test_by_time_the_odd_cents_go_round() -> None:
    found = rules.shares(6, AllocationRule.BY_TIME, MAY, MAY + timedelta(days=6), [whole(ADA), whole(EVA), whole(IDA)])
    assert [(share.customer_id, share.minor) for share in found] == [(who, 1) for who in (ADA, EVA, IDA) * 2]


SPANS = st.tuples(st.integers(0, 9), st.integers(1, 10)).map(
    lambda span: (MAY + timedelta(days=span[0]), MAY + timedelta(days=span[0] + span[1]))
)
PARTS = st.lists(st.tuples(st.integers(0, 99), SPANS), max_size=12, unique_by=lambda part: part[0])


@given(st.integers(-10_000, 10_000), st.integers(1, 20), PARTS)
def test_by_time_shares_add_up_day_by_day(amount: int, days: int, drawn: list[tuple[int, tuple[date, date]]]) -> None:
    parts = [Part(UUID(int=number), 1, *span) for number, span in drawn]
    found = rules.shares(amount, AllocationRule.BY_TIME, MAY, MAY + timedelta(days=days), parts)
    assert all(share.minor for share in found)
    for number, of_day in enumerate(rules.largest_remainder(amount, [1] * days)):
        day = MAY + timedelta(days=number)
        there = {part.customer_id for part in parts if part.starts_on <= day < part.ends_on}
        borne = {share.customer_id: share.minor for share in found if share.day == day}
        assert sum(borne.values()) == (of_day if there else 0)
        assert borne.keys() <= there
        assert all(abs(minor * len(there) - of_day) < len(there) for minor in borne.values())


def test_a_period_has_a_day_and_no_more_than_ten_years() -> None:
    rules.check_period(MAY, MAY + timedelta(days=1))
    with pytest.raises(rules.PeriodIsEmpty):
        rules.check_period(MAY, MAY)
    with pytest.raises(rules.PeriodTooLong):
        rules.check_period(MAY, MAY + timedelta(days=rules.LONGEST + 1))
