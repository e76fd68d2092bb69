from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.costs import rules
from domain.costs.rules import AllocationRule, Part, Share, Shared, Stretch

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
    assert found.shares == [Share(ADA, MAY, 250), Share(EVA, MAY, 750)]


def test_a_share_of_nothing_is_none() -> None:
    assert rules.shares(1, AllocationRule.EQUAL, MAY, JUNE, [whole(ADA), whole(EVA)]).shares == [Share(ADA, MAY, 1)]
    assert rules.shares(100, AllocationRule.EQUAL, MAY, JUNE, []) == Shared([], [])


def day(number: int) -> date:
    return MAY + timedelta(days=number)


def by_day(amount: int, days: int, found: Shared) -> dict[date, dict[UUID, int]]:
    """What falls on whom on each day: its units go round among those who are there."""
    portions = dict(zip(map(day, range(days)), rules.largest_remainder(abs(amount), [1] * days), strict=True))
    told: dict[date, dict[UUID, int]] = {each: {} for each in portions}
    for stretch in found.stretches:
        turn = stretch.turn
        for each in (day for day in portions if stretch.starts_on <= day < stretch.ends_on):
            there = {
                share.rank: share.customer_id for share in found.shares if share.day <= each < (share.ends_on or MAY)
            }
            for unit in range(turn, turn + portions[each]):
                who = there[unit % stretch.people]
                told[each][who] = told[each].get(who, 0) + (1 if amount >= 0 else -1)
            turn += portions[each]
    return told


def test_by_time_every_day_is_borne_by_who_was_there() -> None:
    parts = [Part(ADA, 1, MAY, day(2)), Part(EVA, 1, day(1), day(4))]
    found = rules.shares(1002, AllocationRule.BY_TIME, MAY, day(4), parts)
    assert found.shares == [
        Share(ADA, MAY, 377, day(2), 0), Share(EVA, day(1), 125, day(2), 1), Share(EVA, day(2), 500, day(4), 0),
    ]  # fmt: skip
    assert found.stretches == [
        Stretch(MAY, day(1), 1, 0), Stretch(day(1), day(2), 2, 0), Stretch(day(2), day(4), 1, 0),
    ]  # fmt: skip
    assert by_day(1002, 4, found) == {
        MAY: {ADA: 251}, day(1): {ADA: 126, EVA: 125}, day(2): {EVA: 250}, day(3): {EVA: 250},
    }  # fmt: skip


def test_by_time_a_day_without_anybody_is_borne_by_nobody() -> None:
    found = rules.shares(-90, AllocationRule.BY_TIME, MAY, day(3), [Part(ADA, 1, day(1), JUNE)])
    assert found == Shared([Share(ADA, day(1), -60, day(3), 0)], [Stretch(day(1), day(3), 1, 0)])


def test_by_time_the_odd_cents_go_round() -> None:
    found = rules.shares(6, AllocationRule.BY_TIME, MAY, day(6), [whole(ADA), whole(EVA), whole(IDA)])
    assert [(share.customer_id, share.minor) for share in found.shares] == [(ADA, 2), (EVA, 2), (IDA, 2)]
    assert list(by_day(6, 6, found).values()) == [{ADA: 1}, {EVA: 1}, {IDA: 1}] * 2


SPANS = st.tuples(st.integers(0, 9), st.integers(1, 10)).map(lambda span: (day(span[0]), day(span[0] + span[1])))
PARTS = st.lists(st.tuples(st.integers(0, 99), SPANS), max_size=12, unique_by=lambda part: part[0])


@given(st.integers(-10_000, 10_000), st.integers(1, 20), PARTS)
def test_by_time_shares_add_up_day_by_day(amount: int, days: int, drawn: list[tuple[int, tuple[date, date]]]) -> None:
    parts = [
        Part(UUID(int=number), 1, start, min(end, day(days))) for number, (start, end) in drawn if start < day(days)
    ]
    found = rules.shares(amount, AllocationRule.BY_TIME, MAY, day(days), parts)
    assert all(share.minor for share in found.shares)
    told = by_day(amount, days, found)
    for number, of_day in enumerate(rules.largest_remainder(amount, [1] * days)):
        there = {part.customer_id for part in parts if part.starts_on <= day(number) < part.ends_on}
        borne = told[day(number)]
        assert sum(borne.values()) == (of_day if there else 0)
        assert borne.keys() <= there
        assert all(abs(minor * len(there) - of_day) < len(there) for minor in borne.values())
    whole: dict[UUID, int] = {}
    for share in found.shares:
        whole[share.customer_id] = whole.get(share.customer_id, 0) + share.minor
    assert whole == {
        customer: total for customer in {part.customer_id for part in parts}
        if (total := sum(borne.get(customer, 0) for borne in told.values()))
    }  # fmt: skip


def test_by_time_whoever_stays_takes_one_share_however_many_come() -> None:
    parts = [Part(UUID(int=number), 1, day(number % 30), JUNE) for number in range(900)]
    found = rules.shares(10**9, AllocationRule.BY_TIME, MAY, JUNE, parts)
    assert (len(found.shares), len(found.stretches)) == (900, 30)
    assert sum(share.minor for share in found.shares) == 10**9


def test_a_period_has_a_day_and_no_more_than_ten_years() -> None:
    rules.check_period(MAY, MAY + timedelta(days=1))
    with pytest.raises(rules.PeriodIsEmpty):
        rules.check_period(MAY, MAY)
    with pytest.raises(rules.PeriodTooLong):
        rules.check_period(MAY, MAY + timedelta(days=rules.LONGEST + 1))
