from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sync.runs import Counts
from tenure_sdk import LINE_COLUMNS, LinePage, Reject

if TYPE_CHECKING:
    from tests.sync.landing.conftest import Landing

COLUMNS = (
    "line", "document", "type", "occurred_at", "order", "customer", "customer_name", "country", "country_name",
    "currency", "sku", "description", "quantity", "unit_price", "discount", "tax", "cost",
)  # fmt: skip
NOON = datetime(2011, 3, 1, 12, tzinfo=UTC)


def line(number: int, document: str, **values: Any) -> tuple[Any, ...]:
    given = {
        "line": number, "document": document, "type": "order", "occurred_at": NOON, "currency": "EUR",
        "quantity": Decimal(1), "unit_price": Decimal(1), **values,
    }  # fmt: skip
    return tuple(given.get(name) for name in COLUMNS)


def page(*rows: tuple[Any, ...], **options: Any) -> LinePage:
    return LinePage(COLUMNS, rows, complete=True, **options)


async def test_lines_with_the_same_document_become_one_order(landing: Landing) -> None:
    landed = await landing.page(
        page(
            line(1, "A", customer="c1", sku="s1", description="Mug", quantity=Decimal(3), unit_price=Decimal("1.50")),
            line(2, "B", customer="c2", sku="s1"),
            line(3, "A", occurred_at=NOON.replace(hour=9), sku="s2", discount=Decimal("0.25"), tax=Decimal("0.1")),
        )
    )
    assert landed.counts == Counts(read=3, created=6)
    assert await landing.rows(
        "SELECT number, amount, units, line_count, occurred_at, status, kind, version, base_amount FROM orders "
        "WHERE $t ORDER BY number"
    ) == [
        ("A", 525, 4, 2, NOON.replace(hour=9), "COMPLETED", "SALE", 1, 525),
        ("B", 100, 1, 1, NOON, "COMPLETED", "SALE", 1, 100),
    ]
    assert await landing.rows(
        "SELECT position, quantity, unit_price, discount, tax, order_lines.amount, sku FROM order_lines "
        "JOIN orders ON orders.id = order_id JOIN products ON products.id = product_id "
        "WHERE order_lines.$t AND number = 'A' ORDER BY position"
    ) == [(1, 3, Decimal("1.5"), 0, 0, 450, "s1"), (2, 1, 1, 25, 10, 75, "s2")]


async def test_the_first_line_that_says_something_of_a_customer_or_product_counts(landing: Landing) -> None:
    await landing.page(
        page(
            line(1, "A", customer="c1", country_name="Nowhere", sku="s1"),
            line(2, "A", customer="c1", country="GB", country_name="United Kingdom", sku="s1", description="Mug"),
            line(3, "B", customer="c1", country="FR", customer_name="Ada Lovelace", sku="s1", description="Cup"),
        )
    )
    assert await landing.rows("SELECT display_name, country, first_purchase_at FROM customers WHERE $t") == [
        ("Ada Lovelace", "GB", NOON)
    ]
    assert await landing.rows("SELECT sku, name FROM products WHERE $t") == [("s1", "Mug")]


async def test_the_same_lines_again_change_nothing(landing: Landing) -> None:
    lines = page(line(1, "A", customer="c1", sku="s1"), line(2, "R", type="refund", customer="c1", order="A"))
    await landing.page(lines)
    before = await landing.rows("SELECT id, version, updated_at FROM customers WHERE $t")
    assert (await landing.page(lines)).counts == Counts(read=2, unchanged=4)
    assert await landing.rows("SELECT count(*) FROM orders WHERE $t") == [(1,)]
    assert await landing.rows("SELECT id, version, updated_at FROM customers WHERE $t") == before


async def test_a_changed_document_makes_a_version_and_keeps_the_former(landing: Landing) -> None:
    await landing.page(page(line(1, "A", customer="c1")))
    landed = await landing.page(page(line(1, "A", customer="c2", quantity=Decimal(2))))
    assert (landed.counts.updated, len(landed.touched)) == (1, 2)
    assert await landing.rows(
        "SELECT version, amount, superseded_at IS NULL FROM orders WHERE $t ORDER BY version"
    ) == [(1, 100, False), (2, 200, True)]
    assert await landing.rows(
        "SELECT revision, kind, summary, superseded_at IS NULL FROM interactions WHERE $t ORDER BY revision"
    ) == [
        (1, "ORDER_PLACED", "Order A, 1 line, 1.00 EUR", False),
        (2, "ORDER_PLACED", "Order A, 1 line, 2.00 EUR", True),
    ]
    assert await landing.rows("SELECT orders FROM customer_totals WHERE $t") == [(1,)]


@pytest.mark.parametrize(
    ("quantity", "price", "discount", "currency", "minor"),
    [
        ("1", "0.005", None, "EUR", 0),
        ("1", "0.015", None, "EUR", 2),
        ("1", "0.025", None, "EUR", 2),
        ("-1", "0.015", None, "EUR", -2),
        ("3", "0.335", "0.01", "EUR", 100),  # 0.995 is a tie: 99.5 goes to 100
        ("1", "2.5", None, "JPY", 2),
        ("1", "0.0005", None, "KWD", 0),
        ("99999999999999", "1", None, "EUR", 9999999999999900),
    ],
)
async def test_a_line_is_rounded_half_even_once(
    landing: Landing, quantity: str, price: str, discount: str | None, currency: str, minor: int
) -> None:
    await landing.page(
        page(
            line(
                1, "A", quantity=Decimal(quantity), unit_price=Decimal(price), currency=currency,
                discount=discount and Decimal(discount),
            )
        )
    )  # fmt: skip
    assert await landing.rows("SELECT amount FROM order_lines WHERE $t") == [(minor,)]
    assert await landing.rows("SELECT amount FROM orders WHERE $t") == [(minor,)]


async def test_a_refund_finds_its_order_whichever_comes_first(landing: Landing) -> None:
    await landing.page(page(line(1, "R", type="refund", customer="c1", order="A", quantity=Decimal(2))))
    await landing.page(page(line(2, "A", customer="c1", quantity=Decimal(2))))
    assert await landing.rows(
        "SELECT r.amount, r.order_id = o.id FROM refunds r JOIN orders o USING (tenant_id) WHERE r.$t"
    ) == [(200, True)]
    assert await landing.rows("SELECT kind FROM interactions WHERE $t ORDER BY kind") == [
        ("ORDER_PLACED",),
        ("ORDER_REFUNDED",),
    ]
    assert await landing.rows("SELECT count(*) FROM customer_totals WHERE $t") == [(0,)]


async def test_what_the_goods_of_a_line_cost_is_kept_and_unknown_is_not_nothing(landing: Landing) -> None:
    lines = page(
        line(1, "A", customer="c1", cost=Decimal("0.625")),
        line(2, "A", customer="c1", cost=Decimal(0)),
        line(3, "B", customer="c1"),
        line(4, "R", type="refund", order="A", cost=Decimal("0.10")),
        line(5, "C", cost=Decimal("NaN")),
    )
    landed = await landing.page(lines)
    assert (landed.counts.rejected, landed.counts.created) == (1, 4)
    assert await landing.rows("SELECT field, value, reason FROM dead_letters WHERE $t") == [
        ("cost", "NaN", "is no number")
    ]
    assert await landing.rows(
        "SELECT number, cost_amount FROM order_lines l JOIN orders o ON o.id = l.order_id WHERE l.$t "
        "ORDER BY number, position"
    ) == [("A", 62), ("A", 0), ("B", None)]
    assert await landing.rows("SELECT cost_amount FROM refund_lines WHERE $t") == [(10,)]
    assert (await landing.page(lines)).counts.unchanged == 4


async def test_an_adjustment_is_no_purchase(landing: Landing) -> None:
    landed = await landing.page(
        page(line(1, "A", type="adjustment", customer="c1", quantity=Decimal(1), unit_price=Decimal(-5)))
    )
    assert landed.counts.created == 2
    assert await landing.rows("SELECT kind, amount FROM orders WHERE $t") == [("ADJUSTMENT", -500)]
    assert await landing.rows("SELECT kind FROM interactions WHERE $t") == [("ORDER_ADJUSTED",)]
    assert await landing.rows("SELECT first_purchase_at FROM customers WHERE $t") == [(None,)]


async def test_an_order_may_stand_without_a_customer_or_lines(landing: Landing) -> None:
    columns = ("line", "document", "type", "occurred_at", "currency", "total", "units")
    await landing.page(
        LinePage(columns, [(1, "A", "order", NOON, "EUR", Decimal("12.345"), Decimal(2))], complete=True)
    )
    assert await landing.rows("SELECT customer_id, amount, units, line_count FROM orders WHERE $t") == [
        (None, 1234, 2, 0)
    ]
    assert await landing.rows("SELECT summary FROM interactions WHERE $t") == [("Order A, 12.34 EUR",)]


async def test_a_line_that_no_table_holds_is_left_out_and_said_why(landing: Landing) -> None:
    landed = await landing.page(
        page(
            line(1, "A", quantity=Decimal("1e15")),
            line(2, "A", currency="XQX"),
            line(3, "A", unit_price=None),
            line(4, "A", description="Tab\tand\nbreak\\ and \0"),
            line(6, "A", occurred_at=datetime.min.replace(tzinfo=UTC)),
            rejects=[Reject(5, "occurred_at", "=1+1", "is no date")],
        )
    )
    assert landed.counts == Counts(read=6, created=1, rejected=5)
    assert await landing.rows("SELECT line, field, value FROM dead_letters WHERE $t ORDER BY line") == [
        (1, "quantity", "1E+15"),
        (2, "currency", "XQX"),
        (3, "unit_price", None),
        (5, "occurred_at", "=1+1"),
        (6, "occurred_at", "0001-01-01 00:00:00+00:00"),
    ]
    assert await landing.rows("SELECT description FROM order_lines WHERE $t") == [("Tab\tand\nbreak\\ and ",)]


@pytest.mark.parametrize("field", ["document", "number", "order", "customer", "customer_name", "sku"])
async def test_what_no_index_holds_is_left_out(landing: Landing, field: str) -> None:
    named = {"number": "7", "order": "o", "customer": "c", "customer_name": "Ada", "sku": "s"}
    given = {"line": 1, "document": "A", "type": "refund", "occurred_at": NOON, "currency": "EUR", "total": Decimal(1)}
    given |= named | {field: "x" * 1_000_000}
    columns = tuple(name for name in LINE_COLUMNS if name in given)
    landed = await landing.page(LinePage(columns, [tuple(given[name] for name in columns)], complete=True))
    assert landed.counts == Counts(read=1, rejected=1)
    assert await landing.rows("SELECT field, value, reason FROM dead_letters WHERE $t") == [
        (field, "x" * 1_000, "is longer than 512 characters")
    ]


async def test_the_days_of_an_order_are_those_of_the_tenant(landing: Landing) -> None:
    await landing.rows("SELECT 1")
    async with landing.database.unit_of_work(landing.tenant) as work:
        from sqlalchemy import text

        await work.execute(
            text("UPDATE tenants SET time_zone = 'Asia/Tehran' WHERE tenant_id = :id"), {"id": landing.tenant}
        )
    await landing.page(page(line(1, "A", occurred_at=datetime(2011, 3, 1, 22, tzinfo=UTC))))
    assert await landing.rows("SELECT CAST(local_day AS text) FROM orders WHERE $t") == [("2011-03-02",)]


async def test_a_page_tells_of_itself_once_and_moves_the_cursor(landing: Landing) -> None:
    await landing.page(page(line(1, "A", customer="c1"), cursor={"at": 1}))
    await landing.page(page(line(1, "A", customer="c1"), cursor={"at": 2}))
    customers = await landing.rows("SELECT replace(CAST(id AS text), '-', '') FROM customers WHERE $t")
    assert await landing.rows(
        "SELECT body ->> 'stream', body -> 'counts' ->> 'created', body -> 'customers' ->> 0 FROM outbox_events "
        "WHERE $t AND name = 'integrations.PageLanded'"
    ) == [("everything", "2", *customers[0])]
    assert await landing.rows("SELECT cursor -> 'cursor' FROM stream_states WHERE $t") == [({"at": 2},)]
    assert await landing.rows("SELECT counters -> 'read', counters -> 'unchanged' FROM sync_runs WHERE $t") == [(2, 2)]
