"""The canonical records: what a connector hands over, whatever the vendor calls it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Plain: TypeAlias = str | int | bool | None
"""A value without a field of its own. Decimals, dates and instants are their texts (ISO 8601); there are no floats."""

LONGEST_LINE = 512
"""How many characters an id, a name, a number or a key has at most."""
Line: TypeAlias = Annotated[str, Meta(max_length=LONGEST_LINE)]
"""What records are looked up by: a longer text is no name, number or key, and its record is rejected."""

WrittenLine: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LONGEST_LINE)]
"""A line that is not empty."""
RemoteId: TypeAlias = WrittenLine

SOURCE = "[a-z0-9][a-z0-9._-]{0,99}"
"""How a source is named whose records come from files or by the API, as a regular expression for the whole name."""

Currency: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Country: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]


class Ref(Struct, frozen=True, gc=False):
    """A record named by its type (a key of `RECORD_TYPES`) and its id at the remote side; it may arrive later."""

    type: str
    id: RemoteId


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", gc=False):
    """What every canonical record has: who it is at the remote side, and which version of it this is."""

    id: RemoteId
    version: str | None = None
    """The remote side's own mark of a version (an etag, a sync token), compared for equality only."""
    updated_at: Instant | None = None
    created_at: Instant | None = None
    deleted: bool = False
    url: str | None = None
    """Where a person can look at the record at the remote side."""
    extra: dict[str, Plain] = {}
    """What the remote side sent and no field has a place for."""


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A postal address as far as it is known."""

    street: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: Country | None = None
    """ISO 3166-1 alpha-2; None where the remote side's name for it is no country."""
    country_name: str | None = None
    """The country as the remote side writes it."""


class Identity(Struct, frozen=True, gc=False):
    """A value by which a customer is recognised: a scheme (tax_id, loyalty_card, device...) and the value in it."""

    scheme: str
    value: WrittenLine


def party(written: str) -> Identity:
    """Whom an e-mail address or a telephone number means, as `Interaction.parties` takes it."""
    return Identity("email" if "@" in written else "phone", written)


class Customer(Record, frozen=True, kw_only=True, tag="customer"):
    """A person or an organisation that buys, may buy, or acts for one that does."""

    kind: Literal["PERSON", "ORGANISATION"] = "PERSON"
    name: Line | None = None
    emails: tuple[str, ...] = ()
    """The first one is the primary one."""
    phones: tuple[str, ...] = ()
    """As written; the first one is the primary one."""
    addresses: tuple[Address, ...] = ()
    """The first one is the primary one."""
    identities: tuple[Identity, ...] = ()
    organisation: Ref | None = None
    """The organisation that this person belongs to."""
    department: str | None = None
    """The key of the department that looks after the customer; one that is not defined yet is made."""
    attributes: dict[str, Plain] = {}
    """Values of the attributes that the tenant has defined, by their keys; the definition says their type."""


class Product(Record, frozen=True, kw_only=True, tag="product"):
    """Something that can be bought."""

    sku: Line
    name: str | None = None
    family: Line | None = None
    tier_rank: int | None = None
    """The place within its family: buying a higher one than before is an upsell."""


class OrderLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One line of a document; its amount is quantity times unit price, less discount, rounded once, at the line."""

    product: Ref | None = None
    """A product's id at the remote side; its stock code where no product is listed."""
    description: str | None = None
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal = Decimal(0)
    """Taken off the line, in the document's currency."""
    tax: Decimal | None = None
    """Of the line, in the document's currency, beside its amount; None when not known."""
    cost: Decimal | None = None
    """What the goods of the whole line cost the business, in the document's currency; None when not known, which is not
    the same as nothing."""


class Document(Record, frozen=True, kw_only=True):
    """What orders, refunds, invoices and credit notes have in common. It has lines, or a total, or both."""

    number: Line | None = None
    """As people read it; the id when it has none."""
    occurred_at: Instant
    customer: Ref | None = None
    """None when the remote side does not know who it was."""
    currency: Currency
    lines: tuple[OrderLine, ...] = ()
    total: Decimal | None = None
    """The amount of a document without lines; with lines it is their sum, and this one is for checking."""
    units: Decimal | None = None
    """How many units a document without lines is about."""
    channel: str | None = None
    """Where it came about: a shop, a marketplace, the telephone."""


class Order(Document, frozen=True, kw_only=True, tag="order"):
    """A sale, or an adjustment of accounts that is written like one and counts as no purchase."""

    kind: Literal["SALE", "ADJUSTMENT"] = "SALE"
    status: Literal["OPEN", "COMPLETED", "CANCELLED"] = "COMPLETED"
    """Only completed orders are purchases."""


class Refund(Document, frozen=True, kw_only=True, tag="refund"):
    """What was given back. Quantities and amounts are positive: they say how much was returned."""

    order: Ref | None = None
    """The order it gives back; None when the remote side does not say."""


class Allocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Which part of a payment or a credit note settles which invoice."""

    invoice: Ref
    amount: Decimal


class Invoice(Document, frozen=True, kw_only=True, tag="invoice"):
    """A bill. It is the sale itself: its lines and its amount count as a purchase on the day it was issued."""

    status: Literal["DRAFT", "OPEN", "PAID", "VOIDED"] = "OPEN"
    """Drafts and voided invoices are no purchases."""
    native_status: str | None = None
    """The status in the remote side's own word."""
    due_on: date | None = None
    balance: Decimal | None = None
    """What is still owed; None when the remote side does not say."""
    sent_at: Instant | None = None
    """When it was sent to the customer; None when it was not, or nobody knows."""


class Payment(Record, frozen=True, kw_only=True, tag="payment"):
    """Money that came in. It pays invoices as far as it is allocated; the rest is to the customer's credit."""

    number: str | None = None
    """As people read it: a reference or the number of a cheque."""
    occurred_at: Instant
    customer: Ref | None = None
    currency: Currency
    amount: Decimal
    allocations: tuple[Allocation, ...] = ()
    method: str | None = None
    status: Literal["RECEIVED", "FAILED", "VOIDED"] = "RECEIVED"


class CreditNote(Document, frozen=True, kw_only=True, tag="credit_note"):
    """A sale is taken back in part or whole: it settles invoices, or is to the customer's credit.

    Quantities and amounts are positive: they say how much was given back. It counts as a refund.
    """

    allocations: tuple[Allocation, ...] = ()
    balance: Decimal | None = None
    """What of it is not used yet."""


class ContractEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Something that happened to a contract. What it does not say stays as the event before it left it."""

    kind: Literal["START", "RENEW", "UPGRADE", "DOWNGRADE", "PAUSE", "RESUME", "CANCEL", "END"]
    """CANCEL: called off; END: run out. Either ends the contract on its day; a pause does not."""
    occurred_at: Instant
    """When it took effect."""
    mrr: Decimal | None = None
    """The monthly recurring revenue after it: zero while paused and after an end, whatever is said; after a RESUME that
    says nothing, the one before."""
    term_starts_on: date | None = None
    """The first day of the term; with START and RENEW, the day of the event where none is given."""
    term_ends_on: date | None = None
    """The day on which the term is due for renewal; a START or RENEW without one holds until it is ended."""
    product: Ref | None = None
    """A product's id at the remote side."""
    family: Line | None = None
    """The key of a product family, where no product is named."""
    plan: str | None = None


class Contract(Record, frozen=True, kw_only=True, tag="contract"):
    """Recurring business with a customer, told as everything that happened to it so far."""

    number: Line | None = None
    """As people read it; the id when it has none."""
    customer: Ref | None = None
    currency: Currency
    events: tuple[ContractEvent, ...]
    """In any order; the first in time is its START. After an end only START, RENEW and RESUME go on with it."""


class Opportunity(Record, frozen=True, kw_only=True, tag="opportunity"):
    """A sale that may come about."""

    number: Line | None = None
    """As people read it; the id when it has none."""
    customer: Ref | None = None
    opened_at: Instant
    closed_at: Instant | None = None
    """When it was won or lost."""
    status: Literal["OPEN", "WON", "LOST"] = "OPEN"
    amount: Decimal | None = None
    currency: Currency | None = None
    """Of the amount: with one comes the other."""
    probability: Decimal | None = None
    """How likely it is to be won, from 0 to 1."""
    stage: str | None = None
    """Where it stands in the pipeline, in the remote side's own word."""
    expected_close_on: date | None = None


class Cost(Record, frozen=True, kw_only=True, tag="cost"):
    """Money that was spent on winning, keeping or serving customers, or on what they bought."""

    category: Literal[
        "ACQUISITION_MARKETING",
        "ACQUISITION_SALES",
        "RETENTION_MARKETING",
        "RETENTION_SALES",
        "SERVICE",
        "INITIATIVE",
        "COGS",
    ]
    amount: Decimal
    """Below zero it corrects others."""
    currency: Currency
    description: str | None = None
    """What it was, in a line."""
    starts_on: date
    """The first day that it was spent for."""
    ends_on: date | None = None
    """The day after the last one; None when it was spent for one day."""
    customer: Ref | None = None
    campaign: Line | None = None
    """The key of the campaign that it was spent on."""
    case: Line | None = None
    """The support case that it was spent on, by its id at the remote side."""
    department: str | None = None
    """The key of the department that spent it."""
    rule: Literal["EQUAL", "BY_TOUCH", "BY_REVENUE", "BY_TIME"] | None = None
    """How it is shared out among customers; None when nobody but the customer that it names bears it."""


class ExchangeRate(Record, frozen=True, kw_only=True, tag="exchange_rate"):
    """On this day one unit of `base` was worth `rate` units of `quote`."""

    date: date
    base: Currency
    quote: Currency
    rate: Decimal


class Email(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="email"):
    """What is known of an e-mail; its body is `Interaction.content`, where the tenant wants it kept."""

    subject: str | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    message_id: str | None = None
    """Its identifier in the world (RFC 5322): the same in every mailbox that it lies in."""
    campaign: Line | None = None
    link: str | None = None
    """The address that was clicked."""
    user_agent: str | None = None
    """What program opened or clicked it, in its own words."""
    ip: str | None = None
    """From which network address it did: machines that follow links are told by it."""
    method: str | None = None
    """With which HTTP method it did."""


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="message"):
    """A short message: SMS, chat, an inquiry or a form that was sent in."""

    text: str | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    status: str | None = None


class Call(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="call"):
    """A telephone call."""

    caller: str | None = None
    callee: str | None = None
    seconds: int | None = None
    outcome: str | None = None
    recording_url: str | None = None


class Meeting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="meeting"):
    """A meeting, planned or held."""

    title: str | None = None
    ends_at: Instant | None = None
    attendees: tuple[str, ...] = ()
    location: str | None = None
    status: str | None = None


class Envelope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="envelope"):
    """Documents that are sent for signature."""

    title: str | None = None
    envelope: str | None = None
    """The envelope's id at the remote side: its sending, viewing and signing belong together."""
    signers: tuple[str, ...] = ()
    reason: str | None = None
    """Why it was declined or voided."""


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="case"):
    """A step in the life of a support case."""

    case: Line
    """The case's id at the remote side: its steps belong together."""
    title: str | None = None
    status: str | None = None
    priority: str | None = None
    cost: Decimal | None = None
    currency: Currency | None = None


class Survey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="survey"):
    """An answer to a survey."""

    survey: str | None = None
    measure: Literal["NPS", "CSAT", "CES"] | None = None
    score: Decimal | None = None
    comment: str | None = None


class Review(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="review"):
    """What a customer says in public, on a review site or in social media."""

    rating: Decimal | None = None
    out_of: int = 5
    text: str | None = None
    site: str | None = None


class Referral(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="referral"):
    """A recommendation by a customer to somebody else."""

    referred: Ref | None = None
    code: str | None = None
    status: str | None = None


class Usage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="usage"):
    """A product that was bought is used."""

    product: Ref | None = None
    feature: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None


class Visit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="visit"):
    """A page, an advertisement or a shop was looked at."""

    page: str | None = None
    referrer: str | None = None
    campaign: Line | None = None
    session: str | None = None
    user_agent: str | None = None
    ip: str | None = None
    method: str | None = None


class Commerce(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="commerce"):
    """A step of an order, an invoice, a payment or a cart."""

    reference: str | None = None
    amount: Decimal | None = None
    currency: Currency | None = None


class Note(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="note"):
    """What somebody wrote down."""

    text: str
    author: str | None = None


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="task"):
    """Something that somebody has to do."""

    title: str
    assignee: str | None = None
    due_at: Instant | None = None
    completed_at: Instant | None = None


Payload: TypeAlias = (
    Email
    | Message
    | Call
    | Meeting
    | Envelope
    | Case
    | Survey
    | Review
    | Referral
    | Usage
    | Visit
    | Commerce
    | Note
    | Task
)

PAYLOADS: dict[str, type[Payload]] = {
    **dict.fromkeys(("VISIT", "AD_VIEW"), Visit),
    **dict.fromkeys(("INQUIRY", "FORM_SUBMITTED", "MESSAGE"), Message),
    **dict.fromkeys(("EMAIL_SENT", "EMAIL_RECEIVED", "EMAIL_OPENED", "EMAIL_CLICKED", "EMAIL_BOUNCED"), Email),
    "CALL": Call,
    "MEETING": Meeting,
    **dict.fromkeys(
        ("ENVELOPE_SENT", "ENVELOPE_VIEWED", "ENVELOPE_SIGNED", "ENVELOPE_DECLINED", "ENVELOPE_VOIDED"), Envelope
    ),
    **dict.fromkeys(("CASE_OPENED", "CASE_ANSWERED", "CASE_RESOLVED", "CASE_REOPENED", "CASE_CLOSED"), Case),
    "SURVEY": Survey,
    **dict.fromkeys(("REVIEW", "SOCIAL_MENTION"), Review),
    "REFERRAL": Referral,
    "USAGE": Usage,
    **dict.fromkeys(("CART_CREATED", "CART_UPDATED", "CART_ABANDONED", "CART_RECOVERED"), Commerce),
    **dict.fromkeys(("ORDER_PLACED", "ORDER_CANCELLED", "ORDER_SHIPPED", "ORDER_DELIVERED"), Commerce),
    **dict.fromkeys(("INVOICE_ISSUED", "INVOICE_SENT", "INVOICE_PAID", "INVOICE_OVERDUE", "INVOICE_VOIDED"), Commerce),
    **dict.fromkeys(("PAYMENT_RECEIVED", "PAYMENT_FAILED", "CREDIT_NOTE_ISSUED"), Commerce),
    "NOTE": Note,
    "TASK": Task,
}
"""Every kind of interaction that a connector may report, and the payload it takes."""


class Interaction(Record, frozen=True, kw_only=True, tag="interaction"):
    """Something that happened between the business and a customer, at one moment."""

    kind: str
    """A key of `PAYLOADS`."""
    occurred_at: Instant
    customer: Ref | None = None
    parties: tuple[Identity, ...] = ()
    """Addresses or numbers of those whom it concerns (schemes `email` and `phone`), where the remote side does not know
    them by id: it is shown for every customer who is known by one of them."""
    channel: str | None = None
    direction: Literal["INBOUND", "OUTBOUND"] | None = None
    summary: str | None = None
    correlation_key: str | None = None
    """The same for what belongs together: a mail thread, an envelope, a case."""
    machine_suspected: bool = False
    """The remote side takes it for the doing of a machine (a scanner, a crawler)."""
    payload: Payload | None = None
    content: str | None = None
    """The text itself, where the tenant wants it kept; who may read it needs a scope of its own."""

    def __post_init__(self) -> None:
        family = PAYLOADS.get(self.kind)
        if family is None:
            raise ValueError(f"kind: there is no interaction {self.kind}")
        if self.payload is not None and not isinstance(self.payload, family):
            raise ValueError(f"payload: {self.kind} takes {family.__name__}, not {type(self.payload).__name__}")


AnyRecord: TypeAlias = (
    Customer
    | Product
    | Order
    | Refund
    | Invoice
    | Payment
    | CreditNote
    | Contract
    | Opportunity
    | Cost
    | Interaction
    | ExchangeRate
)

RECORD_TYPES: dict[str, type[AnyRecord]] = {
    "customer": Customer,
    "product": Product,
    "order": Order,
    "refund": Refund,
    "invoice": Invoice,
    "payment": Payment,
    "credit_note": CreditNote,
    "contract": Contract,
    "opportunity": Opportunity,
    "cost": Cost,
    "interaction": Interaction,
    "exchange_rate": ExchangeRate,
}
"""The canonical record types by the names that `Ref.type`, mappings and the host use."""


def record_type(record: Record) -> str:
    """The name of a record's type, a key of `RECORD_TYPES`."""
    return str(record.__struct_config__.tag)
