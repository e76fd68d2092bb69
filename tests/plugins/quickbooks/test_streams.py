"""What each stream brings, value by value, and that nothing is lost while rows move."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from plugins.quickbooks import company as reading
from plugins.quickbooks.connector import QuickBooks, QuickBooksConfig
from tenure_sdk import (
    Account,
    Address,
    Allocation,
    ConfigInvalid,
    CreditNote,
    CursorExpired,
    Customer,
    Identity,
    Invoice,
    Order,
    OrderLine,
    Page,
    Payment,
    Product,
    Ref,
    Refund,
)
from tests.plugins.quickbooks.sandbox.payloads import CUSTOMER, invoice, line, payment, sale

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.plugins.quickbooks.conftest import Desk

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
HEAD: dict[str, Any] = {"version": "0", "updated_at": AT, "created_at": AT}


async def test_the_account_is_the_company(desk: Desk) -> None:
    assert await desk.host.check() == Account("9130", "Sandbox Company 9130")


async def test_a_customer_has_all_its_addresses_and_numbers(desk: Desk) -> None:
    parent = desk.customer("Gardens Group")
    mails = {"PrimaryEmailAddr": {"Address": "negar@gardens.example, office@gardens.example"}}
    given = {**CUSTOMER, **mails, "PrimaryTaxIdentifier": "12-3456789", "ParentRef": {"value": parent}}
    name = str(desk.company.create("Customer", **given)["Id"])
    found = await desk.records("customers")
    assert found[name] == Customer(
        id=name, **HEAD, extra={"Active": True}, kind="ORGANISATION", name="Negar's Gardens",
        emails=("negar@gardens.example", "office@gardens.example"), phones=("+98 912 000 0001", "(650) 555-0001"),
        addresses=(
            Address(street="12 Valley Road", city="Bayshore", region="CA", postal_code="94326"),
            Address(street="خیابان ولیعصر ۱۲", city="تهران", country_name="Iran"),
        ),
        identities=(Identity("tax_id", "12-3456789"),), organisation=Ref("customer", parent),
    )  # fmt: skip
    assert found[parent] == Customer(id=parent, **HEAD, extra={"Active": True}, kind="PERSON", name="Gardens Group")


async def test_an_address_that_names_no_country_is_in_the_home_country(desk: Desk) -> None:
    desk.remote.config = QuickBooksConfig(home_country="US")
    desk.customer(BillAddr={"City": "Bayshore"}, ShipAddr={"City": "Toronto", "Country": "CAN"})
    (found,) = (await desk.records("customers")).values()
    assert found.addresses == (Address(city="Bayshore", country="US"), Address(city="Toronto", country="CA"))


async def test_who_is_inactive_is_read_all_the_same_and_a_masked_tax_id_identifies_nobody(desk: Desk) -> None:
    name = desk.customer(PrimaryTaxIdentifier="XXXXX6789")
    desk.company.inactivate("Customer", name)
    (found,) = (await desk.records("customers")).values()
    assert (found.extra, found.identities, found.version) == ({"Active": False}, (), "1")


async def test_an_item_is_known_by_its_stock_code_or_its_name(desk: Desk) -> None:
    one, other = desk.item("Design", Sku="D-1"), desk.item("Pruning")
    assert await desk.records("items") == {
        one: Product(id=one, **HEAD, extra={"Active": True}, sku="D-1", name="Design"),
        other: Product(id=other, **HEAD, extra={"Active": True}, sku="Pruning", name="Pruning"),
    }


async def test_an_invoice_comes_to_its_amount_less_discount_with_its_tax_beside(desk: Desk) -> None:
    desk.item()
    made = desk.company.create("Invoice", **invoice(desk.customer()))
    (found,) = (await desk.records("invoices")).values()
    product = Ref("product", "1")
    assert found == Invoice(
        id=made["Id"], **HEAD, number="A-7", occurred_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        customer=Ref("customer", "1"), currency="USD", status="OPEN", due_on=date(2026, 3, 31),
        balance=Decimal("128.49"), total=Decimal("123.34"),
        lines=(
            OrderLine(product=product, quantity=Decimal(3), unit_price=Decimal("42.35"), tax=Decimal("5.30")),
            OrderLine(product=product, quantity=Decimal(1), unit_price=Decimal("10.00"), tax=Decimal("0.42")),
            OrderLine(
                description="Discount", quantity=Decimal(0), unit_price=Decimal(0), discount=Decimal("13.71"),
                tax=Decimal("-0.57"),
            ),
        ),
    )  # fmt: skip
    assert sum(each.tax for each in found.lines) == Decimal("5.15")
    amounts = (each.quantity * each.unit_price - each.discount for each in found.lines)
    assert sum(amounts) + Decimal("5.15") == found.balance


async def test_shipping_is_a_line_of_no_units(desk: Desk) -> None:
    lines = line("10.00", item=desk.item()), line("15.00", item="SHIPPING_ITEM_ID")
    desk.company.create("Invoice", **sale(desk.customer(), *lines))
    (found,) = (await desk.records("invoices")).values()
    assert found.lines[1] == OrderLine(
        description="Shipping", quantity=Decimal(0), unit_price=Decimal(0), discount=Decimal("-15.00")
    )
    assert sum(each.quantity * each.unit_price - each.discount for each in found.lines) == found.total == Decimal(25)


async def test_a_line_whose_price_was_rounded_still_comes_to_its_amount(desk: Desk) -> None:
    row = sale(desk.customer(), line("0.333", 3, item=desk.item()))
    row["Line"][0]["Amount"] = Decimal("1.00")
    desk.company.create("Invoice", **row)
    (found,) = (await desk.records("invoices")).values()
    assert found.lines[0].discount == Decimal("-0.001")


async def test_paid_sent_and_voided_invoices_say_so(desk: Desk) -> None:
    customer, item = desk.customer(), desk.item()
    paid, sent, void = (
        desk.company.create("Invoice", **sale(customer, line("10.00", item=item)))["Id"] for _ in range(3)
    )
    desk.company.create("Payment", **payment(customer, "10.00", Invoice=(paid, "10.00")))
    desk.company.send("Invoice", sent, "amy@bakery.example")
    desk.company.void("Invoice", void)
    found = await desk.records("invoices")
    assert [(each.status, each.balance, each.sent_at) for each in found.values()] == [
        ("PAID", Decimal(0), None), ("OPEN", Decimal(10), AT), ("VOIDED", Decimal(0), None),
    ]  # fmt: skip
    assert list(found) == [paid, sent, void]


async def test_credit_memos_settle_what_payments_apply_them_to_and_money_the_rest(desk: Desk) -> None:
    customer, item = desk.customer(), desk.item()
    bill = desk.company.create("Invoice", **sale(customer, line("100.00", item=item)))["Id"]
    memo = desk.company.create("CreditMemo", **sale(customer, line("30.00", item=item)))["Id"]
    paid = desk.company.create(
        "Payment", **payment(customer, "60.00", Invoice=(bill, "80.00"), CreditMemo=(memo, "20.00")),
        PaymentRefNum="C-17",
    )["Id"]  # fmt: skip
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    who: dict[str, Any] = {"customer": Ref("customer", customer), "currency": "USD", "occurred_at": noon}
    (money,) = (await desk.records("payments")).values()
    assert money == Payment(
        id=paid, **HEAD, **who, number="C-17", amount=Decimal(60),
        allocations=(Allocation(invoice=Ref("invoice", bill), amount=Decimal(60)),),
    )  # fmt: skip
    (credit,) = (await desk.records("credit_memos")).values()
    assert credit == CreditNote(
        id=memo, **{**HEAD, "version": "1"}, **who, number="1002", total=Decimal(30), balance=Decimal(10),
        lines=(OrderLine(product=Ref("product", item), quantity=Decimal(1), unit_price=Decimal(30)),),
        allocations=(Allocation(invoice=Ref("invoice", bill), amount=Decimal(20)),),
    )  # fmt: skip
    assert await desk.host.fetch(CreditNote, [memo, "999"]) == [credit]
    (owed,) = (await desk.records("invoices")).values()
    assert owed.balance == Decimal(20)


async def test_receipts_are_sales_and_refunds(desk: Desk) -> None:
    customer, item = desk.customer(), desk.item()
    sold = desk.company.create("SalesReceipt", **sale(customer, line("10.00", 2, item=item)))["Id"]
    back = desk.company.create(
        "RefundReceipt", **sale(customer, line("10.00", item=item), DepositToAccountRef={"value": "35"})
    )["Id"]
    (order,) = (await desk.records("sales_receipts")).values()
    (refund,) = (await desk.records("refund_receipts")).values()
    assert (type(order), order.id, order.total, order.status) == (Order, sold, Decimal(20), "COMPLETED")
    assert (type(refund), refund.id, refund.total, refund.order) == (Refund, back, Decimal(10), None)
    desk.company.void("SalesReceipt", sold)
    (order,) = (await desk.records("sales_receipts")).values()
    assert (order.total, order.status) == (Decimal(0), "CANCELLED")


async def test_a_document_has_its_day_in_the_company_s_zone(desk: Desk) -> None:
    desk.remote.config = QuickBooksConfig(time_zone="Pacific/Auckland", home_currency="NZD")
    desk.remote.seed_bare("invoices")
    (found,) = (await desk.records("invoices")).values()
    assert (found.occurred_at, found.currency) == (datetime(2026, 3, 1, 23, tzinfo=UTC), "NZD")
    desk.remote.config = QuickBooksConfig(time_zone="Middle/Earth")
    with pytest.raises(ConfigInvalid, match="Middle/Earth is no time zone"):
        await desk.host.check()


async def test_rows_that_move_while_they_are_read_are_all_read(desk: Desk) -> None:
    desk.remote.page_size = 10
    ids: list[str] = []
    for _ in range(35):
        ids += desk.remote.seed("customers", 1)
        desk.remote.clock.forward(1)
    desk.sandbox.faults.moving_rows = 3
    desk.sandbox.faults.duplicate_rows = 1
    found = [record.id for page in await desk.pages("customers") for record in page.records]
    assert set(found) == set(ids)
    assert len(found) <= 35 + 3 * 8  # those that moved came again


async def test_rows_of_one_moment_that_move_between_two_pages_hide_no_other(desk: Desk) -> None:
    desk.remote.page_size = 100
    ids = set(desk.remote.seed("customers", 450))
    desk.remote.clock.forward(5)
    (declared,) = (each for each in QuickBooks.streams() if each.name == "customers")
    found: set[str] = set()
    moved = sorted(ids, key=int)[:70]
    async for page in declared.read(desk.connector, desk.host.context()):
        assert isinstance(page, Page)
        found |= {record.id for record in page.records}
        for each in moved:  # more than are read again at the seam
            desk.company.touch("Customer", each)
        moved = []
    assert found == ids


async def test_a_kill_after_any_page_loses_nothing(desk: Desk) -> None:
    desk.remote.page_size = 50
    ids = set(desk.remote.seed("invoices", 330))
    pages = await desk.pages("invoices")
    assert len(pages) > 6
    for kill in range(len(pages)):
        landed = {record.id for page in pages[: kill + 1] for record in page.records}
        more, _, _ = await desk.last("invoices", pages[kill].cursor)
        assert landed | more == ids
        if kill < len(pages) - 1:
            assert len(more) <= len(ids - landed), "what was read is not read again"


async def test_the_next_reading_begins_a_little_before_the_end_of_the_last(desk: Desk) -> None:
    early = desk.remote.seed("customers", 1)
    desk.remote.clock.forward(121)
    late = desk.remote.seed("customers", 1)
    _, _, cursor = await desk.last("customers")
    assert await desk.last("customers", cursor) == ({*late}, [], cursor)
    assert early


async def test_a_token_that_expires_midway_costs_one_renewal(desk: Desk) -> None:
    desk.remote.page_size = 10
    ids = desk.remote.seed("customers", 25)
    desk.sandbox.faults.expire_after = 2
    assert set(await desk.records("customers")) == set(ids)
    assert desk.host.refreshes >= 1


@pytest.mark.parametrize(
    "fault", [{"throttled": 2}, {"errors": 2}, {"truncated": 2}, {"html": 2}, {"html": 2, "html_status": 502}]
)
async def test_what_goes_wrong_for_a_moment_is_not_noticed(desk: Desk, fault: dict[str, Any]) -> None:
    ids = desk.remote.seed("customers", 3)
    for name, value in fault.items():
        setattr(desk.sandbox.faults, name, value)
    assert set(await desk.records("customers")) == set(ids)


async def test_connections_that_break_before_and_after_are_made_again(desk: Desk) -> None:
    desk.remote.page_size = 10
    ids = desk.remote.seed("invoices", 60)
    desk.sandbox.faults.lost = desk.sandbox.faults.dropped = 0.15
    assert set(await desk.records("invoices")) == set(ids)


async def test_a_spoilt_row_is_told_with_its_id_and_stops_no_other(desk: Desk) -> None:
    ids = list(desk.remote.seed("invoices", 3))
    desk.remote.spoil("invoices", ids[1])
    pages = await desk.pages("invoices")
    assert [record.id for page in pages for record in page.records] == [ids[0], ids[2]]
    listed = [each.id async for some in desk.connector.list_invoices(desk.host.context()) for each in some]
    assert listed == ids, "it is there all the same"
    (reject,) = (each for page in pages for each in page.rejects)
    assert (reject.record_id, "$.TxnDate" in reject.reason) == (ids[1], True)


async def test_what_was_deleted_is_told_and_a_merged_customer_is_gone(desk: Desk) -> None:
    one, two = desk.remote.seed("invoices", 2)
    keep, lose = desk.remote.seed("customers", 2)
    _, gone, bills = await desk.last("invoices")
    _, _, people = await desk.last("customers")
    assert gone == []
    desk.remote.clock.forward(600)
    desk.company.delete("Invoice", one)
    desk.company.merge(keep, lose)
    _, gone, later = await desk.last("invoices", bills)
    assert gone == [one]
    assert (await desk.last("customers", people))[1] == [lose]
    desk.remote.clock.forward(600)
    assert two
    _, again, settled = await desk.last("invoices", later)  # within the overlap it is told once more
    assert (again, (await desk.last("invoices", settled))[1]) == ([one], [])


async def test_deletions_behind_a_cut_answer_lead_to_a_new_reading(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.quickbooks.sandbox.company_api.MOST_CHANGED", 10)
    monkeypatch.setattr(reading, "MOST_CHANGES", 10)
    first = list(desk.remote.seed("invoices", 4))
    _, _, cursor = await desk.last("invoices")
    desk.remote.clock.forward(600)
    early = first[0]
    desk.company.delete("Invoice", early)
    desk.remote.clock.forward(600)
    desk.remote.seed("invoices", 12)
    desk.remote.clock.forward(600)
    desk.company.delete("Invoice", first[1])
    desk.remote.clock.forward(1)
    (declared,) = (each for each in QuickBooks.streams() if each.name == "invoices")
    gone: list[str] = []
    pages = declared.read(desk.connector, desk.host.context(), cursor)
    with pytest.raises(CursorExpired, match="which Invoices were deleted"):
        await _collect(pages, gone)
    assert gone == [first[1]], "what a smaller window tells is told all the same"
    ids, _, cursor = await desk.last("invoices")
    assert len(ids) == 14
    assert (await desk.last("invoices", cursor))[1] == [first[1]]  # it lies within the overlap


async def _collect(pages: AsyncIterator[Any], gone: list[str]) -> None:
    async for page in pages:
        gone += page.deletes


async def test_a_cursor_that_is_too_old_or_strange_is_read_from_the_start(desk: Desk) -> None:
    desk.remote.seed("invoices", 1)
    _, _, cursor = await desk.last("invoices")
    desk.remote.clock.forward(timedelta(days=29, hours=22).total_seconds())
    await desk.last("invoices", cursor)
    desk.remote.clock.forward(timedelta(hours=2).total_seconds())
    for broken in (cursor, {"since": 5}, "x"):
        with pytest.raises(CursorExpired):
            await desk.last("invoices", broken)
    items = desk.item()
    _, _, unlimited = await desk.last("items")
    desk.remote.clock.forward(timedelta(days=40).total_seconds())
    assert await desk.last("items", unlimited) == ({items}, [], unlimited)


async def test_totals_and_ids_are_those_of_the_stream(desk: Desk) -> None:
    ids = desk.remote.seed("customers", 5)
    desk.company.inactivate("Customer", ids[0])
    context = desk.host.context()
    assert (await desk.connector.count_customers(context)).count == 5
    listed = [each async for some in desk.connector.list_customers(context) for each in some]
    assert {each.id: each.version for each in listed} == dict.fromkeys(ids, "0") | {ids[0]: "1"}


def test_cursors_are_small() -> None:
    place = reading._Place(since=AT, gone_since=AT, read=10**6, last=["1" * 15] * reading.ROWS_AGAIN, running=True)
    assert len(msgspec.json.encode(place)) < 1200
