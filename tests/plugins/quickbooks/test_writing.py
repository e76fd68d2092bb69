"""What is written at QuickBooks: once, only what differs, and in its own words when it refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from plugins.quickbooks.connector import SendInvoice, SentInvoice
from tenure_sdk import (
    Address,
    AnyRecord,
    Change,
    Conflict,
    Customer,
    Invoice,
    NotFound,
    OrderLine,
    RecordRejected,
    Ref,
)
from tests.plugins.quickbooks.sandbox.payloads import line, sale

if TYPE_CHECKING:
    from tests.plugins.quickbooks.conftest import Desk

BAKERY = Customer(
    id="ours", kind="ORGANISATION", name="Amy's Bakery", emails=("amy@bakery.example",), phones=("+1 650 555 0100",),
    addresses=(Address(street="12 Main Street\nBack door", city="Bayshore", region="CA", country="US"),),
)  # fmt: skip


def change(record: AnyRecord, *fields: str, key: str = "key-1", **more: Any) -> Change:
    return Change(
        op="update" if "remote_id" in more else "create", record=record, fields=frozenset(fields), key=key, **more
    )


NEW = change(BAKERY, "name", "kind", "emails", "phones", "addresses")


async def test_a_customer_is_made_once_however_often_it_is_asked_for(desk: Desk) -> None:
    first, second = [await desk.host.push_once(NEW) for _ in range(2)]
    assert first == second
    (row,) = desk.company.records("Customer")
    assert (first.id, first.version) == (row["Id"], "0")
    assert {name: row[name] for name in ("DisplayName", "CompanyName", "PrimaryEmailAddr", "PrimaryPhone")} == {
        "DisplayName": "Amy's Bakery", "CompanyName": "Amy's Bakery",
        "PrimaryEmailAddr": {"Address": "amy@bakery.example"}, "PrimaryPhone": {"FreeFormNumber": "+1 650 555 0100"},
    }  # fmt: skip
    assert first.record is not None
    assert isinstance(first.record, Customer)
    read = first.record
    assert (read.kind, read.name, read.emails, read.phones, read.addresses) == (
        BAKERY.kind, BAKERY.name, BAKERY.emails, BAKERY.phones, BAKERY.addresses
    )  # fmt: skip


async def test_a_lost_answer_makes_nobody_twice(desk: Desk) -> None:
    answers = iter([True])
    desk.sandbox.faults.drop = lambda call: call.method == "POST" and next(answers, False)
    pushed = await desk.host.push_once(NEW)
    assert [row["Id"] for row in desk.company.records("Customer")] == [pushed.id]


async def test_an_update_changes_what_differs_and_keeps_what_quickbooks_has_besides(desk: Desk) -> None:
    name = desk.customer(
        Notes="Prefers to be called", PrimaryEmailAddr={"Address": "amy@bakery.example, office@bakery.example"},
        Mobile={"FreeFormNumber": "555-0199"},
    )  # fmt: skip
    before = desk.company.read("Customer", name)
    record = Customer(id="ours", name="Amy", emails=("new@bakery.example",), phones=("555-0100",))
    pushed = await desk.host.push_once(change(record, "emails", "phones", remote_id=name, remote_version="0"))
    after = desk.company.read("Customer", name)
    differs = {key: after[key] for key in after if after[key] != before.get(key)}
    assert differs == {
        "SyncToken": "1", "PrimaryPhone": {"FreeFormNumber": "555-0100"},
        "PrimaryEmailAddr": {"Address": "new@bakery.example, office@bakery.example"},
    }  # fmt: skip
    assert (pushed.id, pushed.version) == (name, "1")


async def test_what_is_empty_here_is_emptied_there(desk: Desk) -> None:
    name = (await desk.host.push_once(NEW)).id
    bare = Customer(id="ours", kind="PERSON", name="Amy")
    fields = ("kind", "name", "emails", "phones", "addresses")
    pushed = await desk.host.push_once(change(bare, *fields, key="key-2", remote_id=name, remote_version="0"))
    found = pushed.record
    assert isinstance(found, Customer)
    assert (found.kind, found.name, found.emails, found.phones) == ("PERSON", "Amy", (), ())
    assert found.addresses in {(), (Address(),)}


async def test_a_stale_version_is_a_conflict_and_writes_nothing(desk: Desk) -> None:
    name = desk.customer()
    desk.company.edit("Customer", name, Notes="Prefers to be called")
    before = desk.company.read("Customer", name)
    for version, why in (("0", "Stale Object Error"), (None, "has to be read first")):
        with pytest.raises(Conflict, match=why):
            await desk.host.push_once(change(BAKERY, "name", remote_id=name, remote_version=version))
    assert desk.company.read("Customer", name) == before
    with pytest.raises(NotFound):
        await desk.host.push_once(change(BAKERY, "name", remote_id="999", remote_version="0"))


async def test_a_name_that_is_taken_is_refused_with_a_remedy(desk: Desk) -> None:
    desk.customer("Amy's Bakery")
    with pytest.raises(RecordRejected, match="rename one of them, or link this customer to it") as refused:
        await desk.host.push_once(NEW)
    assert (refused.value.field, "code 6240" in str(refused.value)) == ("name", True)
    assert len(list(desk.company.records("Customer"))) == 1


async def test_a_name_with_a_colon_is_refused_before_it_is_sent(desk: Desk) -> None:
    before = len(desk.host.wire.calls)
    with pytest.raises(RecordRejected, match="name must not have :"):
        await desk.host.push_once(change(Customer(id="ours", name="Amy: Bakery"), "name"))
    assert len(desk.host.wire.calls) == before


def bill(*lines: OrderLine, **more: Any) -> Invoice:
    return Invoice(
        id="our-bill", occurred_at=datetime(2026, 3, 1, 18, tzinfo=UTC), customer=Ref("customer", "c"),
        currency="USD", lines=lines, **more,
    )  # fmt: skip


async def test_an_invoice_is_made_and_its_due_date_changed(desk: Desk) -> None:
    refs = {"c": desk.customer(), "p": desk.item()}
    tea = OrderLine(product=Ref("product", "p"), description="Tea", quantity=Decimal("2.5"), unit_price=Decimal("4.10"))
    cut = OrderLine(product=Ref("product", "p"), quantity=Decimal(1), unit_price=Decimal(10), discount=Decimal(2))
    less = OrderLine(description="Discount", quantity=Decimal(0), unit_price=Decimal(0), discount=Decimal(1))
    made = bill(tea, cut, less, number="T-1", due_on=date(2026, 4, 1))
    fields = ("customer", "lines", "number", "occurred_at", "due_on", "currency")
    pushed = await desk.host.push_once(change(made, *fields, refs=refs))
    row = desk.company.read("Invoice", pushed.id)
    assert {name: row[name] for name in ("DocNumber", "TxnDate", "DueDate", "TotalAmt", "Balance")} == {
        "DocNumber": "T-1", "TxnDate": "2026-03-01", "DueDate": "2026-04-01", "TotalAmt": Decimal("17.25"),
        "Balance": Decimal("17.25"),
    }  # fmt: skip
    assert row["CustomerRef"]["value"] == refs["c"]
    assert [(each["DetailType"], each["Amount"]) for each in row["Line"]] == [
        ("SalesItemLineDetail", Decimal("10.25")), ("SalesItemLineDetail", Decimal("10.00")),
        ("DiscountLineDetail", Decimal(3)), ("SubTotalLineDetail", Decimal("20.25")),
    ]  # fmt: skip
    later = bill(due_on=date(2026, 5, 1))
    pushed = await desk.host.push_once(
        change(later, "due_on", key="key-2", remote_id=pushed.id, remote_version=pushed.version)
    )
    after = desk.company.read("Invoice", pushed.id)
    assert {name for name in after if after[name] != row.get(name)} == {"DueDate", "SyncToken"}
    with pytest.raises(RecordRejected, match="give it another one"):
        await desk.host.push_once(change(made, *fields, key="key-3", refs=refs))


async def test_lines_go_back_as_they_came(desk: Desk) -> None:
    item = desk.item()
    shipping = line("15.00", item="SHIPPING_ITEM_ID")
    discount = {"Amount": Decimal(3), "DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": False}}
    lines = shipping, line("4.10", 3, item=item), {**shipping, "Description": "By courier"}, discount
    name = desk.company.create("Invoice", **sale(desk.customer(), *lines))["Id"]
    before = desk.company.read("Invoice", name)
    (found,) = (await desk.records("invoices")).values()
    assert isinstance(found, Invoice)
    asked = change(found, "lines", refs={item: item}, remote_id=name, remote_version="0")
    await desk.host.push_once(asked)
    assert desk.company.read("Invoice", name)["Line"] == before["Line"]
    assert [each["Amount"] for each in before["Line"]] == [
        Decimal(each) for each in ("15.00", "12.30", "15.00", "3", "42.30")
    ]


async def test_an_invoice_is_sent_once_for_one_key(desk: Desk) -> None:
    invoice = desk.remote.seed("invoices", 1)[0]
    given = SendInvoice(invoice=invoice, to="amy@bakery.example")
    for _ in range(2):
        sent = await desk.connector.send_invoice(desk.host.context(), given, "send-1")
        assert sent == SentInvoice(invoice=invoice, version="1", sent_at=desk.remote.clock.now())
    nowhere = SendInvoice(invoice=desk.remote.seed("invoices", 1)[0])
    with pytest.raises(RecordRejected, match="BillEmail"):
        await desk.connector.send_invoice(desk.host.context(), nowhere, "send-2")
