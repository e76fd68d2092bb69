"""What a connector brought of invoices and payments, as it is read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sync import runs
from sync.land import land
from tenure_sdk import Account, Allocation, CreditNote, Customer, Invoice, OrderLine, Page, Payment, Ref, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from domain.core.database import Database

    Asking = Callable[..., Awaitable[dict[str, Any]]]

ISSUED = datetime(2024, 5, 1, 12, tzinfo=UTC)
ADA = Ref("customer", "1")
MUGS = (OrderLine(quantity=Decimal(2), unit_price=Decimal(10), description="Mugs"),)
LONG_PAST, FAR_OFF = date(2024, 5, 31), date(9999, 1, 1)
RECORDS = (
    Customer(id="1", name="Ada"),
    *(
        Invoice(
            id=number, number=number, occurred_at=ISSUED + timedelta(days=at), customer=ADA, currency="EUR", lines=MUGS,
            due_on=due, balance=Decimal(balance),
        )
        for at, (number, due, balance) in enumerate((("late", LONG_PAST, 20), ("open", FAR_OFF, 20), ("paid", None, 0)))
    ),
    Payment(
        id="p", occurred_at=ISSUED, customer=ADA, currency="EUR", amount=Decimal(25), method="card",
        allocations=tuple(Allocation(invoice=Ref("invoice", id_), amount=Decimal(10)) for id_ in ("paid", "unknown")),
    ),
    CreditNote(
        id="c", occurred_at=ISSUED, customer=ADA, currency="EUR", lines=MUGS[:1], balance=Decimal(10),
        allocations=(Allocation(invoice=Ref("invoice", "paid"), amount=Decimal(10)),),
    ),
)  # fmt: skip


@pytest.fixture
async def landed(database: Database, tenant: UUID) -> None:
    stream = Stream("books", tuple({type(record) for record in RECORDS}), cursor=None, deletes="inline", depends_on=())
    async with database.unit_of_work(tenant) as work:
        integration = await runs.enabled(work, "books", Account("1", "Books"))
        run = await runs.begin(work, integration, stream, mode="FULL")
        await land(work, run, Page(records=RECORDS))


@pytest.mark.usefixtures("landed")
async def test_an_invoice_says_what_is_owed_and_what_settled_it(ask: Asking) -> None:
    answer = await ask(
        """{ invoice(by: {number: "paid"}) { status issuedAt isOverdue total { amount } balance { amount currency }
          order { status lines(first: 5) { nodes { description } } invoice { number } }
          payments(first: 5) { nodes { amount { amount } payment { method unapplied { amount } } } }
          creditNotes(first: 5) { nodes { amount { amount } creditNote { balance { amount } refund { total { amount } }
            } } }
          source { type remoteId } customer { displayName } } }"""
    )
    assert answer["data"]["invoice"] == {
        "status": "PAID",
        "issuedAt": "2024-05-03T12:00:00+00:00",
        "isOverdue": False,
        "total": {"amount": "20.00"},
        "balance": {"amount": "0.00", "currency": "EUR"},
        "order": {
            "status": "COMPLETED", "lines": {"nodes": [{"description": "Mugs"}]}, "invoice": {"number": "paid"}
        },
        "payments": {
            "nodes": [{"amount": {"amount": "10.00"}, "payment": {"method": "card", "unapplied": {"amount": "5.00"}}}]
        },
        "creditNotes": {
            "nodes": [
                {
                    "amount": {"amount": "10.00"},
                    "creditNote": {"balance": {"amount": "10.00"}, "refund": {"total": {"amount": "20.00"}}},
                }
            ]
        },
        "source": {"type": "invoice", "remoteId": "paid"},
        "customer": {"displayName": "Ada"},
    }  # fmt: skip


@pytest.mark.usefixtures("landed")
async def test_a_customers_bills_are_one_purchase_each_and_overdue_by_the_day(ask: Asking) -> None:
    answer = await ask(
        """{ customers(first: 1) { nodes {
          invoices(first: 5, orderBy: [{field: ISSUED_AT}]) { nodes { number isOverdue } }
          payments(first: 5) { nodes { allocations(first: 5) { nodes { invoice { number } } } } }
          orderTotals { orders gross { amount } refunded { amount } } } }
        invoices(first: 5, filter: {dueOn: {lt: "2025-01-01"}, status: {eq: OPEN}}) { nodes { number } } }"""
    )
    (customer,) = answer["data"]["customers"]["nodes"]
    assert customer["invoices"]["nodes"] == [
        {"number": "late", "isOverdue": True},
        {"number": "open", "isOverdue": False},
        {"number": "paid", "isOverdue": False},
    ]
    settled = [each["invoice"] for each in customer["payments"]["nodes"][0]["allocations"]["nodes"]]
    assert sorted(settled, key=str) == [None, {"number": "paid"}]
    assert customer["orderTotals"] == {"orders": 3, "gross": {"amount": "60.00"}, "refunded": {"amount": "20.00"}}
    assert answer["data"]["invoices"]["nodes"] == [{"number": "late"}]


@pytest.mark.usefixtures("landed")
async def test_the_timeline_leads_to_the_documents(ask: Asking) -> None:
    answer = await ask(
        """{ interactions(first: 9, filter: {kind: {in: [PAYMENT_RECEIVED, CREDIT_NOTE_ISSUED, INVOICE_PAID]}}) {
          nodes { kind ... on CommerceInteraction { invoice { number } payment { method } creditNote { number } } }
        } }"""
    )
    nothing: dict[str, Any] = {"invoice": None, "payment": None, "creditNote": None}
    assert sorted(answer["data"]["interactions"]["nodes"], key=lambda node: str(node["kind"])) == [
        {**nothing, "kind": "CREDIT_NOTE_ISSUED", "creditNote": {"number": "c"}},
        {**nothing, "kind": "INVOICE_PAID", "invoice": {"number": "paid"}},
        {**nothing, "kind": "PAYMENT_RECEIVED", "payment": {"method": "card"}},
    ]
