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
    AUTHORIZING = "AUTHORIZING"
    CHECKING = "CHECKING"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    RATE_LIMITED = "RATE_LIMITED"
    DEGRADED = "DEGRADED"
    NEEDS_REAUTH = "NEEDS_REAUTH"
    QUARANTINED = "QUARANTINED"
    DISCONNECTED = "DISCONNECTED"


class SyncDirection(StrEnum):
    """Which way a stream's changes go."""

    READ_ONLY = "READ_ONLY"
    TWO_WAY = "TWO_WAY"


class Ownership(StrEnum):
    """Who wins when both sides changed the same field."""

    LOCAL = "LOCAL"
    REMOTE = "REMOTE"
    NEWEST = "NEWEST"
    MANUAL = "MANUAL"


class DriftPolicy(StrEnum):
    """What happens when the remote side sends other fields than before."""

    ACCEPT = "ACCEPT"
    QUARANTINE_FIELD = "QUARANTINE_FIELD"
    STOP = "STOP"


class RunMode(StrEnum):
    """How much of a stream a run reads."""

    INCREMENTAL = "INCREMENTAL"
    BACKFILL = "BACKFILL"
    FULL = "FULL"
    REBUILD = "REBUILD"


class ChangeStatus(StrEnum):
    """What became of a change that we owe the other side."""

    QUEUED = "QUEUED"
    SENDING = "SENDING"
    SENT = "SENT"
    WAITING = "WAITING"
    REJECTED = "REJECTED"
    CONFLICTED = "CONFLICTED"
    SUPERSEDED = "SUPERSEDED"


class Isolation(StrEnum):
    """Where the code of a connector runs."""

    LOOP = "LOOP"
    PROCESS = "PROCESS"


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


class RateBucket(Base):
    """WS: How much may still be asked of a remote side, over all workers; `scope` names an app or an account."""

    __tablename__ = "rate_buckets"
    __table_args__ = ({"schema": DIRECTORY, "prefixes": ["UNLOGGED"]},)

    scope: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[Decimal]
    factor: Mapped[Decimal] = mapped_column(server_default=text("1"), doc="Halved when the remote side protests.")
    parked_until: Mapped[datetime | None]
    refilled_at: Mapped[datetime]


class ConnectorPolicy(Base):
    """CF: What the operator decided of a connector."""

    __tablename__ = "connector_policies"
    __table_args__ = (one_of("isolation", Isolation), {"schema": DIRECTORY})

    connector: Mapped[str] = mapped_column(primary_key=True)
    isolation: Mapped[str | None] = mapped_column(doc="Where its code runs; null leaves it to the default.")
    blocked: Mapped[bool] = mapped_column(server_default=text("false"))
    reason: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


class AppDelivery(Base):
    """WS: A verified call to an app's address, until it is split by remote account; its body is encrypted."""

    __tablename__ = "app_deliveries"
    __table_args__ = (
        Index("app_deliveries_received_at_idx", "received_at"),
        Index(
            "app_deliveries_unsplit_idx", "connector", "received_at", postgresql_where=text("ciphertext IS NOT NULL")
        ),
        {"schema": DIRECTORY},
    )

    connector: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    path: Mapped[str]
    ciphertext: Mapped[bytes | None] = mapped_column(doc="Null once it is split; the digest stays to know a repeat.")
    received_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))


class Enablement(TenantTable):
    """CF: Whether a tenant may use a connector."""

    __tablename__ = "enablements"

    connector: Mapped[str] = mapped_column(primary_key=True)
    enabled: Mapped[bool]
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


class Integration(Entity):
    """CF: A connector that an admin enabled for a tenant, with its settings and the account it reads.

    A file import is one too: its connector is `files`, its account the mapping's `source`.
    """

    __tablename__ = "integrations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "connector", "account"),
        one_of("state", IntegrationState),
        one_of("drift_policy", DriftPolicy),
    )

    connector: Mapped[str] = mapped_column(doc="The key of the connector.")
    account: Mapped[str | None] = mapped_column(
        doc="The account at the other side; unique per tenant and connector. Null until the other side was reached."
    )
    account_label: Mapped[str | None] = mapped_column(doc="How the other side calls the account.")
    label: Mapped[str] = mapped_column(doc="How people call it.")
    config: Mapped[dict[str, Any]] = mapped_column(doc="Its settings, without their secrets.")
    connector_version: Mapped[str | None] = mapped_column(doc="The version of the connector that last ran.")
    state: Mapped[str] = mapped_column(doc="Where it is in its life.")
    reason: Mapped[str | None] = mapped_column(doc="Why it is in this state, in plain words.")
    state_since: Mapped[datetime | None] = mapped_column(doc="Since when it is in this state.")
    activated_at: Mapped[datetime | None] = mapped_column(doc="When it was first switched on.")
    failures: Mapped[int] = mapped_column(server_default=text("0"), doc="Breaches of the contract in a row.")
    drift_policy: Mapped[str] = mapped_column(server_default=text("'ACCEPT'"))
    refused_calls: Mapped[int] = mapped_column(
        server_default=text("0"), doc="How many calls to its address were not taken since that was given out."
    )
    refused_call_at: Mapped[datetime | None] = mapped_column(doc="When the last of them came.")
    refused_call_reason: Mapped[str | None] = mapped_column(doc="Why it was not taken, in plain words.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")


def _of_integration() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", "integration_id"], ["integrations.tenant_id", "integrations.id"])


class IntegrationSecret(TenantTable):
    """CF: A secret of an integration, encrypted; a new value replaces the old one for good. It never leaves."""

    __tablename__ = "integration_secrets"
    __table_args__ = (_of_integration(),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True, doc="`token`, `client_secret`, or the name of a field.")
    ciphertext: Mapped[bytes | None] = mapped_column(doc="Null once it was removed.")
    key_id: Mapped[str | None] = mapped_column(doc="Which key it is encrypted with.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the values it had.")
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


class Authorization(Entity):
    """WS: An authorization under way: asked for by a principal, parked by the callback, finished by the same."""

    __tablename__ = "authorizations"
    __table_args__ = (_of_integration(),)

    integration_id: Mapped[UUID]
    principal_id: Mapped[UUID]
    state_digest: Mapped[bytes]
    verifier: Mapped[bytes | None] = mapped_column(doc="The PKCE verifier, encrypted.")
    code: Mapped[bytes | None] = mapped_column(doc="What the callback brought, encrypted.")
    token: Mapped[bytes | None] = mapped_column(doc="The token, encrypted, until the account is confirmed.")
    account: Mapped[str | None]
    account_label: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    expires_at: Mapped[datetime]
    called_back_at: Mapped[datetime | None]


class StreamSetting(TenantTable):
    """CF: What an admin chose for a stream."""

    __tablename__ = "stream_settings"
    __table_args__ = (_of_integration(), one_of("direction", SyncDirection))

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    direction: Mapped[str] = mapped_column(server_default=text("'READ_ONLY'"))
    since: Mapped[datetime | None] = mapped_column(doc="How far back it is read; null: everything.")
    every_seconds: Mapped[int | None] = mapped_column(doc="How often it is read; null leaves it to the connector.")
    ownership: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'"), doc="Who wins a conflict, by field; others as the connector's category has it."
    )
    quarantined_fields: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


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
    cursor_version: Mapped[str | None] = mapped_column(doc="The version of the connector that wrote the cursor.")
    read_until: Mapped[datetime | None] = mapped_column(doc="Up to when it is read: the start of the last whole run.")
    expected_count: Mapped[int | None] = mapped_column(doc="How many records the remote side says it has.")
    seen_count: Mapped[int] = mapped_column(server_default=text("0"))
    paused_reason: Mapped[str | None] = mapped_column(doc="Why it is not read, though the integration is active.")
    failures: Mapped[int] = mapped_column(server_default=text("0"), doc="Runs in a row that broke the contract.")
    fields: Mapped[dict[str, Any] | None] = mapped_column(
        doc="The fields that its records have, with their JSON types; null until a first run has read to the end."
    )
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


class SyncRun(Entity):
    """AO + ended_at, counters, error, cancelled_at: One reading of a stream, with what it found."""

    __tablename__ = "sync_runs"
    __table_args__ = (_of_integration(), Index("sync_runs_started_at_idx", "tenant_id", "integration_id", "started_at"))

    integration_id: Mapped[UUID]
    stream: Mapped[str]
    mode: Mapped[str]
    window_start: Mapped[datetime | None]
    window_end: Mapped[datetime | None]
    requested_by: Mapped[UUID | None] = mapped_column(doc="The principal who asked for it; null when it was due.")
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    counters: Mapped[dict[str, Any]]
    error: Mapped[str | None]
    cancelled_at: Mapped[datetime | None] = mapped_column(doc="When somebody asked it to stop.")


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
    cost: Mapped[int | None] = mapped_column(doc="Of the goods of the line; null when not known.")


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
    """CF: Which local thing a remote record is; `agreed` is the last value that both sides had.

    `pushed_version` and `pushed_hash` are what the other side got from us last: when they come back, it is our echo.
    """

    __tablename__ = "record_links"
    __table_args__ = (_of_integration(), Index("record_links_local_id_idx", "tenant_id", "local_id"))

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    remote_id: Mapped[str] = mapped_column(primary_key=True)
    local_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER, doc="A customer, among other things.")
    agreed: Mapped[dict[str, Any] | None] = personal()
    pushed_version: Mapped[str | None]
    pushed_hash: Mapped[bytes | None]
    hops: Mapped[int] = mapped_column(server_default=text("0"), doc="How often of late it was sent its last change.")


class DeadLetter(Entity):
    """AO + run_id, line, resolution, resolved_at, attempts: A record that could not be accepted, or a value of one.

    It says which field is wrong, and why. That of a value is one and the same for as long as the value stands: it
    belongs to the run that met it last.
    """

    __tablename__ = "dead_letters"
    __table_args__ = (
        _of_integration(),
        Index("dead_letters_run_idx", "tenant_id", "run_id", "id"),
        Index("dead_letters_value_idx", "tenant_id", "integration_id", "remote_id", postgresql_where=text("landed")),
    )

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
    record: Mapped[dict[str, Any] | None] = personal(doc="The whole record, where there is one, to be tried again.")
    type: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default=text("1"))
    landed: Mapped[bool] = mapped_column(server_default=text("false"), doc="Only the value was left out.")


class SeenRecord(TenantTable):
    """WS: What a whole reading has seen so far; what it has not seen in the end is gone at the other side."""

    __tablename__ = "seen_records"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    remote_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str | None] = mapped_column(doc="Its version there, where the listing says it.")


class BulkDelete(Entity):
    """AO + decision, decided_at, decided_by, applied_at: A run found so much gone that a person has to agree."""

    __tablename__ = "bulk_deletes"
    __table_args__ = (_of_integration(),)

    integration_id: Mapped[UUID]
    run_id: Mapped[UUID]
    stream: Mapped[str]
    found: Mapped[int]
    known: Mapped[int]
    ids: Mapped[list[str]] = mapped_column(doc="`type:remote id` of each.")
    recorded_at: Mapped[datetime]
    decision: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]
    applied_at: Mapped[datetime | None]


class SchemaDrift(TenantTable):
    """WS: A field that a stream did not have before, no longer has, or has in another type."""

    __tablename__ = "schema_drifts"
    __table_args__ = (_of_integration(),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(doc="NEW, VANISHED or TYPE.")
    was: Mapped[str | None]
    became: Mapped[str | None]
    count: Mapped[int]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]


class OutboundChange(Entity):
    """AO + status, attempts, remote_version, error, next_at, sent_at, remote_id: What we owe the other side."""

    __tablename__ = "outbound_changes"
    __table_args__ = (
        _of_integration(),
        one_of("status", ChangeStatus),
        Index(
            "outbound_changes_open_idx", "tenant_id", "integration_id", "id",
            postgresql_where=text("status IN ('QUEUED', 'SENDING', 'WAITING')"),
        ),
        Index("outbound_changes_local_idx", "tenant_id", "local_id", "id"),
    )  # fmt: skip

    integration_id: Mapped[UUID]
    type: Mapped[str]
    local_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER, doc="A customer, among other things.")
    op: Mapped[str]
    remote_id: Mapped[str | None]
    remote_version: Mapped[str | None]
    record: Mapped[dict[str, Any] | None] = personal(doc="What the other side is to have.")
    fields: Mapped[list[str]] = mapped_column(doc="What of it changed.")
    base: Mapped[dict[str, Any] | None] = personal(doc="What both sides agreed on before.")
    key: Mapped[str] = mapped_column(doc="The idempotency key: the same for every attempt.")
    hops: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    recorded_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]


class SyncConflict(Entity):
    """AO + resolution, resolved_at, resolved_by, resolved: Both sides changed a field, and a person has to choose."""

    __tablename__ = "sync_conflicts"
    __table_args__ = (
        _of_integration(),
        Index(
            "sync_conflicts_open_idx", "tenant_id", "integration_id", "id",
            postgresql_where=text("resolution IS NULL"),
        ),
    )  # fmt: skip

    integration_id: Mapped[UUID]
    type: Mapped[str]
    remote_id: Mapped[str]
    local_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER, doc="A customer, among other things.")
    field: Mapped[str]
    policy: Mapped[str]
    base: Mapped[dict[str, Any] | None] = personal(doc="`{value: ...}`, as of ours, theirs and the resolved one.")
    ours: Mapped[dict[str, Any] | None] = personal()
    theirs: Mapped[dict[str, Any] | None] = personal()
    recorded_at: Mapped[datetime]
    resolution: Mapped[str | None] = mapped_column(doc="OURS, THEIRS, VALUE or SUPERSEDED.")
    resolved: Mapped[dict[str, Any] | None] = personal()
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[UUID | None]


class LinkCandidate(Entity):
    """AO + decision, decided_at, decided_by: A remote record that may be a customer whom we know; a person decides."""

    __tablename__ = "link_candidates"
    __table_args__ = (
        _of_integration(),
        UniqueConstraint("tenant_id", "integration_id", "type", "remote_id", "local_id"),
    )

    integration_id: Mapped[UUID]
    type: Mapped[str]
    remote_id: Mapped[str]
    local_id: Mapped[UUID] = mapped_column(info=OF_CUSTOMER, doc="A customer, among other things.")
    because: Mapped[str] = mapped_column(doc="What both have in common.")
    recorded_at: Mapped[datetime]
    decision: Mapped[str | None] = mapped_column(doc="SAME or DIFFERENT.")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]


class InboxEvent(Entity):
    """AO + body, processed_at, outcome, attempts: A verified call of a remote side; its body goes once it is read."""

    __tablename__ = "inbox_events"
    __table_args__ = (
        _of_integration(),
        UniqueConstraint("tenant_id", "integration_id", "key"),
        Index(
            "inbox_events_unheard_idx", "tenant_id", "integration_id", "id",
            postgresql_where=text("processed_at IS NULL"),
        ),
    )  # fmt: skip

    integration_id: Mapped[UUID]
    key: Mapped[str] = mapped_column(doc="The remote side's id of the event, or the digest of the body.")
    path: Mapped[str]
    body: Mapped[bytes | None] = personal()
    headers: Mapped[dict[str, Any]]
    signals: Mapped[list[dict[str, Any]] | None] = mapped_column(doc="What it says, where it was read at the door.")
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))


class RemoteSubscription(TenantTable):
    """WS: A remote side's promise to call us until a time."""

    __tablename__ = "remote_subscriptions"
    __table_args__ = (_of_integration(),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    remote_id: Mapped[str] = mapped_column(primary_key=True)
    resource: Mapped[str]
    expires_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")


class ReconciliationReport(Entity):
    """IM: What a comparison of both sides found; the digest is over the report's canonical JSON."""

    __tablename__ = "reconciliation_reports"
    __table_args__ = (_of_integration(), Index("reconciliation_reports_idx", "tenant_id", "integration_id", "id"))

    integration_id: Mapped[UUID]
    started_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    streams: Mapped[list[dict[str, Any]]] = mapped_column(doc="Per stream: counts, sums, kinds of differences.")
    compared: Mapped[int]
    matching: Mapped[int]
    digest: Mapped[bytes]


class ReconciliationDifference(TenantTable):
    """IM: A record that both sides do not have alike, with digests of the values, never the values."""

    __tablename__ = "reconciliation_differences"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "report_id"], ["reconciliation_reports.tenant_id", "reconciliation_reports.id"]
        ),
    )

    report_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    remote_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(doc="MISSING_LOCAL, MISSING_REMOTE, DIFFERENT, AWAITING_PUSH or REJECTED.")
    local_id: Mapped[UUID | None] = mapped_column(info=OF_CUSTOMER, doc="A customer, among other things.")
    fields: Mapped[list[str]]
    detail: Mapped[dict[str, Any]] = mapped_column(doc="By field: the digests of both values.")


class OutgoingWebhook(TenantTable):
    """CF: Where a tenant wants to be told what waits for a person; one per tenant."""

    __tablename__ = "outgoing_webhooks"

    url: Mapped[str]
    ciphertext: Mapped[bytes] = mapped_column(doc="The signing secret, encrypted.")
    key_id: Mapped[str]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")
