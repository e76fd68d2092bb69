"""Who asks, over GraphQL: the principal, the tenant, its tokens and its audit log."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from api.expose import Node, column, describe, embedded, entry, expose, many, one, page_of, part
from api.reads.mapping import Order
from api.scalars import CurrencyCode, Locale, iso
from domain.core.audit import AuditEntry as AuditRow
from domain.tenants import model

describe(model.Calendar)
describe(model.Role, VIEWER="Reads.", AGENT="Works with customers.", ANALYST="Reads figures.", ADMIN="Does everything.")
describe(model.PrincipalKind)
describe(model.TenantStatus)

ADMIN = "tokens:admin"
INTEGRATIONS = "integrations:admin"


@expose(
    model.Tenant, prefix="ten", by_id="tenants {t} where {t}.tenant_id = $1 and {t}.tenant_id = {k}",
    also={"id": column(strawberry.ID, sql="{t}.tenant_id", code="'ten_' + {e}.hex", description="The global id.")},
)  # fmt: skip
class Tenant(Node):
    """A business that uses Tenure."""

    slug = column()
    name = column()
    time_zone = column()
    calendar = column(model.Calendar)
    base_currency = column(CurrencyCode)
    locale = column(Locale)
    version = column()


@expose(model.Principal, prefix="pri")
class Principal(Node):
    """A person or a service that acts for the tenant."""

    kind = column(model.PrincipalKind)
    name = column()
    role = column(model.Role)


@expose(model.ApiToken, prefix="tok", scope=ADMIN)
class ApiToken(Node):
    """A bearer token; its secret was shown once, when it was made."""

    prefix = column()
    name = column()
    scopes = column(list[str])
    created_at = column()
    expires_at = column()
    revoked_at = column()
    last_used_at = column()
    principal = one(
        "tenants.Principal", "principals {t} where {t}.tenant_id = $1 and {t}.id = {p}.principal_id", null=False,
        description="Whom it stands for.",
    )  # fmt: skip


class AttentionKind(StrEnum):
    """Why something of an integration waits for a person."""

    NEEDS_REAUTH = "NEEDS_REAUTH"
    QUARANTINED = "QUARANTINED"
    PAUSED = "PAUSED"
    PAUSED_STREAM = "PAUSED_STREAM"
    CONFLICT = "CONFLICT"
    BULK_DELETE = "BULK_DELETE"
    LINK_CANDIDATE = "LINK_CANDIDATE"
    REJECTED_RECORD = "REJECTED_RECORD"
    REJECTED_CHANGE = "REJECTED_CHANGE"
    SCHEMA_DRIFT = "SCHEMA_DRIFT"


describe(
    AttentionKind,
    NEEDS_REAUTH="The other side no longer accepts the credentials.",
    QUARANTINED="The connector broke its contract too often.",
    PAUSED="The integration is neither read nor written until somebody resumes it.",
    PAUSED_STREAM="A stream is not read until somebody resumes it.",
    CONFLICT="Both sides changed the same field.",
    BULK_DELETE="So much is gone at the other side that a person has to agree.",
    LINK_CANDIDATE="A record of the other side may be a customer of ours.",
    REJECTED_RECORD="A record could not be accepted here.",
    REJECTED_CHANGE="The other side did not take a change.",
    SCHEMA_DRIFT="The other side sends other fields than before.",
)

_ITEMS = 100
"""How many items are listed at most; the counts know of all."""

_LIVING = "i.tenant_id = $1 and i.state <> 'DISCONNECTED'"


def _in_state(state: str) -> str:
    return f"""
    select i.id, i.label, '{state}' as kind, 1::bigint as count, coalesce(i.reason, '') as message,
        coalesce(i.state_since, i.updated_at) as since
    from integrations i where {_LIVING} and i.state = '{state}'
    """


def _waiting(kind: str, table: str, condition: str, since: str, words: str) -> str:
    return f"""
    select i.id, i.label, '{kind}' as kind, count(*) as count, '{words}' as message, min(w.{since}) as since
    from integrations i join {table} w on w.integration_id = i.id
    where {_LIVING} and w.tenant_id = $1 and {condition} group by i.id, i.label
    """


_ATTENTION = {
    AttentionKind.NEEDS_REAUTH: _in_state("NEEDS_REAUTH"),
    AttentionKind.QUARANTINED: _in_state("QUARANTINED"),
    AttentionKind.PAUSED: _in_state("PAUSED"),
    AttentionKind.PAUSED_STREAM: _waiting(
        "PAUSED_STREAM", "stream_states", "w.paused_reason is not null", "updated_at",
        "Streams are not read until somebody resumes them.",
    ),
    AttentionKind.CONFLICT: _waiting(
        "CONFLICT", "sync_conflicts", "w.resolution is null", "recorded_at", "Both sides changed the same field."
    ),
    AttentionKind.BULK_DELETE: _waiting(
        "BULK_DELETE", "bulk_deletes", "w.decision is null", "recorded_at", "Many records are gone at the other side."
    ),
    AttentionKind.LINK_CANDIDATE: _waiting(
        "LINK_CANDIDATE", "link_candidates", "w.decision is null", "recorded_at",
        "Records of the other side may be customers of ours.",
    ),
    AttentionKind.REJECTED_RECORD: _waiting(
        "REJECTED_RECORD", "dead_letters", "w.resolution is null", "recorded_at",
        "Records or values could not be accepted.",
    ),
    AttentionKind.REJECTED_CHANGE: _waiting(
        "REJECTED_CHANGE", "outbound_changes", "w.status = 'REJECTED'", "recorded_at",
        "The other side did not take changes.",
    ),
    AttentionKind.SCHEMA_DRIFT: _waiting(
        "SCHEMA_DRIFT", "schema_drifts", "w.acknowledged_at is null", "first_seen_at",
        "The other side sends other fields than before.",
    ),
}  # fmt: skip
_ALL_ATTENTION = " union all ".join(_ATTENTION.values())


def _count(kind: AttentionKind, description: str) -> Any:
    return column(
        int, sql=f"(select coalesce(sum(a.count), 0)::bigint from ({_ATTENTION[kind]}) a)", description=description
    )


def _moment(value: str, _reader: Any) -> str:
    return str(iso(datetime.fromisoformat(value)))


@expose()
class AttentionItem:
    """Something of an integration that waits for a person."""

    kind = entry(AttentionKind, "kind", description="Why it waits.")
    integration = entry(strawberry.ID, "integration", description="The id of the integration.")
    label = entry(str, "label", description="How people call the integration.")
    count = entry(int, "count", description="How many such things wait there.")
    message = entry(str, "message", description="What is the matter, in plain words.")
    since = entry(datetime, "since", finish=_moment, description="Since when it waits; of several, the first.")


@expose()
class Attention:
    """What waits for a person."""

    needs_reauth = _count(AttentionKind.NEEDS_REAUTH, "Integrations that have to be authorised again.")
    quarantined = _count(AttentionKind.QUARANTINED, "Integrations whose connector is in quarantine.")
    paused = _count(AttentionKind.PAUSED, "Integrations that are paused.")
    paused_streams = _count(AttentionKind.PAUSED_STREAM, "Streams that are not read until somebody resumes them.")
    conflicts = _count(AttentionKind.CONFLICT, "Conflicts in which a person has to choose.")
    bulk_deletes = _count(AttentionKind.BULK_DELETE, "Large deletions that wait for a decision.")
    link_candidates = _count(AttentionKind.LINK_CANDIDATE, "Records that may be customers of ours.")
    rejected_changes = _count(AttentionKind.REJECTED_CHANGE, "Changes that the other side did not take.")
    schema_drifts = _count(AttentionKind.SCHEMA_DRIFT, "Fields that came, went, or changed their type.")
    items = embedded(
        "tenants.AttentionItem",
        f"""(select coalesce(jsonb_agg(jsonb_build_object(
            'kind', a.kind, 'integration', 'ing_' || replace(a.id::text, '-', ''), 'label', a.label,
            'count', a.count, 'message', a.message, 'since', a.since
        ) order by a.since, a.id, a.kind), '[]')
        from (select * from ({_ALL_ATTENTION}) every order by since, id, kind limit {_ITEMS}) a)""",
        scope=INTEGRATIONS, description=f"The first {_ITEMS} of what waits of integrations, the longest first.",
    )  # fmt: skip

    merge_candidates = column(
        int,
        sql="(select count(*) from merge_candidates m where m.tenant_id = $1 and m.state = 'OPEN')",
        description="Customers who may be one.",
    )
    rejected_records = _count(AttentionKind.REJECTED_RECORD, "Records that could not be accepted.")


@expose()
class Viewer:
    """Whoever asks."""

    principal = part("tenants.Principal", description="The principal that the token stands for.")
    tenant = one(
        "tenants.Tenant", "tenants {t} where {t}.tenant_id = $1", null=False, description="The tenant it acts for."
    )
    permissions = column(
        list[str],
        sql="(select a.scopes from api_tokens a where a.tenant_id = $1 and a.id = {token})",
        description="The scopes of the token.",
    )
    attention = part("tenants.Attention", description="What waits for a person.")


@expose(AuditRow)
class AuditEntry:
    """A deed, chained to the one before it."""

    position = column(description="Its place in the chain, from 1.")
    at = column(description="When it was done.")
    actor = column(description="Who did it.")
    action = column(description="What was done.")
    subject = column(description="To what.")
    request_id = column(description="In which request.")
    hash = column(str, sql="encode({t}.hash, 'hex')", null=False, description="The hash that chains it.")


ApiTokenConnection = page_of(ApiToken, "tokens")
AuditEntryConnection = page_of(AuditEntry, "audit entries")


class Queries:
    """What the root offers of tenants."""

    viewer = one(
        "tenants.Viewer", "principals {t} where {t}.tenant_id = $1 and {t}.id = {me}", null=False,
        description="Whoever asks, and the tenant that the token belongs to.",
    )  # fmt: skip
    api_tokens = many(
        "tenants.ApiToken", "api_tokens {t} where {t}.tenant_id = $1", orders={"ID": Order("{t}.id", "id")},
        default=(("ID", True),), scope=ADMIN, description="The tenant's tokens, the newest first.",
    )  # fmt: skip
    audit_log = many(
        "tenants.AuditEntry", "audit_entries {t} where {t}.tenant_id = $1",
        orders={"ID": Order("{t}.position", "number")}, default=(("ID", True),), scope=ADMIN,
        description="What was done, the latest first.",
    )  # fmt: skip
