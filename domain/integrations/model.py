"""Where records come from: integrations, the state of their streams, and what each remote record became here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import DIRECTORY, OF_CUSTOMER, Base, Entity, TenantTable, one_of, personal


class IntegrationState(StrEnum):
    """Where an integration is in its life."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DISCONNECTED = "DISCONNECTED"


class HookToken(Base):
    """WS: To which integration, or app, the secret address of a webhook leads."""

    __tablename__ = "hook_tokens"
    __table_args__ = ({"schema": DIRECTORY},)

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID | None]
    integration_id: Mapped[UUID | None]
    app: Mapped[str | None]


class RemoteAccount(Base):
    """WS: To which integration an account at a vendor belongs."""

    __tablename__ = "remote_accounts"
    __table_args__ = ({"schema": DIRECTORY},)

    connector: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID]


class Integration(Entity):
    """CF: A connector that an admin enabled for a tenant, with its settings and the account it reads.

    A file import is one too: its connector is `files`, its account the mapping's `source`.
    """

    __tablename__ = "integrations"
    __table_args__ = (UniqueConstraint("tenant_id", "connector", "account"), one_of("state", IntegrationState))

    connector: Mapped[str] = mapped_column(doc="The key of the connector.")
    account: Mapped[str] = mapped_column(doc="The account at the other side; unique per tenant and connector.")
    label: Mapped[str] = mapped_column(doc="How people call it.")
    config: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(doc="Where it is in its life.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


def _of_integration() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", "integration_id"], ["integrations.tenant_id", "integrations.id"])


class StreamState(TenantTable):
    """WS: How far a stream has been read, and which run may go on with it."""

    __tablename__ = "stream_states"
    __table_args__ = (_of_integration(),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[dict[str, Any] | None]
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


class SyncRun(Entity):
    """AO + ended_at, counters, error: One reading of a stream, with what it found."""

    __tablename__ = "sync_runs"
    __table_args__ = (_of_integration(), Index("sync_runs_started_at_idx", "tenant_id", "integration_id", "started_at"))

    integration_id: Mapped[UUID]
    stream: Mapped[str]
    mode: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    counters: Mapped[dict[str, Any]]
    error: Mapped[str | None]


class StagedLine(TenantTable):
    """WS: A line of a document that waits for the others of its run, before the document can be made.

    It is lost with a crash of the database; the checkpoint of the run knows how many there must be.
    """

    __tablename__ = "staged_lines"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    record: Mapped[str] = mapped_column(primary_key=True, doc="The type of record that the line belongs to.")
    document: Mapped[str] = mapped_column(primary_key=True, doc="The id of that record at the other side.")
    line: Mapped[int] = mapped_column(primary_key=True, doc="Where it stands in the input.")
    kind: Mapped[str | None]
    number: Mapped[str | None]
    occurred_at: Mapped[datetime]
    status: Mapped[str | None]
    refunds: Mapped[str | None] = mapped_column(doc="The id of the order that a refund gives back.")
    customer: Mapped[str | None]
    customer_name: Mapped[str | None] = personal()
    country: Mapped[str | None]
    country_name: Mapped[str | None]
    currency: Mapped[str]
    digits: Mapped[int] = mapped_column(doc="How many digits the currency's minor unit has.")
    channel: Mapped[str | None]
    total: Mapped[int | None] = mapped_column(doc="In minor units, like every amount of a line.")
    units: Mapped[Decimal | None]
    sku: Mapped[str | None]
    description: Mapped[str | None]
    quantity: Mapped[Decimal | None]
    unit_price: Mapped[Decimal | None]
    discount: Mapped[int | None]
    tax: Mapped[int | None]
    amount: Mapped[int | None]


class RemoteRecord(TenantTable):
    """ED + version, content_hash, payload, deleted, updated_at: A record at the other side, as last seen.

    Documents and interactions carry their source and id themselves and have no row here.
    """

    __tablename__ = "remote_records"
    __table_args__ = (_of_integration(),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    remote_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str | None]
    content_hash: Mapped[bytes]
    payload: Mapped[dict[str, Any] | None] = personal()
    deleted: Mapped[bool] = mapped_column(server_default=text("false"))
    recorded_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


class RecordLink(TenantTable):
    """CF: Which local thing a remote record is; `agreed` is the last value that both sides had."""

    __tablename__ = "record_links"
    __table_args__ = (_of_integration(), Index("record_links_local_id_idx", "tenant_id", "local_id"))

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    remote_id: Mapped[str] = mapped_column(primary_key=True)
    local_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER, doc="A customer, among other things.")
    agreed: Mapped[dict[str, Any] | None] = personal()


class DeadLetter(Entity):
    """AO + resolution, resolved_at: A record that could not be accepted, with the field and the reason."""

    __tablename__ = "dead_letters"
    __table_args__ = (_of_integration(), Index("dead_letters_run_idx", "tenant_id", "run_id", "id"))

    integration_id: Mapped[UUID]
    run_id: Mapped[UUID]
    stream: Mapped[str]
    remote_id: Mapped[str | None]
    line: Mapped[int | None]
    field: Mapped[str | None]
    value: Mapped[str | None] = personal()
    reason: Mapped[str]
    recorded_at: Mapped[datetime]
    resolution: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
