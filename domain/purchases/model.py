"""What customers bought: documents are versioned, never edited; totals are settled when they are written."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import Entity, TenantTable, one_of


class OrderKind(StrEnum):
    """A sale, or an adjustment of the books that is no purchase."""

    SALE = "SALE"
    ADJUSTMENT = "ADJUSTMENT"


class OrderStatus(StrEnum):
    """How far an order has come; a cancelled one is no purchase."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


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


def _unsettled(table: str) -> Index:
    # What waits for a rate is found without a look at all that has one.
    waits = text("superseded_at IS NULL AND base_amount IS NULL")
    return Index(f"{table}_unsettled_idx", "tenant_id", "currency", postgresql_where=waits)


class _Document:
    """What every versioned document has: its key is (tenant, id, version), and one version is current."""

    version: Mapped[int] = mapped_column(primary_key=True, doc="Counts from 1; a newer one supersedes the others.")
    number: Mapped[str | None] = mapped_column(doc="The number that people call it by.")
    customer_id: Mapped[UUID | None] = mapped_column(doc="Who bought, as it was recorded.")
    occurred_at: Mapped[datetime] = mapped_column(doc="When it happened in the world.")
    local_day: Mapped[date] = mapped_column(doc="The tenant's calendar day of it.")
    recorded_at: Mapped[datetime] = mapped_column(doc="When this version became known here.")
    superseded_at: Mapped[datetime | None] = mapped_column(doc="When a newer version became known.")
    currency: Mapped[str] = mapped_column(doc="The currency of its amounts (ISO 4217).")
    amount: Mapped[int] = mapped_column(doc="The total of its lines, in minor units.")
    base_amount: Mapped[int | None] = mapped_column(doc="The total in the tenant's base currency at the day's rate.")
    base_currency: Mapped[str | None]
    units: Mapped[Decimal] = mapped_column(doc="How many units its lines add up to.")
    line_count: Mapped[int] = mapped_column(doc="How many lines it has.")
    integration_id: Mapped[UUID | None] = mapped_column(doc="Where it was read; null when recorded by hand.")
    remote_id: Mapped[str | None] = mapped_column(doc="Its id at the other side.")
    content_hash: Mapped[bytes] = mapped_column(doc="Of what it holds; an unchanged document makes no version.")


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
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
        Index(
            "orders_current_key", "tenant_id", "id", unique=True, postgresql_where=text("superseded_at IS NULL")
        ),
        Index(
            "orders_customer_idx", "tenant_id", "customer_id", text("occurred_at DESC"), text("id DESC"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index(
            "orders_occurred_at_idx", "tenant_id", text("occurred_at DESC"), text("id DESC"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index("orders_number_idx", "tenant_id", "number", postgresql_where=text("superseded_at IS NULL")),
        _unsettled("orders"),
    )  # fmt: skip

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
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
        Index(
            "refunds_current_key", "tenant_id", "id", unique=True, postgresql_where=text("superseded_at IS NULL")
        ),
        Index(
            "refunds_customer_idx", "tenant_id", "customer_id", text("occurred_at DESC"), text("id DESC"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index(
            "refunds_occurred_at_idx", "tenant_id", text("occurred_at DESC"), text("id DESC"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index(
            "refunds_order_idx", "tenant_id", "order_id",
            postgresql_where=text("superseded_at IS NULL AND order_id IS NOT NULL"),
        ),
        _unsettled("refunds"),
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
