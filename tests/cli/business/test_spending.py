from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

from cli.business import shirin, spending
from tenure_sdk import Order

UNTIL = datetime(2026, 10, 1, 12, tzinfo=UTC)


def test_every_week_of_two_years_has_its_costs_and_none_is_shared() -> None:
    costs = list(spending.weekly(2_000, UNTIL))
    assert Counter(cost.category for cost in costs) == dict.fromkeys(
        ("ACQUISITION_MARKETING", "ACQUISITION_SALES", "RETENTION_MARKETING", "RETENTION_SALES"), 104
    )
    assert {(cost.ends_on - cost.starts_on).days for cost in costs if cost.ends_on} == {7}
    assert max(cost.ends_on for cost in costs if cost.ends_on) <= UNTIL.date()
    assert {(cost.rule, cost.customer) for cost in costs} == {(None, None)}
    assert costs == list(spending.weekly(2_000, UNTIL))


def test_who_had_a_case_bears_what_it_cost() -> None:
    _, first, till = shirin.told(UNTIL)
    (cost,) = spending.of_cases(first)
    assert (cost.category, cost.customer, cost.case) == ("SERVICE", first.whose, "CASE-SHIRIN")
    assert Decimal(2) < cost.amount < Decimal(50)
    assert list(spending.of_cases(till)) == []


def test_goods_cost_less_than_their_price() -> None:
    lines = [
        line
        for diary in shirin.told(UNTIL)
        for order in diary.records
        if isinstance(order, Order)
        for line in order.lines
    ]
    assert all(line.cost and 0 < line.cost < line.quantity * line.unit_price for line in lines)
