"""One company's books: what the API and a person working in QuickBooks can do to them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from plugins.quickbooks.sandbox import calendar, ledger, refusals
from plugins.quickbooks.sandbox.entities import ENTITIES, TAX_CODES
from plugins.quickbooks.sandbox.ledger import ZERO
from plugins.quickbooks.sandbox.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from decimal import Decimal

    from plugins.quickbooks.sandbox.entities import Entity, Record

CURRENCY = {"value": "USD", "name": "United States Dollar"}
NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")
ACCOUNTS = (
    ("35", "Checking", "Bank", "Checking", "Asset"),
    ("79", "Sales of Product Income", "Income", "SalesOfProductIncome", "Revenue"),
    ("84", "Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable", "Asset"),
    ("4", "Undeposited Funds", "Other Current Asset", "UndepositedFunds", "Asset"),
)
DAYS_TO_PAY = 30


@dataclass(frozen=True)
class Change:
    """Something that happened in a company, as a webhook tells it."""

    realm: str
    entity: str
    id: str
    operation: str
    stamp: int
    deleted_id: str | None = None


class Company:
    """The tables of one company.

    `create`, `edit`, `delete`, `void`, `inactivate` and `merge` are what a person does in QuickBooks: they need no
    SyncToken and count as nobody's API calls, but are checked, versioned and announced all the same.
    """

    def __init__(self, realm: str, name: str, now: Callable[[], datetime], announce: Callable[[Change], None]) -> None:
        self.realm = realm
        self.name = name
        self.tables = {entity: Table(ENTITIES[entity]) for entity in ENTITIES}
        self._now = now
        self._announce = announce
        # Documents share one sequence of ids, each name list has its own.
        documents = count(1)
        self._ids = {name: count(1) if ENTITIES[name].named else documents for name in ENTITIES}
        self._numbers = count(1001)
        self._address_ids = count(1)
        self._open_books()

    def create(self, entity: str, **properties: Any) -> Record:
        """A new object."""
        return self.write(entity, properties)

    def read(self, entity: str, identifier: str) -> Record:
        """The object as it stands; refused with 610 when there is none."""
        table = self.tables[entity]
        if not identifier.isdigit() or int(identifier) not in table.rows:
            raise refusals.not_found(entity, identifier)
        return table.rows[int(identifier)].record

    def records(self, entity: str) -> Iterator[Record]:
        """All objects of an entity, inactive ones too, in order of id."""
        table = self.tables[entity]
        return (table.rows[number].record for number in table.all.ids)

    def edit(self, entity: str, identifier: str, **properties: Any) -> Record:
        """The object with some properties changed; None takes a value away."""
        current = self.read(entity, identifier)
        known = {"Id": identifier, "SyncToken": current["SyncToken"], "sparse": True}
        return self.write(entity, {**properties, **known})

    def inactivate(self, entity: str, identifier: str) -> Record:
        """The object of a name list, made inactive."""
        return self.edit(entity, identifier, Active=False)

    def delete(self, entity: str, identifier: str) -> None:
        """The document is gone; payments of it are unapplied."""
        self.remove(entity, {"Id": identifier, "SyncToken": self.read(entity, identifier)["SyncToken"]})

    def void(self, entity: str, identifier: str) -> Record:
        """The document stays, and comes to nothing."""
        token = self.read(entity, identifier)["SyncToken"]
        return self.annul(entity, {"Id": identifier, "SyncToken": token})

    def touch(self, entity: str, identifier: str) -> Record:
        """The object, saved again without a change."""
        return self.edit(entity, identifier)

    def merge(self, entity: str, keep: str, lose: str) -> Record:
        """One customer in place of two: documents of the other become the kept one's, the other is gone."""
        kept, lost = self.read(entity, keep), self.read(entity, lose)
        for name, table in self.tables.items():
            if "CustomerRef" in table.entity.looked_up:
                for number in list(table.found("CustomerRef", lose)):
                    document = table.rows[number].record
                    document["CustomerRef"] = {"value": keep, "name": kept["DisplayName"]}
                    self._save(name, document)
        for each in list(self.records("Customer")):
            if each.get("ParentRef", {}).get("value") == lose:
                self._save("Customer", {**each, "ParentRef": {"value": keep}})
        self.tables[entity].delete(int(lose), self._stamp)
        for name in ("Balance", "BalanceWithJobs"):
            kept[name] += lost[name]
        return self._save(entity, kept, operation="Merge", deleted_id=lose)

    def write(self, entity: str, given: Record) -> Record:
        """Create an object, or update the one whose Id is given: in whole, or sparsely."""
        kind = ENTITIES[entity]
        properties = kind.checked(given)
        if not kind.writable:
            raise refusals.unsupported(f"Operation create is not supported on {entity}")
        identifier = properties.pop("Id", None)
        token = properties.pop("SyncToken", None)
        current = self._current(entity, identifier, token) if identifier else None
        kept = self._kept(kind, current, sparse=given.get("sparse") in (True, "true"))
        record = {name: value for name, value in {**kept, **properties}.items() if value is not None}
        self._complete(kind, record, current)
        return self._post(entity, record, current)

    def remove(self, entity: str, given: Record) -> None:
        """Delete a document; refused for name lists, which are made inactive instead."""
        if ENTITIES[entity].named or not ENTITIES[entity].writable:
            raise refusals.unsupported(f"Operation delete is not supported on {entity}")
        current = self._current(entity, given.get("Id"), given.get("SyncToken"))
        if entity == "CreditMemo" and current.get("LinkedTxn"):
            raise refusals.against_the_rules("The credit memo is applied: delete the payment that applies it first")
        for linked in current.get("LinkedTxn", ()):
            self._unapply(linked["TxnId"], (entity, current["Id"]))
        current = self.read(entity, current["Id"])
        stamp = self._stamp
        self.tables[entity].delete(int(current["Id"]), stamp)
        self._reopen(entity, current, None)
        self._owe(entity, current, None)
        self._announce(Change(self.realm, entity, current["Id"], "Delete", stamp))

    def annul(self, entity: str, given: Record) -> Record:
        """Void a document; refused while a payment is applied to it."""
        if not ENTITIES[entity].voided_by:
            raise refusals.unsupported(f"Operation void is not supported on {entity}")
        current = self._current(entity, given.get("Id"), given.get("SyncToken"))
        if current.get("LinkedTxn"):
            raise refusals.against_the_rules("The transaction has payments applied: remove them before voiding it")
        record = self.read(entity, current["Id"])
        ledger.void(record)
        if entity == "Payment":
            record["Line"] = []
        return self._post(entity, record, current, operation="Void")

    def send(self, entity: str, identifier: str, address: str | None) -> Record:
        """The document, sent by e-mail to the address given or to the one that it bears."""
        record = self.read(entity, identifier)
        if address is not None:
            record["BillEmail"] = ENTITIES[entity].properties["BillEmail"].checked({"Address": address}, "sendTo")
        if not record.get("BillEmail", {}).get("Address"):
            raise refusals.required("BillEmail")
        record["EmailStatus"] = "EmailSent"
        record["DeliveryInfo"] = {"DeliveryType": "Email", "DeliveryTime": calendar.written(self._stamp)}
        return self._save(entity, record)

    def next_id(self, entity: str) -> str:
        """An id that no object of the entity has had."""
        return str(next(self._ids[entity]))

    def next_number(self, entity: str) -> str:
        """A document number that is not in use."""
        return next(number for number in map(str, self._numbers) if not self.tables[entity].found("DocNumber", number))

    @property
    def _stamp(self) -> int:
        return calendar.stamp_of(self._now())

    def _open_books(self) -> None:
        for number, name, kind, subtype, classification in ACCOUNTS:
            account = {"Name": name, "FullyQualifiedName": name, "Active": True, "Classification": classification}
            self._open_with("Account", number, {**account, "AccountType": kind, "AccountSubType": subtype})
        info = {
            "CompanyName": self.name,
            "LegalName": self.name,
            "Country": "US",
            "Email": {"Address": f"books@{self.realm}.example"},
            "CompanyStartDate": "2024-01-01",
            "FiscalYearStartMonth": "January",
            "SupportedLanguages": "en",
            "DefaultTimeZone": "America/Los_Angeles",
        }
        self._open_with("CompanyInfo", "1", info)

    def _open_with(self, entity: str, identifier: str, properties: Record) -> None:
        record = {"domain": "QBO", "sparse": False, "Id": identifier, "SyncToken": "0", **properties}
        self.tables[entity].put(self._dated(record, None, self._stamp), self._stamp)

    def _current(self, entity: str, identifier: object, token: object) -> Record:
        """The object that a write is about; refused when the writer has not seen its latest version."""
        if not identifier:
            raise refusals.required("Id")
        if token is None:
            raise refusals.required("SyncToken")
        current = self.read(entity, str(identifier))
        if str(token) != current["SyncToken"]:
            raise refusals.stale()
        return current

    @staticmethod
    def _kept(kind: Entity, current: Record | None, *, sparse: bool) -> Record:
        """What an update leaves as it is: everything when it is sparse, else what only the vendor writes."""
        if current is None:
            return {"domain": "QBO", "sparse": False}
        writable = set(kind.properties) - {"Id", "SyncToken"}
        return dict(current) if sparse else {name: value for name, value in current.items() if name not in writable}

    def _complete(self, kind: Entity, record: Record, current: Record | None) -> None:
        """Check what a whole object must have, and fill in what the vendor adds by itself."""
        for name in kind.required:
            if not record.get(name) and record.get(name) != 0:
                raise refusals.required(name)
        if record.setdefault("CurrencyRef", dict(CURRENCY))["value"] != CURRENCY["value"]:
            raise refusals.against_the_rules("Multi Currency should be enabled to perform this operation")
        record["CurrencyRef"] = dict(CURRENCY)
        self._follow(record, new=current is None)
        if kind.name == "Customer":
            self._complete_customer(record)
        elif kind.name == "Item":
            self._complete_item(record)
        elif kind.name == "Payment":
            self._complete_document(record)
            ledger.settle_payment(record)
        else:
            self._complete_sale(kind.name, record)
        self._keep_unique(kind, record)

    def _complete_customer(self, record: Record) -> None:
        whole = " ".join(record[part] for part in NAME_PARTS if record.get(part))
        name = record.setdefault("DisplayName", whole or record.get("CompanyName", ""))
        if not name:
            raise refusals.required("DisplayName")
        if set(name) & set(":\t\n"):
            raise refusals.invalid("DisplayName has a colon, tab or new line", "DisplayName")
        record["FullyQualifiedName"] = ":".join([*self._names_above(record), name])
        for place in ("BillAddr", "ShipAddr"):
            if place in record:
                record[place].setdefault("Id", str(next(self._address_ids)))
        record.setdefault("PrintOnCheckName", record.get("CompanyName") or name[:110])
        defaults = {"Active": True, "Taxable": True, "Job": False, "BillWithParent": False, "Balance": ZERO}
        defaults |= {"BalanceWithJobs": ZERO, "PreferredDeliveryMethod": "None", "IsProject": False}
        record.update({key: value for key, value in defaults.items() if key not in record})

    def _names_above(self, customer: Record) -> list[str]:
        """The names of those that a customer belongs to, the topmost first."""
        names: list[str] = []
        above = customer
        while parent := above.get("ParentRef"):
            if parent["value"] == customer.get("Id"):
                raise refusals.against_the_rules("A customer cannot belong to itself")
            above = self.read("Customer", parent["value"])
            names.insert(0, above["DisplayName"])
        return names

    @staticmethod
    def _complete_item(record: Record) -> None:
        record.pop("CurrencyRef")
        defaults = {"Active": True, "Type": "Service", "Taxable": False, "UnitPrice": ZERO, "TrackQtyOnHand": False}
        record.update({key: value for key, value in defaults.items() if key not in record})
        record["FullyQualifiedName"] = record["Name"]

    def _complete_document(self, record: Record) -> None:
        record.setdefault("TxnDate", calendar.day_of(self._stamp))
        for line in record.setdefault("Line", []):
            if "Amount" not in line and "LinkedTxn" in line:
                raise refusals.required("Line.Amount")

    def _complete_sale(self, entity: str, record: Record) -> None:
        self._complete_document(record)
        for line in record["Line"]:
            if "DetailType" not in line:
                raise refusals.required("Line.DetailType")
        ledger.add_up(record)
        if "DocNumber" not in record:
            record["DocNumber"] = self.next_number(entity)
        record.setdefault("PrintStatus", "NotSet")
        record.setdefault("EmailStatus", "NotSet")
        if entity == "Invoice":
            due = calendar.read(record["TxnDate"]) + DAYS_TO_PAY * 86_400 + 43_200
            record.setdefault("DueDate", calendar.day_of(due))
        links = record.setdefault("LinkedTxn", [])
        applied = self._applied_to((entity, record.get("Id", "")), links)
        ledger.leave_open(entity, record, applied)

    def _keep_unique(self, kind: Entity, record: Record) -> None:
        if not kind.unique or kind.unique not in record:
            return
        value = record[kind.unique]
        others = [
            number for number in self.tables[kind.name].found(kind.unique, value) if str(number) != record.get("Id")
        ]
        if others:
            raise refusals.duplicate_number(value) if kind.unique == "DocNumber" else refusals.duplicate_name(value)

    def _follow(self, value: Any, path: str = "", *, new: bool) -> None:
        """Check that every reference leads somewhere, and write the name of what it leads to."""
        if isinstance(value, list):
            for item in value:
                self._follow(item, path, new=new)
        elif isinstance(value, dict):
            for name, part in value.items():
                if name.endswith("Ref"):
                    part.update(self._target(name, part["value"], new=new))
                else:
                    self._follow(part, name, new=new)

    def _target(self, name: str, identifier: str, *, new: bool) -> dict[str, str]:
        if name == "CurrencyRef":
            return CURRENCY
        if name.endswith("TaxCodeRef"):
            if identifier not in TAX_CODES:
                raise refusals.no_such_reference(name, identifier)
            return {}
        entity = "Account" if name.endswith("AccountRef") else {"ParentRef": "Customer"}.get(name, name[:-3])
        table = self.tables.get(entity)
        row = table.rows.get(int(identifier)) if table and identifier.isdigit() else None
        if row is None:
            raise refusals.no_such_reference(name, identifier)
        if new and not row.active:
            raise refusals.not_found(entity, identifier)
        record = row.record
        return {"name": record.get("DisplayName") or record["Name"]}

    def _post(self, entity: str, record: Record, current: Record | None, operation: str = "") -> Record:
        """Save an object with all that follows from it: what is open of documents, and what the customer owes."""
        if entity == "Payment":
            self._check_applications(record, current)
        saved = self._save(entity, record, operation=operation)
        self._reopen(entity, current, saved)
        self._owe(entity, current, saved)
        return saved

    def _check_applications(self, payment: Record, current: Record | None) -> None:
        before = ledger.applications(current)
        for (entity, identifier), amount in ledger.applications(payment).items():
            if entity not in {"Invoice", "CreditMemo"}:
                raise refusals.invalid(f"LinkedTxn.TxnType {entity} is unsupported", "LinkedTxn.TxnType")
            if not identifier.isdigit() or int(identifier) not in self.tables[entity].rows:
                raise refusals.no_such_reference("LinkedTxn.TxnId", identifier)
            document = self.read(entity, identifier)
            if document["CustomerRef"]["value"] != payment["CustomerRef"]["value"]:
                raise refusals.against_the_rules("The payment and the transaction are of different customers")
            if amount > document["Balance"] + before.get((entity, identifier), ZERO):
                raise refusals.against_the_rules("The amount applied exceeds the balance of the transaction")

    def _reopen(self, entity: str, before: Record | None, after: Record | None) -> None:
        """Write anew what is open of the documents that a payment pays, or paid until now."""
        if entity != "Payment":
            return
        old, new = ledger.applications(before), ledger.applications(after)
        identifier = (after or before or {})["Id"]
        for document in {**old, **new}:
            if old.get(document) == new.get(document):
                continue
            kind, number = document
            record = self.read(kind, number)
            owing = ledger.owed(kind, record)
            links = [linked for linked in record.get("LinkedTxn", ()) if linked["TxnId"] != identifier]
            if document in new:
                links.append({"TxnId": identifier, "TxnType": "Payment"})
            record["LinkedTxn"] = links
            ledger.leave_open(kind, record, self._applied_to(document, links))
            self._save(kind, record)
            self._owe_more(record, ledger.owed(kind, record) - owing)

    def _unapply(self, payment: str, document: tuple[str, str]) -> None:
        """Take a document out of a payment: what it paid becomes unapplied."""
        current = self.read("Payment", payment)
        record = self.read("Payment", payment)
        entity, identifier = document
        gone = {"TxnId": identifier, "TxnType": entity}
        record["Line"] = [line for line in record["Line"] if gone not in _links(line)]
        ledger.settle_payment(record)
        self._post("Payment", record, current)

    def _applied_to(self, document: tuple[str, str], links: Any) -> Decimal:
        payments = (self.read("Payment", linked["TxnId"]) for linked in links)
        return sum((ledger.applications(payment).get(document, ZERO) for payment in payments), ZERO)

    def _owe(self, entity: str, before: Record | None, after: Record | None) -> None:
        """Carry a change of a document over to its customer's balance."""
        for record, sign in ((before, -1), (after, 1)):
            if record is not None:
                self._owe_more(record, sign * ledger.owed(entity, record))

    def _owe_more(self, document: Record, amount: Decimal) -> None:
        """The customer owes more, and with it whoever it belongs to. Its version stays, its time of change does not."""
        reference = document.get("CustomerRef")
        own = True
        while amount and reference:
            customer = self.read("Customer", reference["value"])
            if own:
                customer["Balance"] += amount
            customer["BalanceWithJobs"] += amount
            self.tables["Customer"].put(self._dated(customer, customer, self._stamp), self._stamp)
            reference, own = customer.get("ParentRef"), False

    def _save(self, entity: str, record: Record, *, operation: str = "", deleted_id: str | None = None) -> Record:
        """Keep an object under the next version, and announce it."""
        new = "Id" not in record
        identity = {
            "Id": self.next_id(entity) if new else record["Id"],
            "SyncToken": "0" if new else str(int(record["SyncToken"]) + 1),
        }
        saved = self._dated({**record, **identity}, record, self._stamp)
        self.tables[entity].put(saved, self._stamp)
        operation = operation or ("Create" if new else "Update")
        self._announce(Change(self.realm, entity, saved["Id"], operation, self._stamp, deleted_id))
        return saved

    @staticmethod
    def _dated(record: Record, before: Record | None, stamp: int) -> Record:
        time = calendar.written(stamp)
        created = (before or {}).get("MetaData", {}).get("CreateTime", time)
        return {**record, "MetaData": {"CreateTime": created, "LastUpdatedTime": time}}


def _links(line: Record) -> list[Record]:
    return [{"TxnId": linked["TxnId"], "TxnType": linked["TxnType"]} for linked in line.get("LinkedTxn", ())]
