"""What customers bought: documents are versioned, never edited; totals are settled when they are written."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import Entity, TenantTable, one_of
from domain.purchases.contracts import ContractEventKind, ContractStatus
from domain.purchases.opportunities import OpportunityStatus


class OrderKind(StrEnum):
    """A sale, or an adjustment of the books that is no purchase."""

    SALE = "SALE"
    ADJUSTMENT = "ADJUSTMENT"


class OrderStatus(StrEnum):
    """How far an order has come; a cancelled one is no purchase."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class InvoiceStatus(StrEnum):
    """How far an invoice has come; drafts and voided ones are no purchases."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    PAID = "PAID"
    VOIDED = "VOIDED"


class PaymentStatus(StrEnum):
    """Whether the money came in."""

    RECEIVED = "RECEIVED"
    FAILED = "FAILED"
    VOIDED = "VOIDED"


class ProductFamily(Entity):
    """CF: Products that serve the same need; tiers rank within a family."""

    __tablename__ = "product_families"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)

    key: Mapped[str] = mapped_column(doc="The name in files and filters.")
    name: Mapped[str] = mapped_column(doc="How people call it.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


class Product(Entity):
    """ED + valid_to: Something that is sold; a change of its name, family or tier opens a new row."""

    __tablename__ = "products"
    __table_args__ = (
        Index("products_sku_key", "tenant_id", "sku", unique=True, postgresql_where=text("valid_to IS NULL")),
        ForeignKeyConstraint(["tenant_id", "family_id"], ["product_families.tenant_id", "product_families.id"]),
    )

    valid_from: Mapped[datetime] = mapped_column(primary_key=True)
    valid_to: Mapped[datetime | None]
    sku: Mapped[str] = mapped_column(doc="The stock code, as written.")
    name: Mapped[str | None] = mapped_column(doc="What it is.")
    family_id: Mapped[UUID | None] = mapped_column(doc="The family it belongs to.")
    tier_rank: Mapped[int | None] = mapped_column(doc="Its rank in the family; a higher one later is an upsell.")
    complements: Mapped[list[UUID]] = mapped_column(server_default=text("'{}'"), doc="What goes well with it.")


def _no_half_conversion() -> CheckConstraint:
    return CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name="base")


def _found(table: str, at: str = "occurred_at") -> tuple[ForeignKeyConstraint | Index, ...]:
    """How the current versions of documents are found: by id, of a customer, in time, and waiting for a rate."""
    current = text("superseded_at IS NULL")
    latest = (text(f"{at} DESC"), text("id DESC"))
    # What waits for a rate is found without a look at all that has one.
    waits = text("superseded_at IS NULL AND base_amount IS NULL")
    return (
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
        Index(f"{table}_current_key", "tenant_id", "id", unique=True, postgresql_where=current),
        Index(f"{table}_customer_idx", "tenant_id", "customer_id", *latest, postgresql_where=current),
        Index(f"{table}_occurred_at_idx", "tenant_id", *latest, postgresql_where=current),
        Index(f"{table}_unsettled_idx", "tenant_id", "currency", postgresql_where=waits),
    )


def _by_number(table: str) -> Index:
    return Index(f"{table}_number_idx", "tenant_id", "number", postgresql_where=text("superseded_at IS NULL"))


class _Versioned:
    """What has versions: its key is (tenant, id, version), and one version is current."""

    version: Mapped[int] = mapped_column(primary_key=True, doc="Counts from 1; a newer one supersedes the others.")
    number: Mapped[str | None] = mapped_column(doc="The number that people call it by.")
    customer_id: Mapped[UUID | None] = mapped_column(doc="Who bought, as it was recorded.")
    recorded_at: Mapped[datetime] = mapped_column(doc="When this version became known here.")
    superseded_at: Mapped[datetime | None] = mapped_column(doc="When a newer version became known.")
    base_amount: Mapped[int | None] = mapped_column(doc="The total in the tenant's base currency at the day's rate.")
    base_currency: Mapped[str | None]
    integration_id: Mapped[UUID | None] = mapped_column(doc="Where it was read; null when recorded by hand.")
    remote_id: Mapped[str | None] = mapped_column(doc="Its id at the other side.")
    content_hash: Mapped[bytes] = mapped_column(doc="Of what it holds; an unchanged document makes no version.")


class _Paper(_Versioned):
    """What every document has: it happened on a day, and is worth something."""

    occurred_at: Mapped[datetime] = mapped_column(doc="When it happened in the world.")
    local_day: Mapped[date] = mapped_column(doc="The tenant's calendar day of it.")
    currency: Mapped[str] = mapped_column(doc="The currency of its amounts (ISO 4217).")
    amount: Mapped[int] = mapped_column(doc="The total of its lines, in minor units.")


class _Document(_Paper):
    """What a document with lines has, too."""

    units: Mapped[Decimal] = mapped_column(doc="How many units its lines add up to.")
    line_count: Mapped[int] = mapped_column(doc="How many lines it has.")


class _Line:
    """What every line of a document has."""

    position: Mapped[int] = mapped_column(primary_key=True, doc="Counts from 1 in the order of the document.")
    product_id: Mapped[UUID | None] = mapped_column(doc="What was bought.")
    description: Mapped[str | None] = mapped_column(doc="What the document says was bought.")
    quantity: Mapped[Decimal] = mapped_column(doc="How many.")
    unit_price: Mapped[Decimal] = mapped_column(doc="What one costs; exact, no rounded money.")
    discount: Mapped[int] = mapped_column(server_default=text("0"), doc="Taken off, in minor units.")
    tax: Mapped[int] = mapped_column(server_default=text("0"), doc="Tax in minor units, not in the amount.")
    amount: Mapped[int] = mapped_column(doc="Quantity by unit price less discount, rounded half-even once.")
    cost_amount: Mapped[int | None] = mapped_column(doc="The cost of goods, in minor units.")


class Order(_Document, Entity):
    """BT + superseded_at, base_amount, base_currency: A purchase, or an adjustment; it may stand without a customer."""

    __tablename__ = "orders"
    __table_args__ = (
        one_of("kind", OrderKind),
        one_of("status", OrderStatus),
        _no_half_conversion(),
        *_found("orders"),
        _by_number("orders"),
    )

    kind: Mapped[str] = mapped_column(doc="A sale or an adjustment.")
    status: Mapped[str] = mapped_column(doc="How far it has come.")
    channel: Mapped[str | None] = mapped_column(doc="Where it was placed.")
    campaign_key: Mapped[str | None] = mapped_column(doc="The campaign that led to it.")


class OrderLine(_Line, TenantTable):
    """BT: A line of one version of an order."""

    __tablename__ = "order_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "order_id", "order_version"], ["orders.tenant_id", "orders.id", "orders.version"]
        ),
    )

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_version: Mapped[int] = mapped_column(primary_key=True)


class Refund(_Document, Entity):
    """BT + superseded_at, base_amount, base_currency: Money given back; the order it refers to may be unknown."""

    __tablename__ = "refunds"
    __table_args__ = (
        _no_half_conversion(),
        *_found("refunds"),
        Index(
            "refunds_order_idx", "tenant_id", "order_id",
            postgresql_where=text("superseded_at IS NULL AND order_id IS NOT NULL"),
        ),
    )  # fmt: skip

    order_id: Mapped[UUID | None] = mapped_column(doc="The order that is refunded, where it is known.")
    reason: Mapped[str | None] = mapped_column(doc="Why.")


class RefundLine(_Line, TenantTable):
    """BT: A line of one version of a refund; quantities and amounts count what was given back."""

    __tablename__ = "refund_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "refund_id", "refund_version"], ["refunds.tenant_id", "refunds.id", "refunds.version"]
        ),
    )

    refund_id: Mapped[UUID] = mapped_column(primary_key=True)
    refund_version: Mapped[int] = mapped_column(primary_key=True)


class Invoice(_Document, Entity):
    """BT + superseded_at, base_amount, base_currency: A bill; it is the sale itself, and its id is that of the order.

    The order has the lines. A version of the invoice belongs to one version of the order: what is owed may change
    while the sale stays what it is.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        one_of("status", InvoiceStatus),
        _no_half_conversion(),
        ForeignKeyConstraint(["tenant_id", "id", "order_version"], ["orders.tenant_id", "orders.id", "orders.version"]),
        *_found("invoices"),
        _by_number("invoices"),
        Index(
            "invoices_due_on_idx", "tenant_id", "status", "due_on", "id",
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )  # fmt: skip

    order_version: Mapped[int] = mapped_column(doc="The version of the order that it bills.")
    status: Mapped[str] = mapped_column(doc="How far it has come.")
    native_status: Mapped[str | None] = mapped_column(doc="The status in the other side's own word.")
    due_on: Mapped[date | None] = mapped_column(doc="The day by which it is to be paid.")
    balance: Mapped[int | None] = mapped_column(doc="What is still owed, in minor units; null when not known.")
    sent_at: Mapped[datetime | None] = mapped_column(doc="When it was sent to the customer.")
    changed_at: Mapped[datetime | None] = mapped_column(doc="When the other side changed it to say this.")


class Payment(_Paper, Entity):
    """BT + superseded_at, base_amount, base_currency: Money that came in, or should have."""

    __tablename__ = "payments"
    __table_args__ = (one_of("status", PaymentStatus), _no_half_conversion(), *_found("payments"))

    status: Mapped[str] = mapped_column(doc="Whether the money came in.")
    method: Mapped[str | None] = mapped_column(doc="How it was paid, in the other side's word.")
    unapplied: Mapped[int] = mapped_column(doc="What of it settles no invoice, in minor units.")


class CreditNote(_Document, Entity):
    """BT + superseded_at, base_amount, base_currency: A sale taken back; it is the refund, and its id is that one's.

    The refund has the lines.
    """

    __tablename__ = "credit_notes"
    __table_args__ = (
        _no_half_conversion(),
        ForeignKeyConstraint(
            ["tenant_id", "id", "refund_version"], ["refunds.tenant_id", "refunds.id", "refunds.version"]
        ),
        *_found("credit_notes"),
    )

    refund_version: Mapped[int] = mapped_column(doc="The version of the refund that it is.")
    balance: Mapped[int | None] = mapped_column(doc="What of it is not used yet, in minor units; null when not known.")


class _Allocation:
    """What every allocation has; the invoice may not have arrived yet."""

    invoice_id: Mapped[UUID] = mapped_column(primary_key=True, doc="The invoice that is settled.")
    amount: Mapped[int] = mapped_column(doc="How much of it, in minor units of the currency that is given.")


class PaymentAllocation(_Allocation, TenantTable):
    """BT: Which part of one version of a payment settles which invoice."""

    __tablename__ = "payment_allocations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "payment_id", "payment_version"], ["payments.tenant_id", "payments.id", "payments.version"]
        ),
        Index("payment_allocations_invoice_idx", "tenant_id", "invoice_id"),
    )

    payment_id: Mapped[UUID] = mapped_column(primary_key=True)
    payment_version: Mapped[int] = mapped_column(primary_key=True)


class CreditNoteAllocation(_Allocation, TenantTable):
    """BT: Which part of one version of a credit note settles which invoice."""

    __tablename__ = "credit_note_allocations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "credit_note_id", "credit_note_version"],
            ["credit_notes.tenant_id", "credit_notes.id", "credit_notes.version"],
        ),
        Index("credit_note_allocations_invoice_idx", "tenant_id", "invoice_id"),
    )

    credit_note_id: Mapped[UUID] = mapped_column(primary_key=True)
    credit_note_version: Mapped[int] = mapped_column(primary_key=True)


class Contract(_Versioned, Entity):
    """BT + superseded_at, base_amount, base_currency: Recurring business with a customer; its lines are its events.

    Status, amount and term are those after the last event that is known. Amounts are monthly recurring revenue (MRR);
    all of a contract are converted at the rate of the day on which it began.
    """

    __tablename__ = "contracts"
    __table_args__ = (
        one_of("status", ContractStatus),
        _no_half_conversion(),
        *_found("contracts"),
        _by_number("contracts"),
        Index(
            "contracts_term_ends_on_idx", "tenant_id", "status", "term_ends_on", "id",
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )  # fmt: skip

    occurred_at: Mapped[datetime] = mapped_column(doc="When it began: the moment of its first event.")
    local_day: Mapped[date] = mapped_column(doc="The tenant's calendar day on which it began.")
    currency: Mapped[str] = mapped_column(doc="The currency of its amounts (ISO 4217).")
    amount: Mapped[int] = mapped_column(doc="The monthly recurring revenue after its last event, in minor units.")
    status: Mapped[str] = mapped_column(doc="Whether it holds after its last event.")
    plan: Mapped[str | None] = mapped_column(doc="The plan after its last event, in the source's word.")
    term_ends_on: Mapped[date | None] = mapped_column(doc="The day on which its term is due for renewal; null if open.")
    ended_on: Mapped[date | None] = mapped_column(doc="The day of the event that ended it; null while it holds.")
    event_count: Mapped[int] = mapped_column(doc="How many events it has.")


class ContractEvent(TenantTable):
    """BT + base_mrr: What happened to a contract, as one of its versions tells; values hold until the next event."""

    __tablename__ = "contract_events"
    __table_args__ = (
        one_of("kind", ContractEventKind),
        ForeignKeyConstraint(
            ["tenant_id", "contract_id", "contract_version"],
            ["contracts.tenant_id", "contracts.id", "contracts.version"],
        ),
    )

    contract_id: Mapped[UUID] = mapped_column(primary_key=True)
    contract_version: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, doc="Counts from 1 in the order in which they happened.")
    kind: Mapped[str] = mapped_column(doc="What happened.")
    occurred_at: Mapped[datetime] = mapped_column(doc="When it took effect.")
    local_day: Mapped[date] = mapped_column(doc="The tenant's calendar day of it.")
    mrr: Mapped[int] = mapped_column(doc="The monthly recurring revenue after it, in minor units.")
    base_mrr: Mapped[int | None] = mapped_column(doc="The same in the base currency, at the rate of its contract.")
    term_starts_on: Mapped[date | None] = mapped_column(doc="The first day of the term that holds after it.")
    term_ends_on: Mapped[date | None] = mapped_column(doc="The day on which that term is due for renewal.")
    product_id: Mapped[UUID | None] = mapped_column(doc="What is bought after it.")
    family_id: Mapped[UUID | None] = mapped_column(doc="The family that the source names, where it names no product.")
    plan: Mapped[str | None] = mapped_column(doc="The plan after it, in the source's word.")


class Opportunity(_Versioned, Entity):
    """BT + superseded_at, base_amount, base_currency: A sale that may come about, as the pipeline shows it."""

    __tablename__ = "opportunities"
    __table_args__ = (
        one_of("status", OpportunityStatus),
        _no_half_conversion(),
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="amount"),
        CheckConstraint("(closed_at IS NULL) = (status = 'OPEN')", name="closed"),
        *_found("opportunities", "opened_at"),
        _by_number("opportunities"),
        Index(
            "opportunities_closed_on_idx", "tenant_id", "status", "closed_on", "id",
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )  # fmt: skip

    opened_at: Mapped[datetime] = mapped_column(doc="When it was opened.")
    local_day: Mapped[date] = mapped_column(doc="The tenant's calendar day on which it was opened.")
    closed_at: Mapped[datetime | None] = mapped_column(doc="When it was won or lost; null while it is open.")
    closed_on: Mapped[date | None] = mapped_column(doc="The tenant's calendar day of that.")
    status: Mapped[str] = mapped_column(doc="Whether it is open, won or lost.")
    currency: Mapped[str | None] = mapped_column(doc="The currency of its amount (ISO 4217).")
    amount: Mapped[int | None] = mapped_column(doc="What it may bring, in minor units; null when not known.")
    probability: Mapped[Decimal | None] = mapped_column(doc="How likely it is to be won, from 0 to 1.")
    stage: Mapped[str | None] = mapped_column(doc="Where it stands in the pipeline, in the source's word.")
    expected_close_on: Mapped[date | None] = mapped_column(doc="The day on which it is expected to be closed.")


class ExchangeRate(Entity):
    """AO: What one unit of a currency bought of another on a day; the latest recorded rate of a day counts."""

    __tablename__ = "exchange_rates"
    __table_args__ = (Index("exchange_rates_day_idx", "tenant_id", "base", "quote", "day", "recorded_at"),)

    day: Mapped[date]
    base: Mapped[str] = mapped_column(doc="The currency that is converted.")
    quote: Mapped[str] = mapped_column(doc="The currency that it is converted into.")
    rate: Mapped[Decimal] = mapped_column(doc="How much of `quote` one unit of `base` buys.")
    source: Mapped[str] = mapped_column(doc="Where it is known from.")
    recorded_at: Mapped[datetime]


class CustomerTotals(TenantTable):
    """PJ: The purchase history of a surviving customer in figures, as stage rules need it."""

    __tablename__ = "customer_totals"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    occasions: Mapped[int] = mapped_column(doc="Distinct days with a completed order that is not wholly refunded.")
    orders: Mapped[int]
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
