"""Who belongs together: segments, the versions of their criteria, who is in them, and when everybody came and went."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import TRANSACTION, Entity, TenantTable, one_of, personal


class SegmentRole(StrEnum):
    """What a segment is for."""

    STARTING_POINT = "STARTING_POINT"
    MEASURED = "MEASURED"
    TARGET = "TARGET"


class MembershipChange(StrEnum):
    """Whether a customer came or went."""

    ENTER = "ENTER"
    EXIT = "EXIT"


def _of_segment() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", "segment_id"], ["segments.tenant_id", "segments.id"])


def _of_version() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "segment_version_id"], ["segment_versions.tenant_id", "segment_versions.id"]
    )


class Segment(Entity):
    """CF: Customers who have something in common, by criteria that the business wrote down."""

    __tablename__ = "segments"
    __table_args__ = (UniqueConstraint("tenant_id", "key"), one_of("role", SegmentRole))

    key: Mapped[str] = mapped_column(doc="The name in files and reports; it never changes.")
    labels: Mapped[dict[str, Any]] = mapped_column(doc="How people call it, per language.")
    role: Mapped[str] = mapped_column(doc="What it is for.")
    template_key: Mapped[str | None] = mapped_column(doc="The template that it was made from.")
    published_version_id: Mapped[UUID | None] = mapped_column(
        doc="The version whose criteria the members fit; null before the first run."
    )
    due_at: Mapped[datetime | None] = mapped_column(doc="When it is to be worked out for everybody next.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")
    archived_at: Mapped[datetime | None] = mapped_column(doc="When it was given up: nobody is in it since.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


class SegmentVersion(Entity):
    """IM + published_at: The criteria of a segment, as they were written at one time."""

    __tablename__ = "segment_versions"
    __table_args__ = (UniqueConstraint("tenant_id", "segment_id", "number"), _of_segment())

    segment_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(doc="Counts from 1.")
    criteria: Mapped[dict[str, Any]] = mapped_column(doc="Who belongs to it, as a typed tree.")
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    published_at: Mapped[datetime | None] = mapped_column(doc="When the members became those who fit it.")


class SegmentMember(TenantTable):
    """PJ: A surviving customer who is in a segment now."""

    __tablename__ = "segment_members"
    __table_args__ = (_of_segment(), Index("segment_members_customer_idx", "tenant_id", "customer_id", "segment_id"))

    segment_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(doc="Since when the customer is in the segment.")
    because: Mapped[list[dict[str, Any]] | None] = personal(doc="The criteria that held when the customer came.")


class SegmentMembershipEvent(Entity):
    """AO: A customer came into a segment or went out of it."""

    __tablename__ = "segment_membership_events"
    __table_args__ = (
        one_of("change", MembershipChange),
        _of_segment(),
        _of_version(),
        Index("segment_membership_events_customer_idx", "tenant_id", "customer_id", "at", "id"),
        Index("segment_membership_events_segment_idx", "tenant_id", "segment_id", "at", "id"),
        Index("segment_membership_events_recorded_in_idx", "tenant_id", "recorded_in", "id"),
    )

    segment_id: Mapped[UUID]
    segment_version_id: Mapped[UUID] = mapped_column(doc="The version by whose criteria it was decided.")
    customer_id: Mapped[UUID] = mapped_column(doc="The surviving customer, as it was then.")
    change: Mapped[str] = mapped_column(doc="Whether the customer came or went.")
    at: Mapped[datetime] = mapped_column(doc="When.")
    recorded_in: Mapped[int] = mapped_column(server_default=TRANSACTION, doc="The transaction that recorded it.")
    because: Mapped[list[dict[str, Any]] | None] = personal(
        doc="The criteria that hold for who came, or hold no more for who went."
    )


class SegmentRun(Entity):
    """AO: A segment was worked out for everybody; one that failed left the members as they were."""

    __tablename__ = "segment_runs"
    __table_args__ = (
        _of_segment(),
        _of_version(),
        Index("segment_runs_segment_idx", "tenant_id", "segment_id", "watermark", "id"),
    )

    segment_id: Mapped[UUID]
    segment_version_id: Mapped[UUID] = mapped_column(doc="The version that was worked out.")
    watermark: Mapped[datetime] = mapped_column(doc="What was known here until then is counted.")
    evaluated: Mapped[int] = mapped_column(doc="How many customers were looked at.")
    entered: Mapped[int] = mapped_column(doc="How many came into the segment.")
    exited: Mapped[int] = mapped_column(doc="How many went out of it.")
    milliseconds: Mapped[int] = mapped_column(doc="How long it took.")
    error: Mapped[str | None] = mapped_column(doc="Why it failed; null when it did not.")
    published_at: Mapped[datetime | None] = mapped_column(doc="When its members counted; null when it failed.")


class SegmentSweep(TenantTable):
    """WS: How far the tenant's segments that time can change have been worked out again today."""

    __tablename__ = "segment_sweeps"

    started_at: Mapped[datetime]
    reached: Mapped[UUID | None] = mapped_column(doc="The last customer who was looked at.")
    evaluated: Mapped[int] = mapped_column(server_default=text("0"))
