"""What the demo's business sells over the counter to nobody it knows, and the corrections of its books."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from cli.business import catalogue, laws
from tenure_sdk import Order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_TYPICAL = laws.Habit(rate=0, leaves=1, size=3.2)


def sales(count: int, until: datetime) -> Iterator[Order]:
    """So many orders without a customer."""
    chance = laws.dice("counter")
    for number in range(count):
        at = laws.opening_hour(chance, until - timedelta(days=1) - (laws.SPAN - timedelta(days=2)) * chance.random())
        lines = catalogue.basket(chance, laws.order_size(chance, _TYPICAL), 0)
        yield Order(id=f"T{number:06}", occurred_at=at, currency=catalogue.BASE, lines=lines, channel="STORE")


def adjustments(until: datetime) -> Iterator[Order]:
    """A correction of the accounts for every quarter: no purchase, in no count of purchases."""
    for quarter in range(8):
        yield Order(
            id=f"A{quarter}", kind="ADJUSTMENT", occurred_at=until - timedelta(days=15 + 91 * quarter),
            currency=catalogue.BASE, total=Decimal("-12.50") if quarter % 2 else Decimal("8.40"),
        )  # fmt: skip
