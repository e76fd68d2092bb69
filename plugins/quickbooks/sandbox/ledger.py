"""The arithmetic of the books: what a document comes to, and what is left open of it."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from plugins.quickbooks.sandbox import refusals
from plugins.quickbooks.sandbox.kinds import CENT

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox.entities import Record

ZERO = Decimal(0)
Document = tuple[str, str]
"""An invoice or credit memo: entity and id."""


def cents(amount: Decimal | int) -> Decimal:
    """Rounded to the cent, halves away from zero."""
    return Decimal(amount).quantize(CENT, ROUND_HALF_UP)


def add_up(sale: Record) -> None:
    """Number the lines of a document of sale, check their amounts, and write its subtotal and total."""
    lines = [line for line in sale["Line"] if line["DetailType"] != "SubTotalLineDetail"]
    used = {line["Id"] for line in lines if "Id" in line}
    free = (str(number) for number in range(1, 10_000) if str(number) not in used)
    for place, line in enumerate(lines, 1):
        line.setdefault("Id", next(free))
        line["LineNum"] = place
        if line["DetailType"] == "SalesItemLineDetail":
            line["Amount"] = _amount_of(line)
    subtotal = sum((line["Amount"] for line in lines if line["DetailType"] == "SalesItemLineDetail"), ZERO)
    discount = ZERO
    for line in lines:
        if line["DetailType"] == "DiscountLineDetail":
            line["Amount"] = _discount_of(line, subtotal)
            discount += line["Amount"]
    sale["Line"] = [*lines, {"Amount": subtotal, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}]
    tax = sale.get("TxnTaxDetail", {}).get("TotalTax", ZERO)
    included = sale.get("GlobalTaxCalculation") == "TaxInclusive"
    sale["TotalAmt"] = subtotal - discount + (ZERO if included else tax)
    if sale["TotalAmt"] < 0:
        raise refusals.against_the_rules("Transaction amount must not be negative")


def _amount_of(line: Record) -> Decimal:
    detail = line.get("SalesItemLineDetail")
    if detail is None:
        raise refusals.required("Line.SalesItemLineDetail")
    given = line.get("Amount")
    if "Qty" in detail and "UnitPrice" in detail:
        product = cents(detail["Qty"] * detail["UnitPrice"])
        if given is not None and cents(given) != product:
            raise refusals.wrong_amount()
        return product
    if given is None:
        raise refusals.required("Line.Amount")
    return cents(given)


def _discount_of(line: Record, subtotal: Decimal) -> Decimal:
    detail = line.get("DiscountLineDetail", {})
    if detail.get("PercentBased") and "DiscountPercent" in detail:
        return cents(subtotal * detail["DiscountPercent"] / 100)
    if line.get("Amount") is None:
        raise refusals.required("Line.Amount")
    return cents(line["Amount"])


def applications(payment: Record | None) -> dict[Document, Decimal]:
    """What a payment pays, by document; a credit memo is used up by it."""
    paid: dict[Document, Decimal] = defaultdict(lambda: ZERO)
    for line in (payment or {}).get("Line", ()):
        for linked in line.get("LinkedTxn", ()):
            paid[linked["TxnType"], linked["TxnId"]] += line["Amount"]
    return dict(paid)


def settle_payment(payment: Record) -> None:
    """Write what a payment leaves unapplied."""
    applied = applications(payment)
    to_invoices = sum((amount for (kind, _), amount in applied.items() if kind == "Invoice"), ZERO)
    from_credits = sum((amount for (kind, _), amount in applied.items() if kind == "CreditMemo"), ZERO)
    payment["TotalAmt"] = cents(payment["TotalAmt"])
    payment["UnappliedAmt"] = payment["TotalAmt"] + from_credits - to_invoices
    if payment["TotalAmt"] < 0 or payment["UnappliedAmt"] < 0:
        raise refusals.against_the_rules("The amount applied exceeds the amount of the payment")


def leave_open(entity: str, document: Record, applied: Decimal) -> None:
    """Write what is still open of a document of sale after what was applied to it."""
    remaining = document["TotalAmt"] - applied
    if remaining < 0:
        raise refusals.against_the_rules("The amount applied exceeds the balance of the transaction")
    document["Balance"] = remaining if entity in {"Invoice", "CreditMemo"} else ZERO
    if entity == "CreditMemo":
        document["RemainingCredit"] = remaining


def owed(entity: str, record: Record | None) -> Decimal:
    """What an object adds to the balance of its customer."""
    if record is None:
        return ZERO
    if entity == "Invoice":
        return Decimal(record["Balance"])
    if entity == "CreditMemo":
        return -Decimal(record["Balance"])
    return -Decimal(record["UnappliedAmt"]) if entity == "Payment" else ZERO


def void(record: Record) -> None:
    """Nothing is owed or paid any more; the document stays, and says so."""
    for line in record.get("Line", ()):
        line["Amount"] = ZERO
        detail = line.get("SalesItemLineDetail", {})
        detail.update({name: ZERO for name in ("Qty", "UnitPrice") if name in detail})
    if "TotalTax" in record.get("TxnTaxDetail", {}):
        record["TxnTaxDetail"]["TotalTax"] = ZERO
    for name in ("TotalAmt", "Balance", "UnappliedAmt"):
        if name in record:
            record[name] = ZERO
    note = record.get("PrivateNote")
    record["PrivateNote"] = f"Voided - {note}" if note else "Voided"
