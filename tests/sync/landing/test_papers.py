"""Documents that are records: what PostgreSQL makes of them is what Python would."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from domain.core.problems import DomainError
from sync.landing import cells, lines
from sync.runs import Counts
from tenure_sdk import Invoice, Order, OrderLine

if TYPE_CHECKING:
    from tests.sync.landing.conftest import Landing

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
LINE = OrderLine(quantity=Decimal(1), unit_price=Decimal(1))


@dataclass
class Drawn:
    """Documents with amounts of every size, of which many lie between two minor units and some fit nowhere."""

    chance: Random

    def order(self, id_: str) -> Order:
        return Order(
            id=id_,
            occurred_at=NOON,
            currency=self.chance.choice(["EUR", "JPY", "KWD", "XQQ"] if self.chance.random() < 0.2 else ["EUR", "KWD"]),
            lines=tuple(self.line() for _ in range(self.chance.randrange(4))),
            total=self.number(),
            units=self.number(),
        )

    def line(self) -> OrderLine:
        tax, cost = self.number(), self.number()
        return OrderLine(
            quantity=self.number(), unit_price=self.number(), discount=self.number(), tax=tax, cost=cost
        )  # fmt: skip

    def number(self) -> Decimal:
        chance = self.chance.random()
        if chance < 0.01:
            return Decimal(self.chance.choice(["NaN", "sNaN", "Infinity", "-Infinity", "1E+9999", "1E+30", "1E+14"]))
        if chance < 0.3:
            return (Decimal(self.chance.randrange(-999, 999)) + Decimal("0.5")).scaleb(-self.chance.choice([2, 3]))
        return Decimal(self.chance.randrange(-(10**7), 10**7)).scaleb(-self.chance.randrange(7))


def by_python(order: Order) -> list[tuple[object, ...]] | None:
    """What the lines of an order are in the tables; None where no table holds it."""

    def minor(amount: Decimal | None) -> int:
        assert amount is not None
        return int(lines.minor(amount, order.currency))

    try:
        cells.exact(order.units or Decimal(0))
        minor(order.total)
        for line in order.lines:
            cells.exact(line.quantity), cells.exact(line.unit_price)
        return [
            (order.id, minor(line.discount), minor(line.tax), minor(line.cost),
             int(lines.line_amount((line.quantity, line.unit_price, line.discount, order.currency))))
            for line in order.lines
        ]  # fmt: skip
    except (DomainError, ValueError):
        return None


async def test_amounts_are_rounded_and_refused_as_python_does(landing: Landing) -> None:
    drawn = Drawn(Random(7))  # noqa: S311 - not to be secret
    orders = [drawn.order(f"{place:03}") for place in range(400)]
    wanted = {order.id: by_python(order) for order in orders}
    refused = sorted(id_ for id_, rows in wanted.items() if rows is None)
    assert 30 < len(refused) < 200
    landed = await landing.records(*orders)
    assert landed.counts == Counts(read=400, created=400 - len(refused), rejected=len(refused))
    assert sorted(reject.record_id or "" for reject in landed.rejects) == refused
    found = await landing.rows("""
        SELECT remote_id, line.discount, line.tax, line.cost_amount, line.amount
        FROM orders JOIN order_lines AS line ON line.order_id = orders.id AND line.tenant_id = orders.tenant_id
        WHERE orders.$t ORDER BY remote_id, position
    """)
    assert found == [row for rows in wanted.values() if rows for row in rows]


@pytest.mark.parametrize(
    ("field", "value"), [("quantity", "NaN"), ("unit_price", "sNaN"), ("tax", "1E+200000"), ("cost", "-Infinity")]
)
async def test_a_number_that_is_none_keeps_its_document_out_and_no_other(
    landing: Landing, field: str, value: str
) -> None:
    odd = msgspec.structs.replace(LINE, **{field: Decimal(value)})
    orders = [
        Order(id=id_, occurred_at=NOON, currency="EUR", lines=(LINE, line))
        for id_, line in zip("ab", (LINE, odd), strict=True)
    ]
    landed = await landing.records(*orders)
    assert landed.counts == Counts(read=2, created=1, rejected=1)
    assert [(each.field, each.value, each.record_id) for each in landed.rejects] == [(field, value, "b")]


async def test_characters_that_no_database_keeps_are_left_out(landing: Landing) -> None:
    line = OrderLine(quantity=Decimal(1), unit_price=Decimal(1), description="Tab\tand\nbreak\\u0000 and \0 \ud800")
    await landing.records(Order(id="a", occurred_at=NOON, currency="EUR", lines=(line,), channel="x\0y"))
    assert await landing.rows("SELECT description FROM order_lines WHERE $t") == [("Tab\tand\nbreak\\u0000 and  ?",)]
    assert await landing.rows("SELECT channel FROM orders WHERE $t") == [("xy",)]


async def test_moments_are_exact_in_every_zone(landing: Landing) -> None:
    tehran = datetime(1920, 1, 1, tzinfo=ZoneInfo("Asia/Tehran"))  # an offset with seconds
    await landing.records(Invoice(id="a", occurred_at=tehran, sent_at=tehran, currency="EUR", lines=(LINE,)))
    wanted = datetime(1919, 12, 31, 20, 34, 16, tzinfo=UTC)
    assert await landing.rows("SELECT occurred_at, sent_at FROM invoices WHERE $t") == [(wanted, wanted)]
