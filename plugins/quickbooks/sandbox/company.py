"""One company's books: what the API and a person working in QuickBooks can do to them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from plugins.quickbooks.sandbox import calendar, ledger, refusals
from plugins.quickbooks.sandbox.completing import complete
from plugins.quickbooks.sandbox.entities import ENTITIES
from plugins.quickbooks.sandbox.ledger import ZERO
from plugins.quickbooks.sandbox.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from decimal import Decimal

    from plugins.quickbooks.sandbox.entities import Entity, Record

ACCOUNTS = (
    ("35", "Checking", "Bank", "Checking", "Asset"),
    ("79", "Sales of Product Income", "Income", "SalesOfProductIncome", "Revenue"),
    ("84", "Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable", "Asset"),
    ("4", "Undeposited Funds", "Other Current Asset", "UndepositedFunds", "Asset"),
)


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

    def merge(self, keep: str, lose: str) -> Record:
        """One customer in place of two: documents of the other become the kept one's, the other is gone."""
        lost = self.read("Customer", lose)
        if lose in self.above(keep) or keep == lose:
            raise refusals.against_the_rules("A customer cannot be merged into itself or one that belongs to it")
        self._carry(lost.get("ParentRef"), -lost["BalanceWithJobs"])
        self._move_documents(lose, keep)
        for each in list(self.records("Customer")):
            if each.get("ParentRef", {}).get("value") == lose:
                self._save("Customer", {**each, "ParentRef": {"value": keep}})
        self.tables["Customer"].delete(int(lose), self._stamp)
        self._carry({"value": keep}, lost["BalanceWithJobs"])
        kept = self.read("Customer", keep)
        kept["Balance"] += lost["Balance"]
        return self._save("Customer", kept, operation="Merge", deleted_id=lose)

    def above(self, customer: str) -> list[str]:
        """The ids of those that a customer belongs to, the nearest first."""
        ids: list[str] = []
        while parent := self.read("Customer", ids[-1] if ids else customer).get("ParentRef"):
            ids.append(parent["value"])
        return ids

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
        complete(self, kind, record, new=current is None)
        if current and current.get("LinkedTxn") and record["CustomerRef"]["value"] != current["CustomerRef"]["value"]:
            raise refusals.against_the_rules("The transaction has payments applied: its customer cannot change")
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

    def next_address_id(self) -> str:
        """An id that no address has had."""
        return str(next(self._address_ids))

    def next_number(self, entity: str) -> str:
        """A document number that is not in use."""
        return next(number for number in map(str, self._numbers) if not self.tables[entity].found("DocNumber", number))

    def applied_to(self, document: tuple[str, str], links: Iterable[Record]) -> Decimal:
        """What payments have applied to a document that links to them."""
        payments = (self.read("Payment", linked["TxnId"]) for linked in links)
        return sum((ledger.applications(payment).get(document, ZERO) for payment in payments), ZERO)

    @property
    def today(self) -> str:
        """The company's date."""
        return calendar.day_of(self._stamp)

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

    def _post(self, entity: str, record: Record, current: Record | None, operation: str = "") -> Record:
        """Save an object with all that follows from it: what is open of documents, and what the customer owes."""
        if entity == "Payment":
            self._check_applications(record, current)
        if entity == "Customer" and current and record.get("ParentRef") != current.get("ParentRef"):
            self._carry(current.get("ParentRef"), -current["BalanceWithJobs"])
            self._carry(record.get("ParentRef"), current["BalanceWithJobs"])
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
            if not 0 <= amount <= document["Balance"] + before.get((entity, identifier), ZERO):
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
            ledger.leave_open(kind, record, self.applied_to(document, links))
            self._save(kind, record)
            self._owe_more(record, ledger.owed(kind, record) - owing)

    def _move_documents(self, customer: str, other: str) -> None:
        """Documents of one customer become those of another; the balances stay as they are."""
        reference = {"value": other, "name": self.read("Customer", other)["DisplayName"]}
        for name, table in self.tables.items():
            if "CustomerRef" in table.entity.looked_up:
                for number in list(table.found("CustomerRef", customer)):
                    self._save(name, {**table.rows[number].record, "CustomerRef": reference})

    def _unapply(self, payment: str, document: tuple[str, str]) -> None:
        """Take a document out of a payment: what it paid becomes unapplied."""
        current = self.read("Payment", payment)
        record = self.read("Payment", payment)
        entity, identifier = document
        gone = {"TxnId": identifier, "TxnType": entity}
        record["Line"] = [line for line in record["Line"] if gone not in _links(line)]
        ledger.settle_payment(record)
        self._post("Payment", record, current)

    def _owe(self, entity: str, before: Record | None, after: Record | None) -> None:
        """Carry a change of a document over to its customer's balance."""
        for record, sign in ((before, -1), (after, 1)):
            if record is not None:
                self._owe_more(record, sign * ledger.owed(entity, record))

    def _owe_more(self, document: Record, amount: Decimal) -> None:
        """The customer of a document owes more."""
        reference = document.get("CustomerRef")
        if amount and reference:
            customer = self.read("Customer", reference["value"])
            customer["Balance"] += amount
            self._put_balance(customer)
            self._carry(reference, amount)

    def _carry(self, reference: Record | None, amount: Decimal) -> None:
        """A customer owes more together with those that belong to it, and so does whoever it belongs to."""
        while amount and reference:
            customer = self.read("Customer", reference["value"])
            customer["BalanceWithJobs"] += amount
            self._put_balance(customer)
            reference = customer.get("ParentRef")

    def _put_balance(self, customer: Record) -> None:
        """A balance changes a customer's time of change, and not its version."""
        self.tables["Customer"].put(self._dated(customer, customer, self._stamp), self._stamp)

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
