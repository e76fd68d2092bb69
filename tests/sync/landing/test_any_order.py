"""Bills and what settles them land in any order, on any pages, and the same stands in the end."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.purchases import settle_totals
from sync import runs
from sync.land import land
from tenure_sdk import Account, Allocation, CreditNote, Customer, Invoice, OrderLine, Page, Payment, Record, Ref
from tests.sync.landing.conftest import STREAM

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing

START = datetime(2024, 5, 1, 12, tzinfo=UTC)
WHO = Ref("customer", "1")


def _settles(*amounts: tuple[str, int]) -> tuple[Allocation, ...]:
    return tuple(Allocation(invoice=Ref("invoice", id_), amount=Decimal(amount)) for id_, amount in amounts)


def _at(days: int) -> dict[str, Any]:
    return {"occurred_at": START + timedelta(days=days), "currency": "EUR", "customer": WHO}


LINES = (OrderLine(quantity=Decimal(2), unit_price=Decimal(10)),)
RECORDS: tuple[Record, ...] = (
    Customer(id="1", name="Ada"),
    Invoice(id="a", **_at(0), lines=LINES, balance=Decimal(0), sent_at=START, updated_at=START),
    Invoice(id="b", **_at(1), lines=LINES, status="PAID", updated_at=START),
    Invoice(id="c", **_at(2), lines=LINES, status="VOIDED", updated_at=START),
    Payment(id="p", **_at(3), amount=Decimal(30), allocations=_settles(("a", 20), ("b", 10))),
    Payment(id="q", **_at(9), amount=Decimal(5), allocations=_settles(("c", 5), ("later", 5)), status="FAILED"),
    CreditNote(id="n", **_at(5), lines=LINES, allocations=_settles(("b", 10))),
)

STANDS = {
    "invoices": "SELECT remote_id, status, balance, amount, customer_id IS NULL FROM invoices",
    "orders": "SELECT remote_id, status, amount, line_count FROM orders",
    "refunds": "SELECT remote_id, amount, order_id FROM refunds",
    "payments": "SELECT remote_id, status, amount, unapplied FROM payments",
    "credit_notes": "SELECT remote_id, amount FROM credit_notes",
    "timeline": "SELECT kind, remote_id, occurred_at, summary FROM interactions",
}
SETTLES = """
SELECT p.remote_id, i.remote_id, a.amount FROM payment_allocations a
JOIN payments p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id AND p.version = a.payment_version
LEFT JOIN invoices i ON i.tenant_id = a.tenant_id AND i.id = a.invoice_id AND i.superseded_at IS NULL
WHERE a.tenant_id = :tenant AND p.superseded_at IS NULL ORDER BY 1, 2
"""


@settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(order=st.permutations(RECORDS), cuts=st.lists(st.integers(1, len(RECORDS) - 1), max_size=3))
async def test_the_same_stands_in_the_end(
    database: Database, tenant: UUID, order: list[Record], cuts: list[int]
) -> None:
    places = [0, *sorted(set(cuts)), len(order)]
    with suppress(TakenBack):
        async with database.unit_of_work(tenant) as work:
            integration = await runs.enabled(work, "shop", Account("1", "Shop"))
            run = await runs.begin(work, integration, STREAM, mode="FULL")
            for start, end in pairwise(places):
                await land(work, run, Page(records=tuple(order[start:end])))
            assert await _standing(work) == EXPECTED
            await _check_totals(work)
            raise TakenBack


class TakenBack(Exception):
    """What an example wrote is not kept."""


async def _check_totals(work: Writing) -> None:
    """The totals are those that a rebuild of all customers gives."""
    totals = text("SELECT occasions, orders FROM customer_totals WHERE tenant_id = :tenant")
    assert await work.rows(totals, _of(work)) == [(2, 2)]
    customers = (await work.execute(text("SELECT id FROM customers WHERE tenant_id = :tenant"), _of(work))).scalars()
    await work.execute(text("DELETE FROM customer_totals WHERE tenant_id = :tenant"), _of(work))
    await settle_totals(work, list(customers))
    assert await work.rows(totals, _of(work)) == [(2, 2)]


async def _standing(work: Writing) -> dict[str, Any]:
    found = {}
    for name, statement in STANDS.items():
        current = text(f"{statement} WHERE tenant_id = :tenant AND superseded_at IS NULL ORDER BY 1, 2")
        found[name] = [tuple(row) for row in await work.rows(current, _of(work))]
    found["settles"] = [tuple(row) for row in await work.rows(text(SETTLES), _of(work))]
    return found


def _of(work: Writing) -> dict[str, Any]:
    return {"tenant": work.tenant_id}


def _day(days: int) -> datetime:
    return START + timedelta(days=days)


EXPECTED = {
    "invoices": [("a", "PAID", 0, 2000, False), ("b", "PAID", None, 2000, False), ("c", "VOIDED", None, 2000, False)],
    "orders": [("a", "COMPLETED", 2000, 1), ("b", "COMPLETED", 2000, 1), ("c", "CANCELLED", 2000, 1)],
    "refunds": [("n", 2000, None)],
    "payments": [("p", "RECEIVED", 3000, 0), ("q", "FAILED", 500, -500)],
    "credit_notes": [("n", 2000)],
    "timeline": [
        ("CREDIT_NOTE_ISSUED", "n", _day(5), "Credit note n, 20.00 EUR"),
        ("INVOICE_ISSUED", "a", _day(0), "Invoice a, 1 line, 20.00 EUR"),
        ("INVOICE_ISSUED", "b", _day(1), "Invoice b, 1 line, 20.00 EUR"),
        ("INVOICE_ISSUED", "c", _day(2), "Invoice c, 1 line, 20.00 EUR"),
        ("INVOICE_PAID", "a", _day(3), "Invoice a paid"),
        ("INVOICE_PAID", "b", _day(5), "Invoice b paid"),
        ("INVOICE_SENT", "a", _day(0), "Invoice a sent"),
        ("INVOICE_VOIDED", "c", _day(0), "Invoice c voided"),
        ("PAYMENT_FAILED", "q", _day(9), "Failed payment of 5.00 EUR"),
        ("PAYMENT_RECEIVED", "p", _day(3), "Payment of 30.00 EUR"),
    ],
    "settles": [("p", "a", 2000), ("p", "b", 1000), ("q", "c", 500), ("q", None, 500)],
}
