"""The arithmetic of invoices, payments, credit memos and receipts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from plugins.quickbooks.sandbox import Refused
from tests.plugins.quickbooks.sandbox.payloads import invoice, line, payment, sale

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Company
    from tests.plugins.quickbooks.sandbox.wire import Wire


def balances(company: Company, *documents: tuple[str, str]) -> list[Decimal]:
    return [company.read(entity, number)["Balance"] for entity, number in documents]


async def test_an_invoice_is_added_up(wire: Wire, company: Company) -> None:
    made = await wire.made("Invoice", invoice("1"))
    assert [(each["DetailType"], each.get("Id"), each.get("Amount")) for each in made["Line"]] == [
        ("SalesItemLineDetail", "1", Decimal("127.05")),
        ("SalesItemLineDetail", "2", Decimal("10.00")),
        ("DescriptionOnly", "3", None),
        ("DiscountLineDetail", "4", Decimal("13.71")),
        ("SubTotalLineDetail", None, Decimal("137.05")),
    ]
    assert (made["TotalAmt"], made["Balance"]) == (Decimal("128.49"), Decimal("128.49"))
    assert (made["TxnDate"], made["DueDate"], made["DocNumber"]) == ("2026-03-01", "2026-03-31", "A-7")
    assert made["CustomerRef"] == {"value": "1", "name": "Amy's Bakery"}
    assert made["Line"][0]["SalesItemLineDetail"]["ItemRef"] == {"value": "1", "name": "Design"}
    assert balances(company, ("Customer", "1")) == [Decimal("128.49")]


async def test_what_the_vendor_computes_is_not_taken_from_a_request(wire: Wire) -> None:
    made = await wire.made("Invoice", sale("1", line("10"), TotalAmt=99, Balance=0, LinkedTxn=[{"TxnId": "7"}]))
    assert (made["TotalAmt"], made["Balance"], made["LinkedTxn"]) == (10, 10, [])


async def test_changing_the_lines_changes_the_balance(wire: Wire, company: Company) -> None:
    made = await wire.made("Invoice", sale("1", line("10"), line("5")))
    company.create("Payment", **payment("1", "4", Invoice=(made["Id"], "4")))
    change = {"Id": made["Id"], "SyncToken": "1", "sparse": True, "Line": [line("20")]}
    saved = await wire.made("Invoice", change)
    assert (saved["TotalAmt"], saved["Balance"], saved["SyncToken"]) == (20, 16, "2")
    assert balances(company, ("Customer", "1")) == [16]
    assert (await wire.post("invoice", change | {"SyncToken": "2", "Line": [line("3")]})).error[1] == "6000"
    assert balances(company, ("Invoice", made["Id"]), ("Customer", "1")) == [16, 16]


def test_documents_are_saved_again_as_they_are(company: Company) -> None:
    bill = company.create("Invoice", **sale("1", line("5", 3)))
    paid = company.create("Payment", **payment("1", "4", Invoice=(bill["Id"], "4")))
    company.void("Payment", paid["Id"])
    for entity, number in (("Invoice", bill["Id"]), ("Payment", paid["Id"])):
        before = company.read(entity, number)
        after = company.edit(entity, number, PrivateNote="seen")
        expected = {"PrivateNote": "seen", "SyncToken": str(int(before["SyncToken"]) + 1)}
        assert after == {**before, **expected}
    assert balances(company, ("Customer", "1")) == [15]


async def test_numbers_are_given_out_and_used_once(wire: Wire) -> None:
    given = await wire.made("Invoice", sale("1", line("1"), DocNumber="1002"))
    first, second = [await wire.made("Invoice", sale("1", line("1"))) for _ in range(2)]
    assert [each["DocNumber"] for each in (given, first, second)] == ["1002", "1001", "1003"]
    answer = await wire.post("invoice", sale("1", line("1"), DocNumber="1001"))
    assert answer.error == (400, "6140", "ValidationFault")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"CustomerRef": {"value": "1"}}, "2020"),
        ({"CustomerRef": {"value": "1"}, "Line": []}, "2020"),
        ({"Line": [line("1")]}, "2020"),
        (sale("99", line("1")), "2500"),
        (sale("1", line("1", item="99")), "2500"),
        (sale("1", {**line("1", 2), "Amount": 3}), "6070"),
        (sale("1", {"DetailType": "SalesItemLineDetail", "Amount": 1}), "2020"),
        (sale("1", {"Amount": 1}), "2020"),
        (sale("1", {"Amount": 1, "DetailType": "TaxLineDetail"}), "2170"),
        (sale("1", line("-1")), "6000"),
        (sale("1", line("1"), DocNumber="x" * 22), "2050"),
        (sale("1", line("1"), TxnDate="yesterday"), "2010"),
        (sale("1", {**line("1"), "Amount": "much"}), "2010"),
        (sale("1", {**line("1"), "Amount": "1e12"}), "2010"),
        (sale("1", {**line("1"), "Amount": "NaN"}), "2010"),
        (sale("1", line("1"), CurrencyRef={"value": "EUR"}), "6000"),
        (sale("1", line("1"), EmailStatus="Gone"), "2170"),
    ],
)
async def test_what_an_invoice_cannot_be(wire: Wire, company: Company, payload: dict[str, Any], code: str) -> None:
    assert (await wire.post("invoice", payload)).error == (400, code, "ValidationFault")
    assert list(company.records("Invoice")) == []
    assert balances(company, ("Customer", "1")) == [0]


def test_quantity_times_price_is_rounded_to_the_cent(company: Company) -> None:
    made = company.create("Invoice", **sale("1", {**line("0.335", 3), "Amount": Decimal("1.01")}))
    assert made["TotalAmt"] == Decimal("1.01")


async def test_a_payment_is_applied(wire: Wire, company: Company) -> None:
    first, second = [company.create("Invoice", **sale("1", line("100")))["Id"] for _ in range(2)]
    made = await wire.made("Payment", payment("1", "170.50", Invoice=(first, "100")))
    assert (made["UnappliedAmt"], made["TotalAmt"]) == (Decimal("70.50"), Decimal("170.50"))
    assert balances(company, ("Invoice", first), ("Invoice", second), ("Customer", "1")) == [0, 100, Decimal("29.50")]
    paid = company.read("Invoice", first)
    assert (paid["LinkedTxn"], paid["SyncToken"]) == ([{"TxnId": made["Id"], "TxnType": "Payment"}], "1")
    assert company.read("Customer", "1")["SyncToken"] == "0"

    moved = {**payment("1", "170.50", Invoice=(second, "60")), "Id": made["Id"], "SyncToken": "0"}
    saved = await wire.made("Payment", moved)
    assert (saved["UnappliedAmt"], saved["SyncToken"]) == (Decimal("110.50"), "1")
    assert balances(company, ("Invoice", first), ("Invoice", second), ("Customer", "1")) == [100, 40, Decimal("29.50")]
    assert company.read("Invoice", first)["LinkedTxn"] == []

    known = {"Id": made["Id"], "SyncToken": "1"}
    answer = await wire.post("payment", known, operation="delete")
    assert answer.body["Payment"] == {"domain": "QBO", "status": "Deleted", "Id": made["Id"]}
    assert balances(company, ("Invoice", first), ("Invoice", second), ("Customer", "1")) == [100, 100, 200]


def test_a_credit_memo_is_applied_by_a_payment(company: Company) -> None:
    bill = company.create("Invoice", **sale("1", line("100")))["Id"]
    credit = company.create("CreditMemo", **sale("1", line("30")))
    assert (credit["Balance"], credit["RemainingCredit"]) == (30, 30)
    assert balances(company, ("Customer", "1")) == [70]
    applied = company.create("Payment", **payment("1", "0", Invoice=(bill, "20"), CreditMemo=(credit["Id"], "20")))
    assert applied["UnappliedAmt"] == 0
    assert balances(company, ("Invoice", bill), ("CreditMemo", credit["Id"]), ("Customer", "1")) == [80, 10, 70]
    assert company.read("CreditMemo", credit["Id"])["RemainingCredit"] == 10
    with pytest.raises(Refused, match="6000"):
        company.delete("CreditMemo", credit["Id"])
    company.delete("Payment", applied["Id"])
    company.delete("CreditMemo", credit["Id"])
    assert balances(company, ("Invoice", bill), ("Customer", "1")) == [100, 100]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (payment("1", "50", Invoice=("1", "51")), "6000"),
        (payment("1", "200", Invoice=("1", "101")), "6000"),
        (payment("2", "50", Invoice=("1", "50")), "6000"),
        (payment("1", "50", Invoice=("99", "50")), "2500"),
        (payment("1", "50", Bill=("1", "50")), "2010"),
        ({"CustomerRef": {"value": "1"}}, "2020"),
        (payment("1", "-1"), "6000"),
        (payment("1", "50", Invoice=("1", "-1")), "6000"),
    ],
)
async def test_what_a_payment_cannot_be(wire: Wire, company: Company, payload: dict[str, Any], code: str) -> None:
    company.create("Customer", DisplayName="Another")
    company.create("Invoice", **sale("1", line("100")))
    assert (await wire.post("payment", payload)).error == (400, code, "ValidationFault")
    assert balances(company, ("Invoice", "1"), ("Customer", "1")) == [100, 100]


async def test_voiding_an_invoice(wire: Wire, company: Company) -> None:
    made = company.create("Invoice", **invoice("1"))
    paid = company.create("Payment", **payment("1", "8.49", Invoice=(made["Id"], "8.49")))
    known = {"Id": made["Id"], "SyncToken": "1"}
    assert (await wire.post("invoice", known, operation="void")).error[1] == "6000"
    company.delete("Payment", paid["Id"])
    answer = await wire.post("invoice", {**known, "SyncToken": "2"}, operation="void")
    void = answer.body["Invoice"]
    assert (void["TotalAmt"], void["Balance"], void["PrivateNote"], void["SyncToken"]) == (
        0,
        0,
        "Voided - Checked",
        "3",
    )
    assert {each.get("Amount", 0) for each in void["Line"]} == {0}
    assert void["Line"][0]["SalesItemLineDetail"]["Qty"] == 0
    assert balances(company, ("Customer", "1")) == [0]


async def test_voiding_a_payment(wire: Wire, company: Company) -> None:
    bill = company.create("Invoice", **sale("1", line("100")))["Id"]
    made = company.create("Payment", **payment("1", "100", Invoice=(bill, "100")))
    known = {"Id": made["Id"], "SyncToken": "0", "sparse": True}
    assert (await wire.post("payment", known, operation="void")).error[1] == "500"
    void = (await wire.post("payment", known, operation="update", include="void")).body["Payment"]
    assert (void["TotalAmt"], void["UnappliedAmt"], void["Line"], void["PrivateNote"]) == (0, 0, [], "Voided")
    assert balances(company, ("Invoice", bill), ("Customer", "1")) == [100, 100]


def test_deleting_a_paid_invoice_leaves_the_money_unapplied(company: Company) -> None:
    bill = company.create("Invoice", **sale("1", line("100")))["Id"]
    made = company.create("Payment", **payment("1", "60", Invoice=(bill, "60")))["Id"]
    company.delete("Invoice", bill)
    left = company.read("Payment", made)
    assert (left["UnappliedAmt"], left["Line"], left["SyncToken"]) == (60, [], "1")
    assert balances(company, ("Customer", "1")) == [-60]


def test_receipts_are_paid_at_once(company: Company) -> None:
    receipt = company.create("SalesReceipt", **sale("1", line("7.50", 2)))
    refund = company.create("RefundReceipt", **sale("1", line("7.50"), DepositToAccountRef={"value": "35"}))
    assert [(each["TotalAmt"], each["Balance"]) for each in (receipt, refund)] == [(15, 0), (Decimal("7.50"), 0)]
    assert balances(company, ("Customer", "1")) == [0]
    assert company.void("SalesReceipt", receipt["Id"])["TotalAmt"] == 0
    with pytest.raises(Refused, match="500"):
        company.void("RefundReceipt", refund["Id"])


def test_a_parent_owes_what_its_sub_customers_owe(company: Company) -> None:
    company.create("Customer", DisplayName="Shop", ParentRef={"value": "1"})
    company.create("Invoice", **sale("2", line("10")))
    assert balances(company, ("Customer", "1"), ("Customer", "2")) == [0, 10]
    assert company.read("Customer", "1")["BalanceWithJobs"] == 10


async def test_sending_an_invoice(wire: Wire, company: Company) -> None:
    made = company.create("Invoice", **sale("1", line("10")))["Id"]
    assert (await wire.send(made)).error == (400, "2020", "ValidationFault")
    sent = (await wire.send(made, sendTo="amy@bakery.example")).body["Invoice"]
    assert (sent["EmailStatus"], sent["BillEmail"]) == ("EmailSent", {"Address": "amy@bakery.example"})
    assert sent["DeliveryInfo"] == {"DeliveryType": "Email", "DeliveryTime": "2026-03-08T01:59:50-08:00"}
    assert sent["SyncToken"] == "1"
    assert (await wire.send(made)).status == 200
    assert (await wire.send("99", sendTo="amy@bakery.example")).error[1] == "610"
    assert (await wire.post(f"invoice/{made}/send", {})).error[1] == "2010"


def test_a_document_changes_its_customer_until_it_is_paid(company: Company) -> None:
    company.create("Customer", DisplayName="Another")
    bill = company.create("Invoice", **sale("1", line("10")))["Id"]
    company.edit("Invoice", bill, CustomerRef={"value": "2"})
    assert balances(company, ("Customer", "1"), ("Customer", "2")) == [0, 10]
    company.create("Payment", **payment("2", "10", Invoice=(bill, "10")))
    with pytest.raises(Refused, match="6000"):
        company.edit("Invoice", bill, CustomerRef={"value": "1"})
    assert company.read("Invoice", bill)["CustomerRef"] == {"value": "2", "name": "Another"}


def test_merging_customers(company: Company) -> None:
    company.create("Customer", DisplayName="Amy's Bakery 2")
    company.create("Customer", DisplayName="Its shop", ParentRef={"value": "2"})
    bill = company.create("Invoice", **sale("2", line("10")))["Id"]
    company.merge("1", "2")
    with pytest.raises(Refused, match="610"):
        company.read("Customer", "2")
    moved = company.read("Invoice", bill)
    assert (moved["CustomerRef"], moved["SyncToken"]) == ({"value": "1", "name": "Amy's Bakery"}, "1")
    assert company.read("Customer", "3")["ParentRef"]["value"] == "1"
    assert balances(company, ("Customer", "1")) == [10]
