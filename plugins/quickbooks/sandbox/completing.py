"""What an object must have to be kept, and what the vendor adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.quickbooks.sandbox import calendar, ledger, refusals
from plugins.quickbooks.sandbox.entities import TAX_CODES
from plugins.quickbooks.sandbox.ledger import ZERO

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox.company import Company
    from plugins.quickbooks.sandbox.entities import Entity, Record

CURRENCY = {"value": "USD", "name": "United States Dollar"}
NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")
DAYS_TO_PAY = 30
SHIPPING = "SHIPPING_ITEM_ID"
"""Stands for an item in lines that charge for shipping."""


def complete(company: Company, kind: Entity, record: Record, *, new: bool) -> None:
    """Check what an object must have, and fill in what the vendor adds by itself."""
    for name in kind.required:
        if not record.get(name) and record.get(name) != 0:
            raise refusals.required(name)
    if record.setdefault("CurrencyRef", dict(CURRENCY))["value"] != CURRENCY["value"]:
        raise refusals.against_the_rules("Multi Currency should be enabled to perform this operation")
    record["CurrencyRef"] = dict(CURRENCY)
    _follow(company, record, new=new)
    if kind.name == "Customer":
        _complete_customer(company, record)
    elif kind.name == "Item":
        _complete_item(record)
    elif kind.name == "Payment":
        _complete_document(company, record)
        ledger.settle_payment(record)
    else:
        _complete_sale(company, kind.name, record)
    _keep_unique(company, kind, record)


def _complete_customer(company: Company, record: Record) -> None:
    whole = " ".join(record[part] for part in NAME_PARTS if record.get(part))
    name = record.setdefault("DisplayName", whole or record.get("CompanyName", ""))
    if not name:
        raise refusals.required("DisplayName")
    if set(name) & set(":\t\n"):
        raise refusals.invalid("DisplayName has a colon, tab or new line", "DisplayName")
    record["FullyQualifiedName"] = ":".join([*_names_above(company, record), name])
    for place in ("BillAddr", "ShipAddr"):
        if place in record:
            record[place].setdefault("Id", company.next_address_id())
    record.setdefault("PrintOnCheckName", record.get("CompanyName") or name[:110])
    defaults = {"Active": True, "Taxable": True, "Job": False, "BillWithParent": False, "Balance": ZERO}
    defaults |= {"BalanceWithJobs": ZERO, "PreferredDeliveryMethod": "None", "IsProject": False}
    record.update({key: value for key, value in defaults.items() if key not in record})


def _names_above(company: Company, customer: Record) -> list[str]:
    """The names of those that a customer belongs to, the topmost first."""
    parent = customer.get("ParentRef")
    ids = [parent["value"], *company.above(parent["value"])] if parent else []
    if customer.get("Id") in ids:
        raise refusals.against_the_rules("A customer cannot belong to itself")
    return [company.read("Customer", identifier)["DisplayName"] for identifier in reversed(ids)]


def _complete_item(record: Record) -> None:
    record.pop("CurrencyRef")
    defaults = {"Active": True, "Type": "Service", "Taxable": False, "UnitPrice": ZERO, "TrackQtyOnHand": False}
    record.update({key: value for key, value in defaults.items() if key not in record})
    record["FullyQualifiedName"] = record["Name"]


def _complete_document(company: Company, record: Record) -> None:
    record.setdefault("TxnDate", company.today)
    for line in record.setdefault("Line", []):
        if "Amount" not in line and "LinkedTxn" in line:
            raise refusals.required("Line.Amount")


def _complete_sale(company: Company, entity: str, record: Record) -> None:
    _complete_document(company, record)
    for line in record["Line"]:
        if "DetailType" not in line:
            raise refusals.required("Line.DetailType")
    ledger.add_up(record)
    if "DocNumber" not in record:
        record["DocNumber"] = company.next_number(entity)
    record.setdefault("PrintStatus", "NotSet")
    record.setdefault("EmailStatus", "NotSet")
    if entity == "Invoice":
        due = calendar.read(record["TxnDate"]) + DAYS_TO_PAY * 86_400 + 43_200
        record.setdefault("DueDate", calendar.day_of(due))
    links = record.setdefault("LinkedTxn", [])
    applied = company.applied_to((entity, record.get("Id", "")), links)
    ledger.leave_open(entity, record, applied)


def _keep_unique(company: Company, kind: Entity, record: Record) -> None:
    if not kind.unique or kind.unique not in record:
        return
    value = record[kind.unique]
    others = [
        number for number in company.tables[kind.name].found(kind.unique, value) if str(number) != record.get("Id")
    ]
    if others:
        raise refusals.duplicate_number(value) if kind.unique == "DocNumber" else refusals.duplicate_name(value)


def _follow(company: Company, value: Any, path: str = "", *, new: bool) -> None:
    """Check that every reference leads somewhere, and write the name of what it leads to."""
    if isinstance(value, list):
        for item in value:
            _follow(company, item, path, new=new)
    elif isinstance(value, dict):
        for name, part in value.items():
            if name.endswith("Ref"):
                part.update(_target(company, name, part["value"], new=new))
            else:
                _follow(company, part, name, new=new)


def _target(company: Company, name: str, identifier: str, *, new: bool) -> dict[str, str]:
    if name == "CurrencyRef":
        return CURRENCY
    if name.endswith("TaxCodeRef"):
        if identifier not in TAX_CODES:
            raise refusals.no_such_reference(name, identifier)
        return {}
    if (name, identifier) == ("ItemRef", SHIPPING):
        return {}
    entity = "Account" if name.endswith("AccountRef") else {"ParentRef": "Customer"}.get(name, name[:-3])
    table = company.tables.get(entity)
    row = table.rows.get(int(identifier)) if table and identifier.isdigit() else None
    if row is None:
        raise refusals.no_such_reference(name, identifier)
    if new and not row.active:
        raise refusals.not_found(entity, identifier)
    record = row.record
    return {"name": record.get("DisplayName") or record["Name"]}
