"""What the business did, what was sealed before it, and what was measured after it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import BASELINE, Entity, TenantTable, one_of, personal
from domain.initiatives.findings import Overall
from domain.initiatives.findings import Verdict as Answer
from domain.initiatives.plans import MeasurementKind, Question, Selection, Tier


class InitiativeKind(StrEnum):
    """What sort of thing the business did."""

    CRM_ROLLOUT = "CRM_ROLLOUT"
    RETENTION_OFFER = "RETENTION_OFFER"
    LOYALTY_PROGRAMME = "LOYALTY_PROGRAMME"
    EXTRA_SUPPORT = "EXTRA_SUPPORT"
    CAMPAIGN = "CAMPAIGN"
    PRICING = "PRICING"
    OTHER = "OTHER"


class InitiativeStatus(StrEnum):
    """How far the proof of an initiative has come."""

    PLANNED = "PLANNED"
    SEALED = "SEALED"
    MEASURED = "MEASURED"


class SealedPart(StrEnum):
    """The parts of a seal, in the order in which the chain goes through them."""

    CUSTOMERS = "CUSTOMERS"
    DAYS = "DAYS"
    COSTS = "COSTS"
    NEWCOMERS = "NEWCOMERS"
    LINKS = "LINKS"


class Initiative(Entity):
    """CF: Something the business did, or is about to do, and how it wants to know whether it made things better."""

    __tablename__ = "initiatives"
    __table_args__ = (
        one_of("kind", InitiativeKind),
        one_of("status", InitiativeStatus),
        one_of("tier", Tier),
        CheckConstraint("baseline_days BETWEEN 1 AND 3660", name="baseline_days"),
        Index("initiatives_go_live_idx", "tenant_id", text("go_live_on DESC"), text("id DESC")),
    )

    name: Mapped[str] = mapped_column(doc="How people call it.")
    kind: Mapped[str] = mapped_column(doc="What sort of thing it is.")
    status: Mapped[str] = mapped_column(doc="How far its proof has come.")
    go_live_on: Mapped[date] = mapped_column(doc="The first day on which it is at work.")
    baseline_days: Mapped[int] = mapped_column(doc="How many days before go-live are compared with.")
    tier: Mapped[str] = mapped_column(doc="How strictly it is measured.")
    customer_ids: Mapped[list[UUID]] = mapped_column(server_default=text("'{}'"), doc="Customers that it is for.")
    segment_ids: Mapped[list[UUID]] = mapped_column(server_default=text("'{}'"), doc="Segments that it is for.")
    department_ids: Mapped[list[UUID]] = mapped_column(server_default=text("'{}'"), doc="Departments that do it.")
    questions: Mapped[list[str]] = mapped_column(
        server_default=text(f"'{{{','.join(Question)}}}'"), doc="What is to be asked of it."
    )
    minimum_effects: Mapped[dict[str, Any]] = mapped_column(doc="Question -> smallest change that matters, a fraction.")
    paid_only: Mapped[bool] = mapped_column(doc="Whether orders of amount 0 are left out.")
    strict_floor: Mapped[bool] = mapped_column(doc="Whether the wait is the longest gap of the top decile.")
    robust_ceiling: Mapped[bool] = mapped_column(doc="Whether measuring is late after the 95th percentile of gaps.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was entered here.")
    updated_at: Mapped[datetime] = mapped_column(doc="When it was last changed here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


_IN_SILO = {"schema": BASELINE}
"""Where a seal lies. Its rows refer to nothing: a reference is checked for each row, and the chain proves more."""


class BaselineSnapshot(Entity):
    """IM: What was measured before an initiative, sealed. It refers to nothing outside, so nothing else removes it."""

    __tablename__ = "seals"
    __table_args__ = (
        UniqueConstraint("tenant_id", "initiative_id"),
        one_of("tier", Tier),
        one_of("selection", Selection),
        _IN_SILO,
    )

    initiative_id: Mapped[UUID] = mapped_column(doc="What it is the baseline of.")
    sealed_at: Mapped[datetime] = mapped_column(doc="When it was sealed.")
    watermark: Mapped[datetime] = mapped_column(doc="Up to when data had been recorded.")
    time_zone: Mapped[str] = mapped_column(doc="The time zone of its days.")
    currency: Mapped[str] = mapped_column(doc="The currency of its amounts (ISO 4217).")
    go_live_on: Mapped[date] = mapped_column(doc="The day after the last sealed one.")
    first_day: Mapped[date] = mapped_column(doc="The first sealed day.")
    baseline_days: Mapped[int] = mapped_column(doc="How many days before go-live are compared with.")
    tier: Mapped[str] = mapped_column(doc="How strictly it is measured.")
    selection: Mapped[str] = mapped_column(doc="How those whom the initiative is for were chosen.")
    selected_on: Mapped[date | None] = mapped_column(doc="Up to when what customers did could decide who they are.")
    segment_ids: Mapped[list[UUID]] = mapped_column(doc="The segments that it is for.")
    department_ids: Mapped[list[UUID]] = mapped_column(doc="The departments that do it.")
    treated: Mapped[int] = mapped_column(doc="How many customers it is for.")
    questions: Mapped[list[str]] = mapped_column(doc="What will be asked of it.")
    minimum_effects: Mapped[dict[str, Any]] = mapped_column(doc="Question -> smallest change that matters.")
    definition_versions: Mapped[dict[str, Any]] = mapped_column(doc="Metric -> the version of its definition.")
    paid_only: Mapped[bool] = mapped_column(doc="Whether orders of amount 0 are left out.")
    size_cutoff: Mapped[int | None] = mapped_column(doc="The 99th percentile of purchases in the baseline.")
    seed: Mapped[int] = mapped_column(doc="Where the random draws of every comparison begin.")
    waiting: Mapped[dict[str, Any] | None] = mapped_column(doc="Both rules of waiting; null when nobody bought twice.")
    earliest_measurement_on: Mapped[date | None] = mapped_column(doc="Before it no measurement is taken.")
    preliminary_begin_by: Mapped[date | None] = mapped_column(doc="After it a first measurement is late.")
    final_on: Mapped[date] = mapped_column(doc="From it on a measurement is final.")
    is_retrospective: Mapped[bool] = mapped_column(doc="Whether it was sealed after go-live.")
    customers: Mapped[int] = mapped_column(doc="How many customers it holds.")
    days: Mapped[int] = mapped_column(doc="How many days of customers it holds.")
    header_digest: Mapped[bytes] = mapped_column(doc="SHA-256 of all of the above; the chain begins with it.")
    head: Mapped[bytes] = mapped_column(doc="The last hash of the chain.")


class _Sealed(TenantTable):
    """A row of a seal."""

    __abstract__ = True

    seal_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)


class SealedCustomer(_Sealed):
    """IM: What was known of a customer at the seal, under a pseudonym."""

    __tablename__ = "sealed_customers"
    __table_args__ = (_IN_SILO,)

    pseudonym: Mapped[int] = mapped_column(primary_key=True, doc="A number that says nothing of the customer.")
    unit: Mapped[int] = mapped_column(doc="The pseudonym of the organisation it belongs to, or its own.")
    first_seen_on: Mapped[date]
    first_occasion_on: Mapped[date | None] = mapped_column(doc="The day of its first purchase ever.")
    occasions_before: Mapped[int] = mapped_column(doc="On how many days before the first sealed one it bought.")
    is_treated: Mapped[bool] = mapped_column(doc="Whether the initiative is for it; frozen.")
    department_id: Mapped[UUID | None] = mapped_column(doc="Its department at the seal.")
    segment_ids: Mapped[list[UUID]] = mapped_column(doc="Its segments at the seal.")


class SealedDay(_Sealed):
    """IM: What a customer did on one local day before go-live."""

    __tablename__ = "sealed_days"
    __table_args__ = (_IN_SILO,)

    pseudonym: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    occasions: Mapped[int] = mapped_column(doc="1 on a day with a purchase, else 0.")
    units: Mapped[Decimal] = mapped_column(doc="Units bought less units returned.")
    amount: Mapped[int] = mapped_column(doc="The net amount, in minor units.")
    contribution: Mapped[int | None] = mapped_column(
        doc="The net amount less cost of goods and of service; null where a cost or a rate is missing."
    )
    service_cost: Mapped[int] = mapped_column(doc="What serving the customer cost, in minor units.")
    deliveries: Mapped[int] = mapped_column(doc="Campaigns delivered.")
    responses: Mapped[int] = mapped_column(doc="Campaigns answered, machines left out.")
    unrated: Mapped[int | None] = mapped_column(
        doc="Documents of the day that wait for an exchange rate and are in no amount; null in older seals."
    )


class SealedCost(_Sealed):
    """IM: What was spent in a category in one week before go-live."""

    __tablename__ = "sealed_costs"
    __table_args__ = (_IN_SILO,)

    week: Mapped[date] = mapped_column(primary_key=True, doc="The first day of the week, counted back from go-live.")
    category: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(doc="In minor units.")
    unrated: Mapped[int | None] = mapped_column(
        doc="Entries of the week that wait for an exchange rate and are in no amount; null in older seals."
    )


class SealedNewcomers(_Sealed):
    """IM: How many customers bought for the first time in one week before go-live."""

    __tablename__ = "sealed_newcomers"
    __table_args__ = (_IN_SILO,)

    week: Mapped[date] = mapped_column(primary_key=True, doc="The first day of the week, counted back from go-live.")
    customers: Mapped[int]


class SealedLink(_Sealed):
    """IM: Whom a pseudonym stands for. Erasure empties it: the commitment then proves nothing about anybody."""

    __tablename__ = "sealed_links"
    __table_args__ = (Index("sealed_links_customer_idx", "tenant_id", "customer_id"), _IN_SILO)

    pseudonym: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID | None] = personal(doc="Who it is; null when erased.")
    key: Mapped[bytes | None] = personal(doc="Random; null when erased.")
    commitment: Mapped[bytes] = mapped_column(doc="SHA-256 of key and customer: a link cannot be changed unnoticed.")


class SealBatch(_Sealed):
    """IM: A link of a seal's chain: the digest of some rows of one part, and the hash over it and all before it."""

    __tablename__ = "seal_batches"
    __table_args__ = (one_of("part", SealedPart), _IN_SILO)

    position: Mapped[int] = mapped_column(primary_key=True, doc="Counts from 1 through all parts.")
    part: Mapped[str]
    rows: Mapped[int] = mapped_column(doc="How many rows it covers, in the order of their keys.")
    digest: Mapped[bytes] = mapped_column(doc="SHA-256 of the rows in their canonical form.")
    hash: Mapped[bytes] = mapped_column(doc="SHA-256 of the hash before and all of this row.")


class Measurement(Entity):
    """IM: What was found when an initiative was measured."""

    __tablename__ = "measurements"
    __table_args__ = (
        UniqueConstraint("tenant_id", "initiative_id", "number"),
        ForeignKeyConstraint(["tenant_id", "initiative_id"], ["initiatives.tenant_id", "initiatives.id"]),
        one_of("kind", MeasurementKind),
        one_of("overall", Overall),
    )

    initiative_id: Mapped[UUID]
    seal_id: Mapped[UUID] = mapped_column(doc="The seal that it was compared with.")
    number: Mapped[int] = mapped_column(doc="Counts from 1.")
    kind: Mapped[str] = mapped_column(doc="Before the final day, the first from it on, or later.")
    measured_at: Mapped[datetime] = mapped_column(doc="When it was taken.")
    watermark: Mapped[datetime] = mapped_column(doc="Up to when data had been recorded.")
    starts_on: Mapped[date] = mapped_column(doc="The first day that was measured: go-live.")
    ends_on: Mapped[date] = mapped_column(doc="The day after the last one that was measured.")
    is_late: Mapped[bool] = mapped_column(doc="Whether measuring began later than it should have.")
    tier: Mapped[str] = mapped_column(doc="How strictly it was measured.")
    overall: Mapped[str | None] = mapped_column(doc="The answer to all questions together; only a final one has it.")
    flags: Mapped[list[str]] = mapped_column(doc="What weakens it.")
    next_on: Mapped[date] = mapped_column(doc="When to measure again.")
    currency: Mapped[str] = mapped_column(doc="The currency of its amounts (ISO 4217).")
    late_occasions: Mapped[int] = mapped_column(doc="Purchases before go-live that became known after the seal.")
    late_amount: Mapped[int] = mapped_column(doc="What they are worth, in minor units.")
    findings: Mapped[dict[str, Any]] = mapped_column(doc="Everything that was found, as it was computed.")
    weekly: Mapped[dict[str, Any]] = mapped_column(doc="Purchases and money by week, for the picture.")


class Comparison(TenantTable):
    """IM: What one measure was before and after an initiative, and how surely it changed."""

    __tablename__ = "comparisons"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "measurement_id"], ["measurements.tenant_id", "measurements.id"]),
        one_of("question", Question),
        one_of("verdict", Answer),
    )

    measurement_id: Mapped[UUID] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True, doc="What was compared.")
    question: Mapped[str] = mapped_column(doc="Which question it answers.")
    position: Mapped[int] = mapped_column(doc="Its place among the others.")
    change: Mapped[float | None] = mapped_column(doc="The change, a fraction: 0.12 is 12 % more.")
    low: Mapped[float | None] = mapped_column(doc="The lower end of its interval.")
    high: Mapped[float | None] = mapped_column(doc="The upper end of its interval.")
    verdict: Mapped[str | None] = mapped_column(doc="What this measure alone says; null when no verdict is given.")
    reason: Mapped[str | None] = mapped_column(doc="Why there is no evidence.")
    details: Mapped[dict[str, Any]] = mapped_column(doc="All figures of it.")


class Verdict(TenantTable):
    """IM: The answer to one question of a measurement."""

    __tablename__ = "verdicts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "measurement_id"], ["measurements.tenant_id", "measurements.id"]),
        one_of("question", Question),
        one_of("verdict", Answer),
    )

    measurement_id: Mapped[UUID] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True, doc="What was asked.")
    position: Mapped[int] = mapped_column(doc="Its place among the others.")
    verdict: Mapped[str | None] = mapped_column(doc="BETTER, WORSE or NO_EVIDENCE; null when no verdict is given.")
    reason: Mapped[str | None] = mapped_column(doc="Why there is no evidence.")
    minimum_effect: Mapped[float] = mapped_column(doc="The smallest change that matters, a fraction.")
