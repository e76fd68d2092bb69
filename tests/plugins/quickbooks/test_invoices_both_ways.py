"""An invoice is asked for here and written by QuickBooks: once, with what both sides changed, to the right customer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from domain import customers
from domain.integrations import actions, queries
from domain.integrations.model import Ownership, SyncDirection
from domain.purchases import NewLine
from sync.heartbeat import Halt
from sync.two_way import conflicts, documents
from sync.two_way.documents import Changes, NewInvoice
from sync.two_way.sending import send
from tests.plugins.quickbooks.test_both_ways import books

if TYPE_CHECKING:
    from tests.plugins.quickbooks.test_both_ways import Books

__all__ = ["books"]

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


async def test_an_invoice_is_billed_once_to_a_customer_whom_the_books_learn_of(books: Books) -> None:
    await two_way(books)
    sku = await stocked(books)
    ada = await customer(books, "Ada Lovelace")
    await ask(books, NewInvoice(
        customer_id=ada, occurred_at=AT, currency="USD", due_on=date(2026, 4, 3),
        lines=[NewLine(quantity=Decimal(2), unit_price=Decimal("10.50"), sku=sku)],
    ))  # fmt: skip
    for _ in range(3):
        await rest(books)
    (there,) = books.desk.company.records("Invoice")
    assert (there["TotalAmt"], there["DueDate"], there["CustomerRef"]["name"]) == (
        Decimal("21.00"), "2026-04-03", "Ada Lovelace",
    )  # fmt: skip
    said = "number, amount, balance, CAST(due_on AS text), customer_id"
    here = f"SELECT {said} FROM invoices WHERE $t AND superseded_at IS NULL"
    assert await books.rows(here) == [(there["DocNumber"], 2100, 2100, "2026-04-03", ada)]
    assert await books.sums("orders", "amount") == (1, 2100)
    await books.pull()
    assert await books.sums("invoices", "amount") == (1, 2100)


async def test_an_invoice_waits_until_those_there_were_read_once(books: Books) -> None:
    await two_way(books)
    ada = books.desk.customer("Ada Lovelace")
    await books.pull("customers", "items")
    ((billed,),) = await books.rows(f"SELECT local_id FROM record_links WHERE $t AND remote_id = '{ada}'")
    line = NewLine(quantity=Decimal(1), unit_price=Decimal("10.50"), description="Tea")
    new = NewInvoice(customer_id=UUID(str(billed)), occurred_at=AT, currency="USD", lines=[line])
    await ask(books, new)
    await rest(books)
    waits = await books.rows("SELECT status, error FROM outbound_changes WHERE $t")
    assert waits == [("WAITING", "It waits until the stream invoices was read to its end once.")]
    assert list(books.desk.company.records("Invoice")) == []
    await books.pull("invoices")
    assert await books.rows("SELECT status FROM outbound_changes WHERE $t AND next_at IS NULL") == [("WAITING",)]
    await rest(books)
    assert await outcomes(books) == ["SENT"]
    assert len(list(books.desk.company.records("Invoice"))) == 1


async def test_what_both_change_is_merged_and_the_same_field_is_theirs(books: Books) -> None:
    await two_way(books)
    invoice, row = await invoiced(books)
    await change(books, invoice, Changes(due_on=date(2026, 5, 1)))
    books.desk.company.edit("Invoice", row["Id"], PrivateNote="Called them.")
    await rest(books)
    now = books.desk.company.read("Invoice", row["Id"])
    assert (now["DueDate"], now["PrivateNote"]) == ("2026-05-01", "Called them.")
    await change(books, invoice, Changes(due_on=date(2026, 6, 1)))
    books.desk.company.edit("Invoice", row["Id"], DueDate="2026-07-01")
    await rest(books)
    assert books.desk.company.read("Invoice", row["Id"])["DueDate"] == "2026-07-01"
    assert await outcomes(books) == ["SENT", "SUPERSEDED"]
    due = "SELECT CAST(due_on AS text) FROM invoices WHERE $t AND superseded_at IS NULL"
    assert await books.rows(due) == [("2026-07-01",)]
    take_off(books, row, Decimal(1))
    await books.pull("invoices")
    await change(
        books, invoice, Changes(lines=[NewLine(quantity=Decimal(2), unit_price=Decimal(5), description="Tea")])
    )
    take_off(books, row, Decimal(2))
    await rest(books)
    assert [each["Amount"] for each in books.desk.company.read("Invoice", row["Id"])["Line"]][-2] == 2
    assert (await outcomes(books))[2:] == ["SUPERSEDED"]


def take_off(books: Books, row: Any, amount: Decimal) -> None:
    """Have the books take so much off all that stands on an invoice."""
    sold = [each for each in row["Line"] if each["DetailType"] == "SalesItemLineDetail"]
    off = {"Amount": amount, "DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": False}}
    books.desk.company.edit("Invoice", row["Id"], Line=[*sold, off])


async def test_a_person_is_asked_where_the_admin_wants_that(books: Books) -> None:
    row = await in_conflict(books, Changes(due_on=date(2026, 6, 1)))
    assert await outcomes(books) == ["CONFLICTED"]
    assert books.desk.company.read("Invoice", row["Id"])["DueDate"] == "2026-07-01"
    assert await conflicts_of(books) == [("due_on", row["DueDate"], "2026-06-01", "2026-07-01", None)]


async def test_what_is_not_in_conflict_is_sent(books: Books) -> None:
    row = await in_conflict(books, Changes(due_on=date(2026, 6, 1), number="A-17"))
    now = books.desk.company.read("Invoice", row["Id"])
    assert (now["DueDate"], now["DocNumber"]) == ("2026-07-01", "A-17")
    assert await outcomes(books) == ["SENT"]
    assert [each[0] for each in await conflicts_of(books)] == ["due_on"]


@pytest.mark.parametrize(
    ("choice", "value", "due"),
    [("OURS", None, "2026-06-01"), ("THEIRS", None, "2026-07-01"), ("VALUE", "2026-08-01", "2026-08-01")],
)
async def test_a_conflict_ends_with_what_a_person_chooses(
    books: Books, choice: str, value: str | None, due: str
) -> None:
    row = await in_conflict(books, Changes(due_on=date(2026, 6, 1)))
    await resolve(books, choice, value)
    await rest(books)
    assert books.desk.company.read("Invoice", row["Id"])["DueDate"] == due
    here = "SELECT CAST(due_on AS text) FROM invoices WHERE $t AND superseded_at IS NULL"
    assert await books.rows(here) == [(due,)]
    assert await outcomes(books) == ["SUPERSEDED", "SENT"][: 1 if choice == "THEIRS" else 2]
    assert [each[-1] for each in await conflicts_of(books)] == [choice]


async def test_what_was_asked_for_before_and_is_not_sent_yet_goes_out_with_what_is_asked_for_next(books: Books) -> None:
    await two_way(books, due_on=Ownership.MANUAL, number=Ownership.MANUAL)
    invoice, row = await invoiced(books)
    await change(books, invoice, Changes(due_on=date(2026, 6, 1), number="A-16"))
    await change(books, invoice, Changes(number="A-17"))
    books.desk.company.edit("Invoice", row["Id"], DueDate="2026-07-01", DocNumber="B-1")
    await rest(books)
    assert [each[2] for each in await conflicts_of(books)] == ["2026-06-01", "A-17"]
    await resolve(books, "OURS", None)
    await rest(books)
    now = books.desk.company.read("Invoice", row["Id"])
    assert (now["DueDate"], now["DocNumber"]) == ("2026-06-01", "A-17")


async def test_a_value_that_is_none_resolves_nothing(books: Books) -> None:
    await in_conflict(books, Changes(due_on=date(2026, 6, 1)))
    with pytest.raises(documents.NoSuchValue, match="such as 2026-03-31"):
        await resolve(books, "VALUE", "soon")
    assert [each[-1] for each in await conflicts_of(books)] == [None]


async def in_conflict(books: Books, changes: Changes) -> Any:
    """An invoice of whose day both sides have said something else, which a person decides about; as it was before."""
    await two_way(books, due_on=Ownership.MANUAL)
    invoice, row = await invoiced(books)
    await change(books, invoice, changes)
    books.desk.company.edit("Invoice", row["Id"], DueDate="2026-07-01")
    await rest(books)
    return row


async def conflicts_of(books: Books) -> Any:
    said = "field, base -> 'value' ->> 0, ours ->> 'value', theirs ->> 'value', resolution"
    return await books.rows(f"SELECT {said} FROM sync_conflicts WHERE $t ORDER BY field")


async def resolve(books: Books, choice: str, value: str | None) -> None:
    for (id_,) in await books.rows("SELECT id FROM sync_conflicts WHERE $t AND resolution IS NULL"):
        async with books.database.unit_of_work(books.tenant) as work:
            await conflicts.resolve(work, books.registry, UUID(str(id_)), conflicts.Choice(choice), value)


async def test_what_the_books_cannot_take_is_refused_at_once(books: Books) -> None:
    ada = await customer(books, "Ada Lovelace")
    line = NewLine(quantity=Decimal(1), unit_price=Decimal(1), sku="NOBODY-SELLS-THIS")
    new = NewInvoice(customer_id=ada, occurred_at=AT, currency="USD", lines=[line])
    with pytest.raises(documents.NoBooks):
        await ask(books, new)
    await two_way(books)
    with pytest.raises(documents.NotInTheBooks, match="no item NOBODY-SELLS-THIS"):
        await ask(books, new)
    assert await outcomes(books) == []


async def two_way(books: Books, **ownership: Ownership) -> None:
    async with books.database.unit_of_work(books.tenant) as work:
        integration = await queries.integration(work, books.id, lock=True)
        choice = actions.StreamChoice("invoices", direction=SyncDirection.TWO_WAY, ownership=ownership)
        await actions.choose(work, integration, [choice])


async def stocked(books: Books) -> str:
    """Something that the books sell."""
    books.desk.sandbox.fill("9130", customers=1, invoices_each=0, others=False)
    await books.pull()
    (row, *_) = await books.rows("SELECT sku FROM products WHERE $t AND valid_to IS NULL ORDER BY sku")
    return str(row[0])


async def customer(books: Books, name: str) -> UUID:
    async with books.database.unit_of_work(books.tenant) as work:
        return (await customers.create(work, customers.NewCustomer(name=name))).id


async def ask(books: Books, new: NewInvoice) -> None:
    async with books.database.unit_of_work(books.tenant) as work:
        await documents.request_invoice(work, books.registry, new)


async def change(books: Books, invoice: UUID, changes: Changes) -> None:
    async with books.database.unit_of_work(books.tenant) as work:
        await documents.request_change(work, books.registry, invoice, changes)


async def invoiced(books: Books) -> tuple[UUID, Any]:
    """An invoice of the books, and as they have it."""
    books.desk.sandbox.fill("9130", customers=1, invoices_each=1, settled=0.0, others=False)
    await books.pull()
    ((id_,),) = await books.rows("SELECT id FROM invoices WHERE $t AND superseded_at IS NULL")
    (row,) = books.desk.company.records("Invoice")
    return UUID(str(id_)), row


async def rest(books: Books) -> None:
    await books.react()
    async with books.database.unit_of_work(books.tenant) as work:
        from sqlalchemy import update

        from domain.integrations.model import OutboundChange

        await work.execute(update(OutboundChange).where(OutboundChange.tenant_id == books.tenant).values(next_at=None))
    await send(books.database, books.remote, books.registry, books.tenant, books.id, Halt())
    await books.react()


async def outcomes(books: Books) -> list[str]:
    return [str(row[0]) for row in await books.rows("SELECT status FROM outbound_changes WHERE $t ORDER BY id")]
