from __future__ import annotations

import numpy as np

from domain.initiatives.history import NEVER, Weeks
from tests.domain.initiatives.histories import history, split


def test_two_histories_join_to_the_whole() -> None:
    whole = history([(0, 1), (1, 3), (0, 5), (1, 8)], customers=2, days=(0, 10))
    before, after = split(whole, 4)
    joined = before.joined(after)
    for name in ("customer", "day", "occasions", "amount", "first_occasion"):
        assert getattr(joined, name).tolist() == getattr(whole, name).tolist()
    assert (joined.first, joined.last) == (0, 10)


def test_the_days_before_are_those_of_the_seal_whatever_is_said_later() -> None:
    sealed = history([(0, 1)], customers=1, days=(0, 4))
    later = history([(0, 0), (0, 6), (1, 2)], customers=2, days=(4, 10))
    joined = sealed.joined(later)
    assert joined.day.tolist() == [1, 6]
    assert joined.first_occasion.tolist() == [1, 4]


def test_who_is_first_seen_later_has_nothing_before() -> None:
    sealed = history([(0, 1)], customers=1, days=(0, 4))
    later = history([(1, 6)], customers=2, days=(4, 10))
    joined = sealed.joined(later)
    assert joined.customers == 2
    assert joined.first_occasion.tolist() == [1, 6]
    assert joined.occasions_before.tolist() == [0, 0]


def test_merged_customers_are_added_up_and_count_a_day_once() -> None:
    rows = [(0, 5), (1, 5, {"amount": 50.0, "service_cost": 7.0}), (1, 3), (2, 4)]
    known = history(rows, customers=3, days=(0, 10), occasions_before=[1, 2, 0], first_seen=[4, 2, 0])
    merged = known.merged(np.array((0, 0, 2), dtype=np.int32))
    assert merged.customer.tolist() == [0, 0, 2]
    assert merged.day.tolist() == [3, 5, 4]
    assert merged.occasions.tolist() == [1.0, 1.0, 1.0]
    assert merged.amount.tolist() == [100.0, 150.0, 100.0]
    assert merged.service_cost.tolist() == [0.0, 7.0, 0.0]
    assert merged.first_occasion.tolist() == [3, NEVER, 4]
    assert merged.first_seen[0] == 2
    assert merged.occasions_before.tolist() == [3, 0, 0]


def test_nobody_merged_changes_nothing() -> None:
    known = history([(0, 5), (1, 3)], customers=2, days=(0, 10))
    same = known.merged(np.arange(2, dtype=np.int32))
    assert same.day.tolist() == known.day.tolist()
    assert same.first_occasion.tolist() == known.first_occasion.tolist()


def test_weeks_join_where_the_seal_ends() -> None:
    sealed = Weeks(28, -2, {"SERVICE": np.array((1.0, 2.0))}, np.array((5.0, 6.0)))
    after = Weeks(28, -1, {"SERVICE": np.array((9.0, 3.0)), "COGS": np.array((8.0, 4.0))}, np.array((9.0, 7.0)))
    known = history([], customers=0, days=(0, 28), weeks=sealed).joined(
        history([], customers=0, days=(28, 35), weeks=after)
    )
    assert (known.weeks.first, known.weeks.last) == (-2, 1)
    assert known.weeks.costs["SERVICE"].tolist() == [1.0, 2.0, 3.0]
    assert known.weeks.costs["COGS"].tolist() == [0.0, 0.0, 4.0]
    assert known.weeks.new_customers.tolist() == [5.0, 6.0, 7.0]
