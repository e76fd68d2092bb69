"""What decorators declare, limits, and the rows of a remote side as records."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tenure_sdk import Customer, Limit, RateLimit, RecordRejected, Reject, duration, left_over, mapped


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("15m", timedelta(minutes=15)), ("24h", timedelta(days=1)), ("1.5s", timedelta(seconds=1.5)),
        ("30d", timedelta(days=30)), ("0s", timedelta(0)),
    ],
)  # fmt: skip
def test_durations(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "15", "m", "15 m", "-1m", "1w", "1h30m", "1.m", "15M"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)


def test_rates_by_their_seconds() -> None:
    assert RateLimit(per_second=2, per_day=1000).rates == ((2, 1.0), (1000, 86400.0))
    assert RateLimit().rates == ()


@pytest.mark.parametrize(
    ("limit", "value", "refusal"),
    [
        (Limit(), None, None),
        (Limit(required=True), None, "has to be given"),
        (Limit(required=True), "", "has to be given"),
        (Limit(max_len=3), "abc", None),
        (Limit(max_len=3), "abcd", "is longer than 3 characters"),
        (Limit(max_len=3), ("abc", "abcd"), "is longer than 3 characters"),
        (Limit(forbid=":\t"), "a:b\t", "must not have \t:"),
        (Limit(max_len=1), Decimal("10.00"), None),
    ],
)
def test_limits_of_a_field(limit: Limit, value: Any, refusal: str | None) -> None:
    assert limit.refuses(value) == refusal


def test_a_row_that_makes_no_record_is_set_aside() -> None:
    def make(row: dict[str, Any]) -> Customer:
        if row["name"] == "nobody":
            raise RecordRejected(None, "is nobody", field="name")
        return Customer(id=row["id"], name=row["name"].title())

    rows = [
        {"id": "1", "name": "ada"},
        {"id": 2},
        {"id": "3", "name": 7},
        {"id": "4", "name": "nobody"},
        {"id": "5", "name": "bo"},
    ]
    records, rejects = mapped(rows, make)
    assert records == [Customer(id="1", name="Ada"), Customer(id="5", name="Bo")]
    assert [(each.record_id, each.field, each.reason) for each in rejects] == [
        ("2", None, "KeyError: 'name'"),
        ("3", None, "AttributeError: 'int' object has no attribute 'title'"),
        ("4", "name", "is nobody"),
    ]
    assert mapped([7], make) == ([], [Reject(None, None, None, "TypeError: 'int' object is not subscriptable")])  # type: ignore[list-item]


def test_what_no_field_took_is_left_over() -> None:
    row = {"id": "1", "vip": True, "score": Decimal("0.10"), "none": None, "tags": ["a"], "owner": {"id": 1}, "n": 3}
    assert left_over(row, "id") == {"vip": True, "score": "0.10", "none": None, "n": 3}
