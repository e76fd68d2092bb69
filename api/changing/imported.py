"""Records of another system as GraphQL inputs: each is written out as a connector would write it."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import strawberry

from api.changing.customers import AddressInput, AttributeInput, IdentifierInput
from api.changing.inputs import given, needed, several
from api.scalars import CurrencyCode
from domain.costs.rules import AllocationRule, CostCategory
from domain.customers.model import CustomerKind
from domain.interactions.model import Direction, InteractionKind
from domain.purchases.contracts import ContractEventKind
from domain.purchases.model import InvoiceStatus, OrderKind, OrderStatus, PaymentStatus
from domain.purchases.opportunities import OpportunityStatus
from tenure_sdk import PAYLOADS, party


@strawberry.input(description="A customer as the source describes it; what it no longer says, ends.")
class CustomerRecordInput:
    """A customer's record."""

    id: str = needed("The id at the source.")
    kind: CustomerKind = given("A person or an organisation.", CustomerKind.PERSON)
    name: str | None = given("The name to show.", None)
    emails: list[str] = several("E-mail addresses, the primary one first.")
    phones: list[str] = several("Phone numbers, the primary one first.")
    addresses: list[AddressInput] = several("Postal addresses, the primary one first.")
    identities: list[IdentifierInput] = several("Further identifiers.")
    organisation: str | None = given("The id at the source of the organisation that it belongs to.", None)
    department: str | None = given("The key of the department that looks after it; made where there is none.", None)
    attributes: list[AttributeInput] = several("Values of the tenant's attributes.")

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        values = {each.key: each.value.told() if each.value else None for each in self.attributes}
        return {
            "id": self.id, "kind": self.kind, "name": self.name, "emails": self.emails, "phones": self.phones,
            "addresses": [vars(address) for address in self.addresses],
            "identities": [vars(identifier.told()) for identifier in self.identities],
            "organisation": _ref("customer", self.organisation), "department": self.department,
            "attributes": {key: _text(value) for key, value in values.items()},
        }  # fmt: skip


@strawberry.input(description="A product as the source describes it.")
class ProductRecordInput:
    """A product's record."""

    id: str = needed("The id at the source.")
    sku: str = needed("The stock code.")
    name: str | None = given("What it is.", None)
    family: str | None = given("The key of the family that it belongs to; made where there is none.", None)
    tier_rank: int | None = given("Its rank in the family; a higher one later is an upsell.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return vars(self)


@strawberry.input(description="A line of a record.")
class LineRecordInput:
    """A line of a record."""

    sku: str | None = given("The stock code of what was bought.", None)
    description: str | None = given("What the document says was bought.", None)
    quantity: Decimal = given("How many.", Decimal(1))
    unit_price: Decimal = needed("What one costs.")
    discount: Decimal = given("Taken off the line.", Decimal(0))
    tax: Decimal | None = given("Tax on the line, not in its amount.", None)
    cost: Decimal | None = given("What the goods of the line cost; nothing is not the same as not known.", None)

    def plain(self) -> dict[str, Any]:
        """The line as connectors write it."""
        return {
            "product": _ref("product", self.sku), "description": self.description, "quantity": self.quantity,
            "unit_price": self.unit_price, "discount": self.discount, "tax": self.tax, "cost": self.cost,
        }  # fmt: skip


@strawberry.input(description="An order as the source writes it.")
class OrderRecordInput:
    """An order's record."""

    id: str = needed("The id at the source.")
    kind: OrderKind = given("A sale or an adjustment.", OrderKind.SALE)
    status: OrderStatus = given("How far it has come.", OrderStatus.COMPLETED)
    number: str | None = given("The number that people call it by.", None)
    occurred_at: datetime = needed("When it happened.")
    customer: str | None = given("The id of the customer at the source; nobody need be known.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineRecordInput] = several("Its lines; without them, give a total.")
    total: Decimal | None = given("The total; with lines it is checked.", None)
    units: Decimal | None = given("How many units, where there are no lines.", None)
    channel: str | None = given("Where it was placed.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**_document(self), "kind": self.kind, "status": self.status, "channel": self.channel}


@strawberry.input(description="A refund as the source writes it.")
class RefundRecordInput:
    """A refund's record."""

    id: str = needed("The id at the source.")
    number: str | None = given("The number that people call it by.", None)
    occurred_at: datetime = needed("When it happened.")
    customer: str | None = given("The id of the customer at the source.", None)
    order: str | None = given("The id at the source of the order that it gives back, where that is known.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineRecordInput] = several("What was given back; without lines, give a total.")
    total: Decimal | None = given("The total; with lines it is checked.", None)
    units: Decimal | None = given("How many units, where there are no lines.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**_document(self), "order": _ref("order", self.order)}


@strawberry.input(description="An invoice as the source writes it; it is the sale itself.")
class InvoiceRecordInput:
    """An invoice's record."""

    id: str = needed("The id at the source.")
    status: InvoiceStatus = given("How far it has come.", InvoiceStatus.OPEN)
    number: str | None = given("The number that people call it by.", None)
    occurred_at: datetime = needed("When it was issued.")
    customer: str | None = given("The id of the customer at the source.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineRecordInput] = several("Its lines; without them, give a total.")
    total: Decimal | None = given("The total; with lines it is checked.", None)
    units: Decimal | None = given("How many units, where there are no lines.", None)
    due_on: date | None = given("The day by which it is to be paid.", None)
    balance: Decimal | None = given("What is still owed, where that is known.", None)
    sent_at: datetime | None = given("When it was sent to the customer.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        own = {"status": self.status, "due_on": self.due_on, "balance": self.balance, "sent_at": self.sent_at}
        return {**_document(self), **own}


@strawberry.input(description="Which part of a payment or a credit note settles which invoice.")
class AllocationRecordInput:
    """A part of a payment or a credit note."""

    invoice: str = needed("The id of the invoice at the source.")
    amount: Decimal = needed("How much of it is settled.")

    def plain(self) -> dict[str, Any]:
        """The part as connectors write it."""
        return {"invoice": _ref("invoice", self.invoice), "amount": self.amount}


@strawberry.input(
    description="Money that came in, as the source writes it; what is not allocated is to the customer's credit."
)
class PaymentRecordInput:
    """A payment's record."""

    id: str = needed("The id at the source.")
    number: str | None = given("The reference or the number that people call it by.", None)
    occurred_at: datetime = needed("When the money came in.")
    customer: str | None = given("The id of the customer at the source.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    amount: Decimal = needed("How much came in.")
    allocations: list[AllocationRecordInput] = several("Which invoices it pays.")
    method: str | None = given("How it was paid.", None)
    status: PaymentStatus = given("Whether the money came in.", PaymentStatus.RECEIVED)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**vars(self), "customer": _ref("customer", self.customer), "allocations": _parts(self.allocations)}


@strawberry.input(
    description="A sale that is taken back in part or whole, as the source writes it; it counts as a refund."
)
class CreditNoteRecordInput:
    """A credit note's record."""

    id: str = needed("The id at the source.")
    number: str | None = given("The number that people call it by.", None)
    occurred_at: datetime = needed("When it was issued.")
    customer: str | None = given("The id of the customer at the source.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    lines: list[LineRecordInput] = several("What was given back; without lines, give a total.")
    total: Decimal | None = given("The total; with lines it is checked.", None)
    units: Decimal | None = given("How many units, where there are no lines.", None)
    allocations: list[AllocationRecordInput] = several("Which invoices it settles.")
    balance: Decimal | None = given("What of it is not used yet, where that is known.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**_document(self), "allocations": _parts(self.allocations), "balance": self.balance}


@strawberry.input(description="What one currency was worth in another on a day; a corrected rate counts from then on.")
class ExchangeRateRecordInput:
    """An exchange rate's record: the day and the two currencies are its name."""

    day: date = needed("The day.")
    base: CurrencyCode = needed("The currency of which one unit is meant.")
    quote: CurrencyCode = needed("The currency in which it is told.")
    rate: Decimal = needed("How many units of the second it was worth.")

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        name = f"{self.day.isoformat()} {self.base} {self.quote}"
        return {"id": name, "date": self.day, "base": self.base, "quote": self.quote, "rate": self.rate}


@strawberry.input(description="Something that happened to a contract; what it does not say stays as it was.")
class ContractEventRecordInput:
    """Something that happened to a contract."""

    kind: ContractEventKind = needed("What happened.")
    occurred_at: datetime = needed("When it took effect.")
    mrr: Decimal | None = given("The monthly recurring revenue after it; a START needs it.", None)
    term_starts_on: date | None = given("The first day of the term.", None)
    term_ends_on: date | None = given("The day on which the term is due for renewal.", None)
    product: str | None = given("The id at the source of what is bought after it.", None)
    family: str | None = given("The key of a product family, where no product is named.", None)
    plan: str | None = given("The plan after it.", None)

    def plain(self) -> dict[str, Any]:
        """The event as connectors write it."""
        return {**vars(self), "product": _ref("product", self.product)}


@strawberry.input(description="A contract as the source tells it: everything that happened to it so far.")
class ContractRecordInput:
    """A contract's record."""

    id: str = needed("The id at the source.")
    number: str | None = given("The number that people call it by.", None)
    customer: str | None = given("The id of the customer at the source.", None)
    currency: CurrencyCode = needed("The currency of its amounts.")
    events: list[ContractEventRecordInput] = needed("What happened to it, in any order; the first is its START.")

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        events = [event.plain() for event in self.events]
        return {**vars(self), "customer": _ref("customer", self.customer), "events": events}


@strawberry.input(description="A sale that may come about, as the source tells it.")
class OpportunityRecordInput:
    """An opportunity's record."""

    id: str = needed("The id at the source.")
    number: str | None = given("The number that people call it by.", None)
    customer: str | None = given("The id of the customer at the source.", None)
    opened_at: datetime = needed("When it was opened.")
    status: OpportunityStatus = given("Whether it is open, won or lost.", OpportunityStatus.OPEN)
    closed_at: datetime | None = given("When it was won or lost.", None)
    amount: Decimal | None = given("What it may bring; with its currency.", None)
    currency: CurrencyCode | None = given("The currency of the amount.", None)
    probability: Decimal | None = given("How likely it is to be won, from 0 to 1.", None)
    stage: str | None = given("Where it stands in the pipeline.", None)
    expected_close_on: date | None = given("The day on which it is expected to be closed.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**vars(self), "customer": _ref("customer", self.customer)}


@strawberry.input(description="Money that was spent, as the source tells it.")
class CostRecordInput:
    """A cost's record."""

    id: str = needed("The id at the source.")
    category: CostCategory = needed("What the money was spent for.")
    amount: Decimal = needed("How much; below zero it corrects others.")
    currency: CurrencyCode = needed("The currency of the amount.")
    description: str | None = given("What it was, in a line.", None)
    starts_on: date = needed("The first day that it was spent for.")
    ends_on: date | None = given("The day after the last one; without it, it is one day.", None)
    customer: str | None = given("The id at the source of the customer who alone bears it.", None)
    campaign: str | None = given("The key of the campaign that it was spent on.", None)
    case: str | None = given("The id at the source of the support case that it was spent on.", None)
    department: str | None = given("The key of the department that spent it; made where there is none.", None)
    rule: AllocationRule | None = given("How it is shared among customers.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        return {**vars(self), "customer": _ref("customer", self.customer)}


@strawberry.input(description="What an interaction's record holds beside its kind; what does not fit it is refused.")
class PayloadRecordInput:
    """What an interaction's record holds."""

    subject: str | None = given("The subject line of an e-mail.")
    text: str | None = given("What a message, note or review says.")
    title: str | None = given("What a meeting, task, case or envelope is about.")
    sender: str | None = given("Who wrote.")
    recipients: list[str] | None = given("To whom it went.")
    message_id: str | None = given("An e-mail's identifier in the world (RFC 5322).")
    campaign: str | None = given("The key of the campaign that it belongs to.")
    link: str | None = given("The address that was clicked.")
    status: str | None = given("How far it has come, in the source's word.")
    caller: str | None = given("Who called.")
    callee: str | None = given("Who was called.")
    seconds: int | None = given("How long a call lasted.")
    outcome: str | None = given("How a call ended.")
    recording_url: str | None = given("Where a call's recording is.")
    ends_at: datetime | None = given("When a meeting ends.")
    attendees: list[str] | None = given("Who takes part in a meeting.")
    location: str | None = given("Where a meeting takes place.")
    envelope: str | None = given("The id at the source of an envelope: its steps belong together.")
    signers: list[str] | None = given("Who signs an envelope.")
    reason: str | None = given("Why an envelope was declined or voided.")
    case: str | None = given("The id at the source of a support case: its steps belong together.")
    priority: str | None = given("How urgent a case is, in the source's word.")
    cost: Decimal | None = given("What a case cost.")
    currency: CurrencyCode | None = given("The currency of a cost or an amount.")
    survey: str | None = given("The name of a survey.")
    measure: str | None = given("What a survey measures: NPS, CSAT or CES.")
    score: Decimal | None = given("The score of a survey.")
    comment: str | None = given("What was said with the score.")
    rating: Decimal | None = given("The rating of a review.")
    out_of: int | None = given("The highest rating that there is.")
    site: str | None = given("Where a review was written.")
    referred: str | None = given("The id at the source of the customer who was referred.")
    code: str | None = given("The code that was passed on.")
    product: str | None = given("The id at the source of the product that was used.")
    feature: str | None = given("What of a product was used.")
    quantity: Decimal | None = given("How much was used.")
    unit: str | None = given("What the quantity counts.")
    page: str | None = given("What was looked at.")
    referrer: str | None = given("Where a visitor came from.")
    session: str | None = given("The session of a visit.")
    user_agent: str | None = given("What program opened, clicked or visited, in its own words.")
    ip: str | None = given("From which network address.")
    method: str | None = given("With which HTTP method.")
    reference: str | None = given("The document or cart that a step is about.")
    amount: Decimal | None = given("How much it was about.")
    author: str | None = given("Who wrote a note.")
    assignee: str | None = given("Who has to do a task.")
    due_at: datetime | None = given("By when a task is to be done.")
    completed_at: datetime | None = given("When a task was done.")

    def plain(self, kind: str) -> dict[str, Any]:
        """The payload of an interaction of a kind as connectors write it."""
        said = {
            name: value for name, value in vars(self).items() if value is not strawberry.UNSET and value is not None
        }
        for name, of in (("referred", "customer"), ("product", "product")):
            if name in said:
                said[name] = _ref(of, said[name])
        family = PAYLOADS.get(kind)
        return said if family is None else {**said, "type": family.__struct_config__.tag}


@strawberry.input(description="Something that happened, as the source tells it.")
class InteractionRecordInput:
    """An interaction's record."""

    id: str = needed("The id at the source.")
    kind: InteractionKind = needed("What kind of thing happened.")
    occurred_at: datetime = needed("When it happened.")
    customer: str | None = given("The id of the customer at the source.", None)
    parties: list[str] = several(
        "E-mail addresses and phone numbers of those whom it concerns, where the source does not know them by id."
    )
    channel: str | None = given("By which way.", None)
    direction: Direction | None = given("Who began it.", None)
    summary: str | None = given("What it was about, in a line.", None)
    correlation_key: str | None = given("What belongs together, such as a thread.", None)
    machine_suspected: bool = given("The source takes it for the doing of a machine.", False)  # noqa: FBT003
    payload: PayloadRecordInput | None = given("What it holds.", None)
    content: str | None = given("The text itself, where it is to be kept; a scope of its own reads it.", None)

    def plain(self) -> dict[str, Any]:
        """The record as connectors write it."""
        parties = [msgspec.to_builtins(party(each)) for each in self.parties]
        payload = self.payload.plain(self.kind) if self.payload else None
        return {**vars(self), "customer": _ref("customer", self.customer), "parties": parties, "payload": payload}


def _document(
    asked: OrderRecordInput | RefundRecordInput | InvoiceRecordInput | CreditNoteRecordInput,
) -> dict[str, Any]:
    return {
        "id": asked.id, "number": asked.number, "occurred_at": asked.occurred_at, "currency": asked.currency,
        "customer": _ref("customer", asked.customer), "lines": [line.plain() for line in asked.lines],
        "total": asked.total, "units": asked.units,
    }  # fmt: skip


def _parts(allocations: Sequence[AllocationRecordInput]) -> list[dict[str, Any]]:
    return [each.plain() for each in allocations]


def _ref(of: str, id_: str | None) -> dict[str, str] | None:
    return None if id_ is None else {"type": of, "id": id_}


def _text(value: Any) -> Any:
    """A value as records hold it: decimals, dates and moments are their texts."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
