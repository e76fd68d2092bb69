from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pytest

from domain import purchases
from domain.customers.privacy import export_customer
from domain.purchases.actions import OrderIsBilled
from sync.runs import Counts
from tenure_sdk import Allocation, CreditNote, Customer, ExchangeRate, Invoice, OrderLine, Page, Payment, Ref

if TYPE_CHECKING:
    from tests.sync.landing.conftest import Landing

ISSUED = datetime(2024, 5, 1, 12, tzinfo=UTC)
PAID = datetime(2024, 5, 20, 9, tzinfo=UTC)
LATER = datetime(2024, 6, 1, 9, tzinfo=UTC)
LINES = (
    OrderLine(quantity=Decimal(2), unit_price=Decimal("9.99"), description="Mugs"),
    OrderLine(quantity=Decimal(1), unit_price=Decimal("0.02")),
)
INVOICE = Invoice(
    id="i1", number="1001", occurred_at=ISSUED, customer=Ref("customer", "1"), currency="EUR", lines=LINES,
    native_status="Sent", due_on=date(2024, 5, 31), balance=Decimal(20), sent_at=ISSUED, updated_at=ISSUED,
)  # fmt: skip
PAYMENT = Payment(
    id="p1", number="77", occurred_at=PAID, customer=Ref("customer", "1"), currency="EUR", amount=Decimal(25),
    allocations=(Allocation(invoice=Ref("invoice", "i1"), amount=Decimal(20)),), method="card",
)  # fmt: skip
NOTE = CreditNote(
    id="c1", number="C-1", occurred_at=LATER, customer=Ref("customer", "1"), currency="EUR",
    lines=(OrderLine(quantity=Decimal(1), unit_price=Decimal(5)),), balance=Decimal(2),
    allocations=(Allocation(invoice=Ref("invoice", "i1"), amount=Decimal(3)),),
)  # fmt: skip
SETTLED = msgspec.structs.replace(INVOICE, balance=Decimal(0), native_status="Paid")

TIMELINE = "SELECT kind, occurred_at, summary FROM interactions WHERE $t AND superseded_at IS NULL ORDER BY 2, 1"


async def test_an_invoice_is_an_order_of_its_lines_and_stands_on_the_timeline_once(landing: Landing) -> None:
    landed = await landing.records(INVOICE)
    assert landed.counts == Counts(read=1, created=1)
    assert await landing.rows(
        "SELECT number, status, native_status, due_on, amount, base_amount, balance, sent_at, units, line_count, "
        "version FROM invoices WHERE $t"
    ) == [("1001", "OPEN", "Sent", date(2024, 5, 31), 2000, 2000, 2000, ISSUED, Decimal(3), 2, 1)]
    assert await landing.rows(
        "SELECT number, kind, status, amount, o.id = (SELECT id FROM invoices i WHERE i.$t AND "
        "order_version = o.version) FROM orders o WHERE $t"
    ) == [("1001", "SALE", "COMPLETED", 2000, True)]
    assert await landing.rows("SELECT description, amount FROM order_lines WHERE $t ORDER BY position") == [
        ("Mugs", 1998),
        (None, 2),
    ]
    assert await landing.rows(TIMELINE) == [
        ("INVOICE_ISSUED", ISSUED, "Invoice 1001, 2 lines, 20.00 EUR"),
        ("INVOICE_SENT", ISSUED, "Invoice 1001 sent"),
    ]
    assert await landing.rows("SELECT occasions, orders FROM customer_totals WHERE $t") == [(1, 1)]
    assert (await landing.records(INVOICE)).counts == Counts(read=1, unchanged=1)
    assert await landing.rows("SELECT count(*) FROM invoices WHERE $t") == [(1,)]


async def test_what_is_owed_makes_a_version_of_the_invoice_and_none_of_the_order(landing: Landing) -> None:
    await landing.records(INVOICE)
    assert (await landing.records(SETTLED)).counts == Counts(read=1, updated=1)
    assert await landing.rows(
        "SELECT version, order_version, status, balance, base_amount, superseded_at IS NULL FROM invoices WHERE $t "
        "ORDER BY version"
    ) == [(1, 1, "OPEN", 2000, 2000, False), (2, 1, "PAID", 0, 2000, True)]
    assert await landing.rows("SELECT version FROM orders WHERE $t") == [(1,)]
    assert await landing.rows("SELECT kind, revision FROM interactions WHERE $t ORDER BY kind") == [
        ("INVOICE_ISSUED", 1),
        ("INVOICE_PAID", 1),
        ("INVOICE_SENT", 1),
    ]


async def test_a_cost_of_goods_that_becomes_known_makes_a_version_and_the_day_knows_it(landing: Landing) -> None:
    days = "SELECT cost_of_goods, uncosted FROM purchase_days WHERE $t"
    await landing.records(INVOICE)
    assert await landing.rows(days) == [(0, 1)]
    known = tuple(msgspec.structs.replace(line, cost=Decimal("4.20")) for line in LINES)
    landed = await landing.records(msgspec.structs.replace(INVOICE, lines=known))
    assert landed.counts == Counts(read=1, updated=1)
    assert await landing.rows(
        "SELECT order_version, position, cost_amount FROM order_lines WHERE $t ORDER BY order_version, position"
    ) == [(1, 1, None), (1, 2, None), (2, 1, 420), (2, 2, 420)]
    assert await landing.rows(days) == [(840, 0)]


@pytest.mark.parametrize(
    ("said", "order", "kinds", "purchases"),
    [
        ("DRAFT", "OPEN", [], []),
        ("OPEN", "COMPLETED", ["INVOICE_ISSUED"], [(1,)]),
        ("PAID", "COMPLETED", ["INVOICE_ISSUED", "INVOICE_PAID"], [(1,)]),
        ("VOIDED", "CANCELLED", ["INVOICE_ISSUED", "INVOICE_VOIDED"], []),
    ],
)
async def test_only_what_is_issued_and_not_voided_is_a_purchase(
    landing: Landing, said: str, order: str, kinds: list[str], purchases: list[tuple[int]]
) -> None:
    await landing.records(msgspec.structs.replace(INVOICE, status=said, sent_at=None))
    assert await landing.rows("SELECT status FROM orders WHERE $t") == [(order,)]
    assert await landing.rows("SELECT kind FROM interactions WHERE $t ORDER BY kind") == [(kind,) for kind in kinds]
    assert await landing.rows("SELECT orders FROM customer_totals WHERE $t") == purchases


async def test_a_voided_invoice_is_voided_when_the_other_side_says_and_a_revived_one_is_not(landing: Landing) -> None:
    await landing.records(INVOICE)
    voided = msgspec.structs.replace(INVOICE, status="VOIDED", balance=Decimal(0), updated_at=LATER)
    await landing.records(voided)
    await landing.records(msgspec.structs.replace(voided, native_status="Void", updated_at=datetime.now(UTC)))
    assert await landing.rows(TIMELINE) == [
        ("INVOICE_ISSUED", ISSUED, "Invoice 1001, 2 lines, 20.00 EUR"),
        ("INVOICE_SENT", ISSUED, "Invoice 1001 sent"),
        ("INVOICE_VOIDED", LATER, "Invoice 1001 voided"),
    ]
    await landing.records(INVOICE)
    assert [row[0] for row in await landing.rows(TIMELINE)] == ["INVOICE_ISSUED", "INVOICE_SENT"]
    assert await landing.rows("SELECT status, version FROM orders WHERE $t AND superseded_at IS NULL") == [
        ("COMPLETED", 3)
    ]


async def test_an_invoice_is_paid_when_its_last_payment_says(landing: Landing) -> None:
    await landing.records(SETTLED)
    assert ("INVOICE_PAID", ISSUED, "Invoice 1001 paid") in await landing.rows(TIMELINE)
    await landing.records(PAYMENT)
    assert ("INVOICE_PAID", PAID, "Invoice 1001 paid") in await landing.rows(TIMELINE)
    await landing.records(NOTE)
    assert ("INVOICE_PAID", LATER, "Invoice 1001 paid") in await landing.rows(TIMELINE)
    await landing.page(Page(records=(), deletes=("c1", "p1")))
    assert ("INVOICE_PAID", ISSUED, "Invoice 1001 paid") in await landing.rows(TIMELINE)


async def test_a_payment_settles_invoices_that_come_later(landing: Landing) -> None:
    assert (await landing.records(PAYMENT)).counts == Counts(read=1, created=1)
    assert await landing.rows(
        "SELECT number, amount, base_amount, unapplied, method, status, local_day FROM payments WHERE $t"
    ) == [("77", 2500, 2500, 500, "card", "RECEIVED", date(2024, 5, 20))]
    assert await landing.rows(TIMELINE) == [("PAYMENT_RECEIVED", PAID, "Payment 77 of 25.00 EUR")]
    await landing.records(SETTLED)
    assert await landing.rows(
        "SELECT a.amount, i.number FROM payment_allocations a JOIN invoices i ON i.tenant_id = a.tenant_id AND "
        "i.id = a.invoice_id WHERE a.$t"
    ) == [(2000, "1001")]
    assert await landing.rows("SELECT count(*) FROM customers WHERE $t") == [(1,)]
    assert (await landing.records(PAYMENT, SETTLED)).counts == Counts(read=2, unchanged=2)


async def test_a_changed_allocation_is_a_new_version_and_a_failed_payment_settles_nothing(landing: Landing) -> None:
    await landing.records(SETTLED, PAYMENT)
    again = msgspec.structs.replace(PAYMENT, status="FAILED", allocations=(*PAYMENT.allocations, *PAYMENT.allocations))
    assert (await landing.records(again)).counts == Counts(read=1, updated=1)
    assert await landing.rows(
        "SELECT payment_version, amount FROM payment_allocations WHERE $t ORDER BY payment_version"
    ) == [(1, 2000), (2, 4000)]
    assert await landing.rows("SELECT version, unapplied, status FROM payments WHERE $t AND superseded_at IS NULL") == [
        (2, -1500, "FAILED")
    ]
    assert await landing.rows(TIMELINE) == [
        ("INVOICE_ISSUED", ISSUED, "Invoice 1001, 2 lines, 20.00 EUR"),
        ("INVOICE_PAID", ISSUED, "Invoice 1001 paid"),
        ("INVOICE_SENT", ISSUED, "Invoice 1001 sent"),
        ("PAYMENT_FAILED", PAID, "Failed payment 77 of 25.00 EUR"),
    ]
    await landing.records(msgspec.structs.replace(PAYMENT, status="VOIDED", allocations=()))
    assert [row[0] for row in await landing.rows(TIMELINE)] == ["INVOICE_ISSUED", "INVOICE_PAID", "INVOICE_SENT"]


async def test_a_credit_note_is_a_refund_and_its_invoice_stays_a_purchase(landing: Landing) -> None:
    assert (await landing.records(NOTE, INVOICE)).counts == Counts(read=2, created=2)
    assert await landing.rows("SELECT number, amount, balance FROM credit_notes WHERE $t") == [("C-1", 500, 200)]
    assert await landing.rows("SELECT number, amount, order_id FROM refunds WHERE $t") == [("C-1", 500, None)]
    assert await landing.rows("SELECT amount FROM refund_lines WHERE $t") == [(500,)]
    assert await landing.rows(TIMELINE) == [
        ("INVOICE_ISSUED", ISSUED, "Invoice 1001, 2 lines, 20.00 EUR"),
        ("INVOICE_SENT", ISSUED, "Invoice 1001 sent"),
        ("CREDIT_NOTE_ISSUED", LATER, "Credit note C-1, 5.00 EUR"),
    ]
    assert await landing.rows("SELECT orders FROM customer_totals WHERE $t") == [(1,)]
    used = msgspec.structs.replace(NOTE, balance=Decimal(0))
    assert (await landing.records(used)).counts == Counts(read=1, updated=1)
    assert await landing.rows("SELECT version FROM refunds WHERE $t") == [(1,)]
    assert await landing.rows(
        "SELECT credit_note_version, amount FROM credit_note_allocations WHERE $t ORDER BY 1"
    ) == [
        (1, 300),
        (2, 300),
    ]


async def test_bills_that_are_gone_take_their_documents_along_and_can_come_back(landing: Landing) -> None:
    await landing.records(SETTLED, PAYMENT, NOTE)
    assert (await landing.page(Page(records=(), deletes=("i1", "p1", "c1")))).counts == Counts(deleted=3)
    for table in ("invoices", "orders", "payments", "credit_notes", "refunds", "interactions"):
        assert await landing.rows(f"SELECT count(*) FROM {table} WHERE $t AND superseded_at IS NULL") == [(0,)]
    gone = msgspec.structs.replace(SETTLED, deleted=True)
    assert (await landing.records(gone)).counts == Counts(read=1)
    assert (await landing.records(SETTLED, PAYMENT, NOTE)).counts == Counts(read=3, updated=3)
    for table in ("invoices", "orders", "payments", "credit_notes", "refunds"):
        assert await landing.rows(f"SELECT version FROM {table} WHERE $t AND superseded_at IS NULL") == [(2,)]
    assert [row[0] for row in await landing.rows(TIMELINE)] == [
        "INVOICE_ISSUED", "INVOICE_SENT", "PAYMENT_RECEIVED", "CREDIT_NOTE_ISSUED", "INVOICE_PAID",
    ]  # fmt: skip


async def test_one_that_cannot_be_kept_stays_out_whole(landing: Landing) -> None:
    vast = OrderLine(quantity=Decimal(1), unit_price=Decimal(10) ** 13, discount=Decimal("1E+30"))
    landed = await landing.records(
        msgspec.structs.replace(INVOICE, id="i2", lines=(*LINES, vast)),
        msgspec.structs.replace(INVOICE, id="i3", balance=Decimal("1E+30")),
        msgspec.structs.replace(INVOICE, id="i4", currency="XQQ"),
        msgspec.structs.replace(
            INVOICE, id="i5", lines=(msgspec.structs.replace(LINES[0], cost=Decimal("-Infinity")),)
        ),
        msgspec.structs.replace(PAYMENT, id="p2", amount=Decimal("NaN")),
        INVOICE,
    )
    assert landed.counts == Counts(read=6, created=1, rejected=5)
    assert await landing.rows("SELECT field, value FROM dead_letters WHERE $t ORDER BY field, value") == [
        ("amount", "NaN"),
        ("balance", "1E+30"),
        ("cost", "-Infinity"),
        ("currency", "XQQ"),
        ("discount", "1E+30"),
    ]
    assert await landing.rows("SELECT remote_id, line_count FROM orders WHERE $t") == [("i1", 2)]


async def test_what_waits_for_a_rate_gets_the_same_amount_on_both_sides(landing: Landing) -> None:
    dollars = msgspec.structs.replace(INVOICE, currency="USD")
    await landing.records(dollars, msgspec.structs.replace(PAYMENT, currency="USD"))
    bases = "SELECT base_amount FROM {} WHERE $t AND superseded_at IS NULL"
    for table in ("orders", "invoices", "payments"):
        assert await landing.rows(bases.format(table)) == [(None,)]
    await landing.records(ExchangeRate(id="1", date=date(2024, 4, 1), base="USD", quote="EUR", rate=Decimal("0.5")))
    await landing.records(msgspec.structs.replace(dollars, balance=Decimal(1)))
    for table, base in (("orders", 1000), ("invoices", 1000), ("payments", 1250)):
        assert await landing.rows(bases.format(table)) == [(base,)]


async def test_who_is_named_first_is_the_one_that_is_described_later(landing: Landing) -> None:
    await landing.records(PAYMENT)
    await landing.records(Customer(id="1", name="Ada"), INVOICE)
    assert await landing.rows(
        "SELECT c.display_name, p.amount FROM payments p JOIN customers c USING (tenant_id) WHERE c.id = p.customer_id "
        "AND p.$t"
    ) == [("Ada", 2500)]


async def test_an_order_that_is_billed_is_not_changed_by_hand(landing: Landing) -> None:
    await landing.records(INVOICE)
    ((order_id,),) = await landing.rows("SELECT id FROM orders WHERE $t")
    with pytest.raises(OrderIsBilled):
        async with landing.database.unit_of_work(landing.tenant) as work:
            await purchases.cancel_order(work, order_id, 1)
    assert await landing.rows("SELECT status, version FROM orders WHERE $t") == [("COMPLETED", 1)]


async def test_an_export_of_a_customer_has_its_bills(landing: Landing) -> None:
    await landing.records(Customer(id="1", name="Ada"), SETTLED, PAYMENT, NOTE)
    ((customer_id,),) = await landing.rows("SELECT id FROM customers WHERE $t")
    async with landing.database.unit_of_work(landing.tenant) as work:
        tables = (await export_customer(work, customer_id))["tables"]
    assert {"invoices", "payments", "payment_allocations", "credit_notes", "orders"} <= tables.keys()
