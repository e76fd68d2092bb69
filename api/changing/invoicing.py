"""What the books are asked for: an invoice, or a change of one. It is shown once they have it."""

from datetime import date, datetime

import strawberry

from api.changes import Around, mutation
from api.changing.inputs import given, id_of, needed, several
from api.changing.records import LineInput
from api.reference import Reference
from api.replays import Done
from api.scalars import CurrencyCode
from domain.core.problems import NotFound
from domain.core.unit_of_work import Writing
from sync.two_way import documents

SCOPE = "integrations:admin purchases:write"


@strawberry.input(description="An invoice that the books shall write.")
class RequestInvoiceInput:
    """An invoice that the books shall write."""

    customer: strawberry.ID = needed("Who is billed.")
    integration: strawberry.ID | None = given("The books; they need be named only where there are several.", None)
    occurred_at: datetime = needed("When it was sold.")
    due_on: date | None = given("The day by which it is to be paid.", None)
    number: str | None = given("Its number; the books make one without it.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineInput] = several("What was sold; stock codes are items of the books.")


@mutation("change", "integrations.OutboundChange", scope=SCOPE, connected=True)
async def request_invoice(work: Writing, asked: RequestInvoiceInput, around: Around) -> Done:
    """Ask the books to bill a customer: the invoice is shown here once they have written it."""
    customer_id = id_of("cus", asked.customer)
    if customer_id is None:
        raise NotFound(path=("customer",))
    new = documents.NewInvoice(
        customer_id=customer_id, occurred_at=asked.occurred_at, currency=asked.currency, number=asked.number,
        due_on=asked.due_on, lines=[line.told() for line in asked.lines],
    )  # fmt: skip
    integration_id = id_of("ing", asked.integration)
    owed = await documents.request_invoice(work, around.switchboard.registry, new, integration_id)
    return Done(Reference("OutboundChange", owed.id))


@strawberry.input(description="What shall be different of an invoice; what is left out stays.")
class RequestInvoiceChangeInput:
    """What shall be different of an invoice."""

    id: strawberry.ID = needed("The invoice.")
    due_on: date | None = given("The day by which it is to be paid.", None)
    number: str | None = given("Its number.", None)
    lines: list[LineInput] | None = given("All of its lines.", None)


@mutation("change", "integrations.OutboundChange", scope=SCOPE, connected=True)
async def request_invoice_change(work: Writing, asked: RequestInvoiceChangeInput, around: Around) -> Done:
    """Ask the books to change an invoice; where they changed the same meanwhile, theirs stays unless an admin chose."""
    invoice_id = id_of("inv", asked.id)
    if invoice_id is None:
        raise NotFound(path=("id",))
    lines = None if asked.lines is None else [line.told() for line in asked.lines]
    changes = documents.Changes(number=asked.number, due_on=asked.due_on, lines=lines)
    owed = await documents.request_change(work, around.switchboard.registry, invoice_id, changes)
    return Done(Reference("OutboundChange", owed.id))
