"""Who asks, over GraphQL: the principal, the tenant, its tokens and its audit log."""

import strawberry

from api.expose import Node, column, describe, expose, many, one, page_of, part
from api.reads.mapping import Order
from api.scalars import CurrencyCode, Locale
from domain.core.audit import AuditEntry as AuditRow
from domain.tenants import model

describe(model.Calendar)
describe(model.Role, VIEWER="Reads.", AGENT="Works with customers.", ANALYST="Reads figures.", ADMIN="Does everything.")
describe(model.PrincipalKind)
describe(model.TenantStatus)

ADMIN = "tokens:admin"


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


@expose()
class Attention:
    """What waits for a person."""

    merge_candidates = column(
        int,
        sql="(select count(*) from merge_candidates m where m.tenant_id = $1 and m.state = 'OPEN')",
        description="Customers who may be one.",
    )
    rejected_records = column(
        int,
        sql="(select count(*) from dead_letters d where d.tenant_id = $1 and d.resolution is null)",
        description="Records that could not be accepted.",
    )


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
