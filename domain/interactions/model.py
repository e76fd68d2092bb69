"""What happened between a customer and the business: one table, one timeline, one typed payload per family."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import OF_CUSTOMER, TRANSACTION, Entity, TenantTable, one_of, personal


class InteractionKind(StrEnum):
    """What kind of thing happened."""

    VISIT = "VISIT"
    AD_VIEW = "AD_VIEW"
    INQUIRY = "INQUIRY"
    FORM_SUBMITTED = "FORM_SUBMITTED"
    EMAIL_SENT = "EMAIL_SENT"
    EMAIL_RECEIVED = "EMAIL_RECEIVED"
    EMAIL_OPENED = "EMAIL_OPENED"
    EMAIL_CLICKED = "EMAIL_CLICKED"
    EMAIL_BOUNCED = "EMAIL_BOUNCED"
    MESSAGE = "MESSAGE"
    CALL = "CALL"
    MEETING = "MEETING"
    ENVELOPE_SENT = "ENVELOPE_SENT"
    ENVELOPE_VIEWED = "ENVELOPE_VIEWED"
    ENVELOPE_SIGNED = "ENVELOPE_SIGNED"
    ENVELOPE_DECLINED = "ENVELOPE_DECLINED"
    ENVELOPE_VOIDED = "ENVELOPE_VOIDED"
    CASE_OPENED = "CASE_OPENED"
    CASE_ANSWERED = "CASE_ANSWERED"
    CASE_RESOLVED = "CASE_RESOLVED"
    CASE_REOPENED = "CASE_REOPENED"
    CASE_CLOSED = "CASE_CLOSED"
    SURVEY = "SURVEY"
    REVIEW = "REVIEW"
    REFERRAL = "REFERRAL"
    SOCIAL_MENTION = "SOCIAL_MENTION"
    USAGE = "USAGE"
    CART_CREATED = "CART_CREATED"
    CART_UPDATED = "CART_UPDATED"
    CART_ABANDONED = "CART_ABANDONED"
    CART_RECOVERED = "CART_RECOVERED"
    ORDER_PLACED = "ORDER_PLACED"
    ORDER_ADJUSTED = "ORDER_ADJUSTED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_REFUNDED = "ORDER_REFUNDED"
    ORDER_SHIPPED = "ORDER_SHIPPED"
    ORDER_DELIVERED = "ORDER_DELIVERED"
    INVOICE_ISSUED = "INVOICE_ISSUED"
    INVOICE_SENT = "INVOICE_SENT"
    INVOICE_PAID = "INVOICE_PAID"
    INVOICE_OVERDUE = "INVOICE_OVERDUE"
    INVOICE_VOIDED = "INVOICE_VOIDED"
    PAYMENT_RECEIVED = "PAYMENT_RECEIVED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    CREDIT_NOTE_ISSUED = "CREDIT_NOTE_ISSUED"
    STAGE_CHANGED = "STAGE_CHANGED"
    NOTE = "NOTE"
    TASK = "TASK"


class Family(StrEnum):
    """The families of kinds that share a payload; each is an object type of the API."""

    EMAIL = "EMAIL"
    MESSAGE = "MESSAGE"
    CALL = "CALL"
    MEETING = "MEETING"
    ENVELOPE = "ENVELOPE"
    CASE = "CASE"
    SURVEY = "SURVEY"
    REVIEW = "REVIEW"
    REFERRAL = "REFERRAL"
    USAGE = "USAGE"
    VISIT = "VISIT"
    COMMERCE = "COMMERCE"
    STAGE = "STAGE"
    NOTE = "NOTE"
    TASK = "TASK"


_KINDS_OF_FAMILY = {
    Family.EMAIL: "EMAIL_SENT EMAIL_RECEIVED EMAIL_OPENED EMAIL_CLICKED EMAIL_BOUNCED",
    Family.MESSAGE: "INQUIRY FORM_SUBMITTED MESSAGE",
    Family.CALL: "CALL",
    Family.MEETING: "MEETING",
    Family.ENVELOPE: "ENVELOPE_SENT ENVELOPE_VIEWED ENVELOPE_SIGNED ENVELOPE_DECLINED ENVELOPE_VOIDED",
    Family.CASE: "CASE_OPENED CASE_ANSWERED CASE_RESOLVED CASE_REOPENED CASE_CLOSED",
    Family.SURVEY: "SURVEY",
    Family.REVIEW: "REVIEW SOCIAL_MENTION",
    Family.REFERRAL: "REFERRAL",
    Family.USAGE: "USAGE",
    Family.VISIT: "VISIT AD_VIEW",
    Family.COMMERCE: (
        "CART_CREATED CART_UPDATED CART_ABANDONED CART_RECOVERED "
        "ORDER_PLACED ORDER_ADJUSTED ORDER_CANCELLED ORDER_REFUNDED ORDER_SHIPPED ORDER_DELIVERED "
        "INVOICE_ISSUED INVOICE_SENT INVOICE_PAID INVOICE_OVERDUE INVOICE_VOIDED "
        "PAYMENT_RECEIVED PAYMENT_FAILED CREDIT_NOTE_ISSUED"
    ),
    Family.STAGE: "STAGE_CHANGED",
    Family.NOTE: "NOTE",
    Family.TASK: "TASK",
}

FAMILY_OF = {InteractionKind(kind): family for family, kinds in _KINDS_OF_FAMILY.items() for kind in kinds.split()}
"""To which family each kind belongs."""


class Channel(StrEnum):
    """By which way it happened."""

    EMAIL = "EMAIL"
    PHONE = "PHONE"
    SMS = "SMS"
    CHAT = "CHAT"
    WEB = "WEB"
    SOCIAL = "SOCIAL"
    IN_PERSON = "IN_PERSON"
    VIDEO = "VIDEO"
    MAIL = "MAIL"
    STORE = "STORE"
    APP = "APP"
    OTHER = "OTHER"


class Direction(StrEnum):
    """Who began it."""

    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"
    INTERNAL = "INTERNAL"


class SurveyMeasure(StrEnum):
    """What a survey asks for."""

    NPS = "NPS"
    CSAT = "CSAT"
    CES = "CES"
    OTHER = "OTHER"


class Interaction(Entity):
    """AO + superseded_at: Something that happened; one row per revision, the current one has no `superseded_at`.

    Unique by integration, stream, remote id and part; what is recorded by hand has no integration and its own id. Who
    writes has looked the customer up: PostgreSQL does not check it again row by row (ADR 0012).
    """

    __tablename__ = "interactions"
    __table_args__ = (
        one_of("kind", InteractionKind),
        one_of("family", Family),
        one_of("channel", Channel),
        one_of("direction", Direction),
        # What lists of interactions show stands in it, so that they need not look at the rows, which lie far apart.
        Index(
            "interactions_latest_idx", "tenant_id", "customer_id", text("occurred_at DESC"), text("id DESC"),
            postgresql_include=("kind", "family", "channel", "direction", "summary"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index(
            "interactions_occurred_at_idx", "tenant_id", text("occurred_at DESC"), text("id DESC"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index(
            "interactions_remote_key", "tenant_id", "integration_id", "stream", "remote_id", "part", unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )  # fmt: skip

    revision: Mapped[int] = mapped_column(primary_key=True, doc="Counts from 1; a newer one supersedes the others.")
    customer_id: Mapped[UUID | None] = mapped_column(doc="Whom it concerns, as it was recorded.")
    kind: Mapped[str] = mapped_column(doc="What kind of thing happened.")
    family: Mapped[str] = mapped_column(doc="Which payload it has.")
    channel: Mapped[str | None] = mapped_column(doc="By which way it happened.")
    direction: Mapped[str | None] = mapped_column(doc="Who began it.")
    occurred_at: Mapped[datetime] = mapped_column(doc="When it happened in the world.")
    recorded_at: Mapped[datetime] = mapped_column(doc="When it became known here.")
    recorded_in: Mapped[int] = mapped_column(server_default=TRANSACTION, doc="The transaction that recorded it.")
    superseded_at: Mapped[datetime | None] = mapped_column(doc="When a newer revision became known.")
    integration_id: Mapped[UUID | None] = mapped_column(doc="Where it was read; null when recorded by hand.")
    stream: Mapped[str] = mapped_column(doc="The stream it was read from.")
    remote_id: Mapped[str] = mapped_column(doc="Its id at the other side.")
    part: Mapped[int] = mapped_column(
        server_default=text("0"), doc="One thing may concern several customers, each in a part of its own, from 0."
    )
    remote_version: Mapped[str | None] = mapped_column(doc="Its version at the other side.")
    correlation_key: Mapped[str | None] = mapped_column(doc="What belongs together, such as a thread or a call.")
    causation_id: Mapped[UUID | None] = mapped_column(doc="The event that led to it.")
    campaign_key: Mapped[str | None] = mapped_column(doc="The campaign that it belongs to.")
    machine_suspected: Mapped[bool] = mapped_column(server_default=text("false"), doc="No person may have done it.")
    summary: Mapped[str | None] = personal(doc="What it was about, in a line.")
    payload: Mapped[dict[str, Any] | None] = personal(doc="What its family holds.")


class InteractionContent(TenantTable):
    """AO + customer_id, content, recorded_at: The text of an interaction, where the tenant wants it kept; a newer one
    replaces it.

    It stands apart, so that whoever reads the timeline does not read it by the way.
    """

    __tablename__ = "interaction_contents"
    __table_args__ = (Index("interaction_contents_customer_idx", "tenant_id", "customer_id"),)

    interaction_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID | None] = mapped_column(doc="Whom the interaction concerns.")
    content: Mapped[str | None] = personal(doc="The text; null where it is kept no longer.")
    recorded_at: Mapped[datetime] = mapped_column(doc="When it became known here.")


def _evidence(table: str) -> tuple[Index, ...]:
    """How what customers did in one respect is found: of one of them, the latest first, and by day."""
    latest = (text("occurred_at DESC"), text("id DESC"))
    return (
        Index(f"{table}_customer_idx", "tenant_id", "customer_id", *latest),
        Index(f"{table}_local_day_idx", "tenant_id", "local_day"),
    )


class _Evidence:
    """What every row has that one interaction gave; its id is that of the interaction."""

    customer_id: Mapped[UUID] = mapped_column(doc="Whose it is, as it was recorded.")
    occurred_at: Mapped[datetime] = mapped_column(doc="When it happened in the world.")
    local_day: Mapped[date] = mapped_column(doc="The tenant's calendar day of it.")


class Case(Entity):
    """PJ: A support case, from all its steps; its id is that of the step that became known first.

    A case that was opened again is resolved only once it is resolved again.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index("cases_customer_idx", "tenant_id", "customer_id", text("opened_at DESC"), text("id DESC")),
        Index("cases_local_day_idx", "tenant_id", "local_day"),
        Index("cases_case_key_idx", "tenant_id", "case_key"),
    )

    customer_id: Mapped[UUID] = mapped_column(doc="Whose it is, as its first step was recorded.")
    case_key: Mapped[str] = mapped_column(doc="What the other side calls it; costs name it by this key.")
    integration_id: Mapped[UUID | None] = mapped_column(doc="Where it was read; null when recorded by hand.")
    title: Mapped[str | None] = personal(doc="What it is about.")
    priority: Mapped[str | None] = mapped_column(doc="How urgent it is, in the other side's word.")
    opened_at: Mapped[datetime] = mapped_column(doc="When it was opened.")
    local_day: Mapped[date] = mapped_column(doc="The tenant's calendar day of its opening.")
    answered_at: Mapped[datetime | None] = mapped_column(doc="When it was first answered.")
    resolved_at: Mapped[datetime | None] = mapped_column(doc="When it was resolved; null while it is open.")
    reopened: Mapped[int] = mapped_column(doc="How often it was opened again.")
    answer_minutes: Mapped[int | None] = mapped_column(doc="Whole minutes from its opening to the first answer.")
    resolution_minutes: Mapped[int | None] = mapped_column(doc="Whole minutes from its opening until it was resolved.")
    cost: Mapped[int | None] = mapped_column(doc="What it cost, as last told, in minor units; null when not known.")
    currency: Mapped[str | None] = mapped_column(doc="The currency of the cost (ISO 4217).")


class SurveyResponse(_Evidence, Entity):
    """PJ: A score that a customer gave in a survey; its id is that of the interaction."""

    __tablename__ = "survey_responses"
    __table_args__ = (one_of("measure", SurveyMeasure), *_evidence("survey_responses"))

    survey: Mapped[str | None] = personal(doc="Which survey.")
    measure: Mapped[str] = mapped_column(doc="What it asks for.")
    score: Mapped[Decimal | None] = personal(doc="The score that was given.")
    out_of: Mapped[int | None] = mapped_column(doc="The highest score there is; null when not known.")


class Review(_Evidence, Entity):
    """PJ: A review that a customer wrote; its id is that of the interaction."""

    __tablename__ = "reviews"
    __table_args__ = _evidence("reviews")

    site: Mapped[str | None] = personal(doc="Where it stands.")
    rating: Mapped[Decimal | None] = personal(doc="The rating that was given.")
    out_of: Mapped[int] = mapped_column(doc="The highest rating there is.")
    is_positive: Mapped[bool | None] = mapped_column(doc="Whether it is 4 of 5 or better; null without a rating.")


class Referral(_Evidence, Entity):
    """PJ: A recommendation by a customer to somebody else; its id is that of the interaction."""

    __tablename__ = "referrals"
    __table_args__ = (
        *_evidence("referrals"),
        Index("referrals_referred_idx", "tenant_id", "referred_id"),
        Index(
            "referrals_awaited_idx", "tenant_id", "integration_id", "referred_remote_id",
            postgresql_where=text("referred_id IS NULL"),
        ),
    )  # fmt: skip

    referred_id: Mapped[UUID | None] = mapped_column(
        info=OF_CUSTOMER, doc="Who was referred; null while nobody here is known to be."
    )
    integration_id: Mapped[UUID | None] = mapped_column(doc="Where it was read; null when recorded by hand.")
    referred_remote_id: Mapped[str | None] = mapped_column(doc="Who was referred, by the id at the other side.")
    is_self: Mapped[bool] = mapped_column(
        doc="Both are one customer, or share an identifier that proves who somebody is: it counts as no referral."
    )
    converted_at: Mapped[datetime | None] = mapped_column(
        doc="When the one who was referred first bought, on the day of the referral or later; null until then."
    )


class SocialMention(_Evidence, Entity):
    """PJ: A customer spoke of the business in social media; its id is that of the interaction."""

    __tablename__ = "social_mentions"
    __table_args__ = _evidence("social_mentions")

    site: Mapped[str | None] = personal(doc="Where it stands.")
    rating: Mapped[Decimal | None] = personal(doc="The rating that it gives.")
    out_of: Mapped[int] = mapped_column(doc="The highest rating there is.")
    is_positive: Mapped[bool | None] = mapped_column(doc="Whether it is 4 of 5 or better; null without a rating.")


class CampaignResponse(TenantTable):
    """PJ: What a campaign that reached a surviving customer led to; a click, a reply or a redemption is a response.

    A response is raw whoever did it; it is human-likely unless a machine is suspected. That somebody opened a mail is
    none. What happened before the first delivery belongs to no delivery.
    """

    __tablename__ = "campaign_responses"
    __table_args__ = (Index("campaign_responses_delivered_on_idx", "tenant_id", "delivered_on"),)

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_key: Mapped[str] = mapped_column(primary_key=True)
    delivered_at: Mapped[datetime] = mapped_column(doc="When it was delivered first.")
    delivered_on: Mapped[date] = mapped_column(doc="The tenant's calendar day of that.")
    deliveries: Mapped[int] = mapped_column(doc="How often it was delivered.")
    raw_at: Mapped[datetime | None] = mapped_column(doc="The first response of whomsoever.")
    human_at: Mapped[datetime | None] = mapped_column(doc="The first response that is likely a person's.")
    raw_responses: Mapped[int] = mapped_column(doc="How many responses there were.")
    human_responses: Mapped[int] = mapped_column(doc="How many of them are likely a person's.")
