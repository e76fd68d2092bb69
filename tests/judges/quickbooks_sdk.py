"""Run by the judges' Python: python-quickbooks, unmodified, works with the sandbox as it does with QuickBooks."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from courtroom import hold, raised
from intuitlib.client import AuthClient
from quickbooks import QuickBooks
from quickbooks.batch import batch_create
from quickbooks.cdc import change_data_capture
from quickbooks.exceptions import ObjectNotFoundException, QuickbooksException, ValidationException
from quickbooks.objects import (
    CreditMemo,
    Customer,
    EmailAddress,
    Invoice,
    Item,
    LinkedTxn,
    Payment,
    PaymentLine,
    SalesItemLine,
    SalesItemLineDetail,
)

REALM = "9130"


def client(brief: dict[str, Any]) -> QuickBooks:
    oauth = AuthClient(
        brief["client_id"],
        brief["client_secret"],
        "https://tenure.example/oauth/callback",
        "sandbox",
        access_token=brief["tokens"]["access_token"],
    )
    books = QuickBooks(
        auth_client=oauth,
        refresh_token=brief["tokens"]["refresh_token"],
        company_id=REALM,
        minorversion=75,
        use_decimal=True,
    )
    books.session.verify = brief["authority"]
    return books


def new_customer(books: QuickBooks, **properties: Any) -> Customer:
    customer = Customer()
    customer.DisplayName = f"Judged {uuid.uuid4()}"
    for name, value in properties.items():
        setattr(customer, name, value)
    return customer.save(qb=books)


def new_invoice(books: QuickBooks, customer: Customer, amount: str = "75.50") -> Invoice:
    line = SalesItemLine()
    line.Amount = Decimal(amount)
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef = Item.all(max_results=1, qb=books)[0].to_ref()
    line.SalesItemLineDetail.Qty = 1
    line.SalesItemLineDetail.UnitPrice = Decimal(amount)
    invoice = Invoice()
    invoice.CustomerRef = customer.to_ref()
    invoice.TotalAmt = None
    invoice.Line = [line]
    return invoice.save(qb=books)


def judges_query(brief: dict[str, Any]) -> None:
    books = client(brief)
    wanted = Customer.get(7, qb=books)
    assert wanted.PrimaryEmailAddr.Address
    assert [each.Id for each in Customer.filter(DisplayName=wanted.DisplayName, qb=books)] == ["7"]
    assert sorted(int(each.Id) for each in Customer.choose([3, 5, 8], qb=books)) == [3, 5, 8]
    assert Customer.where("Id = '0'", qb=books) == []
    assert Customer.count(qb=books) >= 250
    named = Customer.where("DisplayName LIKE '%Bakery%' AND Active = true", order_by="DisplayName DESC", qb=books)
    assert [each.DisplayName for each in named] == sorted((each.DisplayName for each in named), reverse=True)


def judges_an_inactive_customer(brief: dict[str, Any]) -> None:
    books = client(brief)
    customer = new_customer(books)
    customer.Active = False
    customer.save(qb=books)
    assert Customer.filter(DisplayName=customer.DisplayName, qb=books) == []
    assert len(Customer.filter(DisplayName=customer.DisplayName, Active=False, qb=books)) == 1


def judges_paging(brief: dict[str, Any]) -> None:
    books = client(brief)
    total = Invoice.count(qb=books)
    assert len(Invoice.all(qb=books)) == 100
    seen: list[str] = []
    while page := Invoice.all(
        order_by="MetaData.LastUpdatedTime", start_position=len(seen) + 1, max_results=300, qb=books
    ):
        seen += [invoice.Id for invoice in page]
    assert len(seen) == len(set(seen)) == total


def judges_create_and_read(brief: dict[str, Any]) -> None:
    books = client(brief)
    address = EmailAddress()
    address.Address = "نگار@example.org"
    customer = new_customer(books, PrimaryEmailAddr=address, Notes="پیش از ظهر")
    again = Customer.get(customer.Id, qb=books)
    assert (again.PrimaryEmailAddr.Address, again.Notes) == ("نگار@example.org", "پیش از ظهر")
    assert again.SyncToken == "0"


def judges_a_full_update(brief: dict[str, Any]) -> None:
    books = client(brief)
    customer = new_customer(books, Notes="to be lost", GivenName="Amy")
    customer.Notes = None
    saved = customer.save(qb=books)
    assert (saved.SyncToken, saved.GivenName) == ("1", "Amy")
    assert Customer.get(customer.Id, qb=books).Notes == ""


def judges_a_sparse_update(brief: dict[str, Any]) -> None:
    books = client(brief)
    customer = new_customer(books, Notes="kept", GivenName="Amy")
    only = Customer()
    for name in list(vars(only)):
        setattr(only, name, None)
    only.Id, only.SyncToken, only.sparse, only.GivenName = customer.Id, customer.SyncToken, True, "Bea"
    only.save(qb=books)
    again = Customer.get(customer.Id, qb=books)
    assert (again.GivenName, again.Notes, again.SyncToken) == ("Bea", "kept", "1")


def judges_a_stale_object(brief: dict[str, Any]) -> None:
    books = client(brief)
    customer = new_customer(books)
    other = Customer.get(customer.Id, qb=books)
    other.Notes = "first"
    other.save(qb=books)
    customer.Notes = "second"
    refused = raised(QuickbooksException, lambda: customer.save(qb=books))
    assert (type(refused), refused.error_code) == (QuickbooksException, 5010)
    assert Customer.get(customer.Id, qb=books).Notes == "first"


def judges_refusals(brief: dict[str, Any]) -> None:
    books = client(brief)
    customer = new_customer(books)
    refusals = {
        6240: lambda: new_customer(books, DisplayName=customer.DisplayName),
        2020: lambda: new_customer(books, DisplayName=""),
        4000: lambda: Customer.where("Id = '1' OR Id = '2'", qb=books),
        4001: lambda: Customer.where("Shoe = '1'", qb=books),
        610: lambda: Customer.get(99999, qb=books),
    }
    kinds = {
        2020: ValidationException,
        4000: ValidationException,
        4001: ValidationException,
        610: ObjectNotFoundException,
    }
    for code, call in refusals.items():
        refused = raised(QuickbooksException, call)
        assert refused.error_code == code, refused
        assert type(refused) is kinds.get(code, QuickbooksException)


def judges_a_repeated_request(brief: dict[str, Any]) -> None:
    books = client(brief)
    customer = Customer()
    customer.DisplayName = f"Judged {uuid.uuid4()}"
    request = str(uuid.uuid4())
    first = customer.save(qb=books, request_id=request)
    customer.Id = None
    assert customer.save(qb=books, request_id=request).Id == first.Id


def judges_a_paid_invoice(brief: dict[str, Any]) -> None:
    books = client(brief)
    customer = new_customer(books)
    invoice = new_invoice(books, customer)
    assert (invoice.TotalAmt, invoice.Balance) == (Decimal("75.50"), Decimal("75.50"))
    line = PaymentLine()
    line.Amount = Decimal("50.25")
    line.LinkedTxn = [LinkedTxn()]
    line.LinkedTxn[0].TxnId, line.LinkedTxn[0].TxnType = invoice.Id, "Invoice"
    payment = Payment()
    payment.CustomerRef, payment.TotalAmt, payment.Line = customer.to_ref(), Decimal("60.00"), [line]
    payment = payment.save(qb=books)
    assert payment.UnappliedAmt == Decimal("9.75")
    again = Invoice.get(invoice.Id, qb=books)
    assert (again.Balance, again.LinkedTxn[0].TxnId) == (Decimal("25.25"), payment.Id)
    assert Customer.get(customer.Id, qb=books).Balance == Decimal("15.50")
    payment.void(qb=books)
    assert Invoice.get(invoice.Id, qb=books).Balance == Decimal("75.50")


def judges_a_void_invoice(brief: dict[str, Any]) -> None:
    books = client(brief)
    invoice = new_invoice(books, new_customer(books))
    invoice.void(qb=books)
    again = Invoice.get(invoice.Id, qb=books)
    assert (again.TotalAmt, again.Balance, again.PrivateNote) == (0, 0, "Voided")


def judges_change_data_capture(brief: dict[str, Any]) -> None:
    books = client(brief)
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    customer = new_customer(books)
    kept, gone = new_invoice(books, customer), new_invoice(books, customer)
    gone.delete(qb=books)
    changed = change_data_capture([Customer, Invoice, CreditMemo], since.isoformat(), qb=books)
    assert customer.Id in {each.Id for each in changed.Customer}
    found = {each.Id: getattr(each, "status", None) for each in changed.Invoice}
    assert (found[kept.Id], found[gone.Id]) == (None, "Deleted")
    assert not hasattr(changed, "CreditMemo")


def judges_a_batch(brief: dict[str, Any]) -> None:
    books = client(brief)
    customers = [Customer() for _ in range(35)]
    for customer in customers:
        customer.DisplayName = f"Judged {uuid.uuid4()}"
    customers[3].DisplayName = customers[4].DisplayName
    done = batch_create(customers, qb=books)
    assert (len(done.successes), len(done.faults)) == (34, 1)
    assert done.faults[0].Error[0].code == "6240"


def judges_sending_an_invoice(brief: dict[str, Any]) -> None:
    books = client(brief)
    invoice = new_invoice(books, new_customer(books))
    invoice.send(qb=books, send_to="someone+else@example.org")
    again = Invoice.get(invoice.Id, qb=books)
    assert (again.EmailStatus, again.BillEmail.Address) == ("EmailSent", "someone+else@example.org")


def judges_a_deleted_invoice(brief: dict[str, Any]) -> None:
    books = client(brief)
    invoice = new_invoice(books, new_customer(books))
    answer = invoice.delete(qb=books)
    assert answer["Invoice"] == {"Id": invoice.Id, "status": "Deleted", "domain": "QBO"}
    assert raised(ObjectNotFoundException, lambda: Invoice.get(invoice.Id, qb=books)).error_code == 610


def judges_a_notification(brief: dict[str, Any]) -> None:
    books = client(brief)
    told = brief["notification"]
    assert books.validate_webhook_signature(told["body"], told["signature"], told["verifier_token"])
    assert not books.validate_webhook_signature(told["body"] + " ", told["signature"], told["verifier_token"])


hold(globals())
