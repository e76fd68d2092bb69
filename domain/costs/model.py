"""What customers cost: versioned entries, what their sharing rests on, and the share of each that falls on whom."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import Entity, TenantTable, one_of, personal
from domain.costs.rules import AllocationRule, CostCategory

_CURRENT = text("superseded_at IS NULL")


def _named(column: str) -> Index:
    """How the current entries of a campaign, a case, a department or an initiative are found."""
    return Index(
        f"cost_entries_{column}_idx", "tenant_id", column, "starts_on", "id",
        postgresql_where=text(f"superseded_at IS NULL AND {column} IS NOT NULL"),
    )  # fmt: skip


class CostEntry(Entity):
    """AO + superseded_at, base_amount, base_currency, allocated_amount, allocated_at: Money spent over some days.

    One row per version; a deleted entry has no current one. A correction below zero is an entry like any other.
    """

    __tablename__ = "cost_entries"
    __table_args__ = (
        one_of("category", CostCategory),
        one_of("rule", AllocationRule),
        CheckConstraint("starts_on < ends_on", name="period"),
        CheckConstraint("(base_amount IS NULL) = (base_currency IS NULL)", name="base"),
        CheckConstraint("(allocated_amount IS NULL) = (allocated_at IS NULL)", name="allocated"),
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
        ForeignKeyConstraint(["tenant_id", "department_id"], ["departments.tenant_id", "departments.id"]),
        Index("cost_entries_current_key", "tenant_id", "id", unique=True, postgresql_where=_CURRENT),
        Index(
            "cost_entries_starts_on_idx", "tenant_id", text("starts_on DESC"), text("id DESC"),
            postgresql_where=_CURRENT,
        ),
        Index(
            "cost_entries_customer_idx", "tenant_id", "customer_id", text("starts_on DESC"), text("id DESC"),
            postgresql_where=_CURRENT,
        ),
        Index(
            "cost_entries_shared_idx", "tenant_id", "starts_on",
            postgresql_where=text(
                "superseded_at IS NULL AND customer_id IS NULL AND case_key IS NULL AND rule IS NOT NULL"
            ),
        ),
        # What waits for a rate is found without a look at all that has one.
        Index(
            "cost_entries_unsettled_idx", "tenant_id", "currency",
            postgresql_where=text("superseded_at IS NULL AND base_amount IS NULL"),
        ),
        *(_named(column) for column in ("campaign_key", "case_key", "department_id", "initiative_id")),
    )  # fmt: skip

    version: Mapped[int] = mapped_column(primary_key=True, doc="Counts from 1; a newer one supersedes the others.")
    category: Mapped[str] = mapped_column(doc="What the money was spent for.")
    description: Mapped[str | None] = personal(doc="What it was, in a line.")
    starts_on: Mapped[date] = mapped_column(doc="The first day of the period; amounts convert at its rate.")
    ends_on: Mapped[date] = mapped_column(doc="The first day after the period.")
    currency: Mapped[str] = mapped_column(doc="The currency of the amount (ISO 4217).")
    amount: Mapped[int] = mapped_column(doc="How much, in minor units; below zero it corrects others.")
    base_amount: Mapped[int | None] = mapped_column(
        doc="The same in the tenant's base currency at the first day's rate."
    )
    base_currency: Mapped[str | None]
    rule: Mapped[str | None] = mapped_column(doc="How it is shared; null when nobody but whom it names bears it.")
    customer_id: Mapped[UUID | None] = mapped_column(doc="Who alone bears it, as it was recorded.")
    campaign_key: Mapped[str | None] = mapped_column(doc="The campaign that it was spent on.")
    case_key: Mapped[str | None] = mapped_column(doc="The case that it was spent on.")
    department_id: Mapped[UUID | None] = mapped_column(doc="The department that it was spent for.")
    initiative_id: Mapped[UUID | None] = mapped_column(doc="The initiative that it was spent on.")
    integration_id: Mapped[UUID | None] = mapped_column(doc="Where it was read; null when recorded by hand.")
    remote_id: Mapped[str | None] = mapped_column(doc="Its id at the other side.")
    content_hash: Mapped[bytes] = mapped_column(doc="Of what it holds; an unchanged entry makes no version.")
    recorded_at: Mapped[datetime] = mapped_column(doc="When this version became known here.")
    superseded_at: Mapped[datetime | None] = mapped_column(doc="When a newer version, or its deletion, became known.")
    allocated_amount: Mapped[int | None] = mapped_column(doc="What of the base amount customers bear.")
    allocated_at: Mapped[datetime | None] = mapped_column(doc="When it was shared last; null while it waits for that.")


class CostWeight(TenantTable):
    """PJ: What the share of a surviving customer in a shared entry rests on: its touches, its net revenue, or 1.

    Kept per customer, so that an entry is shared anew without a look at anything that did not change.
    """

    __tablename__ = "cost_weights"
    __table_args__ = (
        CheckConstraint("weight > 0", name="weight"),
        Index("cost_weights_customer_idx", "tenant_id", "customer_id"),
    )

    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    starts_on: Mapped[date] = mapped_column(primary_key=True, doc="From when in the period the customer was there.")
    ends_on: Mapped[date] = mapped_column(doc="The first day on which the customer was not there any more.")
    weight: Mapped[int] = mapped_column(doc="The customer's part; only its proportion to the others counts.")


class CostAllocation(TenantTable):
    """PJ: What of an entry falls on a customer, in minor units of the tenant's base currency; a share of 0 has no row.

    It counts on a day: the first one of the entry's period. Of an entry that is shared by time it is one row for all
    days on which the customer keeps his rank; what of it falls on which day follows from the stretches.
    """

    __tablename__ = "cost_allocations"
    __table_args__ = (
        CheckConstraint("(rank IS NULL) = (ends_on IS NULL)", name="rank"),
        Index("cost_allocations_customer_idx", "tenant_id", "customer_id", "day"),
    )

    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True, doc="Who bears it, as it was shared.")
    day: Mapped[date] = mapped_column(primary_key=True, doc="The day that it counts on, or the first of several.")
    ends_on: Mapped[date | None] = mapped_column(doc="The first day after these; null where it counts on one day.")
    rank: Mapped[int | None] = mapped_column(doc="The customer's place among those who were there, from 0.")
    category: Mapped[str] = mapped_column(doc="What the money was spent for.")
    amount_base: Mapped[int] = mapped_column(doc="The share, in minor units of the base currency.")


class CostStretch(TenantTable):
    """PJ: Days of an entry that is shared by time, on which as many people were there: unit for unit goes round."""

    __tablename__ = "cost_stretches"
    __table_args__ = (CheckConstraint("people > 0 AND turn < people", name="turn"),)

    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    starts_on: Mapped[date] = mapped_column(primary_key=True)
    ends_on: Mapped[date] = mapped_column(doc="The first day after it.")
    people: Mapped[int] = mapped_column(doc="How many customers were there.")
    turn: Mapped[int] = mapped_column(doc="The rank that gets the first unit.")
