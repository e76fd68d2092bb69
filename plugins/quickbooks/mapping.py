"""From QuickBooks Online's objects to records, and from records to what QuickBooks Online is asked to write."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from tenure_sdk import (
    Address,
    Allocation,
    CreditNote,
    Customer,
    Identity,
    Invoice,
    Order,
    OrderLine,
    Payment,
    Product,
    Ref,
    Refund,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from plugins.quickbooks.rows import (
        AddressRow,
        CustomerRow,
        DocumentRow,
        EmailRow,
        Head,
        ItemRow,
        LineRow,
        PhoneRow,
        Plain,
        Times,
    )
    from tenure_sdk.records import Document

Made = TypeVar("Made", bound="Document")
ZERO, ONE = Decimal(0), Decimal(1)
NOON = time(12)
MASKED = re.compile(r"[Xx*]{3}")
"""QuickBooks shows tax ids only in part: what is left of them identifies nobody."""
SHIPPING = "SHIPPING_ITEM_ID"
"""What QuickBooks has charges for shipping sell; it is none of the company's items."""
CHARGED = "Shipping"
"""How such a line is called where nothing is written on it."""
COUNTRIES = {"USA": "US", "CAN": "CA", "GBR": "GB", "AUS": "AU", "NZL": "NZ", "IND": "IN", "FRA": "FR", "MEX": "MX"}


class Books:
    """One company's objects as records. Its documents have days, not moments: each stands at noon of its day.

    Noon of the company's own zone is on the same day wherever its people are. A document that names no currency is in
    the home currency, an address that names no country in the home country.
    """

    def __init__(self, zone: tzinfo, home_currency: str, home_country: str | None = None) -> None:
        self._zone = zone
        self._currency = home_currency
        self._country = home_country
        self._noons: dict[date, datetime] = {}

    def customer(self, row: CustomerRow, unknown: dict[str, Plain]) -> Customer:
        """An organisation where a company name is given, else a person; a sub-customer belongs to its parent."""
        tax_ids = (each for each in (row.primary_tax_identifier, row.gstin) if each and not MASKED.search(each))
        changed, made = _moments(row.meta_data)
        return Customer(
            id=row.id,
            version=row.sync_token,
            updated_at=changed,
            created_at=made,
            extra={"Active": row.active, **unknown},
            kind="ORGANISATION" if row.company_name else "PERSON",
            name=row.display_name,
            emails=_emails(row.primary_email_addr),
            phones=_phones(row.primary_phone, row.mobile, row.alternate_phone),
            addresses=tuple(
                [_address(each, self._country) for each in (row.bill_addr, row.ship_addr) if each is not None]
            ),
            identities=tuple([Identity("tax_id", each) for each in tax_ids]),
            organisation=Ref("customer", row.parent_ref.value) if row.parent_ref else None,
        )

    def product(self, row: ItemRow, unknown: dict[str, Plain]) -> Product:
        """An item; its full name stands in for a missing stock code: both are the company's own, and unique."""
        sku = row.sku or row.fully_qualified_name or row.name
        return Product(**_head(row), extra={"Active": row.active, **unknown}, sku=sku, name=row.name)

    def invoice(self, row: DocumentRow, unknown: dict[str, Plain]) -> Invoice:
        """A bill: paid when nothing of it is owed, voided when QuickBooks says so in its note."""
        # Most of what a company has are invoices. Named one by one, fields take a fourth of the time of `_document`.
        changed, made = _moments(row.meta_data)
        lines, total = _lines_and_total(row)
        paid = row.balance == 0 and row.total_amt != 0
        sent = row.delivery_info and row.delivery_info.delivery_time
        return Invoice(
            id=row.id,
            version=row.sync_token,
            updated_at=changed,
            created_at=made,
            extra=unknown,
            number=row.doc_number,
            occurred_at=self._noon(row.txn_date),
            customer=_customer(row),
            currency=self._currency_of(row),
            lines=lines,
            total=total,
            status="VOIDED" if _is_voided(row) else "PAID" if paid else "OPEN",
            due_on=row.due_date,
            balance=row.balance,
            sent_at=sent.astimezone(UTC) if sent else None,
        )

    def order(self, row: DocumentRow, unknown: dict[str, Plain]) -> Order:
        """A sales receipt: sold and paid at once."""
        return self._document(Order, row, unknown, status="CANCELLED" if _is_voided(row) else "COMPLETED")

    def refund(self, row: DocumentRow, unknown: dict[str, Plain]) -> Refund:
        """A refund receipt; QuickBooks does not say what it gives back."""
        return self._document(Refund, row, unknown)

    def payment(self, row: DocumentRow, unknown: dict[str, Plain]) -> Payment:
        """Money that came in, and the invoices that it paid; what credit memos paid of them is not its own."""
        method = row.payment_method_ref
        return Payment(
            **_head(row),
            extra=unknown,
            number=row.payment_ref_num or row.doc_number,
            occurred_at=self._noon(row.txn_date),
            customer=_customer(row),
            currency=self._currency_of(row),
            amount=row.total_amt or ZERO,
            allocations=_allocations(amount for source, *amount in settled(row) if source is None),
            method=(method.name or method.value) if method else None,
            status="VOIDED" if _is_voided(row) else "RECEIVED",
        )

    def credit_note(
        self, row: DocumentRow, unknown: dict[str, Plain], payments: Mapping[str, DocumentRow]
    ) -> CreditNote:
        """A credit memo. Which invoices it settles stands in the payments that it is linked to."""
        linked = (payments[each.txn_id] for each in row.linked_txn if each.txn_id in payments)
        settles = (amount for payment in linked for source, *amount in settled(payment) if source == row.id)
        balance = row.balance if row.remaining_credit is None else row.remaining_credit
        return self._document(CreditNote, row, unknown, allocations=_allocations(settles), balance=balance)

    def _document(self, of: type[Made], row: DocumentRow, unknown: dict[str, Plain], **fields: Any) -> Made:
        lines, total = _lines_and_total(row)
        return of(
            **_head(row),
            extra=unknown,
            number=row.doc_number,
            occurred_at=self._noon(row.txn_date),
            customer=_customer(row),
            currency=self._currency_of(row),
            lines=lines,
            total=total,
            **fields,
        )

    def _currency_of(self, row: DocumentRow) -> str:
        return row.currency_ref.value if row.currency_ref else self._currency

    def _noon(self, day: date) -> datetime:
        found = self._noons.get(day)
        if found is None:
            found = self._noons[day] = datetime.combine(day, NOON, self._zone).astimezone(UTC)
        return found

    def day(self, moment: datetime) -> date:
        """The company's day at a moment."""
        return moment.astimezone(self._zone).date()


def settled(payment: DocumentRow) -> Iterator[tuple[str | None, str, Decimal]]:
    """What a payment settles: by which credit memo, or by its own money (None), which invoice, and how much.

    A payment uses up credit memos first; money pays the rest. QuickBooks only lists both sides.
    """
    parts = [(each, line.amount or ZERO) for line in payment.line for each in line.linked_txn]
    credit = [(each.txn_id, amount) for each, amount in parts if each.txn_type == "CreditMemo"]
    sources: list[tuple[str | None, Decimal]] = [*credit, (None, payment.total_amt or ZERO)]
    for each, amount in parts:
        owed = amount if each.txn_type == "Invoice" else ZERO
        while owed and sources:
            source, left = sources[0]
            used = min(owed, left)
            if used:
                yield source, each.txn_id, used
            owed -= used
            sources[0] = source, left - used
            if used == left:
                del sources[0]


def _head(row: Head) -> dict[str, Any]:
    changed, made = _moments(row.meta_data)
    return {"id": row.id, "version": row.sync_token, "updated_at": changed, "created_at": made}


def _moments(times: Times) -> tuple[datetime, datetime]:
    """When an object was last changed, and when it was made: mostly that is one moment."""
    changed = times.last_updated_time.astimezone(UTC)
    is_new = times.create_time == times.last_updated_time
    return changed, changed if is_new else times.create_time.astimezone(UTC)


def _customer(row: DocumentRow) -> Ref | None:
    return Ref("customer", row.customer_ref.value) if row.customer_ref else None


def _is_voided(row: DocumentRow) -> bool:
    """A voided document stays, comes to nothing, and says so in its note; there is no other sign."""
    return not row.total_amt and (row.private_note or "").startswith("Voided")


def _allocations(amounts: Iterable[Sequence[Any]]) -> tuple[Allocation, ...]:
    return tuple([Allocation(invoice=Ref("invoice", invoice), amount=amount) for invoice, amount in amounts])


def _lines_and_total(row: DocumentRow) -> tuple[tuple[OrderLine, ...], Decimal | None]:
    """A document's lines, its tax among them, and what it comes to without that."""
    lines = tuple(_lines(row.line))
    tax = row.txn_tax_detail.total_tax if row.txn_tax_detail else None
    if not tax or row.global_tax_calculation == "TaxInclusive":
        return lines, row.total_amt
    return tuple(_taxed(lines, tax)), None if row.total_amt is None else row.total_amt - tax


def _lines(rows: Iterable[LineRow]) -> Iterator[OrderLine]:
    """What was sold, bundles by their parts; shipping and discounts are of no units; subtotals and remarks are none."""
    for row in rows:
        match row.detail_type:
            case "SalesItemLineDetail":
                yield _sold(row)
            case "GroupLineDetail" if row.group_line_detail is not None:
                yield from _lines(row.group_line_detail.line)
            case "DiscountLineDetail" if row.amount:
                yield _of_no_units(row.description or "Discount", row.amount)
            case _:
                pass


def _sold(row: LineRow) -> OrderLine:
    """A line comes to its amount; what quantity and price come to beyond it is a discount."""
    detail, amount = row.sales_item_line_detail, row.amount or ZERO
    item = detail.item_ref if detail else None
    if item is not None and item.value == SHIPPING:
        return _of_no_units(row.description or CHARGED, -amount)
    product = _product(item.value) if item else None
    if detail is None or detail.qty is None or detail.unit_price is None:
        return OrderLine(product=product, description=row.description, quantity=ONE, unit_price=amount)
    quantity, price = detail.qty, detail.unit_price
    discount = quantity * price - amount
    return OrderLine(
        product=product, description=row.description, quantity=quantity, unit_price=price, discount=discount or ZERO
    )


@lru_cache(maxsize=10_000)
def _product(id_: str) -> Ref:
    """What lines say that they sell: one object for the same product, which thousands of lines name."""
    return Ref("product", id_)


def _of_no_units(description: str, discount: Decimal) -> OrderLine:
    return OrderLine(description=description, quantity=ZERO, unit_price=ZERO, discount=discount)


def _taxed(lines: Sequence[OrderLine], tax: Decimal) -> Iterator[OrderLine]:
    """The lines with the document's tax divided among them by their amounts: QuickBooks only states it in whole."""
    amounts = [line.quantity * line.unit_price - line.discount for line in lines]
    whole = sum(amounts, ZERO)
    passed = given = ZERO
    for line, amount in zip(lines, amounts, strict=True):
        passed += amount
        due = (tax * passed / whole).quantize(tax) if whole else tax
        yield replace(line, tax=due - given)
        given = due


def _address(row: AddressRow, home_country: str | None) -> Address:
    street = "\n".join(each for each in (row.line1, row.line2, row.line3, row.line4, row.line5) if each)
    named = (row.country or "").strip().upper() or home_country or ""
    country = COUNTRIES.get(named, named)
    known = len(country) == 2 and country.isascii() and country.isalpha()
    return Address(
        street=street or None,
        city=row.city or None,
        region=row.country_sub_division_code or None,
        postal_code=row.postal_code or None,
        country=country if known else None,
        country_name=None if known else row.country or None,
    )


def _emails(row: EmailRow | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_split(row.address))) if row and row.address else ()


def _split(addresses: str) -> list[str]:
    return addresses.replace(",", " ").replace(";", " ").split()


def _phones(*rows: PhoneRow | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys([row.free_form_number for row in rows if row and row.free_form_number]))


def written_customer(record: Customer, fields: Collection[str], before: CustomerRow | None) -> dict[str, Any]:
    """The properties of a Customer that these fields of a record are; `before` is how QuickBooks has it.

    QuickBooks keeps one address in each place: the first ones are written, and the other e-mail addresses in its one
    field stay.
    """
    properties: dict[str, Any] = {}
    if "name" in fields:
        properties["DisplayName"] = record.name
    if "kind" in fields and (before is None or bool(before.company_name) != (record.kind == "ORGANISATION")):
        properties["CompanyName"] = (record.name or "")[:100] if record.kind == "ORGANISATION" else ""
    if "emails" in fields:
        known = _emails(before.primary_email_addr) if before else ()
        others = [each for each in known[1:] if each not in record.emails]
        properties["PrimaryEmailAddr"] = {"Address": ", ".join([*record.emails[:1], *others])}
    if "phones" in fields:
        properties["PrimaryPhone"] = {"FreeFormNumber": next(iter(record.phones), "")}
    if "addresses" in fields:
        properties["BillAddr"] = _written_address(next(iter(record.addresses), Address()))
    return properties


def _written_address(address: Address) -> dict[str, str]:
    street = (address.street or "").split("\n", 4)
    lines = {f"Line{place}": street[place - 1] if place <= len(street) else "" for place in range(1, 6)}
    return {
        **lines,
        "City": address.city or "",
        "CountrySubDivisionCode": address.region or "",
        "PostalCode": address.postal_code or "",
        "Country": address.country or address.country_name or "",
    }


def written_invoice(record: Invoice, fields: Collection[str], refs: Mapping[str, str], books: Books) -> dict[str, Any]:
    """The properties of an Invoice that these fields of a record are; `refs` are QuickBooks' ids by ours."""
    properties: dict[str, Any] = {}
    if "customer" in fields and record.customer is not None:
        properties["CustomerRef"] = {"value": refs[record.customer.id]}
    if "number" in fields:
        properties["DocNumber"] = record.number or ""
    if "occurred_at" in fields:
        properties["TxnDate"] = books.day(record.occurred_at).isoformat()
    if "due_on" in fields and record.due_on is not None:
        properties["DueDate"] = record.due_on.isoformat()
    if "currency" in fields:
        properties["CurrencyRef"] = {"value": record.currency}
    if "lines" in fields:
        properties["Line"] = [*_written_lines(record.lines, refs)]
    return properties


def _written_lines(lines: Iterable[OrderLine], refs: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What is sold, what is added without units (shipping), and in one line what is taken off."""
    discount = ZERO
    for line in lines:
        is_sold = line.quantity or line.unit_price
        if not is_sold and line.discount < 0:
            yield _written_shipping(line)
            continue
        if is_sold:
            yield _written_line(line, refs)
        discount += line.discount
    if discount:
        detail = {"PercentBased": False}
        yield {"Amount": discount, "DetailType": "DiscountLineDetail", "DiscountLineDetail": detail}


def _written_line(line: OrderLine, refs: Mapping[str, str]) -> dict[str, Any]:
    detail: dict[str, Any] = {"Qty": line.quantity, "UnitPrice": line.unit_price}
    if line.product is not None:
        detail["ItemRef"] = {"value": refs[line.product.id]}
    row = {"DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    return row | ({"Description": line.description} if line.description else {})


def _written_shipping(line: OrderLine) -> dict[str, Any]:
    detail = {"ItemRef": {"value": SHIPPING}}
    row = {"Amount": -line.discount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    return row | ({"Description": line.description} if line.description not in {None, CHARGED} else {})
