"""Who uses Tenure: tenants, their principals and tokens, and what guards a request."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import DIRECTORY, Base, Entity, TenantTable, one_of, personal


class Calendar(StrEnum):
    """The calendar in which a tenant counts days and months."""

    GREGORIAN = "GREGORIAN"
    JALALI = "JALALI"


class TenantStatus(StrEnum):
    """Whether a tenant is served."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


class Role(StrEnum):
    """What a principal is here for; it bounds the scopes of the tokens made for it."""

    VIEWER = "VIEWER"
    AGENT = "AGENT"
    ANALYST = "ANALYST"
    ADMIN = "ADMIN"


class PrincipalKind(StrEnum):
    """A person or a service."""

    PERSON = "PERSON"
    SERVICE = "SERVICE"


class TenantEntry(Base):
    """CF: A tenant as the directory knows it: enough to find the door, nothing that lies behind it."""

    __tablename__ = "tenants"
    __table_args__ = (UniqueConstraint("slug"), one_of("status", TenantStatus), {"schema": DIRECTORY})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'ACTIVE'"))


class TokenPrefix(Base):
    """WS: To which tenant a token's public prefix leads."""

    __tablename__ = "token_prefixes"
    __table_args__ = ({"schema": DIRECTORY},)

    prefix: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]


class Tenant(TenantTable):
    """CF: A business that uses Tenure, with the calendar, currency and language in which it thinks."""

    __tablename__ = "tenants"
    __table_args__ = (one_of("calendar", Calendar), one_of("status", TenantStatus))

    slug: Mapped[str] = mapped_column(doc="The short name that appears in commands.")
    name: Mapped[str] = mapped_column(doc="The name of the business.")
    time_zone: Mapped[str] = mapped_column(doc="The IANA time zone in which its days begin.")
    calendar: Mapped[str] = mapped_column(doc="The calendar of its days and months.")
    base_currency: Mapped[str] = mapped_column(doc="The currency that totals are shown in.")
    locale: Mapped[str] = mapped_column(doc="The language of its labels, such as en or fa.")
    vocabulary: Mapped[dict[str, Any]] = mapped_column(doc="Its own words for ours, such as client for customer.")
    status: Mapped[str] = mapped_column(server_default=text("'ACTIVE'"))
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


class Principal(Entity):
    """CF: A person or a service that acts for a tenant."""

    __tablename__ = "principals"
    __table_args__ = (one_of("kind", PrincipalKind), one_of("role", Role))

    kind: Mapped[str] = mapped_column(doc="A person or a service.")
    name: Mapped[str] = mapped_column(doc="How the principal is called.")
    role: Mapped[str] = mapped_column(doc="What it is here for.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    disabled_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


class ApiToken(Entity):
    """AO + revoked_at, last_used_at: A bearer token; only the SHA-256 of its secret is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "principal_id"], ["principals.tenant_id", "principals.id"]),
        UniqueConstraint("tenant_id", "prefix"),
    )

    principal_id: Mapped[UUID]
    prefix: Mapped[str] = mapped_column(doc="The public beginning of the token.")
    secret_hash: Mapped[bytes]
    name: Mapped[str] = mapped_column(doc="What the token is for.")
    scopes: Mapped[list[str]] = mapped_column(doc="What the token may do.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made.")
    expires_at: Mapped[datetime | None] = mapped_column(doc="When it ends by itself; never when null.")
    revoked_at: Mapped[datetime | None] = mapped_column(doc="When it was revoked.")
    last_used_at: Mapped[datetime | None] = mapped_column(doc="When it was last used, to within some minutes.")


class IdempotencyKey(TenantTable):
    """WS: The stored answer of a mutation field, so that the same request again replays it for 24 hours."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_expires_at_idx", "tenant_id", "expires_at"),)

    token_id: Mapped[UUID] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    input_digest: Mapped[bytes]
    answer: Mapped[dict[str, Any] | None] = personal()
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    expires_at: Mapped[datetime]


class PersistedDocument(TenantTable):
    """WS: An automatically persisted query, by the SHA-256 of its text."""

    __tablename__ = "persisted_documents"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    document: Mapped[str] = mapped_column(info={"pii": True})
    used_at: Mapped[datetime]


class RateBucket(TenantTable):
    """WS: The budget that one token has left; lost with a crash of the database, which refills it."""

    __tablename__ = "rate_buckets"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    token_id: Mapped[UUID] = mapped_column(primary_key=True)
    remaining: Mapped[int]
    refilled_at: Mapped[datetime]
