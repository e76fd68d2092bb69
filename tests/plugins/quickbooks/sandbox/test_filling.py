from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from plugins.quickbooks.sandbox import QuickBooksSandbox
from tests.plugins.quickbooks.sandbox.wire import REALM, Clock

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import Company


@pytest.fixture(scope="module")
def filled() -> Company:
    return QuickBooksSandbox(now=Clock()).fill(REALM, customers=200)


def test_the_same_seed_fills_the_same_books(filled: Company) -> None:
    again, other = (QuickBooksSandbox(now=Clock(), seed=seed).fill(REALM, customers=200) for seed in (0, 1))
    for entity, table in filled.tables.items():
        assert [row.body for row in table] == [row.body for row in again.tables[entity]]
    assert [*other.records("Invoice")] != [*filled.records("Invoice")]


def test_how_much_there_is(filled: Company) -> None:
    counts = {entity: len(table) for entity, table in filled.tables.items()}
    assert (counts["Customer"], counts["Item"], counts["Invoice"]) == (200, 10, 600)
    assert 300 < counts["Payment"] < 420
    assert all(counts[entity] > 0 for entity in ("CreditMemo", "SalesReceipt", "RefundReceipt"))
    assert {len(each["Line"]) for each in filled.records("Invoice")} == {4}  # three and their subtotal


def test_every_customer_can_be_reached_and_some_are_persian(filled: Company) -> None:
    people = [*filled.records("Customer")]
    assert all(each["PrimaryEmailAddr"]["Address"] and each["PrimaryPhone"]["FreeFormNumber"] for each in people)
    assert len({each["DisplayName"] for each in people}) == len(people)
    assert sum(each["PrimaryEmailAddr"]["Address"].endswith("@irani.example") for each in people) == 50


def test_the_books_are_right(filled: Company) -> None:
    """Opening and closing every document by hand changes no balance."""
    owed: dict[str, Decimal] = {}
    for sign, entity in ((1, "Invoice"), (-1, "CreditMemo")):
        for each in filled.records(entity):
            customer = each["CustomerRef"]["value"]
            owed[customer] = owed.get(customer, Decimal(0)) + sign * each["Balance"]
    assert {each["Id"]: each["Balance"] for each in filled.records("Customer")} == {
        each["Id"]: owed.get(each["Id"], 0) for each in filled.records("Customer")
    }
    paid = {
        line["LinkedTxn"][0]["TxnId"]: line["Amount"] for each in filled.records("Payment") for line in each["Line"]
    }
    for each in filled.records("Invoice"):
        lines = [line["Amount"] for line in each["Line"] if line["DetailType"] == "SalesItemLineDetail"]
        assert each["TotalAmt"] == sum(lines)
        assert each["Balance"] == each["TotalAmt"] - paid.get(each["Id"], 0)


def test_nothing_is_from_the_future_and_order_is_that_of_change(filled: Company) -> None:
    for table in filled.tables.values():
        stamps = [table.rows[number].stamp for number in table.changed_since(0)]
        assert stamps == sorted(stamps)
        assert all(stamp <= Clock()().timestamp() for stamp in stamps)


def test_books_that_were_filled_can_be_worked_with(filled: Company) -> None:
    before = filled.read("Customer", "3")["Balance"]
    (bill, *_) = [each for each in filled.records("Invoice") if each["LinkedTxn"]]
    filled.delete("Payment", bill["LinkedTxn"][0]["TxnId"])
    again = filled.read("Invoice", bill["Id"])
    assert (again["Balance"], again["LinkedTxn"]) == (bill["TotalAmt"], [])
    made = filled.create("Customer", DisplayName="New here")
    assert (made["Id"], filled.read("Customer", "3")["Balance"]) == ("201", before)


def test_filling_twice_adds(filled: Company) -> None:
    sandbox = QuickBooksSandbox(now=Clock())
    for _ in range(2):
        sandbox.fill(REALM, customers=5, invoices_each=1)
    company = sandbox.company(REALM)
    assert [each["Id"] for each in company.records("Customer")] == [str(number) for number in range(1, 11)]
    assert len(company.tables["Item"]) == 10
