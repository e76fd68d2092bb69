"""What the tests send: a whole request for every entity."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

CUSTOMER: dict[str, Any] = {
    "DisplayName": "Negar's Gardens",
    "GivenName": "نگار",
    "FamilyName": "رضایی",
    "CompanyName": "Negar's Gardens",
    "PrimaryEmailAddr": {"Address": "negar@gardens.example"},
    "PrimaryPhone": {"FreeFormNumber": "+98 912 000 0001"},
    "Mobile": {"FreeFormNumber": "(650) 555-0001"},
    "WebAddr": {"URI": "https://gardens.example"},
    "BillAddr": {"Line1": "12 Valley Road", "City": "Bayshore", "CountrySubDivisionCode": "CA", "PostalCode": "94326"},
    "ShipAddr": {"Line1": "خیابان ولیعصر ۱۲", "City": "تهران", "Country": "Iran"},
    "Notes": "Prefers to be called",
    "Taxable": False,
    "PreferredDeliveryMethod": "Email",
    "CurrencyRef": {"value": "USD"},
}
ITEM: dict[str, Any] = {
    "Name": "Pruning",
    "Sku": "PR-1",
    "Description": "By the hour",
    "Type": "Service",
    "UnitPrice": Decimal("42.35"),
    "IncomeAccountRef": {"value": "79"},
}


def line(amount: str, quantity: int | None = None, *, item: str = "1") -> dict[str, Any]:
    """A line of one item; with a quantity, the amount is the price of one."""
    detail: dict[str, Any] = {"ItemRef": {"value": item}}
    total = Decimal(amount)
    if quantity is not None:
        detail |= {"Qty": quantity, "UnitPrice": total}
        total *= quantity
    return {"Amount": total, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}


def sale(customer: str, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An invoice, credit memo or receipt."""
    return {"CustomerRef": {"value": customer}, "Line": list(lines), **more}


def invoice(customer: str) -> dict[str, Any]:
    """An invoice with every kind of line: 3 x 42.35 + 10.00 - 10 % + 5.15 of tax."""
    discount = {"DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10}}
    note = {"DetailType": "DescriptionOnly", "Description": "Thank you", "DescriptionLineDetail": {}}
    return sale(
        customer,
        line("42.35", 3),
        line("10.00"),
        note,
        discount,
        TxnTaxDetail={"TotalTax": Decimal("5.15")},
        TxnDate="2026-03-01",
        DocNumber="A-7",
        CustomerMemo={"value": "متشکریم"},
        PrivateNote="Checked",
        BillEmail={"Address": "negar@gardens.example"},
    )


def payment(customer: str, amount: str, **documents: tuple[str, str]) -> dict[str, Any]:
    """A payment of documents: Invoice=("1", "10.00")."""
    lines = [
        {"Amount": Decimal(paid), "LinkedTxn": [{"TxnId": number, "TxnType": kind}]}
        for kind, (number, paid) in documents.items()
    ]
    return {"CustomerRef": {"value": customer}, "TotalAmt": Decimal(amount), "Line": lines}
