"""Who the customers are: the head row that reads show, and the facts, claims and edges it is derived from."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from domain.core.tables import OF_CUSTOMER, Entity, TenantTable, one_of, personal
from domain.customers.edges import EdgeKind
from domain.customers.identity import CustomerKind, Strength
from domain.customers.rules import AttributeType, ConsentDecision, Survivorship

__all__ = [
    "MILLIONTHS",
    "AttributeDefinition",
    "AttributeType",
    "CandidateState",
    "ConsentDecision",
    "ConsentEvent",
    "Customer",
    "CustomerAttribute",
    "CustomerFact",
    "CustomerKind",
    "CustomerRelation",
    "CustomerStatus",
    "CustomerWord",
    "Department",
    "DepartmentMember",
    "EdgeKind",
    "IdentityClaim",
    "IdentityEdge",
    "MergeCandidate",
    "PiiClass",
    "PrivacyRequest",
    "PrivacyRequestKind",
    "RelationKind",
    "Strength",
    "Suppression",
    "Survivorship",
    "UnsettledCustomer",
]


class CustomerStatus(StrEnum):
    """Whether a customer stands for itself."""

    ACTIVE = "ACTIVE"
    MERGED = "MERGED"
    ERASED = "ERASED"


class PiiClass(StrEnum):
    """How personal the values of an attribute are."""

    NONE = "NONE"
    PERSONAL = "PERSONAL"


class CandidateState(StrEnum):
    """What became of a proposed merge."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


class RelationKind(StrEnum):
    """How two customers belong together."""

    EMPLOYS = "EMPLOYS"
    HOUSEHOLD = "HOUSEHOLD"
    REFERRED = "REFERRED"
    PARENT_OF = "PARENT_OF"


_LISTED = text("status = 'ACTIVE'")
_SORTED = {
    "first_seen_at": "first_seen_at",
    "updated_at": "updated_at",
    "first_purchase_at": "coalesce(first_purchase_at, '-infinity'::timestamptz)",
    "last_purchase_at": "coalesce(last_purchase_at, '-infinity'::timestamptz)",
    "display_name": "coalesce(display_name, '')",
}
"""What lists of customers are sorted by: never null, so that one range of an index holds what lies behind a cursor."""


class Customer(Entity):
    """PJ: A person or an organisation that the business deals with: the head row, derived from facts and edges.

    On the surviving customer of a merge (`root_id = id`) the lists hold what all its members brought.
    """

    __tablename__ = "customers"
    __table_args__ = (
        one_of("kind", CustomerKind),
        one_of("status", CustomerStatus),
        Index("customers_root_idx", "tenant_id", "root_id"),
        Index("customers_organisation_idx", "tenant_id", "organisation_id", "id"),
        *(
            Index(f"customers_{name}_idx", "tenant_id", text(sorted_by), "id", postgresql_where=_LISTED)
            for name, sorted_by in _SORTED.items()
        ),
        Index(
            "customers_country_idx", "tenant_id", "country", text(_SORTED["last_purchase_at"]), "id",
            postgresql_where=_LISTED,
        ),
        Index(
            "customers_default_stage_idx", "tenant_id", "default_stage", "country", text(_SORTED["last_purchase_at"]),
            "id", postgresql_where=_LISTED,
        ),
    )  # fmt: skip

    kind: Mapped[str] = mapped_column(doc="A person or an organisation.")
    display_name: Mapped[str | None] = personal(doc="The name to show.")
    status: Mapped[str] = mapped_column(doc="Whether the customer stands for itself.")
    country: Mapped[str | None] = mapped_column(doc="The country of the primary address (ISO 3166, two letters).")
    primary_email: Mapped[str | None] = personal(doc="The e-mail address to write to.")
    primary_phone: Mapped[str | None] = personal(doc="The phone number to call (E.164).")
    emails: Mapped[list[dict[str, Any]] | None] = personal(doc="Every known e-mail address.")
    phones: Mapped[list[dict[str, Any]] | None] = personal(doc="Every known phone number.")
    addresses: Mapped[list[dict[str, Any]] | None] = personal(doc="Every known postal address.")
    attributes: Mapped[list[dict[str, Any]] | None] = personal(doc="The golden values of the tenant's attributes.")
    organisation_id: Mapped[UUID | None] = mapped_column(doc="The organisation that a person belongs to.")
    root_id: Mapped[UUID] = mapped_column(doc="The surviving customer; itself when not merged.")
    merged_into: Mapped[UUID | None] = mapped_column(doc="The surviving customer of a merge.")
    member_ids: Mapped[list[UUID]] = mapped_column(doc="On the survivor: itself and all who were merged into it.")
    first_seen_at: Mapped[datetime] = mapped_column(doc="When the business first heard of the customer.")
    own_first_seen_at: Mapped[datetime | None] = mapped_column(
        doc="On the survivor of a merge: its own `first_seen_at`, for an unmerge to give back."
    )
    first_purchase_at: Mapped[datetime | None] = mapped_column(doc="When the customer first bought.")
    last_purchase_at: Mapped[datetime | None] = mapped_column(doc="When the customer last bought.")
    default_stage: Mapped[str | None] = mapped_column(
        doc="On the survivor: where it is in the tenant's default lifecycle, as `lifecycle:stage`."
    )
    default_stage_id: Mapped[UUID | None] = mapped_column(doc="The stage that `default_stage` names.")
    created_at: Mapped[datetime] = mapped_column(doc="When the record was made here.")
    updated_at: Mapped[datetime] = mapped_column(doc="When the record last changed here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


MILLIONTHS = Decimal(1_000_000)
"""A DECIMAL attribute is kept as a whole number of millionths, so that its order is leakproof."""


class _TypedValue:
    """One value of an attribute in the column of its type; a DECIMAL counts millionths."""

    text_value: Mapped[str | None] = personal()
    integer_value: Mapped[int | None] = personal()
    boolean_value: Mapped[bool | None] = personal()
    date_value: Mapped[date | None] = personal()
    time_value: Mapped[datetime | None] = personal()


class AttributeDefinition(Entity):
    """CF: An attribute that a tenant keeps of its customers, and how its golden value is chosen."""

    __tablename__ = "attribute_definitions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        one_of("type", AttributeType),
        one_of("pii", PiiClass),
        one_of("survivorship", Survivorship),
    )

    key: Mapped[str] = mapped_column(doc="The name in filters and files.")
    type: Mapped[str] = mapped_column(doc="What values it takes.")
    labels: Mapped[dict[str, Any]] = mapped_column(doc="How people call it, per language.")
    pii: Mapped[str] = mapped_column(doc="How personal its values are.")
    survivorship: Mapped[str] = mapped_column(doc="Which of several facts wins.")
    authority: Mapped[list[str]] = mapped_column(doc="Sources in the order of trust.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


class CustomerFact(_TypedValue, Entity):
    """BT + valid_to, superseded_at: What a source said of a customer, for how long it held, and when we learnt it.

    The keys `name`, `country` and `address` are built in; the others are the tenant's attributes.
    """

    __tablename__ = "customer_facts"
    __table_args__ = (
        Index("customer_facts_customer_idx", "tenant_id", "customer_id", "key", "recorded_at"),
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
    )

    customer_id: Mapped[UUID]
    key: Mapped[str]
    json_value: Mapped[dict[str, Any] | None] = personal()
    source: Mapped[str] = mapped_column(doc="`manual`, or connector:account.")
    confidence: Mapped[int] = mapped_column(server_default=text("100"), doc="Per cent.")
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]


class CustomerAttribute(_TypedValue, TenantTable):
    """PJ: The golden value of one attribute of a surviving customer, as a row that filters can reach."""

    __tablename__ = "customer_attributes"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Index, ...]:  # noqa: N805 - SQLAlchemy passes the class
        """One index for each type of value."""
        return tuple(
            Index(
                f"customer_attributes_{name}_idx", "tenant_id", "key", name, "customer_id",
                postgresql_where=text(f"{name} IS NOT NULL"),
            )
            for name in ("text_value", "integer_value", "boolean_value", "date_value", "time_value")
        )  # fmt: skip

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)


class CustomerWord(TenantTable):
    """PJ: A folded word of a surviving customer's names and addresses, so that search needs no LIKE."""

    __tablename__ = "customer_words"
    __table_args__ = (Index("customer_words_customer_idx", "tenant_id", "customer_id"),)

    word: Mapped[str] = mapped_column(primary_key=True, info={"pii": True})
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)


class IdentityClaim(Entity):
    """ED + valid_to, verified_at: An identifier by which a customer was seen: an e-mail address, a phone, an id."""

    __tablename__ = "identity_claims"
    __table_args__ = (
        one_of("strength", Strength),
        Index(
            "identity_claims_value_idx", "tenant_id", "scheme", "normalised", "customer_id",
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("identity_claims_customer_idx", "tenant_id", "customer_id"),
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
    )  # fmt: skip

    customer_id: Mapped[UUID]
    scheme: Mapped[str] = mapped_column(doc="email, phone, tax_id, device or external:<source>.")
    value: Mapped[str | None] = personal(doc="As it was written.")
    normalised: Mapped[str | None] = personal(doc="As it is compared.")
    strength: Mapped[str] = mapped_column(doc="What it proves.")
    source: Mapped[str] = mapped_column(doc="`manual`, or connector:account.")
    is_primary: Mapped[bool] = mapped_column(server_default=text("false"))
    verified_at: Mapped[datetime | None] = mapped_column(doc="When it was verified.")
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]


class IdentityEdge(Entity):
    """AO: An entry of the identity log: two customers are one, are no longer, or must never become one."""

    __tablename__ = "identity_edges"
    __table_args__ = (
        one_of("kind", EdgeKind),
        Index("identity_edges_customer_idx", "tenant_id", "customer_id"),
        Index("identity_edges_into_idx", "tenant_id", "into_id"),
        Index("identity_edges_batch_idx", "tenant_id", "batch_id"),
    )

    kind: Mapped[str]
    customer_id: Mapped[UUID] = mapped_column(doc="The one that is absorbed.")
    into_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER, doc="The one that survives.")
    undoes: Mapped[UUID | None] = mapped_column(doc="The MERGE that an UNMERGE takes back.")
    batch_id: Mapped[UUID] = mapped_column(doc="Edges made by one decision.")
    reason: Mapped[str | None] = personal()
    evidence: Mapped[dict[str, Any] | None] = personal()
    actor: Mapped[str]
    recorded_at: Mapped[datetime]


class MergeCandidate(Entity):
    """PJ: Two customers who may be one, with the score and its reasons; a rejection is remembered."""

    __tablename__ = "merge_candidates"
    __table_args__ = (
        one_of("state", CandidateState),
        UniqueConstraint("tenant_id", "left_id", "right_id"),
        Index("merge_candidates_right_idx", "tenant_id", "right_id"),
        Index("merge_candidates_score_idx", "tenant_id", "state", "score", "id"),
    )

    left_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER)
    right_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER)
    score: Mapped[int] = mapped_column(doc="How alike they are, from 0 to 1000.")
    features: Mapped[list[dict[str, Any]] | None] = personal(doc="What speaks for it and how much.")
    state: Mapped[str] = mapped_column(doc="What became of the proposal.")
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


class CustomerRelation(Entity):
    """ED + valid_to: How one customer belongs to another: an organisation employs a person, say."""

    __tablename__ = "customer_relations"
    __table_args__ = (
        one_of("kind", RelationKind),
        Index("customer_relations_from_idx", "tenant_id", "from_id", "kind", "to_id"),
        Index("customer_relations_to_idx", "tenant_id", "to_id", "kind", "from_id"),
    )

    kind: Mapped[str]
    from_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER)
    to_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER)
    source: Mapped[str] = mapped_column(doc="Where it is known from.")
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]


class Department(Entity):
    """CF: A part of the business that looks after customers of its own."""

    __tablename__ = "departments"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)

    key: Mapped[str] = mapped_column(doc="The name in files and filters.")
    name: Mapped[str] = mapped_column(doc="How people call it.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


class DepartmentMember(Entity):
    """ED + valid_to: For how long a customer belonged to a department; to at most one at a time."""

    __tablename__ = "department_members"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "customer_id"], ["customers.tenant_id", "customers.id"]),
        ForeignKeyConstraint(["tenant_id", "department_id"], ["departments.tenant_id", "departments.id"]),
        Index(
            "department_members_current_key", "tenant_id", "customer_id", unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("department_members_customer_idx", "tenant_id", "customer_id", "valid_from"),
        Index("department_members_department_idx", "tenant_id", "department_id", "customer_id"),
    )  # fmt: skip

    department_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    source: Mapped[str] = mapped_column(doc="`manual`, or connector:account.")
    valid_from: Mapped[datetime] = mapped_column(doc="Since when the customer belonged to it.")
    valid_to: Mapped[datetime | None] = mapped_column(doc="Until when.")


class ConsentEvent(Entity):
    """AO: What a customer decided about one purpose on one channel, and the evidence."""

    __tablename__ = "consent_events"
    __table_args__ = (
        one_of("decision", ConsentDecision),
        Index("consent_events_customer_idx", "tenant_id", "customer_id", "purpose", "channel", "occurred_at"),
    )

    customer_id: Mapped[UUID]
    purpose: Mapped[str] = mapped_column(doc="What the contact is for.")
    channel: Mapped[str] = mapped_column(doc="By which way.")
    decision: Mapped[str] = mapped_column(doc="What the customer said.")
    lawful_basis: Mapped[str | None] = mapped_column(doc="The legal ground.")
    evidence: Mapped[str | None] = personal(doc="How it was said.")
    actor: Mapped[str]
    occurred_at: Mapped[datetime] = mapped_column(doc="When it was said.")
    recorded_at: Mapped[datetime]


class PrivacyRequestKind(StrEnum):
    """What a person may ask about the data kept of them."""

    EXPORT = "EXPORT"
    ERASE = "ERASE"
    RESTRICT = "RESTRICT"


class PrivacyRequest(Entity):
    """AO + steps, completed_at, certificate: A request of a person about their data, and the proof that it was met."""

    __tablename__ = "privacy_requests"
    __table_args__ = (
        one_of("kind", PrivacyRequestKind),
        Index("privacy_requests_customer_idx", "tenant_id", "customer_id"),
    )

    customer_id: Mapped[UUID]
    kind: Mapped[str]
    actor: Mapped[str]
    requested_at: Mapped[datetime]
    steps: Mapped[list[dict[str, Any]]]
    completed_at: Mapped[datetime | None]
    certificate: Mapped[bytes | None] = mapped_column(doc="The digest of what was done.")


class Suppression(TenantTable):
    """AO: The keyed hash of an erased person's identifier, so that the next sync cannot bring them back."""

    __tablename__ = "suppressions"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime]


class UnsettledCustomer(TenantTable):
    """WS: A customer of whom something has landed that its totals and its stages do not show yet."""

    __tablename__ = "unsettled_customers"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime]
