"""What is connected, over GraphQL: integrations, their streams and runs, and what waits there for a person."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import strawberry

from api import filters, ids, pages
from api.expose import Node, column, describe, embedded, entry, expose, listing, many, one, page_of
from api.reads.mapping import Argument, Order
from api.scalars import JSON
from api.survivors import survivor
from domain.integrations import model
from sync.access import pace
from sync.repair import RepairDirection
from sync.two_way.conflicts import Choice

ADMIN = "integrations:admin"

describe(
    model.IntegrationState,
    DRAFT="It is being set up.",
    AUTHORIZING="Somebody authorises it at the other side.",
    CHECKING="The account was reached; it waits to be switched on.",
    ACTIVE="Its streams are read.",
    PAUSED="Somebody switched it off, or its settings do not work.",
    RATE_LIMITED="The other side asked to slow down; it goes on by itself.",
    DEGRADED="The other side does not answer; it goes on by itself.",
    NEEDS_REAUTH="The other side no longer accepts the credentials.",
    QUARANTINED="The connector broke its contract too often; the operator releases it.",
    DISCONNECTED="It is over, until somebody takes it up again.",
)
describe(
    model.SyncDirection,
    READ_ONLY="It is read, never written.",
    TWO_WAY="Changes go both ways, once it was read to its end.",
)
describe(
    model.Ownership,
    LOCAL="Tenure's value wins.",
    REMOTE="The other side's value wins.",
    NEWEST="The newer value wins.",
    MANUAL="A person chooses.",
)
describe(
    model.DriftPolicy,
    ACCEPT="They are taken over.",
    QUARANTINE_FIELD="The field is left out until somebody has looked.",
    STOP="The stream stops until somebody has looked.",
)
describe(
    model.RunMode,
    INCREMENTAL="What changed since the last run.",
    BACKFILL="What happened in a window.",
    FULL="Everything, from the start.",
    REBUILD="Everything, and all that is derived of it anew.",
)
describe(
    model.ChangeStatus,
    QUEUED="It is to be sent.",
    SENDING="It is being sent, or its outcome is not known.",
    SENT="The other side has it.",
    WAITING="It waits for another change, or for the other side.",
    REJECTED="The other side does not take it.",
    CONFLICTED="Both sides changed the same; a person has to choose.",
    SUPERSEDED="A later change took its place.",
)

describe(
    Choice,
    OURS="Tenure's value.",
    THEIRS="The other side's value.",
    VALUE="The value that is given.",
)

describe(
    RepairDirection,
    PULL="What the other side has is taken over.",
    PUSH="Customers that differ are sent as they are here.",
)

_NEWEST_FIRST: dict[str, Any] = {"orders": {"ID": Order("{t}.id", "id")}, "default": (("ID", True),)}


def _state(column_name: str) -> str:
    return (
        f"(select s.{column_name} from stream_states s where s.tenant_id = $1 "
        "and s.integration_id = {t}.integration_id and s.stream = {t}.stream)"
    )


def _last_report(value: str) -> str:
    return (
        f"(select {value} from reconciliation_reports r where r.tenant_id = $1 and r.integration_id = {{t}}.id "
        "order by r.id desc limit 1)"
    )


def _share(report: str) -> str:
    """The share that is alike, to six digits; one that is not whole never looks whole."""
    share = f"trim_scale(trunc({report}.matching::numeric / {report}.compared, 6))"
    return f"case when {report}.compared = 0 then 1 else {share} end"


def _value(sql: str, description: str) -> Any:
    return column(str, sql=f"{{t}}.{sql}", null=True, scope="pii:read", description=description)


def _counter(name: str) -> str:
    return f"coalesce(({{t}}.counters ->> '{name}')::bigint, 0)"


# The buckets of an account, as sync.access.parties and .limiter name them: connector:account:digest/requests/seconds.
_QUOTA = f"""(select coalesce(jsonb_agg(jsonb_build_object('requests', n.requests, 'seconds', n.seconds,
  'remaining', floor(least(greatest(1, n.requests * {pace.BURST}), greatest(0, b.tokens + n.passed * n.flow))),
  'pace', trim_scale(round(least(1, b.factor + {pace.RECOVERY} * n.passed / 60), 4))::text,
  'rests_until', case when b.parked_until > {{now}} then extract(epoch from b.parked_until) * 1000000 end)
  order by n.seconds), '[]')
 from directory.rate_buckets b
 cross join lateral (select split_part(b.scope, '/', 2)::numeric as requests,
  split_part(b.scope, '/', 3)::int as seconds, greatest(0, extract(epoch from {{now}} - b.refilled_at)) as passed) r
 cross join lateral (select r.*, r.requests * {1 - pace.BURST} / r.seconds * b.factor as flow) n
 cross join lateral (select {{t}}.connector || ':account:' || encode(substring(sha256(convert_to(
  coalesce({{t}}.account, replace({{t}}.id::text, '-', '')), 'UTF8')) for 16), 'hex') as scope) of
 where b.scope >= of.scope || '/' and b.scope < of.scope || '0')"""


def _moment(value: Any, _reader: Any) -> datetime:
    return pages.moment_at(value)


@expose()
class Quota:
    """How fast an account may be asked, over all workers."""

    requests = entry(int, "requests", description="How many requests the vendor allows.")
    seconds = entry(int, "seconds", description="In how many seconds.")
    remaining = entry(int, "remaining", description="How many may be sent at once now; the others flow in evenly.")
    pace = entry(
        Decimal,
        "pace",
        description="The share of it that is used, 0 to 1: less for a while after a protest.",
    )
    rests_until = entry(
        datetime, "rests_until", null=True, finish=_moment,
        description="Until when nothing is asked, as the vendor wants; null when it may be.",
    )  # fmt: skip


@expose(model.SyncRun, prefix="run", scope=ADMIN)
class SyncRun(Node):
    """One reading of a stream, with what it found."""

    stream = column(description="The stream that is read.")
    mode = column(model.RunMode, description="How much of it is read.")
    window_start = column(description="From when it is read; null: from the beginning.")
    window_end = column(description="Until when it is read; null: to the end.")
    started_at = column(description="When it began.")
    ended_at = column(description="When it was over; null while it is at work, or waits to go on.")
    cancelled_at = column()
    error = column(description="Why it stopped, in plain words; null when nothing went wrong.")
    read = column(int, sql=_counter("read"), description="Records read.")
    created = column(int, sql=_counter("created"), description="Records that were new.")
    updated = column(int, sql=_counter("updated"), description="Records that said something else than before.")
    unchanged = column(int, sql=_counter("unchanged"), description="Records that said what was known.")
    deleted = column(int, sql=_counter("deleted"), description="Records that are gone at the other side.")
    rejected = column(int, sql=_counter("rejected"), description="Records that could not be accepted.")
    doubles = column(
        int, sql=_counter("doubles"), description="Records that stood on one page again: the one changed last counts."
    )
    strangers = column(
        int,
        sql=_counter("strangers"),
        description="Interactions by addresses or numbers of which nobody is known here; they are not kept.",
    )
    unreadable = column(
        int,
        sql=_counter("unreadable"),
        description="Values that could not be read; their records landed without them.",
    )
    integration = one(
        "integrations.Integration", "integrations {t} where {t}.tenant_id = $1 and {t}.id = {p}.integration_id",
        null=False, description="Whose run it is.",
    )  # fmt: skip


@expose()
class FieldOwnership:
    """Who wins when both sides changed a field."""

    field = entry(str, "field", description="The name of the field.")
    owner = entry(model.Ownership, "owner", description="Who wins.")


@expose(model.SchemaDrift)
class SchemaDrift:
    """A field that a stream did not have before, no longer has, or has in another type."""

    stream = column(description="The stream that it is about.")
    field = column(description="The name of the field.")
    kind = column()
    was = column(description="The type that it had.")
    became = column(description="The type that it has now.")
    count = column(description="In how many records it was seen.")
    first_seen_at = column(description="When it was seen first.")
    last_seen_at = column(description="When it was seen last.")
    acknowledged_at = column(description="When somebody said that it is all right.")


@expose(model.StreamSetting)
class IntegrationStream:
    """A stream of an integration: what was chosen for it, and how far it is."""

    name = column(str, sql="{t}.stream", description="Its name.")
    enabled = column(description="Whether it is read.")
    direction = column(model.SyncDirection, description="Which way changes go.")
    since = column()
    every_seconds = column()
    ownership = embedded(
        "integrations.FieldOwnership",
        "coalesce((select jsonb_agg(jsonb_build_object('field', o.key, 'owner', o.value) order by o.key) "
        "from jsonb_each_text({t}.ownership) o), '[]')",
        description="Who wins a conflict, where somebody chose that; by the connector's category elsewhere.",
    )
    quarantined_fields = column(list[str], description="Fields that are left out until somebody has looked.")
    paused_reason = column(
        str, sql=_state("paused_reason"), null=True,
        description="Why it is not read, though the integration is active.",
    )  # fmt: skip
    lag_seconds = column(
        int, sql=f"floor(extract(epoch from {{now}} - {_state('read_until')}))::bigint", null=True,
        description="How far behind it is: how long ago it was known whole; null while it never was.",
    )  # fmt: skip
    read_until = column(
        datetime, sql=_state("read_until"), null=True,
        description="Up to when it is read: what happened before is here.",
    )  # fmt: skip
    awaits_first_reading = column(
        bool, sql=f"({{t}}.direction = 'TWO_WAY' and {_state('read_until')} is null)", null=False,
        description="Whether it is to be written, and waits until it was read to its end once.",
    )  # fmt: skip
    seen_count = column(int, sql=f"coalesce({_state('seen_count')}, 0)", description="Records that were seen so far.")
    expected_count = column(
        int, sql=_state("expected_count"), null=True, description="How many records the other side says it has."
    )


@expose(model.DeadLetter, prefix="dlt", scope=ADMIN)
class DeadLetter(Node):
    """A record that could not be accepted, or a value without which its record landed."""

    stream = column(description="The stream that it came by.")
    remote_id = column(description="Its id at the other side, where it could be read.")
    field = column(description="The field that is wrong.")
    reason = column(description="Why it could not be accepted, in plain words.")
    attempts = column(description="How often it was tried.")
    recorded_at = column(description="When it was set aside.")
    landed = column(description="Whether the record is here, and only the value was left out.")
    resolution = column(
        description="RETRIED or DISCARDED; CORRECTED where the record no longer has the value; null while it waits."
    )
    resolved_at = column(description="When that was decided.")


@expose(model.SyncConflict, prefix="cft", scope=ADMIN)
class SyncConflict(Node):
    """Both sides changed the same field, and a person has to choose."""

    type = column(description="The type of the record.")
    remote_id = column(description="The record's id at the other side.")
    field = column(description="The field that both changed.")
    policy = column(model.Ownership, description="Why nobody won by himself.")
    base = _value("base -> 'value' ->> 0", "The value that both sides had.")
    ours = _value("ours ->> 'value'", "The value that Tenure has.")
    theirs = _value("theirs ->> 'value'", "The value that the other side has.")
    recorded_at = column(description="When it was found.")
    resolution = column()
    resolved_at = column(description="When somebody chose.")


@expose(model.BulkDelete, prefix="bkd", scope=ADMIN)
class BulkDelete(Node):
    """A run found so much gone that a person has to agree."""

    stream = column(description="The stream that it is about.")
    found = column(description="How many records are gone.")
    known = column(description="How many records the stream had.")
    recorded_at = column(description="When it was found.")
    decision = column(description="APPROVED or REJECTED; null while it waits.")
    decided_at = column(description="When that was decided.")
    applied_at = column(description="When the records were deleted here.")


@expose(model.LinkCandidate, prefix="lkc", scope=ADMIN)
class LinkCandidate(Node):
    """A record of the other side that may be somebody whom we know; a person decides."""

    type = column(description="The type of the record.")
    remote_id = column(description="The record's id at the other side.")
    because = column()
    recorded_at = column(description="When it was found.")
    decision = column()
    customer = one(
        "customers.Customer", survivor("{p}.local_id"), description="Who it may be.",
    )  # fmt: skip


@expose(model.OutboundChange, prefix="obc", scope=ADMIN)
class OutboundChange(Node):
    """Something that the other side is to take over."""

    type = column(description="The type of the record.")
    op = column(description="create, update or delete.")
    remote_id = column(description="The record's id at the other side; null until it has one.")
    fields = column(list[str])
    status = column(model.ChangeStatus, description="What became of it.")
    attempts = column(description="How often it was sent.")
    error = column(description="Why it was not taken, in plain words.")
    recorded_at = column(description="When it was found out.")
    sent_at = column(description="When the other side had it.")


@expose()
class StreamComparison:
    """How a stream compares on both sides."""

    stream = entry(str, "stream", description="The name of the stream.")
    local_count = entry(int, "local_count", description="How many records are here.")
    remote_count = entry(int, "remote_count", description="How many records are there.")
    matching = entry(int, "matching", description="How many are alike.")
    missing_local = entry(int, "missing_local", description="How many are missing here.")
    missing_remote = entry(int, "missing_remote", description="How many are missing there.")
    different = entry(int, "different", description="How many say something else.")
    awaiting_push = entry(int, "awaiting_push", description="How many wait to be sent.")
    rejected = entry(int, "rejected", description="How many could not be accepted here.")


@expose(model.ReconciliationDifference)
class ReconciliationDifference:
    """A record that both sides do not have alike."""

    stream = column(description="The stream that it belongs to.")
    type = column(description="The type of the record.")
    remote_id = column(description="The record's id at the other side, or ours where it has none there.")
    kind = column()
    fields = column(list[str], description="The fields that differ.")


@expose(model.ReconciliationReport, prefix="rec", scope=ADMIN)
class ReconciliationReport(Node):
    """What a comparison of both sides found; it never changes."""

    started_at = column(description="When the comparison began.")
    recorded_at = column(description="When it was over.")
    compared = column(description="How many records were compared.")
    matching = column(description="How many are alike on both sides.")
    accuracy = column(
        Decimal, sql=_share("{t}"),
        description="The share that is alike, 0 to 1.",
    )  # fmt: skip
    digest = column(
        str, sql="encode({t}.digest, 'hex')", null=False,
        description="SHA-256 of the report in canonical form: whoever has the report can compute it again.",
    )  # fmt: skip
    streams = embedded("integrations.StreamComparison", "{t}.streams", description="Stream by stream.")
    differences = many(
        "integrations.ReconciliationDifference", "reconciliation_differences {t} where {t}.tenant_id = $1",
        keys="{p}.id", link="report_id",
        orders={"ID": Order("{t}.stream || ' ' || {t}.type || ' ' || {t}.remote_id", "text")},
        default=(("ID", False),), description="What is not alike.",
    )  # fmt: skip


def _json(value: Any, _reader: Any) -> Any:
    return orjson.loads(value)


@expose(model.Integration, prefix="ing")
class Integration(Node):
    """A connector that is enabled for the tenant, with the account that it reads."""

    connector = column()
    account = column()
    account_label = column()
    label = column()
    state = column(model.IntegrationState)
    reason = column()
    state_since = column()
    connector_version = column()
    drift_policy = column(model.DriftPolicy, description="What happens when the other side sends other fields.")
    refused_calls = column(scope=ADMIN)
    refused_call_at = column(scope=ADMIN)
    refused_call_reason = column(scope=ADMIN)
    activated_at = column()
    created_at = column()
    updated_at = column()
    version = column()
    config = column(
        JSON, sql="{t}.config::text", finish=_json, scope=ADMIN, null=False, description="Its settings; no secrets."
    )
    secrets = column(
        list[str], scope=ADMIN, null=False,
        sql="array(select s.name from integration_secrets s where s.tenant_id = $1 and s.integration_id = {t}.id "
        "and s.ciphertext is not null order by s.name)",
        description="Which secrets are set; their values never leave.",
    )  # fmt: skip
    accuracy = column(
        Decimal, null=True,
        sql=_last_report(_share("r")),
        description="The share of the records of `comparedStreams` that was alike on both sides when they were last "
        "compared; null before.",
    )  # fmt: skip
    compared = column(
        int, null=True, sql=_last_report("r.compared"), description="How many records that share is of; null before."
    )
    compared_streams = column(
        list[str], null=True, sql=_last_report("array(select s ->> 'stream' from jsonb_array_elements(r.streams) s)"),
        description="The streams that it is about; null before. Of mail and meetings only those with customers are "
        "kept here, so they are not compared.",
    )  # fmt: skip
    quota = embedded(
        "integrations.Quota", _QUOTA, scope=ADMIN,
        description="How fast its account may be asked; empty before it was, and where the vendor names no limit or "
        "counts for all tenants together.",
    )  # fmt: skip
    streams = listing(
        "integrations.IntegrationStream", "stream_settings {t} where {t}.tenant_id = $1", keys="{p}.id",
        link="integration_id", order="{t}.stream", scope=ADMIN, description="Its streams.",
    )  # fmt: skip
    drifts = listing(
        "integrations.SchemaDrift", "schema_drifts {t} where {t}.tenant_id = $1", keys="{p}.id",
        link="integration_id", order="{t}.stream, {t}.field", scope=ADMIN,
        description="Fields that came, went, or changed their type.",
    )  # fmt: skip
    runs = many(
        "integrations.SyncRun", "sync_runs {t} where {t}.tenant_id = $1", keys="{p}.id", link="integration_id",
        **_NEWEST_FIRST, description="Its runs, the newest first.",
    )  # fmt: skip
    dead_letters = many(
        "integrations.DeadLetter", "dead_letters {t} where {t}.tenant_id = $1 and {t}.resolution is null",
        keys="{p}.id", link="integration_id", **_NEWEST_FIRST,
        description="Records that could not be accepted and wait for a person, the newest first.",
    )  # fmt: skip
    conflicts = many(
        "integrations.SyncConflict", "sync_conflicts {t} where {t}.tenant_id = $1 and {t}.resolution is null",
        keys="{p}.id", link="integration_id", **_NEWEST_FIRST,
        description="Conflicts that wait for a person, the newest first.",
    )  # fmt: skip
    bulk_deletes = many(
        "integrations.BulkDelete", "bulk_deletes {t} where {t}.tenant_id = $1 and {t}.decision is null",
        keys="{p}.id", link="integration_id", **_NEWEST_FIRST,
        description="Large deletions that wait for a person, the newest first.",
    )  # fmt: skip
    link_candidates = many(
        "integrations.LinkCandidate", "link_candidates {t} where {t}.tenant_id = $1 and {t}.decision is null",
        keys="{p}.id", link="integration_id", **_NEWEST_FIRST,
        description="Records that may be somebody whom we know, and wait for a person, the newest first.",
    )  # fmt: skip
    outbound_changes = many(
        "integrations.OutboundChange",
        "outbound_changes {t} where {t}.tenant_id = $1 and {t}.status in ('QUEUED', 'SENDING', 'WAITING', 'REJECTED')",
        keys="{p}.id", link="integration_id", **_NEWEST_FIRST,
        description="What the other side is to take over and has not yet, the newest first.",
    )  # fmt: skip
    reports = many(
        "integrations.ReconciliationReport", "reconciliation_reports {t} where {t}.tenant_id = $1", keys="{p}.id",
        link="integration_id", **_NEWEST_FIRST, description="Comparisons of both sides, the newest first.",
    )  # fmt: skip


@expose(model.RecordLink)
class SourceRecord:
    """The record at another system that something here was read from."""

    type = column(description="The type of the record.")
    remote_id = column(description="Its id at the other side.")
    integration = one(
        "integrations.Integration",
        "integrations {t} where {t}.tenant_id = $1 and {t}.id = {p}.integration_id",
        null=False,
        description="The integration that read it.",
    )


@expose(
    model.OutgoingWebhook, scope=ADMIN,
    by_id="outgoing_webhooks {t} where {t}.tenant_id = $1 and {t}.tenant_id = {k}",
)  # fmt: skip
class OutgoingWebhook:
    """Where the tenant is told what waits for a person."""

    url = column(description="The address that is called.")
    enabled = column(description="Whether it is called; an address that answers 410 Gone is called no more.")
    failures = column(description="How many calls in a row it did not take.")
    last_error = column(description="Why the last call was not taken, in plain words; null when it was.")
    updated_at = column()


IntegrationConnection = page_of(Integration, "integrations")
SyncRunConnection = page_of(SyncRun, "runs")
DeadLetterConnection = page_of(DeadLetter, "rejected records")
SyncConflictConnection = page_of(SyncConflict, "conflicts")
BulkDeleteConnection = page_of(BulkDelete, "large deletions")
LinkCandidateConnection = page_of(LinkCandidate, "proposed links")
OutboundChangeConnection = page_of(OutboundChange, "outbound changes")
ReconciliationReportConnection = page_of(ReconciliationReport, "reconciliation reports")
ReconciliationDifferenceConnection = page_of(ReconciliationDifference, "differences")


IntegrationFilter = filters.filter_input(
    "IntegrationFilter",
    "Conditions on integrations.",
    "api.integrations",
    id=filters.id_of("ing", "{t}.id", "Which integrations."),
    connector=filters.text("{t}.connector", "The key of the connector."),
    account=filters.text("{t}.account", "The account at the other side, by its id there."),
    label=filters.text("{t}.label", "How people call it."),
    state=filters.choice(model.IntegrationState, "{t}.state", "Where it is in its life."),
)


def _by_id(target: str, table: str, prefix: str, description: str) -> Any:
    """One thing of an admin's by its id."""
    return one(
        target, f"{table} {{t}} where {{t}}.tenant_id = $1 and {{t}}.id = {{id}}", scope=ADMIN,
        arguments={"id": Argument(strawberry.ID, "Its id.", convert=ids.reader(prefix), pg="uuid")},
        description=description,
    )  # fmt: skip


class Queries:
    """What the root offers of integrations."""

    integration = _by_id("integrations.Integration", "integrations", "ing", "One integration; null when there is none.")
    sync_run = _by_id("integrations.SyncRun", "sync_runs", "run", "One run; null when there is none.")
    reconciliation_report = _by_id(
        "integrations.ReconciliationReport", "reconciliation_reports", "rec",
        "One comparison of both sides; null when there is none.",
    )  # fmt: skip

    integrations = many(
        "integrations.Integration", "integrations {t} where {t}.tenant_id = $1", **_NEWEST_FIRST, scope=ADMIN,
        filter="IntegrationFilter",
        arguments={"filter": Argument(IntegrationFilter | None, "Only integrations that fit.")},
        description="What is connected for this tenant, the newest first.",
    )  # fmt: skip
    outgoing_webhook = one(
        "integrations.OutgoingWebhook", "outgoing_webhooks {t} where {t}.tenant_id = $1", scope=ADMIN,
        description="Where the tenant is told what waits for a person; null when nobody has set an address.",
    )  # fmt: skip
