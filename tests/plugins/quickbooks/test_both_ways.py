"""From a company's books into a tenant's database, and back: every amount as it was, every change once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, text

from domain import customers, purchases
from domain.core.due import Jobs
from domain.core.events import DueWork, Reactions
from domain.integrations import actions
from domain.integrations.model import IntegrationState, RunMode, SyncDirection
from plugins.quickbooks.connector import QuickBooks
from sync.heartbeat import Halt
from sync.pull import pull
from sync.registry import Registry
from sync.relay import Relay
from sync.remote import LoopRemote
from sync.signals import fetch_signalled
from sync.troubles import Outcome
from sync.two_way import reactions
from sync.two_way.sending import send
from tenure_sdk import Delivery
from tests.plugins.quickbooks.sandbox.payloads import line, sale

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.database import Database
    from tests.plugins.quickbooks.conftest import Desk


@dataclass
class Books:
    """A tenant whose books are a company's."""

    database: Database
    tenant: UUID
    desk: Desk
    id: UUID
    registry: Registry

    @property
    def remote(self) -> LoopRemote:
        return LoopRemote(QuickBooks, lambda window: self.desk.host.context(window=window))

    async def pull(self, *streams: str, mode: RunMode = RunMode.INCREMENTAL) -> None:
        for stream in streams or [each.name for each in QuickBooks.streams()]:
            pulled = await pull(self.database, self.remote, self.tenant, self.id, stream, mode=mode)
            assert pulled.outcome is Outcome.FINISHED
        await self.react()

    async def react(self) -> None:
        heard = Reactions()
        reactions.register(heard, Jobs(), self.registry)
        await Relay(self.database, heard).drain(self.tenant)

    async def go_round(self) -> int:
        """One round: read, compare, write, and hear of it; how many writes that made."""
        await self.pull("customers")
        sent = await send(self.database, self.remote, self.registry, self.tenant, self.id, Halt())
        await self.react()
        return sent.count

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement; `$t` stands for the tenant's predicate."""
        async with self.database.reading(self.tenant) as reading:
            found = await reading.rows(text(statement.replace("$t", f"tenant_id = '{self.tenant}'")))
        return [tuple(row) for row in found]

    async def sums(self, table: str, *columns: str) -> tuple[Any, ...]:
        added = "".join(f", coalesce(sum({column}), 0)" for column in columns)
        (row,) = await self.rows(f"SELECT count(*){added} FROM {table} WHERE $t AND superseded_at IS NULL")
        return row

    def there(self, entity: str, *properties: str) -> tuple[Any, ...]:
        """How many objects there are, and what some of their properties come to, in cents."""
        rows = list(self.desk.company.records(entity))
        return len(rows), *(int(sum(row[name] for row in rows) * 100) for name in properties)


@pytest.fixture
async def books(database: Database, tenant: UUID, desk: Desk) -> AsyncIterator[Books]:
    async with database.unit_of_work(tenant) as work:
        await actions.enable(work, "quickbooks")
        integration = await actions.create(work, "quickbooks", "Our books")
        await actions.recognise(work, integration, "9130", "Sandbox Company 9130")
        for state in (IntegrationState.CHECKING, IntegrationState.ACTIVE):
            await actions.move(work, integration, state)
        choice = actions.StreamChoice("customers", direction=SyncDirection.TWO_WAY)
        await actions.choose(work, integration, [choice])
    yield Books(database, tenant, desk, integration.id, Registry({"quickbooks": QuickBooks}))
    async with database.directory() as connection:
        await connection.execute(delete(DueWork).where(DueWork.tenant_id == tenant))


async def test_a_company_lands_with_every_amount(books: Books) -> None:
    books.desk.sandbox.fill("9130", customers=30)
    await books.pull()
    assert await books.sums("invoices", "amount", "balance") == books.there("Invoice", "TotalAmt", "Balance")
    assert await books.sums("payments", "amount", "unapplied") == books.there("Payment", "TotalAmt", "UnappliedAmt")
    assert await books.sums("credit_notes", "amount", "balance") == books.there("CreditMemo", "TotalAmt", "Balance")
    receipts, refunds = books.there("SalesReceipt", "TotalAmt"), books.there("RefundReceipt", "TotalAmt")
    bills, notes = books.there("Invoice", "TotalAmt"), books.there("CreditMemo", "TotalAmt")
    assert await books.sums("orders", "amount") == tuple(map(sum, zip(receipts, bills, strict=True)))
    assert await books.sums("refunds", "amount") == tuple(map(sum, zip(refunds, notes, strict=True)))
    paid = "SELECT status, count(*) FROM invoices WHERE $t AND superseded_at IS NULL GROUP BY status"
    settled = sum(not row["Balance"] for row in books.desk.company.records("Invoice"))
    assert dict(await books.rows(paid)) == {"PAID": settled, "OPEN": 90 - settled}
    assert await books.rows("SELECT count(*) FROM customers WHERE $t AND status = 'ACTIVE'") == [(30,)]
    assert await books.rows("SELECT count(*) FROM products WHERE $t AND valid_to IS NULL") == [(10,)]
    days = "SELECT number, CAST(local_day AS text) FROM invoices WHERE $t AND superseded_at IS NULL"
    assert dict(await books.rows(days)) == {
        row["DocNumber"]: row["TxnDate"] for row in books.desk.company.records("Invoice")
    }
    before = await books.rows("SELECT max(id::text) FROM invoices WHERE $t")
    await books.pull(mode=RunMode.FULL)
    assert await books.rows("SELECT max(version), count(*) FROM invoices WHERE $t") == [(1, 90)]
    assert await books.rows("SELECT max(id::text) FROM invoices WHERE $t") == before


async def test_what_changes_there_changes_here(books: Books) -> None:
    desk = books.desk
    desk.sandbox.fill("9130", customers=5)
    await books.pull()
    desk.remote.clock.forward(600)
    owed, other = [row for row in desk.company.records("Invoice") if row["Balance"]][:2]
    customer = owed["CustomerRef"]
    desk.company.create(
        "Payment", CustomerRef=customer, TotalAmt=owed["Balance"],
        Line=[{"Amount": owed["Balance"], "LinkedTxn": [{"TxnId": owed["Id"], "TxnType": "Invoice"}]}],
    )  # fmt: skip
    desk.company.delete("Invoice", other["Id"])
    await books.pull()
    assert await books.sums("invoices", "balance") == books.there("Invoice", "Balance")
    assert await books.sums("payments", "amount") == books.there("Payment", "TotalAmt")
    paid = f"SELECT status, balance FROM invoices WHERE $t AND superseded_at IS NULL AND remote_id = '{owed['Id']}'"
    assert await books.rows(paid) == [("PAID", 0)]


async def test_a_gap_of_a_month_is_closed_by_a_reading_from_the_start(books: Books) -> None:
    books.desk.sandbox.fill("9130", customers=3)
    await books.pull("customers", "invoices")
    books.desk.remote.clock.forward(40 * 86_400)
    await books.pull("invoices")
    runs = await books.rows("SELECT mode FROM sync_runs WHERE $t AND stream = 'invoices' ORDER BY id")
    assert runs == [("INCREMENTAL",), ("INCREMENTAL",), ("FULL",)]
    assert await books.sums("invoices", "balance") == books.there("Invoice", "Balance")


async def test_a_deletion_behind_a_cut_answer_is_found_by_the_reading_from_the_start(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.quickbooks.sandbox.company_api.MOST_CHANGED", 10)
    monkeypatch.setattr("plugins.quickbooks.company.MOST_CHANGES", 10)
    first, *_ = books.desk.remote.seed("invoices", 4)
    await books.pull("customers", "items", "invoices")
    books.desk.remote.clock.forward(600)
    books.desk.company.delete("Invoice", first)
    books.desk.remote.clock.forward(600)
    books.desk.remote.seed("invoices", 12)
    await books.pull("invoices")
    runs = await books.rows("SELECT mode FROM sync_runs WHERE $t AND stream = 'invoices' ORDER BY id")
    assert runs == [("INCREMENTAL",), ("INCREMENTAL",), ("FULL",)]
    here = await books.rows("SELECT remote_id FROM invoices WHERE $t AND superseded_at IS NULL")
    assert {row[0] for row in here} == {row["Id"] for row in books.desk.company.records("Invoice")}
    assert len(here) == 15


async def test_both_sides_write_and_come_to_rest(books: Books) -> None:
    await books.pull("customers")
    async with books.database.unit_of_work(books.tenant) as work:
        amy = await customers.create(
            work, customers.NewCustomer(name="Amy's Bakery", emails=["amy@bakery.example"], phones=["+16505550100"])
        )
        line = purchases.NewLine(description="Tea", quantity=Decimal(1), unit_price=Decimal(5))
        order = purchases.NewOrder(
            customer_id=amy.id, occurred_at=books.database.clock.now(), currency="USD", lines=(line,)
        )
        await purchases.record_order(work, order)
    await books.react()
    drops = iter([True])
    books.desk.sandbox.faults.drop = lambda call: call.method == "POST" and next(drops, False)
    assert await books.go_round() == 1
    (row,) = books.desk.company.records("Customer")
    assert (row["DisplayName"], row["PrimaryEmailAddr"]) == ("Amy's Bakery", {"Address": "amy@bakery.example"})
    books.desk.remote.clock.forward(600)
    books.desk.company.edit("Customer", row["Id"], PrimaryPhone={"FreeFormNumber": "+1 650 555 0199"})
    async with books.database.unit_of_work(books.tenant) as work:
        known = await customers.customer(work, amy.id)
        await customers.update(work, amy.id, known.version, customers.Changes(name="Amy & Sons"))
    await books.react()
    writes = [await books.go_round() for _ in range(4)]
    (row,) = books.desk.company.records("Customer")
    assert (row["DisplayName"], row["PrimaryPhone"]) == ("Amy & Sons", {"FreeFormNumber": "+1 650 555 0199"})
    assert sum(writes) <= 2
    assert writes[2:] == [0, 0]
    here = "SELECT display_name, primary_email, primary_phone FROM customers WHERE $t AND status = 'ACTIVE'"
    assert await books.rows(here) == [("Amy & Sons", "amy@bakery.example", "+16505550199")]
    assert await books.rows("SELECT count(*) FROM sync_conflicts WHERE $t") == [(0,)]


async def test_whom_they_merge_is_one_customer_here(books: Books) -> None:
    desk = books.desk
    keep, lose = desk.customer("Amy's Bakery"), desk.customer("Amy B.")
    item = desk.item()
    desk.company.create("Invoice", **sale(lose, line("10.00", item=item)))
    await books.pull()
    desk.remote.clock.forward(60)
    desk.sandbox.webhooks.url = "https://tenure.example/hooks/app/quickbooks/events"
    desk.company.merge(keep, lose)

    async def post(_url: str, headers: dict[str, str], body: bytes) -> int:
        for signal in QuickBooks().events(Delivery(body, headers)):
            await fetch_signalled(
                books.database, books.remote, books.tenant, books.id, signal.stream, signal.ids, signal.deleted,
                merges=signal.merges,
            )  # fmt: skip
        return 200

    for _ in range(2):
        desk.sandbox.faults.webhook_duplicates = 1
        await desk.sandbox.deliver(post)
    await books.pull()
    (survivor,) = await books.rows("SELECT id, cardinality(member_ids) FROM customers WHERE $t AND status = 'ACTIVE'")
    assert survivor[1] == 2
    links = "SELECT DISTINCT customers.root_id FROM record_links JOIN customers ON customers.id = local_id WHERE"
    assert await books.rows(f"{links} record_links.$t AND customers.$t AND type = 'customer'") == [(survivor[0],)]
    assert await books.rows("SELECT count(*) FROM dead_letters WHERE $t") == [(0,)]
